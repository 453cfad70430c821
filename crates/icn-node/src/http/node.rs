//! The node itself: alive, ready, what it is, how it fares, what it measures.
use super::{app::App, failure::Failure, front::Front, status};
use crate::metrics::{self, Counted};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use icn_api::{
    ApiError, OPENAPI_JSON,
    node::{Health, Info, Ready, Status},
};

/// Media type of the metrics.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// `GET /health`
pub(super) async fn health(State(app): State<App>) -> Json<Health> {
    Json(app.front.health())
}

/// `GET /ready`
pub(super) async fn ready(State(app): State<App>) -> (StatusCode, Json<Ready>) {
    let ready = status::aside(&app, status::ready).await;
    let status = if ready.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(ready))
}

/// `GET /status`
pub(super) async fn status(State(app): State<App>) -> Json<Status> {
    Json(status::status(&app).await)
}

/// `GET /info`
pub(super) async fn info(State(app): State<App>) -> Json<Info> {
    Json(status::info(&app))
}

/// `GET /metrics`
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Failure> {
    check_metrics(app.inner.config.monitoring.metrics_enabled)?;
    let counted = Counted {
        http: &app.front.metrics,
        reports: &app.inner.reports,
        jobs: &app.inner.job_metrics,
        tally: &app.inner.tally,
    };
    let sample = status::sample(&app).await;
    let own = metrics::encode(&counted, &sample).map_err(Failure::internal)?;
    let text = metrics::join(own, &(app.inner.runtime_metrics)());
    Ok(metrics_text(text))
}

/// The same of a node that is not in operation yet.
pub(super) fn metrics_before_operation(front: &Front, tells_metrics: bool) -> Result<Response, Failure> {
    check_metrics(tells_metrics)?;
    let text = metrics::encode_before_operation(&front.metrics, front.uptime_secs());
    Ok(metrics_text(text.map_err(Failure::internal)?))
}

/// Refuses where metrics are not wanted.
fn check_metrics(enabled: bool) -> Result<(), ApiError> {
    if enabled {
        return Ok(());
    }
    Err(ApiError::NotFound {
        what: "route",
        id: "/metrics: monitoring.metrics_enabled is false".into(),
    })
}

/// Metrics as an answer.
fn metrics_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

/// `GET /openapi.json`
pub(super) async fn openapi() -> Response {
    (
        [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))],
        OPENAPI_JSON,
    )
        .into_response()
}
