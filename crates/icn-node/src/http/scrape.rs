//! Metrics on an address of their own, for scrapers that should reach nothing else: without a key, or with the token
//! that the configuration names. `/health` and `/ready` are there, too, for probes: in plain HTTP, and whatever keeps the
//! interface busy.
use super::{App, around, failure::Failure, front::Front, node};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, get},
};
use icn_api::{ApiError, paths};
use icn_serve::http::{bearer, no_method, no_route, panicked, take_connections};
use std::sync::Arc;
use tokio::{net::TcpListener, sync::watch};
use tower_http::catch_panic::CatchPanicLayer;

/// Serves until `stopping` says true, or its sender is gone.
pub(crate) async fn serve(listener: TcpListener, app: App, mut stopping: watch::Receiver<bool>) {
    let routes = router(
        &app.front,
        get(node::metrics),
        get(node::health),
        get(node::ready),
    );
    let stop = async {
        // Fails when the sender is gone, which says the same.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    take_connections(&listener, routes.with_state(app), None, stop).await;
}

/// The routes of that address, by who answers them.
pub(super) fn router<S: Clone + Send + Sync + 'static>(
    front: &Arc<Front>,
    metrics: MethodRouter<S>,
    health: MethodRouter<S>,
    ready: MethodRouter<S>,
) -> Router<S> {
    let token = middleware::from_fn_with_state(front.clone(), with_token);
    Router::new()
        .route(paths::METRICS, metrics.route_layer(token))
        .route(paths::HEALTH, health)
        .route(paths::READY, ready)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(front.clone(), around::around))
}

async fn with_token(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let is_right = front
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
