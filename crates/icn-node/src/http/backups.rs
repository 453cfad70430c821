//! Backups and checks: archives go out and come in as streams.
use super::{app::App, failure::Failure, wait};
use crate::{
    backup::{BackupError, Turn},
    dag::story,
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use icn_api::{
    ApiError, GZIP,
    backups::{BackupList, BackupRequest, BackupView, Merged, VerifyQuery, VerifyStatus},
};
use icn_serve::{
    clock,
    http::{Incoming, JsonText, Query},
};
use std::io::{self, Write};
use tokio::sync::mpsc;

/// Pieces of an archive that wait for the caller to take them.
const PIECES_WAITING: usize = 8;
/// Bytes of one piece.
const PIECE_BYTES: usize = 64 << 10;

/// `GET /v1/backups`
pub(super) async fn list(State(app): State<App>) -> Result<Json<BackupList>, Failure> {
    let backups = app.inner.backups.clone();
    let taken = tokio::task::spawn_blocking(move || backups.taken()).await?;
    let items = taken.into_iter().rev().map(|taken| BackupView {
        id: taken.id,
        created: taken.created,
        height: taken.height,
    });
    Ok(Json(BackupList {
        items: items.collect(),
    }))
}

fn turn(app: &App) -> Result<Turn, Failure> {
    let busy = ApiError::Busy {
        what: "a backup or a restore",
    };
    Ok(app.inner.backups.turn().ok_or(busy)?)
}

/// `POST /v1/backups`
pub(super) async fn backup(State(app): State<App>, JsonText(body): JsonText) -> Result<Response, Failure> {
    let request: BackupRequest =
        serde_json::from_slice(&body).map_err(|error| Failure::bad("body", error))?;
    if request.since.is_some() && !request.incremental {
        return Err(Failure::bad("since", "counts only with incremental"));
    }
    let turn = turn(&app)?;
    let backups = app.inner.backups.clone();
    let now = app.now();
    let prepared = {
        let backups = backups.clone();
        tokio::task::spawn_blocking(move || backups.prepare(&request)).await??
    };
    let (to, mut pieces) = mpsc::channel(PIECES_WAITING);
    tokio::task::spawn_blocking(move || {
        let mut to = Sending {
            to,
            piece: Vec::with_capacity(PIECE_BYTES),
        };
        let id = prepared.id.clone();
        if let Err(error) = backups.write(turn, prepared, now, &mut to) {
            tracing::warn!(id, error = story(&error), "a backup was not made");
            // The stream breaks off, so that the caller does not take it for a whole one.
            let _ = to.to.blocking_send(Err(io::Error::other("the backup failed")));
        }
    });
    let stream = futures::stream::poll_fn(move |context| pieces.poll_recv(context));
    let mut response = Body::from_stream(stream).into_response();
    let media = HeaderValue::from_static(GZIP);
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    Ok(response)
}

/// Hands what is written to the caller, piece by piece, and waits where the caller is slow.
struct Sending {
    to: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Write for Sending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES));
        self.to
            .blocking_send(Ok(piece.into()))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the caller is gone"))
    }
}

/// `POST /v1/backups/restore`
pub(super) async fn restore(State(app): State<App>, mut body: Incoming) -> Result<Json<Merged>, Failure> {
    let turn = turn(&app)?;
    let backups = app.inner.backups.clone();
    let mut file = {
        let backups = backups.clone();
        tokio::task::spawn_blocking(move || backups.incoming()).await??
    };
    while let Some(piece) = body.next().await? {
        file = tokio::task::spawn_blocking(move || {
            file.write_all(&piece)?;
            Ok::<_, BackupError>(file)
        })
        .await??;
    }
    Ok(Json(backups.merge(turn, file.path()).await?))
}

/// `GET /v1/dag/verify`
pub(super) async fn verify_status(State(app): State<App>) -> Json<VerifyStatus> {
    Json(app.inner.backups.checked())
}

/// `POST /v1/dag/verify`
pub(super) async fn verify(
    State(app): State<App>,
    Query(query): Query<VerifyQuery>,
) -> Result<(StatusCode, Json<VerifyStatus>), Failure> {
    let backups = &app.inner.backups;
    if !backups.check(query.deep, clock::now) {
        return Err(ApiError::Busy { what: "a check" }.into());
    }
    Ok(wait::answer(
        query.wait_ms,
        backups.idle(),
        || backups.checked(),
        |status| status.running,
    )
    .await)
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            error if error.is_of_archive() => ApiError::ArchiveRefused {
                detail: story(&error),
            }
            .into(),
            BackupError::PlainIdentity => Self::bad("include_identity", error),
            BackupError::Store(error) => error.into(),
            BackupError::Blocks(error) => error.into(),
            BackupError::Io(error) if error.kind() == io::ErrorKind::StorageFull => {
                ApiError::StorageFull {}.into()
            }
            other => Self::internal(story(&other)),
        }
    }
}
