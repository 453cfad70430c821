//! The service: opens what it needs, starts network, protocol and HTTP interface, waits, drains.
use crate::{
    backup::Backups,
    config::{self, Config},
    dag::{Dag, DagConfig},
    executor::Jobs,
    federation::{self, Membership},
    http::{
        self, App, AppInner, Front,
        waiting::{self, Waiting},
    },
    identity, network,
};
use anyhow::{Context as _, ensure};
use commonware_cryptography::Signer as _;
use commonware_runtime::{Metrics as _, Supervisor as _, tokio::Context};
use icn_api::{Profile, node::Info};
use icn_model::{Did, Founder, Genesis, Millis, Name, Parameters, RoleKeys, SecretKey};
use icn_protocol::{
    keys,
    market::MarketConfig,
    node::{self, Node, NodeConfig},
    time::now,
};
use icn_sandbox::{Sandbox, SandboxConfig};
use icn_store::{BackendKind, Location, Store, StoreConfig};
use std::{
    io::Write as _,
    net::{SocketAddr, TcpListener as StdListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, signal::unix, sync::watch};

pub use crate::federation::Founding;

/// The key of test mode: known to everybody.
const TEST_KEY: &str = "dev-key-123";
/// Ports that are tried after the default one.
const NEXT_PORTS: u16 = 200;
/// What running jobs and open requests get to end in.
const DRAIN: Duration = Duration::from_secs(10);
/// Prefix of the consensus journals.
const PARTITION: &str = "log";
/// Characters of the genesis' id that tell federations apart on the network.
const FEDERATION_TAG: usize = 16;

/// A node that is configured and has an identity, and is not running yet.
pub struct Prepared {
    config: Config,
    data_dir: PathBuf,
    key: SecretKey,
    did: Did,
    founder: Founder,
    /// None while the node waits for an invitation.
    membership: Option<Membership>,
    api_key: String,
    /// Where test mode keeps its journals; goes with the process.
    _scratch: Option<tempfile::TempDir>,
}

/// Finds or makes everything that a node needs before it runs.
///
/// # Errors
/// Says what is missing, and what to do about it.
pub fn prepare(mut config: Config, founding: Founding) -> anyhow::Result<Prepared> {
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
    let key = identity::load_or_create(&config.identity, &data_dir)?;
    let did = Did::new(key.public());
    let name = match &config.identity.name {
        Some(name) => name.clone(),
        None => format!("cooperative {}", did.short()).parse::<Name>()?,
    };
    let founder = Founder {
        did,
        name,
        keys: RoleKeys::single(key.public()),
    };
    let parameters = if config.runtime.test_mode {
        Parameters::devnet()
    } else {
        Parameters::production()
    };
    let may_found = config.network.bootstrap_peers.is_empty();
    let membership = federation::resolve(&data_dir, &founding, &founder, parameters, may_found)?;
    let api_key = api_key(&config, &data_dir)?;
    Ok(Prepared {
        config,
        data_dir,
        key,
        did,
        founder,
        membership,
        api_key,
        _scratch: scratch,
    })
}

impl Prepared {
    /// Where consensus keeps its votes and blocks.
    pub fn journal_dir(&self) -> PathBuf {
        self.data_dir.join("journal")
    }
}

/// The key that is configured, was made before, or is made now.
fn api_key(config: &Config, data_dir: &Path) -> anyhow::Result<String> {
    if let Some(key) = &config.api.api_key {
        return Ok(key.clone());
    }
    if config.runtime.test_mode {
        return Ok(TEST_KEY.into());
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

/// Runs the node until it is told to stop, or cannot go on.
///
/// # Errors
/// Why it did not start, or stopped.
pub async fn run(context: Context, prepared: Prepared) -> anyhow::Result<()> {
    let Prepared {
        config,
        data_dir,
        key,
        did,
        founder,
        membership,
        api_key,
        _scratch,
    } = prepared;
    let mut signals = Signals::new()?;
    let location = config.storage.location()?;
    let store = open_store(&location)?;
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    let engine = sandbox.engine_profile().to_owned();
    let listener = listen_http(&config).await?;
    let http_address = listener
        .local_addr()
        .context("the HTTP listener has no address")?;
    let front = Front::new(&api_key);
    let profile = Profile {
        api_url: Some(format!("http://{http_address}")),
        api_key: Some(api_key),
        key_path: Some(std::path::absolute(config.identity.key_path(&data_dir))?),
        did: Some(did),
    };
    write_profile(&data_dir.join("cli.toml"), &profile)?;
    let membership = match membership {
        Some(membership) => membership,
        None => {
            let info = Info {
                version: env!("CARGO_PKG_VERSION").into(),
                did,
                name: Some(founder.name.clone()),
                key: key.public(),
                peer_id: icn_net::peer_name(&keys::private(&key).public_key()),
                role: waiting::role(),
                federation: None,
                engine: engine.clone(),
                storage: store.caps().name.into(),
                http_address: http_address.to_string(),
                p2p_addresses: Vec::new(),
                test_mode: config.runtime.test_mode,
                started: now(&context),
            };
            announce_waiting(did, http_address, &data_dir)?;
            let accept = {
                let data_dir = data_dir.clone();
                move |file| federation::accept(&data_dir, file, &founder)
            };
            let waiting = Waiting {
                info,
                slots: config.performance.max_concurrent_jobs as u64,
                accept: Box::new(accept),
            };
            tokio::select! {
                invited = waiting::serve(&listener, front.clone(), waiting) => {
                    invited.context("the interface ended before an invitation came")?
                }
                () = signals.recv() => return Ok(()),
            }
        }
    };
    let place = Place {
        config,
        data_dir,
        key,
        did,
        location,
        http_address,
        engine,
    };
    // Large, and run once.
    Box::pin(run_in_federation(
        context,
        place,
        membership,
        store,
        sandbox,
        (listener, front),
        signals,
    ))
    .await
}

/// What a node is and where, whatever federation it is in.
struct Place {
    config: Config,
    data_dir: PathBuf,
    key: SecretKey,
    did: Did,
    location: Location,
    http_address: SocketAddr,
    engine: String,
}

async fn run_in_federation(
    context: Context,
    place: Place,
    membership: Membership,
    store: Store,
    sandbox: Sandbox,
    (listener, front): (TcpListener, Arc<Front>),
    mut signals: Signals,
) -> anyhow::Result<()> {
    let Place {
        config,
        data_dir,
        key,
        did,
        location,
        http_address,
        engine,
    } = place;
    let genesis = membership.genesis.clone();
    let network_config = network_config(&config, &membership, &key)?;
    let started = network::start(context.child("network"), network_config).await?;
    let market = market_config(&config);
    let applies = membership.application.is_some();
    let node_config = NodeConfig {
        did,
        key: key.clone(),
        genesis: genesis.clone(),
        partition: PARTITION.into(),
        market: market.clone(),
        application: membership.application,
    };
    let (node, log) = node::start(
        context.child("node"),
        node_config,
        store.clone(),
        started.connections,
        Jobs::new(sandbox),
    )
    .await?;

    let dag_config = DagConfig {
        quota_bytes: config.storage.block_quota_bytes,
        grace: Millis::from_secs(config.storage.gc_grace_secs),
    };
    let dag = Dag::new(store.clone(), node.exchange().blocks().clone(), dag_config);
    if config.performance.gc_interval > 0 {
        let interval = Duration::from_secs(config.performance.gc_interval);
        tokio::spawn(dag.clone().collect_every(interval, http::now));
    }

    let backups = Backups::new(
        node.clone(),
        dag.clone(),
        did,
        genesis.clone(),
        &config,
        &data_dir,
    );

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
        applies,
        engine,
        location,
        storage: store.caps().name,
        http_address,
        p2p_addresses: started.listen.iter().map(ToString::to_string).collect(),
        started: now(&context),
        market,
        runtime_metrics: Box::new(move || scrape.encode()),
        ended,
        config: config.clone(),
    };
    let (stop, stopping) = watch::channel(false);
    let server = tokio::spawn(http::serve(listener, App::new(inner, front), stopping));
    announce(&genesis, did, http_address, &started.listen, &data_dir, &config)?;

    let result = tokio::select! {
        () = signals.recv() => Ok(()),
        ended = log => {
            let error = match ended {
                Ok(Ok(())) => anyhow::anyhow!("the log ended"),
                Ok(Err(error)) => error.into(),
                Err(error) => anyhow::anyhow!("the log's task failed: {error}"),
            };
            stopped.send_replace(Some(format!("{error:#}")));
            Err(error)
        }
    };
    tracing::info!("stopping");
    dag.stop();
    backups.stop();
    drain(&node, &store).await;
    stop.send_replace(true);
    let _ = tokio::time::timeout(DRAIN, server).await;
    result
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

fn open_store(location: &Location) -> anyhow::Result<Store> {
    let backend = icn_store::open(location)
        .with_context(|| format!("cannot open the {} store in {location}", location.kind()))?;
    Ok(Store::threaded(backend, StoreConfig::default())?)
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

fn network_config(
    config: &Config,
    membership: &Membership,
    key: &SecretKey,
) -> anyhow::Result<icn_net::Config> {
    let tag: String = membership
        .genesis
        .id()
        .digest()
        .to_string()
        .chars()
        .take(FEDERATION_TAG)
        .collect();
    let mut network = icn_net::Config::new(key.seed(), tag);
    let listen = match config.p2p_address()? {
        Some(address) => address,
        None if config.runtime.test_mode => {
            icn_net::Address::from(SocketAddr::new(config::DEFAULT_P2P.ip(), 0))
        }
        None => icn_net::Address::from(free_port(config::DEFAULT_P2P)?),
    };
    let addresses = |key, list: &[String]| -> anyhow::Result<Vec<icn_net::Address>> {
        list.iter().map(|text| Ok(config::address(key, text)?)).collect()
    };
    network.listen = vec![listen];
    network.announce = addresses("network.announce_addrs", &config.network.announce_addrs)?;
    network.bootstrap = addresses("network.bootstrap_peers", &config.network.bootstrap_peers)?;
    network
        .bootstrap
        .extend(addresses("the invitation's addresses", &membership.addresses)?);
    network.max_peers = config.network.max_peers;
    network.mdns = config.network.mdns;
    network.agent = concat!("icn-node/", env!("CARGO_PKG_VERSION")).into();
    Ok(network)
}

/// The default address, or the next one whose port is free.
fn free_port(default: SocketAddr) -> anyhow::Result<SocketAddr> {
    let mut ports = (default.port()..)
        .take(usize::from(NEXT_PORTS))
        .map(|port| SocketAddr::new(default.ip(), port));
    ports
        .find(|address| StdListener::bind(address).is_ok())
        .with_context(|| {
            format!("no port from {default} on is free for the {NEXT_PORTS} next: set the address")
        })
}

async fn listen_http(config: &Config) -> anyhow::Result<TcpListener> {
    let address = match config.network.http_listen_addr {
        Some(address) => address,
        None => free_port(config::DEFAULT_HTTP)?,
    };
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} for HTTP: choose another network.http_listen_addr, or stop what uses it")
    })
}

/// Written beside and renamed, readable by the owner alone: it holds a key.
fn write_profile(path: &Path, profile: &Profile) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let beside = path.with_extension("new");
    let write = || -> anyhow::Result<()> {
        let _ = std::fs::remove_file(&beside);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(toml::to_string(profile)?.as_bytes())?;
        file.sync_all()?;
        Ok(std::fs::rename(&beside, path)?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Tells on stdout that the node waits, and how to give it an invitation.
fn announce_waiting(did: Did, http: SocketAddr, data_dir: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "federation  none yet: waiting for an invitation (icn-cli federation invite)"
    )?;
    writeln!(out, "identity    {did}")?;
    writeln!(out, "http        http://{http}")?;
    let profile = data_dir.join("cli.toml");
    writeln!(
        out,
        "try         icn-cli --config {} federation join INVITATION",
        profile.display()
    )?;
    out.flush()?;
    Ok(())
}

/// Tells on stdout where the node is and what to try next.
fn announce(
    genesis: &Genesis,
    did: Did,
    http: SocketAddr,
    p2p: &[icn_net::Address],
    data_dir: &Path,
    config: &Config,
) -> anyhow::Result<()> {
    ensure!(!p2p.is_empty(), "the network listens nowhere");
    let mut out = std::io::stdout().lock();
    writeln!(out, "federation  {} ({})", genesis.name, genesis.id())?;
    writeln!(out, "identity    {did}")?;
    writeln!(out, "http        http://{http}")?;
    for address in p2p {
        writeln!(out, "p2p         {address}")?;
    }
    let profile = data_dir.join("cli.toml");
    writeln!(out, "try         icn-cli --config {} status", profile.display())?;
    if config.runtime.test_mode {
        writeln!(
            out,
            "            curl -H 'x-api-key: {TEST_KEY}' http://{http}/status"
        )?;
    }
    out.flush()?;
    Ok(())
}
