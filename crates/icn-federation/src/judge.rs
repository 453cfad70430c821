//! Looks at every project when its time has come: when its next heartbeat is overdue, when its threshold ends, when it
//! was heard again. Deadlines, not polling: a threshold is noticed within a tick of its end, however many projects there
//! are.
use crate::{
    catalog::Project,
    core::Core,
    liveness::{Cause, Circumstances, Hearing, Status},
    store::Change,
};
use icn_model::Time;
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long after its time a deadline may be looked at.
const TICK: Duration = Duration::from_millis(100);
/// A pause of the process after which it may have missed heartbeats.
const STANDSTILL: Duration = Duration::from_secs(5);
/// Fewer than these do not fall silent together by a fault of the service.
const MANY_AT_LEAST: usize = 10;
/// One in this many is many.
const MANY_SHARE: usize = 2;

/// Judges for as long as it is run.
pub(crate) struct Judge {
    core: Arc<Core>,
    /// When which project is due; entries of projects that have been heard since are found out when they come up.
    due: BinaryHeap<Reverse<(Time, i64)>>,
    hearing: Hearing,
    /// How often all are judged, whatever the deadlines say.
    every: Duration,
}

impl Judge {
    pub(crate) const fn new(core: Arc<Core>, every: Duration) -> Self {
        Self {
            core,
            due: BinaryHeap::new(),
            hearing: Hearing::Deaf,
            every,
        }
    }

    /// Runs until it is dropped.
    pub(crate) async fn run(mut self) {
        self.core.loaded().await;
        let (mut looked, mut swept) = (Instant::now(), Instant::now());
        loop {
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = self.core.judge.notified() => {
                    // Those who are heard together are judged together.
                    tokio::time::sleep(TICK / 10).await;
                }
                () = self.core.ears.changed.notified() => {}
            }
            if looked.elapsed() > STANDSTILL {
                tracing::warn!(
                    seconds = looked.elapsed().as_secs(),
                    "the service stood still, and may have missed heartbeats: what lapses now is unknown"
                );
                self.core.ears.interrupt(self.core.clock.now());
            }
            looked = Instant::now();
            if swept.elapsed() >= self.every {
                swept = Instant::now();
                self.core.sweep();
            }
            self.look();
        }
    }

    fn look(&mut self) {
        let touched = self.core.take_touched();
        if !self.core.is_keeper() {
            return;
        }
        let hearing = self.core.ears.hearing();
        let is_swept = self.core.take_sweep() || hearing != self.hearing;
        self.hearing = hearing;
        let now = self.core.clock.now();
        let projects = if is_swept {
            self.due.clear();
            self.core.registry.all()
        } else {
            let mut projects = touched;
            projects.extend(self.take_due(now));
            projects
        };
        if projects.is_empty() {
            return;
        }
        let changes = self.judge(&projects, now, is_swept);
        if !changes.is_empty() {
            self.core.changed(changes);
        }
    }

    /// The projects whose time has come.
    fn take_due(&mut self, now: Time) -> Vec<Arc<Project>> {
        let mut projects = Vec::new();
        let patience = self.core.patience();
        while let Some(Reverse((at, id))) = self.due.peek().copied() {
            if at.after(patience) > now {
                break;
            }
            self.due.pop();
            projects.extend(self.core.registry.by_id(id));
        }
        projects
    }

    fn judge(&mut self, projects: &[Arc<Project>], now: Time, is_swept: bool) -> Vec<Change> {
        // Judged as of when it was due, so that patience does not make a lapse look later than it was.
        let mut with = Circumstances {
            now: now.before(self.core.patience()),
            rules: self.core.rules,
            hearing: self.hearing,
            many_silent: false,
        };
        let is_lapsing = |project: &Arc<Project>| {
            let vital = project.vital();
            vital.standing.status.is_alive()
                && vital
                    .heard
                    .is_some_and(|heard| with.now.since(heard.at) >= with.rules.threshold)
        };
        if projects.iter().any(is_lapsing) {
            with.many_silent = self.many_silent(now);
        }
        let mut changes = Vec::new();
        for project in projects {
            let mut vital = project.vital();
            // What was heard a moment ago is judged as of now: time does not run backwards for it.
            let mut with = with;
            if vital.heard.is_some_and(|heard| heard.at > with.now) {
                with.now = now;
            }
            let before_due = vital.due;
            let was = vital.judge(&with);
            let (is, due) = (vital.standing, vital.due);
            drop(vital);
            if let Some(due) = due
                && (is_swept || before_due.is_none_or(|before| due < before || before <= with.now))
            {
                self.due.push(Reverse((due, project.id)));
            }
            let Some(was) = was else { continue };
            if is.status == Status::Offline && is.cause == Cause::Silent {
                self.core.metrics.stale.inc();
            }
            changes.push(Change {
                project: project.id,
                slug: project.slug().into(),
                was,
                is,
            });
        }
        changes
    }

    /// Whether so many of those that were alive are silent that the fault may be here.
    fn many_silent(&self, now: Time) -> bool {
        let overdue = self.core.rules.overdue();
        let (mut known, mut silent) = (0, 0);
        for project in self.core.registry.all() {
            let vital = project.vital();
            let counts = vital.standing.status.is_alive() || vital.standing.cause == Cause::ManyAtOnce;
            if let (true, Some(heard)) = (counts, vital.heard) {
                known += 1;
                silent += usize::from(now.since(heard.at) >= overdue);
            }
        }
        let is_many = silent >= MANY_AT_LEAST && silent * MANY_SHARE >= known;
        if is_many {
            tracing::warn!(
                silent,
                known,
                "most projects are silent: what lapses now is unknown"
            );
        }
        is_many
    }
}
