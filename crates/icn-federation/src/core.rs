//! What the parts of the service share: the catalog in memory, what waits to be judged, what waits to be written, and
//! who is to be told.
use crate::{
    catalog::{Project, Registry},
    clock::Clock,
    hearing::Ears,
    liveness::{Rules, Status},
    metrics::Metrics,
    store::{Batch, Change, Item},
};
use icn_model::Millis;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::{Notify, broadcast, watch};

/// News that wait for a slow reader of a stream; one that is slower has to ask for them again.
const NEWS_IN_MEMORY: usize = 4_096;

/// What other replicas have heard is known here after this time at the latest.
const PATIENCE: Millis = Millis::new(800);

/// The state of the service.
pub(crate) struct Core {
    /// What time it is.
    pub clock: Clock,
    /// How long is long.
    pub rules: Rules,
    /// The projects.
    pub registry: Registry,
    /// Whether it hears.
    pub ears: Ears,
    /// What it counts.
    pub metrics: Metrics,
    /// What is committed, as it is told.
    pub(crate) news: broadcast::Sender<Arc<Item>>,
    /// Wakes the judge.
    pub(crate) judge: Notify,
    /// Wakes the writer.
    pub(crate) writer: Notify,
    dirty: Mutex<Dirty>,
    touched: Mutex<Vec<Arc<Project>>>,
    changes: Mutex<Vec<Change>>,
    /// Whether this replica judges.
    keeper: AtomicBool,
    /// Whether other replicas take in heartbeats, too.
    others: AtomicBool,
    /// Whether all projects are to be judged anew.
    sweep: AtomicBool,
    /// Whether somebody waits for a write.
    urgent: AtomicBool,
    /// Writes that have begun.
    begun: AtomicU64,
    /// The last write that has ended well.
    written: watch::Sender<u64>,
    /// Up to which revision the catalog has been read.
    revision: watch::Sender<i64>,
    /// Whether the catalog has been read.
    loaded: watch::Sender<bool>,
}

#[derive(Default)]
struct Dirty {
    projects: Vec<Arc<Project>>,
    since: Option<Instant>,
}

impl Core {
    /// A service that knows of nothing.
    pub(crate) fn new(clock: Clock, rules: Rules, with_nats: bool) -> Arc<Self> {
        Arc::new(Self {
            clock,
            rules,
            registry: Registry::default(),
            ears: Ears::new(with_nats),
            metrics: Metrics::default(),
            news: broadcast::Sender::new(NEWS_IN_MEMORY),
            judge: Notify::new(),
            writer: Notify::new(),
            dirty: Mutex::default(),
            touched: Mutex::default(),
            changes: Mutex::default(),
            keeper: AtomicBool::new(false),
            others: AtomicBool::new(false),
            sweep: AtomicBool::new(false),
            urgent: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            written: watch::Sender::new(0),
            revision: watch::Sender::new(0),
            loaded: watch::Sender::new(false),
        })
    }

    /// Whether this replica judges.
    pub(crate) fn is_keeper(&self) -> bool {
        self.keeper.load(Ordering::Acquire)
    }

    pub(crate) fn set_keeper(&self, is_keeper: bool) {
        self.keeper.store(is_keeper, Ordering::Release);
        if is_keeper {
            self.sweep();
        }
    }

    /// Every project with the status that it is shown with now, by slug.
    pub(crate) fn statuses(&self) -> impl Iterator<Item = (Arc<Project>, Status)> + use<> {
        let (now, threshold) = (self.clock.now(), self.rules.threshold);
        self.registry.all().into_iter().map(move |project| {
            let status = project.vital().shown(now, threshold, crate::GRACE).status;
            (project, status)
        })
    }

    /// How many projects there are of each status.
    pub(crate) fn counted(&self) -> BTreeMap<Status, usize> {
        let mut counts = BTreeMap::new();
        for (_, status) in self.statuses() {
            *counts.entry(status.counted()).or_default() += 1;
        }
        counts
    }

    /// Whether the catalog has been read from the database.
    pub(crate) fn is_loaded(&self) -> bool {
        *self.loaded.borrow()
    }

    pub(crate) fn set_loaded(&self) {
        self.loaded.send_replace(true);
    }

    /// Waits until the catalog has been read.
    pub(crate) async fn loaded(&self) {
        // The sender lives as long as this.
        let _ = self.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    pub(crate) fn set_others(&self, others: bool) {
        self.others.store(others, Ordering::Release);
    }

    /// How much later than its deadline a project is judged, so that other replicas have written what they heard.
    pub(crate) fn patience(&self) -> Millis {
        if self.others.load(Ordering::Acquire) {
            PATIENCE
        } else {
            Millis::ZERO
        }
    }

    /// Up to which revision the catalog has been read.
    pub(crate) fn revision(&self) -> i64 {
        *self.revision.borrow()
    }

    /// The catalog has been read up to a revision. Never goes back: whoever waits for one may look only later.
    pub(crate) fn reach(&self, revision: i64) {
        self.revision.send_if_modified(|read| {
            let is_further = *read < revision;
            if is_further {
                *read = revision;
            }
            is_further
        });
    }

    /// Waits until the catalog has been read up to a revision.
    pub(crate) async fn reached(&self, revision: i64) {
        let mut read = self.revision.subscribe();
        self.hurry();
        // The sender lives as long as this.
        let _ = read.wait_for(|read| *read >= revision).await;
    }

    /// Lets all projects be judged anew.
    pub(crate) fn sweep(&self) {
        self.sweep.store(true, Ordering::Release);
        self.judge.notify_one();
    }

    pub(crate) fn take_sweep(&self) -> bool {
        self.sweep.swap(false, Ordering::AcqRel)
    }

    /// A project is to be judged.
    pub(crate) fn touch(&self, project: Arc<Project>) {
        lock(&self.touched).push(project);
        self.judge.notify_one();
    }

    pub(crate) fn take_touched(&self) -> Vec<Arc<Project>> {
        std::mem::take(&mut lock(&self.touched))
    }

    /// A project is to be written. Its `is_dirty` has been set by whoever calls, under its lock.
    pub(crate) fn dirty(&self, project: Arc<Project>) {
        let mut dirty = lock(&self.dirty);
        dirty.since.get_or_insert_with(Instant::now);
        dirty.projects.push(project);
    }

    /// How many wait to be written, and since when.
    pub(crate) fn waiting(&self) -> (usize, Option<Instant>) {
        let dirty = lock(&self.dirty);
        (dirty.projects.len(), dirty.since)
    }

    pub(crate) fn take_dirty(&self) -> Vec<Arc<Project>> {
        let mut dirty = lock(&self.dirty);
        dirty.since = None;
        std::mem::take(&mut dirty.projects)
    }

    /// What has become of projects.
    pub(crate) fn changed(&self, changes: impl IntoIterator<Item = Change>) {
        lock(&self.changes).extend(changes);
        self.registry.change();
        self.hurry();
    }

    pub(crate) fn take_changes(&self) -> Vec<Change> {
        std::mem::take(&mut lock(&self.changes))
    }

    pub(crate) fn has_changes(&self) -> bool {
        !lock(&self.changes).is_empty()
    }

    /// Puts back what could not be written, before what has come since.
    pub(crate) fn put_back(&self, batch: Batch) {
        for beat in &batch.beats {
            if let Some(project) = self.registry.by_id(beat.project) {
                let mut vital = project.vital();
                if !std::mem::replace(&mut vital.is_dirty, true) {
                    drop(vital);
                    self.dirty(project);
                }
            }
        }
        for (project, hour) in &batch.hours {
            if let Some(project) = self.registry.by_id(*project) {
                let mut vital = project.vital();
                if let Some(kept) = vital.hours.iter_mut().find(|kept| kept.hour == hour.hour) {
                    kept.is_unwritten = true;
                }
                if !std::mem::replace(&mut vital.is_dirty, true) {
                    drop(vital);
                    self.dirty(project);
                }
            }
        }
        let mut changes = lock(&self.changes);
        let later = std::mem::replace(&mut *changes, batch.changes);
        changes.extend(later);
    }

    /// What waits is to be written at once.
    pub(crate) fn hurry(&self) {
        self.urgent.store(true, Ordering::Release);
        self.writer.notify_one();
    }

    pub(crate) fn is_urgent(&self) -> bool {
        self.urgent.load(Ordering::Acquire)
    }

    /// A write begins; its number.
    pub(crate) fn begin_write(&self) -> u64 {
        self.urgent.store(false, Ordering::Release);
        self.begun.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// A write has ended well.
    pub(crate) fn end_write(&self, number: u64) {
        self.written.send_replace(number);
    }

    /// Waits until everything that is known now is on disk.
    pub(crate) async fn written(&self) {
        let mut written = self.written.subscribe();
        // One that has begun already may have missed it.
        let number = self.begun.load(Ordering::Acquire) + 1;
        self.hurry();
        // The sender lives as long as this.
        let _ = written.wait_for(|done| *done >= number).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Lists only, which are good at every moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_revision_that_was_read_stays_read() {
        let rules = Rules {
            threshold: Millis::from_secs(60),
        };
        let core = Core::new(Clock::default(), rules, false);
        core.reach(6);
        // What was looked up before it.
        core.reach(5);
        core.reached(6).await;
        assert_eq!(core.revision(), 6);
    }
}
