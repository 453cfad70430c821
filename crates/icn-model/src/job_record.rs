//! What the state keeps of a job: its way, its executors, the choice among bids, a challenge.
//!
//! What was asked is a [`JobSpec`](crate::JobSpec), stored once beside this under the same [`JobId`](crate::JobId).
use crate::{Cid, Did, Digest, Exclusion, ExitStatus, Mana, PublicKey, Time};
use alloc::{string::String, vec::Vec};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Where a job is on its way, with the times that matter there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum JobPhase {
    /// Bids are collected.
    Bidding {
        /// Since when.
        since: Time,
        /// The last moment for an award: later, no run could end by the deadline.
        until: Time,
    },
    /// Executors work on it.
    Running {
        /// Since when.
        since: Time,
        /// The last moment for receipts.
        until: Time,
    },
    /// Executors are paid, and the receipts can be challenged.
    Settled {
        /// Since when.
        since: Time,
        /// When pay becomes spendable.
        until: Time,
    },
    /// Drawn seats replay it.
    Challenged {
        /// Since when.
        since: Time,
        /// The last moment for verdicts.
        until: Time,
        /// When pay becomes spendable, if the challenge comes to nothing.
        matures: Time,
    },
    /// Done and paid for good.
    Completed {
        /// Since when.
        at: Time,
    },
    /// Came to nothing; everything as before.
    RolledBack {
        /// Since when.
        at: Time,
        /// Why.
        reason: String,
    },
    /// Withdrawn by its submitter.
    Cancelled {
        /// Since when.
        at: Time,
    },
    /// The accepted receipt was false; the pay went back.
    Disproved {
        /// Since when.
        at: Time,
    },
}

/// A [`JobPhase`] without its times, for lists and filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum JobStatus {
    /// Bids are collected.
    Bidding,
    /// Executors work on it.
    Running,
    /// Paid, can be challenged.
    Settled,
    /// Drawn seats replay it.
    Challenged,
    /// Done and paid for good.
    Completed,
    /// Came to nothing.
    RolledBack,
    /// Withdrawn.
    Cancelled,
    /// The accepted receipt was false.
    Disproved,
}

impl JobStatus {
    /// Every status, in order.
    pub const ALL: [Self; 8] = [
        Self::Bidding,
        Self::Running,
        Self::Settled,
        Self::Challenged,
        Self::Completed,
        Self::RolledBack,
        Self::Cancelled,
        Self::Disproved,
    ];

    /// The name in filters and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bidding => "bidding",
            Self::Running => "running",
            Self::Settled => "settled",
            Self::Challenged => "challenged",
            Self::Completed => "completed",
            Self::RolledBack => "rolled-back",
            Self::Cancelled => "cancelled",
            Self::Disproved => "disproved",
        }
    }

    /// Whether mana is held for the job.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Bidding | Self::Running)
    }

    /// Whether nothing will happen to the job any more.
    pub const fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::RolledBack | Self::Cancelled | Self::Disproved
        )
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl JobPhase {
    /// The phase without its times.
    pub const fn status(&self) -> JobStatus {
        match self {
            Self::Bidding { .. } => JobStatus::Bidding,
            Self::Running { .. } => JobStatus::Running,
            Self::Settled { .. } => JobStatus::Settled,
            Self::Challenged { .. } => JobStatus::Challenged,
            Self::Completed { .. } => JobStatus::Completed,
            Self::RolledBack { .. } => JobStatus::RolledBack,
            Self::Cancelled { .. } => JobStatus::Cancelled,
            Self::Disproved { .. } => JobStatus::Disproved,
        }
    }

    /// When it got there, by block time.
    pub const fn since(&self) -> Time {
        match self {
            Self::Bidding { since, .. }
            | Self::Running { since, .. }
            | Self::Settled { since, .. }
            | Self::Challenged { since, .. } => *since,
            Self::Completed { at }
            | Self::RolledBack { at, .. }
            | Self::Cancelled { at }
            | Self::Disproved { at } => *at,
        }
    }
}

/// How far one executor has come with the current attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Delivery {
    /// Works on it.
    Pending {},
    /// Has posted its receipt.
    Delivered {
        /// CID of the signed receipt, a DAG-CBOR block.
        receipt: Cid,
        /// Digest of what came out.
        outcome: Digest,
        /// How the program ended.
        exit: ExitStatus,
        /// When, by block time.
        at: Time,
    },
    /// Handed the job back.
    Returned {},
    /// Was not heard of in time.
    Late {},
}

/// One executor of a job's current or last attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// The cooperative.
    pub executor: Did,
    /// Its seat key when it was awarded.
    pub key: PublicKey,
    /// What it is paid.
    pub price: Mana,
    /// How far it has come.
    pub delivery: Delivery,
}

impl Assignment {
    /// Whether nothing was heard of it yet.
    pub const fn is_pending(&self) -> bool {
        matches!(self.delivery, Delivery::Pending {})
    }

    /// Digest of what it delivered, if any honest executor would get the same.
    pub fn reproducible(&self) -> Option<&Digest> {
        match &self.delivery {
            Delivery::Delivered { outcome, exit, .. } if exit.is_deterministic() => Some(outcome),
            _ => None,
        }
    }
}

/// What a drawn seat has said of a challenged job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Vote {
    /// Nothing yet.
    Pending {},
    /// It could not replay the job.
    Unable {},
    /// Its replay ended so.
    Replayed {
        /// Digest of the outcome.
        outcome: Digest,
    },
}

/// A drawn seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Juror {
    /// Whose seat.
    pub seat: Did,
    /// What it has said.
    pub vote: Vote,
}

/// A challenge of a job's receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// Who doubts the receipt.
    pub challenger: Did,
    /// What it put at stake.
    pub stake: Mana,
    /// Who replays the job.
    pub jury: Vec<Juror>,
}

/// A job; keyed by its [`JobId`](crate::JobId).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct JobRecord {
    /// Whose account pays: a cooperative or a member.
    pub payer: Did,
    /// The cooperative that the payer is, or belongs to.
    pub cooperative: Did,
    /// The seat that collects bids first.
    pub coordinator: Did,
    /// Hash of the job as it was submitted.
    pub spec: Digest,
    /// When, by block time.
    pub submitted: Time,
    /// What is held for it now.
    pub held: Mana,
    /// The current attempt, from 0.
    pub attempt: u32,
    /// Executors of earlier attempts, sorted: they get no second try.
    pub tried: Vec<Did>,
    /// Executors of the current or last attempt; none while bids are collected.
    pub assignments: Vec<Assignment>,
    /// Digest of the accepted outcome, once settled. Executors that delivered it are paid.
    pub outcome: Option<Digest>,
    /// The last challenge, if there was one that did not lapse.
    pub challenge: Option<Challenge>,
    /// Where it is on its way.
    pub phase: JobPhase,
}

impl JobRecord {
    /// The assignments that are paid: those that delivered the accepted outcome.
    pub fn paid(&self) -> impl Iterator<Item = &Assignment> {
        self.assignments
            .iter()
            .filter(|assignment| self.outcome.is_some() && assignment.reproducible() == self.outcome.as_ref())
    }
}

/// The choice among the bids of an award; keyed by the [`JobId`](crate::JobId).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Ranking {
    /// For which attempt.
    pub attempt: u32,
    /// Every bid, the best first, the ineligible last.
    pub bids: Vec<RankedBid>,
    /// Whom the coordinator left out.
    pub excluded: Vec<Exclusion>,
}

impl Ranking {
    /// The bids that a job can be awarded to, the best first.
    pub fn eligible(&self) -> impl Iterator<Item = &RankedBid> {
        self.bids.iter().filter(|bid| bid.ineligible.is_none())
    }
}

/// A bid with what it scored and why. Each score is from 0 to 1,000.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RankedBid {
    /// Who bids.
    pub executor: Did,
    /// What it asks.
    pub price: Mana,
    /// How cheap it is against the most that the job offers.
    pub price_score: u32,
    /// Its reputation.
    pub reputation: u32,
    /// How much of the job's inputs it has, on a logarithmic scale.
    pub locality_score: u32,
    /// How idle it is.
    pub load_score: u32,
    /// The weighted sum, from 0 to 10,000; what counts.
    pub score: u32,
    /// The rule that excludes it, if one does.
    pub ineligible: Option<Ineligible>,
    /// Whether the job was awarded to it.
    pub chosen: bool,
}

/// Why a valid bid cannot win a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ineligible {
    /// It asks more than the job offers.
    TooExpensive {
        /// The most that the job offers.
        max: Mana,
    },
    /// Its reputation is below what the job requires.
    Reputation {
        /// What the job requires.
        required: u32,
    },
    /// The job names other cooperatives only.
    NotNamed {},
    /// The job is its own, and it is not named explicitly.
    OwnJob {},
    /// It has tried before.
    TriedBefore {},
    /// It has too little free memory.
    Memory {
        /// What the job may use, in bytes.
        required: u64,
    },
    /// The federation's policy for bids is against it.
    Policy {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Ineligible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooExpensive { max } => write!(f, "asks more than {max}"),
            Self::Reputation { required } => write!(f, "reputation is below {required}"),
            Self::NotNamed {} => f.write_str("the job names other cooperatives"),
            Self::OwnJob {} => f.write_str("the job is its own"),
            Self::TriedBefore {} => f.write_str("has tried before"),
            Self::Memory { required } => write!(f, "has less than {required} bytes of memory free"),
            Self::Policy { reason } => f.write_str(reason),
        }
    }
}
