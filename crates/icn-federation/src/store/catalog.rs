//! Rows of the catalog.
use super::{
    Store, StoreError,
    bulk::{Bulk, Kind},
    column, named, number, time,
};
use crate::{
    catalog::{Draft, Entry, Owner, Record},
    liveness::{Cause, Standing, Status},
};
use icn_api::presence::Slug;
use icn_model::Time;
use sqlx::{Any, AssertSqlSafe, Transaction, any::AnyRow};

/// A change of the catalog.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// There is such an entry from now on.
    Put { entry: Box<Entry>, owner: Owner },
    /// It is not to be watched, or is again.
    Pause { slug: Slug, paused: bool },
    /// It is gone.
    Remove { slug: Slug },
}

/// What came of changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edited {
    /// Entries that were not there before.
    pub(crate) created: u64,
    /// Entries that are another one's, and stay as they are.
    pub(crate) refused: u64,
    /// Who has read the catalog up to here knows.
    pub(crate) revision: i64,
}

const PUT: [Kind; 4] = [Kind::Text, Kind::Text, Kind::Text, Kind::Int];

impl Store {
    /// The rows of the catalog that were changed after a revision, and the revision that they make.
    pub(crate) async fn records_since(&self, revision: i64) -> Result<(Vec<Record>, i64), StoreError> {
        let rows = sqlx::query(
            "SELECT c.id, c.slug, c.entry, c.owner, c.paused, c.created, c.updated, c.removed, c.revision, \
                    s.status, s.cause, s.since \
               FROM catalog c JOIN standing s ON s.project = c.id WHERE c.revision > $1 ORDER BY c.revision, c.id",
        )
        .bind(revision)
        .fetch_all(&self.pool)
        .await?;
        let records = rows.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        let last = records.last().map_or(revision, |record| record.revision);
        Ok((records, last))
    }

    /// Changes the catalog: all of `edits`, or nothing. Who owns an entry is looked at here, where nobody else can change
    /// it meanwhile.
    pub(crate) async fn edit(&self, edits: &[Edit], at: Time) -> Result<Edited, StoreError> {
        let mut transaction = self.pool.begin().await?;
        let revision = next_revision(&mut transaction).await?;
        let mut edited = Edited {
            revision,
            ..Edited::default()
        };
        let mut puts = Bulk::new(&PUT);
        for edit in edits {
            match edit {
                Edit::Put { entry, owner } => puts.push(vec![
                    entry.slug.as_str().into(),
                    json(entry)?.into(),
                    owner.name().into(),
                    number(at.get()).into(),
                ]),
                Edit::Pause { slug, paused } => {
                    sqlx::query(
                        "UPDATE catalog SET paused = $1, updated = $2, revision = $3 \
                          WHERE slug = $4 AND removed IS NULL",
                    )
                    .bind(i64::from(*paused))
                    .bind(number(at.get()))
                    .bind(revision)
                    .bind(slug.as_str())
                    .execute(&mut *transaction)
                    .await?;
                }
                Edit::Remove { slug } => remove(&mut transaction, slug, at, revision).await?,
            }
        }
        if !puts.is_empty() {
            self.put(&mut transaction, &puts, at, revision, &mut edited)
                .await?;
        }
        transaction.commit().await?;
        Ok(edited)
    }

    async fn put(
        &self,
        transaction: &mut Transaction<'_, Any>,
        puts: &Bulk,
        at: Time,
        revision: i64,
        edited: &mut Edited,
    ) -> Result<(), StoreError> {
        // What is there and whose it is: an entry of another owner stays, a tombstone has none.
        let put = format!(
            "INSERT INTO catalog (slug, entry, owner, created, updated, paused, revision) \
             SELECT c1, c2, c3, c4, c4, 0, {revision} FROM ({}) AS w WHERE true \
             ON CONFLICT (slug) DO UPDATE SET \
                 entry = excluded.entry, owner = excluded.owner, updated = excluded.updated, \
                 revision = excluded.revision, removed = NULL, \
                 created = CASE WHEN catalog.removed IS NULL THEN catalog.created ELSE excluded.created END, \
                 paused = CASE WHEN catalog.removed IS NULL THEN catalog.paused ELSE 0 END \
             WHERE catalog.removed IS NOT NULL OR catalog.owner = excluded.owner",
            puts.select(self.dialect)
        );
        let changed = puts
            .bind(self.dialect, sqlx::query(AssertSqlSafe(put)))
            .execute(&mut **transaction)
            .await?
            .rows_affected();
        edited.refused = puts.len().saturating_sub(changed);
        // New ones, and those that were tombstones, begin anew.
        let created = sqlx::query(
            "INSERT INTO standing (project, status, cause, since) \
             SELECT id, $1, $2, created FROM catalog WHERE revision = $3 AND created = $4 AND removed IS NULL \
             ON CONFLICT (project) DO UPDATE SET \
                 status = excluded.status, cause = excluded.cause, since = excluded.since",
        )
        .bind(Status::New.name())
        .bind(Cause::Registered.name())
        .bind(revision)
        .bind(number(at.get()))
        .execute(&mut **transaction)
        .await?
        .rows_affected();
        sqlx::query(
            "INSERT INTO news (project, slug, at, was, status, cause) \
             SELECT id, slug, $1, NULL, $2, $3 FROM catalog \
              WHERE revision = $4 AND created = $1 AND removed IS NULL ORDER BY id ON CONFLICT DO NOTHING",
        )
        .bind(number(at.get()))
        .bind(Status::New.name())
        .bind(Cause::Registered.name())
        .bind(revision)
        .execute(&mut **transaction)
        .await?;
        edited.created = created;
        Ok(())
    }
}

async fn remove(
    transaction: &mut Transaction<'_, Any>,
    slug: &Slug,
    at: Time,
    revision: i64,
) -> Result<(), StoreError> {
    let removed = sqlx::query(
        "UPDATE catalog SET removed = $1, updated = $1, revision = $2 WHERE slug = $3 AND removed IS NULL",
    )
    .bind(number(at.get()))
    .bind(revision)
    .bind(slug.as_str())
    .execute(&mut **transaction)
    .await?;
    if removed.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO news (project, slug, at, was, status, cause) \
         SELECT c.id, c.slug, $1, s.status, NULL, $2 FROM catalog c JOIN standing s ON s.project = c.id \
          WHERE c.slug = $3 ON CONFLICT DO NOTHING",
    )
    .bind(number(at.get()))
    .bind(Cause::Removed.name())
    .bind(slug.as_str())
    .execute(&mut **transaction)
    .await?;
    // What was heard of it does not count for whoever gets the slug next.
    for forget in [
        "DELETE FROM beats WHERE project = (SELECT id FROM catalog WHERE slug = $1)",
        "DELETE FROM hours WHERE project = (SELECT id FROM catalog WHERE slug = $1)",
    ] {
        sqlx::query(forget)
            .bind(slug.as_str())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Takes the next revision, and with it the turn: other changes wait until this transaction has ended.
pub(super) async fn next_revision(transaction: &mut Transaction<'_, Any>) -> Result<i64, StoreError> {
    let revision = sqlx::query_scalar("UPDATE meta SET revision = revision + 1 RETURNING revision")
        .fetch_one(&mut **transaction)
        .await?;
    Ok(revision)
}

fn json(entry: &Entry) -> Result<String, StoreError> {
    serde_json::to_string(entry).map_err(|error| StoreError::Strange(error.to_string()))
}

fn record(row: &AnyRow) -> Result<Record, StoreError> {
    let text: String = column(row, "entry")?;
    let draft: Draft = serde_json::from_str(&text).map_err(|_| StoreError::Strange(text.clone()))?;
    let owner: String = column(row, "owner")?;
    let (status, cause): (String, String) = (column(row, "status")?, column(row, "cause")?);
    Ok(Record {
        id: column(row, "id")?,
        entry: draft.check().map_err(|_| StoreError::Strange(text))?,
        owner: Owner::of(&owner),
        paused: column::<i64>(row, "paused")? != 0,
        created: time(column(row, "created")?),
        updated: time(column(row, "updated")?),
        is_removed: column::<Option<i64>>(row, "removed")?.is_some(),
        revision: column(row, "revision")?,
        standing: Standing {
            status: named(&status)?,
            cause: named(&cause)?,
            since: time(column(row, "since")?),
        },
    })
}
