//! [`Store`]: the handle that everything else holds. It adds to a backend what no backend has by
//! itself: an order of commits, group commit, poisoning after a failure, snapshots with a deadline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockWriteGuard, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::error::{BackendError, ErrorKind, StoreError};
use crate::queue::{Commit, Queue, write_until_closed};
use crate::scan::{Page, ScanRange};
use crate::snapshot::{Registry, Snapshot};
use crate::table::Table;

/// How long a snapshot may be read unless the configuration says otherwise, in milliseconds.
pub const SNAPSHOT_DEADLINE_MS: u64 = 60_000;

/// A clock that never goes back, in milliseconds since any moment.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What a store can be told.
#[derive(Clone)]
pub struct StoreConfig {
    /// How long a snapshot may be read, in milliseconds. Default: [`SNAPSHOT_DEADLINE_MS`].
    pub snapshot_deadline_ms: u64,
    /// What the deadlines are measured with. Default: the monotonic clock of the operating system.
    pub clock: Clock,
}

impl Default for StoreConfig {
    fn default() -> Self {
        let start = Instant::now();
        Self {
            snapshot_deadline_ms: SNAPSHOT_DEADLINE_MS,
            clock: Arc::new(move || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// How many commits a store has written, and as how many of the backend's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitCounts {
    /// Commits that were asked for.
    pub commits: u64,
    /// Commits of the backend: those that wait at the same time become one.
    pub groups: u64,
}

/// Reading, from a [`Store`] as it is now or from a [`Snapshot`].
pub trait Reader {
    /// The value of `key`, or `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// The backend failed, now or before; the stored bytes are damaged; the snapshot has expired.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The first entries of `range`, at most `limit` and at most a page's bounds
    /// ([`crate::MAX_PAGE_ENTRIES`], [`crate::MAX_PAGE_BYTES`]). A page is of one moment; the pages
    /// of one scan are so only on a snapshot.
    ///
    /// # Errors
    ///
    /// As for [`Reader::get`], and a limit of zero.
    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, StoreError>;
}

pub(crate) fn checked_scan(
    view: &dyn View,
    table: Table,
    range: &ScanRange,
    limit: usize,
) -> Result<Page, StoreError> {
    if limit == 0 {
        return Err(StoreError::EmptyPage);
    }
    if range.is_empty() {
        return Ok(Page::default());
    }
    Ok(view.scan(table, range, limit)?)
}

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

/// What handles, snapshots and the writer thread share.
pub(crate) struct Core {
    backend: Box<dyn Backend>,
    config: StoreConfig,
    poison: OnceLock<BackendError>,
    /// Held for every call that writes: backends are promised one at a time.
    writing: Mutex<()>,
    /// Shared by every commit of blocks while it is handed in; held alone by whoever removes some, so that a
    /// block that is put anew at that moment is not lost.
    putting: RwLock<()>,
    snapshots: Registry,
    commits: AtomicU64,
    groups: AtomicU64,
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
        core.snapshots.sweep(now_ms);
        let expires_at_ms = now_ms.saturating_add(core.config.snapshot_deadline_ms);
        core.snapshots
            .open(core, expires_at_ms, || Ok(core.backend.snapshot()?))
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

impl Core {
    fn new(backend: impl Backend, config: StoreConfig) -> Self {
        Self {
            backend: Box::new(backend),
            config,
            poison: OnceLock::new(),
            writing: Mutex::new(()),
            putting: RwLock::new(()),
            snapshots: Registry::default(),
            commits: AtomicU64::new(0),
            groups: AtomicU64::new(0),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        (self.config.clock)()
    }

    pub(crate) fn snapshot_deadline_ms(&self) -> u64 {
        self.config.snapshot_deadline_ms
    }

    /// Fails if an earlier write has failed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.poison.get() {
            None => Ok(()),
            Some(first) => Err(StoreError::Poisoned { first: first.clone() }),
        }
    }

    /// Stops the store; the answer to every later call.
    pub(crate) fn poison(&self, error: BackendError) -> StoreError {
        let first = self.poison.get_or_init(|| {
            tracing::error!(error = error.story(), "the store stops after a failed write");
            error
        });
        StoreError::Poisoned { first: first.clone() }
    }

    /// Writes a batch that stands for so many commits.
    pub(crate) fn commit(
        &self,
        batch: &Batch,
        durability: Durability,
        commits: usize,
    ) -> Result<(), StoreError> {
        let outcome = self.write(|backend| backend.commit(batch, durability));
        if outcome.is_ok() {
            self.commits.fetch_add(commits as u64, Ordering::Relaxed);
            self.groups.fetch_add(1, Ordering::Relaxed);
        }
        self.snapshots.sweep(self.now_ms());
        outcome
    }

    fn write(&self, write: impl FnOnce(&dyn Backend) -> Result<(), BackendError>) -> Result<(), StoreError> {
        // A panic inside a write poisons the lock and leaves the backend in an unknown state.
        let _one_at_a_time = self.writing.lock().map_err(|_: PoisonError<_>| {
            self.poison(BackendError::new(
                "the store",
                ErrorKind::Io,
                "write",
                "an earlier write panicked",
            ))
        })?;
        self.check()?;
        write(&*self.backend).map_err(|error| {
            self.poison(error.clone());
            StoreError::Backend(error)
        })
    }

    /// Makes everything durable when the last handle goes. There is nobody left to tell but the log.
    pub(crate) fn persist_at_end(&self) {
        if self.check().is_ok()
            && let Err(error) = self.write(|backend| backend.persist())
        {
            tracing::error!(%error, "the store could not be flushed when it was closed");
        }
    }
}
