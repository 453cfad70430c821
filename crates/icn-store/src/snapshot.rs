//! Snapshots that cannot be held for ever: each has a deadline, after which the store releases what
//! the backend keeps for it, also when nobody reads it any more.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use crate::backend::View;
use crate::error::StoreError;
use crate::scan::{Page, ScanRange};
use crate::store::{Core, Reader, checked_scan};
use crate::table::Table;

/// Most snapshots that may be open at once.
pub const MAX_OPEN_SNAPSHOTS: usize = 256;

/// A view of one moment over every table. Clones share it; the last one to go releases it. A snapshot
/// keeps the backend open, also when every handle of the store is gone.
#[derive(Clone)]
pub struct Snapshot {
    core: Arc<Core>,
    held: Arc<Held>,
}

pub(crate) struct Held {
    /// `None` once it is released.
    view: RwLock<Option<Box<dyn View>>>,
    expires_at_ms: u64,
}

impl Held {
    fn is_over(&self, now_ms: u64) -> bool {
        now_ms >= self.expires_at_ms
    }

    /// Lets go of the view; `false` if a read in progress keeps it.
    fn release(&self) -> bool {
        match self.view.try_write() {
            Ok(mut view) => {
                *view = None;
                true
            }
            Err(_) => false,
        }
    }
}

/// The snapshots that are open.
#[derive(Default)]
pub(crate) struct Registry {
    open: Mutex<Vec<Weak<Held>>>,
}

impl Registry {
    /// Releases the snapshots whose time is over, and forgets those that are gone.
    pub(crate) fn sweep(&self, now_ms: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|held| {
            held.upgrade()
                .is_some_and(|held| !(held.is_over(now_ms) && held.release()))
        });
    }

    /// Opens a snapshot that expires at `expires_at_ms`.
    pub(crate) fn open(
        &self,
        core: &Arc<Core>,
        expires_at_ms: u64,
        view: impl FnOnce() -> Result<Box<dyn View>, StoreError>,
    ) -> Result<Snapshot, StoreError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|held| held.strong_count() > 0);
        if open.len() >= MAX_OPEN_SNAPSHOTS {
            return Err(StoreError::TooManySnapshots);
        }
        let held = Arc::new(Held {
            view: RwLock::new(Some(view()?)),
            expires_at_ms,
        });
        open.push(Arc::downgrade(&held));
        Ok(Snapshot {
            core: Arc::clone(core),
            held,
        })
    }
}

impl Snapshot {
    fn read<T>(&self, read: impl FnOnce(&dyn View) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.core.check()?;
        let expired = || StoreError::SnapshotExpired {
            deadline_ms: self.core.snapshot_deadline_ms(),
        };
        if self.held.is_over(self.core.now_ms()) {
            self.held.release();
            return Err(expired());
        }
        let view = self.held.view.read().unwrap_or_else(PoisonError::into_inner);
        read(view.as_deref().ok_or_else(expired)?)
    }
}

impl Reader for Snapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|view| Ok(view.get(table, key)?))
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, StoreError> {
        self.read(|view| checked_scan(view, table, range, limit))
    }
}
