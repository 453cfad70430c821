//! Metrics on an address of their own, for scrapers that should reach nothing else: without a key, or with the token
//! that the configuration names. `/health` and `/ready` are there, too, for probes: in plain HTTP, and whatever keeps the
//! interface busy.
use super::{App, around, failure::Failure, node};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use icn_api::{ApiError, paths};
use icn_serve::http::{bearer, no_method, no_route, panicked, take_connections};
use tokio::{net::TcpListener, sync::watch};
use tower_http::catch_panic::CatchPanicLayer;

/// Serves until `stopping` says true, or its sender is gone.
pub(crate) async fn serve(listener: TcpListener, app: App, mut stopping: watch::Receiver<bool>) {
    let front = app.front.clone();
    let token = middleware::from_fn_with_state(app.clone(), with_token);
    let router = Router::new()
        .route(paths::METRICS, get(node::metrics).route_layer(token))
        .route(paths::HEALTH, get(node::health))
        .route(paths::READY, get(node::ready))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(front, around::around))
        .with_state(app);
    let stop = async {
        // Fails when the sender is gone, which says the same.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    take_connections(&listener, router, None, stop).await;
}

async fn with_token(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_right = app
        .front
        .access
        .metrics_token
        .as_ref()
        .is_none_or(|token| bearer(request.headers()).is_some_and(|sent| token.is(sent)));
    if is_right {
        next.run(request).await
    } else {
        Failure::from(ApiError::Unauthorised {}).into_response()
    }
}
