//! Executors that run nothing: what a job puts out is a hash of what it names, after a virtual delay.
//!
//! So a job is as reproducible as a real one, and everybody can tell a true outcome from a lie. What a
//! sandbox does is not simulated here.
use bytes::Bytes;
use commonware_runtime::Clock;
use icn_model::{Cid, Digest, ExitStatus, JobSpec, Outcome, canonical};
use icn_protocol::environment::{Executor, Run, Task};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

/// Shortest and longest run of a job by an executor that is not slow.
const RUN_MS: std::ops::Range<u64> = 20..1_500;

/// How an executor behaves. Can change while it runs; clones are the same executor's.
#[derive(Clone, Debug, Default)]
pub struct Manners(Arc<AtomicU8>);

/// One way to behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Manner {
    /// Says what came out.
    Honest = 0,
    /// Says something else.
    Lies = 1,
    /// Does not end within the job's wall clock.
    Slow = 2,
}

impl Manners {
    /// From now on.
    pub fn set(&self, manner: Manner) {
        self.0.store(manner as u8, Ordering::Relaxed);
    }

    /// Now.
    pub fn get(&self) -> Manner {
        match self.0.load(Ordering::Relaxed) {
            1 => Manner::Lies,
            2 => Manner::Slow,
            _ => Manner::Honest,
        }
    }
}

/// The executor of one node.
pub struct Pretend<E> {
    clock: Arc<E>,
    manners: Manners,
}

impl<E> Pretend<E> {
    /// With the runtime's clock.
    pub fn new(clock: E, manners: Manners) -> Self {
        Self {
            clock: Arc::new(clock),
            manners,
        }
    }
}

impl<E> Clone for Pretend<E> {
    fn clone(&self) -> Self {
        Self {
            clock: self.clock.clone(),
            manners: self.manners.clone(),
        }
    }
}

impl<E: Clock> Executor for Pretend<E> {
    fn engine(&self) -> String {
        "icn-sim/1".into()
    }

    async fn run(&self, task: Task) -> Run {
        let taken = essence(&task.spec, &task.module);
        let wall_ms = task.spec.limits.wall_ms;
        let needs_ms = match self.manners.get() {
            Manner::Slow => wall_ms + 1,
            _ => RUN_MS.start + number(&taken, 0) % (RUN_MS.end - RUN_MS.start),
        };
        self.clock
            .sleep(Duration::from_millis(needs_ms.min(wall_ms)))
            .await;
        if needs_ms > wall_ms {
            return run(ExitStatus::WallClock, Bytes::new(), 0);
        }
        let honest = produce(&taken);
        match self.manners.get() {
            Manner::Lies => run(ExitStatus::Code(0), Bytes::from_static(b"a lie"), honest.fuel),
            _ => honest,
        }
    }
}

/// The digest of the outcome that every honest executor has for a job whose module is `module`.
pub fn truth(spec: &JobSpec, module: &[u8]) -> Digest {
    let run = produce(&essence(spec, module));
    let outcome = Outcome {
        exit: run.exit,
        stdout: Cid::of_raw(&run.stdout),
        stderr: Cid::of_raw(&run.stderr),
        files: BTreeMap::new(),
        fuel: run.fuel,
    };
    outcome.digest()
}

fn essence(spec: &JobSpec, module: &[u8]) -> Digest {
    Digest::of_parts(&[&canonical::to_bytes(spec), module])
}

/// Eight bytes of a hash as a number.
fn number(digest: &Digest, at: usize) -> u64 {
    let bytes = digest.as_bytes().iter().skip(8 * at).take(8);
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn produce(essence: &Digest) -> Run {
    let exit = match number(essence, 1) % 10 {
        0 => ExitStatus::Code(3),
        1 => ExitStatus::Trap("unreachable".into()),
        _ => ExitStatus::Code(0),
    };
    run(
        exit,
        Bytes::from(essence.as_bytes().to_vec()),
        1 + number(essence, 2) % 1_000_000,
    )
}

fn run(exit: ExitStatus, stdout: Bytes, fuel: u64) -> Run {
    Run {
        exit,
        stdout,
        stderr: Bytes::new(),
        files: BTreeMap::new(),
        fuel,
        peak_memory_bytes: 1 << 16,
    }
}
