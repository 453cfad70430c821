//! The page of docs/reference that lists every metric: made from what a node shows when it has something of everything.
use super::{BreakerSample, Counted, CreditSample, JobMetrics, Sample, Tally, encode};
use crate::reporting::Reports;
use icn_api::node::{BackupsStatus, JobsStatus, LogStatus, ManaStatus, NetworkStatus, StorageStatus};
use icn_model::{Digest, EpochNumber, Height, Mana, Millis, Time};
use icn_net::CounterValues;
use icn_protocol::{counters::Counts, credit::CreditCounts};
use icn_serve::{
    exposition::table,
    http::{Answered, HttpMetrics},
};
use icn_store::CommitCounts;
use std::{collections::BTreeMap, path::Path, time::Duration};

const HEAD: &str = "\
# Metrics

Every metric of a node itself, in OpenMetrics text at `/metrics`: on `[monitoring] metrics_bind_addr` without a key, and
on the interface for keys with the scope `read` (docs/operating/access.md). Counters and histograms begin anew with the
process. What the consensus runtime counts for itself follows them in the same text, under names of its own that may
change with it.

`UPDATE=1 cargo test -p icn-node --lib metrics` writes this page from the program; a test fails where they differ.

| metric | kind | labels | meaning |
|---|---|---|---|
";

/// A node that has something of everything.
fn sample() -> Sample {
    Sample {
        uptime_secs: 1,
        mana: Some(ManaStatus {
            available: Mana::ZERO,
            held: Mana::ZERO,
            maturing: Mana::ZERO,
        }),
        jobs: JobsStatus::default(),
        executed: BTreeMap::new(),
        running_here: 0,
        peers: 0,
        connections: 0,
        seats: NetworkStatus {
            peers: 0,
            seats: 1,
            seats_online: 1,
            quorum: 1,
        },
        counts: Counts {
            refused: [("sequence-used", 1)].into(),
            refused_in_blocks: [("sequence-used", 1)].into(),
            ..Counts::default()
        },
        network: CounterValues::default(),
        credit: CreditSample {
            counts: CreditCounts {
                refused: [("signature", 1)].into(),
                ..CreditCounts::default()
            },
            exposure: [("EUR.2".parse().unwrap(), icn_state::Exposure::default())].into(),
            cleared: [("EUR.2".parse().unwrap(), icn_model::ClearedUnit::default())].into(),
        },
        breakers: ["peer", "federation-service"].map(|of| BreakerSample {
            of,
            circuits: Vec::new(),
            openings: 0,
        }),
        protocol: 1,
        log_ended: None,
        blacklisted: 0,
        log: LogStatus {
            height: Height::new(1),
            root: Digest::ZERO,
            time: Time::ZERO,
            age_ms: Millis::ZERO,
            lag_blocks: 0,
            epoch: EpochNumber::ZERO,
            waiting_operations: 0,
        },
        log_running: true,
        ready: true,
        storage: StorageStatus {
            free_bytes: Some(0),
            ..StorageStatus::default()
        },
        commits: CommitCounts::default(),
        backups: BackupsStatus::default(),
        certificate_ends: Some(Time::ZERO),
    }
}

fn text() -> String {
    let (http, jobs, tally) = (HttpMetrics::default(), JobMetrics::default(), Tally::default());
    let answered = Answered {
        method: "GET",
        route: "/health".into(),
        status: 200,
    };
    http.count(answered, Duration::ZERO);
    let counted = Counted {
        http: &http,
        jobs: &jobs,
        tally: &tally,
        reports: &Reports::default(),
    };
    encode(&counted, &sample()).unwrap()
}

#[test]
fn the_page_lists_what_a_node_shows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
    let page = HEAD.to_owned() + &table(&text());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let present = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        present == page,
        "docs/reference/metrics.md differs from the program: run UPDATE=1 cargo test -p icn-node --lib metrics"
    );
}

#[test]
fn every_metric_that_operators_look_for_is_there_from_the_start() {
    let text = text();
    for name in [
        "icn_node_uptime_seconds",
        "icn_mana_balance_total",
        "icn_jobs_executed_total",
        "icn_p2p_peers_connected",
        "icn_governance_proposals_total",
        "wasm_memory_growth_denied_total",
        "wasm_table_growth_denied_total",
        "gossip_entries_total",
        "ledger_validation_failures_total",
        "network_connections_active",
    ] {
        let is_sample = |line: &str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        };
        assert!(text.lines().any(is_sample), "{name}: {text}");
    }
}
