//! Voting: who may, what is taken, and when nothing can change the outcome any more.
use super::index::Running;
use super::{
    Speaker,
    roll::{cooperatives_vote, members_vote},
    wishes::matter,
};
use crate::{state::State, step::Step};
use alloc::{string::ToString as _, vec::Vec};
use icn_model::{
    BallotRecord, Choice, Did, Digest, Electorate, GovernanceEvent, LogEntry, Method, PolicyAnswer,
    PolicyFailure, PolicyQuestion, PolicySlot, ProposalId, ProposalPhase, ProposalRecord, Refusal,
    SignedOperation, VoteQuestion, canonical, limits,
};

impl Step<'_> {
    pub(crate) fn vote(
        &mut self,
        signed: &SignedOperation,
        id: ProposalId,
        choice: &Choice,
    ) -> Result<(), Refusal> {
        let speaker = self.speaker(signed.operation())?;
        let proposal = self.proposal(id)?;
        if !matches!(proposal.phase, ProposalPhase::Open { .. }) {
            return Self::wrong_phase(id, &proposal);
        }
        if !self.state.is_on_roll(&proposal, &speaker.did) {
            return Err(Refusal::NotOnRoll { voter: speaker.did });
        }
        choice
            .check(&proposal.spec.method)
            .map_err(|error| Refusal::BadChoice {
                detail: error.to_string(),
            })?;
        let before = self.state.tables.ballots.get(&(id, speaker.did));
        match before {
            Some(_) if proposal.process.votes_final => return Err(Refusal::VoteIsFinal {}),
            Some(before) if before.choice == *choice => return Err(Refusal::AlreadySaid {}),
            _ => {}
        }
        let weight = self.weight(&proposal, speaker)?;
        let subject = matter("vote", id.digest().as_bytes());
        let content = Digest::of(&canonical::to_bytes(choice));
        let Some(by) = self.agree(speaker, signed, subject, content)? else {
            return Ok(());
        };
        self.cast(id, speaker, choice.clone(), weight, by);
        self.tell(GovernanceEvent::Voted {
            proposal: id,
            kind: proposal.kind(),
            voter: speaker.did,
        });
        if proposal.process.votes_final && self.is_decided(id, &proposal) {
            self.close(id);
        }
        Ok(())
    }

    fn cast(&mut self, id: ProposalId, speaker: Speaker, choice: Choice, weight: u64, by: Vec<LogEntry>) {
        let ballot = BallotRecord {
            choice,
            weight,
            cooperative: speaker.cooperative,
            cast: self.context.time,
            by,
            through: Vec::new(),
        };
        self.state.tables.ballots.set((id, speaker.did), ballot);
    }

    /// For how many votes somebody's ballot counts, if they may vote: as the policies say, where there are any.
    ///
    /// The kinds whose process is built in ask no policy, so that none can block its own repeal; nor does the
    /// cooperatives' side of a members' vote, where each is one.
    pub(crate) fn weight(&self, proposal: &ProposalRecord, speaker: Speaker) -> Result<u64, Refusal> {
        const ONE: u64 = 1;
        if proposal.kind().is_built_in() {
            return Ok(ONE);
        }
        let asks = |slot| self.state.asks(slot);
        if !asks(PolicySlot::VoteEligibility) && !asks(PolicySlot::VoteWeight) {
            return Ok(ONE);
        }
        let question = self.vote_question(proposal, speaker);
        if let Some(PolicyAnswer::Is(false)) = self.state.ask(&PolicyQuestion::VoteEligibility(question))? {
            return Err(self.policy_says_no(PolicySlot::VoteEligibility, "not eligible to vote on this"));
        }
        let is_side_of_cooperatives =
            speaker.is_cooperative() && proposal.spec.electorate == Electorate::Members;
        if is_side_of_cooperatives {
            return Ok(ONE);
        }
        match self.state.ask(&PolicyQuestion::VoteWeight(question))? {
            Some(PolicyAnswer::Count(weight)) => match u64::try_from(weight) {
                Ok(weight) => Ok(weight.min(limits::MAX_VOTE_WEIGHT)),
                Err(_) => Err(self.state.policy_failed(
                    PolicySlot::VoteWeight,
                    PolicyFailure::Fault {
                        detail: "the weight is below zero".into(),
                    },
                )),
            },
            _ => Ok(ONE),
        }
    }

    fn vote_question(&self, proposal: &ProposalRecord, speaker: Speaker) -> VoteQuestion {
        let now = self.context.time;
        let tables = &self.state.tables;
        let since = match tables.members.get(&speaker.did) {
            Some(member) => member.since,
            None => tables.seats.get(&speaker.did).map_or(now, |seat| seat.since),
        };
        let (votes_cast, votes_missed) = self.state.record_of_voting(&speaker.did);
        VoteQuestion {
            voter: speaker.did,
            cooperative: speaker.cooperative,
            now,
            member_for: now.since(since),
            members: tables.members.index().count.of(&speaker.cooperative) as u64,
            kind: proposal.kind(),
            proposer: proposal.proposer,
            votes_cast,
            votes_missed,
        }
    }

    /// Whether no vote that can still be cast changes the outcome. It may say no where none could; never yes
    /// where one could.
    fn is_decided(&self, id: ProposalId, proposal: &ProposalRecord) -> bool {
        let Some(roll) = &proposal.roll else { return false };
        let kind = proposal.kind();
        let sides = [
            (
                true,
                cooperatives_vote(proposal.spec.electorate, kind),
                roll.cooperatives.len() as u64,
            ),
            (false, members_vote(proposal.spec.electorate), roll.members),
        ];
        let sides = sides.into_iter().filter(|(_, votes, _)| *votes);
        let sides: Vec<_> = sides
            .map(|(is_cooperatives, _, on_roll)| {
                (
                    self.state.tables.ballots.index().running(id, is_cooperatives),
                    on_roll,
                )
            })
            .collect();
        if sides.iter().all(|(running, on_roll)| running.voters >= *on_roll) {
            return true;
        }
        // With weights of their own, those who are missing may outweigh all.
        if self.state.tables.policies.contains(&PolicySlot::VoteWeight) {
            return false;
        }
        let outcomes = || {
            sides
                .iter()
                .map(|(running, on_roll)| sure(running, *on_roll, proposal))
        };
        outcomes().any(|outcome| outcome == Some(false)) || outcomes().all(|outcome| outcome == Some(true))
    }
}

/// Whether a side is sure to be for it, or against it, whatever those do who have not voted.
fn sure(running: &Running, on_roll: u64, proposal: &ProposalRecord) -> Option<bool> {
    let process = &proposal.process;
    let rest = on_roll.saturating_sub(running.voters);
    match proposal.spec.method {
        Method::YesNo {} => {
            let (yes, no) = (running.yes, running.no);
            if let Some(rejection) = process.rejection_quorum {
                return if rejection.compare(no, on_roll).is_ge() {
                    Some(false)
                } else if rejection.compare(no + rest, on_roll).is_lt() {
                    Some(true)
                } else {
                    None
                };
            }
            let is_majority_of_all = proposal.spec.electorate == Electorate::Members;
            if is_majority_of_all {
                return None;
            }
            let reached = process.quorum.compare(running.voters, on_roll).is_ge();
            if reached && process.threshold.is_met(yes, yes + no + rest) {
                Some(true)
            } else if !process.threshold.is_met(yes + rest, yes + no + rest) {
                Some(false)
            } else {
                None
            }
        }
        Method::Consent {} if running.object > 0 => Some(false),
        _ => None,
    }
}

impl State {
    /// How often somebody voted in the decided proposals that are kept, and how often they could have and did
    /// not.
    fn record_of_voting(&self, voter: &Did) -> (u64, u64) {
        let (mut cast, mut missed) = (0, 0);
        for (_, id) in &self.tables.proposals.index().ended {
            let Some(proposal) = self.tables.proposals.get(id).filter(|one| one.tally.is_some()) else {
                continue;
            };
            let ballot = self.tables.ballots.get(&(*id, *voter));
            if ballot.is_some_and(|ballot| ballot.through.is_empty()) {
                cast += 1;
            } else if self.is_on_roll(proposal, voter) {
                missed += 1;
            }
        }
        (cast, missed)
    }
}
