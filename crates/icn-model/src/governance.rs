//! What people decide together: proposals with their effects, the processes that they go through, ballots.
//!
//! Here is what authors sign. How a proposal stands is in `governance_record`; what all of it means is decided
//! by `icn-state`.
use crate::{
    Cid, Did, EpochNumber, Mana, Millis, Name, ParameterName, PolicySlot, ProposalId, Time, limits,
    macros::names,
};
use alloc::{string::String, vec::Vec};
use core::{cmp::Ordering, fmt, str::FromStr};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A part of a whole, from 0 to 1, as an exact fraction: "more than 1/2" is not 50 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    numerator: u32,
    denominator: u32,
}

impl Share {
    /// Half.
    pub const HALF: Self = Self {
        numerator: 1,
        denominator: 2,
    };
    /// A third.
    pub const THIRD: Self = Self {
        numerator: 1,
        denominator: 3,
    };
    /// Two thirds.
    pub const TWO_THIRDS: Self = Self {
        numerator: 2,
        denominator: 3,
    };

    /// `numerator / denominator` in lowest terms, if that is between 0 and 1.
    pub const fn new(numerator: u32, denominator: u32) -> Option<Self> {
        if denominator == 0 || numerator > denominator {
            return None;
        }
        let (mut a, mut b) = (denominator, numerator);
        while b > 0 {
            (a, b) = (b, a % b);
        }
        Some(Self {
            numerator: numerator / a,
            denominator: denominator / a,
        })
    }

    /// Numerator and denominator, in lowest terms.
    pub const fn parts(self) -> (u32, u32) {
        (self.numerator, self.denominator)
    }

    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// How `part` of `whole` compares with this share.
    pub fn compare(self, part: u64, whole: u64) -> Ordering {
        let left = u128::from(part) * u128::from(self.denominator);
        left.cmp(&(u128::from(whole) * u128::from(self.numerator)))
    }
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> Ordering {
        let left = u64::from(self.numerator) * u64::from(other.denominator);
        left.cmp(&(u64::from(other.numerator) * u64::from(self.denominator)))
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.numerator, self.denominator)
    }
}

/// Text that is not a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a share of a whole: expected a fraction between 0 and 1, like 2/3")]
pub struct ShareError;

impl FromStr for Share {
    type Err = ShareError;
    fn from_str(text: &str) -> Result<Self, ShareError> {
        let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
        let number = |text: &str| text.parse().map_err(|_| ShareError);
        Self::new(number(numerator)?, number(denominator)?).ok_or(ShareError)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.parts().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?
                .parse()
                .map_err(D::Error::custom)
        } else {
            let (numerator, denominator) = Deserialize::deserialize(deserializer)?;
            Self::new(numerator, denominator).ok_or_else(|| D::Error::custom(ShareError))
        }
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Share {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("a fraction between 0 and 1, like 2/3"))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Share {}

/// What part of the votes that are neither abstentions nor missing must be for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Threshold {
    /// More than this share; exactly this share is not enough.
    MoreThan(Share),
    /// This share or more.
    AtLeast(Share),
}

impl Threshold {
    /// The share.
    pub const fn share(self) -> Share {
        match self {
            Self::MoreThan(share) | Self::AtLeast(share) => share,
        }
    }

    /// Whether `part` of `whole` is enough; nothing of nothing never is.
    pub fn is_met(self, part: u64, whole: u64) -> bool {
        whole > 0
            && match self {
                Self::MoreThan(share) => share.compare(part, whole).is_gt(),
                Self::AtLeast(share) => share.compare(part, whole).is_ge(),
            }
    }

    /// The one that is harder to meet.
    #[must_use]
    pub fn harder(self, other: Self) -> Self {
        let rank = |threshold: Self| (threshold.share(), matches!(threshold, Self::MoreThan(_)));
        if rank(other) > rank(self) { other } else { self }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MoreThan(share) => write!(f, "more than {share}"),
            Self::AtLeast(share) => write!(f, "at least {share}"),
        }
    }
}

names! {
    /// What a proposal is about. Each kind goes through a process of its own.
    ProposalKind, ProposalKindError, "a kind of proposals";
    /// Say something together.
    Text "text";
    /// Change a parameter, or the process of a kind.
    Parameter "parameter";
    /// Admit a cooperative, with its seat.
    Admit "admit";
    /// Suspend a cooperative.
    Suspend "suspend";
    /// Remove a cooperative or witness, with its seat.
    Remove "remove";
    /// Admit a witness.
    AdmitWitness "admit-witness";
    /// Let a contract decide a slot that is free.
    InstallPolicy "install-policy";
    /// Let another contract decide a slot.
    ReplacePolicy "replace-policy";
    /// Take a contract out of a slot.
    RemovePolicy "remove-policy";
    /// Allocate mana.
    Budget "budget";
    /// Set when debts are cleared.
    ClearingSchedule "clearing-schedule";
    /// Activate a version of the protocol.
    Upgrade "upgrade";
    /// Stop an accepted proposal.
    Veto "veto";
    /// Open a round of clearing.
    OpenClearing "open-clearing";
}

impl ProposalKind {
    /// Whether its process is built in and nothing changes it: no rule can block its own repeal.
    pub const fn is_built_in(self) -> bool {
        matches!(
            self,
            Self::Suspend | Self::Remove | Self::ReplacePolicy | Self::RemovePolicy
        )
    }

    /// Whether what is decided changes anything.
    pub const fn binds(self) -> bool {
        !matches!(self, Self::Text)
    }
}

names! {
    /// Who is on the roll.
    Electorate, ElectorateError, "an electorate";
    /// Cooperatives, one vote each.
    Cooperatives "cooperatives";
    /// Members, one vote each; what binds also needs the majority of the cooperatives.
    Members "members";
    /// Cooperatives and members, each counted for themselves: both must agree.
    Both "both";
}

names! {
    /// How votes are cast and counted.
    MethodKind, MethodKindError, "a voting method";
    /// Yes, no or abstain.
    YesNo "yes-no";
    /// Passes unless somebody objects.
    Consent "consent";
    /// Each voter approves any number of options; the most approved wins.
    Approval "approval";
    /// Each voter ranks options; instant run-off.
    Ranked "ranked";
    /// Each voter gives each option points; the most points win.
    Score "score";
}

/// How votes on one proposal are cast and counted, with what there is to choose from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Method {
    /// Yes, no or abstain.
    YesNo {},
    /// Consent, stand aside (abstain), or object with a reason.
    Consent {},
    /// Any number of options.
    Approval {
        /// What there is to choose from: 2 to [`limits::MAX_OPTIONS`], distinct.
        options: Vec<Name>,
    },
    /// Options in order, the best first.
    Ranked {
        /// What there is to choose from: 2 to [`limits::MAX_OPTIONS`], distinct.
        options: Vec<Name>,
    },
    /// Points for each option.
    Score {
        /// What there is to choose from: 2 to [`limits::MAX_OPTIONS`], distinct.
        options: Vec<Name>,
        /// The most points that a voter can give to an option; at least 1.
        max: u8,
    },
}

impl Method {
    /// Which method.
    pub const fn kind(&self) -> MethodKind {
        match self {
            Self::YesNo {} => MethodKind::YesNo,
            Self::Consent {} => MethodKind::Consent,
            Self::Approval { .. } => MethodKind::Approval,
            Self::Ranked { .. } => MethodKind::Ranked,
            Self::Score { .. } => MethodKind::Score,
        }
    }

    /// What there is to choose from; nothing for yes/no and consent.
    pub fn options(&self) -> &[Name] {
        match self {
            Self::YesNo {} | Self::Consent {} => &[],
            Self::Approval { options } | Self::Ranked { options } | Self::Score { options, .. } => options,
        }
    }
}

/// What a proposal goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Who is on the roll.
    pub electorate: Electorate,
    /// How votes are cast and counted.
    pub method: MethodKind,
    /// What part of the roll must take part, abstentions counted; above 0.
    pub quorum: Share,
    /// What part of the votes must be for it, or for the option that wins. It is not asked of consent, where none
    /// must object, and of score, where the most points win.
    pub threshold: Threshold,
    /// Passes unless at least this part of the roll says no, however few take part: quorum and threshold are
    /// not asked then. For yes/no only.
    pub rejection_quorum: Option<Share>,
    /// How long it is open, at the least.
    pub duration_ms: Millis,
    /// How long it waits after it is accepted, in which it can be vetoed.
    pub timelock_ms: Millis,
    /// How many other cooperatives must sponsor it before it opens.
    pub sponsors: u8,
    /// Whether a vote cannot be changed; then voting ends as soon as nothing can change the outcome.
    pub votes_final: bool,
}

impl Process {
    /// Whether a vote can go so.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), ProcessError> {
        let shares = [Some(self.quorum), self.rejection_quorum];
        if shares.into_iter().flatten().any(Share::is_zero) {
            return Err(ProcessError::ZeroQuorum);
        }
        let whole = Share::new(1, 1);
        if Some(self.threshold.share()) == whole && matches!(self.threshold, Threshold::MoreThan(_)) {
            return Err(ProcessError::Unreachable);
        }
        if self.threshold.share() < Share::HALF && matches!(self.method, MethodKind::YesNo) {
            return Err(ProcessError::Minority);
        }
        if self.rejection_quorum.is_some() && self.method != MethodKind::YesNo {
            return Err(ProcessError::RejectionQuorum);
        }
        if self.duration_ms < limits::MIN_VOTING || self.duration_ms > limits::MAX_VOTING {
            return Err(ProcessError::Duration);
        }
        if self.timelock_ms > limits::MAX_VOTING {
            return Err(ProcessError::Timelock);
        }
        if usize::from(self.sponsors) >= limits::MAX_SEATS {
            return Err(ProcessError::Sponsors);
        }
        Ok(())
    }
}

/// Why no vote can go so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProcessError {
    /// A quorum of nothing.
    #[error("the quorum is 0: name the part of the roll that must take part, like 1/3")]
    ZeroQuorum,
    /// More than all.
    #[error("no vote is more than the whole: ask for at least 1/1, or for less")]
    Unreachable,
    /// Less than half is enough.
    #[error("with a threshold below 1/2, a proposal and its opposite could both pass")]
    Minority,
    /// A rejection quorum where nobody says no.
    #[error("a rejection quorum goes with yes-no only")]
    RejectionQuorum,
    /// Too short or too long.
    #[error("a proposal is open for 1 second to 90 days")]
    Duration,
    /// Too long.
    #[error("an accepted proposal waits for at most 90 days")]
    Timelock,
    /// More than there can be.
    #[error("more sponsors than there can be cooperatives")]
    Sponsors,
}

/// What a proposal does when it is carried out. Closed: what is not here cannot be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Effect {
    /// Nothing: it is said.
    Text {},
    /// Give a parameter another value.
    ChangeParameter {
        /// Which.
        name: ParameterName,
        /// The value, in the parameter's unit: thousandths of mana, milliseconds, or a count.
        value: u64,
    },
    /// Let proposals of a kind go through another process.
    SetProcess {
        /// Which kind; not one whose process is built in.
        kind: ProposalKind,
        /// What they will go through.
        process: Process,
    },
    /// Admit a cooperative that has applied.
    Admit {
        /// Who applied.
        applicant: Did,
    },
    /// Admit a witness that has applied.
    AdmitWitness {
        /// Who applied.
        applicant: Did,
    },
    /// Take a cooperative's seat, vote and regeneration for a while.
    Suspend {
        /// Whose.
        cooperative: Did,
        /// For how long, from when it is carried out; at most [`limits::MAX_SUSPENSION`].
        span_ms: Millis,
    },
    /// Take the seat of a cooperative or witness for good.
    Remove {
        /// Whose.
        seat: Did,
    },
    /// Let a contract decide a slot that is free.
    InstallPolicy {
        /// Which slot.
        slot: PolicySlot,
        /// The contract's source.
        contract: Cid,
    },
    /// Let another contract decide a slot.
    ReplacePolicy {
        /// Which slot.
        slot: PolicySlot,
        /// The contract's source.
        contract: Cid,
    },
    /// Take the contract out of a slot.
    RemovePolicy {
        /// Which slot.
        slot: PolicySlot,
    },
    /// Give mana to a cooperative; it comes into being.
    Budget {
        /// Who gets it.
        to: Did,
        /// How much.
        amount: Mana,
    },
    /// Set how often debts are cleared, and how much time people have in a round.
    ClearingSchedule {
        /// Time between two rounds, [`limits::MIN_CLEARING_SPAN`] to [`limits::MAX_CLEARING_SPAN`]; none, if they are
        /// opened by decision only.
        every_ms: Option<Millis>,
        /// Time to join each, also one that is opened by decision; [`limits::MIN_CLEARING_WINDOW`] to
        /// [`limits::MAX_CLEARING_WINDOW`].
        join_ms: Millis,
        /// Time to object to its plan, as much.
        object_ms: Millis,
    },
    /// Open a round of clearing.
    OpenClearing {},
    /// Let all nodes follow another version of the protocol from an epoch on.
    Upgrade {
        /// Which version.
        version: u32,
        /// The first epoch in which it can be.
        epoch: EpochNumber,
    },
    /// Stop a proposal that was accepted and is not carried out yet.
    Veto {
        /// Which.
        proposal: ProposalId,
    },
}

impl Effect {
    /// The kind of a proposal with this effect.
    pub const fn kind(&self) -> ProposalKind {
        match self {
            Self::Text {} => ProposalKind::Text,
            Self::ChangeParameter { .. } | Self::SetProcess { .. } => ProposalKind::Parameter,
            Self::Admit { .. } => ProposalKind::Admit,
            Self::AdmitWitness { .. } => ProposalKind::AdmitWitness,
            Self::Suspend { .. } => ProposalKind::Suspend,
            Self::Remove { .. } => ProposalKind::Remove,
            Self::InstallPolicy { .. } => ProposalKind::InstallPolicy,
            Self::ReplacePolicy { .. } => ProposalKind::ReplacePolicy,
            Self::RemovePolicy { .. } => ProposalKind::RemovePolicy,
            Self::Budget { .. } => ProposalKind::Budget,
            Self::ClearingSchedule { .. } => ProposalKind::ClearingSchedule,
            Self::OpenClearing {} => ProposalKind::OpenClearing,
            Self::Upgrade { .. } => ProposalKind::Upgrade,
            Self::Veto { .. } => ProposalKind::Veto,
        }
    }
}

/// What an author proposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProposalSpec {
    /// A block of raw UTF-8 Markdown with title and reasons; none of an application. It is not part of the log, so
    /// that it can be erased.
    pub text: Option<Cid>,
    /// What it does when it is carried out.
    pub effect: Effect,
    /// Who votes. Of what binds, as the process of its kind says; of a text, as the author likes.
    pub electorate: Electorate,
    /// How votes are cast and counted. Of what binds, as the process of its kind says.
    pub method: Method,
    /// What it is about, for those who let others vote on some topics for them.
    pub topic: Name,
    /// When voting ends, by block time, if that is later than the process asks for.
    pub closes: Option<Time>,
    /// Whether votes cannot be changed, even if the process would let them.
    pub votes_final: bool,
}

/// What a voter says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Choice {
    /// For it; of consent: consents.
    Yes {},
    /// Against it.
    No {},
    /// Takes part and is neither for nor against; of consent: stands aside.
    Abstain {},
    /// A paramount objection: blocks consent.
    Object {
        /// Why; 1 to [`limits::MAX_TEXT_BYTES`] bytes.
        reason: String,
    },
    /// Approves these options.
    Approve {
        /// Their places, from 0, ascending.
        options: Vec<u8>,
    },
    /// Ranks these options; those not named come after all of them.
    Rank {
        /// Their places, from 0, the best first, each once.
        options: Vec<u8>,
    },
    /// Gives points.
    Score {
        /// Points of each option, in the order of the options.
        points: Vec<u8>,
    },
}

impl Choice {
    /// Whether it is one that can be made by `method`.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self, method: &Method) -> Result<(), ChoiceError> {
        let count = method.options().len();
        let known = |options: &[u8]| options.iter().all(|option| usize::from(*option) < count);
        match (self, method) {
            (Self::Abstain {}, _)
            | (Self::Yes {} | Self::No {}, Method::YesNo {})
            | (Self::Yes {}, Method::Consent {}) => Ok(()),
            (Self::Object { reason }, Method::Consent {}) => {
                let given = !reason.trim().is_empty() && reason.len() <= limits::MAX_TEXT_BYTES;
                if given { Ok(()) } else { Err(ChoiceError::Reason) }
            }
            (Self::Approve { options } | Self::Rank { options }, _) if !known(options) => {
                Err(ChoiceError::UnknownOption { count })
            }
            (Self::Approve { options }, Method::Approval { .. }) => {
                if options.is_empty() || !options.is_sorted_by(|a, b| a < b) {
                    return Err(ChoiceError::Options);
                }
                Ok(())
            }
            (Self::Rank { options }, Method::Ranked { .. }) => {
                let once = options
                    .iter()
                    .enumerate()
                    .all(|(at, one)| !options[..at].contains(one));
                if options.is_empty() || !once {
                    return Err(ChoiceError::Options);
                }
                Ok(())
            }
            (Self::Score { points }, Method::Score { max, .. }) => {
                if points.len() != count || points.iter().any(|one| one > max) {
                    return Err(ChoiceError::Points { count, max: *max });
                }
                Ok(())
            }
            _ => Err(ChoiceError::Method {
                method: method.kind(),
            }),
        }
    }
}

/// Why a choice cannot be made on a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceError {
    /// One of another method.
    #[error("the vote goes by {method}")]
    Method {
        /// The method of the proposal.
        method: MethodKind,
    },
    /// An option that is not there.
    #[error("there are {count} options")]
    UnknownOption {
        /// How many there are.
        count: usize,
    },
    /// None, one twice, or not in order.
    #[error("name at least one option, each once")]
    Options,
    /// Too many, too few, or too many points for one.
    #[error("give each of the {count} options 0 to {max} points")]
    Points {
        /// How many options there are.
        count: usize,
        /// The most points for one.
        max: u8,
    },
    /// Missing or too long.
    #[error("an objection needs a reason of at most 512 bytes")]
    Reason,
}
