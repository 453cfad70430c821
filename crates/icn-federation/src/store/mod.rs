//! The database: SQLite in a file of the service's own, or PostgreSQL, which several replicas share.
//!
//! One dialect for both, but for clocks and for many rows at once ([`bulk`]). Everything that changes the catalog or a
//! standing first bumps `meta.revision`, so such transactions follow each other, and news have ids in the order in
//! which they were committed: whoever has read up to an id has missed nothing.
mod bulk;
mod catalog;
mod keys;
mod news;
mod pulse;
mod setup;
mod share;
mod webhooks;

pub(crate) use catalog::{Edit, Edited};
pub(crate) use keys::StoredKey;
pub(crate) use news::Item;
pub(crate) use pulse::{Batch, Beat, Change};
pub(crate) use setup::Place;
pub(crate) use share::{Marks, Role};
pub(crate) use webhooks::Webhook;

use icn_model::Time;
use sqlx::{AnyPool, any::AnyRow};

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// To a server, which several replicas may share.
    Postgresql,
    /// To a file, which is one service's own.
    Sqlite,
}

/// What the database says or does not say.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or refuses.
    #[error("{0}")]
    Database(#[from] sqlx::Error),
    /// Its tables cannot be brought to this version.
    #[error("{0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// It holds what no version of this program has written.
    #[error("the database holds {0}, which no version of this program has written")]
    Strange(String),
}

/// A database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    dialect: Dialect,
    /// Names this run of this replica.
    replica: i64,
}

impl Store {
    /// Whether other replicas may share it.
    pub fn is_shared(&self) -> bool {
        self.dialect == Dialect::Postgresql
    }

    /// The name of this replica.
    pub const fn replica(&self) -> i64 {
        self.replica
    }

    /// The clock of a database that is shared.
    ///
    /// # Errors
    /// The database's.
    pub async fn clock(&self) -> Result<Option<Time>, StoreError> {
        if !self.is_shared() {
            return Ok(None);
        }
        let clock = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let now: i64 = sqlx::query_scalar(clock).fetch_one(&self.pool).await?;
        Ok(Some(time(now)))
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// As in the database, which has no unsigned integers.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> Time {
    Time::new(u64::try_from(millis).unwrap_or(0))
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A column of a row.
fn column<'r, T>(row: &'r AnyRow, name: &str) -> Result<T, StoreError>
where
    T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
{
    Ok(sqlx::Row::try_get(row, name)?)
}

/// A text of the database that names one of few things.
fn named<T: std::str::FromStr>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Strange(format!("{text:?}")))
}
