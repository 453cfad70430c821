//! The nodes of a run: started, killed, started again, and run twice with one key.
//!
//! A kill takes a node's tasks and what it had not synced: in its store the commits since the last durable
//! one, in its journal every write since the last sync (the runtime's blobs show a new owner only what was
//! synced). Torn writes inside one journal blob are not simulated.
use crate::{
    contracts::Contracts,
    executor::{Manner, Manners, Pretend},
    federation::{Cooperative, Federation},
    network::{Halves, Net, Simulated},
    oracle::{Invariant, Oracle, Violation},
    weather::Weather,
};
use commonware_runtime::{Handle, Spawner as _, Supervisor as _, deterministic::Context};
use commonware_utils::{NZU64, channel::oneshot, sync::Mutex};
use icn_model::{Action, Genesis, Mana, Millis, PROTOCOL_VERSION, Possession, RoleKeys, SecretKey, Signed};
use icn_protocol::{
    environment::Connections,
    ledger::Ledger,
    market::MarketConfig,
    membership,
    node::{self, Node, NodeConfig},
    resilience::Resilience,
    time::now,
};
use icn_store::{MemoryBackend, Store, StoreConfig};
use std::{num::NonZeroU64, sync::Arc};

/// The simulated disk copies a file at each of its syncs, and each sync goes through all files: neither may grow large.
const BLOCKS_PER_FILE: NonZeroU64 = NZU64!(1_024);

/// The oracle of a run, as its tasks share it.
pub type Judge = Arc<Mutex<Oracle>>;

/// The honest nodes that run now, by number.
#[derive(Clone, Default)]
pub struct Roster(Arc<Mutex<Vec<Option<Node>>>>);

impl Roster {
    /// A node, if it runs.
    pub fn node(&self, at: usize) -> Option<Node> {
        self.0.lock().get(at).cloned().flatten()
    }

    /// Every node that runs, with its number.
    pub fn running(&self) -> Vec<(usize, Node)> {
        let nodes = self.0.lock();
        nodes
            .iter()
            .enumerate()
            .filter_map(|(at, node)| Some((at, node.clone()?)))
            .collect()
    }

    fn set(&self, at: usize, node: Option<Node>) -> Option<Node> {
        std::mem::replace(&mut self.0.lock()[at], node)
    }
}

struct Seat {
    cooperative: Cooperative,
    /// Which of its keys it has.
    generation: usize,
    backend: MemoryBackend,
    manners: Manners,
    /// The node's tasks; of two nodes with this key, if it is run twice.
    lives: Vec<Handle<()>>,
}

impl Seat {
    const fn key(&self) -> &SecretKey {
        &self.cooperative.keys[self.generation]
    }
}

/// All nodes of a run.
pub struct Cluster {
    context: Context,
    genesis: Genesis,
    seats: Vec<Seat>,
    net: Net,
    roster: Roster,
    judge: Judge,
    /// Tells the lives of nodes apart.
    lives: u64,
}

/// What one life of a node is made of.
struct Birth {
    at: usize,
    partition: String,
    backend: MemoryBackend,
    connections: Connections<Simulated>,
    /// None for one of two nodes with one key: nobody trusts what such a node says.
    judge: Option<Judge>,
}

impl Cluster {
    /// With a network of fair weather, and no node running.
    pub async fn new(context: Context, seed: u64, federation: &Federation, judge: Judge) -> Self {
        let peers = federation.cooperatives.iter().map(Cooperative::peers);
        let net = Net::start(context.child("links"), seed, peers.collect()).await;
        let seat = |cooperative: &Cooperative| Seat {
            cooperative: cooperative.clone(),
            generation: 0,
            backend: MemoryBackend::new(),
            manners: Manners::default(),
            lives: Vec::new(),
        };
        let seats: Vec<_> = federation.cooperatives.iter().map(seat).collect();
        let roster = Roster(Arc::new(Mutex::new(vec![None; seats.len()])));
        let genesis = federation.genesis.clone();
        Self {
            context,
            genesis,
            seats,
            net,
            roster,
            judge,
            lives: 0,
        }
    }

    /// The honest nodes that run.
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Whether a node runs, honest or not.
    pub fn is_on(&self, at: usize) -> bool {
        !self.seats[at].lives.is_empty()
    }

    /// What a node's store is made of.
    pub fn backend(&self, at: usize) -> &MemoryBackend {
        &self.seats[at].backend
    }

    /// Starts a node with what its disks hold. Does nothing if it runs.
    pub async fn start(&mut self, at: usize) {
        if self.is_on(at) {
            return;
        }
        self.choose_key(at).await;
        let birth = Birth {
            at,
            partition: format!("n{at}"),
            backend: self.seats[at].backend.clone(),
            connections: self.net.connect(at).await,
            judge: Some(self.judge.clone()),
        };
        let node = self.give_birth(birth).await;
        self.roster.set(at, node);
    }

    /// The node runs with the key that its seat has by what its disk holds, as a real one does.
    async fn choose_key(&mut self, at: usize) {
        let seat = &mut self.seats[at];
        let store = Store::inline(seat.backend.clone(), StoreConfig::default());
        let key = membership::seat_key(&store, &seat.cooperative.did);
        let key = key
            .expect("a simulated disk holds what was written")
            .unwrap_or(seat.key().public());
        if key != seat.key().public() {
            seat.generation += 1;
            assert_eq!(key, seat.key().public(), "a seat has one of its keys");
            self.net.turn(at).await;
        }
    }

    /// Has a node put its other key in the place of its first. Says whether it could.
    pub fn rotate(&self, at: usize) -> bool {
        let seat = &self.seats[at];
        let Some(node) = self.roster.node(at).filter(|_| seat.generation == 0) else {
            return false;
        };
        let next = &seat.cooperative.keys[1];
        let possession = Possession {
            federation: self.genesis.id(),
            did: seat.cooperative.did,
            key: next.public(),
        };
        let action = Action::RotateKeys {
            keys: Box::new(RoleKeys::single(next.public())),
            possession: Some(Signed::new(possession, next)),
        };
        node.author().act(action, now(&self.context)).is_ok()
    }

    /// The nodes that run with another key than their seat has.
    pub fn turned(&self) -> Vec<usize> {
        let running = self.roster.running();
        let turned = running
            .iter()
            .filter(|(_, node)| membership::successor(node.ledger(), node.author()).is_some());
        turned.map(|(at, _)| *at).collect()
    }

    /// Stops a node in order: nothing that it has written is lost.
    pub async fn stop(&mut self, at: usize) {
        let kept = self.seats[at].backend.buffered_commits();
        self.kill(at, kept).await;
    }

    /// Starts two nodes with one key: the seat's own, and one that knows nothing but what a former twin of the
    /// seat has in its journal.
    pub async fn start_twins(&mut self, at: usize, halves: &Halves) {
        for key in &self.seats[at].cooperative.keys {
            self.judge.lock().convict(key.public());
        }
        self.choose_key(at).await;
        let [left, right] = self.net.connect_twins(at, halves).await;
        let known = Birth {
            at,
            partition: format!("n{at}"),
            backend: self.seats[at].backend.clone(),
            connections: left,
            judge: None,
        };
        let unknown = Birth {
            at,
            partition: format!("n{at}-twin"),
            backend: MemoryBackend::new(),
            connections: right,
            judge: None,
        };
        self.give_birth(known).await;
        self.give_birth(unknown).await;
    }

    async fn give_birth(&mut self, birth: Birth) -> Option<Node> {
        let seat = &mut self.seats[birth.at];
        let config = NodeConfig {
            did: seat.cooperative.did,
            key: seat.key().clone(),
            genesis: self.genesis.clone(),
            partition: birth.partition.clone(),
            blocks_per_file: BLOCKS_PER_FILE,
            resilience: Resilience::default(),
            market: market(birth.at),
            credit: seat.cooperative.credit(),
            policies: Arc::new(Contracts::default()),
            protocol: PROTOCOL_VERSION,
            application: None,
        };
        let (tell, told) = oneshot::channel();
        let context = self
            .context
            .child("node")
            .with_attribute("seat", birth.at)
            .with_attribute("life", self.lives);
        self.lives += 1;
        let executor = Pretend::new(context.child("executor"), seat.manners.clone());
        let judge = self.judge.clone();
        let life = context.spawn(move |context| async move {
            let at = birth.at;
            if let Err(detail) = Box::pin(live(context, config, birth, executor, tell)).await {
                judge
                    .lock()
                    .report(Violation::new(Invariant::Alive, format!("node {at}: {detail}")));
            }
        });
        seat.lives.push(life);
        // Dropped where the node does not start, which `live` has reported then.
        told.await.ok()
    }

    /// Kills a node, or both with its key. Of the store's commits that were not durable the first `kept`
    /// had reached the disk.
    pub async fn kill(&mut self, at: usize, kept: usize) {
        let seat = &mut self.seats[at];
        // First the crash, then the end of the tasks: a store that is closed in peace writes what waits.
        seat.backend.crash_keeping(kept);
        let lives = std::mem::take(&mut seat.lives);
        lives.iter().for_each(Handle::abort);
        drop(self.roster.set(at, None));
        for life in lives {
            // Says that it was aborted.
            let _ = life.await;
        }
    }

    /// How an executor behaves from now on.
    pub fn set_manner(&self, at: usize, manner: Manner) {
        self.seats[at].manners.set(manner);
    }

    /// Sets the weather on one direction of one link.
    pub fn set_link(&self, from: usize, to: usize, weather: Weather) {
        self.net.set(from, to, weather);
    }

    /// Every link as on a good day.
    pub fn clear_up(&self) {
        self.net.clear_up();
    }

    /// The halves of the others, for two nodes with the key of `at`.
    pub fn halves(&self, left: &[usize], right: &[usize], loud: bool) -> Halves {
        Halves {
            left: left.into(),
            right: right.into(),
            loud,
        }
    }

    /// Lets everybody in again who was shut out.
    ///
    /// # Errors
    /// If somebody was shut out who never did wrong, by somebody who never did either.
    pub async fn reconcile(&self) -> Result<(), Violation> {
        for (from, to) in self.net.blocked().await {
            if [from, to].iter().all(|at| self.is_innocent(*at)) {
                let detail = format!("node {from} has shut out honest node {to}");
                return Err(Violation::new(Invariant::Innocence, detail));
            }
            self.net.unblock(from, to).await;
        }
        Ok(())
    }

    fn is_innocent(&self, at: usize) -> bool {
        !self
            .judge
            .lock()
            .is_guilty(&self.seats[at].cooperative.keys[0].public())
    }
}

/// Executors ask different prices, so that awards differ.
fn market(at: usize) -> MarketConfig {
    MarketConfig {
        price_per_gigafuel: Mana::from_milli(10 + 7 * (at as u64 % 5)),
        // Liars and slow ones are to get another chance within a short run.
        blacklist_cooldown: Millis::from_secs(60),
        ..MarketConfig::default()
    }
}

/// One life of a node, to its end.
async fn live(
    context: Context,
    config: NodeConfig,
    birth: Birth,
    executor: Pretend<Context>,
    tell: oneshot::Sender<Node>,
) -> Result<(), String> {
    let store = Store::inline(birth.backend, StoreConfig::default());
    // Boxed: what opens a node is large, and every life would carry room for it to its end.
    let started = Box::pin(node::start(
        context.child("protocol"),
        config,
        store,
        birth.connections,
        executor,
    ));
    let (node, log) = started
        .await
        .map_err(|error| format!("does not start: {error}"))?;
    if let Some(judge) = birth.judge {
        judge.lock().reopened(birth.at, node.ledger());
        let (at, ledger) = (birth.at, node.ledger().clone());
        context
            .child("observer")
            .spawn(move |context| observe(context, at, ledger, judge));
    }
    // The cluster waits for this: it can be gone only when the run is over.
    let _ = tell.send(node);
    match log.await {
        Ok(Ok(())) => Err("its log ended".into()),
        Ok(Err(error)) => Err(format!("its log stopped: {error}")),
        // Aborted with everything else.
        Err(_) => Ok(()),
    }
}

/// Lets the oracle look after every block.
async fn observe(context: Context, at: usize, ledger: Ledger, judge: Judge) {
    let mut progress = ledger.watch();
    loop {
        progress.borrow_and_update();
        judge.lock().observe(at, &ledger, now(&context));
        if progress.changed().await.is_err() {
            return;
        }
    }
}
