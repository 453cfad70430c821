//! Events: a page of them, or a stream that goes on with those to come.
use super::{app::App, failure::Failure, gate::Caller};
use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use commonware_utils::channel::watch;
use icn_api::{
    ApiError, EVENT_STREAM,
    events::{DEFAULT_EVENTS, EventPage, EventsQuery, MAX_EVENTS},
    sse,
};
use icn_model::{EventKind, EventRecord};
use icn_protocol::ledger::{EventsRead, Ledger, LedgerError, Progress};
use icn_serve::http::Query;
use std::{convert::Infallible, time::Duration};
use tokio::sync::OwnedSemaphorePermit;

/// Records that a stream reads at once.
const BATCH: usize = 1_000;
/// Between signs of life on a stream without events.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const LAST_EVENT_ID: &str = "last-event-id";

/// `GET /events`
pub(super) async fn events(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let accepted = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if accepted.split(',').any(|media| {
        media
            .split(';')
            .next()
            .is_some_and(|media| media.trim() == EVENT_STREAM)
    }) {
        return stream(app, caller, query, &headers).await;
    }
    let ledger = app.ledger().clone();
    let page = tokio::task::spawn_blocking(move || page(&ledger, &query)).await??;
    Ok(Json(page).into_response())
}

fn page(ledger: &Ledger, query: &EventsQuery) -> Result<EventPage, LedgerError> {
    if let Some(count) = query.tail {
        let count = count.min(query.limit.unwrap_or(MAX_EVENTS));
        let items = tail(ledger, query, count)?;
        return Ok(EventPage { items, next: None });
    }
    let limit = query.limit.unwrap_or(DEFAULT_EVENTS).clamp(1, MAX_EVENTS);
    let last = ledger.progress().last_event;
    let EventsRead { records, upto } = ledger.events(query.kind, query.since.unwrap_or(0), limit)?;
    Ok(EventPage {
        items: records,
        next: (upto < last).then_some(upto),
    })
}

/// The last `count` events that `query` selects, oldest first.
fn tail(ledger: &Ledger, query: &EventsQuery, count: usize) -> Result<Vec<EventRecord>, LedgerError> {
    ledger.last_events(query.kind, query.since.unwrap_or(0), count.min(MAX_EVENTS))
}

/// A stream of events on its way to the caller.
struct Following {
    ledger: Ledger,
    kind: Option<EventKind>,
    /// Number of the last event that was looked at.
    at: u64,
    ready: Vec<EventRecord>,
    progress: watch::Receiver<Progress>,
    closing: tokio::sync::watch::Receiver<bool>,
    /// Who reads, for as long as the key is good for it.
    caller: Caller,
    keys: tokio::sync::watch::Receiver<()>,
    _slot: OwnedSemaphorePermit,
}

async fn stream(
    app: App,
    caller: Caller,
    query: EventsQuery,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let slot = app
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| ApiError::Overloaded {})?;
    let ledger = app.ledger().clone();
    let mut following = Following {
        progress: ledger.watch(),
        closing: app.front.closing.subscribe(),
        keys: caller.access.keys.changes(),
        caller,
        kind: query.kind,
        at: query.since.unwrap_or(0),
        ready: Vec::new(),
        ledger: ledger.clone(),
        _slot: slot,
    };
    if let Some(number) = headers.get(LAST_EVENT_ID) {
        let number = number.to_str().ok().and_then(|text| text.trim().parse().ok());
        following.at =
            number.ok_or_else(|| Failure::bad(LAST_EVENT_ID, "expected the number of an event"))?;
    } else if let Some(count) = query.tail {
        following.at = following.ledger.progress().last_event;
        let from_end = tokio::task::spawn_blocking(move || tail(&ledger, &query, count));
        following.ready = from_end.await??;
        following.at = following
            .ready
            .last()
            .map_or(following.at, |record| record.number.max(following.at));
    }
    let texts = futures::stream::unfold(following, |mut following| async move {
        let text = following.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), following))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    Ok((headers, Body::from_stream(texts)).into_response())
}

impl Following {
    /// The next text of the stream: events, or a sign of life. None ends it.
    async fn next(&mut self) -> Option<String> {
        loop {
            if !self.ready.is_empty() {
                return Some(encode(std::mem::take(&mut self.ready)));
            }
            self.keys.borrow_and_update();
            if *self.closing.borrow() || !self.caller.is_still_let_in() {
                return None;
            }
            self.progress.borrow_and_update();
            if self.at < self.ledger.progress().last_event {
                self.read().await?;
                continue;
            }
            tokio::select! {
                alive = self.progress.changed() => alive.ok()?,
                _ = self.closing.changed() => return None,
                // A key may be taken away while nothing happens.
                _ = self.keys.changed() => {}
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(sse::KEEP_ALIVE.to_owned()),
            }
        }
    }

    /// Reads the next batch; none if the store fails, which the log tells, and the caller comes back.
    async fn read(&mut self) -> Option<()> {
        let (ledger, kind, at) = (self.ledger.clone(), self.kind, self.at);
        let read = tokio::task::spawn_blocking(move || ledger.events(kind, at, BATCH)).await;
        match read {
            Ok(Ok(EventsRead { records, upto })) => {
                (self.ready, self.at) = (records, upto);
                Some(())
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "a stream of events ends");
                None
            }
            Err(error) => {
                tracing::error!(%error, "a stream of events ends");
                None
            }
        }
    }
}

fn encode(records: Vec<EventRecord>) -> String {
    let mut text = String::new();
    for record in records {
        match sse::encode(&record) {
            Ok(event) => text.push_str(&event),
            Err(error) => tracing::error!(%error, number = record.number, "an event cannot be written"),
        }
    }
    text
}
