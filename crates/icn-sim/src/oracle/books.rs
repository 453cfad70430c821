//! Jobs and mana, kept from events alone: double entry, written without a look at `icn-state`.
use super::{
    Invariant, Violation,
    agreements::Agreements,
    decisions::Decisions,
    job::{Job, Pay, Stage},
};
use icn_model::{Did, Event, Genesis, GovernanceEvent, JobId, Mana};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Jobs that are over and remembered, to notice if one of them is paid again.
const ENDED_KEPT: usize = 100_000;

/// What the events of the log add up to.
#[derive(Debug)]
pub struct Books {
    jobs: BTreeMap<JobId, Job>,
    ended: BTreeSet<JobId>,
    ended_order: VecDeque<JobId>,
    /// What came in less what went out, without regeneration; held and staked mana is still the owner's.
    balance: BTreeMap<Did, i64>,
    staked: BTreeMap<Did, u64>,
    stake: u64,
    allocated: u64,
    decisions: Decisions,
    agreements: Agreements,
    height: u64,
    settled: u64,
    rolled_back: u64,
    cancelled: u64,
    disproved: u64,
    submitted: u64,
}

impl Books {
    /// Of a federation that begins.
    pub(super) fn new(genesis: &Genesis) -> Self {
        let start = i64::try_from(genesis.parameters.mana_start.milli()).unwrap_or(i64::MAX);
        Self {
            jobs: BTreeMap::new(),
            ended: BTreeSet::new(),
            ended_order: VecDeque::new(),
            balance: genesis
                .founders
                .iter()
                .map(|founder| (founder.did, start))
                .collect(),
            staked: BTreeMap::new(),
            stake: genesis.parameters.challenge_stake.milli(),
            allocated: 0,
            decisions: Decisions::default(),
            agreements: Agreements::default(),
            height: 0,
            settled: 0,
            rolled_back: 0,
            cancelled: 0,
            disproved: 0,
            submitted: 0,
        }
    }

    /// Jobs that are open, settled and not matured, or doubted.
    pub fn unfinished(&self) -> usize {
        self.jobs.len()
    }

    /// Jobs that were paid.
    pub const fn settled(&self) -> u64 {
        self.settled
    }

    /// Jobs that came to nothing.
    pub const fn rolled_back(&self) -> u64 {
        self.rolled_back
    }

    /// Jobs that were withdrawn.
    pub const fn cancelled(&self) -> u64 {
        self.cancelled
    }

    /// Jobs whose executors were found to have lied.
    pub const fn disproved(&self) -> u64 {
        self.disproved
    }

    /// Jobs in all.
    pub const fn submitted(&self) -> u64 {
        self.submitted
    }

    /// What `did` should own without regeneration and unmatured pay, in thousandths.
    pub(super) fn balance(&self, did: &Did) -> i64 {
        self.balance.get(did).copied().unwrap_or(0)
    }

    /// Mana that came into being by vote.
    pub(super) const fn allocated(&self) -> u64 {
        self.allocated
    }

    /// What was proposed and decided.
    pub const fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// What was agreed on.
    pub const fn agreements(&self) -> &Agreements {
        &self.agreements
    }

    /// What should be held for the open jobs of `did`, and how many there are.
    pub(super) fn held(&self, did: &Did) -> (u64, u32) {
        let open = self
            .jobs
            .values()
            .filter(|job| job.payer == *did && matches!(job.stage, Stage::Open));
        open.fold((0, 0), |(held, count), job| (held + job.held, count + 1))
    }

    /// What should be at stake for `did`.
    pub(super) fn staked(&self, did: &Did) -> u64 {
        self.staked.get(did).copied().unwrap_or(0)
    }

    /// All pay that should be maturing.
    pub(super) fn maturing(&self) -> u64 {
        let rest = |job: &Job| match &job.stage {
            Stage::Open => 0,
            Stage::Settled(pay) | Stage::Doubted { pay, .. } => pay.rest,
        };
        self.jobs.values().map(rest).sum()
    }

    /// Enters an event of a block.
    pub(super) fn enter(&mut self, height: u64, event: &Event) -> Result<(), Violation> {
        if height < self.height {
            return Err(wrong(format!("height {height} comes after {}", self.height)));
        }
        self.height = height;
        let at = |detail: String| format!("at height {height}: {detail}");
        if let Event::Agreement(event) = event {
            let agreed = self.agreements.invariant_agreed(event);
            agreed.map_err(|detail| Violation::new(Invariant::Agreed, at(detail)))?;
        }
        if let Event::Governance(event) = event {
            let decided = self.decisions.invariant_decided_once(event);
            decided.map_err(|detail| Violation::new(Invariant::DecidedOnce, at(detail)))?;
            self.govern(event);
            return Ok(());
        }
        self.invariant_paid_once(event)
            .map_err(|detail| wrong(at(detail)))
    }

    /// What governance costs is burned, what it allocates comes into being.
    fn govern(&mut self, event: &GovernanceEvent) {
        match event {
            GovernanceEvent::Proposed { by, cost, .. }
            | GovernanceEvent::ContractPublished { by, cost, .. } => {
                self.take(by, cost.milli());
            }
            GovernanceEvent::Allocated { to, amount } => {
                self.give(to, amount.milli());
                self.allocated += amount.milli();
            }
            _ => {}
        }
    }

    fn invariant_paid_once(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::ManaShared { from, to, amount } => {
                self.take(from, amount.milli());
                self.give(to, amount.milli());
                Ok(())
            }
            Event::MemberRemoved {
                member,
                cooperative,
                returned,
            } => {
                self.take(member, returned.milli());
                self.give(cooperative, returned.milli());
                Ok(())
            }
            Event::ManaGranted { to, amount } => {
                self.give(to, amount.milli());
                Ok(())
            }
            Event::JobSubmitted { job, submitter, held } => self.submit(*job, *submitter, *held),
            Event::JobAwarded {
                job,
                attempt,
                executors,
            } => self.award(job, *attempt, executors),
            Event::JobReceipt { job, executor, .. } => self.receive(job, *executor),
            Event::JobRetried { job, attempt, .. } => self.retry(job, *attempt),
            Event::JobSettled {
                job,
                executors,
                paid,
                released,
            } => self.settle(job, executors, *paid, *released),
            Event::PayMatured {
                job,
                executor,
                amount,
            } => self.mature(job, *executor, *amount),
            Event::JobRolledBack { job, released, .. } => {
                self.rolled_back += 1;
                self.release(job, *released)
            }
            Event::JobCancelled { job, released } => {
                self.cancelled += 1;
                self.release(job, *released)
            }
            Event::JobChallenged { job, challenger, .. } => self.challenge(job, *challenger),
            Event::ChallengeFailed { job, stake } => self.uphold(job, *stake),
            Event::ChallengeLapsed { job } => self.lapse(job),
            Event::JobDisproved {
                job,
                executor,
                forfeited,
            } => self.disprove(job, *executor, *forfeited),
            _ => Ok(()),
        }
    }

    fn submit(&mut self, id: JobId, payer: Did, held: Mana) -> Result<(), String> {
        let (executors, delivered) = (Vec::new(), BTreeSet::new());
        let job = Job {
            payer,
            held: held.milli(),
            attempt: 0,
            executors,
            delivered,
            stage: Stage::Open,
        };
        self.submitted += 1;
        if self.ended.contains(&id) || self.jobs.insert(id, job).is_some() {
            return Err(format!("job {id} was submitted twice"));
        }
        Ok(())
    }

    fn open(&mut self, id: &JobId) -> Result<&mut Job, String> {
        match self.jobs.get_mut(id) {
            Some(job) if matches!(job.stage, Stage::Open) => Ok(job),
            Some(job) => Err(format!("job {id} is {:?}, not open", job.stage)),
            None => Err(format!("job {id} is over, or never was")),
        }
    }

    fn award(&mut self, id: &JobId, attempt: u32, executors: &[Did]) -> Result<(), String> {
        let job = self.open(id)?;
        let distinct: BTreeSet<_> = executors.iter().collect();
        if job.attempt != attempt || !job.executors.is_empty() || distinct.len() != executors.len() {
            return Err(format!(
                "job {id} was awarded for attempt {attempt} to {executors:?}, it is {job:?}"
            ));
        }
        job.executors = executors.to_vec();
        Ok(())
    }

    fn receive(&mut self, id: &JobId, executor: Did) -> Result<(), String> {
        let job = self.open(id)?;
        if !job.executors.contains(&executor) || !job.delivered.insert(executor) {
            return Err(format!(
                "{executor} delivered job {id}, which it does not have, or twice: {job:?}"
            ));
        }
        Ok(())
    }

    fn retry(&mut self, id: &JobId, attempt: u32) -> Result<(), String> {
        let job = self.open(id)?;
        if job.attempt != attempt || job.executors.is_empty() {
            return Err(format!("attempt {attempt} of job {id} failed, it is {job:?}"));
        }
        job.attempt += 1;
        job.executors.clear();
        job.delivered.clear();
        Ok(())
    }

    fn settle(&mut self, id: &JobId, winners: &[Did], paid: Mana, released: Mana) -> Result<(), String> {
        let job = self.open(id)?;
        let distinct: BTreeSet<_> = winners.iter().collect();
        let delivered = winners.iter().all(|winner| job.delivered.contains(winner));
        if !delivered || distinct.len() != winners.len() || winners.len() * 2 <= job.executors.len() {
            return Err(format!("job {id} was settled for {winners:?}, it is {job:?}"));
        }
        let (paid, held) = (paid.milli(), job.held);
        if paid.checked_add(released.milli()) != Some(held) {
            return Err(format!(
                "job {id} held {held}, paid {paid} and released {}",
                released.milli()
            ));
        }
        let payer = job.payer;
        job.stage = Stage::Settled(Pay {
            winners: winners.to_vec(),
            done: BTreeSet::new(),
            rest: paid,
        });
        self.take(&payer, paid);
        self.settled += 1;
        Ok(())
    }

    fn mature(&mut self, id: &JobId, executor: Did, amount: Mana) -> Result<(), String> {
        let Some(Job {
            stage: Stage::Settled(pay),
            ..
        }) = self.jobs.get_mut(id)
        else {
            return Err(format!(
                "{executor} was paid for job {id}, which has nothing to pay"
            ));
        };
        pay.finish(id, executor, amount.milli())?;
        let over = pay.is_over(id)?;
        self.give(&executor, amount.milli());
        if over {
            self.end(id);
        }
        Ok(())
    }

    fn release(&mut self, id: &JobId, released: Mana) -> Result<(), String> {
        let held = self.open(id)?.held;
        if released.milli() != held {
            return Err(format!("job {id} held {held} and released {}", released.milli()));
        }
        self.end(id);
        Ok(())
    }

    fn challenge(&mut self, id: &JobId, challenger: Did) -> Result<(), String> {
        let Some(Job { stage, .. }) = self.jobs.get_mut(id) else {
            return Err(format!("job {id} was challenged, which is over, or never was"));
        };
        let Stage::Settled(pay) = stage else {
            return Err(format!("job {id} was challenged, it is {stage:?}"));
        };
        if !pay.done.is_empty() || pay.winners.contains(&challenger) {
            return Err(format!("{challenger} challenged job {id}: {pay:?}"));
        }
        *stage = Stage::Doubted {
            pay: std::mem::take(pay),
            challenger,
        };
        *self.staked.entry(challenger).or_default() += self.stake;
        Ok(())
    }

    /// Ends a challenge: the job is settled as before.
    fn calm(&mut self, id: &JobId) -> Result<(Vec<Did>, Did), String> {
        let Some(Job { stage, .. }) = self.jobs.get_mut(id) else {
            return Err(format!(
                "the challenge of job {id} ended, which is over, or never was"
            ));
        };
        let Stage::Doubted { pay, challenger } = stage else {
            return Err(format!("the challenge of job {id} ended, it is {stage:?}"));
        };
        let (winners, challenger) = (pay.winners.clone(), *challenger);
        *stage = Stage::Settled(std::mem::take(pay));
        self.unstake(&challenger);
        Ok((winners, challenger))
    }

    fn unstake(&mut self, challenger: &Did) {
        if let Some(staked) = self.staked.get_mut(challenger) {
            *staked = staked.saturating_sub(self.stake);
        }
    }

    fn uphold(&mut self, id: &JobId, stake: Mana) -> Result<(), String> {
        let (winners, challenger) = self.calm(id)?;
        if stake.milli() != self.stake || winners.is_empty() {
            return Err(format!("the challenge of job {id} cost {}", stake.milli()));
        }
        self.take(&challenger, self.stake);
        let count = winners.len() as u64;
        for (at, winner) in winners.iter().enumerate() {
            let rest = if at == 0 { self.stake % count } else { 0 };
            self.give(winner, self.stake / count + rest);
        }
        Ok(())
    }

    fn lapse(&mut self, id: &JobId) -> Result<(), String> {
        self.calm(id).map(|_| ())
    }

    fn disprove(&mut self, id: &JobId, executor: Did, forfeited: Mana) -> Result<(), String> {
        let Some(Job {
            payer,
            stage: Stage::Doubted { pay, challenger },
            ..
        }) = self.jobs.get_mut(id)
        else {
            return Err(format!("job {id} was disproved, which nobody doubts"));
        };
        let (payer, challenger, is_first) = (*payer, *challenger, pay.done.is_empty());
        pay.finish(id, executor, forfeited.milli())?;
        let over = pay.is_over(id)?;
        self.give(&payer, forfeited.milli());
        if is_first {
            self.unstake(&challenger);
            self.disproved += 1;
        }
        if over {
            self.end(id);
        }
        Ok(())
    }

    fn end(&mut self, id: &JobId) {
        self.jobs.remove(id);
        self.ended.insert(*id);
        self.ended_order.push_back(*id);
        if self.ended_order.len() > ENDED_KEPT
            && let Some(oldest) = self.ended_order.pop_front()
        {
            self.ended.remove(&oldest);
        }
    }

    fn give(&mut self, did: &Did, amount: u64) {
        *self.balance.entry(*did).or_default() += i64::try_from(amount).unwrap_or(i64::MAX);
    }

    fn take(&mut self, did: &Did, amount: u64) {
        *self.balance.entry(*did).or_default() -= i64::try_from(amount).unwrap_or(i64::MAX);
    }
}

fn wrong(detail: String) -> Violation {
    Violation::new(Invariant::PaidOnce, detail)
}
