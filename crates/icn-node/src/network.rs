//! The protocol's connections over the node's one swarm.
use crate::{
    config::{self, Config},
    federation::Membership,
    listen,
};
use anyhow::ensure;
use commonware_cryptography::Signer as _;
use commonware_p2p::{Manager as _, TrackedPeers};
use commonware_runtime::{Clock, Handle, Metrics, Quota, Spawner};
use commonware_utils::{NZU32, NZUsize};
use icn_model::SecretKey;
use icn_net::{Class, Network, NetworkStatus, Oracle, Presence, StartError, Validator, Verdict};
use icn_protocol::{
    environment::{self, Admission, Connections},
    gossip, keys, market,
};
use std::{marker::PhantomData, net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};
use tokio::time::timeout;

/// Characters of the log's id that tell federations apart on the network.
const FEDERATION_TAG: usize = 16;
/// Messages a second from one peer on one channel.
const QUOTA: Quota = Quota::per_second(NZU32!(4_096));
/// How long a starting node waits for the first peer to say whether its key is in use, and for more of them after it.
const FIRST_ANSWER: Duration = Duration::from_secs(3);
const MORE_ANSWERS: Duration = Duration::from_secs(1);
/// Arrivals that wait on a channel of small messages.
const URGENT_BACKLOG: NonZeroUsize = NZUsize!(4_096);
/// Arrivals that wait on a channel of blocks.
const BULK_BACKLOG: NonZeroUsize = NZUsize!(64);

/// The protocol's network over icn-net.
pub(crate) struct Mesh<E>(PhantomData<fn() -> E>);

impl<E: Clock + Send + Sync + 'static> environment::Network for Mesh<E> {
    type Sender = icn_net::Sender<E>;
    type Receiver = icn_net::Receiver;
    type TopicSender = icn_net::TopicSender<E>;
    type TopicReceiver = icn_net::TopicReceiver;
    type Peers = Oracle;
    type Blocker = Oracle;
}

/// What the network is told by the configuration and by the federation.
///
/// # Errors
/// If an address is none, or a federation of several is to do without a network.
pub(crate) fn configured(
    config: &Config,
    membership: &Membership,
    key: &SecretKey,
) -> anyhow::Result<icn_net::Config> {
    let alone = membership.genesis.founders.len() == 1 && membership.application.is_none();
    ensure!(
        config.network.p2p_enabled || alone,
        "network.p2p_enabled = false is for a federation of one, and {} has more seats: take it out",
        membership.genesis.name
    );
    let tag: String = membership
        .genesis
        .log()
        .digest()
        .to_string()
        .chars()
        .take(FEDERATION_TAG)
        .collect();
    let mut network = icn_net::Config::new(key.seed(), instance()?, tag);
    let timings = &mut network.timings;
    timings.dial_timeout = Duration::from_secs(config.network.connection_timeout);
    timings.redial_min = Duration::from_millis(config.network.retry_initial_delay_ms);
    timings.redial_max = Duration::from_millis(config.network.retry_max_delay_ms);
    timings.bootstrap_max = timings.bootstrap_max.max(timings.redial_max);
    let listen = match config.p2p_address()? {
        _ if !config.network.p2p_enabled => Vec::new(),
        Some(address) => vec![address],
        None if config.runtime.test_mode => {
            vec![icn_net::Address::from(SocketAddr::new(
                config::DEFAULT_P2P.ip(),
                0,
            ))]
        }
        None => vec![icn_net::Address::from(listen::free_port(config::DEFAULT_P2P)?)],
    };
    let addresses = |key, list: &[String]| -> anyhow::Result<Vec<icn_net::Address>> {
        list.iter().map(|text| Ok(config::address(key, text)?)).collect()
    };
    network.listen = listen;
    network.announce = addresses("network.announce_addrs", &config.network.announce_addrs)?;
    network.bootstrap = addresses("network.bootstrap_peers", &config.network.bootstrap_peers)?;
    network
        .bootstrap
        .extend(addresses("the invitation's addresses", &membership.addresses)?);
    network.max_peers = config.network.max_peers;
    network.mdns = config.network.mdns;
    network.agent = concat!("icn-node/", env!("CARGO_PKG_VERSION")).into();
    Ok(network)
}

/// The peer id of a key, as text.
pub(crate) fn peer_name(key: &SecretKey) -> String {
    icn_net::peer_name(&keys::private(key).public_key())
}

/// A number that no other process has.
fn instance() -> anyhow::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(u64::from_be_bytes(bytes))
}

/// Waits until enough of `others` seats have looked whether another process runs with this node's key. A node that
/// reaches nobody goes on after a while: it orders nothing alone.
///
/// # Errors
/// If there is one.
pub(crate) async fn be_the_only_one(status: &NetworkStatus, others: usize) -> anyhow::Result<()> {
    let mut presence = status.presence();
    let enough = others.div_ceil(2);
    let verdict = async {
        let known = |presence: &Presence| presence.has_twin || !presence.alone.is_empty();
        let _ = presence.wait_for(known).await;
        let known = |presence: &Presence| presence.has_twin || presence.alone.len() >= enough;
        let _ = timeout(MORE_ANSWERS, presence.wait_for(known)).await;
    };
    let _ = timeout(FIRST_ANSWER, verdict).await;
    ensure!(
        !presence.borrow().has_twin,
        "another process runs with this node's key. Two nodes with one key contradict each other, and the others shut \
         out both: stop the other one, or make a new identity for this one (another data directory)"
    );
    Ok(())
}

/// A started network.
pub(crate) struct Started<E: Clock + Spawner + Metrics> {
    /// For the protocol.
    pub(crate) connections: Connections<Mesh<E>>,
    /// What can be seen of it.
    pub(crate) status: NetworkStatus,
    /// Where it listens, without the peer id.
    pub(crate) listen: Vec<icn_net::Address>,
    /// Ends all of it when it is aborted.
    pub(crate) swarm: Handle<()>,
}

/// Starts the swarm with every channel of the protocol.
///
/// # Errors
/// If it cannot listen where it is told to.
pub(crate) async fn start<E>(context: E, config: icn_net::Config) -> Result<Started<E>, StartError>
where
    E: Clock + Spawner + Metrics,
{
    let (mut network, oracle) = Network::new(context, config);
    let status = network.status();
    let mut channel = |number, class| {
        let backlog = if class == Class::Urgent {
            URGENT_BACKLOG
        } else {
            BULK_BACKLOG
        };
        network.register(number, class, QUOTA, backlog)
    };
    let votes = channel(0, Class::Urgent);
    let certificates = channel(1, Class::Urgent);
    let resolver = channel(2, Class::Urgent);
    let backfill = channel(3, Class::Bulk);
    let broadcast = channel(4, Class::Bulk);
    let blocks = channel(5, Class::Bulk);
    let credit = channel(6, Class::Urgent);
    let operations = network.register_topic(
        "operations",
        QUOTA,
        URGENT_BACKLOG,
        plausible(gossip::is_plausible),
    );
    let bids = network.register_topic("bids", QUOTA, URGENT_BACKLOG, plausible(market::is_plausible));
    let running = network.start().await?;

    let mut manager = oracle.clone();
    let mut set = 0;
    let admit = move |admission: Admission| {
        set += 1;
        manager.succeed(admission.successors);
        manager.track(set, TrackedPeers::new(admission.seats, admission.followers));
    };
    let connections = Connections {
        votes,
        certificates,
        resolver,
        backfill,
        broadcast,
        blocks,
        credit,
        operations,
        bids,
        peers: oracle.clone(),
        blocker: oracle,
        admit: Box::new(admit),
    };
    Ok(Started {
        connections,
        status,
        listen: running.listen,
        swarm: running.task,
    })
}

fn plausible(check: fn(&[u8]) -> bool) -> Validator {
    Arc::new(move |message| {
        if check(message) {
            Verdict::Accept
        } else {
            Verdict::Reject
        }
    })
}
