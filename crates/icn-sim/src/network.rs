//! The protocol's connections over simulated links, and the weather on those links.
//!
//! All nodes are admitted to everything: who may connect to whom is `icn-net`'s business and not
//! simulated. Topics are channels to everybody, since gossip's own repair is not simulated either.
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    LimitedSender, Manager as _, Recipients,
    simulated::{self, Control, Link, Manager, Oracle, Receiver, SplitTarget},
};
use commonware_runtime::{Quota, Supervisor as _, deterministic::Context};
use commonware_utils::{NZU32, NZUsize, Probability, ordered::Set};
use icn_model::limits::MAX_LOG_BLOCK_BYTES;
use icn_protocol::environment::{Connections, Network};
use std::{
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Messages a second to one peer on one channel. Mailboxes are sized by it.
const QUOTA: Quota = Quota::per_second(NZU32!(512));
/// Votes, certificates, resolver, backfill, broadcast, blocks, operations, bids.
const CHANNELS: usize = 8;

type Wire = simulated::Sender<PublicKey, Context>;

/// Sends to everybody, or only to some.
#[derive(Clone, Debug)]
pub struct Sender {
    wire: Wire,
    reach: Option<Arc<[PublicKey]>>,
}

impl LimitedSender for Sender {
    type PublicKey = PublicKey;
    type Checked<'a> = <Wire as LimitedSender>::Checked<'a>;

    fn check(&mut self, recipients: Recipients<PublicKey>) -> Result<Self::Checked<'_>, SystemTime> {
        let recipients = match (&self.reach, recipients) {
            (None, recipients) => recipients,
            (Some(reach), Recipients::All) => Recipients::Some(reach.to_vec()),
            (Some(reach), Recipients::Some(keys)) => {
                Recipients::Some(keys.into_iter().filter(|key| reach.contains(key)).collect())
            }
            (Some(reach), Recipients::One(key)) if reach.contains(&key) => Recipients::One(key),
            (Some(_), Recipients::One(_)) => Recipients::Some(Vec::new()),
        };
        self.wire.check(recipients)
    }
}

/// The simulated network, as the protocol sees it.
pub struct Simulated;

impl Network for Simulated {
    type Sender = Sender;
    type Receiver = Receiver<PublicKey>;
    type TopicSender = Sender;
    type TopicReceiver = Receiver<PublicKey>;
    type Peers = Manager<PublicKey, Context>;
    type Blocker = Control<PublicKey, Context>;
}

/// Two halves of the other nodes: what each of two nodes with one key talks to.
#[derive(Clone, Debug)]
pub struct Halves {
    /// The first one's.
    pub left: Arc<[PublicKey]>,
    /// The second one's.
    pub right: Arc<[PublicKey]>,
    /// Whether votes and proposals go to everybody all the same, for all to see the contradictions.
    pub loud: bool,
}

/// How a link behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Mean of the delay.
    pub latency_ms: u64,
    /// Its standard deviation.
    pub jitter_ms: u64,
    /// Messages of a thousand that arrive.
    pub arriving: u64,
}

impl Weather {
    /// A good day: across a continent, without loss.
    pub const FAIR: Self = Self {
        latency_ms: 40,
        jitter_ms: 8,
        arriving: 1_000,
    };
}

/// The network of a federation.
#[derive(Clone)]
pub struct Net {
    oracle: Oracle<PublicKey, Context>,
    keys: Arc<[PublicKey]>,
}

impl Net {
    /// Starts a network among the nodes of `keys`, without any links.
    pub fn start(context: &Context, keys: Arc<[PublicKey]>) -> Self {
        let config = simulated::Config {
            // A block with its length, and the envelope around it.
            max_size: u32::try_from(MAX_LOG_BLOCK_BYTES + 4_096).expect("a block is smaller than 4 GiB"),
            max_peers_per_set: NonZeroUsize::new(keys.len()).unwrap_or(NonZeroUsize::MIN),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let (network, oracle) = simulated::Network::new(context.child("network"), config);
        network.start();
        oracle
            .manager()
            .track(0, Set::from_iter_dedup(keys.iter().cloned()));
        Self { oracle, keys }
    }

    /// Sets one direction of one link; none cuts it.
    pub async fn set(&self, from: usize, to: usize, weather: Option<Weather>) {
        let (from, to) = (self.keys[from].clone(), self.keys[to].clone());
        // Fails if there is no link, which is what is wanted.
        let _ = self.oracle.remove_link(from.clone(), to.clone()).await;
        let Some(weather) = weather else { return };
        let link = Link {
            latency: Duration::from_millis(weather.latency_ms),
            jitter: Duration::from_millis(weather.jitter_ms),
            success_rate: Probability::new(weather.arriving.min(1_000), 1_000)
                .expect("at most a thousand of a thousand"),
        };
        self.oracle
            .add_link(from, to, link)
            .await
            .expect("the network runs as long as the simulation");
    }

    /// Who has shut out whom, as indices.
    pub async fn blocked(&self) -> Vec<(usize, usize)> {
        let place = |key: &PublicKey| self.keys.iter().position(|other| other == key);
        let pairs = self
            .oracle
            .blocked()
            .await
            .expect("the network runs as long as the simulation");
        pairs
            .iter()
            .filter_map(|(from, to)| Some((place(from)?, place(to)?)))
            .collect()
    }

    /// Lets somebody in again who was shut out, as an operator does after a repair.
    pub async fn unblock(&self, from: usize, to: usize) {
        let (from, to) = (self.keys[from].clone(), self.keys[to].clone());
        self.oracle
            .unblock(from, to)
            .await
            .expect("the network runs as long as the simulation");
    }

    /// Connects the node `at`, and cuts off a former life of it.
    pub async fn connect(&self, at: usize) -> Connections<Simulated> {
        let (senders, receivers) = self.register(at).await;
        let senders = senders
            .into_iter()
            .map(|wire| Sender { wire, reach: None })
            .collect();
        self.connections(at, senders, receivers)
    }

    /// Connects two nodes with the key of the node `at`.
    pub async fn connect_twins(
        &self,
        context: &Context,
        at: usize,
        halves: &Halves,
    ) -> [Connections<Simulated>; 2] {
        let (wires, receivers) = self.register(at).await;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for receiver in receivers {
            let of_left = halves.left.clone();
            let split = receiver.split_with(context.child("twins"), move |(from, _)| {
                if of_left.contains(from) {
                    SplitTarget::Primary
                } else {
                    SplitTarget::Secondary
                }
            });
            left.push(split.0);
            right.push(split.1);
        }
        let senders = |half: &Arc<[PublicKey]>| -> Vec<Sender> {
            let reach =
                |channel| (!(halves.loud && matches!(channel, VOTES | BROADCAST))).then(|| half.clone());
            wires
                .iter()
                .enumerate()
                .map(|(channel, wire)| Sender {
                    wire: wire.clone(),
                    reach: reach(channel),
                })
                .collect()
        };
        [
            self.connections(at, senders(&halves.left), left),
            self.connections(at, senders(&halves.right), right),
        ]
    }

    async fn register(&self, at: usize) -> (Vec<Wire>, Vec<Receiver<PublicKey>>) {
        let control = self.oracle.control(self.keys[at].clone());
        let (mut senders, mut receivers) = (Vec::new(), Vec::new());
        for channel in 0..CHANNELS as u64 {
            let registered = control.register(channel, QUOTA).await;
            let (sender, receiver) = registered.expect("the network runs as long as the simulation");
            senders.push(sender);
            receivers.push(receiver);
        }
        (senders, receivers)
    }

    fn connections(
        &self,
        at: usize,
        senders: Vec<Sender>,
        receivers: Vec<Receiver<PublicKey>>,
    ) -> Connections<Simulated> {
        let mut ends = senders.into_iter().zip(receivers);
        let mut next = || ends.next().expect("every channel has been registered");
        Connections {
            votes: next(),
            certificates: next(),
            resolver: next(),
            backfill: next(),
            broadcast: next(),
            blocks: next(),
            operations: next(),
            bids: next(),
            peers: self.oracle.manager(),
            blocker: self.oracle.control(self.keys[at].clone()),
            admit: Box::new(|_, _| {}),
        }
    }
}

/// Places in the order of [`Connections`].
const VOTES: usize = 0;
const BROADCAST: usize = 4;
