//! Checks of snapshots: one moment, whole batches, a deadline, a bound on their number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::{Harness, Numbers, commit, puts, read_all, stores, threaded};
use crate::batch::{Batch, Durability};
use crate::bounds::MAX_OPEN_SNAPSHOTS;
use crate::core::StoreConfig;
use crate::error::StoreError;
use crate::reader::Reader;
use crate::scan::ScanRange;
use crate::snapshot::Snapshot;
use crate::store::Store;
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

/// Snapshots of several moments are held at once, over random commits and reopenings, and each shows its
/// moment in both directions, whichever goes first.
pub fn several_moments_are_held(harness: &dyn Harness) {
    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;
    const HELD: usize = 3;
    let mut numbers = Numbers(11);
    let mut rows = Rows::new();
    for _ in 0..3 {
        let store = threaded(harness);
        let mut held: Vec<(Snapshot, Rows)> = Vec::new();
        for n in 0..30u8 {
            let mut batch = Batch::new();
            for _ in 0..=numbers.below(5) {
                let key = vec![b'k', numbers.below(20).to_le_bytes()[0]];
                if numbers.below(3) == 0 {
                    batch
                        .delete(Table::Events, key.as_slice())
                        .expect("within the limits");
                    rows.remove(&key);
                } else {
                    batch
                        .put(Table::Events, key.as_slice(), [n])
                        .expect("within the limits");
                    rows.insert(key, vec![n]);
                }
            }
            commit(&store, batch);
            for (snapshot, then) in &held {
                let mut then: Vec<_> = then.clone().into_iter().collect();
                assert_eq!(read_all(snapshot, Table::Events, &ScanRange::all(), 7), then);
                then.reverse();
                let reversed = ScanRange::all().reversed();
                assert_eq!(read_all(snapshot, Table::Events, &reversed, 4), then);
            }
            if numbers.below(2) == 0 {
                if held.len() == HELD {
                    let first_to_go = numbers.below(HELD as u64).to_le_bytes()[0];
                    held.remove(usize::from(first_to_go));
                }
                let snapshot = store.snapshot().expect("there is room");
                held.push((snapshot, rows.clone()));
            }
        }
        let now: Vec<_> = rows.clone().into_iter().collect();
        assert_eq!(read_all(&store, Table::Events, &ScanRange::all(), 7), now);
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
