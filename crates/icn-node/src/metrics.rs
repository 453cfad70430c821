//! Metrics in the text format of OpenMetrics.
//!
//! Requests are counted as they are answered ([`HttpMetrics`]), jobs as they end here ([`JobMetrics`]), what the log
//! brings about as its events come ([`Tally`]); everything else is read when somebody scrapes, from a [`Sample`] of what
//! the node knows anyway. Every label has few values: routes are the templates of the table of routes, peers and jobs
//! are counted and not named. What the consensus runtime counts for itself follows as it is.
//!
//! docs/reference/metrics.md lists every metric: `UPDATE=1 cargo test -p icn-node --lib metrics` writes it anew.
mod credit;
mod jobs;
#[cfg(test)]
mod reference;
mod tally;

pub(crate) use credit::CreditSample;
pub(crate) use jobs::JobMetrics;
pub(crate) use tally::Tally;

use crate::reporting::Reports;
use icn_api::node::{BackupsStatus, JobsStatus, LogStatus, ManaStatus, NetworkStatus, StorageStatus};
use icn_model::{EventKind, Fault, Mana, PROTOCOL_VERSION, Time};
use icn_net::CounterValues;
use icn_protocol::{counters::Counts, ledger::LedgerError, resilience::CircuitState};
use icn_serve::http::HttpMetrics;
use icn_store::CommitCounts;
use prometheus_client::{
    encoding::text,
    metrics::{
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use std::{collections::BTreeMap, fmt};

const END: &str = "# EOF\n";
/// How jobs end: shown from the start, so that an alert can ask for their increase.
const ENDINGS: [&str; 3] = ["succeeded", "failed", "host-failure"];
/// Buckets of [`durations`].
const BUCKETS: u16 = 15;

/// A histogram of what takes from four milliseconds to over a minute.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.004, 2.0, BUCKETS))
}

/// What the node knows at one moment.
pub(crate) struct Sample {
    /// Since the process started, in seconds.
    pub(crate) uptime_secs: u64,
    /// The node's account, if it has one.
    pub(crate) mana: Option<ManaStatus>,
    /// Jobs of the federation and of this node.
    pub(crate) jobs: JobsStatus,
    /// Jobs that ran here, by how they ended.
    pub(crate) executed: BTreeMap<&'static str, u64>,
    /// Jobs that run here now.
    pub(crate) running_here: u64,
    /// Connected peers.
    pub(crate) peers: u64,
    /// Connections with them.
    pub(crate) connections: u64,
    /// Seats, and how many are online.
    pub(crate) seats: NetworkStatus,
    /// What the protocol refused, saw others do wrong, and forgot.
    pub(crate) counts: Counts,
    /// What the network counts.
    pub(crate) network: CounterValues,
    /// Its lines of credit.
    pub(crate) credit: CreditSample,
    /// Whom this node calls, and who of them is left alone because it did not answer.
    pub(crate) breakers: [BreakerSample; 2],
    /// The latest version of the protocol that the program knows.
    pub(crate) protocol: u32,
    /// Why the log has ended, if it has.
    pub(crate) log_ended: Option<&'static str>,
    /// Executors that this node gives no jobs.
    pub(crate) blacklisted: u64,
    /// Where the log stands.
    pub(crate) log: LogStatus,
    /// Whether the log runs.
    pub(crate) log_running: bool,
    /// Whether the node can serve.
    pub(crate) ready: bool,
    /// What it keeps.
    pub(crate) storage: StorageStatus,
    /// What its store has written.
    pub(crate) commits: CommitCounts,
    /// When it was backed up.
    pub(crate) backups: BackupsStatus,
    /// Until when its certificate is valid, if it has one.
    pub(crate) certificate_ends: Option<Time>,
}

/// The circuits of one kind of those whom this node calls.
pub(crate) struct BreakerSample {
    /// Which kind.
    pub(crate) of: &'static str,
    /// Where they stand; closed ones need not be there.
    pub(crate) circuits: Vec<CircuitState>,
    /// How often one has opened.
    pub(crate) openings: u64,
}

/// What counts by itself, without being asked.
pub(crate) struct Counted<'a> {
    /// Requests.
    pub(crate) http: &'a HttpMetrics,
    /// Jobs that ran here.
    pub(crate) jobs: &'a JobMetrics,
    /// What the log has brought about.
    pub(crate) tally: &'a Tally,
    /// Reports to a Federation Service.
    pub(crate) reports: &'a Reports,
}

/// The text of all metrics of the node itself.
///
/// # Errors
/// The encoder's, which has none when it writes to memory.
pub(crate) fn encode(counted: &Counted<'_>, sample: &Sample) -> Result<String, fmt::Error> {
    let mut text = String::new();
    text::encode(&mut text, &registry(counted, sample))?;
    Ok(text)
}

/// The text of the metrics of a node that is not in operation yet: what it is, that it is not ready, and who asks it.
///
/// # Errors
/// The encoder's, which has none when it writes to memory.
pub(crate) fn encode_before_operation(http: &HttpMetrics, uptime_secs: u64) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    program(&mut registry, PROTOCOL_VERSION, uptime_secs, false);
    http.register(&mut registry, "icn_");
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

fn registry(counted: &Counted<'_>, sample: &Sample) -> Registry {
    let mut registry = Registry::default();
    node(&mut registry, sample);
    log(&mut registry, sample);
    refusals(&mut registry, sample);
    faults(&mut registry, sample);
    jobs(&mut registry, sample);
    storage(&mut registry, sample);
    network(&mut registry, sample);
    credit::register(&mut registry, sample);
    counted.tally.register(&mut registry);
    counted.jobs.register(&mut registry);
    counted.reports.register(&mut registry);
    counted.http.register(&mut registry, "icn_");
    registry
}

/// One text of two, with one end.
pub(crate) fn join(mut own: String, others: &str) -> String {
    own.truncate(own.strip_suffix(END).unwrap_or(&own).len());
    let others = others.strip_suffix(END).unwrap_or(others);
    own.push_str(others);
    if !others.is_empty() && !others.ends_with('\n') {
        own.push('\n');
    }
    own.push_str(END);
    own
}

/// A gauge: its name, what it tells, its value.
type Value = (&'static str, &'static str, u64);

fn gauges<const N: usize>(registry: &mut Registry, values: [Value; N]) {
    for (name, help, value) in values {
        registry.register(name, help, ConstGauge::new(value));
    }
}

/// Counters that differ in one label.
fn counters(
    registry: &mut Registry,
    (name, help): (&'static str, &'static str),
    label: &'static str,
    values: impl IntoIterator<Item = (&'static str, u64)>,
) {
    let family = Family::<[(&'static str, &'static str); 1], Counter>::default();
    for (value, count) in values {
        family.get_or_create(&[(label, value)]).inc_by(count);
    }
    registry.register(name, help, family);
}

/// Whole mana. Past 2^53 thousandths the last digits round, which a dashboard bears.
#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floating-point numbers by their format"
)]
fn whole(amount: Mana) -> f64 {
    amount.milli() as f64 / 1_000.0
}

/// What is told of the program in any state.
fn program(registry: &mut Registry, protocol: u32, uptime_secs: u64, ready: bool) {
    let build = Family::<[(&'static str, String); 2], Gauge>::default();
    let labels = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("protocol", protocol.to_string()),
    ];
    build.get_or_create(&labels).set(1);
    let help = "Always 1: the program's version, and the latest version of the protocol that it knows";
    registry.register("icn_build_info", help, build);
    gauges(
        registry,
        [
            (
                "icn_node_uptime_seconds",
                "Since the process started",
                uptime_secs,
            ),
            (
                "icn_node_ready",
                "Whether every check of /ready passes",
                ready.into(),
            ),
        ],
    );
}

fn node(registry: &mut Registry, sample: &Sample) {
    program(registry, sample.protocol, sample.uptime_secs, sample.ready);
    let ended = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    for kind in LedgerError::KINDS {
        let is_so = i64::from(sample.log_ended == Some(kind));
        ended.get_or_create(&[("reason", kind)]).set(is_so);
    }
    let help = "1 for the reason why the log of this node has ended, if it has";
    registry.register("icn_log_ended", help, ended);
    let Some(mana) = sample.mana else { return };
    let amounts = [
        // The name is the one that operators' dashboards have; it is a balance, and falls as well.
        (
            "icn_mana_balance_total",
            "Mana that this node's cooperative can spend",
            mana.available,
        ),
        (
            "icn_mana_held",
            "Mana of this node's cooperative held for open jobs",
            mana.held,
        ),
        (
            "icn_mana_maturing",
            "Pay of this node's cooperative that can be challenged",
            mana.maturing,
        ),
    ];
    for (name, help, amount) in amounts {
        registry.register(name, help, ConstGauge::new(whole(amount)));
    }
}

fn storage(registry: &mut Registry, sample: &Sample) {
    let (storage, backups) = (&sample.storage, &sample.backups);
    gauges(
        registry,
        [
            (
                "icn_storage_blocks",
                "Blocks of the DAG on this node",
                storage.blocks,
            ),
            (
                "icn_storage_block_bytes",
                "Bytes of the DAG's blocks on this node",
                storage.block_bytes,
            ),
            (
                "icn_storage_used_bytes",
                "What the store takes on disk; 0 in memory",
                storage.used_bytes,
            ),
        ],
    );
    let CommitCounts { commits, groups } = sample.commits;
    let help = "Commits that the store was asked for and has written";
    registry.register("icn_storage_commits", help, ConstCounter::new(commits));
    let help = "What they became: commits that wait for the disk at the same time are written as one";
    registry.register("icn_storage_group_commits", help, ConstCounter::new(groups));
    let forgotten = |kind: EventKind| {
        let count = sample.counts.forgotten.get(&kind).copied().unwrap_or(0);
        (kind.name(), count)
    };
    let name = (
        "icn_events_forgotten",
        "Events that are kept no longer, as `[events.retention_days]` says",
    );
    counters(registry, name, "kind", EventKind::ALL.map(forgotten));
    if let Some(free) = storage.free_bytes {
        let help = "What is free on the store's disk";
        gauges(registry, [("icn_storage_free_bytes", help, free)]);
    }
    let family = Family::<[(&'static str, &'static str); 1], Gauge>::default();
    for (kind, made) in [
        ("full", backups.last_full),
        ("incremental", backups.last_incremental),
    ] {
        let seconds = i64::try_from(made.map_or(0, Time::get) / 1_000).unwrap_or(i64::MAX);
        family.get_or_create(&[("kind", kind)]).set(seconds);
    }
    let help = "When the last backup was made, in seconds since 1970; 0 for never";
    registry.register("icn_backup_last_timestamp_seconds", help, family);
    if let Some(ends) = sample.certificate_ends {
        let help = "Until when the interface's certificate is valid, in seconds since 1970";
        let name = "icn_certificate_not_after_timestamp_seconds";
        gauges(registry, [(name, help, ends.get() / 1_000)]);
    }
}

fn log(registry: &mut Registry, sample: &Sample) {
    let (log, seats) = (&sample.log, &sample.seats);
    gauges(
        registry,
        [
            (
                "icn_log_running",
                "Whether the log of this node runs",
                sample.log_running.into(),
            ),
            (
                "icn_log_height",
                "Last block that is final, executed and durable here",
                log.height.get(),
            ),
            ("icn_log_epoch", "Current epoch", log.epoch.get()),
            (
                "icn_log_lag_blocks",
                "Final blocks that are not durable here yet",
                log.lag_blocks,
            ),
            (
                "icn_log_age_seconds",
                "How old the last block is",
                log.age_ms.get() / 1_000,
            ),
            (
                "icn_log_waiting_operations",
                "Operations that wait to be ordered",
                log.waiting_operations,
            ),
            ("icn_log_seats", "Seats of the current epoch", seats.seats.into()),
            (
                "icn_log_seats_online",
                "Seats that are this node or connected to it",
                seats.seats_online.into(),
            ),
            (
                "icn_log_quorum",
                "Seats that must be online to order operations",
                seats.quorum.into(),
            ),
        ],
    );
}

fn refusals(registry: &mut Registry, sample: &Sample) {
    let Counts {
        refused,
        refused_in_blocks,
        ..
    } = &sample.counts;
    let name = (
        "icn_operations_refused",
        "Operations handed in here that went no further, by the name of the refusal",
    );
    counters(
        registry,
        name,
        "reason",
        refused.iter().map(|(name, count)| (*name, *count)),
    );
    let name = (
        "icn_operations_refused_in_blocks",
        "Operations in final blocks that changed nothing, by the name of the refusal",
    );
    let in_blocks = refused_in_blocks.iter().map(|(name, count)| (*name, *count));
    counters(registry, name, "reason", in_blocks);
    let name = (
        "ledger_validation_failures",
        "Operations that the ledger's rules refused, as they were handed in here or in a final block",
    );
    let stages = [
        ("handed-in", refused.values().sum()),
        ("in-block", refused_in_blocks.values().sum()),
    ];
    counters(registry, name, "stage", stages);
}

/// What others did wrong, by the name that `icn-cli explain` knows. Every fault is shown from the start, so that
/// an alert can ask for its increase.
fn faults(registry: &mut Registry, sample: &Sample) {
    let network = &sample.network;
    let seen_by_network = |fault| match fault {
        // What gossip rejects never gets to the protocol.
        Fault::MalformedMessage => network.gossip_rejected,
        Fault::BrokenFrame => network.frames_invalid,
        Fault::WrongKey => network.wrong_keys,
        Fault::Stranger => network.streams_refused,
        Fault::RefusedConnection => network.connections_refused,
        _ => 0,
    };
    let count = |fault: &Fault| {
        let seen_by_protocol = sample.counts.faults.get(fault).copied().unwrap_or(0);
        (fault.code().name, seen_by_protocol + seen_by_network(*fault))
    };
    let name = (
        "icn_faults",
        "What other nodes did wrong, by the name of the fault",
    );
    counters(registry, name, "fault", Fault::ALL.iter().map(count));
}

fn jobs(registry: &mut Registry, sample: &Sample) {
    let mut executed: BTreeMap<_, _> = ENDINGS.map(|ending| (ending, 0)).into();
    executed.extend(&sample.executed);
    let name = (
        "icn_jobs_executed",
        "Jobs that ran on this node, by how they ended",
    );
    counters(registry, name, "result", executed);
    let jobs = &sample.jobs;
    gauges(
        registry,
        [
            (
                "icn_jobs_executing",
                "Jobs that run on this node now",
                sample.running_here,
            ),
            ("icn_jobs_slots", "Jobs that this node runs at once", jobs.slots),
            (
                "icn_jobs_bidding",
                "Jobs of the federation that wait for an award",
                jobs.bidding,
            ),
            (
                "icn_jobs_running",
                "Jobs of the federation that have executors",
                jobs.running,
            ),
            (
                "icn_mesh_blacklisted",
                "Executors that this node gives no jobs",
                sample.blacklisted,
            ),
        ],
    );
}

fn network(registry: &mut Registry, sample: &Sample) {
    let counts = &sample.network;
    gauges(
        registry,
        [
            ("icn_p2p_peers_connected", "Connected peers", sample.peers),
            (
                "network_connections_active",
                "Connections with peers",
                sample.connections,
            ),
            (
                "icn_network_gossip_queued",
                "Gossip messages that wait for a subscriber",
                counts.gossip_queued,
            ),
        ],
    );
    let single = [(
        "icn_network_dials_failed",
        "Dials that reached nobody",
        counts.dials_failed,
    )];
    for (name, help, value) in single {
        registry.register(name, help, ConstCounter::new(value));
    }
    let family = Family::<[(&'static str, &'static str); 2], Gauge>::default();
    for breaker in &sample.breakers {
        for state in [CircuitState::Open, CircuitState::HalfOpen] {
            let circuits = breaker.circuits.iter().filter(|circuit| **circuit == state);
            let count = i64::try_from(circuits.count()).unwrap_or(i64::MAX);
            let labels = [("of", breaker.of), ("state", state.name())];
            family.get_or_create(&labels).set(count);
        }
    }
    let help = "Those who did not answer and are left alone, or tried once: peers for blocks, and the Federation Service";
    registry.register("icn_breaker_circuits", help, family);
    let openings = sample
        .breakers
        .iter()
        .map(|breaker| (breaker.of, breaker.openings));
    counters(
        registry,
        ("icn_breaker_openings", "Times that one of them was left alone"),
        "of",
        openings,
    );
    let gossip = [
        ("published", counts.gossip_published),
        ("received", counts.gossip_received),
        ("rejected", counts.gossip_rejected),
        ("ignored", counts.gossip_ignored),
        ("dropped", counts.gossip_dropped),
    ];
    counters(
        registry,
        ("gossip_entries", "Gossip messages, by what became of them"),
        "result",
        gossip,
    );
    let messages = [
        ("urgent-out", counts.urgent_out_messages),
        ("urgent-in", counts.urgent_in_messages),
        ("bulk-out", counts.bulk_out_messages),
        ("bulk-in", counts.bulk_in_messages),
    ];
    counters(
        registry,
        ("icn_network_messages", "Messages on the seats' channels"),
        "channel",
        messages,
    );
    let bytes = [
        ("urgent-out", counts.urgent_out_bytes),
        ("urgent-in", counts.urgent_in_bytes),
        ("bulk-out", counts.bulk_out_bytes),
        ("bulk-in", counts.bulk_in_bytes),
    ];
    counters(
        registry,
        ("icn_network_bytes", "Bytes on the seats' channels"),
        "channel",
        bytes,
    );
    let dropped = [
        ("out", counts.frames_dropped_out),
        ("in", counts.frames_dropped_in),
        ("invalid", counts.frames_invalid),
        ("oversized", counts.messages_oversized),
    ];
    let name = (
        "icn_network_messages_dropped",
        "Messages that went nowhere, and why",
    );
    counters(registry, name, "reason", dropped);
    let connections = [
        ("opened", counts.connections_opened),
        ("closed", counts.connections_closed),
        ("refused", counts.connections_refused),
    ];
    let name = ("icn_network_connections", "Connections, by what became of them");
    counters(registry, name, "event", connections);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_texts_have_one_end() {
        for (own, others) in [
            ("a 1\n# EOF\n", "b 2\n# EOF\n"),
            ("a 1\n", "b 2\n"),
            ("a 1\n# EOF\n", "b 2"),
        ] {
            assert_eq!(join(own.into(), others), "a 1\nb 2\n# EOF\n");
        }
        assert_eq!(join("a 1\n# EOF\n".into(), ""), "a 1\n# EOF\n");
    }
}
