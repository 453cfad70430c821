//! Stores of a later program, foreign databases and broken files in a store's place are refused, by each
//! embedded backend that this build has. fjall's own tests are in `directory.rs`.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]
#![cfg(any(
    feature = "redb",
    feature = "sled",
    feature = "sqlite",
    feature = "persist-rocksdb"
))]

use std::path::Path;
#[cfg(feature = "sled")]
use std::{
    thread,
    time::{Duration, Instant},
};

use icn_store::{BackendKind, Batch, Durability, Location, OpenError, Table, open};

/// Makes a store of `kind`, lets `change` loose on its database, and opens it again.
fn refusal(kind: BackendKind, change: impl FnOnce(&Path)) -> OpenError {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::directory(kind, dir.path()).unwrap();
    let backend = open(&location).unwrap();
    let mut batch = Batch::new();
    batch.put(Table::State, "k", vec![7; 100_000]).unwrap();
    backend.commit(&batch, Durability::Sync).unwrap();
    drop(backend);
    change(&dir.path().join(kind.name()));
    match open(&location) {
        Ok(_) => panic!("{kind}: it opened"),
        Err(error) => error,
    }
}

/// Whether it is the format after the one that this program writes.
fn is_later(error: &OpenError) -> bool {
    matches!(error, OpenError::Format { found, supported, .. } if *found == supported + 1)
}

/// Makes a store as an earlier release did, without the tables of credit and of kinds of events, and opens it with this one.
#[cfg(any(feature = "redb", feature = "sqlite"))]
fn upgraded(kind: BackendKind, make_older: impl FnOnce(&Path)) {
    use icn_store::{Reader as _, Store, StoreConfig};
    let dir = tempfile::tempdir().unwrap();
    let location = Location::directory(kind, dir.path()).unwrap();
    let store = || Store::threaded(open(&location).unwrap(), StoreConfig::default()).unwrap();
    let put = |table, store: Store| {
        let mut batch = Batch::new();
        batch.put(table, "k", "kept").unwrap();
        store.commit(batch, Durability::Sync).wait().unwrap();
    };
    put(Table::State, store());
    make_older(&dir.path().join(kind.name()));
    put(Table::Credit, store());
    put(Table::EventKinds, store());
    let store = store();
    for table in [Table::State, Table::Credit, Table::EventKinds] {
        assert_eq!(
            store.get(table, b"k").unwrap().as_deref(),
            Some(&b"kept"[..]),
            "{kind}: {table}"
        );
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite() {
    let change = |sql: &'static str| {
        move |dir: &Path| {
            let connection = rusqlite::Connection::open(dir.join("store.sqlite")).unwrap();
            connection.execute_batch(sql).unwrap();
        }
    };
    let later = refusal(BackendKind::Sqlite, change("PRAGMA user_version = 4"));
    assert!(is_later(&later), "{later:?}");
    upgraded(
        BackendKind::Sqlite,
        change("DROP TABLE credit; DROP TABLE event_kinds; PRAGMA user_version = 1"),
    );
    upgraded(
        BackendKind::Sqlite,
        change("DROP TABLE event_kinds; PRAGMA user_version = 2"),
    );
    let foreign = refusal(BackendKind::Sqlite, change("PRAGMA application_id = 7"));
    assert!(matches!(foreign, OpenError::NotAStore { .. }), "{foreign:?}");
    let broken = refusal(BackendKind::Sqlite, |dir| {
        std::fs::write(dir.join("store.sqlite"), vec![0x5a; 20_000]).unwrap();
    });
    assert!(matches!(broken, OpenError::Engine { .. }), "{broken:?}");
}

#[cfg(feature = "redb")]
#[test]
fn redb() {
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("icn_store");
    let later = refusal(BackendKind::Redb, |dir| {
        let db = redb::Database::open(dir.join("store.redb")).unwrap();
        let write = db.begin_write().unwrap();
        let later = 2u32.to_be_bytes();
        write
            .open_table(table)
            .unwrap()
            .insert(&b"format"[..], &later[..])
            .unwrap();
        write.commit().unwrap();
    });
    assert!(is_later(&later), "{later:?}");
    upgraded(BackendKind::Redb, |dir| {
        let db = redb::Database::open(dir.join("store.redb")).unwrap();
        let write = db.begin_write().unwrap();
        for name in ["credit", "event_kinds"] {
            let table = redb::TableDefinition::<&[u8], &[u8]>::new(name);
            assert!(write.delete_table(table).unwrap());
        }
        write.commit().unwrap();
    });
    let foreign = refusal(BackendKind::Redb, |dir| {
        let file = dir.join("store.redb");
        std::fs::remove_file(&file).unwrap();
        redb::Database::create(file).unwrap();
    });
    assert!(matches!(foreign, OpenError::NotAStore { .. }), "{foreign:?}");
    let broken = refusal(BackendKind::Redb, |dir| {
        std::fs::write(dir.join("store.redb"), vec![0x5a; 20_000]).unwrap();
    });
    assert!(matches!(broken, OpenError::Engine { .. }), "{broken:?}");
}

/// Opens sled's database itself, once the threads of whoever had it open have let go of its file, as they do a moment
/// after it is closed.
#[cfg(feature = "sled")]
fn closed_sled(dir: &Path) -> sled::Db {
    let give_up = Instant::now() + Duration::from_secs(30);
    loop {
        match sled::open(dir) {
            Err(sled::Error::Io(error)) if Instant::now() < give_up => {
                assert!(error.to_string().contains("lock"), "{error}");
                thread::sleep(Duration::from_millis(10));
            }
            outcome => return outcome.unwrap(),
        }
    }
}

#[cfg(feature = "sled")]
#[test]
fn sled() {
    let later = refusal(BackendKind::Sled, |dir| {
        let db = closed_sled(dir);
        db.insert(b"\0format", &2u32.to_be_bytes()).unwrap();
        db.flush().unwrap();
    });
    assert!(is_later(&later), "{later:?}");
    let foreign = refusal(BackendKind::Sled, |dir| {
        let db = closed_sled(dir);
        db.remove(b"\0format").unwrap();
        db.flush().unwrap();
    });
    assert!(matches!(foreign, OpenError::NotAStore { .. }), "{foreign:?}");
}

#[cfg(feature = "persist-rocksdb")]
#[test]
fn rocksdb() {
    let later = refusal(BackendKind::Rocksdb, |dir| {
        let db = rocksdb::DB::open_default(dir).unwrap();
        db.put(b"\0format", 2u32.to_be_bytes()).unwrap();
    });
    assert!(is_later(&later), "{later:?}");
    let foreign = refusal(BackendKind::Rocksdb, |dir| {
        let db = rocksdb::DB::open_default(dir).unwrap();
        db.delete(b"\0format").unwrap();
    });
    assert!(matches!(foreign, OpenError::NotAStore { .. }), "{foreign:?}");
    let broken = refusal(BackendKind::Rocksdb, |dir| {
        std::fs::write(dir.join("CURRENT"), "nothing").unwrap();
    });
    assert!(matches!(broken, OpenError::Engine { .. }), "{broken:?}");
}
