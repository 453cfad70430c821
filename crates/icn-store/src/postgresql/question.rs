//! What is asked of the database. A question owns what it needs, since it travels to the driver's
//! thread, and can be asked again in another session.

use std::future::Future;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use crate::scan::{Direction, Entry, MAX_PAGE_BYTES, Page, ScanRange};
use crate::sql::{rows_of_page, scan_condition};
use crate::table::Table;

/// A read.
pub(super) trait Question: Send + Sync + 'static {
    /// What it yields.
    type Answer: Send + 'static;
    /// What it does, for messages.
    const ACTION: &'static str;

    fn ask(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = Result<Self::Answer, sqlx::Error>> + Send;
}

/// The value of a key.
pub(super) struct Get {
    pub(super) table: Table,
    pub(super) key: Vec<u8>,
}

impl Question for Get {
    type Answer = Option<Vec<u8>>;
    const ACTION: &'static str = "read a key";

    async fn ask(&self, connection: &mut PgConnection) -> Result<Self::Answer, sqlx::Error> {
        let sql = format!("SELECT value FROM {} WHERE key = $1", self.table);
        sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(&self.key)
            .fetch_optional(connection)
            .await
    }
}

/// A page of a range that is not empty.
pub(super) struct Scan {
    pub(super) table: Table,
    pub(super) range: ScanRange,
    pub(super) limit: usize,
}

impl Question for Scan {
    type Answer = Page;
    const ACTION: &'static str = "scan a table";

    async fn ask(&self, connection: &mut PgConnection) -> Result<Page, sqlx::Error> {
        let (condition, keys) = scan_condition(&self.range, '$');
        let limit_at = keys.len() + 1;
        let order = match self.range.direction() {
            Direction::Forward => "ORDER BY key",
            Direction::Reverse => "ORDER BY key DESC",
        };
        // The server sends no more than a page's bytes and the entry that exceeds them; it knows the
        // length of a value without reading it.
        let sql = format!(
            "SELECT key, value FROM (\
                 SELECT key, value, length(key)::bigint + length(value) AS bytes, \
                        sum(length(key)::bigint + length(value)) OVER ({order} ROWS UNBOUNDED PRECEDING) AS up_to \
                 FROM (SELECT key, value FROM {}{condition} LIMIT ${limit_at}) AS page\
             ) AS measured WHERE up_to - bytes <= {MAX_PAGE_BYTES} {order}",
            self.table
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for key in keys {
            query = query.bind(key);
        }
        let rows = query.bind(rows_of_page(self.limit)).fetch_all(connection).await?;
        let entry = |row: PgRow| Ok::<Entry, sqlx::Error>((row.try_get(0)?, row.try_get(1)?));
        Page::collect(self.limit, rows.into_iter().map(entry))
    }
}

/// Bytes of the schema's tables with their indexes.
pub(super) struct Size;

impl Question for Size {
    type Answer = i64;
    const ACTION: &'static str = "measure its tables";

    async fn ask(&self, connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class \
             WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
        )
        .fetch_one(connection)
        .await
    }
}
