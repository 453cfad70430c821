//! Forgets events of the kinds that are kept for a while only (`[events.retention_days]`), for as long as the node runs.
//!
//! An event's age is the time from its block to the newest block that is applied here. The machine's clock has no say: one
//! that jumps a year ahead would have everything forgotten, which does not come back, while a block's time is one that two
//! thirds of the seats have agreed to. A log that stands still forgets nothing.
use crate::dag::story;
use icn_model::{EventKind, Millis};
use icn_protocol::ledger::{Ledger, LedgerError};
use std::{collections::BTreeMap, time::Duration};

/// How often.
pub(crate) const EVERY: Duration = Duration::from_secs(60);
/// Events that are forgotten in one commit: little, for whatever else is to be written waits for it.
const BATCH: usize = 1_000;

/// How long events are kept, of those kinds that are forgotten at all.
pub(crate) type Retention = BTreeMap<EventKind, Millis>;

/// Forgets what is too old, now and every `interval`, until the store fails.
pub(crate) async fn tend(ledger: Ledger, retention: Retention, interval: Duration) {
    if retention.is_empty() {
        return;
    }
    loop {
        for (kind, kept) in &retention {
            match forget(&ledger, *kind, *kept).await {
                Ok(0) => {}
                Ok(count) => tracing::info!(kind = kind.name(), count, "forgot events"),
                Err(error) => {
                    tracing::error!(error = story(&error), "events are not forgotten any more");
                    return;
                }
            }
        }
        tokio::time::sleep(interval).await;
    }
}

/// Forgets all events of a kind that are older than `kept`, and says how many those were.
async fn forget(ledger: &Ledger, kind: EventKind, kept: Millis) -> Result<usize, LedgerError> {
    let before = ledger.progress().time.before(kept);
    let mut all = 0;
    loop {
        let ledger = ledger.clone();
        let batch = tokio::task::spawn_blocking(move || ledger.forget(kind, before, BATCH)).await;
        let count = batch.unwrap_or_else(|error| {
            tracing::error!(%error, "events were not forgotten");
            Ok(0)
        })?;
        all += count;
        if count < BATCH {
            return Ok(all);
        }
    }
}
