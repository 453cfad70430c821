//! What has become of whom, and how often it was heard.
use super::{Store, StoreError, column, named, number, pulse::minutes_of, time, unsigned};
use crate::{
    catalog::MINUTES,
    liveness::{Cause, Status},
};
use icn_model::Time;
use sqlx::any::AnyRow;
use std::collections::BTreeMap;

/// A change, as it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its number; those of later changes are higher.
    pub(crate) id: i64,
    /// Whose.
    pub(crate) project: i64,
    /// What it was called then.
    pub(crate) slug: String,
    /// When.
    pub(crate) at: Time,
    /// What it was before; none for one that was registered.
    pub(crate) was: Option<Status>,
    /// What it is; none for one that was removed.
    pub(crate) status: Option<Status>,
    /// Why.
    pub(crate) cause: Cause,
}

/// Heartbeats by minute: minutes since 1970, and how many.
pub(crate) type Hours = BTreeMap<u64, u64>;

impl Store {
    /// The news after an id, the oldest first.
    pub(crate) async fn news_after(&self, id: i64, limit: i64) -> Result<Vec<Item>, StoreError> {
        let rows = sqlx::query("SELECT * FROM news WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(id)
            .bind(limit)
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(item).collect()
    }

    /// The news of a project since a moment, and the last one before it, the oldest first.
    pub(crate) async fn news_of(
        &self,
        project: i64,
        since: Time,
        limit: i64,
    ) -> Result<Vec<Item>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM (SELECT * FROM news WHERE project = $1 AND at >= \
                 coalesce((SELECT max(at) FROM news WHERE project = $1 AND at < $2), 0) \
                 ORDER BY id DESC LIMIT $3) AS last ORDER BY id",
        )
        .bind(project)
        .bind(number(since.get()))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(item).collect()
    }

    /// The news of all projects since a moment, and of each the last one before it, the oldest first.
    pub(crate) async fn news_since(&self, since: Time, limit: i64) -> Result<Vec<Item>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM (SELECT * FROM news WHERE at >= $1 \
                 OR id IN (SELECT max(id) FROM news WHERE at < $1 GROUP BY project) \
                 ORDER BY id DESC LIMIT $2) AS last ORDER BY id",
        )
        .bind(number(since.get()))
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(item).collect()
    }

    /// The oldest and the newest id of the news.
    pub(crate) async fn news_range(&self) -> Result<(i64, i64), StoreError> {
        let row = sqlx::query("SELECT coalesce(min(id), 0) AS first, coalesce(max(id), 0) AS last FROM news")
            .fetch_one(&self.pool)
            .await?;
        Ok((column(&row, "first")?, column(&row, "last")?))
    }

    /// How often a project was heard in each minute since a moment.
    pub(crate) async fn minutes_of(&self, project: i64, since: Time) -> Result<Hours, StoreError> {
        let first = since.get() / 60_000;
        let mut counts = Hours::new();
        let rows = sqlx::query("SELECT hour, minutes FROM hours WHERE project = $1 AND hour >= $2")
            .bind(project)
            .bind(number(first / MINUTES as u64))
            .fetch_all(&self.pool)
            .await?;
        for row in &rows {
            let hour = unsigned(column(row, "hour")?);
            let minutes = minutes_of(&column::<String>(row, "minutes")?)?;
            for (place, count) in minutes.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                let minute = hour * MINUTES as u64 + place as u64;
                *counts.entry(minute).or_default() += u64::from(count);
            }
        }
        let open = sqlx::query("SELECT minute, beats FROM beats WHERE project = $1 AND beats > 0")
            .bind(project)
            .fetch_all(&self.pool)
            .await?;
        for row in &open {
            *counts.entry(unsigned(column(row, "minute")?)).or_default() += unsigned(column(row, "beats")?);
        }
        counts.retain(|minute, _| *minute >= first);
        Ok(counts)
    }

    /// Up to where news have been told over NATS.
    pub(crate) async fn told(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT told FROM meta")
            .fetch_one(&self.pool)
            .await?)
    }

    /// News up to `id` have been told.
    pub(crate) async fn set_told(&self, id: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE meta SET told = $1 WHERE told < $1")
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn item(row: &AnyRow) -> Result<Item, StoreError> {
    let status = |text: Option<String>| text.map(|text| named(&text)).transpose();
    Ok(Item {
        id: column(row, "id")?,
        project: column(row, "project")?,
        slug: column(row, "slug")?,
        at: time(column(row, "at")?),
        was: status(column(row, "was")?)?,
        status: status(column(row, "status")?)?,
        cause: named(&column::<String>(row, "cause")?)?,
    })
}
