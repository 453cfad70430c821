//! The one connection that writes. It holds the store's lock, so whoever else writes must have taken
//! the lock after this connection was lost; then the number of commits tells.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use super::NAME;
use super::server::{Server, is_connection_lost, within};
use crate::batch::{Batch, Durability};
use crate::error::{BackendError, ErrorKind, OpenError};
use crate::location::Absent;
use crate::table::Table;

/// How long another session may hold the lock before the store counts as in use, in milliseconds: a
/// process that was just killed leaves one that the server is about to end.
const LOCK_TIMEOUT_MS: u64 = 2000;
const LOCK_RETRY_MS: u64 = 50;
/// How long a commit waits for a server that went away, in milliseconds.
const RECONNECT_TIMEOUT_MS: u64 = 30_000;
const RECONNECT_PAUSE_MS: u64 = 250;
/// Rows and bytes that go to the server in one statement.
const CHUNK_ROWS: usize = 4096;
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// The compiler cannot see that these futures may go to another thread unless they are boxed (it
/// loses track of the lifetimes in them, rust-lang/rust#110338).
type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

pub(super) struct Writer {
    /// `None` once it is lost and no other could be had.
    connection: Option<PgConnection>,
    /// Number of commits that this process knows to have happened.
    commits: i64,
    /// Whether there may be commits that the server has not synced.
    has_buffered: bool,
    is_power_loss_safe: bool,
}

/// Why a commit did not happen, or may not have.
enum Failure {
    Sql(sqlx::Error),
    /// The store is not as this process left it.
    Other(String),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Failure {
    fn into_backend_error(self) -> BackendError {
        match self {
            Self::Sql(error) => super::failure("commit a batch", error),
            Self::Other(reason) => BackendError::new(NAME, ErrorKind::Io, "commit a batch", reason),
        }
    }
}

fn given_up() -> Failure {
    Failure::Other("the connection was lost earlier".to_owned())
}

/// What was being done when a connection was lost.
#[derive(Clone, Copy)]
enum UnderWay {
    Nothing,
    Commit,
}

/// The number of the advisory lock of a schema; PostgreSQL keeps those numbers per database.
fn lock_number(schema: &str) -> i64 {
    let digest = Sha256::digest(format!("icn-store/{schema}"));
    let first = digest.first_chunk().expect("a digest has 32 bytes");
    i64::from_be_bytes(*first)
}

async fn lock(server: &Server, connection: &mut PgConnection) -> Result<(), OpenError> {
    let number = lock_number(&server.settings().schema);
    for _ in 0..=LOCK_TIMEOUT_MS / LOCK_RETRY_MS {
        let is_ours = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(number)
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| server.open_error(error))?;
        if is_ours {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(LOCK_RETRY_MS)).await;
    }
    Err(OpenError::Locked {
        place: server.place(),
    })
}

impl Writer {
    /// Connects, locks the store and brings its tables up to date.
    pub(super) async fn open(server: &Server, absent: Absent) -> Result<Self, OpenError> {
        let mut connection = server.connect().await?;
        lock(server, &mut connection).await?;
        let is_power_loss_safe = server.is_power_loss_safe(&mut connection).await?;
        server.migrate(&mut connection, absent).await?;
        let commits = sqlx::query_scalar("SELECT commits FROM icn_store")
            .fetch_one(&mut connection)
            .await
            .map_err(|error| server.open_error(error))?;
        Ok(Self {
            connection: Some(connection),
            commits,
            // A process that was killed may have left some.
            has_buffered: true,
            is_power_loss_safe,
        })
    }

    pub(super) fn is_power_loss_safe(&self) -> bool {
        self.is_power_loss_safe
    }

    /// Ends the session, and with it the lock.
    pub(super) async fn close(self) -> Result<(), sqlx::Error> {
        match self.connection {
            Some(connection) => connection.close().await,
            None => Ok(()),
        }
    }

    /// Commits the batch; an empty one makes earlier commits durable. If the connection is lost, it
    /// makes a new one and finds out whether the commit happened.
    pub(super) fn commit<'a>(
        &'a mut self,
        server: &'a Server,
        batch: &'a Batch,
        durability: Durability,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        Box::pin(self.commit_unboxed(server, batch, durability))
    }

    async fn commit_unboxed(
        &mut self,
        server: &Server,
        batch: &Batch,
        durability: Durability,
    ) -> Result<(), BackendError> {
        if batch.is_empty() && !self.has_buffered {
            return Ok(());
        }
        loop {
            match self.transaction(server, batch, durability).await {
                Ok(()) => break,
                Err(Failure::Sql(error)) if is_connection_lost(&error) => {
                    if self.recover(server, &error, UnderWay::Commit).await? {
                        break;
                    }
                }
                Err(failure) => return Err(failure.into_backend_error()),
            }
        }
        self.has_buffered = durability == Durability::Buffered;
        Ok(())
    }

    /// Sees to it that the connection lives; firewalls forget connections that are silent.
    pub(super) fn keep_alive<'a>(
        &'a mut self,
        server: &'a Server,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        Box::pin(async {
            let timeout_ms = server.silence_timeout_ms();
            let ping = match &mut self.connection {
                Some(connection) => within(timeout_ms, connection.ping()).await,
                None => return Err(given_up().into_backend_error()),
            };
            match ping {
                Err(error) if is_connection_lost(&error) => {
                    self.recover(server, &error, UnderWay::Nothing).await.map(drop)
                }
                outcome => outcome.map_err(|error| Failure::Sql(error).into_backend_error()),
            }
        })
    }

    /// Connects anew after `lost`; whether what was under way has happened.
    async fn recover(
        &mut self,
        server: &Server,
        lost: &sqlx::Error,
        under_way: UnderWay,
    ) -> Result<bool, BackendError> {
        tracing::warn!(place = server.place(), error = %lost, "lost the connection to the database");
        // If only an answer was late, the session is still there, and holds the lock until it is cut.
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close_hard().await
        {
            tracing::debug!(%error, "the lost connection was not closed");
        }
        let known = self.commits;
        *self = Self::reopen(server).await?;
        match (under_way, self.commits - known) {
            (_, 0) => Ok(false),
            (UnderWay::Commit, 1) => Ok(true),
            _ => {
                let found = self.commits;
                let failure = Failure::Other(format!(
                    "the server came back with {found} commits, {known} were made: it lost some, or another process wrote"
                ));
                Err(failure.into_backend_error())
            }
        }
    }

    async fn reopen(server: &Server) -> Result<Self, BackendError> {
        let mut waited_ms = 0;
        loop {
            match Self::open(server, Absent::Refuse).await {
                Ok(writer) => return Ok(writer),
                // Our own lost session may hold the lock until the server notices.
                Err(OpenError::Unreachable { .. } | OpenError::Locked { .. })
                    if waited_ms < RECONNECT_TIMEOUT_MS => {}
                Err(error) => {
                    return Err(BackendError::new(
                        NAME,
                        ErrorKind::Io,
                        "find the server again",
                        error,
                    ));
                }
            }
            tokio::time::sleep(Duration::from_millis(RECONNECT_PAUSE_MS)).await;
            waited_ms += RECONNECT_PAUSE_MS;
        }
    }

    async fn transaction(
        &mut self,
        server: &Server,
        batch: &Batch,
        durability: Durability,
    ) -> Result<(), Failure> {
        let timeout_ms = server.silence_timeout_ms();
        let connection = self.connection.as_mut().ok_or_else(given_up)?;
        let mut transaction = within(timeout_ms, connection.begin()).await?;
        if durability == Durability::Buffered {
            let asynchronous = sqlx::query("SET LOCAL synchronous_commit TO off");
            within(timeout_ms, asynchronous.execute(&mut *transaction)).await?;
        }
        let mut ops = batch.ops().peekable();
        while let Some((table, ..)) = ops.peek().copied() {
            let mut chunk = Chunk::default();
            while chunk.has_room()
                && let Some((_, key, value)) = ops.next_if(|(of, ..)| *of == table)
            {
                chunk.add(key, value);
            }
            within(timeout_ms, chunk.write(&mut transaction, table)).await?;
        }
        let counted = sqlx::query("UPDATE icn_store SET commits = $1 + 1 WHERE commits = $1")
            .bind(self.commits)
            .execute(&mut *transaction);
        if within(timeout_ms, counted).await?.rows_affected() != 1 {
            let known = self.commits;
            return Err(Failure::Other(format!(
                "the store no longer has the {known} commits that were made: another process wrote"
            )));
        }
        within(timeout_ms, transaction.commit()).await?;
        self.commits += 1;
        Ok(())
    }
}

/// Writes to one table.
#[derive(Default)]
struct Chunk<'a> {
    put_keys: Vec<&'a [u8]>,
    put_values: Vec<&'a [u8]>,
    delete_keys: Vec<&'a [u8]>,
    bytes: usize,
}

impl<'a> Chunk<'a> {
    fn has_room(&self) -> bool {
        self.bytes < CHUNK_BYTES && self.put_keys.len() + self.delete_keys.len() < CHUNK_ROWS
    }

    fn add(&mut self, key: &'a [u8], value: Option<&'a [u8]>) {
        self.bytes += key.len() + value.map_or(0, <[u8]>::len);
        match value {
            Some(value) => {
                self.put_keys.push(key);
                self.put_values.push(value);
            }
            None => self.delete_keys.push(key),
        }
    }

    async fn write(self, connection: &mut PgConnection, table: Table) -> Result<(), sqlx::Error> {
        if !self.put_keys.is_empty() {
            let sql = format!(
                "INSERT INTO {table} (key, value) SELECT * FROM unnest($1::bytea[], $2::bytea[]) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            );
            sqlx::query(AssertSqlSafe(sql))
                .bind(self.put_keys)
                .bind(self.put_values)
                .execute(&mut *connection)
                .await?;
        }
        if !self.delete_keys.is_empty() {
            sqlx::query(AssertSqlSafe(format!("DELETE FROM {table} WHERE key = ANY ($1)")))
                .bind(self.delete_keys)
                .execute(connection)
                .await?;
        }
        Ok(())
    }
}
