//! What commits have replaced, for those who look at the store as it was before them: snapshots, and
//! every reader while a commit is on its way to the disk. It holds no present values.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::ops::Bound;

use crate::error::BackendError;
use crate::scan::{Direction, Entry};

/// Most bytes of replaced values that are kept; beyond, snapshots are given up.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// A value that a commit replaced; `None` if there was none.
struct Replaced {
    by_commit: u64,
    value: Option<Vec<u8>>,
}

/// The past of the keys that have changed since the oldest moment that anybody looks at.
#[derive(Default)]
pub(super) struct History {
    /// The last commit that is as durable as was asked. One more may be under way.
    visible: u64,
    /// What each key was before each commit that changed it, in the order of commits.
    keys: BTreeMap<Vec<u8>, Vec<Replaced>>,
    /// The keys that each commit changed.
    commits: BTreeMap<u64, Vec<Vec<u8>>>,
    bytes: usize,
    /// How many snapshots look at the moment after each commit.
    held: BTreeMap<u64, usize>,
    /// Moments before this one cannot be told any more.
    since: u64,
}

type Bounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

impl History {
    /// The moment that readers see.
    pub(super) fn visible(&self) -> u64 {
        self.visible
    }

    /// Notes what the commit under way replaces. Readers must not look between this and the commit.
    pub(super) fn record(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let commit = self.visible + 1;
        self.bytes += 2 * key.len() + value.as_ref().map_or(0, Vec::len);
        self.commits.entry(commit).or_default().push(key.clone());
        self.keys.entry(key).or_default().push(Replaced {
            by_commit: commit,
            value,
        });
    }

    /// The commit under way is done: readers see it from now on.
    pub(super) fn publish(&mut self) {
        self.visible += 1;
        if self.bytes > MAX_BYTES && !self.held.is_empty() {
            tracing::warn!("snapshots were given up: too much was replaced while they were held");
            self.since = self.visible;
        }
        self.forget();
    }

    /// Keeps what is needed to see this moment; it is named by the number that comes back.
    pub(super) fn hold(&mut self) -> u64 {
        *self.held.entry(self.visible).or_default() += 1;
        self.visible
    }

    /// Ends one [`History::hold`] of the moment `at`.
    pub(super) fn release(&mut self, at: u64) {
        if let Some(count) = self.held.get_mut(&at) {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&at);
            }
        }
        self.forget();
    }

    /// Whether the moment `at` can still be told.
    pub(super) fn reaches_back_to(&self, at: u64) -> bool {
        at >= self.since
    }

    /// Drops what nobody looks at: changes up to the oldest moment that is held.
    fn forget(&mut self) {
        let oldest = self.held.keys().next().copied().unwrap_or(self.visible);
        let oldest = oldest.max(self.since).min(self.visible);
        while let Some(first) = self.commits.first_entry()
            && *first.key() <= oldest
        {
            for key in first.remove() {
                let Some(past) = self.keys.get_mut(&key) else {
                    continue;
                };
                // Commits come in order, so the one that is forgotten is a key's first.
                let replaced = past.remove(0);
                self.bytes -= 2 * key.len() + replaced.value.map_or(0, |value| value.len());
                if past.is_empty() {
                    self.keys.remove(&key);
                }
            }
        }
    }

    /// If `key` has changed after the moment `at`: what it was then.
    pub(super) fn replaced_after(&self, at: u64, key: &[u8]) -> Option<Option<&Vec<u8>>> {
        first_after(at, self.keys.get(key)?)
    }

    /// The entries in `bounds` as they were at the moment `at`, from the present `rows` in the same
    /// bounds and direction.
    pub(super) fn merge<'a>(
        &'a self,
        at: u64,
        bounds: Bounds,
        direction: Direction,
        rows: impl Iterator<Item = Result<Entry, BackendError>> + 'a,
    ) -> impl Iterator<Item = Result<Entry, BackendError>> + 'a {
        let past = self.keys.range::<Vec<u8>, _>(bounds);
        let past: Box<dyn Iterator<Item = _>> = match direction {
            Direction::Forward => Box::new(past),
            Direction::Reverse => Box::new(past.rev()),
        };
        let changed = past.filter_map(move |(key, past)| Some((key, first_after(at, past)?)));
        Merge {
            rows: rows.peekable(),
            changed: changed.peekable(),
            direction,
        }
    }
}

fn first_after(at: u64, past: &[Replaced]) -> Option<Option<&Vec<u8>>> {
    let replaced = past.iter().find(|replaced| replaced.by_commit > at)?;
    Some(replaced.value.as_ref())
}

/// Present rows and what some of them were, both in one order; where both have a key the past counts.
struct Merge<R: Iterator, C: Iterator> {
    rows: Peekable<R>,
    changed: Peekable<C>,
    direction: Direction,
}

impl<'a, R, C> Iterator for Merge<R, C>
where
    R: Iterator<Item = Result<Entry, BackendError>>,
    C: Iterator<Item = (&'a Vec<u8>, Option<&'a Vec<u8>>)>,
{
    type Item = Result<Entry, BackendError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some((changed, _)) = self.changed.peek() else {
                return self.rows.next();
            };
            match self.rows.peek() {
                Some(Err(_)) => return self.rows.next(),
                Some(Ok((key, _))) => {
                    let is_before = match self.direction {
                        Direction::Forward => key < *changed,
                        Direction::Reverse => key > *changed,
                    };
                    if is_before {
                        return self.rows.next();
                    }
                    if key == *changed {
                        self.rows.next();
                    }
                }
                None => {}
            }
            if let Some((key, Some(value))) = self.changed.next() {
                return Some(Ok((key.clone(), value.clone())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Bound;

    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    use super::History;
    use crate::scan::{Direction, Entry};

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

    fn all(history: &History, at: u64, rows: &Rows, direction: Direction) -> Vec<Entry> {
        let bounds = (Bound::Unbounded, Bound::Unbounded);
        let mut rows: Vec<_> = rows.clone().into_iter().map(Ok).collect();
        if direction == Direction::Reverse {
            rows.reverse();
        }
        history
            .merge(at, bounds, direction, rows.into_iter())
            .map(Result::unwrap)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn every_moment_that_is_held_is_told_as_it_was(
            commits in proptest::collection::vec(
                (proptest::collection::btree_map(0u8..8, any::<Option<u8>>(), 1..4), any::<bool>(), any::<bool>()),
                1..20,
            ),
        ) {
            let mut history = History::default();
            let mut rows = Rows::new();
            let mut held: Vec<(u64, Rows)> = Vec::new();
            for (batch, holds, releases) in commits {
                if holds {
                    held.push((history.hold(), rows.clone()));
                }
                let before = rows.clone();
                for (key, value) in batch {
                    let key = vec![key];
                    history.record(key.clone(), rows.get(&key).cloned());
                    match value {
                        Some(value) => rows.insert(key, vec![value]),
                        None => rows.remove(&key),
                    };
                }
                prop_assert_eq!(
                    all(&history, history.visible(), &rows, Direction::Forward),
                    before.into_iter().collect::<Vec<_>>(),
                    "what is under way is not seen"
                );
                history.publish();
                if releases && let Some((at, _)) = held.pop() {
                    history.release(at);
                }
                for (at, then) in held.iter().chain([&(history.visible(), rows.clone())]) {
                    let mut then: Vec<Entry> = then.clone().into_iter().collect();
                    prop_assert_eq!(&all(&history, *at, &rows, Direction::Forward), &then);
                    then.reverse();
                    prop_assert_eq!(&all(&history, *at, &rows, Direction::Reverse), &then);
                }
            }
            for (at, _) in held {
                history.release(at);
            }
            prop_assert!(history.keys.is_empty() && history.commits.is_empty());
            prop_assert_eq!(history.bytes, 0);
        }
    }

    #[test]
    fn snapshots_are_given_up_when_too_much_is_replaced() {
        let mut history = History::default();
        let at = history.hold();
        for n in 0..4u8 {
            history.record(vec![n], Some(vec![0; super::MAX_BYTES / 4]));
            history.publish();
            assert_eq!(history.reaches_back_to(at), n < 3);
        }
        assert_eq!(history.bytes, 0, "and what was kept for them is gone");
        let later = history.hold();
        assert!(history.reaches_back_to(later));
    }
}
