//! How an attempt ends: paid, tried again, or rolled back.
//!
//! An attempt succeeds if more than half of its executors delivered one and the same reproducible outcome.
//! Those are paid what they bid. Without such a majority nobody can tell who is right, so nobody is paid,
//! and only those that delivered nothing reproducible are at fault.
use crate::{
    standing::{FAULT_DISAGREED, FAULT_FAILED, FAULT_RETURNED},
    step::Step,
};
use alloc::{format, string::String, vec::Vec};
use icn_model::{Assignment, Delivery, Did, Digest, Event, ExitStatus, JobId, JobPhase, JobRecord, Mana};

/// The outcome that more than half of the executors delivered.
fn majority(assignments: &[Assignment]) -> Option<Digest> {
    let agreeing = |digest: &Digest| {
        assignments
            .iter()
            .filter(|one| one.reproducible() == Some(digest))
            .count()
    };
    let mut digests = assignments.iter().filter_map(Assignment::reproducible);
    digests
        .find(|digest| agreeing(digest) * 2 > assignments.len())
        .copied()
}

/// What an executor did wrong, in words and points; nothing, if it delivered something reproducible that
/// no majority contradicts.
fn failure(assignment: &Assignment, accepted: Option<&Digest>) -> Option<(&'static str, u32)> {
    match &assignment.delivery {
        Delivery::Pending {} | Delivery::Late {} => Some(("sent no receipt in time", FAULT_FAILED)),
        Delivery::Returned {} => Some(("handed the job back", FAULT_RETURNED)),
        Delivery::Delivered { exit, outcome, .. } => match exit {
            ExitStatus::WallClock => Some(("ran out of wall clock", FAULT_FAILED)),
            ExitStatus::InputMissing(_) => Some(("could not get an input", FAULT_FAILED)),
            ExitStatus::HostFailure(_) => Some(("had a failure of its own", FAULT_FAILED)),
            _ => match accepted {
                Some(accepted) if accepted != outcome => {
                    Some(("disagreed with the majority", FAULT_DISAGREED))
                }
                _ => None,
            },
        },
    }
}

impl Step<'_> {
    /// Decides a running job whose executors have all been heard of or given up.
    pub(super) fn end_attempt(&mut self, id: JobId) {
        let Some(job) = self.state.tables.jobs.get(&id) else {
            return;
        };
        let job = job.clone();
        let accepted = majority(&job.assignments);
        let mut reasons = Vec::new();
        for one in &job.assignments {
            if let Some((text, points)) = failure(one, accepted.as_ref()) {
                self.fault(one.executor, points);
                reasons.push(format!("{} {text}", one.executor.short()));
            }
        }
        match accepted {
            Some(outcome) => self.settle(id, job, outcome),
            None if reasons.is_empty() => self.retry(id, job, "the replicas disagree".into()),
            None => self.retry(id, job, reasons.join(", ")),
        }
    }

    fn settle(&mut self, id: JobId, mut job: JobRecord, outcome: Digest) {
        job.outcome = Some(outcome);
        let due: Vec<(Did, Mana)> = job.paid().map(|one| (one.executor, one.price)).collect();
        let paid = due
            .iter()
            .fold(Mana::ZERO, |sum, (_, price)| sum.saturating_add(*price));
        let released = self.close_hold(&mut job, paid);
        for (executor, price) in &due {
            let entered = self.with_account(*executor, |account| {
                account.maturing = account.maturing.saturating_add(*price);
                Ok(())
            });
            debug_assert!(
                entered.is_ok(),
                "who has a job awarded is not forgotten before it ends"
            );
        }
        let since = self.context.time;
        job.phase = JobPhase::Settled {
            since,
            until: since.after(self.state.parameters().challenge_window_ms),
        };
        self.state.tables.jobs.set(id, job);
        self.events.push(Event::JobSettled {
            job: id,
            executors: due.into_iter().map(|(executor, _)| executor).collect(),
            paid,
            released,
        });
    }

    /// Gives the job to others, if it may be tried again, somebody is left, and time, too.
    fn retry(&mut self, id: JobId, mut job: JobRecord, reason: String) {
        let mut tried = job.tried.clone();
        tried.extend(job.assignments.iter().map(|one| one.executor));
        tried.sort_unstable();
        tried.dedup();
        let Some(spec) = self.state.tables.specs.get(&id) else {
            return;
        };
        let until = spec.deadline.before(self.state.run_span(spec));
        let candidates = self.state.candidates(spec, &job.cooperative, &tried).count();
        let give_up = if job.attempt >= self.state.parameters().job_retry_count {
            Some("it was tried as often as allowed")
        } else if candidates < usize::from(spec.replicas) {
            Some("too few executors are left")
        } else if until < self.context.time {
            Some("no run could end by the deadline")
        } else {
            None
        };
        if let Some(why) = give_up {
            self.roll_back(id, &format!("{reason}; {why}"));
            return;
        }
        let attempt = job.attempt;
        job.attempt += 1;
        job.tried = tried;
        job.assignments.clear();
        job.phase = JobPhase::Bidding {
            since: self.context.time,
            until,
        };
        self.state.tables.jobs.set(id, job);
        self.events.push(Event::JobRetried {
            job: id,
            attempt,
            reason,
        });
    }
}
