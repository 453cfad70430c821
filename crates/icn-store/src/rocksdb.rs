//! RocksDB: a log-structured merge tree in C++, built from source.
//!
//! Settings that are not RocksDB's defaults: `sync=true` on each [`Durability::Sync`] commit, a bounded
//! write-ahead log, block cache and number of open files, no compression (no further C libraries),
//! few log files of its own. One column family with tables as key prefixes.

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use rocksdb::{
    BlockBasedOptions, Cache, DB, DBIterator, DBRecoveryMode, IteratorMode, Options, ReadOptions,
    SnapshotWithThreadMode, WriteBatch, WriteOptions,
};
use self_cell::self_cell;

use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::directory::{StoreDir, check_format};
use crate::error::{BackendError, ErrorKind, OpenError};
use crate::kind::BackendKind;
use crate::prefix::{FORMAT_KEY, stored_bounds, stored_key};
use crate::scan::{Direction, Entry, Page, ScanRange};
use crate::table::Table;

const FORMAT_VERSION: u32 = 1;
const NAME: &str = BackendKind::Rocksdb.name();
const CACHE_BYTES: usize = 64 * 1024 * 1024;
const MEMTABLE_BYTES: usize = 16 * 1024 * 1024;
const JOURNAL_BYTES: u64 = 128 * 1024 * 1024;
const OPEN_FILES: i32 = 512;
/// RocksDB's own messages.
const LOG_FILES: usize = 2;
const LOG_BYTES: usize = 4 * 1024 * 1024;

/// A store in a directory, kept by RocksDB.
pub struct RocksdbBackend {
    db: Arc<DB>,
    // Last, so that the directory is free only when the database is closed.
    dir: StoreDir,
}

impl RocksdbBackend {
    /// Opens the store in `path`, which is made if there is none.
    ///
    /// # Errors
    ///
    /// The store is open elsewhere, the directory holds something else, or a store of another
    /// format; the disk failed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let dir = StoreDir::acquire(path, BackendKind::Rocksdb)?;
        let engine = |error: rocksdb::Error| OpenError::engine(path.display(), error);
        dir.create_if_absent(|unfinished| {
            let db = DB::open(&options(true), unfinished).map_err(engine)?;
            db.put_opt(
                FORMAT_KEY,
                FORMAT_VERSION.to_be_bytes(),
                &write_options(Durability::Sync),
            )
            .map_err(engine)
        })?;
        let db = DB::open(&options(false), dir.database()).map_err(engine)?;
        let found = db.get(FORMAT_KEY).map_err(engine)?;
        check_format(path, found.as_deref(), FORMAT_VERSION)?;
        Ok(Self {
            db: Arc::new(db),
            dir,
        })
    }
}

fn options(create: bool) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(CACHE_BYTES));
    let mut options = Options::default();
    options.create_if_missing(create);
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(MEMTABLE_BYTES);
    options.set_max_total_wal_size(JOURNAL_BYTES);
    options.set_max_open_files(OPEN_FILES);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_keep_log_file_num(LOG_FILES);
    options.set_max_log_file_size(LOG_BYTES);
    options
}

fn write_options(durability: Durability) -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(durability == Durability::Sync);
    options
}

fn failure(action: &'static str, error: rocksdb::Error) -> BackendError {
    let kind = match error.kind() {
        rocksdb::ErrorKind::Corruption => ErrorKind::Corrupt,
        _ => ErrorKind::Io,
    };
    BackendError::new(NAME, kind, action, error)
}

/// Options that keep a read in `range`, or nothing more than the defaults.
fn read_options(table: Table, range: &ScanRange) -> ReadOptions {
    // RocksDB includes the lower bound and excludes the upper: the next key after one is that key
    // with a zero.
    let next = |mut key: Vec<u8>| {
        key.push(0);
        key
    };
    let mut options = ReadOptions::default();
    let (start, end) = stored_bounds(table, range);
    match start {
        Bound::Included(key) => options.set_iterate_lower_bound(key),
        Bound::Excluded(key) => options.set_iterate_lower_bound(next(key)),
        Bound::Unbounded => {}
    }
    match end {
        Bound::Included(key) => options.set_iterate_upper_bound(next(key)),
        Bound::Excluded(key) => options.set_iterate_upper_bound(key),
        Bound::Unbounded => {}
    }
    options
}

/// A page of `range`, from what `iterate` yields under the options.
fn scan<'a>(
    iterate: impl FnOnce(IteratorMode<'static>, ReadOptions) -> DBIterator<'a>,
    (table, range, limit): (Table, &ScanRange, usize),
) -> Result<Page, BackendError> {
    if range.is_empty() {
        return Ok(Page::default());
    }
    let mode = match range.direction() {
        Direction::Forward => IteratorMode::Start,
        Direction::Reverse => IteratorMode::End,
    };
    let rows = iterate(mode, read_options(table, range));
    let entries = rows.map(|row| -> Result<Entry, BackendError> {
        let (key, value) = row.map_err(|error| failure("scan a table", error))?;
        Ok((key[1..].to_vec(), value.into_vec()))
    });
    Page::collect(limit, entries)
}

type Held<'a> = SnapshotWithThreadMode<'a, DB>;

self_cell!(
    /// A snapshot with the database that it borrows.
    struct Moment {
        owner: Arc<DB>,
        #[not_covariant]
        dependent: Held,
    }
);

impl View for Moment {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.with_dependent(|_, snapshot| snapshot.get(stored_key(table, key)))
            .map_err(|error| failure("read a key", error))
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.with_dependent(|_, snapshot| {
            scan(
                |mode, options| snapshot.iterator_opt(mode, options),
                (table, range, limit),
            )
        })
    }
}

impl View for RocksdbBackend {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.db
            .get(stored_key(table, key))
            .map_err(|error| failure("read a key", error))
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        scan(
            |mode, options| self.db.iterator_opt(mode, options),
            (table, range, limit),
        )
    }
}

impl Backend for RocksdbBackend {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        Ok(Box::new(Moment::new(Arc::clone(&self.db), |db| db.snapshot())))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        if batch.is_empty() {
            return match durability {
                Durability::Buffered => Ok(()),
                Durability::Sync => self.persist(),
            };
        }
        let mut write = WriteBatch::default();
        for (table, key, value) in batch.ops() {
            match value {
                Some(value) => write.put(stored_key(table, key), value),
                None => write.delete(stored_key(table, key)),
            }
        }
        self.db
            .write_opt(write, &write_options(durability))
            .map_err(|error| failure("commit a batch", error))
    }

    fn persist(&self) -> Result<(), BackendError> {
        self.db
            .flush_wal(true)
            .map_err(|error| failure("sync its journal", error))
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
        self.dir.size_bytes()
    }

    fn maintain(&self) -> Result<(), BackendError> {
        // Compaction runs by itself.
        Ok(())
    }
}
