//! The directory of a fjall store: locked, recognised, versioned, made in one piece.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]
#![cfg(feature = "fjall")]

use std::fs;
use std::path::Path;
use std::process::Command;

use icn_store::{
    Batch, Durability, FORMAT_VERSION, FjallBackend, OpenError, Reader, Store, StoreConfig, Table,
};

const CHILD_DIR: &str = "ICN_STORE_LOCKED_DIR";

fn open(dir: &Path) -> Result<Store, OpenError> {
    Ok(Store::threaded(FjallBackend::open(dir)?, StoreConfig::default()).unwrap())
}

fn error(dir: &Path) -> OpenError {
    match FjallBackend::open(dir) {
        Err(error) => error,
        Ok(_) => panic!("it opened"),
    }
}

/// The child: not a test by itself.
#[test]
#[ignore = "run by the other test in a process of its own"]
fn child() {
    let dir = std::env::var_os(CHILD_DIR).expect("run by the other test");
    let error = error(Path::new(&dir));
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
}

#[test]
fn only_one_process_has_a_store_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let message = error(dir.path()).to_string();
    assert!(
        message.contains("is in use") && message.contains(&dir.path().display().to_string()),
        "{message}"
    );
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored"])
        .env(CHILD_DIR, dir.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(
        status.success(),
        "the other process was not refused as it should be"
    );
    drop(store);
    open(dir.path()).expect("it is free again");
}

#[test]
fn a_directory_with_other_files_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("letters.txt"), "mine").unwrap();
    assert!(matches!(error(dir.path()), OpenError::NotAStore { .. }));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing was added");
    // What a fresh file system has in its root is no obstacle.
    let mount = tempfile::tempdir().unwrap();
    fs::create_dir(mount.path().join("lost+found")).unwrap();
    open(mount.path()).expect("it opens");
}

#[test]
fn a_path_that_is_a_file_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    let error = error(&path);
    assert!(
        matches!(&error, OpenError::Io { path: named, .. } if *named == path),
        "{error}"
    );
}

#[test]
fn directories_on_the_way_are_made() {
    let dir = tempfile::tempdir().unwrap();
    open(&dir.path().join("a/b/c")).expect("it opens");
}

#[test]
fn an_interrupted_creation_is_started_afresh() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("icn-store.lock"), "").unwrap();
    fs::create_dir(dir.path().join("db.new")).unwrap();
    fs::write(dir.path().join("db.new/0.jnl"), "half").unwrap();
    let store = open(dir.path()).expect("it opens");
    let mut batch = Batch::new();
    batch.put(Table::Meta, "k", "v").unwrap();
    store.commit(batch, Durability::Sync).wait().unwrap();
    drop(store);
    assert!(!dir.path().join("db.new").exists());
    assert_eq!(
        open(dir.path()).unwrap().get(Table::Meta, b"k").unwrap(),
        Some(b"v".to_vec())
    );
}

#[test]
fn a_store_of_another_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    // The record of the format is the first thing in the first journal, with its checksum, so a
    // store of a later program is made by that program's means: the engine's.
    let db = fjall::Database::builder(dir.path().join("db")).open().unwrap();
    let state = db
        .keyspace("state", fjall::KeyspaceCreateOptions::default)
        .unwrap();
    let later = FORMAT_VERSION + 1;
    state.insert(b"\0format", later.to_be_bytes()).unwrap();
    drop((state, db));
    let error = error(dir.path());
    assert!(
        matches!(error, OpenError::Format { found, supported: FORMAT_VERSION, .. } if found == later),
        "{error}"
    );
}

#[test]
fn a_database_that_is_no_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("icn-store.lock"), "").unwrap();
    drop(fjall::Database::builder(dir.path().join("db")).open().unwrap());
    assert!(matches!(error(dir.path()), OpenError::NotAStore { .. }));
}
