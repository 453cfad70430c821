//! What the service counts of itself, under the names of the deployment guide where it has one.
//!
//! No label comes from outside: reasons and routes are closed lists.
use crate::dropped::Dropped;
use icn_model::Millis;
use icn_serve::http::HttpMetrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{sync::atomic::AtomicU64, time::Duration};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
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

    /// Lets all of it be scraped.
    pub(crate) fn register(&self, to: &mut Registry) {
        to.register(
            "heartbeat",
            "Heartbeats that were accepted",
            self.heartbeats.clone(),
        );
        to.register(
            "stale_projects",
            "Projects that became offline because they were silent",
            self.stale.clone(),
        );
        to.register(
            "catalog_register",
            "Entries of the catalog that were registered or changed over HTTP",
            self.registers.clone(),
        );
        to.register("catalog_lookup", "Reads of the catalog", self.lookups.clone());
        to.register(
            "catalog_lookup_duration_seconds",
            "How long a read of the catalog took",
            self.lookup_seconds.clone(),
        );
        to.register(
            "nats_publish",
            "Changes of projects that were published over NATS",
            self.published.clone(),
        );
        let own = to.sub_registry_with_prefix("federation");
        own.register(
            "heartbeats_dropped",
            "Heartbeats that did not count, by reason",
            self.dropped.clone(),
        );
        own.register(
            "ingest_overruns",
            "Times that heartbeats came faster over NATS than they were taken in",
            self.overrun.clone(),
        );
        own.register(
            "ingest_lag_seconds",
            "How long the last probe took over NATS and back",
            self.lag_seconds.clone(),
        );
        own.register(
            "flush_seconds",
            "How long a batch took to be written",
            self.flush_seconds.clone(),
        );
        own.register(
            "flushed_rows",
            "Rows of heartbeats that were written",
            self.flushed_rows.clone(),
        );
        own.register("catalog_size", "Projects in the catalog", self.size.clone());
        own.register(
            "webhooks_delivered",
            "Calls of webhooks that were answered",
            self.delivered.clone(),
        );
        own.register(
            "webhooks_failed",
            "Calls of webhooks that failed, each try",
            self.undelivered.clone(),
        );
        self.http.register(to, "federation_");
    }
}
