//! What the handlers share: the running node, and what the interface itself keeps.
use super::{failure::Failure, front::Front, usage::Usage};
use crate::{
    backup::Backups,
    config::{Config, Live},
    dag::Dag,
    metrics::{JobMetrics, Tally},
    reporting::Reports,
    succession::KeyRing,
};
use icn_model::{Did, Digest, Genesis, PublicKey, Time, Totals};
use icn_net::NetworkStatus;
use icn_protocol::{keys, ledger::Ledger, node::Node};
use icn_serve::clock;
use icn_store::{BlockUsage, Location};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};
use tokio::sync::{Semaphore, watch};

/// Streams of events that are open at once.
const MAX_STREAMS: usize = 256;

/// Why a node's log has ended.
pub(crate) struct LogEnd {
    /// For people.
    pub(crate) why: String,
    /// One of the ledger's kinds of errors, for metrics.
    pub(crate) kind: &'static str,
}

/// The running node, as the interface sees it.
pub(crate) struct AppInner {
    /// The node.
    pub(crate) node: Node,
    /// What it keeps of the DAG.
    pub(crate) dag: Dag,
    /// Its backups.
    pub(crate) backups: Backups,
    /// Its network.
    pub(crate) network: NetworkStatus,
    /// What it was told.
    pub(crate) config: Config,
    /// Its federation's beginning.
    pub(crate) genesis: Genesis,
    /// Whose node it is.
    pub(crate) did: Did,
    /// Whether it was invited and applies for a seat.
    pub(crate) applies: bool,
    /// The key that it runs with.
    pub(crate) key: PublicKey,
    /// Where its keys are.
    pub(crate) keys: KeyRing,
    /// Everything about its engine that results of jobs depend on.
    pub(crate) engine: String,
    /// Where the store is.
    pub(crate) location: Location,
    /// Name of the storage backend.
    pub(crate) storage: &'static str,
    /// Where the interface listens.
    pub(crate) http_address: SocketAddr,
    /// Multiaddrs that it listens on, without the peer id.
    pub(crate) p2p_addresses: Vec<String>,
    /// When it started, by its clock.
    pub(crate) started: Time,
    /// Its configuration, which changes.
    pub(crate) live: Live,
    /// The runtime's own metrics, in the text format of Prometheus.
    pub(crate) runtime_metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// What is counted of the jobs that run here.
    pub(crate) job_metrics: JobMetrics,
    /// What the log has brought about.
    pub(crate) tally: Tally,
    /// What came of its reports to a Federation Service.
    pub(crate) reports: Reports,
    /// Where the node keeps what is not in its store.
    pub(crate) data_dir: PathBuf,
    /// Why the log has stopped, once it has.
    pub(crate) ended: watch::Receiver<Option<LogEnd>>,
}

/// What every handler gets. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// The node with what the interface keeps for itself.
pub(crate) struct Shared {
    pub(super) inner: AppInner,
    pub(super) front: Arc<Front>,
    pub(super) streams: Arc<Semaphore>,
    /// Audit bundles that are put together at once.
    pub(super) audits: Semaphore,
    usage: Usage,
    /// The sums over all accounts at one outcome root: they read the whole state.
    totals: Mutex<Option<(Digest, Totals)>>,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    /// Over a running node.
    pub(crate) fn new(inner: AppInner, front: Arc<Front>) -> Self {
        Self(Arc::new(Shared {
            inner,
            front,
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            audits: Semaphore::new(1),
            usage: Usage::default(),
            totals: Mutex::new(None),
        }))
    }
}

impl Shared {
    pub(super) const fn ledger(&self) -> &Ledger {
        self.inner.node.ledger()
    }

    /// The node's clock.
    pub(super) fn now(&self) -> Time {
        clock::now()
    }

    /// Keys of this node and of those connected to it.
    pub(super) fn online(&self) -> BTreeSet<PublicKey> {
        let peers = self.inner.network.snapshot().peers;
        peers
            .iter()
            .map(|peer| keys::model_public(&peer.public_key))
            .chain([self.inner.key])
            .collect()
    }

    /// How many blocks the DAG has and how large they are, counted a while ago at the most.
    pub(super) async fn block_usage(&self) -> Result<BlockUsage, Failure> {
        self.usage.get(self.inner.node.exchange().blocks()).await
    }

    /// Why the log has stopped, if it has.
    pub(super) fn ended(&self) -> Option<String> {
        self.inner.ended.borrow().as_ref().map(|end| end.why.clone())
    }

    /// The kind of that reason.
    pub(super) fn end_kind(&self) -> Option<&'static str> {
        self.inner.ended.borrow().as_ref().map(|end| end.kind)
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
