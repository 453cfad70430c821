//! Checks of what a store does when its backend fails.

use super::{FaultPlan, FaultyBackend, Harness, puts};
use crate::batch::Durability;
use crate::core::StoreConfig;
use crate::error::StoreError;
use crate::reader::Reader;
use crate::scan::ScanRange;
use crate::store::Store;
use crate::table::Table;

fn faulty(harness: &dyn Harness, is_threaded: bool) -> (Store, FaultPlan) {
    let faults = FaultPlan::default();
    let backend = FaultyBackend::new(harness.open(), faults.clone());
    let store = if is_threaded {
        Store::threaded(backend, StoreConfig::default()).expect("a thread starts")
    } else {
        Store::inline(backend, StoreConfig::default())
    };
    (store, faults)
}

fn assert_poisoned<T>(outcome: Result<T, StoreError>, cause: &str) {
    let Err(error) = outcome else {
        panic!("a stopped store answered")
    };
    assert!(matches!(error, StoreError::Poisoned { .. }), "{error}");
    assert!(
        error.to_string().contains(cause),
        "the first failure is named: {error}"
    );
}

fn assert_stopped(store: &Store, cause: &str) {
    assert_poisoned(
        store
            .commit(puts(Table::State, [("k", "v")]), Durability::Buffered)
            .wait(),
        cause,
    );
    assert_poisoned(store.persist().wait(), cause);
    assert_poisoned(store.get(Table::State, b"k"), cause);
    assert_poisoned(store.scan(Table::State, &ScanRange::all(), 1), cause);
    assert_poisoned(store.snapshot(), cause);
    assert_poisoned(store.size_bytes(), cause);
    assert_poisoned(store.maintain(), cause);
}

/// After a failed commit the store answers nothing more, says why, and touches the backend no more,
/// also when the backend would work again.
pub fn a_failed_commit_stops_the_store(harness: &dyn Harness) {
    for is_threaded in [false, true] {
        let (store, faults) = faulty(harness, is_threaded);
        let write = |key| store.commit(puts(Table::State, [(key, "v")]), Durability::Sync);
        write("before").wait().expect("nothing fails yet");
        let snapshot = store.snapshot().expect("nothing fails yet");
        faults.fail_commits(true);
        let error = write("fails").wait().expect_err("the backend failed");
        assert!(matches!(error, StoreError::Backend(_)), "{error}");
        faults.fail_commits(false);
        assert_stopped(&store, "the disk said no");
        assert_poisoned(snapshot.get(Table::State, b"before"), "the disk said no");
        let writes = faults.writes();
        drop((snapshot, store));
        assert_eq!(faults.writes(), writes, "not even a flush at the end");
    }
}

/// A flush that fails is a failed write: nothing after it can be trusted.
pub fn a_failed_flush_is_no_acknowledgement(harness: &dyn Harness) {
    let (store, faults) = faulty(harness, true);
    store
        .commit(puts(Table::State, [("k", "v")]), Durability::Buffered)
        .wait()
        .expect("nothing fails yet");
    faults.fail_persists(true);
    faults.fail_commits(true);
    let error = store.persist().wait().expect_err("the backend failed");
    assert!(matches!(error, StoreError::Backend(_)), "{error}");
    faults.fail_persists(false);
    faults.fail_commits(false);
    assert_stopped(&store, "the disk said no");
}

/// A failed read is that reader's trouble only.
pub fn a_failed_read_stops_nothing(harness: &dyn Harness) {
    let (store, faults) = faulty(harness, true);
    store
        .commit(puts(Table::State, [("k", "v")]), Durability::Buffered)
        .wait()
        .expect("nothing fails yet");
    faults.fail_reads(true);
    assert!(matches!(
        store.get(Table::State, b"k"),
        Err(StoreError::Backend(_))
    ));
    assert!(matches!(
        store.scan(Table::State, &ScanRange::all(), 1),
        Err(StoreError::Backend(_))
    ));
    faults.fail_reads(false);
    assert_eq!(
        store.get(Table::State, b"k").expect("it works again"),
        Some(b"v".to_vec())
    );
    store
        .commit(puts(Table::State, [("k", "w")]), Durability::Sync)
        .wait()
        .expect("writes still work");
}

/// When the backend panics, everybody who waits gets an error, and so does everybody after.
pub fn a_panicking_backend_leaves_nobody_waiting(harness: &dyn Harness) {
    let (store, faults) = faulty(harness, true);
    faults.panic_in_commits(true);
    let commits: Vec<_> = (0..20u8)
        .map(|n| store.commit(puts(Table::State, [([n], "v")]), Durability::Sync))
        .collect();
    for commit in commits {
        assert!(commit.wait().is_err());
    }
    // The thread answers those who wait before it has said that the store is stopped.
    while store.get(Table::State, b"k").is_ok() {
        std::thread::yield_now();
    }
    assert_stopped(&store, "panicked");
}
