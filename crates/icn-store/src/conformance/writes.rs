//! Checks of commits: what is written is there, in order, in whole, also when many write at once.

use std::thread;

use super::{Harness, commit, puts, read_all, stores, threaded};
use crate::batch::{Batch, Durability};
use crate::bounds::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::error::StoreError;
use crate::reader::Reader;
use crate::scan::ScanRange;
use crate::table::Table;

fn get(reader: &impl Reader, table: Table, key: &str) -> Option<String> {
    let value = reader.get(table, key.as_bytes()).expect("the backend is sound");
    value.map(|bytes| String::from_utf8(bytes).expect("the test wrote text"))
}

/// Deletes and overwrites, within a batch and across batches.
pub fn delete_and_overwrite(harness: &dyn Harness) {
    for store in stores(harness) {
        commit(&store, puts(Table::State, [("a", "1"), ("b", "1"), ("c", "1")]));
        let mut batch = puts(Table::State, [("a", "2"), ("d", "2")]);
        batch.delete(Table::State, "b").expect("within the limits");
        batch.delete(Table::State, "d").expect("within the limits");
        batch
            .delete(Table::State, "never there")
            .expect("within the limits");
        batch.delete(Table::State, "c").expect("within the limits");
        batch.put(Table::State, "c", "3").expect("within the limits");
        commit(&store, batch);
        assert_eq!(get(&store, Table::State, "a").as_deref(), Some("2"));
        assert_eq!(get(&store, Table::State, "b"), None);
        assert_eq!(get(&store, Table::State, "c").as_deref(), Some("3"));
        assert_eq!(get(&store, Table::State, "d"), None);
        commit(&store, puts(Table::State, [("b", "back")]));
        assert_eq!(get(&store, Table::State, "b").as_deref(), Some("back"));
    }
}

/// An empty value is a value.
pub fn empty_values(harness: &dyn Harness) {
    for store in stores(harness) {
        commit(&store, puts(Table::Pins, [("k", "")]));
        assert_eq!(get(&store, Table::Pins, "k").as_deref(), Some(""));
        let entries = read_all(&store, Table::Pins, &ScanRange::all(), 10);
        assert_eq!(entries, [(b"k".to_vec(), Vec::new())]);
    }
}

/// Keys and values up to their limits go in and come out; beyond, they are refused; so is a page of
/// nothing.
pub fn limits_are_refused(harness: &dyn Harness) {
    for store in stores(harness) {
        let key = vec![0xff; MAX_KEY_BYTES];
        let value = vec![7; MAX_VALUE_BYTES];
        commit(&store, puts(Table::Blocks, [(&key, &value)]));
        assert!(store.get(Table::Blocks, &key).expect("the backend is sound") == Some(value));
        let refused = Batch::new().put(Table::Blocks, vec![0; MAX_KEY_BYTES + 1], "");
        assert!(matches!(refused, Err(StoreError::KeyLength { .. })));
        let refused = store.scan(Table::Blocks, &ScanRange::all(), 0);
        assert!(matches!(refused, Err(StoreError::EmptyPage)));
        // A key longer than any that is stored may be asked for; it is just not there.
        assert_eq!(
            store
                .get(Table::Blocks, &[1; 2 * MAX_KEY_BYTES])
                .expect("the backend is sound"),
            None
        );
    }
}

/// A batch of ten thousand keys, and one of tens of megabytes.
pub fn big_batches(harness: &dyn Harness) {
    for store in stores(harness) {
        let rows = (0..10_000u32).map(|n| (n.to_be_bytes(), n.to_le_bytes()));
        commit(&store, puts(Table::Log, rows));
        let entries = read_all(&store, Table::Log, &ScanRange::all(), 3000);
        assert_eq!(entries.len(), 10_000);
        assert!(entries.is_sorted());
        let large = (0..4u8).map(|n| ([n], vec![n; MAX_VALUE_BYTES]));
        commit(&store, puts(Table::Blocks, large));
        let sizes: Vec<usize> = read_all(&store, Table::Blocks, &ScanRange::all(), 10)
            .iter()
            .map(|(_, value)| value.len())
            .collect();
        assert_eq!(sizes, [MAX_VALUE_BYTES; 4]);
    }
}

/// Commits happen in the order of the calls, whenever their futures are looked at.
pub fn the_order_is_of_the_calls(harness: &dyn Harness) {
    for store in stores(harness) {
        let mut commits: Vec<_> = (0..300)
            .map(|n: u32| store.commit(puts(Table::Meta, [("last", n.to_string())]), Durability::Buffered))
            .collect();
        commits
            .pop()
            .expect("there are some")
            .wait()
            .expect("the backend is sound");
        assert_eq!(get(&store, Table::Meta, "last").as_deref(), Some("299"));
        for earlier in commits {
            earlier.wait().expect("the backend is sound");
        }
    }
}

/// Commits of many threads, durable and not, are all there, each in whole.
pub fn concurrent_commits_are_all_there(harness: &dyn Harness) {
    let store = threaded(harness);
    thread::scope(|scope| {
        for writer in 0..8u8 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..25u8 {
                    let mut batch = puts(Table::Operations, [([writer, n], [n])]);
                    batch
                        .put(Table::Events, [writer, n], [n])
                        .expect("within the limits");
                    let durability = if n % 5 == 0 {
                        Durability::Sync
                    } else {
                        Durability::Buffered
                    };
                    store
                        .commit(batch, durability)
                        .wait()
                        .expect("the backend is sound");
                    let own = store
                        .get(Table::Operations, &[writer, n])
                        .expect("the backend is sound");
                    assert_eq!(own, Some(vec![n]), "what is acknowledged can be read");
                }
            });
        }
    });
    let expected: Vec<_> = (0..8u8)
        .flat_map(|writer| (0..25u8).map(move |n| (vec![writer, n], vec![n])))
        .collect();
    assert_eq!(
        read_all(&store, Table::Operations, &ScanRange::all(), 33),
        expected
    );
    assert_eq!(read_all(&store, Table::Events, &ScanRange::all(), 33), expected);
}

/// A commit that nobody waits for happens all the same, at the latest when the store is closed.
pub fn dropped_commits_happen(harness: &dyn Harness) {
    let store = threaded(harness);
    for n in 0..50u8 {
        drop(store.commit(puts(Table::Jobs, [([n], [n])]), Durability::Buffered));
    }
    drop(store);
    let store = threaded(harness);
    assert_eq!(read_all(&store, Table::Jobs, &ScanRange::all(), 100).len(), 50);
}

/// Empty commits, flushes, chores and measures are harmless at any time.
pub fn persist_and_chores(harness: &dyn Harness) {
    for store in stores(harness) {
        assert!(!store.caps().name.is_empty());
        commit(&store, Batch::new());
        store.persist().wait().expect("the backend is sound");
        commit(&store, puts(Table::State, [("k", [1; 1000])]));
        store.persist().wait().expect("the backend is sound");
        store.maintain().expect("the backend is sound");
        assert!(store.size_bytes().expect("the backend is sound") > 0);
        assert!(
            store
                .get(Table::State, b"k")
                .expect("the backend is sound")
                .is_some()
        );
    }
}

/// What was written before is there after closing and opening, several times over.
pub fn reopening_finds_everything(harness: &dyn Harness) {
    for generation in 0..4u8 {
        for store in stores(harness) {
            let entries = read_all(&store, Table::State, &ScanRange::prefix("g"), 100);
            let mut batch = puts(Table::State, [([b'g', generation], [generation; 100])]);
            batch
                .put(Table::Meta, "generation", [generation])
                .expect("within the limits");
            batch
                .delete(Table::State, [b'd', generation.wrapping_sub(1)])
                .expect("within the limits");
            batch
                .put(Table::State, [b'd', generation], "x")
                .expect("within the limits");
            let before = usize::from(generation);
            assert!(
                entries.len() == before || entries.len() == before + 1,
                "nothing is lost"
            );
            commit(&store, batch);
        }
    }
    let store = threaded(harness);
    assert_eq!(
        read_all(&store, Table::State, &ScanRange::prefix("g"), 100).len(),
        4
    );
    assert_eq!(
        read_all(&store, Table::State, &ScanRange::prefix("d"), 100).len(),
        1
    );
    assert_eq!(
        store
            .get(Table::Meta, b"generation")
            .expect("the backend is sound"),
        Some(vec![3])
    );
}
