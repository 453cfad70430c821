//! Reports to a Federation Service: what arrives there, and what the node says when nothing does.
use crate::harness::{Node, WAIT};
use icn_api::{
    events::EventPage,
    presence::{Details, Heartbeat, Project, SelfStatus},
};
use icn_model::{Callee, Event};
use serde::de::DeserializeOwned;
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::{Duration, Instant},
};

const HEARTBEAT: &str = "/api/fed/projects/bakery/heartbeat";
const PROJECTS: &str = "/api/fed/projects";

/// A request as the service got it.
pub(crate) struct Told {
    pub(crate) path: String,
    key: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Told {
    fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// As much of a Federation Service as is needed: `answer` gives the status of each request.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    told: Receiver<Told>,
}

impl Service {
    pub(crate) fn start(answer: impl Fn(&Told) -> u16 + Send + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    fn on(listener: TcpListener, answer: impl Fn(&Told) -> u16 + Send + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(request) = read(&stream) else { continue };
                let status = answer(&request);
                let answered = write!(
                    &stream,
                    "HTTP/1.1 {status} So\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                );
                if answered.is_err() || tell.send(request).is_err() {
                    break;
                }
            }
        });
        Self { address, told }
    }

    pub(crate) fn next(&self) -> Told {
        self.told.recv_timeout(WAIT).unwrap()
    }
}

fn read(stream: &TcpStream) -> Option<Told> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.strip_prefix("POST ")?.split_whitespace().next()?.to_owned();
    let (mut key, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-api-key" => key = Some(value.to_owned()),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Told { path, key, body })
}

/// A node that reports as `section` says.
fn reporting(directory: &Path, section: &str) -> Node {
    let head = "[federation]\nenabled = true\ninterval = 1\n";
    fs::write(directory.join("icn.toml"), format!("{head}{section}\n")).unwrap();
    Node::on_disk_with(directory, &["--config", "icn.toml"])
}

#[test]
fn a_node_registers_itself_beats_and_takes_leave() {
    let known = AtomicBool::new(false);
    let service = Service::start(move |told| {
        if told.path == PROJECTS {
            known.store(true, Ordering::Relaxed);
            return 201;
        }
        if known.load(Ordering::Relaxed) { 200 } else { 404 }
    });
    let directory = tempfile::tempdir().unwrap();
    let section = format!(
        "url = \"http://{}\"\napi_key = \"a-key-of-this-test\"\nname = \"Bakery\"",
        service.address
    );
    let node = reporting(directory.path(), &section);

    assert_eq!(service.next().path, HEARTBEAT);
    let registration = service.next();
    assert_eq!(registration.path, PROJECTS);
    assert_eq!(registration.key.as_deref(), Some("a-key-of-this-test"));
    let project: Project = registration.json();
    assert_eq!(
        (project.project_slug.as_str(), project.name.as_str()),
        ("bakery", "Bakery")
    );
    assert_eq!(
        (project.mesh_namespace.as_str(), &project.hub_url),
        ("hub.bakery", &node.url)
    );
    let mut beats = Vec::new();
    while beats.len() < 3 {
        let told = service.next();
        assert_eq!(
            (told.path.as_str(), told.key.as_deref()),
            (HEARTBEAT, Some("a-key-of-this-test"))
        );
        beats.push(told.json::<Heartbeat>());
    }
    let first = &beats[0];
    assert_eq!(first.mesh_namespace.as_deref(), Some("hub.bakery"));
    assert_eq!(first.hub_url.as_deref(), Some(node.url.as_str()));
    let numbers: Vec<_> = beats.iter().map(|beat| beat.sequence).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
    assert!(
        beats
            .iter()
            .all(|beat| beat.boot_id == first.boot_id && beat.boot_id.is_some())
    );
    let Some(Details {
        height,
        peers,
        version,
    }) = beats[2].details.clone()
    else {
        panic!("{beats:?}");
    };
    assert!(height.is_some() && peers == Some(0) && version.is_some());
    assert!(
        beats[2]
            .timestamp
            .as_ref()
            .is_some_and(|text| text.ends_with('Z'))
    );

    node.stop();
    let last = std::iter::from_fn(|| service.told.try_recv().ok())
        .last()
        .unwrap();
    assert_eq!(last.json::<Heartbeat>().status, SelfStatus::Offline);
}

#[test]
fn a_service_that_is_away_is_said_once_and_found_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let directory = tempfile::tempdir().unwrap();
    let node = reporting(
        directory.path(),
        &format!("url = \"http://{address}\"\nslug = \"bakery\""),
    );
    node.wait_for_log("cannot report to the Federation Service");
    let failed = || node.get("/metrics").body;
    while !String::from_utf8(failed())
        .unwrap()
        .contains("icn_reports_total{outcome=\"failed\"} 3")
    {
        thread::sleep(Duration::from_millis(50));
    }
    let warned = |node: &Node| {
        let warnings = node.client.status().unwrap().warnings;
        warnings
            .iter()
            .any(|warning| warning.contains("Federation Service"))
    };
    assert!(warned(&node));
    let service = Service::on(TcpListener::bind(address).unwrap(), |_| 200);
    assert_eq!(service.next().path, HEARTBEAT);
    node.wait_for_log("the Federation Service takes reports again");
    assert!(!warned(&node));
    assert_eq!(
        node.log()
            .matches("cannot report to the Federation Service")
            .count(),
        1
    );
    node.stop();
}

#[test]
fn a_service_that_does_not_answer_holds_up_nothing() {
    // It takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = format!("url = \"http://{}\"", listener.local_addr().unwrap());
    let node = reporting(directory.path(), &url);
    assert_eq!(node.get("/health").status, 200);
    let begun = Instant::now();
    node.stop();
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[cfg(feature = "nats")]
mod nats {
    use super::*;
    use std::process::{Child, Command, Stdio};

    /// A server that is stopped with the test.
    struct Server(Child);

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn server(port: u16) -> Server {
        let child = Command::new("nats-server")
            .args([
                "-a",
                "127.0.0.1",
                "-p",
                &port.to_string(),
                "--user",
                "hub",
                "--pass",
                "p@ss",
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Server(child.expect("this test needs nats-server in the PATH (apt-get install nats-server)"))
    }

    /// A subscriber to every heartbeat, in the protocol's own words.
    fn subscribe(address: SocketAddr) -> BufReader<TcpStream> {
        let begun = Instant::now();
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(error) => assert!(begun.elapsed() < WAIT, "{error}"),
            }
            thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(WAIT)).unwrap();
        let mut reader = BufReader::new(stream);
        reader
            .get_mut()
            .write_all(
                b"CONNECT {\"verbose\":false,\"user\":\"hub\",\"pass\":\"p@ss\"}\r\nSUB hub.presence.* 1\r\nPING\r\n",
            )
            .unwrap();
        let mut line = String::new();
        while line != "PONG\r\n" {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the server hung up");
        }
        reader
    }

    /// The next heartbeat with its subject.
    fn next(reader: &mut BufReader<TcpStream>) -> (String, Heartbeat) {
        loop {
            let mut line = String::new();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the server hung up");
            let mut words = line.split_whitespace();
            match words.next() {
                Some("MSG") => {
                    let subject = words.next().unwrap().to_owned();
                    let length: usize = words.last().unwrap().parse().unwrap();
                    let mut body = vec![0; length + 2];
                    reader.read_exact(&mut body).unwrap();
                    return (subject, serde_json::from_slice(&body[..length]).unwrap());
                }
                Some("PING") => reader.get_mut().write_all(b"PONG\r\n").unwrap(),
                _ => {}
            }
        }
    }

    #[test]
    fn reports_over_nats() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let section = format!("nats_url = \"nats://hub:p%40ss@{free}\"\nslug = \"bakery\"");
        let node = reporting(directory.path(), &section);
        node.wait_for_log("cannot report to the Federation Service");
        assert!(!node.log().contains("p%40ss"), "{}", node.log());
        let _server = server(free.port());
        let mut subscriber = subscribe(free);
        let (subject, first) = next(&mut subscriber);
        assert_eq!(
            (subject.as_str(), first.project_slug.as_str()),
            ("hub.presence.bakery", "bakery")
        );
        let (_, second) = next(&mut subscriber);
        assert_eq!(second.sequence, first.sequence.map(|number| number + 1));
        assert_eq!(second.boot_id, first.boot_id);
        node.stop();
        loop {
            let (_, heartbeat) = next(&mut subscriber);
            if heartbeat.status == SelfStatus::Offline {
                break;
            }
        }
    }
}

#[test]
fn that_the_service_is_left_alone_and_answers_again_is_among_the_events() {
    let works = Arc::new(AtomicBool::new(false));
    let service = Service::start({
        let works = works.clone();
        move |_| if works.load(Ordering::Relaxed) { 200 } else { 500 }
    });
    let directory = tempfile::tempdir().unwrap();
    let section = format!(
        "url = \"http://{}\"\n[network]\nopen_timeout_secs = 1",
        service.address
    );
    let node = reporting(directory.path(), &section);
    let callee = Callee::FederationService;
    let (opened, closed) = (Event::CircuitOpened { callee }, Event::CircuitClosed { callee });
    let until = |expected: &[Event]| {
        let start = Instant::now();
        loop {
            let page: EventPage = node.get("/events?type=network").json(200);
            let events: Vec<_> = page.items.into_iter().map(|record| record.event).collect();
            if events == expected {
                return;
            }
            assert!(start.elapsed() < WAIT, "{events:?}");
            thread::sleep(Duration::from_millis(100));
        }
    };
    until(std::slice::from_ref(&opened));
    // Tries that fail in a circuit that is open are no news.
    thread::sleep(Duration::from_secs(4));
    until(std::slice::from_ref(&opened));
    works.store(true, Ordering::Relaxed);
    until(&[opened, closed]);
    node.stop();
}
