//! Events of governance: what became of proposals, who voted, and what was carried out.
use crate::{
    Cid, Decision, Did, EpochNumber, Mana, Millis, Name, ParameterName, PolicyFailure, PolicySlot, Process,
    ProposalId, ProposalKind, Refusal, Time,
};
use serde::{Deserialize, Serialize};

/// Something about proposals, votes, policies and what they decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum GovernanceEvent {
    /// Somebody proposed something.
    Proposed {
        /// Which proposal.
        proposal: ProposalId,
        /// Of which kind.
        kind: ProposalKind,
        /// Who.
        by: Did,
        /// What it cost.
        cost: Mana,
    },
    /// A cooperative sponsors a draft.
    Sponsored {
        /// Which proposal.
        proposal: ProposalId,
        /// Who.
        by: Did,
    },
    /// Votes can be cast.
    Opened {
        /// On which proposal.
        proposal: ProposalId,
        /// Until when.
        until: Time,
        /// How many cooperatives are on the roll.
        cooperatives: u64,
        /// How many members are.
        members: u64,
    },
    /// Somebody voted, or voted otherwise than before.
    Voted {
        /// On which proposal.
        proposal: ProposalId,
        /// Of which kind.
        kind: ProposalKind,
        /// Who.
        voter: Did,
    },
    /// A proposal has passed, and waits to be carried out.
    Accepted {
        /// Which.
        proposal: ProposalId,
        /// How.
        decision: Decision,
        /// When it is carried out.
        until: Time,
    },
    /// A proposal has been carried out.
    Executed {
        /// Which.
        proposal: ProposalId,
        /// Of which kind.
        kind: ProposalKind,
    },
    /// A proposal has passed and could not be carried out.
    Failed {
        /// Which.
        proposal: ProposalId,
        /// Why not.
        reason: Refusal,
    },
    /// A proposal has not passed.
    Rejected {
        /// Which.
        proposal: ProposalId,
        /// Why.
        decision: Decision,
    },
    /// An accepted proposal was stopped.
    Vetoed {
        /// Which.
        proposal: ProposalId,
        /// By which.
        by: ProposalId,
    },
    /// Its proposer withdrew a proposal.
    Cancelled {
        /// Which.
        proposal: ProposalId,
    },
    /// A proposal came to nothing by time.
    Expired {
        /// Which.
        proposal: ProposalId,
    },
    /// Somebody lets another vote.
    Delegated {
        /// Who.
        from: Did,
        /// Who votes.
        to: Did,
        /// On what; none for every topic without a delegation of its own.
        topic: Option<Name>,
    },
    /// A delegation has ended.
    DelegationEnded {
        /// Whose.
        from: Did,
        /// On what.
        topic: Option<Name>,
    },
    /// A parameter has another value.
    ParameterChanged {
        /// Which.
        name: ParameterName,
        /// What it was.
        before: u64,
        /// What it is.
        now: u64,
    },
    /// Proposals of a kind go through another process.
    ProcessChanged {
        /// Which kind.
        kind: ProposalKind,
        /// What they go through.
        process: Process,
    },
    /// Debts are cleared otherwise.
    ClearingScheduled {
        /// How often; none, if by decision only.
        every_ms: Option<Millis>,
        /// Time to join a round.
        join_ms: Millis,
        /// Time to object to its plan.
        object_ms: Millis,
    },
    /// Mana was allocated.
    Allocated {
        /// To whom.
        to: Did,
        /// How much.
        amount: Mana,
    },
    /// A contract was published.
    ContractPublished {
        /// Which.
        contract: Cid,
        /// By whom.
        by: Did,
        /// What it cost.
        cost: Mana,
    },
    /// Nothing used a contract for long.
    ContractForgotten {
        /// Which.
        contract: Cid,
    },
    /// A contract decides a slot.
    PolicyInstalled {
        /// Which slot.
        slot: PolicySlot,
        /// Which contract.
        contract: Cid,
        /// The one before it.
        before: Option<Cid>,
    },
    /// No contract decides a slot any more.
    PolicyRemoved {
        /// Which slot.
        slot: PolicySlot,
        /// The one that did.
        before: Cid,
    },
    /// A policy gave no answer about somebody; the federation's own rule holds.
    PolicyFailed {
        /// Which slot.
        slot: PolicySlot,
        /// About whom.
        subject: Did,
        /// Why.
        failure: PolicyFailure,
    },
    /// A policy gave a cooperative another rate or capacity of regeneration.
    RegenerationSet {
        /// Whose.
        cooperative: Did,
        /// What it regenerates in an hour.
        rate_per_hour: Mana,
        /// Up to what balance.
        capacity: Mana,
    },
    /// A version of the protocol is to be followed once over two thirds of the seats can.
    UpgradePlanned {
        /// Which.
        version: u32,
        /// From which epoch on.
        epoch: EpochNumber,
    },
    /// Over two thirds of the seats of the next epoch can follow the planned version: it is followed then.
    UpgradeFixed {
        /// Which.
        version: u32,
        /// From which epoch on.
        epoch: EpochNumber,
    },
    /// A node said up to which version it can follow.
    Announced {
        /// Whose node.
        seat: Did,
        /// Which version.
        protocol: u32,
    },
}
