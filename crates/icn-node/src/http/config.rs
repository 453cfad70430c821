//! The node's configuration, read and changed.
use super::{app::App, extract::JsonText, failure::Failure};
use crate::config::ChangeError;
use axum::{Json, extract::State};
use icn_api::config::{ConfigChange, ConfigChanged, Configuration, SetBy};

/// `GET /v1/config`
pub(super) async fn config(State(app): State<App>) -> Result<Json<Configuration>, Failure> {
    let settings = app.inner.live.settings().map_err(Failure::internal)?;
    Ok(Json(Configuration { settings }))
}

/// `PATCH /v1/config`
pub(super) async fn change(
    State(app): State<App>,
    JsonText(text): JsonText,
) -> Result<Json<ConfigChanged>, Failure> {
    let change: ConfigChange = serde_json::from_slice(&text).map_err(|error| Failure::bad("body", error))?;
    let set_by = SetBy {
        key: "admin".into(),
        at: app.now(),
    };
    let live = app.inner.live.clone();
    // It writes and syncs a file.
    let changed = tokio::task::spawn_blocking(move || live.change(&change, &set_by)).await?;
    let changed = changed.map_err(|error| match error {
        ChangeError::File { .. } => Failure::internal(error),
        // The file that it names is the node's own; the caller knows the key.
        ChangeError::Key { .. } | ChangeError::Config(_) => Failure::bad("change", error),
    })?;
    tracing::info!(at_once = ?changed.at_once, at_start = ?changed.at_start, "the configuration is changed");
    Ok(Json(changed))
}
