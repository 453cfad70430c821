//! Whether this seat may have forgotten what it voted.
//!
//! A seat that forgot its votes could vote twice and be taken for a liar. So the journal and the store carry one mark: a
//! random name, and since when the seat remembers. Where the two do not agree, or neither is there and the log has begun,
//! the seat remembers from now on: it follows, and votes in epochs that begin later, in which it cannot have voted before.
//! A backup holds the store and never the journal, so a restored node is caught by this, too, however old its backup is and
//! however often it is started again.
use crate::environment::Runtime;
use commonware_runtime::{Blob as _, Error as RuntimeError, ReadOptions, WriteOptions};
use icn_model::{Height, Millis, Time};
use icn_store::{Batch, Durability, Reader as _, Store, StoreError, Table};

const MARK: &[u8] = b"journal/mark";
const NAME_BYTES: usize = 16;
const MARK_BYTES: usize = NAME_BYTES + 8;
/// In place of the time: not known yet whether the log had begun when the mark was made. Nothing was voted until it is.
const UNDECIDED: u64 = u64::MAX;
/// How much later than a seat's memory an epoch has to begin by block time, since clocks differ.
const CLOCK_MARGIN: Millis = Millis::from_secs(10);

/// Why the mark cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The journal's storage failed.
    #[error("the consensus journal in the data directory cannot be read or written")]
    Journal(#[from] RuntimeError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// What a seat remembers of its votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// All of them.
    Whole,
    /// All since a time by this machine's clock.
    Since(Time),
    /// There are none, if the log has not begun; whether it has is to be found out.
    New,
}

impl Memory {
    /// Whether the seat may vote in an epoch after the first, given the time of the block that it stands on.
    pub(crate) fn covers(self, begins: Time) -> bool {
        match self {
            Self::Whole => true,
            Self::Since(since) => begins > since.after(CLOCK_MARGIN),
            Self::New => false,
        }
    }

    const fn to_number(self) -> u64 {
        match self {
            Self::Whole => 0,
            Self::Since(since) => since.get(),
            Self::New => UNDECIDED,
        }
    }

    const fn of_number(number: u64) -> Self {
        match number {
            0 => Self::Whole,
            UNDECIDED => Self::New,
            since => Self::Since(Time::new(since)),
        }
    }
}

/// The consensus journal of a node, as far as it is known whether it is the one that the seat voted with.
pub struct Journal {
    partition: String,
    store: Store,
    name: [u8; NAME_BYTES],
    memory: Memory,
}

impl Journal {
    /// Compares the marks of journal and store, and makes them agree from now on.
    ///
    /// # Errors
    /// If either cannot be read or written.
    pub async fn open<E: Runtime>(
        runtime: &mut E,
        store: &Store,
        partition: &str,
        applied: Height,
        now: Time,
    ) -> Result<Self, JournalError> {
        let in_journal = read(runtime, partition).await?;
        let in_store = store.get(Table::Meta, MARK)?;
        let mut journal = Self {
            partition: partition.to_owned(),
            store: store.clone(),
            name: [0; NAME_BYTES],
            memory: Memory::Whole,
        };
        match (in_journal, in_store) {
            (Some(in_journal), Some(in_store)) if in_journal == in_store => {
                let (name, since) = in_journal.split_at(NAME_BYTES);
                journal.name.copy_from_slice(name);
                // Earlier builds wrote no time: their seats remember all.
                let since = since.try_into().map_or(0, u64::from_be_bytes);
                journal.memory = Memory::of_number(since);
                return Ok(journal);
            }
            // The store was lost, or is of another time; the votes are all there.
            (Some(in_journal), None) => {
                let since = in_journal[NAME_BYTES..].try_into().map_or(0, u64::from_be_bytes);
                journal.memory = Memory::of_number(since);
            }
            (None, None) if applied == Height::ZERO => journal.memory = Memory::New,
            _ => journal.memory = Memory::Since(now),
        }
        runtime.fill_bytes(&mut journal.name);
        journal.write(runtime).await?;
        Ok(journal)
    }

    /// What the seat remembers.
    pub const fn memory(&self) -> Memory {
        self.memory
    }

    /// Names the time since when journal and store have been the same ones: where it is another than before, the node may
    /// have forgotten what it did.
    pub const fn name(&self) -> [u8; NAME_BYTES] {
        self.name
    }

    /// Keeps whether the log had begun before this journal.
    ///
    /// # Errors
    /// If journal or store cannot be written.
    pub async fn decide<E: Runtime>(&mut self, runtime: &E, memory: Memory) -> Result<(), JournalError> {
        self.memory = memory;
        self.write(runtime).await
    }

    async fn write<E: Runtime>(&self, runtime: &E) -> Result<(), JournalError> {
        let mut mark = self.name.to_vec();
        mark.extend_from_slice(&self.memory.to_number().to_be_bytes());
        let (blob, _) = runtime.open(&place(&self.partition), MARK).await?;
        blob.write_at(0, mark.clone(), WriteOptions::SYNC).await?;
        let mut batch = Batch::new();
        batch.put(Table::Meta, MARK, mark)?;
        Ok(self.store.commit(batch, Durability::Sync).await?)
    }
}

/// Takes the mark out of a store whose log is to go on with another journal.
pub(crate) fn forget(batch: &mut Batch) -> Result<(), StoreError> {
    batch.delete(Table::Meta, MARK)
}

async fn read<E: Runtime>(runtime: &E, partition: &str) -> Result<Option<Vec<u8>>, JournalError> {
    let (blob, len) = runtime.open(&place(partition), MARK).await?;
    let len = usize::try_from(len).unwrap_or(MARK_BYTES).min(MARK_BYTES);
    if len < NAME_BYTES {
        return Ok(None);
    }
    let read = blob.read_at(0, len, ReadOptions::default()).await?;
    Ok(Some(read.coalesce().as_ref().to_vec()))
}

fn place(partition: &str) -> String {
    format!("{partition}-mark")
}
