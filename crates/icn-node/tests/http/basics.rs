//! Who is let in, what is said to wrong requests, and what a node says of itself.
use crate::harness::{KEY, Node};
use icn_api::{
    ENDPOINTS, Method, OPENAPI_JSON, Scope,
    node::{Health, Info, NodeRole, Ready, Status},
    paths,
};

/// A value for the parameter of each path that has one.
fn filled(path: &str) -> String {
    let value = match path {
        paths::LOG_BLOCK => "0",
        paths::ACCOUNT => "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
        _ => "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
    };
    paths::with(path, value)
}

#[test]
fn a_fresh_node_is_alive_ready_and_knows_itself() {
    let node = Node::start();
    let health: Health = node.get_with(paths::HEALTH, &[]).json(200);
    assert!(health.alive);
    let ready: Ready = node.get_with(paths::READY, &[]).json(200);
    assert!(
        ready.ready && ready.checks.iter().all(|check| check.passed),
        "{ready:?}"
    );
    let info: Info = node.get(paths::INFO).json(200);
    assert_eq!(
        (info.did, info.key, info.test_mode),
        (node.did, node.key.public(), true)
    );
    assert!(matches!(info.role, NodeRole::Seat { .. }) && info.name.is_some());
    assert_eq!(format!("http://{}", info.http_address), node.url);
    let status: Status = node.get(paths::STATUS).json(200);
    assert_eq!(status.info, info);
    assert_eq!(
        (
            status.network.seats,
            status.network.seats_online,
            status.network.quorum
        ),
        (1, 1, 1)
    );
    assert!(status.mana.is_some_and(|mana| mana.available.milli() > 0));
    assert!(
        status
            .warnings
            .iter()
            .any(|warning| warning.contains("test mode")),
        "{:?}",
        status.warnings
    );
    assert_eq!(node.get(paths::OPENAPI).body, OPENAPI_JSON.as_bytes());
    node.stop();
}

#[test]
fn every_route_is_served_and_guarded_as_the_table_says() {
    let node = Node::start();
    for endpoint in ENDPOINTS {
        let path = filled(endpoint.path);
        let name = endpoint.id;
        match endpoint.method {
            Method::Get => {
                let without = node.get_with(&path, &[]);
                if endpoint.scope == Scope::Open {
                    assert_eq!(without.status, 200, "{name}");
                } else {
                    without.problem(401, 901);
                    assert_eq!(without.header("www-authenticate"), "Bearer");
                    node.get_with(&path, &[("x-api-key", "dev-key-124")])
                        .problem(401, 901);
                    let with = node.get_with(&path, &[("authorization", &format!("Bearer {KEY}"))]);
                    assert!(!matches!(with.status, 401 | 405), "{name}");
                }
                // A path without such a thing says what is missing; there is always a route.
                let status = node.get(&path).status;
                assert!(matches!(status, 200 | 400 | 404), "{name}: {status}");
                node.get(&format!("{path}?no_such_parameter=1")).problem(400, 904);
                let head = node.head(&path);
                assert!(head.body.is_empty() && head.status == status, "{name}");
            }
            Method::Post => {
                let unknown = node.post(&format!("{path}?no_such_parameter=1"), "application/json", b"{}");
                unknown.problem(400, 904);
                assert_eq!(unknown.header("connection"), "close", "its body was not read");
            }
            Method::Patch => {
                let unknown = node.patch(&format!("{path}?no_such_parameter=1"), b"{}");
                unknown.problem(400, 904);
            }
            Method::Delete => {
                node.delete(&path, "dev-key-124").problem(401, 901);
                node.delete(&format!("{path}?no_such_parameter=1"), KEY)
                    .problem(400, 904);
            }
        }
        let wrong = node.put(&path);
        wrong.problem(405, 910);
        assert!(
            wrong.header("allow").contains(endpoint.method.name()),
            "{name}: {}",
            wrong.header("allow")
        );
    }
}

#[test]
fn requests_have_names_and_wrong_ones_are_told_what_is_wrong() {
    let node = Node::start();
    let named = node.get_with("/v1/nowhere", &[("x-correlation-id", "order-7")]);
    assert_eq!(named.problem(404, 903).correlation_id.as_deref(), Some("order-7"));
    let made = node.get_with(paths::HEALTH, &[("x-correlation-id", "two words")]);
    assert_eq!(made.status, 200);
    assert!(made.header("x-correlation-id").len() > 16);
    assert_ne!(
        made.header("x-correlation-id"),
        node.get(paths::HEALTH).header("x-correlation-id")
    );
    let did = node.get("/v1/mana/somebody").problem(400, 904);
    assert!(
        did.detail.starts_with("did: ") && did.detail.contains("did:key"),
        "{}",
        did.detail
    );
    let cid = node
        .get("/v1/dag/blocks/QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC")
        .problem(400, 904);
    assert!(cid.detail.starts_with("cid: "), "{}", cid.detail);
    node.get("/v1/log/blocks/-1").problem(400, 904);
    node.get("/v1/log/blocks/4000000000").problem(404, 903);
    let kind = node.get("/events?type=gossip").problem(400, 904);
    assert!(
        kind.detail.contains("gossip") && kind.detail.contains("rollback"),
        "{}",
        kind.detail
    );
    node.get("/v1/mana?limit=many").problem(400, 904);
    node.get("/v1/dag/blocks/%ff").problem(400, 904);
}

#[test]
fn bodies_are_bounded_before_and_while_they_are_read() {
    let node = Node::start();
    let head = format!("POST /v1/dag/blocks HTTP/1.1\r\nHost: node\r\nx-api-key: {KEY}\r\n");
    let announced = node.raw(format!("{head}Content-Length: 1048577\r\n\r\n").as_bytes());
    assert!(announced.starts_with("HTTP/1.1 413 "), "{announced}");
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n100001\r\n").into_bytes();
    chunked.resize(chunked.len() + 0x10_0001, b'x');
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let counted = node.raw(&chunked);
    assert!(counted.starts_with("HTTP/1.1 413 "), "{counted}");
    let endless = node.raw(&[b"GET / HTTP/1.1\r\nx: ".as_slice(), &vec![b'a'; 100 << 10]].concat());
    assert!(
        endless.starts_with("HTTP/1.1 431 ") || endless.is_empty(),
        "{endless}"
    );
    assert_eq!(node.get(paths::HEALTH).status, 200);
}

#[test]
fn metrics_are_one_text_that_parses() {
    let node = Node::start();
    node.get("/v1/nowhere").problem(404, 903);
    node.get(paths::IDENTITY);
    let answer = node.get(paths::METRICS);
    assert_eq!(
        answer.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
    let mut families = Vec::new();
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let name = family.split(' ').next().unwrap();
            assert!(!families.contains(&name), "{name} is there twice");
            families.push(name);
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(
                families.iter().any(|family| name.starts_with(family)),
                "{line} has no type"
            );
        }
    }
    for name in [
        "icn_node_uptime_seconds ",
        "icn_mana_balance_total ",
        "icn_p2p_peers_connected 0",
        "network_connections_active 0",
        "gossip_entries_total{result=\"published\"}",
        "icn_log_height ",
        "icn_storage_commits_total ",
        "icn_storage_group_commits_total ",
        "icn_log_seats_online 1",
        "icn_faults_total{fault=\"false-root\"} 0",
        "icn_faults_total{fault=\"wrong-key\"} 0",
        "icn_http_requests_total{method=\"GET\",route=\"/v1/identity\",status=\"200\"} 1",
        "icn_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "icn_http_request_seconds_count{method=\"GET\",route=\"/v1/identity\"} 1",
    ] {
        assert!(text.contains(&format!("\n{name}")), "{name} is missing:\n{text}");
    }
}
