//! Keys with their table before them, for engines in which tables share a tree. Number 0 is no
//! table's: keys that start with it are the backends' own.

use std::ops::Bound;

use crate::scan::ScanRange;
use crate::table::Table;

/// The record of the stored format.
pub(crate) const FORMAT_KEY: &[u8] = b"\0format";

/// `key` with the table's number before it.
pub(crate) fn stored_key(table: Table, key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(key.len() + 1);
    stored.push(table.number());
    stored.extend_from_slice(key);
    stored
}

/// The range's bounds among the keys of all tables.
pub(crate) fn stored_bounds(table: Table, range: &ScanRange) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let start = match range.start() {
        Bound::Unbounded => Bound::Included(vec![table.number()]),
        bound => bound.map(|key| stored_key(table, key)),
    };
    let end = match range.end() {
        Bound::Unbounded => Bound::Excluded(vec![table.number() + 1]),
        bound => bound.map(|key| stored_key(table, key)),
    };
    (start, end)
}
