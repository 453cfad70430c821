//! Blocks and files.
use crate::harness::{KEY, Node};
use icn_api::{
    OCTETS,
    dag::{DagQuery, DagView, Stored},
    paths,
};
use icn_model::{Cid, Codec, canonical, file, limits::MAX_DAG_BLOCK_BYTES};
use icn_store::{Batch, Durability, FjallBackend, Reader as _, ScanRange, Store, StoreConfig, Table};

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

#[test]
fn blocks_come_back_as_they_were_put() {
    let node = Node::start();
    for bytes in [&b""[..], b"a small block", &content(MAX_DAG_BLOCK_BYTES)] {
        let cid = node.client.put_block(Codec::Raw, bytes).unwrap();
        assert_eq!(cid, Cid::of_raw(bytes));
        for query in ["", "?local=true"] {
            let answer = node.get(&format!("{}{query}", paths::with(paths::DAG_BLOCK, cid)));
            assert!(
                answer.status == 200 && answer.body == bytes,
                "{} bytes",
                bytes.len()
            );
        }
    }
    let cbor = canonical::to_bytes(&[1_u8, 2, 3]);
    let stored: Stored = node
        .post("/v1/dag/blocks?codec=dag-cbor", OCTETS, &cbor)
        .json(200);
    assert_eq!(
        (stored.cid, stored.size_bytes, stored.blocks),
        (Cid::of_dag_cbor(&cbor), cbor.len() as u64, 1)
    );
    let path = paths::with(paths::DAG_BLOCK, stored.cid);
    let answer = node.get(&path);
    assert_eq!(answer.body, cbor);
    assert_eq!(answer.header("content-type"), OCTETS);
    assert_eq!(answer.header("etag"), format!("\"{}\"", stored.cid));
    assert!(answer.header("cache-control").contains("immutable"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let known = node.get_with(
        &path,
        &[("x-api-key", KEY), ("if-none-match", answer.header("etag"))],
    );
    assert_eq!((known.status, known.body.len()), (304, 0));
}

#[test]
fn what_is_no_canonical_dag_cbor_is_refused() {
    let node = Node::start();
    let mut deep = vec![0x81; 100_000];
    deep.push(0x80);
    // No CBOR; an integer in a longer form than it needs; map keys out of order; a float that is no number.
    let wrong: [&[u8]; 6] = [
        b"",
        b"\xff",
        b"\x18\x01",
        b"\xa2\x61b\x01\x61a\x01",
        b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00",
        &deep,
    ];
    for bytes in wrong {
        node.post("/v1/dag/blocks?codec=dag-cbor", OCTETS, bytes)
            .problem(400, 904);
    }
    node.post("/v1/dag/blocks?codec=json", OCTETS, b"{}")
        .problem(400, 904);
}

#[test]
fn what_nobody_has_is_not_found() {
    let node = Node::start();
    let cid = Cid::of_raw(b"nobody has this");
    for path in [paths::DAG_BLOCK, paths::DAG_FILE] {
        for query in ["", "?local=true"] {
            node.get(&format!("{}{query}", paths::with(path, cid)))
                .problem(404, 913);
        }
    }
}

#[test]
fn files_of_any_length_come_back() {
    let node = Node::start();
    let mib = MAX_DAG_BLOCK_BYTES;
    for len in [0, 1, mib, mib + 1, 3 * mib + 5] {
        let content = content(len);
        let blocks = file::split(&content).unwrap();
        let stored: Stored = node.post(paths::DAG_FILES, OCTETS, &content).json(200);
        assert_eq!(Some(stored.cid), blocks.last().map(|block| block.cid), "{len}");
        assert_eq!(
            (stored.size_bytes, stored.blocks),
            (len as u64, blocks.len() as u64)
        );
        let answer = node.get(&paths::with(paths::DAG_FILE, stored.cid));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-length"), len.to_string());
        assert!(answer.body == content, "{len}");
    }
}

#[test]
fn what_is_no_file_is_said_to_be_none() {
    let node = Node::start();
    let put = |bytes: &[u8]| node.client.put_block(Codec::DagCbor, bytes).unwrap();
    let cid = put(&canonical::to_bytes(&["no", "index"]));
    node.get(&paths::with(paths::DAG_FILE, cid)).problem(422, 914);
    // An index whose first block is shorter than it says.
    let short = node.client.put_block(Codec::Raw, b"short").unwrap();
    let index = file::FileIndex {
        size: MAX_DAG_BLOCK_BYTES as u64 + 5,
        chunks: vec![short, short],
    };
    let cid = put(&canonical::to_bytes(&index));
    node.get(&paths::with(paths::DAG_FILE, cid)).problem(422, 914);
    // One whose first block is nowhere.
    let index = file::FileIndex {
        chunks: vec![Cid::of_raw(b"nowhere"), short],
        ..index
    };
    let cid = put(&canonical::to_bytes(&index));
    node.get(&paths::with(paths::DAG_FILE, cid)).problem(404, 913);
}

#[test]
fn blocks_are_listed_in_pages() {
    let node = Node::start();
    let mut cids: Vec<_> = (0_u8..5)
        .map(|byte| node.client.put_block(Codec::Raw, &[byte; 100]).unwrap())
        .collect();
    cids.sort_unstable_by_key(Cid::to_bytes);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page: DagView = node
            .client
            .dag(&DagQuery {
                after,
                limit: Some(2),
            })
            .unwrap();
        assert!(page.items.len() <= 2 && page.items.iter().all(|block| block.size_bytes == 100));
        listed.extend(page.items.iter().map(|block| block.cid));
        after = page.next;
        if after.is_none() {
            assert_eq!((page.blocks, page.size_bytes), (5, 500));
            break;
        }
    }
    assert_eq!(listed, cids);
}

#[test]
fn what_was_put_outlives_the_process_and_what_the_disk_has_changed_is_not_served() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk(directory.path());
    let good = node.client.put_block(Codec::Raw, b"stays as it is").unwrap();
    let bad = node.client.put_block(Codec::Raw, b"will be changed").unwrap();
    let did = node.did;
    // Killed, not stopped: what was answered for is on the disk.
    drop(node);
    let backend = FjallBackend::open(directory.path().join("data/store")).unwrap();
    let store = Store::threaded(backend, StoreConfig::default()).unwrap();
    let entries = store.scan(Table::Blocks, &ScanRange::all(), 100).unwrap().entries;
    let (key, _) = entries
        .iter()
        .find(|(_, value)| value == b"will be changed")
        .unwrap();
    let mut batch = Batch::new();
    batch.put(Table::Blocks, key.clone(), "has been changed").unwrap();
    store.commit(batch, Durability::Sync).wait().unwrap();
    drop(store);

    let mut node = Node::on_disk(directory.path());
    node.expects_errors = true;
    assert_eq!(node.did, did);
    assert_eq!(node.client.get_block(&good, false).unwrap(), b"stays as it is");
    for path in [paths::DAG_BLOCK, paths::DAG_FILE] {
        for query in ["", "?local=true"] {
            node.get(&format!("{}{query}", paths::with(path, bad)))
                .problem(500, 912);
        }
    }
    node.stop();
}
