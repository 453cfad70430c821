//! What every request meets first, whatever the node has behind it: names, counts, slots, and who may call.
use crate::access::Access;
use icn_api::node::Health;
use icn_serve::http::{CorrelationIds, HttpMetrics};
use std::{sync::Arc, time::Instant};
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
    /// Names of requests that came without one.
    pub(super) ids: CorrelationIds,
    since: Instant,
}

impl Front {
    /// For those whom `access` lets in.
    pub(crate) fn new(access: Arc<Access>) -> Arc<Self> {
        Arc::new(Self {
            access,
            metrics: HttpMetrics::default(),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            closing: watch::Sender::new(false),
            ids: CorrelationIds::default(),
            since: Instant::now(),
        })
    }

    /// What `GET /health` says, whatever the node has behind it.
    pub(super) fn health(&self) -> Health {
        Health {
            alive: true,
            uptime_secs: self.uptime_secs(),
        }
    }

    /// Since the process started, in seconds.
    pub(super) fn uptime_secs(&self) -> u64 {
        self.since.elapsed().as_secs()
    }
}
