//! The cache of compiled modules: bounded in number and bytes, least recently used out first, each
//! module compiled once even if many runs ask for it at the same time.
//!
//! Failures are not kept. Values are cheap to clone.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// SHA-256 of a module.
pub(crate) type Key = [u8; 32];

#[derive(Debug)]
pub(crate) struct Cache<V> {
    modules_max: usize,
    bytes_max: usize,
    state: Mutex<State<V>>,
    made: Condvar,
}

#[derive(Debug)]
struct State<V> {
    entries: HashMap<Key, Slot<V>>,
    bytes: usize,
    uses: u64,
}

#[derive(Debug)]
enum Slot<V> {
    /// Some run is making the value.
    Making,
    Made {
        value: V,
        bytes: usize,
        last_use: u64,
    },
}

/// What a cache has to say of a key.
#[derive(Debug)]
pub(crate) enum Lookup<'a, V> {
    Made(V),
    /// It is for the asker to make the value.
    Make(Making<'a, V>),
}

/// The duty to make a value. Dropped without one, the next asker has it.
#[derive(Debug)]
pub(crate) struct Making<'a, V> {
    cache: &'a Cache<V>,
    key: Key,
}

impl<V: Clone> Cache<V> {
    pub(crate) fn new(modules_max: usize, bytes_max: usize) -> Self {
        let state = State {
            entries: HashMap::new(),
            bytes: 0,
            uses: 0,
        };
        Self {
            modules_max,
            bytes_max,
            state: Mutex::new(state),
            made: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<V>> {
        // No code that can panic runs with the lock held and the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the value, or the duty to make it. While another run makes it, asks `may_wait` every
    /// `interval` whether to go on waiting, and gives back its error if not.
    pub(crate) fn lookup<E>(
        &self,
        key: Key,
        interval: Duration,
        may_wait: impl Fn() -> Result<(), E>,
    ) -> Result<Lookup<'_, V>, E> {
        let mut state = self.lock();
        loop {
            state.uses += 1;
            let now = state.uses;
            match state.entries.get_mut(&key) {
                Some(Slot::Made { value, last_use, .. }) => {
                    *last_use = now;
                    return Ok(Lookup::Made(value.clone()));
                }
                Some(Slot::Making) => {
                    may_wait()?;
                    let waited = self.made.wait_timeout(state, interval);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => {
                    state.entries.insert(key, Slot::Making);
                    return Ok(Lookup::Make(Making { cache: self, key }));
                }
            }
        }
    }

    /// Number and bytes of the values held.
    #[cfg(test)]
    fn size(&self) -> (usize, usize) {
        let state = self.lock();
        (state.entries.len(), state.bytes)
    }
}

impl<V> State<V> {
    fn remove_least_recently_used(&mut self) -> bool {
        let made = self.entries.iter().filter_map(|(key, slot)| match slot {
            Slot::Made { last_use, .. } => Some((*last_use, *key)),
            Slot::Making => None,
        });
        let Some((_, key)) = made.min() else { return false };
        if let Some(Slot::Made { bytes, .. }) = self.entries.remove(&key) {
            self.bytes -= bytes;
        }
        true
    }

    fn made(&self) -> usize {
        self.entries
            .values()
            .filter(|slot| matches!(slot, Slot::Made { .. }))
            .count()
    }
}

impl<V: Clone> Making<'_, V> {
    /// Keeps the value, which takes `bytes`, unless it alone exceeds the cache.
    pub(crate) fn done(self, value: V, bytes: usize) {
        let mut state = self.cache.lock();
        if self.cache.modules_max == 0 || bytes > self.cache.bytes_max {
            return;
        }
        while state.made() >= self.cache.modules_max || state.bytes + bytes > self.cache.bytes_max {
            if !state.remove_least_recently_used() {
                break;
            }
        }
        let last_use = state.uses;
        state.bytes += bytes;
        state.entries.insert(
            self.key,
            Slot::Made {
                value,
                bytes,
                last_use,
            },
        );
    }
}

impl<V> Drop for Making<'_, V> {
    fn drop(&mut self) {
        let mut state = self.cache.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Slot::Making) = state.entries.get(&self.key) {
            state.entries.remove(&self.key);
        }
        self.cache.made.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const TICK: Duration = Duration::from_millis(1);

    fn put(cache: &Cache<u32>, key: u8, value: u32, bytes: usize) {
        match cache.lookup([key; 32], TICK, || Ok::<_, Infallible>(())) {
            Ok(Lookup::Make(making)) => making.done(value, bytes),
            Ok(Lookup::Made(_)) => panic!("{key} is there already"),
        }
    }

    fn get(cache: &Cache<u32>, key: u8) -> Option<u32> {
        match cache.lookup([key; 32], TICK, || Ok::<_, Infallible>(())) {
            Ok(Lookup::Made(value)) => Some(value),
            Ok(Lookup::Make(_)) => None,
        }
    }

    #[test]
    fn the_least_recently_used_goes_first_by_number_and_by_bytes() {
        let cache = Cache::new(2, 100);
        put(&cache, 1, 10, 40);
        put(&cache, 2, 20, 40);
        assert_eq!(get(&cache, 1), Some(10));
        put(&cache, 3, 30, 40);
        assert_eq!((get(&cache, 2), cache.size()), (None, (2, 80)));
        put(&cache, 4, 40, 100);
        assert_eq!(
            (get(&cache, 1), get(&cache, 3), get(&cache, 4)),
            (None, None, Some(40))
        );
        put(&cache, 5, 50, 101);
        assert_eq!((get(&cache, 5), get(&cache, 4)), (None, Some(40)));
    }

    #[test]
    fn those_who_wait_get_the_value_the_duty_or_tired() {
        let cache = Cache::new(2, 100);
        let Ok(Lookup::Make(making)) = cache.lookup([1; 32], TICK, || Err(())) else {
            panic!("nobody else makes it");
        };
        assert!(cache.lookup([1; 32], TICK, || Err(())).is_err());
        drop(making);
        assert_eq!(get(&cache, 1), None);
        std::thread::scope(|scope| {
            let Ok(Lookup::Make(making)) = cache.lookup([1; 32], TICK, || Err(())) else {
                panic!("nobody else makes it");
            };
            let waiting = scope.spawn(|| get(&cache, 1));
            making.done(7, 1);
            assert_eq!(waiting.join().expect("it does not panic"), Some(7));
        });
    }
}
