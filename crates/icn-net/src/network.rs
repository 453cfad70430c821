//! Puts the network together: register channels and topics, then start.
use crate::{
    actor::{Actor, Shared},
    address::Address,
    behaviour::{Behaviour, streams::OpenRequest},
    channel::{Links, Receiver, Sender, Unlimited},
    class::Class,
    config::Config,
    discovery::{self, Discovery},
    error::StartError,
    identity,
    link::Inbound,
    oracle::Oracle,
    roster::Roster,
    status::{Board, NetworkStatus},
    topic::{Outbox, Topic, TopicReceiver, TopicSender, Validator},
    transport,
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_runtime::{Clock, Handle, Metrics, Quota, Spawner};
use commonware_utils::channel::mpsc;
use libp2p::{Swarm, TransportError, core::transport::ListenerId, swarm};
use std::{
    collections::{HashMap, HashSet},
    io,
    net::TcpListener,
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// How long listeners may take to report their addresses.
const BIND_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that no protocol uses is closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests for streams that wait for the swarm; each writer has at most one.
const OPEN_BACKLOG: usize = 64;

/// The network before its start.
pub struct Network<E> {
    ctx: E,
    config: Config,
    me: PublicKey,
    board: Board,
    status: NetworkStatus,
    roster: Arc<Roster>,
    links: Links,
    channels: HashMap<u8, Inbound>,
    topics: HashMap<&'static str, Topic>,
    gossip_ready: Arc<Notify>,
    discovery: Discovery,
    requests: mpsc::Receiver<discovery::Request>,
}

/// The running network.
pub struct Running {
    /// The swarm task. It ends when aborted or when the runtime stops, never by itself.
    pub task: Handle<()>,
    /// Bound addresses, without the peer id.
    pub listen: Vec<Address>,
}

impl<E: Clock + Spawner + Metrics> Network<E> {
    /// Prepares a network; nothing runs yet, but the oracle can be used.
    pub fn new(ctx: E, config: Config) -> (Self, Oracle) {
        let id = identity::keypair(&config.key).public().to_peer_id();
        let me = identity::public_key(&id).expect("the keypair is ed25519");
        let roster = Arc::new(Roster::new(me.clone(), config.timings.block_for));
        let (board, status) = Board::new(me.clone(), config.announce.clone());
        let (asking, requests) = mpsc::channel(discovery::REQUEST_BACKLOG);
        let network = Self {
            ctx,
            config,
            me,
            board,
            status,
            roster: roster.clone(),
            links: Links::default(),
            channels: HashMap::new(),
            topics: HashMap::new(),
            gossip_ready: Arc::default(),
            discovery: Discovery { requests: asking },
            requests,
        };
        (network, Oracle { roster })
    }

    /// Key of this node.
    pub const fn public_key(&self) -> &PublicKey {
        &self.me
    }

    /// Handle on what the network does.
    pub fn status(&self) -> NetworkStatus {
        self.status.clone()
    }

    /// Handle for announcing and finding blocks.
    pub fn discovery(&self) -> Discovery {
        self.discovery.clone()
    }

    /// Registers a channel between tracked peers. `quota` limits what is sent to each peer and what
    /// each peer may send; `backlog` limits the arrivals that wait for the consumer.
    ///
    /// # Panics
    /// If the channel is registered already.
    pub fn register(
        &mut self,
        channel: u8,
        class: Class,
        quota: Quota,
        backlog: NonZeroUsize,
    ) -> (Sender<E>, Receiver) {
        let (arrivals, queue) = mpsc::channel(backlog.get());
        let inbound = Inbound {
            class,
            quota,
            queue: arrivals,
        };
        let fresh = self.channels.insert(channel, inbound).is_none();
        assert!(fresh, "channel {channel} is registered twice");
        let sender = Unlimited {
            channel,
            class,
            max_message: self.config.max_message,
            links: self.links.clone(),
            counters: self.board.counters.clone(),
        };
        let clock = self.ctx.child("channel_quota");
        (
            Sender::new(sender, quota, clock),
            Receiver {
                queue,
                capacity: backlog,
            },
        )
    }

    /// Registers a gossip topic of the federation. `quota` limits what is published, and, times
    /// sixteen, what each peer may pass on; `backlog` limits the arrivals that wait for the consumer.
    /// `validate` runs on every arrival, see [`Validator`].
    ///
    /// # Panics
    /// If the topic is registered already.
    pub fn register_topic(
        &mut self,
        topic: &'static str,
        quota: Quota,
        backlog: NonZeroUsize,
        validate: Validator,
    ) -> (TopicSender<E>, TopicReceiver) {
        let (inbox, queue) = mpsc::channel(backlog.get());
        let outbox = Outbox::new(topic, self.gossip_ready.clone(), self.board.counters.clone());
        let outbox = Arc::new(outbox);
        let registered = Topic {
            name: topic,
            outbox: outbox.clone(),
            inbox,
            quota,
            validate,
        };
        let fresh = self.topics.insert(topic, registered).is_none();
        assert!(fresh, "topic {topic:?} is registered twice");
        let clock = self.ctx.child("topic_quota");
        (
            TopicSender::new(outbox, quota, clock),
            Receiver {
                queue,
                capacity: backlog,
            },
        )
    }

    /// Binds the listen addresses and starts the swarm task. Needs the commonware tokio runtime, which
    /// is a plain tokio runtime.
    ///
    /// # Errors
    /// A setting cannot work, an address cannot be bound, or the system refuses multicast.
    pub async fn start(self) -> Result<Running, StartError> {
        self.config.check()?;
        let (open, opening) = mpsc::channel(OPEN_BACKLOG);
        let mut swarm = swarm(&self.config, &self.topics, opening)?;
        let listeners = listen(&mut swarm, &self.config.listen)?;
        for address in &self.config.announce {
            swarm.add_external_address(address.bare());
        }
        let shared = Shared {
            config: self.config,
            board: self.board,
            roster: self.roster,
            links: self.links,
            channels: Arc::new(self.channels),
            gossip_ready: self.gossip_ready,
            open,
            requests: self.requests,
        };
        let mut actor = Box::new(Actor::new(shared, swarm, self.topics));
        let wanted: HashSet<ListenerId> = listeners.keys().copied().collect();
        if timeout(BIND_TIMEOUT, actor.bind(&wanted)).await.is_err()
            && let Some((_, address)) = listeners.into_iter().find(|(id, _)| !actor.is_bound(id))
        {
            return Err(StartError::NotBound {
                address,
                timeout_ms: BIND_TIMEOUT.as_secs() * 1_000,
            });
        }
        let listen = actor.board().listen_addresses();
        let task = self
            .ctx
            .spawn(|ctx| Box::pin(async move { Box::pin(actor.run(ctx.stopped())).await }));
        Ok(Running { task, listen })
    }
}

fn swarm(
    config: &Config,
    topics: &HashMap<&'static str, Topic>,
    opening: mpsc::Receiver<OpenRequest>,
) -> Result<Swarm<Behaviour>, StartError> {
    let keypair = identity::keypair(&config.key);
    let timings = &config.timings;
    let transport = transport::build(&keypair, timings.silence, timings.dial_timeout).map_err(|error| {
        StartError::Settings {
            what: "handshake",
            reason: error.to_string(),
        }
    })?;
    let behaviour = Behaviour::new(config, &keypair, topics, opening)?;
    let settings = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
    Ok(Swarm::new(
        transport,
        behaviour,
        keypair.public().to_peer_id(),
        settings,
    ))
}

/// Binds every address, or none.
fn listen(
    swarm: &mut Swarm<Behaviour>,
    addresses: &[Address],
) -> Result<HashMap<ListenerId, Address>, StartError> {
    let error = |address: &Address, source| StartError::Listen {
        address: address.clone(),
        source,
    };
    // All before the first is bound: the probe of an IPv6 address also covers IPv4.
    for address in addresses {
        probe(address).map_err(|source| error(address, source))?;
    }
    let mut listeners = HashMap::new();
    for address in addresses {
        let id = swarm.listen_on(address.bare()).map_err(|cause| match cause {
            TransportError::Other(source) => error(address, source),
            TransportError::MultiaddrNotSupported(_) => error(address, io::ErrorKind::Unsupported.into()),
        })?;
        listeners.insert(id, address.clone());
    }
    Ok(listeners)
}

/// Fails if somebody listens there. The transport would not: it shares ports on purpose
/// (`SO_REUSEPORT`), and two nodes of one user would each get half of the connections.
fn probe(address: &Address) -> io::Result<()> {
    match address.socket_addr() {
        Some(socket) if socket.port() != 0 => TcpListener::bind(socket).map(drop),
        Some(_) => Ok(()),
        None => Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "a name cannot be listened on, only an ip address",
        )),
    }
}
