//! Secrets that come by variables, or lie in files which a variable with `_FILE` at its end names.
use super::{ConfigError, ENVIRONMENT};
use figment::providers::Serialized;
use std::{env, fs, path::Path};

/// Added to a variable's name, it names a file with the value: for secrets that a supervisor mounts.
pub const FILE_SUFFIX: &str = "_FILE";
/// More than any secret has.
const MAX_SECRET_BYTES: u64 = 4_096;

/// A secret with the variable that it came from.
pub struct Secret {
    /// The key that it is the value of.
    pub key: &'static str,
    /// The variable that held it, or named its file.
    pub variable: String,
    text: String,
}

impl Secret {
    /// The value.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A layer of nothing but this one value.
    pub fn layer(&self) -> Serialized<&str> {
        Serialized::default(self.key, &self.text)
    }
}

/// What `variable` holds, or the file that it names with `_FILE` at its end.
///
/// # Errors
/// If both are set, the file cannot be read, or the value is not text.
pub fn read(key: &'static str, variable: &str) -> Result<Option<Secret>, ConfigError> {
    let by_file = format!("{variable}{FILE_SUFFIX}");
    let wrong = |reason: String| ConfigError::Key {
        place: ENVIRONMENT.into(),
        key: key.into(),
        reason,
    };
    let secret = |variable: &str, text: String| {
        Ok(Some(Secret {
            key,
            variable: variable.into(),
            text,
        }))
    };
    match (env::var_os(variable), env::var_os(&by_file)) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(wrong(format!(
            "{variable} and {by_file} are both set: unset one of them"
        ))),
        (Some(text), None) => match text.into_string() {
            Ok(text) => secret(variable, text),
            Err(_) => Err(wrong(format!("{variable} is not UTF-8 text"))),
        },
        (None, Some(path)) => {
            let path = Path::new(&path);
            let text = text_of(path).map_err(|error| {
                wrong(format!(
                    "cannot read {}, which {by_file} names: {error}",
                    path.display()
                ))
            })?;
            secret(&by_file, text)
        }
    }
}

/// The text of a file with a secret, without the line's end.
///
/// # Errors
/// If the file cannot be read, or is not text.
pub fn text_of(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    fs::File::open(path)?
        .take(MAX_SECRET_BYTES)
        .read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
