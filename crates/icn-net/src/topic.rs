//! Gossip topics behind the same `Sender` and `Receiver` traits as channels, so that a protocol runs
//! over gossip here and over plain channels in a simulation.
//!
//! A message goes to everyone else who subscribes, whatever recipients are named. Identical content
//! within a minute is published once. Delivery is best effort: a consumer that is too slow, or a peer
//! that passes on more than sixteen times the topic's quota, loses messages.
use crate::{
    channel::Receiver,
    counters::Counters,
    queue::{DropOldest, Weigh},
};
use commonware_actor::{Feedback, Unreliable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{CheckedSender, LimitedSender, Message, Recipients};
use commonware_runtime::{Clock, IoBuf, IoBufs, Quota, RateLimiter};
use commonware_utils::{channel::mpsc, sync::RwLock};
use std::{collections::BTreeSet, fmt, sync::Arc, time::SystemTime};
use tokio::sync::Notify;

/// Largest gossip message, bytes.
pub const MAX_GOSSIP_BYTES: usize = 256 << 10;
/// Messages of one topic kept while nobody is subscribed; the oldest are dropped.
pub const MAX_QUEUED_MESSAGES: usize = 256;
/// Bytes of those messages.
pub const MAX_QUEUED_BYTES: usize = 4 << 20;

/// What a validator says of a gossip message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Deliver and forward.
    Accept,
    /// Neither deliver nor forward, and blame nobody: late, known or not understood.
    Ignore,
    /// Invalid on its face: counts against the peer that sent it.
    Reject,
}

/// Structural check of a gossip message: size, decodes, right kind. Runs in the swarm task for every
/// message, so it must be quick (microseconds, no signatures, no locks held elsewhere) and must not panic.
pub type Validator = Arc<dyn Fn(&[u8]) -> Verdict + Send + Sync>;

/// Receiver of one topic: yields the key of the peer that passed the message on, which need not be
/// the one that wrote it.
pub type TopicReceiver = Receiver;

#[derive(Debug)]
pub(crate) struct Gossip(pub(crate) IoBuf);

impl Weigh for Gossip {
    fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// What sender and swarm task share of one topic.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) queue: DropOldest<Gossip>,
    pub(crate) subscribers: RwLock<BTreeSet<PublicKey>>,
    counters: Arc<Counters>,
    name: &'static str,
}

/// A registered topic, as the swarm task holds it.
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) inbox: mpsc::Sender<Message<PublicKey>>,
    pub(crate) quota: Quota,
    pub(crate) validate: Validator,
}

impl Outbox {
    pub(crate) fn new(name: &'static str, ready: Arc<Notify>, counters: Arc<Counters>) -> Self {
        Self {
            queue: DropOldest::new(MAX_QUEUED_MESSAGES, MAX_QUEUED_BYTES, ready),
            subscribers: RwLock::default(),
            counters,
            name,
        }
    }
}

/// Rate-limited publisher of one topic.
pub struct TopicSender<C: Clock> {
    outbox: Arc<Outbox>,
    limit: Arc<RateLimiter<C>>,
}

impl<C: Clock> TopicSender<C> {
    pub(crate) fn new(outbox: Arc<Outbox>, quota: Quota, clock: C) -> Self {
        Self {
            outbox,
            limit: Arc::new(RateLimiter::direct_with_clock(quota, clock)),
        }
    }
}

impl<C: Clock> Clone for TopicSender<C> {
    fn clone(&self) -> Self {
        Self {
            outbox: self.outbox.clone(),
            limit: self.limit.clone(),
        }
    }
}

impl<C: Clock> fmt::Debug for TopicSender<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TopicSender").field(&self.outbox.name).finish()
    }
}

impl<C: Clock> LimitedSender for TopicSender<C> {
    type PublicKey = PublicKey;
    type Checked<'a> = Publication<'a>;

    fn check(&mut self, _recipients: Recipients<PublicKey>) -> Result<Publication<'_>, SystemTime> {
        match self.limit.check() {
            Ok(()) => Ok(Publication(&self.outbox)),
            Err(not_until) => Err(not_until.earliest_possible()),
        }
    }
}

/// One publication within the rate limit.
#[derive(Debug)]
pub struct Publication<'a>(&'a Outbox);

impl CheckedSender for Publication<'_> {
    type PublicKey = PublicKey;

    /// Connected subscribers. May be empty: the message then waits for the first.
    fn recipients(&self) -> Vec<PublicKey> {
        self.0.subscribers.read().iter().cloned().collect()
    }

    /// A message over [`MAX_GOSSIP_BYTES`] is refused, not a panic.
    fn send(self, message: impl Into<IoBufs> + Send, _priority: bool) -> Unreliable<Feedback> {
        let bytes = message.into().coalesce();
        if bytes.len() > MAX_GOSSIP_BYTES {
            self.0.counters.messages_oversized.add(1);
            tracing::error!(
                topic = self.0.name,
                bytes = bytes.len(),
                "message not published: over 256 KiB"
            );
            return Unreliable::rejected();
        }
        let dropped = self.0.queue.push(Gossip(bytes));
        self.0.counters.gossip_dropped.add(dropped);
        Unreliable::new(if dropped > 0 {
            Feedback::Backoff
        } else {
            Feedback::Ok
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commonware_p2p::Sender as _;
    use commonware_runtime::{Runner as _, Supervisor as _, deterministic};
    use commonware_utils::NZU32;

    #[test]
    fn publishing_is_bounded_in_rate_size_and_number() {
        deterministic::Runner::default().start(|ctx| async move {
            let counters = Arc::<Counters>::default();
            let outbox = Arc::new(Outbox::new("t", Arc::default(), counters.clone()));
            let quota = Quota::per_second(NZU32!(1_000));
            let mut sender = TopicSender::new(outbox.clone(), quota, ctx.child("clock"));

            // Nobody subscribes yet: nothing is lost, and nobody is named.
            assert!(sender.send(Recipients::All, vec![1], false).is_empty());
            assert_eq!(outbox.queue.len(), 1);

            let too_large = sender
                .check(Recipients::All)
                .unwrap()
                .send(vec![0; MAX_GOSSIP_BYTES + 1], false);
            assert!(too_large.is_rejected());
            assert_eq!(counters.values().messages_oversized, 1);

            for _ in 2..=MAX_QUEUED_MESSAGES {
                assert_eq!(
                    sender
                        .check(Recipients::All)
                        .unwrap()
                        .send(vec![2], false)
                        .outcome(),
                    Some(Feedback::Ok)
                );
            }
            let over = sender.check(Recipients::All).unwrap().send(vec![3], false);
            assert_eq!(over.outcome(), Some(Feedback::Backoff));
            assert_eq!(
                (outbox.queue.len(), counters.values().gossip_dropped),
                (MAX_QUEUED_MESSAGES, 1)
            );

            while sender.check(Recipients::All).is_ok() {}
            assert!(
                sender.clone().check(Recipients::All).is_err(),
                "clones share the limit"
            );
        });
    }
}
