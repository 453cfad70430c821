//! What the tests run against: the built service, and servers of PostgreSQL and NATS of their own, in temporary folders
//! on free ports. Where a server is not installed, the tests fail and say so.
use serde_json::Value;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

pub(crate) const KEY: &str = "an-operators-own-key";
const STEP: Duration = Duration::from_millis(50);
/// After this, something is wrong: how long things take is measured by benchmarks, on a machine that does nothing else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits until `is_so`, and says how long that took; panics with `what` after [`PATIENCE`].
pub(crate) fn wait(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        thread::sleep(STEP);
    }
    started.elapsed()
}

fn signal(child: &Child, name: &str) {
    let killed = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
}

/// A service that runs.
pub(crate) struct Service {
    child: Child,
    pub(crate) port: u16,
    pub(crate) dir: tempfile::TempDir,
    variables: Vec<(String, String)>,
    pub(crate) first_key: Option<String>,
}

/// How a service is to be started.
pub(crate) struct Setup {
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) catalog: Option<String>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let keys = format!("[\"{KEY}\"]");
        let mut setup = Self {
            variables: Vec::new(),
            catalog: None,
        };
        setup.set("FEDERATION_API_KEYS", &keys);
        setup
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn with_catalog(mut self, text: &str) -> Self {
        self.catalog = Some(text.into());
        self
    }

    pub(crate) fn start(self) -> Service {
        let dir = tempfile::tempdir().unwrap();
        if let Some(catalog) = &self.catalog {
            fs::create_dir(dir.path().join("config")).unwrap();
            fs::write(dir.path().join("config/projects.yaml"), catalog).unwrap();
        }
        let port = free_port();
        let child = run(&dir, port, &self.variables);
        let mut service = Service {
            child,
            port,
            dir,
            variables: self.variables,
            first_key: None,
        };
        service.wait_for_listening();
        service
    }

    /// Starts a service that is to refuse; what it says.
    pub(crate) fn refused(self) -> String {
        let dir = tempfile::tempdir().unwrap();
        if let Some(catalog) = &self.catalog {
            fs::create_dir(dir.path().join("config")).unwrap();
            fs::write(dir.path().join("config/projects.yaml"), catalog).unwrap();
        }
        let mut child = run(&dir, free_port(), &self.variables);
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!child.wait().unwrap().success(), "it started: {said}");
        said
    }
}

fn run(dir: &tempfile::TempDir, port: u16, variables: &[(String, String)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_icn-federation"));
    command
        .current_dir(dir.path())
        .env_clear()
        // Where `cargo xtask coverage` wants to be told which lines ran.
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("FEDERATION_PORT", port.to_string())
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

impl Service {
    fn wait_for_listening(&mut self) {
        let mut out = BufReader::new(self.child.stdout.take().unwrap());
        let mut err = self.child.stderr.take().unwrap();
        let log = self.dir.path().join("log");
        thread::spawn(move || {
            let mut file = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(log)
                .unwrap();
            let _ = std::io::copy(&mut err, &mut file);
        });
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.starts_with("listening on"), "{line:?} {}", self.log());
        let has_key = self
            .variables
            .iter()
            .any(|(name, _)| name == "FEDERATION_API_KEYS");
        if !has_key && self.first_key.is_none() {
            line.clear();
            out.read_line(&mut line).unwrap();
            self.first_key = line.trim().rsplit(' ').next().map(str::to_owned);
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    #[allow(dead_code, reason = "the bench asks for it")]
    /// Processor time that it has used, in seconds.
    pub(crate) fn cpu_secs(&self) -> f64 {
        const TICKS: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / TICKS
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(&mut self) {
        signal(&self.child, "-TERM");
        assert!(self.child.wait().unwrap().success());
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Starts it again where it was.
    pub(crate) fn again(&mut self) {
        self.child = run(&self.dir, self.port, &self.variables);
        self.wait_for_listening();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn call(&self, method: &str, path: &str, key: Option<&str>, body: Option<&[u8]>) -> Answer {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        let mut request = ureq::http::Request::builder().method(method).uri(self.url(path));
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        let answer = match body {
            Some(body) => agent.run(
                request
                    .header("content-type", "application/json")
                    .body(body)
                    .unwrap(),
            ),
            None => agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error} {}", self.log()));
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        let body = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_vec()
            .unwrap();
        Answer {
            status: answer.status().as_u16(),
            headers,
            body,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Some(KEY), None)
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.call(method, path, Some(KEY), Some(body.to_string().as_bytes()))
    }

    pub(crate) fn register(&self, slug: &str) {
        let body =
            serde_json::json!({"project_slug": slug, "name": slug, "hub_url": "http://localhost:9001"});
        let answer = self.send("POST", "/api/fed/projects", &body);
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    pub(crate) fn beat(&self, slug: &str) -> Answer {
        let body = serde_json::json!({"project_slug": slug, "status": "online"});
        self.send("POST", &format!("/api/fed/projects/{slug}/heartbeat"), &body)
    }

    pub(crate) fn status(&self, slug: &str) -> String {
        let project = self.get(&format!("/api/fed/projects/{slug}")).json();
        project["status"].as_str().unwrap_or_default().to_owned()
    }

    /// A metric's value, summed over its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = String::from_utf8(self.get("/metrics").body).unwrap();
        text.lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with([' ', '{']))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// A counter's value, summed over its labels.
    pub(crate) fn count_of(&self, name: &str) -> u64 {
        let value = self.metric(name);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a counter is a small whole number"
        )]
        let count = value as u64;
        count
    }

    /// How many projects are of a status.
    pub(crate) fn count(&self, status: &str) -> usize {
        let list = self.get("/api/fed/projects").json();
        let projects = list.as_array().unwrap();
        projects
            .iter()
            .filter(|project| project["status"] == status)
            .count()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: std::collections::BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The number of the error.
    pub(crate) fn code(&self) -> u64 {
        self.json()["code"].as_u64().unwrap_or_else(|| panic!("{self:?}"))
    }
}

fn program(name: &str, package: &str) -> PathBuf {
    let mut places: Vec<PathBuf> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    places.push("/usr/sbin".into());
    // Debian keeps the programs of PostgreSQL out of the search path.
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    places.extend(versions.map(|version| version.path().join("bin")));
    places
        .into_iter()
        .map(|place| place.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is needed for these tests: install {package}"))
}

/// A NATS server that comes and goes at one port.
pub(crate) struct NatsServer {
    pub(crate) port: u16,
    /// Where it tells how it is; 0 where it does not.
    pub(crate) monitor: u16,
    child: Option<Child>,
}

impl NatsServer {
    pub(crate) fn start() -> Self {
        let mut server = Self::later();
        server.run();
        server
    }

    /// One that tells how it is, over HTTP.
    pub(crate) fn start_monitored() -> Self {
        let mut server = Self::later();
        server.monitor = free_port();
        server.run();
        server
    }

    /// A port at which there will be one.
    pub(crate) fn later() -> Self {
        Self {
            port: free_port(),
            monitor: 0,
            child: None,
        }
    }

    pub(crate) fn run(&mut self) {
        let monitor = self.monitor.to_string();
        let monitor = ["-m", &monitor];
        let child = Command::new(program("nats-server", "nats-server"))
            .args(["-a", "127.0.0.1", "-p", &self.port.to_string()])
            .args(monitor.iter().filter(|_| self.monitor > 0))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait("nats-server listens", || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A PostgreSQL server that comes and goes at one port.
pub(crate) struct Postgres {
    dir: tempfile::TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
}

/// Who runs the server: it refuses to be root.
fn server_user() -> Option<(u32, u32)> {
    let own = fs::metadata("/proc/self").unwrap();
    if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let entry = users.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<_> = entry
        .expect("a user `postgres`: install postgresql")
        .split(':')
        .collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("icn-fed-pg").tempdir().unwrap();
        if let Some((user, group)) = server_user() {
            chown(dir.path(), Some(user), Some(group)).unwrap();
        }
        let mut server = Self {
            dir,
            port: free_port(),
            child: None,
        };
        let made = server
            .command("initdb")
            .args([
                "-D",
                "data",
                "-U",
                "commandcenter",
                "-A",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--no-locale",
            ])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.run();
        server.sql("postgres", "CREATE DATABASE commandcenter_fed");
        server
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name, "postgresql"));
        command.current_dir(self.dir.path()).env("LC_ALL", "C");
        if let Some((user, group)) = server_user() {
            command.uid(user).gid(group);
        }
        command
    }

    pub(crate) fn run(&mut self) {
        // One that was killed leaves this behind; its process is gone.
        let _ = fs::remove_file(self.dir.path().join("data/postmaster.pid"));
        let log = fs::File::create(self.dir.path().join("log")).unwrap();
        let child = self
            .command("postgres")
            .args(["-D", "data", "-p", &self.port.to_string(), "-k", "."])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=32MB"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        wait("PostgreSQL listens", || {
            self.try_sql("postgres", "SELECT 1").is_some()
        });
    }

    fn try_sql(&self, database: &str, sql: &str) -> Option<String> {
        let output = Command::new(program("psql", "postgresql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1"])
            .args([
                "-p",
                &self.port.to_string(),
                "-U",
                "commandcenter",
                "-d",
                database,
                "-c",
                sql,
            ])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        output.status.success().then_some(text)
    }

    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        self.try_sql(database, sql)
            .unwrap_or_else(|| panic!("{sql} failed"))
    }

    /// Ends it at once, as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, "-QUIT");
            child.wait().unwrap();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!(
            "postgresql://commandcenter@127.0.0.1:{}/commandcenter_fed",
            self.port
        )
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}
