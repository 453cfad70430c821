//! Keys: hashes of their secrets, and what they are good for.
use super::{Store, StoreError, catalog::next_revision, column, number, time};
use icn_model::Time;
use sqlx::any::AnyRow;

/// A key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredKey {
    /// What it is called.
    pub(crate) name: String,
    /// What it is good for.
    pub(crate) scope: String,
    /// The one project that it is for.
    pub(crate) slug: Option<String>,
    /// SHA-256 of its secret.
    pub(crate) hash: String,
    /// The same of the secret before.
    pub(crate) former: Option<String>,
    /// Until when that counts.
    pub(crate) former_until: Option<Time>,
    /// When it was made.
    pub(crate) created: Time,
    /// By whom.
    pub(crate) created_by: String,
    /// Until when it counts.
    pub(crate) expires: Option<Time>,
}

impl Store {
    /// Every key, by name.
    pub(crate) async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let rows = sqlx::query("SELECT * FROM keys ORDER BY name")
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(key).collect()
    }

    /// Adds a key; false if there is one of that name.
    pub(crate) async fn add_key(&self, key: &StoredKey) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        next_revision(&mut transaction).await?;
        let added = sqlx::query(
            "INSERT INTO keys (name, scope, slug, hash, created, created_by, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&key.name)
        .bind(&key.scope)
        .bind(key.slug.as_deref())
        .bind(&key.hash)
        .bind(number(key.created.get()))
        .bind(&key.created_by)
        .bind(key.expires.map(|expires| number(expires.get())))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(added.rows_affected() > 0)
    }

    /// Gives a key another secret; the present one counts until `former_until`. False if there is none.
    pub(crate) async fn rotate_key(
        &self,
        name: &str,
        hash: &str,
        former_until: Time,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        next_revision(&mut transaction).await?;
        let rotated =
            sqlx::query("UPDATE keys SET former = hash, former_until = $1, hash = $2 WHERE name = $3")
                .bind(number(former_until.get()))
                .bind(hash)
                .bind(name)
                .execute(&mut *transaction)
                .await?;
        transaction.commit().await?;
        Ok(rotated.rows_affected() > 0)
    }

    /// Takes a key away; false if there is none.
    pub(crate) async fn revoke_key(&self, name: &str) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        next_revision(&mut transaction).await?;
        let revoked = sqlx::query("DELETE FROM keys WHERE name = $1")
            .bind(name)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(revoked.rows_affected() > 0)
    }
}

fn key(row: &AnyRow) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        name: column(row, "name")?,
        scope: column(row, "scope")?,
        slug: column(row, "slug")?,
        hash: column(row, "hash")?,
        former: column(row, "former")?,
        former_until: column::<Option<i64>>(row, "former_until")?.map(time),
        created: time(column(row, "created")?),
        created_by: column(row, "created_by")?,
        expires: column::<Option<i64>>(row, "expires")?.map(time),
    })
}
