//! What is known of a devnet: its nodes, and which processes they are. Kept in `devnet.json`, readable by its
//! owner only, for it has the nodes' API keys.
use super::process::Process;
use crate::failure::Usage;
use anyhow::Context as _;
use icn_model::{Cid, Did};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

const FILE: &str = "devnet.json";
/// Version of the file's form.
const VERSION: u32 = 1;

/// A devnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: u32,
    /// The federation's id.
    pub(super) federation: Cid,
    /// Its nodes, in the order of their ports.
    pub(super) nodes: Vec<Node>,
    /// Whether each node has a host of its own.
    #[serde(default)]
    pub(super) distributed: bool,
    /// During which start of the machine it made hosts that it has not removed: those with its names are its own.
    #[serde(default)]
    pub(super) hosts: Option<String>,
    /// What watches them, if anything.
    #[serde(default)]
    pub(super) prometheus: Option<Prometheus>,
}

/// A Prometheus that scrapes a devnet's nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prometheus {
    /// Where it listens.
    pub(super) address: String,
    /// Its process, while it runs.
    pub(super) process: Option<Process>,
}

/// A node of a devnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    /// What the cooperative is called; also the name of its directory.
    pub(super) name: String,
    /// Who it is.
    pub(super) did: Did,
    /// Its HTTP interface.
    pub(super) api_url: String,
    /// The key that it takes.
    pub(super) api_key: String,
    /// Where other nodes reach it.
    pub(super) p2p_address: String,
    /// Where it serves metrics without a key, if it does.
    #[serde(default)]
    pub(super) metrics_address: Option<String>,
    /// Its process, while it runs.
    pub(super) process: Option<Process>,
}

impl Node {
    pub(super) fn directory(&self, directory: &Path) -> PathBuf {
        directory.join(&self.name)
    }

    pub(super) fn data_dir(&self, directory: &Path) -> PathBuf {
        self.directory(directory).join("data")
    }

    pub(super) fn key_path(&self, directory: &Path) -> PathBuf {
        directory.join(&self.name).join("node.key")
    }

    pub(super) fn config_path(&self, directory: &Path) -> PathBuf {
        directory.join(&self.name).join("icn.toml")
    }

    pub(super) fn log_path(&self, directory: &Path) -> PathBuf {
        directory.join(&self.name).join("node.log")
    }
}

impl State {
    pub(super) fn new(federation: Cid, nodes: Vec<Node>) -> Self {
        Self {
            version: VERSION,
            federation,
            nodes,
            distributed: false,
            hosts: None,
            prometheus: None,
        }
    }

    /// The devnet in `directory`.
    pub(super) fn load(directory: &Path) -> anyhow::Result<Self> {
        let missing = || {
            Usage::new(format!(
                "there is no devnet in {}: icn-cli devnet up",
                directory.display()
            ))
        };
        Ok(Self::load_if_there(directory)?.ok_or_else(missing)?)
    }

    /// The devnet in `directory`, if there is one.
    pub(super) fn load_if_there(directory: &Path) -> anyhow::Result<Option<Self>> {
        let path = directory.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let state: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not usable: delete the devnet's directory", path.display()))?;
        anyhow::ensure!(
            state.version == VERSION,
            "{} was written by another version: delete the devnet's directory",
            path.display()
        );
        Ok(Some(state))
    }

    /// Writes the file anew, whole or not at all.
    pub(super) fn save(&self, directory: &Path) -> anyhow::Result<()> {
        let path = directory.join(FILE);
        let beside = path.with_extension("json.part");
        let text = serde_json::to_vec_pretty(self)?;
        let write = || {
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(&text)?;
            fs::rename(&beside, &path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::SecretKey;

    #[test]
    fn a_devnet_is_kept_privately() {
        let directory = tempfile::tempdir().unwrap();
        assert!(State::load_if_there(directory.path()).unwrap().is_none());
        assert!(State::load(directory.path()).unwrap_err().is::<Usage>());
        let node = Node {
            name: "bakery".into(),
            did: Did::new(SecretKey::from_seed(&[1; 32]).public()),
            api_url: "http://127.0.0.1:1".into(),
            api_key: "secret".into(),
            p2p_address: "/ip4/127.0.0.1/tcp/2".into(),
            metrics_address: None,
            process: Some(Process::this().unwrap()),
        };
        let state = State::new(Cid::of_raw(b"f"), vec![node]);
        state.save(directory.path()).unwrap();
        state.save(directory.path()).unwrap();
        assert_eq!(State::load(directory.path()).unwrap(), state);
        assert_eq!(icn_api::keyfile::exposed_mode(&directory.path().join(FILE)), None);
        fs::write(directory.path().join(FILE), "{}").unwrap();
        assert!(State::load(directory.path()).is_err());
    }
}
