//! Files: content of more than one block, cut as it arrives and put together as it is sent, one block at a
//! time in memory.
use super::{
    app::App,
    blocks::{content_headers, fetch, is_current, keep, unchanged},
    failure::Failure,
    pins::has_room,
};
use crate::access::About;
use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use icn_api::{
    ApiError,
    dag::{GetQuery, Stored},
};
use icn_model::{Cid, Codec, canonical, file::FileIndex, limits::MAX_DAG_BLOCK_BYTES};
use icn_serve::http::{Incoming, Path, Query};
use icn_store::Durability;
use std::io;

/// `POST /v1/dag/files`
pub(super) async fn put(
    State(app): State<App>,
    body: Incoming,
) -> Result<(Extension<About>, Json<Stored>), Failure> {
    let stored = store(&app, body).await?;
    Ok((Extension(About::new([stored.cid])), Json(stored)))
}

async fn store(app: &App, mut body: Incoming) -> Result<Stored, Failure> {
    // Of a file that is known to have no room nothing is stored.
    if let Some(bytes) = body.announced()
        && let Err(full) = has_room(app, bytes).await
    {
        // Read to its end, or the caller would see a broken connection instead of the answer.
        while body.next().await?.is_some() {}
        return Err(full);
    }
    let mut chunks = Vec::new();
    let mut size = 0;
    let mut buffer = Vec::new();
    while let Some(piece) = body.next().await? {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            if buffer.len() == MAX_DAG_BLOCK_BYTES {
                // Commits are in order, so the last block's makes these durable, too.
                chunks.push(keep(app, Codec::Raw, std::mem::take(&mut buffer), Durability::Buffered).await?);
            }
            let (head, tail) = rest.split_at(rest.len().min(MAX_DAG_BLOCK_BYTES - buffer.len()));
            buffer.extend_from_slice(head);
            rest = tail;
        }
        size += piece.len() as u64;
    }
    if chunks.is_empty() {
        let cid = keep(app, Codec::Raw, buffer, Durability::Sync).await?;
        return Ok(Stored {
            cid,
            size_bytes: size,
            blocks: 1,
        });
    }
    chunks.push(keep(app, Codec::Raw, buffer, Durability::Buffered).await?);
    let blocks = chunks.len() as u64 + 1;
    let index = canonical::to_bytes(&FileIndex { size, chunks });
    let cid = keep(app, Codec::DagCbor, index, Durability::Sync).await?;
    Ok(Stored {
        cid,
        size_bytes: size,
        blocks,
    })
}

/// `GET /v1/dag/files/{cid}`
pub(super) async fn get(
    State(app): State<App>,
    Path(cid): Path<Cid>,
    Query(query): Query<GetQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    if is_current(&cid, &headers) {
        return Ok(unchanged(&cid));
    }
    let head = fetch(&app, cid, query.local).await?;
    if cid.codec() == Codec::Raw {
        return Ok((content_headers(&cid), head).into_response());
    }
    let index = FileIndex::from_bytes(&head).map_err(|_| ApiError::NotAFile { cid })?;
    let length = HeaderValue::from(index.size);
    let mut sending = Sending {
        app,
        cid,
        left: index.size,
        chunks: index.chunks.into_iter(),
        local: query.local,
    };
    // The first block decides whether there is an answer at all; a later one can only break it off.
    let first = sending.next().await?;
    let pieces = futures::stream::try_unfold((first, sending), |(ready, mut sending)| async move {
        let piece = match ready {
            Some(piece) => Some(piece),
            None => sending
                .next()
                .await
                .map_err(|_| io::Error::other("a block of the file is not to be had"))?,
        };
        Ok::<_, io::Error>(piece.map(|piece| (piece, (None, sending))))
    });
    let mut response = (content_headers(&cid), Body::from_stream(pieces)).into_response();
    response.headers_mut().insert(header::CONTENT_LENGTH, length);
    Ok(response)
}

/// A file on its way to the caller.
struct Sending {
    app: App,
    cid: Cid,
    left: u64,
    chunks: std::vec::IntoIter<Cid>,
    local: bool,
}

impl Sending {
    /// The next block, as long as the index says.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(chunk) = self.chunks.next() else {
            return Ok(None);
        };
        let expected = self.left.min(MAX_DAG_BLOCK_BYTES as u64);
        let bytes = fetch(&self.app, chunk, self.local).await?;
        if chunk.codec() != Codec::Raw || bytes.len() as u64 != expected {
            tracing::warn!(file = %self.cid, block = %chunk, "a file's block is not as long as its index says");
            return Err(ApiError::NotAFile { cid: self.cid }.into());
        }
        self.left -= expected;
        Ok(Some(bytes))
    }
}
