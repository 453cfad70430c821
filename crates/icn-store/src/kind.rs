//! The backends by the names with which operators choose them. It opens none.

use std::fmt;
use std::str::FromStr;

/// A backend, whether or not this program was built with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BackendKind {
    /// Nothing is kept ([`crate::MemoryBackend`]).
    Memory,
    /// The embedded default.
    Fjall,
    /// One file with copy-on-write pages.
    Redb,
    /// For operators who use it already; it loses acknowledged writes at a power cut.
    Sled,
    /// One file that every SQLite tool reads.
    Sqlite,
    /// A schema in a PostgreSQL database.
    Postgresql,
    /// A log-structured merge tree in C++.
    Rocksdb,
}

/// There is no backend of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no storage backend {name:?}: choose one of memory, fjall, redb, sled, sqlite, postgresql, rocksdb"
)]
pub struct UnknownBackend {
    /// The name that was asked for.
    pub name: String,
}

impl BackendKind {
    /// Every backend.
    pub const ALL: [Self; 7] = [
        Self::Memory,
        Self::Fjall,
        Self::Redb,
        Self::Sled,
        Self::Sqlite,
        Self::Postgresql,
        Self::Rocksdb,
    ];

    /// The name by which operators choose it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Fjall => "fjall",
            Self::Redb => "redb",
            Self::Sled => "sled",
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
            Self::Rocksdb => "rocksdb",
        }
    }

    /// The cargo feature of this crate that builds it; `None` if it is always there.
    #[must_use]
    pub const fn feature(self) -> Option<&'static str> {
        match self {
            Self::Memory => None,
            Self::Rocksdb => Some("persist-rocksdb"),
            Self::Fjall | Self::Redb | Self::Sled | Self::Sqlite | Self::Postgresql => Some(self.name()),
        }
    }

    /// Whether this program was built with it.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Memory => true,
            Self::Fjall => cfg!(feature = "fjall"),
            Self::Redb => cfg!(feature = "redb"),
            Self::Sled => cfg!(feature = "sled"),
            Self::Sqlite => cfg!(feature = "sqlite"),
            Self::Postgresql => cfg!(feature = "postgresql"),
            Self::Rocksdb => cfg!(feature = "persist-rocksdb"),
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for BackendKind {
    type Err = UnknownBackend;

    /// The names, and `postgres` for `postgresql`.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == "postgres" {
            return Ok(Self::Postgresql);
        }
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownBackend {
                name: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::BackendKind;

    #[test]
    fn a_name_leads_to_its_backend() {
        for kind in BackendKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("postgres".parse(), Ok(BackendKind::Postgresql));
    }

    #[test]
    fn an_unknown_name_is_told_all_names() {
        let message = "paper".parse::<BackendKind>().unwrap_err().to_string();
        assert!(message.contains("\"paper\""), "{message}");
        for kind in BackendKind::ALL {
            assert!(message.contains(kind.name()), "{message}");
        }
    }
}
