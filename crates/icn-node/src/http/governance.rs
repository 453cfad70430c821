//! Proposals, votes, rules, delegations and contracts, as the log has them.
use super::{app::App, failure::Failure, page};
use crate::backtest::{self, BacktestError, History};
use axum::{Json, extract::State};
use icn_api::{
    ApiError,
    governance::{
        Backtest, BacktestReport, BallotPage, BallotView, BallotsQuery, ContractBrief, ContractPage,
        ContractView, ContractsQuery, Delegations, DelegationsQuery, KindRule, ParameterRule, ParameterUnit,
        Plan, Planned, PlannedChange, ProposalBrief, ProposalPage, ProposalView, ProposalsQuery, RuleSource,
        Rules, SlotRule,
    },
    operations::RefusalReport,
};
use icn_model::{
    Cid, ContractRecord, Effect, ParameterName, PolicySlot, ProposalId, ProposalKind, ProposalRecord,
    Refusal, Time,
};
use icn_serve::http::{JsonText, Path, Query};
use icn_state::State as LogState;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// `GET /v1/governance/proposals`
pub(super) async fn proposals(
    State(app): State<App>,
    Query(query): Query<ProposalsQuery>,
) -> Result<Json<ProposalPage>, Failure> {
    let size = page::size(query.limit);
    let found = app.ledger().read(|state| {
        let before = match query.after {
            Some(id) => Some((state.proposal(&id)?.made, id)),
            None => None,
        };
        let mut items: Vec<_> = matching(state, &query, before).take(size + 1).collect();
        let next = page::cut(&mut items, size, |brief: &ProposalBrief| brief.id);
        let height = state.height();
        Some(ProposalPage { height, items, next })
    });
    let gone = || {
        Failure::bad(
            "after",
            "there is no such proposal, or no longer: begin with the first page",
        )
    };
    Ok(Json(found.ok_or_else(gone)?))
}

/// Proposals that `query` selects, the newest first, those older than `before` only.
fn matching<'a>(
    state: &'a LogState,
    query: &'a ProposalsQuery,
    before: Option<(Time, ProposalId)>,
) -> impl Iterator<Item = ProposalBrief> + 'a {
    let wanted = move |id: &ProposalId, record: &ProposalRecord| {
        before.is_none_or(|before| (record.made, *id) < before)
            && query.status.is_none_or(|status| record.phase.status() == status)
            && query.kind.is_none_or(|kind| record.kind() == kind)
    };
    let found = state.proposals().filter(move |(id, record)| wanted(id, record));
    found.map(|(id, record)| ProposalBrief::new(*id, record, state.turnout(id)))
}

pub(super) fn no_proposal(id: ProposalId) -> Failure {
    ApiError::NotFound {
        what: "proposal",
        id: id.to_string(),
    }
    .into()
}

/// `GET /v1/governance/proposals/{id}`
pub(super) async fn proposal(
    State(app): State<App>,
    Path(id): Path<ProposalId>,
) -> Result<Json<ProposalView>, Failure> {
    let reading = app.clone();
    // Counting the votes of many takes a while.
    let view = tokio::task::spawn_blocking(move || {
        let mut view = reading.ledger().read(|state| view_of(state, id))?;
        let waits = !view.status.is_ended();
        view.plan = waits.then(|| planned(reading.ledger().plan(&view.record.spec.effect, reading.now())));
        Some(view)
    });
    Ok(Json(view.await?.ok_or_else(|| no_proposal(id))?))
}

fn view_of(state: &LogState, id: ProposalId) -> Option<ProposalView> {
    let record = state.proposal(&id)?.clone();
    Some(ProposalView {
        height: state.height(),
        time: state.time(),
        id,
        status: record.phase.status(),
        record,
        standing: state.standing_of_vote(&id),
        vetoes: state.vetoes(&id).collect(),
        plan: None,
    })
}

fn planned(plan: Result<Vec<icn_state::PlannedChange>, Refusal>) -> Planned {
    match plan {
        Ok(changes) => Planned::Changes {
            changes: changes.into_iter().map(change).collect(),
        },
        Err(refusal) => Planned::Refused {
            refusal: refusal.into(),
        },
    }
}

fn change(change: icn_state::PlannedChange) -> PlannedChange {
    let icn_state::PlannedChange { what, before, after } = change;
    PlannedChange { what, before, after }
}

/// `GET /v1/governance/proposals/{id}/ballots`
pub(super) async fn ballots(
    State(app): State<App>,
    Path(id): Path<ProposalId>,
    Query(query): Query<BallotsQuery>,
) -> Result<Json<BallotPage>, Failure> {
    let size = page::size(query.limit);
    let found = app.ledger().read(|state| {
        state.proposal(&id)?;
        let view = |(voter, record): (&_, &icn_model::BallotRecord)| BallotView {
            voter: *voter,
            record: record.clone(),
        };
        let mut items: Vec<_> = state
            .ballots_after(&id, query.after)
            .take(size + 1)
            .map(view)
            .collect();
        let next = page::cut(&mut items, size, |ballot| ballot.voter);
        let height = state.height();
        Some(BallotPage { height, items, next })
    });
    Ok(Json(found.ok_or_else(|| no_proposal(id))?))
}

/// `POST /v1/governance/plan`
pub(super) async fn plan(State(app): State<App>, JsonText(text): JsonText) -> Result<Json<Plan>, Failure> {
    let effect: Effect = serde_json::from_slice(&text).map_err(|error| Failure::bad("body", error))?;
    let changes = app.ledger().plan(&effect, app.now());
    let changes = changes.map_err(|refusal| Failure::would_be_refused(&RefusalReport::from(refusal)))?;
    Ok(Json(app.ledger().read(|state| Plan {
        height: state.height(),
        kind: effect.kind(),
        changes: changes.into_iter().map(change).collect(),
        process: state.process_for(&effect),
        cost: state.parameters().proposal_cost,
    })))
}

/// Tells a trial to end when its request does.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// `POST /v1/governance/backtest`
pub(super) async fn backtest(
    State(app): State<App>,
    JsonText(text): JsonText,
) -> Result<Json<BacktestReport>, Failure> {
    let trial: Backtest = serde_json::from_slice(&text).map_err(|error| Failure::bad("body", error))?;
    // It executes the whole log.
    let Ok(_turn) = app.audits.try_acquire() else {
        let what = "another audit bundle or trial of a contract";
        return Err(ApiError::Busy { what }.into());
    };
    let stop = Stop(Arc::new(AtomicBool::new(false)));
    let (trying, stopped) = (app.clone(), stop.0.clone());
    let runtime = tokio::runtime::Handle::current();
    let report = tokio::task::spawn_blocking(move || {
        let (last, engine, modules) = trying.ledger().read(|state| {
            let texts = state
                .contracts()
                .map(|(cid, record)| (*cid, record.source.clone()));
            (state.height(), state.engine(), texts.collect())
        });
        let history = History {
            genesis: &trying.inner.genesis,
            last,
            block: &|height| runtime.block_on(trying.inner.node.block(height)),
            stop: &stopped,
        };
        backtest::backtest(trial, modules, engine, &history)
    });
    let refused = |refusal| Failure::would_be_refused(&RefusalReport::from(refusal));
    Ok(Json(report.await?.map_err(|error| {
        match error {
            BacktestError::Contract(detail) => refused(Refusal::BadContract { detail }),
            BacktestError::NoPolicy { contract, slot } => refused(Refusal::NoPolicy { contract, slot }),
            BacktestError::Missing(_) | BacktestError::Stopped => ApiError::NotReady {
                reason: error.to_string(),
            }
            .into(),
        }
    })?))
}

/// `GET /v1/governance/rules`
pub(super) async fn rules(State(app): State<App>) -> Json<Rules> {
    Json(app.ledger().read(|state| {
        Rules {
            height: state.height(),
            kinds: ProposalKind::ALL
                .iter()
                .map(|kind| rule_of(state, *kind))
                .collect(),
            slots: PolicySlot::ALL
                .iter()
                .map(|slot| slot_rule(state, *slot))
                .collect(),
            parameters: ParameterName::ALL
                .iter()
                .map(|name| parameter(state, *name))
                .collect(),
            decided: *state.decided(),
        }
    }))
}

fn rule_of(state: &LogState, kind: ProposalKind) -> KindRule {
    let source = if kind.is_built_in() {
        RuleSource::BuiltIn
    } else if state.has_own_process(kind) {
        RuleSource::Decided
    } else {
        RuleSource::Default
    };
    KindRule {
        kind,
        process: state.process(kind),
        source,
    }
}

fn slot_rule(state: &LogState, slot: PolicySlot) -> SlotRule {
    let policy = state
        .policies()
        .find_map(|(of, policy)| (of == slot).then_some(*policy));
    let contract = policy.and_then(|policy| state.contract(&policy.contract));
    SlotRule {
        slot,
        policy,
        name: contract.map(|contract| contract.name.clone()),
    }
}

fn parameter(state: &LogState, name: ParameterName) -> ParameterRule {
    let (min, max) = name.range();
    ParameterRule {
        name,
        value: state.parameters().get(name),
        min,
        max,
        unit: ParameterUnit::of(name),
    }
}

/// `GET /v1/governance/delegations`
pub(super) async fn delegations(
    State(app): State<App>,
    Query(DelegationsQuery { voter }): Query<DelegationsQuery>,
) -> Json<Delegations> {
    Json(app.ledger().read(|state| Delegations {
        height: state.height(),
        voter,
        items: state.delegations(&voter).cloned().collect(),
    }))
}

/// `GET /v1/governance/contracts`
pub(super) async fn contracts(
    State(app): State<App>,
    Query(query): Query<ContractsQuery>,
) -> Json<ContractPage> {
    let size = page::size(query.limit);
    Json(app.ledger().read(|state| {
        let found = state
            .contracts()
            .filter(|(cid, _)| query.after.is_none_or(|after| **cid > after));
        let mut items: Vec<_> = found
            .take(size + 1)
            .map(|(cid, record)| brief(state, *cid, record))
            .collect();
        let next = page::cut(&mut items, size, |brief| brief.cid);
        let height = state.height();
        ContractPage { height, items, next }
    }))
}

fn brief(state: &LogState, cid: Cid, record: &ContractRecord) -> ContractBrief {
    ContractBrief {
        cid,
        name: record.name.clone(),
        author: record.author,
        published: record.published,
        until: record.until,
        size_bytes: record.source.len() as u64,
        slots: record.slots.clone(),
        decides: decided_by(state, &cid),
    }
}

/// The slots that a contract decides.
fn decided_by(state: &LogState, cid: &Cid) -> Vec<PolicySlot> {
    let slots = state.policies().filter(|(_, policy)| policy.contract == *cid);
    slots.map(|(slot, _)| slot).collect()
}

/// `GET /v1/governance/contracts/{cid}`
pub(super) async fn contract(
    State(app): State<App>,
    Path(cid): Path<Cid>,
) -> Result<Json<ContractView>, Failure> {
    let view = app.ledger().read(|state| {
        Some(ContractView {
            cid,
            record: state.contract(&cid)?.clone(),
            decides: decided_by(state, &cid),
        })
    });
    let unknown = || ApiError::NotFound {
        what: "contract",
        id: cid.to_string(),
    };
    Ok(Json(view.ok_or_else(unknown)?))
}
