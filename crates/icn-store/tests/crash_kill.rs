//! kill -9: a child process commits numbered batches from several threads and reports each one that
//! is acknowledged; it is killed at some moment, and everything that it reported has to be there, in
//! whole batches. The same store goes through every round, so later rounds recover what earlier
//! crashes left behind. Every backend that this build has is tested.
//!
//! The operating system survives here, and so does a database server: that data reaches the disk is
//! the business of `crash_power.rs` and `power_loss.rs`.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]
#![cfg(any(
    feature = "fjall",
    feature = "redb",
    feature = "sled",
    feature = "sqlite",
    feature = "postgresql",
    feature = "persist-rocksdb"
))]

mod common;
#[path = "common/places.rs"]
mod places;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::thread;

use icn_store::{BackendKind, Durability, Location, Store, StoreConfig, open};

use self::common::{Numbers, batch, last_whole_batch, rounds};
use self::places::{Place, from_argument, place};

const WRITERS: u8 = 4;
/// Backend and place, for the child.
const CHILD_KIND: &str = "ICN_STORE_CRASH_KIND";
const CHILD_PLACE: &str = "ICN_STORE_CRASH_PLACE";

fn open_store(location: &Location) -> Store {
    let backend = open(location).unwrap_or_else(|error| panic!("a store opens after a crash: {error:?}"));
    Store::threaded(backend, StoreConfig::default()).unwrap()
}

/// The child: not a test by itself.
#[test]
#[ignore = "run by the other test in a process of its own"]
fn child() {
    let kind = std::env::var(CHILD_KIND).expect("run by the other test");
    let place = std::env::var(CHILD_PLACE).unwrap();
    let store = open_store(&from_argument(kind.parse().unwrap(), &place));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for number in last_whole_batch(store, writer) + 1.. {
                    // Some of the commits are of the kind that survives a kill only.
                    let durability = if number % 4 == 3 {
                        Durability::Buffered
                    } else {
                        Durability::Sync
                    };
                    store.commit(batch(writer, number), durability).wait().unwrap();
                    // One write per line: a line is there or it is not.
                    let line = format!("acknowledged {writer} {number}\n");
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

/// Lets the child run until it has reported `enough` batches; what it reported in all.
fn run_and_kill(place: &Place, enough: u64) -> [u64; WRITERS as usize] {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD_KIND, place.location.kind().name())
        .env(CHILD_PLACE, place.to_argument())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = [0; WRITERS as usize];
    let mut count = 0;
    // The pipe is read to its end: what was reported before the kill took effect counts too.
    for line in lines {
        let line = line.unwrap();
        let Some((_, report)) = line.split_once("acknowledged ") else {
            continue;
        };
        let (writer, number) = report.split_once(' ').unwrap();
        acknowledged[writer.parse::<usize>().unwrap()] = number.parse().unwrap();
        count += 1;
        if count == enough {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(
        !status.success() && count >= enough,
        "the child was to be killed: {status}, {count} batches"
    );
    acknowledged
}

fn what_was_acknowledged_survives_kill_9(kind: BackendKind) {
    let place = place(kind);
    let mut numbers = Numbers(20);
    for round in 0..rounds(4) {
        let enough = 1 + numbers.below(150);
        let acknowledged = run_and_kill(&place, enough);
        let store = open_store(&place.location);
        for writer in 0..WRITERS {
            let last = last_whole_batch(&store, writer);
            let promised = acknowledged[usize::from(writer)];
            assert!(
                last >= promised,
                "{kind}, round {round}, writer {writer}: {promised} promised, {last} there"
            );
            // A writer has one commit under way at a time.
            assert!(
                promised == 0 || last <= promised + 1,
                "{kind}, round {round}, writer {writer}"
            );
        }
    }
}

#[cfg(feature = "fjall")]
#[test]
fn fjall() {
    what_was_acknowledged_survives_kill_9(BackendKind::Fjall);
}

#[cfg(feature = "redb")]
#[test]
fn redb() {
    what_was_acknowledged_survives_kill_9(BackendKind::Redb);
}

#[cfg(feature = "sled")]
#[test]
fn sled() {
    what_was_acknowledged_survives_kill_9(BackendKind::Sled);
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite() {
    what_was_acknowledged_survives_kill_9(BackendKind::Sqlite);
}

#[cfg(feature = "postgresql")]
#[test]
fn postgresql() {
    what_was_acknowledged_survives_kill_9(BackendKind::Postgresql);
}

#[cfg(feature = "persist-rocksdb")]
#[test]
fn rocksdb() {
    what_was_acknowledged_survives_kill_9(BackendKind::Rocksdb);
}
