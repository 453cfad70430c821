//! SQLite: one file in the write-ahead mode, through `rusqlite` with SQLite built in.
//!
//! Settings that are not SQLite's defaults:
//! - `journal_mode=WAL`, so that readers and the writer do not wait for one another;
//! - `synchronous=FULL` for [`Durability::Sync`] (in WAL mode `NORMAL`, the usual choice, does not sync
//!   commits); `NORMAL` for [`Durability::Buffered`];
//! - `fullfsync`, where the system tells a sync from a real one;
//! - `auto_vacuum=INCREMENTAL`: chores give free pages back in steps.
//!
//! One connection writes; each read and each snapshot has one of its own. The write-ahead file grows
//! while a snapshot is held. Pages carry no checksums: damage that leaves a page well-formed is not
//! seen here (blocks have their hashes).

mod connection;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use self::connection::{Access, FORMAT_VERSION, create, open_connection, read_format, upgrade};
use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::directory::{StoreDir, failed};
use crate::error::{BackendError, ErrorKind, OpenError};
use crate::kind::BackendKind;
use crate::moments::Moments;
use crate::scan::{Page, ScanRange};
use crate::sql::{rows_of_page, scan_condition};
use crate::table::Table;

const NAME: &str = BackendKind::Sqlite.name();
const FILE: &str = "store.sqlite";
/// Connections that wait for the next read; more are closed after use.
const MAX_IDLE_READERS: usize = 8;
/// Most moments of which snapshots are held at once; each has a connection with its cache.
const MAX_MOMENTS: usize = 64;
/// Most free pages that one round of chores gives back to the system.
const VACUUM_PAGES: u32 = 4096;

/// A store in a directory, kept by SQLite.
pub struct SqliteBackend {
    writer: Mutex<Writer>,
    readers: Mutex<Vec<Connection>>,
    moments: Moments<Moment>,
    // Last, so that the directory is free only when the connections are closed.
    dir: StoreDir,
}

struct Writer {
    connection: Connection,
    /// What `synchronous` is set to.
    durability: Durability,
    /// Whether there are commits that were not synced.
    has_buffered: bool,
}

impl SqliteBackend {
    /// Opens the store in `path`, a directory, which is made if there is none.
    ///
    /// # Errors
    ///
    /// The store is open elsewhere, the directory holds something else, or a store of another
    /// format; the disk failed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let dir = StoreDir::acquire(path, BackendKind::Sqlite)?;
        let engine = |error: rusqlite::Error| OpenError::engine(path.display(), error);
        dir.create_if_absent(|unfinished| {
            std::fs::create_dir(unfinished)
                .map_err(|source| failed("make the directory", unfinished, source))?;
            create(&unfinished.join(FILE)).map_err(engine)
        })?;
        let mut connection = open_connection(&dir.database().join(FILE), Access::Write).map_err(engine)?;
        match read_format(&connection).map_err(engine)? {
            Some(found @ 1..=FORMAT_VERSION) => upgrade(&mut connection, found).map_err(engine)?,
            Some(found) => {
                return Err(OpenError::Format {
                    place: path.display().to_string(),
                    found,
                    supported: FORMAT_VERSION,
                });
            }
            None => {
                return Err(OpenError::NotAStore {
                    path: path.to_owned(),
                });
            }
        }
        Ok(Self {
            writer: Mutex::new(Writer {
                connection,
                durability: Durability::Sync,
                // A process that was killed may have left some.
                has_buffered: true,
            }),
            readers: Mutex::default(),
            moments: Moments::new(NAME, MAX_MOMENTS),
            dir,
        })
    }

    /// Lends a connection that reads.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.readers().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_connection(&self.dir.database().join(FILE), Access::Read)?,
        };
        let outcome = read(&connection);
        let mut readers = self.readers();
        if outcome.is_ok() && readers.len() < MAX_IDLE_READERS {
            readers.push(connection);
        }
        outcome
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Connections are only put in and taken out under this lock.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(
        &self,
        action: &'static str,
        write: impl FnOnce(&mut Writer) -> rusqlite::Result<()>,
    ) -> Result<(), BackendError> {
        // A panic in a write ends the store above; a transaction that it left open is rolled back.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut writer).map_err(|error| failure(action, error))
    }
}

fn failure(action: &'static str, error: rusqlite::Error) -> BackendError {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorKind::Corrupt,
        _ => ErrorKind::Io,
    };
    BackendError::new(NAME, kind, action, error)
}

fn get(connection: &Connection, table: Table, key: &[u8]) -> rusqlite::Result<Option<Vec<u8>>> {
    let sql = format!("SELECT value FROM {table} WHERE key = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([key])?;
    rows.next()?.map(|row| row.get(0)).transpose()
}

fn scan(connection: &Connection, table: Table, range: &ScanRange, limit: usize) -> rusqlite::Result<Page> {
    if range.is_empty() {
        return Ok(Page::default());
    }
    let (condition, keys) = scan_condition(range, '?');
    let limit_at = keys.len() + 1;
    let sql = format!("SELECT key, value FROM {table}{condition} LIMIT ?{limit_at}");
    let mut statement = connection.prepare_cached(&sql)?;
    for (index, key) in keys.into_iter().enumerate() {
        statement.raw_bind_parameter(index + 1, key)?;
    }
    statement.raw_bind_parameter(limit_at, rows_of_page(limit))?;
    let rows = statement.raw_query().mapped(|row| Ok((row.get(0)?, row.get(1)?)));
    Page::collect(limit, rows)
}

impl Writer {
    fn set_durability(&mut self, durability: Durability) -> rusqlite::Result<()> {
        if self.durability != durability {
            let synchronous = match durability {
                Durability::Sync => "FULL",
                Durability::Buffered => "NORMAL",
            };
            self.connection.pragma_update(None, "synchronous", synchronous)?;
            self.durability = durability;
        }
        Ok(())
    }

    fn commit(&mut self, batch: &Batch, durability: Durability) -> rusqlite::Result<()> {
        self.set_durability(durability)?;
        let transaction = self.connection.transaction()?;
        // The writes come in the order of tables, so each statement is prepared once.
        let mut ops = batch.ops().peekable();
        while let Some((table, ..)) = ops.peek().copied() {
            let mut put = transaction.prepare_cached(&format!(
                "INSERT INTO {table} (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            ))?;
            let mut delete = transaction.prepare_cached(&format!("DELETE FROM {table} WHERE key = ?1"))?;
            while let Some((_, key, value)) = ops.next_if(|(of, ..)| *of == table) {
                match value {
                    Some(value) => put.execute([key, value])?,
                    None => delete.execute([key])?,
                };
            }
        }
        transaction.commit()?;
        self.has_buffered = durability == Durability::Buffered;
        Ok(())
    }

    /// A commit of nothing writes nothing and so syncs nothing: this one writes a number.
    fn persist(&mut self) -> rusqlite::Result<()> {
        if self.has_buffered {
            self.set_durability(Durability::Sync)?;
            self.connection
                .prepare_cached("UPDATE icn_store SET flushes = flushes + 1")?
                .execute([])?;
            self.has_buffered = false;
        }
        Ok(())
    }

    fn maintain(&mut self) -> rusqlite::Result<()> {
        let mut statement = self
            .connection
            .prepare(&format!("PRAGMA incremental_vacuum({VACUUM_PAGES})"))?;
        let mut freed = statement.query([])?;
        // Each step frees a page.
        while freed.next()?.is_some() {}
        drop(freed);
        drop(statement);
        // Passive: it waits for nobody, and does what readers let it do.
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }
}

impl View for SqliteBackend {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.read(|connection| get(connection, table, key))
            .map_err(|error| failure("read a key", error))
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.read(|connection| scan(connection, table, range, limit))
            .map_err(|error| failure("scan a table", error))
    }
}

/// A snapshot: a connection inside a read transaction.
struct Moment {
    connection: Mutex<Connection>,
}

impl Moment {
    fn begin(file: &Path) -> rusqlite::Result<Self> {
        let connection = open_connection(file, Access::Read)?;
        // The transaction's view is fixed by its first read.
        connection.execute_batch("BEGIN; SELECT flushes FROM icn_store;")?;
        Ok(Self {
            connection: Mutex::new(connection),
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Only reads run under this lock, and one that panics leaves the transaction as it was.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View for Moment {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        get(&self.connection(), table, key).map_err(|error| failure("read a key", error))
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        scan(&self.connection(), table, range, limit).map_err(|error| failure("scan a table", error))
    }
}

impl Backend for SqliteBackend {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        let moment = self.moments.now(|| {
            Moment::begin(&self.dir.database().join(FILE)).map_err(|error| failure("take a snapshot", error))
        })?;
        Ok(Box::new(moment))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        if batch.is_empty() {
            return match durability {
                Durability::Buffered => Ok(()),
                Durability::Sync => self.persist(),
            };
        }
        let _change = self.moments.change();
        self.write("commit a batch", |writer| writer.commit(batch, durability))
    }

    fn persist(&self) -> Result<(), BackendError> {
        self.write("sync its journal", Writer::persist)
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
        self.write("tidy its file up", Writer::maintain)
    }
}
