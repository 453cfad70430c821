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
//! The driver is asynchronous and runs on a thread of its own; see [`driver`].

mod driver;
mod question;
mod server;
mod writer;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};
use tokio::sync::Mutex as AsyncMutex;

use self::driver::Driver;
use self::question::{Get, Question, Scan, Size};
use self::server::{Server, TRUSTED_IDLE_MS, is_connection_lost, within};
use self::writer::Writer;
use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::error::{BackendError, ErrorKind, OpenError};
use crate::kind::BackendKind;
use crate::location::Absent;
use crate::location::PostgresqlSettings;
use crate::moments::Moments;
use crate::scan::{Page, ScanRange};
use crate::table::Table;

const NAME: &str = BackendKind::Postgresql.name();
/// How long the server may take to end our sessions when the store is closed, in milliseconds.
const CLOSE_TIMEOUT_MS: u64 = 2000;

/// A store in a schema of a PostgreSQL database.
pub struct PostgresqlBackend {
    server: Arc<Server>,
    /// `None` while it is at work, and after a panic there.
    writer: Mutex<Option<Writer>>,
    pool: PgPool,
    spare: Arc<Spare>,
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
        Self::open_or(settings, Absent::Make)
    }

    pub(crate) fn open_or(settings: &PostgresqlSettings, absent: Absent) -> Result<Self, OpenError> {
        let server = Arc::new(Server::new(settings)?);
        let driver = Driver::start().map_err(|source| OpenError::engine(server.place(), source))?;
        let shared = Arc::clone(&server);
        let (writer, pool) = driver.run(async move {
            let writer = Writer::open(&shared, absent).await?;
            Ok::<_, OpenError>((writer, shared.pool()))
        })?;
        let max_moments = ((settings.max_connections - 1) / 2) as usize;
        Ok(Self {
            is_power_loss_safe: writer.is_power_loss_safe(),
            writer: Mutex::new(Some(writer)),
            pool,
            spare: Arc::default(),
            moments: Moments::new(NAME, max_moments),
            server,
            driver: Arc::new(driver),
        })
    }

    /// Lends the session that writes to `work`, which gives it back.
    fn write<F>(&self, work: impl FnOnce(Writer, Arc<Server>) -> F) -> Result<(), BackendError>
    where
        F: Future<Output = (Writer, Result<(), BackendError>)> + Send + 'static,
    {
        let mut place = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = place.take().ok_or_else(|| {
            BackendError::new(
                NAME,
                ErrorKind::Io,
                "commit a batch",
                "an earlier commit panicked",
            )
        })?;
        let (writer, outcome) = self.driver.run(work(writer, Arc::clone(&self.server)));
        *place = Some(writer);
        outcome
    }

    fn write_batch(&self, batch: Batch, durability: Durability) -> Result<(), BackendError> {
        self.write(|mut writer, server| async move {
            let outcome = writer.commit(&server, &batch, durability).await;
            (writer, outcome)
        })
    }
}

impl Drop for PostgresqlBackend {
    fn drop(&mut self) {
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (pool, spare) = (self.pool.clone(), Arc::clone(&self.spare));
        let close = async move {
            drop(spare.take());
            if let Some(writer) = writer {
                writer.close().await?;
            }
            pool.close().await;
            Ok::<(), sqlx::Error>(())
        };
        if let Err(error) = self.driver.run(within(CLOSE_TIMEOUT_MS, close)) {
            tracing::debug!(%error, "the sessions with the database were cut, not closed");
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

/// A view as sessions see it: each question is asked in one that is free, or in the snapshot's own.
trait Sessions: Send + Sync {
    fn read<Q: Question>(&self, question: Q) -> Result<Q::Answer, BackendError>;
}

impl<S: Sessions> View for S {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        let key = key.to_vec();
        self.read(Get { table, key })
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        if range.is_empty() {
            return Ok(Page::default());
        }
        let range = range.clone();
        self.read(Scan { table, range, limit })
    }
}

impl Sessions for PostgresqlBackend {
    /// Asks in a session of the pool; in others if it turns out to be dead, as all are after a restart
    /// of the server.
    fn read<Q: Question>(&self, question: Q) -> Result<Q::Answer, BackendError> {
        let (pool, spare) = (self.pool.clone(), Arc::clone(&self.spare));
        let attempts = self.server.settings().max_connections;
        let timeout_ms = self.server.silence_timeout_ms();
        let outcome = self.driver.run(async move {
            let mut outcome = ask(&pool, &spare, &question, timeout_ms).await;
            for _ in 1..attempts {
                if !outcome.as_ref().is_err_and(is_connection_lost) {
                    break;
                }
                outcome = ask(&pool, &spare, &question, timeout_ms).await;
            }
            outcome
        });
        outcome.map_err(|error| failure(Q::ACTION, error))
    }
}

/// The session of the last read, with the time when it ended. Giving it back to the pool costs a round
/// trip, which whoever reads one key after the other is spared.
#[derive(Default)]
struct Spare(Mutex<Option<(PoolConnection<Postgres>, Instant)>>);

impl Spare {
    fn lock(&self) -> MutexGuard<'_, Option<(PoolConnection<Postgres>, Instant)>> {
        // A session is only put in and taken out under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session, if it was used just now; else it goes to the pool, which looks after it.
    fn take(&self) -> Option<PoolConnection<Postgres>> {
        let (connection, since) = self.lock().take()?;
        (since.elapsed().as_millis() <= TRUSTED_IDLE_MS).then_some(connection)
    }

    fn put(&self, connection: PoolConnection<Postgres>) {
        let replaced = self.lock().replace((connection, Instant::now()));
        drop(replaced);
    }
}

async fn ask<Q: Question>(
    pool: &PgPool,
    spare: &Spare,
    question: &Q,
    timeout_ms: u64,
) -> Result<Q::Answer, sqlx::Error> {
    let kept = spare.take();
    let mut connection = match kept {
        Some(connection) => connection,
        None => pool.acquire().await?,
    };
    let answer = within(timeout_ms, question.ask(&mut connection)).await?;
    spare.put(connection);
    Ok(answer)
}

/// A snapshot: a session inside a transaction of which the view is fixed.
struct Moment {
    /// `None` once it is given back.
    transaction: Option<Arc<AsyncMutex<Transaction<'static, Postgres>>>>,
    timeout_ms: u64,
    driver: Arc<Driver>,
}

impl Sessions for Moment {
    fn read<Q: Question>(&self, question: Q) -> Result<Q::Answer, BackendError> {
        let transaction = self.transaction.clone().expect("only dropping a moment ends it");
        let timeout_ms = self.timeout_ms;
        let outcome = self.driver.run(async move {
            let mut transaction = transaction.lock().await;
            within(timeout_ms, question.ask(&mut transaction)).await
        });
        outcome.map_err(|error| failure(Q::ACTION, error))
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        // Rolling back and giving the session back need the driver.
        let _entered = self.driver.enter();
        drop(self.transaction.take());
    }
}

impl PostgresqlBackend {
    fn begin(&self) -> Result<Moment, BackendError> {
        let timeout_ms = self.server.silence_timeout_ms();
        let pool = self.pool.clone();
        let begin = async move {
            let mut transaction = pool
                .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .await?;
            // The view is fixed by the first statement.
            sqlx::query("SELECT 1").execute(&mut *transaction).await?;
            Ok(transaction)
        };
        let transaction = self
            .driver
            .run(within(timeout_ms, begin))
            .map_err(|error| failure("take a snapshot", error))?;
        Ok(Moment {
            transaction: Some(Arc::new(AsyncMutex::new(transaction))),
            timeout_ms,
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
        self.write_batch(batch.clone(), durability)
    }

    fn persist(&self) -> Result<(), BackendError> {
        self.write_batch(Batch::new(), Durability::Sync)
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
        Ok(u64::try_from(self.read(Size)?).unwrap_or_default())
    }

    fn maintain(&self) -> Result<(), BackendError> {
        // The server vacuums by itself.
        self.write(|mut writer, server| async move {
            let outcome = writer.keep_alive(&server).await;
            (writer, outcome)
        })
    }
}
