//! Empty places for stores, one for each backend on disk that this build has.
#![allow(dead_code, reason = "each test program uses a part")]

use icn_store::{BackendKind, Location, PostgresqlSettings};

#[cfg(feature = "postgresql")]
#[path = "postgres.rs"]
pub(crate) mod postgres;

/// A place, and what has to live as long as it is used.
pub(crate) struct Place {
    pub(crate) location: Location,
    _dir: Option<tempfile::TempDir>,
}

impl Place {
    /// The location as text, for another process.
    pub(crate) fn to_argument(&self) -> String {
        match &self.location {
            Location::Directory { path, .. } => path.display().to_string(),
            Location::Postgresql(settings) => format!("{} {}", settings.url, settings.schema),
            location => panic!("{location} is no place of these tests"),
        }
    }
}

/// The location that [`Place::to_argument`] has made a text of.
pub(crate) fn from_argument(kind: BackendKind, argument: &str) -> Location {
    if kind != BackendKind::Postgresql {
        return Location::directory(kind, argument).unwrap();
    }
    let (url, schema) = argument.split_once(' ').unwrap();
    let mut settings = PostgresqlSettings::new(url);
    settings.schema = schema.to_owned();
    Location::Postgresql(settings)
}

/// The backends of this build that keep something.
pub(crate) fn kinds() -> Vec<BackendKind> {
    BackendKind::ALL
        .into_iter()
        .filter(|kind| *kind != BackendKind::Memory && kind.is_built_in())
        .collect()
}

/// A new place for a store of `kind`.
pub(crate) fn place(kind: BackendKind) -> Place {
    #[cfg(feature = "postgresql")]
    if kind == BackendKind::Postgresql {
        return Place {
            location: Location::Postgresql(postgres::Server::shared().settings()),
            _dir: None,
        };
    }
    let dir = tempfile::tempdir().unwrap();
    Place {
        location: Location::directory(kind, dir.path().join("store")).unwrap(),
        _dir: Some(dir),
    }
}
