//! What the node knows of the log: the state, what waits for it, and where both stand in the store.
//!
//! One lock guards state and pool, and is never held across an await. Effects become visible to readers
//! when a block is applied; they are *acknowledged* ([`Progress`]) when they are durable.
use crate::{
    block::LogBlock,
    fan::Fan,
    pool::{Added, Numbers, Payer, Pool},
};
use commonware_utils::{channel::watch, sync::Mutex};
use icn_model::{
    Digest, Event, EventRecord, Height, Millis, NamedRoot, OperationId, PublicKey, Refusal, Sequence,
    SignedOperation, Time, canonical,
    limits::{MAX_BLOCK_OPERATIONS, SEQUENCE_WINDOW},
};
use icn_state::{BlockContext, State};
use icn_store::{Batch, Durability, Reader as _, ScanRange, Store, StoreError, Table};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Bound,
    sync::Arc,
};

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

struct Inner {
    state: State,
    pool: Pool,
    roots: BTreeMap<Height, Digest>,
    last_hash: Digest,
    last_event: (u64, Digest),
    /// Operations of this node's users that no block will take, newest last.
    dropped: HashMap<OperationId, Refusal>,
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

/// A block applied in memory, with the batch that makes it durable.
pub struct Pending {
    batch: Batch,
    progress: Progress,
}

impl Ledger {
    /// Opens the ledger that `store` holds, or begins one from `genesis`.
    ///
    /// # Errors
    /// [`LedgerError`] if the store fails or holds something else.
    pub async fn open(store: Store, genesis: &icn_model::Genesis) -> Result<Self, LedgerError> {
        let applied = store.get(Table::Meta, APPLIED.as_bytes())?;
        let (state, applied) = match applied {
            Some(bytes) => (
                load_state(&store)?,
                decode::<Applied>("the last applied block", &bytes)?,
            ),
            None => found(&store, genesis).await?,
        };
        if state.federation() != genesis.id() || state.height() != applied.height {
            let detail = format!(
                "state of {} at {}, expected {}",
                state.federation(),
                state.height(),
                genesis.id()
            );
            return Err(LedgerError::Damaged {
                what: "the state",
                detail,
            });
        }
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
            last_event: (applied.last_event, applied.event_hash),
            dropped: HashMap::new(),
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
            genesis: genesis_block(genesis, first.root),
            store,
            progress: Fan::new(progress),
            arrivals: Fan::new(0),
        })
    }

    /// Reads the state.
    pub fn read<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        f(&self.inner.lock().state)
    }

    /// The store underneath.
    pub const fn store(&self) -> &Store {
        &self.store
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

    // --- operations ----------------------------------------------------------------------------

    /// Takes in an operation from this node's users, whose signature has been checked.
    ///
    /// # Errors
    /// The refusal that the state has for it now.
    pub fn submit(&self, operation: SignedOperation, now: Time) -> Result<Added, Refusal> {
        let added = {
            let mut inner = self.inner.lock();
            let inner = &mut *inner;
            if inner.pool.contains(&operation.id()) {
                return Ok(Added::Known);
            }
            match inner.state.check(&operation, now) {
                // A run of numbers that begins in the window may wait as a whole.
                Err(Refusal::SequenceOutOfWindow { sequence, highest }) if sequence > highest => {
                    let key = &operation.operation().key;
                    let waiting = inner.pool.highest(key).unwrap_or(highest);
                    if sequence.get() > waiting.get().max(highest.get()) + SEQUENCE_WINDOW {
                        return Err(Refusal::SequenceOutOfWindow { sequence, highest });
                    }
                }
                checked => checked?,
            }
            let payer = payer(&inner.state, &operation);
            inner.pool.add(operation, payer, now, true)?
        };
        self.arrivals.update(|count| count + 1);
        Ok(added)
    }

    /// Takes in operations that other nodes told of, whose signatures have been checked.
    pub fn hear(&self, operations: Vec<SignedOperation>, now: Time) {
        {
            let mut inner = self.inner.lock();
            let inner = &mut *inner;
            for operation in operations {
                let (key, sequence) = (operation.operation().key, operation.operation().sequence);
                let used = sequence < inner.state.next_sequence(&key)
                    && inner.state.is_sequence_used(&key, sequence);
                if !used && operation.operation().federation == inner.state.federation() {
                    let payer = payer(&inner.state, &operation);
                    // A full share or a used number: the sender's node keeps it and tells of it again.
                    let _ = inner.pool.add(operation, payer, now, false);
                }
            }
        }
        self.arrivals.update(|count| count + 1);
    }

    /// Own operations that the others have not been told of.
    pub fn take_untold(&self) -> Vec<SignedOperation> {
        self.inner.lock().pool.take_untold()
    }

    /// Own operations that still wait long after the others were told of them.
    pub fn to_retell(&self, now: Time, every: Millis) -> Vec<SignedOperation> {
        self.inner.lock().pool.to_retell(now, every)
    }

    /// The next number of `key`, after those that wait.
    pub fn next_sequence(&self, key: &PublicKey) -> Sequence {
        let inner = self.inner.lock();
        let waiting = inner.pool.highest(key).map_or(0, Sequence::get);
        Sequence::new(inner.state.next_sequence(key).get().max(waiting + 1))
    }

    /// Where an operation stands; none if this node has never seen it.
    ///
    /// # Errors
    /// If the store fails.
    pub fn status(&self, id: &OperationId) -> Result<Option<OperationStatus>, LedgerError> {
        if let Some(bytes) = self.store.get(Table::Operations, id.digest().as_bytes())? {
            let place: FinalOperation = decode("an operation", &bytes)?;
            // Until the whole block is durable, its operations are not acknowledged.
            if place.height <= self.progress().height {
                return Ok(Some(OperationStatus::Final(place)));
            }
        }
        let inner = self.inner.lock();
        if let Some(refusal) = inner.dropped.get(id) {
            return Ok(Some(OperationStatus::Dropped(refusal.clone())));
        }
        Ok(inner.pool.contains(id).then_some(OperationStatus::Waiting))
    }

    // --- proposing -----------------------------------------------------------------------------

    /// Whether a block should be made at once.
    pub fn is_urgent(&self, used: &HashSet<OperationId>) -> bool {
        let inner = self.inner.lock();
        inner.state.change_waits() || inner.pool.has_other_than(used)
    }

    /// Operations for a block whose unfinished ancestors hold `pending`; what the state would refuse after
    /// them is left out.
    pub fn choose(&self, pending: &[SignedOperation], parent_time: Time, now: Time) -> Vec<SignedOperation> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let used: HashSet<_> = pending.iter().map(SignedOperation::id).collect();
        let numbers = OnTheWay::new(&inner.state, pending);
        let chosen = inner.pool.choose(&used, &numbers, now);
        let verdicts = inner.state.preview(pending, &chosen, parent_time);
        let mut kept = Vec::with_capacity(chosen.len().min(MAX_BLOCK_OPERATIONS));
        for (operation, verdict) in chosen.into_iter().zip(verdicts) {
            match verdict {
                Ok(()) => kept.push(operation),
                Err(refusal) => inner.give_up(&operation.id(), refusal),
            }
        }
        kept
    }

    /// The newest outcome root, and the state's Merkle root where one is fixed.
    pub fn executed_root(&self) -> (NamedRoot, Option<(Height, Digest)>) {
        let inner = self.inner.lock();
        (
            NamedRoot {
                height: inner.state.height(),
                root: inner.state.root(),
            },
            inner.state.checkpoint(),
        )
    }

    // --- applying ------------------------------------------------------------------------------

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
        let context = BlockContext {
            height: header.height,
            time: header.time,
            parent_time: inner.state.time(),
            parent: header.parent,
        };
        let operations = &block.content().operations;
        let outcome = inner.state.apply(&context, operations);
        inner.roots.insert(header.height, outcome.root);
        while inner.roots.len() > ROOTS_KEPT {
            inner.roots.pop_first();
        }
        inner.last_hash = block.hash();

        let mut batch = Batch::new();
        for change in outcome.changes.0 {
            match change.value {
                Some(value) => batch.put(Table::State, change.key, value)?,
                None => batch.delete(Table::State, change.key)?,
            }
        }
        for (index, (operation, result)) in operations.iter().zip(outcome.results).enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let place = FinalOperation {
                height: header.height,
                index,
                refusal: result.err(),
            };
            batch.put(
                Table::Operations,
                operation.id().digest().as_bytes(),
                canonical::to_bytes(&place),
            )?;
            inner.pool.remove(&operation.id());
            inner.dropped.remove(&operation.id());
        }
        for event in outcome.events {
            inner.record(&mut batch, header.height, header.time, event)?;
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
            inner.record(&mut batch, height, time, event)?;
            let progress = inner.finish(&mut batch)?;
            (batch, progress)
        };
        self.store.commit(batch, Durability::Sync).await?;
        self.progress.update(|_| progress);
        Ok(())
    }

    /// Events with numbers above `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// If the store fails.
    pub fn events(&self, after: u64, limit: usize) -> Result<Vec<EventRecord>, LedgerError> {
        let last = self.progress().last_event;
        let first = after.saturating_add(1).to_be_bytes().to_vec();
        let range = ScanRange::new(Bound::Included(first), Bound::Unbounded);
        let page = self.store.scan(Table::Events, &range, limit)?;
        let records = page
            .entries
            .iter()
            .map(|(_, bytes)| decode::<EventRecord>("an event", bytes));
        records
            .filter(|record| record.as_ref().map_or(true, |record| record.number <= last))
            .collect()
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

impl Inner {
    fn give_up(&mut self, id: &OperationId, refusal: Refusal) {
        self.pool.remove(id);
        // Bounded by what the pool can hold.
        if self.dropped.len() >= MAX_BLOCK_OPERATIONS {
            self.dropped.clear();
        }
        self.dropped.insert(*id, refusal);
    }

    fn record(
        &mut self,
        batch: &mut Batch,
        height: Height,
        time: Time,
        event: Event,
    ) -> Result<(), StoreError> {
        let (last, previous) = self.last_event;
        let record = EventRecord {
            number: last + 1,
            height,
            time,
            event,
            previous,
        };
        let bytes = canonical::to_bytes(&record);
        self.last_event = (record.number, Digest::of(&bytes));
        batch.put(Table::Events, record.number.to_be_bytes(), bytes)?;
        Ok(())
    }

    fn finish(&self, batch: &mut Batch) -> Result<Progress, StoreError> {
        let (last_event, event_hash) = self.last_event;
        let height = self.state.height();
        let applied = Applied {
            height,
            hash: self.last_hash,
            last_event,
            event_hash,
        };
        batch.put(Table::Meta, APPLIED.as_bytes(), canonical::to_bytes(&applied))?;
        Ok(Progress {
            height,
            root: self.state.root(),
            time: self.state.time(),
            last_event,
        })
    }
}

/// A key's highest number, counting blocks that are on their way.
struct OnTheWay<'a> {
    state: &'a State,
    highest: HashMap<PublicKey, Sequence>,
}

impl<'a> OnTheWay<'a> {
    fn new(state: &'a State, pending: &[SignedOperation]) -> Self {
        let mut highest = HashMap::new();
        for operation in pending {
            let own = highest.entry(operation.operation().key).or_insert(Sequence::ZERO);
            *own = (*own).max(operation.operation().sequence);
        }
        Self { state, highest }
    }
}

impl Numbers for OnTheWay<'_> {
    fn highest(&self, key: &PublicKey) -> Sequence {
        let used = Sequence::new(self.state.next_sequence(key).get() - 1);
        self.highest.get(key).copied().unwrap_or(Sequence::ZERO).max(used)
    }
}

fn payer(state: &State, operation: &SignedOperation) -> Payer {
    state
        .cooperative_of(&operation.operation().author)
        .map_or(Payer::Stranger, Payer::Cooperative)
}

fn decode<T: serde::de::DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, LedgerError> {
    canonical::from_own_bytes(bytes, MAX_RECORD_BYTES).map_err(|error| LedgerError::Damaged {
        what,
        detail: error.to_string(),
    })
}

fn load_state(store: &Store) -> Result<State, LedgerError> {
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
    State::load(records.into_iter()).map_err(|error| LedgerError::Damaged {
        what: "the state",
        detail: error.to_string(),
    })
}

async fn found(store: &Store, genesis: &icn_model::Genesis) -> Result<(State, Applied), LedgerError> {
    let (state, changes) = State::genesis(genesis).map_err(|error| LedgerError::Damaged {
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
    for change in changes.0 {
        if let Some(value) = change.value {
            batch.put(Table::State, change.key, value)?;
        }
    }
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

/// The block of height 0, given the root of the first state.
fn genesis_block(genesis: &icn_model::Genesis, root: Digest) -> LogBlock {
    // The first founder's key only fills a field: nobody proposed this block.
    let founder = genesis.founders[0].keys.seat;
    LogBlock::genesis(genesis.id(), founder, genesis.created, root)
}
