//! The layers under a configuration: where each value comes from, and errors that say where to look.
use super::{
    Config, ConfigError, run_time,
    secrets::{ENABLED, MASKED, Variables, of_instances},
    variables::{ENV_PREFIX, key_of, variable_of},
};
use figment::{
    Error as LayerError, Figment,
    providers::{Env, Serialized},
    value::Value,
};
use icn_api::config::{SetBy, Setting};
use icn_serve::config::{COMMAND_LINE, DEFAULT, ENVIRONMENT, FILE_SUFFIX, File, Named, shown};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

/// Variables of the command line and others that share the prefix and are no keys of the node.
const FOREIGN_VARIABLES: [&str; 12] = [
    "API_URL",
    "CA_CERT",
    "CONFIG",
    "DID",
    "KEY",
    "KEY_PASSPHRASE",
    "KEY_PASSPHRASE_FILE",
    "KEY_NEW_PASSPHRASE",
    "KEY_NEW_PASSPHRASE_FILE",
    "MANA_LEDGER_PATH",
    "PROFILE",
    "CRASH_ROUNDS",
];
/// The variable that names the variable of the passphrase.
const PASSPHRASE_ENV: &str = "ICN_IDENTITY_KEY_PASSPHRASE_ENV";

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
}

impl Sources {
    /// `command_line` holds what the flags say, and nothing else.
    ///
    /// # Errors
    /// Never for a layer that can be serialised.
    pub fn new(file: Option<PathBuf>, command_line: &impl Serialize) -> Result<Self, ConfigError> {
        let command_line = Value::serialize(command_line).map_err(|error| explain(error, &[]))?;
        Ok(Self { file, command_line })
    }

    /// Reads all layers.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that cannot be.
    pub fn read(&self) -> Result<Layered, ConfigError> {
        Layered::read(self.file.as_deref(), &self.command_line)
    }

    /// Reads all layers, with `runtime` as the last one.
    pub(super) fn read_with(&self, runtime: &Path) -> Result<Layered, ConfigError> {
        Layered::read_with(self.file.as_deref(), &self.command_line, Some(runtime))
    }
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
        let mut variables = Vec::new();
        let mut of_key = |key: &'static str, variable: String| {
            if env::var_os(variable_of(key)).is_none() {
                variables.push((key, variable));
            }
        };
        layers = layers.merge(Named::new(ENVIRONMENT, enabled()));
        of_key(ENABLED.0, ENABLED.1.into());
        for text in of_instances()? {
            layers = layers.merge(Named::new(ENVIRONMENT, text.layer()));
            of_key(text.key, text.variable);
        }
        let secrets = Variables::of(&layers);
        layers = layers.merge(Named::new(
            ENVIRONMENT,
            environment(passphrase.as_deref(), &secrets),
        ));
        for secret in secrets.read()? {
            layers = layers.merge(Named::new(ENVIRONMENT, secret.layer()));
            variables.push((secret.key, secret.variable));
        }
        layers = layers.merge(Named::new(COMMAND_LINE, Serialized::defaults(command_line)));
        let config: Config = layers.extract().map_err(|error| explain(error, &files))?;
        let usual = (!config.runtime.test_mode).then(|| run_time::file(&config));
        let runtime = runtime.map(Path::to_owned).or(usual);
        let mut set = BTreeMap::new();
        if let Some(path) = runtime.as_ref().filter(|path| path.exists()) {
            let mut file = File::read(path)?;
            set = run_time::take_changes(&mut file);
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
                value: shown(path, value, &MASKED),
                origin: self.origin(if self.level_of_runtime && path == "logging.level" {
                    "runtime.log_level"
                } else {
                    path
                }),
                changes: run_time::changes(path),
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
        .ignore(HOOKS)
        .ignore(&secret)
        .map(|name| key_of(name.as_str()).into())
        .lowercase(false)
}

/// Variables of a build with test hooks; in any other they are unknown keys, as all that is not there.
const HOOKS: &[&str] = if cfg!(feature = "test-hooks") {
    &["TEST_ALTER_LEDGER_AT"]
} else {
    &[]
};

/// The variable of instances that is no text.
fn enabled() -> Env {
    let (key, variable) = ENABLED;
    Env::raw().only(&[variable]).map(move |_| key.into())
}

/// Says what is wrong, where, and what may have been meant.
fn explain(error: LayerError, files: &[File]) -> ConfigError {
    icn_serve::config::explain(error, files, variable_of)
}
