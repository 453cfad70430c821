//! A node as a value: configured, with its identity, ready to run in this process.
use crate::{
    config::{Config, Live, Sources},
    files,
    service::{self, Ended, Founding, Prepared},
};
use anyhow::{bail, ensure};
use commonware_runtime::{Runner as _, Spawner as _, Supervisor as _, tokio as runtime};
use icn_model::Did;
use icn_serve::log::Log;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

/// Threads that run the node's tasks; the sandbox and the disk have their own.
const WORKER_THREADS: usize = 2;

/// What consensus gets to end in.
const STOP: Duration = Duration::from_secs(2);
/// With less than this a write may have failed for want of room: files grow by pages and in advance.
const NO_ROOM_BYTES: u64 = 16 << 20;

/// A node that is not running yet.
///
/// It has the services of production: the store, the network and the sandbox that its configuration names, and the
/// identity in its data directory. Only [`RuntimeContext::new_for_testing`] makes one that keeps nothing.
///
/// ```no_run
/// use icn_runtime::{RuntimeConfigBuilder, RuntimeContext, templates};
///
/// # fn main() -> anyhow::Result<()> {
/// let config = RuntimeConfigBuilder::new().apply_template(templates::single_node).build()?;
/// let node = RuntimeContext::new(config)?;
/// println!("{}", node.did());
/// node.run()
/// # }
/// ```
pub struct RuntimeContext {
    prepared: Prepared,
}

impl RuntimeContext {
    /// The same as [`RuntimeContext::new_for_production`].
    ///
    /// # Errors
    /// Says what is missing, and what to do about it.
    pub fn new(config: Config) -> anyhow::Result<Self> {
        Self::new_for_production(config)
    }

    /// With real services, and a configuration that is not of test mode.
    ///
    /// # Errors
    /// Says what is missing, and what to do about it.
    pub fn new_for_production(config: Config) -> anyhow::Result<Self> {
        ensure!(
            !config.runtime.test_mode,
            "runtime.test_mode = true keeps nothing and has a well-known key: use RuntimeContext::new_for_testing"
        );
        Self::of(config)
    }

    /// In memory, on loopback, a federation of one with a well-known key, whatever else the configuration says.
    ///
    /// # Errors
    /// Says what is missing, and what to do about it.
    pub fn new_for_testing(mut config: Config) -> anyhow::Result<Self> {
        config.runtime.test_mode = true;
        Self::of(config)
    }

    /// From a configuration that can change while the node runs, as `icn-node` starts.
    ///
    /// # Errors
    /// Says what is missing, and what to do about it.
    pub fn prepare(live: Live, founding: Founding, log: Log) -> anyhow::Result<Self> {
        Ok(Self {
            prepared: service::prepare(live, founding, log)?,
        })
    }

    fn of(config: Config) -> anyhow::Result<Self> {
        let live = Live::read(Sources::new(None, &config)?)?;
        Self::prepare(live, Founding::default(), Log::elsewhere())
    }

    /// Whose node it is.
    pub const fn did(&self) -> Did {
        self.prepared.did()
    }

    /// Runs the node until the process is told to stop (SIGTERM, SIGINT), or it cannot go on.
    ///
    /// # Errors
    /// Why it did not start, or stopped.
    pub fn run(self) -> anyhow::Result<()> {
        let mut prepared = self.prepared;
        // What runs may still open files there while it ends.
        let _scratch = prepared.take_scratch();
        loop {
            let (live, log) = prepared.origin();
            let directory = prepared.journal_dir();
            let settings = runtime::Config::default()
                .with_worker_threads(WORKER_THREADS)
                .with_storage_directory(directory.clone());
            let runner = runtime::Runner::new(settings);
            // Consensus panics where it cannot write, and what it had not written is as if it had never been.
            let ran = catch_unwind(AssertUnwindSafe(|| {
                runner.start(|context| run_whole(context, prepared))
            }));
            let Ok(ended) = ran else {
                bail!(why_it_failed(&directory));
            };
            match ended? {
                Ended::Stopped => return Ok(()),
                Ended::Succeeded(bound) => {
                    // What it was founded or invited with is kept in its data directory.
                    prepared = service::prepare(live, Founding::default(), log)?;
                    prepared.bind_again(bound);
                }
            }
        }
    }
}

/// Runs the node until it ends, and then ends consensus as a whole: dropped with the runtime, its parts would go in any
/// order, and those that are left would report the others as lost.
async fn run_whole(context: runtime::Context, prepared: Prepared) -> anyhow::Result<Ended> {
    let consensus = context.child("end");
    let ended = service::run(context, prepared).await;
    if let Err(error) = consensus.stop(0, Some(STOP)).await {
        tracing::warn!(%error, "consensus did not end in time");
    }
    ended
}

/// What an operator is told after a panic, which has said on standard error what it was.
fn why_it_failed(directory: &Path) -> String {
    match files::free_bytes(directory) {
        Some(free) if free < NO_ROOM_BYTES => format!(
            "the disk of {} is full, {free} bytes are left: make room, and start the node again; nothing that was \
             acknowledged is lost",
            directory.display()
        ),
        _ => "a part of the node has failed, as said above: start it again, and it goes on from what is on its disk".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RuntimeConfigBuilder, templates};

    #[test]
    fn production_is_the_default_and_test_mode_has_to_be_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let test = || RuntimeConfigBuilder::new().apply_template(templates::isolated_testing);
        for made in [RuntimeContext::new, RuntimeContext::new_for_production] {
            let refused = made(test().build().unwrap()).err().unwrap().to_string();
            assert!(refused.contains("new_for_testing"), "{refused}");
        }
        RuntimeContext::new_for_testing(test().build().unwrap()).unwrap();

        let config = || {
            let single = RuntimeConfigBuilder::new().apply_template(templates::single_node);
            single.data_dir(dir.path()).build().unwrap()
        };
        let first = RuntimeContext::new(config()).unwrap().did();
        assert_eq!(RuntimeContext::new(config()).unwrap().did(), first);
    }
}
