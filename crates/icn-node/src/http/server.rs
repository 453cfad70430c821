//! The server of a node's interface, until it is told to stop.
use super::{app::App, front::Front, routes};
use axum::Router;
use icn_serve::http::take_connections;
use std::future::pending;
use tokio::{net::TcpListener, sync::watch};

/// Serves a node until `stopping` says true, or its sender is gone; then ends streams, and returns when the last
/// request is answered. How long that may take is the caller's to bound.
pub(crate) async fn serve(listener: TcpListener, app: App, mut stopping: watch::Receiver<bool>) {
    let router = routes::router(app.clone());
    let stop = async {
        // Fails when the sender is gone, which says the same.
        let _ = stopping.wait_for(|stop| *stop).await;
        app.front.closing.send_replace(true);
    };
    with_tls(&listener, router, &app.front, stop).await;
}

/// Serves `router` until `stop` ends, encrypted if there is a certificate.
pub(super) async fn with_tls(
    listener: &TcpListener,
    router: Router,
    front: &Front,
    stop: impl Future<Output = ()>,
) {
    let tls = front.access.tls.as_deref();
    match tls.map(|tls| || tls.acceptor()) {
        Some(acceptor) => take_connections(listener, router, Some(&acceptor), stop).await,
        None => take_connections(listener, router, None, stop).await,
    }
}

/// Serves what a node has to say before it is in operation, on its listener and, if there is one, on that for metrics,
/// until `over` ends.
pub(super) async fn before_operation(
    (listener, router): (&TcpListener, Router),
    (metrics_listener, scraped): (Option<&TcpListener>, Router),
    front: &Front,
    over: impl Future<Output = ()>,
) {
    let serve_metrics = async {
        if let Some(listener) = metrics_listener {
            take_connections(listener, scraped, None, pending()).await;
        }
        pending().await
    };
    tokio::select! {
        () = with_tls(listener, router, front, over) => {}
        () = serve_metrics => {}
    }
}
