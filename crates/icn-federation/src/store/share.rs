//! How replicas share a database: who is there, and which of them judges.
use super::{Store, StoreError, column, number};
use icn_model::{Millis, Time};
use sqlx::{Any, Transaction};

/// What a replica is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// It judges.
    Keeper {
        /// Since just now: what it knows of standings is to be read anew.
        is_new: bool,
    },
    /// Another one does.
    Follower,
}

/// How far the database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Of the catalog, keys and webhooks.
    pub(crate) revision: i64,
    /// Of the news.
    pub(crate) news: i64,
    /// Replicas beside this one that were there lately.
    pub(crate) others: i64,
}

impl Store {
    /// Renews the lease of whoever holds it; whether this one does.
    pub(super) async fn renew(
        &self,
        transaction: &mut Transaction<'_, Any>,
        now: Time,
        term: Millis,
    ) -> Result<bool, StoreError> {
        let renewed = sqlx::query("UPDATE lease SET until = $1 WHERE holder = $2")
            .bind(number(now.after(term).get()))
            .bind(self.replica)
            .execute(&mut **transaction)
            .await?;
        Ok(renewed.rows_affected() > 0)
    }

    /// Says that this replica is there, and takes the lease if nobody has it.
    pub(crate) async fn sign_in(&self, started: Time, now: Time, term: Millis) -> Result<Role, StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(
            "INSERT INTO replicas (id, started, seen) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET seen = excluded.seen",
        )
        .bind(self.replica)
        .bind(number(started.get()))
        .bind(number(now.get()))
        .execute(&mut *transaction)
        .await?;
        let role = if self.renew(&mut transaction, now, term).await? {
            Role::Keeper { is_new: false }
        } else {
            let taken = sqlx::query("UPDATE lease SET holder = $1, until = $2 WHERE until < $3")
                .bind(self.replica)
                .bind(number(now.after(term).get()))
                .bind(number(now.get()))
                .execute(&mut *transaction)
                .await?;
            match taken.rows_affected() {
                0 => Role::Follower,
                _ => Role::Keeper { is_new: true },
            }
        };
        transaction.commit().await?;
        Ok(role)
    }

    /// Says that this replica leaves: another one may judge at once.
    pub(crate) async fn sign_out(&self) -> Result<(), StoreError> {
        sqlx::query("UPDATE lease SET until = 0 WHERE holder = $1")
            .bind(self.replica)
            .execute(&self.pool)
            .await?;
        sqlx::query("UPDATE replicas SET seen = 0 WHERE id = $1")
            .bind(self.replica)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// How far the database is; `lately` is since when a replica must have been seen to count.
    pub(crate) async fn marks(&self, lately: Time) -> Result<Marks, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT revision FROM meta) AS revision, (SELECT coalesce(max(id), 0) FROM news) AS news, \
                    (SELECT count(*) FROM replicas WHERE id <> $1 AND seen >= $2) AS others",
        )
        .bind(self.replica)
        .bind(number(lately.get()))
        .fetch_one(&self.pool)
        .await?;
        Ok(Marks {
            revision: column(&row, "revision")?,
            news: column(&row, "news")?,
            others: column(&row, "others")?,
        })
    }

    /// Replicas that were not seen since `before` and have left something: of a database that is not shared, all
    /// others.
    pub(crate) async fn gone(&self, before: Time) -> Result<Vec<i64>, StoreError> {
        let gone = "SELECT id FROM replicas WHERE id <> $1 AND seen < $2 \
                    UNION SELECT replica FROM beats \
                     WHERE replica <> $1 AND replica NOT IN (SELECT id FROM replicas WHERE seen >= $2)";
        let before = if self.is_shared() {
            number(before.get())
        } else {
            i64::MAX
        };
        Ok(sqlx::query_scalar(gone)
            .bind(self.replica)
            .bind(before)
            .fetch_all(&self.pool)
            .await?)
    }
}
