//! Secrets that come by variables of their own: `ICN_API_KEY`, `ICN_AUTH_TOKEN`, or the ones that the configuration
//! names instead; and those that lie in files, which a variable with `_FILE` at its end names.
use super::{ConfigError, variables::variable_of};
use figment::Figment;
use icn_serve::config::{FILE_SUFFIX, Secret, read};
use std::env;

/// Keys whose values may come from files.
const SECRETS: [&str; 5] = [
    "api.api_key",
    "federation.api_key",
    "federation.nats_url",
    "security.auth_token",
    "storage.connection_string",
];
/// Of these, the ones whose values are shown to nobody; of a database's URL only the password is masked.
pub(super) const MASKED: [&str; 3] = ["api.api_key", "federation.api_key", "security.auth_token"];
/// The variable of the interface's key if nothing names another.
const API_KEY: &str = "ICN_API_KEY";
/// The variable of the bearer token if nothing names another.
const AUTH_TOKEN: &str = "ICN_AUTH_TOKEN";

/// Variables by which every instance that reports to a Federation Service is configured. Those of the node's own win.
const OF_INSTANCES: [(&str, &str); 3] = [
    ("federation.api_key", "FEDERATION_API_KEY"),
    ("federation.nats_url", "NATS_URL"),
    ("federation.url", "FEDERATION_URL"),
];
/// The one of them that holds no text, and its key.
pub(super) const ENABLED: (&str, &str) = ("federation.enabled", "FEDERATION_ENABLED");

/// Which variables hold which secrets.
pub(super) struct Variables {
    /// Of the interface's key.
    api_key: String,
    /// Of the bearer token.
    auth_token: String,
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

/// What the variables of instances hold, or the files that they name.
///
/// # Errors
/// If a variable and its file are both set, or the file cannot be read.
pub(super) fn of_instances() -> Result<Vec<Secret>, ConfigError> {
    let mut texts = Vec::new();
    for (key, variable) in OF_INSTANCES {
        texts.extend(read(key, variable)?);
    }
    Ok(texts)
}
