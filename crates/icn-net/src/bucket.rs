//! Token bucket for what arrives: at most one burst at once, then one per interval. The clock is an argument.
use commonware_runtime::Quota;
use std::time::{Duration, Instant};

/// Allowance of one peer on one channel, kept as the time at which it is whole again: exact, and one word.
#[derive(Debug)]
pub(crate) struct Bucket {
    interval: Duration,
    /// How far ahead of the clock `whole_at` may be.
    burst: Duration,
    whole_at: Instant,
}

impl Bucket {
    /// `factor` times the quota.
    pub(crate) fn new(quota: &Quota, factor: u32, now: Instant) -> Self {
        let interval = quota.replenish_interval();
        Self {
            interval: interval / factor.max(1),
            burst: interval.saturating_mul(quota.burst_size().get()),
            whole_at: now,
        }
    }

    /// Takes a token on credit; returns how long to wait until it is paid back.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        self.whole_at = self.whole_at.max(now) + self.interval;
        self.whole_at
            .saturating_duration_since(now)
            .saturating_sub(self.burst)
    }

    /// Takes a token if there is one.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        let whole_at = self.whole_at.max(now) + self.interval;
        let taken = whole_at.saturating_duration_since(now) <= self.burst;
        if taken {
            self.whole_at = whole_at;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_utils::NZU32;

    #[test]
    fn burst_then_rate() {
        let now = Instant::now();
        let mut bucket = Bucket::new(&Quota::per_second(NZU32!(10)), 1, now);
        for _ in 0..10 {
            assert_eq!(bucket.take(now), Duration::ZERO);
        }
        assert_eq!(bucket.take(now), Duration::from_millis(100));
        assert!(!bucket.try_take(now + Duration::from_millis(150)));
        assert!(bucket.try_take(now + Duration::from_millis(200)));
        // A long rest gives one burst, not more.
        let later = now + Duration::from_secs(3_600);
        assert_eq!((0..20).filter(|_| bucket.try_take(later)).count(), 10);
    }

    #[test]
    fn factor_scales_burst_and_rate() {
        let now = Instant::now();
        let mut bucket = Bucket::new(&Quota::per_second(NZU32!(10)), 2, now);
        assert_eq!((0..50).filter(|_| bucket.try_take(now)).count(), 20);
        let later = now + Duration::from_secs(1);
        assert_eq!((0..50).filter(|_| bucket.try_take(later)).count(), 20);
    }
}
