//! The only part that talks to the database all the time: writes what was heard and judged, in batches; reads what
//! others have changed; keeps the lease of whoever judges. When the database goes away it says so, keeps what there is
//! to be written, and goes on when it is back, for ever.
use crate::{
    catalog::Project,
    core::Core,
    hearing::Part,
    keys::Keys,
    liveness::Heard,
    store::{Batch, Beat, Item, Marks, Role, Store, StoreError},
};
use icn_model::{Millis, Time};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// How often the database is looked at.
const TICK: Duration = Duration::from_millis(200);
/// How long heartbeats that came over NATS wait to be written together with others: they may be lost in a crash.
const GATHER: Duration = Duration::from_millis(250);
/// The same where there are many, which cost more to write.
const GATHER_MANY: Duration = Duration::from_millis(850);
const MANY: usize = 2_000;
/// How often a replica says that it is there, and renews its lease.
const SIGN_IN: Duration = Duration::from_secs(1);
/// How long a lease lasts that is not renewed.
const TERM: Millis = Millis::from_secs(3);
/// A replica that was not seen for this long is gone.
const GONE: Millis = Millis::from_secs(10);
/// How often is looked for what replicas that are gone have left.
const ADOPT: Duration = Duration::from_secs(5);
/// How often old news are forgotten.
const PRUNE: Duration = Duration::from_secs(600);
/// How far back beats of others are read again: what was written late is not missed.
const LOOK_BACK: Millis = Millis::from_secs(3);
/// News that are read at once.
const NEWS_AT_ONCE: i64 = 5_000;
/// How often a database that is away is tried.
const RETRY: Duration = Duration::from_millis(500);
/// How far a shared clock may move without being worth a line in the log.
const CLOCK_MOVES: i64 = 2_000;

/// Talks to the database for as long as it is run.
pub(crate) struct Writer {
    core: Arc<Core>,
    store: Store,
    keys: Arc<Keys>,
    retention: Millis,
    started: Time,
    /// Up to where keys have been read.
    keys_revision: i64,
    /// Up to where news have been read.
    news: i64,
    /// Tells who publishes them of more.
    more: Arc<watch::Sender<i64>>,
    /// Up to where nobody over NATS is to be told of them any more, where there is no NATS.
    passed: i64,
    signed_in: Option<Instant>,
    adopted: Instant,
    pruned: Instant,
    others: i64,
    others_since: Time,
    said: Option<String>,
}

impl Writer {
    pub(crate) fn new(
        core: Arc<Core>,
        store: Store,
        keys: Arc<Keys>,
        retention: Millis,
        more: Arc<watch::Sender<i64>>,
    ) -> Self {
        let started = core.clock.now();
        Self {
            core,
            store,
            keys,
            retention,
            started,
            keys_revision: -1,
            news: 0,
            more,
            passed: 0,
            signed_in: None,
            adopted: Instant::now(),
            pruned: Instant::now(),
            others: 0,
            others_since: Time::ZERO,
            said: None,
        }
    }

    /// Runs until `stopping` says true; then writes what is left.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        while let Err(error) = self.begin().await {
            self.lost(&error);
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = stopped(&mut stopping) => return,
            }
        }
        loop {
            match self.round().await {
                Ok(()) => self.found(),
                Err(error) => {
                    self.lost(&error);
                    tokio::time::sleep(RETRY).await;
                }
            }
            if *stopping.borrow() {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.core.writer.notified() => {}
                () = stopped(&mut stopping) => {}
            }
        }
        if let Err(error) = self.end().await {
            tracing::warn!(%error, "could not say goodbye to the database");
        }
    }

    /// Brings the tables to this version and reads everything.
    async fn begin(&mut self) -> Result<(), StoreError> {
        self.store.migrate().await?;
        self.follow_clock().await?;
        let now = self.core.clock.now();
        self.started = now;
        let gone = self.store.gone(now.before(GONE)).await?;
        self.store.adopt(&gone).await?;
        self.refresh().await?;
        self.read_beats().await?;
        self.news = self.store.news_range().await?.1;
        self.keys.load(&self.store).await?;
        self.found();
        self.core.set_loaded();
        Ok(())
    }

    async fn follow_clock(&self) -> Result<(), StoreError> {
        if let Some(shared) = self.store.clock().await? {
            let moved = self.core.clock.follow(shared);
            if moved.abs() > CLOCK_MOVES {
                tracing::info!(
                    by_ms = moved,
                    "the service follows the database's clock, which is another"
                );
            }
        }
        Ok(())
    }

    /// What is due now.
    async fn round(&mut self) -> Result<(), StoreError> {
        self.sign_in().await?;
        if self.is_to_be_written() {
            self.write().await?;
        }
        let marks = self.store.marks(self.core.clock.now().before(GONE)).await?;
        self.follow(marks).await?;
        self.tidy().await
    }

    /// Says that this replica is there, and learns whether it judges.
    async fn sign_in(&mut self) -> Result<(), StoreError> {
        if self.signed_in.is_some_and(|last| last.elapsed() < SIGN_IN) {
            return Ok(());
        }
        if !self.store.is_shared() {
            if self.signed_in.is_none() {
                self.core.set_keeper(true);
            }
            self.signed_in = Some(Instant::now());
            return Ok(());
        }
        self.follow_clock().await?;
        let role = self
            .store
            .sign_in(self.started, self.core.clock.now(), TERM)
            .await?;
        self.signed_in = Some(Instant::now());
        match role {
            Role::Keeper { is_new: true } => {
                tracing::info!("this replica judges from now on");
                self.take_over().await?;
            }
            Role::Keeper { is_new: false } if !self.core.is_keeper() => self.take_over().await?,
            Role::Keeper { .. } => {}
            Role::Follower => self.step_back(),
        }
        Ok(())
    }

    /// Begins to judge, from what the last one who did has written.
    async fn take_over(&mut self) -> Result<(), StoreError> {
        // What this one has judged before it lost the lease was not written, and is judged anew.
        drop(self.core.take_changes());
        self.read_standings().await?;
        self.read_beats().await?;
        self.core.set_keeper(true);
        Ok(())
    }

    fn step_back(&self) {
        if self.core.is_keeper() {
            tracing::info!("another replica judges from now on");
            self.core.set_keeper(false);
            drop(self.core.take_changes());
        }
    }

    fn is_to_be_written(&self) -> bool {
        let (waiting, since) = self.core.waiting();
        let gather = if waiting > MANY { GATHER_MANY } else { GATHER };
        self.core.is_urgent()
            || self.core.has_changes()
            || since.is_some_and(|since| since.elapsed() >= gather)
    }

    async fn write(&mut self) -> Result<(), StoreError> {
        let number = self.core.begin_write();
        let batch = self.gather();
        let lease = (self.store.is_shared() && self.core.is_keeper()).then(|| (self.core.clock.now(), TERM));
        let started = Instant::now();
        let written = if batch.is_empty() {
            Ok(true)
        } else {
            self.store.write(&batch, lease).await
        };
        match written {
            Ok(true) => {
                self.core.metrics.flushed(batch.beats.len(), started.elapsed());
                self.forget_written(&batch);
                self.core.end_write(number);
                Ok(())
            }
            Ok(false) => {
                let batch = Batch {
                    changes: Vec::new(),
                    ..batch
                };
                self.core.put_back(batch);
                self.step_back();
                self.read_standings().await
            }
            Err(error) => {
                self.core.put_back(batch);
                Err(error)
            }
        }
    }

    /// What waits to be written.
    fn gather(&self) -> Batch {
        let mut batch = Batch {
            changes: self.core.take_changes(),
            ..Batch::default()
        };
        for project in self.core.take_dirty() {
            let mut vital = project.vital();
            vital.is_dirty = false;
            if let Some(heard) = vital.heard {
                batch.beats.push(Beat {
                    project: project.id,
                    heard,
                    sent: vital.sent.clone(),
                    details: vital.details.clone(),
                    minute: vital.minute,
                });
            }
            for hour in vital.hours.iter_mut().filter(|hour| hour.is_unwritten) {
                hour.is_unwritten = false;
                batch.hours.push((project.id, hour.clone()));
            }
        }
        batch
    }

    /// Hours that are over and written are no longer needed.
    fn forget_written(&self, batch: &Batch) {
        for (project, _) in &batch.hours {
            if let Some(project) = self.core.registry.by_id(*project) {
                let mut vital = project.vital();
                let last = vital.hours.back().map(|last| last.hour);
                vital
                    .hours
                    .retain(|hour| hour.is_unwritten || Some(hour.hour) == last);
            }
        }
    }

    /// Reads what has changed.
    async fn follow(&mut self, marks: Marks) -> Result<(), StoreError> {
        if marks.revision > self.core.revision() {
            self.refresh().await?;
            // Not all revisions leave a row in the catalog.
            self.core.reach(marks.revision);
        }
        if marks.revision != self.keys_revision {
            self.keys.load(&self.store).await?;
            self.keys_revision = marks.revision;
        }
        if marks.news > self.news {
            self.read_news().await?;
        }
        if self.others == 0 && marks.others > 0 {
            // One that has just come may have been here before.
            self.others_since = Time::ZERO;
        }
        self.others = marks.others;
        self.core.set_others(marks.others > 0);
        if marks.others > 0 {
            let since = self.others_since.before(LOOK_BACK);
            for beat in self.store.beats_of_others(since).await? {
                self.others_since = self.others_since.max(beat.heard.at);
                self.learn(beat);
            }
        }
        Ok(())
    }

    /// Reads what has changed of the catalog.
    async fn refresh(&mut self) -> Result<(), StoreError> {
        let (records, revision) = self.store.records_since(self.core.revision()).await?;
        for record in records {
            if let Some(project) = self.core.registry.take(record) {
                self.core.touch(project);
            }
        }
        self.core.reach(revision);
        self.core.metrics.catalog_size(self.core.registry.len());
        Ok(())
    }

    /// Reads all standings anew.
    async fn read_standings(&mut self) -> Result<(), StoreError> {
        let (records, revision) = self.store.records_since(0).await?;
        for record in records {
            let standing = record.standing;
            if let Some(project) = self.core.registry.take(record) {
                project.vital().standing = standing;
            }
        }
        self.core.reach(revision);
        Ok(())
    }

    /// Reads what was last heard of everybody.
    async fn read_beats(&mut self) -> Result<(), StoreError> {
        for beat in self.store.beats().await? {
            self.learn(beat);
        }
        Ok(())
    }

    fn learn(&self, beat: Beat) {
        let Some(project) = self.core.registry.by_id(beat.project) else {
            return;
        };
        let heard = Heard {
            // Written under a clock that was ahead: nobody was heard in the future.
            at: beat.heard.at.min(self.core.clock.now()),
            said: beat.heard.said,
        };
        let is_to_be_judged = {
            let mut vital = project.vital();
            vital.learn(heard, beat.sent, beat.details) && vital.is_to_be_judged()
        };
        self.core.registry.touch();
        if is_to_be_judged {
            self.core.touch(project);
        }
    }

    /// Reads news, takes over what another one has judged, and passes them on.
    async fn read_news(&mut self) -> Result<(), StoreError> {
        loop {
            let news = self.store.news_after(self.news, NEWS_AT_ONCE).await?;
            let Some(last) = news.last().map(|item| item.id) else {
                break;
            };
            for item in news {
                if !self.core.is_keeper() {
                    self.take_standing(&item);
                }
                // Nobody may be listening.
                let _ = self.core.news.send(Arc::new(item));
            }
            self.news = last;
        }
        self.core.registry.change();
        self.more.send_replace(self.news);
        Ok(())
    }

    fn take_standing(&self, item: &Item) {
        let project: Option<Arc<Project>> = self.core.registry.by_id(item.project);
        if let (Some(project), Some(status)) = (project, item.status) {
            let mut vital = project.vital();
            vital.standing.status = status;
            vital.standing.cause = item.cause;
            vital.standing.since = item.at;
        }
    }

    async fn tidy(&mut self) -> Result<(), StoreError> {
        if !self.core.is_keeper() {
            return Ok(());
        }
        if self.adopted.elapsed() >= ADOPT {
            self.adopted = Instant::now();
            let now = self.core.clock.now();
            let gone = self.store.gone(now.before(GONE)).await?;
            if !gone.is_empty() {
                self.store.adopt(&gone).await?;
                self.read_beats().await?;
            }
        }
        if self.core.ears.nats().is_none() && self.passed < self.news {
            // Nobody will publish them: they are not kept for that, and whoever begins to use NATS begins with what is new.
            self.store.set_told(self.news).await?;
            self.passed = self.news;
        }
        if self.pruned.elapsed() >= PRUNE {
            self.pruned = Instant::now();
            self.store
                .prune(self.core.clock.now().before(self.retention))
                .await?;
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), StoreError> {
        self.write().await?;
        if self.store.is_shared() {
            self.store.sign_out().await?;
        }
        Ok(())
    }

    fn lost(&mut self, error: &StoreError) {
        let now = self.core.clock.now();
        self.core.ears.set(Part::Database, false, now);
        let text = error.to_string();
        // Said once, and again when something else is wrong.
        if self.said.as_ref() != Some(&text) {
            tracing::error!(
                error = text,
                "the database does not answer: what arrives is kept, and written when it is back"
            );
            self.said = Some(text);
        }
    }

    fn found(&mut self) {
        let now = self.core.clock.now();
        if self.core.ears.set(Part::Database, true, now) && self.said.take().is_some() {
            tracing::info!("the database is back");
        }
        self.said = None;
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Fails when the sender is gone, which says the same.
    let _ = stopping.wait_for(|stop| *stop).await;
}
