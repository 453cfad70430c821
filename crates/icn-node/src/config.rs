//! Configuration in five layers: defaults, file, environment, command line, and what was changed at run
//! time. Later layers win. An unknown key in any of them is an error that names it.
use icn_api::keyfile::PASSPHRASE_VARIABLE;
use icn_model::Did;
use icn_serve::log::Own;
use icn_store::MIN_POSTGRESQL_CONNECTIONS;
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

mod access;
mod events;
mod layers;
mod live;
mod network;
mod refusals;
mod reporting;
mod run_time;
mod secrets;
mod storage;
mod variables;

pub use icn_serve::{
    config::ConfigError,
    log::{LogFormat, LogOutput, Logging},
};

pub use access::{Api, Audit, DEFAULT_METRICS, Monitoring, Security, TlsFiles};
pub use events::Events;
pub use layers::{Layered, Sources};
pub use live::{Listening, Live};
pub use network::Network;
pub use reporting::Reporting;
pub use run_time::ChangeError;
pub use storage::Storage;

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
    /// How long it keeps what happened.
    pub events: Events,
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
    /// How it keeps its lines of credit.
    pub credit: Credit,
    /// To whom it reports that it is there.
    pub federation: Reporting,
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
    /// To rehearse: as development, under a name of its own.
    Testing,
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
    /// The cooperative's line key, with which transfers are signed, where it is not the node's own key; PKCS#8 PEM, with
    /// the same passphrase. Default: none.
    pub line_key_path: Option<PathBuf>,
    /// The DID that the key must act for; with another key the node does not start. Default: the one that begins with
    /// the key, or that the node had when its key was rotated.
    pub node_did: Option<String>,
    /// What the cooperative is called when it founds or joins a federation. Default: from its identity.
    pub name: Option<icn_model::Name>,
}

impl Identity {
    /// The key's file.
    pub fn key_path(&self, data_dir: &Path) -> PathBuf {
        self.key_path.clone().unwrap_or_else(|| data_dir.join("node.key"))
    }

    /// The variable with the key's passphrase.
    pub fn passphrase_variable(&self) -> &str {
        self.key_passphrase_env.as_deref().unwrap_or(PASSPHRASE_VARIABLE)
    }
}

/// The longest that `credit.anchor_after_secs` can be: a day.
const MAX_ANCHOR_AFTER_SECS: u64 = 86_400;

/// `[credit]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credit {
    /// How long what both ends of a line have signed waits until the log is told, in seconds; the agreement's counterparty
    /// waits twice as long. Default: 30.
    pub anchor_after_secs: u64,
}

impl Default for Credit {
    fn default() -> Self {
        Self {
            anchor_after_secs: 30,
        }
    }
}

/// `[performance]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Performance {
    /// Jobs that run here at once; 0 offers none. Default: 4.
    pub max_concurrent_jobs: usize,
    /// Memory for jobs in total, bytes: a job is run when what it may take is left. Default: 1 GiB.
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

/// How the node's crates are told from the libraries beneath in its log.
pub const LOG: Own = Own {
    service: "icn-node",
    crates: &[
        "icn_node",
        "icn_runtime",
        "icn_protocol",
        "icn_net",
        "icn_sandbox",
        "icn_serve",
        "icn_store",
    ],
    // These warn of what is normal here: that an operation told again was known, and that a node is alone.
    quiet: &["libp2p_gossipsub=error", "libp2p_kad=error"],
};

impl Config {
    /// Every value as JSON, secrets masked.
    pub(crate) fn without_secrets(&self) -> serde_json::Value {
        // Of strings, numbers and lists: there is nothing that JSON cannot say.
        icn_serve::config::without_secrets(serde_json::to_value(self).unwrap_or_default())
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
        if !(1..=MAX_ANCHOR_AFTER_SECS).contains(&self.credit.anchor_after_secs) {
            return value(
                "credit.anchor_after_secs",
                &self.credit.anchor_after_secs,
                "1 to 86400",
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
        if let Err(reason) = LOG.filter(&self.logging.level) {
            return value("logging.level", &self.logging.level, &reason);
        }
        self.network.check()?;
        self.events.check()?;
        self.federation.check()?;
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
mod tests;
