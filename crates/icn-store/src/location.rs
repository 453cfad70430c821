//! Where a store is: a backend and its place. It opens nothing, and prints no password.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::kind::BackendKind;

/// A backend with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// In memory: gone when it is closed.
    Memory,
    /// A directory that belongs to an embedded backend.
    Directory {
        /// Fjall, redb, sled, SQLite or RocksDB.
        kind: EmbeddedKind,
        /// The directory.
        path: PathBuf,
    },
    /// A schema in a PostgreSQL database.
    Postgresql(PostgresqlSettings),
}

/// Whether a store that is not there is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absent {
    Make,
    Refuse,
}

/// A backend that keeps its store in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedKind(BackendKind);

impl EmbeddedKind {
    /// `kind`, if it keeps its store in a directory.
    #[must_use]
    pub fn new(kind: BackendKind) -> Option<Self> {
        match kind {
            BackendKind::Fjall
            | BackendKind::Redb
            | BackendKind::Sled
            | BackendKind::Sqlite
            | BackendKind::Rocksdb => Some(Self(kind)),
            BackendKind::Memory | BackendKind::Postgresql => None,
        }
    }

    /// The backend.
    #[must_use]
    pub fn kind(self) -> BackendKind {
        self.0
    }
}

/// Why a backend and a place do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocationError {
    /// The place is a database server, the backend is another one.
    #[error("a postgres URL is a place for the backend postgresql, not for {kind}: give {kind} a directory")]
    UrlForOther {
        /// The backend that was named.
        kind: BackendKind,
    },
    /// The backend needs a database server.
    #[error("the backend postgresql needs a URL like postgresql://user@host/database, not a directory")]
    NotAUrl,
    /// The backend needs a directory.
    #[error("the backend {kind} needs a directory: name one")]
    NoPlace {
        /// The backend that was named.
        kind: BackendKind,
    },
}

fn is_url(place: &str) -> bool {
    ["postgres://", "postgresql://"].iter().any(|scheme| {
        place
            .get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

impl Location {
    /// The place `place` of the backend `kind`. A `postgres://` or `postgresql://` URL needs no kind;
    /// without a URL the kind is [`BackendKind::Fjall`] unless it is named. Memory needs no place.
    ///
    /// # Errors
    ///
    /// Kind and place do not go together.
    pub fn new(kind: Option<BackendKind>, place: &str) -> Result<Self, LocationError> {
        match (kind, is_url(place)) {
            (None | Some(BackendKind::Postgresql), true) => {
                Ok(Self::Postgresql(PostgresqlSettings::new(place)))
            }
            (Some(kind), true) => Err(LocationError::UrlForOther { kind }),
            (Some(BackendKind::Postgresql), false) => Err(LocationError::NotAUrl),
            (Some(BackendKind::Memory), false) => Ok(Self::Memory),
            (kind, false) => Self::directory(kind.unwrap_or(BackendKind::Fjall), Path::new(place)),
        }
    }

    /// The directory `path` of an embedded backend.
    ///
    /// # Errors
    ///
    /// The path is empty, or the backend keeps nothing in directories.
    pub fn directory(kind: BackendKind, path: impl Into<PathBuf>) -> Result<Self, LocationError> {
        let path = path.into();
        match EmbeddedKind::new(kind) {
            Some(kind) if !path.as_os_str().is_empty() => Ok(Self::Directory { kind, path }),
            None if kind == BackendKind::Postgresql => Err(LocationError::NotAUrl),
            Some(_) | None => Err(LocationError::NoPlace { kind }),
        }
    }

    /// The backend.
    #[must_use]
    pub fn kind(&self) -> BackendKind {
        match self {
            Self::Memory => BackendKind::Memory,
            Self::Directory { kind, .. } => kind.kind(),
            Self::Postgresql(_) => BackendKind::Postgresql,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Directory { path, .. } => path.display().fmt(f),
            Self::Postgresql(settings) => settings.fmt(f),
        }
    }
}

/// Most connections to a database server unless the settings say otherwise.
pub const POSTGRESQL_CONNECTIONS: u32 = 10;
/// Fewest: one writes, one reads, one holds a snapshot.
pub const MIN_POSTGRESQL_CONNECTIONS: u32 = 3;
/// How long to wait for a connection unless the settings say otherwise, in milliseconds.
pub const POSTGRESQL_CONNECT_TIMEOUT_MS: u64 = 10_000;
/// How long to wait for an answer unless the settings say otherwise, in milliseconds.
pub const POSTGRESQL_ANSWER_TIMEOUT_MS: u64 = 60_000;
/// The schema that holds the store unless the settings say otherwise.
pub const POSTGRESQL_SCHEMA: &str = "icn";

/// How to reach a PostgreSQL database. Neither `Debug` nor `Display` shows a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresqlSettings {
    /// `postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE`; what it
    /// leaves out comes from the `PG…` variables of the environment.
    pub url: String,
    /// A password that was not to be in the URL; it counts before one that is there.
    pub password: Option<String>,
    /// The schema that holds the store: lower case letters, digits and underscores. Stores in one
    /// database have different ones. Default: [`POSTGRESQL_SCHEMA`].
    pub schema: String,
    /// Most connections; at least [`MIN_POSTGRESQL_CONNECTIONS`]. Default: [`POSTGRESQL_CONNECTIONS`].
    pub max_connections: u32,
    /// How long to wait for a connection, in milliseconds. Default: [`POSTGRESQL_CONNECT_TIMEOUT_MS`].
    pub connect_timeout_ms: u64,
    /// How long to wait for an answer, in milliseconds. Default: [`POSTGRESQL_ANSWER_TIMEOUT_MS`].
    pub answer_timeout_ms: u64,
}

impl PostgresqlSettings {
    /// The defaults, for the database at `url`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            schema: POSTGRESQL_SCHEMA.to_owned(),
            max_connections: POSTGRESQL_CONNECTIONS,
            connect_timeout_ms: POSTGRESQL_CONNECT_TIMEOUT_MS,
            answer_timeout_ms: POSTGRESQL_ANSWER_TIMEOUT_MS,
        }
    }

    /// The URL without password and parameters (which may hold one too).
    #[must_use]
    pub fn public_url(&self) -> String {
        let url = self.url.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = url.split_once("://") else {
            return "a database".to_owned();
        };
        // The last sign counts: a password may hold some that should have been escaped.
        match rest.rsplit_once('@') {
            Some((secret, rest)) => {
                let user = secret.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{rest}")
            }
            None => url.to_owned(),
        }
    }
}

impl fmt::Display for PostgresqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, schema {}", self.public_url(), self.schema)
    }
}

impl fmt::Debug for PostgresqlSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresqlSettings")
            .field("url", &self.public_url())
            .field("schema", &self.schema)
            .field("max_connections", &self.max_connections)
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("answer_timeout_ms", &self.answer_timeout_ms)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Location, LocationError, PostgresqlSettings};
    use crate::kind::BackendKind;

    #[test]
    fn a_postgres_url_says_the_backend() {
        for (kind, url) in [
            (None, "postgres://localhost/icn"),
            (None, "postgresql://localhost/icn"),
            (Some(BackendKind::Postgresql), "PostgreSQL://localhost/icn"),
        ] {
            assert_eq!(Location::new(kind, url).unwrap().kind(), BackendKind::Postgresql);
        }
        let kind = BackendKind::Redb;
        assert_eq!(
            Location::new(Some(kind), "postgres://localhost/icn"),
            Err(LocationError::UrlForOther { kind })
        );
    }

    #[test]
    fn a_path_is_a_directory_of_the_named_backend() {
        let location = Location::new(Some(BackendKind::Sqlite), "./data/dag.sqlite").unwrap();
        assert_eq!(location.kind(), BackendKind::Sqlite);
        assert_eq!(location.to_string(), "./data/dag.sqlite");
        assert_eq!(Location::new(None, "data").unwrap().kind(), BackendKind::Fjall);
        assert_eq!(
            Location::new(Some(BackendKind::Postgresql), "data"),
            Err(LocationError::NotAUrl)
        );
        let kind = BackendKind::Sled;
        assert_eq!(
            Location::new(Some(kind), ""),
            Err(LocationError::NoPlace { kind })
        );
        assert_eq!(Location::new(Some(BackendKind::Memory), ""), Ok(Location::Memory));
    }

    #[test]
    fn no_password_is_shown() {
        for url in [
            "postgres://node:geheim@db/icn",
            "postgres://node:ge@heim@db/icn",
            "postgres://node@db/icn?password=geheim",
            "postgres://node@db/icn#geheim",
        ] {
            let mut settings = PostgresqlSettings::new(url);
            settings.password = Some("geheim".to_owned());
            for shown in [
                settings.to_string(),
                format!("{settings:?}"),
                format!("{:?}", Location::Postgresql(settings.clone())),
            ] {
                assert!(!shown.contains("heim"), "{shown}");
                assert!(shown.contains("postgres://node@db/icn"), "{shown}");
            }
        }
    }
}
