//! The node looks at its own health, so that the log tells when it was lost and why, whether somebody asks or not.
use super::{app::App, status};
use crate::reporting::Vitals;
use icn_api::node::Ready;
use std::time::Duration;

/// Looks at every check of `/ready` each `interval`, and says in the log what has changed.
pub(crate) async fn watch(app: App, interval: Duration) {
    let mut was_ready = true;
    loop {
        tokio::time::sleep(interval).await;
        let looked = app.clone();
        // It reads the store.
        let Ok(Ready { ready, checks }) = tokio::task::spawn_blocking(move || status::ready(&looked)).await
        else {
            continue;
        };
        if ready != was_ready {
            if ready {
                tracing::info!("ready again");
            } else {
                let failed = checks.iter().filter(|check| !check.passed);
                let reasons: Vec<_> = failed
                    .map(|check| format!("{}: {}", check.name, check.reason))
                    .collect();
                tracing::warn!(reasons = reasons.join("; "), "not ready");
            }
            was_ready = ready;
        }
    }
}

/// How the node is, for those who watch over it from outside. Reads the store.
pub(crate) fn vitals(app: &App) -> Vitals {
    Vitals {
        ready: status::ready(app).ready,
        height: app.ledger().progress().height.get(),
        peers: app.inner.network.snapshot().peers.len() as u64,
    }
}
