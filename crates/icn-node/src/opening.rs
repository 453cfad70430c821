//! Opening the store: at once, or, where it is a server's that cannot be reached, as soon as it can.
use crate::http::{Front, starting};
use anyhow::Context as _;
use icn_store::{Location, OpenError, Store, StoreConfig};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch};

/// How long to wait before a store that cannot be reached is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What came of opening a store.
pub(crate) enum Opened {
    /// It is open.
    Store(Store),
    /// Its server cannot be reached, which may pass; why.
    Away(String),
}

/// Opens a store, or says why its server cannot be reached.
///
/// # Errors
/// What no waiting mends: its settings, its format, another process that has it open.
pub(crate) async fn open(location: &Location) -> anyhow::Result<Opened> {
    let opened = {
        let location = location.clone();
        tokio::task::spawn_blocking(move || icn_store::open(&location)).await?
    };
    if let Err(error @ OpenError::Unreachable { .. }) = opened {
        return Ok(Opened::Away(format!("{:#}", anyhow::Error::from(error))));
    }
    let backend =
        opened.with_context(|| format!("cannot open the {} store in {location}", location.kind()))?;
    Ok(Opened::Store(Store::threaded(backend, StoreConfig::default())?))
}

/// Opens a store whose server is away as soon as it is there. Until then the interface, on the node's listener and that for
/// metrics, says `why` it is not.
///
/// # Errors
/// As of [`open`].
pub(crate) async fn reach(
    location: &Location,
    why: String,
    (listener, metrics): (&TcpListener, Option<&TcpListener>),
    front: &Arc<Front>,
    tells_metrics: bool,
) -> anyhow::Result<Store> {
    tracing::warn!(%why, "the store cannot be reached: the node starts when it can");
    let (tell, why) = watch::channel(why);
    let opened = async {
        loop {
            tokio::time::sleep(RETRY).await;
            match open(location).await? {
                Opened::Store(store) => return anyhow::Ok(store),
                Opened::Away(why) => {
                    tracing::debug!(%why, "the store still cannot be reached");
                    tell.send_replace(why);
                }
            }
        }
    };
    let store = starting::serve(listener, metrics, front.clone(), tells_metrics, why, opened).await;
    let store = store.context("the interface ended before the store could be reached")??;
    tracing::info!("the store can be reached: starting");
    Ok(store)
}
