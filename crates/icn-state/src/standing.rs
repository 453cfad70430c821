//! Standing: what a cooperative's work for others and its failures make of its reputation.
//!
//! `reputation = 250 + 750 × earned / (earned + cap) - faults`, from 0 to 1,000, rounded down, where
//! `earned` is the pay that matured from other cooperatives, from each at most `cap`
//! (`standing_cap_per_payer`), and `faults` are the points below, 10 fewer for each hour since the last one.
//! So a newcomer has 250, no one payer can make more than a bounded difference, and one who lied starts
//! below a newcomer.
use crate::{state::State, step::Step};
use alloc::vec::Vec;
use icn_model::{Did, Mana, PaidRecord, StandingRecord, Time};

/// Points for handing a job back.
pub(crate) const FAULT_RETURNED: u32 = 10;
/// Points for a job that ended by the executor's fault, or not in time.
pub(crate) const FAULT_FAILED: u32 = 50;
/// Points for an outcome that the majority of replicas contradicts.
pub(crate) const FAULT_DISAGREED: u32 = 300;
/// Points for a receipt that a jury disproved; also the most that one can have.
pub(crate) const FAULT_LIED: u32 = 1_000;
/// Points that an hour takes off.
const FORGIVEN_PER_HOUR: u64 = 10;
const HOUR_MS: u64 = 3_600_000;

const NEWCOMER: u32 = 250;
const BY_WORK: u128 = 750;

pub(crate) fn faults(standing: &StandingRecord, at: Time) -> u32 {
    let forgiven = at.since(standing.faulted).get() / (HOUR_MS / FORGIVEN_PER_HOUR);
    standing
        .faults
        .saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
}

impl State {
    /// What is known of a cooperative's work.
    pub fn standing(&self, did: &Did) -> StandingRecord {
        self.tables.standings.get(did).copied().unwrap_or_default()
    }

    /// Reputation of a cooperative at a time, from 0 to 1,000.
    pub fn reputation(&self, did: &Did, at: Time) -> u32 {
        let standing = self.standing(did);
        let earned = u128::from(standing.earned.milli());
        let scale = earned + u128::from(self.parameters().standing_cap_per_payer.milli());
        let by_work = (BY_WORK * earned).checked_div(scale).unwrap_or(0);
        let gained = NEWCOMER + u32::try_from(by_work).unwrap_or(0);
        gained.saturating_sub(faults(&standing, at))
    }
}

impl Step<'_> {
    /// Counts matured pay. Work for oneself counts nothing.
    pub(crate) fn credit_standing(&mut self, executor: Did, payer: Did, amount: Mana) {
        if executor == payer {
            return;
        }
        self.note_activity(executor, |activity| {
            activity.jobs_executed = activity.jobs_executed.saturating_add(1);
            activity.earned = activity.earned.saturating_add(amount);
        });
        self.note_activity(payer, |activity| {
            activity.spent = activity.spent.saturating_add(amount)
        });
        let cap = self.state.parameters().standing_cap_per_payer;
        let key = (executor, payer);
        let before = self
            .state
            .tables
            .paid
            .get(&key)
            .copied()
            .unwrap_or_default()
            .counted;
        let counted = before.saturating_add(amount).min(cap.max(before));
        let mut standing = self.state.standing(&executor);
        standing.earned = standing.earned.saturating_add(counted.saturating_sub(before));
        standing.completed = standing.completed.saturating_add(1);
        self.state.tables.standings.set(executor, standing);
        if counted != before {
            self.state.tables.paid.set(key, PaidRecord { counted });
        }
    }

    /// Counts a failure.
    pub(crate) fn fault(&mut self, executor: Did, points: u32) {
        self.note_activity(executor, |activity| {
            activity.jobs_failed = activity.jobs_failed.saturating_add(1);
        });
        let at = self.context.time;
        let mut standing = self.state.standing(&executor);
        standing.faults = faults(&standing, at).saturating_add(points).min(FAULT_LIED);
        standing.faulted = at;
        standing.failed = standing.failed.saturating_add(1);
        self.state.tables.standings.set(executor, standing);
    }

    /// Takes everything that was earned: a liar begins anew, below a newcomer.
    pub(crate) fn disgrace(&mut self, executor: Did) {
        self.fault(executor, FAULT_LIED);
        let standing = StandingRecord {
            earned: Mana::ZERO,
            ..self.state.standing(&executor)
        };
        self.state.tables.standings.set(executor, standing);
        self.state.tables.paid.remove_of(&executor);
    }

    /// Forgets a cooperative as executor and as payer; what others earned from it stays theirs.
    pub(crate) fn forget_standing(&mut self, did: Did) {
        self.state.tables.paid.remove_of(&did);
        self.state.tables.standings.remove(&did);
        let others: Vec<Did> = self
            .state
            .tables
            .standings
            .iter()
            .map(|(other, _)| *other)
            .collect();
        for other in others {
            self.state.tables.paid.remove(&(other, did));
        }
    }
}
