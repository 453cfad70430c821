//! Files, layers and values as operators write them.
use super::*;
use icn_store::BackendKind;

#[derive(Serialize, Default)]
struct Flags {
    #[serde(skip_serializing_if = "Option::is_none")]
    performance: Option<Performance>,
}

fn load(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("icn.toml");
    std::fs::write(&path, text).unwrap();
    Ok(Layered::read(Some(&path), &Flags::default())?.config)
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(load("").unwrap(), Config::default());
}

#[test]
fn unknown_keys_are_named_with_their_file() {
    for (text, expected) in [
        (
            "[network]\n\nhttp_listen = \"127.0.0.1:1\"\n",
            "icn.toml:3: network.http_listen: there is no such key: did you mean http_listen_addr?",
        ),
        (
            "[netwrk]\n",
            "icn.toml:1: netwrk: there is no such key: did you mean network?",
        ),
        (
            "[mesh]\nzzz = 1\n",
            "icn.toml:2: mesh.zzz: there is no such key; there are",
        ),
        (
            "[mesh]\nblacklist_after_failures = \"three\"\n",
            "icn.toml:2: mesh.blacklist_after_failures: ",
        ),
        (
            "[events.retention_days]\n\nrefussed = 30\n",
            "icn.toml:3: events.retention_days.refussed: there is no such key: did you mean refused?",
        ),
        (
            "[events.retention_days]\nx = 30\n",
            "icn.toml:2: events.retention_days.x: there is no such key; there are membership, epoch, mana, job, rollback, ",
        ),
        (
            "[events.retention_days]\nrefused = \"month\"\n",
            "icn.toml:2: events.retention_days.refused: ",
        ),
        ("[mesh\n", "icn.toml is not TOML: "),
        (
            "[api]\napi_key = \"${ICN_NOT_SET_ANYWHERE}\"\n",
            "icn.toml:2: api.api_key: the variable ICN_NOT_SET",
        ),
    ] {
        let error = load(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn every_value_tells_its_layer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("icn.toml");
    let text = format!(
        "[storage]\ndata_dir = {:?}\n[api]\napi_key = \"a-secret-of-mine\"\n[security]\nopen_rate_limit = 0\n\
         [runtime]\nenvironment = \"testing\"\n[mesh]\nblacklist_after_failures = 7",
        dir.path()
    );
    std::fs::write(&path, text).unwrap();
    std::fs::write(dir.path().join("runtime.toml"), "[logging]\nlevel = \"debug\"").unwrap();
    let flags = Flags {
        performance: Some(Performance {
            max_concurrent_jobs: 3,
            ..Performance::default()
        }),
    };
    let settings = Layered::read(Some(&path), &flags).unwrap().settings().unwrap();
    let of = |key: &str| {
        let found = settings.iter().find(|setting| setting.key == key).unwrap();
        (found.value.clone(), found.origin.clone())
    };
    let file = path.display().to_string();
    assert_eq!(of("mesh.blacklist_after_failures"), ("7".into(), file.clone()));
    assert_eq!(of("api.api_key"), ("\"***\"".into(), file.clone()));
    assert_eq!(of("api.tls_cert_path"), (String::new(), "default".into()));
    assert_eq!(of("security.open_rate_limit"), ("0".into(), file.clone()));
    assert_eq!(of("runtime.environment"), ("\"testing\"".into(), file));
    assert_eq!(
        of("performance.max_concurrent_jobs"),
        ("3".into(), "command line".into())
    );
    assert_eq!(of("network.max_peers"), ("128".into(), "default".into()));
    let runtime = dir.path().join("runtime.toml").display().to_string();
    assert_eq!(of("logging.level"), ("\"debug\"".into(), runtime));
}

#[test]
fn impossible_values_are_named() {
    for (text, key) in [
        ("[network]\nmax_peers = -1", "network.max_peers"),
        ("[network]\np2p_listen_addr = \"here\"", "network.p2p_listen_addr"),
        ("[storage]\nbackend = \"paper\"", "storage.backend"),
        ("[storage]\nbackend = \"postgresql\"", "storage.backend"),
        (
            "[storage]\nbackend = \"fjall\"\npath = \"postgres://user:secret@db/icn\"",
            "storage.path",
        ),
        ("[storage]\nmax_connections = 2", "storage.max_connections"),
        ("[api]\napi_key = \"short\"", "api.api_key"),
        ("[network]\nconnection_timeout = 0", "network.connection_timeout"),
        ("[network]\nfailure_threshold = 0", "network.failure_threshold"),
        (
            "[network]\nopen_timeout_secs = 100000",
            "network.open_timeout_secs",
        ),
        ("[network]\nretry_max_attempts = 0", "network.retry_max_attempts"),
        (
            "[network]\nretry_initial_delay_ms = 2000",
            "network.retry_initial_delay_ms",
        ),
        ("[network]\nretry_max_delay_ms = -1", "network.retry_max_delay_ms"),
        (
            "[network]\np2p_enabled = false\nmdns = true",
            "network.p2p_enabled",
        ),
        ("[network]\np2p_enabled = \"no\"", "network.p2p_enabled"),
        ("[logging]\nlevel = \"loud\"", "logging.level"),
        ("[runtime]\nlog_level = \"loud\"", "logging.level"),
        (
            "[runtime]\nlog_level = \"warn\"\n[logging]\nlevel = \"debug\"",
            "runtime.log_level",
        ),
        ("[events.retention_days]\nrefused = 0", "refused = 0"),
        ("[events.retention_days]\nrefused = -1", "retention_days.refused"),
        ("[events]\nretention_days = 30", "events.retention_days"),
        ("[logging]\nformat = \"xml\"", "logging.format"),
        ("[logging]\noutput = 3", "logging.output"),
        ("[identity]\nnode_did = \"did:web:x\"", "identity.node_did"),
        ("[api]\nrate_limit = -1", "api.rate_limit"),
        ("[api]\nrequire_auth = \"no\"", "api.require_auth"),
        ("[api]\napi_key_env = \"my secret\"", "api.api_key_env"),
        ("[api]\napi_key_env = \"NOT_SET_ANYWHERE\"", "api.api_key_env"),
        ("[security]\nauth_token = \"short\"", "security.auth_token"),
        ("[security]\nopen_rate_limit = 1.5", "security.open_rate_limit"),
        ("[audit]\nenabled = 1", "audit.enabled"),
        ("[runtime]\nenvironment = \"staging\"", "runtime.environment"),
        (
            "[monitoring]\nmetrics_bind_addr = \"9090\"",
            "monitoring.metrics_bind_addr",
        ),
        (
            "[monitoring]\nhealth_check_interval = 0",
            "monitoring.health_check_interval",
        ),
        (
            "[identity]\nkey_passphrase_env = \"my secret word\"",
            "identity.key_passphrase_env",
        ),
        (
            "[identity]\nkey_passphrase_env = \"\"",
            "identity.key_passphrase_env",
        ),
        (
            "[identity]\ngenerate_new_key = \"yes\"",
            "identity.generate_new_key",
        ),
    ] {
        let error = load(text).unwrap_err().to_string();
        assert!(error.contains(key), "{text}: {error}");
        assert!(!error.contains("secret"), "{text}: {error}");
    }
}

#[test]
fn events_are_kept_as_long_as_the_keys_say() {
    let retention = |text: &str| load(text).unwrap().events.retention();
    assert!(retention("").is_empty());
    let month = icn_model::Millis::from_secs(30 * 86_400);
    assert_eq!(
        retention("[events.retention_days]\nrefused = 30"),
        [(icn_model::EventKind::Refused, month)].into()
    );
}

#[test]
fn the_identity_is_as_the_keys_say() {
    let text = "[identity]\nkey_path = \"/secrets/node.key\"\nkey_passphrase_env = \"ICN_SEAT_WORD\"\n\
                generate_new_key = true";
    let identity = load(text).unwrap().identity;
    assert_eq!(
        identity.key_path(Path::new("data")),
        Path::new("/secrets/node.key")
    );
    assert_eq!(identity.key_passphrase_env.as_deref(), Some("ICN_SEAT_WORD"));
    assert_eq!(identity.generate_new_key, Some(true));
    let default = Identity::default();
    assert_eq!(default.key_path(Path::new("data")), Path::new("data/node.key"));
}

#[test]
fn a_store_is_where_the_keys_say() {
    let location = |text: &str| load(text).unwrap().storage.location().unwrap();
    let of = |text: &str| {
        let location = location(text);
        (location.kind(), location.to_string())
    };
    assert_eq!(of(""), (BackendKind::Fjall, "./icn_data/store".into()));
    assert_eq!(of("[storage]\nbackend = \"memory\"").0, BackendKind::Memory);
    let redb = "[storage]\nbackend = \"redb\"\npath = \"there\"";
    assert_eq!(of(redb), (BackendKind::Redb, "there".into()));
    for text in [
        "backend = \"postgres\"\npath = \"postgres://user:secret@db/icn\"",
        "backend = \"postgresql\"\nconnection_string = \"postgresql://user:secret@db/icn\"",
        "connection_string = \"postgresql://user:secret@db/icn\"\nmax_connections = 20\nconnection_timeout = 5",
    ] {
        let (kind, shown) = of(&format!("[storage]\n{text}"));
        assert_eq!(kind, BackendKind::Postgresql);
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn later_layers_win() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("icn.toml");
    let text = format!(
        "[storage]\ndata_dir = {:?}\n[performance]\nmax_concurrent_jobs = 2",
        dir.path()
    );
    std::fs::write(&path, text).unwrap();
    let flags = Flags {
        performance: Some(Performance {
            max_concurrent_jobs: 3,
            ..Performance::default()
        }),
    };
    assert_eq!(
        Layered::read(Some(&path), &flags)
            .unwrap()
            .config
            .performance
            .max_concurrent_jobs,
        3
    );
    std::fs::write(
        dir.path().join("runtime.toml"),
        "[performance]\nmax_concurrent_jobs = 5",
    )
    .unwrap();
    assert_eq!(
        Layered::read(Some(&path), &flags)
            .unwrap()
            .config
            .performance
            .max_concurrent_jobs,
        5
    );
}
