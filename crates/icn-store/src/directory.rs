//! The directory of a store on disk: who may have it open, which backend it belongs to, and how a
//! new database gets there whole. It does not look into the database.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{BackendError, ErrorKind, OpenError};
use crate::kind::BackendKind;

/// Held by the process that has the store open, and the sign that a directory is a store.
const LOCK_FILE: &str = "icn-store.lock";
/// What a fresh file system has in its root.
const LOST_AND_FOUND: &str = "lost+found";

pub(crate) fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists()
        .map_err(|source| failed("look for", path, source))
}

pub(crate) fn failed(action: &'static str, path: &Path, source: io::Error) -> OpenError {
    OpenError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// A directory that is ours until this is dropped, or the process ends in whatever way.
pub(crate) struct StoreDir {
    path: PathBuf,
    kind: BackendKind,
    lock: File,
}

/// What a backend calls its database inside the store's directory. The names are a stored format:
/// by them a backend knows a directory that another one has made.
fn database_name(kind: BackendKind) -> Option<&'static str> {
    match kind {
        BackendKind::Fjall => Some("db"),
        BackendKind::Redb => Some("redb"),
        BackendKind::Sled => Some("sled"),
        BackendKind::Sqlite => Some("sqlite"),
        BackendKind::Rocksdb => Some("rocksdb"),
        BackendKind::Memory | BackendKind::Postgresql => None,
    }
}

impl Drop for StoreDir {
    fn drop(&mut self) {
        // Closing the file is not enough: a child process that is just being started has a copy of it, and with it of
        // the lock, until it runs its program. If it fails, the lock ends with the last copy.
        let _ = self.lock.unlock();
    }
}

impl StoreDir {
    /// Makes the directory if there is none, and locks it for the backend `kind`.
    pub(crate) fn acquire(path: &Path, kind: BackendKind) -> Result<Self, OpenError> {
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
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|source| failed("open", &lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::Locked {
                    place: path.display().to_string(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock", &lock_path, source)),
        }
        refuse_other_backends(path, kind)?;
        Ok(Self {
            path: path.to_owned(),
            kind,
            lock,
        })
    }

    /// The store's directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of the backend's database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path
            .join(database_name(self.kind).expect("only backends with a directory open one"))
    }

    /// Bytes of all files of the database.
    pub(crate) fn size_bytes(&self) -> Result<u64, BackendError> {
        bytes_below(&self.database())
            .map_err(|error| BackendError::new(self.kind.name(), ErrorKind::Io, "measure its files", error))
    }

    /// Has `create` make a database beside its place and moves it there when it is whole, unless
    /// there is one: a crash half-way leaves nothing that looks like a store.
    ///
    /// `create` gets the path of a directory that does not exist, and leaves nothing open in it.
    pub(crate) fn create_if_absent(
        &self,
        create: impl FnOnce(&Path) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        let database = self.database();
        if exists(&database)? {
            return Ok(());
        }
        let unfinished = database.with_extension("new");
        // Nothing that an interrupted creation left was ever acknowledged.
        match fs::remove_dir_all(&unfinished) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove the unfinished", &unfinished, source));
            }
            Ok(()) | Err(_) => {}
        }
        create(&unfinished)?;
        sync_tree(&unfinished)?;
        fs::rename(&unfinished, &database).map_err(|source| failed("rename", &unfinished, source))?;
        sync_dir(&self.path)
    }
}

/// Whether there is a store in the directory, of whatever backend.
pub(crate) fn holds_store(path: &Path) -> Result<bool, OpenError> {
    for kind in BackendKind::ALL {
        if let Some(name) = database_name(kind)
            && exists(&path.join(name))?
        {
            return Ok(true);
        }
    }
    Ok(false)
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

fn refuse_other_backends(path: &Path, kind: BackendKind) -> Result<(), OpenError> {
    for found in BackendKind::ALL {
        if let Some(name) = database_name(found)
            && found != kind
            && exists(&path.join(name))?
        {
            return Err(OpenError::OtherBackend {
                path: path.to_owned(),
                found,
                asked: kind,
            });
        }
    }
    Ok(())
}

/// The format number in `stored`, a record of four bytes, compared with what this program reads.
pub(crate) fn check_format(path: &Path, stored: Option<&[u8]>, supported: u32) -> Result<(), OpenError> {
    let found = stored
        .and_then(|bytes| <[u8; 4]>::try_from(bytes).ok())
        .map(u32::from_be_bytes);
    match found {
        Some(found) if found == supported => Ok(()),
        Some(found) => Err(OpenError::Format {
            place: path.display().to_string(),
            found,
            supported,
        }),
        None => Err(OpenError::NotAStore {
            path: path.to_owned(),
        }),
    }
}

/// Bytes of all files below `path`.
fn bytes_below(path: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        // A file can go while the directory is read: engines tidy up in the background.
        let below = entry.metadata().and_then(|metadata| {
            if metadata.is_dir() {
                bytes_below(&entry.path())
            } else {
                Ok(metadata.len())
            }
        });
        match below {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            below => bytes += below?,
        }
    }
    Ok(bytes)
}

/// Makes a small tree of files durable: not every engine syncs what it makes before it relies on it.
fn sync_tree(path: &Path) -> Result<(), OpenError> {
    for entry in fs::read_dir(path).map_err(|source| failed("read the directory", path, source))? {
        let path = entry
            .map_err(|source| failed("read the directory", path, source))?
            .path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path)
                .and_then(|file| file.sync_all())
                .map_err(|source| failed("sync", &path, source))?;
        }
    }
    sync_dir(path)
}

#[cfg(unix)]
pub(crate) fn sync_dir(path: &Path) -> Result<(), OpenError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| failed("sync the directory", path, source))
}

#[cfg(not(unix))]
pub(crate) fn sync_dir(_path: &Path) -> Result<(), OpenError> {
    // Directories cannot be synced there; renames are in the file system's own journal.
    Ok(())
}
