//! What is PostgreSQL's own: the lock, log-ins, TLS, versions, servers that go away and come back.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]
#![cfg(feature = "postgresql")]

mod common;
#[path = "common/postgres.rs"]
mod postgres;

use std::error::Error as _;
use std::process::Command;
use std::thread;
use std::time::Duration;

use icn_store::{
    Backend, Batch, Durability, ErrorKind, OpenError, PostgresqlBackend, PostgresqlSettings, Reader, Store,
    StoreConfig, StoreError, Table,
};

use self::common::{batch, last_whole_batch};
use self::postgres::{PASSWORD, Server};

fn open(settings: &PostgresqlSettings) -> Store {
    let backend = PostgresqlBackend::open(settings).unwrap_or_else(|error| panic!("{error}: {error:?}"));
    Store::threaded(backend, StoreConfig::default()).unwrap()
}

fn error(settings: &PostgresqlSettings) -> OpenError {
    match PostgresqlBackend::open(settings) {
        Err(error) => {
            let mut shown = format!("{error}, {error:?}");
            let mut cause = error.source();
            while let Some(deeper) = cause {
                shown.push_str(&format!(", {deeper}, {deeper:?}"));
                cause = deeper.source();
            }
            assert!(!shown.contains(PASSWORD), "{shown}");
            error
        }
        Ok(_) => panic!("it opened"),
    }
}

fn put(key: &str, value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(Table::State, key, value).unwrap();
    batch
}

#[test]
fn only_one_process_has_a_store_open() {
    let settings = Server::shared().settings();
    let store = open(&settings);
    let message = error(&settings).to_string();
    assert!(
        message.contains("is in use") && message.contains(&settings.schema),
        "{message}"
    );
    let other = Server::shared().settings();
    open(&other);
    drop(store);
    open(&settings);
}

#[test]
fn a_wrong_password_is_said_and_not_shown() {
    let mut settings = Server::shared().settings();
    open(&settings);
    settings.password = Some("vergessen".to_owned());
    let refused = error(&settings);
    assert!(matches!(refused, OpenError::Refused { .. }), "{refused:?}");
    assert!(!format!("{refused:?}").contains("vergessen"), "{refused:?}");
    // The password beside the URL counts before the one in it.
    settings.url = settings.url.replace(PASSWORD, "falsch");
    settings.password = Some(PASSWORD.to_owned());
    open(&settings);
}

#[test]
fn a_server_or_database_that_is_not_there_is_named() {
    let mut settings = Server::shared().settings();
    let with = |url: String| {
        let mut changed = settings.clone();
        changed.url = url;
        changed.connect_timeout_ms = 2000;
        changed
    };
    let port = Server::shared().port().to_string();
    let unreachable = error(&with(settings.url.replace(&port, "1")));
    assert!(
        matches!(unreachable, OpenError::Unreachable { .. }),
        "{unreachable:?}"
    );
    assert!(unreachable.to_string().contains("localhost:1"), "{unreachable}");
    let missing = error(&with(settings.url.replace("/postgres", "/nowhere")));
    assert!(matches!(missing, OpenError::Settings { .. }), "{missing:?}");
    assert!(
        missing.to_string().contains("nowhere") && missing.to_string().contains("create it"),
        "{missing}"
    );
    Server::shared().sql("CREATE ROLE guest LOGIN PASSWORD 'gast'");
    settings.url = settings.url.replace(&format!("node:{PASSWORD}"), "guest:gast");
    let forbidden = error(&settings);
    assert!(forbidden.to_string().contains("grant"), "{forbidden}");
}

#[test]
fn a_schema_of_somebody_else_is_left_alone() {
    let settings = Server::shared().settings();
    let schema = &settings.schema;
    Server::shared().sql(&format!(
        "CREATE SCHEMA {schema}; CREATE TABLE {schema}.letters (text text)"
    ));
    let refused = error(&settings);
    assert!(refused.to_string().contains("holds other tables"), "{refused}");
    let tables = Server::shared().sql(&format!(
        "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = '{schema}'"
    ));
    assert_eq!(tables, "letters", "nothing was added");
}

#[test]
fn a_store_of_a_newer_program_is_refused() {
    let settings = Server::shared().settings();
    drop(open(&settings));
    Server::shared().sql(&format!(
        "INSERT INTO {}.icn_store_migrations (version, description, success, checksum, execution_time) \
         VALUES (7, 'later', true, '', 0)",
        settings.schema
    ));
    let refused = error(&settings);
    assert!(
        matches!(
            refused,
            OpenError::Format {
                found: 7,
                supported: 3,
                ..
            }
        ),
        "{refused:?}"
    );
}

#[test]
fn tables_are_made_once_and_kept() {
    let settings = Server::shared().settings();
    let store = open(&settings);
    store.commit(put("k", "v"), Durability::Sync).wait().unwrap();
    drop(store);
    assert_eq!(
        open(&settings).get(Table::State, b"k").unwrap(),
        Some(b"v".to_vec())
    );
    let schema = &settings.schema;
    let count = Server::shared().sql(&format!("SELECT count(*) FROM {schema}.icn_store_migrations"));
    assert_eq!(count, "3");
    let value = Server::shared().sql(&format!("SELECT convert_from(value, 'UTF8') FROM {schema}.state"));
    assert_eq!(value, "v", "any tool reads it");
}

#[test]
fn tls_is_used_and_verified() {
    let server = Server::shared();
    let base = server.settings();
    let with = |parameters: &str| {
        let mut settings = server.settings();
        settings.url = format!("{}?{parameters}", base.url);
        settings
    };
    let certificate = server.dir().join("server.crt").display().to_string();
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE ssl AND application_name = 'icn-store-tls'";
    let verified = with(&format!(
        "sslmode=verify-full&sslrootcert={certificate}&application_name=icn-store-tls"
    ));
    let store = open(&verified);
    store.commit(put("k", "v"), Durability::Sync).wait().unwrap();
    assert_eq!(store.get(Table::State, b"k").unwrap(), Some(b"v".to_vec()));
    assert_eq!(
        server.sql(encrypted),
        "2",
        "the session that writes and the one that reads"
    );
    // Nobody vouches for the certificate.
    let refused = error(&with("sslmode=verify-full"));
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused:?}");
    // The certificate is for another name.
    let mut other_name = verified.clone();
    other_name.url = other_name.url.replace("@localhost", "@127.0.0.2");
    let refused = error(&other_name);
    assert!(matches!(refused, OpenError::Unreachable { .. }), "{refused:?}");
}

#[test]
fn snapshots_are_bounded_by_the_connections() {
    let mut settings = Server::shared().settings();
    settings.max_connections = 5;
    let store = open(&settings);
    let mut snapshots = Vec::new();
    for n in 0..2 {
        store
            .commit(put("k", &n.to_string()), Durability::Sync)
            .wait()
            .unwrap();
        snapshots.push(store.snapshot().unwrap());
    }
    store.commit(put("k", "2"), Durability::Sync).wait().unwrap();
    match store.snapshot() {
        Err(StoreError::Backend(error)) if error.kind() == ErrorKind::Busy => {}
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("half of the connections are for reading"),
    }
    for (n, snapshot) in snapshots.iter().enumerate() {
        let seen = snapshot.get(Table::State, b"k").unwrap();
        assert_eq!(seen, Some(n.to_string().into_bytes()));
    }
    snapshots.clear();
    let seen = store.snapshot().unwrap().get(Table::State, b"k").unwrap();
    assert_eq!(seen, Some(b"2".to_vec()));
}

/// Nodes call stores from the threads of their own runtime, where a runtime's own means of waiting
/// would panic.
#[test]
fn a_store_works_and_closes_on_a_thread_of_another_runtime() {
    let settings = Server::shared().settings();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = open(&settings);
        store.commit(put("k", "v"), Durability::Sync).await.unwrap();
        let snapshot = store.snapshot().unwrap();
        assert_eq!(snapshot.get(Table::State, b"k").unwrap(), Some(b"v".to_vec()));
        drop(snapshot);
        drop(store);
        open(&settings);
    });
}

/// A session that is cut, as by a firewall or an operator, is replaced: also the one that writes.
#[test]
fn cut_sessions_are_replaced() {
    let mut settings = Server::shared().settings();
    let name = format!("icn-store-{}", settings.schema);
    settings.url.push_str(&format!("?application_name={name}"));
    let store = open(&settings);
    for round in 0..3 {
        let value = round.to_string();
        if round == 1 {
            // Chores notice it too.
            store.maintain().unwrap();
        }
        let commit = store.commit(put("k", &value), Durability::Sync);
        commit.wait().unwrap();
        assert_eq!(store.get(Table::State, b"k").unwrap(), Some(value.into_bytes()));
        let cut = Server::shared().sql(&format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{name}'"
        ));
        assert_eq!(cut, "2", "the session that writes and the one that reads");
    }
}

/// The server's side of the session that writes freezes in the middle of a commit and wakes up later: the
/// store gives it up, and the commit happens once, whichever of the two sessions did it.
#[test]
fn a_session_that_freezes_is_given_up() {
    let mut settings = Server::shared().settings();
    let name = format!("icn-store-{}", settings.schema);
    settings.url.push_str(&format!("?application_name={name}"));
    settings.answer_timeout_ms = 1000;
    let store = open(&settings);
    store.commit(put("k", "1"), Durability::Sync).wait().unwrap();
    let pid = Server::shared().sql(&format!(
        "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) \
         WHERE locktype = 'advisory' AND application_name = '{name}'"
    ));
    let signal = |signal: &str| {
        let status = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(status.success());
    };
    signal("-STOP");
    let commit = store.commit(put("k", "2"), Durability::Sync);
    // Longer than the store waits for an answer.
    thread::sleep(Duration::from_millis(2500));
    signal("-CONT");
    commit.wait().unwrap();
    assert_eq!(store.get(Table::State, b"k").unwrap(), Some(b"2".to_vec()));
    let commits = Server::shared().sql(&format!("SELECT commits FROM {}.icn_store", settings.schema));
    assert_eq!(commits, "2");
    store.commit(put("k", "3"), Durability::Sync).wait().unwrap();
}

/// While a store has lost its session another process takes the lock and writes: the first one stops
/// instead of writing beside it.
#[test]
fn a_store_that_lost_its_lock_to_another_writer_stops() {
    let settings = Server::shared().settings();
    let store = open(&settings);
    store.commit(put("k", "1"), Durability::Sync).wait().unwrap();
    Server::shared().sql(&format!(
        "UPDATE {}.icn_store SET commits = commits + 5",
        settings.schema
    ));
    let failed = store.commit(put("k", "2"), Durability::Sync).wait().unwrap_err();
    assert!(matches!(failed, StoreError::Backend(_)), "{failed}");
    assert!(matches!(
        store.get(Table::State, b"k"),
        Err(StoreError::Poisoned { .. })
    ));
    drop(store);
    assert_eq!(
        open(&settings).get(Table::State, b"k").unwrap(),
        Some(b"1".to_vec())
    );
}

/// The server is crashed (`SIGQUIT`: no checkpoint, nothing flushed) under a writer, and comes back: the
/// writer goes on, everything acknowledged is there, no commit happened twice or by half.
#[test]
fn what_was_acknowledged_survives_a_crash_of_the_server() {
    let mut server = Server::start(&[]);
    let settings = server.settings();
    let store = open(&settings);
    assert!(store.caps().power_loss_safe);
    let rounds = common::rounds(1);
    for round in 0..rounds {
        let last = last_whole_batch(&store, 0);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for number in last + 1..=last + 20 {
                    store.commit(batch(0, number), Durability::Sync).wait().unwrap();
                }
            });
            thread::sleep(Duration::from_millis(30 + 40 * round % 200));
            server.crash_and_restart();
            writer.join().unwrap();
        });
        assert_eq!(last_whole_batch(&store, 0), last + 20, "round {round}");
    }
    drop(store);
    assert_eq!(last_whole_batch(&open(&settings), 0), 20 * rounds);
}

#[test]
fn a_server_that_does_not_sync_is_not_called_safe() {
    let server = Server::start(&["fsync=off"]);
    let store = open(&server.settings());
    assert!(!store.caps().power_loss_safe);
    let backend = PostgresqlBackend::open(&server.settings()).unwrap();
    assert!(!backend.caps().power_loss_safe);
}
