//! Jobs, who runs them, and how that was chosen.
use super::{app::App, failure::Failure, page};
use axum::{Json, extract::State};
use icn_api::{
    ApiError,
    mesh::{Blacklist, BlacklistEntry, Executor, Executors, JobBrief, JobPage, JobView, JobWhy, JobsQuery},
};
use icn_model::{Did, JobId, JobRecord};
use icn_protocol::market::Blacklisted;
use icn_serve::http::{Path, Query};
use icn_state::State as LogState;
use std::collections::BTreeMap;

/// Why an executor is on the list: the one thing that counts for it.
const FAILED: &str = "ended jobs without a receipt that was accepted";

/// `GET /v1/mesh/jobs`
pub(super) async fn jobs(
    State(app): State<App>,
    Query(query): Query<JobsQuery>,
) -> Result<Json<JobPage>, Failure> {
    let size = page::size(query.limit);
    let found = app.ledger().read(|state| {
        let before = match query.after {
            Some(id) => Some((state.job(&id)?.submitted, id)),
            None => None,
        };
        let mut items: Vec<_> = matching(state, &query, before).take(size + 1).collect();
        let next = page::cut(&mut items, size, |brief: &JobBrief| brief.id);
        Some(JobPage { items, next })
    });
    let gone = || {
        Failure::bad(
            "after",
            "there is no such job, or no longer: begin with the first page",
        )
    };
    Ok(Json(found.ok_or_else(gone)?))
}

/// Jobs that `query` selects, the youngest first, those older than `before` only.
fn matching<'a>(
    state: &'a LogState,
    query: &'a JobsQuery,
    before: Option<(icn_model::Time, JobId)>,
) -> impl Iterator<Item = JobBrief> + 'a {
    let wanted = move |id: &JobId, job: &JobRecord| {
        before.is_none_or(|before| (job.submitted, *id) < before)
            && query.state.is_none_or(|status| job.phase.status() == status)
            && query.payer.is_none_or(|payer| job.payer == payer)
            && query.executor.is_none_or(|executor| executes(job, &executor))
    };
    let youngest_first = state.jobs(None).rev();
    let found = youngest_first.filter(move |(id, job)| wanted(id, job));
    found.filter_map(|(id, job)| Some(JobBrief::new(id, job, state.job_spec(&id)?.module)))
}

fn executes(job: &JobRecord, executor: &Did) -> bool {
    job.assignments
        .iter()
        .any(|assignment| assignment.executor == *executor)
}

fn no_job(id: JobId) -> Failure {
    ApiError::NotFound {
        what: "job",
        id: id.to_string(),
    }
    .into()
}

/// `GET /v1/mesh/jobs/{id}`
pub(super) async fn job(State(app): State<App>, Path(id): Path<JobId>) -> Result<Json<JobView>, Failure> {
    let found = app
        .ledger()
        .read(|state| Some((state.job(&id)?.clone(), state.job_spec(&id)?.clone())));
    let (record, spec) = found.ok_or_else(|| no_job(id))?;
    Ok(Json(JobView {
        id,
        state: record.phase.status(),
        spec,
        record,
    }))
}

/// `GET /v1/mesh/jobs/{id}/why`
pub(super) async fn why(State(app): State<App>, Path(id): Path<JobId>) -> Result<Json<JobWhy>, Failure> {
    let found = app.ledger().read(|state| {
        let job = state.job(&id)?;
        let (status, coordinator) = (job.phase.status(), job.coordinator);
        Some(JobWhy {
            id,
            state: status,
            coordinator,
            ranking: state.ranking(&id).cloned(),
        })
    });
    Ok(Json(found.ok_or_else(|| no_job(id))?))
}

/// `GET /v1/mesh/executors`
pub(super) async fn executors(State(app): State<App>) -> Json<Executors> {
    let online = app.online();
    let blacklist = app.inner.node.market().blacklist();
    let until: BTreeMap<_, _> = blacklist
        .iter()
        .filter_map(|entry| Some((entry.executor, entry.until?)))
        .collect();
    let mut items: Vec<_> = app.ledger().read(|state| {
        let executor = |(did, seat): (&Did, &icn_model::SeatRecord)| Executor {
            did: *did,
            name: seat.name.clone(),
            reputation: state.reputation(did, state.time()),
            standing: state.standing(did),
            running: state.awarded_to(did).count() as u64,
            online: online.contains(&seat.keys.seat),
            blacklisted_until: until.get(did).copied(),
        };
        state.cooperatives().map(executor).collect()
    });
    items.sort_by_key(|executor: &Executor| (std::cmp::Reverse(executor.reputation), executor.did));
    Json(Executors { items })
}

/// `GET /v1/mesh/blacklist`
pub(super) async fn blacklist(State(app): State<App>) -> Json<Blacklist> {
    let now = app.now();
    let entry = |listed: Blacklisted| {
        let until = listed.until.filter(|until| *until > now)?;
        Some(BlacklistEntry {
            executor: listed.executor,
            failures: listed.failures,
            reason: FAILED.into(),
            until,
        })
    };
    let market = app.inner.node.market();
    let offer = market.offer();
    Json(Blacklist {
        after_failures: offer.blacklist_after_failures,
        cooldown_secs: offer.blacklist_cooldown.get() / 1_000,
        items: market.blacklist().into_iter().filter_map(entry).collect(),
    })
}
