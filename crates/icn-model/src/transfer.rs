//! Transfers on a line of credit: what the debtor signs, what the creditor countersigns, and what the two tell each other.
//!
//! Nothing here needs the log: a transfer with both signatures proves by itself what is owed ([`CoSigned::verify`]).
//! Which keys act for whom, and whether a limit holds, is decided by `icn-state`, on the log and beside it.
use crate::{
    AgreementId, Cid, CreditUnit, Did, Digest, Domain, PublicKey, Signable, Signed, Time, canonical, limits,
};
use alloc::boxed::Box;
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// A line: the credit of one agreement in one unit, between the two ends of the agreement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LineId {
    /// The agreement that opened it.
    pub agreement: AgreementId,
    /// What is owed on it.
    pub unit: CreditUnit,
}

/// As people write it: the agreement, a colon, the unit.
impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.agreement, self.unit)
    }
}

/// A text that is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a line of credit: expected an agreement, a colon and a unit, like AGREEMENT:EUR.2")]
pub struct LineIdError;

impl FromStr for LineId {
    type Err = LineIdError;

    fn from_str(text: &str) -> Result<Self, LineIdError> {
        let (agreement, unit) = text.split_once(':').ok_or(LineIdError)?;
        Ok(Self {
            agreement: agreement.parse().map_err(|_| LineIdError)?,
            unit: unit.parse().map_err(|_| LineIdError)?,
        })
    }
}

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The debtor has signed it.
    Pending,
    /// Both have.
    Confirmed,
    /// The creditor will not, or the log has decided so.
    Void,
}

impl Standing {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Void => "void",
        }
    }
}

/// Where a chain stands. It says the whole: nothing before it is needed to know what is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Number of the last transfer; 0 before the first.
    pub number: u64,
    /// Its [hash](Transfer::hash); before the first a value that only this chain has.
    pub hash: Digest,
    /// What all transfers of the chain up to it add up to, minor units.
    pub owed: u64,
}

impl Head {
    /// Where the chain of a debtor begins.
    pub fn origin(federation: &Cid, line: &LineId, debtor: &Did) -> Self {
        Self {
            number: 0,
            hash: Digest::of(&canonical::to_bytes(&("icn/line/1", federation, line, debtor))),
            owed: 0,
        }
    }
}

/// That the debtor owes the creditor so much more; the debtor signs it.
///
/// A line has two chains of transfers, one for each direction, named by its debtor. A number is signed once: what is
/// void leaves a gap, and the next transfer has a higher number and links to the last that is not void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// In which federation.
    pub federation: Cid,
    /// On which line.
    pub line: LineId,
    /// Who owes more by it; the other end of the line is the creditor.
    pub debtor: Did,
    /// Its number in the debtor's chain, from 1.
    pub number: u64,
    /// Hash of the transfer before it, or that of [`Head::origin`].
    pub previous: Digest,
    /// How much more, minor units; above zero.
    pub amount: u64,
    /// What the chain adds up to with it, minor units.
    pub owed: u64,
    /// The last transfer of the other chain that both have signed, as far as the debtor holds it: what counts against
    /// what it owes.
    pub seen: Head,
    /// The debtor's own name for it, by which it is made once.
    pub reference: Digest,
    /// What it is for: a block for people.
    pub memo: Option<Cid>,
    /// When the debtor made it, by its own clock. Nothing depends on it.
    pub made: Time,
    /// The debtor's line key, which signs.
    pub key: PublicKey,
}

impl Transfer {
    /// What the next transfer links to, and the creditor countersigns.
    pub fn hash(&self) -> Digest {
        Digest::of(&canonical::to_bytes(self))
    }

    /// Where the chain stands after it.
    pub fn head(&self) -> Head {
        Head {
            number: self.number,
            hash: self.hash(),
            owed: self.owed,
        }
    }

    /// Whether there can be such a transfer at all, whatever came before it.
    ///
    /// # Errors
    /// [`TransferError`] names the first thing that is wrong.
    pub fn check(&self) -> Result<(), TransferError> {
        if self.number == 0 {
            return Err(TransferError::Number);
        }
        if self.amount == 0 {
            return Err(TransferError::Nothing);
        }
        let sums = [self.amount, self.owed, self.seen.owed];
        if sums.into_iter().any(|sum| sum > limits::MAX_CREDIT) {
            return Err(TransferError::TooMuch);
        }
        if self.owed < self.amount {
            return Err(TransferError::Sum);
        }
        Ok(())
    }
}

impl Signable for Transfer {
    const DOMAIN: Domain = Domain::Transfer;

    fn signer(&self) -> PublicKey {
        self.key
    }
}

/// Why there is no such transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// Number zero.
    #[error("transfers are numbered from 1")]
    Number,
    /// An amount of zero.
    #[error("the amount is zero")]
    Nothing,
    /// An amount or sum over the bound.
    #[error("an amount or sum is over {}", limits::MAX_CREDIT)]
    TooMuch,
    /// A sum that leaves the amount out.
    #[error("the sum of the chain is below the amount")]
    Sum,
}

/// The creditor's countersignature. Transfers are countersigned in order, so one covers all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// [Hash](Transfer::hash) of the transfer.
    pub transfer: Digest,
    /// The creditor's line key, which signs.
    pub key: PublicKey,
}

impl Signable for Acceptance {
    const DOMAIN: Domain = Domain::Acceptance;

    fn signer(&self) -> PublicKey {
        self.key
    }
}

/// The creditor's word that it will never countersign a transfer, nor any that builds on it: what makes it void between
/// the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// In which federation.
    pub federation: Cid,
    /// On which line.
    pub line: LineId,
    /// Whose chain.
    pub debtor: Did,
    /// The last transfer that both have signed, on which the chain goes on.
    pub after: Head,
    /// [Hash](Transfer::hash) of the transfer that is void.
    pub transfer: Digest,
    /// The creditor's line key, which signs.
    pub key: PublicKey,
}

impl Signable for Release {
    const DOMAIN: Domain = Domain::Release;

    fn signer(&self) -> PublicKey {
        self.key
    }
}

/// A transfer with its creditor's word that it is void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// What the debtor signed: its hash is in the release.
    pub transfer: Transfer,
    /// What the creditor signed.
    pub release: Signed<Release>,
}

/// A transfer that both have signed: final between the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CoSigned {
    /// What the debtor signed.
    pub transfer: Signed<Transfer>,
    /// What the creditor signed.
    pub acceptance: Signed<Acceptance>,
}

impl CoSigned {
    /// Where the chain stands after it.
    pub fn head(&self) -> Head {
        self.transfer.content.head()
    }

    /// Whether it is a transfer that the keys which it names have signed both. Whose keys they are is for the reader to
    /// know.
    ///
    /// # Errors
    /// [`CoSignedError`] names the first thing that is wrong.
    pub fn verify(&self) -> Result<(), CoSignedError> {
        let transfer = &self.transfer.content;
        transfer.check()?;
        let bytes = canonical::to_bytes(transfer);
        if self.acceptance.content.transfer != Digest::of(&bytes) {
            return Err(CoSignedError::Other);
        }
        self.transfer
            .verify_bytes(&bytes)
            .map_err(|_| CoSignedError::Debtor)?;
        self.acceptance.verify().map_err(|_| CoSignedError::Creditor)
    }
}

/// Why a transfer is not signed by both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoSignedError {
    /// No such transfer.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// Countersigned is something else.
    #[error("the countersignature is for another transfer")]
    Other,
    /// The debtor's signature does not hold.
    #[error("the debtor's signature does not hold")]
    Debtor,
    /// The creditor's signature does not hold.
    #[error("the creditor's signature does not hold")]
    Creditor,
}

/// What one end knows of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainView {
    /// The last transfer that both have signed.
    pub head: Head,
    /// That transfer, if the end holds it: it may know the head from the log.
    pub shown: Option<Box<CoSigned>>,
}

/// What an end of a line knows, told to the other one after they were apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSync {
    /// Of which line.
    pub line: LineId,
    /// The teller's own chain: what it owes.
    pub own: ChainView,
    /// The other's chain: what it is owed.
    pub other: ChainView,
    /// The highest number of the other's transfers that has come to the teller, signed by both or not: what the other
    /// end must not sign again, should it have forgotten.
    pub heard: u64,
    /// Whether this answers another one: an answer is not answered.
    pub is_answer: bool,
}

/// What the two ends of a line say to each other. Any of it may be lost, repeated or come late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LineMessage {
    /// The debtor owes more.
    Transfer(Box<Signed<Transfer>>),
    /// The creditor countersigns.
    Acceptance(Box<Signed<Acceptance>>),
    /// The creditor does not, for good.
    Release(Box<Signed<Release>>),
    /// Where the teller stands.
    Sync(Box<LineSync>),
}
