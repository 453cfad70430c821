//! What the handlers share: the running node, and what the interface itself keeps.
use super::{counts::HttpMetrics, status::Usage};
use crate::config::Config;
use icn_model::{Did, Digest, Genesis, PublicKey, Time, Totals};
use icn_net::NetworkStatus;
use icn_protocol::{ledger::Ledger, market::MarketConfig, node::Node};
use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use subtle::ConstantTimeEq as _;
use tokio::sync::{Semaphore, watch};

/// Requests that are answered at once; more are told to come back.
const MAX_REQUESTS: usize = 1_024;
/// Streams of events that are open at once.
const MAX_STREAMS: usize = 256;

/// The running node, as the interface sees it.
pub(crate) struct AppInner {
    /// The node.
    pub(crate) node: Node,
    /// Its network.
    pub(crate) network: NetworkStatus,
    /// What it was told.
    pub(crate) config: Config,
    /// Its federation's beginning.
    pub(crate) genesis: Genesis,
    /// Whose node it is.
    pub(crate) did: Did,
    /// Its seat key.
    pub(crate) key: PublicKey,
    /// Everything about its engine that results of jobs depend on.
    pub(crate) engine: String,
    /// Name of the storage backend.
    pub(crate) storage: &'static str,
    /// Where the interface listens.
    pub(crate) http_address: SocketAddr,
    /// Multiaddrs that it listens on, without the peer id.
    pub(crate) p2p_addresses: Vec<String>,
    /// When it started, by its clock.
    pub(crate) started: Time,
    /// The key that its callers need.
    pub(crate) api_key: ApiKey,
    /// What it offers to run.
    pub(crate) market: MarketConfig,
    /// The runtime's own metrics, in the text format of Prometheus.
    pub(crate) runtime_metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// Why the log has stopped, once it has.
    pub(crate) ended: watch::Receiver<Option<String>>,
}

/// What every handler gets. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// The node with what the interface keeps for itself.
pub(crate) struct Shared {
    pub(super) inner: AppInner,
    pub(super) metrics: HttpMetrics,
    pub(super) requests: Arc<Semaphore>,
    pub(super) streams: Arc<Semaphore>,
    pub(super) usage: Usage,
    /// Whether streams are to end.
    pub(super) closing: watch::Sender<bool>,
    /// The sums over all accounts at one outcome root: they read the whole state.
    totals: Mutex<Option<(Digest, Totals)>>,
    since: Instant,
    /// Prefix of the correlation ids of this process.
    prefix: u64,
    number: AtomicU64,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Over a running node.
    pub(crate) fn new(inner: AppInner) -> Self {
        Self(Arc::new(Shared {
            inner,
            metrics: HttpMetrics::default(),
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            usage: Usage::default(),
            closing: watch::Sender::new(false),
            totals: Mutex::new(None),
            since: Instant::now(),
            prefix: RandomState::new().build_hasher().finish(),
            number: AtomicU64::new(0),
        }))
    }
}

impl Shared {
    pub(super) const fn ledger(&self) -> &Ledger {
        self.inner.node.ledger()
    }

    /// The node's clock. A clock before 1970 is taken for 1970.
    pub(super) fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Since the process started, in seconds.
    pub(super) fn uptime_secs(&self) -> u64 {
        self.since.elapsed().as_secs()
    }

    /// Why the log has stopped, if it has.
    pub(super) fn ended(&self) -> Option<String> {
        self.inner.ended.borrow().clone()
    }

    /// A name for a request that came without one.
    pub(super) fn correlation_id(&self) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{number:x}", self.prefix)
    }

    /// The totals kept for `root`, or those that `compute` finds.
    pub(super) fn totals<E>(
        &self,
        root: Digest,
        compute: impl FnOnce() -> Result<Totals, E>,
    ) -> Result<Totals, E> {
        // A panic cannot leave half a value here, so a poisoned lock is as good as any.
        let mut kept = self
            .totals
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match *kept {
            Some((at, totals)) if at == root => Ok(totals),
            _ => {
                let totals = compute()?;
                *kept = Some((root, totals));
                Ok(totals)
            }
        }
    }
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
