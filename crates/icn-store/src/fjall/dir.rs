//! The directory of a fjall store: who may have it open, and how a new database gets there whole.
//! It does not look into the database.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// Held by the process that has the store open, and the sign that a directory is a store.
const LOCK_FILE: &str = "icn-store.lock";
const DATABASE: &str = "db";
const UNFINISHED: &str = "db.new";
/// What a fresh file system has in its root.
const LOST_AND_FOUND: &str = "lost+found";

pub(super) fn database_path(path: &Path) -> PathBuf {
    path.join(DATABASE)
}

pub(super) fn unfinished_path(path: &Path) -> PathBuf {
    path.join(UNFINISHED)
}

pub(super) fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists()
        .map_err(|source| failed("look for", path, source))
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// The directory is ours until this is dropped, or the process ends in whatever way.
pub(super) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Makes the directory if there is none, and locks it.
    pub(super) fn acquire(path: &Path) -> Result<Self, OpenError> {
        let is_new = !exists(path)?;
        fs::create_dir_all(path).map_err(|source| failed("make the directory", path, source))?;
        if is_new && let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
        let lock_path = path.join(LOCK_FILE);
        // Nothing is written into a directory that is somebody else's.
        if !exists(&lock_path)? && holds_other_files(path)? {
            return Err(OpenError::NotAStore {
                path: path.to_owned(),
            });
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|source| failed("open", &lock_path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(failed("lock", &lock_path, source)),
        }
    }
}

fn holds_other_files(path: &Path) -> Result<bool, OpenError> {
    for entry in fs::read_dir(path).map_err(|source| failed("read the directory", path, source))? {
        let entry = entry.map_err(|source| failed("read the directory", path, source))?;
        // Another process may be making the store at this moment.
        if entry.file_name() != LOST_AND_FOUND && entry.file_name() != LOCK_FILE {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes what an interrupted creation left: nothing in it was ever acknowledged.
pub(super) fn remove_unfinished(unfinished: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(unfinished) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(failed("remove the unfinished", unfinished, source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Moves a finished database to its place, durably.
pub(super) fn finish(unfinished: &Path, database: &Path, path: &Path) -> Result<(), OpenError> {
    fs::rename(unfinished, database).map_err(|source| failed("rename", unfinished, source))?;
    sync_dir(path)
}

#[cfg(unix)]
pub(super) fn sync_dir(path: &Path) -> Result<(), OpenError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| failed("sync the directory", path, source))
}

#[cfg(not(unix))]
pub(super) fn sync_dir(_path: &Path) -> Result<(), OpenError> {
    // Directories cannot be synced there; renames are in the file system's own journal.
    Ok(())
}
