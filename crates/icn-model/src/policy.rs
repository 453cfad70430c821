//! What contracts can decide in a federation: slots of the state machine, what a contract is asked in each, and
//! what it can answer. `icn-ccl` gives the same slots their types in the language.
use crate::{Cid, Did, Mana, Millis, PolicySlot, ProposalKind, Time};
use alloc::{string::String, vec::Vec};
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a policy for mana is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManaQuestion {
    /// Whose mana it is.
    pub cooperative: Did,
    /// Time of the block.
    pub now: Time,
    /// How long the cooperative has been in the federation.
    pub member_for: Millis,
    /// What it has: available, held, maturing and its members' shares.
    pub balance: Mana,
    /// The federation's rate, per hour.
    pub base_rate: Mana,
    /// The federation's capacity.
    pub base_capacity: Mana,
    /// How long the last period was.
    pub period: Millis,
    /// What it did in that period.
    pub activity: Activity,
}

/// What a policy for bids is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BidQuestion {
    /// Who wants to run the job.
    pub bidder: Did,
    /// Whose job it is.
    pub submitter: Did,
    /// Time of the block.
    pub now: Time,
    /// What the bidder asks.
    pub price: Mana,
    /// What the submitter would pay at the most.
    pub max_price: Mana,
    /// Jobs that the bidder was ever paid for.
    pub jobs_executed: u64,
    /// Jobs that the bidder ever failed, returned or lied about.
    pub jobs_failed: u64,
    /// Recent failures of the bidder, 0 to 1,000.
    pub fault_points: u32,
    /// How long the bidder has been in the federation.
    pub bidder_member_for: Millis,
}

/// What a policy for prices is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceQuestion {
    /// Whose job it is.
    pub submitter: Did,
    /// Time of the block.
    pub now: Time,
    /// Computing time that the job asks for.
    pub cpu: Millis,
    /// Memory that the job asks for.
    pub memory_bytes: u64,
    /// Output that the job asks for.
    pub output_bytes: u64,
    /// How many cooperatives are to run it.
    pub replicas: u8,
    /// What the submitter has available.
    pub balance: Mana,
    /// What the submitter would pay at the most. Contracts are not told: a ceiling does not depend on the offer.
    pub offered: Mana,
    /// Average price of the jobs of the last period, if there were any.
    pub average_price: Option<Mana>,
}

/// What policies for voting are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteQuestion {
    /// Who wants to vote.
    pub voter: Did,
    /// For which cooperative, or a member of which.
    pub cooperative: Did,
    /// Time of the block.
    pub now: Time,
    /// How long the voter has been a member, or the cooperative in the federation.
    pub member_for: Millis,
    /// How many members the cooperative has.
    pub members: u64,
    /// What is voted on.
    pub kind: ProposalKind,
    /// Who proposed it.
    pub proposer: Did,
    /// Votes that they have cast; for the requirements of roles.
    pub votes_cast: u64,
    /// Votes that they could have cast and have not.
    pub votes_missed: u64,
}

/// What a policy for admission is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionQuestion {
    /// Who wants to join.
    pub applicant: Did,
    /// The cooperatives that speak for it.
    pub sponsors: Vec<Did>,
    /// Time of the block.
    pub now: Time,
    /// How long ago it applied.
    pub applied_for: Millis,
    /// How many cooperatives have a seat.
    pub seats: u64,
    /// How many witnesses have a seat.
    pub witnesses: u64,
    /// Whether it has been in the federation before.
    pub left_before: bool,
}

/// A question for a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyQuestion {
    /// For [`PolicySlot::ManaRate`].
    ManaRate(ManaQuestion),
    /// For [`PolicySlot::ManaCapacity`].
    ManaCapacity(ManaQuestion),
    /// For [`PolicySlot::BidEligibility`].
    BidEligibility(BidQuestion),
    /// For [`PolicySlot::PriceCeiling`].
    PriceCeiling(PriceQuestion),
    /// For [`PolicySlot::VoteEligibility`].
    VoteEligibility(VoteQuestion),
    /// For [`PolicySlot::VoteWeight`].
    VoteWeight(VoteQuestion),
    /// For [`PolicySlot::Admission`].
    Admission(AdmissionQuestion),
}

impl PolicyQuestion {
    /// The slot that it is for.
    pub const fn slot(&self) -> PolicySlot {
        match self {
            Self::ManaRate(_) => PolicySlot::ManaRate,
            Self::ManaCapacity(_) => PolicySlot::ManaCapacity,
            Self::BidEligibility(_) => PolicySlot::BidEligibility,
            Self::PriceCeiling(_) => PolicySlot::PriceCeiling,
            Self::VoteEligibility(_) => PolicySlot::VoteEligibility,
            Self::VoteWeight(_) => PolicySlot::VoteWeight,
            Self::Admission(_) => PolicySlot::Admission,
        }
    }
}

/// What a contract answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAnswer {
    /// Yes or no.
    Is(bool),
    /// An amount of mana.
    Mana(Mana),
    /// A count, which a contract may get below zero.
    Count(i64),
}

/// Why a contract gives no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum PolicyFailure {
    /// A requirement of the contract does not hold.
    Refused {
        /// The contract's own words.
        reason: String,
    },
    /// The contract came to a fault: an overflow, a division by zero, no fuel left.
    Fault {
        /// Which, with its place in the source.
        detail: String,
    },
}

impl fmt::Display for PolicyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { reason } => f.write_str(reason),
            Self::Fault { detail } => write!(f, "the contract failed: {detail}"),
        }
    }
}

/// A contract that the log knows; keyed by the [`Cid`] of its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ContractRecord {
    /// Who published it.
    pub author: Did,
    /// When, by block time.
    pub published: Time,
    /// When it is forgotten, if nothing uses it then.
    pub until: Time,
    /// What it is called.
    pub name: String,
    /// The slots that it has an answer for.
    pub slots: Vec<PolicySlot>,
    /// The modules that it imports, directly or not.
    pub imports: Vec<Cid>,
    /// Its text.
    pub source: String,
}

/// The contract that decides a slot; keyed by the [`PolicySlot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PolicyRecord {
    /// Its source.
    pub contract: Cid,
    /// Since when, by block time.
    pub since: Time,
}

/// What a cooperative did in one period of [`Parameters::policy_period_ms`](crate::Parameters::policy_period_ms).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// Jobs that it was paid for.
    pub jobs_executed: u64,
    /// Jobs that it submitted.
    pub jobs_submitted: u64,
    /// Jobs that it failed, returned or lied about.
    pub jobs_failed: u64,
    /// What others paid it.
    pub earned: Mana,
    /// What it paid others.
    pub spent: Mana,
}

/// What a cooperative does and did lately; keyed by its [`Did`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ActivityRecord {
    /// In the period that is under way.
    pub current: Activity,
    /// In the period before it, of which policies are told.
    pub last: Activity,
}
