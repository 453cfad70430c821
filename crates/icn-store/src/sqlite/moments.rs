//! Snapshots: each is a connection inside a read transaction. Those between which nothing was
//! committed are one, so that their number is that of the moments that are looked at.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rusqlite::Connection;

use super::connection::{Access, open_connection};
use super::{NAME, failure};
use crate::error::{BackendError, ErrorKind};

/// Most moments that are held at once; each has a connection with its cache.
const MAX_MOMENTS: usize = 64;

/// A read transaction, in which the first read has happened.
pub(super) struct Moment {
    connection: Mutex<Connection>,
}

impl Moment {
    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        // Only reads run under this lock, and one that panics leaves the transaction as it was.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(file: &Path) -> rusqlite::Result<Self> {
        let connection = open_connection(file, Access::Read)?;
        // The transaction's view is fixed by its first read.
        connection.execute_batch("BEGIN; SELECT flushes FROM icn_store;")?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }
}

/// The moments that are held.
#[derive(Default)]
pub(super) struct Moments {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// The present one, unless a commit is under way.
    present: Weak<Moment>,
    all: Vec<Weak<Moment>>,
    is_changing: bool,
}

/// Held while a commit is under way: what is seen meanwhile may be before or after it.
pub(super) struct Change<'a>(&'a Moments);

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.0.lock().is_changing = false;
    }
}

impl Moments {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called before each commit.
    pub(super) fn change(&self) -> Change<'_> {
        let mut held = self.lock();
        held.present = Weak::new();
        held.is_changing = true;
        drop(held);
        Change(self)
    }

    /// A view of this moment of the database in `file`.
    pub(super) fn now(&self, file: &Path) -> Result<Arc<Moment>, BackendError> {
        let mut held = self.lock();
        if let Some(present) = held.present.upgrade() {
            return Ok(present);
        }
        held.all.retain(|moment| moment.strong_count() > 0);
        if held.all.len() >= MAX_MOMENTS {
            let reason =
                format!("snapshots of {MAX_MOMENTS} moments are held: drop one, or wait for one to expire");
            return Err(BackendError::new(
                NAME,
                ErrorKind::Busy,
                "take a snapshot",
                reason,
            ));
        }
        let moment = Moment::begin(file).map_err(|error| failure("take a snapshot", error))?;
        let moment = Arc::new(moment);
        held.all.push(Arc::downgrade(&moment));
        if !held.is_changing {
            held.present = Arc::downgrade(&moment);
        }
        Ok(moment)
    }
}
