//! A devnet of real processes, and the command line that drives it.
#[path = "ports.rs"]
mod ports;

use ports::Ports;
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

pub(crate) const CLI: &str = env!("CARGO_BIN_EXE_icn-cli");
pub(crate) const SEATS: [&str; 4] = ["bakery", "dairy", "mill", "orchard"];
pub(crate) const NOOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../jobs/noop/module.wasm");
/// After this, something is wrong: how long things take is measured by benchmarks, on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(180);
/// One federation at a time: they measure how long healing takes, and share two cores.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub(crate) fn node_binary() -> PathBuf {
    let path = Path::new(CLI).with_file_name("icn-node");
    assert!(
        path.exists(),
        "{} is not built: cargo build -p icn-node (cargo xtask test does)",
        path.display()
    );
    path
}

/// A devnet that is stopped when the test ends, however it ends.
pub(crate) struct Devnet {
    pub(crate) dir: TempDir,
    pub(crate) ports: Ports,
    _turn: MutexGuard<'static, ()>,
}

impl Devnet {
    pub(crate) fn up() -> Self {
        node_binary();
        let turn = ONE_AT_A_TIME
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let devnet = Self {
            dir: TempDir::new().unwrap(),
            ports: Ports::take(),
            _turn: turn,
        };
        devnet.devnet(&["up", "--base-port", &devnet.ports.base.to_string()]);
        devnet
    }

    pub(crate) fn devnet(&self, args: &[&str]) -> Output {
        let mut all = vec!["devnet"];
        all.extend_from_slice(args);
        let dir = self.dir.path().to_str().unwrap();
        all.extend_from_slice(&["--dir", dir]);
        run(&all)
    }

    pub(crate) fn profile(&self, name: &str) -> String {
        self.dir
            .path()
            .join(name)
            .join("data/cli.toml")
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// Runs a command as a cooperative, and reads what it prints.
    pub(crate) fn ask(&self, name: &str, args: &[&str]) -> Value {
        let mut all = vec!["--profile"];
        let profile = self.profile(name);
        all.extend_from_slice(&[&profile, "--json", "--quiet"]);
        all.extend_from_slice(args);
        let output = run(&all);
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    pub(crate) fn try_ask(&self, name: &str, args: &[&str]) -> Output {
        let mut all = vec!["--profile".to_owned(), self.profile(name), "--json".into()];
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        Command::new(CLI).args(&all).output().unwrap()
    }

    pub(crate) fn height(&self, name: &str) -> u64 {
        self.ask(name, &["status"])["log"]["height"].as_u64().unwrap()
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.dir.path().join("devnet.json")).unwrap()).unwrap()
    }

    /// What devnet.json says of a node.
    pub(crate) fn node(&self, name: &str) -> Value {
        let state = self.state();
        let nodes = state["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["name"] == name).unwrap().clone()
    }

    pub(crate) fn pid(&self, name: &str) -> u32 {
        u32::try_from(self.node(name)["process"]["pid"].as_u64().unwrap()).unwrap()
    }

    pub(crate) fn peer_address(&self, name: &str) -> String {
        self.node(name)["p2p_address"].as_str().unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str, signal: &str) {
        let pid = self.pid(name).to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Ends a node in order, and waits for it.
    pub(crate) fn stop(&self, name: &str) {
        self.end(name, "-TERM");
    }

    /// Ends a node at once, and waits until it has ended: a machine that is busy takes a moment, in which `devnet up` would
    /// still find it running.
    pub(crate) fn kill(&self, name: &str) {
        self.end(name, "-KILL");
    }

    fn end(&self, name: &str, signal: &str) {
        let stat = format!("/proc/{}/stat", self.pid(name));
        self.signal(name, signal);
        // One that nobody has collected yet has ended, too.
        until("the node ends", || {
            std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
        });
    }

    /// Every named node at one height with one root, and mana that reconciles between them.
    pub(crate) fn agree(&self, names: &[&str]) {
        let mut args = vec!["mana".to_owned(), "verify".into()];
        for node in names.iter().map(|name| self.node(name)) {
            let (key, url) = (
                node["api_key"].as_str().unwrap(),
                node["api_url"].as_str().unwrap(),
            );
            args.extend(["--node".into(), format!("{key}@{url}")]);
        }
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        until("the nodes have the same accounts", || {
            self.try_ask(names[0], &args).status.success()
        });
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in SEATS {
                let log =
                    std::fs::read_to_string(self.dir.path().join(name).join("node.log")).unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(15).collect();
                eprintln!(
                    "--- {name}\n{}",
                    tail.into_iter().rev().collect::<Vec<_>>().join("\n")
                );
            }
        }
        let dir = self.dir.path().to_str().unwrap();
        let _ = Command::new(CLI).args(["devnet", "down", "--dir", dir]).output();
    }
}

pub(crate) fn run(args: &[&str]) -> Output {
    let output = Command::new(CLI)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success(),
        "icn-cli {args:?}: {}\n{out}\n{err}",
        output.status
    );
    output
}

/// Waits until it `holds`; panics with `what` after [`PATIENCE`].
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(200));
    }
}

pub(crate) fn jobs(devnet: &Devnet, name: &str) -> Vec<(String, String)> {
    let listed = devnet.ask(name, &["job", "ls", "--limit", "1000"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = listed["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|job| (text(&job["id"]), text(&job["state"])))
        .collect()
}
