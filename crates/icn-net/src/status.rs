//! What an operator sees of the network: who is connected, how, and what happened. Read-only.
use crate::{
    address::Address,
    counters::{CounterValues, Counters},
    identity,
    roster::Role,
};
use commonware_cryptography::ed25519::PublicKey;
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::{broadcast, watch};

/// Events kept for a slow subscriber; older ones are skipped.
pub const EVENT_BACKLOG: usize = 256;
/// Longest agent text kept of a peer, characters.
const MAX_AGENT_CHARS: usize = 128;

/// The network at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Own peer id.
    pub peer_id: String,
    /// Own key.
    pub public_key: PublicKey,
    /// Bound addresses.
    pub listen: Vec<Address>,
    /// Addresses that others are told to use.
    pub announce: Vec<Address>,
    /// Connected peers, by key.
    pub peers: Vec<PeerInfo>,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its peer id.
    pub peer_id: String,
    /// Its key.
    pub public_key: PublicKey,
    /// Its end of the connection that was the first.
    pub address: Address,
    /// Start of that connection.
    pub connected_since: SystemTime,
    /// Who dialed that connection.
    pub direction: Direction,
    /// Open connections with it.
    pub connections: u32,
    /// Last measured round trip.
    pub rtt: Option<Duration>,
    /// What the tracked sets say it is; `None` if they do not name it.
    pub admitted: Option<Role>,
    /// Name and version as the peer tells it, cut and cleaned.
    pub agent: Option<String>,
}

/// Who dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The peer.
    Inbound,
    /// This node.
    Outbound,
}

/// What the peers say of other processes with this node's key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Who has looked and knows of none.
    pub alone: BTreeSet<PublicKey>,
    /// Whether there is one, by its own signature.
    pub has_twin: bool,
}

/// Something that an operator may want to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkEvent {
    /// The first connection with a peer opened.
    Connected {
        /// The peer.
        peer: PublicKey,
        /// Its end.
        address: Address,
        /// Who dialed.
        direction: Direction,
    },
    /// The last connection with a peer closed.
    Disconnected {
        /// The peer.
        peer: PublicKey,
        /// Why, as the transport says; `None` if a side closed it in order.
        cause: Option<String>,
    },
    /// An address answers with another key than expected. Told once for each key that answers there.
    WrongKey {
        /// The address.
        address: Address,
        /// Peer id that was expected.
        expected: String,
        /// Peer id that answered.
        obtained: String,
    },
    /// Another process runs with this node's key.
    Twin,
    /// Two processes run with a peer's key.
    TwinsOf {
        /// The peer.
        peer: PublicKey,
    },
    /// A new address was bound.
    Listening {
        /// The address.
        address: Address,
    },
    /// An address is no longer bound.
    ListenEnded {
        /// The address.
        address: Address,
        /// Why, as the system says.
        cause: Option<String>,
    },
}

/// Handle on the state of the network. Cheap to clone; outlives the network, and then shows none of it.
#[derive(Clone, Debug)]
pub struct NetworkStatus {
    snapshot: watch::Receiver<Snapshot>,
    presence: watch::Receiver<Presence>,
    counters: Arc<Counters>,
    events: broadcast::Sender<NetworkEvent>,
}

impl NetworkStatus {
    /// The network now.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot.borrow().clone()
    }

    /// What was counted since the start.
    pub fn counters(&self) -> CounterValues {
        self.counters.values()
    }

    /// Events from now on. A subscriber that falls [`EVENT_BACKLOG`] behind misses the oldest.
    pub fn events(&self) -> broadcast::Receiver<NetworkEvent> {
        self.events.subscribe()
    }

    /// What the peers say of other processes with this node's key, as it comes.
    pub fn presence(&self) -> watch::Receiver<Presence> {
        self.presence.clone()
    }

    /// Waits until `holds` is true of the snapshot; returns that snapshot, or the last one if the
    /// network stops before. Round trips alone wake nobody.
    pub async fn wait_for(&mut self, holds: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        if let Ok(snapshot) = self.snapshot.wait_for(holds).await {
            return snapshot.clone();
        }
        self.snapshot()
    }
}

/// The writing end, owned by the swarm task.
pub(crate) struct Board {
    snapshot: watch::Sender<Snapshot>,
    presence: watch::Sender<Presence>,
    pub(crate) counters: Arc<Counters>,
    events: broadcast::Sender<NetworkEvent>,
}

impl Board {
    pub(crate) fn new(me: PublicKey, announce: Vec<Address>) -> (Self, NetworkStatus) {
        let (sender, snapshot) = watch::channel(Snapshot {
            peer_id: identity::peer_name(&me),
            public_key: me,
            listen: Vec::new(),
            announce,
            peers: Vec::new(),
        });
        let (presence_sender, presence) = watch::channel(Presence::default());
        let counters = Arc::<Counters>::default();
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        let board = Self {
            snapshot: sender,
            presence: presence_sender,
            counters: counters.clone(),
            events: events.clone(),
        };
        (
            board,
            NetworkStatus {
                snapshot,
                presence,
                counters,
                events,
            },
        )
    }

    pub(crate) fn emit(&self, event: NetworkEvent) {
        // An error means that nobody listens.
        let _ = self.events.send(event);
    }

    /// A peer knows of no other process with this node's key.
    pub(crate) fn alone(&self, peer: PublicKey) {
        self.presence
            .send_if_modified(|presence| presence.alone.insert(peer));
    }

    /// There is one. Says whether that is new.
    pub(crate) fn twin(&self) -> bool {
        let is_new = self
            .presence
            .send_if_modified(|presence| !std::mem::replace(&mut presence.has_twin, true));
        if is_new {
            self.emit(NetworkEvent::Twin);
        }
        is_new
    }

    pub(crate) fn connected(&self, info: PeerInfo) {
        self.emit(NetworkEvent::Connected {
            peer: info.public_key.clone(),
            address: info.address.clone(),
            direction: info.direction,
        });
        self.snapshot.send_modify(|s| {
            let at = s.peers.partition_point(|p| p.public_key < info.public_key);
            s.peers.insert(at, info);
        });
    }

    pub(crate) fn disconnected(&self, peer: &PublicKey, cause: Option<String>) {
        self.snapshot
            .send_modify(|s| s.peers.retain(|p| p.public_key != *peer));
        self.emit(NetworkEvent::Disconnected {
            peer: peer.clone(),
            cause,
        });
    }

    /// Changes one connected peer; wakes watchers if `change` says that it matters to them.
    pub(crate) fn update(&self, peer: &PublicKey, change: impl FnOnce(&mut PeerInfo) -> bool) {
        self.snapshot.send_if_modified(|s| {
            s.peers
                .iter_mut()
                .find(|p| p.public_key == *peer)
                .is_some_and(change)
        });
    }

    pub(crate) fn address_of(&self, peer: &PublicKey) -> Option<Address> {
        let snapshot = self.snapshot.borrow();
        snapshot
            .peers
            .iter()
            .find(|p| p.public_key == *peer)
            .map(|p| p.address.clone())
    }

    pub(crate) fn set_roles(&self, role_of: impl Fn(&PublicKey) -> Option<Role>) {
        self.snapshot.send_modify(|s| {
            for peer in &mut s.peers {
                peer.admitted = role_of(&peer.public_key);
            }
        });
    }

    pub(crate) fn listening(&self, address: Address) {
        self.snapshot.send_modify(|s| {
            if !s.listen.contains(&address) {
                s.listen.push(address.clone());
            }
        });
        self.emit(NetworkEvent::Listening { address });
    }

    pub(crate) fn listen_ended(&self, address: Address, cause: Option<String>) {
        self.snapshot.send_modify(|s| s.listen.retain(|a| *a != address));
        self.emit(NetworkEvent::ListenEnded { address, cause });
    }

    /// The network has stopped: nobody is connected and nothing is bound.
    pub(crate) fn clear(&self) {
        self.snapshot.send_modify(|s| {
            s.peers.clear();
            s.listen.clear();
        });
    }

    pub(crate) fn listen_addresses(&self) -> Vec<Address> {
        self.snapshot.borrow().listen.clone()
    }
}

impl Drop for Board {
    /// A network that has ended listens nowhere and has no peers; who still looks is to see that.
    fn drop(&mut self) {
        self.snapshot.send_modify(|snapshot| {
            snapshot.listen.clear();
            snapshot.peers.clear();
        });
    }
}

/// A text of a stranger, safe to print.
pub(crate) fn clean_agent(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_AGENT_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_cannot_write_the_log() {
        assert_eq!(clean_agent("icn\u{1b}[31m\nERROR"), "icn[31mERROR");
        assert_eq!(clean_agent(&"é".repeat(500)).chars().count(), MAX_AGENT_CHARS);
    }
}
