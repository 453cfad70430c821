//! sled 0.34: for operators whose nodes use it already. It has had no stable release since 2021.
//!
//! **A power cut can take what was acknowledged.** sled hands its writes to the disk without waiting for
//! the disk's own cache, and writes over old segments on that footing. This backend syncs sled's files
//! itself before it acknowledges a [`Durability::Sync`] commit, which narrows the gap and does not
//! close it; it says so in a warning when a store is opened, and in [`Caps::power_loss_safe`].
//!
//! All tables are one tree with tables as key prefixes, since only a batch of one tree is atomic.
//! sled has no snapshots and shows a batch before it is durable: [`history`] makes up for both.

mod history;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::Duration;

use self::history::History;
use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::directory::{StoreDir, check_format, failed};
use crate::error::{BackendError, ErrorKind, OpenError};
use crate::kind::BackendKind;
use crate::prefix::{FORMAT_KEY, stored_bounds, stored_key};
use crate::scan::{Direction, Page, ScanRange};
use crate::table::Table;

const FORMAT_VERSION: u32 = 1;
const NAME: &str = BackendKind::Sled.name();
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// sled's threads may hold its file for a moment after the last handle is gone.
const REOPEN_TIMEOUT_MS: u64 = 5000;
const REOPEN_PAUSE_MS: u64 = 10;

/// A store in a directory, kept by sled.
pub struct SledBackend {
    shared: Arc<Shared>,
    files: Files,
    // Last, so that the directory is free only when the database is closed.
    dir: StoreDir,
}

/// What the backend and its snapshots read.
struct Shared {
    db: sled::Db,
    history: RwLock<History>,
}

impl SledBackend {
    /// Opens the store in `path`, which is made if there is none.
    ///
    /// # Errors
    ///
    /// The store is open elsewhere, the directory holds something else, or a store of another
    /// format; the disk failed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let dir = StoreDir::acquire(path, BackendKind::Sled)?;
        let engine = |error: sled::Error| OpenError::engine(path.display(), error);
        let db = open_database(&dir.database()).map_err(engine)?;
        let files = Files::open(&dir)?;
        if db.is_empty() {
            // New, or a crash came before this record.
            db.insert(FORMAT_KEY, &FORMAT_VERSION.to_be_bytes())
                .and_then(|_| db.flush())
                .map_err(engine)?;
            files
                .sync()
                .map_err(|source| failed("sync", &dir.database(), source))?;
        }
        let found = db.get(FORMAT_KEY).map_err(engine)?;
        check_format(path, found.as_deref(), FORMAT_VERSION)?;
        tracing::warn!(
            path = %path.display(),
            "the storage backend sled can lose acknowledged writes when power is cut: fjall keeps them"
        );
        let shared = Shared {
            db,
            history: RwLock::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            files,
            dir,
        })
    }
}

fn open_database(path: &Path) -> Result<sled::Db, sled::Error> {
    // Commits flush by themselves, so nothing is left for a timer.
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .flush_every_ms(None);
    let mut waited_ms = 0;
    loop {
        match config.open() {
            // Nobody else can hold the file: the directory is locked.
            Err(sled::Error::Io(_)) if waited_ms < REOPEN_TIMEOUT_MS => {
                thread::sleep(Duration::from_millis(REOPEN_PAUSE_MS));
                waited_ms += REOPEN_PAUSE_MS;
            }
            outcome => return outcome,
        }
    }
}

/// sled's files, which it does not sync by itself: the log, and large pages in files of their own,
/// named by ascending numbers.
struct Files {
    log: File,
    blobs: PathBuf,
    /// Blobs below this number are synced.
    synced_blobs: Mutex<i64>,
}

impl Files {
    fn open(dir: &StoreDir) -> Result<Self, OpenError> {
        let path = dir.database().join("db");
        let log = File::options()
            .write(true)
            .open(&path)
            .map_err(|source| failed("open", &path, source))?;
        Ok(Self {
            log,
            blobs: dir.database().join("blobs"),
            synced_blobs: Mutex::new(i64::MIN),
        })
    }

    fn sync(&self) -> io::Result<()> {
        let mut synced = self.synced_blobs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut highest = *synced;
        for entry in fs::read_dir(&self.blobs)? {
            let entry = entry?;
            let number = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i64>().ok());
            let Some(number) = number.filter(|number| *number > *synced) else {
                continue;
            };
            match File::open(entry.path()).and_then(|blob| blob.sync_data()) {
                // One that is no longer needed goes at any time.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => outcome?,
            }
            highest = highest.max(number);
        }
        if highest > *synced {
            File::open(&self.blobs)?.sync_all()?;
        }
        self.log.sync_data()?;
        *synced = highest;
        Ok(())
    }
}

fn failure(action: &'static str, error: sled::Error) -> BackendError {
    let kind = match error {
        sled::Error::Corruption { .. } => ErrorKind::Corrupt,
        _ => ErrorKind::Io,
    };
    BackendError::new(NAME, kind, action, error)
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, History> {
        // A panic under the lock ends the store above.
        self.history.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, History> {
        self.history.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of a key after commit `at`; the history says what has happened to it since.
    fn get(
        &self,
        history: &History,
        at: u64,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, BackendError> {
        let key = stored_key(table, key);
        if let Some(old) = history.replaced_after(at, &key) {
            return Ok(old.cloned());
        }
        match self.db.get(&key) {
            Ok(value) => Ok(value.map(|value| value.to_vec())),
            Err(error) => Err(failure("read a key", error)),
        }
    }

    fn scan(
        &self,
        history: &History,
        at: u64,
        (table, range, limit): (Table, &ScanRange, usize),
    ) -> Result<Page, BackendError> {
        if range.is_empty() {
            return Ok(Page::default());
        }
        let bounds = stored_bounds(table, range);
        let rows = self.db.range(bounds.clone()).map(|row| {
            row.map(|(key, value)| (key.to_vec(), value.to_vec()))
                .map_err(|error| failure("scan a table", error))
        });
        let entries: Box<dyn Iterator<Item = _>> = match range.direction() {
            Direction::Forward => Box::new(history.merge(at, bounds, range.direction(), rows)),
            Direction::Reverse => Box::new(history.merge(at, bounds, range.direction(), rows.rev())),
        };
        let unprefixed = entries.map(|entry| entry.map(|(key, value)| (key[1..].to_vec(), value)));
        Page::collect(limit, unprefixed)
    }
}

impl View for SledBackend {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        let history = self.shared.read();
        self.shared.get(&history, history.visible(), table, key)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        let history = self.shared.read();
        self.shared
            .scan(&history, history.visible(), (table, range, limit))
    }
}

/// A snapshot: the store as it was after a commit.
struct Moment {
    shared: Arc<Shared>,
    at: u64,
}

impl Moment {
    fn history(&self) -> Result<RwLockReadGuard<'_, History>, BackendError> {
        let history = self.shared.read();
        if history.reaches_back_to(self.at) {
            Ok(history)
        } else {
            let reason = "more was replaced since the snapshot was taken than is kept for it: take a new one";
            Err(BackendError::new(
                NAME,
                ErrorKind::Busy,
                "read a snapshot",
                reason,
            ))
        }
    }
}

impl Drop for Moment {
    fn drop(&mut self) {
        self.shared.write().release(self.at);
    }
}

impl View for Moment {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.shared.get(&*self.history()?, self.at, table, key)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.shared
            .scan(&*self.history()?, self.at, (table, range, limit))
    }
}

impl Backend for SledBackend {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        let at = self.shared.write().hold();
        Ok(Box::new(Moment {
            shared: Arc::clone(&self.shared),
            at,
        }))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        if !batch.is_empty() {
            let mut history = self.shared.write();
            let mut write = sled::Batch::default();
            for (table, key, value) in batch.ops() {
                let key = stored_key(table, key);
                let old = self
                    .shared
                    .db
                    .get(&key)
                    .map_err(|error| failure("read what a batch replaces", error))?;
                match value {
                    Some(value) => write.insert(key.as_slice(), value),
                    None => write.remove(key.as_slice()),
                }
                history.record(key, old.map(|old| old.to_vec()));
            }
            self.shared
                .db
                .apply_batch(write)
                .map_err(|error| failure("commit a batch", error))?;
        }
        // A write that is not flushed is in this process's memory.
        self.shared
            .db
            .flush()
            .map_err(|error| failure("flush its log", error))?;
        if durability == Durability::Sync {
            self.files
                .sync()
                .map_err(|error| BackendError::new(NAME, ErrorKind::Io, "sync its files", error))?;
        }
        self.shared.write().publish();
        Ok(())
    }

    fn persist(&self) -> Result<(), BackendError> {
        self.commit(&Batch::new(), Durability::Sync)
    }

    fn caps(&self) -> Caps {
        Caps {
            name: NAME,
            power_loss_safe: false,
            native_snapshot: false,
            persistent: true,
        }
    }

    fn size_bytes(&self) -> Result<u64, BackendError> {
        self.dir.size_bytes()
    }

    fn maintain(&self) -> Result<(), BackendError> {
        // sled cleans its segments while it writes.
        Ok(())
    }
}
