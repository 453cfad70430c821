//! Challenges: somebody stakes mana that a receipt is false, drawn seats replay the job and decide.
//!
//! More than half of the jury decides. It upholds the receipt by replaying to the accepted outcome, and
//! disproves it by agreeing on one other outcome: a job on which replays differ among themselves convicts
//! nobody. Otherwise the challenge lapses, and everything is as before it.
//!
//! Disproved: the pay returns to the submitter, the executors lose their reputation, the challenger gets its
//! stake back and no more, since a reward could only come from the submitter that was cheated. Upheld: the
//! stake goes to the executors that were doubted, in equal parts, the rest of the division to the first.
use crate::{account::spend, step::Step};
use alloc::vec::Vec;
use icn_model::{
    Challenge, Did, Digest, Event, JobId, JobPhase, JobRecord, Juror, Mana, Operation, Refusal, Role,
    SeatPhase, Verdict, Vote,
};

/// What a jury makes of a receipt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    Upheld,
    Disproved,
    /// More than half cannot agree any more, or time is over.
    Lapsed,
}

fn finding(jury: &[Juror], accepted: &Digest, closes: bool) -> Option<Finding> {
    let count = |vote: Vote| jury.iter().filter(|juror| juror.vote == vote).count();
    let silent = count(Vote::Pending {});
    let mut votes = jury.iter().filter_map(|juror| match juror.vote {
        Vote::Replayed { outcome } => Some(outcome),
        Vote::Pending {} | Vote::Unable {} => None,
    });
    let decides = |outcome: &Digest| count(Vote::Replayed { outcome: *outcome }) * 2 > jury.len();
    match votes.find(decides) {
        Some(outcome) if outcome == *accepted => Some(Finding::Upheld),
        Some(_) => Some(Finding::Disproved),
        None if closes || silent == 0 => Some(Finding::Lapsed),
        None => None,
    }
}

impl Step<'_> {
    pub(crate) fn challenge_job(&mut self, operation: &Operation, id: JobId) -> Result<(), Refusal> {
        let challenger = operation.author;
        let seat = self.cooperative_acting(operation, &[Role::Officer, Role::Seat])?;
        if seat.phase != (SeatPhase::Seated {}) {
            return Err(Refusal::NotSeated {});
        }
        let mut job = self.job(id)?;
        let refuse = |detail: &str| {
            let detail = detail.into();
            Err(Refusal::NotChallengeable { job: id, detail })
        };
        let JobPhase::Settled { until: matures, .. } = job.phase else {
            return refuse("it is not settled, or its window is over");
        };
        if job.challenge.is_some() {
            return refuse("it has been challenged, and was upheld");
        }
        if job.assignments.iter().any(|one| one.executor == challenger) {
            return refuse("the author was one of its executors");
        }
        let jury = self.draw_jury(id, &job, challenger);
        if jury.is_empty() {
            return refuse("there is no seat but those of the parties to draw a jury from");
        }
        let stake = self.state.parameters().challenge_stake;
        self.with_account(challenger, |account| {
            spend(account, stake)?;
            account.staked = account.staked.saturating_add(stake);
            Ok(())
        })?;
        let since = self.context.time;
        let spec = self.state.tables.specs.get(&id);
        let span = spec.map(|spec| self.state.run_span(spec)).unwrap_or_default();
        self.events.push(Event::JobChallenged {
            job: id,
            challenger,
            jury: jury.iter().map(|juror| juror.seat).collect(),
        });
        job.challenge = Some(Challenge {
            challenger,
            stake,
            jury,
        });
        job.phase = JobPhase::Challenged {
            since,
            until: since.after(span),
            matures,
        };
        self.state.tables.jobs.set(id, job);
        Ok(())
    }

    /// Seats without the parties, in an order that the parent's hash decides, as many as the rule says.
    fn draw_jury(&self, id: JobId, job: &JobRecord, challenger: Did) -> Vec<Juror> {
        let is_party = |did: &Did| {
            *did == job.cooperative
                || *did == challenger
                || job.assignments.iter().any(|one| one.executor == *did)
        };
        let seats = self
            .state
            .tables
            .seats
            .iter()
            .filter(|(_, seat)| seat.phase.is_seated());
        let mut drawn: Vec<(Digest, Did)> = seats
            .filter(|(did, _)| !is_party(did))
            .map(|(did, _)| {
                let key = did.first_key();
                let parts: [&[u8]; 3] = [
                    self.context.parent.as_bytes(),
                    id.digest().as_bytes(),
                    key.as_bytes(),
                ];
                (Digest::of_parts(&parts), *did)
            })
            .collect();
        drawn.sort_unstable();
        let size = usize::from(self.state.parameters().challenge_jury);
        let vote = Vote::Pending {};
        drawn
            .into_iter()
            .take(size)
            .map(|(_, seat)| Juror { seat, vote })
            .collect()
    }

    pub(crate) fn post_verdict(&mut self, operation: &Operation, verdict: &Verdict) -> Result<(), Refusal> {
        let seat = self.seat_acting(operation, &[Role::Seat])?;
        if !seat.phase.is_seated() {
            return Err(Refusal::NotSeated {});
        }
        let id = verdict.job;
        let mut job = self.job(id)?;
        if !matches!(job.phase, JobPhase::Challenged { .. }) {
            return Self::wrong_state(id, &job);
        }
        let jury = job.challenge.iter_mut().flat_map(|challenge| &mut challenge.jury);
        let mut silent = jury.filter(|juror| juror.vote == Vote::Pending {});
        let Some(juror) = silent.find(|juror| juror.seat == operation.author) else {
            return Err(Refusal::NotOnJury { job: id });
        };
        juror.vote = match verdict.outcome {
            Some(outcome) => Vote::Replayed { outcome },
            None => Vote::Unable {},
        };
        self.state.tables.jobs.set(id, job);
        self.decide(id, false);
        Ok(())
    }

    /// Ends a challenge if the jury has decided, or can no longer, or `closes`.
    pub(super) fn decide(&mut self, id: JobId, closes: bool) {
        let Some(job) = self.state.tables.jobs.get(&id) else {
            return;
        };
        let (JobPhase::Challenged { matures, .. }, Some(challenge), Some(accepted)) =
            (&job.phase, &job.challenge, &job.outcome)
        else {
            return;
        };
        let Some(finding) = finding(&challenge.jury, accepted, closes) else {
            return;
        };
        let (matures, challenge, mut job) = (*matures, challenge.clone(), job.clone());
        let since = self.context.time;
        job.phase = JobPhase::Settled {
            since,
            until: matures,
        };
        match finding {
            Finding::Upheld => self.pay_stake(id, &job, &challenge),
            Finding::Disproved => {
                self.disprove(id, &job, &challenge);
                job.phase = JobPhase::Disproved { at: since };
            }
            Finding::Lapsed => {
                self.return_stake(&challenge);
                job.challenge = None;
                self.events.push(Event::ChallengeLapsed { job: id });
            }
        }
        self.state.tables.jobs.set(id, job);
    }

    fn take_stake(&mut self, challenge: &Challenge) {
        let taken = self.with_account(challenge.challenger, |account| {
            account.staked = account.staked.saturating_sub(challenge.stake);
            Ok(())
        });
        debug_assert!(taken.is_ok(), "an account with a stake is never removed");
    }

    fn return_stake(&mut self, challenge: &Challenge) {
        self.take_stake(challenge);
        self.give_back([challenge.challenger; 2], challenge.stake);
    }

    fn pay_stake(&mut self, id: JobId, job: &JobRecord, challenge: &Challenge) {
        self.take_stake(challenge);
        let doubted: Vec<Did> = job.paid().map(|one| one.executor).collect();
        let count = (doubted.len() as u64).max(1);
        let (each, rest) = (challenge.stake.milli() / count, challenge.stake.milli() % count);
        for (at, executor) in doubted.into_iter().enumerate() {
            let share = if at == 0 { each + rest } else { each };
            self.give_back([executor; 2], Mana::from_milli(share));
        }
        self.events.push(Event::ChallengeFailed {
            job: id,
            stake: challenge.stake,
        });
    }

    fn disprove(&mut self, id: JobId, job: &JobRecord, challenge: &Challenge) {
        self.return_stake(challenge);
        let liars: Vec<(Did, Mana)> = job.paid().map(|one| (one.executor, one.price)).collect();
        for (executor, forfeited) in liars {
            let taken = self.with_account(executor, |account| {
                account.maturing = account.maturing.saturating_sub(forfeited);
                Ok(())
            });
            debug_assert!(taken.is_ok(), "an account with maturing pay is never removed");
            self.give_back([job.payer, job.cooperative], forfeited);
            self.disgrace(executor);
            self.events.push(Event::JobDisproved {
                job: id,
                executor,
                forfeited,
            });
        }
    }
}
