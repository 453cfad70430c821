//! What time does to jobs: bidding lapses, executors are late, pay matures, jury and records expire.
use crate::{
    index::JOB_RETENTION,
    step::{GAP, MAX_DUE_PER_BLOCK, Step},
};
use alloc::vec::Vec;
use icn_model::{Delivery, Did, Event, JobId, JobPhase, JobStatus, Mana, Time, limits};

impl Step<'_> {
    /// Ends what fell due before the parent's time, the earliest first.
    pub(crate) fn expire_jobs(&mut self) {
        for id in self
            .state
            .tables
            .jobs
            .index()
            .due
            .before(self.now(), MAX_DUE_PER_BLOCK)
        {
            self.expire_job(id);
        }
        let ended = &self.state.tables.jobs.index().ended;
        let too_many = ended
            .len()
            .saturating_sub(limits::MAX_ENDED_JOBS)
            .min(MAX_DUE_PER_BLOCK);
        let oldest: Vec<JobId> = ended.iter().take(too_many).map(|(_, id)| *id).collect();
        oldest.iter().for_each(|id| self.prune_job(id));
    }

    /// Does what is due for one job, if anything is.
    pub(super) fn expire_job(&mut self, id: JobId) {
        let now = self.now();
        let Some(job) = self.state.tables.jobs.get(&id) else {
            return;
        };
        match job.phase {
            JobPhase::Bidding { until, .. } if until < now => {
                self.roll_back(id, "it was not awarded in time to end by its deadline");
            }
            JobPhase::Running { until, .. } if until < now => {
                let mut job = job.clone();
                for one in job.assignments.iter_mut().filter(|one| one.is_pending()) {
                    one.delivery = Delivery::Late {};
                }
                self.state.tables.jobs.set(id, job);
                self.end_attempt(id);
            }
            JobPhase::Settled { until, .. } if until < now => self.mature(id),
            JobPhase::Challenged { until, .. } if until < now => self.decide(id, true),
            JobPhase::Completed { at }
            | JobPhase::RolledBack { at, .. }
            | JobPhase::Cancelled { at }
            | JobPhase::Disproved { at }
                if at.after(JOB_RETENTION) < now =>
            {
                self.prune_job(&id);
            }
            _ => {}
        }
    }

    /// The window is over: pay becomes spendable and counts for standing.
    fn mature(&mut self, id: JobId) {
        let Some(job) = self.state.tables.jobs.get(&id) else {
            return;
        };
        let mut job = job.clone();
        let paid: Vec<(Did, Mana)> = job.paid().map(|one| (one.executor, one.price)).collect();
        for (executor, amount) in paid {
            let matured = self.with_account(executor, |account| {
                account.maturing = account.maturing.saturating_sub(amount);
                account.available = account.available.saturating_add(amount);
                Ok(())
            });
            debug_assert!(matured.is_ok(), "an account with maturing pay is never removed");
            self.credit_standing(executor, job.cooperative, amount);
            self.events.push(Event::PayMatured {
                job: id,
                executor,
                amount,
            });
        }
        job.phase = JobPhase::Completed {
            at: self.context.time,
        };
        self.state.tables.jobs.set(id, job);
    }

    fn prune_job(&mut self, id: &JobId) {
        self.state.tables.jobs.remove(id);
        self.state.tables.specs.remove(id);
        self.state.tables.rankings.remove(id);
    }

    /// After a gap in the log, whoever had to act in it gets the time that was lost: executors, jurors and
    /// challengers. Deadlines that a submitter set stay. This looks at every such job, since it is rare.
    pub(crate) fn bridge_gap(&mut self) {
        let gap = self.context.time.since(self.context.parent_time);
        if gap <= GAP {
            return;
        }
        let late = |status| {
            let all = (status, Time::ZERO, JobId::new(icn_model::Digest::ZERO))..;
            let entries = self.state.tables.jobs.index().by_status.range(all);
            entries
                .take_while(move |entry| entry.0 == status)
                .map(|entry| entry.2)
        };
        let statuses = [JobStatus::Running, JobStatus::Settled, JobStatus::Challenged];
        let ids: Vec<JobId> = statuses.into_iter().flat_map(late).collect();
        for id in ids {
            let Some(job) = self.state.tables.jobs.get(&id) else {
                continue;
            };
            let mut job = job.clone();
            match &mut job.phase {
                JobPhase::Running { until, .. } | JobPhase::Settled { until, .. } => {
                    *until = until.after(gap)
                }
                JobPhase::Challenged { until, matures, .. } => {
                    *until = until.after(gap);
                    *matures = matures.after(gap);
                }
                _ => continue,
            }
            self.state.tables.jobs.set(id, job);
        }
    }
}
