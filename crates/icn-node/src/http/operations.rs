//! Operations: handing them in, and what became of them.
use super::{app::App, failure::Failure};
use crate::access::About;
use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use getrandom::SysRng;
use icn_api::{
    ApiError, DEFAULT_WAIT_MS, MAX_OPERATIONS, MAX_WAIT_MS,
    operations::{NextOperation, NextQuery, OperationState, OperationStatus, Submitted, WaitQuery},
};
use icn_model::{OperationId, Refusal, SignedOperation};
use icn_protocol::ledger;
use icn_serve::http::{JsonText, Path, Query};
use rand_core::UnwrapErr;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// A body that is longer takes a thread of its own to read and check: some hundred microseconds are too long
/// for the threads that everything else runs on.
const MAX_INLINE_BYTES: usize = 4 << 10;

/// `POST /v1/operations`
pub(super) async fn submit(
    State(app): State<App>,
    Query(wait): Query<WaitQuery>,
    JsonText(text): JsonText,
) -> Result<Response, Failure> {
    if let Some(reason) = app.ended() {
        return Err(ApiError::NotReady { reason }.into());
    }
    let deadline = deadline(wait.wait_ms.unwrap_or(DEFAULT_WAIT_MS));
    let (alone, mut operations) = if text.len() > MAX_INLINE_BYTES {
        let app = app.clone();
        tokio::task::spawn_blocking(move || take_in(&app, &text)).await??
    } else {
        take_in(&app, &text)?
    };
    let about = Extension(About::new(operations.iter().map(|operation| operation.id)));
    for status in &mut operations {
        // Leads from the caller's correlation id to the id that every node's log has.
        tracing::debug!(operation = %status.id, "handed in");
        if !status.state.is_final() {
            *status = wait_for(&app, status.id, deadline)
                .await?
                .unwrap_or(status.clone());
        }
    }
    if alone
        && let [
            OperationStatus {
                state: OperationState::Refused { refusal, .. },
                ..
            },
        ] = &operations[..]
    {
        return Ok((about, Failure::refused(refusal)).into_response());
    }
    let answer = Submitted { operations };
    let status = if answer.is_final() {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, about, Json(answer)).into_response())
}

/// Reads operations and hands them to the log. Says whether it was one alone, and where each stands.
fn take_in(app: &App, text: &[u8]) -> Result<(bool, Vec<OperationStatus>), Failure> {
    let (alone, operations) = read(text)?;
    let ids: Vec<_> = operations.iter().map(SignedOperation::id).collect();
    let refused = |id, refusal: Refusal| {
        (
            id,
            OperationState::Refused {
                height: None,
                refusal: refusal.into(),
            },
        )
    };
    let mut states: Vec<(OperationId, OperationState)> = Vec::with_capacity(ids.len());
    for submitted in app
        .inner
        .node
        .submit(&mut UnwrapErr(SysRng), app.now(), operations)
    {
        states.push(match submitted.refusal {
            Some(refusal) => match done_before(app, &submitted.id)? {
                Some(state) => (submitted.id, state),
                None => refused(submitted.id, refusal),
            },
            None => (submitted.id, OperationState::Waiting {}),
        });
    }
    states.sort_by_key(|(id, _)| *id);
    let state_of = |id: OperationId| {
        let at = states.binary_search_by_key(&id, |(id, _)| *id);
        at.map_or(OperationState::Waiting {}, |at| states[at].1.clone())
    };
    Ok((
        alone,
        ids.into_iter()
            .map(|id| OperationStatus {
                id,
                state: state_of(id),
            })
            .collect(),
    ))
}

/// An operation that was handed in again after it was done is done, not refused for its used number.
fn done_before(app: &App, id: &OperationId) -> Result<Option<OperationState>, Failure> {
    let status = app.ledger().status(id)?;
    Ok(status.map(state).filter(OperationState::is_final))
}

/// One operation or an array of them.
fn read(text: &[u8]) -> Result<(bool, Vec<SignedOperation>), Failure> {
    let bad = |error: serde_json::Error| Failure::bad("body", error);
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'[') {
        return Ok((true, vec![serde_json::from_slice(text).map_err(bad)?]));
    }
    let operations: Vec<SignedOperation> = serde_json::from_slice(text).map_err(bad)?;
    if operations.len() > MAX_OPERATIONS {
        let count = operations.len();
        return Err(Failure::bad(
            "body",
            format_args!("{count} operations, at most {MAX_OPERATIONS} are taken at once"),
        ));
    }
    Ok((false, operations))
}

/// `GET /v1/operations/next`
pub(super) async fn next(State(app): State<App>, Query(query): Query<NextQuery>) -> Json<NextOperation> {
    let ledger = app.ledger();
    let (federation, time, height) = ledger.read(|state| (state.federation(), state.time(), state.height()));
    Json(NextOperation {
        federation,
        sequence: ledger.next_sequence(&query.key),
        time,
        height,
    })
}

/// `GET /v1/operations/{id}`
pub(super) async fn operation(
    State(app): State<App>,
    Path(id): Path<OperationId>,
    Query(wait): Query<WaitQuery>,
) -> Result<Json<OperationStatus>, Failure> {
    let status = wait_for(&app, id, deadline(wait.wait_ms.unwrap_or(0))).await?;
    let unknown = || ApiError::NotFound {
        what: "operation",
        id: id.to_string(),
    };
    Ok(Json(status.ok_or_else(unknown)?))
}

pub(super) fn deadline(wait_ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(wait_ms.min(MAX_WAIT_MS))
}

/// Ends at `deadline`, or when the node stops.
pub(super) async fn until(app: &App, deadline: Instant) {
    let mut closing = app.front.closing.subscribe();
    tokio::select! {
        () = sleep_until(deadline) => {}
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

pub(super) async fn wait_for(
    app: &App,
    id: OperationId,
    deadline: Instant,
) -> Result<Option<OperationStatus>, Failure> {
    let status = app.inner.node.wait(&id, until(app, deadline)).await?;
    Ok(status.map(|status| OperationStatus {
        id,
        state: state(status),
    }))
}

fn state(status: ledger::OperationStatus) -> OperationState {
    match status {
        ledger::OperationStatus::Waiting => OperationState::Waiting {},
        ledger::OperationStatus::Final(place) => match place.refusal {
            None => OperationState::Done {
                height: place.height,
                index: place.index,
            },
            Some(refusal) => OperationState::Refused {
                height: Some(place.height),
                refusal: refusal.into(),
            },
        },
        ledger::OperationStatus::Dropped(refusal) => OperationState::Refused {
            height: None,
            refusal: refusal.into(),
        },
    }
}
