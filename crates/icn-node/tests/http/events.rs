//! Events, as pages and as a stream.
use crate::harness::{KEY, Node, read_until};
use icn_api::{
    Scope,
    events::{EventPage, EventsQuery},
    keys::{KeyName, NewKey},
    paths,
};
use icn_model::{Action, Did, EventKind, EventRecord, Mana, SecretKey};
use std::{io::Write as _, sync::mpsc, thread, time::Duration};

fn member(seed: u8) -> Did {
    Did::new(SecretKey::from_seed(&[seed; 32]).public())
}

/// A node with three membership events and one of mana.
fn eventful() -> Node {
    let node = Node::start();
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
