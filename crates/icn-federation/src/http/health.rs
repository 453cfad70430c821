//! How the service is, for people, probes and scrapers. None of it needs a key.
use super::{App, OPENAPI_JSON};
use crate::{liveness::Hearing, moment::Moment};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use icn_serve::http::Failure;
use serde::Serialize;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process answers.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct Health {
    /// `healthy`: there is no other answer.
    status: &'static str,
    /// Now.
    timestamp: Moment,
}

/// How the connection to NATS is.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct NatsHealth {
    /// `connected`, `disconnected`, or `disabled` where no server is configured.
    status: &'static str,
    /// The server, without its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

/// Whether the service can serve.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct Readiness {
    /// Whether all that requests need is there.
    ready: bool,
    /// One by one.
    checks: Vec<Check>,
}

/// One thing that the service needs.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct Check {
    /// What.
    name: &'static str,
    /// Whether it is there.
    ok: bool,
    /// Whether requests need it.
    needed: bool,
    /// What that means.
    detail: String,
}

/// Whether the process answers.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/health", tag = "health",
        responses(
            (status = 200, description = "The process answers", body = Health),
        ),
        security(()),
    )
)]
pub(super) async fn health(State(app): State<App>) -> Json<Health> {
    Json(Health {
        status: "healthy",
        timestamp: app.core.clock.now().into(),
    })
}

/// The same, for a supervisor.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/livez", tag = "health",
        responses(
            (status = 200, description = "The process answers", body = String, content_type = "text/plain"),
        ),
        security(()),
    )
)]
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// How the connection to NATS is.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/health/nats", tag = "health",
        responses(
            (status = 200, description = "It is connected, or not used", body = NatsHealth),
            (status = 503, description = "It is not connected", body = NatsHealth),
        ),
        security(()),
    )
)]
pub(super) async fn nats(State(app): State<App>) -> (StatusCode, Json<NatsHealth>) {
    let (code, status) = match app.core.ears.nats() {
        Some(true) => (StatusCode::OK, "connected"),
        Some(false) => (StatusCode::SERVICE_UNAVAILABLE, "disconnected"),
        None => (StatusCode::OK, "disabled"),
    };
    let url = app.nats_url.clone();
    (code, Json(NatsHealth { status, url }))
}

/// Whether the service can serve, and what it lacks.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/readyz", tag = "health",
        responses(
            (status = 200, description = "It can serve", body = Readiness),
            (status = 503, description = "It cannot: the checks say why", body = Readiness),
        ),
        security(()),
    )
)]
pub(super) async fn readyz(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let core = &app.core;
    let check = |name, ok, needed, good: &str, bad: &str| Check {
        name,
        ok,
        needed,
        detail: if ok { good.into() } else { bad.into() },
    };
    let checks = vec![
        check(
            "catalog",
            core.is_loaded(),
            true,
            "read from the database",
            "not read yet: the database has not answered since the start",
        ),
        check(
            "database",
            core.ears.database(),
            true,
            "answers",
            "does not answer: the catalog is served from memory, changes are refused, heartbeats over NATS are kept",
        ),
        check(
            "nats",
            core.ears.nats().unwrap_or(true),
            false,
            if core.ears.nats().is_some() {
                "connected"
            } else {
                "not used"
            },
            "not connected: what lapses is unknown, heartbeats over HTTP are taken",
        ),
        check(
            "hearing",
            core.ears.hearing() != Hearing::Deaf,
            false,
            "silence means something",
            "the service cannot hear all, so what lapses is unknown",
        ),
    ];
    let ready = checks.iter().all(|check| check.ok || !check.needed);
    let code = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(Readiness { ready, checks }))
}

/// What is measured.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/metrics", tag = "health",
        responses(
            (status = 200, description = "In the text format of OpenMetrics", body = String, content_type = "application/openmetrics-text"),
        ),
        security(()),
    )
)]
pub(super) async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Failure> {
    let text = crate::scrape::encode(&app.core, app.names_projects).map_err(Failure::internal)?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text))
}

/// What there is to be called.
pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI_JSON)
}
