//! PostgreSQL: one schema of a database holds a store.
//!
//! - One session writes, and holds an advisory lock as long as it lives: a second node on the same
//!   schema is refused, and a node that has lost the session cannot write beside its successor.
//! - A commit during which the connection is lost is found out about, and repeated if it did not
//!   happen; a server that comes back with less than it acknowledged stops the store.
//! - Reads come from a pool, which never writes. Snapshots hold a session of it each, up to half of
//!   them; a snapshot keeps the server from tidying up behind it.
//! - [`Durability::Buffered`] is `synchronous_commit=off`; [`Durability::Sync`] is what the server is
//!   set to (`on`, if it is set to `off`). What a power cut takes is the server's business: the store
//!   looks at its settings and says so.
//!
//! The driver is asynchronous; see [`driver`] for how callers wait for it.

mod driver;
mod server;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnection, PgPool, PgRow};
use sqlx::{AssertSqlSafe, Postgres, Row as _, Transaction};

use self::driver::Driver;
use self::server::{Server, is_connection_lost, within};
use self::writer::Writer;
use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::error::{BackendError, ErrorKind, OpenError};
use crate::kind::BackendKind;
use crate::location::PostgresqlSettings;
use crate::moments::Moments;
use crate::scan::{Direction, Entry, MAX_PAGE_BYTES, Page, ScanRange};
use crate::sql::{rows_of_page, scan_condition};
use crate::table::Table;

const NAME: &str = BackendKind::Postgresql.name();
/// How long the server may take to end our sessions when the store is closed, in milliseconds.
const CLOSE_TIMEOUT_MS: u64 = 2000;

/// A store in a schema of a PostgreSQL database.
pub struct PostgresqlBackend {
    server: Server,
    /// `None` once it is closed.
    writer: Mutex<Option<Writer>>,
    pool: PgPool,
    moments: Moments<Moment>,
    is_power_loss_safe: bool,
    driver: Arc<Driver>,
}

impl PostgresqlBackend {
    /// Opens the store that `settings` name. Its schema and tables are made if there are none.
    ///
    /// # Errors
    ///
    /// The settings are wrong; the server cannot be reached, or refuses the log-in; another process
    /// has the store open; the schema holds something else, or a store of another format.
    pub fn open(settings: &PostgresqlSettings) -> Result<Self, OpenError> {
        let server = Server::new(settings)?;
        let driver = Driver::start().map_err(|source| OpenError::Engine {
            place: server.place(),
            source: source.into(),
        })?;
        let writer = driver.wait(Writer::open(&server))?;
        let pool = driver.wait(async { server.pool() });
        let max_moments = ((settings.max_connections - 1) / 2) as usize;
        Ok(Self {
            is_power_loss_safe: writer.is_power_loss_safe(),
            writer: Mutex::new(Some(writer)),
            pool,
            moments: Moments::new(NAME, max_moments),
            server,
            driver: Arc::new(driver),
        })
    }

    fn answer_timeout_ms(&self) -> u64 {
        // The server stops a statement by itself first; this is for a server that is silent.
        self.server.settings().answer_timeout_ms.saturating_mul(2)
    }

    /// Lends a session that reads, a second one if the first turns out to be dead.
    fn read<T>(
        &self,
        action: &'static str,
        read: impl AsyncFn(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, BackendError> {
        let attempt = async || {
            let mut connection = self.pool.acquire().await?;
            within(self.answer_timeout_ms(), read(&mut connection)).await
        };
        let outcome = self.driver.wait(async {
            match attempt().await {
                Err(error) if is_connection_lost(&error) => attempt().await,
                outcome => outcome,
            }
        });
        outcome.map_err(|error| failure(action, error))
    }

    fn write<T>(
        &self,
        write: impl AsyncFnOnce(&mut Writer, &Server) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        // A panic in a write ends the store above; the transaction that it left open is rolled back.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = writer
            .as_mut()
            .expect("only dropping the backend closes its writer");
        self.driver.wait(write(writer, &self.server))
    }
}

impl Drop for PostgresqlBackend {
    fn drop(&mut self) {
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let close = async {
            if let Some(writer) = writer {
                writer.close().await?;
            }
            self.pool.close().await;
            Ok::<(), sqlx::Error>(())
        };
        let timeout = Duration::from_millis(CLOSE_TIMEOUT_MS);
        let outcome = self
            .driver
            .wait(async { tokio::time::timeout(timeout, close).await });
        if !matches!(outcome, Ok(Ok(()))) {
            tracing::debug!("the sessions with the database were cut, not closed");
        }
    }
}

fn failure(action: &'static str, error: sqlx::Error) -> BackendError {
    let kind = match &error {
        // data_corrupted, index_corrupted
        sqlx::Error::Database(error) if matches!(error.code().as_deref(), Some("XX001" | "XX002")) => {
            ErrorKind::Corrupt
        }
        _ => ErrorKind::Io,
    };
    BackendError::new(NAME, kind, action, error)
}

async fn get(
    connection: &mut PgConnection,
    table: Table,
    key: &[u8],
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT value FROM {table} WHERE key = $1")))
        .bind(key)
        .fetch_optional(connection)
        .await
}

async fn scan(
    connection: &mut PgConnection,
    table: Table,
    range: &ScanRange,
    limit: usize,
) -> Result<Page, sqlx::Error> {
    if range.is_empty() {
        return Ok(Page::default());
    }
    let (condition, keys) = scan_condition(range, '$');
    let limit_at = keys.len() + 1;
    let order = match range.direction() {
        Direction::Forward => "ORDER BY key",
        Direction::Reverse => "ORDER BY key DESC",
    };
    // The server sends no more than a page's bytes and the entry that exceeds them; it knows the
    // length of a value without reading it.
    let sql = format!(
        "SELECT key, value FROM (\
             SELECT key, value, length(key)::bigint + length(value) AS bytes, \
                    sum(length(key)::bigint + length(value)) OVER ({order} ROWS UNBOUNDED PRECEDING) AS up_to \
             FROM (SELECT key, value FROM {table}{condition} LIMIT ${limit_at}) AS page\
         ) AS measured WHERE up_to - bytes <= {MAX_PAGE_BYTES} {order}"
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for key in keys {
        query = query.bind(key);
    }
    let rows = query.bind(rows_of_page(limit)).fetch_all(connection).await?;
    let entry = |row: PgRow| Ok::<Entry, sqlx::Error>((row.try_get(0)?, row.try_get(1)?));
    Page::collect(limit, rows.into_iter().map(entry))
}

impl View for PostgresqlBackend {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.read("read a key", async |connection| get(connection, table, key).await)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.read("scan a table", async |connection| {
            scan(connection, table, range, limit).await
        })
    }
}

/// A snapshot: a session inside a transaction of which the view is fixed.
struct Moment {
    /// `None` once it is given back.
    transaction: Mutex<Option<Transaction<'static, Postgres>>>,
    answer_timeout_ms: u64,
    driver: Arc<Driver>,
}

impl Moment {
    fn lock(&self) -> MutexGuard<'_, Option<Transaction<'static, Postgres>>> {
        // Only reads run under this lock, and a connection in the middle of one is not used again.
        self.transaction.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        action: &'static str,
        read: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, BackendError> {
        let mut transaction = self.lock();
        let transaction = transaction.as_mut().expect("only dropping a moment ends it");
        self.driver
            .wait(within(self.answer_timeout_ms, read(transaction)))
            .map_err(|error| failure(action, error))
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        // Rolling back and giving the session back need the driver.
        let _entered = self.driver.enter();
        drop(self.lock().take());
    }
}

impl View for Moment {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.read("read a key", async |connection| get(connection, table, key).await)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.read("scan a table", async |connection| {
            scan(connection, table, range, limit).await
        })
    }
}

impl PostgresqlBackend {
    fn begin(&self) -> Result<Moment, BackendError> {
        let begin = async {
            let mut transaction = self
                .pool
                .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .await?;
            // The view is fixed by the first statement.
            sqlx::query("SELECT 1").execute(&mut *transaction).await?;
            Ok(transaction)
        };
        let transaction = self
            .driver
            .wait(within(self.answer_timeout_ms(), begin))
            .map_err(|error| failure("take a snapshot", error))?;
        Ok(Moment {
            transaction: Mutex::new(Some(transaction)),
            answer_timeout_ms: self.answer_timeout_ms(),
            driver: Arc::clone(&self.driver),
        })
    }
}

impl Backend for PostgresqlBackend {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        Ok(Box::new(self.moments.now(|| self.begin())?))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        if batch.is_empty() {
            return match durability {
                Durability::Buffered => Ok(()),
                Durability::Sync => self.persist(),
            };
        }
        let _change = self.moments.change();
        self.write(async |writer, server| writer.commit(server, batch, durability).await)
    }

    fn persist(&self) -> Result<(), BackendError> {
        self.write(async |writer, server| writer.persist(server).await)
    }

    fn caps(&self) -> Caps {
        Caps {
            name: NAME,
            power_loss_safe: self.is_power_loss_safe,
            native_snapshot: true,
            persistent: true,
        }
    }

    fn size_bytes(&self) -> Result<u64, BackendError> {
        let bytes: i64 = self.read("measure its tables", async |connection| {
            sqlx::query_scalar(
                "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class \
                 WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
            )
            .fetch_one(connection)
            .await
        })?;
        Ok(u64::try_from(bytes).unwrap_or_default())
    }

    fn maintain(&self) -> Result<(), BackendError> {
        // The server vacuums by itself.
        Ok(())
    }
}
