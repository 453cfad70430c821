//! Rounds of clearing: what one would come to, where one stands, and what came of it, with its proof.
use icn_model::{ClearedUnit, ClearingRow, CreditUnit, Did, Height, LineId, RoundNumber, RoundRecord, Time};
use serde::{Deserialize, Serialize};

/// Query of [`crate::paths::CLEARING_PLAN`] and [`crate::paths::CLEARING_REPORT`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct UnitQuery {
    /// Only in this unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<CreditUnit>,
}

/// Answer of [`crate::paths::CLEARING_PLAN`] and [`crate::paths::CLEARING_REPORT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ClearingReport {
    /// As of this height.
    pub height: Height,
    /// Of which round; none, if it is a plan that nobody has asked for.
    pub round: Option<RoundNumber>,
    /// In the order of the units. Units in which nothing can be cleared are left out.
    pub units: Vec<UnitReport>,
}

/// What is cleared in one unit, with the proof that it is the most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UnitReport {
    /// The unit.
    pub unit: CreditUnit,
    /// What it comes to.
    pub figures: ClearedUnit,
    /// What is owed and cleared on each line, in the order of agreements.
    pub rows: Vec<LineReport>,
    /// The certificate: the price of everybody who owes or is owed something.
    pub prices: Vec<PartyPrice>,
}

/// What is owed and cleared on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LineReport {
    /// The line.
    pub line: LineId,
    /// Who owes whom how much, and what of it is cleared.
    pub row: ClearingRow,
}

/// A party's price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PartyPrice {
    /// Whose.
    pub party: Did,
    /// The price.
    pub price: u32,
}

/// Query of [`crate::paths::CLEARING_ROUNDS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct RoundsQuery {
    /// Those before this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::CLEARING_ROUNDS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoundPage {
    /// As of this height.
    pub height: Height,
    /// The newest first.
    pub items: Vec<RoundView>,
    /// What to pass as `before` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoundView {
    /// As of this height.
    pub height: Height,
    /// That block's time.
    pub time: Time,
    /// Its number.
    pub number: RoundNumber,
    /// What the log knows of it.
    pub record: RoundRecord,
    /// What its plan comes to, by unit; of a round that was not applied, and of one that was long ago, nothing.
    pub units: Vec<UnitFigures>,
    /// Lines with which both ends take part, while it is announced.
    pub joined: u64,
}

/// What a plan comes to in a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UnitFigures {
    /// The unit.
    pub unit: CreditUnit,
    /// What it comes to.
    pub figures: ClearedUnit,
}
