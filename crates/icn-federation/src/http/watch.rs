//! `GET /api/fed/watch`: every change as it is committed, as server-sent events. Whoever was cut off goes on with
//! `Last-Event-ID`, and misses nothing that is still kept.
use super::{App, error};
use crate::{
    nats::Told,
    store::{Item, StoreError},
};
use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Response, header},
};
use futures::Stream;
use icn_api::EVENT_STREAM;
use icn_serve::http::{Failure, Query};
use serde::Deserialize;
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, broadcast};

/// After so long without an event a line is sent, so that both ends know that the other is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Changes that are read at once for one who was away.
const AT_ONCE: i64 = 1_000;
/// How long clients are to wait before they come back, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";
const LAST_EVENT_ID: &str = "last-event-id";

/// Where to go on.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "schema", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(super) struct WatchQuery {
    /// The id of the last change that the caller has: as `Last-Event-ID`, for those who cannot set headers.
    #[cfg_attr(feature = "schema", param(minimum = 0))]
    after: Option<i64>,
}

/// Opens a stream.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/api/fed/watch", tag = "catalog",
        params(WatchQuery),
        responses(
            (status = 200, description = "Every change as it is committed; with Last-Event-ID those since", body = String, content_type = "text/event-stream"),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn watch(
    State(app): State<App>,
    Query(query): Query<WatchQuery>,
    headers: HeaderMap,
) -> Result<Response<Body>, Failure> {
    app.is_loaded()?;
    let Ok(slot) = app.streams.clone().try_acquire_owned() else {
        return Err(error::failure(
            error::TOO_MANY_STREAMS,
            503,
            "too many streams are open",
        ));
    };
    let given = headers.get(LAST_EVENT_ID).map(|value| {
        let id = value.to_str().ok().and_then(|text| text.parse::<i64>().ok());
        id.filter(|id| *id >= 0)
            .ok_or_else(|| Failure::bad(LAST_EVENT_ID, "the id of an event"))
    });
    let after = given.transpose()?.or(query.after);
    if after.is_some_and(|after| after < 0) {
        return Err(Failure::bad("after", "the id of an event"));
    }
    // Before anything is read: what comes in between is there twice, and told once.
    let news = app.core.news.subscribe();
    let (oldest, newest) = app
        .store
        .news_range()
        .await
        .map_err(|error| error::database(&error))?;
    let mut ready = VecDeque::from([Bytes::from_static(RETRY.as_bytes())]);
    if after.is_some_and(|after| after + 1 < oldest) {
        ready.push_back(Bytes::from_static(
            b"event: reset\ndata: {\"reason\":\"changes before this are no longer kept: read the catalog anew\"}\n\n",
        ));
    }
    let reader = Reader {
        news,
        last: after.map_or(newest, |after| after.max(oldest - 1)),
        behind: true,
        ready,
        _slot: slot,
        app,
    };
    let mut response = Response::new(Body::from_stream(stream(reader)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Reader {
    app: App,
    news: broadcast::Receiver<Arc<Item>>,
    /// The last change that was told.
    last: i64,
    /// Whether changes may have been missed, so that they are to be read from the database.
    behind: bool,
    ready: VecDeque<Bytes>,
    _slot: OwnedSemaphorePermit,
}

fn stream(reader: Reader) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures::stream::unfold(reader, |mut reader| async move {
        let bytes = reader.next().await?;
        Some((Ok(bytes), reader))
    })
}

impl Reader {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(bytes);
            }
            if self.behind {
                if let Err(error) = self.catch_up().await {
                    // The client comes back, and goes on where it was.
                    tracing::debug!(%error, "a stream ends: the database does not answer");
                    return None;
                }
                continue;
            }
            let mut closing = self.app.closing.clone();
            tokio::select! {
                news = self.news.recv() => match news {
                    Ok(item) => self.tell(&item),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.behind = true,
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(Bytes::from_static(b": here\n\n")),
                _ = closing.wait_for(|closing| *closing) => return None,
            }
        }
    }

    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let items = self.app.store.news_after(self.last, AT_ONCE).await?;
        self.behind = !items.is_empty();
        for item in &items {
            self.tell(item);
        }
        Ok(())
    }

    fn tell(&mut self, item: &Item) {
        if item.id <= self.last {
            return;
        }
        self.last = item.id;
        let data = serde_json::to_string(&Told::from(item)).unwrap_or_default();
        let text = format!("id: {}\nevent: status\ndata: {data}\n\n", item.id);
        self.ready.push_back(text.into());
    }
}
