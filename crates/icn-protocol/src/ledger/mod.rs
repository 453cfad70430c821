//! What the node knows of the log: the state, what waits for it, and where both stand in the store.
//!
//! One lock guards state and pool, and is never held across an await. Effects become visible to readers
//! when a block is applied; they are *acknowledged* ([`Progress`]) when they are durable.
mod apply;
mod events;
mod load;
mod operations;
mod succession;

use crate::{block::LogBlock, counters::Counters, fan::Fan, keys, pool::Pool};
use commonware_cryptography::ed25519::PublicKey;
use commonware_utils::{TryCollect as _, channel::watch, ordered::Set, sync::Mutex};
use events::ChainEnd;
use icn_model::{Digest, EpochNumber, Height, OperationId, Refusal, SeatEntry, Time, canonical};
use icn_state::{Engine, State};
use icn_store::{Reader as _, Store, StoreError, Table};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

pub use apply::Pending;
pub use events::{
    EventsRead, ForgottenEvent, StoredEvent, indexed_number, is_indexed, last_event, put_event,
};
pub use succession::{StateRecords, SucceedError, begin, succeed};

/// Outcome roots that are kept to check proposals against.
const ROOTS_KEPT: usize = 512;
/// How far the root that a proposal names may lie behind its parent.
pub const MAX_EXECUTION_LAG: u64 = 32;
/// Largest record of this crate in the store.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// How far the log is final, executed and durable on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The last such height.
    pub height: Height,
    /// The outcome root there.
    pub root: Digest,
    /// That block's time.
    pub time: Time,
    /// Number of the last event, from 1.
    pub last_event: u64,
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationStatus {
    /// In no final block yet.
    Waiting,
    /// In a final block, with its effects durable.
    Final(FinalOperation),
    /// In no block, and will not be.
    Dropped(Refusal),
}

/// An operation's place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinalOperation {
    /// The block.
    pub height: Height,
    /// Its place in the block, from 0.
    pub index: u32,
    /// Why it changed nothing, if so.
    pub refusal: Option<Refusal>,
}

/// Why a node cannot go on with its log.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A final block says that this node computed something else than its proposer and two thirds of the seats.
    #[error(
        "the final block {block} names outcome root {theirs} at height {height}, but this node has {ours}: \
         its state has diverged. Stop it, keep its data for analysis, and restore it from its peers"
    )]
    Diverged {
        /// The block that names the root.
        block: Height,
        /// The height that the root belongs to.
        height: Height,
        /// The root in the block.
        theirs: Digest,
        /// This node's root.
        ours: Digest,
    },
    /// The federation has decided to go on by a version of the protocol that this program does not know.
    #[error(
        "after block {height} the log follows version {follows} of the protocol, and this program knows versions up \
         to {knows}: install a newer release and start it with the same data"
    )]
    TooOld {
        /// The last block that this program can execute.
        height: Height,
        /// The version that the log follows after it.
        follows: u32,
        /// The latest version that this program knows.
        knows: u32,
    },
    /// What the log begins with is not known.
    #[error(
        "the log of this federation continues another one: begin with the state that it ended with \
         (icn-node --predecessor-state FILE), which every survivor has"
    )]
    NoPredecessor,
    /// A block does not follow the one before.
    #[error("block {found} cannot follow block {applied}")]
    OutOfOrder {
        /// The last one applied.
        applied: Height,
        /// The one delivered.
        found: Height,
    },
    /// What is in the store is not what this program wrote.
    #[error(
        "the store's record of {what} cannot be read: {detail}. Restore the node from a backup or its peers"
    )]
    Damaged {
        /// Which record.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl LedgerError {
    /// Names of all kinds, for metrics.
    pub const KINDS: [&'static str; 6] = [
        "diverged",
        "too-old",
        "damaged",
        "store",
        "no-predecessor",
        "other",
    ];

    /// Whether the log ends in the same way however often the node is started again: with this state, or by this
    /// program.
    pub const fn is_for_good(&self) -> bool {
        matches!(self, Self::Diverged { .. } | Self::TooOld { .. })
    }

    /// The name of the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Diverged { .. } => Self::KINDS[0],
            Self::TooOld { .. } => Self::KINDS[1],
            Self::Damaged { .. } => Self::KINDS[2],
            Self::Store(_) => Self::KINDS[3],
            Self::NoPredecessor => Self::KINDS[4],
            Self::OutOfOrder { .. } => Self::KINDS[5],
        }
    }
}

struct Inner {
    state: State,
    pool: Pool,
    roots: BTreeMap<Height, Digest>,
    last_hash: Digest,
    events: ChainEnd,
    /// Operations of this node's users that no block will take, newest last.
    dropped: HashMap<OperationId, Refusal>,
    /// The height at which this node goes wrong, to see what becomes of it.
    #[cfg(feature = "test-hooks")]
    alter_at: Option<Height>,
}

/// The node's view of the log. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Mutex<Inner>>,
    store: Store,
    genesis: LogBlock,
    progress: Fan<Progress>,
    /// Counts changes of the pool, to wake the proposer and the gossip.
    arrivals: Fan<u64>,
    counters: Counters,
    knows: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Applied {
    height: Height,
    hash: Digest,
    last_event: u64,
    event_hash: Digest,
}

/// A block's place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockPlace {
    /// Its hash.
    pub hash: Digest,
    /// Its time.
    pub time: Time,
    /// The outcome root after it.
    pub root: Digest,
}

const APPLIED: &str = "log/applied";
/// Where a restored store has the block that its log goes on from, in [`Table::Meta`].
pub const ANCHOR: &str = "log/anchor";

impl Ledger {
    /// Opens the ledger that `store` holds, or begins one from `genesis`. Contracts run on `engine`; `knows` is the
    /// latest version of the protocol that is executed.
    ///
    /// # Errors
    /// [`LedgerError`] if the store fails, holds something else, or follows a later version.
    pub async fn open(
        store: Store,
        genesis: &icn_model::Genesis,
        engine: Engine,
        knows: u32,
    ) -> Result<Self, LedgerError> {
        succession::clean(&store).await?;
        let applied = store.get(Table::Meta, APPLIED.as_bytes())?;
        let (state, applied) = match applied {
            Some(bytes) => (
                load::state(&store, engine)?,
                decode::<Applied>("the last applied block", &bytes)?,
            ),
            None => load::found(&store, genesis, engine).await?,
        };
        let log = state.federation_record().log;
        if log != genesis.log() || state.height() != applied.height {
            let detail = format!(
                "state of the log {log} at {}, expected {}",
                state.height(),
                genesis.log()
            );
            return Err(LedgerError::Damaged {
                what: "the state",
                detail,
            });
        }
        apply::check_version(&state, knows)?;
        let progress = Progress {
            height: state.height(),
            root: state.root(),
            time: state.time(),
            last_event: applied.last_event,
        };
        let inner = Inner {
            roots: BTreeMap::from([(state.height(), state.root())]),
            state,
            pool: Pool::default(),
            last_hash: applied.hash,
            events: ChainEnd {
                number: applied.last_event,
                hash: applied.event_hash,
            },
            dropped: HashMap::new(),
            #[cfg(feature = "test-hooks")]
            alter_at: None,
        };
        let first = match store.get(Table::Log, &Height::ZERO.get().to_be_bytes())? {
            Some(bytes) => decode::<BlockPlace>("the first block's place", &bytes)?,
            None => {
                return Err(LedgerError::Damaged {
                    what: "the log",
                    detail: "no first block".into(),
                });
            }
        };
        Ok(Self {
            inner: Arc::new(Mutex::new(inner)),
            genesis: load::genesis_block(genesis, first.root),
            store,
            progress: Fan::new(progress),
            arrivals: Fan::new(0),
            counters: Counters::default(),
            knows,
        })
    }

    /// Lets this node change an account by itself while it applies the block at `height`.
    #[cfg(feature = "test-hooks")]
    pub fn alter_at(&self, height: Height) {
        self.inner.lock().alter_at = Some(height);
    }

    /// The latest version of the protocol that this program executes.
    pub const fn knows(&self) -> u32 {
        self.knows
    }

    /// Reads the state.
    pub fn read<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        f(&self.inner.lock().state)
    }

    /// The keys that vote in an epoch, once its seats are fixed.
    pub(crate) fn seat_keys(&self, epoch: EpochNumber) -> Option<Set<PublicKey>> {
        let key = |seat: &SeatEntry| keys::public(&seat.key);
        self.read(|state| state.seats(epoch)?.iter().filter_map(key).try_collect().ok())
    }

    /// The store underneath.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// What this node refused, and saw others do wrong.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How far the log is durable here.
    pub fn progress(&self) -> Progress {
        self.progress.get()
    }

    /// Tells of every advance.
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Tells of every arrival in the pool.
    pub fn watch_arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    /// Operations that wait.
    pub fn waiting(&self) -> usize {
        self.inner.lock().pool.len()
    }

    /// The outcome root at `height`, if this node has executed it.
    pub fn root_at(&self, height: Height) -> Option<Digest> {
        let known = self.inner.lock().roots.get(&height).copied();
        // The lock's map begins with the process; older roots are in the store.
        known.or_else(|| self.place(height).ok().flatten().map(|place| place.root))
    }

    /// Waits until `height` is executed and durable here.
    pub async fn executed(&self, height: Height) {
        let mut watch = self.progress.subscribe();
        // Fails only when the sender is gone, and this ledger holds one.
        let _ = watch.wait_for(|progress| progress.height >= height).await;
    }

    /// Where the final block at `height` stands.
    ///
    /// # Errors
    /// If the store fails.
    pub fn place(&self, height: Height) -> Result<Option<BlockPlace>, LedgerError> {
        let bytes = self.store.get(Table::Log, &height.get().to_be_bytes())?;
        bytes.map(|bytes| decode("a block's place", &bytes)).transpose()
    }

    /// The block of height 0.
    pub fn genesis_block(&self) -> LogBlock {
        self.genesis.clone()
    }
}

pub(crate) fn decode<T: serde::de::DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, LedgerError> {
    canonical::from_own_bytes(bytes, MAX_RECORD_BYTES).map_err(|error| LedgerError::Damaged {
        what,
        detail: error.to_string(),
    })
}
