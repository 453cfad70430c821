//! Opening by name, and moving stores between all backends of this build: `cargo test -p icn-store
//! --features redb,sled,sqlite,postgresql --test migrate`.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]
#![cfg(feature = "fjall")]

mod common;
#[path = "common/places.rs"]
mod places;

use std::error::Error as _;
use std::ops::ControlFlow;

use icn_store::{
    Backend, BackendKind, Batch, Contents, Durability, Location, MigrateError, OpenError, Reader, ScanRange,
    Step, Store, StoreConfig, Table, migrate, open, open_existing,
};

use self::common::{batch, last_whole_batch};
use self::places::{kinds, place};

const BATCHES: u64 = 25;

fn store(location: &Location) -> Store {
    let backend = open(location).unwrap_or_else(|error| panic!("{location}: {error}"));
    Store::inline(backend, StoreConfig::default())
}

/// A store with the batches of the crash tests and a few odd entries.
fn fill(location: &Location) {
    let store = store(location);
    for number in 1..=BATCHES {
        store
            .commit(batch(0, number), Durability::Buffered)
            .wait()
            .unwrap();
    }
    let mut odd = Batch::new();
    odd.put(Table::Pins, [0], "").unwrap();
    odd.put(Table::Pins, vec![255; 1024], vec![0; 3_000_000]).unwrap();
    odd.put(Table::Events, "e", "1").unwrap();
    store.commit(odd, Durability::Sync).wait().unwrap();
}

fn check(location: &Location) {
    let store = store(location);
    assert_eq!(last_whole_batch(&store, 0), BATCHES);
    let pins = store.scan(Table::Pins, &ScanRange::all(), 10).unwrap().entries;
    assert_eq!(pins[0], (vec![0], vec![]));
    assert_eq!((pins.len(), pins[1].1.len()), (2, 3_000_000));
    let meta = store.scan(Table::Meta, &ScanRange::all(), 10).unwrap().entries;
    assert_eq!(meta.len(), 1, "nothing of the move is left");
}

fn unwatched(from: &Location, to: &Location) -> Result<Contents, MigrateError> {
    migrate(from, to, &mut |_| ControlFlow::Continue(()))
}

fn open_error(outcome: Result<std::sync::Arc<dyn Backend>, OpenError>) -> OpenError {
    match outcome {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[test]
fn a_store_moves_through_every_backend_and_back() {
    let first = place(BackendKind::Fjall);
    fill(&first.location);
    let mut from = first;
    let mut known = None;
    for kind in kinds().into_iter().chain([BackendKind::Fjall]) {
        let to = place(kind);
        let moved =
            unwatched(&from.location, &to.location).unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        assert_eq!(*known.get_or_insert(moved), moved, "{kind}");
        check(&from.location);
        check(&to.location);
        from = to;
    }
}

#[test]
fn a_move_that_was_stopped_is_refused_and_starts_over() {
    let from = place(BackendKind::Fjall);
    fill(&from.location);
    for kind in kinds() {
        let to = place(kind);
        for (last_step, pages) in [(Step::Copy, 3), (Step::Clear, 1), (Step::Verify, 2)] {
            let mut seen = 0;
            let stopped = migrate(&from.location, &to.location, &mut |progress| {
                seen += u32::from(progress.step == last_step);
                if seen == pages {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            });
            assert!(
                matches!(stopped, Err(MigrateError::Stopped)),
                "{kind}: {stopped:?}"
            );
            let refused = open_error(open(&to.location));
            assert!(
                matches!(refused, OpenError::HalfMoved { .. }),
                "{kind}: {refused}"
            );
            assert!(matches!(
                open_error(open_existing(&to.location)),
                OpenError::HalfMoved { .. }
            ));
        }
        unwatched(&from.location, &to.location).unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        check(&to.location);
    }
    check(&from.location);
}

#[test]
fn nothing_is_moved_over_something_or_out_of_nothing() {
    let from = place(BackendKind::Fjall);
    fill(&from.location);
    for kind in kinds() {
        let to = place(kind);
        let absent = unwatched(&to.location, &from.location);
        let Err(MigrateError::Source(OpenError::Absent { .. })) = absent else {
            panic!("{kind}: {absent:?}");
        };
        if let Location::Directory { path, .. } = &to.location {
            assert!(!path.exists(), "{kind}: nothing is made of a source");
        }
        let mut batch = Batch::new();
        batch.put(Table::Jobs, "k", "mine").unwrap();
        let mine = store(&to.location);
        mine.commit(batch, Durability::Sync).wait().unwrap();
        let locked = unwatched(&from.location, &to.location);
        assert!(
            matches!(locked, Err(MigrateError::Target(OpenError::Locked { .. }))),
            "{kind}: {locked:?}"
        );
        drop(mine);
        let full = unwatched(&from.location, &to.location);
        assert!(
            matches!(
                full,
                Err(MigrateError::NotEmpty {
                    table: Table::Jobs,
                    ..
                })
            ),
            "{kind}: {full:?}"
        );
        let kept = store(&to.location).get(Table::Jobs, b"k").unwrap();
        assert_eq!(kept, Some(b"mine".to_vec()), "{kind}");
        let same = unwatched(&to.location, &to.location);
        assert!(
            matches!(same, Err(MigrateError::SamePlace { .. })),
            "{kind}: {same:?}"
        );
    }
    let memory = unwatched(&from.location, &Location::Memory);
    assert!(matches!(memory, Err(MigrateError::Memory)), "{memory:?}");
}

#[test]
fn a_directory_of_another_backend_is_refused() {
    for made_by in kinds() {
        let made = place(made_by);
        let Location::Directory { path, .. } = &made.location else {
            continue;
        };
        drop(open(&made.location).unwrap());
        for asked_for in kinds() {
            let Ok(other) = Location::directory(asked_for, path) else {
                continue;
            };
            if asked_for == made_by {
                open(&other).unwrap();
                continue;
            }
            let refused = open_error(open(&other));
            assert!(
                matches!(refused, OpenError::OtherBackend { found, asked, .. } if (found, asked) == (made_by, asked_for)),
                "{refused:?}"
            );
            assert!(refused.to_string().contains(made_by.name()), "{refused}");
        }
    }
}

#[test]
fn what_is_open_is_locked_whatever_the_backend() {
    for kind in kinds() {
        let place = place(kind);
        let held = open(&place.location).unwrap();
        let refused = open_error(open(&place.location));
        assert!(matches!(refused, OpenError::Locked { .. }), "{kind}: {refused:?}");
        drop(held);
        assert_eq!(open(&place.location).unwrap().caps().name, kind.name());
    }
}

#[test]
fn a_backend_that_is_not_built_in_names_its_feature() {
    for kind in BackendKind::ALL.into_iter().filter(|kind| !kind.is_built_in()) {
        let location = match kind {
            BackendKind::Postgresql => Location::new(None, "postgres://localhost/icn").unwrap(),
            kind => Location::directory(kind, "nowhere").unwrap(),
        };
        let refused = open_error(open(&location));
        assert!(refused.to_string().contains(kind.feature().unwrap()), "{refused}");
        assert!(refused.source().is_none());
    }
    assert_eq!(open(&Location::Memory).unwrap().caps().name, "memory");
}
