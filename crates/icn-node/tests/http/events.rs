//! Events, as pages and as a stream.
use crate::{
    backups::{back_up, check, entries, put, restore, restored},
    harness::{KEY, Node, read_until},
};
use icn_api::{
    Scope,
    backups::BackupRequest,
    events::{EventPage, EventsQuery},
    keys::{KeyName, NewKey},
    paths,
};
use icn_model::{Action, Did, Digest, EventKind, EventRecord, Height, Mana, Millis, SecretKey, canonical};
use icn_store::{BackendKind, Location, Table};
use serde::{Deserialize, Serialize};
use std::{fs, io::Write as _, path::Path, sync::mpsc, thread, time::Duration};

fn member(seed: u8) -> Did {
    Did::new(SecretKey::from_seed(&[seed; 32]).public())
}

/// A node with three membership events and one of mana.
fn eventful() -> Node {
    with_events(Node::start())
}

fn with_events(node: Node) -> Node {
    for seed in 1..=3 {
        node.done(&node.own(Action::AddMember { member: member(seed) }));
    }
    node.done(&node.own(Action::ShareMana {
        to: member(1),
        amount: Mana::from_whole(1),
    }));
    node
}

fn numbers(records: &[EventRecord]) -> Vec<u64> {
    records.iter().map(|record| record.number).collect()
}

#[test]
fn pages_select_by_number_kind_and_end() {
    let node = eventful();
    let page = |query: &str| {
        node.get(&format!("{}{query}", paths::EVENTS))
            .json::<EventPage>(200)
    };
    let all = page("").items;
    // Numbered from 1 without gaps, each naming the one before by its hash.
    assert_eq!(numbers(&all), (1..=all.len() as u64).collect::<Vec<_>>());
    for (before, after) in all.iter().zip(&all[1..]) {
        let hash = icn_model::Digest::of(&icn_model::canonical::to_bytes(before));
        assert_eq!(after.previous, hash);
    }
    let of = |kind: EventKind| {
        all.iter()
            .filter(|record| record.event.kind() == kind)
            .cloned()
            .collect::<Vec<_>>()
    };
    let membership = page("?type=membership");
    assert_eq!(
        (membership.items, membership.next),
        (of(EventKind::Membership), None)
    );
    assert_eq!(page("?type=mana&tail=1").items, of(EventKind::Mana));
    let last_two = page("?type=membership&tail=2").items;
    assert_eq!(last_two, of(EventKind::Membership)[1..]);
    let first = page("?limit=2");
    assert_eq!(numbers(&first.items), [1, 2]);
    assert_eq!(first.next, Some(2));
    assert_eq!(numbers(&page("?limit=2&since=2").items)[..1], [3]);
    assert!(page("?tail=0").items.is_empty() && page("?since=1000000").items.is_empty());
    node.get("/events?since=-1").problem(400, 904);
}

/// What a stream gives in a while, `count` of it.
fn follow(node: &Node, query: EventsQuery, count: usize) -> mpsc::Receiver<Vec<EventRecord>> {
    let (sender, receiver) = mpsc::channel();
    let stream = node.client.follow_events(query).unwrap();
    thread::spawn(move || {
        let records = stream.take(count).collect::<Result<Vec<_>, _>>().unwrap();
        let _ = sender.send(records);
    });
    receiver
}

#[test]
fn a_stream_begins_with_what_was_and_goes_on_with_what_comes() {
    let node = eventful();
    let kind = Some(EventKind::Membership);
    let from_start = follow(
        &node,
        EventsQuery {
            kind,
            ..EventsQuery::default()
        },
        4,
    );
    let from_end = follow(
        &node,
        EventsQuery {
            kind,
            tail: Some(1),
            ..EventsQuery::default()
        },
        2,
    );
    node.done(&node.own(Action::AddMember { member: member(4) }));
    let patience = Duration::from_secs(20);
    let all = from_start.recv_timeout(patience).unwrap();
    assert_eq!(from_end.recv_timeout(patience).unwrap(), all[2..]);
    assert!(
        all.iter()
            .all(|record| record.event.kind() == EventKind::Membership)
    );
    let page: EventPage = node.get("/events?type=membership").json(200);
    assert_eq!(page.items, all);
    // A stream that is open does not keep the node from ending.
    let _open = node.client.follow_events(EventsQuery::default()).unwrap();
    node.stop();
}

/// A request for a stream that goes on after `last`.
fn stream_request(last: &str) -> Vec<u8> {
    stream_request_with(last, KEY)
}

fn stream_request_with(last: &str, key: &str) -> Vec<u8> {
    let request = format!(
        "GET /events HTTP/1.1\r\nHost: node\r\nx-api-key: {key}\r\nAccept: text/event-stream\r\n\
         Last-Event-ID: {last}\r\n\r\n"
    );
    request.into_bytes()
}

#[test]
fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    let node = eventful();
    let mut stream = node.connect();
    stream.write_all(&stream_request("2")).unwrap();
    let answer = read_until(&mut stream, "id: 4\n");
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.contains("content-type: text/event-stream"),
        "{answer}"
    );
    let ids: Vec<_> = answer
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .collect();
    assert_eq!(ids[..2], ["3", "4"], "{answer}");
    let wrong = node.raw(&stream_request("two"));
    assert!(wrong.starts_with("HTTP/1.1 400 "), "{wrong}");
}

#[test]
fn a_stream_ends_with_the_key_that_opened_it() {
    let node = eventful();
    let name: KeyName = "reader".parse().unwrap();
    let make = || {
        let new = NewKey {
            name: name.clone(),
            scope: Scope::Read,
            expires: None,
        };
        node.client.make_key(&new).unwrap().secret
    };
    let open = |secret: &str| {
        let mut stream = node.connect();
        stream.write_all(&stream_request_with("0", secret)).unwrap();
        let begun = read_until(&mut stream, "id: 4\n");
        assert!(begun.contains("id: 4\n"), "{begun}");
        stream
    };
    let mut operators = open(KEY);
    let mut stream = open(&make());
    // Another key's change is none of this one's business.
    let other: KeyName = "other".parse().unwrap();
    let new = NewKey {
        name: other.clone(),
        scope: Scope::Read,
        expires: None,
    };
    node.client.make_key(&new).unwrap();
    node.client.revoke_key(&other).unwrap();
    node.done(&node.own(Action::AddMember { member: member(5) }));
    assert!(read_until(&mut stream, "id: 5\n").contains("id: 5\n"));
    node.client.revoke_key(&name).unwrap();
    // The end of a chunked body: the stream ends in order.
    assert!(read_until(&mut stream, "0\r\n\r\n").ends_with("0\r\n\r\n"));
    node.done(&node.own(Action::AddMember { member: member(6) }));
    assert!(read_until(&mut operators, "id: 6\n").contains("id: 6\n"));
}

#[test]
fn streams_are_bounded_and_hold_nothing_else_up() {
    let node = Node::start();
    let open: Vec<_> = (0..256)
        .map(|_| {
            let mut stream = node.connect();
            stream.write_all(&stream_request("0")).unwrap();
            let head = read_until(&mut stream, "\r\n\r\n");
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            stream
        })
        .collect();
    let one_more = node.raw(&stream_request("0"));
    assert!(
        one_more.starts_with("HTTP/1.1 503 ") && one_more.contains("retry-after: 1"),
        "{one_more}"
    );
    node.done(&node.own(Action::AddMember { member: member(1) }));
    assert_eq!(node.get(paths::READY).status, 200);
    drop(open);
}

/// The ledger's record of the last applied block, as stores have it.
#[derive(Serialize, Deserialize)]
struct Applied {
    height: Height,
    hash: Digest,
    last_event: u64,
    event_hash: Digest,
}

/// Makes all events of a node that is stopped ten days older, in a whole chain.
fn age(location: &Location) {
    let mut previous = Digest::ZERO;
    let mut events = entries(location, Table::Events);
    for (_, value) in &mut events {
        let mut record: EventRecord = canonical::from_own_bytes(value, 1 << 20).unwrap();
        record.time = record.time.before(Millis::from_secs(10 * 86_400));
        record.previous = previous;
        *value = canonical::to_bytes(&record);
        previous = Digest::of(value);
    }
    let changes: Vec<_> = events
        .iter()
        .map(|(key, value)| (key.as_slice(), value.as_slice()))
        .collect();
    put(location, Table::Events, &changes);
    let meta = entries(location, Table::Meta);
    let (key, value) = meta.iter().find(|(key, _)| key == b"log/applied").unwrap();
    let mut applied: Applied = canonical::from_own_bytes(value, 1 << 20).unwrap();
    applied.event_hash = previous;
    put(location, Table::Meta, &[(key, &canonical::to_bytes(&applied))]);
}

/// Every event that pages of one give, with kinds or without.
fn all_pages(node: &Node, more: &str) -> Vec<EventRecord> {
    let (mut all, mut since) = (Vec::new(), 0);
    loop {
        let path = format!("{}?limit=1&since={since}{more}", paths::EVENTS);
        let page: EventPage = node.get(&path).json(200);
        all.extend(page.items);
        match page.next {
            Some(next) => assert!(std::mem::replace(&mut since, next) < next),
            None => return all,
        }
    }
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..200 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}");
}

#[test]
fn a_kind_that_is_kept_for_a_while_is_forgotten_and_the_chain_stays_whole() {
    let directory = tempfile::tempdir().unwrap();
    let node = with_events(Node::on_disk(directory.path()));
    let before: EventPage = node.get(paths::EVENTS).json(200);
    node.stop();
    let store = |directory: &Path| Location::directory(BackendKind::Fjall, directory.join("data/store"));
    let location = store(directory.path()).unwrap();
    age(&location);
    let config = directory.path().join("icn.toml");
    fs::write(&config, "[events.retention_days]\nmembership = 9\nmana = 11\n").unwrap();
    let config = ["--config", config.to_str().unwrap()];
    let mut node = Node::on_disk_with(directory.path(), &config);
    let page = |node: &Node, query: &str| {
        node.get(&format!("{}{query}", paths::EVENTS))
            .json::<EventPage>(200)
    };
    wait_for("no event was forgotten", || {
        page(&node, "?type=membership").items.is_empty()
    });

    let is_kept = |record: &&EventRecord| record.event.kind() != EventKind::Membership;
    let kept = numbers(&before.items.iter().filter(is_kept).cloned().collect::<Vec<_>>());
    let (count, last) = (before.items.len() as u64, before.items.last().unwrap().number);
    let forgotten = count - kept.len() as u64;
    assert!(forgotten >= 3 && !kept.is_empty());
    let is_right = |node: &Node| {
        assert_eq!(numbers(&page(node, "").items), kept);
        assert_eq!(numbers(&all_pages(node, "")), kept);
        assert_eq!(numbers(&page(node, "?tail=1").items), kept[kept.len() - 1..]);
        assert!(all_pages(node, "&type=membership").is_empty());
        assert!(page(node, "?type=membership&tail=5").items.is_empty());
        assert_eq!(numbers(&all_pages(node, "&type=mana")).len(), 1);
        let checked = check(node, true);
        assert_eq!(checked.faults, 0, "{:?}", checked.findings);
        assert_eq!((checked.events, checked.forgotten), (count, forgotten));
    };
    is_right(&node);
    let text = String::from_utf8(node.get(paths::METRICS).body).unwrap();
    let line = format!("icn_events_forgotten_total{{kind=\"membership\"}} {forgotten}\n");
    assert!(text.contains(&line), "{text}");

    // A backup has what is left, and comes back so.
    let archive = directory.path().join("backup.tar.gz");
    back_up(&node, &archive, &BackupRequest::default());
    let other = directory.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::create_dir(other.join("data")).unwrap();
    fs::copy(
        directory.path().join("data/node.key"),
        other.join("data/node.key"),
    )
    .unwrap();
    restored(&restore(&other.join("data"), &[&archive], &[]));
    let again = Node::on_disk(&other);
    is_right(&again);
    again.stop();

    // A stream goes over the gap to what comes after.
    let stream = follow(&node, EventsQuery::default(), kept.len() + 1);
    node.done(&node.own(Action::AddMember { member: member(9) }));
    let streamed = stream.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(numbers(&streamed), [kept.as_slice(), &[last + 1]].concat());
    assert_eq!(page(&node, "?type=membership").items, streamed[kept.len()..]);
    node.stop();

    // The last stub before a record that is kept is proven by that one.
    let proven = kept.iter().map(|number| number - 1);
    let mut proven = proven.filter(|number| *number > 0 && !kept.contains(number));
    let number = proven.next_back().unwrap();
    let events = entries(&location, Table::Events);
    let (key, stub) = &events[usize::try_from(number).unwrap() - 1];
    let mut flipped = stub.clone();
    let hash = stub.windows(4).position(|bytes| bytes == b"hash").unwrap() + 8;
    flipped[hash] ^= 1;
    put(&location, Table::Events, &[(key, &flipped)]);
    node = Node::on_disk(directory.path());
    assert_eq!(check(&node, false).faults, 1);
    node.stop();
}
