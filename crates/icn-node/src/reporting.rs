//! Reports to a Federation Service (`[federation]`): a heartbeat every interval, over NATS or over HTTP, and one more to
//! take leave.
//!
//! Nothing of the node waits for it, and nothing fails with it: what went wrong is said once in the log, counted, and a
//! warning of `/status` until it is mended.
mod log;
#[cfg(feature = "nats")]
mod nats;
#[cfg(not(feature = "nats"))]
#[path = "reporting/no_nats.rs"]
mod nats;

pub(crate) use log::{Failing, Reports};

use crate::config::Reporting;
use anyhow::Context as _;
use icn_api::{
    client::{Client, ClientConfig, ClientError},
    presence::{Details, Heartbeat, MAX_SLUG_BYTES, Project, SelfStatus, Slug},
};
use icn_model::Callee;
use icn_protocol::observations::Observer;
use icn_serve::{
    clock::{now, rfc3339},
    config::without_password,
};
use log::Said;
use nats::Nats;
use std::{sync::Arc, thread, time::Duration};
use tokio::sync::{oneshot, watch};

/// Until when a service must have answered.
const ANSWER_TIMEOUT_MS: u64 = 10_000;
/// What leave-taking may add to the end of a node.
pub(crate) const LEAVE: Duration = Duration::from_secs(2);
/// Pause after the first failure, doubled with each that follows, up to the interval.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A NOT FOUND, with which a service answers who is not registered.
const UNKNOWN_PROJECT: u16 = 404;

/// How the node is at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vitals {
    /// Whether it can serve.
    pub(crate) ready: bool,
    /// The last block that is final and executed here.
    pub(crate) height: u64,
    /// Connected nodes.
    pub(crate) peers: u64,
}

/// Tells a Federation Service that the node is there.
pub(crate) struct Reporter {
    project: Arc<Project>,
    boot_id: String,
    sequence: u64,
    interval: Duration,
    way: Way,
    reports: Reports,
    observer: Observer,
}

/// How the service is reached.
struct Way {
    http: Option<Client>,
    nats: Option<Nats>,
    /// Whether the service has taken a heartbeat over HTTP, so that it knows the project.
    introduced: bool,
    /// Whether this run has registered the project: who is taken off the list after that stays off it.
    registered: bool,
}

impl Reporter {
    /// For a node that is called `name` and is reached at `url`; none where nothing is to be reported. `observer` is told
    /// when the service is left alone.
    ///
    /// # Errors
    /// If an address of the service is none, or there is no randomness.
    pub(crate) fn new(
        config: &Reporting,
        name: &str,
        url: &str,
        reports: Reports,
        observer: Observer,
    ) -> anyhow::Result<Option<Self>> {
        if !config.enabled {
            return Ok(None);
        }
        let name = config
            .name
            .as_ref()
            .map_or_else(|| name.to_owned(), ToString::to_string);
        let slug = match &config.slug {
            Some(slug) => slug.clone(),
            None => slug_of(&name).context(
                "federation.slug: none can be made of the node's name: set one, of lower-case letters and digits",
            )?,
        };
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        Ok(Some(Self {
            project: Arc::new(Project {
                mesh_namespace: config.mesh_namespace.clone().unwrap_or_else(|| slug.namespace()),
                hub_url: config.hub_url.clone().unwrap_or_else(|| url.to_owned()),
                project_slug: slug,
                name,
            }),
            boot_id: random.iter().map(|byte| format!("{byte:02x}")).collect(),
            sequence: 0,
            interval: Duration::from_secs(config.interval),
            way: Way::new(config)?,
            reports,
            observer,
        }))
    }

    /// Reports until `stopping` says true, or its sender is gone; then takes leave. `look` may block.
    pub(crate) async fn run(
        mut self,
        look: impl Fn() -> Vitals + Clone + Send + 'static,
        mut stopping: watch::Receiver<bool>,
    ) {
        tracing::info!(
            slug = %self.project.project_slug,
            to = self.way.place(),
            interval_secs = self.interval.as_secs(),
            "reporting to a Federation Service"
        );
        let mut failures: u32 = 0;
        loop {
            let pause = async {
                // A circuit that is open costs the beat, as a try that fails would.
                failures = if self.reports.admits() && self.report(look.clone()).await {
                    0
                } else {
                    failures.saturating_add(1)
                };
                tokio::time::sleep(pause(self.interval, failures, random())).await;
            };
            tokio::select! {
                // Fails when the sender is gone, which says the same.
                _ = stopping.wait_for(|stop| *stop) => break,
                () = pause => {}
            }
        }
        self.leave().await;
    }

    /// One heartbeat, of whose outcome is said what is new; says whether it arrived.
    async fn report(&mut self, look: impl Fn() -> Vitals + Send + 'static) -> bool {
        // It reads the store.
        let vitals = tokio::task::spawn_blocking(look).await.ok();
        let ready = vitals.is_some_and(|vitals| vitals.ready);
        let status = if ready {
            SelfStatus::Online
        } else {
            SelfStatus::Degraded
        };
        let heartbeat = self.heartbeat(status, vitals);
        let told = self.way.tell(heartbeat, &self.project).await;
        let arrived = told.is_ok();
        if let Some(turn) = self.reports.turn(arrived) {
            self.observer.circuit(Callee::FederationService, turn);
        }
        match self.reports.note(told) {
            Said::Nothing => {}
            Said::Failing(error) => {
                tracing::warn!(
                    error,
                    to = self.way.place(),
                    "cannot report to the Federation Service"
                );
            }
            Said::Mended => tracing::info!(
                to = self.way.place(),
                "the Federation Service takes reports again"
            ),
        }
        arrived
    }

    /// The last heartbeat. Who does not hear of it will notice the silence.
    async fn leave(mut self) {
        let heartbeat = self.heartbeat(SelfStatus::Offline, None);
        match tokio::time::timeout(LEAVE, self.way.take_leave(heartbeat)).await {
            Ok(Ok(())) => tracing::debug!("told the Federation Service that this node stops"),
            Ok(Err(error)) => {
                tracing::debug!(error, "the Federation Service was not told that this node stops")
            }
            Err(_) => tracing::debug!("the Federation Service did not answer that this node stops"),
        }
    }

    fn heartbeat(&mut self, status: SelfStatus, vitals: Option<Vitals>) -> Heartbeat {
        self.sequence = self.sequence.saturating_add(1);
        let Project {
            project_slug,
            mesh_namespace,
            hub_url,
            ..
        } = &*self.project;
        Heartbeat {
            project_slug: project_slug.clone(),
            mesh_namespace: Some(mesh_namespace.clone()),
            hub_url: Some(hub_url.clone()),
            status,
            timestamp: Some(rfc3339(now())),
            sequence: Some(self.sequence),
            boot_id: Some(self.boot_id.clone()),
            signature: None,
            details: Some(Details {
                height: vitals.map(|vitals| vitals.height),
                peers: vitals.map(|vitals| vitals.peers),
                version: Some(env!("CARGO_PKG_VERSION").into()),
            }),
        }
    }
}

impl Way {
    fn new(config: &Reporting) -> anyhow::Result<Self> {
        let http = config.url.as_ref().map(|url| {
            Client::new(ClientConfig {
                api_key: config.api_key.clone(),
                timeout_ms: ANSWER_TIMEOUT_MS,
                // The next heartbeat comes by itself.
                retries: 0,
                ..ClientConfig::new(url)
            })
        });
        let nats = config.nats_url.as_deref().map(Nats::new);
        Ok(Self {
            http: http.transpose().context("federation.url")?,
            nats: nats
                .transpose()
                .map_err(anyhow::Error::msg)
                .context("federation.nats_url")?,
            introduced: false,
            registered: false,
        })
    }

    /// Where reports go, without what is secret in it.
    fn place(&self) -> String {
        match (&self.nats, &self.http) {
            (Some(nats), _) => nats.place().to_owned(),
            (None, Some(http)) => without_password(http.base_url()),
            (None, None) => String::new(),
        }
    }

    /// Sends a heartbeat. Over NATS nobody answers that a project is unknown, so where there is HTTP, too, the first one
    /// goes that way.
    async fn tell(&mut self, heartbeat: Heartbeat, project: &Arc<Project>) -> Result<(), String> {
        let project = (!self.registered).then(|| project.clone());
        if self.nats.is_none() || !self.introduced {
            match (self.over_http(&heartbeat, project).await, &self.nats) {
                (Some(Ok(registered)), _) => {
                    self.introduced = true;
                    self.registered |= registered;
                    return Ok(());
                }
                (Some(Err(error)), None) => return Err(error),
                (Some(Err(error)), Some(_)) => {
                    tracing::debug!(error, "not introduced to the Federation Service over HTTP yet");
                }
                (None, _) => {}
            }
        }
        self.over_nats(&heartbeat).await
    }

    /// Sends the last heartbeat, by the way on which those before it went.
    async fn take_leave(&mut self, heartbeat: Heartbeat) -> Result<(), String> {
        if self.nats.is_some() {
            return self.over_nats(&heartbeat).await;
        }
        self.over_http(&heartbeat, None)
            .await
            .map_or(Ok(()), |told| told.map(drop))
    }

    async fn over_nats(&mut self, heartbeat: &Heartbeat) -> Result<(), String> {
        let Some(nats) = &mut self.nats else {
            return Ok(());
        };
        let payload = serde_json::to_vec(heartbeat).map_err(|error| error.to_string())?;
        nats.publish(heartbeat.subject(), payload).await
    }

    /// Whether the project was registered on the way; none where there is no HTTP.
    async fn over_http(
        &self,
        heartbeat: &Heartbeat,
        project: Option<Arc<Project>>,
    ) -> Option<Result<bool, String>> {
        let (client, heartbeat) = (self.http.clone()?, heartbeat.clone());
        let (answer, answered) = oneshot::channel();
        // On a thread of its own: the runtime waits for its blocking tasks when it ends, however long a service takes.
        let spawned = thread::Builder::new().name("reports".into()).spawn(move || {
            // Fails when the node has ended.
            let _ = answer.send(beat(&client, &heartbeat, project.as_deref()));
        });
        if let Err(error) = spawned {
            return Some(Err(format!("no thread for it: {error}")));
        }
        Some(match answered.await {
            Ok(told) => told.map_err(|error| format!("{:#}", anyhow::Error::from(error))),
            Err(_) => Err("the thread that reports failed".into()),
        })
    }
}

/// Beats, and registers `project` if it is not known; says whether it did.
fn beat(client: &Client, heartbeat: &Heartbeat, project: Option<&Project>) -> Result<bool, ClientError> {
    match (client.beat(heartbeat), project) {
        (Err(error), Some(project)) if error.status() == Some(UNKNOWN_PROJECT) => {
            client.register(project)?;
            client.beat(heartbeat)?;
            Ok(true)
        }
        (told, _) => told.map(|()| false),
    }
}

/// A slug from a name: its ASCII letters and digits, with a hyphen for what is between them.
fn slug_of(name: &str) -> Option<Slug> {
    let mut slug = String::new();
    let words = name.split(|char: char| !char.is_ascii_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    slug.truncate(MAX_SLUG_BYTES);
    slug.trim_end_matches('-').parse().ok()
}

/// How long to wait after so many failures in a row: never longer than the interval, so that a service that is back
/// hears of the node before it gives it up; and not the same for all nodes, which would come at once otherwise.
fn pause(interval: Duration, failures: u32, random: u32) -> Duration {
    let (longest, spread) = match failures {
        0 => (interval, 0.1),
        failures => {
            let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures - 1));
            (doubled.min(interval), 0.5)
        }
    };
    longest.mul_f64(1.0 - spread * f64::from(random) / f64::from(u32::MAX))
}

fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness the nodes come at once.
    let _ = getrandom::fill(&mut bytes);
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_come_from_names() {
        let of = |name: &str| slug_of(name).map(String::from);
        assert_eq!(
            of("Bakery & Sons (Berlin)").as_deref(),
            Some("bakery-sons-berlin")
        );
        assert_eq!(of("  Café  7 ").as_deref(), Some("caf-7"));
        assert_eq!(of("Пекарня"), None);
        let long = of(&format!("{} b", "a".repeat(MAX_SLUG_BYTES - 1)));
        assert_eq!(long, Some("a".repeat(MAX_SLUG_BYTES - 1)));
    }

    #[test]
    fn pauses_grow_up_to_the_interval_and_differ() {
        let secs = |failures, random| pause(Duration::from_secs(30), failures, random).as_secs_f64();
        assert_eq!((secs(0, 0), secs(0, u32::MAX)), (30.0, 27.0));
        assert_eq!((secs(1, 0), secs(2, 0), secs(4, 0)), (1.0, 2.0, 8.0));
        assert_eq!((secs(6, 0), secs(u32::MAX, 0)), (30.0, 30.0));
        assert_eq!(secs(3, u32::MAX), 2.0);
    }
}
