//! What a node does over time: the replicated log, pending operations, block exchange and the job market.
//!
//! Generic over clock, network, storage and executor ([`environment`]): the node runs it over tokio and
//! libp2p, the simulator under virtual time. It knows neither tokio nor libp2p nor HTTP, and decides
//! nothing about what operations *mean*: that is `icn-state`.
//!
//! The way of an operation: [`node::Node::submit`] checks it and puts it into the [`pool`]; [`gossip`] tells
//! the other nodes; a proposer's [`application`] chooses it for a block; consensus ([`epochs`]) makes the
//! block final; the [`ledger`] applies it and makes the effects durable, and only then is it acknowledged.

mod anchor;
mod application;
pub mod author;
pub mod block;
pub mod counters;
pub mod credit;
pub mod environment;
mod epochs;
pub mod exchange;
mod fan;
pub mod gossip;
pub mod journal;
pub mod keys;
pub mod ledger;
pub mod market;
mod marshal;
pub mod membership;
pub mod node;
pub mod observations;
pub mod pool;
pub mod resilience;
#[cfg(test)]
mod testing;
pub mod time;
pub mod verify;
