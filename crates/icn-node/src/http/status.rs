//! How the node fares: put together from what it knows at this moment, without waiting for anything but the
//! store.
use super::app::App;
use crate::{
    files,
    metrics::{BreakerSample, CreditSample, Sample},
    reporting::Failing,
};
use icn_api::node::{
    FederationBrief, Info, JobsStatus, LogStatus, ManaStatus, NetworkStatus, NodeRole, Ready, ReadyCheck,
    Status, StorageStatus,
};
use icn_model::{
    ClearedUnit, CreditUnit, JobStatus, Millis, RoundPhase, RoundRecord, SeatEntry, SeatPhase, Time,
};
use icn_serve::clock::rfc3339;
use icn_state::State as LogState;
use icn_store::{BlockUsage, Location, Reader as _, Table};
use std::{collections::BTreeMap, panic::resume_unwind};

/// Block times that lie this far behind the clock, and three heartbeats, while enough seats are connected,
/// mean that this node has not caught up.
const BEHIND: Millis = Millis::from_secs(15);
/// Less than this on the disk is worth a warning.
const LITTLE_ROOM_BYTES: u64 = 1 << 30;

/// What the node is.
pub(super) fn info(app: &App) -> Info {
    let inner = &app.inner;
    let (name, role, federation) = app.ledger().read(|state| {
        let name = state.seat_record(&inner.did).map(|seat| seat.name.clone());
        let federation = state.federation_record();
        (
            name,
            role(app, state),
            FederationBrief {
                name: federation.name.clone(),
                id: federation.id,
            },
        )
    });
    Info {
        version: env!("CARGO_PKG_VERSION").into(),
        did: inner.did,
        name,
        key: inner.key,
        peer_id: inner.network.snapshot().peer_id,
        role,
        federation: Some(federation),
        engine: inner.engine.clone(),
        storage: inner.storage.into(),
        http_address: inner.http_address.to_string(),
        p2p_addresses: inner.p2p_addresses.clone(),
        test_mode: inner.config.runtime.test_mode,
        started: inner.started,
    }
}

fn role(app: &App, state: &LogState) -> NodeRole {
    let seated = seats(state).iter().find(|seat| seat.did == app.inner.did);
    if let Some(seat) = seated {
        return NodeRole::Seat { kind: seat.kind };
    }
    let waits_for = match state.seat_record(&app.inner.did).map(|seat| seat.phase) {
        Some(SeatPhase::Applied { .. }) => "the vote of the cooperatives",
        Some(SeatPhase::Suspended { .. }) => "the end of its suspension",
        Some(SeatPhase::Admitted { .. }) => "the log: it says that it is ready when it has caught up",
        Some(SeatPhase::Ready {}) => "the next epoch",
        None if app.inner.applies => "the log: its application is not yet in what it has of it",
        _ => return NodeRole::Observer {},
    };
    NodeRole::Applicant {
        waits_for: waits_for.into(),
    }
}

/// Who orders the current epoch's blocks.
fn seats(state: &LogState) -> &[SeatEntry] {
    state.seats(state.epoch()).unwrap_or_default()
}

/// The network in numbers.
pub(super) fn network(app: &App) -> NetworkStatus {
    let online = app.online();
    let (seats, seats_online) = app.ledger().read(|state| {
        let seats = seats(state);
        (
            seats.len(),
            seats.iter().filter(|seat| online.contains(&seat.key)).count(),
        )
    });
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    NetworkStatus {
        // This node counts as online and is no peer.
        peers: number(online.len().saturating_sub(1)),
        seats: number(seats),
        seats_online: number(seats_online),
        quorum: NetworkStatus::quorum_of(number(seats)),
    }
}

/// What `GET /ready` says of a node that is not in operation for want of one thing.
pub(super) fn lacking(name: &str, reason: String) -> Ready {
    let check = ReadyCheck {
        name: name.into(),
        passed: false,
        reason,
    };
    Ready {
        ready: false,
        checks: vec![check],
    }
}

/// Whether the node can serve. Quorum is told and not required: without it the node still answers, and nodes
/// that wait for each other to be ready would wait for ever.
pub(super) fn ready(app: &App) -> Ready {
    let progress = app.ledger().progress();
    let network = network(app);
    let has_quorum = network.seats_online >= network.quorum;
    let check = |name: &str, passed, reason: String| ReadyCheck {
        name: name.into(),
        passed,
        reason,
    };
    let ended = app.ended();
    let log = check(
        "log",
        ended.is_none(),
        ended.unwrap_or_else(|| format!("running, at height {}", progress.height)),
    );
    let read = app.ledger().store().get(Table::Meta, b"ready");
    let storage = check(
        "storage",
        read.is_ok(),
        read.map_or_else(
            |error| error.to_string(),
            |_| format!("{} answers", app.inner.storage),
        ),
    );
    let NetworkStatus {
        seats,
        seats_online,
        quorum,
        ..
    } = network;
    let seen = format!("{seats_online} of {seats} seats are online, {quorum} are needed to order operations");
    let heartbeat = app.ledger().read(|state| state.parameters().heartbeat_ms);
    let age = app.now().since(progress.time);
    let (caught_up, reason) = caught_up(age, heartbeat, has_quorum);
    let checks = vec![
        log,
        storage,
        check("network", true, seen),
        check("caught-up", caught_up, reason),
    ];
    Ready {
        ready: checks.iter().all(|check| check.passed),
        checks,
    }
}

fn caught_up(age: Millis, heartbeat: Millis, has_quorum: bool) -> (bool, String) {
    let allowed = BEHIND.max(Millis::new(heartbeat.get().saturating_mul(3)));
    if age <= allowed {
        (true, format!("the last block is {age} old"))
    } else if has_quorum {
        (
            false,
            format!("the last block is {age} old, though enough seats are online for newer ones"),
        )
    } else {
        (
            true,
            format!("the last block is {age} old, and there is no quorum for newer ones"),
        )
    }
}

fn log(app: &App) -> LogStatus {
    let progress = app.ledger().progress();
    LogStatus {
        height: progress.height,
        root: progress.root,
        time: progress.time,
        age_ms: app.now().since(progress.time),
        lag_blocks: app.inner.node.lag(),
        epoch: app.ledger().read(LogState::epoch),
        waiting_operations: app.ledger().waiting() as u64,
    }
}

fn mana(app: &App) -> Option<ManaStatus> {
    let account = app
        .ledger()
        .read(|state| state.account(&app.inner.did, state.time()))?;
    Some(ManaStatus {
        available: account.available,
        held: account.held,
        maturing: account.maturing,
    })
}

fn jobs(app: &App) -> JobsStatus {
    app.ledger().read(|state| JobsStatus {
        bidding: state.jobs_by_status(JobStatus::Bidding).count() as u64,
        running: state.jobs_by_status(JobStatus::Running).count() as u64,
        running_here: state.awarded_to(&app.inner.did).count() as u64,
        slots: app.inner.node.market().offer().max_concurrent_jobs as u64,
    })
}

/// One screen about the node. What the store does not tell is shown as a warning, not as an error: whoever
/// asks how the node fares wants the rest all the more.
pub(super) async fn status(app: &App) -> Status {
    let mut warnings = Vec::new();
    let storage = storage(app, &mut warnings).await;
    let (ready, network) = (aside(app, ready).await, network(app));
    warnings.extend(warn(app, &ready, &network, &storage));
    Status {
        info: info(app),
        ready,
        uptime_secs: app.front.uptime_secs(),
        clock: app.now(),
        log: Some(log(app)),
        network,
        mana: mana(app),
        jobs: jobs(app),
        storage,
        backups: Some(app.inner.backups.last()),
        access: Some(app.front.access.status()),
        warnings,
    }
}

/// What the node keeps; what cannot be told goes to `warnings`.
async fn storage(app: &App, warnings: &mut Vec<String>) -> StorageStatus {
    let usage = app.block_usage().await.unwrap_or_else(|_| {
        warnings.push("the blocks cannot be counted: see the node's log".to_owned());
        BlockUsage::default()
    });
    let (used_bytes, free_bytes) =
        aside(app, |app| (app.ledger().store().size_bytes(), free_bytes(app))).await;
    let used_bytes = used_bytes.unwrap_or_else(|error| {
        warnings.push(format!("the store does not tell its size: {error}"));
        0
    });
    StorageStatus {
        used_bytes,
        free_bytes,
        blocks: usage.blocks,
        block_bytes: usage.size_bytes,
    }
}

/// What is free where the node writes: where its store is, or where its journals are if that is a server's.
fn free_bytes(app: &App) -> Option<u64> {
    match &app.inner.location {
        Location::Memory => None,
        Location::Directory { path, .. } => files::free_bytes(path),
        _ => files::free_bytes(&app.inner.data_dir),
    }
}

/// Reads what may take its time, the store being a server that does not answer for example, on a thread where nothing
/// waits behind it.
pub(super) async fn aside<T: Send + 'static>(app: &App, read: impl FnOnce(&App) -> T + Send + 'static) -> T {
    let app = app.clone();
    match tokio::task::spawn_blocking(move || read(&app)).await {
        Ok(read) => read,
        // Nothing cancels it, so it has panicked.
        Err(error) => resume_unwind(error.into_panic()),
    }
}

/// What an operator should look at, most urgent first.
fn warn(app: &App, ready: &Ready, network: &NetworkStatus, storage: &StorageStatus) -> Vec<String> {
    let failed = ready.checks.iter().filter(|check| !check.passed);
    let mut warnings: Vec<_> = failed
        .map(|check| format!("{}: {}", check.name, check.reason))
        .collect();
    if network.seats_online < network.quorum {
        warnings.push(format!(
            "no quorum: {} of {} seats are online, {} are needed to order operations",
            network.seats_online, network.seats, network.quorum
        ));
    }
    if storage.free_bytes.is_some_and(|free| free < LITTLE_ROOM_BYTES) {
        warnings.push(format!(
            "the disk has {} bytes left",
            storage.free_bytes.unwrap_or(0)
        ));
    }
    warnings.extend(outlived(app));
    warnings.extend(app.front.access.warnings());
    let alone = app.inner.node.exchange().circuits();
    if !alone.is_empty() {
        let names: Vec<_> = alone
            .iter()
            .map(|(peer, state)| format!("{} ({})", icn_net::peer_name(peer), state.name()))
            .collect();
        warnings.push(format!(
            "not asked for blocks, since they did not answer: {}",
            names.join(", ")
        ));
    }
    warnings.extend(app.inner.reports.failing().map(|Failing { since, error }| {
        format!(
            "the Federation Service has not taken a report since {}: {error}",
            rfc3339(since)
        )
    }));
    let one_key = app.ledger().read(|state| {
        let keys = state.seat_record(&app.inner.did).map(|seat| &seat.keys);
        keys.is_some_and(|keys| keys.officers.keys.contains(&keys.seat))
    });
    if app.inner.config.runtime.test_mode {
        warnings.push("test mode: nothing is kept, and the API key is known to everybody".into());
    } else if one_key {
        warnings.push("the seat key, which is on this machine, is also an officer's key".into());
    }
    warnings
}

/// That the federation is about to go on by a version of the protocol that this node does not know.
fn outlived(app: &App) -> Option<String> {
    let (knows, planned) = (
        app.ledger().knows(),
        app.ledger().read(|state| state.decided().upgrade),
    );
    let planned = planned.filter(|planned| planned.version > knows)?;
    Some(format!(
        "the federation goes on with version {} of the protocol from epoch {} on, and this node knows versions up to \
         {knows}: it will stop there. Install a newer release",
        planned.version, planned.epoch
    ))
}

/// What the metrics show, at this moment.
pub(super) async fn sample(app: &App) -> Sample {
    let storage = storage(app, &mut Vec::new()).await;
    let snapshot = app.inner.network.snapshot();
    let log = log(app);
    Sample {
        uptime_secs: app.front.uptime_secs(),
        mana: mana(app),
        jobs: jobs(app),
        executed: app.inner.node.market().executed(),
        running_here: app.inner.node.market().running() as u64,
        peers: snapshot.peers.len() as u64,
        connections: snapshot
            .peers
            .iter()
            .map(|peer| u64::from(peer.connections))
            .sum(),
        seats: network(app),
        counts: app.ledger().counters().get(),
        network: app.inner.network.counters(),
        credit: CreditSample {
            counts: app.inner.node.credit().counts(),
            exposure: app.ledger().read(|state| state.exposure(&app.inner.did)),
            cleared: app.ledger().read(last_cleared),
        },
        breakers: breakers(app),
        protocol: app.ledger().knows(),
        log_ended: app.end_kind(),
        blacklisted: blacklisted(app, app.now()),
        log,
        log_running: app.ended().is_none(),
        ready: aside(app, ready).await.ready,
        storage,
        commits: app.ledger().store().commit_counts(),
        backups: app.inner.backups.last(),
        certificate_ends: app.front.access.certificate_ends(),
    }
}

/// Where the circuits of those stand whom this node calls.
fn breakers(app: &App) -> [BreakerSample; 2] {
    let exchange = app.inner.node.exchange();
    let (service, service_openings) = app.inner.reports.breaker();
    [
        BreakerSample {
            of: "peer",
            circuits: exchange.circuits().into_iter().map(|(_, state)| state).collect(),
            openings: exchange.openings(),
        },
        BreakerSample {
            of: "federation-service",
            circuits: vec![service],
            openings: service_openings,
        },
    ]
}

/// What the last round of clearing that was applied came to, by unit.
fn last_cleared(state: &icn_state::State) -> BTreeMap<CreditUnit, ClearedUnit> {
    let is_applied = |round: &RoundRecord| matches!(round.phase, RoundPhase::Applied { .. });
    let last = state.rounds().rev().find(|(_, round)| is_applied(round));
    last.map_or_else(BTreeMap::new, |(number, _)| {
        let units = state.round_units(&number);
        units.map(|(unit, figures)| (unit.clone(), *figures)).collect()
    })
}

fn blacklisted(app: &App, now: Time) -> u64 {
    let listed = app.inner.node.market().blacklist();
    listed
        .iter()
        .filter(|entry| entry.until.is_some_and(|until| until > now))
        .count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_quorum_is_not_behind() {
        let (old, young) = (Millis::from_secs(60), Millis::from_secs(5));
        let heartbeat = Millis::from_secs(1);
        assert!(caught_up(young, heartbeat, true).0);
        assert!(!caught_up(old, heartbeat, true).0);
        assert!(caught_up(old, heartbeat, false).0);
        assert!(caught_up(Millis::from_secs(30), Millis::from_secs(10), true).0);
    }
}
