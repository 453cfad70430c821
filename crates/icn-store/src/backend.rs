//! What an engine has to offer to be a store. It is synchronous and object-safe: asynchronous
//! engines block inside, on the store's writer thread. Limits, poisoning, queues and deadlines are
//! the store's business, not the backend's.

use std::sync::Arc;

use crate::batch::{Batch, Durability};
use crate::error::BackendError;
use crate::scan::{Page, ScanRange};
use crate::table::Table;

/// Something with readable tables: a backend as it is now, or a snapshot of it.
pub trait View: Send + Sync {
    /// The value of `key`, or `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// The engine failed, or found the stored bytes damaged.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError>;

    /// The first entries of `range` in its direction, at least one if there is any, at most `limit`
    /// (which is at least one); see [`Page::collect`]. The whole page is of one moment.
    ///
    /// # Errors
    ///
    /// The engine failed, or found stored bytes damaged.
    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError>;
}

/// An engine that keeps tables.
///
/// Reads may come from any thread at any time. The store never calls `commit`, `persist` and
/// `maintain` at the same time as one another, and calls none of them again after an error.
pub trait Backend: View + 'static {
    /// A view of this moment, untouched by later commits. It may cost disk space while it lives.
    ///
    /// # Errors
    ///
    /// The engine failed.
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError>;

    /// Makes every write of `batch` visible at once, when it has the durability that was asked for.
    /// With [`Durability::Sync`] every earlier commit becomes durable as well, also if the batch is
    /// empty.
    ///
    /// # Errors
    ///
    /// The engine failed, and it is open whether the batch happened. The store takes no further
    /// calls.
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError>;

    /// Makes every earlier commit durable.
    ///
    /// # Errors
    ///
    /// As for [`Backend::commit`].
    fn persist(&self) -> Result<(), BackendError>;

    /// What this backend can and cannot do.
    fn caps(&self) -> Caps;

    /// Space in use, in bytes: on disk, or in memory for a backend that has no disk. An estimate.
    ///
    /// # Errors
    ///
    /// The engine failed.
    fn size_bytes(&self) -> Result<u64, BackendError>;

    /// Does the chores that the engine leaves to its user. It is called from time to time, and
    /// commits wait for it, so it only starts what takes long.
    ///
    /// # Errors
    ///
    /// The engine failed.
    fn maintain(&self) -> Result<(), BackendError>;
}

/// What a backend can and cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The name by which operators choose it.
    pub name: &'static str,
    /// Whether a [`Durability::Sync`] commit survives a power cut.
    pub power_loss_safe: bool,
    /// Whether the engine itself offers consistent snapshots, as against copies made for them.
    pub native_snapshot: bool,
    /// Whether anything is left after the process ends.
    pub persistent: bool,
}

impl<V: View + ?Sized> View for Arc<V> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        (**self).get(table, key)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        (**self).scan(table, range, limit)
    }
}

impl<B: Backend + ?Sized> Backend for Arc<B> {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        (**self).snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        (**self).commit(batch, durability)
    }

    fn persist(&self) -> Result<(), BackendError> {
        (**self).persist()
    }

    fn caps(&self) -> Caps {
        (**self).caps()
    }

    fn size_bytes(&self) -> Result<u64, BackendError> {
        (**self).size_bytes()
    }

    fn maintain(&self) -> Result<(), BackendError> {
        (**self).maintain()
    }
}
