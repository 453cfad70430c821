//! Where the node listens: at the addresses that are set, or at the first free one after each default.
use crate::config::{self, Config};
use anyhow::Context as _;
use std::net::{SocketAddr, TcpListener as StdListener};
use tokio::net::TcpListener;

/// Ports that are tried after the default one.
const NEXT_PORTS: u16 = 200;

/// The default address, or the next one whose port is free.
pub(crate) fn free_port(default: SocketAddr) -> anyhow::Result<SocketAddr> {
    Ok(listen_from(default)?.local_addr()?)
}

/// Listens on the default address, or on the next one whose port is free.
fn listen_from(default: SocketAddr) -> anyhow::Result<StdListener> {
    let mut ports = (default.port()..)
        .take(usize::from(NEXT_PORTS))
        .map(|port| SocketAddr::new(default.ip(), port));
    ports
        .find_map(|address| StdListener::bind(address).ok())
        .with_context(|| {
            format!("no port from {default} on is free for the {NEXT_PORTS} next: set the address")
        })
}

/// As [`listen_from`], for tokio.
fn listen_next(default: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = listen_from(default)?;
    listener.set_nonblocking(true)?;
    Ok(TcpListener::from_std(listener)?)
}

/// The listener of the metrics; none where they are not wanted.
pub(crate) async fn for_metrics(config: &Config) -> anyhow::Result<Option<TcpListener>> {
    let settings = &config.monitoring;
    if !settings.metrics_enabled {
        return Ok(None);
    }
    let Some(address) = settings.metrics_bind_addr else {
        return listen_next(config::DEFAULT_METRICS).map(Some);
    };
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} for metrics: choose another monitoring.metrics_bind_addr, or stop what uses it")
    })?;
    Ok(Some(listener))
}

/// The interface's listener.
pub(crate) async fn for_http(config: &Config) -> anyhow::Result<TcpListener> {
    let Some(address) = config.network.http_listen_addr else {
        return listen_next(config::DEFAULT_HTTP);
    };
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} for HTTP: choose another network.http_listen_addr, or stop what uses it")
    })
}
