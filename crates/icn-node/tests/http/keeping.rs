//! Pins, quota, and the removal of what nothing refers to.
use crate::harness::{KEY, Node};
use icn_api::{
    OCTETS,
    dag::{DagQuery, GcQuery, GcReport, PinRequest, PinsQuery, UnpinQuery},
    paths,
};
use icn_model::{Cid, Codec, canonical, file, limits::MAX_DAG_BLOCK_BYTES};
use serde_json::json;

fn request(cid: Cid) -> PinRequest {
    PinRequest {
        cid,
        owner: None,
        reason: "a test".into(),
        expires: None,
    }
}

/// A finished collection.
fn collect(node: &Node, dry_run: bool) -> GcReport {
    let query = GcQuery {
        dry_run,
        wait_ms: Some(60_000),
    };
    let status = node.client.gc(&query).unwrap();
    assert!(!status.running && status.failure.is_none(), "{status:?}");
    assert_eq!(node.client.gc_status().unwrap(), status);
    status.last.unwrap()
}

/// A node that removes at once what nothing refers to.
fn without_grace(directory: &std::path::Path, more: &str) -> Node {
    let config = directory.join("icn.toml");
    std::fs::write(&config, format!("[storage]\ngc_grace_secs = 0\n{more}")).unwrap();
    Node::on_disk_with(directory, &["--config", config.to_str().unwrap()])
}

#[test]
fn only_what_nothing_refers_to_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let node = without_grace(directory.path(), "");
    let content = vec![7; 2 * MAX_DAG_BLOCK_BYTES + 1];
    let file: icn_api::dag::Stored = node.post(paths::DAG_FILES, OCTETS, &content).json(200);
    let loose = node.client.put_block(Codec::Raw, b"nobody needs this").unwrap();
    let leaf = node.client.put_block(Codec::Raw, b"led to by two").unwrap();
    let inner = canonical::to_bytes(&linked(&[leaf]));
    let inner = node.client.put_block(Codec::DagCbor, &inner).unwrap();
    let outer = canonical::to_bytes(&linked(&[inner, leaf]));
    let outer = node.client.put_block(Codec::DagCbor, &outer).unwrap();
    let pin = node.client.pin(&request(file.cid)).unwrap();
    assert_eq!(
        (pin.cid, pin.owner.as_str(), pin.expires),
        (file.cid, "operator", None)
    );
    node.client.pin(&request(outer)).unwrap();

    let dry = collect(&node, true);
    assert!(dry.dry_run);
    assert_eq!((dry.pins, dry.removed, dry.removed_bytes), (2, 1, 17));
    assert!(
        node.client.get_block(&loose, true).is_ok(),
        "a dry run removes nothing"
    );
    let done = collect(&node, false);
    assert_eq!((done.removed, done.removed_bytes, done.waiting), (1, 17, 0));
    assert!(node.client.get_block(&loose, true).is_err());
    for cid in [leaf, inner, outer] {
        node.client.get_block(&cid, true).unwrap();
    }
    let answer = node.get(&paths::with(paths::DAG_FILE, file.cid));
    assert!(answer.body == content);

    // A second owner keeps it when the first lets go.
    let other = PinRequest {
        owner: Some("archive".into()),
        ..request(outer)
    };
    node.client.pin(&other).unwrap();
    node.client.unpin(&outer, &UnpinQuery::default()).unwrap();
    assert_eq!(collect(&node, false).removed, 0);
    let query = UnpinQuery {
        owner: Some("archive".into()),
    };
    node.client.unpin(&outer, &query).unwrap();
    assert_eq!(collect(&node, false).removed, 3);
    node.delete(&paths::with(paths::DAG_PIN, outer), KEY)
        .problem(404, 903);
    node.stop();
}

/// A value that leads to `cids`.
fn linked(cids: &[Cid]) -> Vec<Cid> {
    cids.to_vec()
}

#[test]
fn what_was_put_a_moment_ago_stays_for_the_grace_period() {
    let node = Node::start();
    let cid = node.client.put_block(Codec::Raw, b"just put").unwrap();
    let first = collect(&node, false);
    assert_eq!((first.removed, first.waiting, first.waiting_bytes), (0, 1, 8));
    let listed = |node: &Node| node.client.dag(&DagQuery::default()).unwrap().items[0];
    let since = listed(&node).unreferenced_since;
    assert_eq!(since, Some(first.started));
    // A later look does not begin the period anew, a put does.
    collect(&node, false);
    assert_eq!(listed(&node).unreferenced_since, since);
    node.client.put_block(Codec::Raw, b"just put").unwrap();
    assert_eq!(listed(&node).unreferenced_since, None);
    node.client.get_block(&cid, true).unwrap();
}

#[test]
fn pins_are_listed_in_pages_and_survive_the_node() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk(directory.path());
    let mut cids = Vec::new();
    for byte in 0_u8..5 {
        let cid = node.client.put_block(Codec::Raw, &[byte]).unwrap();
        node.client.pin(&request(cid)).unwrap();
        cids.push(cid);
    }
    cids.sort_unstable_by_key(Cid::to_bytes);
    node.stop();
    let node = Node::on_disk(directory.path());
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let query = PinsQuery {
            after,
            limit: Some(2),
        };
        let page = node.client.pins(&query).unwrap();
        assert!(page.items.len() <= 2);
        listed.extend(page.items.iter().map(|pin| pin.cid));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, cids);
    node.get(&format!("{}?after=nothing", paths::DAG_PINS))
        .problem(400, 904);
    node.stop();
}

#[test]
fn a_pin_of_what_is_not_to_be_had_or_makes_no_sense_is_refused() {
    let node = Node::start();
    let here = node.client.put_block(Codec::Raw, b"here").unwrap();
    let nowhere = Cid::of_raw(b"nowhere");
    let index = file::FileIndex {
        size: MAX_DAG_BLOCK_BYTES as u64 + 1,
        chunks: vec![nowhere, here],
    };
    let index = node
        .client
        .put_block(Codec::DagCbor, &canonical::to_bytes(&index))
        .unwrap();
    let post = |body| node.post_json(paths::DAG_PINS, &body);
    for cid in [nowhere, index] {
        post(json!({ "cid": cid })).problem(404, 913);
    }
    for body in [
        json!({ "cid": here, "expires": 1 }),
        json!({ "cid": here, "owner": "" }),
        json!({ "cid": here, "owner": "x".repeat(65) }),
        json!({ "cid": here, "reason": "x".repeat(513) }),
        json!({ "cid": here, "reason": "a\nb" }),
        json!({ "cid": here, "until": 1 }),
        json!({ "cid": "here" }),
        json!([]),
    ] {
        post(body).problem(400, 904);
    }
    node.post(paths::DAG_PINS, "application/json", &[b' '; 5_000])
        .problem(413, 905);
    assert_eq!(node.client.pins(&PinsQuery::default()).unwrap().items, []);
}

#[test]
fn what_has_no_room_is_refused_and_nothing_of_it_stored() {
    let directory = tempfile::tempdir().unwrap();
    let node = without_grace(directory.path(), "block_quota_bytes = 1100000\n");
    node.client.put_block(Codec::Raw, &[1; 100_000]).unwrap();
    let blocks = |node: &Node| node.client.dag(&DagQuery::default()).unwrap();
    assert_eq!(blocks(&node).quota_bytes, Some(1_100_000));
    let full = node.post(paths::DAG_FILES, OCTETS, &[2; 1_000_001]);
    let problem = full.problem(507, 933);
    assert!(problem.detail.contains("100000 of 1100000"), "{}", problem.detail);
    assert_eq!(blocks(&node).items.len(), 1);
    node.post(paths::DAG_BLOCKS, OCTETS, &[3; 1_000_000])
        .json::<icn_api::dag::Stored>(200);
    node.post(paths::DAG_BLOCKS, OCTETS, &[4]).problem(507, 933);
    // What is here already takes no room.
    node.client.put_block(Codec::Raw, &[1; 100_000]).unwrap();
    assert_eq!(collect(&node, false).removed, 2);
    node.client.put_block(Codec::Raw, &[4]).unwrap();
    node.stop();
}
