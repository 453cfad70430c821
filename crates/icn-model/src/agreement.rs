//! Agreements between cooperatives: the terms that parties sign, and what each of them may say of one.
//!
//! Here is what authors sign. How an agreement stands is in `agreement_record`; who may say what when is decided by
//! `icn-state`.
use crate::{
    Cid, CreditUnit, Did, Digest, LineTerms, Millis, Name, RateTerms, Time, canonical, limits, macros::names,
};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

names! {
    /// Where an agreement is on its way.
    AgreementState, AgreementStateError, "a state of agreements";
    /// The proposer has offered it.
    Proposed "proposed";
    /// A party has offered other terms.
    Negotiating "negotiating";
    /// It holds.
    Active "active";
    /// It holds, and rests: lines may shrink and do not grow.
    Suspended "suspended";
    /// It has ended. What is owed stays owed.
    Terminated "terminated";
}

names! {
    /// What an agreement is about.
    AgreementKind, AgreementKindError, "a kind of agreements";
    /// Goods and services.
    Trade "trade";
    /// Credit between two, in one or more units: it opens a line for each.
    Credit "credit";
    /// Rooms, machines, land, storage.
    ResourceSharing "resource-sharing";
    /// One belongs to another.
    Membership "membership";
    /// Whatever its text says.
    Custom "custom";
}

names! {
    /// What a party is in an agreement.
    PartyRole, PartyRoleError, "a party's role";
    /// Made the first offer. There is one.
    Proposer "proposer";
    /// Agrees with the proposer.
    Counterparty "counterparty";
    /// Stands in for another party. Signs, too.
    Guarantor "guarantor";
    /// Is told. Need not sign, and does not count.
    Witness "witness";
}

impl PartyRole {
    /// Whether an agreement needs its signature, and listens to it.
    pub const fn signs(self) -> bool {
        !matches!(self, Self::Witness)
    }
}

/// Who takes part in an agreement, as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Who.
    pub did: Did,
    /// As what.
    pub role: PartyRole,
}

/// What happens to a claim of breach that is contested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum DisputeRule {
    /// It falls: the parties talk, suspend, or give notice.
    Negotiation {},
    /// A cooperative that is no party decides, in as much time as there was to contest; else it falls.
    Arbiter {
        /// Which.
        did: Did,
    },
}

/// The complete content of one revision of an agreement: what parties sign, by its [digest](Self::digest).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What it is about.
    pub kind: AgreementKind,
    /// What it is called.
    pub title: Name,
    /// Who takes part: 2 to [`limits::MAX_PARTIES`], each once, one of them the proposer, at least one more that signs.
    pub parties: Vec<Party>,
    /// From when on it holds, by block time; none: as soon as all have signed.
    pub effective: Option<Time>,
    /// Until when, by block time; none: until it is ended.
    pub expires: Option<Time>,
    /// By how much it goes on each time it expires, unless notice was given or it is suspended.
    pub renews_by_ms: Option<Millis>,
    /// Time between a notice and the end that it brings.
    pub notice_ms: Millis,
    /// Time in which a claim of breach can be contested.
    pub contest_ms: Millis,
    /// What happens then.
    pub disputes: DisputeRule,
    /// The lines that an agreement on credit opens, one per unit; of other kinds none.
    pub lines: Vec<LineTerms>,
    /// Rates between units.
    pub rates: Vec<RateTerms>,
    /// Its text for people, a block of Markdown.
    pub text: Option<Cid>,
}

impl Terms {
    /// What is signed: the hash of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical::to_bytes(self))
    }

    /// As what somebody takes part.
    pub fn role(&self, did: &Did) -> Option<PartyRole> {
        let party = self.parties.iter().find(|party| party.did == *did);
        party.map(|party| party.role)
    }

    /// Those who sign, in the order of the terms.
    pub fn signatories(&self) -> impl Iterator<Item = Did> {
        let signing = self.parties.iter().filter(|party| party.role.signs());
        signing.map(|party| party.did)
    }

    /// The two ends of its lines, the proposer first; none unless it is about credit.
    pub fn ends(&self) -> Option<[Did; 2]> {
        let of = |role| self.parties.iter().find(|party| party.role == role);
        match self.kind {
            AgreementKind::Credit => Some([of(PartyRole::Proposer)?.did, of(PartyRole::Counterparty)?.did]),
            _ => None,
        }
    }

    /// What they say of credit in a unit.
    pub fn line(&self, unit: &CreditUnit) -> Option<&LineTerms> {
        self.lines.iter().find(|line| line.unit == *unit)
    }

    /// Whether there can be such an agreement at all, whoever the parties are and whenever it is proposed.
    ///
    /// # Errors
    /// Names the first thing that is wrong.
    pub fn check(&self) -> Result<(), TermsError> {
        self.check_parties()?;
        self.check_times()?;
        self.check_credit()
    }

    fn check_parties(&self) -> Result<(), TermsError> {
        let parties = &self.parties;
        if !(2..=limits::MAX_PARTIES).contains(&parties.len()) {
            return Err(TermsError::Parties { count: parties.len() });
        }
        for (at, party) in parties.iter().enumerate() {
            if parties[..at].iter().any(|other| other.did == party.did) {
                return Err(TermsError::Twice { party: party.did });
            }
        }
        let count = |role| parties.iter().filter(|party| party.role == role).count();
        if count(PartyRole::Proposer) != 1 {
            return Err(TermsError::Proposers);
        }
        if count(PartyRole::Counterparty) == 0 {
            return Err(TermsError::Alone);
        }
        match self.disputes {
            DisputeRule::Arbiter { did } if self.role(&did).is_some() => Err(TermsError::PartialArbiter),
            _ => Ok(()),
        }
    }

    fn check_times(&self) -> Result<(), TermsError> {
        if let (Some(effective), Some(expires)) = (self.effective, self.expires)
            && expires <= effective
        {
            return Err(TermsError::Dates { effective, expires });
        }
        if self.renews_by_ms.is_some() && self.expires.is_none() {
            return Err(TermsError::RenewsWhat);
        }
        let bounded = |what, span: Millis, least: Millis| {
            if (least..=limits::MAX_AGREEMENT_SPAN).contains(&span) {
                Ok(())
            } else {
                Err(TermsError::Span { what, span, least })
            }
        };
        bounded("notice_ms", self.notice_ms, Millis::ZERO)?;
        bounded("contest_ms", self.contest_ms, limits::MIN_CONTEST)?;
        let renews = self.renews_by_ms.unwrap_or(limits::MAX_AGREEMENT_SPAN);
        bounded("renews_by_ms", renews, limits::MIN_RENEWAL)
    }

    fn check_credit(&self) -> Result<(), TermsError> {
        let is_credit = self.kind == AgreementKind::Credit;
        let counterparties = self
            .parties
            .iter()
            .filter(|party| party.role == PartyRole::Counterparty);
        if is_credit && counterparties.count() != 1 {
            return Err(TermsError::Ends);
        }
        if is_credit == self.lines.is_empty() {
            return Err(TermsError::Lines);
        }
        for (what, count, max) in [
            ("lines", self.lines.len(), limits::MAX_LINES_PER_AGREEMENT),
            ("rates", self.rates.len(), limits::MAX_RATES_PER_AGREEMENT),
        ] {
            if count > max {
                return Err(TermsError::TooMany { what, count, max });
            }
        }
        for (at, line) in self.lines.iter().enumerate() {
            if self.lines[..at].iter().any(|other| other.unit == line.unit) {
                return Err(TermsError::UnitTwice {
                    unit: line.unit.clone(),
                });
            }
            if !line.is_bounded() {
                return Err(TermsError::Limit {
                    unit: line.unit.clone(),
                });
            }
        }
        for (at, rate) in self.rates.iter().enumerate() {
            let same = |other: &&RateTerms| (&other.from, &other.to) == (&rate.from, &rate.to);
            if !rate.is_usable() || self.rates[..at].iter().any(|other| same(&other)) {
                return Err(TermsError::Rate {
                    from: rate.from.clone(),
                    to: rate.to.clone(),
                });
            }
        }
        Ok(())
    }
}

/// Why there is no such agreement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Too few or too many parties.
    #[error("{count} parties: an agreement has 2 to {}", limits::MAX_PARTIES)]
    Parties {
        /// How many.
        count: usize,
    },
    /// A party is listed twice.
    #[error("{party} is listed twice")]
    Twice {
        /// Which.
        party: Did,
    },
    /// None, or several.
    #[error("one party is the proposer, the others are not")]
    Proposers,
    /// Nobody to agree with.
    #[error("nobody is there to agree with: at least one party is a counterparty")]
    Alone,
    /// A party would judge itself.
    #[error("the arbiter is a party")]
    PartialArbiter,
    /// Ends before it begins.
    #[error("it expires at {expires} and begins at {effective}: dates are out of order")]
    Dates {
        /// When it begins.
        effective: Time,
        /// When it ends.
        expires: Time,
    },
    /// Renewal of what does not end.
    #[error("renews_by_ms is there and expires is not: what does not expire is not renewed")]
    RenewsWhat,
    /// A span out of bounds.
    #[error(
        "{what} is {span}, which is not between {least} and {}",
        limits::MAX_AGREEMENT_SPAN
    )]
    Span {
        /// Which.
        what: &'static str,
        /// How long.
        span: Millis,
        /// How short it may be.
        least: Millis,
    },
    /// Credit among more than two.
    #[error("credit is between two: the proposer and one counterparty")]
    Ends,
    /// Lines where there is no credit, or none where there is.
    #[error("an agreement on credit has a line for each unit, one of another kind has none")]
    Lines,
    /// Too many of something.
    #[error("{count} {what}, at most {max} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// How many are allowed.
        max: usize,
    },
    /// Two lines in one unit.
    #[error("there are two lines in {unit}")]
    UnitTwice {
        /// In which.
        unit: CreditUnit,
    },
    /// A limit that sums could go over.
    #[error("the limits in {unit} are over {}", limits::MAX_CREDIT)]
    Limit {
        /// In which unit.
        unit: CreditUnit,
    },
    /// A rate that does not convert, or stands there twice.
    #[error("the rate from {from} to {to} is zero, between equal units, or there twice")]
    Rate {
        /// From which unit.
        from: CreditUnit,
        /// To which.
        to: CreditUnit,
    },
}

/// What a party says of an agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AgreementAct {
    /// Offer other terms: a counter-proposal, or an amendment of what is active. It counts as a signature to them.
    Offer {
        /// Number of the new revision: one above the last.
        revision: u32,
        /// All of them.
        terms: Terms,
    },
    /// Sign a revision.
    Sign {
        /// Which.
        revision: u32,
        /// Its [`Terms::digest`].
        content: Digest,
    },
    /// Take back what the author has offered and is not in force.
    Withdraw {
        /// Why.
        reason: String,
    },
    /// Turn down what is offered.
    Reject {
        /// Why.
        reason: String,
    },
    /// Let what is active rest.
    Suspend {
        /// Why.
        reason: String,
    },
    /// Let it go on: the word of whoever suspended it.
    Resume {},
    /// End it when the notice period is over.
    GiveNotice {
        /// Why.
        reason: String,
    },
    /// End it at once, if all say so.
    ConsentToEnd {},
    /// End it since a party broke it, unless that one contests it in time.
    ClaimBreach {
        /// Who.
        against: Did,
        /// What shows it: a block.
        evidence: Cid,
    },
    /// Contest the claim against the author.
    ContestBreach {
        /// Why it is wrong.
        reason: String,
    },
    /// Decide a contested claim; the arbiter's word.
    Rule {
        /// Whether the agreement was broken.
        upheld: bool,
    },
}

impl AgreementAct {
    /// Its name for people, metrics and the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Offer { .. } => "offer",
            Self::Sign { .. } => "sign",
            Self::Withdraw { .. } => "withdraw",
            Self::Reject { .. } => "reject",
            Self::Suspend { .. } => "suspend",
            Self::Resume {} => "resume",
            Self::GiveNotice { .. } => "notice",
            Self::ConsentToEnd {} => "end",
            Self::ClaimBreach { .. } => "claim-breach",
            Self::ContestBreach { .. } => "contest",
            Self::Rule { .. } => "rule",
        }
    }

    /// The reason that it gives, if it gives one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Withdraw { reason }
            | Self::Reject { reason }
            | Self::Suspend { reason }
            | Self::GiveNotice { reason }
            | Self::ContestBreach { reason } => Some(reason),
            _ => None,
        }
    }
}
