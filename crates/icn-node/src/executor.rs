//! Jobs in the sandbox, each on a thread of its own: the runtime's threads never run a program.
use crate::metrics;
use bytes::Bytes;
use icn_model::ExitStatus;
use icn_protocol::environment::{Executor, Run, Task};
use icn_sandbox::{CancelFlag, Outcome, Sandbox, job};
use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};
use std::{sync::Arc, time::Instant};

/// What is counted of the jobs that run here. Cheap to clone.
#[derive(Clone)]
pub(crate) struct JobMetrics(Arc<Counts>);

struct Counts {
    seconds: Histogram,
    memory_denied: Counter,
    table_denied: Counter,
}

impl Default for JobMetrics {
    fn default() -> Self {
        Self(Arc::new(Counts {
            seconds: metrics::durations(),
            memory_denied: Counter::default(),
            table_denied: Counter::default(),
        }))
    }
}

impl JobMetrics {
    /// Adds the counts to what is scraped.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let Counts {
            seconds,
            memory_denied,
            table_denied,
        } = &*self.0;
        let help = "How long jobs ran on this node, whatever became of them";
        registry.register("icn_jobs_execution_seconds", help, seconds.clone());
        let help = "Times that a job on this node was refused more memory";
        registry.register("wasm_memory_growth_denied", help, memory_denied.clone());
        let help = "Times that a job on this node was refused a larger table";
        registry.register("wasm_table_growth_denied", help, table_denied.clone());
    }

    fn count(&self, outcome: &Outcome, began: Instant) {
        self.0.seconds.observe(began.elapsed().as_secs_f64());
        self.0.memory_denied.inc_by(outcome.memory_growth_denied.into());
        self.0.table_denied.inc_by(outcome.table_growth_denied.into());
    }
}

/// Runs jobs with wasmtime.
#[derive(Clone)]
pub(crate) struct Jobs {
    sandbox: Sandbox,
    metrics: JobMetrics,
}

impl Jobs {
    /// Over one engine.
    pub(crate) const fn new(sandbox: Sandbox, metrics: JobMetrics) -> Self {
        Self { sandbox, metrics }
    }
}

impl Executor for Jobs {
    fn engine(&self) -> String {
        self.sandbox.engine_profile().to_owned()
    }

    async fn run(&self, task: Task) -> Run {
        let sandbox = self.sandbox.clone();
        let metrics = self.metrics.clone();
        let ran = tokio::task::spawn_blocking(move || {
            let invocation = job::invocation(&task.spec, task.stdin, task.inputs);
            let began = Instant::now();
            let outcome = sandbox.run(&task.module, &invocation, &CancelFlag::default());
            metrics.count(&outcome, began);
            outcome
        });
        match ran.await {
            Ok(outcome) => result(outcome),
            Err(error) => {
                let exit = ExitStatus::HostFailure(error.to_string());
                let (stdout, stderr) = (Bytes::new(), Bytes::new());
                Run {
                    exit,
                    stdout,
                    stderr,
                    files: Default::default(),
                    fuel: 0,
                    peak_memory_bytes: 0,
                }
            }
        }
    }
}

fn result(outcome: Outcome) -> Run {
    Run {
        exit: job::exit_status(&outcome.exit),
        stdout: outcome.stdout.into(),
        stderr: outcome.stderr.into(),
        files: outcome
            .files
            .into_iter()
            .map(|(path, content)| (path, content.into()))
            .collect(),
        fuel: outcome.fuel_used,
        peak_memory_bytes: outcome.peak_memory_bytes,
    }
}
