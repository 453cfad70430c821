//! Opening a store by the name of its backend.

use std::path::Path;
use std::sync::Arc;

use crate::backend::Backend;
use crate::directory::holds_store;
use crate::error::OpenError;
use crate::kind::BackendKind;
use crate::location::{Absent, Location, PostgresqlSettings};
use crate::mark::is_half_moved;
use crate::memory::MemoryBackend;

/// Opens the store at `location`, which is made if there is none. The outcome goes into
/// [`crate::Store::threaded`].
///
/// # Errors
///
/// This program was built without the backend; what the backend's own `open` says; the store is what
/// an interrupted [`crate::migrate`] has left.
pub fn open(location: &Location) -> Result<Arc<dyn Backend>, OpenError> {
    let backend = open_unchecked(location, Absent::Make)?;
    refuse_half_moved(location, &*backend)?;
    Ok(backend)
}

/// Opens the store at `location`, if there is one. Memory never has one.
///
/// # Errors
///
/// As for [`open`], and [`OpenError::Absent`].
pub fn open_existing(location: &Location) -> Result<Arc<dyn Backend>, OpenError> {
    let backend = open_unchecked(location, Absent::Refuse)?;
    refuse_half_moved(location, &*backend)?;
    Ok(backend)
}

fn refuse_half_moved(location: &Location, backend: &dyn Backend) -> Result<(), OpenError> {
    match is_half_moved(backend) {
        Ok(false) => Ok(()),
        Ok(true) => Err(OpenError::HalfMoved {
            place: location.to_string(),
        }),
        Err(error) => Err(OpenError::engine(location, error)),
    }
}

pub(crate) fn open_unchecked(location: &Location, absent: Absent) -> Result<Arc<dyn Backend>, OpenError> {
    match location {
        Location::Memory if absent == Absent::Make => Ok(Arc::new(MemoryBackend::new())),
        Location::Memory => Err(OpenError::Absent {
            place: location.to_string(),
        }),
        Location::Directory { kind, path } => {
            if absent == Absent::Refuse && kind.kind().is_built_in() && !holds_store(path)? {
                return Err(OpenError::Absent {
                    place: location.to_string(),
                });
            }
            open_directory(kind.kind(), path)
        }
        Location::Postgresql(settings) => open_postgresql(settings, absent),
    }
}

/// Each arm is there when its backend is.
fn open_directory(kind: BackendKind, path: &Path) -> Result<Arc<dyn Backend>, OpenError> {
    match kind {
        #[cfg(feature = "fjall")]
        BackendKind::Fjall => Ok(Arc::new(crate::fjall::FjallBackend::open(path)?)),
        #[cfg(feature = "redb")]
        BackendKind::Redb => Ok(Arc::new(crate::redb::RedbBackend::open(path)?)),
        #[cfg(feature = "sled")]
        BackendKind::Sled => Ok(Arc::new(crate::sled::SledBackend::open(path)?)),
        #[cfg(feature = "sqlite")]
        BackendKind::Sqlite => Ok(Arc::new(crate::sqlite::SqliteBackend::open(path)?)),
        #[cfg(feature = "persist-rocksdb")]
        BackendKind::Rocksdb => Ok(Arc::new(crate::rocksdb::RocksdbBackend::open(path)?)),
        kind => {
            let _ = path;
            Err(OpenError::NotBuiltIn { kind })
        }
    }
}

#[cfg(feature = "postgresql")]
fn open_postgresql(settings: &PostgresqlSettings, absent: Absent) -> Result<Arc<dyn Backend>, OpenError> {
    let backend = crate::postgresql::PostgresqlBackend::open_or(settings, absent)?;
    Ok(Arc::new(backend))
}

#[cfg(not(feature = "postgresql"))]
fn open_postgresql(_settings: &PostgresqlSettings, _absent: Absent) -> Result<Arc<dyn Backend>, OpenError> {
    Err(OpenError::NotBuiltIn {
        kind: BackendKind::Postgresql,
    })
}
