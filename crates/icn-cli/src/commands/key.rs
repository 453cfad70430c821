//! Keys on this machine. Nothing here talks to a node.
use crate::{args::Global, failure::Usage, output::Output, profile, table::Table};
use anyhow::Context as _;
use clap::Subcommand;
use icn_api::keyfile;
use icn_model::{Did, SecretKey};
use serde_json::json;
use std::{
    io::{IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};

/// The largest text that is read as a key.
const MAX_KEY_BYTES: u64 = 16 << 10;

/// `key`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and write it to a new file that only you can read
    ///
    /// The file is Ed25519 in PKCS#8 PEM, not encrypted: keep it where you keep secrets.
    New {
        /// The file; it must not exist yet
        file: PathBuf,
    },
    /// Show the public key and the identity that begins with it
    Show {
        /// The key file; the one to sign with if none is named
        file: Option<PathBuf>,
    },
    /// Print the secret key as PEM
    Export {
        /// The key file; the one to sign with if none is named
        file: Option<PathBuf>,
        /// Print it even to a terminal
        #[arg(long)]
        force: bool,
    },
    /// Read a secret key (PKCS#8 PEM) and write it to a new file that only you can read
    Import {
        /// The file to write; it must not exist yet
        file: PathBuf,
        /// Where to read from; standard input if not named
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
    },
}

pub(crate) fn run(global: &Global, output: &Output, command: KeyCommand) -> anyhow::Result<()> {
    match command {
        KeyCommand::New { file } => {
            let key = keyfile::generate()?;
            keyfile::write_new(&file, &key)?;
            output.say(format!(
                "wrote the secret key to {}: keep it safe, nobody else has it",
                file.display()
            ));
            show(output, &key, Some(&file))
        }
        KeyCommand::Show { file } => {
            let file = named(global, file)?;
            show(output, &keyfile::read(&file)?, Some(&file))
        }
        KeyCommand::Export { file, force } => {
            let file = named(global, file)?;
            if std::io::stdout().is_terminal() && !force {
                return Err(Usage::new(
                    "this prints the secret key: send it to a file or pipe, or say --force",
                )
                .into());
            }
            let key = keyfile::read(&file)?;
            Ok(output.bytes(keyfile::to_pem(&key).as_bytes())?)
        }
        KeyCommand::Import { file, from } => {
            let key = match from {
                Some(from) => keyfile::read(&from)?,
                None => from_stdin()?,
            };
            keyfile::write_new(&file, &key)?;
            output.say(format!("wrote the secret key to {}", file.display()));
            show(output, &key, Some(&file))
        }
    }
}

fn from_stdin() -> anyhow::Result<SecretKey> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_KEY_BYTES)
        .read_to_string(&mut text)
        .context("cannot read standard input")?;
    Ok(keyfile::from_pem(&text, "standard input")?)
}

fn named(global: &Global, file: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let default = || anyhow::Ok(profile::settings(global)?.profile.key_path);
    match file {
        Some(file) => Ok(file),
        None => default()?.ok_or_else(|| Usage::new("no key file: name one, here or with --key").into()),
    }
}

fn show(output: &Output, key: &SecretKey, file: Option<&Path>) -> anyhow::Result<()> {
    let (public, did) = (key.public(), Did::new(key.public()));
    let data = json!({ "did": did, "key": public, "file": file });
    output.data(&data, |output| {
        let mut table = Table::pairs();
        table.pair("identity", did);
        table.pair("key", public);
        Ok(output.table(&table)?)
    })
}
