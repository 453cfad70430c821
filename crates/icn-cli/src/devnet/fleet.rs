//! The running nodes of a devnet: starting, watching, stopping.
use super::{
    plan::GENESIS,
    process,
    state::{Node, State},
    told,
};
use crate::{output::Output, profile::Settings, progress::Progress, session::Session};
use anyhow::Context as _;
use icn_api::{
    Profile,
    client::{Client, ClientConfig},
};
use icn_model::{Cid, Did, Digest, Height};
use serde::Serialize;
use std::{
    fmt,
    path::{Path, PathBuf},
    process::Child,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a node has to end in order before it is ended.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(15);
/// How often nodes are looked at while something is awaited.
const POLL: Duration = Duration::from_millis(100);
/// How much of a node's log is shown when it ends by itself.
const LOG_LINES: usize = 8;

/// A devnet's nodes. Those that it started are stopped when it is dropped, unless they are left running.
pub(super) struct Fleet {
    directory: PathBuf,
    state: State,
    /// One for each node; making one costs more than using it.
    clients: Vec<Client>,
    /// The processes that this run started, by node; others may run that an earlier run started.
    children: Vec<Option<Child>>,
    interrupted: Arc<AtomicBool>,
    stop_at_end: AtomicBool,
}

/// What a node looks like from outside.
#[derive(Clone, Debug, Serialize)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) did: Did,
    pub(super) api_url: String,
    pub(super) p2p_address: String,
    pub(super) running: bool,
    pub(super) height: Option<Height>,
    pub(super) root: Option<Digest>,
    pub(super) peers: Option<usize>,
}

/// How a node was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It did not run.
    Absent,
    /// It ended when asked.
    Drained(Duration),
    /// It did not, and was ended.
    Killed,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("did not run"),
            Self::Drained(after) => write!(f, "stopped after {}", told(*after)),
            Self::Killed => write!(f, "did not stop within {}, and was killed", told(DRAIN_TIMEOUT)),
        }
    }
}

impl Fleet {
    /// The nodes of a devnet; from now on Ctrl-C and SIGTERM end what is waited for, instead of this process.
    pub(super) fn new(directory: PathBuf, state: State) -> anyhow::Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, interrupted.clone()).context("cannot listen for Ctrl-C")?;
        }
        let clients = state.nodes.iter().map(client).collect::<anyhow::Result<_>>()?;
        let children = state.nodes.iter().map(|_| None).collect();
        let stop_at_end = AtomicBool::new(true);
        Ok(Self {
            directory,
            state,
            clients,
            children,
            interrupted,
            stop_at_end,
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.state.nodes
    }

    /// Leaves the nodes running when this is dropped.
    pub(super) fn leave_running(&self) {
        self.stop_at_end.store(false, Ordering::Relaxed);
    }

    /// Fails once somebody has asked this process to end.
    pub(super) fn check_interrupt(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.interrupted.load(Ordering::Relaxed), "interrupted");
        Ok(())
    }

    /// Starts every node that does not run.
    pub(super) fn start_all(&mut self) -> anyhow::Result<()> {
        (0..self.state.nodes.len()).try_for_each(|at| self.start(at))
    }

    /// Starts a node, if it does not run.
    pub(super) fn start(&mut self, at: usize) -> anyhow::Result<()> {
        let node = &self.state.nodes[at];
        if node.process.as_ref().is_some_and(process::Process::runs) {
            return Ok(());
        }
        let (config, log) = (node.config_path(&self.directory), node.log_path(&self.directory));
        let genesis = self.directory.join(GENESIS);
        let (child, process) = process::start(&process::node_program()?, &config, &genesis, &log)?;
        self.children[at] = Some(child);
        self.state.nodes[at].process = Some(process);
        self.state.save(&self.directory)
    }

    /// Ends a node at once, as a power cut would end its process.
    pub(super) fn kill(&mut self, at: usize) -> anyhow::Result<()> {
        if let Some(process) = self.state.nodes[at].process.take() {
            process.kill()?;
            self.reap(at);
        }
        self.state.save(&self.directory)
    }

    /// Collects an ended child, so that it does not look alive.
    fn reap(&mut self, at: usize) {
        if let Some(mut child) = self.children[at].take() {
            // It has been sent SIGKILL or has ended, so this does not take long; there is nothing to do about
            // a failure.
            let _ = child.wait();
        }
    }

    /// Asks all nodes to end, waits, and ends those that do not.
    pub(super) fn stop_all(&mut self) -> anyhow::Result<Vec<(String, End)>> {
        self.stop((0..self.state.nodes.len()).collect())
    }

    fn stop(&mut self, which: Vec<usize>) -> anyhow::Result<Vec<(String, End)>> {
        let started = Instant::now();
        let mut ran = Vec::new();
        for at in &which {
            let process = self.state.nodes[*at]
                .process
                .as_ref()
                .filter(|process| process.runs());
            process.map_or(Ok(()), process::Process::terminate)?;
            ran.push(process.is_some());
        }
        let mut ends = Vec::new();
        for (at, ran) in which.into_iter().zip(ran) {
            let name = self.state.nodes[at].name.clone();
            ends.push((
                name,
                if ran {
                    self.await_end(at, started)?
                } else {
                    self.forget(at)
                },
            ));
        }
        self.state.save(&self.directory)?;
        Ok(ends)
    }

    /// A node that did not run runs no more.
    fn forget(&mut self, at: usize) -> End {
        self.state.nodes[at].process = None;
        self.reap(at);
        End::Absent
    }

    fn await_end(&mut self, at: usize, started: Instant) -> anyhow::Result<End> {
        let mut end = End::Drained(started.elapsed());
        if let Some(process) = self.state.nodes[at].process.take() {
            while process.runs() {
                if started.elapsed() > DRAIN_TIMEOUT {
                    process.kill()?;
                    end = End::Killed;
                    break;
                }
                thread::sleep(POLL);
                end = End::Drained(started.elapsed());
            }
        }
        self.reap(at);
        Ok(end)
    }

    /// A client of a node that gives up soon.
    pub(super) fn client(&self, at: usize) -> &Client {
        &self.clients[at]
    }

    /// Clients of all nodes, in their order.
    pub(super) fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// A session as the cooperative of a node.
    pub(super) fn session(&self, at: usize) -> Session {
        let node = &self.state.nodes[at];
        let profile = Profile {
            api_url: Some(node.api_url.clone()),
            api_key: Some(node.api_key.clone()),
            key_path: Some(node.key_path(&self.directory)),
            ca_cert: None,
            did: Some(node.did),
            store: None,
        };
        Session {
            settings: Settings {
                source: None,
                profile,
            },
            output: Output::silent(),
            key: OnceLock::new(),
        }
    }

    /// Waits until `done` is, and no node has ended meanwhile.
    pub(super) fn wait_for(
        &mut self,
        what: &str,
        timeout: Duration,
        mut done: impl FnMut(&Self) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + timeout;
        let mut last = None;
        loop {
            self.check_interrupt()?;
            self.check_alive()?;
            // That a node does not answer yet is not an error before the time is up.
            match done(self) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => last = Some(error),
            }
            if Instant::now() > until {
                let error = anyhow::anyhow!("{what}: not within {}", told(timeout));
                return Err(match last {
                    Some(last) => last.context(error),
                    None => error,
                });
            }
            thread::sleep(POLL);
        }
    }

    fn check_alive(&self) -> anyhow::Result<()> {
        for node in &self.state.nodes {
            if node.process.as_ref().is_some_and(|process| !process.runs()) {
                let log = node.log_path(&self.directory);
                let last = process::tail(&log, LOG_LINES);
                anyhow::bail!(
                    "{} ended by itself; the end of {}:\n{last}",
                    node.name,
                    log.display()
                );
            }
        }
        Ok(())
    }

    /// Waits until all nodes are ready, have one block at one height, and go on from there.
    pub(super) fn wait_until_agreed(&mut self, output: &Output, timeout: Duration) -> anyhow::Result<()> {
        let progress = Progress::spinner(output, "starting the nodes");
        self.wait_for("the nodes start", timeout, |fleet| {
            fleet
                .clients
                .iter()
                .try_fold(true, |ready, client| Ok(ready && client.ready()?.ready))
        })?;
        progress.tell("waiting until they agree");
        let first = self.heights()?.into_iter().max().unwrap_or_default();
        self.wait_for("the nodes agree", timeout, |fleet| {
            Ok(fleet.agreed_height()? > Some(first))
        })
    }

    fn heights(&self) -> anyhow::Result<Vec<Height>> {
        self.clients
            .iter()
            .map(|client| Ok(client.federation()?.height))
            .collect()
    }

    /// The highest height that all running nodes have, if all have the same block there.
    pub(super) fn agreed_height(&self) -> anyhow::Result<Option<Height>> {
        let running = (0..self.state.nodes.len()).filter(|at| self.state.nodes[*at].process.is_some());
        let clients: Vec<_> = running.map(|at| self.client(at)).collect();
        let heights = clients
            .iter()
            .map(|client| Ok(client.federation()?.height))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let Some(height) = heights.into_iter().min().filter(|height| *height > Height::ZERO) else {
            return Ok(None);
        };
        let blocks = clients
            .iter()
            .map(|client| Ok(client.log_block(height)?.cid))
            .collect::<anyhow::Result<Vec<Cid>>>()?;
        let same = blocks.windows(2).all(|pair| pair[0] == pair[1]);
        anyhow::ensure!(same, "the nodes have different blocks at height {height}");
        Ok(Some(height))
    }

    /// Every node as it looks from outside.
    pub(super) fn views(&self) -> Vec<View> {
        (0..self.state.nodes.len()).map(|at| self.view(at)).collect()
    }

    fn view(&self, at: usize) -> View {
        let node = &self.state.nodes[at];
        let running = node.process.as_ref().is_some_and(process::Process::runs);
        let client = Some(self.client(at)).filter(|_| running);
        let federation = client.as_ref().and_then(|client| client.federation().ok());
        let peers = client.as_ref().and_then(|client| client.peers().ok());
        View {
            name: node.name.clone(),
            did: node.did,
            api_url: node.api_url.clone(),
            p2p_address: node.p2p_address.clone(),
            running,
            height: federation.as_ref().map(|federation| federation.height),
            root: federation.as_ref().map(|federation| federation.root),
            peers: peers.map(|peers| peers.items.len()),
        }
    }
}

fn client(node: &Node) -> anyhow::Result<Client> {
    let config = ClientConfig {
        api_key: Some(node.api_key.clone()),
        ..ClientConfig::new(&node.api_url)
    };
    Ok(Client::new(ClientConfig {
        connect_timeout_ms: 1_000,
        timeout_ms: 10_000,
        retries: 0,
        ..config
    })?)
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // Only what this run has started: an error must not take down nodes that ran before.
        let started: Vec<_> = (0..self.children.len())
            .filter(|at| self.children[*at].is_some())
            .collect();
        if started.is_empty() || !self.stop_at_end.load(Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.stop(started) {
            Output::silent().insist(format!("warning: cannot stop the nodes: {error:#}"));
        }
    }
}
