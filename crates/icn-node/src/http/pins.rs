//! Pins and garbage collection.
use super::{app::App, blocks::fetch, failure::Failure, page, wait};
use crate::{
    access::About,
    dag::{PinError, place},
};
use axum::{Extension, Json, extract::State, http::StatusCode};
use icn_api::{
    ApiError,
    car::links,
    dag::{
        DEFAULT_PIN_OWNER, GcQuery, GcStatus, MAX_PIN_OWNER_BYTES, MAX_PIN_REASON_BYTES, Pin, PinPage,
        PinRequest, PinsQuery, UnpinQuery,
    },
};
use icn_model::{Cid, Codec, limits::MAX_DAG_BLOCK_BYTES};
use icn_serve::{
    clock,
    http::{JsonText, Path, Query},
};
use std::collections::HashSet;

/// The most blocks that one pin can keep.
const MAX_PINNED_BLOCKS: usize = 1_000_000;

/// `GET /v1/dag/pins`
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<PinsQuery>,
) -> Result<Json<PinPage>, Failure> {
    let after = query.after.as_deref().map(cursor).transpose()?;
    let pins = app.inner.dag.pins().clone();
    let size = page::size(query.limit);
    let found = tokio::task::spawn_blocking(move || pins.page(after, size)).await??;
    let next = found.next.and(found.items.last());
    Ok(Json(PinPage {
        next: next.map(|pin| format!("{}/{}", pin.cid, pin.owner)),
        items: found.items,
    }))
}

/// A place among the pins, from the text of a cursor.
fn cursor(text: &str) -> Result<Vec<u8>, Failure> {
    let (cid, owner) = text
        .split_once('/')
        .ok_or_else(|| Failure::bad("after", "expected what an earlier page gave as next"))?;
    let cid: Cid = cid.parse().map_err(|error| Failure::bad("after", error))?;
    Ok(place(&cid, owner))
}

/// `POST /v1/dag/pins`
pub(super) async fn pin(
    State(app): State<App>,
    JsonText(body): JsonText,
) -> Result<(Extension<About>, Json<Pin>), Failure> {
    let request: PinRequest = serde_json::from_slice(&body).map_err(|error| Failure::bad("body", error))?;
    let now = app.now();
    if request.expires.is_some_and(|expires| expires <= now) {
        return Err(Failure::bad("expires", "lies in the past"));
    }
    let pin = Pin {
        cid: request.cid,
        owner: owner(request.owner)?,
        reason: text("reason", request.reason, MAX_PIN_REASON_BYTES)?,
        created: now,
        expires: request.expires,
    };
    let pins = app.inner.dag.pins();
    let earlier = pins.get(&pin.cid, &pin.owner)?;
    // Before its blocks are looked at: a collection that runs must not take one of them away.
    pins.add(&pin).await?;
    if let Err(failure) = gather(&app, pin.cid).await {
        match earlier {
            Some(earlier) => pins.add(&earlier).await?,
            None => drop(pins.remove(&pin.cid, &pin.owner).await?),
        }
        return Err(failure);
    }
    Ok((Extension(About::new([pin.cid])), Json(pin)))
}

/// Sees to it that a block and everything that it leads to is here.
async fn gather(app: &App, root: Cid) -> Result<(), Failure> {
    let (mut seen, mut open) = (HashSet::from([root]), vec![root]);
    while let Some(cid) = open.pop() {
        let blocks = app.inner.node.exchange().blocks().clone();
        let is_here = tokio::task::spawn_blocking(move || blocks.has(&cid.generic())).await??;
        if !is_here {
            has_room(app, MAX_DAG_BLOCK_BYTES as u64).await?;
        } else if cid.codec() == Codec::Raw {
            continue;
        }
        let bytes = fetch(app, cid, false).await?;
        if cid.codec() == Codec::Raw {
            continue;
        }
        let led_to = links(&bytes, MAX_DAG_BLOCK_BYTES).map_err(|error| Failure::bad("cid", error))?;
        open.extend(led_to.into_iter().filter(|link| seen.insert(*link)));
        if seen.len() > MAX_PINNED_BLOCKS {
            let detail = format!("leads to over {MAX_PINNED_BLOCKS} blocks: pin its parts");
            return Err(Failure::bad("cid", detail));
        }
    }
    Ok(())
}

/// Whether clients may put `bytes` more.
pub(super) async fn has_room(app: &App, bytes: u64) -> Result<(), Failure> {
    let Some(quota) = app.inner.dag.quota().cloned() else {
        return Ok(());
    };
    Ok(tokio::task::spawn_blocking(move || quota.check(bytes)).await???)
}

/// `DELETE /v1/dag/pins/{cid}`
pub(super) async fn unpin(
    State(app): State<App>,
    Path(cid): Path<Cid>,
    Query(query): Query<UnpinQuery>,
) -> Result<(Extension<About>, Json<Pin>), Failure> {
    let owner = owner(query.owner)?;
    let removed = app.inner.dag.pins().remove(&cid, &owner).await?;
    let missing = || ApiError::NotFound {
        what: "pin of",
        id: format!("{cid} for {owner}"),
    };
    let removed = removed.ok_or_else(missing)?;
    Ok((Extension(About::new([removed.cid])), Json(removed)))
}

/// `GET /v1/dag/gc`
pub(super) async fn gc_status(State(app): State<App>) -> Json<GcStatus> {
    Json(app.inner.dag.status())
}

/// `POST /v1/dag/gc`
pub(super) async fn gc(
    State(app): State<App>,
    Query(query): Query<GcQuery>,
) -> Result<(StatusCode, Json<GcStatus>), Failure> {
    let dag = &app.inner.dag;
    if !dag.start(query.dry_run, clock::now) {
        return Err(ApiError::Busy {
            what: "a garbage collection",
        }
        .into());
    }
    Ok(wait::answer(
        query.wait_ms,
        dag.idle(),
        || dag.status(),
        |status| status.running,
    )
    .await)
}

fn owner(owner: Option<String>) -> Result<String, Failure> {
    let owner = owner.unwrap_or_else(|| DEFAULT_PIN_OWNER.into());
    if owner.is_empty() {
        return Err(Failure::bad("owner", "is empty"));
    }
    text("owner", owner, MAX_PIN_OWNER_BYTES)
}

/// A line of text within its bound.
fn text(field: &'static str, text: String, max_bytes: usize) -> Result<String, Failure> {
    if text.len() > max_bytes {
        return Err(Failure::bad(field, format_args!("has at most {max_bytes} bytes")));
    }
    if text.contains(char::is_control) {
        return Err(Failure::bad(field, "has no control characters"));
    }
    Ok(text)
}

impl From<PinError> for Failure {
    fn from(error: PinError) -> Self {
        match error {
            PinError::Store(error) => error.into(),
            other @ PinError::Damaged(_) => Self::internal(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_lines_within_bounds() {
        assert!(owner(None).is_ok_and(|owner| owner == DEFAULT_PIN_OWNER));
        assert!(owner(Some(String::new())).is_err());
        assert!(owner(Some("x".repeat(MAX_PIN_OWNER_BYTES + 1))).is_err());
        assert!(text("reason", "two\nlines".into(), 100).is_err());
        assert!(cursor("no cursor").is_err() && cursor("x/operator").is_err());
        let cid = Cid::of_raw(b"content");
        assert!(cursor(&format!("{cid}/a/b")).is_ok_and(|key| key.ends_with(b"a/b")));
    }
}
