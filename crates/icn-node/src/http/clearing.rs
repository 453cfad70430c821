//! Rounds of clearing, as the log has them.
use super::{app::App, failure::Failure, page};
use axum::{Json, extract::State};
use icn_api::{
    ApiError,
    clearing::{
        ClearingReport, LineReport, PartyPrice, RoundPage, RoundView, RoundsQuery, UnitFigures, UnitQuery,
        UnitReport,
    },
};
use icn_model::{CreditUnit, Height, RoundNumber, RoundPhase, RoundRecord};
use icn_serve::http::{Path, Query};
use icn_state::{State as LogState, UnitPlan};
use std::collections::BTreeMap;

/// `GET /v1/clearing/plan`
pub(super) async fn plan(
    State(app): State<App>,
    Query(query): Query<UnitQuery>,
) -> Result<Json<ClearingReport>, Failure> {
    let (height, draft) = app
        .ledger()
        .read(|state| (state.height(), state.clearing_draft(query.unit.as_ref())));
    // The solver may take a while with thousands of lines, so neither the state nor a thread of all waits for it.
    let plans = tokio::task::spawn_blocking(move || draft.solve()).await?;
    let plans = plans.map_err(Failure::internal)?;
    Ok(Json(report(height, None, plans)))
}

fn report(
    height: Height,
    round: Option<RoundNumber>,
    plans: BTreeMap<CreditUnit, UnitPlan>,
) -> ClearingReport {
    let unit = |(unit, plan): (CreditUnit, UnitPlan)| UnitReport {
        unit,
        figures: plan.figures,
        rows: plan
            .rows
            .into_iter()
            .map(|(line, row)| LineReport { line, row })
            .collect(),
        prices: plan
            .prices
            .into_iter()
            .map(|(party, price)| PartyPrice { party, price })
            .collect(),
    };
    ClearingReport {
        height,
        round,
        units: plans.into_iter().map(unit).collect(),
    }
}

/// `GET /v1/clearing/rounds`
pub(super) async fn rounds(State(app): State<App>, Query(query): Query<RoundsQuery>) -> Json<RoundPage> {
    let size = page::size(query.limit);
    Json(app.ledger().read(|state| {
        let wanted = |(number, _): &(RoundNumber, _)| query.before.is_none_or(|before| number.get() < before);
        let rounds = state.rounds().rev().filter(wanted).take(size + 1);
        let mut items: Vec<_> = rounds
            .map(|(number, record)| view(state, number, record))
            .collect();
        let next = page::cut(&mut items, size, |round| round.number.get());
        let height = state.height();
        RoundPage { height, items, next }
    }))
}

fn view(state: &LogState, number: RoundNumber, record: &RoundRecord) -> RoundView {
    let units = state.round_units(&number).map(|(unit, figures)| UnitFigures {
        unit: unit.clone(),
        figures: *figures,
    });
    let joined = match record.phase {
        RoundPhase::Announced { .. } => state.lines().filter(|(_, line)| line.has_joined(number)).count(),
        _ => 0,
    };
    RoundView {
        height: state.height(),
        time: state.time(),
        number,
        record: record.clone(),
        units: units.collect(),
        joined: joined as u64,
    }
}

/// `GET /v1/clearing/rounds/{round}`
pub(super) async fn round(
    State(app): State<App>,
    Path(round): Path<u64>,
) -> Result<Json<RoundView>, Failure> {
    let number = RoundNumber::new(round);
    let found = app
        .ledger()
        .read(|state| Some(view(state, number, state.round(&number)?)));
    Ok(Json(found.ok_or_else(|| no_round(round))?))
}

fn no_round(round: u64) -> Failure {
    ApiError::NotFound {
        what: "round of clearing",
        id: round.to_string(),
    }
    .into()
}

/// `GET /v1/clearing/rounds/{round}/report`
pub(super) async fn round_report(
    State(app): State<App>,
    Path(round): Path<u64>,
    Query(query): Query<UnitQuery>,
) -> Result<Json<ClearingReport>, Failure> {
    let number = RoundNumber::new(round);
    let found = app.ledger().read(|state| {
        state.round(&number)?;
        let mut plans = state.round_plan(&number);
        if let Some(wanted) = &query.unit {
            plans.retain(|unit, _| unit == wanted);
        }
        Some(report(state.height(), Some(number), plans))
    });
    Ok(Json(found.ok_or_else(|| no_round(round))?))
}
