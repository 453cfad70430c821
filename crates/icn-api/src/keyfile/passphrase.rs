//! Passphrases and where they come from: a variable, or a file that a variable names. Asking people is left to
//! the command line.
//!
//! A passphrase is wiped from memory when it is dropped and shows in no `Debug`. What the environment of the
//! process holds stays there for as long as the process lives: a file is the better place.
use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
};
use zeroize::Zeroizing;

/// The variable that holds the passphrase of a key; with [`FILE_SUFFIX`] it names a file that does.
pub const PASSPHRASE_VARIABLE: &str = "ICN_KEY_PASSPHRASE";
/// What a variable's name ends with if it holds a file's name in place of the secret.
pub const FILE_SUFFIX: &str = "_FILE";
/// The longest passphrase, in bytes; other tools take no longer ones either.
pub const MAX_PASSPHRASE_BYTES: usize = 1_000;

/// What encrypts a key file.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// Why a passphrase cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// It has no characters.
    #[error("the passphrase in {origin} is empty: give one, or leave it out altogether")]
    Empty {
        /// Where it came from.
        origin: String,
    },
    /// It is longer than [`MAX_PASSPHRASE_BYTES`].
    #[error("the passphrase in {origin} is longer than {MAX_PASSPHRASE_BYTES} bytes: choose a shorter one")]
    TooLong {
        /// Where it came from.
        origin: String,
    },
    /// It is not text.
    #[error("the passphrase in {origin} is not UTF-8 text")]
    NotText {
        /// Where it came from.
        origin: String,
    },
    /// There are two, which may differ.
    #[error("{variable} and {variable}_FILE are both set: unset one of them")]
    Both {
        /// The shorter variable.
        variable: String,
    },
    /// Its file cannot be read.
    #[error("cannot read the passphrase file {path} (from {variable})", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The variable that names it.
        variable: String,
        /// Why.
        source: io::Error,
    },
}

impl Passphrase {
    /// Takes `text` as it is; `origin` says in errors where it came from.
    ///
    /// # Errors
    /// If it is empty or too long.
    pub fn new(text: impl Into<Zeroizing<String>>, origin: &str) -> Result<Self, PassphraseError> {
        let text = text.into();
        let origin = || origin.to_owned();
        match text.len() {
            0 => Err(PassphraseError::Empty { origin: origin() }),
            len if len > MAX_PASSPHRASE_BYTES => Err(PassphraseError::TooLong { origin: origin() }),
            _ => Ok(Self(text)),
        }
    }

    /// What the environment's `variable` holds, or the file that `variable` with [`FILE_SUFFIX`] names; nothing if
    /// neither is set. One newline at the end of a file is not part of the passphrase.
    ///
    /// # Errors
    /// If both are set, or what they give is no passphrase.
    pub fn from_environment(variable: &str) -> Result<Option<Self>, PassphraseError> {
        Self::from_variables(variable, |name| env::var_os(name))
    }

    /// The same for any set of variables.
    ///
    /// # Errors
    /// The same.
    pub fn from_variables(
        variable: &str,
        look_up: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, PassphraseError> {
        let by_file = format!("{variable}{FILE_SUFFIX}");
        match (look_up(variable), look_up(&by_file)) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => Err(PassphraseError::Both {
                variable: variable.to_owned(),
            }),
            (Some(text), None) => match text.into_string() {
                Ok(text) => Self::new(text, variable).map(Some),
                Err(_) => Err(PassphraseError::NotText {
                    origin: variable.to_owned(),
                }),
            },
            (None, Some(path)) => Self::from_file(&path, by_file).map(Some),
        }
    }

    fn from_file(path: &OsStr, variable: String) -> Result<Self, PassphraseError> {
        let origin = path.display().to_string();
        let mut text = Zeroizing::new(String::with_capacity(MAX_PASSPHRASE_BYTES + 3));
        // Room for a line's end, and for one byte by which too long a text shows.
        let limit = MAX_PASSPHRASE_BYTES as u64 + 3;
        let read = File::open(path).and_then(|file| file.take(limit).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(PassphraseError::NotText { origin });
            }
            Err(source) => {
                return Err(PassphraseError::File {
                    path: path.into(),
                    variable,
                    source,
                });
            }
        }
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        Self::new(line.to_owned(), &origin)
    }

    /// Whether it is the same as another one that the same person gave.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Only that there is one.
impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    /// What two variables give, either of which may be set.
    fn given(text: Option<&str>, file: Option<&Path>) -> Result<Option<Passphrase>, PassphraseError> {
        Passphrase::from_variables("P", |name| match name {
            "P" => text.map(OsString::from),
            "P_FILE" => file.map(OsString::from),
            _ => None,
        })
    }

    #[test]
    fn a_passphrase_comes_from_a_variable_or_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pass");
        assert!(given(None, None).unwrap().is_none());
        assert_eq!(
            given(Some(" a b\n"), None).unwrap().unwrap().as_bytes(),
            b" a b\n"
        );
        for (held, meant) in [
            ("word", "word"),
            ("word\n", "word"),
            ("word\r\n", "word"),
            ("word\n\n", "word\n"),
            (" two words ", " two words "),
        ] {
            fs::write(&path, held).unwrap();
            let passphrase = given(None, Some(&path)).unwrap().unwrap();
            assert_eq!(passphrase.as_bytes(), meant.as_bytes(), "{held:?}");
            assert!(!format!("{passphrase:?}").contains("word"));
        }
        fs::write(&path, "x".repeat(MAX_PASSPHRASE_BYTES) + "\r\n").unwrap();
        assert!(given(None, Some(&path)).is_ok());
    }

    #[test]
    fn what_is_no_passphrase_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pass");
        let long = "x".repeat(MAX_PASSPHRASE_BYTES + 1);
        for (held, told) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (long.as_bytes(), "longer than"),
            (b"\xff\xfe", "not UTF-8"),
        ] {
            fs::write(&path, held).unwrap();
            let error = given(None, Some(&path)).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("pass"), "{error}");
        }
        let both = given(Some("a"), Some(&path)).unwrap_err().to_string();
        assert!(both.contains("P and P_FILE"), "{both}");
        assert!(
            given(Some(""), None)
                .unwrap_err()
                .to_string()
                .contains("in P is empty")
        );
        let missing = given(None, Some(&directory.path().join("none"))).unwrap_err();
        assert!(missing.to_string().contains("P_FILE"), "{missing}");
    }
}
