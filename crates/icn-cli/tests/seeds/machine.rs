//! The machine that blocks are typed on: where it is allowed, one with a network of its own, so that every port that
//! the documents name is free.
use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::{Child, Command, Stdio},
};

/// A network namespace, which lives for as long as the test, or this machine's own network.
pub(crate) struct Machine {
    /// A process in the namespace, which ends with its input.
    holder: Option<Child>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let mut unshare = Command::new("unshare");
        if !is_root() {
            unshare.args(["--user", "--map-current-user", "--keep-caps"]);
        }
        let holder = unshare
            .args(["--net", "sh", "-c", "ip link set lo up && echo up && exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let holder = holder.ok().and_then(|mut child| {
            let mut line = String::new();
            let read = BufReader::new(child.stdout.take()?).read_line(&mut line);
            if read.is_ok() && line == "up\n" {
                return Some(child);
            }
            let _ = child.wait();
            None
        });
        Self { holder }
    }

    /// Whether it has a network of its own.
    pub(crate) const fn is_apart(&self) -> bool {
        self.holder.is_some()
    }

    /// A program there, as another user if one is named.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>, user: Option<(u32, u32)>) -> Command {
        let Some(holder) = &self.holder else {
            let mut command = Command::new(program);
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            return command;
        };
        let mut command = Command::new("nsenter");
        command.args(["--target", &holder.id().to_string(), "--net"]);
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        if let Some((user, group)) = user {
            command.args([format!("--setuid={user}"), format!("--setgid={group}")]);
        }
        command.arg("--").arg(program);
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut holder) = self.holder.take() {
            drop(holder.stdin.take());
            let _ = holder.wait();
        }
    }
}

/// Whether the tests run as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
