//! How proposals stand, who voted what, and what came of it; as the state keeps it and the API shows it.
use crate::{
    Choice, Cid, ClearingWindows, Did, Digest, Height, Mana, Millis, Name, OperationId, Process, ProposalId,
    ProposalKind, ProposalSpec, PublicKey, Refusal, Share, Threshold, Time, macros::names,
};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Where a proposal is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ProposalPhase {
    /// Waits for sponsors.
    Draft {
        /// When it expires without them.
        until: Time,
    },
    /// Votes are cast.
    Open {
        /// When voting ends.
        until: Time,
    },
    /// Has passed, and waits to be carried out; it can be vetoed.
    Accepted {
        /// When it is carried out.
        until: Time,
    },
    /// Has been carried out.
    Executed {
        /// When.
        at: Time,
    },
    /// Has passed, and could not be carried out; it can be tried again.
    Failed {
        /// When it was tried last.
        at: Time,
        /// Why not.
        reason: Refusal,
    },
    /// Has not passed.
    Rejected {
        /// When.
        at: Time,
    },
    /// Had passed, and was stopped.
    Vetoed {
        /// When.
        at: Time,
        /// By which proposal.
        by: ProposalId,
    },
    /// Was withdrawn.
    Cancelled {
        /// When.
        at: Time,
    },
    /// Found no sponsors, or failed and was not carried out in time.
    Expired {
        /// When.
        at: Time,
    },
}

names! {
    /// [`ProposalPhase`] without its times, for filters and counts.
    ProposalStatus, ProposalStatusError, "a state of a proposal";
    /// Waits for sponsors.
    Draft "draft";
    /// Votes are cast.
    Open "open";
    /// Has passed, and waits.
    Accepted "accepted";
    /// Has been carried out.
    Executed "executed";
    /// Has passed, and could not be carried out.
    Failed "failed";
    /// Has not passed.
    Rejected "rejected";
    /// Had passed, and was stopped.
    Vetoed "vetoed";
    /// Was withdrawn.
    Cancelled "cancelled";
    /// Came to nothing by time.
    Expired "expired";
}

impl ProposalStatus {
    /// Whether nothing happens to it any more.
    pub const fn is_ended(self) -> bool {
        !matches!(self, Self::Draft | Self::Open | Self::Accepted | Self::Failed)
    }
}

impl ProposalPhase {
    /// Which phase.
    pub const fn status(&self) -> ProposalStatus {
        match self {
            Self::Draft { .. } => ProposalStatus::Draft,
            Self::Open { .. } => ProposalStatus::Open,
            Self::Accepted { .. } => ProposalStatus::Accepted,
            Self::Executed { .. } => ProposalStatus::Executed,
            Self::Failed { .. } => ProposalStatus::Failed,
            Self::Rejected { .. } => ProposalStatus::Rejected,
            Self::Vetoed { .. } => ProposalStatus::Vetoed,
            Self::Cancelled { .. } => ProposalStatus::Cancelled,
            Self::Expired { .. } => ProposalStatus::Expired,
        }
    }
}

/// Who could vote on a proposal, fixed when it opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Roll {
    /// When it was fixed: on it are those who belonged to the federation before that block.
    pub opened: Time,
    /// The cooperatives on it, in the order of their identities; none if they do not vote.
    pub cooperatives: Vec<Did>,
    /// How many members are on it; none if they do not vote.
    pub members: u64,
    /// The raw bytes of all members' entries: the 32 bytes of the member's first key and those of its
    /// cooperative's, in the order of the members' identities.
    pub list: Cid,
}

/// What came out of one side of a vote: the cooperatives', or the members'.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SideTally {
    /// How many are on the roll.
    pub on_roll: u64,
    /// How many took part: voted, abstained, or had somebody vote for them.
    pub turnout: u64,
    /// Of them, those for whom another voted.
    pub delegated: u64,
    /// The weight of those who abstained or stood aside.
    pub abstained: u64,
    /// The weights of the votes.
    pub counts: Counts,
}

/// The weights of votes, by method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Counts {
    /// For and against.
    YesNo {
        /// For.
        yes: u64,
        /// Against.
        no: u64,
    },
    /// Consents and objections.
    Consent {
        /// Those who consent.
        consents: u64,
        /// Those who object.
        objections: u64,
    },
    /// How many approve each option.
    Approval {
        /// The weight of those who approve of any.
        votes: u64,
        /// By option.
        approvals: Vec<u64>,
    },
    /// The points of each option.
    Score {
        /// The weight of those who gave points.
        votes: u64,
        /// By option.
        points: Vec<u64>,
    },
    /// The rounds of the instant run-off; in the last, somebody has more than half, or one is left.
    Ranked {
        /// In order.
        rounds: Vec<Round>,
    },
}

/// One round of an instant run-off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// The votes of each option; none for those that are eliminated.
    pub votes: Vec<Option<u64>>,
    /// The votes that name none of the options that are left.
    pub exhausted: u64,
    /// The option that this round eliminates.
    pub eliminated: Option<u8>,
}

/// What a vote decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decision {
    /// It passes.
    Passed {},
    /// This option wins.
    Chosen {
        /// Its place, from 0.
        option: u8,
    },
    /// Too few of the roll took part.
    NoQuorum {
        /// How many did.
        turnout: u64,
        /// Of how many.
        on_roll: u64,
        /// What part must.
        quorum: Share,
    },
    /// Too few of the votes are for it.
    BelowThreshold {
        /// The weight of those.
        votes: u64,
        /// Of which.
        of: u64,
        /// What is needed.
        threshold: Threshold,
    },
    /// Enough of the roll say no.
    TurnedDown {
        /// How many do.
        votes: u64,
        /// Of how many.
        on_roll: u64,
        /// What part is enough.
        rejection_quorum: Share,
    },
    /// Somebody objects.
    Objected {
        /// How many.
        objections: u64,
    },
    /// Several options are first alike.
    Tied {
        /// Their places.
        options: Vec<u8>,
    },
    /// Cooperatives and members choose differently.
    Disagreed {},
}

impl Decision {
    /// Whether it is to be carried out.
    pub const fn is_positive(&self) -> bool {
        matches!(self, Self::Passed {} | Self::Chosen { .. })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed {} => f.write_str("passed"),
            Self::Chosen { option } => write!(f, "option {option} was chosen"),
            Self::NoQuorum {
                turnout,
                on_roll,
                quorum,
            } => {
                write!(f, "{turnout} of {on_roll} took part, the quorum is {quorum}")
            }
            Self::BelowThreshold { votes, of, threshold } => {
                write!(f, "{votes} of {of} votes were for it, {threshold} is needed")
            }
            Self::TurnedDown {
                votes,
                on_roll,
                rejection_quorum,
            } => {
                write!(f, "{votes} of {on_roll} said no, {rejection_quorum} is enough")
            }
            Self::Objected { objections: 1 } => f.write_str("somebody objects"),
            Self::Objected { objections } => write!(f, "{objections} object"),
            Self::Tied { .. } => f.write_str("a tie"),
            Self::Disagreed {} => f.write_str("cooperatives and members disagree"),
        }
    }
}

/// How a vote was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// The cooperatives, if they vote.
    pub cooperatives: Option<SideTally>,
    /// The members, if they vote.
    pub members: Option<SideTally>,
    /// What it comes to.
    pub decision: Decision,
}

/// A proposal; keyed by its [`ProposalId`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProposalRecord {
    /// What was proposed.
    pub spec: ProposalSpec,
    /// Who proposed it: a cooperative or a member.
    pub proposer: Did,
    /// The cooperative that it is, or belongs to.
    pub cooperative: Did,
    /// When, by block time.
    pub made: Time,
    /// What it cost.
    pub cost: Mana,
    /// What it goes through, as it was when it was made.
    pub process: Process,
    /// Where it is.
    pub phase: ProposalPhase,
    /// The cooperatives that sponsor it.
    pub sponsors: Vec<Did>,
    /// Who can vote, once it is open.
    pub roll: Option<Roll>,
    /// How the votes were counted, once they are.
    pub tally: Option<Tally>,
}

impl ProposalRecord {
    /// What it is about.
    pub const fn kind(&self) -> ProposalKind {
        self.spec.effect.kind()
    }

    /// When something happens to it by itself.
    pub const fn due(&self) -> Option<Time> {
        match &self.phase {
            ProposalPhase::Draft { until }
            | ProposalPhase::Open { until }
            | ProposalPhase::Accepted { until } => Some(*until),
            _ => None,
        }
    }
}

/// An operation in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LogEntry {
    /// The block that carries it.
    pub height: Height,
    /// Its id.
    pub operation: OperationId,
}

/// A vote; keyed by proposal and voter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BallotRecord {
    /// What the voter says.
    pub choice: Choice,
    /// For how many votes it counts.
    pub weight: u64,
    /// The cooperative that the voter is, or belongs to.
    pub cooperative: Did,
    /// When it was cast.
    pub cast: Time,
    /// The operations that cast it: one of a member, of a cooperative as many as its officers' threshold.
    pub by: Vec<LogEntry>,
    /// Through whom it counts, if the voter let another vote: the last is who voted.
    pub through: Vec<Did>,
}

/// What one officer of a cooperative wants, until enough of them want the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// The officer's key.
    pub officer: PublicKey,
    /// Hash of what it wants.
    pub content: Digest,
    /// Where it says so.
    pub by: LogEntry,
}

/// What the officers of a cooperative want in one matter; keyed by the cooperative and a hash of the matter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WishesRecord {
    /// One of each officer.
    pub wishes: Vec<Wish>,
    /// When they are forgotten.
    pub until: Time,
}

/// Who votes for somebody who does not vote; keyed by whom and a hash of the topic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DelegationRecord {
    /// Who votes.
    pub to: Did,
    /// On what; none for every topic without a delegation of its own.
    pub topic: Option<Name>,
    /// Until when, if not for good.
    pub until: Option<Time>,
    /// Since when.
    pub since: Time,
    /// The operations that say so.
    pub by: Vec<LogEntry>,
}

/// Somebody who was a member, for the rolls of proposals that opened before; keyed by when it left and its
/// [`Did`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DepartedRecord {
    /// Of which cooperative.
    pub cooperative: Did,
    /// Since when it had been a member.
    pub since: Time,
}

/// What the federation decided that concerns all of it, beside its parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DecidedRecord {
    /// Time between two rounds of clearing, if there are any by themselves.
    pub clearing_every_ms: Option<Millis>,
    /// How much time people have in each.
    pub clearing_windows: ClearingWindows,
    /// Since when this is so: the first round is opened one span after it.
    pub clearing_since: Time,
    /// The version of the protocol that the log follows.
    pub protocol: u32,
    /// The version that is to follow, and the first epoch in which it can.
    pub upgrade: Option<PlannedUpgrade>,
}

/// A version of the protocol that was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PlannedUpgrade {
    /// Which.
    pub version: u32,
    /// The first epoch in which it can be followed.
    pub epoch: crate::EpochNumber,
    /// Whether over two thirds of the seats of that epoch had announced it when they were fixed.
    pub fixed: bool,
}

/// The version of the protocol that this program follows: how the log is applied, contracts included.
pub const PROTOCOL_VERSION: u32 = 1;
