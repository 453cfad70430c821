//! Every key of the configuration, set in each layer, is shown with that layer.
use icn_api::config::{Changes, Setting};
use icn_model::{Did, SecretKey};
use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// A key with a value of it, as TOML and as a variable, and what else has to be set with it.
type Case<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

const CASES: &[Case<'static>] = &[
    ("api.api_key", "\"a-key-of-this-test\"", "a-key-of-this-test", &[]),
    (
        "api.api_key_env",
        "\"WORD_OF_THIS_TEST\"",
        "WORD_OF_THIS_TEST",
        &[],
    ),
    ("api.behind_proxy", "true", "true", &[]),
    ("api.rate_limit", "70", "70", &[]),
    ("api.require_auth", "false", "false", &[]),
    (
        "api.tls_cert_path",
        "\"cert.pem\"",
        "cert.pem",
        &[("api.tls_key_path", "\"key.pem\"")],
    ),
    (
        "api.tls_key_path",
        "\"key.pem\"",
        "key.pem",
        &[("api.tls_cert_path", "\"cert.pem\"")],
    ),
    (
        "api.trusted_proxies",
        "[\"10.0.0.0/8\"]",
        "[\"10.0.0.0/8\"]",
        &[("api.behind_proxy", "true")],
    ),
    ("audit.enabled", "true", "true", &[]),
    ("audit.log_path", "\"audit.jsonl\"", "audit.jsonl", &[]),
    ("credit.anchor_after_secs", "7", "7", &[]),
    (
        "federation.api_key",
        "\"a-key-of-this-test\"",
        "a-key-of-this-test",
        &[],
    ),
    (
        "federation.enabled",
        "true",
        "true",
        &[("federation.url", "\"http://localhost:7\"")],
    ),
    (
        "federation.hub_url",
        "\"http://localhost:7\"",
        "http://localhost:7",
        &[],
    ),
    ("federation.interval", "7", "7", &[]),
    ("federation.mesh_namespace", "\"hub.bakery\"", "hub.bakery", &[]),
    ("federation.name", "\"Bakery\"", "Bakery", &[]),
    (
        "federation.nats_url",
        "\"nats://localhost:7\"",
        "nats://localhost:7",
        &[],
    ),
    ("federation.slug", "\"bakery\"", "bakery", &[]),
    (
        "federation.url",
        "\"http://localhost:7\"",
        "http://localhost:7",
        &[],
    ),
    ("identity.generate_new_key", "true", "true", &[]),
    ("identity.key_passphrase_env", "\"SEAT_WORD\"", "SEAT_WORD", &[]),
    ("identity.key_path", "\"seat.key\"", "seat.key", &[]),
    ("identity.line_key_path", "\"line.key\"", "line.key", &[]),
    ("identity.name", "\"Bakery\"", "Bakery", &[]),
    ("logging.format", "\"json\"", "json", &[]),
    ("logging.level", "\"warn\"", "warn", &[]),
    (
        "logging.otlp_endpoint",
        "\"http://localhost:7\"",
        "http://localhost:7",
        &[],
    ),
    ("logging.otlp_sample_ratio", "0.5", "0.5", &[]),
    ("logging.output", "\"node.log\"", "node.log", &[]),
    ("mesh.blacklist_after_failures", "5", "5", &[]),
    ("mesh.blacklist_cooldown_secs", "5", "5", &[]),
    ("mesh.job_retry_count", "5", "5", &[]),
    ("monitoring.health_check_interval", "5", "5", &[]),
    (
        "monitoring.metrics_bind_addr",
        "\"127.0.0.1:9099\"",
        "127.0.0.1:9099",
        &[],
    ),
    ("monitoring.metrics_enabled", "false", "false", &[]),
    ("monitoring.metrics_token_file", "\"token\"", "token", &[]),
    (
        "network.announce_addrs",
        "[\"/ip4/10.0.0.1/tcp/7\"]",
        "[\"/ip4/10.0.0.1/tcp/7\"]",
        &[],
    ),
    (
        "network.bootstrap_peers",
        "[\"/ip4/10.0.0.1/tcp/7\"]",
        "[\"/ip4/10.0.0.1/tcp/7\"]",
        &[],
    ),
    ("network.connection_timeout", "7", "7", &[]),
    ("network.failure_threshold", "7", "7", &[]),
    ("network.http_listen_addr", "\"127.0.0.1:7\"", "127.0.0.1:7", &[]),
    ("network.max_peers", "7", "7", &[]),
    ("network.mdns", "true", "true", &[]),
    ("network.open_timeout_secs", "7", "7", &[]),
    ("network.p2p_enabled", "false", "false", &[]),
    (
        "network.p2p_listen_addr",
        "\"/ip4/127.0.0.1/tcp/7\"",
        "/ip4/127.0.0.1/tcp/7",
        &[],
    ),
    ("network.retry_initial_delay_ms", "7", "7", &[]),
    ("network.retry_max_attempts", "7", "7", &[]),
    ("network.retry_max_delay_ms", "700", "700", &[]),
    ("performance.gc_interval", "3600", "3600", &[]),
    ("performance.job_memory_bytes", "1000000", "1000000", &[]),
    ("performance.mana_regeneration_rate", "10", "10", &[]),
    ("performance.max_concurrent_jobs", "7", "7", &[]),
    ("runtime.environment", "\"testing\"", "testing", &[]),
    ("runtime.log_level", "\"warn\"", "warn", &[]),
    ("runtime.test_mode", "true", "true", &[]),
    (
        "security.api_key_env",
        "\"WORD_OF_THIS_TEST\"",
        "WORD_OF_THIS_TEST",
        &[],
    ),
    (
        "security.auth_token",
        "\"a-token-of-this-test\"",
        "a-token-of-this-test",
        &[],
    ),
    (
        "security.auth_token_env",
        "\"WORD_OF_THIS_TEST\"",
        "WORD_OF_THIS_TEST",
        &[],
    ),
    ("security.open_rate_limit", "7", "7", &[]),
    ("security.require_auth", "false", "false", &[]),
    (
        "security.tls_cert_path",
        "\"cert.pem\"",
        "cert.pem",
        &[("security.tls_key_path", "\"key.pem\"")],
    ),
    (
        "security.tls_key_path",
        "\"key.pem\"",
        "key.pem",
        &[("security.tls_cert_path", "\"cert.pem\"")],
    ),
    ("storage.backend", "\"redb\"", "redb", &[]),
    ("storage.block_quota_bytes", "1000000", "1000000", &[]),
    (
        "storage.connection_string",
        "\"postgresql://db/icn\"",
        "postgresql://db/icn",
        &[],
    ),
    ("storage.connection_timeout", "7", "7", &[]),
    ("storage.data_dir", "\"elsewhere\"", "elsewhere", &[]),
    ("storage.gc_grace_secs", "7", "7", &[]),
    ("storage.max_connections", "7", "7", &[]),
    ("storage.path", "\"there\"", "there", &[]),
];
/// Keys that flags set.
const FLAGS: &[(&str, &[&str])] = &[
    ("api.api_key", &["--api-key", "a-key-of-this-test"]),
    (
        "api.tls_cert_path",
        &["--tls-cert-path", "c.pem", "--tls-key-path", "k.pem"],
    ),
    (
        "api.tls_key_path",
        &["--tls-cert-path", "c.pem", "--tls-key-path", "k.pem"],
    ),
    (
        "monitoring.metrics_bind_addr",
        &["--metrics-bind-addr", "127.0.0.1:9"],
    ),
    ("monitoring.metrics_enabled", &["--metrics-enabled", "false"]),
    (
        "network.bootstrap_peers",
        &["--bootstrap-peers", "/ip4/10.0.0.1/tcp/7"],
    ),
    ("network.http_listen_addr", &["--http-listen-addr", "127.0.0.1:7"]),
    (
        "network.p2p_listen_addr",
        &["--p2p-listen-addr", "/ip4/127.0.0.1/tcp/7"],
    ),
    ("runtime.test_mode", &["--test-mode"]),
    ("storage.backend", &["--storage-backend", "redb"]),
    ("storage.connection_string", &["--db-url", "postgresql://db/icn"]),
    ("storage.data_dir", &["--data-dir", "elsewhere"]),
    ("storage.path", &["--storage-path", "there"]),
];
/// Keys that the variables of every instance of a Federation Service set, too.
const OF_INSTANCES: &[(&str, &str, &str)] = &[
    ("federation.api_key", "FEDERATION_API_KEY", "a-key-of-this-test"),
    ("federation.enabled", "FEDERATION_ENABLED", "true"),
    ("federation.nats_url", "NATS_URL", "nats://localhost:7"),
    ("federation.url", "FEDERATION_URL", "http://localhost:7"),
];
/// What `icn-node config show --origin` says in `directory`.
fn shown(directory: &Path, args: &[&str], variables: &[(String, String)]) -> Vec<Setting> {
    let output = Command::new(env!("CARGO_BIN_EXE_icn-node"))
        .args(["config", "show", "--origin", "--json"])
        .args(args)
        .current_dir(directory)
        .env_clear()
        .env("WORD_OF_THIS_TEST", "a-word-of-this-test")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{args:?} {variables:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn origin(settings: &[Setting], key: &str) -> String {
    settings
        .iter()
        .find(|setting| setting.key == key)
        .unwrap()
        .origin
        .clone()
}

fn toml(settings: &[(&str, &str)]) -> String {
    let line = |(key, value): &(&str, &str)| format!("{key} = {value}\n");
    settings.iter().map(line).collect()
}

fn variable(key: &str) -> String {
    format!("ICN_{}", key.replace('.', "_").to_uppercase())
}

#[test]
fn every_key_is_shown_with_the_layer_that_set_it() {
    let did = Did::new(SecretKey::from_seed(&[1; 32]).public()).to_string();
    let quoted = format!("{did:?}");
    let mut all: Vec<Case<'_>> = CASES
        .iter()
        .map(|&(key, value, text, with)| (key, value, text, with))
        .collect();
    all.push(("identity.node_did", &quoted, &did, &[]));
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let default = shown(here, &[], &[]);
    let keys: BTreeSet<_> = default.iter().map(|setting| setting.key.as_str()).collect();
    assert_eq!(keys, all.iter().map(|(key, ..)| *key).collect());
    assert!(default.iter().all(|setting| setting.origin == "default"));

    fs::create_dir(here.join("icn_data")).unwrap();
    let (file, runtime) = (here.join("icn.toml"), here.join("icn_data/runtime.toml"));
    for (key, value, text, with) in all {
        let lines = toml(&[&[(key, value)], with].concat());
        fs::write(&file, &lines).unwrap();
        let name = file.to_str().unwrap();
        assert_eq!(origin(&shown(here, &["--config", name], &[]), key), name);

        let mut variables = vec![(variable(key), text.to_owned())];
        variables.extend(
            with.iter()
                .map(|(key, value)| (variable(key), value.trim_matches('"').to_owned())),
        );
        let of_variable = origin(&shown(here, &[], &variables), key);
        assert_eq!(of_variable, format!("environment {}", variable(key)));

        let changes = default.iter().find(|setting| setting.key == key).unwrap().changes;
        if changes != Changes::ByFile {
            fs::write(&runtime, &lines).unwrap();
            let origin = origin(&shown(here, &[], &[]), key);
            assert!(origin.ends_with("icn_data/runtime.toml"), "{key}: {origin}");
            fs::remove_file(&runtime).unwrap();
        }
    }
    for (key, variable, value) in OF_INSTANCES {
        let mut variables = vec![((*variable).to_owned(), (*value).to_owned())];
        let service = ("FEDERATION_URL".to_owned(), "http://localhost:7".to_owned());
        variables.extend((*key == "federation.enabled").then_some(service));
        let of_variable = origin(&shown(here, &[], &variables), key);
        assert_eq!(of_variable, format!("environment {variable}"));
        // The node's own variable wins.
        variables.push((self::variable(key), (*value).to_owned()));
        let of_variable = origin(&shown(here, &[], &variables), key);
        assert_eq!(of_variable, format!("environment {}", self::variable(key)));
    }
    for (key, args) in FLAGS {
        assert_eq!(origin(&shown(here, args, &[]), key), "command line");
    }
}

/// What is in a table is there only where it is set.
#[test]
fn what_is_in_a_table_is_shown_with_the_layer_that_set_it() {
    let (refused, job) = ("events.retention_days.refused", "events.retention_days.job");
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let file = here.join("icn.toml");
    fs::write(&file, toml(&[(refused, "30"), (job, "90")])).unwrap();
    let args = ["--config", file.to_str().unwrap()];
    let settings = shown(here, &args, &[(variable(job), "7".to_owned())]);
    assert_eq!(origin(&settings, refused), args[1]);
    assert_eq!(
        origin(&settings, job),
        "environment ICN_EVENTS_RETENTION_DAYS_JOB"
    );
    let days = |key: &str| {
        let found = settings.iter().find(|setting| setting.key == key).unwrap();
        (found.value.as_str(), found.changes)
    };
    assert_eq!(days(refused), ("30", Changes::ByFile));
    assert_eq!(days(job), ("7", Changes::ByFile));
}
