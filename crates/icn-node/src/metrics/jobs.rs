//! What is counted of the jobs that run here.
use icn_sandbox::Outcome;
use prometheus_client::{
    metrics::{counter::Counter, histogram::Histogram},
    registry::Registry,
};
use std::{sync::Arc, time::Duration};

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
            seconds: super::durations(),
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

    /// Counts a job that has run.
    pub(crate) fn count(&self, outcome: &Outcome, took: Duration) {
        self.0.seconds.observe(took.as_secs_f64());
        self.0.memory_denied.inc_by(outcome.memory_growth_denied.into());
        self.0.table_denied.inc_by(outcome.table_growth_denied.into());
    }
}
