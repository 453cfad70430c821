//! The production readiness checklist of the deployment guide, point by point: what a node that runs lets the software
//! vouch for, and what is for people to say.
use super::{
    access,
    check::{Check, Verdict},
    disk, key_file, node, ready, roles, told,
};
use crate::{commands::node::seat, gather, session::Session};
use icn_api::{
    TEST_MODE_KEY,
    backups::VerifyStatus,
    client::Client,
    config::{Configuration, Setting},
    keyfile,
    node::{BackupsStatus, Status},
};
use icn_model::{Millis, Time};
use std::path::Path;

/// A backup that is older is no regular one.
const BACKUP_IS_OLD: Millis = Millis::from_secs(7 * 24 * 3_600);
/// Metrics that were read less often, this command itself and people may have read.
const SCRAPED: u64 = 10;
const BACKUP: &str = "icn-cli dag backup --path ./backups";
const OPERATING: &str = "docs/operating";

/// What the node tells, and what this machine knows.
struct Seen<'a> {
    session: &'a Session,
    client: &'a Client,
    status: &'a Status,
    /// None if the key may not read it.
    settings: Option<Vec<Setting>>,
}

/// Every point of the checklist, in its order.
pub(super) fn checks(session: &Session, client: &Client) -> Vec<Check> {
    let status = match client.status() {
        Ok(status) => status,
        // Without the node there is nothing to walk through; the common checks say why.
        Err(_) => return node(client),
    };
    let seen = Seen {
        session,
        client,
        status: &status,
        settings: client.config().ok().map(|Configuration { settings }| settings),
    };
    let mut checks = seen.security();
    checks.extend(seen.operations());
    checks.extend(seen.technical());
    for check in &mut checks {
        if check.verdict > Verdict::Pass && check.mend.is_none() {
            check.mend = Some("icn-cli doctor says more".into());
        }
    }
    checks
}

impl Seen<'_> {
    /// The value of a key, without the quotes of text; none if it is not set or may not be read.
    fn setting(&self, key: &str) -> Option<&str> {
        let setting = self
            .settings
            .as_ref()?
            .iter()
            .find(|setting| setting.key == key)?;
        let value = setting.value.trim_matches('"');
        (!value.is_empty()).then_some(value)
    }

    /// The check, or that the configuration may not be read.
    fn configured(&self, name: &'static str, check: impl FnOnce() -> Check) -> Check {
        if self.settings.is_some() {
            return check();
        }
        let mut check = Check::unknown(name, "the API key may not read the configuration");
        check.mend = Some("ICN_API_KEY=… of the scope admin (the node's own is in its cli.toml)".into());
        check
    }

    fn security(&self) -> Vec<Check> {
        let url = self.client.base_url();
        let clock = self.status.clock;
        let interface = self.status.access.as_ref();
        let tls = interface.map_or_else(
            || Check::unknown("", "the node tells nothing of it"),
            |interface| access::certificate(interface.certificate.as_ref(), url, clock),
        );
        let by_whom = match &self.session.settings.profile.ca_cert {
            _ if !url.starts_with("https://") => None,
            Some(file) => Some(Check::pass(
                "",
                format!("signed by the authority in {}", file.display()),
            )),
            None => Some(Check::pass("", "signed by a public authority")),
        };
        vec![
            Check::cannot_vouch(
                "security audit completed",
                "whether people who know cryptography have reviewed this version",
                "have it reviewed; crates/icn-model and crates/icn-api/src/keyfile are where keys and signatures are",
            ),
            Check::cannot_vouch(
                "penetration testing performed",
                "whether somebody else has tried to break in",
                "have it tried against a node of your own, with its audit log on",
            ),
            Check::worst("key management procedures", [self.node_key(), self.officers()]),
            Check::worst("TLS certificates valid", [tls].into_iter().chain(by_whom)),
            self.authentication(interface.map(|interface| access::keys(interface, clock))),
            self.network(),
        ]
    }

    fn node_key(&self) -> Check {
        let check = key_file(self.session);
        let path = self.session.settings.profile.key_path.as_deref();
        let is_plain = |path: &&Path| keyfile::load(path).is_ok_and(|stored| !stored.is_encrypted());
        if let Some(path) = path.filter(is_plain) {
            let path = path.display();
            let mend = format!("icn-cli key export {path} --to NEW, and put NEW in its place");
            return Check::fail("", format!("{path} is not encrypted"), mend);
        }
        check
    }

    fn officers(&self) -> Check {
        match gather::seats(self.client) {
            Ok(members) => roles(seat(&members, &self.status.info.did)),
            Err(error) => Check::unknown("", told(error)),
        }
    }

    fn authentication(&self, keys: Option<Check>) -> Check {
        const NAME: &str = "authentication configured";
        let own = self.session.settings.profile.api_key.as_deref();
        if own == Some(TEST_MODE_KEY) {
            let mend = "set ICN_API_KEY to the output of `openssl rand -hex 32`, and start the node anew";
            return Check::fail(NAME, "the API key stands in documents", mend);
        }
        let Some(keys) = keys else {
            return Check::unknown(NAME, "the node tells nothing of it");
        };
        let mut all = vec![keys];
        if self
            .status
            .access
            .as_ref()
            .is_some_and(|access| !access.require_auth)
        {
            all[0].verdict = Verdict::Fail;
        }
        if let Some(limit) = self.setting("security.open_rate_limit") {
            let finding = format!("{limit} requests a minute without a key");
            all.push(Check::pass(NAME, finding));
        }
        Check::worst(NAME, all)
    }

    fn network(&self) -> Check {
        const NAME: &str = "network security";
        let metrics = self.setting("monitoring.metrics_bind_addr").unwrap_or("loopback");
        let info = &self.status.info;
        let what = format!(
            "firewalls and segments are outside of the node; it serves HTTP at {}, metrics at {metrics}, and other \
             nodes at {}",
            info.http_address,
            info.p2p_addresses.join(", ")
        );
        let is_public = |address: &str| {
            let address = address.parse::<std::net::SocketAddr>();
            address.is_ok_and(|address| !address.ip().is_loopback())
        };
        if is_public(metrics) && self.setting("monitoring.metrics_token_file").is_none() {
            let mend = "icn-node: monitoring.metrics_bind_addr = \"127.0.0.1:9090\", or metrics_token_file";
            return Check::fail(NAME, format!("anybody can read the metrics at {metrics}"), mend);
        }
        Check::cannot_vouch(
            NAME,
            &what,
            "let others reach the address for other nodes, and nothing else (ss -ltnp)",
        )
    }

    fn operations(&self) -> Vec<Check> {
        vec![
            self.monitoring(),
            Check::cannot_vouch(
                "alerting configured",
                "who is told of what lies with Prometheus and Alertmanager",
                "docs/reference/metrics.md names what to alert on: icn_node_ready, icn_log_age_seconds, \
                 icn_storage_free_bytes, icn_backup_last_timestamp_seconds, icn_faults_total",
            ),
            backups(
                self.status.backups,
                self.client.verify_status().ok().as_ref(),
                self.status.clock,
                self.status.info.test_mode,
            ),
            self.configured("logging centralized", || self.logging()),
            Check::cannot_vouch(
                "disaster recovery plan",
                "whether a procedure is written down and people know it",
                "icn-cli dag restore --path ./backups on an empty machine (docs/operating/blocks-and-backups.md), \
                 tried and timed",
            ),
            Check::cannot_vouch(
                "performance testing",
                "what load you expect, and whether this machine bears it",
                "cargo xtask bench on the machine; docs/benchmarks.md has figures to compare with",
            ),
        ]
    }

    fn monitoring(&self) -> Check {
        const NAME: &str = "monitoring implemented";
        if self.setting("monitoring.metrics_enabled") == Some("false") {
            let mend = "icn-node --metrics-enabled";
            return Check::fail(NAME, "the node serves no metrics", mend);
        }
        match self.client.metrics() {
            Ok(text) => scraped(NAME, &text),
            Err(error) => Check::unknown(NAME, told(error)),
        }
    }

    fn logging(&self) -> Check {
        const NAME: &str = "logging centralized";
        let mut wrong = Vec::new();
        if self.setting("logging.format") != Some("json") {
            wrong.push(("the log is text", "[logging] format = \"json\""));
        }
        if self.setting("audit.enabled") != Some("true") {
            wrong.push(("there is no audit log", "[audit] enabled = true"));
        }
        if wrong.is_empty() {
            let output = self.setting("logging.output").unwrap_or("stderr");
            let what = format!(
                "the log is JSON to {output} and there is an audit log; who collects and indexes them"
            );
            return Check::cannot_vouch(NAME, &what, "have both collected from where they are");
        }
        let (findings, mends): (Vec<_>, Vec<_>) = wrong.into_iter().unzip();
        Check::warn(
            NAME,
            findings.join("; "),
            format!("in the node's file: {}", mends.join(", ")),
        )
    }

    fn technical(&self) -> Vec<Check> {
        let alive = match self.client.health() {
            Ok(_) => Check::pass("", "/health answers"),
            Err(error) => Check::fail("", told(error), "icn-node"),
        };
        vec![
            self.database(),
            self.configured("resource limits set", || self.limits()),
            Check::pass(
                "auto-scaling configured",
                "does not apply: a cooperative runs one node under one identity, and jobs spread over the federation",
            ),
            Check::worst("health checks working", [alive, ready(self.status)]),
            self.configured("configuration management", || self.configuration()),
        ]
    }

    fn database(&self) -> Check {
        const NAME: &str = "database optimized";
        let storage = self.status.info.storage.as_str();
        match storage {
            "memory" => Check::fail(
                NAME,
                "in memory: nothing is kept",
                "icn-node --storage-backend fjall",
            ),
            "sled" => Check::warn(
                NAME,
                "sled may lose acknowledged writes at a power cut",
                "icn-cli storage migrate --from sled:DIR --to fjall:DIR (docs/storage.md)",
            ),
            "postgresql" => {
                let connections = self
                    .setting("storage.max_connections")
                    .unwrap_or("an unknown number of");
                let what = format!(
                    "the node uses one indexed table for each kind of record over {connections} pooled connections; \
                     the server's own settings"
                );
                Check::cannot_vouch(
                    NAME,
                    &what,
                    "look at shared_buffers, fsync and the disk of the server",
                )
            }
            _ => Check::pass(NAME, format!("{storage} is embedded: there is nothing to tune")),
        }
    }

    fn limits(&self) -> Check {
        const NAME: &str = "resource limits set";
        let jobs = self.setting("performance.max_concurrent_jobs").unwrap_or("?");
        let memory = self.setting("performance.job_memory_bytes").unwrap_or("?");
        let jobs = Check::pass(NAME, format!("{jobs} jobs at once in {memory} bytes of memory"));
        let blocks = match self.setting("storage.block_quota_bytes") {
            Some(quota) => Check::pass(NAME, format!("clients may put {quota} bytes")),
            None => Check::warn(
                NAME,
                "clients may fill the disk",
                "icn-cli config set storage.block_quota_bytes 10000000000",
            ),
        };
        Check::worst(NAME, [blocks, disk(&self.status.storage), jobs])
    }

    fn configuration(&self) -> Check {
        const NAME: &str = "configuration management";
        if self.setting("runtime.environment") != Some("production") {
            let environment = self.setting("runtime.environment").unwrap_or("not set");
            return Check::fail(
                NAME,
                format!("runtime.environment is {environment}: the node does not refuse what is unsafe"),
                "in the node's file: [runtime] environment = \"production\" (icn-node config check FILE)",
            );
        }
        let changed: Vec<_> = self
            .settings
            .iter()
            .flatten()
            .filter(|setting| setting.set.is_some())
            .map(|setting| setting.key.as_str())
            .collect();
        if !changed.is_empty() {
            return Check::warn(
                NAME,
                format!(
                    "changed while the node ran, and in no file of yours: {}",
                    changed.join(", ")
                ),
                "put the values into the node's file, then icn-cli config unset KEY",
            );
        }
        Check::cannot_vouch(
            NAME,
            "every value comes from a file, the environment or the command line; whether those are under version control",
            format!("keep them in a repository ({OPERATING}/configuration.md)"),
        )
    }
}

/// Whether anybody reads the metrics all the time, from how often they were asked for before this time.
fn scraped(name: &'static str, metrics: &str) -> Check {
    let reads = metrics
        .lines()
        .filter(|line| line.starts_with("icn_http_requests_total{") && line.contains("route=\"/metrics\""))
        .filter(|line| line.contains("status=\"200\""))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum::<u64>();
    if reads < SCRAPED {
        let finding = match reads {
            0 => "nobody has read the metrics since the node started".to_owned(),
            _ => format!(
                "the metrics were read {reads} times since the node started, which may be people and this command"
            ),
        };
        let mend =
            "have Prometheus scrape /metrics (docs/operating/access.md), and look again after some minutes";
        Check::warn(name, finding, mend)
    } else {
        Check::pass(
            name,
            format!("the metrics were read {reads} times since the node started"),
        )
    }
}

/// How old the backups are, and whether what they are of was checked.
fn backups(
    backups: Option<BackupsStatus>,
    verified: Option<&VerifyStatus>,
    clock: Time,
    is_test_mode: bool,
) -> Check {
    const NAME: &str = "backup procedures tested";
    // A young incremental one is worth as much as the full one that it stands on.
    let last_full = backups.and_then(|made| made.last_full);
    let age = super::backup_age("full backup", last_full, clock, is_test_mode).named(NAME);
    let mut checks = vec![match age {
        // What is worth a look in everyday life is no state to go into production in.
        check if check.verdict == Verdict::Warn && backups.is_none_or(|made| made.last_full.is_none()) => {
            Check::fail(NAME, check.finding, BACKUP)
        }
        check => check,
    }];
    let last = verified.and_then(|verified| verified.last.as_ref());
    checks.push(match last {
        Some(report) if report.faults > 0 => {
            let mend = "icn-cli dag verify --deep";
            Check::fail(
                NAME,
                format!("the last check found {} faults", report.faults),
                mend,
            )
        }
        Some(report) if report.deep => Check::pass(NAME, "what the node keeps was checked to the last byte"),
        _ => Check::warn(
            NAME,
            "what the node keeps was not checked since it started",
            "icn-cli dag verify --deep",
        ),
    });
    checks.push(Check::cannot_vouch(
        NAME,
        "whether a backup was restored on another machine",
        "icn-cli dag restore --path ./backups on an empty machine",
    ));
    Check::worst(NAME, checks)
}

/// When the last backup counts as old.
pub(super) const fn is_old(age: Millis) -> bool {
    age.get() > BACKUP_IS_OLD.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_api::backups::VerifyReport;
    use icn_model::{Digest, Height};

    const CLOCK: Time = Time::new(1_800_000_000_000);

    fn report(deep: bool, faults: u64) -> VerifyStatus {
        VerifyStatus {
            last: Some(VerifyReport {
                deep,
                started: CLOCK,
                finished: CLOCK,
                height: Height::new(1),
                root: Digest::ZERO,
                blocks: 0,
                block_bytes: 0,
                absent_links: 0,
                log_executed: 0,
                log_absent: 0,
                events: 0,
                forgotten: 0,
                faults,
                findings: Vec::new(),
            }),
            ..VerifyStatus::default()
        }
    }

    #[test]
    fn backups_have_to_be_made_young_and_checked() {
        let made = |days: u64| BackupsStatus {
            last_full: Some(Time::new(CLOCK.get() - days * 86_400_000)),
            last_incremental: None,
        };
        let verdict = |made, verified: &VerifyStatus| backups(made, Some(verified), CLOCK, false).verdict;
        assert_eq!(
            verdict(Some(BackupsStatus::default()), &report(true, 0)),
            Verdict::Fail
        );
        assert_eq!(verdict(None, &report(true, 0)), Verdict::Fail);
        assert_eq!(verdict(Some(made(1)), &report(true, 1)), Verdict::Fail);
        assert_eq!(verdict(Some(made(8)), &report(true, 0)), Verdict::Warn);
        let with_incremental = |made: BackupsStatus| BackupsStatus {
            last_incremental: Some(CLOCK),
            ..made
        };
        let old = with_incremental(made(8));
        assert_eq!(verdict(Some(old), &report(true, 0)), Verdict::Warn);
        let never = with_incremental(BackupsStatus::default());
        assert_eq!(verdict(Some(never), &report(true, 0)), Verdict::Fail);
        assert_eq!(verdict(Some(made(1)), &report(false, 0)), Verdict::Warn);
        assert_eq!(verdict(Some(made(1)), &VerifyStatus::default()), Verdict::Warn);
        assert_eq!(verdict(Some(made(1)), &report(true, 0)), Verdict::CannotVouch);
    }

    #[test]
    fn metrics_are_read_when_more_than_this_command_has_asked_for_them() {
        let line = |route: &str, count: u64| {
            format!("icn_http_requests_total{{method=\"GET\",route=\"{route}\",status=\"200\"}} {count}\n")
        };
        assert_eq!(scraped("m", &line("/status", 7)).verdict, Verdict::Warn);
        assert_eq!(scraped("m", &line("/metrics", 2)).verdict, Verdict::Warn);
        assert_eq!(scraped("m", &line("/metrics", 70)).verdict, Verdict::Pass);
    }
}
