//! Numbered batches whose content follows from their number, for the crash tests: written by one
//! side, checked by the other after a crash.
#![allow(dead_code, reason = "each test program uses a part")]

use icn_store::{Batch, Reader, ScanRange, Table};

/// A small generator of reproducible numbers (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// How often a crash is tried: `ICN_CRASH_ROUNDS`, or `default`.
pub(crate) fn rounds(default: u64) -> u64 {
    std::env::var("ICN_CRASH_ROUNDS").map_or(default, |rounds| rounds.parse().expect("a number of rounds"))
}

const SPREAD: [Table; 4] = [Table::State, Table::Blocks, Table::Log, Table::Jobs];

/// The rows of batch `number` of `writer`: some small, sometimes one of up to 400 kB, over several
/// tables and so over several trees.
fn rows(writer: u8, number: u64) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
    let mut numbers = Numbers(number * 256 + u64::from(writer));
    let count = 1 + numbers.below(24);
    let large = if numbers.below(3) == 0 {
        numbers.below(400_000)
    } else {
        0
    };
    (0..count)
        .map(|i| {
            let mut key = vec![writer];
            key.extend(number.to_be_bytes());
            key.extend(i.to_be_bytes());
            let len = if i == 0 {
                10 + large
            } else {
                10 + numbers.below(200)
            };
            let value = (0..len).map(|_| 1 + numbers.byte() % 255).collect();
            (SPREAD[(i % 4) as usize], key, value)
        })
        .collect()
}

fn counter(writer: u8) -> Vec<u8> {
    vec![b'c', writer]
}

/// Batch `number` of `writer`; numbers count from 1 without gaps.
pub(crate) fn batch(writer: u8, number: u64) -> Batch {
    let mut batch = Batch::new();
    for (table, key, value) in rows(writer, number) {
        batch.put(table, key, value).unwrap();
    }
    batch
        .put(Table::Meta, counter(writer), number.to_be_bytes())
        .unwrap();
    batch
}

/// The number of the last batch of `writer` that is there, after checking that it and every one
/// before it is there in whole, and nothing of any later one.
pub(crate) fn last_whole_batch(store: &impl Reader, writer: u8) -> u64 {
    let last = match store.get(Table::Meta, &counter(writer)).unwrap() {
        None => 0,
        Some(bytes) => u64::from_be_bytes(bytes.try_into().unwrap()),
    };
    let mut rows_there = 0;
    for number in 1..=last {
        for (table, key, value) in rows(writer, number) {
            assert!(
                store.get(table, &key).unwrap() == Some(value),
                "writer {writer}, batch {number} of {last}"
            );
            rows_there += 1;
        }
    }
    for table in SPREAD {
        let mut range = ScanRange::prefix([writer]);
        loop {
            let page = store.scan(table, &range, 1000).unwrap();
            rows_there -= page.entries.len();
            match page.next {
                Some(cursor) => range = range.resume(&cursor),
                None => break,
            }
        }
    }
    assert_eq!(rows_there, 0, "writer {writer}: rows of a batch after {last}");
    last
}
