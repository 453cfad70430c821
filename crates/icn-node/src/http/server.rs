//! The server: takes connections, a bounded number of them and none that dawdles, and drains at the end.
use super::{app::App, routes};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

/// Connections that are open at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 2_048;
/// Until when the head of a request must be there, also of the next one on a kept connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// After a failure to take a connection (usually no descriptor is free).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves a node until `stopping` says true, or its sender is gone; then ends streams, and returns when the last
/// request is answered. How long that may take is the caller's to bound.
pub(crate) async fn serve(listener: TcpListener, app: App, mut stopping: watch::Receiver<bool>) {
    let router = routes::router(app.clone());
    let stop = async {
        // Fails when the sender is gone, which says the same.
        let _ = stopping.wait_for(|stop| *stop).await;
        app.front.closing.send_replace(true);
    };
    take_connections(&listener, router, stop).await;
}

/// Serves `router` until `stop` ends, and returns when the last request is answered.
pub(super) async fn take_connections(listener: &TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(listener, &slots) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, slot)) = accepted else { continue };
        let service = TowerToHyperService::new(router.clone());
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an HTTP connection broke off");
            }
            drop(slot);
        });
    }
    graceful.shutdown().await;
}

async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            // Answers are small, and the next request waits for them.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "cannot set TCP_NODELAY");
            }
            Some((stream, slot))
        }
        Err(error) => {
            tracing::warn!(%error, "cannot take an HTTP connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}
