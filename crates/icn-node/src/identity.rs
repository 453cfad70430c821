//! The node's key: made at the first start, the same one ever after; encrypted if there is a passphrase for it. How
//! another one follows it is in `succession`.
//!
//! A node that is told where its key is never makes another one: a volume that is not mounted would turn it into
//! somebody else.
use crate::config::Identity;
use icn_api::keyfile::{self, KeyFileError, Passphrase, PassphraseError};
use icn_model::SecretKey;
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Why a node has no key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key cannot be read or written.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The passphrase cannot be used.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// `identity.key_path` names a file that is not there.
    #[error(
        "there is no key at identity.key_path = {path:?}, and none is made there: put it there, make it with \
         `icn-cli key new`, or leave the setting out to have one made in the data directory"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// There is no key, and none may be made.
    #[error(
        "there is no key at {path:?}, and identity.generate_new_key is false: put the node's key there, or let it \
         make one"
    )]
    NotMade {
        /// The file.
        path: PathBuf,
    },
    /// A node in production has a key that is not encrypted.
    #[error(
        "the key in {path} is not encrypted, which is unsafe in production: encrypt it (icn-cli key export {path} \
         --to NEW), put the new file in its place and its passphrase in {variable} or {variable}_FILE",
        path = path.display()
    )]
    Plain {
        /// The file.
        path: PathBuf,
        /// The variable.
        variable: String,
    },
    /// A node in production would make a key that is not encrypted.
    #[error(
        "no passphrase for the new key, which unencrypted would be unsafe in production: set {variable} or \
         {variable}_FILE"
    )]
    PlainNew {
        /// The variable.
        variable: String,
    },
    /// The configuration promises a passphrase for a new key, and there is none.
    #[error(
        "no passphrase for the new key: identity.key_passphrase_env names {variable}, and neither it nor \
         {variable}_FILE is set"
    )]
    NoPassphrase {
        /// The variable.
        variable: String,
    },
}

/// Reads a key of the node. In production it has to be encrypted.
///
/// # Errors
/// [`IdentityError`] if it cannot be read, or opened by the passphrase.
pub(crate) fn open(
    path: &Path,
    variable: &str,
    passphrase: Option<&Passphrase>,
    is_production: bool,
) -> Result<SecretKey, IdentityError> {
    let shown = path.display();
    let stored = keyfile::load(path)?;
    if is_production && !stored.is_encrypted() {
        return Err(IdentityError::Plain {
            path: path.to_owned(),
            variable: variable.to_owned(),
        });
    }
    if passphrase.is_some() && !stored.is_encrypted() {
        tracing::warn!(
            path = %shown,
            "the key is not encrypted, though there is a passphrase: icn-cli key export {shown} --to NEW"
        );
    }
    let key = stored.open_with(passphrase, variable)?;
    if let Some(mode) = keyfile::exposed_mode(path) {
        tracing::warn!(path = %shown, "others can read the key (mode {mode:o}): chmod 600 {shown}");
    }
    Ok(key)
}

/// The node's key: the one that `settings` name, or that is in `data_dir`, or a new one that is kept there. In
/// production it has to be encrypted.
///
/// # Errors
/// [`IdentityError`] if there is no key and none may be made, or it cannot be read or written.
pub fn load_or_create(
    settings: &Identity,
    data_dir: &Path,
    is_production: bool,
) -> Result<SecretKey, IdentityError> {
    load_or_create_with(settings, data_dir, is_production, |name| env::var_os(name))
}

fn load_or_create_with(
    settings: &Identity,
    data_dir: &Path,
    is_production: bool,
    look_up: impl Fn(&str) -> Option<OsString>,
) -> Result<SecretKey, IdentityError> {
    let path = settings.key_path(data_dir);
    let variable = settings.passphrase_variable();
    let passphrase = Passphrase::from_variables(variable, look_up)?;
    let shown = path.display();
    if settings.key_path.is_some() && settings.generate_new_key == Some(true) {
        tracing::info!(path = %shown, "identity.generate_new_key does not count, for identity.key_path names a key");
    }
    if path.exists() {
        return open(&path, variable, passphrase.as_ref(), is_production);
    }
    if settings.key_path.is_some() {
        return Err(IdentityError::Missing { path });
    }
    if settings.generate_new_key == Some(false) {
        return Err(IdentityError::NotMade { path });
    }
    let key = keyfile::generate()?;
    match (&passphrase, &settings.key_passphrase_env) {
        (Some(passphrase), _) => keyfile::write_new_encrypted(&path, &key, passphrase)?,
        (None, Some(variable)) => {
            return Err(IdentityError::NoPassphrase {
                variable: variable.clone(),
            });
        }
        (None, None) if is_production => {
            return Err(IdentityError::PlainNew {
                variable: variable.to_owned(),
            });
        }
        (None, None) => keyfile::write_new(&path, &key)?,
    }
    tracing::info!(path = %shown, encrypted = passphrase.is_some(), "made a key for this node");
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_api::keyfile::PASSPHRASE_VARIABLE;
    use std::fs;

    /// Starts with the passphrase `word` in `variable`, if there is one.
    fn start(settings: &Identity, data_dir: &Path, word: Option<(&str, &str)>) -> Result<SecretKey, String> {
        load_or_create_with(settings, data_dir, false, |name| {
            word.filter(|(variable, _)| *variable == name)
                .map(|(_, word)| word.into())
        })
        .map_err(|error| error.to_string())
    }

    const WORD: Option<(&str, &str)> = Some(("ICN_KEY_PASSPHRASE", "open sesame"));

    #[test]
    fn a_key_is_made_once_and_encrypted_if_there_is_a_passphrase() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Identity::default();
        let key = start(&settings, dir.path(), WORD).unwrap();
        let path = dir.path().join("node.key");
        assert!(fs::read_to_string(&path).unwrap().contains("BEGIN ENCRYPTED"));
        assert_eq!(keyfile::exposed_mode(&path), None);
        assert_eq!(start(&settings, dir.path(), WORD).unwrap().public(), key.public());
        let wrong = start(&settings, dir.path(), Some(("ICN_KEY_PASSPHRASE", "barley")));
        assert!(wrong.unwrap_err().contains("does not open"));
        let none = start(&settings, dir.path(), None).unwrap_err();
        assert!(none.contains("ICN_KEY_PASSPHRASE_FILE"), "{none}");

        let plain = tempfile::tempdir().unwrap();
        let key = start(&settings, plain.path(), None).unwrap();
        let text = fs::read_to_string(plain.path().join("node.key")).unwrap();
        assert!(text.contains("BEGIN PRIVATE KEY"));
        // A passphrase that is not needed is no obstacle.
        assert_eq!(
            start(&settings, plain.path(), WORD).unwrap().public(),
            key.public()
        );
    }

    #[test]
    fn production_takes_encrypted_keys_only() {
        let dir = tempfile::tempdir().unwrap();
        let start = |word: Option<&str>| {
            let look_up = |name: &str| word.filter(|_| name == PASSPHRASE_VARIABLE).map(Into::into);
            load_or_create_with(&Identity::default(), dir.path(), true, look_up)
                .map_err(|error| error.to_string())
        };
        let path = dir.path().join("node.key");
        let none = start(None).unwrap_err();
        assert!(
            none.contains("ICN_KEY_PASSPHRASE_FILE") && !path.exists(),
            "{none}"
        );
        keyfile::write_new(&path, &keyfile::generate().unwrap()).unwrap();
        let plain = start(Some("open sesame")).unwrap_err();
        assert!(plain.contains("icn-cli key export"), "{plain}");
        fs::remove_file(&path).unwrap();
        let made = start(Some("open sesame")).unwrap();
        assert_eq!(start(Some("open sesame")).unwrap().public(), made.public());
    }

    #[test]
    fn the_configuration_says_where_the_passphrase_is() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Identity {
            key_passphrase_env: Some("SEAT_WORD".into()),
            ..Identity::default()
        };
        let none = start(&settings, dir.path(), WORD).unwrap_err();
        assert!(none.contains("SEAT_WORD"), "{none}");
        assert!(!dir.path().join("node.key").exists(), "no plain key in its place");
        let by_name = start(&settings, dir.path(), Some(("SEAT_WORD", "poppy"))).unwrap();
        let file = dir.path().join("word");
        fs::write(&file, "poppy\n").unwrap();
        let file = Some(("SEAT_WORD_FILE", file.to_str().unwrap()));
        let by_file = start(&settings, dir.path(), file).unwrap();
        assert_eq!(by_file.public(), by_name.public());
        assert!(
            start(&settings, dir.path(), WORD)
                .unwrap_err()
                .contains("SEAT_WORD_FILE")
        );
    }

    #[test]
    fn no_other_key_is_made_where_one_is_named_or_forbidden() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets/seat.pem");
        for generate_new_key in [None, Some(true), Some(false)] {
            let named = Identity {
                key_path: Some(path.clone()),
                generate_new_key,
                ..Identity::default()
            };
            let error = start(&named, dir.path(), None).unwrap_err();
            assert!(
                error.contains("seat.pem") && error.contains("icn-cli key new"),
                "{error}"
            );
        }
        let forbidden = Identity {
            generate_new_key: Some(false),
            ..Identity::default()
        };
        let error = start(&forbidden, dir.path(), None).unwrap_err();
        assert!(error.contains("generate_new_key is false"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is written");
        let key = keyfile::generate().unwrap();
        keyfile::write_new(&path, &key).unwrap();
        let named = Identity {
            key_path: Some(path),
            generate_new_key: Some(true),
            ..Identity::default()
        };
        assert_eq!(start(&named, dir.path(), None).unwrap().public(), key.public());
    }
}
