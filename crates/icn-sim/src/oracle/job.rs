//! A job in the oracle's books: what is held, who may be paid, and who has been.
use icn_model::{Did, JobId};
use std::collections::BTreeSet;

/// A job that is not over.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) payer: Did,
    pub(super) held: u64,
    pub(super) attempt: u32,
    pub(super) executors: Vec<Did>,
    pub(super) delivered: BTreeSet<Did>,
    pub(super) stage: Stage,
}

/// How far a job is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Mana is held.
    Open,
    /// Winners wait for their pay.
    Settled(Pay),
    /// And somebody doubts that they should have it.
    Doubted { pay: Pay, challenger: Did },
}

/// Pay that is due.
#[derive(Debug, Default)]
pub(super) struct Pay {
    /// In the order in which they are paid.
    pub(super) winners: Vec<Did>,
    /// Those that got their pay, or lost it.
    pub(super) done: BTreeSet<Did>,
    /// What the others still have to get, in sum.
    pub(super) rest: u64,
}

impl Pay {
    /// One winner gets, or loses, its pay: once, and out of what is left.
    pub(super) fn finish(&mut self, id: &JobId, executor: Did, amount: u64) -> Result<(), String> {
        if !self.winners.contains(&executor) || !self.done.insert(executor) {
            return Err(format!(
                "{executor} gets or loses its pay for job {id} twice, or has none: {self:?}"
            ));
        }
        match self.rest.checked_sub(amount) {
            Some(rest) => self.rest = rest,
            None => return Err(format!("job {id} pays {amount} out of {}", self.rest)),
        }
        Ok(())
    }

    /// Whether nobody is left to be paid. Nothing may be left then.
    pub(super) fn is_over(&self, id: &JobId) -> Result<bool, String> {
        let over = self.done.len() == self.winners.len();
        if over && self.rest != 0 {
            return Err(format!(
                "job {id} has {} left after everybody was paid",
                self.rest
            ));
        }
        Ok(over)
    }
}
