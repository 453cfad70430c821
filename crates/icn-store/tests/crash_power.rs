//! Power cuts: what had been written and not synced is dropped, torn, or replaced by garbage; what
//! was acknowledged has to be there, and of the rest only whole batches, none without those before.
//!
//! How a cut is made: at a moment when a `Sync` commit has been acknowledged, the end of the journal
//! is noted; more commits follow, none of them acknowledged as durable; then the directory is
//! copied, and in the copy the journal behind the noted place is damaged as a disk might leave it.
//!
//! That a `Sync` commit does reach `fdatasync` before it is acknowledged is not seen here: a copy is
//! made of what the operating system has, not of what the disk has.
//!
//! What this models: any fate of the journal's unsynced bytes, page by page. What it does not: disks
//! that lie about a sync, the loss of directory entries and of unsynced table files (fjall syncs
//! both before it relies on them; with these volumes no tables are written), and damage to what had
//! been synced, except in the tests that say so.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]
#![cfg(feature = "fjall")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use icn_store::{Batch, Durability, FjallBackend, OpenError, Store, StoreConfig, Table};

use self::common::{Numbers, batch, last_whole_batch, rounds};

const PAGE_BYTES: usize = 4096;
/// A batch of one row with a value over many pages.
const LARGE: &[u8] = b"large";

fn open(dir: &Path) -> Result<Store, OpenError> {
    Ok(Store::inline(FjallBackend::open(dir)?, StoreConfig::default()))
}

fn commit(store: &Store, number: u64, durability: Durability) {
    store.commit(batch(0, number), durability).wait().unwrap();
}

fn newest_journal(dir: &Path) -> PathBuf {
    let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
    fs::read_dir(dir.join("db"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .max_by_key(number)
        .expect("a store has a journal")
}

/// Where the written part of a journal ends: a batch ends with a byte that is not zero, and what is
/// allocated ahead is zero.
fn written_bytes(journal: &Path) -> usize {
    fs::read(journal)
        .unwrap()
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Fate {
    AllWritten,
    NoneWritten,
    FileCut,
    TailDropped,
    PagesDropped,
    PagesGarbled,
    BitFlipped,
}

const FATES: [Fate; 7] = [
    Fate::AllWritten,
    Fate::NoneWritten,
    Fate::FileCut,
    Fate::TailDropped,
    Fate::PagesDropped,
    Fate::PagesGarbled,
    Fate::BitFlipped,
];

/// Damages what is behind `synced`.
fn damage(journal: &Path, synced: usize, fate: Fate, numbers: &mut Numbers) {
    let mut bytes = fs::read(journal).unwrap();
    let written = written_bytes(journal);
    let somewhere = synced + usize::try_from(numbers.below((written - synced) as u64)).unwrap();
    match fate {
        Fate::AllWritten => {}
        Fate::NoneWritten => bytes[synced..].fill(0),
        Fate::FileCut => bytes.truncate(somewhere),
        Fate::TailDropped => bytes[somewhere..].fill(0),
        Fate::PagesDropped | Fate::PagesGarbled => {
            let mut page = synced;
            while page < written {
                let next = (page / PAGE_BYTES + 1) * PAGE_BYTES;
                let end = next.min(written);
                match (fate, numbers.below(3)) {
                    (Fate::PagesDropped, 0) => bytes[page..end].fill(0),
                    (Fate::PagesGarbled, 0) => {
                        bytes[page..end]
                            .iter_mut()
                            .for_each(|byte| *byte = numbers.byte());
                    }
                    _ => {}
                }
                page = next;
            }
        }
        Fate::BitFlipped => bytes[somewhere] ^= 1 << numbers.below(8),
    }
    fs::write(journal, bytes).unwrap();
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let mut numbers = Numbers(4);
    for round in 0..rounds(3) {
        // One store goes through a cut of every kind, each on what the one before has left.
        let mut dir = tempfile::tempdir().unwrap();
        for fate in FATES {
            let store = open(dir.path()).unwrap();
            let mut number = last_whole_batch(&store, 0);
            for _ in 0..1 + numbers.below(10) {
                number += 1;
                let durability = if numbers.below(2) == 0 {
                    Durability::Sync
                } else {
                    Durability::Buffered
                };
                commit(&store, number, durability);
            }
            store.persist().wait().unwrap();
            let acknowledged = number;
            let synced = written_bytes(&newest_journal(dir.path()));
            for _ in 0..1 + numbers.below(10) {
                number += 1;
                commit(&store, number, Durability::Buffered);
            }
            // The last one may have been under way to the disk when the power went.
            if numbers.below(2) == 0 {
                number += 1;
                commit(&store, number, Durability::Sync);
            }
            let image = tempfile::tempdir().unwrap();
            copy_dir(dir.path(), image.path());
            drop(store);
            damage(&newest_journal(image.path()), synced, fate, &mut numbers);

            let context = format!("round {round}, {fate:?}, {acknowledged} acknowledged of {number}");
            let store = open(image.path()).unwrap_or_else(|error| panic!("{context}: {error}"));
            let last = last_whole_batch(&store, 0);
            assert!((acknowledged..=number).contains(&last), "{context}: {last} there");
            if matches!(fate, Fate::AllWritten) {
                assert_eq!(last, number, "{context}");
            }
            dir = image;
        }
    }
}

/// The last batch is all on disk but for one page inside a value: fjall by itself would refuse to
/// open this for ever.
#[test]
fn a_hole_in_a_value_that_was_never_acknowledged_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    commit(&store, 1, Durability::Sync);
    let journal = newest_journal(dir.path());
    let synced = written_bytes(&journal);
    let mut torn = Batch::new();
    torn.put(Table::State, LARGE, vec![7; 10 * PAGE_BYTES]).unwrap();
    store.commit(torn, Durability::Buffered).wait().unwrap();
    drop(store);
    let mut bytes = fs::read(&journal).unwrap();
    bytes[synced + 3 * PAGE_BYTES..synced + 4 * PAGE_BYTES].fill(0);
    fs::write(&journal, bytes).unwrap();

    let store = open(dir.path()).unwrap();
    assert_eq!(last_whole_batch(&store, 0), 1);
    assert_eq!(icn_store::Reader::get(&store, Table::State, LARGE).unwrap(), None);
    let kept = fs::metadata(dir.path().join("torn-tail")).unwrap().len();
    assert!(kept > 10 * PAGE_BYTES as u64, "the tail is kept aside");
    commit(&store, 2, Durability::Sync);
    drop(store);
    assert_eq!(
        last_whole_batch(&open(dir.path()).unwrap(), 0),
        2,
        "what follows the cut stays"
    );
}

/// Damage before acknowledged batches is said, not papered over, and nothing is touched.
#[test]
fn damage_to_what_was_acknowledged_is_refused() {
    let mut numbers = Numbers(9);
    for kind in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).unwrap();
        let journal = newest_journal(dir.path());
        commit(&store, 1, Durability::Sync);
        let first_end = written_bytes(&journal);
        for number in 2..20 {
            commit(&store, number, Durability::Sync);
        }
        // Everything before this one is acknowledged.
        let acknowledged = written_bytes(&journal);
        commit(&store, 20, Durability::Buffered);
        drop(store);
        let span = (acknowledged - first_end) as u64;
        let mut bytes = fs::read(&journal).unwrap();
        let at = first_end + usize::try_from(numbers.below(span)).unwrap();
        match kind {
            0 => bytes[at] ^= 0x10,
            1 => bytes[at..acknowledged].fill(0),
            _ => bytes[first_end..acknowledged]
                .iter_mut()
                .for_each(|byte| *byte = numbers.byte()),
        }
        fs::write(&journal, &bytes).unwrap();
        match open(dir.path()) {
            Err(OpenError::Damaged { file, offset }) => {
                assert_eq!(file, journal);
                assert!(offset >= first_end as u64 && offset <= at as u64);
            }
            Err(error) => panic!("kind {kind}: {error}"),
            Ok(_) => panic!("kind {kind}: acknowledged batches were lost in silence"),
        }
        assert!(fs::read(&journal).unwrap() == bytes, "nothing is touched");
    }
}
