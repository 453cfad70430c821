//! A node whose store is a PostgreSQL server: moved into it, run from it, and restored into another database.
use crate::{
    backups::{back_up, restore, restored},
    harness::Node,
};
use icn_api::{backups::BackupRequest, mana::ManaQuery};
use icn_model::Codec;
use std::{fs, process::Command};

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
