//! Checks of snapshots: one moment, whole batches, a deadline, a bound on their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::{Harness, commit, puts, read_all, stores, threaded};
use crate::batch::{Batch, Durability};
use crate::error::StoreError;
use crate::scan::ScanRange;
use crate::snapshot::MAX_OPEN_SNAPSHOTS;
use crate::store::{Reader, Store, StoreConfig};
use crate::table::Table;

/// A snapshot shows nothing of what is committed after it, in any table and on any page.
pub fn a_snapshot_sees_one_moment(harness: &dyn Harness) {
    for store in stores(harness) {
        commit(
            &store,
            puts(Table::State, [("a", "old"), ("b", "old"), ("c", "old")]),
        );
        commit(&store, puts(Table::Log, [("1", "old")]));
        let snapshot = store.snapshot().expect("the backend is sound");
        let first = snapshot
            .scan(Table::State, &ScanRange::all(), 1)
            .expect("the backend is sound");
        let mut batch = puts(Table::State, [("a", "new"), ("bb", "new")]);
        batch.delete(Table::State, "c").expect("within the limits");
        batch.delete(Table::Log, "1").expect("within the limits");
        commit(&store, batch);
        let rest = ScanRange::all().resume(&first.next.expect("there is more"));
        let rest = read_all(&snapshot.clone(), Table::State, &rest, 1);
        assert_eq!(
            rest,
            [(b"b".to_vec(), b"old".to_vec()), (b"c".to_vec(), b"old".to_vec())]
        );
        let get = |table, key| snapshot.get(table, key).expect("the backend is sound");
        assert_eq!(get(Table::State, b"a"), Some(b"old".to_vec()));
        assert_eq!(get(Table::Log, b"1"), Some(b"old".to_vec()));
        assert_eq!(store.get(Table::Log, b"1").expect("the backend is sound"), None);
        drop(snapshot);
        let mut batch = Batch::new();
        for key in ["a", "b", "bb"] {
            batch.delete(Table::State, key).expect("within the limits");
        }
        commit(&store, batch);
    }
}

/// Whoever reads while others commit sees each batch in all its tables or in none.
pub fn batches_are_seen_whole(harness: &dyn Harness) {
    const TABLES: [Table; 3] = [Table::State, Table::Log, Table::Blocks];
    let store = threaded(harness);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..200u32 {
                let mut batch = Batch::new();
                for table in TABLES {
                    for key in ["first", "last"] {
                        batch.put(table, key, n.to_be_bytes()).expect("within the limits");
                    }
                }
                store
                    .commit(batch, Durability::Buffered)
                    .wait()
                    .expect("the backend is sound");
            }
            done.store(true, Ordering::SeqCst);
        });
        while !done.load(Ordering::SeqCst) {
            let snapshot = store.snapshot().expect("the backend is sound");
            let seen: Vec<_> = TABLES
                .iter()
                .flat_map(|table| ["first", "last"].map(|key| (table, key)))
                .map(|(table, key)| {
                    snapshot
                        .get(*table, key.as_bytes())
                        .expect("the backend is sound")
                })
                .collect();
            assert!(
                seen.iter().all(|value| *value == seen[0]),
                "half a batch: {seen:?}"
            );
            // A page by itself is of one moment too.
            let page = store
                .scan(Table::Log, &ScanRange::all(), 10)
                .expect("the backend is sound");
            assert!(
                page.entries.iter().all(|(_, value)| *value == page.entries[0].1),
                "{page:?}"
            );
        }
    });
}

/// After its deadline a snapshot says so, and the store has let go of it by the next commit.
pub fn a_snapshot_expires(harness: &dyn Harness) {
    let now_ms = Arc::new(AtomicU64::new(5));
    let clock = Arc::clone(&now_ms);
    let config = StoreConfig {
        snapshot_deadline_ms: 100,
        clock: Arc::new(move || clock.load(Ordering::SeqCst)),
    };
    let store = Store::inline(harness.open(), config);
    commit(&store, puts(Table::State, [("k", "v")]));
    let snapshot = store.snapshot().expect("the backend is sound");
    now_ms.store(104, Ordering::SeqCst);
    assert!(snapshot.get(Table::State, b"k").is_ok());
    let later = store.snapshot().expect("the backend is sound");
    now_ms.store(105, Ordering::SeqCst);
    let expired = snapshot.get(Table::State, b"k").expect_err("its time is over");
    assert!(
        matches!(expired, StoreError::SnapshotExpired { deadline_ms: 100 }),
        "{expired}"
    );
    let expired = snapshot
        .scan(Table::State, &ScanRange::all(), 1)
        .expect_err("its time is over");
    assert!(matches!(expired, StoreError::SnapshotExpired { .. }), "{expired}");
    assert!(
        later.get(Table::State, b"k").is_ok(),
        "a later one has a later deadline"
    );
    // A commit releases what is over, also when nobody reads it.
    now_ms.store(300, Ordering::SeqCst);
    commit(&store, puts(Table::State, [("k", "w")]));
    now_ms.store(0, Ordering::SeqCst);
    assert!(
        later.get(Table::State, b"k").is_err(),
        "it was released by the commit"
    );
}

/// Only so many snapshots are open at once; dropped ones make room.
pub fn snapshots_are_bounded(harness: &dyn Harness) {
    for store in stores(harness) {
        let mut open: Vec<_> = (0..MAX_OPEN_SNAPSHOTS)
            .map(|_| store.snapshot().expect("there is room"))
            .collect();
        assert!(matches!(store.snapshot(), Err(StoreError::TooManySnapshots)));
        open.pop();
        assert!(store.snapshot().is_ok());
    }
}
