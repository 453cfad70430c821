//! Three replicas on one database and one NATS server.
use crate::{
    heartbeats::Hub,
    world::{NatsServer, PATIENCE, Postgres, Service, Setup, wait},
};
use std::{thread, time::Duration};

const THRESHOLD: u64 = 8;

fn replica(nats: &NatsServer, postgres: &Postgres) -> Service {
    Setup::new()
        .with("NATS_URL", &nats.url())
        .with("DATABASE_URL", &postgres.url())
        .with("HEARTBEAT_STALE_THRESHOLD_SECONDS", &THRESHOLD.to_string())
        .start()
}

#[test]
fn one_is_killed_and_the_others_go_on() {
    let (nats, postgres) = (NatsServer::start(), Postgres::start());
    let mut replicas: Vec<_> = (0..3).map(|_| replica(&nats, &postgres)).collect();
    for replica in &replicas {
        wait("it is ready", || replica.get("/readyz").status == 200);
    }
    for number in 0..30 {
        replicas[number % 3].register(&format!("p-{number}"));
    }
    let hub = Hub::connect(&nats.url());
    let told = hub.subscribe("fed.project.*.status");
    let beat = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            hub.beat(&format!("p-{number}"));
        }
        hub.flush();
    };
    for _ in 0..6 {
        beat(0..30);
        thread::sleep(Duration::from_millis(500));
    }
    for replica in &replicas {
        // Each hears a third, and all know of all.
        wait("all are online everywhere", || replica.count("online") == 30);
    }
    let keepers = |replicas: &[Service]| {
        let is_keeper = |replica: &&Service| replica.metric("federation_keeper") > 0.0;
        replicas.iter().filter(is_keeper).count()
    };
    assert_eq!(keepers(&replicas), 1);
    let place = replicas
        .iter()
        .position(|replica| replica.metric("federation_keeper") > 0.0)
        .unwrap();
    // Five of thirty stop, too few to be a fault of the service; then the one who judges is killed.
    beat(5..30);
    replicas.remove(place).kill();
    let mut waited = Duration::ZERO;
    let step = Duration::from_millis(500);
    while replicas.iter().any(|replica| replica.count("offline") < 5) {
        assert!(waited < PATIENCE, "expiry does not go on");
        beat(5..30);
        thread::sleep(step);
        waited += step;
    }
    eprintln!(
        "offline {:.1} s after the kill, threshold {THRESHOLD} s",
        waited.as_secs_f64()
    );
    assert_eq!(keepers(&replicas), 1);
    for replica in &replicas {
        assert_eq!(
            (
                replica.count("offline"),
                replica.count("online") + replica.count("late")
            ),
            (5, 25)
        );
    }
    // Each change is in the history once, and each that was told over NATS is one of those.
    let twice = "SELECT count(*) FROM (SELECT slug, status, was FROM news WHERE status IN ('offline', 'new') \
                 GROUP BY slug, status, was HAVING count(*) > 1) AS x";
    assert_eq!(postgres.sql("commandcenter_fed", twice), "0");
    let mut ids: Vec<_> = told
        .try_iter()
        .map(|(_, change)| change["id"].as_i64().unwrap())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "a change was told twice");
}
