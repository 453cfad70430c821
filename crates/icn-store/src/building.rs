//! A store that is being filled from outside, such as from a backup: until it is finished it carries the mark of a
//! half-moved one, with which no [`crate::open`] opens it.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::backend::{Backend, View as _};
use crate::batch::{Batch, Durability};
use crate::error::StoreError;
use crate::location::{Absent, Location};
use crate::migrate::{MigrateError, prepare, set_mark};
use crate::open::open_unchecked;
use crate::reader::{Reader, checked_scan};
use crate::scan::{Page, ScanRange};
use crate::table::Table;

/// A store on its way. It is locked meanwhile.
pub struct Building {
    target: Arc<dyn Backend>,
}

impl Building {
    /// Begins a store in the empty place `to`; what an interrupted attempt has left there is removed.
    ///
    /// # Errors
    ///
    /// The place holds a store, keeps nothing, or cannot be written.
    pub fn begin(to: &Location) -> Result<Self, MigrateError> {
        if matches!(to, Location::Memory) {
            return Err(MigrateError::Memory);
        }
        let target = open_unchecked(to, Absent::Make).map_err(MigrateError::Target)?;
        prepare(&*target, &to.to_string(), &mut |_| ControlFlow::Continue(()))?;
        Ok(Self { target })
    }

    /// Writes a batch. It is durable when the store is finished.
    ///
    /// # Errors
    ///
    /// The backend failed.
    pub fn commit(&self, batch: &Batch) -> Result<(), MigrateError> {
        self.target
            .commit(batch, Durability::Buffered)
            .map_err(MigrateError::Write)
    }

    /// Makes everything durable, and the store one that opens.
    ///
    /// # Errors
    ///
    /// The backend failed; the store then still counts as half-moved.
    pub fn finish(self) -> Result<(), MigrateError> {
        self.target.persist().map_err(MigrateError::Write)?;
        set_mark(&*self.target, false)
    }
}

impl Reader for Building {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.target.get(table, key)?)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, StoreError> {
        checked_scan(&*self.target, table, range, limit)
    }
}
