//! The layers under a configuration: where each value comes from, and errors that say where to look.
use super::{
    Config, ConfigError,
    live::{self, CHANGES_TABLE},
    secrets::{FILE_SUFFIX, MASKED, Variables},
};
use figment::{
    Error as LayerError, Figment, Metadata, Profile, Provider,
    error::Kind,
    providers::{Env, Serialized},
    value::{Dict, Map, Value},
};
use icn_api::config::{SetBy, Setting};
use icn_model::Time;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

/// File of the run-time layer in the data directory.
const RUNTIME_FILE: &str = "runtime.toml";
/// Prefix of variables: `ICN_<SECTION>_<KEY>`.
const ENV_PREFIX: &str = "ICN_";
/// Variables of the command line and others that share the prefix and are no keys of the node.
const FOREIGN_VARIABLES: [&str; 11] = [
    "API_URL",
    "CA_CERT",
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
    /// Who set what at run time, by key.
    set: BTreeMap<String, SetBy>,
    /// Secrets by the variables that they came from.
    variables: Vec<(&'static str, String)>,
    /// Whether `runtime.log_level` is what `logging.level` shows.
    level_of_runtime: bool,
}

/// Where the layers of a configuration are, to be read more than once.
#[derive(Clone)]
pub struct Sources {
    file: Option<PathBuf>,
    command_line: Value,
    runtime: Option<PathBuf>,
}

impl Sources {
    /// `command_line` holds what the flags say, and nothing else.
    ///
    /// # Errors
    /// Never for a layer that can be serialised.
    pub fn new(file: Option<PathBuf>, command_line: &impl Serialize) -> Result<Self, ConfigError> {
        let command_line = Value::serialize(command_line).map_err(|error| explain(error, &[]))?;
        Ok(Self {
            file,
            command_line,
            runtime: None,
        })
    }

    /// With the run-time layer in `dir`, wherever the node's data is.
    #[must_use]
    pub fn with_runtime_in(mut self, dir: &Path) -> Self {
        self.runtime = Some(dir.join(RUNTIME_FILE));
        self
    }

    /// Reads all layers.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that cannot be.
    pub fn read(&self) -> Result<Layered, ConfigError> {
        Layered::read_with(self.file.as_deref(), &self.command_line, self.runtime.as_deref())
    }

    /// Reads all layers, with `runtime` as the last one.
    pub(super) fn read_with(&self, runtime: &Path) -> Result<Layered, ConfigError> {
        Layered::read_with(self.file.as_deref(), &self.command_line, Some(runtime))
    }

    /// The run-time layer's file.
    pub(super) fn runtime_file(&self, config: &Config) -> PathBuf {
        self.runtime.clone().unwrap_or_else(|| runtime_file(config))
    }
}

fn runtime_file(config: &Config) -> PathBuf {
    config.storage.data_dir.join(RUNTIME_FILE)
}

impl Layered {
    /// Reads all layers. `command_line` holds what the flags say, and nothing else.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that cannot be.
    pub fn read(file: Option<&Path>, command_line: &impl Serialize) -> Result<Self, ConfigError> {
        Self::read_with(file, command_line, None)
    }

    /// The same with the run-time layer in the file `runtime`, or else in the data directory. In test mode nothing
    /// outlives the process, so there is none then but the one that is named.
    fn read_with(
        file: Option<&Path>,
        command_line: &impl Serialize,
        runtime: Option<&Path>,
    ) -> Result<Self, ConfigError> {
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
        let secrets = Variables::of(&layers);
        layers = layers.merge(Named::new(
            ENVIRONMENT,
            environment(passphrase.as_deref(), &secrets),
        ));
        let mut variables = Vec::new();
        for secret in secrets.read()? {
            layers = layers.merge(Named::new(ENVIRONMENT, secret.layer()));
            variables.push((secret.key, secret.variable));
        }
        layers = layers.merge(Named::new(COMMAND_LINE, Serialized::defaults(command_line)));
        let config: Config = layers.extract().map_err(|error| explain(error, &files))?;
        let usual = (!config.runtime.test_mode).then(|| runtime_file(&config));
        let runtime = runtime.map(Path::to_owned).or(usual);
        let mut set = BTreeMap::new();
        if let Some(path) = runtime.as_ref().filter(|path| path.exists()) {
            let mut file = File::read(path)?;
            set = file.take_changes();
            layers = layers.merge(&file);
            files.push(file);
        }
        let mut config: Config = layers.extract().map_err(|error| explain(error, &files))?;
        let runtime = runtime.map(|path| path.display().to_string()).unwrap_or_default();
        let rank = |key: &str| rank(&layers, key, &runtime);
        config.unite_sections(rank)?;
        let level_of_runtime = config.unite_levels(rank)?;
        config.check()?;
        named_key_is_there(&config)?;
        Ok(Self {
            config,
            layers,
            set,
            variables,
            level_of_runtime,
        })
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
                origin: self.origin(if self.level_of_runtime && path == "logging.level" {
                    "runtime.log_level"
                } else {
                    path
                }),
                changes: live::changes(path),
                running: None,
                set: self.set.get(path).cloned(),
            }),
        }
    }

    fn origin(&self, key: &str) -> String {
        match self.layers.find_metadata(key).map(|metadata| &*metadata.name) {
            Some(ENVIRONMENT) => {
                // What was read last won.
                let read = self.variables.iter().rev().find(|(secret, _)| *secret == key);
                let variable = read.map_or_else(|| variable_of(key), |(_, variable)| variable.clone());
                format!("{ENVIRONMENT} {variable}")
            }
            Some(name) => name.to_owned(),
            None => DEFAULT.to_owned(),
        }
    }
}

/// The place of a key's layer in the order of the layers; `runtime` is the name of the last one.
fn rank(layers: &Figment, key: &str, runtime: &str) -> usize {
    match layers.find_metadata(key).map(|metadata| &*metadata.name) {
        None | Some(DEFAULT) => 0,
        Some(ENVIRONMENT) => 2,
        Some(COMMAND_LINE) => 3,
        Some(name) if name == runtime => 4,
        Some(_) => 1,
    }
}

/// Who names a variable for the interface's key does not want another key made in its place.
fn named_key_is_there(config: &Config) -> Result<(), ConfigError> {
    let named = [
        ("api.api_key_env", &config.api.api_key_env),
        ("security.api_key_env", &config.security.api_key_env),
    ];
    match named
        .into_iter()
        .find_map(|(key, name)| Some((key, name.as_ref()?)))
    {
        Some((key, name)) if config.api.api_key.is_none() => Err(ConfigError::Value {
            key,
            value: name.clone(),
            reason: format!(
                "neither this variable nor {name}{FILE_SUFFIX} is set: set it, or take the key out"
            ),
        }),
        _ => Ok(()),
    }
}

/// The variable that sets a key.
pub(super) fn variable_of(key: &str) -> String {
    format!("{ENV_PREFIX}{}", key.replacen('.', "_", 1).to_ascii_uppercase())
}

/// A value as in TOML.
fn shown(key: &str, value: &Value) -> String {
    match value {
        Value::Empty(..) => String::new(),
        Value::String(..) if MASKED.contains(&key) => "\"***\"".into(),
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

    /// Takes out who set what, which is no part of the configuration.
    fn take_changes(&mut self) -> BTreeMap<String, SetBy> {
        #[derive(Deserialize)]
        struct By {
            key: String,
            at: u64,
        }
        let Some(changes) = self.dict.remove(CHANGES_TABLE) else {
            return BTreeMap::new();
        };
        // The node's own notes: what is not as it wrote it says nothing.
        let changes: BTreeMap<String, By> = changes.deserialize().unwrap_or_default();
        let set_by = |by: By| SetBy {
            key: by.key,
            at: Time::new(by.at),
        };
        changes.into_iter().map(|(key, by)| (key, set_by(by))).collect()
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

/// `ICN_<SECTION>_<KEY>`: the section is the first word, the rest is the key.
///
/// `passphrase` is a variable to leave alone, as are those of the secrets, which are read apart.
fn environment(passphrase: Option<&str>, secrets: &Variables) -> Env {
    let mut foreign: Vec<_> = secrets.foreign().collect();
    foreign.extend(
        passphrase
            .into_iter()
            .flat_map(|name| [name.to_owned(), format!("{name}{FILE_SUFFIX}")]),
    );
    let secret: Vec<_> = foreign
        .iter()
        .filter_map(|name| name.strip_prefix(ENV_PREFIX))
        .collect();
    Env::prefixed(ENV_PREFIX)
        .ignore(&FOREIGN_VARIABLES)
        .ignore(&secret)
        .map(|name| name.as_str().to_ascii_lowercase().replacen('_', ".", 1).into())
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
        Some(layer) if layer == ENVIRONMENT => format!("{ENVIRONMENT} {}", variable_of(&key)),
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
