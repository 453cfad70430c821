//! Lines of credit: as the log has them, and as this node keeps its own.
use super::{app::App, failure::Failure, operations, page};
use crate::access::About;
use axum::{
    Extension, Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use icn_api::{
    ApiError, DEFAULT_WAIT_MS, Problem,
    credit::{
        ExposureQuery, Exposures, LinePage, LineView, LinesQuery, OwnLine, Told, TransferAnswer,
        TransferAnswers, TransferEntry, TransferMade, TransferOrder, TransferOrders, TransferPage,
        TransfersQuery, UnitExposure, Whose,
    },
};
use icn_model::{Did, Digest, LineId, Standing};
use icn_protocol::credit::{CreditError, Entry, LineStatus, Made};
use icn_serve::http::{JsonText, Path, Query};
use icn_state::{
    State as LogState,
    line::{Order, Reason, Row},
};
use icn_store::Direction;
use tokio::time::Instant;

/// Longest name that a caller gives a transfer, bytes.
const MAX_REFERENCE_BYTES: usize = 256;
/// What a caller that was told to wait is told to wait for.
const AGAIN_SECS: u64 = 1;

/// `GET /v1/credit/lines`
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<LinesQuery>,
) -> Result<Json<LinePage>, Failure> {
    let size = page::size(query.limit);
    let after = match &query.after {
        Some(text) => Some(
            text.parse::<LineId>()
                .map_err(|error| Failure::bad("after", error))?,
        ),
        None => None,
    };
    let (height, mut lines) = app.ledger().read(|state| {
        let wanted = |(id, _): &(LineId, _)| {
            after.as_ref().is_none_or(|after| id > after)
                && query.unit.as_ref().is_none_or(|unit| id.unit == *unit)
        };
        let views: Vec<_> = match &query.end {
            Some(end) => views(state, state.lines_of(end).filter(wanted).take(size + 1)),
            None => views(state, state.lines().filter(wanted).take(size + 1)),
        };
        (state.height(), views)
    });
    let next = page::cut(&mut lines, size, |view| view.name.clone());
    let items = lines.into_iter().map(|view| with_own(&app, view)).collect();
    Ok(Json(LinePage { height, items, next }))
}

fn views<'a>(
    state: &LogState,
    lines: impl Iterator<Item = (LineId, &'a icn_model::LineRecord)>,
) -> Vec<LineView> {
    let view = |(line, record): (LineId, &icn_model::LineRecord)| LineView {
        height: state.height(),
        name: line.to_string(),
        line,
        in_force: record.in_force(),
        position: in_bounds(record.position()),
        record: record.clone(),
        own: None,
    };
    lines.map(view).collect()
}

/// Sums of a line are below 2^62 each, so their differences fit; a record that is damaged does not make a panic.
fn in_bounds(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

fn with_own(app: &App, view: LineView) -> LineView {
    let me = app.inner.did;
    let Some(end) = view.record.end(&me) else {
        return view;
    };
    let status = app.inner.node.credit().status(&view.line);
    let own = status.map(|status| own_line(status, view.record.ends[1 - end], view.in_force.of(end)));
    LineView { own, ..view }
}

fn own_line(status: LineStatus, other: Did, limit: u64) -> OwnLine {
    OwnLine {
        other,
        debt: in_bounds(status.debt),
        debt_with_pending: in_bounds(status.debt_with_pending),
        limit,
        own_head: status.own,
        other_head: status.other,
        pending: status.pending.into_iter().map(|signed| signed.content).collect(),
        is_ahead: status.is_ahead,
        heard: status.heard,
        waits_for_other: status.waits_for_other,
        has_quarrel: status.has_quarrel,
        can_sign: status.can_sign,
    }
}

/// `GET /v1/credit/lines/{line}`
pub(super) async fn line(
    State(app): State<App>,
    Path(line): Path<LineId>,
) -> Result<Json<LineView>, Failure> {
    let view = app.ledger().read(|state| {
        let record = state.line(&line)?;
        views(state, std::iter::once((line.clone(), record))).pop()
    });
    let view = view.ok_or_else(|| no_line(&line))?;
    Ok(Json(with_own(&app, view)))
}

fn no_line(line: &LineId) -> ApiError {
    ApiError::NotFound {
        what: "line of credit",
        id: line.to_string(),
    }
}

/// `GET /v1/credit/lines/{line}/transfers`
pub(super) async fn transfers(
    State(app): State<App>,
    Path(line): Path<LineId>,
    Query(query): Query<TransfersQuery>,
) -> Result<Json<TransferPage>, Failure> {
    let size = page::size(query.limit);
    let direction = if query.newest {
        Direction::Reverse
    } else {
        Direction::Forward
    };
    let is_own = query.whose == Whose::Own;
    let read = move || {
        let credit = app.inner.node.credit();
        credit.history(&line, is_own, query.after, direction, size + 1)
    };
    // Rows come from the disk.
    let entries = tokio::task::spawn_blocking(read).await?.map_err(failure)?;
    let mut items: Vec<_> = entries.into_iter().filter_map(entry).collect();
    let next = page::cut(&mut items, size, |entry| entry.transfer.content.number);
    Ok(Json(TransferPage { items, next }))
}

fn entry(entry: Entry) -> Option<TransferEntry> {
    let (transfer, acceptance) = match entry.row {
        Row::Own { transfer, acceptance } | Row::Other { transfer, acceptance } => (transfer, acceptance),
        _ => return None,
    };
    Some(TransferEntry {
        transfer,
        acceptance,
        standing: entry.standing,
    })
}

/// `POST /v1/credit/lines/{line}/transfers`
pub(super) async fn transfer(
    State(app): State<App>,
    Path(line): Path<LineId>,
    JsonText(text): JsonText,
) -> Result<Response, Failure> {
    if let Some(reason) = app.ended() {
        return Err(ApiError::NotReady { reason }.into());
    }
    let asked: TransferOrders = serde_json::from_slice(&text).map_err(|error| Failure::bad("body", error))?;
    let orders = orders(&asked.transfers)?;
    let deadline = operations::deadline(asked.wait_ms.unwrap_or(DEFAULT_WAIT_MS));
    let credit = app.inner.node.credit();
    let made = credit
        .transfer(&line, &orders, app.now())
        .await
        .map_err(failure)?;
    let is_alone = orders.len() == 1;
    let mut transfers = Vec::with_capacity(made.len());
    for (order, made) in orders.iter().zip(made) {
        transfers.push(match made {
            Ok(made) => TransferAnswer {
                transfer: Some(settled(&app, made, order, deadline).await),
                problem: None,
            },
            Err(error) if is_alone => return Err(failure(error)),
            Err(error) => TransferAnswer {
                transfer: None,
                problem: Some(Problem::from(&api_error(error))),
            },
        });
    }
    let numbers = transfers
        .iter()
        .filter_map(|answer| Some(answer.transfer.as_ref()?.number.to_string()));
    let about = Extension(About::new(std::iter::once(line.to_string()).chain(numbers)));
    let is_pending = |answer: &TransferAnswer| {
        let transfer = answer.transfer.as_ref();
        transfer.is_some_and(|transfer| transfer.standing == Standing::Pending)
    };
    let status = if transfers.iter().any(is_pending) {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, about, Json(TransferAnswers { transfers })).into_response())
}

async fn settled(app: &App, mut made: Made, order: &Order, deadline: Instant) -> TransferMade {
    let standing = made.settled(operations::until(app, deadline)).await;
    TransferMade {
        number: made.number,
        reference: order.reference,
        is_new: made.is_new,
        standing,
    }
}

fn orders(asked: &[TransferOrder]) -> Result<Vec<Order>, Failure> {
    if asked.is_empty() || asked.len() > icn_api::MAX_ORDERS {
        let detail = format!(
            "expected 1 to {} transfers, found {}",
            icn_api::MAX_ORDERS,
            asked.len()
        );
        return Err(Failure::bad("transfers", detail));
    }
    asked.iter().map(order).collect()
}

fn order(asked: &TransferOrder) -> Result<Order, Failure> {
    let reference = match &asked.reference {
        Some(text) if (1..=MAX_REFERENCE_BYTES).contains(&text.len()) => Digest::of(text.as_bytes()),
        Some(_) => {
            return Err(Failure::bad(
                "reference",
                format!("expected 1 to {MAX_REFERENCE_BYTES} bytes"),
            ));
        }
        None => {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(Failure::internal)?;
            Digest::new(bytes)
        }
    };
    Ok(Order {
        amount: asked.amount,
        reference,
        memo: asked.memo,
    })
}

/// `POST /v1/credit/lines/{line}/anchor`
pub(super) async fn anchor(
    State(app): State<App>,
    Path(line): Path<LineId>,
) -> Result<(Extension<About>, Json<Told>), Failure> {
    let credit = app.inner.node.credit();
    let operation = credit.anchor(&line, app.now()).await.map_err(failure)?;
    Ok((Extension(About::new([operation])), Json(Told { operation })))
}

/// `POST /v1/credit/lines/{line}/void`
pub(super) async fn void(
    State(app): State<App>,
    Path(line): Path<LineId>,
) -> Result<(Extension<About>, Json<Told>), Failure> {
    let credit = app.inner.node.credit();
    let operation = credit.void(&line, app.now()).await.map_err(failure)?;
    Ok((Extension(About::new([operation])), Json(Told { operation })))
}

/// `GET /v1/credit/exposure`
pub(super) async fn exposure(State(app): State<App>, Query(query): Query<ExposureQuery>) -> Json<Exposures> {
    let of = query.of.unwrap_or(app.inner.did);
    let fit = |sum: u128| u64::try_from(sum).unwrap_or(u64::MAX);
    Json(app.ledger().read(|state| {
        Exposures {
            height: state.height(),
            of,
            units: state
                .exposure(&of)
                .into_iter()
                .map(|(unit, sum)| UnitExposure {
                    unit,
                    owes: fit(sum.owes),
                    owed: fit(sum.owed),
                    may_owe: fit(sum.may_owe),
                    may_be_owed: fit(sum.may_be_owed),
                })
                .collect(),
        }
    }))
}

fn failure(error: CreditError) -> Failure {
    match error {
        CreditError::Refused(refusal) => Failure::refused(&refusal.into()),
        CreditError::Ledger(error) => error.into(),
        CreditError::Busy => Failure::from(ApiError::Overloaded {}).after(AGAIN_SECS),
        other => api_error(other).into(),
    }
}

fn api_error(error: CreditError) -> ApiError {
    let detail = error.to_string();
    match error {
        CreditError::UnknownLine(line) => no_line(&line),
        CreditError::NotAnEnd(line) => ApiError::NotAnEnd {
            line: line.to_string(),
        },
        CreditError::NoKey { .. } => ApiError::NoLineKey { detail },
        CreditError::NothingPending => ApiError::NothingPending {},
        CreditError::NothingToAnchor => ApiError::NothingToAnchor {},
        CreditError::Busy => ApiError::Overloaded {},
        CreditError::Stopped => ApiError::NotReady { reason: detail },
        CreditError::TooMany { .. } => ApiError::BadRequest {
            field: "transfers".into(),
            detail,
        },
        CreditError::Ledger(error) => {
            tracing::error!(%error, "cannot make a transfer");
            ApiError::Internal {}
        }
        CreditError::Refused(_) => ApiError::TransferRefused { detail },
        CreditError::Book(reason) => match reason {
            Reason::OverLimit { .. } => ApiError::TransferOverLimit { detail },
            Reason::Round { .. } => ApiError::RoundLimit { detail },
            Reason::TooManyPending => ApiError::TooManyPending { detail },
            Reason::Reference { number } => ApiError::ReferenceTaken { number },
            Reason::Voiding => ApiError::LineVoiding {},
            Reason::Restored => ApiError::LineWaits {},
            Reason::Quarrel => ApiError::LineQuarrel {},
            _ => ApiError::TransferRefused { detail },
        },
    }
}
