//! Who may use a node: scoped keys that come and go while it runs, limits, secrets from the environment, and what
//! the audit log tells of it.
use crate::{
    harness::{KEY, Node},
    start::{Start, refused},
};
use icn_api::{
    Scope,
    client::{Client, ClientConfig},
    keys::{KeyName, NewKey, RotateKey},
    node::Status,
    paths,
};
use icn_model::{Cid, Codec, Millis, Time};
use std::{fs, time::SystemTime};

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn new(text: &str, scope: Scope) -> NewKey {
    NewKey {
        name: name(text),
        scope,
        expires: None,
    }
}

/// The same node with another key.
fn with(node: &Node, key: &str) -> Client {
    let mut config = ClientConfig::new(&node.url);
    config.api_key = Some(key.into());
    config.retries = 0;
    Client::new(config).unwrap()
}

/// The code of a call that must fail.
fn code<T: std::fmt::Debug>(result: Result<T, icn_api::client::ClientError>) -> u16 {
    result.unwrap_err().problem().unwrap().code
}

#[test]
fn keys_open_what_their_scope_says_until_they_are_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk(directory.path());
    let secret = |text: &str, scope| node.client.make_key(&new(text, scope)).unwrap().secret;
    let secrets = [
        secret("reader", Scope::Read),
        secret("sender", Scope::Submit),
        secret("operator", Scope::Operate),
        secret("second-admin", Scope::Admin),
    ];
    let [reader, sender, operator, admin] = secrets.each_ref().map(|secret| with(&node, secret));
    assert!(reader.status().is_ok() && sender.status().is_ok());
    assert_eq!(code(reader.put_block(Codec::Raw, b"x")), 902);
    sender.put_block(Codec::Raw, b"x").unwrap();
    assert_eq!((code(operator.keys()), code(sender.keys())), (902, 902));
    assert_eq!(code(node.client.make_key(&new("reader", Scope::Admin))), 931);
    assert_eq!(code(node.client.make_key(&new("open", Scope::Open))), 904);
    assert_eq!(code(node.client.revoke_key(&name("nobody"))), 903);
    let by_second = admin.make_key(&new("third", Scope::Read)).unwrap();
    assert_eq!(by_second.key.created_by, "second-admin");
    let listed = admin.keys().unwrap().items;
    let names: Vec<_> = listed.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["operator", "reader", "second-admin", "sender", "third"]);
    assert!(listed[0].last_used.is_some() && listed[4].last_used.is_none());
    node.client.revoke_key(&name("reader")).unwrap();
    assert_eq!(code(reader.status()), 901);
    let answer = node.get(paths::KEYS);
    let text = String::from_utf8(answer.body).unwrap();
    assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())));
    node.stop();

    let node = Node::on_disk(directory.path());
    assert!(
        with(&node, &secrets[1]).status().is_ok(),
        "keys outlive the process"
    );
    assert_eq!(code(with(&node, &secrets[0]).status()), 901);
    let kept = fs::read_to_string(directory.path().join("data/api_keys.json")).unwrap();
    assert!(secrets.iter().all(|secret| !kept.contains(&secret[4..])));
    node.stop();
}

#[test]
fn a_rotated_key_overlaps_and_an_expired_one_is_told() {
    let node = Node::start();
    let first = node.client.make_key(&new("ci", Scope::Read)).unwrap();
    let overlap = |ms| RotateKey {
        overlap_ms: Some(Millis::new(ms)),
    };
    let second = node.client.rotate_key(&name("ci"), &overlap(3_600_000)).unwrap();
    assert!(second.key.overlap_until.is_some());
    assert!(with(&node, &first.secret).info().is_ok() && with(&node, &second.secret).info().is_ok());
    let third = node.client.rotate_key(&name("ci"), &overlap(0)).unwrap();
    assert_eq!(code(with(&node, &second.secret).info()), 901);
    assert!(with(&node, &third.secret).info().is_ok());
    assert_eq!(code(node.client.rotate_key(&name("ci"), &overlap(u64::MAX))), 904);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let now = Time::new(u64::try_from(now.as_millis()).unwrap());
    let until = |expires| NewKey {
        expires: Some(expires),
        ..new("guest", Scope::Read)
    };
    assert_eq!(code(node.client.make_key(&until(now))), 904);
    node.client
        .make_key(&until(now.after(Millis::from_secs(3_600))))
        .unwrap();
    let access = node.client.status().unwrap().access.unwrap();
    assert_eq!(
        (access.keys, access.keys_ending.len(), access.certificate),
        (2, 1, None)
    );
    for wrong in [
        &br#"{"name":"x"}"#[..],
        br#"{"name":"X","scope":"read"}"#,
        br#"{"name":"x","scope":"root"}"#,
        br#"{"name":"x","scope":"read","secret":"mine"}"#,
        b"{",
    ] {
        node.post(paths::KEYS, "application/json", wrong)
            .problem(400, 904);
    }
    node.post(paths::KEYS, "application/json", &[b' '; 5_000])
        .problem(413, 905);
    node.post(paths::KEYS, "text/plain", b"{}").problem(415, 906);
    let made = node.post_json(paths::KEYS, &new("quiet", Scope::Read));
    assert_eq!((made.status, made.header("cache-control")), (201, "no-store"));
}

#[test]
fn a_node_that_waits_for_a_federation_has_keys_already() {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::on_disk_with(directory.path(), &["--bootstrap-peers", "/ip4/127.0.0.1/tcp/1"]);
    let made = node.client.make_key(&new("early", Scope::Read)).unwrap();
    let early = with(&node, &made.secret);
    assert!(early.status().unwrap().access.is_some());
    assert_eq!((code(early.keys()), code(early.federation())), (902, 917));
    assert_eq!(node.client.keys().unwrap().items.len(), 1);
}

#[test]
fn without_require_auth_all_is_open_but_keys() {
    let node = Start::config("[api]\nrequire_auth = false\n").run();
    assert!(node.log().contains("require_auth is false"));
    let status: Status = node.get_with(paths::STATUS, &[]).json(200);
    assert!(
        status
            .warnings
            .iter()
            .any(|warning| warning.contains("callers need no key"))
    );
    assert!(!status.access.unwrap().require_auth);
    node.get_with(paths::KEYS, &[]).problem(401, 901);
    // Who sends a key means it.
    node.get_with(paths::STATUS, &[("x-api-key", "wrong-key")])
        .problem(401, 901);
    assert_eq!(node.get(paths::KEYS).status, 200);
}

#[test]
fn callers_without_a_key_are_counted_by_address() {
    let node = Start::config("[security]\nopen_rate_limit = 3\n").run();
    for left in ["2", "1", "0"] {
        let answer = node.get_with(paths::READY, &[]);
        assert_eq!((answer.status, answer.header("ratelimit-remaining")), (200, left));
    }
    let over = node.get_with(paths::READY, &[("x-api-key", "a-guess")]);
    over.problem(429, 907);
    assert_eq!(
        (over.header("ratelimit-limit"), over.header("ratelimit-reset")),
        ("3", "60")
    );
    assert!((1..=20).contains(&over.header("retry-after").parse::<u32>().unwrap()));
    for _ in 0..20 {
        assert_eq!(node.get_with(paths::HEALTH, &[]).status, 200);
        assert_eq!(node.get(paths::READY).status, 200);
    }
    // What is no route counts as well.
    node.get_with("/no/such/route", &[]).problem(429, 907);
    assert_eq!(node.get("/no/such/route").problem(404, 903).code, 903);
    // Only a proxy that is believed can say that somebody else calls.
    let other = [("x-forwarded-for", "203.0.113.7")];
    node.get_with(paths::READY, &other).problem(429, 907);
}

#[test]
fn behind_a_proxy_its_callers_are_told_apart() {
    let text =
        "[api]\nbehind_proxy = true\ntrusted_proxies = [\"127.0.0.0/8\"]\n[security]\nopen_rate_limit = 1\n";
    let node = Start::config(text).run();
    for (address, status) in [
        ("203.0.113.7", 200),
        ("203.0.113.8", 200),
        ("203.0.113.7", 429),
        ("203.0.113.9, 203.0.113.8", 429),
    ] {
        assert_eq!(
            node.get_with(paths::READY, &[("x-forwarded-for", address)])
                .status,
            status,
            "{address}"
        );
    }
}

#[test]
fn named_keys_are_counted_and_nothing_may_be_open() {
    let node = Start::config("[api]\nrate_limit = 2\n[security]\nopen_rate_limit = 0\n").run();
    node.get_with(paths::OPENAPI, &[]).problem(401, 901);
    node.get_with("/no/such/route", &[]).problem(401, 901);
    assert_eq!(node.get_with(paths::HEALTH, &[]).status, 200);
    // A probe is answered, and counted.
    let ready = node.get_with(paths::READY, &[]);
    assert_eq!((ready.status, ready.header("ratelimit-remaining")), (200, "599"));
    let made = node.client.make_key(&new("busy", Scope::Read)).unwrap();
    let busy = [("x-api-key", made.secret.as_str())];
    assert_eq!(
        node.get_with(paths::READY, &busy).header("ratelimit-remaining"),
        "1"
    );
    assert_eq!(node.get_with(paths::INFO, &busy).status, 200);
    node.get_with(paths::INFO, &busy).problem(429, 907);
    assert_eq!(node.get(paths::INFO).status, 200, "the operator is not limited");
}

#[test]
fn secrets_come_from_variables_and_files() {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("key");
    fs::write(&file, "a-key-from-a-file\n").unwrap();
    let file = file.to_str().unwrap();
    let node = Start::config("")
        .without_key()
        .variable("ICN_API_KEY_FILE", file)
        .variable("ICN_AUTH_TOKEN", "12345678")
        .run();
    let status = |node: &Node, header: (&str, &str)| node.get_with(paths::STATUS, &[header]).status;
    assert_eq!(status(&node, ("x-api-key", "a-key-from-a-file")), 200);
    assert_eq!(status(&node, ("authorization", "Bearer 12345678")), 200);
    assert_eq!(status(&node, ("x-api-key", "ICN_API_KEY_FILE")), 401);
    drop(node);
    let node = Start::config("[security]\napi_key_env = \"OUR_KEY\"\n")
        .without_key()
        .variable("OUR_KEY", "a-key-of-ours")
        .variable("ICN_API_KEY", "another-nodes-key")
        .run();
    assert_eq!(status(&node, ("x-api-key", "a-key-of-ours")), 200);
    assert_eq!(status(&node, ("x-api-key", "another-nodes-key")), 401);
    for (text, variables, part) in [
        (
            "",
            &[("ICN_API_KEY", "one-of-the-two"), ("ICN_API_KEY_FILE", file)][..],
            "ICN_API_KEY and ICN_API_KEY_FILE are both set",
        ),
        ("", &[("ICN_AUTH_TOKEN_FILE", "/nowhere/token")], "/nowhere/token"),
        ("[api]\napi_key_env = \"OUR_KEY\"\n", &[], "OUR_KEY"),
        ("", &[("ICN_API_KEY", "short")], "at least 8 characters"),
    ] {
        let said = variables
            .iter()
            .fold(Start::config(text).without_key(), |start, (name, value)| {
                start.variable(name, value)
            })
            .refused();
        assert!(said.contains(part), "{part}: {said}");
        assert!(!said.contains("one-of-the-two"), "{said}");
    }
}

#[test]
fn of_the_two_sections_the_later_layer_wins() {
    let shown = |text: &str, variables: &[(&str, &str)]| {
        let start = Start::config(text);
        let start = variables
            .iter()
            .fold(start, |start, (name, value)| start.variable(name, value));
        start.shown()
    };
    let file = "[security]\nrequire_auth = true\nopen_rate_limit = 7\n";
    let from_file = shown(file, &[]);
    assert!(
        from_file.contains("security.open_rate_limit = 7  # ") && from_file.contains("icn.toml"),
        "{from_file}"
    );
    let later = shown(file, &[("ICN_API_REQUIRE_AUTH", "false")]);
    assert!(
        later.contains("api.require_auth = false  # environment ICN_API_REQUIRE_AUTH"),
        "{later}"
    );
    assert!(later.contains("\nsecurity.require_auth = (not set)"), "{later}");
    let secret = shown(
        "",
        &[
            ("ICN_API_KEY", "a-secret-of-mine"),
            ("ICN_AUTH_TOKEN", "a-secret-of-mine"),
        ],
    );
    assert!(
        secret.contains("security.auth_token = \"***\"  # environment ICN_AUTH_TOKEN"),
        "{secret}"
    );
    assert!(!secret.contains("a-secret-of-mine"), "{secret}");
    let said = Start::config("[api]\nrequire_auth = false\n[security]\nrequire_auth = true\n").refused();
    assert!(
        said.contains("api.require_auth and security.require_auth"),
        "{said}"
    );
}

#[test]
fn production_refuses_what_is_unsafe() {
    for (text, part) in [
        ("[security]\nrequire_auth = false\n", "require_auth"),
        ("[api]\napi_key = \"dev-key-123\"\n", "stands in documents"),
        ("[network]\nhttp_listen_addr = \"0.0.0.0:0\"\n", "tls_cert_path"),
        (
            "[monitoring]\nmetrics_bind_addr = \"0.0.0.0:0\"\n",
            "metrics_token_file",
        ),
        ("", "ICN_KEY_PASSPHRASE"),
    ] {
        let text = format!("runtime.environment = \"production\"\n{text}");
        let said = Start::config(&text).without_key().without_address().refused();
        assert!(said.contains("unsafe") && said.contains(part), "{part}: {said}");
    }
    let node = Start::config("[runtime]\nenvironment = \"production\"\n[audit]\nenabled = true\n")
        .key("a-key-that-nobody-knows")
        .variable("ICN_KEY_PASSPHRASE", "open sesame")
        .run();
    assert_eq!(
        node.get_with(paths::STATUS, &[("x-api-key", "a-key-that-nobody-knows")])
            .status,
        200
    );
    node.stop();
}

#[test]
fn the_audit_log_tells_who_changed_what_and_who_was_denied() {
    let node = Start::config("[audit]\nenabled = true\nlog_path = \"audit.log\"\n").run();
    let path = node.directory().join("audit.log");
    let made = node.client.make_key(&new("ci", Scope::Read)).unwrap();
    let ci = with(&node, &made.secret);
    ci.status().unwrap();
    assert_eq!(code(ci.put_block(Codec::Raw, b"x")), 902);
    node.get_with(
        paths::STATUS,
        &[("x-api-key", "a-guess"), ("x-correlation-id", "probe-1")],
    )
    .problem(401, 901);
    node.client.put_block(Codec::Raw, b"x").unwrap();
    node.client.keys().unwrap();
    node.post_json(paths::KEYS, &new("ci", Scope::Read))
        .problem(409, 931);
    node.client.revoke_key(&name("ci")).unwrap();
    node.get("/no/such/route").problem(404, 903);
    node.post("/no/such/route", "text/plain", b"x").problem(404, 903);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        !text.contains(&made.secret) && !text.contains(KEY) && !text.contains("a-guess"),
        "{text}"
    );
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            let change = line["change"]["what"].as_str().unwrap_or("-");
            assert_eq!(line["client"], "127.0.0.1");
            assert!(line["time"].as_str().unwrap().ends_with('Z') && line["correlation_id"].is_string());
            format!(
                "{} {} {} {} {} {change}",
                text("key"),
                text("method"),
                text("route"),
                text("outcome"),
                line["status"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "(configured key) POST /v1/keys done 201 key-made",
            "ci POST /v1/dag/blocks denied 403 -",
            "- GET /status denied 401 -",
            "(configured key) POST /v1/dag/blocks done 200 -",
            "(configured key) GET /v1/keys done 200 -",
            "(configured key) POST /v1/keys failed 409 -",
            "(configured key) DELETE /v1/keys/{name} done 200 key-revoked",
            "(configured key) POST none failed 404 -",
        ]
    );
    assert_eq!(lines[3]["about"], serde_json::json!([Cid::of_raw(b"x")]));
    assert_eq!(
        (&lines[2]["correlation_id"], &lines[2]["error"]),
        (&"probe-1".into(), &"unauthorised".into())
    );

    fs::rename(&path, node.directory().join("audit.log.1")).unwrap();
    node.hang_up();
    node.wait_for_log("is open anew");
    node.client.put_block(Codec::Raw, b"y").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("\"reloaded\"") && text.contains("/v1/dag/blocks"),
        "{text}"
    );
    let said = Start::config("[audit]\nenabled = true\nlog_path = \"/nowhere/audit.log\"\n").refused();
    assert!(said.contains("/nowhere/audit.log"), "{said}");
}

#[test]
fn metrics_have_an_address_and_a_token_of_their_own() {
    let text = "[monitoring]\nmetrics_bind_addr = \"127.0.0.1:0\"\nmetrics_token_file = \"token\"\n";
    let node = Start::config(text).file("token", "a-scrapers-token\n").run();
    let metrics = node.metrics().to_owned();
    let get = |token: &str| {
        let headers = [("authorization", format!("Bearer {token}"))];
        node.get_at(
            &metrics,
            &headers.each_ref().map(|(name, value)| (*name, value.as_str())),
        )
    };
    let answer = get("a-scrapers-token");
    let text = String::from_utf8(answer.body).unwrap();
    assert!(
        answer.status == 200 && text.contains("icn_node_uptime_seconds"),
        "{text}"
    );
    get("another-token").problem(401, 901);
    get(KEY).problem(401, 901);
    node.get_at(&metrics, &[]).problem(401, 901);
    let root = metrics.trim_end_matches("/metrics");
    assert_eq!(node.get_at(&format!("{root}/health"), &[]).status, 200);
    assert_eq!(node.get_at(&format!("{root}/ready"), &[]).status, 200);
    node.get_at(&format!("{root}/status"), &[("x-api-key", KEY)])
        .problem(404, 903);
    fs::write(node.directory().join("token"), "a-newer-token").unwrap();
    node.hang_up();
    node.wait_for_log("reloaded the token");
    assert_eq!(get("a-newer-token").status, 200);
    get("a-scrapers-token").problem(401, 901);

    let open = Start::config("").run();
    assert_eq!(open.get_at(open.metrics(), &[]).status, 200);
    let none = Start::config("[monitoring]\nmetrics_enabled = false\n").run();
    none.get(paths::METRICS).problem(404, 903);
    let said = Start::config("[monitoring]\nmetrics_token_file = \"none\"\n").refused();
    assert!(said.contains("metrics_token_file"), "{said}");
    assert!(refused(&["--metrics-bind-addr", "here"]).contains("metrics-bind-addr"));
}
