//! Opens keys: passphrases come from the environment, or from whoever sits at the terminal.
//!
//! Nothing is asked where errors do not go to a terminal: a script gets an error that says what to set.
use crate::{failure::Usage, output::Output};
use anyhow::Context as _;
use icn_api::keyfile::{self, PASSPHRASE_VARIABLE, Passphrase, Stored};
use icn_model::SecretKey;
use std::path::Path;

/// The variable that holds the passphrase for a file that is written, where it is another than that of the file
/// that is read.
const NEW_PASSPHRASE_VARIABLE: &str = "ICN_KEY_NEW_PASSPHRASE";
/// How passphrases are called in errors if somebody typed them.
const TERMINAL: &str = "what was typed";

/// A key, and what opened it if it was encrypted.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) key: SecretKey,
    pub(crate) passphrase: Option<Passphrase>,
}

/// Reads a key file.
pub(crate) fn read(path: &Path, output: &Output) -> anyhow::Result<Opened> {
    open(keyfile::load(path)?, output)
}

/// Opens a key that has been read.
pub(crate) fn open(stored: Stored, output: &Output) -> anyhow::Result<Opened> {
    let sealed = match stored {
        Stored::Plain(key) => {
            return Ok(Opened {
                key,
                passphrase: None,
            });
        }
        Stored::Encrypted(sealed) => sealed,
    };
    let passphrase = match Passphrase::from_environment(PASSPHRASE_VARIABLE)? {
        Some(passphrase) => passphrase,
        None if output.can_ask() => ask(&format!("passphrase of {}: ", sealed.origin()))?,
        None => return Err(sealed.needs_passphrase(PASSPHRASE_VARIABLE).into()),
    };
    Ok(Opened {
        key: sealed.open(&passphrase)?,
        passphrase: Some(passphrase),
    })
}

/// The passphrase for a file that is to be written.
pub(crate) fn for_new(path: &Path, output: &Output) -> anyhow::Result<Passphrase> {
    for variable in [NEW_PASSPHRASE_VARIABLE, PASSPHRASE_VARIABLE] {
        if let Some(passphrase) = Passphrase::from_environment(variable)? {
            return Ok(passphrase);
        }
    }
    let path = path.display();
    if !output.can_ask() {
        return Err(Usage::new(format!(
            "no passphrase for {path}: give it in {PASSPHRASE_VARIABLE}, or in {PASSPHRASE_VARIABLE}_FILE the name of \
             a file that holds it"
        ))
        .into());
    }
    let passphrase = ask(&format!("new passphrase for {path}: "))?;
    if !passphrase.is_same(&ask("the same again: ")?) {
        return Err(Usage::new("the two passphrases differ: nothing is written").into());
    }
    Ok(passphrase)
}

fn ask(prompt: &str) -> anyhow::Result<Passphrase> {
    let text = rpassword::prompt_password(prompt).context("cannot read a passphrase from the terminal")?;
    Ok(Passphrase::new(text, TERMINAL)?)
}
