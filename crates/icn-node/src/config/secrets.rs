//! Secrets that come by variables of their own: `ICN_API_KEY`, `ICN_AUTH_TOKEN`, or the ones that the configuration
//! names instead; and those that lie in files, which a variable with `_FILE` at its end names.
use super::{ConfigError, layers::variable_of};
use figment::{Figment, providers::Serialized};
use std::{env, fs, path::Path};

/// Added to a variable's name, it names a file with the value: for secrets that a supervisor mounts.
pub(super) const FILE_SUFFIX: &str = "_FILE";
/// Keys whose values may come from files.
const SECRETS: [&str; 3] = ["api.api_key", "security.auth_token", "storage.connection_string"];
/// Of these, the ones whose values are shown to nobody; of a database's URL only the password is masked.
pub(super) const MASKED: [&str; 2] = ["api.api_key", "security.auth_token"];
/// The variable of the interface's key if nothing names another.
const API_KEY: &str = "ICN_API_KEY";
/// The variable of the bearer token if nothing names another.
const AUTH_TOKEN: &str = "ICN_AUTH_TOKEN";
/// More than any secret has.
const MAX_SECRET_BYTES: u64 = 4_096;

/// Which variables hold which secrets.
pub(super) struct Variables {
    /// Of the interface's key.
    api_key: String,
    /// Of the bearer token.
    auth_token: String,
}

/// A secret with the variable that it came from.
pub(super) struct Secret {
    pub(super) key: &'static str,
    pub(super) variable: String,
    text: String,
}

impl Variables {
    /// As the environment says, or else the layers so far.
    pub(super) fn of(layers: &Figment) -> Self {
        let from_environment = |key: &&str| env::var(variable_of(key)).ok();
        let from_layers = |key: &&str| {
            let value = layers.find_value(key).ok()?;
            value.as_str().map(str::to_owned)
        };
        let named = |keys: &[&str]| {
            let found = keys.iter().find_map(from_environment);
            found.or_else(|| keys.iter().find_map(from_layers))
        };
        Self {
            api_key: named(&["api.api_key_env", "security.api_key_env"]).unwrap_or_else(|| API_KEY.into()),
            auth_token: named(&["security.auth_token_env"]).unwrap_or_else(|| AUTH_TOKEN.into()),
        }
    }

    /// Every variable that is none of `ICN_<SECTION>_<KEY>`, whether it counts or not.
    pub(super) fn foreign(&self) -> impl Iterator<Item = String> {
        let generic = SECRETS
            .iter()
            .map(|key| format!("{}{FILE_SUFFIX}", variable_of(key)));
        let own = [API_KEY, AUTH_TOKEN, &self.api_key, &self.auth_token];
        let own = own.map(|name| [name.to_owned(), format!("{name}{FILE_SUFFIX}")]);
        generic.chain(own.into_iter().flatten())
    }

    /// The secrets that are there.
    ///
    /// # Errors
    /// If a variable and its file are both set, or the file cannot be read.
    pub(super) fn read(&self) -> Result<Vec<Secret>, ConfigError> {
        let mut secrets = Vec::new();
        // Those with a section's name come first: a variable of the secret's own wins.
        for key in SECRETS {
            let variable = variable_of(key);
            let by_file = format!("{variable}{FILE_SUFFIX}");
            if env::var_os(&by_file).is_some() {
                secrets.extend(read(key, &variable)?);
            }
        }
        secrets.extend(read("api.api_key", &self.api_key)?);
        secrets.extend(read("security.auth_token", &self.auth_token)?);
        Ok(secrets)
    }
}

impl Secret {
    pub(super) fn layer(&self) -> Serialized<&str> {
        Serialized::default(self.key, &self.text)
    }
}

/// What `variable` holds, or the file that it names with `_FILE` at its end.
fn read(key: &'static str, variable: &str) -> Result<Option<Secret>, ConfigError> {
    let by_file = format!("{variable}{FILE_SUFFIX}");
    let wrong = |reason: String| ConfigError::Key {
        place: "environment".into(),
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
pub(crate) fn text_of(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    fs::File::open(path)?
        .take(MAX_SECRET_BYTES)
        .read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
