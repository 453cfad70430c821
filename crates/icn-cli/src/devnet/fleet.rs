//! The running nodes of a devnet: starting, watching, stopping.
use super::{
    hosts::Hosts,
    monitor,
    plan::GENESIS,
    process::{self, Launch},
    state::{Node, Prometheus, State},
    told,
};
use crate::{machine, output::Output, profile::Settings, progress::Progress, session::Session};
use anyhow::Context as _;
use icn_api::{
    Profile,
    client::{Client, ClientConfig},
};
use icn_model::{Cid, Did, Digest, Height};
use serde::Serialize;
use std::{
    ffi::OsString,
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
/// How long Prometheus has until it has seen every node.
const WATCHED_TIMEOUT: Duration = Duration::from_secs(60);
/// How often nodes are looked at while something is awaited.
const POLL: Duration = Duration::from_millis(100);
/// How much of a node's log is shown when it ends by itself.
const LOG_LINES: usize = 8;

/// Set once somebody has asked this process to end: all devnets that it has, one after the other, are meant.
static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// A devnet's nodes. Those that it started are stopped when it is dropped, unless they are left running.
pub(super) struct Fleet {
    directory: PathBuf,
    state: State,
    /// One for each node; making one costs more than using it.
    clients: Vec<Client>,
    /// The processes that this run started, by node; others may run that an earlier run started.
    children: Vec<Option<Child>>,
    /// How each node is started, and which program, where it is not the usual one.
    launches: Vec<(Launch, Option<PathBuf>)>,
    hosts: Option<Hosts>,
    /// Whether hosts with these names, if any are there, are this devnet's, and whether this run made them.
    owns_hosts: bool,
    made_hosts: bool,
    /// Whether this run started what watches them.
    watching: bool,
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
        let interrupted = listen()?;
        let clients = state.nodes.iter().map(client).collect::<anyhow::Result<_>>()?;
        let children = state.nodes.iter().map(|_| None).collect();
        let hosts = state
            .distributed
            .then(|| Hosts::new(state.nodes.iter().map(|node| node.name.as_str())));
        let launch = |at| Launch {
            within: hosts
                .as_ref()
                .map(|hosts: &Hosts| hosts.enter(at))
                .unwrap_or_default(),
            ..Launch::default()
        };
        let launches = (0..state.nodes.len()).map(|at| (launch(at), None)).collect();
        let has_made = state
            .hosts
            .as_ref()
            .is_some_and(|made| process::boot().is_ok_and(|boot| boot == *made));
        // What made a devnet's hosts may have been a version that did not say so.
        let run = |node: &Node| node.process.as_ref().is_some_and(process::Process::runs);
        let owns_hosts = hosts.is_some() && (has_made || state.nodes.iter().any(run));
        let stop_at_end = AtomicBool::new(true);
        Ok(Self {
            directory,
            state,
            clients,
            children,
            launches,
            hosts,
            owns_hosts,
            made_hosts: false,
            watching: false,
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

    /// The nodes' hosts, where each has one of its own.
    pub(super) fn hosts(&self) -> Option<&Hosts> {
        self.hosts.as_ref()
    }

    /// Lets nodes that are started from now on end with this process, however it ends. They must then be started by its
    /// first thread: they end with the one that starts them.
    pub(super) fn bind(&mut self) {
        let has = machine::in_path("setpriv").is_some();
        self.launches
            .iter_mut()
            .for_each(|(launch, _)| launch.bound = has);
    }

    /// Gives a node variables, from its next start on.
    pub(super) fn equip(&mut self, at: usize, env: Vec<(String, OsString)>) {
        self.launches[at].0.env = env;
    }

    /// Lets a node run another program, from its next start on; the usual one if none is named.
    pub(super) fn replace_program(&mut self, at: usize, program: Option<PathBuf>) {
        self.launches[at].1 = program;
    }

    /// What watches the nodes, if anything.
    pub(super) fn prometheus(&self) -> Option<&Prometheus> {
        self.state.prometheus.as_ref()
    }

    /// Starts what watches the nodes, unless it runs.
    pub(super) fn watch(&mut self, rules: &[PathBuf]) -> anyhow::Result<()> {
        let process = self
            .prometheus()
            .and_then(|prometheus| prometheus.process.as_ref());
        if process.is_some_and(process::Process::runs) {
            return Ok(());
        }
        let process = monitor::start(&self.state, &self.directory, rules)?;
        if let Some(prometheus) = &mut self.state.prometheus {
            prometheus.process = Some(process);
        }
        self.watching = true;
        self.state.save(&self.directory)
    }

    /// Waits until it has scraped every node.
    pub(super) fn wait_until_watched(&mut self) -> anyhow::Result<()> {
        let Some(address) = self.prometheus().map(|prometheus| prometheus.address.clone()) else {
            return Ok(());
        };
        let nodes = self.nodes().len();
        self.wait_for("Prometheus scrapes every node", WATCHED_TIMEOUT, |fleet| {
            let process = fleet
                .prometheus()
                .and_then(|prometheus| prometheus.process.as_ref());
            anyhow::ensure!(
                process.is_some_and(process::Process::runs),
                "Prometheus has ended:\n{}",
                process::tail(&monitor::log(&fleet.directory), 4)
            );
            Ok(monitor::scraped(&address)? == nodes)
        })
    }

    /// Ends it.
    pub(super) fn stop_watching(&mut self) -> anyhow::Result<()> {
        let process = self
            .state
            .prometheus
            .as_mut()
            .and_then(|prometheus| prometheus.process.take());
        if let Some(process) = process {
            process.terminate()?;
            let until = Instant::now() + DRAIN_TIMEOUT;
            while process.runs() && Instant::now() < until {
                thread::sleep(POLL);
            }
            process.kill()?;
            self.state.save(&self.directory)?;
        }
        Ok(())
    }

    /// Whether the nodes end with this.
    pub(super) fn is_own(&self) -> bool {
        self.stop_at_end.load(Ordering::Relaxed)
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
        if let Some(hosts) = &self.hosts {
            if !self.owns_hosts {
                hosts.check_free()?;
            }
            // Before there are any: nobody else would remove them.
            self.owns_hosts = true;
            self.state.hosts = Some(process::boot()?);
            self.state.save(&self.directory)?;
            match hosts.set_up() {
                Ok(made) => self.made_hosts |= made,
                Err(error) => {
                    // None is left.
                    self.owns_hosts = false;
                    self.state.hosts = None;
                    self.state.save(&self.directory)?;
                    return Err(error);
                }
            }
        }
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
        let (launch, program) = &self.launches[at];
        let program = program.clone().map_or_else(machine::node_program, Ok)?;
        let args = [
            "--config".into(),
            config.into(),
            "--genesis".into(),
            genesis.into(),
        ];
        let directory = node.directory(&self.directory);
        let (child, process) = process::start(launch, &program, &args, &directory, &log)?;
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

    /// Whether a node runs.
    pub(super) fn runs(&self, at: usize) -> bool {
        let process = self.state.nodes[at].process.as_ref();
        process.is_some_and(process::Process::runs)
    }

    /// Takes note that a node has ended by itself, if it has; gives its last words.
    pub(super) fn note_end(&mut self, at: usize) -> anyhow::Result<Option<String>> {
        let ended = self.state.nodes[at]
            .process
            .take_if(|process| !process.runs())
            .is_some();
        if !ended {
            return Ok(None);
        }
        self.reap(at);
        self.state.save(&self.directory)?;
        Ok(Some(self.last_words(at)))
    }

    /// Why a node's log has ended, if it has and the node still serves what it has.
    pub(super) fn log_end(&self, at: usize) -> Option<String> {
        let ready = self.runs(at).then(|| self.client(at).ready())?.ok()?;
        let log = ready.checks.into_iter().find(|check| check.name == "log")?;
        (!log.passed).then_some(log.reason)
    }

    /// What a node's log ends with.
    pub(super) fn last_words(&self, at: usize) -> String {
        let log = self.state.nodes[at].log_path(&self.directory);
        process::last_error(&log).unwrap_or_else(|| process::tail(&log, LOG_LINES))
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

    /// Removes what is outside of the devnet's directory, once no node runs. Another devnet's hosts stay.
    pub(super) fn remove_hosts(&mut self) -> anyhow::Result<()> {
        if let Some(hosts) = self.hosts.as_ref().filter(|_| self.owns_hosts) {
            hosts.tear_down();
            self.owns_hosts = false;
            self.made_hosts = false;
            self.state.hosts = None;
            self.state.save(&self.directory)?;
        }
        Ok(())
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

    /// Fails if a node has ended by itself.
    pub(super) fn check_alive(&self) -> anyhow::Result<()> {
        for (at, node) in self.state.nodes.iter().enumerate() {
            if node.process.as_ref().is_some_and(|process| !process.runs()) {
                anyhow::bail!(
                    "{} ended by itself; the end of {}:\n{}",
                    node.name,
                    node.log_path(&self.directory).display(),
                    self.last_words(at)
                );
            }
        }
        Ok(())
    }

    /// Fails if a node has ended by itself, or takes part in nothing any more.
    pub(super) fn check_well(&self) -> anyhow::Result<()> {
        self.check_alive()?;
        for (at, node) in self.state.nodes.iter().enumerate() {
            if let Some(why) = self.log_end(at) {
                anyhow::bail!("{}: its log has ended: {why}", node.name);
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

    /// Asks all running nodes at once; none for those that do not run, an error for those that do not answer.
    pub(super) fn ask_all<T: Send>(
        &self,
        ask: impl Fn(&Client) -> anyhow::Result<T> + Sync,
    ) -> Vec<Option<anyhow::Result<T>>> {
        thread::scope(|scope| {
            let asked: Vec<_> = self
                .clients
                .iter()
                .zip(&self.state.nodes)
                .map(|(client, node)| {
                    let ask = &ask;
                    node.process.as_ref().map(|_| scope.spawn(move || ask(client)))
                })
                .collect();
            let answered = asked.into_iter().map(|asked| {
                let answer = asked?.join();
                Some(answer.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread that asked a node broke off"))))
            });
            answered.collect()
        })
    }

    /// The highest height that all running nodes have, if all have the same block there.
    pub(super) fn agreed_height(&self) -> anyhow::Result<Option<Height>> {
        let heights = self.ask_all(|client| Ok(client.federation()?.height));
        let heights = heights
            .into_iter()
            .flatten()
            .collect::<anyhow::Result<Vec<_>>>()?;
        let Some(height) = heights.into_iter().min().filter(|height| *height > Height::ZERO) else {
            return Ok(None);
        };
        let blocks = self.ask_all(|client| Ok(client.log_block(height)?.cid));
        let blocks = blocks
            .into_iter()
            .flatten()
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

/// What is set by Ctrl-C and SIGTERM, from the first call on.
fn listen() -> anyhow::Result<Arc<AtomicBool>> {
    if let Some(interrupted) = INTERRUPTED.get() {
        return Ok(interrupted.clone());
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).context("cannot listen for Ctrl-C")?;
    }
    Ok(INTERRUPTED.get_or_init(|| interrupted).clone())
}

/// Whether somebody has asked this process to end since it had a devnet.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED
        .get()
        .is_some_and(|interrupted| interrupted.load(Ordering::Relaxed))
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
        if !self.is_own() {
            return;
        }
        // Only what this run has started: an error must not take down nodes that ran before.
        let started: Vec<_> = (0..self.children.len())
            .filter(|at| self.children[*at].is_some())
            .collect();
        if self.watching
            && let Err(error) = self.stop_watching()
        {
            Output::silent().insist(format!("warning: cannot stop Prometheus: {error:#}"));
        }
        if !started.is_empty()
            && let Err(error) = self.stop(started)
        {
            Output::silent().insist(format!("warning: cannot stop the nodes: {error:#}"));
        }
        // No others run on hosts that this run has made.
        if self.made_hosts
            && let Err(error) = self.remove_hosts()
        {
            Output::silent().insist(format!(
                "warning: the nodes' hosts are still in devnet.json: {error:#}"
            ));
        }
    }
}
