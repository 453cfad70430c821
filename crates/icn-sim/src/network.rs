//! The protocol's connections over simulated links.
//!
//! All nodes are admitted to everything: who may connect to whom is `icn-net`'s business and not
//! simulated. Topics are channels to everybody, since gossip's own repair is not simulated either.
use crate::{
    federation::GENERATIONS,
    weather::{Fate, Sky, Weather},
};
use commonware_actor::{Feedback, Unreliable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    CheckedSender, LimitedSender, Manager as _, Recipients, Sender as _,
    simulated::{self, Control, Link, Manager, Oracle, Receiver, SplitTarget},
};
use commonware_runtime::{Clock as _, IoBufs, Quota, Spawner as _, Supervisor as _, deterministic::Context};
use commonware_utils::{NZU32, NZUsize, ordered::Set, probability, sync::Mutex};
use icn_model::{Millis, limits::MAX_LOG_BLOCK_BYTES};
use icn_protocol::{
    environment::{Connections, Network},
    time::now,
};
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Messages a second to one peer on one channel. Mailboxes are sized by it.
const QUOTA: Quota = Quota::per_second(NZU32!(512));
/// Votes, certificates, resolver, backfill, broadcast, blocks, credit, operations, bids.
const CHANNELS: usize = 9;
/// A good day: across a continent, without loss.
const LATENCY: Duration = Duration::from_millis(40);
const JITTER: Duration = Duration::from_millis(8);

type Wire = simulated::Sender<PublicKey, Context>;
type CheckedWire<'a> = <Wire as LimitedSender>::Checked<'a>;

/// Sends from one node on one channel, to everybody or only to some, through the weather.
#[derive(Clone)]
pub struct Sender {
    wire: Wire,
    from: usize,
    /// The nodes that it reaches.
    reach: Arc<[usize]>,
    book: Arc<Book>,
    sky: Arc<Mutex<Sky>>,
    context: Arc<Context>,
}

/// A message about to be sent, with what becomes of it on each link.
pub struct Checked<'a> {
    prompt: Option<CheckedWire<'a>>,
    late: Vec<(PublicKey, Millis)>,
    lost: Vec<PublicKey>,
    wire: Wire,
    context: Arc<Context>,
}

impl LimitedSender for Sender {
    type PublicKey = PublicKey;
    type Checked<'a> = Checked<'a>;

    fn check(&mut self, recipients: Recipients<PublicKey>) -> Result<Checked<'_>, SystemTime> {
        let is_reached = |key: &PublicKey| self.book.node(key).is_some_and(|node| self.reach.contains(&node));
        let keys: Vec<_> = match recipients {
            Recipients::All => self.reach.iter().map(|node| self.book.key(*node)).collect(),
            Recipients::Some(keys) => keys.into_iter().filter(is_reached).collect(),
            Recipients::One(key) => [key].into_iter().filter(is_reached).collect(),
        };
        let (mut prompt, mut late, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        let mut sky = self.sky.lock();
        for key in keys {
            match sky.fate(self.from, &key, now(self.context.as_ref())) {
                Fate::Prompt => prompt.push(key),
                Fate::Late(delay) => late.push((key, delay)),
                Fate::Lost => lost.push(key),
            }
        }
        drop(sky);
        let wire = self.wire.clone();
        let prompt = if prompt.is_empty() {
            None
        } else {
            Some(self.wire.check(Recipients::Some(prompt))?)
        };
        Ok(Checked {
            prompt,
            late,
            lost,
            wire,
            context: self.context.clone(),
        })
    }
}

impl CheckedSender for Checked<'_> {
    type PublicKey = PublicKey;

    /// A sender cannot tell what gets lost.
    fn recipients(&self) -> Vec<PublicKey> {
        let prompt = self.prompt.iter().flat_map(CheckedSender::recipients);
        prompt
            .chain(self.late.iter().map(|(key, _)| key.clone()))
            .chain(self.lost.iter().cloned())
            .collect()
    }

    fn send(self, message: impl Into<IoBufs> + Send, priority: bool) -> Unreliable<Feedback> {
        let message = message.into().coalesce();
        for (key, delay) in self.late {
            let (mut wire, message) = (self.wire.clone(), message.clone());
            self.context.child("late").spawn(move |context| async move {
                context.sleep(Duration::from_millis(delay.get())).await;
                wire.send(Recipients::One(key), message, priority);
            });
        }
        match self.prompt {
            Some(prompt) => prompt.send(message, priority),
            None => Unreliable::new(Feedback::Ok),
        }
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

/// Which keys the nodes have, and which of them now.
struct Book {
    keys: Vec<[PublicKey; GENERATIONS]>,
    places: BTreeMap<PublicKey, usize>,
    generations: Mutex<Vec<usize>>,
}

impl Book {
    fn new(keys: Vec<[PublicKey; GENERATIONS]>) -> Self {
        let places = keys.iter().enumerate();
        Self {
            places: places
                .flat_map(|(node, keys)| keys.iter().map(move |key| (key.clone(), node)))
                .collect(),
            generations: Mutex::new(vec![0; keys.len()]),
            keys,
        }
    }

    /// The key that a node has now.
    fn key(&self, node: usize) -> PublicKey {
        self.keys[node][self.generations.lock()[node]].clone()
    }

    fn node(&self, key: &PublicKey) -> Option<usize> {
        self.places.get(key).copied()
    }

    fn nodes(&self) -> usize {
        self.keys.len()
    }
}

/// Two halves of the other nodes: what each of two nodes with one key talks to.
#[derive(Clone, Debug)]
pub struct Halves {
    /// The first one's.
    pub left: Arc<[usize]>,
    /// The second one's.
    pub right: Arc<[usize]>,
    /// Whether votes and proposals go to everybody all the same, for all to see the contradictions.
    pub loud: bool,
}

/// The network of a federation.
pub struct Net {
    oracle: Oracle<PublicKey, Context>,
    book: Arc<Book>,
    sky: Arc<Mutex<Sky>>,
    context: Arc<Context>,
    /// Number of the set of peers that is tracked.
    set: u64,
}

impl Net {
    /// Starts a network among nodes that have the first of their `keys` each, on a good day.
    pub async fn start(context: Context, seed: u64, keys: Vec<[PublicKey; GENERATIONS]>) -> Self {
        let book = Arc::new(Book::new(keys));
        let config = simulated::Config {
            // A block with its length, and the envelope around it.
            max_size: u32::try_from(MAX_LOG_BLOCK_BYTES + 4_096).expect("a block is smaller than 4 GiB"),
            max_peers_per_set: NonZeroUsize::new(book.nodes()).unwrap_or(NonZeroUsize::MIN),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let (network, oracle) = simulated::Network::new(context.child("network"), config);
        network.start();
        let sky = Arc::new(Mutex::new(Sky::new(seed, book.places.clone(), book.nodes())));
        let net = Self {
            oracle,
            book,
            sky,
            context: Arc::new(context),
            set: 0,
        };
        net.track();
        // Links stay for the whole run: the runtime has ports for some thousands of them, and no more.
        for from in 0..net.book.nodes() {
            for to in from + 1..net.book.nodes() {
                net.link(net.book.key(from), net.book.key(to)).await;
            }
        }
        net
    }

    fn track(&self) {
        let keys = (0..self.book.nodes()).map(|node| self.book.key(node));
        self.oracle.manager().track(self.set, Set::from_iter_dedup(keys));
    }

    async fn link(&self, a: PublicKey, b: PublicKey) {
        for (from, to) in [(a.clone(), b.clone()), (b, a)] {
            let link = Link {
                latency: LATENCY,
                jitter: JITTER,
                success_rate: probability!(1.0),
            };
            let linked = self.oracle.add_link(from, to, link).await;
            linked.expect("no link was there before");
        }
    }

    /// Gives a node its next key: from now on the others reach it by that one.
    pub async fn turn(&mut self, at: usize) {
        self.book.generations.lock()[at] += 1;
        self.set += 1;
        self.track();
        for other in (0..self.book.nodes()).filter(|other| *other != at) {
            self.link(self.book.key(at), self.book.key(other)).await;
        }
    }

    /// Sets the weather on one direction of one link.
    pub fn set(&self, from: usize, to: usize, weather: Weather) {
        self.sky.lock().set(from, to, weather);
    }

    /// Makes it a good day.
    pub fn clear_up(&self) {
        self.sky.lock().clear_up();
    }

    /// Who has shut out whom, as indices.
    pub async fn blocked(&self) -> Vec<(usize, usize)> {
        let pairs = self
            .oracle
            .blocked()
            .await
            .expect("the network runs as long as the simulation");
        pairs
            .iter()
            .filter_map(|(from, to)| Some((self.book.node(from)?, self.book.node(to)?)))
            .collect()
    }

    /// Lets somebody in again who was shut out, as an operator does after a repair.
    pub async fn unblock(&self, from: usize, to: usize) {
        for from in &self.book.keys[from] {
            for to in &self.book.keys[to] {
                let unblocked = self.oracle.unblock(from.clone(), to.clone()).await;
                unblocked.expect("the network runs as long as the simulation");
            }
        }
    }

    /// Connects the node `at`, and cuts off a former life of it.
    pub async fn connect(&self, at: usize) -> Connections<Simulated> {
        let (wires, receivers) = self.register(at).await;
        let senders = wires
            .into_iter()
            .map(|wire| self.sender(at, wire, &self.everybody()))
            .collect();
        self.connections(at, senders, receivers)
    }

    /// Connects two nodes with the key of the node `at`.
    pub async fn connect_twins(&self, at: usize, halves: &Halves) -> [Connections<Simulated>; 2] {
        let (wires, receivers) = self.register(at).await;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for receiver in receivers {
            let (of_left, book) = (halves.left.clone(), self.book.clone());
            let split = receiver.split_with(self.context.child("twins"), move |(from, _)| {
                if book.node(from).is_some_and(|node| of_left.contains(&node)) {
                    SplitTarget::Primary
                } else {
                    SplitTarget::Secondary
                }
            });
            left.push(split.0);
            right.push(split.1);
        }
        let everybody = self.everybody();
        let senders = |half: &Arc<[usize]>| -> Vec<Sender> {
            let is_loud = |channel| halves.loud && matches!(channel, VOTES | BROADCAST);
            let reach = |channel| if is_loud(channel) { &everybody } else { half };
            let wires = wires.iter().enumerate();
            wires
                .map(|(channel, wire)| self.sender(at, wire.clone(), reach(channel)))
                .collect()
        };
        [
            self.connections(at, senders(&halves.left), left),
            self.connections(at, senders(&halves.right), right),
        ]
    }

    async fn register(&self, at: usize) -> (Vec<Wire>, Vec<Receiver<PublicKey>>) {
        let control = self.oracle.control(self.book.key(at));
        let (mut wires, mut receivers) = (Vec::new(), Vec::new());
        for channel in 0..CHANNELS as u64 {
            let registered = control.register(channel, QUOTA).await;
            let (wire, receiver) = registered.expect("the network runs as long as the simulation");
            wires.push(wire);
            receivers.push(receiver);
        }
        (wires, receivers)
    }

    fn everybody(&self) -> Arc<[usize]> {
        (0..self.book.nodes()).collect()
    }

    fn sender(&self, from: usize, wire: Wire, reach: &Arc<[usize]>) -> Sender {
        let reach = reach.iter().filter(|node| **node != from).copied().collect();
        Sender {
            wire,
            from,
            reach,
            book: self.book.clone(),
            sky: self.sky.clone(),
            context: self.context.clone(),
        }
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
            credit: next(),
            operations: next(),
            bids: next(),
            peers: self.oracle.manager(),
            blocker: self.oracle.control(self.book.key(at)),
            admit: Box::new(|_| {}),
        }
    }
}

/// Places in the order of [`Connections`].
const VOTES: usize = 0;
const BROADCAST: usize = 4;
