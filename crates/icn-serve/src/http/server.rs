//! The server: takes connections, a bounded number of them and none that dawdles, speaks TLS where there is a
//! certificate, and drains at the end.
use axum::{Router, extract::Request};
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_rustls::TlsAcceptor;

/// Connections that are open at once; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 2_048;
/// Until when the head of a request must be there, also of the next one on a kept connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Until when a connection must be encrypted.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest head of a request.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// After a failure to take a connection (usually no descriptor is free).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The first byte of whoever speaks TLS.
const TLS_HANDSHAKE: u8 = 22;
/// What whoever speaks plain HTTP to an encrypted interface is told.
const NOT_ENCRYPTED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\
                             content-length: 50\r\n\r\nthis server speaks HTTPS: say https:// to reach it";

/// The other end of a request's connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Begins the encryption of a connection with what is in use then.
pub type Tls<'a> = &'a (dyn Fn() -> TlsAcceptor + Sync);

/// Serves `router` until `stop` ends, with TLS if there is `tls`, and returns when the last request is answered. How long
/// that may take is the caller's to bound.
pub async fn take_connections(
    listener: &TcpListener,
    router: Router,
    tls: Option<Tls<'_>>,
    stop: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = accept(listener, &slots) => accepted,
            () = &mut stop => break,
        };
        let Some((stream, peer, slot)) = accepted else {
            continue;
        };
        let (router, watcher) = (router.clone(), graceful.watcher());
        let acceptor = tls.map(|acceptor| acceptor());
        tokio::spawn(async move {
            match acceptor {
                None => converse(stream, peer, router, watcher).await,
                Some(acceptor) => match encrypt(stream, acceptor).await {
                    Ok(stream) => converse(stream, peer, router, watcher).await,
                    Err(error) => tracing::debug!(%error, "a connection was not encrypted"),
                },
            }
            drop(slot);
        });
    }
    graceful.shutdown().await;
}

/// Answers the requests of one connection.
async fn converse<S>(stream: S, peer: Peer, router: Router, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        inner.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "an HTTP connection broke off");
    }
}

async fn encrypt(
    mut stream: TcpStream,
    acceptor: TlsAcceptor,
) -> std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 1 && first[0] != TLS_HANDSHAKE {
            // What is not read would make the system throw the answer away.
            let _ = stream.read(&mut [0; 4_096]).await?;
            stream.write_all(NOT_ENCRYPTED.as_bytes()).await?;
            stream.shutdown().await?;
            return Err(std::io::Error::other("the caller speaks plain HTTP"));
        }
        acceptor.accept(stream).await
    };
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
        Ok(encrypted) => encrypted,
        Err(late) => Err(late.into()),
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let slot = slots.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are small, and the next request waits for them.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "cannot set TCP_NODELAY");
            }
            Some((stream, Peer(peer.ip()), slot))
        }
        Err(error) => {
            tracing::warn!(%error, "cannot take an HTTP connection");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_is_as_long_as_it_says() {
        let (head, body) = NOT_ENCRYPTED.split_once("\r\n\r\n").unwrap();
        assert!(
            head.ends_with(&format!("content-length: {}", body.len())),
            "{}",
            body.len()
        );
    }
}
