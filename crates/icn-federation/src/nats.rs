//! The connection to NATS: heartbeats come in, news go out. It comes and goes; the service does not.
//!
//! What has waited somewhere on its way is not taken for fresh: the service sends itself a probe over the same
//! connection, and when it cannot keep up, or stood still, heartbeats count from when the last probe was sent that came
//! back and was followed by an empty queue. So a backlog never makes the dead look alive.
use crate::{core::Core, hearing::Part, ingest, moment::Moment, store::Store};
use anyhow::Context as _;
use async_nats::{Client, ConnectOptions, Event, HeaderMap, Subscriber};
use futures::{FutureExt as _, StreamExt as _};
use icn_api::presence::SUBJECT_PREFIX;
use icn_model::{Millis, Time};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// Replicas share what comes in.
const QUEUE_GROUP: &str = "icn-federation";
/// Heartbeats that wait in memory; beyond, they are dropped and counted.
const QUEUE: usize = 131_072;
/// How often a probe is sent.
const PROBE: Duration = Duration::from_millis(250);
/// A probe that is older says that there is a backlog.
const BACKLOG: Millis = Millis::from_secs(1);
/// Most time between two tries to connect.
const MAX_RETRY: Duration = Duration::from_secs(2);
/// How often the server is asked whether it is there.
const PING: Duration = Duration::from_secs(2);
/// Heartbeats after which other tasks have their turn.
const TURN: usize = 512;
/// News that are published at once.
const NEWS_AT_ONCE: i64 = 1_000;
/// How long is waited after news could not be told.
const PAUSE: Duration = Duration::from_secs(1);
/// Names a message, so that it counts once, however often it was sent.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// How NATS is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nats {
    /// `nats://…` or `tls://…`; several with commas between them.
    pub url: String,
    /// File with credentials.
    pub credentials: Option<PathBuf>,
    /// Certificates that servers are to be signed by, beside the system's.
    pub ca: Option<PathBuf>,
    /// Whether a connection has to be encrypted.
    pub require_tls: bool,
}

/// What a change of a project is on the wire.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    /// Its number.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) slug: &'a str,
    /// What it was; absent for one that was registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) was: Option<&'static str>,
    /// What it is; absent for one that was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<&'static str>,
    /// Why.
    pub(crate) cause: &'static str,
    /// When.
    pub(crate) at: Moment,
}

impl<'a> From<&'a crate::store::Item> for Told<'a> {
    fn from(item: &'a crate::store::Item) -> Self {
        Self {
            id: item.id,
            slug: &item.slug,
            was: item.was.map(crate::liveness::Status::name),
            status: item.status.map(crate::liveness::Status::name),
            cause: item.cause.name(),
            at: item.at.into(),
        }
    }
}

/// Connects, now or when there is somebody to connect to.
///
/// # Errors
/// If the configuration cannot be used; a server that is not there is none.
pub(crate) async fn connect(nats: &Nats, core: Arc<Core>) -> anyhow::Result<Client> {
    let mut options = match &nats.credentials {
        None => ConnectOptions::new(),
        Some(path) => ConnectOptions::with_credentials_file(path)
            .await
            .with_context(|| format!("nats.credentials: cannot use {}", path.display()))?,
    };
    if let Some(path) = &nats.ca {
        options = options.add_root_certificates(path.clone());
    }
    let addresses: Vec<async_nats::ServerAddr> = nats
        .url
        .split(',')
        .map(|url| url.trim().parse())
        .collect::<Result<_, _>>()
        .context("nats.url")?;
    // The library leaves what stands before the host to whoever calls it.
    if let Some(address) = addresses.iter().find(|address| address.has_user_pass()) {
        let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let user = plain(address.username().unwrap_or_default());
        options = match address.password() {
            Some(password) => options.user_and_password(user, plain(password)),
            None => options.token(user),
        };
    }
    let shown = icn_serve::config::without_password(&nats.url);
    options
        .name("icn-federation")
        .require_tls(nats.require_tls)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            let factor = u32::try_from(attempts.min(8)).unwrap_or(8);
            MAX_RETRY.min(Duration::from_millis(25) * 2_u32.pow(factor))
        })
        .ping_interval(PING)
        .subscription_capacity(QUEUE)
        .event_callback(move |event| {
            let (core, shown) = (core.clone(), shown.clone());
            async move { note(&core, &event, &shown) }
        })
        .connect(addresses)
        .await
        .context("nats.url")
}

/// Something has happened to the connection.
fn note(core: &Core, event: &Event, url: &str) {
    let now = core.clock.now();
    match event {
        Event::Connected => {
            core.ears.set(Part::Nats, true, now);
            tracing::info!(url, "connected to NATS");
        }
        Event::Disconnected | Event::Closed => {
            if core.ears.set(Part::Nats, false, now) {
                tracing::error!(
                    url,
                    "NATS is away: heartbeats over it are not heard until it is back"
                );
            }
        }
        Event::SlowConsumer(_) => {
            core.metrics.overrun.inc();
            // What was thrown away may have been the only heartbeat of somebody.
            core.ears.interrupt(now);
        }
        other => tracing::debug!(event = %other, "NATS"),
    }
}

/// Takes in heartbeats for as long as it is run.
pub(crate) async fn listen(client: Client, core: Arc<Core>) -> anyhow::Result<()> {
    core.loaded().await;
    let subject = format!("{SUBJECT_PREFIX}*");
    let beats = client
        .queue_subscribe(subject, QUEUE_GROUP.into())
        .await
        .context("cannot subscribe to heartbeats")?;
    let inbox = client.new_inbox();
    let probes = client
        .subscribe(inbox.clone())
        .await
        .context("cannot subscribe to probes")?;
    let proven = Arc::new(AtomicU64::new(core.clock.now().get()));
    tokio::join!(
        send_probes(client, inbox, core.clone()),
        take_probes(probes, proven.clone(), core.clone()),
        take_beats(beats, proven, core),
    );
    Ok(())
}

async fn send_probes(client: Client, inbox: String, core: Arc<Core>) {
    loop {
        tokio::time::sleep(PROBE).await;
        if core.ears.nats() == Some(true) {
            let now = core.clock.now().get().to_string();
            if let Err(error) = client.publish(inbox.clone(), now.into()).await {
                tracing::debug!(%error, "a probe was not sent");
            }
        }
    }
}

async fn take_probes(mut probes: Subscriber, proven: Arc<AtomicU64>, core: Arc<Core>) {
    while let Some(probe) = probes.next().await {
        let sent = std::str::from_utf8(&probe.payload)
            .ok()
            .and_then(|text| text.parse().ok());
        if let Some(sent) = sent {
            proven.fetch_max(sent, Ordering::AcqRel);
            core.metrics.lag(core.clock.now().since(Time::new(sent)));
        }
    }
}

async fn take_beats(mut beats: Subscriber, proven: Arc<AtomicU64>, core: Arc<Core>) {
    // No earlier than then has what is taken now arrived.
    let mut floor = core.clock.now();
    let mut taken = 0;
    loop {
        let message = match beats.next().now_or_never() {
            Some(message) => message,
            None => {
                let message = beats.next().await;
                // The queue was empty: all that came before the last probe has been taken.
                floor = Time::new(proven.load(Ordering::Acquire));
                message
            }
        };
        let Some(message) = message else {
            // The client is gone, and with it the service.
            return;
        };
        let now = core.clock.now();
        let at = if now.since(floor) > BACKLOG { floor } else { now };
        let heard = ingest::slug_of(&message.subject)
            .and_then(|slug| ingest::hear(&core, slug, &message.payload, at).map(drop));
        if let Err(reason) = heard {
            tracing::debug!(%reason, subject = %crate::catalog::shortened(&message.subject), "a heartbeat does not count");
        }
        taken += 1;
        if taken % TURN == 0 {
            tokio::task::yield_now().await;
        }
    }
}

/// Tells over NATS what has been committed, for as long as it is run: each change once, or more often under the same
/// id if it is not known whether it was told.
pub(crate) async fn tell(client: Client, core: Arc<Core>, store: Store, mut more: watch::Receiver<i64>) {
    loop {
        if core.is_keeper()
            && core.ears.nats() == Some(true)
            && let Err(error) = tell_some(&client, &core, &store).await
        {
            tracing::debug!(error = format!("{error:#}"), "news could not be told over NATS");
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        let changed = tokio::time::timeout(PAUSE, more.changed()).await;
        if matches!(changed, Ok(Err(_))) {
            return;
        }
    }
}

async fn tell_some(client: &Client, core: &Core, store: &Store) -> anyhow::Result<()> {
    loop {
        let news = store.news_after(store.told().await?, NEWS_AT_ONCE).await?;
        let Some(last) = news.last().map(|item| item.id) else {
            return Ok(());
        };
        for item in &news {
            let mut headers = HeaderMap::new();
            headers.insert(MESSAGE_ID, item.id.to_string());
            let subject = format!("fed.project.{}.status", item.slug);
            let payload = serde_json::to_vec(&Told::from(item))?;
            client
                .publish_with_headers(subject, headers, payload.into())
                .await?;
            core.metrics.published.inc();
        }
        client.flush().await?;
        store.set_told(last).await?;
    }
}
