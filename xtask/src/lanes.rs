//! Commands in lanes side by side: what starts federations of processes mostly waits.
use crate::shown;
use anyhow::ensure;
use std::{
    array,
    collections::VecDeque,
    iter,
    panic::resume_unwind,
    process::{Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
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

/// Runs all lanes to their ends, and says which tasks failed. Whoever is through with one lane helps with the next, from its
/// end.
pub(crate) fn run<const N: usize>(lanes: [Vec<Task>; N]) -> anyhow::Result<()> {
    let lanes = &lanes.map(|lane| Mutex::new(VecDeque::from(lane)));
    let failed: Vec<_> = thread::scope(|scope| {
        let workers = array::from_fn::<_, N, _>(|own| {
            let next = move || {
                let mut others = (own + 1..N).chain(0..own);
                // One lock at a time: the others take them in another order.
                let task = lock(&lanes[own]).pop_front();
                task.or_else(|| others.find_map(|other| lock(&lanes[other]).pop_back()))
            };
            scope.spawn(move || iter::from_fn(next).filter_map(failing).collect::<Vec<_>>())
        });
        let ended = workers.into_iter().map(ScopedJoinHandle::join);
        ended
            .flat_map(|failed| failed.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    ensure!(failed.is_empty(), "these failed: {}", failed.join(", "));
    Ok(())
}

/// A lane is whole whoever panicked: nothing but taking a task happens under its lock.
fn lock(lane: &Mutex<VecDeque<Task>>) -> MutexGuard<'_, VecDeque<Task>> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
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
