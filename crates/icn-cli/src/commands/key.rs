//! Keys on this machine: files, and the keystore. What needs a node is in `rotate`.
use crate::{
    commands::rotate::{self, AssignArgs, ProveArgs, RotateArgs},
    failure::Usage,
    global::Global,
    keystore::{self, Entry, Holder},
    output::Output,
    profile,
    session::Session,
    table::Table,
    unlock::{self, Opened},
};
use anyhow::Context as _;
use clap::Subcommand;
use icn_api::keyfile::{self, Passphrase};
use icn_model::{Did, SecretKey};
use serde_json::json;
use std::{
    io::{IsTerminal as _, Read as _},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// `key`; every FILE may be @NAME, a key of the keystore
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and write it to a new file that only you can read
    ///
    /// The file is Ed25519 in PKCS#8 PEM. Unless it is encrypted, keep it where you keep secrets. @NAME makes it in
    /// your keystore, from where every command takes it by that name.
    New {
        /// The file; it must not exist yet
        file: PathBuf,
        /// Encrypt it by a passphrase: ICN_KEY_PASSPHRASE, the content of ICN_KEY_PASSPHRASE_FILE, or asked for
        #[arg(long)]
        encrypt: bool,
    },
    /// List the keys of your keystore
    Ls,
    /// Put another key in the place of the node's own, or of a member's
    ///
    /// The node makes its new key itself, beside the old one and encrypted as that is; it follows in every role in
    /// which the old one may name its successor, the seat with the next epoch. A member's new key is made here and acts
    /// at once.
    Rotate(RotateArgs),
    /// Show which keys act for the node's cooperative
    Roles,
    /// Give the roles of a cooperative to other keys: signed by enough of its officers, or by the recovery key
    ///
    /// The seat's key is rotated (`key rotate`) by the node that has it; `--seat` is for one that is lost. Only the
    /// recovery key names another recovery key. Of several officers each signs the same.
    Assign(AssignArgs),
    /// Print the proof that a new key is held, for officers who put it in the place of a lost one
    Prove(ProveArgs),
    /// Show the public key and the identity that begins with it
    Show {
        /// The key file; the one to sign with if none is named
        file: Option<PathBuf>,
    },
    /// Print the secret key as PEM, or write it to another file, encrypted
    ///
    /// The other file's passphrase is ICN_KEY_NEW_PASSPHRASE, else ICN_KEY_PASSPHRASE (or what the files hold that
    /// these with _FILE name), else asked for.
    Export {
        /// The key file; the one to sign with if none is named
        file: Option<PathBuf>,
        /// Print it even to a terminal
        #[arg(long, conflicts_with = "to")]
        force: bool,
        /// Write it to this new file, encrypted, in place of printing it unencrypted
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Do not encrypt what is written
        #[arg(long, requires = "to")]
        plain: bool,
    },
    /// Read a secret key (PKCS#8 PEM) and write it to a new file that only you can read
    ///
    /// It stays as it was, encrypted by the same passphrase or not at all, unless an option says else.
    Import {
        /// The file to write, which must not exist yet; with --to, the one to read
        file: PathBuf,
        /// Where to read from; standard input if neither this nor --to is named
        #[arg(long, value_name = "FILE", conflicts_with = "to")]
        from: Option<PathBuf>,
        /// Where to write to; it must not exist yet
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Encrypt it by ICN_KEY_NEW_PASSPHRASE, else ICN_KEY_PASSPHRASE, or asked for
        #[arg(long, conflicts_with = "plain")]
        encrypt: bool,
        /// Do not encrypt it
        #[arg(long)]
        plain: bool,
    },
}

pub(crate) fn run(global: &Global, output: &Output, command: KeyCommand) -> anyhow::Result<()> {
    let session = || Session::new(global, output);
    match command {
        KeyCommand::Ls => list(output),
        KeyCommand::Rotate(args) => rotate::rotate(&session()?, &args),
        KeyCommand::Roles => rotate::roles(&session()?),
        KeyCommand::Assign(args) => rotate::assign(&session()?, &args),
        KeyCommand::Prove(args) => rotate::prove(&session()?, &args),
        KeyCommand::New { file, encrypt } => {
            let entry = keystore::named(&file)?;
            let file = place(entry.as_ref(), file)?;
            absent(&file)?;
            let passphrase = encrypt.then(|| unlock::for_new(&file, output)).transpose()?;
            let key = keyfile::generate()?;
            write(output, &file, &key, passphrase.as_ref())?;
            keep(entry.as_ref(), &key)?;
            output.say("keep it safe, nobody else has it");
            show(output, &key, Some(&file))
        }
        KeyCommand::Show { file } => {
            let file = named(global, file)?;
            show(output, &unlock::read(&file, output)?.key, Some(&file))
        }
        KeyCommand::Export {
            file,
            force,
            to: None,
            plain: _,
        } => {
            let file = named(global, file)?;
            if std::io::stdout().is_terminal() && !force {
                return Err(Usage::new(
                    "this prints the secret key: send it to a file with --to or a pipe, or say --force",
                )
                .into());
            }
            let key = unlock::read(&file, output)?.key;
            Ok(output.bytes(keyfile::to_pem(&key).as_bytes())?)
        }
        KeyCommand::Export {
            file,
            force: _,
            to: Some(to),
            plain,
        } => {
            let file = named(global, file)?;
            absent(&to)?;
            let key = unlock::read(&file, output)?.key;
            let passphrase = (!plain).then(|| unlock::for_new(&to, output)).transpose()?;
            write(output, &to, &key, passphrase.as_ref())?;
            show(output, &key, Some(&to))
        }
        KeyCommand::Import {
            file,
            from,
            to,
            encrypt,
            plain,
        } => {
            let (from, to) = match to {
                Some(to) => (Some(file), to),
                None => (from, file),
            };
            let entry = keystore::named(&to)?;
            let to = place(entry.as_ref(), to)?;
            absent(&to)?;
            let Opened { key, passphrase } = match from {
                Some(from) => unlock::read(&keystore::path_of(&from)?, output)?,
                None => from_stdin(output)?,
            };
            let passphrase = if encrypt {
                Some(unlock::for_new(&to, output)?)
            } else {
                passphrase.filter(|_| !plain)
            };
            write(output, &to, &key, passphrase.as_ref())?;
            keep(entry.as_ref(), &key)?;
            show(output, &key, Some(&to))
        }
    }
}

/// Where a new key is written.
fn place(entry: Option<&Entry>, file: PathBuf) -> anyhow::Result<PathBuf> {
    match entry {
        Some(entry) => {
            keystore::prepare()?;
            Ok(entry.path.clone())
        }
        None => Ok(file),
    }
}

/// Notes in the keystore whose key it is.
fn keep(entry: Option<&Entry>, key: &SecretKey) -> anyhow::Result<()> {
    let (key, did) = (key.public(), Did::new(key.public()));
    entry.map_or(Ok(()), |entry| entry.keep(&Holder { did, key }))
}

fn list(output: &Output) -> anyhow::Result<()> {
    let mut table = Table::new(["NAME", "IDENTITY", "KEY"]);
    let mut data = Vec::new();
    for entry in keystore::all()? {
        let holder = entry.holder()?;
        let unknown = || "?".to_owned();
        table.row([
            format!("@{}", entry.name),
            holder.map_or_else(unknown, |holder| holder.did.to_string()),
            holder.map_or_else(unknown, |holder| holder.key.to_string()),
        ]);
        data.push(json!({ "name": entry.name, "file": entry.path, "holder": holder }));
    }
    output.data(&data, |output| Ok(output.table(&table)?))
}

/// Refuses a file that is there before anybody is asked for anything; writing refuses it, too.
fn absent(file: &Path) -> anyhow::Result<()> {
    if file.symlink_metadata().is_ok() {
        return Err(keyfile::KeyFileError::Exists {
            path: file.to_owned(),
        }
        .into());
    }
    Ok(())
}

fn write(
    output: &Output,
    file: &Path,
    key: &SecretKey,
    passphrase: Option<&Passphrase>,
) -> anyhow::Result<()> {
    let kind = match passphrase {
        Some(passphrase) => {
            keyfile::write_new_encrypted(file, key, passphrase)?;
            "encrypted"
        }
        None => {
            keyfile::write_new(file, key)?;
            "not encrypted"
        }
    };
    output.say(format!("wrote the secret key to {}, {kind}", file.display()));
    Ok(())
}

fn from_stdin(output: &Output) -> anyhow::Result<Opened> {
    let mut text = Zeroizing::new(String::new());
    std::io::stdin()
        .lock()
        .take(keyfile::MAX_KEY_FILE_BYTES)
        .read_to_string(&mut text)
        .context("cannot read standard input")?;
    unlock::open(keyfile::parse(&text, "standard input")?, output)
}

fn named(global: &Global, file: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let default = || anyhow::Ok(profile::settings(global)?.profile.key_path);
    match file {
        Some(file) => keystore::path_of(&file),
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
