//! Power cuts, on every backend on disk that this build has: a child process commits numbered batches
//! while all that it does to its files is recorded (`tests/data/recorder.c`); then the power is cut at
//! many points of the record, and each time the disk that may be found (`tests/common/disk.rs`) has
//! to open as a store with everything in it that was acknowledged as durable, and whole batches only.
//!
//! Unlike `crash_power.rs`, which damages fjall's journal in finer ways, this sees whether a backend
//! syncs what it acknowledges, and in the right order. sled does not pass, and is not expected to: it is
//! counted how often it fails.
//!
//! PostgreSQL is not here: what its server does at a power cut is its own business.
//! `ICN_CRASH_ROUNDS` raises the number of rounds.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]
#![cfg(all(
    target_os = "linux",
    any(
        feature = "fjall",
        feature = "redb",
        feature = "sled",
        feature = "sqlite",
        feature = "persist-rocksdb"
    )
))]

mod common;
#[path = "common/disk.rs"]
mod disk;
#[path = "common/places.rs"]
mod places;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use icn_store::{BackendKind, Durability, Location, Store, StoreConfig, open};

use self::common::{Numbers, batch, last_whole_batch, rounds};
use self::disk::{Disk, Event, FATES, read_log};

/// Backend, what to acknowledge, and a number for the child's own choices.
const CHILD_KIND: &str = "ICN_STORE_POWER_KIND";
const CHILD_MODE: &str = "ICN_STORE_POWER_MODE";
const CHILD_SEED: &str = "ICN_STORE_POWER_SEED";
/// What the recorder is told.
const RECORD_DIR: &str = "ICN_RECORD_DIR";
const RECORD_LOG: &str = "ICN_RECORD_LOG";

const BATCHES: u64 = 30;
const CUTS: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Acknowledges `Sync` commits.
    Honest,
    /// Acknowledges `Buffered` commits as if they were durable.
    Lying,
}

/// The file to which the child writes each number that is acknowledged, so that the record has it.
fn acknowledgements(root: &Path) -> PathBuf {
    root.join("acknowledged")
}

fn open_store(kind: BackendKind, root: &Path) -> Result<Store, icn_store::OpenError> {
    let backend = open(&Location::directory(kind, root.join("store")).unwrap())?;
    Ok(Store::inline(backend, StoreConfig::default()))
}

/// The child: not a test by itself.
#[test]
#[ignore = "run by the other tests in a process of its own"]
fn child() {
    let kind = std::env::var(CHILD_KIND)
        .expect("run by the other tests")
        .parse()
        .unwrap();
    let root = PathBuf::from(std::env::var_os(RECORD_DIR).unwrap());
    let is_lying = std::env::var(CHILD_MODE).unwrap() == format!("{:?}", Mode::Lying);
    let mut numbers = Numbers(std::env::var(CHILD_SEED).unwrap().parse().unwrap());
    let store = open_store(kind, &root).unwrap();
    let first = last_whole_batch(&store, 0) + 1;
    for number in first..first + BATCHES {
        let durability = match numbers.below(3) {
            _ if is_lying => Durability::Buffered,
            0 => Durability::Buffered,
            _ => Durability::Sync,
        };
        store.commit(batch(0, number), durability).wait().unwrap();
        if is_lying || durability == Durability::Sync {
            fs::write(acknowledgements(&root), number.to_string()).unwrap();
        }
        if numbers.below(10) == 0 {
            store.maintain().unwrap();
        }
    }
    // As at a power cut, nothing is tidied up.
    std::process::abort();
}

fn recorder() -> &'static Path {
    static RECORDER: OnceLock<PathBuf> = OnceLock::new();
    RECORDER.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recorder.c");
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let unfinished = place.join(format!("recorder-{}.so", std::process::id()));
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let outcome = Command::new(&compiler)
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(&unfinished)
            .arg(source)
            .arg("-ldl")
            .status();
        assert!(
            outcome.as_ref().is_ok_and(std::process::ExitStatus::success),
            "a C compiler is needed to record what a backend does ({}): {outcome:?}",
            compiler.display()
        );
        let library = place.join("recorder.so");
        fs::rename(unfinished, &library).unwrap();
        library
    })
}

/// Runs the child over what is in `root`; what it did.
fn record(kind: BackendKind, mode: Mode, root: &Path, seed: u64) -> Vec<Event> {
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD_KIND, kind.name())
        .env(CHILD_MODE, format!("{mode:?}"))
        .env(CHILD_SEED, seed.to_string())
        .env(RECORD_DIR, root)
        .env(RECORD_LOG, log.path())
        .env("LD_PRELOAD", recorder())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !said.contains("panicked") && !output.status.success(),
        "{kind}: {said}"
    );
    read_log(log.path())
}

/// The number that an event acknowledges, if it does.
fn acknowledged(event: &Event) -> Option<u64> {
    match event {
        Event::Write { data, .. } => std::str::from_utf8(data).ok()?.parse().ok(),
        _ => None,
    }
}

#[derive(Debug, Default)]
struct Tally {
    cuts: u64,
    /// Cuts after which something acknowledged was missing, or the store did not open.
    lost: Vec<String>,
}

/// Opens what a cut has left and compares.
fn check(kind: BackendKind, image: &Path, promised: u64, written: u64) -> Result<(), String> {
    // sled panics on some disks.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let store = open_store(kind, image).map_err(|error| format!("does not open: {error:?}"))?;
        Ok(last_whole_batch(&store, 0))
    }));
    match outcome {
        Err(_) => Err("half a batch, or a panic".to_owned()),
        Ok(Err(error)) => Err(error),
        Ok(Ok(last)) if last < promised => Err(format!("{promised} acknowledged, {last} there")),
        Ok(Ok(last)) if last > written => Err(format!("{written} written, {last} there")),
        Ok(Ok(_)) => Ok(()),
    }
}

fn cut_power(kind: BackendKind, mode: Mode, rounds: u64) -> Tally {
    let mut numbers = Numbers(7 + kind as u64);
    let mut tally = Tally::default();
    let mut root = tempfile::tempdir().unwrap();
    for round in 0..rounds {
        let start = Disk::of(root.path());
        let already = fs::read_to_string(acknowledgements(root.path())).ok();
        let already = already.and_then(|text| text.parse().ok()).unwrap_or(0);
        let events = record(kind, mode, root.path(), numbers.next());
        let acks: Vec<u64> = events.iter().filter_map(acknowledged).collect();
        assert!(
            acks.len() > 5,
            "{kind}: the record has {} acknowledgements",
            acks.len()
        );
        let mut next_root = None;
        for cut in 0..CUTS {
            // Near the end of a commit things are most interesting: half of the cuts are right after
            // an acknowledgement.
            let mut end = usize::try_from(numbers.below(events.len() as u64)).unwrap();
            if cut % 2 == 0 {
                let next_ack = events[end..]
                    .iter()
                    .position(|event| acknowledged(event).is_some());
                end += next_ack.map_or(0, |after| after + 1);
            }
            let fate = FATES[usize::try_from(numbers.below(FATES.len() as u64)).unwrap()];
            let mut disk = start.clone();
            events[..end].iter().for_each(|event| disk.apply(event));
            let promised = events[..end]
                .iter()
                .filter_map(acknowledged)
                .next_back()
                .unwrap_or(already);
            let image = tempfile::tempdir().unwrap();
            disk.cut(fate, &mut numbers).write_out(root.path(), image.path());
            let context = format!(
                "{kind}, round {round}, cut at {end} of {}, {fate:?}",
                events.len()
            );
            let written = promised.max(already) + BATCHES;
            tally.cuts += 1;
            match check(kind, image.path(), promised, written) {
                Err(loss) => tally.lost.push(format!("{context}: {loss}")),
                Ok(()) if promised > already => {
                    fs::write(acknowledgements(image.path()), promised.to_string()).unwrap();
                    next_root = Some(image);
                }
                Ok(()) => {}
            }
        }
        // The next round starts from what a cut of this one has left.
        root = match next_root {
            Some(image) => image,
            None => tempfile::tempdir().unwrap(),
        };
    }
    tally
}

#[cfg(any(
    feature = "fjall",
    feature = "redb",
    feature = "sqlite",
    feature = "persist-rocksdb"
))]
fn what_was_acknowledged_survives_a_power_cut(kind: BackendKind) {
    let tally = cut_power(kind, Mode::Honest, rounds(3));
    println!("{kind}: lost {} of {} cuts", tally.lost.len(), tally.cuts);
    assert!(tally.lost.is_empty(), "{:#?}", tally.lost);
}

/// The test tests itself: commits that are not synced and called so are found missing.
#[cfg(feature = "fjall")]
#[test]
fn a_lie_is_found_out() {
    let tally = cut_power(BackendKind::Fjall, Mode::Lying, 2);
    assert!(tally.lost.len() > 2, "{tally:?}");
}

#[cfg(feature = "fjall")]
#[test]
fn fjall() {
    what_was_acknowledged_survives_a_power_cut(BackendKind::Fjall);
}

#[cfg(feature = "redb")]
#[test]
fn redb() {
    what_was_acknowledged_survives_a_power_cut(BackendKind::Redb);
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite() {
    what_was_acknowledged_survives_a_power_cut(BackendKind::Sqlite);
}

#[cfg(feature = "persist-rocksdb")]
#[test]
fn rocksdb() {
    what_was_acknowledged_survives_a_power_cut(BackendKind::Rocksdb);
}

/// sled says that it is not safe, and is not: this counts.
#[cfg(feature = "sled")]
#[test]
fn sled_is_not_safe_and_says_so() {
    let tally = cut_power(BackendKind::Sled, Mode::Honest, rounds(3));
    println!(
        "sled: lost {} of {} cuts: {:#?}",
        tally.lost.len(),
        tally.cuts,
        tally.lost
    );
    let dir = tempfile::tempdir().unwrap();
    assert!(
        !open_store(BackendKind::Sled, dir.path())
            .unwrap()
            .caps()
            .power_loss_safe
    );
}
