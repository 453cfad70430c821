//! What a node keeps of the DAG: pins, and the removal of what nothing leads to.
//!
//! Nothing here speaks HTTP. Everything but [`Dag`]'s own methods blocks on the store, so it runs on threads
//! that may.
mod collect;
mod pins;

use collect::{Collector, GcError};
pub(crate) use pins::{PinError, Pins, decode as decode_pin, place};

use crate::background::Single;
use icn_api::dag::{GcReport, GcStatus};
use icn_model::{Millis, Time};
use icn_store::{BlockQuota, Blocks, Store};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What the configuration says about blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DagConfig {
    /// What clients may put in all.
    pub(crate) quota_bytes: Option<u64>,
    /// How long a block stays after nothing leads to it any more.
    pub(crate) grace: Millis,
}

/// The node's blocks with what is known about keeping them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dag(Arc<Inner>);

struct Inner {
    pins: Pins,
    quota: Option<Arc<BlockQuota>>,
    collector: Collector,
    outcome: Mutex<Outcome>,
    running: Single,
}

#[derive(Default)]
struct Outcome {
    last: Option<GcReport>,
    failure: Option<String>,
}

impl Dag {
    /// Over the node's own store and blocks.
    pub(crate) fn new(store: Store, blocks: Blocks, config: DagConfig) -> Self {
        let quota = config
            .quota_bytes
            .map(|bytes| Arc::new(BlockQuota::new(blocks.clone(), bytes)));
        let pins = Pins::new(store.clone());
        Self(Arc::new(Inner {
            collector: Collector::new(store, blocks, pins.clone(), config.grace),
            pins,
            quota,
            outcome: Mutex::default(),
            running: Single::new(),
        }))
    }

    /// The pins.
    pub(crate) fn pins(&self) -> &Pins {
        &self.0.pins
    }

    /// What clients may put, if that is limited.
    pub(crate) fn quota(&self) -> Option<&Arc<BlockQuota>> {
        self.0.quota.as_ref()
    }

    /// How far garbage collection is.
    pub(crate) fn status(&self) -> GcStatus {
        let outcome = self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        GcStatus {
            running: self.0.running.is_running(),
            last: outcome.last,
            failure: outcome.failure.clone(),
        }
    }

    /// Starts a collection; false if one runs already. `now` is the node's clock.
    pub(crate) fn start(&self, dry_run: bool, now: fn() -> Time) -> bool {
        let Some(running) = self.0.running.begin() else {
            return false;
        };
        let dag = self.clone();
        tokio::task::spawn_blocking(move || {
            let _running = running;
            let result = dag.0.collector.run(dry_run, now);
            if let Some(quota) = dag.quota() {
                quota.recount();
            }
            let mut outcome = dag.0.outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(report) => {
                    tracing::info!(
                        dry_run,
                        removed = report.removed,
                        removed_bytes = report.removed_bytes,
                        kept = report.kept,
                        waiting = report.waiting,
                        "collected garbage"
                    );
                    *outcome = Outcome {
                        last: Some(report),
                        failure: None,
                    };
                }
                Err(GcError::Stopped) => {}
                Err(error) => {
                    tracing::warn!(error = story(&error), "garbage was not collected");
                    outcome.failure = Some(story(&error));
                }
            }
        });
        true
    }

    /// Waits until no collection runs.
    pub(crate) async fn idle(&self) {
        self.0.running.idle().await;
    }

    /// Collects every `interval`, for as long as the node runs.
    pub(crate) async fn collect_every(self, interval: Duration, now: fn() -> Time) {
        loop {
            tokio::time::sleep(interval).await;
            self.start(false, now);
            self.idle().await;
        }
    }

    /// Ends a collection that runs, soon.
    pub(crate) fn stop(&self) {
        self.0.collector.stop();
    }
}

/// An error with its causes, in one line.
pub(crate) fn story(error: &(dyn std::error::Error + 'static)) -> String {
    let chain: Vec<_> = anyhow::Chain::new(error).map(ToString::to_string).collect();
    chain.join(": ")
}
