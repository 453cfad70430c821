//! Blocks of the DAG: put durably, got from here or from peers, listed.
use super::{app::App, failure::Failure, page};
use crate::access::About;
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use icn_api::{
    ApiError, OCTETS,
    dag::{BlockView, DagQuery, DagView, GetQuery, PutQuery, Stored},
};
use icn_model::{Cid, Codec, Time, canonical, limits::MAX_DAG_BLOCK_BYTES};
use icn_protocol::exchange::FetchError;
use icn_serve::http::{Octets, Path, Query};
use icn_store::{Batch, Block, BlockError, BlockQuota, BlockUsage, Durability, Reserved};
use ipld_core::ipld::Ipld;
use std::{sync::Arc, time::Duration};

/// How long peers are asked for a block.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// What is hashed by the thread that answers: sooner than another one is woken for it and the bytes are in its
/// cache (docs/benchmarks.md). Hashing this much takes some 40 µs, or 200 on a processor without instructions for it.
const MAX_QUICK_BYTES: usize = 64 << 10;
/// What is named by its hash never changes. It is for holders of a key only.
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// `GET /v1/dag`
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<DagQuery>,
) -> Result<Json<DagView>, Failure> {
    let usage = app.block_usage().await?;
    let blocks = app.inner.node.exchange().blocks().clone();
    let after = query.after.map(|cid| cid.generic());
    let size = page::size(query.limit);
    let found = tokio::task::spawn_blocking(move || blocks.list(after.as_ref(), size)).await??;
    let own = |cid: &_| {
        Cid::try_from(cid).map_err(|error| Failure::internal(format_args!("a stored block: {error}")))
    };
    let items = found.entries.iter().map(|entry| {
        Ok(BlockView {
            cid: own(&entry.cid)?,
            size_bytes: u64::from(entry.size_bytes),
            unreferenced_since: entry.unreferenced_since_ms.map(Time::new),
        })
    });
    let items = items.collect::<Result<Vec<_>, Failure>>()?;
    let BlockUsage { blocks, size_bytes } = usage;
    Ok(Json(DagView {
        blocks,
        size_bytes,
        quota_bytes: app.inner.dag.quota().map(|quota| quota.quota_bytes()),
        items,
        next: found.next.as_ref().map(own).transpose()?,
    }))
}

/// `POST /v1/dag/blocks`
pub(super) async fn put(
    State(app): State<App>,
    Query(query): Query<PutQuery>,
    Octets(bytes): Octets,
) -> Result<(Extension<About>, Json<Stored>), Failure> {
    let codec = Codec::from(query.codec);
    let size_bytes = bytes.len() as u64;
    let cid = keep(&app, codec, bytes, Durability::Sync).await?;
    let stored = Stored {
        cid,
        size_bytes,
        blocks: 1,
    };
    Ok((Extension(About::new([cid])), Json(stored)))
}

/// Stores a block, if there is room for it, and returns when it has the durability asked for.
pub(super) async fn keep(
    app: &App,
    codec: Codec,
    bytes: Vec<u8>,
    durability: Durability,
) -> Result<Cid, Failure> {
    let quota = app.inner.dag.quota().cloned();
    let is_quick = quota.is_none() && codec == Codec::Raw && bytes.len() <= MAX_QUICK_BYTES;
    let (cid, batch, reserved) = if is_quick {
        prepare(codec, bytes, None)?
    } else {
        tokio::task::spawn_blocking(move || prepare(codec, bytes, quota)).await??
    };
    let store = app.ledger().store();
    let commit = match store.try_commit(batch, durability) {
        Ok(commit) => commit,
        Err(batch) => {
            let store = store.clone();
            tokio::task::spawn_blocking(move || store.commit(batch, durability)).await?
        }
    };
    commit.await?;
    if let Some(reserved) = reserved {
        reserved.stored();
    }
    Ok(cid)
}

/// Checks that a block is what its codec says and that there is room for it, names it, and makes the batch that stores
/// it. With a quota it reads the store.
fn prepare(
    codec: Codec,
    bytes: Vec<u8>,
    quota: Option<Arc<BlockQuota>>,
) -> Result<(Cid, Batch, Option<Reserved>), Failure> {
    if codec == Codec::DagCbor {
        canonical::from_bytes::<Ipld>(&bytes, MAX_DAG_BLOCK_BYTES)
            .map_err(|error| Failure::bad("body", error))?;
    }
    let block = Block::new(codec.number(), bytes);
    let cid = Cid::try_from(block.cid()).map_err(Failure::internal)?;
    let reserved = match quota {
        Some(quota) => Some(quota.reserve(block.cid(), block.bytes().len() as u64)??),
        None => None,
    };
    let mut batch = Batch::new();
    block.put_in(&mut batch)?;
    Ok((cid, batch, reserved))
}

/// `GET /v1/dag/blocks/{cid}`
pub(super) async fn get(
    State(app): State<App>,
    Path(cid): Path<Cid>,
    Query(query): Query<GetQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if is_current(&cid, &headers) {
        return Ok(unchanged(&cid));
    }
    let bytes = fetch(&app, cid, query.local).await?;
    Ok((content_headers(&cid), bytes).into_response())
}

/// A block from here, or else, unless `local`, from a peer; its bytes are what `cid` names. One that the disk
/// has changed is replaced by a peer's.
pub(super) async fn fetch(app: &App, cid: Cid, local: bool) -> Result<Bytes, Failure> {
    let blocks = app.inner.node.exchange().blocks().clone();
    let corrupt = match tokio::task::spawn_blocking(move || blocks.get(&cid.generic())).await? {
        Ok(Some(bytes)) => return Ok(bytes.into()),
        Ok(None) => false,
        Err(BlockError::Corrupt { .. }) => {
            tracing::error!(%cid, "a block is corrupt on disk");
            true
        }
        Err(error) => return Err(error.into()),
    };
    let missing = || -> Failure {
        if corrupt {
            ApiError::CorruptBlock { cid }.into()
        } else {
            ApiError::BlockNotFound { cid }.into()
        }
    };
    if local {
        return Err(missing());
    }
    match tokio::time::timeout(FETCH_TIMEOUT, app.inner.node.exchange().get(&cid, &[])).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(FetchError::Absent(_))) => Err(missing()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) if corrupt => Err(missing()),
        Err(_) => {
            let after_ms = u64::try_from(FETCH_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
            Err(ApiError::TimedOut { after_ms }.into())
        }
    }
}

fn etag(cid: &Cid) -> String {
    format!("\"{cid}\"")
}

/// Whether the caller has the content already.
pub(super) fn is_current(cid: &Cid, headers: &HeaderMap) -> bool {
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let own = etag(cid);
    known
        .split(',')
        .map(|tag| tag.trim())
        .any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == own)
}

/// What is said of content besides its bytes.
pub(super) fn content_headers(cid: &Cid) -> [(header::HeaderName, HeaderValue); 4] {
    // The text of a CID is made of letters and digits.
    let tag = HeaderValue::from_str(&etag(cid)).unwrap_or(HeaderValue::from_static("\"\""));
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(OCTETS)),
        (header::ETAG, tag),
        (header::CACHE_CONTROL, FOR_EVER),
        // Anybody's bytes: no browser is to take them for a page of this node.
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ]
}

/// The answer to a caller that has the content.
pub(super) fn unchanged(cid: &Cid) -> Response {
    (StatusCode::NOT_MODIFIED, content_headers(cid)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_has_is_not_sent_again() {
        let cid = Cid::of_raw(b"content");
        let with = |value: String| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_str(&value).unwrap());
            is_current(&cid, &headers)
        };
        assert!(with(format!("\"{cid}\"")) && with(format!("\"other\", W/\"{cid}\"")));
        assert!(!with(cid.to_string()) && !with("*".into()) && !is_current(&cid, &HeaderMap::new()));
    }

    #[test]
    fn deep_nesting_is_refused_before_the_stack_ends() {
        let mut nested = vec![0x81; MAX_DAG_BLOCK_BYTES - 1];
        nested.push(0x80);
        assert!(canonical::from_bytes::<Ipld>(&nested, MAX_DAG_BLOCK_BYTES).is_err());
    }
}
