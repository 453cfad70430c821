//! The interface: what it answers to what it is asked, good and bad.
use crate::world::{KEY, Setup, wait};
use serde_json::{Value, json};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

const PROJECTS: &str = "/api/fed/projects";

fn entry(slug: &str) -> Value {
    json!({"project_slug": slug, "name": slug, "hub_url": "http://localhost:9003"})
}

#[test]
fn alone_it_makes_a_key_and_says_how_it_is() {
    let mut setup = Setup::new();
    setup.variables.clear();
    let mut service = setup.start();
    let key = service.first_key.clone().unwrap();
    let healthy = service.call("GET", "/health", None, None).json();
    assert_eq!(healthy["status"], "healthy");
    assert!(healthy["timestamp"].as_str().unwrap().ends_with('Z'));
    let nats = service.call("GET", "/health/nats", None, None);
    assert_eq!((nats.status, nats.json()), (200, json!({"status": "disabled"})));
    assert_eq!(service.call("GET", "/livez", None, None).status, 200);
    wait("it is ready", || {
        service.call("GET", "/readyz", None, None).status == 200
    });
    let made = service.call(
        "POST",
        PROJECTS,
        Some(&key),
        Some(entry("a").to_string().as_bytes()),
    );
    assert_eq!(made.status, 201, "{made:?}");
    // The key counts after a restart, and is not made anew.
    service.terminate();
    service.again();
    wait("the catalog is there", || {
        service.call("GET", PROJECTS, Some(&key), None).json()[0]["slug"] == "a"
    });
}

#[test]
fn bad_requests_get_a_number_and_change_nothing() {
    let service = Setup::new().start();
    let good = entry("a").to_string();
    assert_eq!(service.call("GET", PROJECTS, None, None).code(), 1301);
    assert_eq!(
        service
            .call("GET", PROJECTS, Some("an-operators-own-keY"), None)
            .code(),
        1301
    );
    assert_eq!(
        service.call("POST", PROJECTS, None, Some(good.as_bytes())).code(),
        1301
    );
    let post = |body: &[u8]| service.call("POST", PROJECTS, Some(KEY), Some(body));
    let with = |field: &str, value: Value| {
        let mut entry = entry("a");
        entry[field] = value;
        post(entry.to_string().as_bytes())
    };
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let cases = [
        ("no JSON", post(b"{"), 904),
        ("not UTF-8", post(b"{\"name\": \"\xff\"}"), 904),
        (
            "half a pair of surrogates",
            post(br#"{"project_slug":"a","name":"\ud800","hub_url":"http://h"}"#),
            904,
        ),
        ("deep", post(deep.as_bytes()), 904),
        ("an array", post(b"[]"), 904),
        ("an unknown field", with("colour", json!("green")), 904),
        ("NUL in a name", with("name", json!("a\0b")), 1306),
        ("a script", with("hub_url", json!("javascript:alert(1)")), 1306),
        (
            "link-local",
            with("hub_url", json!("http://169.254.169.254/")),
            1306,
        ),
        ("a bad slug", with("project_slug", json!("A b")), 1306),
        ("many tags", with("tags", json!(vec!["a"; 100])), 1306),
        ("a bad filter", service.get("/api/fed/projects?status=up"), 904),
        (
            "an unknown parameter",
            service.get("/api/fed/projects?colour=green"),
            904,
        ),
        (
            "a limit of nothing",
            service.get("/api/fed/projects?limit=0"),
            904,
        ),
        ("a cursor alone", service.get("/api/fed/projects?cursor=a"), 904),
        ("no project", service.get("/api/fed/projects/b"), 1303),
        (
            "no project's history",
            service.get("/api/fed/projects/b/history"),
            1303,
        ),
        (
            "another window",
            service.get("/api/fed/projects/b/history?window=9y"),
            904,
        ),
        ("a heartbeat for nobody", service.beat("b"), 1303),
        ("no route", service.get("/api/fed/nothing"), 903),
        (
            "another method",
            service.call("PUT", PROJECTS, Some(KEY), None),
            910,
        ),
        (
            "a stream from nowhere",
            service.get("/api/fed/watch?after=-1"),
            904,
        ),
    ];
    for (what, answer, code) in cases {
        assert_eq!(answer.code(), code, "{what}: {answer:?}");
        assert!(!answer.headers["x-correlation-id"].is_empty(), "{what}");
    }
    // A hundred thousand tags, or fifty MiB, are refused by what the head announces, before they are read.
    for length in [500_000, 50 << 20] {
        let mut stream = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
        let head = format!(
            "POST {PROJECTS} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        assert!(line.contains("413"), "{line}");
    }
    assert_eq!(service.get(PROJECTS).json(), json!([]));
}

#[test]
fn keys_open_what_they_were_made_for() {
    let service = Setup::new().start();
    let make = |body: Value| service.send("POST", "/api/fed/keys", &body);
    let secret = |body: Value| make(body).json()["secret"].as_str().unwrap().to_owned();
    let reader = secret(json!({"name": "reader", "scope": "read"}));
    let hub = secret(json!({"name": "hub-a", "scope": "project", "slug": "a"}));
    assert_eq!(make(json!({"name": "hub-a", "scope": "read"})).code(), 1311);
    assert_eq!(make(json!({"name": "x", "scope": "project"})).code(), 904);
    assert_eq!(
        make(json!({"name": "x", "scope": "read", "expires": "2001-01-01T00:00:00Z"})).code(),
        904
    );
    let register = |key: &str, slug: &str| {
        service.call(
            "POST",
            PROJECTS,
            Some(key),
            Some(entry(slug).to_string().as_bytes()),
        )
    };
    assert_eq!(register(&reader, "a").code(), 1302);
    assert_eq!(register(&hub, "b").code(), 1302);
    assert_eq!(register(&hub, "a").status, 201);
    assert_eq!(register(&hub, "a").status, 200);
    assert_eq!(register(KEY, "b").status, 201);
    let beat = |key: &str, slug: &str| {
        let body = json!({"project_slug": slug, "status": "online"}).to_string();
        let path = format!("{PROJECTS}/{slug}/heartbeat");
        service.call("POST", &path, Some(key), Some(body.as_bytes()))
    };
    assert_eq!(beat(&hub, "a").json()["status"], "online");
    assert_eq!(beat(&hub, "b").code(), 1302);
    assert_eq!(
        service.call("GET", "/api/fed/keys", Some(&hub), None).code(),
        1302
    );
    assert_eq!(service.call("GET", PROJECTS, Some(&reader), None).status, 200);
    // Rotated: both secrets count for as long as was said; revoked: none.
    let rotated = service.send(
        "POST",
        "/api/fed/keys/reader/rotate",
        &json!({"overlap_seconds": 1}),
    );
    let new = rotated.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(service.call("GET", PROJECTS, Some(&new), None).status, 200);
    wait("the former secret ends", || {
        service.call("GET", PROJECTS, Some(&reader), None).status == 401
    });
    assert_eq!(
        service
            .call("DELETE", "/api/fed/keys/reader", Some(KEY), None)
            .status,
        204
    );
    assert_eq!(service.call("GET", PROJECTS, Some(&new), None).code(), 1301);
    let kept = String::from_utf8(service.get("/api/fed/keys").body).unwrap();
    assert!(!kept.contains(&hub) && kept.contains("hub-a"));
}

#[test]
fn lists_are_paged_filtered_and_told_once() {
    let service = Setup::new().start();
    for number in 0..7 {
        let mut body = entry(&format!("p{number}"));
        body["tags"] = json!([if number % 2 == 0 { "even" } else { "odd" }]);
        assert_eq!(service.send("POST", PROJECTS, &body).status, 201);
    }
    service.beat("p3");
    let slugs = |path: &str| -> Vec<String> {
        let list = service.get(path).json();
        let items = list.as_array().unwrap();
        items
            .iter()
            .map(|item| item["slug"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut path = format!("{PROJECTS}?limit=3&tag=even");
    let mut found = slugs(&path);
    assert_eq!(found, ["p0", "p2", "p4"]);
    let link = service.get(&path).headers["link"].clone();
    path = link.split(['<', '>']).nth(1).unwrap().to_owned();
    found.extend(slugs(&path));
    assert_eq!(found, ["p0", "p2", "p4", "p6"]);
    assert!(!service.get(&path).headers.contains_key("link"));
    assert_eq!(slugs("/api/fed/projects?status=online"), ["p3"]);
    assert_eq!(slugs("/api/fed/projects?q=P5"), ["p5"]);
    assert_eq!(slugs(PROJECTS).len(), 7);
    // A reader that has it is told so.
    std::thread::sleep(Duration::from_millis(1_200));
    let tag = service.get(PROJECTS).headers["etag"].clone();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let request = || agent.get(service.url(PROJECTS)).header("x-api-key", KEY);
    let again = request().header("if-none-match", &tag).call().unwrap();
    assert_eq!(again.status(), 304);
    for encoding in ["gzip", "zstd"] {
        // Read as it comes: the client would unpack it.
        let mut stream = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
        let head = format!(
            "GET {PROJECTS} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\naccept-encoding: {encoding}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let lines = BufReader::new(stream).split(b'\n').map_while(Result::ok);
        let expected = format!("content-encoding: {encoding}\r");
        assert!(
            lines.take(20).any(|line| line == expected.as_bytes()),
            "{encoding}"
        );
    }
}

#[test]
fn a_stream_goes_on_where_it_was_cut_off() {
    let service = Setup::new().start();
    service.register("a");
    service.beat("a");
    let read = |after: u64, count: usize| -> Vec<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", service.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let head = format!(
            "GET /api/fed/watch HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\nlast-event-id: {after}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let events = lines.filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
        events.take(count).collect()
    };
    let all = read(0, 2);
    assert_eq!(all[0]["status"], "new");
    assert_eq!(
        (all[1]["was"].as_str(), all[1]["status"].as_str()),
        (Some("new"), Some("online"))
    );
    assert_eq!(read(all[0]["id"].as_u64().unwrap(), 1)[0], all[1]);
    let body = json!({"project_slug": "a", "status": "degraded"});
    let last = all[1]["id"].as_u64().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| read(last, 1));
        std::thread::sleep(Duration::from_millis(300));
        service.send("POST", "/api/fed/projects/a/heartbeat", &body);
        assert_eq!(waiting.join().unwrap()[0]["status"], "degraded");
    });
}

/// Takes a call, answers it with `status`, and gives its head and body.
fn answer(listener: &TcpListener, status: &str) -> (String, Value) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_webhook_that_does_not_answer_holds_up_no_other() {
    let service = Setup::new()
        .with("FEDERATION_WEBHOOKS_ALLOW_PRIVATE", "true")
        .start();
    let [silent, prompt] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    for listener in [&silent, &prompt] {
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let hook = service.send("POST", "/api/fed/webhooks", &json!({"url": url}));
        assert_eq!(hook.status, 201, "{hook:?}");
    }
    service.register("a");
    let (kept_waiting, _) = silent.accept().unwrap();
    assert_eq!(answer(&prompt, "204 Thanks").1["slug"], "a");
    service.register("b");
    assert_eq!(answer(&prompt, "204 Thanks").1["slug"], "b");
    let hooks = service.get("/api/fed/webhooks").json();
    assert_eq!(
        hooks[0]["failed"],
        Value::Null,
        "it is given its ten seconds still"
    );
    drop(kept_waiting);
    wait("the silent one is said to have failed", || {
        !service.get("/api/fed/webhooks").json()[0]["failed"].is_null()
    });
}

#[test]
fn a_webhook_that_is_told_nothing_keeps_nobody_busy() {
    let service = Setup::new()
        .with("FEDERATION_WEBHOOKS_ALLOW_PRIVATE", "true")
        .start();
    let hook = service.send(
        "POST",
        "/api/fed/webhooks",
        &json!({"url": "http://127.0.0.1:9/"}),
    );
    assert_eq!(hook.status, 201, "{hook:?}");
    std::thread::sleep(Duration::from_secs(1));
    let before = service.cpu_secs();
    std::thread::sleep(Duration::from_secs(2));
    let spent = service.cpu_secs() - before;
    assert!(
        spent < 0.5,
        "{spent} s of processor time in 2 s: hooks are looked at without a pause"
    );
}

#[test]
fn webhooks_are_called_until_they_answer() {
    let service = Setup::new()
        .with("FEDERATION_WEBHOOKS_ALLOW_PRIVATE", "true")
        .start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let hook = service.send("POST", "/api/fed/webhooks", &json!({"url": url}));
    assert_eq!(hook.status, 201, "{hook:?}");
    assert!(hook.json()["secret"].as_str().unwrap().len() > 32);
    service.register("a");
    let answer = |status: &str| answer(&listener, status);
    let (_, refused) = answer("500 Not today");
    let (head, told) = answer("204 Thanks");
    assert_eq!(refused, told);
    assert_eq!(
        (told["slug"].as_str(), told["status"].as_str()),
        (Some("a"), Some("new"))
    );
    assert!(
        head.contains("webhook-signature: v1,") && head.contains("webhook-id: "),
        "{head}"
    );
    wait("it is noted", || {
        service.get("/api/fed/webhooks").json()[0]["told"] == told["id"]
    });
    let careful = Setup::new().start();
    assert_eq!(
        careful
            .send("POST", "/api/fed/webhooks", &json!({"url": url}))
            .code(),
        904
    );
}

#[test]
fn the_page_needs_a_key_and_no_script() {
    let service = Setup::new().start();
    service.register("a");
    let asked = service.call("GET", "/", None, None);
    assert_eq!(asked.status, 401);
    assert!(asked.headers["www-authenticate"].starts_with("Basic"));
    let page = String::from_utf8(service.get("/").body).unwrap();
    assert!(
        page.contains("id=\"p-a\"") && page.contains("registered, no heartbeat yet"),
        "{page}"
    );
    let none = String::from_utf8(service.get("/?q=nothing&status=").body).unwrap();
    assert!(none.contains("No project matches"));
    let own = String::from_utf8(service.get("/projects/a").body).unwrap();
    assert!(own.contains("http://localhost:9001"));
    let public = Setup::new().with("FEDERATION_PAGE_PUBLIC", "true").start();
    assert_eq!(public.call("GET", "/", None, None).status, 200);
    assert_eq!(public.call("GET", PROJECTS, None, None).status, 401);
}
