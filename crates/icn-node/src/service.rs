//! The service: opens what it needs, starts network, protocol and HTTP interface, waits, drains.
use crate::{
    access::Access,
    announce::{announce, announce_away, announce_waiting, write_profile},
    backup::Backups,
    chores,
    config::{self, Config, Live},
    dag::{Dag, DagConfig},
    executor::Jobs,
    federation::{self, Membership},
    http::{
        self, App, AppInner, Front, LogEnd,
        waiting::{self, Waiting},
    },
    identity, listen,
    metrics::{JobMetrics, Tally},
    network,
    opening::{self, Opened},
    reload::Reloads,
    reporting::{self, Reporter, Reports},
    retention,
    succession::KeyRing,
};
use anyhow::{Context as _, bail};
use commonware_runtime::{Metrics as _, Supervisor as _, tokio::Context};
use icn_api::{Profile, StorePlace, TEST_MODE_KEY, config::ConfigChanged, node::Info};
use icn_model::{Did, Founder, Genesis, Millis, Name, PROTOCOL_VERSION, RoleKeys, SecretKey};
use icn_protocol::{
    credit::CreditConfig,
    market::MarketConfig,
    node::{self, Node, NodeConfig},
    time::now,
};
use icn_sandbox::{PolicyHost, Sandbox, SandboxConfig};
use icn_serve::{clock, log::Log, supervisor};
use icn_state::Engine;
use icn_store::{BackendKind, Location, Store};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, signal::unix, sync::watch};

pub use crate::federation::Founding;

/// What running jobs and open requests get to end in.
const DRAIN: Duration = Duration::from_secs(10);
/// Prefix of the consensus journals.
const PARTITION: &str = "log";
/// Characters of its id that tell the journals of a log that continues another one from those of that.
const LOG_TAG: usize = 16;

/// What a node is told and who it is.
struct Origin {
    config: Config,
    live: Live,
    logging: Log,
    data_dir: PathBuf,
    /// The key that it runs with.
    key: SecretKey,
    keys: KeyRing,
}

/// A node that is configured and has an identity, and is not running yet.
pub struct Prepared {
    origin: Origin,
    founder: Founder,
    /// None while the node waits for an invitation.
    membership: Option<Membership>,
    api_key: String,
    /// Where test mode keeps its journals.
    scratch: Option<tempfile::TempDir>,
}

/// Finds or makes everything that a node needs before it runs.
///
/// # Errors
/// Says what is missing, and what to do about it.
pub fn prepare(live: Live, founding: Founding, logging: Log) -> anyhow::Result<Prepared> {
    let mut config = live.config();
    let scratch = if config.runtime.test_mode {
        config.storage.backend = Some(BackendKind::Memory);
        config.storage.connection_string = None;
        Some(tempfile::tempdir().context("cannot make a temporary directory for test mode")?)
    } else {
        None
    };
    let data_dir = scratch
        .as_ref()
        .map_or_else(|| config.storage.data_dir.clone(), |dir| dir.path().to_owned());
    std::fs::create_dir_all(&data_dir).with_context(|| format!("cannot create {}", data_dir.display()))?;
    if scratch.is_some() {
        live.keep_in(&data_dir);
    }
    let is_production = config.runtime.environment == config::Environment::Production;
    let key = identity::load_or_create(&config.identity, &data_dir, is_production)?;
    let keys = KeyRing::of(&config, &data_dir, &key)?;
    let did = keys.did();
    let name = match &config.identity.name {
        Some(name) => name.clone(),
        None => format!("cooperative {}", did.short()).parse::<Name>()?,
    };
    let founder = Founder {
        did,
        name,
        keys: RoleKeys::single(key.public()),
    };
    if let Some(expected) = &config.identity.node_did
        && *expected != did.to_string()
    {
        bail!(
            "identity.node_did is {expected}, and this is the node of {did}: put the right key in place, or take \
             node_did out"
        );
    }
    let parameters = federation::parameters(&config)?;
    let may_found = config.network.bootstrap_peers.is_empty();
    let membership = federation::resolve(&data_dir, &founding, &founder, parameters, may_found)?;
    let api_key = api_key(&config, &data_dir)?;
    config.check_key("api.api_key", &api_key)?;
    Ok(Prepared {
        origin: Origin {
            config,
            live,
            logging,
            data_dir,
            key,
            keys,
        },
        founder,
        membership,
        api_key,
        scratch,
    })
}

impl Prepared {
    /// Whose node it is.
    pub const fn did(&self) -> Did {
        self.origin.keys.did()
    }

    /// What is needed to start again.
    pub(crate) fn origin(&self) -> (Live, Log) {
        (self.origin.live.clone(), self.origin.logging.clone())
    }

    /// To listen where the node listened before.
    pub(crate) fn bind_again(&mut self, bound: Bound) {
        let config = &mut self.origin.config;
        config.network.http_listen_addr = Some(bound.http);
        config.network.p2p_listen_addr = bound.p2p.or(config.network.p2p_listen_addr.take());
        config.monitoring.metrics_bind_addr = bound.metrics.or(config.monitoring.metrics_bind_addr);
    }

    /// The directory of test mode, which has to outlive everything that runs: it goes with what is given.
    pub(crate) fn take_scratch(&mut self) -> Option<tempfile::TempDir> {
        self.scratch.take()
    }

    /// Where consensus keeps its votes and blocks.
    pub fn journal_dir(&self) -> PathBuf {
        self.origin.data_dir.join("journal")
    }
}

/// The key that is configured, was made before, or is made now.
fn api_key(config: &Config, data_dir: &Path) -> anyhow::Result<String> {
    if let Some(key) = &config.api.api_key {
        return Ok(key.clone());
    }
    if config.runtime.test_mode {
        return Ok(TEST_MODE_KEY.into());
    }
    let path = data_dir.join("cli.toml");
    if let Ok(text) = std::fs::read_to_string(&path) {
        let profile: Profile =
            toml::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        if let Some(key) = profile.api_key {
            return Ok(key);
        }
    }
    // A public key's text: 32 random bytes in an encoding that survives shells and headers.
    Ok(icn_api::keyfile::generate()?.public().to_string())
}

/// Where the store is, without secrets.
fn store_place(location: &Location) -> anyhow::Result<StorePlace> {
    let path = match location {
        Location::Directory { path, .. } => Some(std::path::absolute(path)?.display().to_string()),
        // Parameters may be what makes the connection safe, or a password: with them, the URL is the operator's to say.
        Location::Postgresql(settings) => (!settings.url.contains(['?', '#'])).then(|| settings.public_url()),
        _ => None,
    };
    Ok(StorePlace {
        backend: location.kind().name().into(),
        path,
    })
}

/// Where a node listens.
pub(crate) struct Bound {
    http: SocketAddr,
    p2p: Option<String>,
    metrics: Option<SocketAddr>,
}

/// How a node came to its end.
pub(crate) enum Ended {
    /// It was told to stop.
    Stopped,
    /// Its seat has another key, with which it has to start again, in the same place.
    Succeeded(Bound),
}

/// Runs the node until it is told to stop, or cannot go on as it is.
///
/// # Errors
/// Why it did not start, or stopped.
pub(crate) async fn run(context: Context, prepared: Prepared) -> anyhow::Result<Ended> {
    let Prepared {
        mut origin,
        founder,
        membership,
        api_key,
        scratch: _scratch,
    } = prepared;
    tokio::spawn(supervisor::keep_alive());
    let mut signals = Signals::new()?;
    let hangup = unix::signal(unix::SignalKind::hangup())?;
    origin.config.storage.say();
    let location = origin.config.storage.location()?;
    // Before anything that a node which runs here already would notice.
    let opened = opening::open(&location).await?;
    let Origin {
        config,
        live,
        logging,
        data_dir,
        keys,
        ..
    } = &origin;
    let did = keys.did();
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    let engine = sandbox.engine_profile().to_owned();
    let listener = listen::for_http(config).await?;
    let http_address = listener
        .local_addr()
        .context("the HTTP listener has no address")?;
    let metrics = listen::for_metrics(config).await?;
    let access = Arc::new(Access::open(config, data_dir, &api_key)?);
    let url = access.url(http_address);
    let front = Front::new(access.clone());
    tokio::spawn(access.clone().tend());
    let reloads = Reloads::default();
    access.add_reloads(&reloads);
    reloads.add("the configuration", {
        let live = live.clone();
        move || Ok(told(&live.reload()?))
    });
    reloads.add("the log", {
        let logging = logging.clone();
        move || logging.reopen()
    });
    tokio::spawn(reloads.serve(hangup, {
        let access = access.clone();
        move |reloaded| access.note_reload(reloaded)
    }));
    let profile = Profile {
        api_url: Some(url.clone()),
        api_key: Some(api_key),
        key_path: Some(std::path::absolute(config.identity.key_path(data_dir))?),
        ca_cert: access.tls.as_ref().and_then(|tls| tls.authority()),
        did: Some(did),
        store: Some(store_place(&location)?),
    };
    write_profile(&data_dir.join("cli.toml"), &profile)?;
    let store = match opened {
        Opened::Store(store) => store,
        Opened::Away(why) => {
            announce_away(&url, address_of(metrics.as_ref()), data_dir)?;
            supervisor::ready();
            let tells_metrics = config.monitoring.metrics_enabled;
            let listeners = (&listener, metrics.as_ref());
            tokio::select! {
                store = opening::reach(&location, why, listeners, &front, tells_metrics) => store?,
                () = signals.recv() => return Ok(Ended::Stopped),
            }
        }
    };
    let key = keys.in_force(&store, origin.key.clone())?;
    let membership = match membership {
        Some(membership) => membership,
        None => {
            let info = Info {
                version: env!("CARGO_PKG_VERSION").into(),
                did,
                name: Some(founder.name.clone()),
                key: key.public(),
                peer_id: network::peer_name(&key),
                role: waiting::role(),
                federation: None,
                engine: engine.clone(),
                storage: store.caps().name.into(),
                http_address: http_address.to_string(),
                p2p_addresses: Vec::new(),
                test_mode: config.runtime.test_mode,
                started: now(&context),
            };
            announce_waiting(did, &url, address_of(metrics.as_ref()), data_dir)?;
            supervisor::ready();
            let accept = {
                let data_dir = data_dir.clone();
                move |request| federation::accept(&data_dir, request, &founder)
            };
            let waiting = Waiting {
                info,
                slots: config.performance.max_concurrent_jobs as u64,
                tells_metrics: config.monitoring.metrics_enabled,
                accept: Box::new(accept),
            };
            tokio::select! {
                invited = waiting::serve(&listener, metrics.as_ref(), front.clone(), waiting) => {
                    invited.context("the interface ended before an invitation came")?
                }
                () = signals.recv() => return Ok(Ended::Stopped),
            }
        }
    };
    origin.key = key;
    let place = Place {
        origin,
        location,
        http_address,
        url,
        engine,
    };
    // Large, and run once.
    let ran = Box::pin(run_in_federation(
        context,
        place,
        membership,
        store,
        sandbox,
        (listener, metrics, front),
        signals,
    ))
    .await;
    access.audit.sync();
    ran
}

fn address_of(listener: Option<&TcpListener>) -> Option<SocketAddr> {
    listener.and_then(|listener| listener.local_addr().ok())
}

/// Prefix of a log's journals: those of the log before stay where they are.
fn partition(genesis: &Genesis) -> String {
    if genesis.predecessor.is_none() {
        return PARTITION.into();
    }
    let id = genesis.log().digest().to_string();
    format!("{PARTITION}-{:.LOG_TAG$}", id)
}

/// A node and where it is, whatever federation it is in.
struct Place {
    origin: Origin,
    location: Location,
    http_address: SocketAddr,
    url: String,
    engine: String,
}

async fn run_in_federation(
    context: Context,
    place: Place,
    membership: Membership,
    store: Store,
    sandbox: Sandbox,
    (listener, metrics, front): (TcpListener, Option<TcpListener>, Arc<Front>),
    mut signals: Signals,
) -> anyhow::Result<Ended> {
    let Place {
        origin,
        location,
        http_address,
        url,
        engine,
    } = place;
    let Origin {
        config,
        live,
        logging,
        data_dir,
        key,
        keys,
    } = origin;
    let did = keys.did();
    let genesis = membership.genesis.clone();
    let policies: Engine = Arc::new(PolicyHost::new());
    membership.go_on(&store, &data_dir, policies.clone()).await?;
    let network_config = network::configured(&config, &membership, &key)?;
    let started = network::start(context.child("network"), network_config).await?;
    federation::tell_of_rules(&config, &genesis);
    let others = genesis.founders.len() - 1 + usize::from(membership.application.is_some());
    if others > 0 {
        tokio::select! {
            only = network::be_the_only_one(&started.status, others) => only?,
            () = signals.recv() => return Ok(Ended::Stopped),
        }
    }
    let applies = membership.application.is_some();
    let node_config = NodeConfig {
        did,
        key: key.clone(),
        genesis: genesis.clone(),
        partition: partition(&genesis),
        blocks_per_file: icn_protocol::node::BLOCKS_PER_FILE,
        resilience: config.network.resilience(),
        market: market_config(&config),
        credit: CreditConfig {
            keys: keys.line_keys(key.clone(), config.identity.line_key_path.as_deref())?,
            anchor_after: Millis::from_secs(config.credit.anchor_after_secs),
        },
        policies,
        protocol: PROTOCOL_VERSION,
        application: membership.application,
    };
    let job_metrics = JobMetrics::default();
    let (node, log) = node::start(
        context.child("node"),
        node_config,
        store.clone(),
        started.connections,
        Jobs::new(sandbox, job_metrics.clone()),
    )
    .await?;
    #[cfg(feature = "test-hooks")]
    crate::hooks::install(node.ledger())?;
    let tally = Tally::default();
    tokio::spawn(tally.clone().follow(node.ledger().clone()));

    let _listening = live.on_change({
        let market = node.market().clone();
        move |config| {
            logging.set_level(&config.logging.level);
            market.offer_instead(market_config(config));
        }
    });
    let dag_config = DagConfig {
        quota_bytes: config.storage.block_quota_bytes,
        grace: Millis::from_secs(config.storage.gc_grace_secs),
    };
    let dag = Dag::new(store.clone(), node.exchange().blocks().clone(), dag_config);
    tokio::spawn(chores::tend(store.clone(), chores::EVERY));
    let forgetting = retention::tend(node.ledger().clone(), config.events.retention(), retention::EVERY);
    tokio::spawn(forgetting);
    if config.performance.gc_interval > 0 {
        let interval = Duration::from_secs(config.performance.gc_interval);
        tokio::spawn(dag.clone().collect_every(interval, clock::now));
    }

    let backups = Backups::new(
        node.clone(),
        dag.clone(),
        did,
        genesis.clone(),
        &config,
        &data_dir,
    );

    let reports = Reports::new(config.network.resilience().breaker);
    let (stopped, ended) = watch::channel(None);
    let scrape = context.child("scrape");
    let inner = AppInner {
        node: node.clone(),
        dag: dag.clone(),
        backups: backups.clone(),
        network: started.status.clone(),
        genesis: genesis.clone(),
        did,
        key: key.public(),
        keys,
        applies,
        engine,
        location,
        storage: store.caps().name,
        http_address,
        p2p_addresses: started.listen.iter().map(ToString::to_string).collect(),
        started: now(&context),
        live,
        runtime_metrics: Box::new(move || scrape.encode()),
        job_metrics,
        tally,
        reports: reports.clone(),
        data_dir: data_dir.clone(),
        ended,
        config: config.clone(),
    };
    let (stop, stopping) = watch::channel(false);
    let app = App::new(inner, front);
    let metrics_address = address_of(metrics.as_ref());
    if let Some(listener) = metrics {
        tokio::spawn(http::serve_metrics(listener, app.clone(), stopping.clone()));
    }
    let interval = Duration::from_secs(config.monitoring.health_check_interval);
    tokio::spawn(http::watch_health(app.clone(), interval));
    let name = node
        .ledger()
        .read(|state| state.seat_record(&did).map(|seat| seat.name.to_string()));
    let name = name.unwrap_or_else(|| did.short().to_string());
    let observer = node.observer().clone();
    let reporter = Reporter::new(&config.federation, &name, &url, reports, observer)?.map(|reporter| {
        let app = app.clone();
        let look = move || http::vitals(&app);
        tokio::spawn(reporter.run(look, stopping.clone()))
    });
    let server = tokio::spawn(http::serve(listener, app, stopping));
    announce(
        &genesis,
        did,
        &url,
        metrics_address,
        &started.listen,
        &data_dir,
        &config,
    )?;
    supervisor::ready();

    let result = tokio::select! {
        () = signals.recv() => Ok(Ended::Stopped),
        key = node.succeeded() => {
            tracing::info!(%key, "the seat of this node has its new key: starting again");
            Ok(Ended::Succeeded(Bound {
                http: http_address,
                p2p: started.listen.first().map(ToString::to_string),
                metrics: metrics_address,
            }))
        }
        ended = log => {
            let (error, kind, is_for_good) = match ended {
                Ok(Ok(())) => (anyhow::anyhow!("the log ended"), "other", false),
                Ok(Err(error)) => {
                    let (kind, is_for_good) = (error.kind(), error.is_for_good());
                    (error.into(), kind, is_for_good)
                }
                Err(error) => (anyhow::anyhow!("the log's task failed: {error}"), "other", false),
            };
            let why = format!("{error:#}");
            stopped.send_replace(Some(LogEnd { why: why.clone(), kind }));
            if is_for_good {
                tracing::error!(
                    %why,
                    "the log has ended here: the node serves what it has, and takes part in nothing until it is mended"
                );
                // Nobody is to hear what a wrong state says: no bids, no receipts, no signatures on lines of credit.
                started.swarm.abort();
                signals.recv().await;
                Ok(Ended::Stopped)
            } else {
                Err(error)
            }
        }
    };
    tracing::info!("stopping");
    supervisor::stopping();
    dag.stop();
    backups.stop();
    drain(&node, &store).await;
    stop.send_replace(true);
    let _ = tokio::time::timeout(DRAIN, server).await;
    if let Some(reporter) = reporter {
        // It bounds its leave-taking itself; what it is at when it is told to stop, it drops.
        let _ = tokio::time::timeout(2 * reporting::LEAVE, reporter).await;
    }
    result
}

/// What came of reading the configuration again.
fn told(changed: &ConfigChanged) -> String {
    let list = |keys: &[String]| {
        if keys.is_empty() {
            "nothing".into()
        } else {
            keys.join(", ")
        }
    };
    format!(
        "{} hold now, {} from the next start on",
        list(&changed.at_once),
        list(&changed.at_start)
    )
}

/// The signals that end a node in order.
struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(unix::SignalKind::terminate())?,
            interrupt: unix::signal(unix::SignalKind::interrupt())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Lets running jobs end, takes no new ones, and makes everything durable.
async fn drain(node: &Node, store: &Store) {
    node.market().drain();
    let idle = async {
        while node.market().running() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(DRAIN, idle).await.is_err() {
        tracing::warn!(
            jobs = node.market().running(),
            "jobs are still running; they start again with the node"
        );
    }
    if let Err(error) = store.persist().await {
        tracing::error!(%error, "the store did not take everything");
    }
}

fn market_config(config: &Config) -> MarketConfig {
    MarketConfig {
        executes: config.performance.max_concurrent_jobs > 0,
        max_concurrent_jobs: config.performance.max_concurrent_jobs,
        memory_bytes: config.performance.job_memory_bytes,
        blacklist_after_failures: config.mesh.blacklist_after_failures,
        blacklist_cooldown: Millis::from_secs(config.mesh.blacklist_cooldown_secs),
        ..MarketConfig::default()
    }
}
