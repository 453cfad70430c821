//! Checks of what reads return: order, ranges, pages, tables.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Harness, Numbers, clear, commit, puts, read_all, stores};
use crate::batch::Batch;
use crate::reader::Reader;
use crate::scan::ScanRange;
use crate::table::Table;

fn keys(entries: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<Vec<u8>> {
    entries.into_iter().map(|(key, _)| key).collect()
}

/// Keys come in the order of their bytes, whatever order they were written in.
pub fn keys_are_in_byte_order(harness: &dyn Harness) {
    let sorted: [&[u8]; 9] = [
        b"\0",
        b"\0\0",
        b"\0\x01",
        b"\x01",
        b"A",
        b"a",
        b"a\xff",
        b"\xff",
        b"\xff\xff\xff",
    ];
    for store in stores(harness) {
        clear(&store);
        for key in [3, 8, 0, 5, 1, 7, 2, 6, 4] {
            commit(&store, puts(Table::State, [(sorted[key], "v")]));
        }
        assert_eq!(
            keys(read_all(&store, Table::State, &ScanRange::all(), 100)),
            sorted
        );
        let mut backwards = keys(read_all(&store, Table::State, &ScanRange::all().reversed(), 100));
        backwards.reverse();
        assert_eq!(backwards, sorted);
    }
}

/// Bounds, prefixes, empty ranges and ranges the wrong way round, in both directions.
pub fn ranges_and_prefixes(harness: &dyn Harness) {
    let key = |text: &str| text.as_bytes().to_vec();
    let cases: [(ScanRange, &[&str]); 9] = [
        (ScanRange::prefix("b/"), &["b/1", "b/2"]),
        (ScanRange::prefix("b/3"), &[]),
        (ScanRange::prefix(""), &["a", "b", "b/1", "b/2", "b0", "c"]),
        (
            ScanRange::new(Bound::Included(key("b")), Bound::Excluded(key("b/2"))),
            &["b", "b/1"],
        ),
        (
            ScanRange::new(Bound::Excluded(key("b")), Bound::Included(key("b/2"))),
            &["b/1", "b/2"],
        ),
        (
            ScanRange::new(Bound::Unbounded, Bound::Excluded(key("b"))),
            &["a"],
        ),
        (
            ScanRange::new(Bound::Excluded(key("b0")), Bound::Unbounded),
            &["c"],
        ),
        (
            ScanRange::new(Bound::Included(key("c")), Bound::Included(key("a"))),
            &[],
        ),
        (
            ScanRange::new(Bound::Excluded(key("b")), Bound::Excluded(key("b"))),
            &[],
        ),
    ];
    for store in stores(harness) {
        commit(
            &store,
            puts(
                Table::Jobs,
                ["a", "b", "b/1", "b/2", "b0", "c"].map(|key| (key, "v")),
            ),
        );
        for (range, expected) in &cases {
            let mut expected: Vec<Vec<u8>> = expected.iter().map(|text| key(text)).collect();
            assert_eq!(
                keys(read_all(&store, Table::Jobs, range, 100)),
                expected,
                "{range:?}"
            );
            expected.reverse();
            let backwards = range.clone().reversed();
            assert_eq!(
                keys(read_all(&store, Table::Jobs, &backwards, 100)),
                expected,
                "{backwards:?}"
            );
        }
    }
}

/// Pages of any size join up to the whole range, in both directions, and keep to their limit; the
/// last one says that it is the last.
pub fn pages_join_up(harness: &dyn Harness) {
    for store in stores(harness) {
        let rows = (0..20u8).map(|n| (vec![b'k', n], vec![n; usize::from(n)]));
        commit(&store, puts(Table::Events, rows.clone()));
        let forward: Vec<_> = rows.collect();
        let mut backward = forward.clone();
        backward.reverse();
        for limit in [1, 2, 3, 7, 19, 20, 21, usize::MAX] {
            let range = ScanRange::prefix("k");
            assert_eq!(read_all(&store, Table::Events, &range, limit), forward);
            assert_eq!(
                read_all(&store, Table::Events, &range.reversed(), limit),
                backward
            );
        }
        let exact = store
            .scan(Table::Events, &ScanRange::all(), 20)
            .expect("the backend is sound");
        assert_eq!(exact.next, None, "a page that holds the rest is the last");
    }
}

/// The same key in every table has its own value, and a scan never leaves its table.
pub fn tables_are_separate(harness: &dyn Harness) {
    for store in stores(harness) {
        let mut batch = Batch::new();
        for table in Table::ALL {
            for key in [&b"\0"[..], b"same", b"\xff\xff"] {
                batch.put(table, key, table.name()).expect("within the limits");
            }
        }
        commit(&store, batch);
        for table in Table::ALL {
            let value = store.get(table, b"same").expect("the backend is sound");
            assert_eq!(value.as_deref(), Some(table.name().as_bytes()));
            for range in [ScanRange::all(), ScanRange::all().reversed()] {
                let entries = read_all(&store, table, &range, 100);
                assert_eq!(entries.len(), 3, "{table}");
                assert!(
                    entries.iter().all(|(_, value)| value == table.name().as_bytes()),
                    "{table}"
                );
            }
        }
    }
}

/// A few thousand random writes, reads and scans agree with a map in memory.
pub fn random_use_agrees_with_a_map(harness: &dyn Harness) {
    let mut numbers = Numbers(7);
    for store in stores(harness) {
        clear(&store);
        let mut model: BTreeMap<(Table, Vec<u8>), Vec<u8>> = BTreeMap::new();
        for round in 0..150 {
            let mut batch = Batch::new();
            for _ in 0..numbers.below(20) {
                let table = Table::ALL[usize::try_from(numbers.below(3)).expect("small")];
                let key = numbers.below(60).to_be_bytes()[6..].to_vec();
                if numbers.below(3) == 0 {
                    batch.delete(table, key.clone()).expect("within the limits");
                    model.remove(&(table, key));
                } else {
                    let value = round.to_string().into_bytes();
                    batch
                        .put(table, key.clone(), value.clone())
                        .expect("within the limits");
                    model.insert((table, key), value);
                }
            }
            commit(&store, batch);
            let table = Table::ALL[round % 3];
            let (low, high) = (numbers.below(60), numbers.below(60));
            let bound = |n: u64| n.to_be_bytes()[6..].to_vec();
            let range = ScanRange::new(Bound::Included(bound(low)), Bound::Excluded(bound(high)));
            let expected: Vec<_> = model
                .iter()
                .filter(|((of, key), _)| *of == table && range.contains(key))
                .map(|((_, key), value)| (key.clone(), value.clone()))
                .collect();
            assert_eq!(read_all(&store, table, &range, 5), expected);
            let value = store.get(table, &bound(low)).expect("the backend is sound");
            assert_eq!(value.as_ref(), model.get(&(table, bound(low))));
        }
    }
}
