//! Answers about work in the background: the caller waits for a while, and is told how far it is.
use axum::{Json, http::StatusCode};
use icn_api::{DEFAULT_WAIT_MS, MAX_WAIT_MS};
use std::time::Duration;

/// Waits until `idle`, for as long as the caller wants at most. That the work takes longer is no error: `status` then
/// says that it runs, and so does the code.
pub(super) async fn answer<T>(
    wait_ms: Option<u64>,
    idle: impl Future<Output = ()>,
    status: impl FnOnce() -> T,
    runs: impl FnOnce(&T) -> bool,
) -> (StatusCode, Json<T>) {
    let wait_ms = wait_ms.unwrap_or(DEFAULT_WAIT_MS).min(MAX_WAIT_MS);
    let _ = tokio::time::timeout(Duration::from_millis(wait_ms), idle).await;
    let status = status();
    let code = if runs(&status) {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    (code, Json(status))
}
