//! A federation of four under the deterministic runtime: operations, a job, a newcomer. Faults are the
//! simulator's business.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    reason = "helpers of tests: a panic is how a test fails, and what runs once may be large"
)]
mod amnesia;
mod clearing;
mod credit;
mod succession;

use bytes::Bytes;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    Manager as _, Receiver as _, Recipients, Sender as _,
    simulated::{self, Link, Oracle},
};
use commonware_runtime::{
    Clock as _, Handle, Quota, Runner as _, Spawner as _, Supervisor as _, deterministic,
};
use commonware_utils::{NZU32, NZUsize, TryCollect as _, ordered::Set, probability};
use icn_model::{
    Action, Bid, Callee, Choice, Cid, Did, Digest, Effect, EpochNumber, Event, EventKind, ExitStatus, Fault,
    Founder, Genesis, HeadRecord, JobId, JobLimits, JobSpec, JobStatus, Mana, Method, Millis, Operation,
    PROTOCOL_VERSION, Parameters, ProposalId, ProposalSpec, Requirements, RoleKeys, SecretKey, Sequence,
    Signed, SignedOperation, Time, canonical,
};
use icn_protocol::{
    credit::CreditConfig,
    environment::{Connections, Executor, Network, Run, Task},
    exchange::FetchError,
    ledger::{Ledger, LedgerError, OperationStatus},
    market::MarketConfig,
    node::{self, Node, NodeConfig},
    resilience::{Resilience, Retry},
    time::now,
};
use icn_state::{NoPolicies, State};
use icn_store::{Batch, Durability, MemoryBackend, Reader as _, ScanRange, Store, StoreConfig, Table};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

type Context = deterministic::Context;

struct Simulated;

impl Network for Simulated {
    type Sender = simulated::Sender<PublicKey, Context>;
    type Receiver = simulated::Receiver<PublicKey>;
    type TopicSender = simulated::Sender<PublicKey, Context>;
    type TopicReceiver = simulated::Receiver<PublicKey>;
    type Peers = simulated::Manager<PublicKey, Context>;
    type Blocker = simulated::Control<PublicKey, Context>;
}

/// Gives back what it reads, after a moment, and knows how much memory its jobs might have taken at once.
#[derive(Clone)]
struct Echo {
    context: Arc<Context>,
    memory: Arc<Memory>,
}

#[derive(Default)]
struct Memory {
    now: AtomicU64,
    most: AtomicU64,
}

impl Echo {
    fn new(context: &Context) -> Self {
        Self {
            context: Arc::new(context.child("echo")),
            memory: Arc::default(),
        }
    }
}

impl Executor for Echo {
    fn engine(&self) -> String {
        "echo/1".into()
    }

    async fn run(&self, task: Task) -> Run {
        let bytes = task.spec.limits.memory_bytes;
        let taken = self.memory.now.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.memory.most.fetch_max(taken, Ordering::Relaxed);
        self.context.sleep(Duration::from_millis(50)).await;
        self.memory.now.fetch_sub(bytes, Ordering::Relaxed);
        Run {
            exit: ExitStatus::Code(0),
            stdout: task.stdin,
            stderr: Bytes::new(),
            files: BTreeMap::new(),
            fuel: 1,
            peak_memory_bytes: 1,
        }
    }
}

/// The shortest epochs.
const EPOCH_BLOCKS: u64 = 32;

struct Federation {
    context: Context,
    oracle: Oracle<PublicKey, Context>,
    nodes: Vec<Node>,
    logs: Vec<Handle<Result<(), LedgerError>>>,
    /// What jobs took on each.
    memory: Vec<Arc<Memory>>,
}

fn secret(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number + 1; 32])
}

fn founder(number: u8) -> Founder {
    let key = secret(number).public();
    Founder {
        did: Did::new(key),
        name: format!("coop {number}").parse().unwrap(),
        keys: RoleKeys::single(key),
    }
}

fn genesis(seats: u8, created: Time) -> Genesis {
    let mut founders: Vec<_> = (0..seats).map(founder).collect();
    founders.sort_by_key(|founder| founder.did);
    Genesis {
        name: "valley".parse().unwrap(),
        created,
        protocol: PROTOCOL_VERSION,
        parameters: Parameters {
            epoch_blocks: EPOCH_BLOCKS,
            ..Parameters::devnet()
        },
        founders,
        predecessor: None,
    }
}

async fn connect(oracle: &Oracle<PublicKey, Context>, key: &SecretKey) -> Connections<Simulated> {
    let control = oracle.control(icn_protocol::keys::public(&key.public()).unwrap());
    let quota = Quota::per_second(NZU32!(10_000));
    let mut channels = Vec::new();
    for number in 0..9 {
        channels.push(control.register(number, quota).await.unwrap());
    }
    let mut channels = channels.into_iter();
    let mut next = || channels.next().unwrap();
    Connections {
        votes: next(),
        certificates: next(),
        resolver: next(),
        backfill: next(),
        broadcast: next(),
        blocks: next(),
        credit: next(),
        operations: next(),
        bids: next(),
        peers: oracle.manager(),
        blocker: control,
        admit: Box::new(|_| {}),
    }
}

/// Makes a store believe in another outcome of the genesis than everybody else's.
async fn falsify(store: &Store, genesis: &Genesis) {
    Ledger::open(store.clone(), genesis, Arc::new(NoPolicies), PROTOCOL_VERSION)
        .await
        .unwrap();
    let records = store.scan(Table::State, &ScanRange::all(), 64).unwrap();
    let (key, mut head) = records
        .entries
        .into_iter()
        .find_map(|(key, bytes)| {
            Some((
                key,
                canonical::from_own_bytes::<HeadRecord>(&bytes, 1 << 10).ok()?,
            ))
        })
        .expect("a state has a head");
    head.root = Digest::of(b"another outcome");
    let mut batch = Batch::new();
    batch.put(Table::State, key, canonical::to_bytes(&head)).unwrap();
    store.commit(batch, Durability::Sync).await.unwrap();
}

/// The genesis that a federation began with.
fn genesis_of(federation: &Federation) -> Genesis {
    let created = federation.nodes[0]
        .ledger()
        .read(|state| state.federation_record().created);
    genesis(u8::try_from(federation.nodes.len()).unwrap(), created)
}

fn link() -> Link {
    Link {
        latency: Duration::from_millis(10),
        jitter: Duration::from_millis(2),
        success_rate: probability!(1.0),
    }
}

/// Who takes part, and how.
#[derive(Clone, Copy, Default)]
struct Cast {
    seats: u8,
    /// Has a falsified state.
    liar: Option<u8>,
    /// Is not started: its connections come back.
    absent: Option<u8>,
    /// This many seats, from 0 on, run a later release.
    renewed: u8,
    /// Has another solver.
    tampered: Option<(u8, clearing::Tampered)>,
}

const LATER: u32 = PROTOCOL_VERSION + 1;

impl Federation {
    async fn start(context: Context, seats: u8) -> Self {
        let cast = Cast {
            seats,
            ..Cast::default()
        };
        Self::start_with(context, cast).await.0
    }

    async fn start_with(context: Context, cast: Cast) -> (Self, Option<Connections<Simulated>>) {
        let seats = cast.seats;
        let config = simulated::Config {
            max_size: 8 << 20,
            max_peers_per_set: NZUsize!(16),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(2),
        };
        let (network, oracle) = simulated::Network::new(context.child("network"), config);
        network.start();
        let keys: Vec<PublicKey> = (0..seats)
            .map(|number| icn_protocol::keys::public(&secret(number).public()).unwrap())
            .collect();
        let all: Set<PublicKey> = keys.iter().cloned().try_collect().unwrap();
        oracle.manager().track(0, all);
        for from in &keys {
            for to in keys.iter().filter(|to| *to != from) {
                oracle.add_link(from.clone(), to.clone(), link()).await.unwrap();
            }
        }
        let genesis = genesis(seats, now(&context));
        let mut federation = Self {
            context,
            oracle: oracle.clone(),
            nodes: Vec::new(),
            logs: Vec::new(),
            memory: Vec::new(),
        };
        let mut unused = None;
        for number in 0..seats {
            let config = NodeConfig {
                did: founder(number).did,
                key: secret(number),
                genesis: genesis.clone(),
                partition: format!("n{number}"),
                blocks_per_file: node::BLOCKS_PER_FILE,
                resilience: Resilience::default(),
                market: MarketConfig::default(),
                credit: CreditConfig::with_key(secret(number)),
                policies: match cast.tampered {
                    Some((liar, tampered)) if liar == number => Arc::new(tampered),
                    _ => Arc::new(NoPolicies),
                },
                protocol: if number < cast.renewed {
                    LATER
                } else {
                    PROTOCOL_VERSION
                },
                application: None,
            };
            let store = Store::inline(MemoryBackend::new(), StoreConfig::default());
            if cast.liar == Some(number) {
                falsify(&store, &genesis).await;
            }
            let connections = connect(&oracle, &secret(number)).await;
            if cast.absent == Some(number) {
                unused = Some(connections);
                continue;
            }
            let context = federation.context.child("node").with_attribute("number", number);
            let executor = Echo::new(&context);
            federation.memory.push(executor.memory.clone());
            let (node, log) = node::start(context, config, store, connections, executor)
                .await
                .unwrap();
            federation.nodes.push(node);
            federation.logs.push(log);
        }
        (federation, unused)
    }

    fn now(&self) -> Time {
        now(&self.context)
    }

    /// Cuts one seat off from all others.
    async fn isolate(&self, seat: u8) {
        let key = |number: u8| icn_protocol::keys::public(&secret(number).public()).unwrap();
        let count = u8::try_from(self.nodes.len()).unwrap();
        for other in (0..count).filter(|other| *other != seat) {
            for (from, to) in [(seat, other), (other, seat)] {
                self.oracle.remove_link(key(from), key(to)).await.unwrap();
            }
        }
    }

    /// Cuts the seats `0..left` off from the others, or joins them again.
    async fn cut(&self, left: u8, is_cut: bool) {
        let key = |number: u8| icn_protocol::keys::public(&secret(number).public()).unwrap();
        let count = u8::try_from(self.nodes.len()).unwrap();
        for (one, other) in (0..left).flat_map(|one| (left..count).map(move |other| (one, other))) {
            for (from, to) in [(one, other), (other, one)] {
                if is_cut {
                    self.oracle.remove_link(key(from), key(to)).await.unwrap();
                } else {
                    self.oracle.add_link(key(from), key(to), link()).await.unwrap();
                }
            }
        }
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            self.context.sleep(Duration::from_millis(20)).await;
        }
        let heights: Vec<_> = self.nodes.iter().map(|node| node.ledger().progress()).collect();
        panic!("not within 40 s: {what}; {heights:?}");
    }

    fn same_root(&self) -> bool {
        let first = self.nodes[0].ledger().progress();
        self.nodes
            .iter()
            .all(|node| node.ledger().root_at(first.height) == Some(first.root))
    }
}

fn spec(stdin: icn_model::Cid, deadline: Time) -> JobSpec {
    JobSpec {
        module: stdin,
        args: Vec::new(),
        env: BTreeMap::new(),
        stdin: Some(stdin),
        inputs: BTreeMap::new(),
        limits: JobLimits::default(),
        require: Requirements::default(),
        replicas: 1,
        max_mana: Mana::from_whole(5),
        deadline,
        coordinator: None,
        private: false,
    }
}

#[test]
fn four_nodes_agree_on_an_operation() {
    deterministic::Runner::seeded(1).start(|context| async move {
        let federation = Federation::start(context, 4).await;
        federation.until("first blocks", |f| f.nodes.iter().all(|n| n.ledger().progress().height.get() > 1)).await;
        let member = Did::new(secret(99).public());
        let id = federation.nodes[0].author().act(Action::AddMember { member }, federation.now()).unwrap();
        let is_final =
            |n: &Node| matches!(n.ledger().status(&id).unwrap(), Some(OperationStatus::Final(f)) if f.refusal.is_none());
        federation.until("the operation is final everywhere", |f| f.nodes.iter().all(is_final)).await;
        federation.until("one root", Federation::same_root).await;
        assert!(federation.nodes[3].ledger().read(|state| state.member(&member).is_some()));
    });
}

/// Puts a block into a node's store.
#[test]
fn a_node_that_was_away_knows_how_far_behind_it_is() {
    deterministic::Runner::timed(Duration::from_secs(300)).start(|context| async move {
        let federation = Federation::start(context, 4).await;
        let height =
            |federation: &Federation, at: usize| federation.nodes[at].ledger().progress().height.get();
        federation.until("blocks are ordered", |f| height(f, 0) > 1).await;
        federation.cut(1, true).await;
        let back = height(&federation, 0) + 24;
        while height(&federation, 1) < back {
            let add = Action::AddMember {
                member: founder(40).did,
            };
            let _ = federation.nodes[1].author().act(add, federation.now());
            federation.context.sleep(Duration::from_secs(1)).await;
        }
        assert!(
            federation.nodes[0].lag() < 4,
            "it has not heard of what it missed"
        );
        federation.cut(1, false).await;
        federation
            .until("it hears what is final", |f| f.nodes[0].lag() > 16)
            .await;
        federation.until("it has it", |f| f.nodes[0].lag() == 0).await;
        assert!(height(&federation, 0) >= back);
    });
}

async fn put(node: &Node, bytes: &[u8]) -> Cid {
    let cid = Cid::of_raw(bytes);
    let put = node
        .exchange()
        .blocks()
        .put(&cid.generic(), bytes.to_vec(), Durability::Sync);
    put.unwrap().await.unwrap();
    cid
}

#[test]
fn jobs_that_run_at_once_share_the_memory_for_jobs() {
    deterministic::Runner::seeded(5).start(|context| async move {
        let federation = Federation::start(context, 4).await;
        federation
            .until("first blocks", |f| {
                f.nodes.iter().all(|n| n.ledger().progress().height.get() > 1)
            })
            .await;
        let submitter = &federation.nodes[1];
        let cid = put(submitter, b"a large batch").await;
        let deadline = federation.now().after(Millis::from_secs(600));
        let jobs: Vec<_> = (0..16)
            .map(|number| {
                let mut spec = spec(cid, deadline);
                spec.args = vec![number.to_string()];
                // Two fit, and four have a slot.
                spec.limits.memory_bytes = 400 << 20;
                let spec = Box::new(spec);
                let job = submitter
                    .author()
                    .act(Action::SubmitJob { spec }, federation.now());
                JobId::from(job.unwrap())
            })
            .collect();
        federation
            .until("all are settled", |f| {
                f.nodes[1].ledger().read(|state| {
                    let status = |job| state.job(job).map(|job| job.phase.status());
                    jobs.iter().all(|job| status(job) >= Some(JobStatus::Settled))
                })
            })
            .await;
        let most: Vec<_> = federation
            .memory
            .iter()
            .map(|memory| memory.most.load(Ordering::Relaxed))
            .collect();
        assert!(
            most.iter()
                .all(|most| *most <= MarketConfig::default().memory_bytes),
            "{most:?}"
        );
        assert!(most.contains(&(800 << 20)), "none ran two at once: {most:?}");
    });
}

#[test]
fn one_runs_a_job_for_another_and_is_paid() {
    deterministic::Runner::seeded(2).start(|context| async move {
        let federation = Federation::start(context, 4).await;
        federation
            .until("first blocks", |f| {
                f.nodes.iter().all(|n| n.ledger().progress().height.get() > 1)
            })
            .await;
        let submitter = &federation.nodes[1];
        let cid = put(submitter, b"flour, water, salt").await;
        let deadline = federation.now().after(Millis::from_secs(600));
        let action = Action::SubmitJob {
            spec: Box::new(spec(cid, deadline)),
        };
        let submitted = federation.now();
        let job = JobId::from(submitter.author().act(action, submitted).unwrap());
        let status = |n: &Node| {
            n.ledger()
                .read(|state| state.job(&job).map(|job| job.phase.status()))
        };
        federation
            .until("the job is settled", |f| {
                f.nodes.iter().all(|n| status(n) >= Some(JobStatus::Settled))
            })
            .await;
        let took = federation.now().since(submitted);
        assert!(took < Millis::from_secs(2), "took {took}");
        let executor = submitter.ledger().read(|state| {
            let paid: Vec<_> = state
                .job(&job)
                .unwrap()
                .paid()
                .map(|paid| paid.executor)
                .collect();
            assert_eq!(paid.len(), 1);
            state.audit().unwrap();
            paid[0]
        });
        assert_ne!(executor, submitter.author().did());
        federation
            .until("pay has matured", |f| {
                f.nodes.iter().all(|n| status(n) == Some(JobStatus::Completed))
            })
            .await;
        federation.until("one root", Federation::same_root).await;
    });
}

/// Faults of `seat` that a node has seen and kept as events.
fn kept_faults(node: &Node, seat: u8) -> Vec<Fault> {
    let read = node.ledger().events(None, 0, 1_000).unwrap();
    read.records
        .into_iter()
        .filter_map(|record| match record.event {
            Event::Misbehaved { seat: key, fault, .. } if key == secret(seat).public() => Some(fault),
            _ => None,
        })
        .collect()
}

#[test]
fn a_seat_with_a_false_root_stops_nobody_but_itself() {
    // Who proposes first depends on the keys: each is the liar once.
    let proposed = (0..4).filter(|liar| false_root(*liar)).count();
    assert!(proposed > 0, "no liar came to propose anything");
}

const fn four(liar: Option<u8>, absent: Option<u8>) -> Cast {
    Cast {
        seats: 4,
        liar,
        absent,
        renewed: 0,
        tampered: None,
    }
}

/// Whether the liar came to propose a block before it learned that it is wrong.
fn false_root(liar: u8) -> bool {
    deterministic::Runner::seeded(3).start(|context| async move {
        let (mut federation, _) = Federation::start_with(context, four(Some(liar), None)).await;
        let others: Vec<usize> = (0..4).filter(|number| *number != usize::from(liar)).collect();
        federation
            .until("the others go on", |f| {
                others
                    .iter()
                    .all(|at| f.nodes[*at].ledger().progress().height.get() > 5)
            })
            .await;
        let stopped = federation.logs.remove(usize::from(liar)).await;
        let Ok(Err(LedgerError::Diverged { ours, theirs, .. })) = stopped else {
            panic!("the liar goes on: {stopped:?}")
        };
        assert_ne!(ours, theirs);
        let witnesses = others.iter().map(|at| &federation.nodes[*at]);
        let faults: Vec<_> = witnesses.clone().map(|node| kept_faults(node, liar)).collect();
        assert!(
            faults.iter().flatten().all(|fault| *fault == Fault::FalseRoot),
            "{faults:?}"
        );
        for (node, faults) in witnesses.zip(&faults) {
            let counted = node.ledger().counters().get().faults;
            assert_eq!(counted.contains_key(&Fault::FalseRoot), !faults.is_empty());
            assert!(faults.len() <= 1, "one event for all its proposals of an epoch");
        }
        faults.iter().all(|faults| !faults.is_empty())
    })
}

/// What nodes say to each other about blocks, as bytes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AboutBlocks {
    Want {
        number: u64,
        cid: Cid,
    },
    Have {
        number: u64,
        bytes: serde_bytes::ByteBuf,
    },
}

#[test]
fn what_a_seat_sends_wrongly_is_dropped_and_counted() {
    deterministic::Runner::seeded(4).start(|context| async move {
        let (federation, hostile) = Federation::start_with(context, four(None, Some(3))).await;
        let mut hostile = hostile.unwrap();
        let node = &federation.nodes[0];
        federation
            .until("first blocks", |f| {
                f.nodes.iter().all(|n| n.ledger().progress().height.get() > 1)
            })
            .await;
        let (before, federation_id) = (
            node.ledger().read(|state| state.supply()),
            node.ledger().read(State::federation),
        );
        let now = federation.now();
        let operation = Operation {
            federation: federation_id,
            author: founder(1).did,
            key: secret(1).public(),
            sequence: Sequence::new(1),
            expires: now.after(Millis::from_secs(60)),
            action: Action::Leave {},
        };
        let forged = SignedOperation::sign(operation, &secret(3));
        let bid = Bid {
            federation: federation_id,
            job: JobId::new(Digest::of(b"no job")),
            attempt: 0,
            executor: founder(1).did,
            key: secret(1).public(),
            price: Mana::from_milli(1),
            free_memory_bytes: 0,
            local_bytes: 0,
            load_per_mille: 0,
            expires: now.after(Millis::from_secs(60)),
        };
        let mut bid = Signed::new(bid, &secret(1));
        bid.content.price = Mana::ZERO;
        let to_all = || Recipients::<PublicKey>::All;
        hostile
            .operations
            .0
            .send(to_all(), b"no operations".to_vec(), false);
        hostile.operations.0.send(
            to_all(),
            canonical::to_bytes(std::slice::from_ref(&forged)),
            false,
        );
        hostile.bids.0.send(to_all(), canonical::to_bytes(&[bid]), false);
        hostile.bids.0.send(to_all(), b"no bids".to_vec(), false);
        hostile
            .blocks
            .0
            .send(to_all(), b"nothing about blocks".to_vec(), false);

        // Asked for a block, it answers with another one.
        let (mut sender, mut receiver) = hostile.blocks;
        let answering = federation.context.child("hostile").spawn(|_| async move {
            while let Ok((from, message)) = receiver.recv().await {
                if let Ok(AboutBlocks::Want { number, .. }) =
                    canonical::from_own_bytes(message.as_ref(), 1 << 20)
                {
                    let bytes = b"another block".to_vec().into();
                    let have = canonical::to_bytes(&AboutBlocks::Have { number, bytes });
                    sender.send(Recipients::One(from), have, false);
                }
            }
        });
        let wanted = Cid::of_raw(b"a block that nobody has");
        let fetched = node.exchange().get(&wanted, &[secret(3).public()]).await;
        assert!(matches!(fetched, Err(FetchError::Absent(cid)) if cid == wanted));
        answering.abort();
        // That is often enough to be left alone.
        let callee = Callee::Peer(secret(3).public());
        federation
            .until("an open circuit among the events", |f| {
                let read = f.nodes[0]
                    .ledger()
                    .events(Some(EventKind::Network), 0, 10)
                    .unwrap();
                let events: Vec<_> = read.records.into_iter().map(|record| record.event).collect();
                events == [Event::CircuitOpened { callee }]
            })
            .await;

        let expected = BTreeMap::from([
            (Fault::MalformedMessage, 3),
            (Fault::BadlySignedOperation, 1),
            (Fault::BadlySignedBid, 1),
            // Everybody is asked in each of the tries.
            (Fault::WrongBlockBytes, u64::from(Retry::default().max_attempts)),
        ]);
        assert_eq!(node.ledger().counters().get().faults, expected);
        assert!(node.ledger().status(&forged.id()).unwrap().is_none());
        assert_eq!(node.ledger().read(|state| state.supply()).granted, before.granted);
        let height = node.ledger().progress().height;
        federation
            .until("the others go on", |f| {
                f.nodes
                    .iter()
                    .all(|n| n.ledger().progress().height > height.next())
            })
            .await;
    });
}

#[test]
fn a_node_that_is_too_old_for_the_protocol_stops_before_it() {
    deterministic::Runner::seeded(5).start(|context| async move {
        let cast = Cast {
            seats: 4,
            renewed: 3,
            ..Cast::default()
        };
        let (mut federation, _) = Federation::start_with(context, cast).await;
        let announced = |node: &Node| {
            node.ledger().read(|state| {
                state
                    .seat_records()
                    .filter(|(_, seat)| seat.protocol == LATER)
                    .count()
            })
        };
        federation
            .until("the renewed nodes say what they can follow", |f| {
                f.nodes.iter().all(|node| announced(node) == 3)
            })
            .await;

        let effect = Effect::Upgrade {
            version: LATER,
            epoch: EpochNumber::new(1),
        };
        let proposal = federation.nodes[0].ledger().read(|state| ProposalSpec {
            text: None,
            electorate: state.process(effect.kind()).electorate,
            method: Method::YesNo {},
            topic: "releases".parse().unwrap(),
            closes: None,
            votes_final: true,
            effect,
        });
        let action = Action::Propose {
            proposal: Box::new(proposal),
        };
        let id = federation.nodes[0]
            .author()
            .act(action, federation.now())
            .unwrap();
        let proposal = ProposalId::from(id);
        let is_here = |node: &Node| node.ledger().read(|state| state.proposal(&proposal).is_some());
        federation
            .until("the proposal is here", |f| f.nodes.iter().all(is_here))
            .await;
        for node in &federation.nodes {
            let choice = Choice::Yes {};
            node.author()
                .act(Action::Vote { proposal, choice }, federation.now())
                .unwrap();
        }
        let follows = |node: &Node| node.ledger().read(|state| state.decided().protocol);
        federation
            .until("the renewed nodes go on by the later version", |f| {
                let renewed = &f.nodes[..3];
                renewed.iter().all(|node| {
                    let height = node.ledger().progress().height.get();
                    follows(node) == LATER && height % EPOCH_BLOCKS > 3
                })
            })
            .await;

        let stopped = federation.logs.pop().unwrap().await;
        let Ok(Err(LedgerError::TooOld {
            height,
            follows: LATER,
            knows: PROTOCOL_VERSION,
        })) = stopped
        else {
            panic!("the old node goes on: {stopped:?}")
        };
        assert_eq!(
            (height.get() + 1) % EPOCH_BLOCKS,
            0,
            "it has executed the epoch's last block"
        );

        let old = &federation.nodes[3];
        assert_eq!(old.ledger().progress().height, height, "and keeps it");
        let genesis = genesis(4, old.ledger().genesis_block().header().time);
        let open = |knows| {
            let store = old.ledger().store().clone();
            Ledger::open(store, &genesis, Arc::new(NoPolicies), knows)
        };
        assert!(matches!(
            open(PROTOCOL_VERSION).await,
            Err(LedgerError::TooOld { .. })
        ));
        assert!(open(LATER).await.is_ok(), "a newer release goes on from there");
    });
}
