//! The layers under a configuration: where each value comes from, and errors that say where to look.
use super::{Config, ConfigError};
use figment::{
    Error as LayerError, Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Env, Serialized},
    value::{Dict, Map, Value},
};
use serde::Serialize;
use std::{
    env,
    path::{Path, PathBuf},
};

/// File of the run-time layer in the data directory.
const RUNTIME_FILE: &str = "runtime.toml";
/// Prefix of variables: `ICN_<SECTION>_<KEY>`.
const ENV_PREFIX: &str = "ICN_";
/// Variables of the command line and others that share the prefix and are no keys of the node.
const FOREIGN_VARIABLES: [&str; 10] = [
    "API_URL",
    "CONFIG",
    "DID",
    "KEY",
    "KEY_PASSPHRASE",
    "KEY_PASSPHRASE_FILE",
    "KEY_NEW_PASSPHRASE",
    "KEY_NEW_PASSPHRASE_FILE",
    "PROFILE",
    "CRASH_ROUNDS",
];
/// The variable that names the variable of the passphrase.
const PASSPHRASE_ENV: &str = "ICN_IDENTITY_KEY_PASSPHRASE_ENV";
/// Added to a variable's name, it names a file with the value: for secrets that a supervisor mounts.
const FILE_SUFFIX: &str = "_FILE";
/// Keys whose values are shown to nobody.
const SECRETS: [&str; 1] = ["api.api_key"];
/// How alike a key has to be to be suggested.
const ALIKE: f64 = 0.7;

const DEFAULT: &str = "default";
const ENVIRONMENT: &str = "environment";
const COMMAND_LINE: &str = "command line";

/// A configuration with what it was made of.
pub struct Layered {
    /// The outcome.
    pub config: Config,
    layers: Figment,
}

/// One value of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// The value as in TOML, secrets masked; empty if there is none.
    pub value: String,
    /// The layer that it comes from.
    pub origin: String,
}

impl Layered {
    /// Reads all layers. `command_line` holds what the flags say, and nothing else.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that cannot be.
    pub fn read(file: Option<&Path>, command_line: &impl Serialize) -> Result<Self, ConfigError> {
        let mut files = Vec::new();
        let mut layers = Figment::from(Named::new(DEFAULT, Serialized::defaults(Config::default())));
        if let Some(path) = file {
            let file = File::read(path)?;
            layers = layers.merge(&file);
            files.push(file);
        }
        // Its variable may begin like those of the configuration and is none of them.
        let passphrase = env::var(PASSPHRASE_ENV).ok().or_else(|| {
            let named = layers.find_value("identity.key_passphrase_env").ok()?;
            named.as_str().map(str::to_owned)
        });
        layers = layers
            .merge(Named::new(ENVIRONMENT, environment(passphrase.as_deref())))
            .merge(Named::new(COMMAND_LINE, Serialized::defaults(command_line)));
        let config: Config = layers.extract().map_err(|error| explain(error, &files))?;
        let path = config.storage.data_dir.join(RUNTIME_FILE);
        if path.exists() {
            let file = File::read(&path)?;
            layers = layers.merge(&file);
            files.push(file);
        }
        let config: Config = layers.extract().map_err(|error| explain(error, &files))?;
        config.check()?;
        Ok(Self { config, layers })
    }

    /// Every value with the layer that it comes from, in the order of the keys.
    ///
    /// # Errors
    /// Never for a configuration that could be read.
    pub fn settings(&self) -> Result<Vec<Setting>, ConfigError> {
        let value = Value::serialize(&self.config).map_err(|error| explain(error, &[]))?;
        let mut settings = Vec::new();
        self.collect("", &value, &mut settings);
        Ok(settings)
    }

    fn collect(&self, path: &str, value: &Value, settings: &mut Vec<Setting>) {
        match value {
            Value::Dict(_, dict) => {
                for (name, value) in dict {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    self.collect(&path, value, settings);
                }
            }
            value => settings.push(Setting {
                key: path.to_owned(),
                value: shown(path, value),
                origin: self.origin(path),
            }),
        }
    }

    fn origin(&self, key: &str) -> String {
        match self.layers.find_metadata(key).map(|metadata| &*metadata.name) {
            Some(ENVIRONMENT) => format!("{ENVIRONMENT} {}", variable(key)),
            Some(name) => name.to_owned(),
            None => DEFAULT.to_owned(),
        }
    }
}

/// The variable that sets a key.
fn variable(key: &str) -> String {
    match key {
        "api.api_key" if env::var_os("ICN_API_KEY").is_some() => "ICN_API_KEY".into(),
        key => format!("{ENV_PREFIX}{}", key.replacen('.', "_", 1).to_ascii_uppercase()),
    }
}

/// A value as in TOML.
fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Empty(..) => String::new(),
        Value::String(..) if SECRETS.contains(&key) => "\"***\"".into(),
        Value::String(_, text) => format!("{:?}", without_password(text)),
        Value::Array(_, items) => {
            let items: Vec<_> = items.iter().map(|item| shown(key, item)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Char(_, char) => format!("{char:?}"),
        Value::Bool(_, bool) => bool.to_string(),
        Value::Num(_, number) => number
            .to_u128()
            .map(|number| number.to_string())
            .or_else(|| number.to_i128().map(|number| number.to_string()))
            .or_else(|| number.to_f64().map(|number| number.to_string()))
            .unwrap_or_default(),
        Value::Dict(..) => "{…}".into(),
    }
}

/// A configuration as JSON with its secrets masked, for whoever is not to know them. What is called a key, a token, a
/// password or a secret is one, unless it is the name of a file or variable.
pub(super) fn without_secrets(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    const SECRET_WORDS: [&str; 5] = ["key", "token", "password", "passphrase", "secret"];
    const NAMES: [&str; 4] = ["_path", "_env", "_file", "generate_new_key"];
    match value {
        Json::Object(fields) => Json::Object(
            fields
                .into_iter()
                .map(|(name, value)| {
                    let is_secret = SECRET_WORDS.iter().any(|word| name.contains(word))
                        && !NAMES.iter().any(|suffix| name.ends_with(suffix))
                        && !value.is_null();
                    let value = if is_secret {
                        Json::from("***")
                    } else {
                        without_secrets(value)
                    };
                    (name, value)
                })
                .collect(),
        ),
        Json::Array(items) => Json::Array(items.into_iter().map(without_secrets).collect()),
        Json::String(text) => Json::String(without_password(&text)),
        other => other,
    }
}

/// A URL with the user's password masked, and its parameters, which may hold one too; other text as it is.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (rest, parameters) = match rest.split_once('?') {
        Some((rest, _)) => (rest, "?***"),
        None => (rest, ""),
    };
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => format!("{user}@{host}"),
        },
        None => rest.to_owned(),
    };
    format!("{scheme}://{rest}{parameters}")
}

/// A layer under a name of ours.
struct Named<P> {
    name: &'static str,
    inner: P,
}

impl<P> Named<P> {
    const fn new(name: &'static str, inner: P) -> Self {
        Self { name, inner }
    }
}

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, LayerError> {
        self.inner.data()
    }
}

/// A file of TOML whose strings may name variables: `${NAME}`.
struct File {
    path: PathBuf,
    text: String,
    dict: Dict,
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::File {
            path: path.to_owned(),
            source,
        })?;
        let dict: Dict = toml::from_str(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            detail: error.to_string().trim_end().to_owned(),
        })?;
        let mut file = Self {
            path: path.to_owned(),
            text,
            dict: Dict::new(),
        };
        let mut value = Value::from(dict);
        file.expand(&mut Vec::new(), &mut value)?;
        if let Value::Dict(_, dict) = value {
            file.dict = dict;
        }
        Ok(file)
    }

    /// Puts variables into the strings below `value`.
    fn expand(&self, path: &mut Vec<String>, value: &mut Value) -> Result<(), ConfigError> {
        match value {
            Value::String(_, text) if text.contains("${") => {
                *text = expand(text, variable_or_file).map_err(|reason| ConfigError::Key {
                    place: self.place(path),
                    key: path.join("."),
                    reason,
                })?;
            }
            Value::Dict(_, dict) => {
                for (name, value) in dict {
                    path.push(name.clone());
                    self.expand(path, value)?;
                    path.pop();
                }
            }
            Value::Array(_, items) => {
                for item in items {
                    self.expand(path, item)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The file and, where it can be told, the line of a key.
    fn place(&self, key: &[String]) -> String {
        match self.line(key) {
            Some(line) => format!("{}:{line}", self.path.display()),
            None => self.path.display().to_string(),
        }
    }

    fn line(&self, key: &[String]) -> Option<usize> {
        let document = toml::de::DeTable::parse(&self.text).ok()?;
        let mut table = document.get_ref();
        let mut start = None;
        for name in key {
            let (found, value) = table
                .iter()
                .find(|(found, _)| found.get_ref().as_ref() == name.as_str())?;
            start = Some(found.span().start);
            match value.get_ref() {
                toml::de::DeValue::Table(inner) => table = inner,
                _ => break,
            }
        }
        Some(self.text[..start?].matches('\n').count() + 1)
    }
}

impl Provider for &File {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.path.display().to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, LayerError> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

/// A variable, or what is in the file that `<NAME>_FILE` names, without the line's end.
fn variable_or_file(name: &str) -> Option<String> {
    env::var(name).ok().or_else(|| {
        let path = env::var_os(format!("{name}{FILE_SUFFIX}"))?;
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.trim_end_matches(['\n', '\r']).to_owned())
    })
}

/// Replaces each `${NAME}`; `$${` stands for `${`.
fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            expanded.push_str(&rest[..at]);
            expanded.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        let (before, after) = (&rest[..at], &rest[at + 2..]);
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| "a `${` has no `}`; `$${` stands for the characters".to_owned())?;
        let value = lookup(name).ok_or_else(|| {
            format!("the variable {name} is not set: set it, or {name}{FILE_SUFFIX} to a file that holds it")
        })?;
        expanded.push_str(before);
        expanded.push_str(&value);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// `ICN_<SECTION>_<KEY>`: the section is the first word, the rest is the key. `ICN_API_KEY` is short for
/// `ICN_API_API_KEY`.
///
/// `passphrase` is a variable to leave alone.
fn environment(passphrase: Option<&str>) -> Env {
    let passphrase = passphrase.and_then(|name| name.strip_prefix(ENV_PREFIX));
    let by_file = passphrase.map(|name| format!("{name}{FILE_SUFFIX}"));
    let secret: Vec<_> = passphrase.into_iter().chain(by_file.as_deref()).collect();
    Env::prefixed(ENV_PREFIX)
        .ignore(&FOREIGN_VARIABLES)
        .ignore(&secret)
        .map(|name| match name.as_str() {
            "API_KEY" => "api.api_key".into(),
            name => name.to_ascii_lowercase().replacen('_', ".", 1).into(),
        })
        .lowercase(false)
}

/// Says what is wrong, where, and what may have been meant.
fn explain(error: LayerError, files: &[File]) -> ConfigError {
    let mut path = error.path.clone();
    let reason = match &error.kind {
        Kind::UnknownField(name, known) => {
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            let nearest = known
                .iter()
                .map(|known| (strsim::jaro_winkler(name, known), known))
                .filter(|(alike, _)| *alike >= ALIKE)
                .max_by(|(a, _), (b, _)| a.total_cmp(b));
            match nearest {
                Some((_, known)) => format!("there is no such key: did you mean {known}?"),
                None => format!("there is no such key; there are {}", known.join(", ")),
            }
        }
        kind => kind.to_string(),
    };
    let layer = error.metadata.as_ref().map(|metadata| metadata.name.to_string());
    let key = path.join(".");
    let place = match layer {
        Some(layer) if layer == ENVIRONMENT => format!("{ENVIRONMENT} {}", variable(&key)),
        Some(layer) => files
            .iter()
            .find(|file| file.path.display().to_string() == layer)
            .map_or(layer, |file| file.place(&path)),
        None => "configuration".into(),
    };
    ConfigError::Key { place, key, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_and_missing_ones_named() {
        let lookup = |name: &str| (name == "WORD").then(|| "oats".to_owned());
        for (text, expected) in [
            ("plain", "plain"),
            ("${WORD}", "oats"),
            ("a ${WORD} b ${WORD}", "a oats b oats"),
            ("$${WORD}", "${WORD}"),
            ("$ {WORD} $", "$ {WORD} $"),
        ] {
            assert_eq!(expand(text, lookup).as_deref(), Ok(expected), "{text}");
        }
        assert!(expand("${OTHER}", lookup).unwrap_err().contains("OTHER_FILE"));
        assert!(expand("${WORD", lookup).is_err());
    }

    #[test]
    fn what_is_secret_by_its_name_is_masked() {
        let config = serde_json::json!({
            "api": { "api_key": "a secret", "api_key_env": "NAME", "keys": [{ "key": "another" }] },
            "identity": { "key_path": "/secrets/key", "generate_new_key": true },
            "storage": { "connection_string": "postgresql://icn:word@db/icn", "data_dir": "data" },
        });
        let expected = serde_json::json!({
            "api": { "api_key": "***", "api_key_env": "NAME", "keys": "***" },
            "identity": { "key_path": "/secrets/key", "generate_new_key": true },
            "storage": { "connection_string": "postgresql://icn:***@db/icn", "data_dir": "data" },
        });
        assert_eq!(without_secrets(config), expected);
    }

    #[test]
    fn passwords_are_masked() {
        for (text, expected) in [
            ("./store", "./store"),
            ("postgresql://db/icn", "postgresql://db/icn"),
            ("postgresql://icn@db/icn", "postgresql://icn@db/icn"),
            (
                "postgresql://icn:p@ss:w@db:5432/icn",
                "postgresql://icn:***@db:5432/icn",
            ),
            (
                "postgresql://icn@db/icn?password=x",
                "postgresql://icn@db/icn?***",
            ),
        ] {
            assert_eq!(without_password(text), expected);
        }
    }
}
