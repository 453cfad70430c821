//! A store whose log goes on as another one, because seats of it were lost for good.
//!
//! All that makes the store the new log's is one batch: the state's changes, the new first block and what happened. The
//! places of the old log's blocks are removed after it, which can be interrupted and is taken up again at the next start.
use super::{ANCHOR, APPLIED, Applied, BlockPlace, LedgerError, decode, events::ChainEnd, load};
use crate::journal;
use icn_model::{Digest, Genesis, Height, canonical};
use icn_state::{Engine, SuccessionError};
use icn_store::{Batch, Durability, Reader as _, Store, Table};

/// The last height of an old log whose places are still there.
const LEFT_OVER: &str = "log/left-over";
/// Places that are removed at once.
const CHUNK: u64 = 8_192;
/// Bytes of records that are written at once.
const CHUNK_BYTES: usize = 16 << 20;

/// Why a store's log does not go on as another one.
#[derive(Debug, thiserror::Error)]
pub enum SucceedError {
    /// The other one does not continue it.
    #[error(transparent)]
    Succession(#[from] SuccessionError),
    /// There is none in it.
    #[error("the store is empty: there is no log to go on from")]
    Empty,
    /// There is something in it.
    #[error("the store is not empty: a newcomer begins with an empty one")]
    NotEmpty,
    /// The store cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] icn_store::StoreError),
}

/// Every record of the state in a store, to be given to newcomers of a log that continues this one.
pub type StateRecords = Vec<(Vec<u8>, Vec<u8>)>;

/// Lets the log of a stopped node's `store` go on as the one of `genesis`, and gives the state with which it ended; none
/// if it has gone on so before.
///
/// # Errors
/// [`SucceedError`]; then the store is as it was.
pub async fn succeed(
    store: &Store,
    genesis: &Genesis,
    engine: Engine,
) -> Result<Option<StateRecords>, SucceedError> {
    let Some(bytes) = store.get(Table::Meta, APPLIED.as_bytes())? else {
        return Err(SucceedError::Empty);
    };
    let applied: Applied = decode("the last applied block", &bytes)?;
    let state = load::state(store, engine)?;
    if state.federation_record().log == genesis.log() {
        clean(store).await?;
        return Ok(None);
    }
    let records = state.records().collect();
    let (last, time) = (state.height(), state.time());
    let (state, changes, events) = state.succeed(genesis)?;
    let mut batch = Batch::new();
    load::put_changes(&mut batch, changes)?;
    let hash = load::genesis_block(genesis, state.root()).hash();
    let place = BlockPlace {
        hash,
        time,
        root: state.root(),
    };
    let zero = Height::ZERO.get().to_be_bytes();
    batch.put(Table::Log, zero, canonical::to_bytes(&place))?;
    let mut chain = ChainEnd {
        number: applied.last_event,
        hash: applied.event_hash,
    };
    for event in events {
        chain.append(&mut batch, Height::ZERO, time, event)?;
    }
    let applied = Applied {
        height: Height::ZERO,
        hash,
        last_event: chain.number,
        event_hash: chain.hash,
    };
    batch.put(Table::Meta, APPLIED.as_bytes(), canonical::to_bytes(&applied))?;
    batch.put(Table::Meta, LEFT_OVER.as_bytes(), canonical::to_bytes(&last))?;
    // The new log has a journal of its own, in which nothing was voted so far.
    journal::forget(&mut batch)?;
    batch.delete(Table::Meta, ANCHOR.as_bytes())?;
    store.commit(batch, Durability::Sync).await?;
    clean(store).await?;
    Ok(Some(records))
}

/// Lets an empty `store` begin with the log of `genesis`, given the state with which the log before it ended.
///
/// # Errors
/// [`SucceedError`] if the records are not that state.
pub async fn begin(
    store: &Store,
    genesis: &Genesis,
    records: StateRecords,
    engine: Engine,
) -> Result<(), SucceedError> {
    if store.get(Table::Meta, APPLIED.as_bytes())?.is_some() {
        return Err(SucceedError::NotEmpty);
    }
    let state = icn_state::State::load(records.iter().cloned(), engine.clone());
    let state = state.map_err(|error| LedgerError::Damaged {
        what: "the state of the log before",
        detail: error.to_string(),
    })?;
    state.check_successor(genesis)?;
    let mut batch = Batch::new();
    let mut bytes = 0;
    for (key, value) in records {
        bytes += key.len() + value.len();
        batch.put(Table::State, key, value)?;
        if bytes > CHUNK_BYTES {
            store
                .commit(std::mem::take(&mut batch), Durability::Buffered)
                .await?;
            bytes = 0;
        }
    }
    let applied = Applied {
        height: state.height(),
        hash: Digest::ZERO,
        last_event: 0,
        event_hash: Digest::ZERO,
    };
    // Last: a store without it is empty, and is filled again.
    batch.put(Table::Meta, APPLIED.as_bytes(), canonical::to_bytes(&applied))?;
    store.commit(batch, Durability::Sync).await?;
    succeed(store, genesis, engine).await.map(|_| ())
}

/// Removes what an earlier log left over.
pub(super) async fn clean(store: &Store) -> Result<(), LedgerError> {
    let Some(bytes) = store.get(Table::Meta, LEFT_OVER.as_bytes())? else {
        return Ok(());
    };
    let mut last: Height = decode("the places of the log before", &bytes)?;
    while last > Height::ZERO {
        let first = last.get().saturating_sub(CHUNK).max(1);
        let mut batch = Batch::new();
        for height in first..=last.get() {
            batch.delete(Table::Log, height.to_be_bytes())?;
        }
        last = Height::new(first - 1);
        batch.put(Table::Meta, LEFT_OVER.as_bytes(), canonical::to_bytes(&last))?;
        store.commit(batch, Durability::Buffered).await?;
    }
    let mut batch = Batch::new();
    batch.delete(Table::Meta, LEFT_OVER.as_bytes())?;
    Ok(store.commit(batch, Durability::Sync).await?)
}
