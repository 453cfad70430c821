//! The configuration of a running node, seen and changed over HTTP.
use crate::harness::Node;
use icn_api::{
    client::ClientError,
    config::{Changes, ConfigChange, Setting},
};
use icn_model::{Did, Mana, SecretKey};
use serde_json::json;
use std::time::{Duration, Instant};

fn setting(node: &Node, key: &str) -> Setting {
    let settings = node.client.config().unwrap().settings;
    settings.into_iter().find(|setting| setting.key == key).unwrap()
}

#[test]
fn a_change_holds_at_once_and_after_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk(directory.path());
    let slots = setting(&node, "performance.max_concurrent_jobs");
    assert_eq!((slots.value.as_str(), slots.origin.as_str()), ("4", "default"));
    assert_eq!(slots.changes, Changes::AtOnce);

    let change = ConfigChange {
        set: [
            ("performance.max_concurrent_jobs".to_owned(), json!(2)),
            ("logging.level".to_owned(), json!("debug")),
            ("network.max_peers".to_owned(), json!(16)),
        ]
        .into(),
        unset: Vec::new(),
    };
    let changed = node.client.change_config(&change).unwrap();
    assert_eq!(
        changed.at_once,
        ["logging.level", "performance.max_concurrent_jobs"]
    );
    assert_eq!(changed.at_start, ["network.max_peers"]);
    assert_eq!(node.client.status().unwrap().jobs.slots, 2);
    let peers = setting(&node, "network.max_peers");
    assert_eq!(
        (peers.value.as_str(), peers.running.as_deref()),
        ("16", Some("128"))
    );
    assert!(peers.set.is_some());
    node.stop();

    let node = Node::on_disk(directory.path());
    assert_eq!(node.client.status().unwrap().jobs.slots, 2);
    assert_eq!(setting(&node, "network.max_peers").running, None);
    let unset = ConfigChange::unsetting("performance.max_concurrent_jobs");
    node.client.change_config(&unset).unwrap();
    assert_eq!(node.client.status().unwrap().jobs.slots, 4);
    node.stop();
}

#[test]
fn what_cannot_be_is_refused_with_the_key_and_the_way_out() {
    let node = Node::start();
    for (key, value, said) in [
        ("storage.data_dir", json!("/elsewhere"), "configuration file"),
        ("api.api_key", json!("another-key"), "configuration file"),
        ("logging.levle", json!("debug"), "did you mean level?"),
        ("logging.level", json!("loud"), "logging.level"),
        ("network.max_peers", json!("many"), "network.max_peers"),
        ("performance.max_concurrent_jobs", json!(1_000_000), "at most"),
    ] {
        let Err(ClientError::Problem(problem)) =
            node.client.change_config(&ConfigChange::setting(key, value))
        else {
            panic!("{key} was taken");
        };
        assert_eq!((problem.status, problem.code), (400, 904));
        assert!(problem.detail.contains(said), "{key}: {}", problem.detail);
    }
    // In test mode a change lasts as long as the process.
    node.client
        .change_config(&ConfigChange::setting("logging.level", json!("warn")))
        .unwrap();
    assert_eq!(setting(&node, "logging.level").value, "\"warn\"");
}

#[test]
fn a_node_without_peers_is_a_federation_of_one_under_its_own_rules() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("icn.toml");
    let log = directory.path().join("node.log");
    let text = format!(
        "[network]\np2p_enabled = false\n[performance]\nmana_regeneration_rate = 77\n[mesh]\njob_retry_count = 5\n\
         [logging]\nlevel = \"debug\"\noutput = {log:?}\n"
    );
    std::fs::write(&file, text).unwrap();
    let node = Node::on_disk_with(directory.path(), &["--config", file.to_str().unwrap()]);
    assert!(node.client.info().unwrap().p2p_addresses.is_empty());
    let rules = node.client.federation().unwrap().parameters;
    assert_eq!(rules.mana_rate_per_hour, Mana::from_whole(77));
    assert_eq!(rules.job_retry_count, 5);
    // It is on its way when the interface answers.
    let entered = || std::fs::read_to_string(&log).unwrap().contains("entering epoch");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !entered() {
        assert!(Instant::now() < deadline, "the log's file has no lines");
        std::thread::sleep(Duration::from_millis(20));
    }
    let did = node.did;
    node.stop();

    // A key that is not the one that is meant.
    let other = Did::new(SecretKey::from_seed(&[9; 32]).public());
    for (meant, starts) in [(did, true), (other, false)] {
        let text = format!("[network]\np2p_enabled = false\n[identity]\nnode_did = \"{meant}\"\n");
        std::fs::write(&file, text).unwrap();
        let started = std::panic::catch_unwind(|| {
            Node::on_disk_with(directory.path(), &["--config", file.to_str().unwrap()]).stop();
        });
        assert_eq!(started.is_ok(), starts);
    }
}

/// `icn-node config check` of a sample file, with what it says that it needs.
fn checked(name: &str) -> std::process::Output {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../configs")
        .join(name);
    std::process::Command::new(env!("CARGO_BIN_EXE_icn-node"))
        .args(["config", "check"])
        .arg(file)
        .env_clear()
        .env("DB_PASSWORD", "p@ss/word")
        .env("ICN_API_KEY", "a-key-of-this-test")
        .env("ICN_AUTH_TOKEN", "a-token-of-this-test")
        .output()
        .unwrap()
}

#[test]
fn the_sample_files_can_be_used() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "development.toml",
            "federation_node.toml",
            "production.toml",
            "single_node.toml"
        ]
    );
    for name in names {
        let output = checked(&name);
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
