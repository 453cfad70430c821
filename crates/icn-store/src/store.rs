//! [`Store`]: the handle that everything else holds. It adds to a backend what no backend has by
//! itself: an order of commits, group commit, poisoning after a failure, snapshots with a deadline.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockWriteGuard, TryLockError};
use std::thread::{self, JoinHandle};

use crate::backend::{Backend, Caps};
use crate::batch::{Batch, Durability};
use crate::core::{CommitCounts, Core, StoreConfig};
use crate::error::{BackendError, ErrorKind, StoreError};
use crate::queue::{Commit, Queue, write_until_closed};
use crate::reader::{Reader, checked_scan};
use crate::scan::{Page, ScanRange};
use crate::snapshot::Snapshot;
use crate::table::Table;

/// A store: a cheap handle to clone. The last one to go writes what waits and makes it durable.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    core: Arc<Core>,
    /// `None` where commits happen in the call.
    writer: Option<Writer>,
}

struct Writer {
    queue: Arc<Queue>,
    /// `None` once it is joined.
    thread: Option<JoinHandle<()>>,
}

impl Store {
    /// A store whose commits are written by a thread of its own, everything that waits as one.
    ///
    /// # Errors
    ///
    /// The thread could not be started.
    pub fn threaded(backend: impl Backend, config: StoreConfig) -> Result<Self, StoreError> {
        let core = Arc::new(Core::new(backend, config));
        let queue = Arc::new(Queue::default());
        let (for_thread, from_queue) = (Arc::clone(&core), Arc::clone(&queue));
        let thread = thread::Builder::new()
            .name("icn-store-writer".to_owned())
            .spawn(move || write_until_closed(&for_thread, &from_queue))
            .map_err(|error| StoreError::NoThread(Arc::new(error)))?;
        let writer = Some(Writer {
            queue,
            thread: Some(thread),
        });
        Ok(Self {
            shared: Arc::new(Shared { core, writer }),
        })
    }

    /// A store whose commits happen in the call: no thread, and the same calls have the same
    /// effects in the same order. For the simulator.
    pub fn inline(backend: impl Backend, config: StoreConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                core: Arc::new(Core::new(backend, config)),
                writer: None,
            }),
        }
    }

    /// Commits `batch`. The future resolves when the batch is visible and has the durability asked
    /// for; commits happen in the order of the calls.
    ///
    /// The call itself does not block, but for a commit of blocks while some are being removed (and a store
    /// made with [`Store::inline`] works in it).
    ///
    /// # Errors
    ///
    /// The future's: [`StoreError::Backend`] when the backend fails, after which it is open whether
    /// the batch is on disk, and every call on the store fails with [`StoreError::Poisoned`].
    pub fn commit(&self, batch: Batch, durability: Durability) -> Commit {
        let _putting = batch.touches(Table::Blocks).then(|| {
            let putting = &self.shared.core.putting;
            // It guards no data, so a panic leaves none half-changed.
            putting.read().unwrap_or_else(PoisonError::into_inner)
        });
        self.hand_in(batch, durability)
    }

    /// [`Store::commit`] for those who must not wait: while blocks are being removed a commit of blocks
    /// would, and the batch comes back.
    ///
    /// # Errors
    ///
    /// The batch; and the future's as for [`Store::commit`].
    pub fn try_commit(&self, batch: Batch, durability: Durability) -> Result<Commit, Batch> {
        let putting = batch
            .touches(Table::Blocks)
            .then(|| self.shared.core.putting.try_read());
        match putting {
            Some(Err(TryLockError::WouldBlock)) => Err(batch),
            // It guards no data, so a panic leaves none half-changed.
            None | Some(Ok(_) | Err(TryLockError::Poisoned(_))) => Ok(self.hand_in(batch, durability)),
        }
    }

    /// Keeps every other commit of blocks out until the guard goes; those that were handed in before are
    /// visible. Meanwhile only [`Store::hand_in`] commits blocks.
    pub(crate) fn keep_puts_out(&self) -> Result<RwLockWriteGuard<'_, ()>, StoreError> {
        let putting = &self.shared.core.putting;
        let guard = putting.write().unwrap_or_else(PoisonError::into_inner);
        self.hand_in(Batch::new(), Durability::Buffered).wait()?;
        Ok(guard)
    }

    pub(crate) fn hand_in(&self, batch: Batch, durability: Durability) -> Commit {
        if let Err(error) = self.shared.core.check() {
            return Commit::ready(Err(error));
        }
        match &self.shared.writer {
            Some(writer) => writer.queue.submit(batch, durability),
            None => Commit::ready(self.shared.core.commit(&batch, durability, 1)),
        }
    }

    /// Makes every commit asked for before durable.
    ///
    /// # Errors
    ///
    /// As for [`Store::commit`].
    pub fn persist(&self) -> Commit {
        self.commit(Batch::new(), Durability::Sync)
    }

    /// A view of this moment over every table, readable until its deadline.
    ///
    /// # Errors
    ///
    /// The backend failed, now or before; or too many snapshots are open.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let core = &self.shared.core;
        core.check()?;
        let now_ms = core.now_ms();
        core.views.sweep(now_ms);
        let expires_at_ms = now_ms.saturating_add(core.config.snapshot_deadline_ms);
        let held = core.views.hold(expires_at_ms, || Ok(core.backend.snapshot()?))?;
        Ok(Snapshot::new(Arc::clone(core), held))
    }

    /// What the backend can and cannot do.
    #[must_use]
    pub fn caps(&self) -> Caps {
        self.shared.core.backend.caps()
    }

    /// How many commits were written since the store was opened.
    #[must_use]
    pub fn commit_counts(&self) -> CommitCounts {
        let core = &self.shared.core;
        CommitCounts {
            commits: core.commits.load(Ordering::Relaxed),
            groups: core.groups.load(Ordering::Relaxed),
        }
    }

    /// Space in use, in bytes; an estimate.
    ///
    /// # Errors
    ///
    /// The backend failed, now or before.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        self.shared.core.check()?;
        Ok(self.shared.core.backend.size_bytes()?)
    }

    /// Does the backend's chores; to be called from time to time, on a thread that may block.
    ///
    /// # Errors
    ///
    /// The backend failed, now or before. A failure here stops the store like one of a commit.
    pub fn maintain(&self) -> Result<(), StoreError> {
        self.shared.core.write(|backend| backend.maintain())
    }
}

impl Reader for Store {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.core.check()?;
        Ok(self.shared.core.backend.get(table, key)?)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, StoreError> {
        self.shared.core.check()?;
        checked_scan(&*self.shared.core.backend, table, range, limit)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let Some(writer) = &mut self.writer else {
            self.core.persist_at_end();
            return;
        };
        let closed = BackendError::new("the store", ErrorKind::Io, "commit", "the store is closed");
        writer.queue.close(StoreError::Backend(closed));
        let Some(thread) = writer.thread.take() else {
            return;
        };
        // Answering a commit can drop the last handle on the writer thread itself, which goes on to
        // flush and end by itself.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("the writer thread of the store panicked");
        }
    }
}
