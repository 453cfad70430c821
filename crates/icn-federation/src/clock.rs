//! The service's clock: it never goes back, whatever is done to the machine's.
//!
//! It starts from the machine's clock and goes on by the monotonic one. Replicas that share a database follow the
//! database's clock, so that what one of them measured means the same to another.
use icn_model::Time;
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

/// A clock. Cheap to clone; clones are one clock.
#[derive(Clone)]
pub(crate) struct Clock {
    start: Instant,
    /// What the start was, in milliseconds since 1970.
    epoch: u64,
    /// How far the shared clock is ahead of this one, in milliseconds.
    ahead: Arc<AtomicI64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            epoch: icn_serve::clock::now().get(),
            ahead: Arc::new(AtomicI64::new(0)),
        }
    }
}

impl Clock {
    /// Now.
    pub(crate) fn now(&self) -> Time {
        let own = self.own();
        Time::new(own.saturating_add_signed(self.ahead.load(Ordering::Relaxed)))
    }

    /// Follows a shared clock that says `shared` now; returns by how many milliseconds that moves this one.
    pub(crate) fn follow(&self, shared: Time) -> i64 {
        let ahead = i64::try_from(i128::from(shared.get()) - i128::from(self.own())).unwrap_or(0);
        ahead - self.ahead.swap(ahead, Ordering::Relaxed)
    }

    fn own(&self) -> u64 {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.epoch.saturating_add(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_another_one() {
        let clock = Clock::default();
        let before = clock.now().get();
        assert!(clock.follow(Time::new(before + 60_000)) >= 59_000);
        assert!(clock.now().get() >= before + 60_000);
        assert!(clock.follow(Time::new(before)) <= -59_000);
        assert!(clock.now().get() < before + 1_000);
    }
}
