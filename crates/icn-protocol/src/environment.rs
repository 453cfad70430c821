//! What the protocol needs from outside: a runtime, a network and somebody who runs jobs.
//!
//! The node brings tokio and libp2p, the simulator virtual time and simulated links. Nothing in this crate
//! can tell which.
use bytes::Bytes;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_runtime::{Clock, Metrics, Spawner, Storage, Supervisor};
use commonware_utils::ordered::Set;
use icn_model::{ExitStatus, JobSpec};
use rand_core::CryptoRng;
use std::{collections::BTreeMap, future::Future, sync::Arc};

/// Clock, tasks, randomness and the consensus journals.
pub trait Runtime: Clock + CryptoRng + Spawner + Storage + Metrics + Supervisor {}

impl<E: Clock + CryptoRng + Spawner + Storage + Metrics + Supervisor> Runtime for E {}

/// The kinds of connection that a node has to the others.
pub trait Network: Sized + Send + 'static {
    /// Sends to seats.
    type Sender: Sender<PublicKey = PublicKey>;
    /// Receives from seats.
    type Receiver: Receiver<PublicKey = PublicKey>;
    /// Publishes to whoever listens.
    type TopicSender: Sender<PublicKey = PublicKey>;
    /// Hears what is published.
    type TopicReceiver: Receiver<PublicKey = PublicKey>;
    /// Knows who may be talked to.
    type Peers: Provider<PublicKey = PublicKey>;
    /// Shuts out who breaks the rules.
    type Blocker: Blocker<PublicKey = PublicKey>;
}

/// Both ends of a channel between seats.
pub type Channel<N> = (<N as Network>::Sender, <N as Network>::Receiver);

/// Both ends of a topic.
pub type Topic<N> = (<N as Network>::TopicSender, <N as Network>::TopicReceiver);

/// Whom the network is to admit to the seats' channels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Seats of recent, current and coming epochs.
    pub seats: Set<PublicKey>,
    /// Who follows the log without a seat: applicants, and nodes that slept through the rotation of their key.
    pub followers: Set<PublicKey>,
    /// Which key followed which at one node: where the former was reached, the latter is.
    pub successors: BTreeMap<PublicKey, PublicKey>,
}

/// Tells the network whom to admit.
pub type Admit = Box<dyn FnMut(Admission) + Send>;

/// A node's connections.
pub struct Connections<N: Network> {
    /// Votes of consensus.
    pub votes: Channel<N>,
    /// Certificates of consensus.
    pub certificates: Channel<N>,
    /// Missing certificates.
    pub resolver: Channel<N>,
    /// Missing blocks of the log.
    pub backfill: Channel<N>,
    /// New blocks of the log.
    pub broadcast: Channel<N>,
    /// Blocks of the DAG.
    pub blocks: Channel<N>,
    /// Lines of credit.
    pub credit: Channel<N>,
    /// Operations that wait.
    pub operations: Topic<N>,
    /// Bids for jobs.
    pub bids: Topic<N>,
    /// Who may be talked to.
    pub peers: N::Peers,
    /// Shuts out who breaks the rules.
    pub blocker: N::Blocker,
    /// Whom to admit.
    pub admit: Admit,
}

/// A job with everything that it names, ready to run.
#[derive(Clone, Debug)]
pub struct Task {
    /// What is asked.
    pub spec: Arc<JobSpec>,
    /// The module's bytes.
    pub module: Bytes,
    /// Standard input.
    pub stdin: Bytes,
    /// Files by path.
    pub inputs: BTreeMap<String, Bytes>,
}

/// What came of a task.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub exit: ExitStatus,
    /// Standard output.
    pub stdout: Bytes,
    /// Standard error.
    pub stderr: Bytes,
    /// Files by path.
    pub files: BTreeMap<String, Bytes>,
    /// Fuel used.
    pub fuel: u64,
    /// Most memory in use at once.
    pub peak_memory_bytes: u64,
}

/// Runs jobs.
pub trait Executor: Clone + Send + Sync + 'static {
    /// Everything about the engine that results depend on; goes into receipts.
    fn engine(&self) -> String;

    /// Runs one. Ends when the task does, or its limits.
    fn run(&self, task: Task) -> impl Future<Output = Run> + Send;
}
