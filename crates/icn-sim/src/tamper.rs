//! Breaks things on purpose, to see that the oracle notices. Nothing of it is in a node.
use crate::{names::UnknownName, oracle::Invariant};
use icn_model::{AccountRecord, Digest, Mana, OperationId, canonical};
use icn_protocol::ledger::BlockPlace;
use icn_store::{Batch, Durability, MemoryBackend, Reader as _, ScanRange, Store, StoreConfig, Table};
use std::{error::Error, str::FromStr};

/// Something to break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A node's log has another outcome root.
    Agreement,
    /// A node's store has mana from nowhere.
    Conservation,
    /// The oracle sees every payment twice.
    PaidOnce,
    /// A node's store has forgotten an acknowledged operation.
    Acknowledged,
    /// The network does not heal.
    Progress,
}

impl Broken {
    /// Everything that can be broken.
    pub const ALL: [Self; 5] = [
        Self::Agreement,
        Self::Conservation,
        Self::PaidOnce,
        Self::Acknowledged,
        Self::Progress,
    ];

    /// The invariant that no longer holds.
    pub const fn invariant(self) -> Invariant {
        match self {
            Self::Agreement => Invariant::Agreement,
            Self::Conservation => Invariant::Conservation,
            Self::PaidOnce => Invariant::PaidOnce,
            Self::Acknowledged => Invariant::Acknowledged,
            Self::Progress => Invariant::Progress,
        }
    }

    /// The name on the command line: that of the invariant.
    pub const fn name(self) -> &'static str {
        self.invariant().name()
    }
}

impl FromStr for Broken {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|broken| broken.name() == text);
        found.ok_or_else(|| UnknownName::new("thing to break", text, Self::ALL.into_iter().map(Self::name)))
    }
}

/// Prefix of accounts in the state's table.
const ACCOUNTS: &[u8] = &[0x20];
const MAX_RECORD_BYTES: usize = 1 << 16;

/// Changes the store of a node that is off.
///
/// # Errors
/// If there is nothing yet that could be broken.
pub fn tamper(
    broken: Broken,
    backend: &MemoryBackend,
    acknowledged: Option<&OperationId>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let store = Store::inline(backend.clone(), StoreConfig::default());
    let mut batch = Batch::new();
    match broken {
        Broken::Agreement => {
            let last = ScanRange::all().reversed();
            let page = store.scan(Table::Log, &last, 1)?;
            let (key, place) = page.entries.first().ok_or("no block")?;
            let place: BlockPlace = canonical::from_own_bytes(place, MAX_RECORD_BYTES)?;
            let place = BlockPlace {
                root: Digest::of(b"another"),
                ..place
            };
            batch.put(Table::Log, key.clone(), canonical::to_bytes(&place))?;
        }
        Broken::Conservation => {
            let page = store.scan(Table::State, &ScanRange::prefix(ACCOUNTS), 1)?;
            let (key, account) = page.entries.first().ok_or("no account")?;
            let mut account: AccountRecord = canonical::from_own_bytes(account, MAX_RECORD_BYTES)?;
            account.available = account.available.saturating_add(Mana::from_milli(1));
            batch.put(Table::State, key.clone(), canonical::to_bytes(&account))?;
        }
        Broken::Acknowledged => {
            let id = acknowledged.ok_or("nothing was acknowledged")?;
            batch.delete(Table::Operations, id.digest().as_bytes().to_vec())?;
        }
        Broken::PaidOnce | Broken::Progress => return Err("this is not broken in a store".into()),
    }
    drop(store.commit(batch, Durability::Sync));
    Ok(())
}
