//! The protocols of the swarm, put together, with the settings that differ from the libraries' defaults.
pub(crate) mod gossip;
pub(crate) mod guard;
pub(crate) mod handler;
pub(crate) mod presence;
pub(crate) mod streams;

use crate::{config::Config, discovery, error::StartError, topic::Topic};
use gossip::GossipBehaviour;
use guard::{Guard, Limits};
use libp2p::{
    PeerId, StreamProtocol, identify,
    identity::Keypair,
    kad, mdns, ping,
    swarm::{NetworkBehaviour, behaviour::toggle::Toggle},
};
use presence::Presence;
use std::{collections::HashMap, time::Duration};
use streams::{OpenRequest, Streams};
use tokio::sync::mpsc;

/// Keys for which provider records are stored, own and others'.
const MAX_STORED_KEYS: usize = 65_536;
/// Largest message of the hash table, bytes.
const MAX_KAD_PACKET_BYTES: usize = 16 << 10;
/// How often the hash table looks for nodes that it does not know.
const KAD_REFRESH: Duration = Duration::from_secs(60);
/// How often the local network is asked, and how long an answer is believed.
const MDNS_QUERY: Duration = Duration::from_secs(30);
const MDNS_TTL: Duration = Duration::from_secs(120);

/// All protocols. `guard` comes first: what it refuses reaches no other.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) guard: Guard,
    pub(crate) streams: Streams,
    pub(crate) presence: Presence,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) kad: kad::Behaviour<kad::store::MemoryStore>,
    pub(crate) gossip: GossipBehaviour,
    pub(crate) mdns: Toggle<mdns::tokio::Behaviour>,
}

/// Name of one protocol of one federation.
pub(crate) fn protocol(federation: &str, rest: &str) -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/icn/{federation}/{rest}"))
        .expect("a protocol name may be any text that starts with a slash, as this one does")
}

impl Behaviour {
    pub(crate) fn new(
        config: &Config,
        keypair: &Keypair,
        topics: &HashMap<&'static str, Topic>,
        open: mpsc::Receiver<OpenRequest>,
    ) -> Result<Self, StartError> {
        let me = keypair.public().to_peer_id();
        Ok(Self {
            guard: Guard::new(Limits {
                max_peers: config.max_peers,
                max_per_ip: config.max_peers_per_ip,
            }),
            streams: Streams::new(&config.federation, config.timings.dial_timeout, open),
            presence: Presence::new(&config.federation, keypair, config.instance),
            identify: identify::Behaviour::new(
                // Addresses are kept by the swarm task, which forgets those that answer with a wrong key.
                identify::Config::new("/icn/1".into(), keypair.public())
                    .with_agent_version(config.agent.clone())
                    .with_cache_size(0)
                    .with_hide_listen_addrs(!config.announce.is_empty())
                    .with_push_listen_addr_updates(true),
            ),
            ping: ping::Behaviour::new(
                ping::Config::new()
                    .with_interval(config.timings.ping_interval)
                    .with_timeout(config.timings.silence),
            ),
            kad: kad(config, me),
            gossip: gossip::behaviour(&config.federation, topics)?,
            mdns: local_discovery(config.mdns, me)?.into(),
        })
    }
}

/// Peers and providers. No values are stored for anybody: those belong in signed blocks.
fn kad(config: &Config, me: PeerId) -> kad::Behaviour<kad::store::MemoryStore> {
    let store = kad::store::MemoryStoreConfig {
        max_records: 0,
        max_value_bytes: 0,
        max_providers_per_key: discovery::MAX_PROVIDERS + 4,
        max_provided_keys: MAX_STORED_KEYS,
    };
    let mut settings = kad::Config::new(protocol(&config.federation, "kad/1"));
    settings
        .set_max_packet_size(MAX_KAD_PACKET_BYTES)
        .set_periodic_bootstrap_interval(Some(KAD_REFRESH))
        .set_query_timeout(config.timings.query_timeout)
        .set_record_filtering(kad::StoreInserts::FilterBoth);
    let store = kad::store::MemoryStore::with_config(me, store);
    let mut kad = kad::Behaviour::with_config(me, store, settings);
    // Without a confirmed external address it would stay a client and never be asked.
    kad.set_mode(Some(kad::Mode::Server));
    kad
}

fn local_discovery(wanted: bool, me: PeerId) -> Result<Option<mdns::tokio::Behaviour>, StartError> {
    if !wanted {
        return Ok(None);
    }
    let settings = mdns::Config {
        ttl: MDNS_TTL,
        query_interval: MDNS_QUERY,
        enable_ipv6: false,
    };
    mdns::tokio::Behaviour::new(settings, me)
        .map(Some)
        .map_err(StartError::Mdns)
}
