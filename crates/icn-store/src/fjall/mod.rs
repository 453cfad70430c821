//! The embedded backend: fjall 3, a log-structured merge tree in one directory.
//!
//! Settings and habits that are not fjall's defaults, each for a reason that was measured or is
//! known from its source:
//! - every [`Durability::Sync`] commit runs `fdatasync` (the default reaches only the system's cache);
//! - reads go through a snapshot (a plain `get` can see half a batch);
//! - three keyspaces with tables as key prefixes, no separated values, no `clear()`, no FIFO
//!   compaction: what is least used there has had the most faults;
//! - four threads in the background, however few processors there are ([`WORKERS`]);
//! - each batch carries a mark with which damage in the journal can be told from a torn tail
//!   (see [`journal`]): fjall itself refuses to open some torn tails, and silently drops
//!   acknowledged batches behind some kinds of damage.

mod journal;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode, Readable};

use self::journal::{MARK_KEY, Mark};
use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::directory::{StoreDir, check_format};
use crate::error::{BackendError, ErrorKind, OpenError};
use crate::kind::BackendKind;
use crate::prefix::{FORMAT_KEY, stored_bounds, stored_key};
use crate::scan::{Direction, Entry, Page, ScanRange};
use crate::table::Table;

/// The format that this program writes and reads; a directory of another one is refused.
pub const FORMAT_VERSION: u32 = 1;

const NAME: &str = BackendKind::Fjall.name();
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
const MEMTABLE_BYTES: u64 = 16 * 1024 * 1024;
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
/// Threads that write memtables out and compact. The first of them hands what is to be compacted back until
/// another one is free. With two of them, fjall's own choice for two processors, it does nothing else for as
/// long as the other compacts: two fifths of the processor time that a node spent on putting blocks of 64 KiB.
/// One alone can wait for itself for ever, when it is handed more than its queue holds.
const WORKERS: usize = 4;
/// Journals of at least 64 MB each beyond which the memtables that hold them back are written out.
const MAX_JOURNALS: usize = 4;

/// A store in a directory, kept by fjall.
pub struct FjallBackend {
    trees: Trees,
    marks: Mutex<Mark>,
    // Last, so that the directory is free only when the database is closed.
    dir: StoreDir,
}

#[derive(Clone)]
struct Trees {
    db: Database,
    /// Small and changed in place; and the backend's own records.
    state: Keyspace,
    /// Large values under random keys.
    blocks: Keyspace,
    /// Written once, in order.
    log: Keyspace,
}

impl FjallBackend {
    /// Opens the store in `path`, which is made if there is none.
    ///
    /// After a power cut the journal can end in writes that were never acknowledged and of which
    /// only some pages reached the disk. Such a tail is copied to the file `torn-tail` in the directory
    /// and cut off.
    ///
    /// # Errors
    ///
    /// The store is open elsewhere, the directory holds something else, or a store of another
    /// format; acknowledged writes in the journal are damaged; the disk failed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let dir = StoreDir::acquire(path, BackendKind::Fjall)?;
        dir.create_if_absent(create)?;
        journal::recover(&dir.database(), path)?;
        let trees = Trees::open(&dir.database())?;
        let found = trees.format().map_err(|error| engine(path, error))?;
        check_format(path, found.as_deref(), FORMAT_VERSION)?;
        let mark = trees.last_mark().map_err(|error| engine(path, error))?;
        // Opening has made durable whatever it found.
        let marks = Mutex::new(Mark {
            durable: mark.number,
            ..mark
        });
        Ok(Self { trees, marks, dir })
    }

    fn marks(&self) -> MutexGuard<'_, Mark> {
        // Only whole marks are ever assigned under this lock.
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn create(path: &Path) -> Result<(), OpenError> {
    let trees = Trees::open(path)?;
    let write = || {
        let mut batch = trees.db.batch().durability(Some(PersistMode::SyncData));
        batch.insert(&trees.state, FORMAT_KEY, FORMAT_VERSION.to_be_bytes());
        batch.insert(&trees.state, MARK_KEY, Mark::first().to_bytes());
        batch.commit()?;
        trees.db.persist(PersistMode::SyncAll)
    };
    write().map_err(|error| engine(path, error))
}

fn engine(path: &Path, error: fjall::Error) -> OpenError {
    OpenError::engine(path.display(), error)
}

impl Trees {
    fn open(path: &Path) -> Result<Self, OpenError> {
        let open = || {
            let db = Database::builder(path)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES)
                .worker_threads(WORKERS)
                .journal_compression(CompressionType::None)
                .open()?;
            let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
            Ok(Self {
                state: db.keyspace("state", options)?,
                blocks: db.keyspace("blocks", options)?,
                log: db.keyspace("log", options)?,
                db,
            })
        };
        open().map_err(|error| match error {
            fjall::Error::Locked => OpenError::Locked {
                place: path.display().to_string(),
            },
            error => engine(path, error),
        })
    }

    fn format(&self) -> fjall::Result<Option<Vec<u8>>> {
        let stored = self.db.snapshot().get(&self.state, FORMAT_KEY)?;
        Ok(stored.map(|bytes| bytes.to_vec()))
    }

    fn last_mark(&self) -> fjall::Result<Mark> {
        let stored = self.db.snapshot().get(&self.state, MARK_KEY)?;
        Ok(stored
            .and_then(|bytes| Mark::from_bytes(&bytes))
            .unwrap_or_default())
    }

    fn tree(&self, table: Table) -> &Keyspace {
        match table {
            Table::Meta
            | Table::State
            | Table::Pins
            | Table::Operations
            | Table::Jobs
            | Table::Credit
            | Table::EventKinds => &self.state,
            Table::Blocks => &self.blocks,
            Table::Log | Table::Events => &self.log,
        }
    }

    fn get(
        &self,
        snapshot: &fjall::Snapshot,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, BackendError> {
        match snapshot.get(self.tree(table), stored_key(table, key)) {
            Ok(value) => Ok(value.map(|value| value.to_vec())),
            Err(error) => Err(failure("read a key", error)),
        }
    }

    fn scan(
        &self,
        snapshot: &fjall::Snapshot,
        table: Table,
        range: &ScanRange,
        limit: usize,
    ) -> Result<Page, BackendError> {
        if range.is_empty() {
            return Ok(Page::default());
        }
        let rows = snapshot.range::<Vec<u8>, _>(self.tree(table), stored_bounds(table, range));
        let entry = |row: fjall::Guard| -> Result<Entry, BackendError> {
            let (key, value) = row.into_inner().map_err(|error| failure("scan a table", error))?;
            Ok((key[1..].to_vec(), value.to_vec()))
        };
        match range.direction() {
            Direction::Forward => Page::collect(limit, rows.map(entry)),
            Direction::Reverse => Page::collect(limit, rows.rev().map(entry)),
        }
    }
}

fn failure(action: &'static str, error: fjall::Error) -> BackendError {
    let is_damage = matches!(
        error,
        fjall::Error::Decompress(_)
            | fjall::Error::InvalidTrailer
            | fjall::Error::InvalidTag(_)
            | fjall::Error::Storage(
                LsmError::ChecksumMismatch { .. }
                    | LsmError::Decompress(_)
                    | LsmError::InvalidTag(_)
                    | LsmError::InvalidTrailer
                    | LsmError::InvalidHeader(_)
            )
    );
    let kind = if is_damage {
        ErrorKind::Corrupt
    } else {
        ErrorKind::Io
    };
    BackendError::new(NAME, kind, action, error)
}

impl View for FjallBackend {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.trees.get(&self.trees.db.snapshot(), table, key)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.trees.scan(&self.trees.db.snapshot(), table, range, limit)
    }
}

struct FjallSnapshot {
    snapshot: fjall::Snapshot,
    trees: Trees,
}

impl View for FjallSnapshot {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.trees.get(&self.snapshot, table, key)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.trees.scan(&self.snapshot, table, range, limit)
    }
}

impl Backend for FjallBackend {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        let snapshot = self.trees.db.snapshot();
        Ok(Box::new(FjallSnapshot {
            snapshot,
            trees: self.trees.clone(),
        }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        if batch.is_empty() {
            // An empty batch of fjall's returns before it syncs.
            return match durability {
                Durability::Buffered => Ok(()),
                Durability::Sync => self.persist(),
            };
        }
        let mut marks = self.marks();
        let mark = Mark {
            number: marks.number + 1,
            ..*marks
        };
        let mode = match durability {
            Durability::Buffered => PersistMode::Buffer,
            Durability::Sync => PersistMode::SyncData,
        };
        let mut write = self.trees.db.batch().durability(Some(mode));
        write.insert(&self.trees.state, MARK_KEY, mark.to_bytes());
        for (table, key, value) in batch.ops() {
            let tree = self.trees.tree(table);
            match value {
                Some(value) => write.insert(tree, stored_key(table, key), value),
                None => write.remove(tree, stored_key(table, key)),
            }
        }
        write.commit().map_err(|error| failure("commit a batch", error))?;
        marks.number = mark.number;
        if durability == Durability::Sync {
            marks.durable = mark.number;
        }
        Ok(())
    }

    fn persist(&self) -> Result<(), BackendError> {
        let mut marks = self.marks();
        self.trees
            .db
            .persist(PersistMode::SyncData)
            .map_err(|error| failure("sync its journal", error))?;
        marks.durable = marks.number;
        Ok(())
    }

    fn caps(&self) -> Caps {
        Caps {
            name: NAME,
            power_loss_safe: true,
            native_snapshot: true,
            persistent: true,
        }
    }

    fn size_bytes(&self) -> Result<u64, BackendError> {
        self.trees
            .db
            .disk_space()
            .map_err(|error| failure("measure its files", error))
    }

    fn maintain(&self) -> Result<(), BackendError> {
        // Compaction runs by itself. A journal goes when every tree that it has writes of has been
        // written out, which a tree that is hardly written to can put off.
        let journals = self.trees.db.journal_count();
        if journals > MAX_JOURNALS {
            tracing::warn!(journals, path = %self.dir.path().display(), "many journals: writing memtables out");
            for tree in [&self.trees.state, &self.trees.blocks, &self.trees.log] {
                tree.rotate_memtable()
                    .map_err(|error| failure("write a memtable out", error))?;
            }
        }
        Ok(())
    }
}
