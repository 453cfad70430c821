//! Puts the parts together, runs them, and ends them in an order in which nothing is lost.
use crate::{
    clock::Clock,
    config::Config,
    core::Core,
    http::{self, App, Parts},
    judge::Judge,
    keys::{Keys, Made, Scope, Wanted},
    liveness::Rules,
    nats,
    store::Store,
    sync::CatalogFile,
    webhooks,
    writer::Writer,
};
use anyhow::Context as _;
use icn_serve::{http::take_connections, supervisor};
use std::{io::Write as _, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, signal::unix, sync::watch};

/// How long the database is waited for before requests are refused.
const START: Duration = Duration::from_secs(2);
/// How long requests that are being answered may take when the service ends.
const DRAIN: Duration = Duration::from_secs(10);
/// How long the last write may take.
const LAST_WRITE: Duration = Duration::from_secs(10);
/// What the first key is called.
const FIRST_KEY: &str = "first";

/// Runs the service until it is told to end.
///
/// # Errors
/// If the configuration, the catalog's file or the address cannot be used. A database or a NATS server that is not there
/// is no error.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let file = config.catalog_file().map(CatalogFile::open).transpose()?;
    let address = SocketAddr::new(config.server.host, config.server.port);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (server.host, server.port)"))?;
    let address = listener.local_addr()?;
    let place = config.place()?;
    if config.database.url.is_none() {
        let directory = &config.server.data_dir;
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {} (server.data_dir)", directory.display()))?;
    }
    let clock = Clock::default();
    let store = place.open(config.database.max_connections, replica()?)?;
    let rules = Rules {
        threshold: config.threshold(),
    };
    let core = Core::new(clock.clone(), rules, config.nats.url.is_some());
    let keys = Keys::new(clock, &config.auth.api_keys);
    tracing::info!(database = place.shown(), %address, "the Federation Service starts");

    let (stop, stopping) = watch::channel(false);
    let (close, closing) = watch::channel(false);
    let more = Arc::new(watch::Sender::new(0));
    let writer = Writer::new(
        core.clone(),
        store.clone(),
        keys.clone(),
        config.retention(),
        more.clone(),
    );
    let writer = tokio::spawn(writer.run(stopping));
    let every = Duration::from_secs(config.heartbeat.stale_check_interval_seconds);
    tokio::spawn(Judge::new(core.clone(), every).run());
    tokio::spawn(webhooks::call(
        core.clone(),
        store.clone(),
        config.webhooks.allow_private,
        more.subscribe(),
    ));
    let nats_url = start_nats(&config, &core, &store, &more).await?;
    if let Some(file) = file {
        let hangup = unix::signal(unix::SignalKind::hangup())?;
        tokio::spawn(file.follow(core.clone(), store.clone(), hangup));
    }
    // Whoever asks as soon as it listens is answered. A database that is away is not waited for.
    let is_there = tokio::time::timeout(START, core.loaded()).await.is_ok();
    say(format_args!("listening on http://{address}"));
    supervisor::ready();
    tokio::spawn(supervisor::keep_alive());
    if !is_there {
        tracing::warn!("the database has not answered yet: requests are refused until it does");
    }
    tokio::spawn(first_key(core.clone(), store.clone(), keys.clone()));

    let app = App::new(Parts {
        core,
        store: store.clone(),
        keys,
        nats_url,
        page: config.page.clone(),
        names_projects: config.metrics.per_project,
        hooks_may_be_private: config.webhooks.allow_private,
        closing,
    });
    let stopped = async {
        ended().await;
        tracing::info!("the service ends");
        supervisor::stopping();
        // Streams end, and with them the requests that would never.
        close.send_replace(true);
    };
    let (told, is_told) = tokio::sync::oneshot::channel();
    let serving = async {
        take_connections(&listener, http::router(app), None, async {
            stopped.await;
            // Nobody else listens.
            let _ = told.send(());
        })
        .await;
    };
    let bounded = async {
        // Fails when serving has ended already.
        let _ = is_told.await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        () = serving => {}
        () = bounded => tracing::warn!("requests that were still being answered are cut off"),
    }
    stop.send_replace(true);
    if tokio::time::timeout(LAST_WRITE, writer).await.is_err() {
        tracing::error!("the database did not take the last heartbeats");
    }
    store.close().await;
    Ok(())
}

/// Connects to NATS, if it is used; answers where, without the password.
async fn start_nats(
    config: &Config,
    core: &Arc<Core>,
    store: &Store,
    more: &watch::Sender<i64>,
) -> anyhow::Result<Option<String>> {
    let Some(nats) = config.nats() else {
        tracing::info!("nats.url is not set: heartbeats come over HTTP only");
        return Ok(None);
    };
    let client = nats::connect(&nats, core.clone()).await?;
    let listening = nats::listen(client.clone(), core.clone());
    tokio::spawn(async move {
        if let Err(error) = listening.await {
            tracing::error!(error = format!("{error:#}"), "heartbeats over NATS are not heard");
        }
    });
    tokio::spawn(nats::tell(client, core.clone(), store.clone(), more.subscribe()));
    Ok(Some(icn_serve::config::without_password(&nats.url)))
}

/// Makes the first key, where nobody could administer the service otherwise, and prints it once.
async fn first_key(core: Arc<Core>, store: Store, keys: Arc<Keys>) {
    core.loaded().await;
    if keys.has_admin() {
        return;
    }
    let Ok(name) = FIRST_KEY.parse() else { return };
    let wanted = Wanted {
        name,
        scope: Scope::Admin,
        expires: None,
    };
    let added = async {
        let made = Made::new(&wanted, core.clock.now(), "(first start)")?;
        // Of several replicas one makes it.
        let is_ours = store.add_key(&made.stored).await?;
        keys.load(&store).await?;
        anyhow::Ok(is_ours.then_some(made.secret))
    };
    match added.await {
        Ok(Some(secret)) => say(format_args!(
            "the key {FIRST_KEY}, good for everything and shown this once: {secret}"
        )),
        Ok(None) => {}
        Err(error) => tracing::error!(error = format!("{error:#}"), "no first key could be made"),
    }
}

/// Tells whoever started the program; where nobody listens any more, nothing is lost.
fn say(text: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Waits for a signal to end.
async fn ended() {
    let terminate = unix::signal(unix::SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

/// A name for this run of this replica.
fn replica() -> anyhow::Result<i64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the system gives no randomness: {error}"))?;
    // Not negative, and not zero, which is nobody.
    Ok((i64::from_le_bytes(bytes) & i64::MAX).max(1))
}
