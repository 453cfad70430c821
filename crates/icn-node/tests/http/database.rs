//! A node whose store is a PostgreSQL server: moved into it, run from it, and restored into another database.
use crate::{
    backups::{back_up, restore, restored},
    harness::{Node, WAIT},
};
use icn_api::{
    backups::BackupRequest,
    mana::ManaQuery,
    node::{Health, Ready},
};
use icn_model::Codec;
use std::{
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

#[path = "../../../icn-store/tests/common/postgres.rs"]
mod postgres;
use postgres::{PASSWORD, Server};

#[test]
fn a_node_moves_into_a_database_and_is_restored_into_another() {
    let server = Server::start(&["fsync=off"]);
    let database = |name: &str| {
        server.sql(&format!("CREATE DATABASE {name}"));
        format!("postgresql://node:{PASSWORD}@localhost:{}/{name}", server.port())
    };
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| directory.path().join(name));
    for directory in [&first, &second] {
        fs::create_dir(directory).unwrap();
    }

    let node = Node::on_disk(&first);
    let cid = node.client.put_block(Codec::Raw, b"goes along").unwrap();
    node.stop();
    let (from, to) = (first.join("data/store"), database("moved"));
    let moved = Command::new(env!("CARGO_BIN_EXE_icn-node"))
        .args([
            "storage",
            "migrate",
            "--from",
            &format!("fjall:{}", from.display()),
            "--to",
            &to,
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&moved.stderr);
    assert!(moved.status.success(), "{said}");
    assert!(!said.contains(PASSWORD), "no password is told: {said}");

    let node = Node::on_disk_with(&first, &["--db-url", &to]);
    assert_eq!(node.client.info().unwrap().storage, "postgresql");
    assert_eq!(node.client.get_block(&cid, true).unwrap(), b"goes along");
    let archive = directory.path().join("full.tar.gz");
    // Until no block of the log came while it was made, so that it is of a known height.
    let (before, accounts) = loop {
        let before = node.client.federation().unwrap();
        let accounts = node.client.accounts(&ManaQuery::default()).unwrap();
        back_up(&node, &archive, &BackupRequest::default());
        if node.client.federation().unwrap().height == before.height {
            break (before, accounts);
        }
        fs::remove_file(&archive).unwrap();
    };
    node.stop();

    let other = database("restored");
    let outcome = restored(&restore(&second.join("data"), &[&archive], &["--db-url", &other]));
    assert_eq!(outcome["root"], serde_json::json!(before.root));
    let node = Node::on_disk_with(&second, &["--db-url", &other]);
    let now = node.client.federation().unwrap();
    assert_eq!((now.height, now.root), (before.height, before.root));
    let balances = node.client.accounts(&ManaQuery::default()).unwrap();
    assert_eq!(balances.items, accounts.items);
    assert_eq!(node.client.get_block(&cid, true).unwrap(), b"goes along");
    node.stop();
}

#[test]
fn a_node_waits_for_its_database_and_says_so() {
    let mut server = Server::start(&["fsync=off"]);
    server.sql("CREATE DATABASE icn");
    let url = format!("postgresql://node:{PASSWORD}@localhost:{}/icn", server.port());
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk_with(directory.path(), &["--db-url", &url]);
    let cid = node.client.put_block(Codec::Raw, b"kept").unwrap();
    node.stop();

    server.crash();
    let node = Node::on_disk_with(
        directory.path(),
        &["--db-url", &url, "--metrics-bind-addr", "127.0.0.1:0"],
    );
    assert!(node.get("/health").json::<Health>(200).alive);
    let ready: Ready = node.get("/ready").json(503);
    assert_eq!(ready.checks[0].name, "storage");
    let problem = node.get("/status").problem(503, 908);
    for reason in [&ready.checks[0].reason, &problem.detail] {
        assert!(
            reason.contains("could not reach the database icn at localhost"),
            "{reason}"
        );
        assert!(!reason.contains(PASSWORD), "{reason}");
    }
    node.get_with("/status", &[]).problem(401, 901);
    node.get("/openapi.json").json::<serde_json::Value>(200);
    let metrics = node.get_at(node.metrics(), &[]);
    let metrics = String::from_utf8(metrics.body).unwrap();
    assert!(metrics.contains("icn_node_ready 0"), "{metrics}");

    server.restart();
    node.wait_for_log("the store can be reached");
    let start = Instant::now();
    while node.get("/ready").status != 200 {
        assert!(start.elapsed() < WAIT, "{}", node.log());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(node.client.get_block(&cid, true).unwrap(), b"kept");
    node.stop();
}

#[test]
fn a_node_that_waits_for_its_database_can_be_stopped() {
    let directory = tempfile::tempdir().unwrap();
    // Port 1 is nobody's.
    let node = Node::on_disk_with(
        directory.path(),
        &["--db-url", "postgresql://node@localhost:1/icn"],
    );
    assert_eq!(node.get("/ready").status, 503);
    node.stop();
}
