//! A PostgreSQL server for one test process: made with `initdb` in a temporary directory, ended and
//! removed with the process however it ends. It speaks over a Unix socket and a port of its own.
//!
//! Where PostgreSQL is not installed the tests fail: Debian's `postgresql` package is enough.
#![allow(dead_code, reason = "each test program uses a part")]

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use icn_store::PostgresqlSettings;

const STEP_MS: u64 = 50;
const MAX_STEPS: u32 = 600;
pub(crate) const PASSWORD: &str = "geheim";

/// Runs the server until its own input ends, then stops it and removes its directory. Told to leave
/// the directory, it waits for the server to end by itself.
const GUARD: &str = r#"
dir=$1; shift
"$@" & server=$!
echo $server > "$dir/pid"
read -r order
if [ "$order" = leave ]; then wait $server; exit; fi
kill -INT $server
{ sleep 10; kill -QUIT $server; } & impatience=$!
wait $server
kill $impatience
rm -rf "$dir"
"#;

pub(crate) struct Server {
    dir: PathBuf,
    port: u16,
    options: Vec<String>,
    /// `None` once it has ended.
    guard: Option<Child>,
}

/// Who runs the server: it refuses to be root.
fn server_user() -> Option<(u32, u32)> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("root knows its users");
    let entry = users.lines().find(|line| line.starts_with("postgres:"));
    let fields: Vec<&str> = entry
        .expect("a user `postgres`, since the server refuses to be root: install postgresql")
        .split(':')
        .collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

fn program(name: &str) -> PathBuf {
    let mut places: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    for versions in ["/usr/lib/postgresql", "/usr/local/lib/postgresql"] {
        places.extend(
            fs::read_dir(versions)
                .into_iter()
                .flatten()
                .flatten()
                .map(|version| version.path().join("bin")),
        );
    }
    places
        .into_iter()
        .map(|place| place.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} of PostgreSQL is needed for these tests: install postgresql"))
}

fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = server_user() {
        command.uid(user).gid(group);
    }
    command.env("LC_ALL", "C");
    command
}

fn check(output: &Output, what: &str) {
    assert!(
        output.status.success(),
        "{what}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

impl Server {
    /// Makes a new server; `options` are settings like `fsync=off`.
    pub(crate) fn start(options: &[&str]) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("icn-pg")
            .tempdir()
            .unwrap()
            .keep();
        fs::write(dir.join("password"), PASSWORD).unwrap();
        for (name, pem) in [
            ("server.crt", include_str!("../data/localhost.crt")),
            ("server.key", include_str!("../data/localhost.key")),
        ] {
            fs::write(dir.join(name), pem).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            fs::set_permissions(dir.join(name), mode).unwrap();
        }
        if let Some((user, group)) = server_user() {
            for path in [
                dir.clone(),
                dir.join("password"),
                dir.join("server.crt"),
                dir.join("server.key"),
            ] {
                chown(path, Some(user), Some(group)).unwrap();
            }
        }
        let made = command(program("initdb"))
            .current_dir(&dir)
            .args(["--pgdata", "data", "--username", "node", "--pwfile", "password"])
            .args([
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--no-locale",
                "--no-sync",
            ])
            .output()
            .unwrap();
        check(&made, "initdb");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Self {
            dir,
            port,
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            guard: None,
        };
        server.run();
        server
    }

    fn run(&mut self) {
        let mut guard = command("sh");
        guard
            .current_dir(&self.dir)
            .args(["-c", GUARD, "guard"])
            .arg(&self.dir)
            .arg(program("postgres"))
            .args(["-D", "data", "-p", &self.port.to_string()])
            .arg("-k")
            .arg(&self.dir);
        let fixed = [
            "listen_addresses=127.0.0.1",
            "ssl=on",
            "ssl_cert_file=../server.crt",
            "ssl_key_file=../server.key",
            "max_connections=60",
            "shared_buffers=16MB",
        ];
        for option in fixed.into_iter().chain(self.options.iter().map(String::as_str)) {
            guard.args(["-c", option]);
        }
        let log = fs::File::create(self.dir.join("log")).unwrap();
        let guard = guard
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.guard = Some(guard);
        self.wait_until_ready();
    }

    /// The server that the tests of one process share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn wait_until_ready(&self) {
        for _ in 0..MAX_STEPS {
            if self.try_sql("SELECT 1").status.success() {
                return;
            }
            thread::sleep(Duration::from_millis(STEP_MS));
        }
        panic!("the server does not start: {}", self.log());
    }

    fn try_sql(&self, sql: &str) -> Output {
        Command::new(program("psql"))
            .args([
                "-X",
                "-q",
                "-t",
                "-A",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                "postgres",
                "-U",
                "node",
                "-h",
            ])
            .arg(&self.dir)
            .args(["-p", &self.port.to_string(), "-c", sql])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .unwrap()
    }

    /// Runs a statement as the database's own tool does; what it printed.
    pub(crate) fn sql(&self, sql: &str) -> String {
        let output = self.try_sql(sql);
        check(&output, sql);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Settings for a schema of this test's own.
    pub(crate) fn settings(&self) -> PostgresqlSettings {
        static SCHEMAS: AtomicU32 = AtomicU32::new(0);
        let url = format!("postgresql://node:{PASSWORD}@localhost:{}/postgres", self.port);
        let mut settings = PostgresqlSettings::new(url);
        settings.schema = format!("test_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        settings
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Ends the server at once, without a checkpoint, and starts it again in the same place.
    pub(crate) fn crash_and_restart(&mut self) {
        self.crash();
        self.restart();
    }

    /// Ends the server at once, without a checkpoint.
    pub(crate) fn crash(&mut self) {
        let pid = fs::read_to_string(self.dir.join("pid")).unwrap();
        let signalled = Command::new("kill").args(["-QUIT", pid.trim()]).status().unwrap();
        assert!(signalled.success());
        self.end("leave");
    }

    /// Starts a server that has crashed again, in the same place.
    pub(crate) fn restart(&mut self) {
        self.run();
    }

    fn end(&mut self, order: &str) {
        let Some(mut guard) = self.guard.take() else {
            return;
        };
        if let Some(mut input) = guard.stdin.take() {
            // The guard may have ended already.
            let _ = writeln!(input, "{order}");
        }
        let _ = guard.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end("stop");
    }
}
