//! The interface of a node whose store cannot be reached yet: alive, so that nobody ends it, not ready, and it says why.
use super::{failure::Failure, front::Front, node, routes, scrape, server, status};
use axum::{Json, extract::State, http::StatusCode, response::Response, routing::get};
use icn_api::{
    ApiError, Method,
    node::{Health, Ready},
    paths,
};
use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch};

/// What a node can say without its store.
struct Shared {
    front: Arc<Front>,
    tells_metrics: bool,
    /// Why the store is not open.
    why: watch::Receiver<String>,
}

type App = Arc<Shared>;

/// Serves until `opened` ends, and gives what came of it; metrics on a listener of their own, if there is one.
pub(crate) async fn serve<T>(
    listener: &TcpListener,
    metrics_listener: Option<&TcpListener>,
    front: Arc<Front>,
    tells_metrics: bool,
    why: watch::Receiver<String>,
    opened: impl Future<Output = T>,
) -> Option<T> {
    let app = Arc::new(Shared {
        front: front.clone(),
        tells_metrics,
        why,
    });
    let scraped = scrape::router(&front, get(metrics), get(health), get(ready)).with_state(app.clone());
    let routes = routes::before_operation(|method, path| match (method, path) {
        (Method::Get, paths::HEALTH) => get(health),
        (Method::Get, paths::READY) => get(ready),
        (Method::Get, paths::METRICS) => get(metrics),
        (Method::Get, paths::OPENAPI) => get(node::openapi),
        (method, _) => routes::answer(method, not_ready),
    });
    let router = routes::guarded(&front, routes).with_state(app);
    let mut outcome = None;
    let over = async {
        outcome = Some(opened.await);
    };
    server::before_operation((listener, router), (metrics_listener, scraped), &front, over).await;
    outcome
}

async fn health(State(app): State<App>) -> Json<Health> {
    Json(app.front.health())
}

async fn ready(State(app): State<App>) -> (StatusCode, Json<Ready>) {
    let readiness = status::lacking("storage", app.why.borrow().clone());
    (StatusCode::SERVICE_UNAVAILABLE, Json(readiness))
}

async fn metrics(State(app): State<App>) -> Result<Response, Failure> {
    node::metrics_before_operation(&app.front, app.tells_metrics)
}

async fn not_ready(State(app): State<App>) -> Failure {
    let reason = app.why.borrow().clone();
    ApiError::NotReady { reason }.into()
}
