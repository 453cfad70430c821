//! A federation of four under the deterministic runtime: operations, a job, a newcomer. Faults are the
//! simulator's business.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
use bytes::Bytes;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{
    Manager as _,
    simulated::{self, Link, Oracle},
};
use commonware_runtime::{Clock as _, Handle, Quota, Runner as _, Supervisor as _, deterministic};
use commonware_utils::{NZU32, NZUsize, TryCollect as _, ordered::Set, probability};
use icn_model::{
    Action, Did, ExitStatus, Founder, Genesis, JobId, JobLimits, JobSpec, JobStatus, Mana, Millis,
    Parameters, Requirements, RoleKeys, SecretKey, Time,
};
use icn_protocol::{
    environment::{Connections, Executor, Network, Run, Task},
    ledger::{LedgerError, OperationStatus},
    market::MarketConfig,
    node::{self, Node, NodeConfig},
    time::now,
};
use icn_store::{MemoryBackend, Store, StoreConfig};
use std::{collections::BTreeMap, time::Duration};

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

/// Gives back what it reads.
#[derive(Clone)]
struct Echo;

impl Executor for Echo {
    fn engine(&self) -> String {
        "echo/1".into()
    }

    async fn run(&self, task: Task) -> Run {
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

struct Federation {
    context: Context,
    nodes: Vec<Node>,
    logs: Vec<Handle<Result<(), LedgerError>>>,
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
        parameters: Parameters::devnet(),
        founders,
        predecessor: None,
    }
}

async fn connect(oracle: &Oracle<PublicKey, Context>, key: &SecretKey) -> Connections<Simulated> {
    let control = oracle.control(icn_protocol::keys::public(&key.public()).unwrap());
    let quota = Quota::per_second(NZU32!(10_000));
    let mut channels = Vec::new();
    for number in 0..8 {
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
        operations: next(),
        bids: next(),
        peers: oracle.manager(),
        blocker: control,
        admit: Box::new(|_, _| {}),
    }
}

impl Federation {
    async fn start(context: Context, seats: u8) -> Self {
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
        let link = Link {
            latency: Duration::from_millis(10),
            jitter: Duration::from_millis(2),
            success_rate: probability!(1.0),
        };
        for from in &keys {
            for to in keys.iter().filter(|to| *to != from) {
                oracle
                    .add_link(from.clone(), to.clone(), link.clone())
                    .await
                    .unwrap();
            }
        }
        let genesis = genesis(seats, now(&context));
        let mut federation = Self {
            context,
            nodes: Vec::new(),
            logs: Vec::new(),
        };
        for number in 0..seats {
            let config = NodeConfig {
                did: founder(number).did,
                key: secret(number),
                genesis: genesis.clone(),
                partition: format!("n{number}"),
                market: MarketConfig::default(),
                application: None,
            };
            let store = Store::inline(MemoryBackend::new(), StoreConfig::default());
            let connections = connect(&oracle, &secret(number)).await;
            let context = federation.context.child("node").with_attribute("number", number);
            let (node, log) = node::start(context, config, store, connections, Echo)
                .await
                .unwrap();
            federation.nodes.push(node);
            federation.logs.push(log);
        }
        federation
    }

    fn now(&self) -> Time {
        now(&self.context)
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
        let input = b"flour, water, salt".to_vec();
        let cid = icn_model::Cid::of_raw(&input);
        submitter
            .exchange()
            .blocks()
            .put(&cid.generic(), input, icn_store::Durability::Sync)
            .unwrap()
            .await
            .unwrap();
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
