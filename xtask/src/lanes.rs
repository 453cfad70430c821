//! Commands in two lanes side by side: what starts federations of processes mostly waits.
use crate::shown;
use anyhow::ensure;
use std::{
    panic::resume_unwind,
    process::{Command, Output, Stdio},
    thread::{self, ScopedJoinHandle},
    time::Instant,
};

/// A command of a lane.
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) command: Command,
    pub(crate) told: Told,
}

/// What is shown of a task that passes; of one that fails, everything.
pub(crate) enum Told {
    /// The last line of a test program.
    TestResult,
    /// Everything.
    Everything,
}

impl From<Command> for Task {
    fn from(command: Command) -> Self {
        Self {
            name: shown(&command),
            command,
            told: Told::Everything,
        }
    }
}

/// Runs both lanes to their ends, each task after the one before it, and says which failed.
pub(crate) fn run(lanes: [Vec<Task>; 2]) -> anyhow::Result<()> {
    let failed: Vec<_> = thread::scope(|scope| {
        let lanes = lanes.map(|lane| {
            scope.spawn(|| {
                let failed = lane.into_iter().filter_map(failing);
                failed.collect::<Vec<_>>()
            })
        });
        let ended = lanes.into_iter().map(ScopedJoinHandle::join);
        ended
            .flat_map(|lane| lane.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    ensure!(failed.is_empty(), "these failed: {}", failed.join(", "));
    Ok(())
}

/// Runs a task, and shows what it said when it is over: two at a time would be mixed up. Its name, if it failed.
fn failing(task: Task) -> Option<String> {
    let Task {
        name,
        mut command,
        told,
    } = task;
    let started = Instant::now();
    let ended = command.stdin(Stdio::null()).output();
    let took = started.elapsed().as_secs_f64();
    let Output {
        status,
        stdout,
        stderr,
    } = match ended {
        Ok(output) => output,
        Err(error) => {
            eprintln!("= {took:.0} s: {name} cannot be started: {error}");
            return Some(name);
        }
    };
    let said = String::from_utf8_lossy(&stdout);
    if !status.success() || matches!(told, Told::Everything) {
        eprint!("{said}{}", String::from_utf8_lossy(&stderr));
    }
    let result = match told {
        Told::TestResult => said.lines().rfind(|line| line.starts_with("test result")),
        Told::Everything => None,
    };
    eprintln!(
        "= {took:.0} s: {name}: {}",
        result.map_or_else(|| status.to_string(), str::to_owned)
    );
    (!status.success()).then_some(name)
}
