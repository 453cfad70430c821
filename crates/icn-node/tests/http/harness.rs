//! Starts a node and talks to it. A node that wrote an error to its log fails the test that used it, unless
//! the test says that it expects one.
use icn_api::{
    Problem, Profile,
    client::{Client, ClientConfig},
    keyfile::{self, Passphrase},
    operations::{OperationState, Submitted},
};
use icn_model::{Action, Did, Millis, Operation, OperationId, Refusal, SecretKey, SignedOperation};
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use ureq::{
    Agent,
    http::HeaderMap,
    tls::{Certificate, RootCerts, TlsConfig},
};

/// The key of test mode.
pub(crate) const KEY: &str = "dev-key-123";
/// How long a write may take to be final.
pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// A running node.
pub(crate) struct Node {
    child: Child,
    /// Kept open: the node may still have something to say when the test knows enough.
    _stdout: BufReader<ChildStdout>,
    log: PathBuf,
    /// Base URL of its HTTP interface.
    pub(crate) url: String,
    metrics: Option<String>,
    /// Its key, in every role.
    pub(crate) key: SecretKey,
    pub(crate) did: Did,
    pub(crate) client: Client,
    agent: Agent,
    pub(crate) expects_errors: bool,
    _directory: Option<TempDir>,
}

/// An answer with all of its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem that it must be, with the code that it must have.
    pub(crate) fn problem(&self, status: u16, code: u16) -> Problem {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.header("content-type"), icn_api::PROBLEM_JSON, "{text}");
        let problem: Problem = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((problem.code, problem.status), (code, status), "{text}");
        assert!(!problem.remedy.is_empty() && !problem.detail.is_empty(), "{text}");
        assert_eq!(
            problem.correlation_id.as_deref(),
            Some(self.header("x-correlation-id")),
            "{text}"
        );
        problem
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, status: u16) -> T {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.header("content-type"), "application/json", "{text}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Node {
    /// In memory, in test mode.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut node = Self::start_in(directory.path(), &["--test-mode"]);
        node._directory = Some(directory);
        node
    }

    /// On disk, in `directory`, with test mode's key.
    pub(crate) fn on_disk(directory: &Path) -> Self {
        Self::on_disk_with(directory, &[])
    }

    /// The same, with more arguments.
    pub(crate) fn on_disk_with(directory: &Path, more: &[&str]) -> Self {
        let data_dir = directory.join("data");
        let mut arguments = vec!["--data-dir", data_dir.to_str().unwrap(), "--api-key", KEY];
        arguments.extend_from_slice(more);
        Self::start_in(directory, &arguments)
    }

    fn start_in(directory: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_icn-node"));
        command
            .args([
                "--http-listen-addr",
                "127.0.0.1:0",
                "--p2p-listen-addr",
                "/ip4/127.0.0.1/tcp/0",
            ])
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::null());
        Self::launch(command, directory, None)
    }

    /// Runs `command`, whose current directory is `directory`; `passphrase` opens the node's key.
    pub(crate) fn launch(mut command: Command, directory: &Path, passphrase: Option<&str>) -> Self {
        let log = directory.join("log");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (mut url, mut metrics, mut profile) = (None, None, None);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        for line in stdout.by_ref().lines().map_while(Result::ok) {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["http", address] => url = Some(address.to_owned()),
                ["metrics", address] => metrics = Some(address.to_owned()),
                ["try", _, "--config", path, ..] => profile = Some(PathBuf::from(path)),
                _ => {}
            }
            if url.is_some() && profile.is_some() {
                break;
            }
        }
        let (Some(url), Some(profile)) = (url, profile) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the node did not start: {}", fs::read_to_string(&log).unwrap());
        };
        let path = directory.join(profile);
        let profile: Profile = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let passphrase = passphrase.map(|text| Passphrase::new(text.to_owned(), "the test").unwrap());
        let key = keyfile::load(&profile.key_path.unwrap()).unwrap();
        let key = key.open_with(passphrase.as_ref(), "none").unwrap();
        let mut config = ClientConfig::new(&url);
        config.api_key = profile.api_key;
        config.ca_pem = profile.ca_cert.map(|path| fs::read(path).unwrap());
        let roots = config
            .ca_pem
            .iter()
            .map(|pem| Certificate::from_pem(pem).unwrap())
            .collect::<Vec<_>>();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(
                TlsConfig::builder()
                    .root_certs(RootCerts::new_with_certs(&roots))
                    .build(),
            )
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        Self {
            child,
            _stdout: stdout,
            log,
            url,
            metrics,
            did: profile.did.unwrap(),
            key,
            client: Client::new(config).unwrap(),
            agent,
            expects_errors: false,
            _directory: None,
        }
    }

    /// With the key.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[("x-api-key", KEY)])
    }

    /// With these headers only.
    pub(crate) fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.get_at(&format!("{}{path}", self.url), headers)
    }

    /// The same, of a whole URL.
    pub(crate) fn get_at(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.agent.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.call().unwrap())
    }

    /// Where its metrics are.
    pub(crate) fn metrics(&self) -> &str {
        self.metrics.as_deref().unwrap()
    }

    /// Keeps its directory for as long as the node.
    pub(crate) fn keep(&mut self, directory: TempDir) {
        self._directory = Some(directory);
    }

    /// The directory that was given to keep.
    pub(crate) fn directory(&self) -> &Path {
        self._directory.as_ref().unwrap().path()
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until the log has `part`.
    pub(crate) fn wait_for_log(&self, part: &str) {
        let start = Instant::now();
        while !self.log().contains(part) {
            assert!(
                start.elapsed() < WAIT,
                "{part:?} is not in the log: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.signal("-HUP");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    pub(crate) fn head(&self, path: &str) -> Answer {
        read(
            self.agent
                .head(format!("{}{path}", self.url))
                .header("x-api-key", KEY)
                .call()
                .unwrap(),
        )
    }

    pub(crate) fn put(&self, path: &str) -> Answer {
        read(
            self.agent
                .put(format!("{}{path}", self.url))
                .header("x-api-key", KEY)
                .send("")
                .unwrap(),
        )
    }

    /// With this key.
    pub(crate) fn delete(&self, path: &str, key: &str) -> Answer {
        let request = self.agent.delete(format!("{}{path}", self.url));
        read(request.header("x-api-key", key).call().unwrap())
    }

    pub(crate) fn post(&self, path: &str, media: &str, body: &[u8]) -> Answer {
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("x-api-key", KEY);
        read(request.header("content-type", media).send(body).unwrap())
    }

    pub(crate) fn patch(&self, path: &str, body: &[u8]) -> Answer {
        let request = self
            .agent
            .patch(format!("{}{path}", self.url))
            .header("x-api-key", KEY);
        read(
            request
                .header("content-type", "application/json")
                .send(body)
                .unwrap(),
        )
    }

    pub(crate) fn post_json(&self, path: &str, body: &impl serde::Serialize) -> Answer {
        self.post(path, "application/json", &serde_json::to_vec(body).unwrap())
    }

    /// A connection on which nothing was said yet.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.url.rsplit('/').next().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    /// Sends bytes as they are, and gives the head of the answer, whatever becomes of the connection.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        read_until(&mut stream, "\r\n\r\n")
    }

    /// An operation of `author`, signed with `key`, with its next number.
    pub(crate) fn sign(&self, author: Did, key: &SecretKey, action: Action) -> SignedOperation {
        let next = self.client.next_operation(key.public()).unwrap();
        let operation = Operation {
            federation: next.federation,
            author,
            key: key.public(),
            sequence: next.sequence,
            expires: next.time.after(Millis::from_secs(300)),
            action,
        };
        SignedOperation::sign(operation, key)
    }

    /// The same for the node's own cooperative.
    pub(crate) fn own(&self, action: Action) -> SignedOperation {
        self.sign(self.did, &self.key, action)
    }

    /// Hands an operation in, and waits until it is done.
    pub(crate) fn done(&self, operation: &SignedOperation) {
        let Submitted { operations } = self.client.submit(std::slice::from_ref(operation), WAIT).unwrap();
        assert!(
            matches!(operations[..], [ref one] if matches!(one.state, OperationState::Done { .. })),
            "{operations:?}"
        );
    }

    /// Does something for the node's own cooperative, and gives the id. The node signs with the same key meanwhile, and
    /// may take a number first.
    pub(crate) fn act(&self, action: Action) -> OperationId {
        loop {
            let operation = self.own(action.clone());
            let Submitted { mut operations } = self
                .client
                .submit(std::slice::from_ref(&operation), WAIT)
                .unwrap();
            match operations.pop().unwrap().state {
                OperationState::Done { .. } => return operation.id(),
                OperationState::Refused { refusal, .. }
                    if matches!(refusal.reason, Refusal::SequenceUsed { .. }) => {}
                state => panic!("{state:?}"),
            }
        }
    }

    /// Ends the node as an operator does, and waits for it.
    pub(crate) fn stop(mut self) {
        self.signal("-TERM");
        assert!(
            self.child.wait().unwrap().success(),
            "{}",
            fs::read_to_string(&self.log).unwrap()
        );
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        if std::thread::panicking() {
            eprintln!("log of the node:\n{log}");
        } else if !self.expects_errors {
            assert!(!log.contains("ERROR"), "the node logged an error:\n{log}");
        }
    }
}

/// What comes up to `end`, or up to the end of the connection.
pub(crate) fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let (mut answer, mut piece) = (Vec::new(), [0; 4_096]);
    while let Ok(len @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..len]);
        if String::from_utf8_lossy(&answer).contains(end) {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn read(mut response: ureq::http::Response<ureq::Body>) -> Answer {
    let body = response
        .body_mut()
        .with_config()
        .limit(128 << 20)
        .read_to_vec()
        .unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body,
    }
}
