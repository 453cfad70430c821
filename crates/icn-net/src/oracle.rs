//! commonware's view of the peers: `Provider`, `Manager` and `Blocker` over the roster.
use crate::roster::Roster;
use commonware_actor::Feedback;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{BlockedSubscription, Blocker, Manager, PeerSetSubscription, Provider, TrackedPeers};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// Says who is admitted and who is blocked. Works before the network starts, and is cheap to clone.
#[derive(Clone, Debug)]
pub struct Oracle {
    pub(crate) roster: Arc<Roster>,
}

impl Oracle {
    /// Says which key followed which at one node: where the former was reached, the latter is. Holds with the next
    /// set that is tracked.
    pub fn succeed(&self, successors: BTreeMap<PublicKey, PublicKey>) {
        self.roster.succeed(successors);
    }
}

impl Provider for Oracle {
    type PublicKey = PublicKey;

    async fn peer_set(&mut self, id: u64) -> Option<TrackedPeers<PublicKey>> {
        self.roster.set(id)
    }

    async fn subscribe(&mut self) -> PeerSetSubscription<PublicKey> {
        self.roster.subscribe()
    }
}

impl Manager for Oracle {
    fn track<R: Into<TrackedPeers<PublicKey>> + Send>(&mut self, id: u64, peers: R) -> Feedback {
        if !self.roster.track(id, peers.into()) {
            tracing::warn!(
                id,
                "peer set ignored: its number must be larger than the last one"
            );
        }
        Feedback::Ok
    }
}

impl Blocker for Oracle {
    type PublicKey = PublicKey;

    fn block(&mut self, peer: PublicKey) -> Feedback {
        self.roster.block(peer, Instant::now());
        Feedback::Ok
    }

    fn blocked(&mut self) -> BlockedSubscription<PublicKey> {
        self.roster.subscribe_blocked()
    }
}
