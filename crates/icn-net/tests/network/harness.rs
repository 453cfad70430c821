//! Nodes with short timings, and what tests wait for.
use commonware_cryptography::{Signer as _, ed25519::PublicKey};
use commonware_p2p::{Manager as _, Receiver as _, Recipients, Sender as _, TrackedPeers};
use commonware_runtime::{Handle, Quota, Runner as _, Supervisor as _, tokio as cw};
use commonware_utils::{NZU32, NZUsize, ordered::Set};
use icn_net::{
    Address, Class, Config, Discovery, Network, NetworkStatus, Oracle, Receiver, Sender, Snapshot,
    StartError, Timings, TopicReceiver, TopicSender, Verdict,
};
use std::{
    future::Future,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Ends a test that waits for what does not come.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
pub(crate) const FEDERATION: &str = "3f9a02c1";
/// First byte of a gossip message that the validator rejects.
pub(crate) const INVALID: u8 = 0xff;

pub(crate) struct Node {
    pub(crate) key: PublicKey,
    pub(crate) listen: Address,
    pub(crate) oracle: Oracle,
    pub(crate) status: NetworkStatus,
    pub(crate) discovery: Discovery,
    pub(crate) urgent: (Sender<cw::Context>, Receiver),
    pub(crate) bulk: (Sender<cw::Context>, Receiver),
    pub(crate) topic: (TopicSender<cw::Context>, TopicReceiver),
    pub(crate) task: Handle<()>,
}

/// Runs a test on a fresh runtime.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(cw::Context) -> F) {
    // Nothing is stored, but the runtime makes its directory.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = cw::Config::default()
        .with_worker_threads(2)
        .with_storage_directory(directory.path());
    cw::Runner::new(config).start(|ctx| async move {
        timeout(LIMIT * 2, test(ctx)).await.expect("test in time");
    });
}

pub(crate) fn key(n: u8) -> PublicKey {
    use commonware_codec::DecodeExt as _;
    let seed = commonware_runtime::IoBuf::from(vec![n; 32]);
    commonware_cryptography::ed25519::PrivateKey::decode(seed)
        .expect("any 32 bytes are a seed")
        .public_key()
}

pub(crate) fn set(keys: &[u8]) -> Set<PublicKey> {
    Set::from_iter_dedup(keys.iter().map(|n| key(*n)))
}

/// Another number for each process of a test.
fn next_instance() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// Settings of node `n`, which knows those at `bootstrap`.
pub(crate) fn config(n: u8, bootstrap: &[Address]) -> Config {
    let mut config = Config::new([n; 32], next_instance(), FEDERATION);
    config.bootstrap = bootstrap.to_vec();
    config.timings = Timings {
        silence: Duration::from_secs(4),
        ping_interval: Duration::from_millis(300),
        dial_timeout: Duration::from_secs(3),
        redial_min: Duration::from_millis(50),
        redial_max: Duration::from_millis(200),
        bootstrap_max: Duration::from_millis(400),
        gossip_retry: Duration::from_millis(100),
        query_timeout: Duration::from_secs(5),
        ..Timings::default()
    };
    config
}

pub(crate) async fn start(
    ctx: &cw::Context,
    config: Config,
    tracked: impl Into<TrackedPeers<PublicKey>>,
) -> Node {
    start_with(ctx, config, tracked, NZUsize!(1_024))
        .await
        .expect("network starts")
}

pub(crate) async fn start_with(
    ctx: &cw::Context,
    config: Config,
    tracked: impl Into<TrackedPeers<PublicKey>>,
    backlog: NonZeroUsize,
) -> Result<Node, StartError> {
    let ctx = ctx.child("net").with_attribute("key", config.key[0]);
    let (mut network, mut oracle) = Network::new(ctx, config);
    let tracked = tracked.into();
    if tracked != TrackedPeers::default() {
        oracle.track(1, tracked);
    }
    let quota = Quota::per_second(NZU32!(1_000_000));
    let urgent = network.register(0, Class::Urgent, quota, backlog);
    let bulk = network.register(1, Class::Bulk, quota, NZUsize!(16));
    let validate = Arc::new(|message: &[u8]| match message.first() {
        Some(&INVALID) => Verdict::Reject,
        Some(_) => Verdict::Accept,
        None => Verdict::Ignore,
    });
    let topic = network.register_topic("operations", quota, NZUsize!(1_024), validate);
    let (key, status, discovery) = (
        network.public_key().clone(),
        network.status(),
        network.discovery(),
    );
    let running = network.start().await?;
    Ok(Node {
        key,
        listen: running.listen[0].clone(),
        oracle,
        status,
        discovery,
        urgent,
        bulk,
        topic,
        task: running.task,
    })
}

impl Node {
    /// Waits until the snapshot is as wanted.
    pub(crate) async fn wait(&mut self, what: &str, holds: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        match timeout(LIMIT, self.status.wait_for(holds)).await {
            Ok(snapshot) => snapshot,
            Err(_) => panic!("{what}: not in time; {:#?}", self.status.snapshot()),
        }
    }

    pub(crate) async fn wait_connected(&mut self, to: &PublicKey) {
        self.wait("connected", |s| s.peers.iter().any(|p| p.public_key == *to))
            .await;
    }

    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    pub(crate) fn is_connected(&self, to: &PublicKey) -> bool {
        self.status.snapshot().peers.iter().any(|p| p.public_key == *to)
    }
}

/// Waits until `holds`.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, waiting)
        .await
        .unwrap_or_else(|_| panic!("{what}: not in time"));
}

/// Sends to one peer as soon as there is a link, and waits until it arrives.
pub(crate) async fn pass(
    from: (&PublicKey, &mut Sender<cw::Context>),
    to: (&PublicKey, &mut Receiver),
    message: Vec<u8>,
) {
    let (sender, target) = (from.1, to.0);
    let sending = async {
        // A link that just broke may take a frame with it: say it again until it is heard.
        loop {
            sender.send(Recipients::One(target.clone()), message.clone(), true);
            sleep(Duration::from_millis(200)).await;
        }
    };
    let hearing = async {
        loop {
            let (peer, bytes) = to.1.recv().await.expect("network runs");
            if peer == *from.0 && bytes.as_ref() == message {
                return;
            }
        }
    };
    tokio::select! {
        () = sending => {}
        heard = timeout(LIMIT, hearing) => heard.expect("message in time"),
    }
}

/// Next message of a receiver.
pub(crate) async fn next(receiver: &mut Receiver) -> (PublicKey, Vec<u8>) {
    let (peer, bytes) = timeout(LIMIT, receiver.recv())
        .await
        .expect("message in time")
        .expect("network runs");
    (peer, bytes.as_ref().to_vec())
}
