//! The ledger of a store: founded from a genesis, or read back.
use super::{APPLIED, Applied, BlockPlace, LedgerError};
use crate::block::LogBlock;
use icn_model::{Digest, Height, canonical};
use icn_state::{Changes, Engine, State};
use icn_store::{Batch, Durability, Reader as _, ScanRange, Store, StoreError, Table};

pub(super) fn state(store: &Store, engine: Engine) -> Result<State, LedgerError> {
    let snapshot = store.snapshot()?;
    let mut records = Vec::new();
    let all = ScanRange::all();
    let mut range = all.clone();
    loop {
        let page = snapshot.scan(Table::State, &range, 4_096)?;
        records.extend(page.entries);
        match page.next {
            Some(cursor) => range = all.resume(&cursor),
            None => break,
        }
    }
    State::load(records.into_iter(), engine).map_err(|error| LedgerError::Damaged {
        what: "the state",
        detail: error.to_string(),
    })
}

pub(super) async fn found(
    store: &Store,
    genesis: &icn_model::Genesis,
    engine: Engine,
) -> Result<(State, Applied), LedgerError> {
    if genesis.predecessor.is_some() {
        return Err(LedgerError::NoPredecessor);
    }
    let (state, changes) = State::genesis(genesis, engine).map_err(|error| LedgerError::Damaged {
        what: "the genesis",
        detail: error.to_string(),
    })?;
    let hash = genesis_block(genesis, state.root()).hash();
    let applied = Applied {
        height: Height::ZERO,
        hash,
        last_event: 0,
        event_hash: Digest::ZERO,
    };
    let mut batch = Batch::new();
    put_changes(&mut batch, changes)?;
    let place = BlockPlace {
        hash,
        time: genesis.created,
        root: state.root(),
    };
    batch.put(
        Table::Log,
        Height::ZERO.get().to_be_bytes(),
        canonical::to_bytes(&place),
    )?;
    batch.put(Table::Meta, APPLIED.as_bytes(), canonical::to_bytes(&applied))?;
    store.commit(batch, Durability::Sync).await?;
    Ok((state, applied))
}

/// Writes changes of the state.
pub(super) fn put_changes(batch: &mut Batch, changes: Changes) -> Result<(), StoreError> {
    for change in changes.0 {
        match change.value {
            Some(value) => batch.put(Table::State, change.key, value)?,
            None => batch.delete(Table::State, change.key)?,
        }
    }
    Ok(())
}

/// The block of height 0, given the root of the first state.
pub(super) fn genesis_block(genesis: &icn_model::Genesis, root: Digest) -> LogBlock {
    // The first founder's key only fills a field: nobody proposed this block.
    let founder = genesis.founders[0].keys.seat;
    LogBlock::genesis(genesis.id(), founder, genesis.created, root)
}
