//! `[storage]`: where a node keeps what it knows.
use super::ConfigError;
use icn_store::{BackendKind, Location, POSTGRESQL_CONNECT_TIMEOUT_MS, POSTGRESQL_CONNECTIONS};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf};

/// A variable of operators' scripts: where there once was a ledger apart.
const MANA_LEDGER_PATH: &str = "ICN_MANA_LEDGER_PATH";

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
    /// Tells in the log what an operator may not expect.
    pub(crate) fn say(&self) {
        if std::env::var_os(MANA_LEDGER_PATH).is_some() {
            tracing::info!("{MANA_LEDGER_PATH} does not count: the mana ledger lives in the node's store");
        }
    }

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
