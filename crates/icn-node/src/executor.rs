//! Jobs in the sandbox, each on a thread of its own: the runtime's threads never run a program.
use crate::metrics::JobMetrics;
use bytes::Bytes;
use icn_model::ExitStatus;
use icn_protocol::environment::{Executor, Run, Task};
use icn_sandbox::{CancelFlag, Outcome, Sandbox, job};
use std::time::Instant;

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
            metrics.count(&outcome, began.elapsed());
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
