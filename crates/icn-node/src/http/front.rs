//! What every request meets first, whatever the node has behind it: names, counts, slots, and the key.
use super::counts::HttpMetrics;
use icn_model::{Digest, Time};
use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use subtle::ConstantTimeEq as _;
use tokio::sync::{Semaphore, watch};

/// Requests that are answered at once; more are told to come back.
const MAX_REQUESTS: usize = 1_024;

/// What all routes share.
pub(crate) struct Front {
    pub(super) api_key: ApiKey,
    pub(super) metrics: HttpMetrics,
    pub(super) requests: Arc<Semaphore>,
    /// Whether streams are to end.
    pub(super) closing: watch::Sender<bool>,
    since: Instant,
    /// Prefix of the correlation ids of this process.
    prefix: u64,
    number: AtomicU64,
}

impl Front {
    /// With the key that callers need.
    pub(crate) fn new(api_key: &str) -> Arc<Self> {
        Arc::new(Self {
            api_key: ApiKey::new(api_key),
            metrics: HttpMetrics::default(),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            closing: watch::Sender::new(false),
            since: Instant::now(),
            prefix: RandomState::new().build_hasher().finish(),
            number: AtomicU64::new(0),
        })
    }

    /// Since the process started, in seconds.
    pub(super) fn uptime_secs(&self) -> u64 {
        self.since.elapsed().as_secs()
    }

    /// A name for a request that came without one.
    pub(super) fn correlation_id(&self) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{number:x}", self.prefix)
    }
}

/// The node's clock. A clock before 1970 is taken for 1970.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The key that callers need. Only its hash is kept, and compared in constant time.
pub(crate) struct ApiKey(Digest);

impl ApiKey {
    /// Takes the key's text.
    pub(crate) fn new(text: &str) -> Self {
        Self(Digest::of(text.as_bytes()))
    }

    /// Whether `presented` is this key.
    pub(super) fn is(&self, presented: &[u8]) -> bool {
        let presented = Digest::of(presented);
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_is_the_key() {
        let key = ApiKey::new("dev-key-123");
        assert!(key.is(b"dev-key-123"));
        for other in [&b""[..], b"dev-key-12", b"dev-key-1234", b"DEV-KEY-123"] {
            assert!(!key.is(other));
        }
    }
}
