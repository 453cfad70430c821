//! The suite that every backend has to pass, and [`FaultyBackend`], which fails on request.
//!
//! A backend's tests name a [`Harness`] and call [`crate::conformance_suite`]; each check becomes a
//! test. The suite does not pull the plug: what survives a crash is tested per backend, since how a
//! crash is made differs.

mod failures;
mod faults;
mod reads;
mod snapshots;
mod writes;

use std::sync::Arc;

pub use self::failures::{
    a_failed_commit_stops_the_store, a_failed_flush_is_no_acknowledgement, a_failed_read_stops_nothing,
    a_panicking_backend_leaves_nobody_waiting,
};
pub use self::faults::{FaultPlan, FaultyBackend};
pub use self::reads::{
    keys_are_in_byte_order, pages_join_up, random_use_agrees_with_a_map, ranges_and_prefixes,
    tables_are_separate,
};
pub use self::snapshots::{
    a_snapshot_expires, a_snapshot_sees_one_moment, batches_are_seen_whole, several_moments_are_held,
    snapshots_are_bounded,
};
pub use self::writes::{
    big_batches, concurrent_commits_are_all_there, delete_and_overwrite, dropped_commits_happen,
    empty_values, limits_are_refused, persist_and_chores, reopening_finds_everything,
    the_order_is_of_the_calls,
};

use crate::backend::Backend;
use crate::batch::{Batch, Durability};
use crate::core::StoreConfig;
use crate::reader::Reader;
use crate::scan::{Entry, ScanRange};
use crate::store::Store;
use crate::table::Table;

/// Where a suite gets its backend from.
pub trait Harness {
    /// Opens the backend over the same data each time; what was opened before is dropped by then.
    fn open(&self) -> Arc<dyn Backend>;
}

impl<F: Fn() -> Arc<dyn Backend>> Harness for F {
    fn open(&self) -> Arc<dyn Backend> {
        self()
    }
}

/// Makes one test of each check. The expression makes a fresh [`Harness`] for each.
///
/// ```
/// icn_store::conformance_suite!({
///     let memory = icn_store::MemoryBackend::new();
///     move || -> std::sync::Arc<dyn icn_store::Backend> { std::sync::Arc::new(memory.clone()) }
/// });
/// ```
#[macro_export]
macro_rules! conformance_suite {
    ($harness:expr) => {
        $crate::conformance_suite!(@tests $harness;
            keys_are_in_byte_order
            ranges_and_prefixes
            pages_join_up
            tables_are_separate
            random_use_agrees_with_a_map
            delete_and_overwrite
            empty_values
            limits_are_refused
            big_batches
            the_order_is_of_the_calls
            concurrent_commits_are_all_there
            dropped_commits_happen
            persist_and_chores
            reopening_finds_everything
            a_snapshot_sees_one_moment
            several_moments_are_held
            batches_are_seen_whole
            a_snapshot_expires
            snapshots_are_bounded
            a_failed_commit_stops_the_store
            a_failed_flush_is_no_acknowledgement
            a_failed_read_stops_nothing
            a_panicking_backend_leaves_nobody_waiting
        );
    };
    (@tests $harness:expr; $($check:ident)*) => {
        $(
            #[test]
            fn $check() {
                $crate::conformance::$check(&$harness);
            }
        )*
    };
}

/// Both ways to run a store, each over what `harness` opens.
fn stores(harness: &dyn Harness) -> impl Iterator<Item = Store> {
    let threaded = || Store::threaded(harness.open(), StoreConfig::default()).expect("a thread starts");
    let inline = || Store::inline(harness.open(), StoreConfig::default());
    [false, true]
        .into_iter()
        .map(move |is_threaded| if is_threaded { threaded() } else { inline() })
}

fn threaded(harness: &dyn Harness) -> Store {
    Store::threaded(harness.open(), StoreConfig::default()).expect("a thread starts")
}

/// A batch of puts into one table.
fn puts<K: AsRef<[u8]>, V: AsRef<[u8]>>(table: Table, rows: impl IntoIterator<Item = (K, V)>) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in rows {
        batch
            .put(table, key.as_ref(), value.as_ref())
            .expect("within the limits");
    }
    batch
}

fn commit(store: &Store, batch: Batch) {
    store
        .commit(batch, Durability::Buffered)
        .wait()
        .expect("the backend is sound");
}

/// Every entry of `range`, read in pages of `limit`.
fn read_all(reader: &impl Reader, table: Table, range: &ScanRange, limit: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut rest = range.clone();
    loop {
        let page = reader.scan(table, &rest, limit).expect("the backend is sound");
        assert!(page.entries.len() <= limit, "a page keeps to its limit");
        assert!(
            !page.entries.is_empty() || page.next.is_none(),
            "an empty page leads nowhere"
        );
        entries.extend(page.entries);
        match page.next {
            Some(cursor) => rest = rest.resume(&cursor),
            None => return entries,
        }
    }
}

/// Removes every key, for checks that run several stores over the same data.
fn clear(store: &Store) {
    for table in Table::ALL {
        let mut batch = Batch::new();
        for (key, _) in read_all(store, table, &ScanRange::all(), 1000) {
            batch.delete(table, key).expect("within the limits");
        }
        commit(store, batch);
    }
}

/// A small generator of reproducible numbers (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
