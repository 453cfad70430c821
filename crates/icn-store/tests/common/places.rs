//! Empty places for stores, one for each backend on disk that this build has.

use icn_store::{BackendKind, Location};

#[cfg(feature = "postgresql")]
#[path = "postgres.rs"]
pub(crate) mod postgres;

/// A place, and what has to live as long as it is used.
pub(crate) struct Place {
    pub(crate) location: Location,
    _dir: Option<tempfile::TempDir>,
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
