//! Messages between topics and gossipsub: publishes what waits, checks what arrives.
use super::Actor;
use crate::{
    behaviour::gossip::topic,
    bucket::Bucket,
    identity,
    topic::{Topic, Verdict},
};
use libp2p::{
    PeerId,
    gossipsub::{Event, Message, MessageAcceptance, MessageId, PublishError, TopicHash},
};
use std::{
    collections::{HashMap, hash_map::Entry},
    time::Instant,
};
use tokio::sync::mpsc::error::TrySendError;

/// What one peer may pass on, as a multiple of what one node may publish: it passes on for others.
const FORWARD_FACTOR: u32 = 16;

struct State {
    topic: Topic,
    /// Allowance of each connected peer.
    allowance: HashMap<PeerId, Bucket>,
}

/// Registered topics by their hash on the wire.
pub(super) struct Topics(HashMap<TopicHash, State>);

impl Topics {
    pub(super) fn new(federation: &str, topics: HashMap<&'static str, Topic>) -> Self {
        let state = |(name, registered): (&'static str, Topic)| {
            let state = State {
                topic: registered,
                allowance: HashMap::new(),
            };
            (topic(federation, name).hash(), state)
        };
        Self(topics.into_iter().map(state).collect())
    }

    /// Forgets a peer that disconnected.
    pub(super) fn forget(&mut self, peer: &PeerId) {
        let key = identity::public_key(peer);
        for state in self.0.values_mut() {
            state.allowance.remove(peer);
            if let Some(key) = &key {
                state.topic.outbox.subscribers.write().remove(key);
            }
        }
    }

    fn subscribed(&self, peer: &PeerId, hash: &TopicHash, yes: bool) {
        let (Some(state), Some(key)) = (self.0.get(hash), identity::public_key(peer)) else {
            return;
        };
        let mut subscribers = state.topic.outbox.subscribers.write();
        if yes {
            subscribers.insert(key);
        } else {
            subscribers.remove(&key);
        }
    }
}

impl State {
    fn within_allowance(&mut self, from: PeerId) -> bool {
        let now = Instant::now();
        let bucket = match self.allowance.entry(from) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Bucket::new(&self.topic.quota, FORWARD_FACTOR, now)),
        };
        bucket.try_take(now)
    }
}

impl Actor {
    /// Publishes what waits, as far as somebody is subscribed.
    pub(super) fn publish_all(&mut self) {
        let counters = self.shared.board.counters.clone();
        let mut waiting = 0;
        for (hash, state) in &self.topics.0 {
            let queue = &state.topic.outbox.queue;
            while let Some(message) = queue.try_pop() {
                let data = message.0.as_ref().to_vec();
                match self.swarm.behaviour_mut().gossip.publish(hash.clone(), data) {
                    Ok(_) => counters.gossip_published.add(1),
                    // Said by us or heard from others within the last minute: everybody has it.
                    Err(PublishError::Duplicate) => {}
                    Err(PublishError::NoPeersSubscribedToTopic) => {
                        if !queue.push_back_to_front(message) {
                            counters.gossip_dropped.add(1);
                        }
                        break;
                    }
                    // Peers are told that it exists and may still ask for it; a second try within a
                    // minute would be a duplicate.
                    Err(error) => {
                        counters.gossip_dropped.add(1);
                        tracing::warn!(topic = state.topic.name, %error, "gossip message not sent");
                    }
                }
            }
            waiting += queue.len();
        }
        counters.gossip_queued.set(waiting);
    }

    pub(super) fn on_gossip(&mut self, event: Event) {
        match event {
            Event::Message {
                propagation_source,
                message_id,
                message,
            } => self.on_message(propagation_source, &message_id, message),
            Event::Subscribed { peer_id, topic } => {
                self.topics.subscribed(&peer_id, &topic, true);
                self.publish_all();
            }
            Event::Unsubscribed { peer_id, topic } => self.topics.subscribed(&peer_id, &topic, false),
            Event::SlowPeer { peer_id, .. } => {
                tracing::debug!(peer = %peer_id, "peer is slow to take gossip")
            }
            Event::GossipsubNotSupported { peer_id } => {
                tracing::debug!(peer = %peer_id, "peer speaks no gossip");
            }
        }
    }

    fn on_message(&mut self, from: PeerId, id: &MessageId, message: Message) {
        let verdict = self.judge(from, message);
        let counters = &self.shared.board.counters;
        let acceptance = match verdict {
            Verdict::Accept => {
                counters.gossip_received.add(1);
                MessageAcceptance::Accept
            }
            Verdict::Ignore => {
                counters.gossip_ignored.add(1);
                MessageAcceptance::Ignore
            }
            Verdict::Reject => {
                counters.gossip_rejected.add(1);
                tracing::debug!(peer = %from, "invalid gossip message");
                MessageAcceptance::Reject
            }
        };
        self.swarm
            .behaviour_mut()
            .gossip
            .report_message_validation_result(id, &from, acceptance);
    }

    /// Checks a message and hands it to its consumer. A full consumer loses it, but others still get it.
    fn judge(&mut self, from: PeerId, message: Message) -> Verdict {
        let (Some(state), Some(key)) = (self.topics.0.get_mut(&message.topic), identity::public_key(&from))
        else {
            return Verdict::Ignore;
        };
        if !state.within_allowance(from) {
            return Verdict::Ignore;
        }
        let verdict = (state.topic.validate)(&message.data);
        if verdict == Verdict::Accept
            && let Err(TrySendError::Full(_)) = state.topic.inbox.try_send((key, message.data.into()))
        {
            self.shared.board.counters.gossip_dropped.add(1);
            tracing::debug!(
                topic = state.topic.name,
                "gossip message dropped: consumer too slow"
            );
        }
        verdict
    }
}
