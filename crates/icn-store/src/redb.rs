//! redb 4: copy-on-write B-trees in one file.
//!
//! Settings that are not redb's defaults:
//! - quick repair on every commit: a store opens at once after a crash, where redb would else walk
//!   every page; it also makes each commit in two phases;
//! - a stated cache (the default is 1 GiB).
//!
//! redb has no commit that outlives the process and is not synced: one that it calls not durable is in
//! the process's own memory. So [`Durability::Buffered`] is as durable and as slow as
//! [`Durability::Sync`] here.
//!
//! A snapshot keeps the pages that it sees: the file grows while one is held, and shrinks by itself
//! no more.

use std::ops::Bound;
use std::path::Path;

use redb::{
    Builder, Database, DatabaseError, Durability as RedbDurability, ReadTransaction, ReadableDatabase as _,
    TableDefinition, TableError, WriteTransaction,
};

use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::directory::{StoreDir, check_format, failed};
use crate::error::{BackendError, ErrorKind, OpenError};
use crate::kind::BackendKind;
use crate::scan::{Direction, Entry, Page, ScanRange};
use crate::table::Table;

const FORMAT_VERSION: u32 = 1;
const NAME: &str = BackendKind::Redb.name();
const FILE: &str = "store.redb";
const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// The backend's own records.
const OWN: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("icn_store");
const FORMAT_KEY: &[u8] = b"format";

/// A store in a directory, kept by redb.
pub struct RedbBackend {
    db: Database,
    // Last, so that the directory is free only when the database is closed.
    dir: StoreDir,
}

const fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

impl RedbBackend {
    /// Opens the store in `path`, which is made if there is none.
    ///
    /// # Errors
    ///
    /// The store is open elsewhere, the directory holds something else, or a store of another
    /// format; the disk failed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let dir = StoreDir::acquire(path, BackendKind::Redb)?;
        let open = |file: &Path| {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE_BYTES);
            builder.create(file).map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => OpenError::Locked {
                    place: path.display().to_string(),
                },
                error => engine(path, error),
            })
        };
        dir.create_if_absent(|unfinished| {
            std::fs::create_dir(unfinished)
                .map_err(|source| failed("make the directory", unfinished, source))?;
            create(&open(&unfinished.join(FILE))?).map_err(|error| engine(path, error))
        })?;
        let db = open(&dir.database().join(FILE))?;
        let found = format(&db).map_err(|error| engine(path, error))?;
        check_format(path, found.as_deref(), FORMAT_VERSION)?;
        add_tables(&db).map_err(|error| engine(path, error))?;
        Ok(Self { db, dir })
    }
}

fn engine(path: &Path, error: impl Into<redb::Error>) -> OpenError {
    OpenError::engine(path.display(), error.into())
}

fn begin_write(db: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut write = db.begin_write()?;
    write.set_durability(RedbDurability::Immediate)?;
    write.set_quick_repair(true);
    Ok(write)
}

fn create(db: &Database) -> Result<(), redb::Error> {
    let write = begin_write(db)?;
    write
        .open_table(OWN)?
        .insert(FORMAT_KEY, &FORMAT_VERSION.to_be_bytes()[..])?;
    for table in Table::ALL {
        write.open_table(definition(table))?;
    }
    Ok(write.commit()?)
}

/// Makes the tables that an earlier release did not know.
fn add_tables(db: &Database) -> Result<(), redb::Error> {
    let read = db.begin_read()?;
    let mut missing = Vec::new();
    for table in Table::ALL {
        match read.open_table(definition(table)) {
            Ok(_) => {}
            Err(TableError::TableDoesNotExist(_)) => missing.push(table),
            Err(error) => return Err(error.into()),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let write = begin_write(db)?;
    for table in missing {
        write.open_table(definition(table))?;
    }
    Ok(write.commit()?)
}

fn format(db: &Database) -> Result<Option<Vec<u8>>, redb::Error> {
    match db.begin_read()?.open_table(OWN) {
        Ok(own) => Ok(own.get(FORMAT_KEY)?.map(|bytes| bytes.value().to_vec())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn failure(action: &'static str, error: impl Into<redb::Error>) -> BackendError {
    let error = error.into();
    let kind = match error {
        redb::Error::Corrupted(_) => ErrorKind::Corrupt,
        _ => ErrorKind::Io,
    };
    BackendError::new(NAME, kind, action, error)
}

fn get(read: &ReadTransaction, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, redb::Error> {
    let value = read.open_table(definition(table))?.get(key)?;
    Ok(value.map(|value| value.value().to_vec()))
}

type Bytes<'a> = redb::AccessGuard<'a, &'static [u8]>;

fn scan(read: &ReadTransaction, table: Table, range: &ScanRange, limit: usize) -> Result<Page, redb::Error> {
    if range.is_empty() {
        return Ok(Page::default());
    }
    let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (range.start(), range.end());
    let rows = read.open_table(definition(table))?.range::<&[u8]>(bounds)?;
    let entry = |row: Result<(Bytes<'_>, Bytes<'_>), _>| {
        let (key, value) = row?;
        Ok::<Entry, redb::StorageError>((key.value().to_vec(), value.value().to_vec()))
    };
    Ok(match range.direction() {
        Direction::Forward => Page::collect(limit, rows.map(entry))?,
        Direction::Reverse => Page::collect(limit, rows.rev().map(entry))?,
    })
}

/// A view of one moment.
struct Moment(ReadTransaction);

impl View for Moment {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        get(&self.0, table, key).map_err(|error| failure("read a key", error))
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        scan(&self.0, table, range, limit).map_err(|error| failure("scan a table", error))
    }
}

impl RedbBackend {
    fn now(&self) -> Result<Moment, BackendError> {
        self.db
            .begin_read()
            .map(Moment)
            .map_err(|error| failure("begin to read", error))
    }

    fn write(&self, batch: &Batch) -> Result<(), redb::Error> {
        let write = begin_write(&self.db)?;
        // The writes come in the order of tables, so each is opened once.
        let mut ops = batch.ops().peekable();
        while let Some((table, ..)) = ops.peek().copied() {
            let mut rows = write.open_table(definition(table))?;
            while let Some((_, key, value)) = ops.next_if(|(of, ..)| *of == table) {
                match value {
                    Some(value) => drop(rows.insert(key, value)?),
                    None => drop(rows.remove(key)?),
                }
            }
        }
        Ok(write.commit()?)
    }
}

impl View for RedbBackend {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.now()?.get(table, key)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.now()?.scan(table, range, limit)
    }
}

impl Backend for RedbBackend {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        Ok(Box::new(self.now()?))
    }

    fn commit(&self, batch: &Batch, _durability: Durability) -> Result<(), BackendError> {
        if batch.is_empty() {
            // Nothing is ever left to be made durable.
            return Ok(());
        }
        self.write(batch)
            .map_err(|error| failure("commit a batch", error))
    }

    fn persist(&self) -> Result<(), BackendError> {
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
        std::fs::metadata(self.dir.database().join(FILE))
            .map(|metadata| metadata.len())
            .map_err(|error| failure("measure its file", error))
    }

    fn maintain(&self) -> Result<(), BackendError> {
        // Freed pages are used again by themselves. Giving space back to the system needs the
        // database to itself: moving the store to a new directory does it.
        Ok(())
    }
}
