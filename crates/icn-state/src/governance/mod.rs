//! The way of a proposal: who may do what when, and what comes of it.
//!
//! ```text
//! propose ─> draft ──sponsors──> open ──deadline──> accepted ──timelock──> executed
//!              │                  │  │                 │  └──────────────> failed ──retry──> executed
//!              v                  │  └──> rejected     └──veto──> vetoed
//!           expired <─ cancelled <┘
//! ```
//!
//! Nobody closes a vote: it ends by block time (`due`), or with the vote after which nothing can change the
//! outcome, where votes are final. What a proposal would do is checked when it is made, so that nobody votes
//! on what cannot be, and again when it is carried out, since the state may have changed.
//!
//! The voters of a proposal are counted as two sides: the cooperatives, one vote each by as many officers as
//! their thresholds say, and the members, one vote each by their own keys.
mod ballots;
mod delegation;
mod due;
mod effect;
pub(crate) mod index;
mod policies;
mod process;
mod propose;
mod query;
mod regeneration;
mod roll;
mod tally;
mod wishes;

pub use query::PlannedChange;
pub use roll::{cooperatives_vote, roll_bytes};
pub use tally::{Cast, tally};

pub(crate) use wishes::matter;

use crate::step::Step;
use icn_model::{
    Did, GovernanceEvent, LogEntry, Operation, ProposalId, ProposalRecord, Refusal, Role, SeatPhase,
    SignedOperation,
};

/// Somebody who may speak in governance.
#[derive(Clone, Copy)]
pub(crate) struct Speaker {
    /// The voter: a cooperative or a member.
    pub(crate) did: Did,
    /// The cooperative that it is, or belongs to.
    pub(crate) cooperative: Did,
}

impl Speaker {
    pub(crate) fn is_cooperative(self) -> bool {
        self.did == self.cooperative
    }
}

impl Step<'_> {
    /// Who speaks: an officer for its cooperative, or a member; of a cooperative that is seated and not leaving.
    pub(crate) fn speaker(&self, operation: &Operation) -> Result<Speaker, Refusal> {
        let did = operation.author;
        let cooperative = match self.state.tables.members.get(&did) {
            Some(member) => member.cooperative,
            None => {
                self.cooperative_acting(operation, &[Role::Officer])?;
                did
            }
        };
        if self.state.is_voter(&cooperative) {
            Ok(Speaker { did, cooperative })
        } else {
            Err(Refusal::NotSeated {})
        }
    }

    pub(crate) fn log_entry(&self, signed: &SignedOperation) -> LogEntry {
        LogEntry {
            height: self.context.height,
            operation: signed.id(),
        }
    }

    pub(crate) fn tell(&mut self, event: GovernanceEvent) {
        self.events.push(icn_model::Event::Governance(event));
    }

    /// The proposal as it stands now: what fell due since the block's time was passed is done first.
    pub(crate) fn proposal(&mut self, id: ProposalId) -> Result<ProposalRecord, Refusal> {
        self.expire_proposal(id);
        match self.state.tables.proposals.get(&id) {
            Some(proposal) => Ok(proposal.clone()),
            None => Err(Refusal::UnknownProposal { proposal: id }),
        }
    }

    pub(crate) fn wrong_phase<T>(id: ProposalId, proposal: &ProposalRecord) -> Result<T, Refusal> {
        Err(Refusal::WrongPhase {
            proposal: id,
            state: proposal.phase.status().name().into(),
        })
    }

    /// Whether a cooperative or witness has its seat and is not on its way out.
    pub(crate) fn is_seated(&self, did: &Did) -> bool {
        let seat = self.state.tables.seats.get(did);
        seat.is_some_and(|seat| seat.phase == (SeatPhase::Seated {}))
    }
}

impl crate::State {
    /// Whether a cooperative's word counts: it is seated and not on its way out.
    pub(crate) fn is_voter(&self, cooperative: &Did) -> bool {
        self.tables.seats.index().voters.contains(cooperative)
    }
}
