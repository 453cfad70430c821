//! Measures the built service on PostgreSQL, with fsync on, and a real nats-server, all on this machine:
//!
//! ```text
//! cargo bench -p icn-federation --bench load [-- ingest|steady|http]
//! ```
//!
//! `ingest`: heartbeats a second over NATS, beside what a bare subscriber takes of the same server, and how soon one of them
//! is seen. `steady`: processor time and memory with ten thousand projects that beat every five seconds. `http`: lists and
//! single projects at sixteen connections. Each part ends by itself; together they take about two minutes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a program for developers: what cannot be measured ends it"
)]

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/service/world.rs"]
mod world;

use futures::StreamExt as _;
use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use world::{KEY, NatsServer, Postgres, Service, Setup, wait};

const CONNECTIONS: usize = 16;
const SPAN: Duration = Duration::from_secs(10);

fn main() {
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let is_chosen = |part: &str| chosen.is_empty() || chosen.iter().any(|word| word == part);
    if is_chosen("ingest") {
        ingest();
    }
    if is_chosen("steady") {
        steady();
    }
    if is_chosen("http") {
        http();
    }
}

fn catalog(projects: usize) -> String {
    let mut text = String::from("projects:\n");
    for number in 0..projects {
        writeln!(
            text,
            "  - {{project_slug: p-{number}, name: Project {number}, hub_url: 'http://h{number}.example.org', tags: [a, b]}}"
        )
        .unwrap();
    }
    text
}

struct Scene {
    nats: NatsServer,
    _postgres: Postgres,
    service: Service,
}

fn scene(projects: usize) -> Scene {
    let (nats, postgres) = (NatsServer::start(), Postgres::start());
    let started = Instant::now();
    let service = Setup::new()
        .with("NATS_URL", &nats.url())
        .with("DATABASE_URL", &postgres.url())
        .with_catalog(&catalog(projects))
        .start();
    wait("the catalog is there", || {
        service.metric("federation_catalog_size") >= projects as f64
    });
    println!(
        "  {projects} projects in the catalog {:.2} s after the start",
        started.elapsed().as_secs_f64()
    );
    Scene {
        nats,
        _postgres: postgres,
        service,
    }
}

/// Publishes heartbeats of `projects` in turns at `rate` a second, or as many as go, until told to end.
fn publish(url: &str, projects: usize, rate: Option<f64>, ended: &AtomicBool, sent: &AtomicU64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(url).await.unwrap();
        let messages: Vec<_> = (0..projects)
            .map(|number| {
                let body = format!(
                    "{{\"project_slug\":\"p-{number}\",\"mesh_namespace\":\"hub.p-{number}\",\"hub_url\":\"http://localhost:9001\",\"status\":\"online\",\"timestamp\":\"2025-11-18T12:00:00Z\"}}"
                );
                (async_nats::Subject::from(format!("hub.presence.p-{number}")), bytes::Bytes::from(body))
            })
            .collect();
        let started = Instant::now();
        let mut count = 0_u64;
        'all: loop {
            for (subject, body) in &messages {
                client.publish(subject.clone(), body.clone()).await.unwrap();
                count += 1;
                if count.is_multiple_of(256) {
                    client.flush().await.unwrap();
                    sent.store(count, Ordering::Relaxed);
                    if ended.load(Ordering::Relaxed) {
                        break 'all;
                    }
                    if let Some(rate) = rate {
                        let due = started + Duration::from_secs_f64(count as f64 / rate);
                        tokio::time::sleep_until(due.into()).await;
                    }
                }
            }
        }
    });
}

/// What a subscriber that does nothing takes a second.
fn raw(url: &str) -> f64 {
    let (ended, sent, taken) = (
        AtomicBool::new(false),
        AtomicU64::new(0),
        Arc::new(AtomicU64::new(0)),
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let client = runtime
        .block_on(
            async_nats::ConnectOptions::new()
                .subscription_capacity(1 << 20)
                .connect(url),
        )
        .unwrap();
    let mut subscriber = runtime.block_on(client.subscribe("hub.presence.*")).unwrap();
    runtime.block_on(client.flush()).unwrap();
    let counter = taken.clone();
    runtime.spawn(async move {
        while subscriber.next().await.is_some() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    thread::scope(|scope| {
        scope.spawn(|| publish(url, 10_000, None, &ended, &sent));
        thread::sleep(Duration::from_secs(1));
        let (before, started) = (taken.load(Ordering::Relaxed), Instant::now());
        thread::sleep(SPAN / 2);
        let rate = (taken.load(Ordering::Relaxed) - before) as f64 / started.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        rate
    })
}

fn ingest() {
    println!("ingest over NATS, 10000 projects in turns");
    let bare = NatsServer::start();
    let raw = raw(&bare.url());
    drop(bare);
    println!("  a subscriber that does nothing takes {raw:.0}/s of nats-server");
    let scene = scene(10_000);
    let service = &scene.service;
    for rate in [Some(50_000.0), None] {
        let (ended, sent) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| publish(&scene.nats.url(), 10_000, rate, &ended, &sent));
            thread::sleep(Duration::from_secs(2));
            let before = (
                service.metric("heartbeat_total"),
                sent.load(Ordering::Relaxed),
                service.cpu_secs(),
            );
            let started = Instant::now();
            let seen = visible(service, &scene.nats.url());
            thread::sleep(SPAN.saturating_sub(started.elapsed()));
            let span = started.elapsed().as_secs_f64();
            let heard = (service.metric("heartbeat_total") - before.0) / span;
            let offered = (sent.load(Ordering::Relaxed) - before.1) as f64 / span;
            let busy = (service.cpu_secs() - before.2) / span;
            ended.store(true, Ordering::Relaxed);
            println!(
                "  offered {offered:.0}/s, taken in {heard:.0}/s ({:.0} % of the bare subscriber), service {:.0} % of a core, \
                 overruns {}, a change is seen after {:.0} ms at most of {}",
                heard / raw * 100.0,
                busy * 100.0,
                service.metric("federation_ingest_overruns_total"),
                seen.iter().max().unwrap().as_secs_f64() * 1_000.0,
                seen.len()
            );
        });
        thread::sleep(Duration::from_secs(2));
    }
    println!("  memory {:.0} MB", memory(service));
}

/// How long it takes until what a project says of itself is what is read of it, a few times.
fn visible(service: &Service, url: &str) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let client = runtime.block_on(async_nats::connect(url)).unwrap();
    let mut seen = Vec::new();
    service.register("probe");
    for round in 0..10 {
        let status = if round % 2 == 0 { "degraded" } else { "online" };
        let body = format!("{{\"project_slug\":\"probe\",\"status\":\"{status}\"}}");
        let started = Instant::now();
        runtime.block_on(async {
            client.publish("hub.presence.probe", body.into()).await.unwrap();
            client.flush().await.unwrap();
        });
        wait("it is seen", || service.status("probe") == status);
        seen.push(started.elapsed());
    }
    service.call("DELETE", "/api/fed/projects/probe", Some(KEY), None);
    seen
}

fn steady() {
    println!("10000 projects that beat every 5 s, 30 s");
    let scene = scene(10_000);
    let (ended, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| publish(&scene.nats.url(), 10_000, Some(2_000.0), &ended, &sent));
        wait("all are online", || {
            scene.service.metric("heartbeat_total") >= 10_000.0
        });
        let (before, started) = (scene.service.cpu_secs(), Instant::now());
        thread::sleep(SPAN * 3);
        let busy = (scene.service.cpu_secs() - before) / started.elapsed().as_secs_f64();
        ended.store(true, Ordering::Relaxed);
        println!(
            "  service {:.1} % of a core, memory {:.0} MB, online {}",
            busy * 100.0,
            memory(&scene.service),
            scene.service.count("online")
        );
    });
}

fn http() {
    println!("HTTP at {CONNECTIONS} connections, 1000 projects that beat every 5 s");
    let scene = scene(1_000);
    let (ended, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| publish(&scene.nats.url(), 1_000, Some(200.0), &ended, &sent));
        for (what, path) in [
            ("list of 1000", "/api/fed/projects"),
            ("one project", "/api/fed/projects/p-7"),
        ] {
            let mut took = requests(scene.service.port, path);
            took.sort_unstable();
            let of = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1_000.0;
            println!(
                "  {what}: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms",
                took.len() as f64 / SPAN.as_secs_f64(),
                of(50),
                of(99)
            );
        }
        ended.store(true, Ordering::Relaxed);
    });
    println!("  memory {:.0} MB", memory(&scene.service));
}

/// How long each request took, over kept connections.
fn requests(port: u16, path: &str) -> Vec<Duration> {
    let end = Instant::now() + SPAN;
    let threads: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n\r\n");
            thread::spawn(move || {
                let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone().unwrap());
                let (mut took, mut body) = (Vec::new(), Vec::new());
                while Instant::now() < end {
                    let started = Instant::now();
                    (&stream).write_all(request.as_bytes()).unwrap();
                    let mut length = 0;
                    let mut line = String::new();
                    loop {
                        line.clear();
                        reader.read_line(&mut line).unwrap();
                        if let Some(value) = line.strip_prefix("content-length: ") {
                            length = value.trim().parse().unwrap();
                        }
                        if line == "\r\n" {
                            break;
                        }
                    }
                    body.resize(length, 0);
                    reader.read_exact(&mut body).unwrap();
                    took.push(started.elapsed());
                }
                took
            })
        })
        .collect();
    threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect()
}

/// Memory that the service holds, in megabytes.
fn memory(service: &Service) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_000.0
}
