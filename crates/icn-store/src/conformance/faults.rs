//! A backend that fails when told to, around one that does not. It does not tear writes: a failed
//! commit has not happened, although nobody may rely on that.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::error::{BackendError, ErrorKind};
use crate::scan::{Page, ScanRange};
use crate::table::Table;

/// What a [`FaultyBackend`] is to do wrong. Clones are the same plan, also after the backend is
/// inside a store.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    plan: Arc<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    fail_commits: AtomicBool,
    panic_in_commits: AtomicBool,
    fail_persists: AtomicBool,
    fail_reads: AtomicBool,
    writes: AtomicU64,
}

impl FaultPlan {
    /// Whether commits fail.
    pub fn fail_commits(&self, fail: bool) {
        self.plan.fail_commits.store(fail, Ordering::SeqCst);
    }

    /// Whether commits panic.
    pub fn panic_in_commits(&self, panic: bool) {
        self.plan.panic_in_commits.store(panic, Ordering::SeqCst);
    }

    /// Whether flushes fail.
    pub fn fail_persists(&self, fail: bool) {
        self.plan.fail_persists.store(fail, Ordering::SeqCst);
    }

    /// Whether reads fail.
    pub fn fail_reads(&self, fail: bool) {
        self.plan.fail_reads.store(fail, Ordering::SeqCst);
    }

    /// How many commits and flushes have been asked of the backend.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.plan.writes.load(Ordering::SeqCst)
    }

    fn check(&self, fault: &AtomicBool, action: &'static str) -> Result<(), BackendError> {
        if fault.load(Ordering::SeqCst) {
            let cause = io::Error::other("the disk said no");
            return Err(BackendError::new(
                "a faulty backend",
                ErrorKind::Io,
                action,
                cause,
            ));
        }
        Ok(())
    }
}

/// A backend that fails as its [`FaultPlan`] says.
pub struct FaultyBackend<B> {
    inner: B,
    faults: FaultPlan,
}

impl<B: Backend> FaultyBackend<B> {
    /// `inner`, failing as `faults` says.
    pub fn new(inner: B, faults: FaultPlan) -> Self {
        Self { inner, faults }
    }
}

impl<B: Backend> View for FaultyBackend<B> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.faults.check(&self.faults.plan.fail_reads, "read a key")?;
        self.inner.get(table, key)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.faults.check(&self.faults.plan.fail_reads, "scan a table")?;
        self.inner.scan(table, range, limit)
    }
}

impl<B: Backend> Backend for FaultyBackend<B> {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        self.inner.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        self.faults.plan.writes.fetch_add(1, Ordering::SeqCst);
        assert!(
            !self.faults.plan.panic_in_commits.load(Ordering::SeqCst),
            "a commit was told to panic"
        );
        self.faults
            .check(&self.faults.plan.fail_commits, "commit a batch")?;
        self.inner.commit(batch, durability)
    }

    fn persist(&self) -> Result<(), BackendError> {
        self.faults.plan.writes.fetch_add(1, Ordering::SeqCst);
        self.faults.check(&self.faults.plan.fail_persists, "flush")?;
        self.inner.persist()
    }

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    fn size_bytes(&self) -> Result<u64, BackendError> {
        self.inner.size_bytes()
    }

    fn maintain(&self) -> Result<(), BackendError> {
        self.inner.maintain()
    }
}
