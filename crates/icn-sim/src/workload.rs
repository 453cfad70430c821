//! What users do: jobs submitted, withdrawn and doubted, mana shared with members, members added. What they decide
//! together is in `assembly`, what they agree on in `bargains`.
//!
//! Seats neither join nor leave here.
use crate::{
    cluster::{Judge, Roster},
    config::millis,
    executor::truth,
    federation::{Federation, key},
};
use bytes::Bytes;
use commonware_runtime::{Clock as _, deterministic::Context};
use icn_model::{
    Action, Cid, Did, JobId, JobLimits, JobPhase, JobSpec, JobStatus, Mana, Millis, Operation, OperationId,
    Refusal, Requirements, SecretKey, SignedOperation, Time,
};
use icn_protocol::{node::Node, time::now};
use icn_store::Durability;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::SliceRandom as _};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

/// Sets the workload's numbers apart from the runtime's and the schedule's.
const STREAM: u64 = 0x3012_104d;
/// Jobs that users remember: to withdraw or to doubt.
const JOBS_REMEMBERED: usize = 512;
/// Members that a cooperative enters in the end.
const MEMBERS: u64 = 6;
/// Members that it enters first.
const FIRST_MEMBERS: u64 = 2;
const EXPIRY: Millis = Millis::from_secs(300);

/// The users of all cooperatives.
pub struct Workload {
    context: Context,
    pub(crate) rng: StdRng,
    seed: u64,
    pub(crate) dids: Vec<Did>,
    /// The first key of each cooperative, which stays its officer's when the seat gets another one.
    officers: Vec<SecretKey>,
    pub(crate) roster: Roster,
    judge: Judge,
    jobs: VecDeque<Remembered>,
    /// Jobs doubted already.
    doubted: BTreeSet<JobId>,
    modules: BTreeMap<Cid, Bytes>,
    /// Between operations, in the mean.
    gap_ms: u64,
}

struct Remembered {
    node: usize,
    id: JobId,
    /// Who may withdraw it.
    member: Option<SecretKey>,
}

impl Workload {
    /// Of an operation in each `gap`, in the mean.
    pub fn new(
        context: Context,
        federation: &Federation,
        seed: u64,
        gap: Duration,
        roster: Roster,
        judge: Judge,
    ) -> Self {
        Self {
            context,
            rng: StdRng::seed_from_u64(seed ^ STREAM),
            seed,
            dids: federation.cooperatives.iter().map(|one| one.did).collect(),
            officers: federation
                .cooperatives
                .iter()
                .map(|one| one.keys[0].clone())
                .collect(),
            roster,
            judge,
            jobs: VecDeque::new(),
            doubted: BTreeSet::new(),
            modules: BTreeMap::new(),
            gap_ms: millis(gap).get(),
        }
    }

    /// Uses the federation for ever.
    pub async fn run(mut self) {
        for node in 0..self.dids.len() {
            for at in 0..FIRST_MEMBERS {
                self.add_member(node, at);
            }
        }
        loop {
            let gap_ms = self.rng.random_range(0..=2 * self.gap_ms);
            self.context.sleep(Duration::from_millis(gap_ms.max(1))).await;
            let node = self.rng.random_range(0..self.dids.len());
            match self.rng.random_range(0..165) {
                0..45 => self.submit_job(node, None).await,
                45..60 => {
                    let member = self.member(node);
                    self.submit_job(node, member).await;
                }
                60..70 => self.cancel_job(),
                70..84 => self.share(node),
                84..92 => self.return_mana(node),
                92..96 => {
                    let at = self.rng.random_range(0..MEMBERS);
                    self.add_member(node, at);
                }
                96..100 => self.doubt_something(node),
                115..125 => self.bargain(node),
                125.. => self.trade(node).await,
                _ => self.govern(node),
            }
            self.doubt_lies();
        }
    }

    pub(crate) const fn judge(&self) -> &Judge {
        &self.judge
    }

    pub(crate) const fn context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn now(&self) -> Time {
        now(&self.context)
    }

    fn member_key(&self, node: usize, at: u64) -> SecretKey {
        key(self.seed, "member", (node as u64) << 16 | at)
    }

    /// A member of the cooperative that the log knows.
    pub(crate) fn member(&mut self, node: usize) -> Option<SecretKey> {
        let at = self.rng.random_range(0..MEMBERS);
        let key = self.member_key(node, at);
        let running = self.roster.node(node)?;
        let known = running
            .ledger()
            .read(|state| state.member(&Did::new(key.public())).is_some());
        known.then_some(key)
    }

    pub(crate) fn amount(&mut self, range: std::ops::Range<u64>) -> Mana {
        Mana::from_milli(self.rng.random_range(range))
    }

    /// Hands in an operation of a cooperative, signed by its key.
    pub(crate) fn act(&self, node: usize, action: Action) -> Option<OperationId> {
        let running = self.roster.node(node)?;
        let now = self.now();
        self.note(node, running.author().act(action, now), now)
    }

    /// Hands in an operation of a member, signed by the member's own key.
    pub(crate) fn act_for(&mut self, node: usize, member: &SecretKey, action: Action) -> Option<OperationId> {
        self.act_with(node, Did::new(member.public()), member, action)
    }

    /// Hands in an operation of a cooperative, signed by its officer.
    pub(crate) fn speak(&mut self, node: usize, action: Action) -> Option<OperationId> {
        let officer = self.officers[node].clone();
        self.act_with(node, self.dids[node], &officer, action)
    }

    fn act_with(&mut self, node: usize, author: Did, key: &SecretKey, action: Action) -> Option<OperationId> {
        let running = self.roster.node(node)?;
        let now = self.now();
        let operation = Operation {
            federation: running.ledger().read(icn_state::State::federation),
            author,
            key: key.public(),
            sequence: running.ledger().next_sequence(&key.public()),
            expires: now.after(EXPIRY),
            action,
        };
        let operation = SignedOperation::sign(operation, key);
        let submitted = running
            .submit(&mut self.context, now, vec![operation])
            .into_iter()
            .next()?;
        self.note(node, submitted.refusal.map_or(Ok(submitted.id), Err), now)
    }

    fn note(&self, node: usize, done: Result<OperationId, Refusal>, now: Time) -> Option<OperationId> {
        match done {
            Ok(id) => {
                self.judge.lock().promise(node, id, now);
                Some(id)
            }
            Err(refusal) => {
                tracing::debug!(node, %refusal, "a user was refused");
                None
            }
        }
    }

    async fn submit_job(&mut self, node: usize, member: Option<SecretKey>) {
        let Some(running) = self.roster.node(node) else {
            return;
        };
        let Some(spec) = self.spec(&running).await else {
            return;
        };
        let action = Action::SubmitJob { spec: Box::new(spec) };
        let id = match &member {
            Some(member) => self.act_for(node, member, action),
            None => self.act(node, action),
        };
        if let Some(id) = id {
            self.jobs.push_back(Remembered {
                node,
                id: id.into(),
                member,
            });
            if self.jobs.len() > JOBS_REMEMBERED {
                self.jobs.pop_front();
            }
        }
    }

    /// A job, with its module in the blocks of the node where it is submitted.
    async fn spec(&mut self, running: &Node) -> Option<JobSpec> {
        let mut module = vec![0; self.rng.random_range(64..2_048)];
        self.rng.fill(module.as_mut_slice());
        let cid = Cid::of_raw(&module);
        let put = running
            .exchange()
            .blocks()
            .put(&cid.generic(), module.clone(), Durability::Sync);
        put.ok()?.await.ok()?;
        if self.modules.len() >= JOBS_REMEMBERED {
            self.modules.pop_first();
        }
        self.modules.insert(cid, module.into());

        let wall_ms = self.rng.random_range(1_000..4_000);
        let parameters = running.ledger().read(|state| *state.parameters());
        let least = parameters.bid_window_ms.get() + parameters.receipt_grace_ms.get() + wall_ms;
        let slack_ms = self.rng.random_range(3_000..40_000);
        let coordinator = self
            .rng
            .random_bool(0.2)
            .then(|| self.rng.random_range(0..self.dids.len()));
        let most = self.dids.len().clamp(2, 4) - 1;
        let replicas = self.rng.random_range(1..=most);
        Some(JobSpec {
            module: cid,
            args: vec![format!("{}", self.rng.random_range(0..1_000))],
            env: BTreeMap::new(),
            stdin: None,
            inputs: BTreeMap::new(),
            limits: JobLimits {
                fuel: 1_000_000_000,
                wall_ms,
                ..JobLimits::default()
            },
            require: Requirements {
                min_reputation: 0,
                cooperatives: self.named(replicas),
            },
            replicas: u8::try_from(replicas).unwrap_or(1),
            // Some offer less than anybody asks.
            max_mana: self.amount(5..200),
            deadline: self.now().after(Millis::new(least + slack_ms)),
            coordinator: coordinator.map(|at| self.dids[at]),
            private: false,
        })
    }

    /// At times a few cooperatives that alone may run a job, so that not always the cheapest does.
    fn named(&mut self, least: usize) -> Vec<Did> {
        if !self.rng.random_bool(0.4) {
            return Vec::new();
        }
        let mut named = self.dids.clone();
        named.shuffle(&mut self.rng);
        named.truncate(self.rng.random_range(least..=least + 1));
        named
    }

    fn cancel_job(&mut self) {
        if self.jobs.is_empty() {
            return;
        }
        let at = self.jobs.len() - 1 - self.rng.random_range(0..self.jobs.len().min(8));
        let Some(Remembered { node, id, member }) = self.jobs.remove(at) else {
            return;
        };
        let action = Action::CancelJob { job: id };
        match member {
            Some(member) => self.act_for(node, &member, action),
            None => self.act(node, action),
        };
    }

    fn add_member(&self, node: usize, at: u64) {
        let member = Did::new(self.member_key(node, at).public());
        self.act(node, Action::AddMember { member });
    }

    fn share(&mut self, node: usize) {
        let Some(member) = self.member(node) else { return };
        let amount = self.amount(1..5_000);
        self.act(
            node,
            Action::ShareMana {
                to: Did::new(member.public()),
                amount,
            },
        );
    }

    fn return_mana(&mut self, node: usize) {
        let Some(member) = self.member(node) else { return };
        let amount = self.amount(1..500);
        self.act_for(
            node,
            &member,
            Action::ShareMana {
                to: self.dids[node],
                amount,
            },
        );
    }

    /// Stakes mana against some settled job, true or not.
    fn doubt_something(&mut self, node: usize) {
        let Some(running) = self.roster.node(node) else {
            return;
        };
        let settled: Vec<_> = running.ledger().read(|state| {
            state
                .jobs_by_status(JobStatus::Settled)
                .map(|(id, _)| id)
                .collect()
        });
        if !settled.is_empty() {
            let job = settled[self.rng.random_range(0..settled.len())];
            self.act(node, Action::ChallengeJob { job });
        }
    }

    /// Stakes mana against every settled outcome that is not the true one.
    fn doubt_lies(&mut self) {
        for (node, running) in self.roster.running() {
            let me = self.dids[node];
            let lies: Vec<_> = running.ledger().read(|state| {
                let settled = state.jobs_by_status(JobStatus::Settled);
                let doubtful = settled.filter(|(id, job)| {
                    let is_open = matches!(job.phase, JobPhase::Settled { .. }) && job.challenge.is_none();
                    let is_party = job.assignments.iter().any(|one| one.executor == me);
                    let spec = state.job_spec(id);
                    let truth = spec.and_then(|spec| Some(truth(spec, self.modules.get(&spec.module)?)));
                    is_open && !is_party && truth.is_some_and(|truth| job.outcome != Some(truth))
                });
                doubtful
                    .map(|(id, _)| id)
                    .filter(|id| !self.doubted.contains(id))
                    .collect()
            });
            for job in lies {
                if self.act(node, Action::ChallengeJob { job }).is_some() {
                    self.doubted.insert(job);
                    if self.doubted.len() > JOBS_REMEMBERED {
                        self.doubted.pop_first();
                    }
                }
            }
        }
    }
}
