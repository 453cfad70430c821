//! How a line of credit stands on the log: what its ends say of it, what is stored, and what is told.
use crate::{
    AgreementId, CoSigned, CreditUnit, Did, Digest, Head, LineId, Released, RoundNumber, Signed, Time,
    Transfer,
};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// What is said of a line on the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum CreditAct {
    /// Show the last transfers that both have signed, at most one of each chain; either end's word. Higher numbers win.
    Anchor {
        /// The transfers.
        heads: Vec<CoSigned>,
    },
    /// Show that a debtor has signed two transfers with one number; the word of anybody who has a seat.
    ProveEquivocation {
        /// One.
        first: Signed<Transfer>,
        /// The other.
        second: Signed<Transfer>,
    },
    /// Have the author's transfers up to a number void that the creditor does not countersign: after a while in which
    /// it can show that it has, or at once, if it has released the last of them.
    Void {
        /// The last number that the author has signed; of a released transfer, its own.
        through: u64,
        /// That transfer, with the creditor's word that it is void.
        release: Option<Released>,
    },
    /// Keep the line out of clearing; an officer's word of either end.
    Dispute {
        /// Why.
        reason: String,
    },
    /// Let it take part again, as far as the author is concerned.
    Withdraw {},
}

impl CreditAct {
    /// Its name for people, metrics and the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Anchor { .. } => "anchor",
            Self::ProveEquivocation { .. } => "prove-equivocation",
            Self::Void { .. } => "void",
            Self::Dispute { .. } => "dispute",
            Self::Withdraw {} => "withdraw-dispute",
        }
    }
}

/// What each end of a line may owe at the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LineLimits {
    /// The agreement's proposer, minor units.
    pub proposer: u64,
    /// Its counterparty, minor units.
    pub counterparty: u64,
}

impl LineLimits {
    /// Nothing: what is owed may only shrink.
    pub const NONE: Self = Self {
        proposer: 0,
        counterparty: 0,
    };

    /// That of one of [`LineRecord::ends`].
    pub const fn of(&self, end: usize) -> u64 {
        match end {
            0 => self.proposer,
            _ => self.counterparty,
        }
    }

    /// The higher of both, for each end.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self {
            proposer: self.proposer.max(other.proposer),
            counterparty: self.counterparty.max(other.counterparty),
        }
    }
}

/// Limits that were in force lately. What was signed by both under them can still be anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FormerLimits {
    /// The highest of them.
    pub limits: LineLimits,
    /// Until when, by block time.
    pub until: Time,
}

/// What may happen on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LinePhase {
    /// What is owed may grow up to the limits.
    Open {},
    /// The agreement rests: what is owed may only shrink.
    Resting {},
    /// An end was shown to have signed two transfers with one number: what is owed may only shrink, until all parties
    /// sign new terms.
    Frozen {
        /// Which end.
        debtor: Did,
        /// Which number.
        number: u64,
    },
    /// The agreement has ended, or gives no credit in this unit any more: what is owed may only shrink.
    Closing {},
}

impl LinePhase {
    /// A short name for people and filters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open {} => "open",
            Self::Resting {} => "resting",
            Self::Frozen { .. } => "frozen",
            Self::Closing {} => "closing",
        }
    }
}

/// That a debtor would have void what its creditor does not countersign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OpenVoid {
    /// Up to which number.
    pub through: u64,
    /// Until when the creditor can show that it has, by block time.
    pub until: Time,
}

/// One direction of a line, as far as the log knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChainRecord {
    /// The last transfer that was shown with both signatures.
    pub head: Head,
    /// Numbers after the head up to this one are void; 0 if none are.
    pub void_through: u64,
    /// What would be void after a while.
    pub voiding: Option<OpenVoid>,
    /// That two transfers with one number were signed is forgiven up to this number: all parties have signed new terms
    /// since.
    pub forgiven_through: u64,
}

impl ChainRecord {
    /// A chain that begins at `head`.
    pub const fn new(head: Head) -> Self {
        Self {
            head,
            void_through: 0,
            voiding: None,
            forgiven_through: 0,
        }
    }
}

/// That an end does not agree with how a line stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LineDispute {
    /// Which end.
    pub by: Did,
    /// Why.
    pub reason: String,
    /// Since when, by block time.
    pub since: Time,
}

/// A line of credit; keyed by agreement and unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LineRecord {
    /// The agreement's proposer and its counterparty.
    pub ends: [Did; 2],
    /// What may happen on it.
    pub phase: LinePhase,
    /// Since when, by block time.
    pub since: Time,
    /// The limits of the terms that are in force, or were last.
    pub limits: LineLimits,
    /// The higher ones that were in force lately.
    pub former: Option<FormerLimits>,
    /// The highest that ever were in force.
    pub highest: LineLimits,
    /// What each of [`Self::ends`] owes the other.
    pub chains: [ChainRecord; 2],
    /// How much of what the first end owes has been cleared, minor units; below zero, of what the second end owes.
    pub settled: i64,
    /// The last round of clearing that each of [`Self::ends`] has joined with it.
    pub joined: [Option<RoundNumber>; 2],
    /// Which ends do not agree with it, and why.
    pub disputes: Vec<LineDispute>,
}

impl LineRecord {
    /// Which of [`Self::ends`] somebody is.
    pub fn end(&self, did: &Did) -> Option<usize> {
        self.ends.iter().position(|end| end == did)
    }

    /// What the first end owes the second after clearing, minor units; below zero, what it is owed.
    pub fn position(&self) -> i128 {
        let [first, second] = self.chains.map(|chain| i128::from(chain.head.owed));
        first - second - i128::from(self.settled)
    }

    /// What one end owes the other after clearing, minor units; below zero, what it is owed.
    pub fn debt(&self, end: usize) -> i128 {
        match end {
            0 => self.position(),
            _ => -self.position(),
        }
    }

    /// What each end may owe now.
    pub const fn in_force(&self) -> LineLimits {
        match self.phase {
            LinePhase::Open {} => self.limits,
            _ => LineLimits::NONE,
        }
    }

    /// What each end may owe by transfers that are shown now.
    pub fn anchorable(&self, now: Time) -> LineLimits {
        let former = self.former.filter(|former| former.until >= now);
        former.map_or(self.in_force(), |former| self.in_force().max(former.limits))
    }

    /// Whether both ends have joined a round with it.
    pub fn has_joined(&self, round: RoundNumber) -> bool {
        self.joined == [Some(round); 2]
    }

    /// Whether nothing is owed, asked or in doubt.
    pub fn is_even(&self) -> bool {
        let none_asked = self.chains.iter().all(|chain| chain.voiding.is_none());
        self.position() == 0 && none_asked && self.disputes.is_empty()
    }

    /// Whether clearing may take part of what is owed.
    pub fn is_clearable(&self) -> bool {
        self.disputes.is_empty() && !matches!(self.phase, LinePhase::Frozen { .. })
    }
}

/// What happened on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum CreditStep {
    /// It is there.
    Opened {
        /// Up to what each end may owe.
        limits: LineLimits,
    },
    /// Other limits hold, or something else may happen on it.
    Changed {
        /// What.
        phase: LinePhase,
        /// Up to what each end may owe now.
        limits: LineLimits,
    },
    /// A transfer that both have signed was shown.
    Anchored {
        /// Whose chain.
        debtor: Did,
        /// Where it stands.
        head: Head,
    },
    /// A debtor has signed two transfers with one number.
    Equivocated {
        /// Which.
        debtor: Did,
        /// Which number.
        number: u64,
        /// Hash of one.
        first: Digest,
        /// Hash of the other.
        second: Digest,
    },
    /// A debtor would have transfers void.
    VoidAsked {
        /// Which.
        debtor: Did,
        /// Up to which number.
        through: u64,
        /// Until when its creditor can show that it has countersigned them.
        until: Time,
    },
    /// Transfers are void.
    Voided {
        /// Whose.
        debtor: Did,
        /// The one before them, on which the chain goes on.
        after: Head,
        /// Up to which number.
        through: u64,
    },
    /// What would have been void is countersigned.
    VoidFell {
        /// Whose it is.
        debtor: Did,
    },
    /// An end does not agree with how it stands.
    Disputed {
        /// Which.
        by: Did,
        /// Why.
        reason: String,
    },
    /// A dispute is over.
    DisputeEnded {
        /// Whose it was.
        by: Did,
    },
    /// A round of clearing has taken off what was owed.
    Cleared {
        /// Which round.
        round: RoundNumber,
        /// Who owed it.
        debtor: Did,
        /// How much, minor units.
        amount: u64,
    },
    /// It is forgotten with its agreement.
    Forgotten {},
}

impl CreditStep {
    /// The names of all.
    pub const NAMES: [&'static str; 11] = [
        "opened",
        "changed",
        "anchored",
        "equivocated",
        "void-asked",
        "voided",
        "void-fell",
        "disputed",
        "dispute-ended",
        "cleared",
        "forgotten",
    ];

    /// Its name for people and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Changed { .. } => "changed",
            Self::Anchored { .. } => "anchored",
            Self::Equivocated { .. } => "equivocated",
            Self::VoidAsked { .. } => "void-asked",
            Self::Voided { .. } => "voided",
            Self::VoidFell { .. } => "void-fell",
            Self::Disputed { .. } => "disputed",
            Self::DisputeEnded { .. } => "dispute-ended",
            Self::Cleared { .. } => "cleared",
            Self::Forgotten {} => "forgotten",
        }
    }
}

/// Something happened on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreditEvent {
    /// The agreement that opened it.
    pub agreement: AgreementId,
    /// Its unit.
    pub unit: CreditUnit,
    /// What happened.
    pub step: CreditStep,
}

impl CreditEvent {
    /// The line.
    pub fn line(&self) -> LineId {
        LineId {
            agreement: self.agreement,
            unit: self.unit.clone(),
        }
    }
}
