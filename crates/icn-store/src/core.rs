//! What every handle of a store shares: the backend, one write at a time, and the end after a failure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Instant;

use crate::backend::Backend;
use crate::batch::{Batch, Durability};
use crate::error::{BackendError, ErrorKind, StoreError};
use crate::views::Views;

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

/// What handles, snapshots and the writer thread share.
pub(crate) struct Core {
    pub(crate) backend: Box<dyn Backend>,
    pub(crate) config: StoreConfig,
    poison: OnceLock<BackendError>,
    /// Held for every call that writes: backends are promised one at a time.
    writing: Mutex<()>,
    /// Shared by every commit of blocks while it is handed in; held alone by whoever removes some, so that a
    /// block that is put anew at that moment is not lost.
    pub(crate) putting: RwLock<()>,
    pub(crate) views: Views,
    pub(crate) commits: AtomicU64,
    pub(crate) groups: AtomicU64,
}

impl Core {
    pub(crate) fn new(backend: impl Backend, config: StoreConfig) -> Self {
        Self {
            backend: Box::new(backend),
            config,
            poison: OnceLock::new(),
            writing: Mutex::new(()),
            putting: RwLock::new(()),
            views: Views::default(),
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
        self.views.sweep(self.now_ms());
        outcome
    }

    pub(crate) fn write(
        &self,
        write: impl FnOnce(&dyn Backend) -> Result<(), BackendError>,
    ) -> Result<(), StoreError> {
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
