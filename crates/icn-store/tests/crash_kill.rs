//! kill -9: a child process commits numbered batches from several threads and reports each one that
//! is acknowledged; it is killed at some moment, and everything that it reported has to be there, in
//! whole batches. The same directory goes through every round, so later rounds recover what earlier
//! crashes left behind.
//!
//! The operating system survives here: that data reaches the disk is the business of
//! `crash_power.rs`.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]
#![cfg(feature = "fjall")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use icn_store::{Durability, FjallBackend, Store, StoreConfig};

use self::common::{Numbers, batch, last_whole_batch, rounds};

const WRITERS: u8 = 4;
const CHILD_DIR: &str = "ICN_STORE_CRASH_DIR";

fn open(dir: &Path) -> Store {
    let backend = FjallBackend::open(dir).expect("a store opens after a crash");
    Store::threaded(backend, StoreConfig::default()).unwrap()
}

/// The child: not a test by itself.
#[test]
#[ignore = "run by the other test in a process of its own"]
fn child() {
    let store = open(Path::new(
        &std::env::var_os(CHILD_DIR).expect("run by the other test"),
    ));
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
fn run_and_kill(dir: &Path, enough: u64) -> [u64; WRITERS as usize] {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD_DIR, dir)
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

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(20);
    for round in 0..rounds(5) {
        let enough = 1 + numbers.below(250);
        let acknowledged = run_and_kill(dir.path(), enough);
        let store = open(dir.path());
        for writer in 0..WRITERS {
            let last = last_whole_batch(&store, writer);
            let promised = acknowledged[usize::from(writer)];
            assert!(
                last >= promised,
                "round {round}, writer {writer}: {promised} promised, {last} there"
            );
            // A writer has one commit under way at a time.
            assert!(
                promised == 0 || last <= promised + 1,
                "round {round}, writer {writer}"
            );
        }
    }
}
