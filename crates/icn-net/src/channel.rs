//! Registered channels: commonware's `Sender` and `Receiver` over the links to admitted peers.
//! Delivery is best effort; what must arrive is asked for again by the protocol above.
use crate::{class::Class, counters::Counters, error::Closed, frame::Frame, link::Link};
use commonware_actor::{Feedback, Unreliable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    Message, Recipients,
    utils::limited::{CheckedSender, Connected, LimitedSender},
};
use commonware_runtime::{Clock, IoBufs, Quota};
use commonware_utils::{
    NZUsize,
    channel::{mpsc, ring},
    sync::{Mutex, RwLock},
};
use std::{collections::HashMap, num::NonZeroUsize, sync::Arc, time::SystemTime};

/// Links to the connected, admitted peers, and whoever watches that list.
#[derive(Clone, Debug, Default)]
pub struct Links {
    links: Arc<RwLock<HashMap<PublicKey, Arc<Link>>>>,
    watchers: Arc<Mutex<Vec<ring::Sender<Vec<PublicKey>>>>>,
}

impl Links {
    pub(crate) fn insert(&self, peer: PublicKey, link: Arc<Link>) {
        self.links.write().insert(peer, link);
        self.publish();
    }

    pub(crate) fn remove(&self, peer: &PublicKey) {
        if self.links.write().remove(peer).is_some() {
            self.publish();
        }
    }

    pub(crate) fn clear(&self) {
        self.links.write().clear();
        self.publish();
    }

    fn publish(&self) {
        let peers = self.peers();
        self.watchers.lock().retain(|w| w.send_lossy(peers.clone()));
    }
}

impl Connected for Links {
    type PublicKey = PublicKey;

    fn peers(&self) -> Vec<PublicKey> {
        self.links.read().keys().cloned().collect()
    }

    fn subscribe(&self) -> ring::Receiver<Vec<PublicKey>> {
        let (sender, receiver) = ring::channel(NZUsize!(1));
        // Watch first, read after: a change in between is told twice rather than never.
        self.watchers.lock().push(sender.clone());
        sender.send_lossy(self.peers());
        receiver
    }
}

/// Sender of one channel without rate limit. Never blocks: a full queue drops its oldest frame, an
/// absent peer gets nothing, a message over the limit is refused.
#[derive(Clone, Debug)]
pub struct Unlimited {
    pub(crate) channel: u8,
    pub(crate) class: Class,
    pub(crate) max_message: usize,
    pub(crate) links: Links,
    pub(crate) counters: Arc<Counters>,
}

impl commonware_p2p::UnlimitedSender for Unlimited {
    type PublicKey = PublicKey;

    fn send(
        &mut self,
        recipients: Recipients<PublicKey>,
        message: impl Into<IoBufs> + Send,
        _priority: bool,
    ) -> Unreliable<Feedback> {
        let bytes = message.into().coalesce();
        if bytes.len() > self.max_message {
            // The trait would let us panic, and take a cooperative off the air for one message.
            self.counters.messages_oversized.add(1);
            tracing::error!(
                channel = self.channel,
                bytes = bytes.len(),
                max_bytes = self.max_message,
                "message not sent: larger than max_message"
            );
            return Unreliable::rejected();
        }
        let links = self.links.links.read();
        let mut dropped = 0;
        let mut push = |link: &Arc<Link>| {
            dropped += link.push(
                self.class,
                Frame {
                    channel: self.channel,
                    bytes: bytes.clone(),
                },
            );
        };
        match recipients {
            Recipients::All => links.values().for_each(&mut push),
            Recipients::Some(to) => to.iter().filter_map(|peer| links.get(peer)).for_each(&mut push),
            Recipients::One(to) => links.get(&to).into_iter().for_each(&mut push),
        }
        drop(links);
        self.counters.frames_dropped_out.add(dropped);
        Unreliable::new(if dropped > 0 {
            Feedback::Backoff
        } else {
            Feedback::Ok
        })
    }
}

/// Rate-limited sender of one channel.
#[derive(Debug)]
pub struct Sender<C: Clock>(LimitedSender<C, Unlimited, Links>);

impl<C: Clock> Sender<C> {
    pub(crate) fn new(sender: Unlimited, quota: Quota, clock: C) -> Self {
        let links = sender.links.clone();
        Self(LimitedSender::new(sender, quota, clock, links))
    }
}

impl<C: Clock> Clone for Sender<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Clock> commonware_p2p::LimitedSender for Sender<C> {
    type PublicKey = PublicKey;
    type Checked<'a> = CheckedSender<'a, Unlimited>;

    fn check(&mut self, recipients: Recipients<PublicKey>) -> Result<Self::Checked<'_>, SystemTime> {
        self.0.check(recipients)
    }
}

/// Receiver of one channel or topic.
#[derive(Debug)]
pub struct Receiver {
    pub(crate) queue: mpsc::Receiver<Message<PublicKey>>,
    pub(crate) capacity: NonZeroUsize,
}

impl commonware_p2p::Receiver for Receiver {
    type Error = Closed;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, Closed> {
        self.queue.recv().await.ok_or(Closed)
    }

    fn capacity(&self) -> NonZeroUsize {
        self.capacity
    }
}
