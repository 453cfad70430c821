//! Read-only checks of a node and of this machine: what is well, what is not, and what mends it.
mod access;
mod check;
mod production;

use self::check::{Check, Verdict};
use super::found;
use crate::{failure::Found, format, gather, output::Output, session::Session, table::Table};
use clap::Args;
use icn_api::{
    client::{Client, ClientError},
    keyfile,
    node::{BackupsStatus, LogStatus, NetworkStatus, Status, StorageStatus},
};
use icn_model::{Millis, SeatRecord, Time};

/// Clocks may differ by this much before blocks are refused.
const MAX_CLOCK_SKEW: Millis = Millis::new(2_000);
/// Blocks that a node may be behind and still be well.
const MAX_LAG_BLOCKS: u64 = 8;
/// Free space below which a node will soon stop.
const LOW_DISK_BYTES: u64 = 1 << 30;
/// Free space below which an operator should look.
const SCARCE_DISK_BYTES: u64 = 5 << 30;
/// Heartbeats without a block after which the log stands still.
const STILL_AFTER_HEARTBEATS: u64 = 3;

/// `doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Fail on warnings, too
    #[arg(long)]
    strict: bool,
    /// Walk through the production readiness checklist of the deployment guide instead
    #[arg(long)]
    production: bool,
}

pub(crate) fn run(session: &Session, args: &DoctorArgs) -> anyhow::Result<()> {
    let mut checks = if args.production {
        Vec::new()
    } else {
        vec![profile(session), key_file(session)]
    };
    match session.client() {
        Ok(client) if args.production => checks.extend(production::checks(session, &client)),
        Ok(client) => checks.extend(node(&client)),
        Err(error) => checks.push(Check::fail("api", format!("{error:#}"), "icn-node")),
    }
    session.output.data(&checks, |output| {
        if args.production {
            return in_paragraphs(output, &checks);
        }
        let mut table = Table::new(["CHECK", "RESULT", "FINDING", "MEND"]);
        for check in &checks {
            let (verdict, mend) = (
                check.verdict.name().to_owned(),
                check.mend.clone().unwrap_or_default(),
            );
            table.row([check.name.to_owned(), verdict, check.finding.clone(), mend]);
        }
        Ok(output.table(&table)?)
    })?;
    let bad = if args.strict { Verdict::Warn } else { Verdict::Fail };
    match checks.iter().filter(|check| check.verdict >= bad).count() {
        0 => Ok(()),
        count => Err(Found(format!("{count} of {} checks need mending", checks.len())).into()),
    }
}

/// Findings that are too long for the columns of a table.
fn in_paragraphs(output: &Output, checks: &[Check]) -> anyhow::Result<()> {
    for check in checks {
        output.line(format!("{:<14}{}", check.verdict.name(), check.name))?;
        output.line(format!("              {}", check.finding))?;
        if let Some(mend) = &check.mend {
            output.line(format!("              > {mend}"))?;
        }
    }
    Ok(())
}

fn profile(session: &Session) -> Check {
    match (&session.settings.source, &session.settings.profile.api_url) {
        (Some(source), _) => Check::pass("profile", source.display().to_string()),
        (None, Some(_)) => Check::pass("profile", "none; the node is named by option or environment"),
        (None, None) => Check::warn(
            "profile",
            "none found",
            "cd to the directory with icn_data, or set ICN_PROFILE",
        ),
    }
}

fn key_file(session: &Session) -> Check {
    const NAME: &str = "key-file";
    let Some(path) = &session.settings.profile.key_path else {
        return Check::unknown(NAME, "no key file is named: nothing can be signed here");
    };
    let shown = path.display();
    match (keyfile::load(path), keyfile::exposed_mode(path)) {
        (Err(error), _) => Check::fail(
            NAME,
            format!("{:#}", anyhow::Error::from(error)),
            format!("icn-cli key show {shown}"),
        ),
        (Ok(_), Some(mode)) => Check::fail(
            NAME,
            format!("others can read {shown} (mode {mode:o})"),
            format!("chmod 600 {shown}"),
        ),
        (Ok(stored), None) if stored.is_encrypted() => Check::pass(NAME, format!("{shown}, encrypted")),
        (Ok(_), None) => Check::pass(NAME, format!("{shown}, readable by its owner only")),
    }
}

fn node(client: &Client) -> Vec<Check> {
    let mut checks = Vec::new();
    match client.health() {
        Ok(_) => checks.push(Check::pass("api", client.base_url())),
        Err(error) => {
            let mend = "icn-node; or name another with --api-url";
            checks.push(Check::fail("api", told(error), mend));
            return checks;
        }
    }
    let status = match client.status() {
        Ok(status) => status,
        Err(error) => {
            let mend = "ICN_API_KEY=… (the node writes its key to cli.toml in its data directory)";
            checks.push(Check::fail("access", told(error), mend));
            return checks;
        }
    };
    checks.push(Check::pass("access", "the API key is taken"));
    checks.push(version(&status.info.version));
    checks.push(ready(&status));
    checks.push(clock(status.clock, found::now().unwrap_or_default()));
    let federation = client.federation().ok();
    match (&status.log, &federation) {
        (Some(log), Some(federation)) => {
            let uptime = Millis::from_secs(status.uptime_secs);
            checks.push(height(log, uptime, federation.parameters.heartbeat_ms));
            checks.push(lag(log));
        }
        _ => checks.push(Check::unknown("height", "the node has no log yet")),
    }
    checks.push(quorum(&status.network));
    checks.push(match gather::seats(client) {
        Ok(members) => roles(super::node::seat(&members, &status.info.did)),
        Err(error) => Check::unknown("roles", told(error)),
    });
    checks.push(disk(&status.storage));
    checks.push(backups(status.backups, status.clock, status.info.test_mode));
    checks.extend(
        status
            .access
            .iter()
            .flat_map(|found| access::checks(found, client.base_url(), status.clock)),
    );
    checks.extend(
        status
            .warnings
            .iter()
            .map(|warning| Check::warn("node", warning, "icn-cli status")),
    );
    checks
}

fn told(error: ClientError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

fn version(node: &str) -> Check {
    let own = env!("CARGO_PKG_VERSION");
    if node == own {
        Check::pass("version", format!("node and icn-cli are {own}"))
    } else {
        Check::warn(
            "version",
            format!("the node is {node}, icn-cli is {own}"),
            "install both from one release",
        )
    }
}

fn ready(status: &Status) -> Check {
    let failed = status.ready.checks.iter().filter(|check| !check.passed);
    let reasons: Vec<_> = failed
        .map(|check| format!("{}: {}", check.name, check.reason))
        .collect();
    if status.ready.ready && reasons.is_empty() {
        Check::pass("ready", format!("{} checks", status.ready.checks.len()))
    } else {
        Check::fail(
            "ready",
            reasons.join("; "),
            "icn-cli status; the node's log says more",
        )
    }
}

fn clock(node: Time, here: Time) -> Check {
    let skew = node.since(here).max(here.since(node));
    let finding = format!("the node's clock and this one differ by {}", format::span(skew));
    if skew <= MAX_CLOCK_SKEW {
        Check::pass("clock", finding)
    } else {
        Check::fail("clock", finding, "timedatectl set-ntp true")
    }
}

fn height(log: &LogStatus, uptime: Millis, heartbeat: Millis) -> Check {
    let finding = format!("height {}, {} old", log.height, format::span(log.age_ms));
    let still = heartbeat
        .get()
        .saturating_mul(STILL_AFTER_HEARTBEATS)
        .saturating_add(MAX_CLOCK_SKEW.get());
    if log.age_ms.get() <= still {
        Check::pass("height", finding)
    } else if uptime.get() <= still {
        // Its last block is as old as it was away for, until it has the next.
        let since = format::span(uptime);
        Check::warn(
            "height",
            format!("{finding}: no new block in the {since} since the node started"),
            "wait; it may have to find the others first",
        )
    } else {
        Check::fail(
            "height",
            format!("{finding}: no new blocks"),
            "icn-cli network peers; are enough seats online?",
        )
    }
}

fn lag(log: &LogStatus) -> Check {
    let finding = format!("{} blocks behind", log.lag_blocks);
    if log.lag_blocks <= MAX_LAG_BLOCKS {
        Check::pass("lag", finding)
    } else {
        Check::warn("lag", finding, "wait; if it does not fall: icn-cli network peers")
    }
}

fn quorum(network: &NetworkStatus) -> Check {
    let NetworkStatus {
        peers,
        seats,
        seats_online,
        quorum,
    } = *network;
    let finding = format!("{seats_online} of {seats} seats online, {quorum} needed, {peers} peers");
    if seats == 0 {
        return Check::unknown("quorum", "the node knows no seats yet");
    }
    if seats_online < quorum {
        return Check::fail(
            "quorum",
            finding,
            "icn-cli network peers; start the missing nodes",
        );
    }
    if matches!(seats, 2 | 3) {
        let mend =
            "invite a cooperative or witness: four seats survive the loss of one (icn-cli federation invite)";
        return Check::warn("quorum", format!("{finding}: every seat must be online"), mend);
    }
    if seats > 1 && seats_online == quorum {
        return Check::warn(
            "quorum",
            format!("{finding}: one more loss stops the log"),
            "start the missing nodes",
        );
    }
    Check::pass("quorum", finding)
}

fn roles(seat: Option<&SeatRecord>) -> Check {
    let Some(SeatRecord { keys, .. }) = seat else {
        return Check::unknown("roles", "the node has no seat");
    };
    if keys.officers.keys.contains(&keys.seat) {
        return Check::warn(
            "roles",
            "the seat key, on an online machine, also speaks for the cooperative",
            "icn-cli key new officer.pem, kept offline, then icn-cli key assign --officer KEY --recovery KEY",
        );
    }
    if keys.recovery == keys.seat {
        return Check::warn(
            "roles",
            "the seat key, on an online machine, can replace every other key",
            "icn-cli key new recovery.pem, kept offline, then icn-cli key assign --recovery KEY",
        );
    }
    Check::pass("roles", "officers and recovery have keys of their own")
}

fn disk(storage: &StorageStatus) -> Check {
    let Some(free) = storage.free_bytes else {
        return Check::unknown("disk", "the node does not tell how much is free");
    };
    let finding = format!(
        "{} free, {} used",
        format::bytes(free),
        format::bytes(storage.used_bytes)
    );
    match free {
        0..LOW_DISK_BYTES => Check::fail("disk", finding, "free space on the node's disk"),
        LOW_DISK_BYTES..SCARCE_DISK_BYTES => Check::warn("disk", finding, "free space on the node's disk"),
        _ => Check::pass("disk", finding),
    }
}

fn backups(backups: Option<BackupsStatus>, clock: Time, is_test_mode: bool) -> Check {
    let last = backups.and_then(|made| made.last());
    backup_age("backup", last, clock, is_test_mode)
}

/// How old the last backup of a kind is.
fn backup_age(kind: &str, last: Option<Time>, clock: Time, is_test_mode: bool) -> Check {
    const NAME: &str = "backups";
    const MEND: &str = "icn-cli dag backup --path ./backups, every day (add --incremental)";
    if is_test_mode {
        return Check::pass(NAME, "none, and test mode keeps nothing");
    }
    let Some(last) = last else {
        return Check::warn(NAME, format!("the node never made a {kind}"), MEND);
    };
    let age = clock.since(last);
    let finding = format!("the last {kind} is {} old", format::span(age));
    if production::is_old(age) {
        Check::warn(NAME, finding, MEND)
    } else {
        Check::pass(NAME, finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{Digest, EpochNumber, Height};

    fn network(seats: u32, seats_online: u32) -> NetworkStatus {
        NetworkStatus {
            peers: 0,
            seats,
            seats_online,
            quorum: NetworkStatus::quorum_of(seats),
        }
    }

    #[test]
    fn quorum_is_judged_by_what_a_loss_would_mean() {
        let cases = [
            (0, 0, Verdict::Unknown),
            (1, 1, Verdict::Pass),
            (2, 2, Verdict::Warn),
            (3, 2, Verdict::Fail),
            (4, 4, Verdict::Pass),
            (4, 3, Verdict::Warn),
            (4, 2, Verdict::Fail),
        ];
        for (seats, online, verdict) in cases {
            assert_eq!(
                quorum(&network(seats, online)).verdict,
                verdict,
                "{online} of {seats}"
            );
        }
    }

    #[test]
    fn clocks_disks_and_heights_have_limits() {
        let at = |ms| Time::new(ms);
        assert_eq!(clock(at(10_000), at(8_000)).verdict, Verdict::Pass);
        assert_eq!(clock(at(8_000), at(10_001)).verdict, Verdict::Fail);
        let free = |free_bytes| {
            disk(&StorageStatus {
                free_bytes,
                ..StorageStatus::default()
            })
            .verdict
        };
        assert_eq!(free(None), Verdict::Unknown);
        assert_eq!(free(Some(0)), Verdict::Fail);
        assert_eq!(free(Some(2 << 30)), Verdict::Warn);
        assert_eq!(free(Some(50 << 30)), Verdict::Pass);
        let log = |age_ms, lag_blocks| LogStatus {
            height: Height::new(1),
            root: Digest::ZERO,
            time: Time::ZERO,
            age_ms: Millis::new(age_ms),
            lag_blocks,
            epoch: EpochNumber::ZERO,
            waiting_operations: 0,
        };
        let heartbeat = Millis::from_secs(1);
        let aged = |age_ms, uptime_ms| height(&log(age_ms, 0), Millis::new(uptime_ms), heartbeat).verdict;
        assert_eq!(aged(5_000, 60_000), Verdict::Pass);
        assert_eq!(aged(5_001, 60_000), Verdict::Fail);
        assert_eq!(aged(5_001, 5_001), Verdict::Fail);
        assert_eq!(aged(3_600_000, 5_000), Verdict::Warn, "it was away for an hour");
        assert_eq!(lag(&log(0, 9)).verdict, Verdict::Warn);
    }

    #[test]
    fn whatever_is_wrong_has_a_way_out() {
        for check in [version("0.0.0"), quorum(&network(3, 1)), roles(None)] {
            assert_eq!(
                check.mend.is_some(),
                check.verdict >= Verdict::Warn,
                "{}",
                check.name
            );
        }
    }
}
