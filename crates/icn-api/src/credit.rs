//! Lines of credit between cooperatives: as the log has them, and as this node keeps its own.
use crate::Problem;
use icn_model::{
    Acceptance, Cid, CreditUnit, Did, Digest, Head, Height, LineId, LineLimits, LineRecord, OperationId,
    Signed, Standing, Time, Transfer,
};
use serde::{Deserialize, Serialize};

/// Query of [`crate::paths::CREDIT_LINES`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct LinesQuery {
    /// Only those of which it is an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Did>,
    /// Only those in this unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<CreditUnit>,
    /// Those after this one, `AGREEMENT:UNIT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::CREDIT_LINES`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LinePage {
    /// As of this height.
    pub height: Height,
    /// In the order of agreements and units.
    pub items: Vec<LineView>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LineView {
    /// As of this height.
    pub height: Height,
    /// Which line.
    pub line: LineId,
    /// Its name in paths: `AGREEMENT:UNIT`.
    pub name: String,
    /// What the log knows of it.
    pub record: LineRecord,
    /// What each end may owe now, minor units.
    pub in_force: LineLimits,
    /// What the first end owes the second by that, after clearing, minor units; below zero, what it is owed.
    pub position: i64,
    /// What this node keeps of it, if its cooperative is an end.
    pub own: Option<OwnLine>,
}

/// A line as one of its ends keeps it: ahead of the log, which is told later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OwnLine {
    /// The other end.
    pub other: Did,
    /// What this end owes by what both have signed, after clearing, minor units; below zero, what it is owed.
    pub debt: i64,
    /// What it would owe if all that is pending were signed by both.
    pub debt_with_pending: i64,
    /// What it may owe now.
    pub limit: u64,
    /// The last own transfer that both have signed.
    pub own_head: Head,
    /// The last one of the other end.
    pub other_head: Head,
    /// Own transfers that wait for the other end.
    pub pending: Vec<Transfer>,
    /// Whether both have signed more than the log knows.
    pub is_ahead: bool,
    /// When the other end was heard last, by this node's clock, since the node started.
    pub heard: Option<Time>,
    /// Whether this end signs nothing before the other one has told where it stands: as after a start with an empty
    /// or restored disk.
    pub waits_for_other: bool,
    /// Whether the other end has signed two transfers with one number.
    pub has_quarrel: bool,
    /// Whether this node has the line key of its cooperative.
    pub can_sign: bool,
}

/// Body of `POST` [`crate::paths::CREDIT_TRANSFERS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TransferOrders {
    /// What this node's cooperative is to owe, in this order; at most [`crate::MAX_ORDERS`].
    pub transfers: Vec<TransferOrder>,
    /// How long to wait for the other end, milliseconds; 5,000 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// One transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TransferOrder {
    /// How much more is owed, minor units.
    pub amount: u64,
    /// The caller's own name for it, 1 to 256 bytes: who sends an order again under the same name makes nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What it is for: a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<Cid>,
}

impl TransferOrder {
    /// The same order under a random name if the caller has none for it, so that it can be sent again.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn named(mut self) -> Result<Self, getrandom::Error> {
        if self.reference.is_none() {
            let [high, low] = [getrandom::u64()?, getrandom::u64()?];
            self.reference = Some(format!("{high:016x}{low:016x}"));
        }
        Ok(self)
    }
}

/// Answer of `POST` [`crate::paths::CREDIT_TRANSFERS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TransferAnswers {
    /// What came of each order.
    pub transfers: Vec<TransferAnswer>,
}

/// What came of one order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TransferAnswer {
    /// The transfer, if it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferMade>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// A transfer that is signed and on this node's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TransferMade {
    /// Its number in this end's chain.
    pub number: u64,
    /// Hash of the caller's name for it, or a random one.
    pub reference: Digest,
    /// Whether this order made it.
    pub is_new: bool,
    /// How it stands.
    pub standing: Standing,
}

/// Whose transfers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// By which this node's cooperative owes more.
    #[default]
    Own,
    /// By which it is owed more.
    Other,
}

/// Query of `GET` [`crate::paths::CREDIT_TRANSFERS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct TransfersQuery {
    /// Whose: own or other.
    #[serde(default)]
    #[cfg_attr(feature = "schema", param(inline))]
    pub whose: Whose,
    /// The newest first.
    #[serde(default)]
    pub newest: bool,
    /// Those after this number; with `newest`, those before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of `GET` [`crate::paths::CREDIT_TRANSFERS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TransferPage {
    /// In the order of their numbers, or against it.
    pub items: Vec<TransferEntry>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A transfer with what was signed of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TransferEntry {
    /// What its debtor signed.
    pub transfer: Signed<Transfer>,
    /// What its creditor signed: a countersignature covers all transfers of the chain before it, so one may be missing.
    pub acceptance: Option<Signed<Acceptance>>,
    /// How it stands.
    pub standing: Standing,
}

/// Answer of what tells the log something of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Told {
    /// The operation that says it, by the node's own seat.
    pub operation: OperationId,
}

/// Query of [`crate::paths::CREDIT_EXPOSURE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ExposureQuery {
    /// Whose; this node's cooperative's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Did>,
}

/// Answer of [`crate::paths::CREDIT_EXPOSURE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Exposures {
    /// As of this height.
    pub height: Height,
    /// Whose.
    pub of: Did,
    /// By unit, in the order of the units.
    pub units: Vec<UnitExposure>,
}

/// What somebody owes and is owed in a unit, over all its lines, by what is anchored and after clearing. Sums that do not
/// fit count as the greatest number that does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UnitExposure {
    /// The unit.
    pub unit: CreditUnit,
    /// What it owes on the lines on which it owes, minor units.
    pub owes: u64,
    /// What it is owed on the others.
    pub owed: u64,
    /// The most that it may owe now.
    pub may_owe: u64,
    /// The most that it may be owed now.
    pub may_be_owed: u64,
}
