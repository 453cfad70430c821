//! The client against a scripted server on loopback: what it sends, what it makes of answers, when it
//! repeats a request and when not.
use icn_api::{
    ApiError, PROBLEM_JSON, Problem,
    client::{Client, ClientConfig, ClientError},
    credit::{TransferAnswers, TransferOrder, TransferOrders},
    events::EventsQuery,
    mesh::JobsQuery,
    node::{Health, Ready, ReadyCheck},
    operations::{OperationState, OperationStatus, RefusalReport, Submitted},
    paths, sse,
};
use icn_model::{
    Action, AgreementId, Cid, Codec, Did, Digest, EpochNumber, Event, EventKind, EventRecord, Height,
    JobStatus, LineId, Operation, Refusal, SecretKey, Sequence, SignedOperation, Time,
    limits::MAX_DAG_BLOCK_BYTES,
};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    thread::JoinHandle,
    time::Duration,
};

/// What the server answers to one connection; nothing at all hangs up.
#[derive(Clone)]
struct Reply(Vec<u8>);

impl Reply {
    fn new(status: u16, media: &str, body: &[u8]) -> Self {
        Self::with_header(status, media, "", body)
    }

    fn with_header(status: u16, media: &str, header: &str, body: &[u8]) -> Self {
        let len = body.len();
        let mut bytes = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: {media}\r\ncontent-length: {len}\r\nconnection: close\r\n{header}\r\n"
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self::new(
            status,
            "application/json",
            &serde_json::to_vec(body).expect("JSON"),
        )
    }

    fn problem(error: &ApiError) -> Self {
        let problem = Problem::from(error).correlated("c-7");
        Self::new(
            problem.status,
            PROBLEM_JSON,
            &serde_json::to_vec(&problem).expect("JSON"),
        )
    }

    fn hang_up() -> Self {
        Self(Vec::new())
    }
}

/// A request as it arrived: its first line, its headers in lower case, its body.
struct Seen {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// Answers one connection per reply, in order; then gives back what it saw.
fn serve(replies: Vec<Reply>) -> (String, JoinHandle<Vec<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let server = std::thread::spawn(move || {
        let answer = |reply: Reply| {
            let (mut stream, _) = listener.accept().expect("the client connects");
            let mut reader = BufReader::new(stream.try_clone().expect("a handle more"));
            let mut lines = reader
                .by_ref()
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty());
            let line = lines.next().unwrap_or_default();
            let headers: Vec<_> = lines.map(|line| line.to_lowercase()).collect();
            let length = headers
                .iter()
                .find_map(|header| header.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
            reader.read_exact(&mut body).expect("the whole body");
            // A client that has read enough hangs up.
            let _ = stream.write_all(&reply.0);
            Seen { line, headers, body }
        };
        replies.into_iter().map(answer).collect()
    });
    (url, server)
}

fn client(url: &str) -> Client {
    let config = ClientConfig {
        api_key: Some("secret".into()),
        ..ClientConfig::new(url)
    };
    Client::new(config).expect("a good URL")
}

fn signed() -> SignedOperation {
    let key = SecretKey::from_seed(&[7; 32]);
    let operation = Operation {
        federation: Cid::of_raw(b"f"),
        author: Did::new(key.public()),
        key: key.public(),
        sequence: Sequence::new(1),
        expires: Time::new(1),
        action: Action::Leave {},
    };
    SignedOperation::sign(operation, &key)
}

fn record(number: u64) -> EventRecord {
    let event = Event::SeatsFixed {
        epoch: EpochNumber::new(number),
        seats: vec![],
    };
    EventRecord {
        number,
        height: Height::new(1),
        time: Time::new(1),
        event,
        previous: Digest::ZERO,
    }
}

#[test]
fn a_call_carries_key_and_query() {
    let (url, server) = serve(vec![Reply::new(200, "application/json", br#"{"items":[]}"#)]);
    let query = JobsQuery {
        state: Some(JobStatus::RolledBack),
        limit: Some(5),
        ..JobsQuery::default()
    };
    let page = client(&format!("{url}/")).jobs(&query).unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
    let seen = server.join().unwrap();
    assert_eq!(
        seen[0].line,
        "GET /v1/mesh/jobs?limit=5&state=rolled-back HTTP/1.1"
    );
    assert!(seen[0].headers.contains(&"x-api-key: secret".to_owned()));
}

#[test]
fn a_problem_keeps_code_and_remedy() {
    let (url, server) = serve(vec![Reply::problem(&ApiError::Unauthorised {})]);
    let error = client(&url).info().unwrap_err();
    let problem = error.problem().unwrap();
    assert_eq!((problem.code, problem.name.as_str()), (901, "unauthorised"));
    assert!(problem.remedy.contains("ICN_API_KEY"));
    assert_eq!(problem.correlation_id.as_deref(), Some("c-7"));
    assert_eq!(error.to_string(), "no valid API key was sent");
    assert_eq!(server.join().unwrap().len(), 1);
}

#[test]
fn not_ready_is_an_answer() {
    let check = ReadyCheck {
        name: "log".into(),
        passed: false,
        reason: "no federation".into(),
    };
    let ready = Ready {
        ready: false,
        checks: vec![check],
    };
    let (url, server) = serve(vec![Reply::json(503, &ready)]);
    assert_eq!(client(&url).ready().unwrap(), ready);
    server.join().unwrap();
}

#[test]
fn what_passes_is_repeated() {
    let health = Health {
        alive: true,
        uptime_secs: 1,
    };
    let limited = Problem::from(&ApiError::RateLimited { retry_after_secs: 0 });
    let limited = serde_json::to_vec(&limited).unwrap();
    let (url, server) = serve(vec![
        Reply::hang_up(),
        Reply::with_header(429, PROBLEM_JSON, "retry-after: 0\r\n", &limited),
        Reply::new(502, "text/html", b"<h1>Bad Gateway</h1>"),
        Reply::json(200, &health),
    ]);
    assert_eq!(client(&url).health().unwrap(), health);
    assert_eq!(server.join().unwrap().len(), 4);
}

#[test]
fn a_transfer_that_is_sent_again_has_the_same_name() {
    let orders = TransferOrders {
        transfers: vec![TransferOrder {
            amount: 5,
            reference: None,
            memo: None,
        }],
        wait_ms: Some(1_000),
    };
    let answers = TransferAnswers { transfers: vec![] };
    let (url, server) = serve(vec![
        Reply::hang_up(),
        Reply::new(504, "text/html", b"<h1>Gateway Timeout</h1>"),
        Reply::json(200, &answers),
    ]);
    let line = LineId {
        agreement: AgreementId::new(Digest::of(b"agreement")),
        unit: "EUR.2".parse().unwrap(),
    };
    assert_eq!(client(&url).credit_transfer(&line, &orders).unwrap(), answers);
    let sent = server.join().unwrap().into_iter().map(|seen| {
        let sent: TransferOrders = serde_json::from_slice(&seen.body).unwrap();
        sent.transfers[0].reference.clone().unwrap()
    });
    let sent: Vec<_> = sent.collect();
    assert!(
        sent.len() == 3 && sent.iter().all(|name| name == &sent[0]),
        "{sent:?}"
    );
}

#[test]
fn what_stays_wrong_is_told_at_once() {
    let (url, server) = serve(vec![Reply::new(200, "application/json", b"{\"alive\": 3}")]);
    assert!(matches!(client(&url).health(), Err(ClientError::Decode { .. })));
    server.join().unwrap();
    let (url, server) = serve(vec![Reply::new(404, "text/html", b"<h1>nginx</h1>")]);
    match client(&url).health() {
        Err(ClientError::Status {
            status: 404, text, ..
        }) => assert_eq!(text, "<h1>nginx</h1>"),
        other => panic!("{other:?}"),
    }
    server.join().unwrap();
}

#[test]
fn nobody_there_is_told_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url).info().unwrap_err();
    assert!(error.is_no_answer());
    assert!(error.to_string().contains(&url));
    for bad in ["", "localhost:7845", "ftp://host", "http://", "http://host?x=1"] {
        assert!(
            matches!(Client::new(ClientConfig::new(bad)), Err(ClientError::Url { .. })),
            "{bad}"
        );
    }
}

#[test]
fn refused_operations_are_answers() {
    let operation = signed();
    let refusal = RefusalReport::from(Refusal::NotSeated {});
    let submitted = Submitted {
        operations: vec![OperationStatus {
            id: operation.id(),
            state: OperationState::Refused {
                height: Some(Height::new(9)),
                refusal,
            },
        }],
    };
    let (url, server) = serve(vec![Reply::json(200, &submitted)]);
    let answer = client(&url)
        .submit(std::slice::from_ref(&operation), Duration::from_millis(250))
        .unwrap();
    assert_eq!(answer, submitted);
    assert!(answer.is_final());
    let seen = server.join().unwrap();
    assert_eq!(seen[0].line, "POST /v1/operations?wait_ms=250 HTTP/1.1");
    let sent: Vec<SignedOperation> = serde_json::from_slice(&seen[0].body).unwrap();
    assert_eq!(sent, std::slice::from_ref(&operation));
    let many = vec![operation; icn_api::MAX_OPERATIONS + 1];
    assert!(matches!(
        client(&url).submit(&many, Duration::ZERO),
        Err(ClientError::TooMany { .. })
    ));
}

#[test]
fn blocks_are_checked_against_their_names() {
    let cid = Cid::of_raw(b"block");
    let (url, server) = serve(vec![
        Reply::new(200, icn_api::OCTETS, b"block"),
        Reply::new(200, icn_api::OCTETS, b"other"),
        Reply::new(
            200,
            "application/json",
            format!(r#"{{"cid":"{cid}","size_bytes":5,"blocks":1}}"#).as_bytes(),
        ),
    ]);
    let client = client(&url);
    assert_eq!(client.get_block(&cid, false).unwrap(), b"block");
    assert!(matches!(
        client.get_block(&cid, true),
        Err(ClientError::Corrupt { .. })
    ));
    assert_eq!(client.put_block(Codec::Raw, b"block").unwrap(), cid);
    let seen = server.join().unwrap();
    assert_eq!(
        seen[1].line,
        format!("GET {}?local=true HTTP/1.1", paths::with(paths::DAG_BLOCK, cid))
    );
    assert_eq!(seen[2].body, b"block");
}

#[test]
fn the_largest_block_is_taken_and_a_larger_one_is_not() {
    let largest = vec![7; MAX_DAG_BLOCK_BYTES];
    let larger = vec![7; MAX_DAG_BLOCK_BYTES + 1];
    let (url, server) = serve(vec![
        Reply::new(200, icn_api::OCTETS, &largest),
        Reply::new(200, icn_api::OCTETS, &larger),
    ]);
    let client = client(&url);
    assert_eq!(client.get_block(&Cid::of_raw(&largest), false).unwrap(), largest);
    let error = client.get_block(&Cid::of_raw(&larger), false).unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn a_broken_stream_goes_on_after_the_last_event() {
    let stream = |from: u64, to: u64| {
        let events: String = (from..to)
            .map(|number| sse::encode(&record(number)).expect("JSON"))
            .collect();
        Reply::new(
            200,
            icn_api::EVENT_STREAM,
            format!("{}{events}", sse::KEEP_ALIVE).as_bytes(),
        )
    };
    let (url, server) = serve(vec![stream(1, 3), Reply::hang_up(), stream(3, 4)]);
    let query = EventsQuery {
        kind: Some(EventKind::Epoch),
        tail: Some(2),
        ..EventsQuery::default()
    };
    let events = client(&url).follow_events(query).unwrap();
    let numbers: Vec<_> = events.take(3).map(|event| event.unwrap().number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let seen = server.join().unwrap();
    assert_eq!(seen[0].line, "GET /events?tail=2&type=epoch HTTP/1.1");
    assert_eq!(seen[2].line, "GET /events?type=epoch HTTP/1.1");
    assert!(seen[2].headers.contains(&"last-event-id: 2".to_owned()));
}
