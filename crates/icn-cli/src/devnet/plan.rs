//! What a new devnet consists of: names, keys, ports, configurations, the genesis.
use super::state::{Node, State};
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
/// The genesis in the devnet's directory.
pub(super) const GENESIS: &str = "genesis.json";

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
    path: PathBuf,
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
}

/// Makes everything that a devnet of `seats` nodes starts from, in a new or empty directory.
pub(super) fn prepare(directory: &Path, seats: usize, base_port: u16) -> anyhow::Result<State> {
    let named = || format!("cannot use {} for a devnet", directory.display());
    fs::create_dir_all(directory).with_context(named)?;
    let empty = fs::read_dir(directory).with_context(named)?.next().is_none();
    anyhow::ensure!(
        empty,
        "{} is not empty: name another directory with --dir",
        directory.display()
    );
    let names = NAMES
        .get(..seats)
        .with_context(|| format!("a devnet has 1 to {} nodes", NAMES.len()))?;
    for port in ports(seats, base_port) {
        anyhow::ensure!(
            is_free(port),
            "port {port} is in use: name others with --base-port"
        );
    }
    let mut nodes = Vec::new();
    let mut founders = Vec::new();
    for (name, at) in names.iter().zip(0..) {
        let (node, founder) = node(directory, name, base_port + at)?;
        nodes.push(node);
        founders.push(founder);
    }
    for node in &nodes {
        write_config(directory, node, &nodes)?;
    }
    let genesis = found::genesis("devnet".parse()?, founders, Parameters::devnet())?;
    found::write_new_json(&directory.join(GENESIS), &genesis)?;
    let state = State::new(genesis.id(), nodes);
    state.save(directory)?;
    Ok(state)
}

fn node(directory: &Path, name: &str, port: u16) -> anyhow::Result<(Node, Founder)> {
    let key = keyfile::generate()?;
    let did = Did::new(key.public());
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let node = Node {
        name: name.to_owned(),
        did,
        api_url: format!("http://127.0.0.1:{port}"),
        api_key: secret.iter().map(|byte| format!("{byte:02x}")).collect(),
        p2p_address: format!("/ip4/127.0.0.1/tcp/{}", port + P2P_OFFSET),
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

fn write_config(directory: &Path, node: &Node, all: &[Node]) -> anyhow::Result<()> {
    let data_dir = directory.join(&node.name).join("data");
    let others = all.iter().filter(|other| other.name != node.name);
    let config = Config {
        network: NetworkConfig {
            http_listen_addr: node.api_url.trim_start_matches("http://").to_owned(),
            p2p_listen_addr: node.p2p_address.clone(),
            bootstrap_peers: others.map(|other| other.p2p_address.clone()).collect(),
        },
        storage: StorageConfig {
            backend: "fjall",
            path: data_dir.join("store"),
            data_dir,
        },
        identity: IdentityConfig {
            key_path: node.key_path(directory),
        },
        api: ApiConfig {
            api_key: node.api_key.clone(),
        },
        monitoring: MonitoringConfig {
            metrics_enabled: false,
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

fn ports(seats: usize, base_port: u16) -> impl Iterator<Item = u16> {
    (base_port..)
        .take(seats)
        .flat_map(|port| [port, port.saturating_add(P2P_OFFSET)])
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The first port from `base_port` on, in steps of a devnet's size, from which all that are needed are free.
pub(super) fn free_base_port(seats: usize, base_port: u16) -> anyhow::Result<u16> {
    let step = seats.max(1);
    (base_port..60_000)
        .step_by(step)
        .find(|base| ports(seats, *base).all(is_free))
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
        let state = prepare(directory.path(), 3, base).unwrap();
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
            prepare(directory.path(), 3, base)
                .unwrap_err()
                .to_string()
                .contains("not empty")
        );
    }

    #[test]
    fn ports_in_use_are_named_or_passed_over() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let error = prepare(directory.path(), 1, port).unwrap_err().to_string();
        assert!(error.contains(&port.to_string()), "{error}");
        if port < 59_000 {
            assert_ne!(free_base_port(1, port).unwrap(), port);
        }
    }
}
