//! Configuration in four layers: defaults, file, environment, command line. Later layers win, an unknown key is an error
//! that names it, and every value knows where it came from. The variables are those of the deployment guide.
use crate::{nats::Nats, store::Place};
use figment::{
    Figment,
    providers::Serialized,
    value::{Dict, Value},
};
use icn_api::config::{Changes, Setting};
use icn_model::Millis;
use icn_serve::{
    config::{
        COMMAND_LINE, ConfigError, DEFAULT, ENVIRONMENT, File, Named, explain, read, shown, without_password,
    },
    log::{Logging, Own},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

/// Which lines of the log are the service's own.
pub const OWN: Own = Own {
    service: "icn-federation",
    crates: &["icn_federation", "icn_serve"],
    quiet: &["async_nats=off", "sqlx=error"],
};
/// Where the catalog's file is looked for if nothing says.
const USUAL_CATALOG: &str = "config/projects.yaml";

/// How a variable is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As it is.
    Text,
    /// A number, or true or false.
    Plain,
}

/// Every variable with the key that it sets. A file that holds the value can be named by the variable with `_FILE` at its
/// end.
const VARIABLES: [(&str, &str, Kind); 24] = [
    ("server.host", "FEDERATION_HOST", Kind::Text),
    ("server.port", "FEDERATION_PORT", Kind::Plain),
    ("server.data_dir", "FEDERATION_DATA_DIR", Kind::Text),
    ("database.url", "DATABASE_URL", Kind::Text),
    ("database.password", "DB_PASSWORD", Kind::Text),
    (
        "database.max_connections",
        "DATABASE_MAX_CONNECTIONS",
        Kind::Plain,
    ),
    ("nats.url", "NATS_URL", Kind::Text),
    ("nats.credentials", "NATS_CREDENTIALS", Kind::Text),
    ("nats.ca", "NATS_CA", Kind::Text),
    ("nats.require_tls", "NATS_REQUIRE_TLS", Kind::Plain),
    ("auth.api_keys", "FEDERATION_API_KEYS", Kind::Text),
    ("catalog.file", "FEDERATION_CATALOG", Kind::Text),
    (
        "heartbeat.stale_threshold_seconds",
        "HEARTBEAT_STALE_THRESHOLD_SECONDS",
        Kind::Plain,
    ),
    (
        "heartbeat.stale_check_interval_seconds",
        "HEARTBEAT_STALE_CHECK_INTERVAL_SECONDS",
        Kind::Plain,
    ),
    ("history.retention_days", "FEDERATION_RETENTION_DAYS", Kind::Plain),
    ("page.public", "FEDERATION_PAGE_PUBLIC", Kind::Plain),
    ("page.title", "FEDERATION_PAGE_TITLE", Kind::Text),
    (
        "metrics.per_project",
        "FEDERATION_METRICS_PER_PROJECT",
        Kind::Plain,
    ),
    (
        "webhooks.allow_private",
        "FEDERATION_WEBHOOKS_ALLOW_PRIVATE",
        Kind::Plain,
    ),
    ("logging.level", "LOG_LEVEL", Kind::Text),
    ("logging.format", "LOG_FORMAT", Kind::Text),
    ("logging.output", "LOG_OUTPUT", Kind::Text),
    ("logging.otlp_endpoint", "FEDERATION_OTLP_ENDPOINT", Kind::Text),
    (
        "logging.otlp_sample_ratio",
        "FEDERATION_OTLP_SAMPLE_RATIO",
        Kind::Plain,
    ),
];
/// Keys whose values nobody is shown.
const MASKED: [&str; 2] = ["database.password", "auth.api_keys"];

/// What the service is told. Every key has a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where it is reached.
    pub server: Server,
    /// Where it keeps what it knows.
    pub database: Database,
    /// Where heartbeats come from, and news go.
    pub nats: NatsConfig,
    /// Who may call.
    pub auth: Auth,
    /// Which projects there are.
    pub catalog: Catalog,
    /// How long is long.
    pub heartbeat: Heartbeats,
    /// What is kept.
    pub history: History,
    /// What people see.
    pub page: Page,
    /// What is measured.
    pub metrics: MetricsConfig,
    /// Who is called.
    pub webhooks: Webhooks,
    /// What is written to the log.
    pub logging: Logging,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address to listen on. Default: 127.0.0.1.
    pub host: IpAddr,
    /// Port. Default: 8001.
    pub port: u16,
    /// Directory of the embedded database. Default: ./icn_federation_data.
    pub data_dir: PathBuf,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 8_001,
            data_dir: "icn_federation_data".into(),
        }
    }
}

/// `[database]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgresql://USER@HOST/DATABASE` (with `?sslmode=verify-full&sslrootcert=FILE` for TLS), or `sqlite://PATH`.
    /// Default: federation.db in `data_dir`.
    pub url: Option<String>,
    /// Put into the URL where it has a user and no password. Default: none.
    pub password: Option<String>,
    /// Connections to a PostgreSQL server. Default: 10.
    pub max_connections: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: None,
            password: None,
            max_connections: 10,
        }
    }
}

/// `[nats]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// Servers, with commas between them: `nats://USER:PASSWORD@HOST:PORT`, `tls://…`. Default: none, and heartbeats come
    /// over HTTP only.
    pub url: Option<String>,
    /// File with credentials (`.creds`). Default: none.
    pub credentials: Option<PathBuf>,
    /// File with certificates that the servers are signed by. Default: the usual ones.
    pub ca: Option<PathBuf>,
    /// Refuse a connection that is not encrypted. Default: false.
    pub require_tls: bool,
}

/// `[auth]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Keys of the operator's own, good for everything. In the variable a JSON array: `["key1","key2"]`. Default: none,
    /// and the first one is made and printed at the first start.
    #[serde(deserialize_with = "keys")]
    pub api_keys: Vec<String>,
}

/// `[catalog]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Catalog {
    /// The catalog's file, read anew when it changes. Default: config/projects.yaml, if there is one.
    pub file: Option<PathBuf>,
}

/// `[heartbeat]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Heartbeats {
    /// Silence after which a project is offline. Default: 90.
    pub stale_threshold_seconds: u64,
    /// How often everything is looked at, beside what the deadlines say. Default: 60.
    pub stale_check_interval_seconds: u64,
}

impl Default for Heartbeats {
    fn default() -> Self {
        Self {
            stale_threshold_seconds: 90,
            stale_check_interval_seconds: 60,
        }
    }
}

/// `[history]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// How long changes and counts are kept. Default: 90.
    pub retention_days: u64,
}

impl Default for History {
    fn default() -> Self {
        Self { retention_days: 90 }
    }
}

/// `[page]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// Whether the page and the stream that keeps it fresh need no key. Default: false.
    pub public: bool,
    /// What stands above it. Default: Federation.
    pub title: String,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            public: false,
            title: "Federation".into(),
        }
    }
}

/// `[metrics]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Whether projects are named, the first thousand by slug. Default: false.
    pub per_project: bool,
}

/// `[webhooks]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Whether hooks may be on this machine or in a private network. Default: false.
    pub allow_private: bool,
}

/// A list, or the text of a JSON array, as variables have it.
fn keys<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ListOrText {
        List(Vec<String>),
        Text(String),
    }
    match ListOrText::deserialize(from)? {
        ListOrText::List(keys) => Ok(keys),
        ListOrText::Text(text) if text.trim().is_empty() => Ok(Vec::new()),
        // What is wrong with it is not shown: it holds secrets.
        ListOrText::Text(text) => serde_json::from_str(&text)
            .map_err(|_| serde::de::Error::custom("a JSON array of keys is needed: [\"key1\",\"key2\"]")),
    }
}

/// A configuration with what it was made of.
pub struct Layered {
    /// The outcome.
    pub config: Config,
    layers: Figment,
    /// Variables, or the files that they name, by key.
    variables: BTreeMap<&'static str, String>,
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
        let mut variables = BTreeMap::new();
        for (key, name, kind) in VARIABLES {
            let Some(found) = read(key, name)? else { continue };
            // Compose files set what they do not know to nothing.
            if found.text().is_empty() {
                continue;
            }
            let value = match kind {
                Kind::Text => Value::from(found.text().to_owned()),
                Kind::Plain => found
                    .text()
                    .parse()
                    .unwrap_or_else(|never: std::convert::Infallible| match never {}),
            };
            layers = layers.merge(Named::new(ENVIRONMENT, Serialized::default(key, value)));
            variables.insert(key, found.variable);
        }
        layers = layers.merge(Named::new(COMMAND_LINE, Serialized::defaults(command_line)));
        let mut config: Config = layers
            .extract()
            .map_err(|error| explain(error, &files, variable_of))?;
        config.logging.level = level(&config.logging.level);
        config.check()?;
        Ok(Self {
            config,
            layers,
            variables,
        })
    }

    /// Every value with the layer that it comes from, in the order of the keys.
    ///
    /// # Errors
    /// Never for a configuration that could be read.
    pub fn settings(&self) -> Result<Vec<Setting>, ConfigError> {
        let value = Value::serialize(&self.config).map_err(|error| explain(error, &[], variable_of))?;
        let mut settings = Vec::new();
        for (section, value) in value.into_dict().unwrap_or_else(Dict::new) {
            for (name, value) in value.into_dict().unwrap_or_else(Dict::new) {
                let key = format!("{section}.{name}");
                settings.push(Setting {
                    value: shown(&key, &value, &MASKED),
                    origin: self.origin(&key),
                    key,
                    changes: Changes::AtStart,
                    running: None,
                    set: None,
                });
            }
        }
        Ok(settings)
    }

    fn origin(&self, key: &str) -> String {
        match self.layers.find_metadata(key).map(|metadata| &*metadata.name) {
            Some(ENVIRONMENT) => {
                let variable = self
                    .variables
                    .get(key)
                    .map_or_else(|| variable_of(key), Clone::clone);
                format!("{ENVIRONMENT} {variable}")
            }
            Some(name) => name.to_owned(),
            None => DEFAULT.to_owned(),
        }
    }
}

/// The variable that sets a key.
fn variable_of(key: &str) -> String {
    let found = VARIABLES.iter().find(|(known, ..)| *known == key);
    found.map_or_else(|| key.to_owned(), |(_, variable, _)| (*variable).to_owned())
}

/// A level as other programs write it, too.
fn level(text: &str) -> String {
    match text.to_ascii_lowercase().as_str() {
        "warning" => "warn".into(),
        "critical" | "fatal" => "error".into(),
        plain @ ("error" | "warn" | "info" | "debug" | "trace" | "off") => plain.into(),
        _ => text.into(),
    }
}

impl Config {
    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, value: &dyn ToString, reason: &str| {
            Err(ConfigError::Value {
                key,
                value: value.to_string(),
                reason: reason.into(),
            })
        };
        let Heartbeats {
            stale_threshold_seconds: threshold,
            stale_check_interval_seconds: interval,
        } = self.heartbeat;
        if !(1..=86_400).contains(&threshold) {
            return wrong("heartbeat.stale_threshold_seconds", &threshold, "1 to 86400");
        }
        if !(1..=86_400).contains(&interval) {
            return wrong("heartbeat.stale_check_interval_seconds", &interval, "1 to 86400");
        }
        if !(1..=3_650).contains(&self.history.retention_days) {
            return wrong(
                "history.retention_days",
                &self.history.retention_days,
                "1 to 3650",
            );
        }
        if !(3..=1_000).contains(&self.database.max_connections) {
            return wrong(
                "database.max_connections",
                &self.database.max_connections,
                "3 to 1000: one writes, the others answer",
            );
        }
        if self.auth.api_keys.iter().any(|key| key.len() < 8) {
            return wrong(
                "auth.api_keys",
                &"…",
                "a key has at least 8 characters; 32 random bytes are usual",
            );
        }
        if let Err(reason) = OWN.filter(&self.logging.level) {
            return wrong("logging.level", &self.logging.level, &reason);
        }
        self.place()?;
        Ok(())
    }

    /// Where the database is.
    ///
    /// # Errors
    /// If the URL is none.
    pub fn place(&self) -> Result<Place, ConfigError> {
        match &self.database.url {
            None => Ok(Place::in_directory(&self.server.data_dir)),
            Some(url) => {
                Place::parse(url, self.database.password.as_deref()).map_err(|reason| ConfigError::Value {
                    key: "database.url",
                    value: without_password(url),
                    reason,
                })
            }
        }
    }

    /// How NATS is reached, if it is used.
    pub fn nats(&self) -> Option<Nats> {
        let url = self.nats.url.clone()?;
        Some(Nats {
            url,
            credentials: self.nats.credentials.clone(),
            ca: self.nats.ca.clone(),
            require_tls: self.nats.require_tls,
        })
    }

    /// The catalog's file, if there is to be one.
    pub fn catalog_file(&self) -> Option<PathBuf> {
        let usual = || Some(PathBuf::from(USUAL_CATALOG)).filter(|path| path.exists());
        self.catalog.file.clone().or_else(usual)
    }

    /// Silence after which a project is offline.
    pub const fn threshold(&self) -> Millis {
        Millis::from_secs(self.heartbeat.stale_threshold_seconds)
    }

    /// How long changes and counts are kept.
    pub const fn retention(&self) -> Millis {
        Millis::from_secs(self.history.retention_days * 86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_sets_a_key_that_there_is() {
        let layered = Layered::read(None, &BTreeMap::<String, String>::new()).unwrap();
        let known: Vec<_> = layered
            .settings()
            .unwrap()
            .into_iter()
            .map(|setting| setting.key)
            .collect();
        for (key, ..) in VARIABLES {
            assert!(known.iter().any(|name| name == key), "{key}");
        }
        let without: Vec<_> = known
            .iter()
            .filter(|name| !VARIABLES.iter().any(|(key, ..)| key == name))
            .collect();
        assert!(without.is_empty(), "{without:?}");
    }

    #[test]
    fn levels_are_read_as_others_write_them() {
        assert_eq!(level("WARNING"), "warn");
        assert_eq!(level("Info"), "info");
        assert_eq!(level("info,icn_federation=debug"), "info,icn_federation=debug");
    }
}
