//! Snapshots: views of a store that can be read until their deadline.

use std::sync::Arc;

use crate::backend::View;
use crate::core::Core;
use crate::error::StoreError;
use crate::reader::{Reader, checked_scan};
use crate::scan::{Page, ScanRange};
use crate::table::Table;
use crate::views::Held;

/// A view of one moment over every table. Clones share it; the last one to go releases it. A snapshot
/// keeps the backend open, also when every handle of the store is gone.
#[derive(Clone)]
pub struct Snapshot {
    core: Arc<Core>,
    held: Arc<Held>,
}

impl Snapshot {
    pub(crate) const fn new(core: Arc<Core>, held: Arc<Held>) -> Self {
        Self { core, held }
    }

    fn read<T>(&self, read: impl FnOnce(&dyn View) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.core.check()?;
        let expired = || StoreError::SnapshotExpired {
            deadline_ms: self.core.snapshot_deadline_ms(),
        };
        self.held
            .read(self.core.now_ms(), |view| read(view.ok_or_else(expired)?))
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
