//! Processes that outlive the command that started them, and how to be sure that one is still the same.
//!
//! A process is named by its id, its start time and the machine's boot: ids are used again, so nothing is ever
//! signalled that does not match all three. Needs Linux's /proc.
use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::{
    env,
    ffi::OsString,
    fs::{self, File, OpenOptions},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

/// Variables of nodes and of this command; a devnet's nodes are told everything by their files.
const PREFIX: &str = "ICN_";
/// How far from the end of a log its last error is looked for, in lines.
const LAST_WORDS: usize = 200;

/// A process, told apart from any other that ever had its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Process {
    pid: i32,
    /// In clock ticks since the machine started.
    started: u64,
    /// Which start of the machine that was.
    boot: String,
}

impl Process {
    fn of(pid: u32) -> anyhow::Result<Self> {
        let pid = i32::try_from(pid).context("a process id is larger than any can be")?;
        let stat =
            stat(pid).with_context(|| format!("cannot read /proc/{pid}/stat: a devnet needs Linux"))?;
        Ok(Self {
            pid,
            started: stat.started,
            boot: boot()?,
        })
    }

    #[cfg(test)]
    pub(super) fn this() -> anyhow::Result<Self> {
        Self::of(std::process::id())
    }

    /// Whether this very process still runs; one that has ended and waits to be collected does not.
    pub(super) fn runs(&self) -> bool {
        let same = |stat: Stat| stat.started == self.started && !matches!(stat.state, 'Z' | 'X');
        stat(self.pid).is_some_and(same) && boot().is_ok_and(|boot| boot == self.boot)
    }

    /// Memory that it has now, and the most that it had, in bytes; none if it does not run.
    pub(super) fn memory(&self) -> Option<Memory> {
        if !self.runs() {
            return None;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        Some(Memory {
            resident_bytes: kib_of(&status, "VmRSS:")? << 10,
            peak_bytes: kib_of(&status, "VmHWM:")? << 10,
        })
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Ends it.
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.runs()) else {
            return Ok(());
        };
        match kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("cannot signal process {}", self.pid)),
        }
    }
}

/// A process's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Memory {
    /// Resident now.
    pub(super) resident_bytes: u64,
    /// The most that was.
    pub(super) peak_bytes: u64,
}

fn kib_of(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

struct Stat {
    state: char,
    started: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads proc(5): the program's name is in brackets and may have any character, so count from the last one.
fn parse_stat(line: &str) -> Option<Stat> {
    let (_, rest) = line.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // The start time is field 22; the state was field 3.
    let started = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, started })
}

/// Names this start of the machine.
pub(super) fn boot() -> anyhow::Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("a devnet needs Linux's /proc")?;
    Ok(id.trim().to_owned())
}

/// How a program is started.
#[derive(Clone, Debug, Default)]
pub(super) struct Launch {
    /// What is started with the program and its arguments behind; the program itself if empty.
    pub(super) within: Vec<OsString>,
    /// Variables of the program alone.
    pub(super) env: Vec<(String, OsString)>,
    /// Whether it ends with the thread that starts it, however that ends.
    pub(super) bound: bool,
}

impl Launch {
    fn command(&self, program: &Path) -> Command {
        let mut words = self.within.clone();
        if self.bound {
            words.extend(["setpriv", "--pdeathsig", "KILL"].map(OsString::from));
        }
        if !self.env.is_empty() {
            // Not for what stands before it, which may be disturbed by it.
            words.push("env".into());
            words.extend(self.env.iter().map(|(name, value)| {
                let mut word = OsString::from(format!("{name}="));
                word.push(value);
                word
            }));
        }
        words.push(program.into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

/// Starts a program in a process group of its own, so that Ctrl-C here does not reach it, with none of this project's
/// variables.
pub(super) fn start(
    launch: &Launch,
    program: &Path,
    args: &[OsString],
    directory: &Path,
    log: &Path,
) -> anyhow::Result<(Child, Process)> {
    let log_named = || format!("cannot write {}", log.display());
    let out = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(log_named)?;
    let err: File = out.try_clone().with_context(log_named)?;
    let mut command = launch.command(program);
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(PREFIX)) {
        command.env_remove(name);
    }
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .current_dir(directory);
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let process = Process::of(child.id())?;
    Ok((child, process))
}

/// The last lines of a log, for errors.
pub(super) fn tail(log: &Path, lines: usize) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut last: Vec<_> = text.lines().rev().take(lines).collect();
    last.reverse();
    last.join("\n")
}

/// The error that a program ended with, if its log tells one.
pub(super) fn last_error(log: &Path) -> Option<String> {
    let bytes = fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let mut last = text.lines().rev().take(LAST_WORDS);
    let end = last
        .clone()
        .find_map(|line| line.strip_prefix("error: ").map(str::to_owned));
    end.or_else(|| last.find(|line| line.contains(" ERROR ")).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_start_within_others() {
        let mut launch = Launch::default();
        let line = |launch: &Launch| {
            let command = launch.command(Path::new("icn-node"));
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            words
                .map(|word| word.to_string_lossy())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(line(&launch), "icn-node");
        launch.env = vec![("NAME".into(), "value".into())];
        launch.bound = true;
        launch.within = vec!["ip".into(), "netns".into()];
        assert_eq!(
            line(&launch),
            "ip netns setpriv --pdeathsig KILL env NAME=value icn-node"
        );
    }

    #[test]
    fn memory_and_last_words_are_read() {
        let memory = Process::this().unwrap().memory().unwrap();
        assert!(memory.resident_bytes > 0 && memory.peak_bytes >= memory.resident_bytes);
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("node.log");
        assert_eq!(last_error(&log), None);
        fs::write(&log, "INFO all is well\nerror: the disk is full\n").unwrap();
        assert_eq!(last_error(&log).as_deref(), Some("the disk is full"));
    }

    #[test]
    fn stat_lines_with_strange_names_are_read() {
        let line = "42 (a) R (b c) S 1 42 42 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 0 0 0";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.state, stat.started), ('S', 987_654));
        assert!(parse_stat("42 (x) S 1").is_none());
        assert!(parse_stat("").is_none());
    }

    #[test]
    fn a_process_is_itself_and_no_other() {
        let this = Process::this().unwrap();
        assert!(this.runs());
        assert!(
            !Process {
                started: this.started + 1,
                ..this.clone()
            }
            .runs()
        );
        assert!(
            !Process {
                boot: "another".into(),
                ..this.clone()
            }
            .runs()
        );
        // Nothing is signalled that is not the same process: this test would end here.
        Process {
            started: this.started + 1,
            ..this
        }
        .kill()
        .unwrap();
    }

    #[test]
    fn an_ended_child_does_not_run() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id()).unwrap();
        assert!(process.runs());
        process.terminate().unwrap();
        child.wait().unwrap();
        assert!(!process.runs());
        process.kill().unwrap();
    }
}
