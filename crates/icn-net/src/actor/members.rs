//! Tracked peers: what the roster says becomes slots, admission and links; links become reader and
//! writer tasks.
use super::{Actor, book::AddressBook, dial::Backoff};
use crate::{
    class::Class,
    identity,
    link::{Link, Reader, Writer},
    roster::Role,
};
use commonware_cryptography::ed25519::PublicKey;
use libp2p::{PeerId, Stream};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::AbortHandle;

/// How long a new tracked peer may take to show up before the hash table is asked for it.
const FIRST_LOOKUP: Duration = Duration::from_secs(1);

/// A tracked peer.
pub(super) struct Member {
    pub(super) key: PublicKey,
    role: Role,
    pub(super) book: AddressBook,
    pub(super) backoff: Backoff,
    pub(super) lookup_at: Instant,
    link: Option<Linked>,
}

/// The running link of a connected member.
struct Linked {
    link: Arc<Link>,
    since: Instant,
    writers: Vec<AbortHandle>,
    /// The newest inbound stream of each class.
    readers: HashMap<Class, AbortHandle>,
}

impl Drop for Linked {
    fn drop(&mut self) {
        for task in self.writers.iter().chain(self.readers.values()) {
            task.abort();
        }
    }
}

impl Actor {
    /// Makes slots, admission and links what the roster says.
    pub(super) fn reconcile(&mut self) {
        let view = self.shared.roster.view();
        let admitted: HashMap<PeerId, (&PublicKey, Role)> = view
            .admitted
            .iter()
            .map(|(key, role)| (identity::peer_id(key), (key, *role)))
            .collect();
        let ids: HashSet<PeerId> = admitted.keys().copied().collect();
        let behaviour = self.swarm.behaviour_mut();
        behaviour.guard.reserve(ids.clone());
        behaviour
            .guard
            .block(view.blocked.iter().map(identity::peer_id).collect());
        behaviour.streams.admit(ids);

        self.successors = view
            .successors
            .iter()
            .map(|(former, now)| (identity::peer_id(former), identity::peer_id(now)))
            .collect();

        let now = Instant::now();
        let gone: Vec<PeerId> = self
            .members
            .keys()
            .filter(|id| !admitted.contains_key(id))
            .copied()
            .collect();
        for id in gone {
            self.unlink(&id, now);
            self.members.remove(&id);
        }
        let timings = self.shared.config.timings.clone();
        for (id, (key, role)) in admitted {
            // A follower may have gone for good, and dials us itself when it comes back.
            let longest = match role {
                Role::Seat => timings.redial_max,
                Role::Follower => timings.bootstrap_max,
            };
            let member = self.members.entry(id).or_insert_with(|| Member {
                key: key.clone(),
                role,
                book: AddressBook::default(),
                backoff: Backoff::new(timings.redial_min, longest, now),
                lookup_at: now + FIRST_LOOKUP,
                link: None,
            });
            member.role = role;
            member.backoff.set_max(longest);
            if self.swarm.is_connected(&id) {
                self.link(id, now);
            }
        }
        self.shared.board.set_roles(|key| view.admitted.get(key).copied());
    }

    pub(super) fn role_of(&self, id: &PeerId) -> Option<Role> {
        self.members.get(id).map(|m| m.role)
    }

    /// Starts the writers to a connected peer, if it is tracked.
    pub(super) fn link(&mut self, id: PeerId, now: Instant) {
        let Some(member) = self.members.get_mut(&id).filter(|m| m.link.is_none()) else {
            return;
        };
        let link = Arc::<Link>::default();
        let writers = Class::ALL.map(|class| {
            let writer = Writer {
                peer: id,
                class,
                link: link.clone(),
                open: self.shared.open.clone(),
                open_timeout: self.shared.config.timings.dial_timeout,
                counters: self.shared.board.counters.clone(),
            };
            self.tasks.spawn(writer.run())
        });
        member.link = Some(Linked {
            link: link.clone(),
            since: now,
            writers: writers.into(),
            readers: HashMap::new(),
        });
        self.shared.links.insert(member.key.clone(), link);
    }

    /// Ends the link with a peer; frames that wait for it are dropped.
    pub(super) fn unlink(&mut self, id: &PeerId, now: Instant) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        let Some(linked) = member.link.take() else {
            return;
        };
        // Redial at once, unless the link never lasted: the peer may have blocked us.
        let lasted = now.saturating_duration_since(linked.since);
        if lasted > self.shared.config.timings.healthy_after {
            member.backoff.reset(now);
        } else {
            member.backoff.postpone(now);
        }
        self.shared.links.remove(&member.key);
    }

    /// Reads a stream that a tracked peer opened.
    pub(super) fn on_stream(&mut self, from: PeerId, class: Class, stream: Stream) {
        let Some(member) = self.members.get_mut(&from) else {
            return; // No longer tracked; dropping the stream closes it.
        };
        let Some(linked) = &mut member.link else {
            return;
        };
        let reader = Reader {
            from: member.key.clone(),
            class,
            channels: self.shared.channels.clone(),
            max_message: self.shared.config.max_message,
            counters: self.shared.board.counters.clone(),
        };
        let task = self.tasks.spawn(reader.run(stream));
        if let Some(old) = linked.readers.insert(class, task) {
            old.abort();
        }
        linked.link.welcome(class).notify_one();
    }
}
