//! The way of a job, as far as the log decides it: who may do what when, and who is paid.
//!
//! ```text
//! submit ─> bidding ──award──> running ──receipts──> settled ──window──> completed
//!              │  ^               │                   │   ^
//!              │  └──── retry ────┤                   │   └─ upheld, lapsed ─┐
//!              v                  v                   └──> challenged ───────┤
//!          cancelled, rolled back (from both)                  disproved <───┘
//! ```
//!
//! Running a job, collecting bids and replaying for a verdict are the nodes' business.
mod award;
mod challenge;
mod deliver;
mod due;
mod query;
mod select;
mod settle;
mod submit;

use crate::step::Step;
use icn_model::{Did, JobId, JobPhase, JobRecord, Refusal};

pub use select::Weights;

impl Step<'_> {
    /// The job as it stands now: what fell due since the block's time was passed is done first.
    fn job(&mut self, id: JobId) -> Result<JobRecord, Refusal> {
        self.expire_job(id);
        match self.state.tables.jobs.get(&id) {
            Some(job) => Ok(job.clone()),
            None => Err(Refusal::UnknownJob { job: id }),
        }
    }

    fn wrong_state<T>(id: JobId, job: &JobRecord) -> Result<T, Refusal> {
        Err(Refusal::WrongState {
            job: id,
            state: job.phase.status().name().into(),
        })
    }

    /// Makes the open jobs of a member that is struck its cooperative's.
    pub(crate) fn take_over_open_jobs(&mut self, member: Did, cooperative: Did) -> Result<(), Refusal> {
        let ids: alloc::vec::Vec<JobId> = self.state.open_jobs(&member).collect();
        for id in ids {
            let Some(job) = self.state.tables.jobs.get(&id) else {
                continue;
            };
            let mut job = job.clone();
            job.payer = cooperative;
            self.with_account(member, |account| {
                account.held = account.held.saturating_sub(job.held);
                account.holds = account.holds.saturating_sub(1);
                Ok(())
            })?;
            self.with_account(cooperative, |account| {
                account.held = account.held.saturating_add(job.held);
                account.holds = account.holds.saturating_add(1);
                Ok(())
            })?;
            self.state.tables.jobs.set(id, job);
        }
        Ok(())
    }

    /// Rolls back what a leaving cooperative and its members have open, but for jobs with a receipt: those
    /// end within their time, and their executors are paid.
    pub(crate) fn roll_back_open_jobs(&mut self, cooperative: Did) {
        let ids: alloc::vec::Vec<JobId> = self.state.open_jobs(&cooperative).collect();
        for id in ids {
            let has_receipt =
                |job: &JobRecord| job.assignments.iter().any(|one| one.reproducible().is_some());
            if self
                .state
                .tables
                .jobs
                .get(&id)
                .is_some_and(|job| !has_receipt(job))
            {
                self.roll_back(id, "the cooperative is leaving");
            }
        }
    }

    /// Ends a job without pay, with everything as before.
    fn roll_back(&mut self, id: JobId, reason: &str) {
        let Some(job) = self.state.tables.jobs.get(&id) else {
            return;
        };
        let mut job = job.clone();
        let released = self.close_hold(&mut job, icn_model::Mana::ZERO);
        job.phase = JobPhase::RolledBack {
            at: self.context.time,
            reason: reason.into(),
        };
        self.state.tables.jobs.set(id, job);
        self.events.push(icn_model::Event::JobRolledBack {
            job: id,
            released,
            reason: reason.into(),
        });
    }

    /// Ends the hold of a job: `paid` leaves the payer's account, the rest is spendable again.
    fn close_hold(&mut self, job: &mut JobRecord, paid: icn_model::Mana) -> icn_model::Mana {
        let held = core::mem::take(&mut job.held);
        let released = held.saturating_sub(paid);
        let closed = self.with_account(job.payer, |account| {
            account.held = account.held.saturating_sub(held);
            account.holds = account.holds.saturating_sub(1);
            account.available = account.available.saturating_add(released);
            Ok(())
        });
        debug_assert!(closed.is_ok(), "an account with open holds is never removed");
        released
    }
}
