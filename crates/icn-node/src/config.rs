//! Configuration in five layers: defaults, file, environment, command line, and what was changed at run
//! time. Later layers win. An unknown key in any of them is an error that names it.
use crate::logging;
use icn_model::Did;
use icn_store::{
    BackendKind, Location, MIN_POSTGRESQL_CONNECTIONS, POSTGRESQL_CONNECT_TIMEOUT_MS, POSTGRESQL_CONNECTIONS,
};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

mod access;
mod layers;
mod live;
mod network;
mod refusals;
mod secrets;

pub use access::{Api, Audit, DEFAULT_METRICS, Monitoring, Security, TlsFiles};
pub use layers::{Layered, Sources};
pub use live::{ChangeError, Live};
pub use network::Network;
pub(crate) use secrets::text_of as secret_of;

/// What a node is told. Every key has a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What kind of node this is.
    pub runtime: Runtime,
    /// Where it is reached, and whom it reaches.
    pub network: Network,
    /// Where it keeps what it knows.
    pub storage: Storage,
    /// Who it is.
    pub identity: Identity,
    /// Who may use its HTTP interface.
    pub api: Api,
    /// The same, and what callers without a key may do.
    pub security: Security,
    /// What it writes down of those who used it.
    pub audit: Audit,
    /// What it measures.
    pub monitoring: Monitoring,
    /// What it gives.
    pub performance: Performance,
    /// What it says.
    pub logging: Logging,
    /// How it treats other executors.
    pub mesh: Mesh,
}

/// `[runtime]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Runtime {
    /// What it is run for; in production it refuses what is unsafe. Default: development.
    pub environment: Environment,
    /// In memory, on loopback, a federation of one, with a well-known API key. Default: false.
    pub test_mode: bool,
    /// The same as `logging.level`. Default: none.
    pub log_level: Option<String>,
}

/// What a node is run for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// To build and try things.
    #[default]
    Development,
    /// To rely on: what is unsafe is refused at the start.
    Production,
    /// To test.
    Testing,
}

/// `[storage]`
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// What keeps state, blocks and events: memory, fjall, redb, sled, sqlite, postgresql or rocksdb. Default:
    /// postgresql where a database's URL is given, else fjall.
    #[serde(with = "backend")]
    pub backend: Option<BackendKind>,
    /// The backend's directory, or a database's URL. Default: `store` in `data_dir`.
    pub path: Option<String>,
    /// A database's URL, `postgresql://user:password@host/database`; counts before `path`. Default: none.
    pub connection_string: Option<String>,
    /// Most connections to a database, at least 3. Default: 10.
    pub max_connections: u32,
    /// How long to wait for a connection to a database, in seconds. Default: 10.
    pub connection_timeout: u64,
    /// Directory of keys, consensus journals and everything else that is no backend's. Default: ./icn_data.
    pub data_dir: PathBuf,
    /// What the blocks that clients put may take in all, in bytes. Default: no limit.
    pub block_quota_bytes: Option<u64>,
    /// How long a block stays after it was put, or after nothing refers to it any more, in seconds. Default: a
    /// day.
    pub gc_grace_secs: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            backend: None,
            path: None,
            connection_string: None,
            max_connections: POSTGRESQL_CONNECTIONS,
            connection_timeout: POSTGRESQL_CONNECT_TIMEOUT_MS / 1_000,
            data_dir: PathBuf::from("./icn_data"),
            block_quota_bytes: None,
            gc_grace_secs: 24 * 3_600,
        }
    }
}

/// URLs of databases hold passwords.
impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("location", &self.location().map(|location| location.to_string()))
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

impl Storage {
    /// Where the store is.
    ///
    /// # Errors
    /// If backend and place do not go together.
    pub fn location(&self) -> Result<Location, ConfigError> {
        let (key, place) = match (&self.connection_string, &self.path) {
            (Some(url), _) => ("storage.connection_string", url.clone()),
            (None, Some(path)) => ("storage.path", path.clone()),
            (None, None) => (
                "storage.backend",
                self.data_dir.join("store").to_string_lossy().into_owned(),
            ),
        };
        let mut location = Location::new(self.backend, &place).map_err(|error| ConfigError::Value {
            key,
            value: self
                .backend
                .map_or_else(|| "…".to_owned(), |kind| kind.to_string()),
            reason: error.to_string(),
        })?;
        if let Location::Postgresql(settings) = &mut location {
            settings.max_connections = self.max_connections;
            settings.connect_timeout_ms = self.connection_timeout.saturating_mul(1_000);
        }
        Ok(location)
    }
}

/// A backend by its name.
mod backend {
    use icn_store::BackendKind;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(super) fn serialize<S: Serializer>(
        kind: &Option<BackendKind>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match kind {
            Some(kind) => serializer.serialize_some(kind.name()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<BackendKind>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        name.map(|name| name.parse().map_err(D::Error::custom))
            .transpose()
    }
}

/// `[identity]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// The node's key, PKCS#8 PEM, which must be there. Default: `node.key` in `data_dir`, made at the first start.
    pub key_path: Option<PathBuf>,
    /// The variable with the key's passphrase, or with `_FILE` at its end the name of a file that holds it. If it
    /// is set, no key is made without. Default: `ICN_KEY_PASSPHRASE`.
    pub key_passphrase_env: Option<String>,
    /// Make a key where there is none; counts only where `key_path` is absent. Default: true.
    pub generate_new_key: Option<bool>,
    /// The DID that the key must be of; with another key the node does not start. Default: whatever the key says.
    pub node_did: Option<String>,
    /// What the cooperative is called when it founds or joins a federation. Default: from its identity.
    pub name: Option<icn_model::Name>,
}

impl Identity {
    /// The key's file.
    pub fn key_path(&self, data_dir: &Path) -> PathBuf {
        self.key_path.clone().unwrap_or_else(|| data_dir.join("node.key"))
    }
}

/// `[performance]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Performance {
    /// Jobs that run here at once; 0 offers none. Default: 4.
    pub max_concurrent_jobs: usize,
    /// Memory for jobs in total, bytes. Default: 1 GiB.
    pub job_memory_bytes: u64,
    /// Mana that a cooperative regenerates in an hour, in the federation that this node founds; in one that exists the
    /// rate is the federation's. Default: 10000.
    pub mana_regeneration_rate: Option<u64>,
    /// How often blocks that nothing refers to are removed, in seconds; 0 leaves it to `icn-cli dag gc`.
    /// Default: 0.
    pub gc_interval: u64,
}

impl Default for Performance {
    fn default() -> Self {
        Self {
            max_concurrent_jobs: 4,
            job_memory_bytes: 1 << 30,
            mana_regeneration_rate: None,
            gc_interval: 0,
        }
    }
}

/// `[logging]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// Least level, or directives like `info,icn_protocol=debug`. Default: info.
    pub level: String,
    /// Lines for people or for machines. Default: text.
    pub format: LogFormat,
    /// Where the lines go: stderr, stdout, or the path of a file, which is opened anew on SIGHUP. Default: stderr.
    pub output: LogOutput,
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
            output: LogOutput::Stderr,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LogOutput {
    /// The standard error.
    Stderr,
    /// The standard output, after what the node says at its start.
    Stdout,
    /// A file, which lines are added to.
    File(PathBuf),
}

impl From<String> for LogOutput {
    fn from(text: String) -> Self {
        match text.as_str() {
            "stderr" => Self::Stderr,
            "stdout" => Self::Stdout,
            _ => Self::File(text.into()),
        }
    }
}

impl From<LogOutput> for String {
    fn from(output: LogOutput) -> Self {
        match output {
            LogOutput::Stderr => "stderr".into(),
            LogOutput::Stdout => "stdout".into(),
            LogOutput::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}

/// `[mesh]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mesh {
    /// Failures in a row after which this node awards an executor nothing. Default: 3.
    pub blacklist_after_failures: u32,
    /// For how long, seconds. Default: 300.
    pub blacklist_cooldown_secs: u64,
    /// How often a failed job goes to another executor, in the federation that this node founds; in one that exists
    /// the number is the federation's. Default: 3.
    pub job_retry_count: Option<u32>,
}

impl Default for Mesh {
    fn default() -> Self {
        Self {
            blacklist_after_failures: 3,
            blacklist_cooldown_secs: 300,
            job_retry_count: None,
        }
    }
}

/// A configuration that cannot be used: which layer, which key, and why.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not TOML: {detail}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where, and what is wrong.
        detail: String,
    },
    /// A key is unknown or has a value of another type.
    #[error("{place}: {key}: {reason}")]
    Key {
        /// The layer; of a file also the line.
        place: String,
        /// Which key.
        key: String,
        /// What is wrong with it, and what may have been meant.
        reason: String,
    },
    /// Two keys that mean the same have two values.
    #[error("{one} and {other} mean the same and differ: set one of them")]
    Contradiction {
        /// The one key.
        one: String,
        /// The other.
        other: String,
    },
    /// A value is of the right type and cannot be used.
    #[error("{key} = {value:?}: {reason}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong.
        reason: String,
    },
}

impl Config {
    /// Reads all layers. `command_line` holds what the flags say, and nothing else.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that cannot be.
    pub fn load(file: Option<&Path>, command_line: &impl Serialize) -> Result<Self, ConfigError> {
        Ok(Layered::read(file, command_line)?.config)
    }

    /// Every value as JSON, secrets masked.
    pub(crate) fn without_secrets(&self) -> serde_json::Value {
        // Of strings, numbers and lists: there is nothing that JSON cannot say.
        layers::without_secrets(serde_json::to_value(self).unwrap_or_default())
    }

    /// Makes one of `logging.level` and `runtime.log_level`; says whether it is the latter.
    fn unite_levels(&mut self, rank: impl Fn(&str) -> usize) -> Result<bool, ConfigError> {
        let (one, other) = ("logging.level", "runtime.log_level");
        let Some(level) = self.runtime.log_level.as_ref() else {
            return Ok(false);
        };
        match rank(other).cmp(&rank(one)) {
            Ordering::Less => return Ok(false),
            Ordering::Equal if *level != self.logging.level => {
                return Err(ConfigError::Contradiction {
                    one: one.into(),
                    other: other.into(),
                });
            }
            Ordering::Equal | Ordering::Greater => self.logging.level.clone_from(level),
        }
        Ok(true)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let value = |key, value: &dyn ToString, reason: &str| {
            Err(ConfigError::Value {
                key,
                value: value.to_string(),
                reason: reason.into(),
            })
        };
        if self.performance.max_concurrent_jobs > 1_024 {
            return value(
                "performance.max_concurrent_jobs",
                &self.performance.max_concurrent_jobs,
                "at most 1024",
            );
        }
        let public = self
            .network
            .http_listen_addr
            .is_some_and(|address| !address.ip().is_loopback());
        if self.runtime.test_mode && public {
            let address = self
                .network
                .http_listen_addr
                .map(|address| address.to_string())
                .unwrap_or_default();
            return value(
                "network.http_listen_addr",
                &address,
                "test mode has a well-known key and stays on loopback",
            );
        }
        if self.storage.max_connections < MIN_POSTGRESQL_CONNECTIONS {
            return value(
                "storage.max_connections",
                &self.storage.max_connections,
                "at least 3: one writes, one reads, one holds a snapshot",
            );
        }
        if let Some(name) = &self.identity.key_passphrase_env
            && !is_variable(name)
        {
            // Who misunderstands the key may have put the passphrase itself here.
            return value(
                "identity.key_passphrase_env",
                &"…",
                "the name of a variable: letters, digits and underscores, no digit first",
            );
        }
        if let Some(did) = &self.identity.node_did
            && let Err(error) = did.parse::<Did>()
        {
            return value("identity.node_did", did, &error.to_string());
        }
        if let Err(reason) = logging::filter(&self.logging.level) {
            return value("logging.level", &self.logging.level, &reason);
        }
        self.network.check()?;
        self.check_access()?;
        self.storage.location().map(drop)?;
        self.p2p_address().map(drop)
    }

    /// Where to listen for other nodes, if it is set.
    ///
    /// # Errors
    /// If it is no address.
    pub fn p2p_address(&self) -> Result<Option<icn_net::Address>, ConfigError> {
        self.network
            .p2p_listen_addr
            .as_deref()
            .map(|text| address("network.p2p_listen_addr", text))
            .transpose()
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// An address as a multiaddr or as `ip:port`.
///
/// # Errors
/// If it is neither.
pub fn address(key: &'static str, text: &str) -> Result<icn_net::Address, ConfigError> {
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(icn_net::Address::from(socket));
    }
    text.parse()
        .map_err(|error: icn_net::AddressError| ConfigError::Value {
            key,
            value: text.into(),
            reason: error.to_string(),
        })
}

/// Where the HTTP interface listens if nothing says.
pub const DEFAULT_HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7_845);
/// Where the node listens for others if nothing says.
pub const DEFAULT_P2P: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Default)]
    struct Flags {
        #[serde(skip_serializing_if = "Option::is_none")]
        performance: Option<Performance>,
    }

    fn load(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("icn.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path), &Flags::default())
    }

    #[test]
    fn an_empty_file_is_the_defaults() {
        assert_eq!(load("").unwrap(), Config::default());
    }

    #[test]
    fn unknown_keys_are_named_with_their_file() {
        for (text, expected) in [
            (
                "[network]\n\nhttp_listen = \"127.0.0.1:1\"\n",
                "icn.toml:3: network.http_listen: there is no such key: did you mean http_listen_addr?",
            ),
            (
                "[netwrk]\n",
                "icn.toml:1: netwrk: there is no such key: did you mean network?",
            ),
            (
                "[mesh]\nzzz = 1\n",
                "icn.toml:2: mesh.zzz: there is no such key; there are",
            ),
            (
                "[mesh]\nblacklist_after_failures = \"three\"\n",
                "icn.toml:2: mesh.blacklist_after_failures: ",
            ),
            ("[mesh\n", "icn.toml is not TOML: "),
            (
                "[api]\napi_key = \"${ICN_NOT_SET_ANYWHERE}\"\n",
                "icn.toml:2: api.api_key: the variable ICN_NOT_SET",
            ),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn every_value_tells_its_layer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("icn.toml");
        let text = format!(
            "[storage]\ndata_dir = {:?}\n[api]\napi_key = \"a-secret-of-mine\"\n[security]\nopen_rate_limit = 0\n\
             [runtime]\nenvironment = \"testing\"\n[mesh]\nblacklist_after_failures = 7",
            dir.path()
        );
        std::fs::write(&path, text).unwrap();
        std::fs::write(dir.path().join("runtime.toml"), "[logging]\nlevel = \"debug\"").unwrap();
        let flags = Flags {
            performance: Some(Performance {
                max_concurrent_jobs: 3,
                ..Performance::default()
            }),
        };
        let settings = Layered::read(Some(&path), &flags).unwrap().settings().unwrap();
        let of = |key: &str| {
            let found = settings.iter().find(|setting| setting.key == key).unwrap();
            (found.value.clone(), found.origin.clone())
        };
        let file = path.display().to_string();
        assert_eq!(of("mesh.blacklist_after_failures"), ("7".into(), file.clone()));
        assert_eq!(of("api.api_key"), ("\"***\"".into(), file.clone()));
        assert_eq!(of("api.tls_cert_path"), (String::new(), "default".into()));
        assert_eq!(of("security.open_rate_limit"), ("0".into(), file.clone()));
        assert_eq!(of("runtime.environment"), ("\"testing\"".into(), file));
        assert_eq!(
            of("performance.max_concurrent_jobs"),
            ("3".into(), "command line".into())
        );
        assert_eq!(of("network.max_peers"), ("128".into(), "default".into()));
        let runtime = dir.path().join("runtime.toml").display().to_string();
        assert_eq!(of("logging.level"), ("\"debug\"".into(), runtime));
    }

    #[test]
    fn impossible_values_are_named() {
        for (text, key) in [
            ("[network]\nmax_peers = -1", "network.max_peers"),
            ("[network]\np2p_listen_addr = \"here\"", "network.p2p_listen_addr"),
            ("[storage]\nbackend = \"paper\"", "storage.backend"),
            ("[storage]\nbackend = \"postgresql\"", "storage.backend"),
            (
                "[storage]\nbackend = \"fjall\"\npath = \"postgres://user:secret@db/icn\"",
                "storage.path",
            ),
            ("[storage]\nmax_connections = 2", "storage.max_connections"),
            ("[api]\napi_key = \"short\"", "api.api_key"),
            ("[network]\nconnection_timeout = 0", "network.connection_timeout"),
            ("[network]\nfailure_threshold = 0", "network.failure_threshold"),
            (
                "[network]\nopen_timeout_secs = 100000",
                "network.open_timeout_secs",
            ),
            ("[network]\nretry_max_attempts = 0", "network.retry_max_attempts"),
            (
                "[network]\nretry_initial_delay_ms = 2000",
                "network.retry_initial_delay_ms",
            ),
            ("[network]\nretry_max_delay_ms = -1", "network.retry_max_delay_ms"),
            (
                "[network]\np2p_enabled = false\nmdns = true",
                "network.p2p_enabled",
            ),
            ("[network]\np2p_enabled = \"no\"", "network.p2p_enabled"),
            ("[logging]\nlevel = \"loud\"", "logging.level"),
            ("[runtime]\nlog_level = \"loud\"", "logging.level"),
            (
                "[runtime]\nlog_level = \"warn\"\n[logging]\nlevel = \"debug\"",
                "runtime.log_level",
            ),
            ("[logging]\nformat = \"xml\"", "logging.format"),
            ("[logging]\noutput = 3", "logging.output"),
            ("[identity]\nnode_did = \"did:web:x\"", "identity.node_did"),
            ("[api]\nrate_limit = -1", "api.rate_limit"),
            ("[api]\nrequire_auth = \"no\"", "api.require_auth"),
            ("[api]\napi_key_env = \"my secret\"", "api.api_key_env"),
            ("[api]\napi_key_env = \"NOT_SET_ANYWHERE\"", "api.api_key_env"),
            ("[security]\nauth_token = \"short\"", "security.auth_token"),
            ("[security]\nopen_rate_limit = 1.5", "security.open_rate_limit"),
            ("[audit]\nenabled = 1", "audit.enabled"),
            ("[runtime]\nenvironment = \"staging\"", "runtime.environment"),
            (
                "[monitoring]\nmetrics_bind_addr = \"9090\"",
                "monitoring.metrics_bind_addr",
            ),
            (
                "[monitoring]\nhealth_check_interval = 0",
                "monitoring.health_check_interval",
            ),
            (
                "[identity]\nkey_passphrase_env = \"my secret word\"",
                "identity.key_passphrase_env",
            ),
            (
                "[identity]\nkey_passphrase_env = \"\"",
                "identity.key_passphrase_env",
            ),
            (
                "[identity]\ngenerate_new_key = \"yes\"",
                "identity.generate_new_key",
            ),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(key), "{text}: {error}");
            assert!(!error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn the_identity_is_as_the_keys_say() {
        let text = "[identity]\nkey_path = \"/secrets/node.key\"\nkey_passphrase_env = \"ICN_SEAT_WORD\"\n\
                    generate_new_key = true";
        let identity = load(text).unwrap().identity;
        assert_eq!(
            identity.key_path(Path::new("data")),
            Path::new("/secrets/node.key")
        );
        assert_eq!(identity.key_passphrase_env.as_deref(), Some("ICN_SEAT_WORD"));
        assert_eq!(identity.generate_new_key, Some(true));
        let default = Identity::default();
        assert_eq!(default.key_path(Path::new("data")), Path::new("data/node.key"));
    }

    #[test]
    fn a_store_is_where_the_keys_say() {
        let location = |text: &str| load(text).unwrap().storage.location().unwrap();
        let of = |text: &str| {
            let location = location(text);
            (location.kind(), location.to_string())
        };
        assert_eq!(of(""), (BackendKind::Fjall, "./icn_data/store".into()));
        assert_eq!(of("[storage]\nbackend = \"memory\"").0, BackendKind::Memory);
        let redb = "[storage]\nbackend = \"redb\"\npath = \"there\"";
        assert_eq!(of(redb), (BackendKind::Redb, "there".into()));
        for text in [
            "backend = \"postgres\"\npath = \"postgres://user:secret@db/icn\"",
            "backend = \"postgresql\"\nconnection_string = \"postgresql://user:secret@db/icn\"",
            "connection_string = \"postgresql://user:secret@db/icn\"\nmax_connections = 20\nconnection_timeout = 5",
        ] {
            let (kind, shown) = of(&format!("[storage]\n{text}"));
            assert_eq!(kind, BackendKind::Postgresql);
            assert!(!shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn later_layers_win() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("icn.toml");
        let text = format!(
            "[storage]\ndata_dir = {:?}\n[performance]\nmax_concurrent_jobs = 2",
            dir.path()
        );
        std::fs::write(&path, text).unwrap();
        let flags = Flags {
            performance: Some(Performance {
                max_concurrent_jobs: 3,
                ..Performance::default()
            }),
        };
        assert_eq!(
            Config::load(Some(&path), &flags)
                .unwrap()
                .performance
                .max_concurrent_jobs,
            3
        );
        std::fs::write(
            dir.path().join("runtime.toml"),
            "[performance]\nmax_concurrent_jobs = 5",
        )
        .unwrap();
        assert_eq!(
            Config::load(Some(&path), &flags)
                .unwrap()
                .performance
                .max_concurrent_jobs,
            5
        );
    }
}
