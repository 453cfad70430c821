//! What becomes of each block: how it is run and what must have come of it, or why it is not run here.
use crate::{blocks::Block, world::World};
use serde_json::Value;
use std::fs;

/// What stands in for something in every block that runs.
pub(crate) const EVERYWHERE: &str = "/secrets, /backups and /var/log/icn are folders below the test's own";
const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

/// Blocks that follow each other on one machine.
pub(crate) struct Chapter {
    pub(crate) name: &'static str,
    /// Whether it needs a database server.
    pub(crate) server: bool,
    pub(crate) prepare: fn(&mut World<'_>),
    pub(crate) steps: Vec<Step>,
}

impl Chapter {
    const fn new(name: &'static str, server: bool, prepare: fn(&mut World<'_>), steps: Vec<Step>) -> Self {
        Self {
            name,
            server,
            prepare,
            steps,
        }
    }
}

/// A block that runs.
pub(crate) struct Step {
    pub(crate) block: &'static str,
    /// The folder that it is typed in, below the machine's.
    at: &'static str,
    /// A line before it.
    before: &'static str,
    /// A line after it.
    after: &'static str,
    swaps: &'static [(&'static str, &'static str)],
    /// What stands in for what, for the list.
    pub(crate) note: &'static str,
    /// Whether its nodes run on.
    keeps: bool,
    /// What the last line says if it is to be refused.
    refused: &'static str,
    /// What must have come of it; `printed` is what its commands print.
    check: fn(world: &mut World<'_>, at: &str, printed: &str),
}

fn step(block: &'static str, check: fn(&mut World<'_>, &str, &str)) -> Step {
    Step {
        block,
        at: block.rsplit('/').next().expect("a heading"),
        before: "",
        after: "",
        swaps: &[],
        note: "",
        keeps: false,
        refused: "",
        check,
    }
}

impl Step {
    /// Types the block in, or starts a node with it, and looks at what came of it.
    pub(crate) fn run(&self, block: &Block, world: &mut World<'_>) {
        let text = world.swapped(&block.text, self.swaps);
        let text = [self.before, &text, self.after].join("\n");
        let printed = if block.is_toml {
            configure(world, self.at, &text)
        } else if self.refused.is_empty() {
            world.type_in(self.at, &text)
        } else {
            let said = world.refused(self.at, &text);
            assert!(said.contains(self.refused), "refused otherwise: {said}");
            said
        };
        (self.check)(world, self.at, &printed);
        if !self.keeps {
            world.stop();
        }
    }
}

/// Starts a node with a file of the configuration. Every key of it must count, and come from the file.
fn configure(world: &mut World<'_>, at: &str, text: &str) -> String {
    let file = world.path(at).join("node.toml");
    fs::create_dir_all(world.path(at)).unwrap();
    fs::write(&file, text).unwrap();
    world.sh(at, "icn-node config check node.toml");
    let settings = world.json(at, "icn-node config show --config node.toml --json");
    let written: toml::Table = text.parse().unwrap();
    for (section, keys) in &written {
        for key in keys.as_table().expect("keys are in sections").keys() {
            let key = format!("{section}.{key}");
            let origin = &setting(&settings, &key)["origin"];
            assert_eq!(origin, "node.toml", "{key}");
        }
    }
    let more = if text.contains("http_listen_addr") {
        ""
    } else {
        " --http-listen-addr 127.0.0.1:0"
    };
    world.start(at, &format!("icn-node --config node.toml{more}"));
    settings.to_string()
}

fn setting<'a>(settings: &'a Value, key: &str) -> &'a Value {
    let mut all = settings.as_array().expect("a list").iter();
    all.find(|setting| setting["key"] == key)
        .unwrap_or_else(|| panic!("there is no {key}"))
}

/// The node answers, to the command line without any option.
fn answers(world: &mut World<'_>, at: &str, _: &str) {
    let status = world.json(at, "icn-cli --json status");
    assert_eq!(status["ready"]["ready"], true, "{status}");
}

/// The node waits for an invitation, as one does that has others to begin with and no federation.
fn waits(world: &mut World<'_>, at: &str, _: &str) {
    let status = world.json(at, "icn-cli --json status");
    let waits_for = status["info"]["role"]["applicant"]["waits_for"].as_str();
    assert!(
        waits_for.is_some_and(|text| text.contains("invitation")),
        "{status}"
    );
}

fn nothing(_: &mut World<'_>) {}

fn is_whole(_: &mut World<'_>, _: &str, printed: &str) {
    let faults = printed.lines().find(|line| line.starts_with("faults"));
    assert!(faults.is_some_and(|line| line.ends_with(" 0")), "{printed}");
}

/// A node that runs, with a file in it.
fn node_with_content(world: &mut World<'_>, at: &str) {
    fs::create_dir_all(world.path(at)).unwrap();
    world.start(at, "icn-node --http-listen-addr 127.0.0.1:0");
    world.sh(at, "echo 'worth keeping' > file; icn-cli dag put file");
}

pub(crate) fn chapters() -> Vec<Chapter> {
    let mut chapters = embedded();
    chapters.extend(with_server());
    chapters
}

fn embedded() -> Vec<Chapter> {
    let chapter = |name, prepare, steps| Chapter::new(name, false, prepare, steps);
    vec![
        chapter(
            "development",
            |world| world.point_the_command_line(),
            vec![Step {
                swaps: &[
                    (
                        "git clone https://github.com/InterCooperative-Network/icn-core\ncd icn-core\n",
                        "",
                    ),
                    ("just setup && just build\n", ""),
                    ("cargo run --bin icn-node --", "icn-node"),
                    ("cargo run --bin icn-cli --", "icn-cli"),
                ],
                note: "the programs are cloned and built already",
                ..step("core/quick-start", |_, _, printed| {
                    assert!(
                        printed.contains("did:key:z") && printed.contains("test mode"),
                        "{printed}"
                    );
                })
            }],
        ),
        chapter(
            "development-file",
            nothing,
            vec![step("core/development-configuration", |world, at, _| {
                let status = world.sh(at, &format!("curl -sSf {}/status", world.told("http")));
                assert!(
                    status.contains("\"test_mode\":true"),
                    "callers need no key: {status}"
                );
            })],
        ),
        chapter("one-node", nothing, of_one_node()),
        chapter(
            "interface",
            |world| {
                world.certificate("cert.pem", "key.pem");
                world.node_key("secrets/node.key.enc");
            },
            of_the_interface(),
        ),
        chapter(
            "content",
            |world| node_with_content(world, "machine"),
            of_content(),
        ),
        chapter("tuning", nothing, of_tuning()),
    ]
}

fn of_one_node() -> Vec<Step> {
    vec![
        step("core/local-production-mode", |world, at, printed| {
            answers(world, at, printed);
            assert!(world.path(at).join("icn_data/node.sled").exists());
        }),
        step("core/example-storage-configurations", |world, at, printed| {
            answers(world, at, printed);
            assert!(world.path(at).join("icn_data/node.sled").exists());
            assert!(world.log().contains("ICN_MANA_LEDGER_PATH"), "{}", world.log());
        }),
        Step {
            swaps: &[("cargo build --features persist-rocksdb --bin icn-node", "")],
            note: "not built with its feature, which takes a quarter of an hour: must be refused with the feature's \
                   name (docs/storage.md has the tests with it)",
            refused: "persist-rocksdb",
            ..step("core/example-storage-configurations-2", |_, _, _| {})
        },
        step("core/sled", is_whole),
        step("core/sqlite", is_whole),
    ]
}

fn of_the_interface() -> Vec<Step> {
    vec![
        step("core/metrics-and-observability", |world, at, printed| {
            answers(world, at, printed);
            let metrics = world.sh(
                at,
                &format!(
                    "curl -sSf {}",
                    world.told("metrics").replace("0.0.0.0", "127.0.0.1")
                ),
            );
            for name in [
                "icn_node_uptime_seconds",
                "icn_mana_balance_total",
                "icn_jobs_executed_total",
                "icn_p2p_peers_connected",
                "icn_governance_proposals_total",
            ] {
                let shown = metrics.lines().any(|line| line.starts_with(name));
                assert!(shown, "{name} is not among the metrics");
            }
        }),
        Step {
            before: "icn-node --http-listen-addr 127.0.0.1:0 --api-key your-api-key --tls-cert-path ../cert.pem \
                     --tls-key-path ../key.pem",
            note: "a node with a certificate for the host name runs, and curl is told where the name leads",
            ..step("core/health-checks", |_, _, printed| {
                assert!(
                    printed.contains("\"alive\":true") && printed.contains("\"height\":"),
                    "{printed}"
                );
            })
        },
        step("core/log-management", |world, at, _| {
            world.sh(at, "icn-cli api-key new ci --scope read");
            let log = fs::read_to_string(world.path("var/log/icn/node.log")).unwrap();
            let is_json =
                |line: &str| serde_json::from_str::<Value>(line).is_ok_and(|line| line["level"] == "INFO");
            assert!(log.lines().any(is_json), "{log}");
            let audit = fs::read_to_string(world.path("var/log/icn/audit.log")).unwrap();
            assert!(audit.contains("key-made"), "{audit}");
        }),
        step("core/identity-management", |world, at, printed| {
            answers(world, at, printed);
            assert!(
                !world.path(at).join("icn_data/node.key").exists(),
                "another key was made"
            );
        }),
    ]
}

fn of_content() -> Vec<Step> {
    let here = |step| Step {
        at: "machine",
        keeps: true,
        ..step
    };
    vec![
        here(Step {
            swaps: &[("dag-backup-20240101", "dag-backup-$(date +%Y%m%d)")],
            note: "the backup of the day of the test is restored, not that of 2024-01-01",
            ..step("core/dag-storage-backup", is_whole)
        }),
        here(step("core/rocksdb", is_whole)),
        here(step("core/executor-blacklist-2", |_, _, printed| {
            assert!(printed.contains("nobody is blacklisted"), "{printed}");
        })),
        Step {
            at: "machine",
            ..step("core/rollback-semantics", |_, _, printed| {
                assert_eq!(printed, "", "no job was rolled back");
            })
        },
    ]
}

fn of_tuning() -> Vec<Step> {
    fn shown(world: &mut World<'_>, at: &str, key: &str, value: &str) {
        let settings = world.json(at, "icn-cli --json config show");
        assert_eq!(setting(&settings["settings"], key)["value"], value);
    }
    let section = |block, check| Step {
        before: "[network]",
        note: "in the section [network], as the text says",
        ..step(block, check)
    };
    vec![
        section("core/circuit-breaker", |world, at, _| {
            shown(world, at, "network.open_timeout_secs", "5")
        }),
        section("core/retry-with-backoff", |world, at, _| {
            shown(world, at, "network.retry_max_delay_ms", "1000");
        }),
        Step {
            before: "set -a",
            after: "icn-node config show --origin",
            note: "exported, and read by icn-node config show",
            ..step("core/retry-with-backoff-2", |_, _, printed| {
                for key in [
                    "failure_threshold = 3",
                    "open_timeout_secs = 5",
                    "retry_max_attempts = 3",
                    "retry_initial_delay_ms = 100",
                    "retry_max_delay_ms = 1000",
                ] {
                    let line = format!("network.{key}  # environment ICN_NETWORK_");
                    assert!(printed.contains(&line), "{line}: {printed}");
                }
            })
        },
        step("core/configuring-retry-count", |world, at, _| {
            shown(world, at, "mesh.job_retry_count", "5")
        }),
        Step {
            before: "set -a",
            after: "icn-node config show --origin",
            note: "exported, and read by icn-node config show",
            ..step("core/configuring-retry-count-2", |_, _, printed| {
                let line = "mesh.job_retry_count = 5  # environment ICN_MESH_JOB_RETRY_COUNT";
                assert!(printed.contains(line), "{printed}");
            })
        },
        step("core/executor-blacklist", |world, at, _| {
            shown(world, at, "mesh.blacklist_cooldown_secs", "600");
        }),
        Step {
            before: "set -a",
            after: "icn-node config show --origin",
            swaps: &[("<your-api-key>", "a-key-of-this-test")],
            note: "exported, and read by icn-node config show; its tests have nodes that report",
            ..step("federation/hub-configuration", |_, _, printed| {
                for line in [
                    "api_key = \"***\"  # environment FEDERATION_API_KEY",
                    "enabled = true  # environment FEDERATION_ENABLED",
                    "nats_url = \"nats://localhost:4223\"  # environment NATS_URL",
                    "url = \"http://localhost:8001\"  # environment FEDERATION_URL",
                ] {
                    assert!(
                        printed.contains(&format!("federation.{line}")),
                        "{line}: {printed}"
                    );
                }
            })
        },
    ]
}

fn with_server() -> Vec<Chapter> {
    let chapter = |name, prepare, steps| Chapter::new(name, true, prepare, steps);
    vec![
        chapter(
            "postgresql",
            |world| {
                world.database("icn", "user");
                world.database("icn_dag", "user");
            },
            vec![
                step("core/example-storage-configurations-3", |world, at, printed| {
                    answers(world, at, printed);
                    assert!(!world.path(at).join("icn_data/store").exists());
                }),
                step("core/postgres", is_whole),
            ],
        ),
        chapter("federation", prepare_federation, of_the_federation()),
        chapter(
            "federation-file",
            |world| {
                world.database("icn", "icn_user");
                world.node_key("secrets/node_identity.key");
                world.certificate("secrets/tls.crt", "secrets/tls.key");
                world.set("ICN_API_KEY", "c41d8a90b2e65f73");
            },
            of_the_federations_file(),
        ),
        chapter(
            "production",
            |world| {
                world.database("icn_production", "icn_prod_user");
                world.node_key("secrets/identity/node.key");
                world.certificate("secrets/tls/cert.pem", "secrets/tls/key.pem");
                world.set("ICN_API_KEY", "1f0e5ab2c8d94e0f");
                world.set("ICN_AUTH_TOKEN", "77e0c1b5a9d34f26");
                world.set("DB_PASSWORD", "geheim");
                world.swap(
                    "postgres.internal:5432",
                    &format!("localhost:{}", world.database_port()),
                );
            },
            of_production(),
        ),
    ]
}

fn prepare_federation(world: &mut World<'_>) {
    let own = crate::postgres::own_name();
    world.database("icn_node_a", &own);
    world.database("icn_node_b", &own);
    world.certificate("secrets/cert.pem", "secrets/key.pem");
    world.sh(
        "secrets",
        "for key in api-key-a api-key-b; do openssl rand -hex 32 > $key; done",
    );
}

fn of_the_federation() -> Vec<Step> {
    vec![
        Step {
            keeps: true,
            ..step("core/bootstrap-node", |world, at, printed| {
                answers(world, at, printed);
                let info = world.json(at, "icn-cli --json info");
                let port = world
                    .told("p2p")
                    .rsplit('/')
                    .find_map(|part| part.parse::<u16>().ok());
                let id = info["peer_id"].as_str().unwrap();
                let address = format!("/ip4/127.0.0.1/tcp/{}/p2p/{id}", port.expect("a port"));
                world.swap("/ip4/bootstrap-ip/tcp/7000/p2p/QmBootstrapPeerId", &address);
            })
        },
        Step {
            note: "bootstrap-ip and QmBootstrapPeerId are those of the bootstrap node",
            ..step("core/worker-nodes", waits)
        },
    ]
}

fn of_the_federations_file() -> Vec<Step> {
    vec![Step {
        swaps: &[
            ("QmBootstrapPeer", PEER),
            ("QmOtherPeer", PEER),
            ("db.internal", "localhost"),
        ],
        note: "QmBootstrapPeer and QmOtherPeer are ids, and the database is on this machine",
        ..step("core/federation-configuration-example", waits)
    }]
}

fn of_production() -> Vec<Step> {
    let here = |step| Step {
        at: "production",
        keeps: true,
        ..step
    };
    vec![
        here(Step {
            note: "the database is on this machine",
            ..step("core/production-node-configuration", |world, at, printed| {
                answers(world, at, printed);
                world.sh(at, "echo 'worth keeping' > file; icn-cli dag put file");
            })
        }),
        here(step("core/database-backup", |world, at, _| {
            let made = world.sh(
                at,
                "cd ../backups && ls icn-db-*.sql.gz icn/db-*.sql.gz icn/dag-*.tar.gz icn/identity-*.tar.gz",
            );
            assert_eq!(made.lines().count(), 4, "{made}");
            // What the next blocks call the latest.
            world.sh(
                "backups",
                "cp icn-db-*.sql.gz icn-db-latest.sql.gz; cp icn/dag-*.tar.gz dag-latest.tar.gz; \
                                 cp icn/identity-*.tar.gz identity-latest.tar.gz",
            );
            world.stop();
        })),
        here(Step {
            note: "then the node is started on the new database",
            ..step("core/disaster-recovery-procedure", |world, at, _| {
                world.sh(at, "sed -i s/icn_production/icn_production_new/ node.toml");
                world.start(at, "icn-node --config node.toml");
                answers(world, at, "");
            })
        }),
        here(step("core/disaster-recovery-procedure-2", is_whole)),
        Step {
            at: "production",
            before: "rm -r ../secrets/identity",
            swaps: &[("-C /secrets/", "-C /")],
            note: "unpacked at /, for tar has kept the whole path in the block that packs it",
            ..step("core/disaster-recovery-procedure-3", |world, at, printed| {
                world.stop();
                world.start(at, "icn-node --config node.toml");
                answers(world, at, printed);
            })
        },
    ]
}

const DOCKER: &str = "needs Docker: belongs to the deployment of federations";
const SERVICE: &str = "about the Federation Service, no node: belongs to that program";
const SERVICE_DOCKER: &str = "about the Federation Service, and needs Docker: belongs to that program";

/// Blocks that are not run here, with the reason.
pub(crate) const LISTED: &[(&str, &str)] = &[
    (
        "core/automated-federation-setup",
        "starts federations of several nodes: scripts/launch_test.sh runs it",
    ),
    (
        "core/disaster-recovery-procedure-4",
        "needs kubectl or Docker; the block before is followed by a restart",
    ),
    ("core/monitoring-with-prometheus-grafana", DOCKER),
    ("core/monitoring-with-prometheus-grafana-2", DOCKER),
    (
        "core/large-federation-script",
        "starts a federation of several nodes: scripts/launch_test.sh runs it",
    ),
    (
        "federation/1-prerequisites",
        "a list of requirements in the form of a block",
    ),
    (
        "federation/2-initial-setup",
        "needs Python and an editor, and is about the Federation Service",
    ),
    ("federation/3-deploy-services", SERVICE_DOCKER),
    ("federation/4-run-database-migrations", SERVICE_DOCKER),
    ("federation/5-verify-monitoring", SERVICE),
    ("federation/health-status", SERVICE),
    ("federation/project-catalog", SERVICE),
    ("federation/metrics", SERVICE),
    ("federation/logs", SERVICE_DOCKER),
    ("federation/database-operations", SERVICE_DOCKER),
    ("federation/service-management", SERVICE_DOCKER),
    ("federation/updates-migrations", SERVICE_DOCKER),
    ("federation/federation-service-won-t-start", SERVICE_DOCKER),
    ("federation/no-heartbeats-received", SERVICE_DOCKER),
    ("federation/projects-showing-offline", SERVICE_DOCKER),
    ("federation/prometheus-not-scraping-metrics", SERVICE_DOCKER),
    ("federation/grafana-dashboards-not-loading", SERVICE_DOCKER),
    (
        "federation/production-hardening",
        "needs Python, and is about the Federation Service",
    ),
    ("federation/automated-backups", SERVICE_DOCKER),
    ("federation/disaster-recovery", SERVICE_DOCKER),
    ("federation/disaster-recovery-2", SERVICE_DOCKER),
    (
        "phase-5/week-1-immediate-actions-configuration-audit",
        "edits the source of another program",
    ),
    (
        "phase-5/week-1-immediate-actions-configuration-audit-2",
        "searches another program's source for stand-ins",
    ),
    (
        "phase-5/week-5-large-federation-testing",
        "starts federations of several nodes: scripts/launch_test.sh and cargo xtask soak run it",
    ),
    (
        "phase-5/week-7-advanced-resilience-features",
        "starts federations of several nodes: cargo xtask soak runs it",
    ),
    (
        "phase-5/week-8-production-deployment-documentation",
        "needs Terraform, Ansible, kubectl and Helm",
    ),
];
