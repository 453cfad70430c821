//! Heartbeats over NATS: good ones count, others are counted.
use crate::world::{NatsServer, PATIENCE, Postgres, Setup, wait};
use serde_json::{Value, json};
use std::time::Duration;

/// A client that publishes.
pub(crate) struct Hub {
    runtime: tokio::runtime::Runtime,
    client: async_nats::Client,
}

impl Hub {
    pub(crate) fn connect(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let options = async_nats::ConnectOptions::new()
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(|_| Duration::from_millis(100));
        let client = runtime.block_on(options.connect(url)).unwrap();
        Self { runtime, client }
    }

    pub(crate) fn publish(&self, subject: &str, payload: impl Into<Vec<u8>>) {
        let payload: Vec<u8> = payload.into();
        let publish = self.client.publish(subject.to_owned(), payload.into());
        self.runtime.block_on(publish).unwrap();
    }

    pub(crate) fn beat(&self, slug: &str) {
        let beat = json!({"project_slug": slug, "mesh_namespace": format!("hub.{slug}"),
            "hub_url": "http://localhost:9001", "status": "online", "timestamp": "2025-11-18T12:00:00Z"});
        self.publish(&format!("hub.presence.{slug}"), beat.to_string());
    }

    pub(crate) fn flush(&self) {
        // Without a server it waits for one.
        let flush = async { tokio::time::timeout(Duration::from_secs(2), self.client.flush()).await };
        drop(self.runtime.block_on(flush));
    }

    /// The messages to a subject, from now on.
    pub(crate) fn subscribe(&self, subject: &'static str) -> std::sync::mpsc::Receiver<(String, Value)> {
        use futures::StreamExt as _;
        let mut messages = self.runtime.block_on(self.client.subscribe(subject)).unwrap();
        self.flush();
        let (sender, receiver) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            while let Some(message) = messages.next().await {
                let Ok(body) = serde_json::from_slice(&message.payload) else {
                    continue;
                };
                if sender.send((message.subject.to_string(), body)).is_err() {
                    return;
                }
            }
        });
        receiver
    }
}

#[test]
fn only_good_ones_count_and_the_others_are_counted_by_reason() {
    let nats = NatsServer::start();
    let service = Setup::new().with("NATS_URL", &nats.url()).start();
    wait("it is connected", || {
        service.get("/health/nats").json()["status"] == "connected"
    });
    let hub = Hub::connect(&nats.url());
    let told = hub.subscribe("fed.project.*.status");
    service.register("commandcenter");
    hub.beat("commandcenter");
    hub.flush();
    wait("it is online", || service.status("commandcenter") == "online");
    let skew = service.get("/api/fed/projects/commandcenter").json()["clock_skew_ms"].as_i64();
    assert!(skew.unwrap() < -86_400_000, "the example's timestamp is of 2025");
    let (subject, change) = told.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(subject, "fed.project.commandcenter.status");
    assert_eq!(change["status"], "new");
    assert_eq!(
        told.recv_timeout(Duration::from_secs(60)).unwrap().1["status"],
        "online"
    );

    let own = "hub.presence.commandcenter";
    hub.publish("hub.presence.test", r#"{"test": true}"#);
    hub.publish(own, "not JSON");
    hub.publish(own, &b"\xff\xfe"[..]);
    hub.publish(own, "[1,2]");
    hub.publish(
        own,
        json!({"project_slug": "other", "status": "online"}).to_string(),
    );
    hub.publish(own, format!("\"{}\"", "x".repeat(100_000)));
    let numbered = |sequence: u64| {
        json!({"project_slug": "commandcenter", "status": "online", "boot_id": "a", "sequence": sequence})
            .to_string()
    };
    hub.publish(own, numbered(5));
    hub.publish(own, numbered(5));
    hub.publish(own, numbered(3));
    for number in 0..10_000 {
        hub.publish(&format!("hub.presence.unknown-{number}"), "{}");
    }
    hub.flush();
    wait("all are counted", || {
        service.metric("federation_heartbeats_dropped_total") >= 10_008.0
    });
    let metrics = String::from_utf8(service.get("/metrics").body).unwrap();
    for expected in [
        "reason=\"malformed\"} 3",
        "reason=\"mismatch\"} 1",
        "reason=\"too_large\"} 1",
        "reason=\"replayed\"} 2",
        "reason=\"unknown\"} 10001",
        "\nheartbeat_total 2",
    ] {
        assert!(metrics.contains(expected), "{expected}: {metrics}");
    }
    assert!(metrics.lines().count() < 400, "nothing from outside is a label");
}

#[test]
fn it_starts_before_nats_does() {
    let mut nats = NatsServer::later();
    let service = Setup::new().with("NATS_URL", &nats.url()).start();
    let health = service.get("/health/nats");
    assert_eq!(
        (health.status, health.json()["status"].as_str()),
        (503, Some("disconnected"))
    );
    service.register("a");
    assert_eq!(service.beat("a").status, 200);
    nats.run();
    wait("it connects by itself", || {
        service.get("/health/nats").status == 200
    });
    let hub = Hub::connect(&nats.url());
    hub.beat("a");
    hub.flush();
    wait("it hears", || service.metric("heartbeat_total") >= 2.0);
}

#[test]
fn what_happened_without_nats_is_not_told_when_there_is_one() {
    let postgres = Postgres::start();
    let mut before = Setup::new().with("DATABASE_URL", &postgres.url()).start();
    before.register("a");
    before.register("b");
    // As long as it is to be told it is not pruned, and without NATS nobody tells it.
    let is_passed = "SELECT (SELECT max(id) FROM news) <= (SELECT told FROM meta)";
    wait("nobody is to be told any more", || {
        postgres.sql("commandcenter_fed", is_passed) == "t"
    });
    before.terminate();
    let nats = NatsServer::start();
    let hub = Hub::connect(&nats.url());
    let told = hub.subscribe("fed.project.*.status");
    let service = Setup::new()
        .with("DATABASE_URL", &postgres.url())
        .with("NATS_URL", &nats.url())
        .start();
    wait("it is ready", || service.get("/readyz").status == 200);
    service.register("c");
    let (subject, change) = told.recv_timeout(PATIENCE).unwrap();
    assert_eq!(subject, "fed.project.c.status", "{change}");
}
