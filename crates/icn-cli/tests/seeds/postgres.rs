//! A PostgreSQL server for the blocks that need one: made with `initdb` in a temporary folder, on its usual port or, on
//! a network that others use, a free one; trusting everybody on its machine; ended and removed with the process, however
//! it ends.
use crate::machine::{self, Machine};
use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// Runs the server until its own input ends, then stops it and removes its folder.
const GUARD: &str = r#"
"$@" & server=$!
read -r _
kill -INT $server
wait $server
rm -rf "$PWD"
"#;
const LOOK_EVERY: Duration = Duration::from_millis(50);
const MAX_LOOKS: u32 = 600;
const USUAL_PORT: u16 = 5_432;

pub(crate) struct Server<'a> {
    machine: &'a Machine,
    pub(crate) port: u16,
    _guard: Child,
}

impl<'a> Server<'a> {
    pub(crate) fn start(machine: &'a Machine) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("icn-seeds-pg")
            .tempdir()
            .unwrap()
            .keep();
        let user = server_user();
        if let Some((user, group)) = user {
            std::os::unix::fs::chown(&directory, Some(user), Some(group)).unwrap();
        }
        let as_user = |program: PathBuf| {
            let mut command = machine.command(program, user);
            command.current_dir(&directory).env("LC_ALL", "C");
            command
        };
        // The name of whoever runs the tests, as whom clients come that name nobody.
        let made = as_user(program("initdb"))
            .args(["--pgdata", "data", "--auth", "trust", "--no-sync", "--no-locale"])
            .args(["--encoding", "UTF8", "--username", &own_name()])
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let free = || {
            TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port()
        };
        let port = if machine.is_apart() { USUAL_PORT } else { free() };
        let log = fs::File::create(directory.join("log")).unwrap();
        let guard = as_user(PathBuf::from("sh"))
            .args(["-c", GUARD, "guard"])
            .arg(program("postgres"))
            .args([
                "-D",
                "data",
                "-k",
                ".",
                "-c",
                "listen_addresses=localhost",
                "-c",
                "fsync=off",
            ])
            .args(["-p", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self {
            machine,
            port,
            _guard: guard,
        };
        for _ in 0..MAX_LOOKS {
            if server.query("select 1").is_ok() {
                return server;
            }
            thread::sleep(LOOK_EVERY);
        }
        panic!(
            "PostgreSQL does not answer: {}",
            fs::read_to_string(directory.join("log")).unwrap()
        );
    }

    /// Makes an empty database, whose owner is made as well.
    pub(crate) fn database(&self, name: &str, owner: &str) {
        let role =
            format!("do $$ begin create role \"{owner}\" login; exception when others then null; end $$");
        for statement in [
            role,
            format!("drop database if exists \"{name}\" with (force)"),
            format!("create database \"{name}\" owner \"{owner}\""),
        ] {
            self.query(&statement).unwrap();
        }
    }

    fn query(&self, statement: &str) -> Result<(), String> {
        let psql = self.machine.command(program("psql"), None);
        let output = { psql }
            .args(["-h", "localhost", "-p", &self.port.to_string(), "-U", &own_name()])
            .args(["-q", "-v", "ON_ERROR_STOP=1", "-c", statement, "postgres"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            Ok(())
        } else {
            Err(said)
        }
    }
}

/// What this process's user is called.
pub(crate) fn own_name() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Who runs the server: it refuses to be root.
fn server_user() -> Option<(u32, u32)> {
    if !machine::is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let entry = users
        .lines()
        .find(|line| line.starts_with("postgres:"))
        .expect("a user postgres, since the server refuses to be root: install postgresql");
    let fields: Vec<_> = entry.split(':').collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

/// A program of PostgreSQL; Debian keeps the server's out of the search path.
fn program(name: &str) -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin").join(name));
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .chain(installed)
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} of PostgreSQL is missing: install postgresql"))
}
