//! Webhooks: who wants to be called, and how far each has been told.
use super::{Store, StoreError, catalog::next_revision, column, number, time};
use icn_model::Time;
use sqlx::any::AnyRow;

/// Somebody who is called when a project's standing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Webhook {
    /// Its number.
    pub(crate) id: i64,
    /// Where.
    pub(crate) url: String,
    /// What calls are signed with.
    pub(crate) secret: String,
    /// Since when.
    pub(crate) created: Time,
    /// News up to here have been delivered, or given up.
    pub(crate) told: i64,
    /// How many were given up.
    pub(crate) failures: i64,
    /// Why the last call failed; none if it did not.
    pub(crate) failed: Option<String>,
}

impl Store {
    /// Every webhook.
    pub(crate) async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        let rows = sqlx::query("SELECT * FROM webhooks ORDER BY id")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(webhook).collect()
    }

    /// Adds one, which is told what happens from now on.
    pub(crate) async fn add_webhook(&self, url: &str, secret: &str, at: Time) -> Result<i64, StoreError> {
        let mut transaction = self.pool.begin().await?;
        next_revision(&mut transaction).await?;
        let id = sqlx::query_scalar(
            "INSERT INTO webhooks (url, secret, created, told, failures) \
             VALUES ($1, $2, $3, (SELECT coalesce(max(id), 0) FROM news), 0) RETURNING id",
        )
        .bind(url)
        .bind(secret)
        .bind(number(at.get()))
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Takes one away; false if there is none.
    pub(crate) async fn remove_webhook(&self, id: i64) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        next_revision(&mut transaction).await?;
        let removed = sqlx::query("DELETE FROM webhooks WHERE id = $1")
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(removed.rows_affected() > 0)
    }

    /// One has been told up to `told`; or the call failed, and `gave_up` says whether that is the end of it.
    pub(crate) async fn mark_webhook(
        &self,
        id: i64,
        told: i64,
        failed: Option<&str>,
        gave_up: bool,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE webhooks SET told = $1, failed = $2, failures = failures + $3 WHERE id = $4")
            .bind(told)
            .bind(failed)
            .bind(i64::from(gave_up))
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

fn webhook(row: &AnyRow) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        id: column(row, "id")?,
        url: column(row, "url")?,
        secret: column(row, "secret")?,
        created: time(column(row, "created")?),
        told: column(row, "told")?,
        failures: column(row, "failures")?,
        failed: column(row, "failed")?,
    })
}
