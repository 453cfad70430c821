//! Where a chapter's blocks are typed: a folder that stands for the machine, the programs in the search path, and the
//! nodes that run.
use crate::{
    blocks::{Typed, typed},
    machine::Machine,
    postgres::{Server, own_name},
};
use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};
use tempfile::TempDir;

/// The host name of the documents, which resolves to this machine here.
const HOST: &str = "your-node.domain.com";
/// The variable that tells the command line where the node is.
const URL: &str = "ICN_API_URL";

pub(crate) struct World<'a> {
    root: TempDir,
    machine: &'a Machine,
    server: Option<&'a Server<'a>>,
    variables: BTreeMap<String, String>,
    /// What stands in for placeholders, besides what a step says.
    swaps: Vec<(String, String)>,
    nodes: Vec<Node>,
    logs: Vec<PathBuf>,
}

/// A node that a block has started, below the shell that it was typed into.
struct Node {
    shell: Child,
    _stdout: BufReader<ChildStdout>,
    /// What it tells at its start, by the first word.
    told: BTreeMap<String, String>,
}

impl<'a> World<'a> {
    pub(crate) fn new(machine: &'a Machine, server: Option<&'a Server<'a>>) -> Self {
        let mut world = Self {
            root: tempfile::Builder::new().prefix("icn-seeds").tempdir().unwrap(),
            machine,
            server,
            variables: BTreeMap::new(),
            swaps: Vec::new(),
            nodes: Vec::new(),
            logs: Vec::new(),
        };
        for directory in ["secrets/identity", "secrets/tls", "backups", "var/log/icn"] {
            fs::create_dir_all(world.path(directory)).unwrap();
        }
        // Everything below / that the documents name.
        for place in ["/secrets", "/backups", "/var/log/icn"] {
            let here = world.path(place.trim_start_matches('/')).display().to_string();
            world.swap(place, &here);
        }
        if !machine.is_apart() {
            world.free_ports();
        }
        if let Some(server) = server {
            world.set("PGHOST", "localhost");
            world.set("PGPORT", &server.port.to_string());
        }
        world
    }

    /// Puts free ports in the place of those that somebody else may have.
    fn free_ports(&mut self) {
        for port in [
            "127.0.0.1:7845",
            "0.0.0.0:7845",
            "0.0.0.0:7846",
            "127.0.0.1:9090",
            "0.0.0.0:9090",
        ] {
            let (address, _) = port.split_once(':').unwrap();
            self.swap(port, &format!("{address}:0"));
        }
        for port in ["/tcp/7000\"", "/tcp/7001\""] {
            self.swap(port, "/tcp/0\"");
        }
    }

    /// A place on the machine.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    /// Sets a variable for whatever is typed from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Puts `with` in the place of `what`, in every block from now on.
    pub(crate) fn swap(&mut self, what: &str, with: &str) {
        self.swaps.insert(0, (what.to_owned(), with.to_owned()));
    }

    /// A block as it is typed here.
    pub(crate) fn swapped(&self, text: &str, more: &[(&str, &str)]) -> String {
        let mut text = text.to_owned();
        for (what, with) in more {
            assert!(text.contains(what), "the block says nothing of {what}");
            text = text.replace(what, with);
        }
        for (what, with) in &self.swaps {
            text = replace(&text, what, with);
        }
        text
    }

    /// A certificate for this machine and the documents' host, with its key, which curl believes.
    pub(crate) fn certificate(&mut self, certificate: &str, key: &str) {
        let pair = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned(), HOST.to_owned()];
        let signed = CertificateParams::new(names).unwrap().self_signed(&pair).unwrap();
        fs::write(self.path(certificate), signed.pem()).unwrap();
        let key = self.path(key);
        fs::write(&key, pair.serialize_pem()).unwrap();
        owner_only(&key);
        let certificate = self.path(certificate).display().to_string();
        self.set("CURL_CA_BUNDLE", &certificate);
        self.set("ICN_CA_CERT", &certificate);
    }

    /// An encrypted key of a node, made as its operator makes it, and its passphrase in the environment.
    pub(crate) fn node_key(&mut self, path: &str) {
        self.set("ICN_KEY_PASSPHRASE", "a passphrase of several words");
        let path = self.path(path);
        self.sh("", &format!("icn-cli key new --encrypt '{}'", path.display()));
    }

    /// Has the documents' host name lead to the last node that was started, for curl.
    fn resolve_host(&self) {
        let url = self.told("http");
        let port = url.rsplit(':').next().unwrap();
        let lines = format!("connect-to = \"{HOST}:443:127.0.0.1:{port}\"\nsilent\nshow-error\nfail\n");
        fs::write(self.path(".curlrc"), lines).unwrap();
    }

    /// Tells the command line where a node is that leaves it no profile, where that is not the usual port.
    pub(crate) fn point_the_command_line(&mut self) {
        if !self.machine.is_apart() {
            self.set(URL, "");
            self.set("ICN_API_KEY", "dev-key-123");
        }
    }

    /// Makes an empty database on the server.
    pub(crate) fn database(&self, name: &str, owner: &str) {
        self.server
            .expect("the chapter has a server")
            .database(name, owner);
    }

    /// The server's port.
    pub(crate) fn database_port(&self) -> u16 {
        self.server.expect("the chapter has a server").port
    }

    /// What the last node that was started tells under `name`.
    pub(crate) fn told(&self, name: &str) -> String {
        let node = self.nodes.last().expect("a node runs");
        node.told
            .get(name)
            .unwrap_or_else(|| panic!("the node tells no {name}"))
            .clone()
    }

    /// Types lines into a shell in the folder `at` and gives what they print; they must succeed.
    pub(crate) fn sh(&self, at: &str, lines: &str) -> String {
        let output = self.shell(at, lines).output().unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, errors) = (said(&output.stdout), said(&output.stderr));
        assert!(
            output.status.success(),
            "ended with {}:\n{lines}\n{out}{errors}",
            output.status
        );
        out + &errors
    }

    /// The same for lines of which the last must fail, with what it says.
    pub(crate) fn refused(&self, at: &str, lines: &str) -> String {
        let output = self.shell(at, lines).output().unwrap();
        assert!(!output.status.success(), "was not refused:\n{lines}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// What a command prints as JSON.
    pub(crate) fn json(&self, at: &str, line: &str) -> Value {
        let output = self.shell(at, line).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&text).unwrap_or_else(|error| {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            panic!("{line}: {error}: {text}{said}")
        })
    }

    fn shell(&self, at: &str, lines: &str) -> Command {
        let directory = self.path(at);
        fs::create_dir_all(&directory).unwrap();
        let programs = Path::new(env!("CARGO_BIN_EXE_icn-cli"))
            .parent()
            .unwrap()
            .to_owned();
        let system = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([programs].into_iter().chain(env::split_paths(&system))).unwrap();
        let mut shell = self.machine.command("sh", None);
        shell
            .args(["-e", "-c", lines])
            .current_dir(directory)
            .stdin(Stdio::null())
            .env_clear()
            // After the environment is cleared: what enters the machine is found in the path, too.
            .env("PATH", path)
            .env("HOME", self.root.path())
            .env("USER", own_name())
            .env("LC_ALL", "C.UTF-8")
            .envs(&self.variables);
        shell
    }

    /// Types a shell block in the folder `at`, and gives what it prints. Nodes that it starts run until
    /// [`World::stop`].
    pub(crate) fn type_in(&mut self, at: &str, text: &str) -> String {
        let mut printed = String::new();
        for part in typed(text) {
            match part {
                Typed::Lines(lines) => printed.push_str(&self.sh(at, &lines)),
                Typed::Node(command) => self.start(at, &command),
            }
        }
        printed
    }

    /// Starts a node as `command` says, and waits until it tells where it is.
    pub(crate) fn start(&mut self, at: &str, command: &str) {
        let log = self.path(&format!("log-{}", self.logs.len()));
        let mut shell = self.shell(at, command);
        let mut child = shell
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        self.logs.push(log.clone());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (mut told, mut line) = (BTreeMap::new(), String::new());
        while !told.contains_key("try") {
            line.clear();
            if stdout.read_line(&mut line).unwrap() == 0 {
                let _ = child.wait();
                panic!(
                    "the node did not start:\n{command}\n{}",
                    fs::read_to_string(&log).unwrap()
                );
            }
            if let Some((name, value)) = line.trim().split_once(' ') {
                told.insert(name.to_owned(), value.trim().to_owned());
            }
        }
        self.nodes.push(Node {
            shell: child,
            _stdout: stdout,
            told,
        });
        self.resolve_host();
        if self.variables.contains_key(URL) {
            let url = self.told("http");
            self.set(URL, &url);
        }
    }

    /// Ends every node as a supervisor does; each must end well.
    pub(crate) fn stop(&mut self) {
        for node in &mut self.nodes {
            node.signal("TERM");
        }
        for mut node in std::mem::take(&mut self.nodes) {
            let status = node.shell.wait().unwrap();
            assert!(status.success(), "a node ended with {status}");
        }
    }

    /// The end of what the nodes logged, for a failure.
    pub(crate) fn logs(&self) -> String {
        let last = |path: &PathBuf| {
            let text = fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<_> = text.lines().rev().take(12).collect();
            lines
                .into_iter()
                .rev()
                .fold(String::new(), |all, line| all + "| " + line + "\n")
        };
        self.logs.last().map(last).unwrap_or_default()
    }

    /// What the last node has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.logs.last().expect("a node ran")).unwrap()
    }
}

impl Node {
    /// Signals the node: the shell's child, or what the shell has become.
    fn signal(&self, signal: &str) {
        let shell = self.shell.id();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap_or_default();
        let node = children
            .split_whitespace()
            .next()
            .map_or(shell.to_string(), str::to_owned);
        let _ = Command::new("kill").args([&format!("-{signal}"), &node]).status();
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        for mut node in std::mem::take(&mut self.nodes) {
            node.signal("KILL");
            let _ = node.shell.wait();
        }
    }
}

/// Makes a file its owner's alone.
fn owner_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Replaces `what` where nothing stands before it that makes it a part of something longer.
fn replace(text: &str, what: &str, with: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(what) {
        let before = rest[..at].chars().last();
        let is_part = before.is_some_and(|char| char.is_alphanumeric() || char == '.');
        replaced.push_str(&rest[..at]);
        replaced.push_str(if is_part { what } else { with });
        rest = &rest[at + what.len()..];
    }
    replaced + rest
}
