//! Pins: which blocks are kept with what they lead to, for whom, why and until when.
//!
//! A pin's place in the store is its CID's bytes and its owner, so that each owner has one pin of a block.
use icn_api::dag::{MAX_PIN_OWNER_BYTES, MAX_PIN_REASON_BYTES, Pin};
use icn_model::{
    Cid, Time,
    canonical::{self, DecodeError},
};
use icn_store::{Batch, Cursor, Durability, Reader as _, ScanRange, Store, StoreError, Table};
use std::sync::{Arc, Mutex, PoisonError};

/// Largest record of a pin.
const MAX_RECORD_BYTES: usize = MAX_PIN_OWNER_BYTES + MAX_PIN_REASON_BYTES + 256;
/// Pins that are read at a time.
const PAGE_ENTRIES: usize = 1_000;

/// Why pins cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinError {
    /// A record is not what this program wrote.
    #[error("the store's record of a pin cannot be read: restore a backup")]
    Damaged(#[from] DecodeError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The node's pins. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pins {
    store: Store,
    /// What was pinned since a collection began that has not looked at it yet; none while none runs.
    fresh: Arc<Mutex<Option<Vec<Cid>>>>,
}

/// Some pins.
pub(crate) struct PinsPage {
    pub(crate) items: Vec<Pin>,
    /// Where to go on; none after the last.
    pub(crate) next: Option<Vec<u8>>,
}

impl Pins {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            fresh: Arc::default(),
        }
    }

    /// Keeps a block; in place of an earlier pin of the same owner.
    pub(crate) async fn add(&self, pin: &Pin) -> Result<(), PinError> {
        let mut batch = Batch::new();
        batch.put(Table::Pins, place(&pin.cid, &pin.owner), canonical::to_bytes(pin))?;
        let commit = {
            let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
            // Told before it is written: a collection that runs keeps the block from now on.
            if let Some(fresh) = &mut *fresh {
                fresh.push(pin.cid);
            }
            self.store.commit(batch, Durability::Sync)
        };
        Ok(commit.await?)
    }

    /// The pin of a block and an owner.
    pub(crate) fn get(&self, cid: &Cid, owner: &str) -> Result<Option<Pin>, PinError> {
        let record = self.store.get(Table::Pins, &place(cid, owner))?;
        Ok(record.map(|bytes| decode(&bytes)).transpose()?)
    }

    /// Keeps a block no longer for `owner`; the pin that it had.
    pub(crate) async fn remove(&self, cid: &Cid, owner: &str) -> Result<Option<Pin>, PinError> {
        let Some(pin) = self.get(cid, owner)? else {
            return Ok(None);
        };
        let mut batch = Batch::new();
        batch.delete(Table::Pins, place(cid, owner))?;
        self.store.commit(batch, Durability::Sync).await?;
        Ok(Some(pin))
    }

    /// The pins after the place `after`, at most `limit`.
    pub(crate) fn page(&self, after: Option<Vec<u8>>, limit: usize) -> Result<PinsPage, PinError> {
        let mut range = ScanRange::all();
        if let Some(after) = after {
            range = range.resume(&Cursor::from_bytes(after));
        }
        let page = self.store.scan(Table::Pins, &range, limit)?;
        let items = page.entries.iter().map(|(_, bytes)| decode(bytes));
        Ok(PinsPage {
            items: items.collect::<Result<_, _>>()?,
            next: page.next.map(|cursor| cursor.as_bytes().to_vec()),
        })
    }

    /// Every pin, one after the other.
    pub(crate) fn each(&self, mut each: impl FnMut(Pin)) -> Result<(), PinError> {
        let mut after = None;
        loop {
            let page = self.page(after, PAGE_ENTRIES)?;
            page.items.into_iter().for_each(&mut each);
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Takes away those of `pins` that are still what they were.
    pub(super) fn expire(&self, pins: &[Pin]) -> Result<u64, PinError> {
        if pins.is_empty() {
            return Ok(0);
        }
        // Nobody pins meanwhile, and what was pinned before is visible: no pin that was renewed is taken away.
        let _fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        self.store.commit(Batch::new(), Durability::Buffered).wait()?;
        let mut batch = Batch::new();
        for pin in pins {
            if self.get(&pin.cid, &pin.owner)?.as_ref() == Some(pin) {
                batch.delete(Table::Pins, place(&pin.cid, &pin.owner))?;
            }
        }
        let count = batch.len() as u64;
        self.store.commit(batch, Durability::Buffered).wait()?;
        Ok(count)
    }

    /// From now on, pins are told to [`Pins::fresh`].
    pub(super) fn watch(&self) -> Watching<'_> {
        *self.fresh.lock().unwrap_or_else(PoisonError::into_inner) = Some(Vec::new());
        Watching(self)
    }
}

/// While it lives, what is pinned is told to it.
pub(super) struct Watching<'a>(&'a Pins);

impl Watching<'_> {
    /// What was pinned since the last call.
    pub(super) fn take(&self) -> Vec<Cid> {
        let mut fresh = self.0.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether nothing was pinned since the last [`Watching::take`].
    pub(super) fn is_quiet(&self) -> bool {
        let fresh = self.0.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.as_ref().is_none_or(Vec::is_empty)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        *self.0.fresh.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether a pin no longer counts.
pub(super) fn is_over(pin: &Pin, now: Time) -> bool {
    pin.expires.is_some_and(|expires| expires <= now)
}

/// Where the pin of a block and an owner is.
pub(crate) fn place(cid: &Cid, owner: &str) -> Vec<u8> {
    let mut key = cid.to_bytes();
    key.extend_from_slice(owner.as_bytes());
    key
}

/// A pin from its record.
pub(crate) fn decode(bytes: &[u8]) -> Result<Pin, DecodeError> {
    canonical::from_own_bytes(bytes, MAX_RECORD_BYTES)
}
