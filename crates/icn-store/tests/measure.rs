//! Measures every backend that this build has, at equal durability; it asserts nothing.
//!
//! `cargo test --release -p icn-store --features redb,sled,sqlite,postgresql --test measure -- --ignored
//! --nocapture`
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]
#![cfg(any(
    feature = "fjall",
    feature = "redb",
    feature = "sled",
    feature = "sqlite",
    feature = "postgresql",
    feature = "persist-rocksdb"
))]

mod common;
#[path = "common/places.rs"]
mod places;

use std::time::{Duration, Instant};

use icn_store::{BackendKind, Batch, Durability, Reader, ScanRange, Store, StoreConfig, Table, open};

use self::common::Numbers;
use self::places::{kinds, place};

const KEYS: u64 = 200_000;
const ROWS: u64 = 1000;
const COMMITS: usize = 40;
const READS: u32 = 2000;

fn key(numbers: &mut Numbers) -> Vec<u8> {
    let mut key = vec![0; 40];
    key[..8].copy_from_slice(
        &numbers
            .below(KEYS)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .to_be_bytes(),
    );
    key
}

fn updates(numbers: &mut Numbers) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..ROWS {
        let value: Vec<u8> = (0..100).map(|_| numbers.byte()).collect();
        batch.put(Table::State, key(numbers), value).unwrap();
    }
    batch
}

fn per(total: Duration, count: u32) -> String {
    format!("{:?}", total / count)
}

fn measure(kind: BackendKind) {
    let place = place(kind);
    let store = Store::inline(open(&place.location).unwrap(), StoreConfig::default());
    let mut numbers = Numbers(1);
    for _ in 0..KEYS / ROWS {
        store
            .commit(updates(&mut numbers), Durability::Buffered)
            .wait()
            .unwrap();
    }
    store.persist().wait().unwrap();
    let mut times: Vec<Duration> = (0..COMMITS)
        .map(|_| {
            let batch = updates(&mut numbers);
            let start = Instant::now();
            store.commit(batch, Durability::Sync).wait().unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    let total: Duration = times.iter().sum();
    let start = Instant::now();
    for _ in 0..READS {
        store.get(Table::State, &key(&mut numbers)).unwrap();
    }
    let get = start.elapsed();
    let start = Instant::now();
    let page = store.scan(Table::State, &ScanRange::all(), 10_000).unwrap();
    let scan = start.elapsed();
    println!(
        "{kind:<10} {:>6.1} commits/s, longest {:?}; get {}; {} entries in {scan:?}; {} MB",
        COMMITS as f64 / total.as_secs_f64(),
        times.last().unwrap(),
        per(get, READS),
        page.entries.len(),
        store.size_bytes().unwrap() / 1_000_000
    );
}

#[test]
#[ignore = "a measurement"]
fn every_backend() {
    kinds().into_iter().for_each(measure);
}
