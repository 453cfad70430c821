//! Bounded queue that drops its oldest entry: a stale vote, block or announcement is worth less than
//! a new one. One consumer.
use commonware_utils::sync::Mutex;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::Notify;

/// Entry with a size in bytes.
pub(crate) trait Weigh {
    fn bytes(&self) -> usize;
}

#[derive(Debug)]
struct Entries<T> {
    queue: VecDeque<T>,
    bytes: usize,
}

/// Queue of at most `max_entries` entries and `max_bytes` bytes, except that one entry always fits.
#[derive(Debug)]
pub(crate) struct DropOldest<T> {
    entries: Mutex<Entries<T>>,
    ready: Arc<Notify>,
    max_entries: usize,
    max_bytes: usize,
}

impl<T: Weigh> DropOldest<T> {
    /// `ready` is notified after each push; queues with one consumer may share it.
    pub(crate) fn new(max_entries: usize, max_bytes: usize, ready: Arc<Notify>) -> Self {
        Self {
            entries: Mutex::new(Entries {
                queue: VecDeque::new(),
                bytes: 0,
            }),
            ready,
            max_entries,
            max_bytes,
        }
    }

    /// Returns how many older entries were dropped.
    pub(crate) fn push(&self, entry: T) -> usize {
        let mut dropped = 0;
        {
            let mut entries = self.entries.lock();
            entries.bytes += entry.bytes();
            entries.queue.push_back(entry);
            while entries.queue.len() > 1
                && (entries.queue.len() > self.max_entries || entries.bytes > self.max_bytes)
            {
                if let Some(old) = entries.queue.pop_front() {
                    entries.bytes -= old.bytes();
                    dropped += 1;
                }
            }
        }
        self.ready.notify_one();
        dropped
    }

    /// Puts back what [`Self::try_pop`] gave, as the oldest. Returns `false` if there is no room any more.
    pub(crate) fn push_back_to_front(&self, entry: T) -> bool {
        let mut entries = self.entries.lock();
        let room = entries.queue.len() < self.max_entries && entries.bytes + entry.bytes() <= self.max_bytes;
        if room || entries.queue.is_empty() {
            entries.bytes += entry.bytes();
            entries.queue.push_front(entry);
            return true;
        }
        false
    }

    pub(crate) fn try_pop(&self) -> Option<T> {
        let mut entries = self.entries.lock();
        let entry = entries.queue.pop_front()?;
        entries.bytes -= entry.bytes();
        Some(entry)
    }

    pub(crate) async fn pop(&self) -> T {
        loop {
            if let Some(entry) = self.try_pop() {
                return entry;
            }
            self.ready.notified().await;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.lock().queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Weigh for usize {
        fn bytes(&self) -> usize {
            *self
        }
    }

    fn queue(entries: usize, bytes: usize) -> DropOldest<usize> {
        DropOldest::new(entries, bytes, Arc::default())
    }

    #[test]
    fn drops_the_oldest() {
        let q = queue(2, 100);
        assert_eq!([q.push(1), q.push(2), q.push(3)], [0, 0, 1]);
        assert_eq!(q.push(99), 2);
        assert_eq!(q.try_pop(), Some(99));
        // One entry always fits.
        assert_eq!(q.push(1_000), 0);
        assert_eq!((q.try_pop(), q.try_pop()), (Some(1_000), None));
    }

    #[test]
    fn putting_back_respects_newer_entries() {
        let q = queue(2, 100);
        q.push(1);
        q.push(2);
        let oldest = q.try_pop().unwrap();
        q.push(3);
        assert!(!q.push_back_to_front(oldest));
        let oldest = q.try_pop().unwrap();
        assert!(q.push_back_to_front(oldest));
        assert_eq!((q.try_pop(), q.try_pop(), q.len()), (Some(2), Some(3), 0));
    }

    proptest! {
        #[test]
        fn stays_within_bounds(sizes in prop::collection::vec(0usize..60, 0..200)) {
            let q = queue(8, 100);
            for size in sizes {
                q.push(size);
                let entries = q.entries.lock();
                prop_assert_eq!(entries.bytes, entries.queue.iter().sum::<usize>());
                prop_assert!(entries.queue.len() <= 8 && entries.bytes <= 100);
            }
        }
    }
}
