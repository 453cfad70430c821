//! The swarm task: one loop that owns the swarm and acts on its events, on the roster and on requests.
mod book;
mod dial;
mod events;
mod gossip;
mod members;
mod providers;

use crate::{
    behaviour::{Behaviour, streams::OpenRequest},
    channel::Links,
    config::Config,
    discovery::Request,
    link::Channels,
    roster::Roster,
    status::Board,
    topic::Topic,
};
use dial::Targets;
use futures::{FutureExt as _, StreamExt as _};
use gossip::Topics;
use libp2p::{
    PeerId, Swarm,
    core::transport::ListenerId,
    swarm::{SwarmEvent, derive_prelude::NetworkBehaviour},
};
use members::Member;
use providers::Providers;
use std::{
    collections::{HashMap, HashSet},
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

/// How often dials, blocks and searches are looked at.
const TICK: Duration = Duration::from_millis(100);
/// Events handled after all listeners are bound, to learn of their other interfaces.
const MAX_READY_EVENTS: usize = 256;

type Event = SwarmEvent<<Behaviour as NetworkBehaviour>::ToSwarm>;

/// What the swarm task shares with the handles.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) board: Board,
    pub(crate) roster: Arc<Roster>,
    pub(crate) links: Links,
    pub(crate) channels: Channels,
    pub(crate) gossip_ready: Arc<Notify>,
    /// To the streams behaviour.
    pub(crate) open: mpsc::Sender<OpenRequest>,
    pub(crate) requests: mpsc::Receiver<Request>,
}

/// State of the swarm task.
pub(crate) struct Actor {
    shared: Shared,
    swarm: Swarm<Behaviour>,
    /// Writers and readers of consensus streams.
    tasks: JoinSet<()>,
    /// Tracked peers, connected or not.
    members: HashMap<PeerId, Member>,
    targets: Targets,
    /// Former keys of nodes, each with the one that followed.
    successors: HashMap<PeerId, PeerId>,
    topics: Topics,
    providers: Providers,
    /// Listeners that have reported an address.
    bound: HashSet<ListenerId>,
}

impl Drop for Actor {
    /// However it ends, no handle may show a network that is gone.
    fn drop(&mut self) {
        self.shared.links.clear();
        self.shared.board.clear();
    }
}

impl Actor {
    pub(crate) fn new(shared: Shared, swarm: Swarm<Behaviour>, topics: HashMap<&'static str, Topic>) -> Self {
        let now = Instant::now();
        let targets = Targets::new(&shared.config, now);
        let topics = Topics::new(&shared.config.federation, topics);
        let mut actor = Self {
            shared,
            swarm,
            tasks: JoinSet::new(),
            members: HashMap::new(),
            targets,
            successors: HashMap::new(),
            topics,
            providers: Providers::default(),
            bound: HashSet::new(),
        };
        actor.reconcile();
        actor
    }

    /// Waits until each listener has an address.
    pub(crate) async fn bind(&mut self, listeners: &HashSet<ListenerId>) {
        while !listeners.is_subset(&self.bound) {
            let event = self.swarm.select_next_some().await;
            self.on_event(event);
        }
        for _ in 0..MAX_READY_EVENTS {
            let Some(event) = self.swarm.select_next_some().now_or_never() else {
                return;
            };
            self.on_event(event);
        }
    }

    pub(crate) fn is_bound(&self, listener: &ListenerId) -> bool {
        self.bound.contains(listener)
    }

    pub(crate) fn board(&self) -> &Board {
        &self.shared.board
    }

    /// Runs until `stopped`.
    pub(crate) async fn run<S>(mut self, stopped: impl Future<Output = S>) {
        let mut stopped = pin!(stopped);
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut republish = interval(self.shared.config.timings.gossip_retry);
        republish.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let roster_changed = self.shared.roster.changed.clone();
        let gossip_ready = self.shared.gossip_ready.clone();
        let mut asking = true;
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(ended) = self.tasks.join_next() => {
                    if let Err(error) = ended && error.is_panic() {
                        tracing::error!(%error, "stream task panicked");
                    }
                }
                _ = tick.tick() => self.on_tick(Instant::now()),
                _ = republish.tick() => self.publish_all(),
                () = gossip_ready.notified() => self.publish_all(),
                () = roster_changed.notified() => self.reconcile(),
                request = self.shared.requests.recv(), if asking => match request {
                    Some(request) => self.on_request(request),
                    None => asking = false,
                },
                _ = &mut stopped => return,
            }
        }
    }

    fn on_tick(&mut self, now: Instant) {
        self.shared.roster.expire(now);
        self.dial_targets(now);
        self.dial_members(now);
        self.settle_searches(now);
    }
}
