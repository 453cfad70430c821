//! Every block of the deployment guide against the built service. What is typed is the guide's own text; ports and the key
//! are swapped. Where the guide talks to containers, a stand-in for `docker-compose` does the same on this machine: `exec
//! postgres` and `exec federation` run the command here, `logs` prints the service's log. The list of blocks is printed.
use crate::{
    heartbeats::Hub,
    world::{KEY, NatsServer, Postgres, Service, Setup, wait},
};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

const SHELL: &str = include_str!("../../../icn-cli/tests/seeds/blocks/federation-service-deployment.md");

/// Shell blocks that are typed in, with what must be in what they print.
const TYPED: [(&str, &[&str]); 15] = [
    ("2-initial-setup", &["API_KEY_1=", "API_KEY_2="]),
    ("3-deploy-services", &["healthy", "connected"]),
    (
        "4-run-database-migrations",
        &["of this version", "catalog", "news"],
    ),
    (
        "5-verify-monitoring",
        &["heartbeat_total", "catalog_projects_by_status"],
    ),
    ("logs", &["the Federation Service starts"]),
    ("database-operations", &["SET"]),
    ("service-management", &[]),
    ("updates-migrations", &["of this version"]),
    (
        "federation-service-won-t-start",
        &["the Federation Service starts"],
    ),
    ("no-heartbeats-received", &["server_id"]),
    (
        "projects-showing-offline",
        &["last_heartbeat_at", "commandcenter", "90"],
    ),
    ("prometheus-not-scraping-metrics", &["stale_projects_total"]),
    ("automated-backups", &[]),
    ("disaster-recovery", &[]),
    ("disaster-recovery-2", &["healthy", "newproject"]),
];
/// Blocks that are run by other means, or not.
const OTHERWISE: [(&str, &str); 9] = [
    ("1-prerequisites", "a list, not commands"),
    ("health-status", "requests: sent as they stand, below"),
    ("project-catalog", "requests: sent as they stand, below"),
    ("metrics", "requests: sent as they stand, below"),
    (
        "hub-configuration",
        "variables of a hub: run by the tests of icn-cli (seeds)",
    ),
    (
        "production-hardening",
        "makes a key with Python; rotation: test keys_open_what_they_were_made_for",
    ),
    (
        "grafana-dashboards-not-loading",
        "needs Docker and Grafana; every query: scripts/federation_monitoring_test.py",
    ),
    (
        "YAML: projects, alerts",
        "projects: test catalog; alerts: monitoring/federation/alerts.yml, word for word, with promtool and a Prometheus",
    ),
    (
        "Python, nginx, compose fragments",
        "Python: the payload is published, below; pool and NATS limits: database.max_connections, federation/docker-compose.yml",
    ),
];

/// Stands in for the containers.
const COMPOSE: &str = r#"#!/bin/bash
case "$1" in
exec)
    shift
    [ "$1" = -T ] && shift
    service=$1; shift
    case "$service $1" in
    "postgres psql" | "postgres pg_dump") program=$1; shift; exec "$program" -h 127.0.0.1 -p "$PG" "$@" ;;
    "prometheus cat") exec cat "$ROOT/monitoring/federation/prometheus.yml" ;;
    *) exec "$@" ;;
    esac ;;
logs) cat "$LOG" ;;
*) echo "(docker-compose $*)" ;;
esac
"#;
/// What other programs of the guide stand for.
const OTHERS: [(&str, &str); 6] = [
    ("python", "#!/bin/sh\nexec python3 \"$@\"\n"),
    ("nano", "#!/bin/sh\nexit 0\n"),
    ("docker", "#!/bin/sh\necho \"(docker $*)\"\n"),
    ("git", "#!/bin/sh\necho \"(git $*)\"\n"),
    ("open", "#!/bin/sh\necho \"(open $*)\"\n"),
    (
        "nats",
        "#!/bin/bash\nurl=${4#--server=nats://}\nexec 3<>/dev/tcp/${url%:*}/${url#*:}\n\
         printf 'CONNECT {}\\r\\nPUB %s %d\\r\\n%s\\r\\nPING\\r\\n' \"$2\" \"${#3}\" \"$3\" >&3\nread -r -t 5 line <&3\nsleep 0.2\n",
    ),
];

struct Guide {
    nats: NatsServer,
    postgres: Postgres,
    service: Service,
    dir: tempfile::TempDir,
}

fn block(heading: &str) -> &'static str {
    let start = format!("\n## {heading}\n");
    let (_, rest) = SHELL
        .split_once(&start)
        .unwrap_or_else(|| panic!("no block {heading}"));
    let (_, rest) = rest.split_once("```").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    rest.split_once("\n```").unwrap().0
}

impl Guide {
    fn new() -> Self {
        let (nats, postgres) = (NatsServer::start_monitored(), Postgres::start());
        let service = Setup::new()
            .with("NATS_URL", &nats.url())
            .with("DATABASE_URL", &postgres.url())
            .with_catalog(crate::catalog::SEED)
            .start();
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let programs = OTHERS.into_iter().chain([("docker-compose", COMPOSE)]);
        for (name, text) in programs {
            fs::write(bin.join(name), text).unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        for (name, place) in [
            ("icn-federation", env!("CARGO_BIN_EXE_icn-federation").into()),
            ("alembic", root.join("federation/alembic").canonicalize().unwrap()),
        ] {
            std::os::unix::fs::symlink(place, bin.join(name)).unwrap();
        }
        let folder = dir.path().join("federation");
        fs::create_dir(&folder).unwrap();
        fs::copy(
            root.join("federation/.env.production"),
            folder.join(".env.production"),
        )
        .unwrap();
        Self {
            nats,
            postgres,
            service,
            dir,
        }
    }

    /// The guide's text with this machine's ports, folders and key in it.
    fn swapped(&self, text: &str) -> String {
        text.replace("localhost:8001", &format!("127.0.0.1:{}", self.service.port))
            .replace("localhost:4223", &format!("127.0.0.1:{}", self.nats.port))
            .replace("localhost:8223", &format!("127.0.0.1:{}", self.nats.monitor))
            .replace("<your-api-key>", KEY)
            .replace("<key>", KEY)
            .replace("/path/to/federation", ".")
            .replace("/backups/", "./")
            .replace("\\%", "%")
            .replace("0 2 * * * ", "")
            .replace("backup_20251118.sql", "backup_$(date +%Y%m%d).sql")
            .replace("< backup.sql.gz", "< federation_$(date +%Y%m%d).sql.gz")
            .replace("| grep ERROR", "| { grep ERROR || true; }")
            .replace("| grep NATS", "| { grep NATS || true; }")
            .replace("| grep heartbeat", "| { grep heartbeat || true; }")
    }

    fn type_in(&self, text: &str) -> String {
        let bin = self.dir.path().join("bin");
        let path = std::env::var("PATH").unwrap();
        let folder = self.dir.path().join("federation");
        // The first command of the guide changes to the folder from beside it.
        let at = if text.contains("cd federation/") {
            self.dir.path()
        } else {
            &folder
        };
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", text])
            .current_dir(at)
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("DATABASE_URL", self.postgres.url())
            .env("PG", self.postgres.port.to_string())
            .env("LOG", self.service.dir.path().join("log"))
            .env("ROOT", Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
            .env("HEARTBEAT_STALE_THRESHOLD_SECONDS", "90")
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{printed}\n{said}");
        printed
    }

    /// Sends the requests of a block, as they stand in it.
    fn requests(&self, text: &str) -> Vec<String> {
        let mut answers = Vec::new();
        let lines: Vec<&str> = text.lines().collect();
        for (place, line) in lines.iter().enumerate() {
            let Some((method @ ("GET" | "POST"), url)) = line.split_once(' ') else {
                continue;
            };
            let rest = &lines[place + 1..];
            let key = rest
                .iter()
                .take_while(|line| line.contains(": ") && !line.starts_with('#'))
                .find_map(|line| line.strip_prefix("Header: X-API-Key: "));
            let body = rest
                .iter()
                .take_while(|line| !line.is_empty())
                .skip_while(|line| **line != "{");
            let body: Vec<&str> = body.copied().collect();
            let body = (method == "POST").then(|| body.join("\n"));
            let path = url.split_once("8001").unwrap().1;
            let key = key.map(|key| key.replace("<your-api-key>", KEY));
            let answer = self
                .service
                .call(method, path, key.as_deref(), body.as_deref().map(str::as_bytes));
            assert!(answer.status < 300, "{line}: {answer:?}");
            answers.push(String::from_utf8(answer.body).unwrap());
        }
        answers
    }
}

#[test]
fn every_block_of_the_deployment_guide() {
    let guide = Guide::new();
    wait("the catalog is there", || {
        guide.service.metric("federation_catalog_size") >= 2.0
    });
    wait("NATS is there", || {
        guide.service.get("/health/nats").status == 200
    });

    let health = guide.requests(block("health-status"));
    assert!(health[0].contains("\"status\":\"healthy\"") && health[1].contains("\"status\":\"connected\""));
    let catalog = guide.requests(block("project-catalog"));
    assert!(catalog[0].contains("commandcenter") && catalog[1].contains("newproject"));
    let metrics = &guide.requests(block("metrics"))[0];
    for line in block("metrics")
        .lines()
        .filter_map(|line| line.strip_prefix("# - "))
    {
        let name = line.split('{').next().unwrap();
        assert!(metrics.contains(name), "{name}");
    }
    // The payload of the Python block, and its subject.
    let hub = Hub::connect(&guide.nats.url());
    let payload = r#"{"project_slug": "commandcenter", "mesh_namespace": "hub.commandcenter",
        "hub_url": "http://localhost:9001", "status": "online", "timestamp": "2025-11-18T12:00:00Z"}"#;
    hub.publish("hub.presence.commandcenter", payload);
    hub.flush();
    wait("it is online", || {
        guide.service.status("commandcenter") == "online"
    });

    for (heading, expected) in TYPED {
        let printed = guide.type_in(&guide.swapped(block(heading)));
        for text in expected {
            assert!(printed.contains(text), "{heading}: {text:?} is not in {printed}");
        }
        println!("typed in    {heading}");
    }
    for (heading, reason) in OTHERWISE {
        println!("otherwise   {heading}: {reason}");
    }
    let headings = SHELL.lines().filter_map(|line| line.strip_prefix("## "));
    for heading in headings {
        let is_listed = TYPED.iter().any(|(known, _)| *known == heading)
            || OTHERWISE.iter().any(|(known, _)| *known == heading);
        assert!(is_listed, "{heading} is not in the list");
    }
    wait("the guide's test message is counted", || {
        guide.service.metric("federation_heartbeats_dropped_total") >= 1.0
    });
}
