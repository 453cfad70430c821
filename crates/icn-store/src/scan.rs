//! Ranges of keys and the pages that come back. A page owns its bytes: no iterator borrows from a
//! backend, so every backend can offer it and nobody holds one back.

use std::ops::Bound;

use crate::bounds::MAX_VALUE_BYTES;

/// Most entries on one page; a larger limit counts as this one.
pub const MAX_PAGE_ENTRIES: usize = 10_000;
/// Most bytes of keys and values on one page: 16 MiB. A page has at least one entry all the same,
/// and one entry always fits.
pub const MAX_PAGE_BYTES: usize = 2 * MAX_VALUE_BYTES;

/// A key and its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the smallest key to the greatest.
    Forward,
    /// From the greatest key to the smallest.
    Reverse,
}

/// The place where a page ended; [`ScanRange::resume`] goes on after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

impl Cursor {
    /// A cursor that came from elsewhere, such as a client's request. Any bytes are safe.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The last key of the page.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A range of keys in byte order, and the direction in which it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRange {
    start: Bound<Vec<u8>>,
    end: Bound<Vec<u8>>,
    direction: Direction,
}

impl ScanRange {
    /// All keys, forward.
    #[must_use]
    pub fn all() -> Self {
        Self::new(Bound::Unbounded, Bound::Unbounded)
    }

    /// The keys between two bounds, forward. Bounds that cross are an empty range.
    #[must_use]
    pub fn new(start: Bound<Vec<u8>>, end: Bound<Vec<u8>>) -> Self {
        Self {
            start,
            end,
            direction: Direction::Forward,
        }
    }

    /// The keys that start with `prefix`, forward. An empty prefix means all keys.
    #[must_use]
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        let prefix = prefix.as_ref();
        // The first key after all that start so: the last byte that can grow, grown.
        let end = match prefix.iter().rposition(|byte| *byte != u8::MAX) {
            None => Bound::Unbounded,
            Some(last) => {
                let mut end = prefix[..=last].to_vec();
                end[last] += 1;
                Bound::Excluded(end)
            }
        };
        Self::new(Bound::Included(prefix.to_vec()), end)
    }

    /// The same keys the other way round.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.direction = match self.direction {
            Direction::Forward => Direction::Reverse,
            Direction::Reverse => Direction::Forward,
        };
        self
    }

    /// What is left of the range after the page that ended at `cursor`.
    ///
    /// A cursor from outside the range never widens it.
    #[must_use]
    pub fn resume(&self, cursor: &Cursor) -> Self {
        let mut rest = self.clone();
        let key = &cursor.0;
        match self.direction {
            Direction::Forward if self.is_before_end(key) => {
                if self.is_after_start(key) {
                    rest.start = Bound::Excluded(key.clone());
                }
            }
            Direction::Reverse if self.is_after_start(key) => {
                if self.is_before_end(key) {
                    rest.end = Bound::Excluded(key.clone());
                }
            }
            Direction::Forward | Direction::Reverse => {
                rest.start = Bound::Excluded(key.clone());
                rest.end = Bound::Excluded(key.clone());
            }
        }
        rest
    }

    fn is_after_start(&self, key: &[u8]) -> bool {
        match &self.start {
            Bound::Unbounded => true,
            Bound::Included(start) => key >= start.as_slice(),
            Bound::Excluded(start) => key > start.as_slice(),
        }
    }

    fn is_before_end(&self, key: &[u8]) -> bool {
        match &self.end {
            Bound::Unbounded => true,
            Bound::Included(end) => key <= end.as_slice(),
            Bound::Excluded(end) => key < end.as_slice(),
        }
    }

    /// Whether `key` lies in the range.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.is_after_start(key) && self.is_before_end(key)
    }

    /// Whether no key at all can lie in the range. A backend asks before it hands the bounds to an
    /// engine: several of them panic on bounds that cross.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match (&self.start, &self.end) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(start), Bound::Included(end)) => start > end,
            (
                Bound::Included(start) | Bound::Excluded(start),
                Bound::Included(end) | Bound::Excluded(end),
            ) => start >= end,
        }
    }

    /// The lower bound.
    #[must_use]
    pub fn start(&self) -> Bound<&[u8]> {
        self.start.as_ref().map(Vec::as_slice)
    }

    /// The upper bound.
    #[must_use]
    pub fn end(&self) -> Bound<&[u8]> {
        self.end.as_ref().map(Vec::as_slice)
    }

    /// The direction.
    #[must_use]
    pub fn direction(&self) -> Direction {
        self.direction
    }
}

/// Some entries of a range, in the range's direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The entries; at most the limit that was asked for, and at most [`MAX_PAGE_BYTES`] unless a
    /// single one is larger.
    pub entries: Vec<Entry>,
    /// Where to go on; `None` when the range has no more.
    pub next: Option<Cursor>,
}

impl Page {
    /// Fills a page from a backend's iterator, which is read no further than one entry beyond it.
    ///
    /// # Errors
    ///
    /// The first error of the iterator.
    pub fn collect<E>(limit: usize, entries: impl IntoIterator<Item = Result<Entry, E>>) -> Result<Self, E> {
        let mut page = Self::default();
        let mut bytes = 0;
        for entry in entries {
            let (key, value) = entry?;
            bytes += key.len() + value.len();
            let is_full = page.entries.len() >= limit.min(MAX_PAGE_ENTRIES) || bytes > MAX_PAGE_BYTES;
            if let Some((last, _)) = page.entries.last()
                && is_full
            {
                page.next = Some(Cursor(last.clone()));
                break;
            }
            page.entries.push((key, value));
        }
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::ops::Bound;

    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    use super::{Cursor, Entry, MAX_PAGE_BYTES, Page, ScanRange};

    #[test]
    fn a_prefix_of_the_greatest_bytes_has_no_upper_bound() {
        assert_eq!(ScanRange::prefix([7, 255, 255]).end(), Bound::Excluded(&[8][..]));
        assert_eq!(ScanRange::prefix([255, 255]).end(), Bound::Unbounded);
        assert!(ScanRange::prefix([255, 255]).contains(&[255, 255, 0]));
        assert!(!ScanRange::prefix([255, 255]).contains(&[255, 254, 255]));
    }

    #[test]
    fn bounds_that_cross_are_empty() {
        let key = || b"k".to_vec();
        assert!(!ScanRange::new(Bound::Included(key()), Bound::Included(key())).is_empty());
        assert!(ScanRange::new(Bound::Included(key()), Bound::Excluded(key())).is_empty());
        assert!(ScanRange::new(Bound::Excluded(key()), Bound::Excluded(key())).is_empty());
        assert!(ScanRange::new(Bound::Included(b"l".to_vec()), Bound::Included(key())).is_empty());
    }

    #[test]
    fn a_foreign_cursor_never_widens_a_range() {
        let range = ScanRange::prefix("b/");
        let before = Cursor::from_bytes(b"a".to_vec());
        let after = Cursor::from_bytes(b"z".to_vec());
        assert_eq!(range.resume(&before), range);
        assert!(range.resume(&after).is_empty());
        let backwards = range.clone().reversed();
        assert!(backwards.resume(&before).is_empty());
        assert_eq!(backwards.resume(&after), backwards);
    }

    #[test]
    fn a_page_stops_at_its_bytes_but_holds_one_entry() {
        let big = |n: u8| Ok::<Entry, Infallible>((vec![n], vec![0; MAX_PAGE_BYTES]));
        let page = Page::collect(10, [big(1), big(2)]).unwrap();
        assert_eq!(page.entries.len(), 1);
        assert_eq!(page.next, Some(Cursor::from_bytes(vec![1])));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_prefix_range_contains_what_starts_with_it(
            prefix in proptest::collection::vec(250u8.., 0..4),
            key in proptest::collection::vec(any::<u8>(), 0..6),
            tail in proptest::collection::vec(any::<u8>(), 0..3),
        ) {
            let range = ScanRange::prefix(&prefix);
            prop_assert_eq!(range.contains(&key), key.starts_with(&prefix));
            let inside = [prefix.as_slice(), &tail].concat();
            prop_assert_eq!(range.contains(&inside), true);
        }
    }
}
