//! Clearing: what cooperatives say of a round, how it stands and what came of it, as the state keeps it and the API shows
//! it.
//!
//! A round sets off debts along existing lines, in each unit by itself. How it goes is in `icn_state`.
use crate::{CreditUnit, Did, Height, LineId, Millis, ProposalId, Time};
use alloc::{string::String, vec::Vec};
use core::fmt;
use serde::{Deserialize, Serialize};

/// What is said of a round of clearing on the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClearingAct {
    /// From now on, what the author signs on these lines fits its limits whether the round is applied or aborted; the
    /// word of an end, by its line, officers' or seat key. A line takes part once both ends have said so.
    Join {
        /// Which round.
        round: RoundNumber,
        /// Which lines; at most [`crate::limits::MAX_LINES_PER_JOIN`].
        lines: Vec<LineId>,
    },
    /// Take the author's lines out of the round's plan; the word of an officer of a cooperative that it touches.
    Object {
        /// Which round.
        round: RoundNumber,
        /// Why.
        reason: String,
    },
}

impl ClearingAct {
    /// Its name for people, metrics and the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Join { .. } => "join-clearing",
            Self::Object { .. } => "object-to-clearing",
        }
    }
}

/// Number of a round of clearing, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct RoundNumber(u64);

impl RoundNumber {
    /// That with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for RoundNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How much time people have in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearingWindows {
    /// To join with their lines and to anchor them, after a round is announced.
    pub join_ms: Millis,
    /// To object to its plan after that.
    pub object_ms: Millis,
}

/// A day each, until something else is decided.
impl Default for ClearingWindows {
    fn default() -> Self {
        let day = Millis::from_secs(24 * 3_600);
        Self {
            join_ms: day,
            object_ms: day,
        }
    }
}

/// Where a round of clearing is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RoundPhase {
    /// Ends join with their lines; what is anchored until the freeze counts.
    Announced {
        /// When what is anchored is taken, by block time.
        freeze_at: Time,
    },
    /// There is a plan, and those whom it touches can object.
    Objecting {
        /// When it is applied, by block time.
        until: Time,
    },
    /// What the plan clears is cleared.
    Applied {
        /// When.
        at: Time,
    },
    /// Nothing could be cleared; nothing has changed.
    Ended {
        /// When.
        at: Time,
    },
    /// The plan came to nothing; nothing has changed.
    Aborted {
        /// When.
        at: Time,
        /// Why.
        reason: AbortReason,
    },
}

impl RoundPhase {
    /// A short name for people and filters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Announced { .. } => "announced",
            Self::Objecting { .. } => "objecting",
            Self::Applied { .. } => "applied",
            Self::Ended { .. } => "ended",
            Self::Aborted { .. } => "aborted",
        }
    }

    /// When something happens to it by itself; nothing, once it is over.
    pub const fn due(&self) -> Option<Time> {
        match self {
            Self::Announced { freeze_at } => Some(*freeze_at),
            Self::Objecting { until } => Some(*until),
            Self::Applied { .. } | Self::Ended { .. } | Self::Aborted { .. } => None,
        }
    }

    /// Whether it is under way.
    pub const fn is_open(&self) -> bool {
        self.due().is_some()
    }
}

/// Why the plan of a round came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AbortReason {
    /// After the rows of those who objected, and those in dispute, had left, nothing could be cleared any more.
    NothingLeft {},
    /// The plan did not pass the check that every node makes of it: a fault of the program.
    Unproved {
        /// In which unit.
        unit: CreditUnit,
        /// What the check says.
        detail: String,
    },
}

impl core::error::Error for AbortReason {}

impl fmt::Display for AbortReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingLeft {} => f.write_str("nothing was left that could be cleared"),
            Self::Unproved { unit, detail } => write!(f, "the plan in {unit} does not hold: {detail}"),
        }
    }
}

/// That somebody does not agree with the plan of a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RoundObjection {
    /// Who.
    pub by: Did,
    /// Why.
    pub reason: String,
    /// When, by block time.
    pub at: Time,
}

/// A round of clearing; keyed by its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RoundRecord {
    /// When it was announced, by block time.
    pub announced: Time,
    /// The proposal by which it was; none, if by the schedule.
    pub proposal: Option<ProposalId>,
    /// How much time there is in it.
    pub windows: ClearingWindows,
    /// Where it is.
    pub phase: RoundPhase,
    /// The block that made the plan, of what was anchored before it.
    pub frozen: Option<Height>,
    /// How many lines the plan is of, and clearing, once it is applied, was of.
    pub rows: u64,
    /// How many lines were in the plan at first and have left it.
    pub left: u64,
    /// Who objects.
    pub objections: Vec<RoundObjection>,
}

/// What a round comes to in one unit; keyed by round and unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearedUnit {
    /// How many owe or are owed something in the plan.
    pub parties: u32,
    /// How many lines are in it.
    pub rows: u32,
    /// What is owed on them, minor units.
    pub gross: u64,
    /// What of it is cleared: the most that can be, minor units.
    pub cleared: u64,
}

/// One line in the plan of a round; keyed by round and line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearingRow {
    /// Who owes.
    pub debtor: Did,
    /// Who is owed.
    pub creditor: Did,
    /// What was owed at the freeze, minor units.
    pub amount: u64,
    /// What of it is cleared, minor units.
    pub cleared: u64,
    /// What the chains of debtor and creditor added up to at the freeze, minor units.
    pub base: [u64; 2],
    /// How much of what the line's first end owes has been cleared in all, once the round is applied.
    pub settled: Option<i64>,
}

/// A party's price in a unit: what proves that no clearing clears more; keyed by round, unit and party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearingPrice {
    /// The price.
    pub price: u32,
}

/// What clearing has settled for somebody on lines that are forgotten; keyed by whom and the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GoneRecord {
    /// Of what it owed, minor units; below zero, of what it was owed.
    pub settled: i64,
}

/// What happened in a round of clearing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClearingStep {
    /// It was opened: ends can join.
    Announced {
        /// When what is anchored is taken, by block time.
        freeze_at: Time,
        /// The proposal by which; none, if by the schedule.
        proposal: Option<ProposalId>,
    },
    /// An end has joined with lines.
    Joined {
        /// Who.
        by: Did,
        /// How many lines are new.
        lines: u64,
    },
    /// There is a plan: what was anchored is taken.
    Frozen {
        /// Until when those whom it touches can object.
        until: Time,
        /// How many lines it is of.
        rows: u64,
    },
    /// Nothing could be cleared.
    Ended {},
    /// Somebody does not agree with the plan.
    Objected {
        /// Who.
        by: Did,
        /// Why.
        reason: String,
    },
    /// Lines of those who object, and those that cannot be cleared any more, have left, and the plan was made anew.
    Replanned {
        /// How many lines have left.
        left: u64,
        /// How many are still in it.
        rows: u64,
    },
    /// What it clears is cleared.
    Applied {
        /// On how many lines.
        rows: u64,
    },
    /// The plan came to nothing.
    Aborted {
        /// Why.
        reason: AbortReason,
    },
}

impl ClearingStep {
    /// The names of all.
    pub const NAMES: [&'static str; 8] = [
        "announced",
        "joined",
        "frozen",
        "ended",
        "objected",
        "replanned",
        "applied",
        "aborted",
    ];

    /// Its name for people and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Announced { .. } => "announced",
            Self::Joined { .. } => "joined",
            Self::Frozen { .. } => "frozen",
            Self::Ended {} => "ended",
            Self::Objected { .. } => "objected",
            Self::Replanned { .. } => "replanned",
            Self::Applied { .. } => "applied",
            Self::Aborted { .. } => "aborted",
        }
    }
}

/// Something happened in a round of clearing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearingEvent {
    /// Which round.
    pub round: RoundNumber,
    /// What happened.
    pub step: ClearingStep,
}
