//! The network of a node: one libp2p swarm, one port, one identity.
//!
//! Consensus streams between tracked peers, gossip, provider records and discovery share the swarm. To
//! the protocol above it is commonware's `Sender`, `Receiver`, `Provider`, `Manager` and `Blocker` over
//! Ed25519 keys, so that the protocol runs unchanged on a simulated network. This is the only crate that
//! names libp2p, and no libp2p type is public.
//!
//! It does not interpret messages, store anything on disk, or export metrics; [`NetworkStatus`] has the
//! numbers. docs/decisions/0004-one-swarm.md says why it is built this way.
//!
//! ```no_run
//! # use commonware_runtime::{Quota, Runner as _, Supervisor as _, tokio};
//! # use commonware_utils::{NZU32, NZUsize};
//! # use icn_net::{Class, Config, Network};
//! tokio::Runner::new(tokio::Config::default()).start(|ctx| async move {
//!     let mut config = Config::new([7; 32], 1, "3f9a02c1");
//!     config.bootstrap = vec!["/dns4/node.coop.example/tcp/7000".parse().expect("an address")];
//!     let (mut network, _oracle) = Network::new(ctx.child("network"), config);
//!     let quota = Quota::per_second(NZU32!(1_000));
//!     let (_votes_out, _votes_in) = network.register(0, Class::Urgent, quota, NZUsize!(4_096));
//!     let running = network.start().await.expect("a free port");
//!     println!("{}", running.listen[0]);
//! });
//! ```
mod actor;
mod address;
mod behaviour;
mod bucket;
mod channel;
mod class;
mod config;
mod counters;
mod discovery;
mod error;
mod frame;
mod identity;
mod link;
mod network;
mod oracle;
mod queue;
mod roster;
mod status;
mod topic;
mod transport;

pub use address::{Address, AddressError, MAX_ADDRESS_BYTES};
pub use channel::{Links, Receiver, Sender, Unlimited};
pub use class::Class;
pub use config::{Config, ConfigError, MAX_ADDRESSES, MAX_FEDERATION_BYTES, MAX_MESSAGE_BYTES, Timings};
pub use counters::{CounterValues, Counters};
pub use discovery::{Discovery, MAX_PROVIDED_KEYS, MAX_PROVIDER_KEY_BYTES, MAX_PROVIDERS};
pub use error::{Closed, DiscoveryError, StartError};
pub use identity::{parse_peer_name, peer_name};
pub use network::{Network, Running};
pub use oracle::Oracle;
pub use roster::{MAX_BLOCKED, Role, TRACKED_SETS};
pub use status::{Direction, EVENT_BACKLOG, NetworkEvent, NetworkStatus, PeerInfo, Presence, Snapshot};
pub use topic::{
    MAX_GOSSIP_BYTES, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES, Publication, TopicReceiver, TopicSender,
    Validator, Verdict,
};
