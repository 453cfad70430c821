//! What every request meets first, whatever the node has behind it: names, counts, slots, and who may call.
use super::counts::HttpMetrics;
use crate::access::Access;
use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::{Semaphore, watch};

/// Requests that are answered at once; more are told to come back.
const MAX_REQUESTS: usize = 1_024;

/// What all routes share.
pub(crate) struct Front {
    pub(super) access: Arc<Access>,
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
    /// For those whom `access` lets in.
    pub(crate) fn new(access: Arc<Access>) -> Arc<Self> {
        Arc::new(Self {
            access,
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
