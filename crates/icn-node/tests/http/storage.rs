//! The store of a real node: moved from backend to backend, and refused where this program cannot open it.
use crate::harness::Node;
use icn_model::Codec;
use icn_store::BackendKind;
use std::process::{Command, Output};

fn icn_node(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icn-node"))
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn a_node_moves_between_all_backends_that_it_was_built_with() {
    let directory = tempfile::tempdir().unwrap();
    let mut node = Node::on_disk(directory.path());
    let (did, height) = (node.did, node.client.federation().unwrap().height);
    let cid = node.client.put_block(Codec::Raw, b"goes along").unwrap();
    node.stop();
    let mut place = format!("fjall:{}", directory.path().join("data/store").display());
    // Fjall again at the end: a move back is a move, too.
    let kinds = [
        BackendKind::Redb,
        BackendKind::Sled,
        BackendKind::Sqlite,
        BackendKind::Rocksdb,
        BackendKind::Fjall,
    ];
    for kind in kinds.into_iter().filter(|kind| kind.is_built_in()) {
        let path = directory.path().join(format!("moved-to-{kind}"));
        let to = format!("{kind}:{}", path.display());
        let moved = icn_node(&["storage", "migrate", "--from", &place, "--to", &to, "--json"]);
        assert!(moved.status.success(), "{moved:?}");
        let moved: serde_json::Value = serde_json::from_slice(&moved.stdout).unwrap();
        assert!(moved["entries"].as_u64() > Some(0), "{moved}");
        let again = icn_node(&["storage", "migrate", "--from", &place, "--to", &to]);
        assert!(
            !again.status.success(),
            "nothing is moved into a store that holds something"
        );

        let backend = [
            "--storage-backend",
            kind.name(),
            "--storage-path",
            path.to_str().unwrap(),
        ];
        node = Node::on_disk_with(directory.path(), &backend);
        assert_eq!(node.did, did);
        assert!(node.client.federation().unwrap().height >= height);
        assert_eq!(node.client.get_block(&cid, true).unwrap(), b"goes along");
        assert_eq!(node.client.info().unwrap().storage, kind.name());
        node.stop();
        place = to;
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_named_with_the_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let start = |backend: &str, path: &str| {
        let node = icn_node(&[
            "--data-dir",
            data_dir.to_str().unwrap(),
            "--storage-backend",
            backend,
            "--storage-path",
            path,
        ]);
        assert_eq!(
            node.status.code(),
            Some(if backend == "paper" { 2 } else { 1 }),
            "{node:?}"
        );
        String::from_utf8(node.stderr).unwrap()
    };
    let said = start("paper", "there");
    assert!(said.contains("choose one of memory, fjall"), "{said}");
    let said = start("fjall", "postgres://user:secret@localhost/icn");
    assert!(
        said.contains("give fjall a directory") && !said.contains("secret"),
        "{said}"
    );
    let said = start("postgresql", "there");
    assert!(said.contains("needs a URL"), "{said}");
    if !BackendKind::Rocksdb.is_built_in() {
        let said = start("rocksdb", "there");
        assert!(said.contains("persist-rocksdb"), "{said}");
    }
    std::fs::write(directory.path().join("file"), "no directory").unwrap();
    let said = start("fjall", directory.path().join("file").to_str().unwrap());
    assert!(said.contains("file"), "{said}");
}
