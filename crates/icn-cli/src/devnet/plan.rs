//! What a new devnet consists of: names, keys, ports, configurations, the genesis.
use super::{
    hosts,
    state::{Node, Prometheus, State},
};
use crate::commands::found;
use anyhow::Context as _;
use icn_api::keyfile;
use icn_model::{Did, Founder, Parameters, RoleKeys};
use serde::Serialize;
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// What the cooperatives of a devnet are called.
const NAMES: [&str; 16] = [
    "bakery",
    "dairy",
    "mill",
    "orchard",
    "press",
    "smithy",
    "weavers",
    "apiary",
    "brewery",
    "pottery",
    "garden",
    "printers",
    "carpenters",
    "fishers",
    "tannery",
    "library",
];
/// How far the ports between nodes are above those for HTTP.
const P2P_OFFSET: u16 = 100;
/// How far those for metrics are.
const METRICS_OFFSET: u16 = 200;
/// How far that of Prometheus is.
const PROMETHEUS_OFFSET: u16 = 300;
/// Ports of nodes with a host of their own.
const OWN_PORTS: [u16; 3] = [7_845, 7_000, 9_100];
/// The genesis in the devnet's directory.
pub(super) const GENESIS: &str = "genesis.json";

/// The most nodes that a devnet has.
pub(super) const MAX_SEATS: usize = NAMES.len();

/// What a new devnet is to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// How many nodes.
    pub(super) seats: usize,
    /// The first port on this machine.
    pub(super) base_port: u16,
    /// Whether each node has a host of its own.
    pub(super) distributed: bool,
    /// Whether nodes keep what they know when they end; their keys and journals they keep in any case.
    pub(super) persistent: bool,
    /// Whether nodes are measured.
    pub(super) monitored: bool,
}

impl Plan {
    pub(super) const fn new(seats: usize, base_port: u16) -> Self {
        Self {
            seats,
            base_port,
            distributed: false,
            persistent: true,
            monitored: false,
        }
    }

    /// Address and ports of a node: HTTP, other nodes, metrics.
    fn place(&self, at: u16) -> Place {
        if self.distributed {
            let [http, p2p, metrics] = OWN_PORTS;
            let at = usize::from(at);
            return Place {
                http: format!("{}:{http}", hosts::control_address(at)),
                p2p: format!("/ip4/{}/tcp/{p2p}", hosts::peer_address(at)),
                metrics: format!("{}:{metrics}", hosts::control_address(at)),
            };
        }
        let port = self.base_port + at;
        Place {
            http: format!("127.0.0.1:{port}"),
            p2p: format!("/ip4/127.0.0.1/tcp/{}", port + P2P_OFFSET),
            metrics: format!("127.0.0.1:{}", port + METRICS_OFFSET),
        }
    }

    fn ports(&self) -> Vec<u16> {
        let nodes = if self.distributed { 0 } else { self.seats };
        let offsets: &[u16] = if self.monitored {
            &[0, P2P_OFFSET, METRICS_OFFSET]
        } else {
            &[0, P2P_OFFSET]
        };
        let nodes = (self.base_port..).take(nodes);
        let prometheus = self.monitored.then_some(self.base_port + PROMETHEUS_OFFSET);
        nodes
            .flat_map(|port| offsets.iter().map(move |offset| port.saturating_add(*offset)))
            .chain(prometheus)
            .collect()
    }
}

/// Where a node listens.
struct Place {
    http: String,
    p2p: String,
    metrics: String,
}

/// A node's configuration, as `icn-node --config` reads it.
#[derive(Debug, Serialize)]
struct Config {
    network: NetworkConfig,
    storage: StorageConfig,
    identity: IdentityConfig,
    api: ApiConfig,
    monitoring: MonitoringConfig,
}

#[derive(Debug, Serialize)]
struct NetworkConfig {
    http_listen_addr: String,
    p2p_listen_addr: String,
    bootstrap_peers: Vec<String>,
}

#[derive(Debug, Serialize)]
struct StorageConfig {
    backend: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    data_dir: PathBuf,
}

#[derive(Debug, Serialize)]
struct IdentityConfig {
    key_path: PathBuf,
}

#[derive(Debug, Serialize)]
struct ApiConfig {
    api_key: String,
}

#[derive(Debug, Serialize)]
struct MonitoringConfig {
    metrics_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_bind_addr: Option<String>,
}

/// Makes everything that a devnet starts from, in a new or empty directory.
pub(super) fn prepare(directory: &Path, plan: &Plan) -> anyhow::Result<State> {
    let named = || format!("cannot use {} for a devnet", directory.display());
    fs::create_dir_all(directory).with_context(named)?;
    let empty = fs::read_dir(directory).with_context(named)?.next().is_none();
    anyhow::ensure!(
        empty,
        "{} is not empty: name another directory with --dir",
        directory.display()
    );
    let names = NAMES
        .get(..plan.seats)
        .with_context(|| format!("a devnet has 1 to {} nodes", NAMES.len()))?;
    for port in plan.ports() {
        anyhow::ensure!(
            is_free(port),
            "port {port} is in use: name others with --base-port"
        );
    }
    let mut nodes = Vec::new();
    let mut founders = Vec::new();
    for (name, at) in names.iter().zip(0..) {
        let (node, founder) = node(directory, name, plan, at)?;
        nodes.push(node);
        founders.push(founder);
    }
    for node in &nodes {
        write_config(directory, plan, node, &nodes)?;
    }
    let genesis = found::genesis("devnet".parse()?, founders, Parameters::devnet())?;
    found::write_new_json(&directory.join(GENESIS), &genesis)?;
    let mut state = State::new(genesis.id(), nodes);
    state.distributed = plan.distributed;
    state.prometheus = plan.monitored.then(|| Prometheus {
        address: format!("127.0.0.1:{}", plan.base_port + PROMETHEUS_OFFSET),
        process: None,
    });
    state.save(directory)?;
    Ok(state)
}

fn node(directory: &Path, name: &str, plan: &Plan, at: u16) -> anyhow::Result<(Node, Founder)> {
    let key = keyfile::generate()?;
    let did = Did::new(key.public());
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let place = plan.place(at);
    let node = Node {
        name: name.to_owned(),
        did,
        api_url: format!("http://{}", place.http),
        api_key: secret.iter().map(|byte| format!("{byte:02x}")).collect(),
        p2p_address: place.p2p,
        metrics_address: plan.monitored.then_some(place.metrics),
        process: None,
    };
    keyfile::write_new(&node.key_path(directory), &key)?;
    let founder = Founder {
        did,
        name: name.parse()?,
        keys: RoleKeys::single(key.public()),
    };
    Ok((node, founder))
}

fn write_config(directory: &Path, plan: &Plan, node: &Node, all: &[Node]) -> anyhow::Result<()> {
    let data_dir = node.data_dir(directory);
    let others = all.iter().filter(|other| other.name != node.name);
    let config = Config {
        network: NetworkConfig {
            http_listen_addr: node.api_url.trim_start_matches("http://").to_owned(),
            p2p_listen_addr: node.p2p_address.clone(),
            bootstrap_peers: others.map(|other| other.p2p_address.clone()).collect(),
        },
        storage: StorageConfig {
            backend: if plan.persistent { "fjall" } else { "memory" },
            path: plan.persistent.then(|| data_dir.join("store")),
            data_dir,
        },
        identity: IdentityConfig {
            key_path: node.key_path(directory),
        },
        api: ApiConfig {
            api_key: node.api_key.clone(),
        },
        monitoring: MonitoringConfig {
            metrics_enabled: plan.monitored,
            metrics_bind_addr: node.metrics_address.clone(),
        },
    };
    let text = toml::to_string(&config)?;
    let path = node.config_path(directory);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// The first port on this machine of a devnet that is there; none if it has none.
pub(super) fn base_port(state: &State) -> Option<u16> {
    let port = |address: &str| -> Option<u16> { address.rsplit(':').next()?.parse().ok() };
    if state.distributed {
        let prometheus = state.prometheus.as_ref()?;
        return port(&prometheus.address)?.checked_sub(PROMETHEUS_OFFSET);
    }
    port(&state.nodes.first()?.api_url)
}

/// Whether the nodes of a devnet that is there keep what they know when they end.
pub(super) fn is_persistent(state: &State, directory: &Path) -> anyhow::Result<bool> {
    let Some(node) = state.nodes.first() else {
        return Ok(true);
    };
    let path = node.config_path(directory);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let config = text
        .parse::<toml::Table>()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let backend = config.get("storage").and_then(|storage| storage.get("backend"));
    Ok(backend.and_then(toml::Value::as_str) != Some("memory"))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The first port from `base_port` on, in steps of a devnet's size, from which all that are needed are free.
pub(super) fn free_base_port(seats: usize, base_port: u16) -> anyhow::Result<u16> {
    let step = seats.max(1);
    (base_port..60_000)
        .step_by(step)
        .find(|base| Plan::new(seats, *base).ports().into_iter().all(is_free))
        .with_context(|| format!("no free ports from {base_port} on"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::Genesis;

    #[test]
    fn a_plan_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let base = free_base_port(3, 21_000).unwrap();
        let state = prepare(directory.path(), &Plan::new(3, base)).unwrap();
        let names: Vec<_> = state.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["bakery", "dairy", "mill"]);
        let genesis: Genesis =
            serde_json::from_slice(&fs::read(directory.path().join(GENESIS)).unwrap()).unwrap();
        genesis.check().unwrap();
        assert_eq!(genesis.id(), state.federation);
        for node in &state.nodes {
            let key = keyfile::read(&node.key_path(directory.path())).unwrap();
            assert_eq!(Did::new(key.public()), node.did);
            let config = node.config_path(directory.path());
            assert_eq!(keyfile::exposed_mode(&config), None);
            let config: toml::Table = fs::read_to_string(config).unwrap().parse().unwrap();
            assert_eq!(config["network"]["bootstrap_peers"].as_array().unwrap().len(), 2);
            assert_eq!(config["api"]["api_key"].as_str(), Some(node.api_key.as_str()));
            assert_eq!(node.api_key.len(), 64);
        }
        assert!(
            prepare(directory.path(), &Plan::new(3, base))
                .unwrap_err()
                .to_string()
                .contains("not empty")
        );
    }

    #[test]
    fn nodes_with_hosts_of_their_own_are_measured_there() {
        let directory = tempfile::tempdir().unwrap();
        let plan = Plan {
            distributed: true,
            persistent: false,
            monitored: true,
            ..Plan::new(2, free_base_port(1, 22_000).unwrap())
        };
        let state = prepare(directory.path(), &plan).unwrap();
        assert!(state.distributed && state.prometheus.is_some());
        assert_eq!(super::base_port(&state), Some(plan.base_port));
        assert!(!is_persistent(&state, directory.path()).unwrap());
        let node = &state.nodes[1];
        assert_eq!(node.api_url, "http://10.78.0.2:7845");
        assert_eq!(node.p2p_address, "/ip4/10.77.0.2/tcp/7000");
        let config: toml::Table = fs::read_to_string(node.config_path(directory.path()))
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(config["storage"]["backend"].as_str(), Some("memory"));
        assert_eq!(
            config["monitoring"]["metrics_bind_addr"].as_str(),
            Some("10.78.0.2:9100")
        );
    }

    #[test]
    fn ports_in_use_are_named_or_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let error = prepare(directory.path(), &Plan::new(1, port))
            .unwrap_err()
            .to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        if port < 59_000 {
            assert_ne!(free_base_port(1, port).unwrap(), port);
        }
    }
}
