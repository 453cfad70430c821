//! Heartbeats and standings: what is written all the time.
use super::{
    Store, StoreError,
    bulk::{Bulk, Kind},
    catalog::next_revision,
    column, number, time, unsigned,
};
use crate::{
    catalog::{Hour, MINUTES, Sent},
    liveness::{Heard, Standing},
};
use icn_api::presence::Details;
use icn_model::{Millis, Time};
use serde_json::Value;
use sqlx::{Any, AssertSqlSafe, Transaction, any::AnyRow};

/// The last heartbeat of a project that one replica took in.
#[derive(Clone, Debug)]
pub(crate) struct Beat {
    /// Whose.
    pub(crate) project: i64,
    /// When, and what it said.
    pub(crate) heard: Heard,
    /// What was said about it.
    pub(crate) sent: Sent,
    /// What the project told of itself.
    pub(crate) details: Option<Details>,
    /// The minute of it, and how many there were in that minute.
    pub(crate) minute: (u64, u32),
}

/// What is written at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    /// Last heartbeats, each project once.
    pub(crate) beats: Vec<Beat>,
    /// Hours of which a minute has ended.
    pub(crate) hours: Vec<(i64, Hour)>,
    /// What has become of whom, in order. Only whoever holds the lease writes these.
    pub(crate) changes: Vec<Change>,
}

/// A project's standing has changed.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) project: i64,
    pub(crate) slug: String,
    pub(crate) was: Standing,
    pub(crate) is: Standing,
}

const BEAT: [Kind; 9] = [
    Kind::Int,
    Kind::Int,
    Kind::Text,
    Kind::Int,
    Kind::Text,
    Kind::Int,
    Kind::Text,
    Kind::Int,
    Kind::Int,
];
const HOUR: [Kind; 3] = [Kind::Int, Kind::Int, Kind::Text];
const CHANGE: [Kind; 6] = [
    Kind::Int,
    Kind::Text,
    Kind::Int,
    Kind::Text,
    Kind::Text,
    Kind::Text,
];

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.beats.is_empty() && self.hours.is_empty() && self.changes.is_empty()
    }
}

impl Store {
    /// Writes a batch. To write it once more changes nothing: whoever did not learn whether it was written may.
    ///
    /// Answers false, and has written nothing, if the batch has changes and the lease is another's.
    pub(crate) async fn write(
        &self,
        batch: &Batch,
        lease: Option<(Time, Millis)>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.pool.begin().await?;
        if !batch.changes.is_empty() {
            next_revision(&mut transaction).await?;
        }
        if let Some((now, term)) = lease
            && !self.renew(&mut transaction, now, term).await?
            && !batch.changes.is_empty()
        {
            return Ok(false);
        }
        self.write_beats(&mut transaction, &batch.beats).await?;
        self.write_hours(&mut transaction, self.replica, &batch.hours)
            .await?;
        self.write_changes(&mut transaction, &batch.changes).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn write_beats(
        &self,
        transaction: &mut Transaction<'_, Any>,
        beats: &[Beat],
    ) -> Result<(), StoreError> {
        if beats.is_empty() {
            return Ok(());
        }
        let mut rows = Bulk::new(&BEAT);
        for beat in beats {
            let details = beat
                .details
                .as_ref()
                .and_then(|details| serde_json::to_string(details).ok());
            rows.push(vec![
                beat.project.into(),
                number(beat.heard.at.get()).into(),
                beat.heard.said.name().into(),
                beat.sent.at.map(|at| number(at.get())).into(),
                beat.sent.boot.clone().into(),
                beat.sent.sequence.map(number).into(),
                details.into(),
                number(beat.minute.0).into(),
                beat.minute.1.into(),
            ]);
        }
        let write = format!(
            "INSERT INTO beats (project, at, said, sent, boot, sequence, details, minute, beats, replica) \
             SELECT c1, c2, c3, c4, c5, c6, c7, c8, c9, {} FROM ({}) AS w WHERE true \
             ON CONFLICT (replica, project) DO UPDATE SET \
                 at = excluded.at, said = excluded.said, sent = excluded.sent, boot = excluded.boot, \
                 sequence = excluded.sequence, details = excluded.details, minute = excluded.minute, \
                 beats = excluded.beats",
            self.replica,
            rows.select(self.dialect)
        );
        rows.bind(self.dialect, sqlx::query(AssertSqlSafe(write)))
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    async fn write_hours(
        &self,
        transaction: &mut Transaction<'_, Any>,
        replica: i64,
        hours: &[(i64, Hour)],
    ) -> Result<(), StoreError> {
        if hours.is_empty() {
            return Ok(());
        }
        let mut rows = Bulk::new(&HOUR);
        for (project, hour) in hours {
            let minutes = Value::from(hour.minutes.to_vec()).to_string();
            rows.push(vec![(*project).into(), number(hour.hour).into(), minutes.into()]);
        }
        let write = format!(
            "INSERT INTO hours (project, hour, minutes, replica) \
             SELECT c1, c2, c3, {replica} FROM ({}) AS w WHERE true \
             ON CONFLICT (project, hour, replica) DO UPDATE SET minutes = excluded.minutes",
            rows.select(self.dialect)
        );
        rows.bind(self.dialect, sqlx::query(AssertSqlSafe(write)))
            .execute(&mut **transaction)
            .await?;
        Ok(())
    }

    async fn write_changes(
        &self,
        transaction: &mut Transaction<'_, Any>,
        changes: &[Change],
    ) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (mut news, mut standings) = (Bulk::new(&CHANGE), Bulk::new(&CHANGE));
        for (place, change) in changes.iter().enumerate() {
            let row = || {
                vec![
                    change.project.into(),
                    change.slug.as_str().into(),
                    number(change.is.since.get()).into(),
                    change.was.status.name().into(),
                    change.is.status.name().into(),
                    change.is.cause.name().into(),
                ]
            };
            news.push(row());
            // A statement may meet a row once only, so of several changes of one project the last counts.
            if changes[place + 1..]
                .iter()
                .all(|later| later.project != change.project)
            {
                standings.push(row());
            }
        }
        // Of a project that was removed meanwhile nothing is told.
        let told = format!(
            "INSERT INTO news (project, slug, at, was, status, cause) \
             SELECT c1, c2, c3, c4, c5, c6 FROM ({}) AS w \
              WHERE EXISTS (SELECT 1 FROM catalog WHERE id = c1 AND removed IS NULL) ON CONFLICT DO NOTHING",
            news.select(self.dialect)
        );
        let stands = format!(
            "INSERT INTO standing (project, since, status, cause) SELECT c1, c3, c5, c6 FROM ({}) AS w WHERE true \
             ON CONFLICT (project) DO UPDATE SET \
                 status = excluded.status, cause = excluded.cause, since = excluded.since",
            standings.select(self.dialect)
        );
        for (rows, statement) in [(&news, told), (&standings, stands)] {
            rows.bind(self.dialect, sqlx::query(AssertSqlSafe(statement)))
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    /// What was last heard of each project, by any replica.
    pub(crate) async fn beats(&self) -> Result<Vec<Beat>, StoreError> {
        let rows = sqlx::query("SELECT * FROM beats").fetch_all(&self.pool).await?;
        rows.iter().map(beat).collect()
    }

    /// What other replicas have heard since a moment.
    pub(crate) async fn beats_of_others(&self, since: Time) -> Result<Vec<Beat>, StoreError> {
        let rows = sqlx::query("SELECT * FROM beats WHERE replica <> $1 AND at >= $2")
            .bind(self.replica)
            .bind(number(since.get()))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(beat).collect()
    }

    /// Takes over what replicas that are gone have left: their last counts go to their hours, their last heartbeats are
    /// this one's, as far as it has heard nothing later.
    pub(crate) async fn adopt(&self, gone: &[i64]) -> Result<(), StoreError> {
        for replica in gone {
            let mut transaction = self.pool.begin().await?;
            let rows = sqlx::query("SELECT * FROM beats WHERE replica = $1")
                .bind(*replica)
                .fetch_all(&mut *transaction)
                .await?;
            let beats = rows.iter().map(beat).collect::<Result<Vec<_>, _>>()?;
            let mut hours = Vec::with_capacity(beats.len());
            for beat in beats.iter().filter(|beat| beat.minute.1 > 0) {
                let hour = beat.minute.0 / MINUTES as u64;
                let written: Option<String> = sqlx::query_scalar(
                    "SELECT minutes FROM hours WHERE project = $1 AND hour = $2 AND replica = $3",
                )
                .bind(beat.project)
                .bind(number(hour))
                .bind(*replica)
                .fetch_optional(&mut *transaction)
                .await?;
                let mut minutes = written.map_or(Ok([0; MINUTES]), |text| minutes_of(&text))?;
                let place = usize::try_from(beat.minute.0 % MINUTES as u64).unwrap_or(0);
                minutes[place] = minutes[place].max(beat.minute.1);
                hours.push((
                    beat.project,
                    Hour {
                        hour,
                        minutes,
                        is_unwritten: true,
                    },
                ));
            }
            self.write_hours(&mut transaction, *replica, &hours).await?;
            sqlx::query(
                "INSERT INTO beats (project, at, said, sent, boot, sequence, details, minute, beats, replica) \
                 SELECT project, at, said, sent, boot, sequence, details, minute, 0, $1 FROM beats \
                  WHERE replica = $2 \
                 ON CONFLICT (replica, project) DO NOTHING",
            )
            .bind(self.replica)
            .bind(*replica)
            .execute(&mut *transaction)
            .await?;
            for leave in [
                "DELETE FROM beats WHERE replica = $1",
                "DELETE FROM replicas WHERE id = $1",
            ] {
                sqlx::query(leave)
                    .bind(*replica)
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Forgets what is older than `before`.
    pub(crate) async fn prune(&self, before: Time) -> Result<(), StoreError> {
        let hour = number(before.get() / 3_600_000);
        sqlx::query("DELETE FROM hours WHERE hour < $1")
            .bind(hour)
            .execute(&self.pool)
            .await?;
        // The last one of each project tells since when it is what it is.
        sqlx::query(
            "DELETE FROM news WHERE at < $1 AND id NOT IN (SELECT max(id) FROM news GROUP BY project) \
                AND id <= (SELECT told FROM meta) AND id <= (SELECT coalesce(min(told), id) FROM webhooks)",
        )
        .bind(number(before.get()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// The counts of an hour, as they were written.
pub(super) fn minutes_of(text: &str) -> Result<[u32; MINUTES], StoreError> {
    let minutes: Option<Vec<u32>> = serde_json::from_str(text).ok();
    minutes
        .and_then(|minutes| minutes.try_into().ok())
        .ok_or_else(|| StoreError::Strange(format!("{text:?}")))
}

fn beat(row: &AnyRow) -> Result<Beat, StoreError> {
    let said: String = column(row, "said")?;
    let details: Option<String> = column(row, "details")?;
    let count: i64 = column(row, "beats")?;
    Ok(Beat {
        project: column(row, "project")?,
        heard: Heard {
            at: time(column(row, "at")?),
            said: serde_json::from_value(said.clone().into()).map_err(|_| StoreError::Strange(said))?,
        },
        sent: Sent {
            at: column::<Option<i64>>(row, "sent")?.map(time),
            boot: column(row, "boot")?,
            sequence: column::<Option<i64>>(row, "sequence")?.map(unsigned),
        },
        // What a later version wrote, this one does not show.
        details: details.and_then(|text| serde_json::from_str(&text).ok()),
        minute: (
            unsigned(column(row, "minute")?),
            u32::try_from(count).unwrap_or(u32::MAX),
        ),
    })
}
