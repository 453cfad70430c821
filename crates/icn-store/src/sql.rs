//! What the SQL backends share: the condition and order of a scan. It runs no statement.

use std::fmt::Write as _;
use std::ops::Bound;

use crate::scan::{Direction, MAX_PAGE_ENTRIES, ScanRange};

/// The part of a scan after the table's name, and the values of its parameters, which are numbered
/// from 1 after `mark` (`?` or `$`).
pub(crate) fn scan_condition(range: &ScanRange, mark: char) -> (String, Vec<&[u8]>) {
    let mut sql = String::new();
    let mut keys = Vec::with_capacity(2);
    let bounds = [(range.start(), ">", ">="), (range.end(), "<", "<=")];
    for (bound, excluding, including) in bounds {
        let (operator, key) = match bound {
            Bound::Unbounded => continue,
            Bound::Excluded(key) => (excluding, key),
            Bound::Included(key) => (including, key),
        };
        keys.push(key);
        let word = if keys.len() == 1 { "WHERE" } else { "AND" };
        write!(sql, " {word} key {operator} {mark}{}", keys.len()).expect("a string takes it all");
    }
    sql.push_str(" ORDER BY key");
    if range.direction() == Direction::Reverse {
        sql.push_str(" DESC");
    }
    (sql, keys)
}

/// How many rows fill a page of `limit` entries and show whether there are more.
pub(crate) fn rows_of_page(limit: usize) -> i64 {
    i64::try_from(limit.min(MAX_PAGE_ENTRIES)).expect("a page has few entries") + 1
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use super::scan_condition;
    use crate::scan::ScanRange;

    #[test]
    fn bounds_become_numbered_parameters() {
        assert_eq!(
            scan_condition(&ScanRange::all(), '?'),
            (" ORDER BY key".to_owned(), vec![])
        );
        let range = ScanRange::new(Bound::Unbounded, Bound::Included(b"z".to_vec()));
        assert_eq!(
            scan_condition(&range, '?'),
            (" WHERE key <= ?1 ORDER BY key".to_owned(), vec![&b"z"[..]])
        );
        let range = ScanRange::new(Bound::Excluded(b"a".to_vec()), Bound::Excluded(b"z".to_vec()));
        assert_eq!(
            scan_condition(&range.reversed(), '$'),
            (
                " WHERE key > $1 AND key < $2 ORDER BY key DESC".to_owned(),
                vec![&b"a"[..], b"z"]
            )
        );
    }
}
