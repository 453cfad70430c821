//! What the service counts of itself, under the names of the deployment guide where it has one.
//!
//! No label comes from outside: statuses, reasons and routes are closed lists. Projects are named only where the operator
//! asks for it, and then up to a bound.
use crate::{
    catalog::Registry,
    core::Core,
    ingest::Dropped,
    liveness::{Hearing, Status},
};
use icn_model::Millis;
use icn_serve::http::HttpMetrics;
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry as Scraped,
};
use std::{collections::BTreeMap, fmt, sync::atomic::AtomicU64, time::Duration};

/// Projects that are named in metrics where the operator asks for it.
const MAX_NAMED: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStatus {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByProject {
    project: String,
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Heartbeats that count.
    pub heartbeats: Counter,
    /// Projects that were silent for longer than the threshold.
    pub stale: Counter,
    /// Entries that were registered or changed.
    pub registers: Counter,
    /// Reads of the catalog.
    pub lookups: Counter,
    /// Messages that were published over NATS.
    pub published: Counter,
    /// How often heartbeats came faster than they were taken in.
    pub overrun: Counter,
    /// Calls of webhooks that were answered.
    pub delivered: Counter,
    /// Calls of webhooks that failed, each try.
    pub undelivered: Counter,
    /// Requests.
    pub http: HttpMetrics,
    dropped: Family<Reason, Counter>,
    lookup_seconds: Histogram,
    flush_seconds: Histogram,
    flushed_rows: Counter,
    lag_seconds: Gauge<f64, AtomicU64>,
    size: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let dropped = Family::<Reason, Counter>::default();
        for reason in Dropped::ALL {
            // An alert can ask for the increase of what has not happened yet.
            drop(dropped.get_or_create(&Reason {
                reason: reason.name(),
            }));
        }
        Self {
            heartbeats: Counter::default(),
            stale: Counter::default(),
            registers: Counter::default(),
            lookups: Counter::default(),
            published: Counter::default(),
            overrun: Counter::default(),
            delivered: Counter::default(),
            undelivered: Counter::default(),
            http: HttpMetrics::default(),
            dropped,
            lookup_seconds: Histogram::new(exponential_buckets(0.000_05, 2.0, 16)),
            flush_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            flushed_rows: Counter::default(),
            lag_seconds: Gauge::default(),
            size: Gauge::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn dropped(&self, reason: Dropped) {
        self.dropped
            .get_or_create(&Reason {
                reason: reason.name(),
            })
            .inc();
    }

    pub(crate) fn looked_up(&self, took: Duration) {
        self.lookups.inc();
        self.lookup_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn flushed(&self, rows: usize, took: Duration) {
        if rows > 0 {
            self.flushed_rows.inc_by(rows as u64);
            self.flush_seconds.observe(took.as_secs_f64());
        }
    }

    pub(crate) fn lag(&self, lag: Millis) {
        self.lag_seconds
            .set(Duration::from_millis(lag.get()).as_secs_f64());
    }

    pub(crate) fn catalog_size(&self, projects: usize) {
        self.size.set(i64::try_from(projects).unwrap_or(i64::MAX));
    }
}

/// Everything that is scraped, in the text format of OpenMetrics.
///
/// # Errors
/// The encoder's, which has none when it writes to memory.
pub(crate) fn encode(core: &Core, per_project: bool) -> Result<String, fmt::Error> {
    let mut scraped = Scraped::default();
    register(&mut scraped, core);
    by_status(&mut scraped, core);
    if per_project {
        by_project(&mut scraped, core);
    }
    let mut written = String::new();
    text::encode(&mut written, &scraped)?;
    Ok(written)
}

fn register(to: &mut Scraped, core: &Core) {
    let metrics = &core.metrics;
    to.register(
        "heartbeat",
        "Heartbeats that were accepted",
        metrics.heartbeats.clone(),
    );
    to.register(
        "stale_projects",
        "Projects that became offline because they were silent",
        metrics.stale.clone(),
    );
    to.register(
        "catalog_register",
        "Entries of the catalog that were registered or changed over HTTP",
        metrics.registers.clone(),
    );
    to.register("catalog_lookup", "Reads of the catalog", metrics.lookups.clone());
    to.register(
        "catalog_lookup_duration_seconds",
        "How long a read of the catalog took",
        metrics.lookup_seconds.clone(),
    );
    to.register(
        "nats_publish",
        "Changes of projects that were published over NATS",
        metrics.published.clone(),
    );
    let own = to.sub_registry_with_prefix("federation");
    own.register(
        "heartbeats_dropped",
        "Heartbeats that did not count, by reason",
        metrics.dropped.clone(),
    );
    own.register(
        "ingest_overruns",
        "Times that heartbeats came faster over NATS than they were taken in",
        metrics.overrun.clone(),
    );
    own.register(
        "ingest_lag_seconds",
        "How long the last probe took over NATS and back",
        metrics.lag_seconds.clone(),
    );
    let (waiting, since) = core.waiting();
    own.register(
        "ingest_queue",
        "Projects whose last heartbeat is not written yet",
        ConstGauge::new(waiting as u64),
    );
    own.register(
        "ingest_queue_age_seconds",
        "How long the oldest of them has waited",
        ConstGauge::new(since.map_or(0.0, |since| since.elapsed().as_secs_f64())),
    );
    own.register(
        "flush_seconds",
        "How long a batch took to be written",
        metrics.flush_seconds.clone(),
    );
    own.register(
        "flushed_rows",
        "Rows of heartbeats that were written",
        metrics.flushed_rows.clone(),
    );
    own.register("catalog_size", "Projects in the catalog", metrics.size.clone());
    own.register(
        "webhooks_delivered",
        "Calls of webhooks that were answered",
        metrics.delivered.clone(),
    );
    own.register(
        "webhooks_failed",
        "Calls of webhooks that failed, each try",
        metrics.undelivered.clone(),
    );
    let flag = |is: bool| ConstGauge::new(u64::from(is));
    own.register(
        "database_up",
        "Whether the database answers",
        flag(core.ears.database()),
    );
    own.register(
        "nats_up",
        "Whether NATS is connected; 1 where it is not used",
        flag(core.ears.nats().unwrap_or(true)),
    );
    own.register(
        "hearing",
        "Whether the service can hear, so that silence means something",
        flag(core.ears.hearing() != Hearing::Deaf),
    );
    own.register("keeper", "Whether this replica judges", flag(core.is_keeper()));
    metrics.http.register(to, "federation_");
}

fn by_status(to: &mut Scraped, core: &Core) {
    let counts = counted(core);
    let family = Family::<ByStatus, Gauge>::default();
    for status in Status::ALL
        .into_iter()
        .filter(|status| status.counted() == *status)
    {
        let count = counts.get(&status).copied().unwrap_or(0);
        let gauge = family.get_or_create(&ByStatus {
            status: status.name(),
        });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    to.register(
        "catalog_projects_by_status",
        "Projects by status; those that are late count as online",
        family,
    );
    let late = shown(core, &core.registry)
        .filter(|status| *status == Status::Late)
        .count();
    to.register(
        "federation_projects_late",
        "Projects whose heartbeat is overdue, of those online",
        ConstGauge::new(late as u64),
    );
}

fn shown<'a>(core: &'a Core, registry: &'a Registry) -> impl Iterator<Item = Status> + 'a {
    let now = core.clock.now();
    registry.all().into_iter().map(move |project| {
        project
            .vital()
            .shown(now, core.rules.threshold, crate::GRACE)
            .status
    })
}

/// How many projects there are of each status.
pub(crate) fn counted(core: &Core) -> BTreeMap<Status, usize> {
    let mut counts = BTreeMap::new();
    for status in shown(core, &core.registry) {
        *counts.entry(status.counted()).or_default() += 1;
    }
    counts
}

fn by_project(to: &mut Scraped, core: &Core) {
    let (now, family) = (core.clock.now(), Family::<ByProject, Gauge>::default());
    for project in core.registry.all().into_iter().take(MAX_NAMED) {
        let is_alive = project
            .vital()
            .shown(now, core.rules.threshold, crate::GRACE)
            .status
            .is_alive();
        family
            .get_or_create(&ByProject {
                project: project.slug().into(),
            })
            .set(i64::from(is_alive));
    }
    to.register(
        "federation_project_up",
        "Whether a project is alive; the first thousand by slug",
        family,
    );
}
