//! Who is admitted to the consensus channels and who is blocked. Shared by the handles, which write
//! it, and the swarm task, which acts on it; knows nothing of connections.
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{PeerSetSubscription, PeerSetUpdate, TrackedPeers};
use commonware_utils::{
    NZUsize,
    channel::{mpsc, ring},
    ordered::Set,
    sync::Mutex,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// Peer sets kept: those of the current, the next and recent epochs.
pub const TRACKED_SETS: usize = 4;
/// Most blocked peers; one more frees the one whose block ends first.
pub const MAX_BLOCKED: usize = 1_024;

/// What the tracked sets say a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Primary peer of a tracked set: it has a seat in the log.
    Seat,
    /// Secondary peer: an observer or applicant that follows the log.
    Follower,
}

/// What the swarm task must know.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// Tracked, not blocked, not this node.
    pub(crate) admitted: BTreeMap<PublicKey, Role>,
    pub(crate) blocked: BTreeSet<PublicKey>,
    /// Former keys of nodes, each with the one that followed.
    pub(crate) successors: BTreeMap<PublicKey, PublicKey>,
}

#[derive(Debug, Default)]
struct State {
    sets: BTreeMap<u64, TrackedPeers<PublicKey>>,
    set_watchers: Vec<mpsc::UnboundedSender<PeerSetUpdate<PublicKey>>>,
    blocked: BTreeMap<PublicKey, Instant>,
    successors: BTreeMap<PublicKey, PublicKey>,
    block_watchers: Vec<ring::Sender<Set<PublicKey>>>,
}

/// Shared list of admitted and blocked peers.
#[derive(Debug)]
pub(crate) struct Roster {
    me: PublicKey,
    block_for: Duration,
    state: Mutex<State>,
    /// Notified after each change.
    pub(crate) changed: Arc<Notify>,
}

impl Roster {
    pub(crate) fn new(me: PublicKey, block_for: Duration) -> Self {
        Self {
            me,
            block_for,
            state: Mutex::default(),
            changed: Arc::default(),
        }
    }

    /// Adds a set; `false` if `index` does not grow.
    pub(crate) fn track(&self, index: u64, set: TrackedPeers<PublicKey>) -> bool {
        let mut state = self.state.lock();
        if state
            .sets
            .last_key_value()
            .is_some_and(|(last, _)| index <= *last)
        {
            return false;
        }
        state
            .sets
            .insert(index, primary_first(set.primary, set.secondary.iter()));
        while state.sets.len() > TRACKED_SETS {
            state.sets.pop_first();
        }
        if let Some(update) = state.update() {
            state.set_watchers.retain(|w| w.send(update.clone()).is_ok());
        }
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Replaces what is known of former keys. Acted on with the next set.
    pub(crate) fn succeed(&self, successors: BTreeMap<PublicKey, PublicKey>) {
        self.state.lock().successors = successors;
    }

    pub(crate) fn set(&self, index: u64) -> Option<TrackedPeers<PublicKey>> {
        self.state.lock().sets.get(&index).cloned()
    }

    pub(crate) fn subscribe(&self) -> PeerSetSubscription<PublicKey> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.state.lock();
        if let Some(update) = state.update() {
            // The receiver is alive: it is returned below.
            let _ = sender.send(update);
        }
        state.set_watchers.push(sender);
        receiver
    }

    pub(crate) fn block(&self, peer: PublicKey, now: Instant) {
        if peer == self.me {
            return;
        }
        let mut state = self.state.lock();
        state.blocked.insert(peer, now + self.block_for);
        if state.blocked.len() > MAX_BLOCKED
            && let Some(first) = state
                .blocked
                .iter()
                .min_by_key(|(_, until)| **until)
                .map(|(k, _)| k.clone())
        {
            state.blocked.remove(&first);
        }
        state.publish_blocked();
        drop(state);
        self.changed.notify_one();
    }

    pub(crate) fn subscribe_blocked(&self) -> ring::Receiver<Set<PublicKey>> {
        let (sender, receiver) = ring::channel(NZUsize!(1));
        let mut state = self.state.lock();
        sender.send_lossy(state.blocked_set());
        state.block_watchers.push(sender);
        receiver
    }

    /// Ends blocks whose time is over.
    pub(crate) fn expire(&self, now: Instant) {
        let mut state = self.state.lock();
        let before = state.blocked.len();
        state.blocked.retain(|_, until| *until > now);
        if state.blocked.len() < before {
            state.publish_blocked();
            drop(state);
            self.changed.notify_one();
        }
    }

    pub(crate) fn view(&self) -> View {
        let state = self.state.lock();
        let mut admitted = BTreeMap::new();
        for set in state.sets.values() {
            for key in &set.secondary {
                admitted.entry(key.clone()).or_insert(Role::Follower);
            }
            for key in &set.primary {
                admitted.insert(key.clone(), Role::Seat);
            }
        }
        admitted.retain(|key, _| *key != self.me && !state.blocked.contains_key(key));
        View {
            admitted,
            blocked: state.blocked.keys().cloned().collect(),
            successors: state.successors.clone(),
        }
    }
}

impl State {
    fn blocked_set(&self) -> Set<PublicKey> {
        Set::from_iter_dedup(self.blocked.keys().cloned())
    }

    fn publish_blocked(&mut self) {
        let set = self.blocked_set();
        self.block_watchers.retain(|w| w.send_lossy(set.clone()));
    }

    /// The newest set, and the union of all; `None` before the first.
    fn update(&self) -> Option<PeerSetUpdate<PublicKey>> {
        let (index, latest) = self.sets.last_key_value()?;
        let primary = Set::from_iter_dedup(self.sets.values().flat_map(|s| s.primary.iter().cloned()));
        Some(PeerSetUpdate {
            index: *index,
            latest: latest.clone(),
            all: primary_first(primary, self.sets.values().flat_map(|s| s.secondary.iter())),
        })
    }
}

/// A peer named in both roles is primary only.
fn primary_first<'a>(
    primary: Set<PublicKey>,
    secondary: impl Iterator<Item = &'a PublicKey>,
) -> TrackedPeers<PublicKey> {
    let secondary = secondary.filter(|key| primary.position(key).is_none()).cloned();
    let secondary = Set::from_iter_dedup(secondary);
    TrackedPeers::new(primary, secondary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_cryptography::{Signer as _, ed25519::PrivateKey};

    fn key(n: u64) -> PublicKey {
        PrivateKey::from_seed(n).public_key()
    }

    fn set(keys: &[u64]) -> Set<PublicKey> {
        Set::from_iter_dedup(keys.iter().map(|n| key(*n)))
    }

    fn roster() -> Roster {
        Roster::new(key(0), Duration::from_secs(60))
    }

    #[test]
    fn keeps_the_last_sets_and_primary_wins() {
        let roster = roster();
        assert!(roster.track(1, TrackedPeers::new(set(&[0, 1]), set(&[1, 2]))));
        assert_eq!(roster.set(1).unwrap().secondary, set(&[2]));
        assert!(!roster.track(1, set(&[9]).into()));
        assert!(roster.track(2, set(&[2]).into()));
        let view = roster.view();
        assert_eq!(view.admitted.get(&key(0)), None, "never oneself");
        assert_eq!(view.admitted.get(&key(1)), Some(&Role::Seat));
        assert_eq!(view.admitted.get(&key(2)), Some(&Role::Seat));
        for index in 3..=5 {
            roster.track(index, set(&[3]).into());
        }
        assert!(roster.set(1).is_none());
        assert_eq!(roster.view().admitted.len(), 2);
    }

    #[test]
    fn subscribers_get_the_current_set_first() {
        let roster = roster();
        roster.track(7, set(&[1]).into());
        let mut updates = roster.subscribe();
        roster.track(8, TrackedPeers::new(set(&[2]), set(&[1])));
        assert_eq!(updates.try_recv().unwrap().index, 7);
        let update = updates.try_recv().unwrap();
        assert_eq!((update.index, update.latest.secondary.len()), (8, 1));
        assert_eq!((update.all.primary.len(), update.all.secondary.len()), (2, 0));
    }

    #[test]
    fn blocks_end() {
        let (roster, now) = (roster(), Instant::now());
        roster.track(1, set(&[1, 2]).into());
        roster.block(key(1), now);
        roster.block(key(0), now);
        assert_eq!(roster.subscribe_blocked().try_recv().unwrap(), set(&[1]));
        assert_eq!(roster.view().admitted.len(), 1);
        roster.expire(now + Duration::from_secs(59));
        assert_eq!(roster.view().blocked.len(), 1);
        roster.expire(now + Duration::from_secs(60));
        assert_eq!(roster.view().admitted.len(), 2);
    }

    #[test]
    fn blocks_are_bounded() {
        let (roster, now) = (roster(), Instant::now());
        for n in 1..=MAX_BLOCKED as u64 + 1 {
            roster.block(key(n), now + Duration::from_millis(n));
        }
        let view = roster.view();
        assert_eq!(view.blocked.len(), MAX_BLOCKED);
        assert!(!view.blocked.contains(&key(1)));
    }
}
