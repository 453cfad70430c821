//! The node's configuration, read and changed. What is changed goes to the audit log by the way of the answer.
use super::{app::App, failure::Failure, gate::Caller};
use crate::{access::Change, config::ChangeError};
use axum::{Extension, Json, extract::State};
use icn_api::config::{ConfigChange, ConfigChanged, Configuration, SetBy};
use icn_serve::http::JsonText;

/// `GET /v1/config`
pub(super) async fn config(State(app): State<App>) -> Result<Json<Configuration>, Failure> {
    let settings = app.inner.live.settings().map_err(Failure::internal)?;
    Ok(Json(Configuration { settings }))
}

/// `PATCH /v1/config`
pub(super) async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    JsonText(text): JsonText,
) -> Result<(Extension<Change>, Json<ConfigChanged>), Failure> {
    let change: ConfigChange = serde_json::from_slice(&text).map_err(|error| Failure::bad("body", error))?;
    let set_by = SetBy {
        key: caller.name().to_owned(),
        at: app.now(),
    };
    let keys: Vec<_> = change.set.keys().chain(&change.unset).cloned().collect();
    // No secret can be set at run time.
    let to = serde_json::to_string(&change.set).ok();
    let live = app.inner.live.clone();
    // It writes and syncs a file.
    let changed = tokio::task::spawn_blocking(move || live.change(&change, &set_by)).await?;
    let changed = changed.map_err(|error| match error {
        ChangeError::File { .. } => Failure::internal(error),
        ChangeError::Key { .. } | ChangeError::Config(_) => Failure::bad("change", error),
    })?;
    tracing::info!(at_once = ?changed.at_once, at_start = ?changed.at_start, "the configuration is changed");
    let change = Change {
        what: "config-changed",
        name: keys.join(","),
        to,
    };
    Ok((Extension(change), Json(changed)))
}
