//! NATS, PostgreSQL, or both are away for a while, with a thousand projects that beat every five seconds: none that beats
//! is called offline, none that stopped stays online, nothing that was accepted is lost.
//!
//! `ICN_OUTAGE_SECS` says for how long; 20 if it does not, 150 are the full count.
use crate::{
    heartbeats::Hub,
    world::{NatsServer, Postgres, Service, Setup, wait},
};
use std::{
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const PROJECTS: usize = 1_000;
/// Those that stop while something is away.
const STOPPING: usize = 100;
const INTERVAL: Duration = Duration::from_secs(5);
const THRESHOLD: u64 = 12;

/// One after the other: they measure.
static TURN: Mutex<()> = Mutex::new(());

fn outage() -> Duration {
    let seconds = std::env::var("ICN_OUTAGE_SECS")
        .ok()
        .and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(20))
}

fn catalog() -> String {
    let mut text = String::from("projects:\n");
    for number in 0..PROJECTS {
        writeln!(
            text,
            "  - {{project_slug: p-{number}, name: P {number}, hub_url: 'http://h.example.org'}}"
        )
        .unwrap();
    }
    text
}

/// Beats for all projects in turns, until told to end. From `stopped` on, the first ones are silent.
struct Beating<'a> {
    ended: &'a AtomicBool,
    stopped: &'a AtomicBool,
    sent: &'a AtomicU64,
}

fn beat(url: &str, with: &Beating<'_>) {
    let hub = Hub::connect(url);
    let step = INTERVAL / u32::try_from(PROJECTS / 50).unwrap();
    let mut next = Instant::now();
    for round in 0.. {
        let first = (round * 50) % PROJECTS;
        for number in first..first + 50 {
            if with.ended.load(Ordering::Relaxed) {
                return;
            }
            if number < STOPPING && with.stopped.load(Ordering::Relaxed) {
                continue;
            }
            hub.beat(&format!("p-{number}"));
            with.sent.fetch_add(1, Ordering::Relaxed);
        }
        hub.flush();
        next += step;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

struct Scene {
    nats: NatsServer,
    postgres: Postgres,
    service: Service,
}

impl Scene {
    fn new() -> Self {
        let (nats, postgres) = (NatsServer::start(), Postgres::start());
        let service = Setup::new()
            .with("NATS_URL", &nats.url())
            .with("DATABASE_URL", &postgres.url())
            .with("HEARTBEAT_STALE_THRESHOLD_SECONDS", &THRESHOLD.to_string())
            .with_catalog(&catalog())
            .start();
        // What is sent before is of nobody.
        wait("the catalog is there", || {
            service.metric("federation_catalog_size") >= PROJECTS as f64
        });
        Self {
            nats,
            postgres,
            service,
        }
    }

    /// How many changes to a status there were for projects that beat all the time.
    fn changes_to(&self, status: &str) -> i64 {
        let beating: Vec<_> = (0..STOPPING).map(|number| format!("'p-{number}'")).collect();
        let sql = format!(
            "SELECT count(*) FROM news WHERE status = '{status}' AND slug NOT IN ({})",
            beating.join(",")
        );
        self.postgres.sql("commandcenter_fed", &sql).parse().unwrap()
    }

    /// How many heartbeats the database has counted.
    fn counted(&self) -> u64 {
        let hours =
            "SELECT coalesce(sum(m::text::bigint), 0) FROM hours, json_array_elements(minutes::json) m";
        let open = "SELECT coalesce(sum(beats), 0) FROM beats";
        let sum = |sql| {
            self.postgres
                .sql("commandcenter_fed", sql)
                .parse::<u64>()
                .unwrap()
        };
        sum(hours) + sum(open)
    }
}

fn run(lose: impl FnOnce(&mut Scene), bring_back: impl FnOnce(&mut Scene), nats_is_away: bool) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut scene = Scene::new();
    let (ended, stopped, sent) = (AtomicBool::new(false), AtomicBool::new(false), AtomicU64::new(0));
    let with = Beating {
        ended: &ended,
        stopped: &stopped,
        sent: &sent,
    };
    thread::scope(|scope| {
        let url = scene.nats.url();
        let hub = scope.spawn(move || beat(&url, &with));
        // However this ends, the hub ends with it.
        let _end = EndAtDrop(&ended);
        wait("all are online", || scene.service.count("online") == PROJECTS);
        lose(&mut scene);
        stopped.store(true, Ordering::Relaxed);
        thread::sleep(outage());
        // Meanwhile: whoever stopped is not shown as online, and nobody is said to be offline who beats.
        let list = scene.service.get("/api/fed/projects").json();
        for project in list.as_array().unwrap() {
            let slug = project["slug"].as_str().unwrap();
            let number: usize = slug.trim_start_matches("p-").parse().unwrap();
            let status = project["status"].as_str().unwrap();
            if number < STOPPING {
                assert!(
                    !["online", "late"].contains(&status),
                    "{slug} has stopped and is {status}"
                );
            } else if nats_is_away {
                assert!(status != "offline", "{slug} beats and is {status}");
            } else {
                assert!(
                    ["online", "late"].contains(&status),
                    "{slug} beats and is {status}"
                );
            }
        }
        bring_back(&mut scene);
        let back = wait("the service has recovered", || {
            scene.service.get("/readyz").status == 200 && scene.service.get("/health/nats").status == 200
        });
        eprintln!("recovered after {:.1} s", back.as_secs_f64());
        wait("those that beat are online", || {
            scene.service.count("online") >= PROJECTS - STOPPING
        });
        wait("those that stopped are offline", || {
            scene.service.count("offline") == STOPPING
        });
        assert_eq!(
            scene.service.count("online") + scene.service.count("late"),
            PROJECTS - STOPPING
        );
        ended.store(true, Ordering::Relaxed);
        hub.join().unwrap();
    });
    assert_eq!(
        scene.changes_to("offline"),
        0,
        "a project that beat was called offline"
    );
    // What was accepted is what is counted, on disk too.
    let accepted = scene.service.count_of("heartbeat_total");
    wait("all is written", || scene.counted() == accepted);
    if !nats_is_away {
        assert_eq!(
            accepted,
            sent.load(Ordering::Relaxed),
            "a heartbeat over NATS was lost"
        );
    }
    eprintln!("{accepted} heartbeats accepted, all counted");
}

struct EndAtDrop<'a>(&'a AtomicBool);

impl Drop for EndAtDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn nats_is_away() {
    run(|scene| scene.nats.kill(), |scene| scene.nats.run(), true);
}

#[test]
fn the_database_is_killed_and_away() {
    run(|scene| scene.postgres.kill(), |scene| scene.postgres.run(), false);
}

#[test]
fn both_are_away() {
    let lose = |scene: &mut Scene| {
        scene.postgres.kill();
        scene.nats.kill();
    };
    let bring_back = |scene: &mut Scene| {
        scene.nats.run();
        scene.postgres.run();
    };
    run(lose, bring_back, true);
}

#[test]
fn it_starts_before_the_database_does() {
    let mut postgres = Postgres::start();
    postgres.kill();
    let service = Setup::new().with("DATABASE_URL", &postgres.url()).start();
    assert_eq!(service.get("/readyz").status, 503);
    assert_eq!(service.get("/health").status, 200);
    assert_eq!(service.get("/api/fed/projects").code(), 1310);
    postgres.run();
    wait("it is ready", || service.get("/readyz").status == 200);
    service.register("a");
    let row = "SELECT slug, status, last_heartbeat_at FROM projects;";
    assert_eq!(postgres.sql("commandcenter_fed", row), "a|new|");
    service.beat("a");
    let seen = postgres.sql("commandcenter_fed", row);
    assert!(seen.starts_with("a|online|20"), "{seen}");
}
