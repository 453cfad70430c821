//! How an agreement between cooperatives stands, and its history.
use crate::{
    AgreementId, AgreementState, Cid, Did, Digest, LogEntry, PartyRole, Terms, Time, canonical, macros::names,
};
use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// A revision that waits for signatures, or for its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Number of the revision, from 1.
    pub revision: u32,
    /// What it says.
    pub terms: Terms,
    /// Who offered it.
    pub by: Did,
    /// Who has signed it, in the order in which they did.
    pub signed: Vec<Did>,
    /// Who has to sign it.
    pub needed: Vec<Did>,
    /// When it lapses, unless all have signed.
    pub until: Time,
}

impl Offer {
    /// Whether all have signed.
    pub fn is_signed(&self) -> bool {
        self.needed.iter().all(|did| self.signed.contains(did))
    }

    /// When something happens to it by itself: it takes effect, or lapses.
    pub fn due(&self) -> Time {
        if self.is_signed() {
            self.terms.effective.unwrap_or(Time::ZERO)
        } else {
            self.terms
                .expires
                .map_or(self.until, |expires| expires.min(self.until))
        }
    }
}

/// The revision that holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InForce {
    /// Its number.
    pub revision: u32,
    /// What it says.
    pub terms: Terms,
    /// Since when, by block time.
    pub since: Time,
    /// When it expires, renewals included.
    pub expires: Option<Time>,
}

/// That a party lets an agreement rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// Who.
    pub by: Did,
    /// Why.
    pub reason: String,
}

/// That a party ends an agreement in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Who.
    pub by: Did,
    /// When it ends.
    pub ends: Time,
}

/// That a party says another one has broken an agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BreachClaim {
    /// Who says so.
    pub by: Did,
    /// Of whom.
    pub against: Did,
    /// What shows it.
    pub evidence: Cid,
    /// Whether that was contested, and it waits for the arbiter.
    pub contested: bool,
    /// Until when it can be contested, or the arbiter can decide. After that an uncontested claim ends the agreement,
    /// and a contested one falls.
    pub until: Time,
}

names! {
    /// Why an agreement has ended.
    Ending, EndingError, "an end of agreements";
    /// Its proposer withdrew it before it held.
    Withdrawn "withdrawn";
    /// A party turned it down.
    Rejected "rejected";
    /// Not all signed in time.
    Lapsed "lapsed";
    /// Its time was over.
    Expired "expired";
    /// A notice period was over.
    Notice "notice";
    /// All parties said so.
    Consent "consent";
    /// A party broke it.
    Breach "breach";
    /// A party that has to sign has left the federation for good.
    PartyGone "party-gone";
}

/// One step in the way of an agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AgreementStep {
    /// A party has offered terms.
    Offered {
        /// As which revision.
        revision: u32,
        /// Their digest.
        content: Digest,
    },
    /// A party has signed a revision.
    Signed {
        /// Which.
        revision: u32,
        /// Its digest.
        content: Digest,
    },
    /// A revision holds from now on.
    TookEffect {
        /// Which.
        revision: u32,
    },
    /// An amendment came to nothing; what was in force stays so.
    OfferEnded {
        /// Which revision.
        revision: u32,
        /// How.
        ending: Ending,
        /// Why, in words, if a party said.
        reason: Option<String>,
    },
    /// A party lets it rest.
    Suspended {
        /// Why.
        reason: String,
    },
    /// A party that suspended it would have it go on; it does once no other one lets it rest.
    Resumed {},
    /// A party has given notice.
    NoticeGiven {
        /// When it ends.
        ends: Time,
        /// Why.
        reason: String,
    },
    /// A party would have it end.
    EndWanted {},
    /// A party says that another has broken it.
    BreachClaimed {
        /// Who has.
        against: Did,
        /// What shows it.
        evidence: Cid,
        /// Until when that can be contested.
        until: Time,
    },
    /// That was contested.
    BreachContested {
        /// Why it is wrong.
        reason: String,
    },
    /// A claim of breach came to nothing.
    BreachDismissed {},
    /// It goes on for another while.
    Renewed {
        /// Until when.
        expires: Time,
    },
    /// It has ended.
    Ended {
        /// How.
        ending: Ending,
        /// Why, in words, if a party said.
        reason: Option<String>,
    },
}

impl AgreementStep {
    /// The names of all.
    pub const NAMES: [&'static str; 13] = [
        "offered",
        "signed",
        "took-effect",
        "offer-ended",
        "suspended",
        "resumed",
        "notice-given",
        "end-wanted",
        "breach-claimed",
        "breach-contested",
        "breach-dismissed",
        "renewed",
        "ended",
    ];

    /// Its name for people and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Offered { .. } => "offered",
            Self::Signed { .. } => "signed",
            Self::TookEffect { .. } => "took-effect",
            Self::OfferEnded { .. } => "offer-ended",
            Self::Suspended { .. } => "suspended",
            Self::Resumed {} => "resumed",
            Self::NoticeGiven { .. } => "notice-given",
            Self::EndWanted {} => "end-wanted",
            Self::BreachClaimed { .. } => "breach-claimed",
            Self::BreachContested { .. } => "breach-contested",
            Self::BreachDismissed {} => "breach-dismissed",
            Self::Renewed { .. } => "renewed",
            Self::Ended { .. } => "ended",
        }
    }
}

/// One entry of an agreement's history; keyed by agreement and number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgreementEntry {
    /// Its number, from 1, without gaps.
    pub number: u64,
    /// The [digest](Self::digest) of the entry before; zero for the first.
    pub previous: Digest,
    /// What happened.
    pub step: AgreementStep,
    /// Where the agreement stands after it.
    pub state: AgreementState,
    /// When, by block time.
    pub at: Time,
    /// Whose word it was; nobody's where time did it.
    pub party: Option<Did>,
    /// The operations that carry the word, one of each officer that it took.
    pub by: Vec<LogEntry>,
}

impl AgreementEntry {
    /// What the next entry links to: the hash of the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical::to_bytes(self))
    }
}

/// An agreement; keyed by its [`AgreementId`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgreementRecord {
    /// Who proposed it.
    pub proposer: Did,
    /// Where it stands.
    pub state: AgreementState,
    /// Since when.
    pub since: Time,
    /// The revision that holds, or held last.
    pub in_force: Option<InForce>,
    /// The revision that waits for signatures or for its time.
    pub offer: Option<Offer>,
    /// Number of the last revision.
    pub revisions: u32,
    /// Who lets it rest.
    pub suspensions: Vec<Suspension>,
    /// Who would have it end.
    pub end: Vec<Did>,
    /// The notice that was given.
    pub notice: Option<Notice>,
    /// What is claimed.
    pub breach: Option<BreachClaim>,
    /// How it has ended.
    pub ending: Option<Ending>,
    /// Whether something is still owed, asked or in doubt on its lines: then it is not forgotten.
    pub owing: bool,
    /// Number of the last entry of its history.
    pub entries: u64,
    /// Digest of that entry.
    pub head: Digest,
}

impl AgreementRecord {
    /// The terms that count: those in force, or else those that are offered.
    pub fn terms(&self) -> Option<&Terms> {
        let offered = self.offer.as_ref().map(|offer| &offer.terms);
        self.in_force.as_ref().map(|held| &held.terms).or(offered)
    }

    /// As what somebody takes part, in what is in force or in what is offered.
    pub fn role(&self, did: &Did) -> Option<PartyRole> {
        let held = self.in_force.as_ref().map(|held| &held.terms);
        let offered = self.offer.as_ref().map(|offer| &offer.terms);
        let of = |terms: Option<&Terms>| terms.and_then(|terms| terms.role(did));
        of(held).or_else(|| of(offered))
    }

    /// Everybody who takes part, in what is in force or in what is offered, in the order of their identities.
    pub fn parties(&self) -> Vec<Did> {
        let held = self.in_force.as_ref().map(|held| &held.terms);
        let offered = self.offer.as_ref().map(|offer| &offer.terms);
        let all = held.into_iter().chain(offered).flat_map(|terms| &terms.parties);
        let mut dids: Vec<Did> = all.map(|party| party.did).collect();
        dids.sort_unstable();
        dids.dedup();
        dids
    }

    /// Whether it has ended.
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, AgreementState::Terminated)
    }
}

/// An agreement went a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgreementEvent {
    /// Which agreement.
    pub agreement: AgreementId,
    /// Number of the entry of its history.
    pub entry: u64,
    /// What happened.
    pub step: AgreementStep,
    /// Where it stands now.
    pub state: AgreementState,
    /// Whose word it was; nobody's where time did it.
    pub party: Option<Did>,
}
