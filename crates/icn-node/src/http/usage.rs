//! How many blocks the DAG has and how large they are, counted now and then.
use super::failure::Failure;
use icn_store::{BlockUsage, Blocks};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a count of the blocks is good enough: it reads the whole list.
const USAGE_KEPT: Duration = Duration::from_secs(10);

/// What the DAG's blocks amount to, counted now and then.
#[derive(Default)]
pub(super) struct Usage(Mutex<Option<(Instant, BlockUsage)>>);

impl Usage {
    /// The count, at most [`USAGE_KEPT`] old. Only one is made at a time.
    pub(super) async fn get(&self, blocks: &Blocks) -> Result<BlockUsage, Failure> {
        let mut kept = self.0.lock().await;
        match *kept {
            Some((at, usage)) if at.elapsed() < USAGE_KEPT => Ok(usage),
            _ => {
                let blocks = blocks.clone();
                let usage = tokio::task::spawn_blocking(move || blocks.usage()).await??;
                *kept = Some((Instant::now(), usage));
                Ok(usage)
            }
        }
    }
}
