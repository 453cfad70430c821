//! Final blocks: applied in memory at once, acknowledged when their effects are durable.
use super::{
    APPLIED, Applied, BlockPlace, FinalOperation, Inner, Ledger, LedgerError, Progress, ROOTS_KEPT,
    events::ChainEnd, load::put_changes,
};
use crate::block::LogBlock;
use icn_model::{Event, Refusal, canonical};
use icn_state::State;
use icn_store::{Batch, Durability, StoreError, Table};

/// A block applied in memory, with the batch that makes it durable.
pub struct Pending {
    batch: Batch,
    progress: Progress,
}

/// Whether a program that knows the protocol up to a version can execute the block after `state`.
pub(super) fn check_version(state: &State, knows: u32) -> Result<(), LedgerError> {
    let (height, follows) = (state.height(), state.decided().protocol);
    if follows > knows {
        return Err(LedgerError::TooOld {
            height,
            follows,
            knows,
        });
    }
    Ok(())
}

impl Ledger {
    /// Applies a final block in memory. None if it has been applied before.
    ///
    /// # Errors
    /// [`LedgerError`] if it does not follow, or contradicts what this node computed.
    pub fn apply(&self, block: &LogBlock) -> Result<Option<Pending>, LedgerError> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let header = block.header();
        let applied = inner.state.height();
        if header.height <= applied {
            return Ok(None);
        }
        check_version(&inner.state, self.knows)?;
        if header.height != applied.next() {
            return Err(LedgerError::OutOfOrder {
                applied,
                found: header.height,
            });
        }
        if let Some(&ours) = inner
            .roots
            .get(&header.executed.height)
            .filter(|ours| **ours != header.executed.root)
        {
            let (height, theirs) = (header.executed.height, header.executed.root);
            return Err(LedgerError::Diverged {
                block: header.height,
                height,
                theirs,
                ours,
            });
        }
        #[cfg(feature = "test-hooks")]
        if inner.alter_at == Some(header.height) {
            inner.state.alter_one_account();
        }
        let context = inner.state.context_of(header);
        let operations = &block.content().operations;
        let outcome = inner.state.apply(&context, operations);
        inner.roots.insert(header.height, outcome.root);
        while inner.roots.len() > ROOTS_KEPT {
            inner.roots.pop_first();
        }
        inner.last_hash = block.hash();

        let mut batch = Batch::new();
        put_changes(&mut batch, outcome.changes)?;
        for (index, (operation, result)) in operations.iter().zip(outcome.results).enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            // One id to follow through the logs of all nodes: a job's is that of the operation that submitted it.
            let (id, height, action) = (operation.id(), header.height, operation.operation().action.name());
            match &result {
                Ok(()) => tracing::debug!(operation = %id, action, %height, "final"),
                Err(refusal) => {
                    tracing::debug!(operation = %id, action, %height, %refusal, "final, and refused");
                    self.counters.refused_in_block(refusal);
                }
            }
            let place = FinalOperation {
                height: header.height,
                index,
                refusal: result.err(),
            };
            batch.put(
                Table::Operations,
                id.digest().as_bytes(),
                canonical::to_bytes(&place),
            )?;
            inner.pool.remove(&id);
            inner.dropped.remove(&id);
        }
        for event in outcome.events {
            inner
                .events
                .append(&mut batch, header.height, header.time, event)?;
        }
        for operation in inner.pool.expire(header.time) {
            let refusal = Refusal::Expired {
                expires: operation.operation().expires,
                now: header.time,
            };
            inner.dropped.insert(operation.id(), refusal);
        }
        let place = BlockPlace {
            hash: block.hash(),
            time: header.time,
            root: outcome.root,
        };
        batch.put(
            Table::Log,
            header.height.get().to_be_bytes(),
            canonical::to_bytes(&place),
        )?;
        let progress = inner.finish(&mut batch)?;
        Ok(Some(Pending { batch, progress }))
    }

    /// Whether this program can execute the block after the last one.
    ///
    /// # Errors
    /// [`LedgerError::TooOld`] if the log follows a later version of the protocol by then.
    pub(crate) fn can_go_on(&self) -> Result<(), LedgerError> {
        check_version(&self.inner.lock().state, self.knows)
    }

    /// Makes applied blocks durable, oldest first, and acknowledges them.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn persist(&self, pending: Vec<Pending>) -> Result<(), LedgerError> {
        let Some(progress) = pending.last().map(|last| last.progress) else {
            return Ok(());
        };
        let count = pending.len();
        for (at, block) in pending.into_iter().enumerate() {
            // Batches are committed in order, so syncing the last one makes all of them durable.
            let durability = if at + 1 == count {
                Durability::Sync
            } else {
                Durability::Buffered
            };
            let commit = self.store.commit(block.batch, durability);
            if at + 1 == count {
                commit.await?;
            }
        }
        self.progress.update(|_| progress);
        Ok(())
    }

    /// Records something that this node saw itself.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn record(&self, event: Event) -> Result<(), LedgerError> {
        let (batch, progress) = {
            let mut inner = self.inner.lock();
            let inner = &mut *inner;
            let mut batch = Batch::new();
            let (height, time) = (inner.state.height(), inner.state.time());
            inner.events.append(&mut batch, height, time, event)?;
            let progress = inner.finish(&mut batch)?;
            (batch, progress)
        };
        self.store.commit(batch, Durability::Sync).await?;
        self.progress.update(|_| progress);
        Ok(())
    }
}

impl Inner {
    fn finish(&self, batch: &mut Batch) -> Result<Progress, StoreError> {
        let ChainEnd { number, hash } = self.events;
        let height = self.state.height();
        let applied = Applied {
            height,
            hash: self.last_hash,
            last_event: number,
            event_hash: hash,
        };
        batch.put(Table::Meta, APPLIED.as_bytes(), canonical::to_bytes(&applied))?;
        Ok(Progress {
            height,
            root: self.state.root(),
            time: self.state.time(),
            last_event: number,
        })
    }
}
