//! What time does to proposals: drafts expire, votes end and are counted, what was accepted is carried out,
//! what is long over is forgotten.
use super::tally::{Cast, tally};
use crate::{
    state::State,
    step::{GAP, MAX_DUE_PER_BLOCK, Step},
};
use alloc::vec::Vec;
use icn_model::{
    Did, GovernanceEvent, Millis, ProposalId, ProposalPhase, ProposalRecord, Refusal, Tally, limits,
};

/// Votes that one block counts: counting many takes long.
const MAX_CLOSED_PER_BLOCK: usize = 16;
/// Ballots that one block forgets.
const MAX_FORGOTTEN_PER_BLOCK: usize = 8_192;

impl Step<'_> {
    pub(crate) fn expire_governance(&mut self) {
        let due = self
            .state
            .tables
            .proposals
            .index()
            .due
            .before(self.now(), MAX_CLOSED_PER_BLOCK);
        due.into_iter().for_each(|id| self.expire_proposal(id));
        self.expire_delegations();
        let wishes = self
            .state
            .tables
            .wishes
            .index()
            .before(self.now(), MAX_DUE_PER_BLOCK);
        wishes.iter().for_each(|key| self.state.tables.wishes.remove(key));
        self.forget_proposals();
        self.forget_departed();
        self.expire_contracts();
        self.turn_policy_period();
    }

    /// Does what is due for one proposal, if anything is.
    pub(crate) fn expire_proposal(&mut self, id: ProposalId) {
        let now = self.now();
        let phase = self
            .state
            .tables
            .proposals
            .get(&id)
            .map(|proposal| proposal.phase.clone());
        match phase {
            Some(ProposalPhase::Draft { until }) if until < now => {
                self.set_proposal_phase(
                    id,
                    ProposalPhase::Expired {
                        at: self.context.time,
                    },
                );
                self.tell(GovernanceEvent::Expired { proposal: id });
            }
            Some(ProposalPhase::Open { until }) if until < now => self.close(id),
            Some(ProposalPhase::Accepted { until }) if until < now => self.execute(id),
            _ => {}
        }
    }

    fn set_proposal_phase(&mut self, id: ProposalId, phase: ProposalPhase) {
        if let Some(proposal) = self.state.tables.proposals.get(&id) {
            let proposal = ProposalRecord {
                phase,
                ..proposal.clone()
            };
            self.state.tables.proposals.set(id, proposal);
        }
    }

    /// Ends the vote on a proposal and counts it.
    pub(crate) fn close(&mut self, id: ProposalId) {
        let Some(proposal) = self.state.tables.proposals.get(&id) else {
            return;
        };
        let mut proposal = proposal.clone();
        self.cast_for_delegators(id, &proposal);
        let Some(tally) = self.state.count(&id, &proposal) else {
            return;
        };
        let decision = tally.decision.clone();
        proposal.tally = Some(tally);
        if !decision.is_positive() {
            proposal.phase = ProposalPhase::Rejected {
                at: self.context.time,
            };
            self.state.tables.proposals.set(id, proposal);
            self.tell(GovernanceEvent::Rejected {
                proposal: id,
                decision,
            });
            return;
        }
        let until = self.context.time.after(proposal.process.timelock_ms);
        let is_at_once = proposal.process.timelock_ms == Millis::ZERO;
        proposal.phase = ProposalPhase::Accepted { until };
        self.state.tables.proposals.set(id, proposal);
        self.tell(GovernanceEvent::Accepted {
            proposal: id,
            decision,
            until,
        });
        if is_at_once {
            self.execute(id);
        }
    }

    /// Carries an accepted proposal out, unless a veto of it is being voted on: then it waits for that.
    fn execute(&mut self, id: ProposalId) {
        let vetoes = self
            .state
            .vetoes(&id)
            .filter_map(|veto| self.state.tables.proposals.get(&veto));
        let waits = vetoes.filter_map(|veto| match veto.phase {
            ProposalPhase::Draft { until } | ProposalPhase::Open { until } => Some(until),
            _ => None,
        });
        if let Some(until) = waits.max() {
            let until = until.after(Millis::new(1));
            return self.set_proposal_phase(id, ProposalPhase::Accepted { until });
        }
        let Some(effect) = self
            .state
            .tables
            .proposals
            .get(&id)
            .map(|proposal| proposal.spec.effect)
        else {
            return;
        };
        let (mark, events) = (self.state.mark(), self.events.len());
        match self.carry_out(id, &effect) {
            Ok(()) => self.executed(id),
            Err(reason) => {
                self.state.undo_to(mark);
                self.events.truncate(events);
                self.failed(id, reason);
            }
        }
    }

    pub(crate) fn executed(&mut self, id: ProposalId) {
        self.set_proposal_phase(
            id,
            ProposalPhase::Executed {
                at: self.context.time,
            },
        );
        if let Some(kind) = self.state.tables.proposals.get(&id).map(ProposalRecord::kind) {
            self.tell(GovernanceEvent::Executed { proposal: id, kind });
        }
    }

    fn failed(&mut self, id: ProposalId, reason: Refusal) {
        let at = self.context.time;
        let phase = ProposalPhase::Failed {
            at,
            reason: reason.clone(),
        };
        self.set_proposal_phase(id, phase);
        self.tell(GovernanceEvent::Failed { proposal: id, reason });
    }

    /// Stops an accepted proposal.
    pub(crate) fn veto(&mut self, by: ProposalId, id: ProposalId) -> Result<(), Refusal> {
        let proposal = match self.state.tables.proposals.get(&id) {
            Some(proposal) => proposal.clone(),
            None => return Err(Refusal::UnknownProposal { proposal: id }),
        };
        if !matches!(proposal.phase, ProposalPhase::Accepted { .. }) {
            return Self::wrong_phase(id, &proposal);
        }
        let at = self.context.time;
        self.set_proposal_phase(id, ProposalPhase::Vetoed { at, by });
        self.tell(GovernanceEvent::Vetoed { proposal: id, by });
        Ok(())
    }

    /// Forgets proposals that are long over, or too many, the oldest first. Ballots may take several blocks.
    fn forget_proposals(&mut self) {
        let now = self.now();
        let ended = &self.state.tables.proposals.index().ended;
        let too_many = ended.len().saturating_sub(limits::MAX_ENDED_PROPOSALS);
        let is_old = |(at, (ended, _)): &(usize, &(icn_model::Time, ProposalId))| {
            *at < too_many || ended.after(limits::PROPOSAL_RETENTION) < now
        };
        let gone = ended
            .iter()
            .enumerate()
            .take_while(is_old)
            .map(|(_, (_, id))| *id);
        let gone: Vec<ProposalId> = gone.take(MAX_CLOSED_PER_BLOCK).collect();
        let mut room = MAX_FORGOTTEN_PER_BLOCK;
        for id in gone {
            let ballots = self.state.ballots(&id).map(|(voter, _)| (id, *voter));
            let ballots: Vec<_> = ballots.take(room + 1).collect();
            let all = ballots.len() <= room;
            for key in ballots.iter().take(room) {
                self.state.tables.ballots.remove(key);
            }
            room = room.saturating_sub(ballots.len());
            if !all {
                return;
            }
            self.state.tables.proposals.remove(&id);
        }
    }

    /// After a gap in the log, who had to vote or veto in it gets the time that was lost.
    pub(crate) fn bridge_governance_gap(&mut self) {
        let gap = self.context.time.since(self.context.parent_time);
        if gap <= GAP {
            return;
        }
        for id in self.state.tables.proposals.index().due.all() {
            let Some(proposal) = self.state.tables.proposals.get(&id) else {
                continue;
            };
            let mut proposal = proposal.clone();
            if let ProposalPhase::Draft { until }
            | ProposalPhase::Open { until }
            | ProposalPhase::Accepted { until } = &mut proposal.phase
            {
                *until = until.after(gap);
            }
            self.state.tables.proposals.set(id, proposal);
        }
    }
}

impl State {
    /// The votes on a proposal, in the order of the voters.
    pub fn ballots(&self, id: &ProposalId) -> impl Iterator<Item = (&Did, &icn_model::BallotRecord)> {
        self.tables.ballots.of(id)
    }

    /// Counts the votes on a proposal that has opened.
    pub(crate) fn count(&self, id: &ProposalId, proposal: &ProposalRecord) -> Option<Tally> {
        let roll = proposal.roll.as_ref()?;
        let votes = self.ballots(id).map(|(voter, ballot)| Cast::of(voter, ballot));
        Some(tally(&proposal.spec, &proposal.process, roll, votes))
    }

    /// The proposals to veto a proposal that were made so far.
    pub fn vetoes(&self, id: &ProposalId) -> impl Iterator<Item = ProposalId> {
        let from = (*id, ProposalId::new(icn_model::Digest::ZERO));
        let vetoes = self.tables.proposals.index().vetoes.range(from..);
        let id = *id;
        vetoes.take_while(move |(of, _)| *of == id).map(|(_, veto)| *veto)
    }
}
