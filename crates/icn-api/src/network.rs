//! The node's place in the network.
use crate::node::NetworkStatus;
use icn_model::{Did, Millis, Name, PublicKey, Time};
use serde::{Deserialize, Serialize};

/// Answer of [`crate::paths::NETWORK`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Network {
    /// This node's peer id.
    pub peer_id: String,
    /// Multiaddrs that it listens on.
    pub listen: Vec<String>,
    /// Multiaddrs that it tells others to use.
    pub announced: Vec<String>,
    /// In numbers.
    pub status: NetworkStatus,
}

/// Answer of [`crate::paths::PEERS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Peers {
    /// Connected peers, in the order of their keys.
    pub items: Vec<Peer>,
}

/// A connected peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Peer {
    /// Its peer id.
    pub peer_id: String,
    /// The same as a key.
    pub key: PublicKey,
    /// Whose seat or application that key is, if anybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did: Option<Did>,
    /// What that one is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Its end of the connection, as a multiaddr.
    pub address: String,
    /// Who dialed.
    pub direction: Direction,
    /// Since when, by this node's clock.
    pub since: Time,
    /// The last round trip that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<Millis>,
    /// What it says it is: name and version of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// Who dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The peer.
    Inbound,
    /// This node.
    Outbound,
}
