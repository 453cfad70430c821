//! What can go wrong: while a store is opened ([`OpenError`]), inside a backend ([`BackendError`]),
//! and for whoever uses a store ([`StoreError`]). What can be wrong with a block is in `blocks`.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::bounds::{MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_OPEN_SNAPSHOTS, MAX_VALUE_BYTES};
use crate::kind::BackendKind;
use crate::table::Table;

/// Why a call on a [`crate::Store`] or one of its snapshots did not do what was asked.
///
/// Every waiter of one group of commits gets the same error, so it can be cloned.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The key is empty or too long; nothing was added to the batch.
    #[error("a key in table {table} has 1 to {MAX_KEY_BYTES} bytes, this one has {len}")]
    KeyLength {
        /// Where the key was to go.
        table: Table,
        /// Length of the key in bytes.
        len: usize,
    },
    /// The value is too long; nothing was added to the batch.
    #[error("a value in table {table} has at most {MAX_VALUE_BYTES} bytes, this one has {len}: split it")]
    ValueLength {
        /// Where the value was to go.
        table: Table,
        /// Length of the value in bytes.
        len: usize,
    },
    /// The batch would become too large; it stays as it was.
    #[error("a batch holds at most {MAX_BATCH_BYTES} bytes, this one would hold {len}: commit it in parts")]
    BatchSize {
        /// Size that the batch would have had, in bytes with the overhead of each operation.
        len: usize,
    },
    /// A page of no entries leads nowhere.
    #[error("a page of no entries was asked for: ask for at least one")]
    EmptyPage,
    /// The snapshot has been open for too long and was released.
    #[error("the snapshot is older than {deadline_ms} ms and was released: take a new one")]
    SnapshotExpired {
        /// How long a snapshot may be read, in milliseconds.
        deadline_ms: u64,
    },
    /// Too many snapshots are open.
    #[error("{MAX_OPEN_SNAPSHOTS} snapshots are open already: drop one, or wait for one to expire")]
    TooManySnapshots,
    /// An earlier commit failed, so nobody knows what is on disk; the store answers nothing more.
    #[error("the store stopped after a failure ({}): close it, see to the disk and open it again", .first.story())]
    Poisoned {
        /// The failure that stopped the store.
        first: BackendError,
    },
    /// The writer thread could not be started.
    #[error("the writer thread of the store could not be started")]
    NoThread(#[source] Arc<io::Error>),
    /// The backend failed in this call.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

impl StoreError {
    /// Whether stored bytes were found to be damaged (as against: could not be read at all).
    #[must_use]
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Backend(error) if error.kind() == ErrorKind::Corrupt)
    }
}

/// What kind of failure a backend met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The disk, the operating system, the database server or the engine itself failed.
    Io,
    /// Stored bytes do not have the checksum that they were written with.
    Corrupt,
    /// More is open or held at once than the backend can carry; it is whole, and works again when
    /// something is released. Never the answer to a write.
    Busy,
}

/// A failure inside a backend. The message says what was being done, the cause is its source.
#[derive(Clone)]
pub struct BackendError {
    backend: &'static str,
    kind: ErrorKind,
    action: &'static str,
    cause: Arc<dyn Error + Send + Sync>,
}

impl BackendError {
    /// A failure of `backend` while it tried to `action` (a verb: "commit", "read a key").
    pub fn new(
        backend: &'static str,
        kind: ErrorKind,
        action: &'static str,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            backend,
            kind,
            action,
            cause: Arc::from(cause.into()),
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message with every cause behind it, for the one message that must carry them all.
    #[must_use]
    pub fn story(&self) -> String {
        let mut story = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            story.push_str(": ");
            story.push_str(&error.to_string());
            cause = error.source();
        }
        story
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ErrorKind::Io | ErrorKind::Busy => write!(f, "{} could not {}", self.backend, self.action),
            ErrorKind::Corrupt => {
                write!(
                    f,
                    "{} could not {}: stored bytes are damaged",
                    self.backend, self.action
                )
            }
        }
    }
}

impl fmt::Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BackendError({})", self.story())
    }
}

impl Error for BackendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// Why a store could not be opened. Nothing in it was changed, save that a torn tail may have been
/// set aside (see [`crate::FjallBackend::open`]). No message carries a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// This program was built without the backend.
    #[error(
        "this program has no {kind} backend: build it with the feature {}, or choose another",
        .kind.feature().unwrap_or("default")
    )]
    NotBuiltIn {
        /// The backend.
        kind: BackendKind,
    },
    /// A store was to be there.
    #[error("there is no store in {place}: check the place and the backend")]
    Absent {
        /// Directory or database.
        place: String,
    },
    /// Another process (or another handle in this one) has the store open.
    #[error("the store in {place} is in use: stop the other process or choose another place")]
    Locked {
        /// Directory or database of the store.
        place: String,
    },
    /// The directory holds something else.
    #[error("{} holds other files and no store: choose an empty directory or a new one", .path.display())]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// The directory holds a store of another backend.
    #[error(
        "{} holds a store of the backend {found}, not {asked}: name {found}, or move the store to a new directory",
        .path.display()
    )]
    OtherBackend {
        /// The directory.
        path: PathBuf,
        /// Whose store it holds.
        found: BackendKind,
        /// The backend that was to open it.
        asked: BackendKind,
    },
    /// The store was written in another format.
    #[error(
        "the store in {place} has format {found}, this program reads {supported}: use the program that wrote it"
    )]
    Format {
        /// Directory or database of the store.
        place: String,
        /// The format found.
        found: u32,
        /// The format that this program reads.
        supported: u32,
    },
    /// A move of another store into this one was interrupted.
    #[error(
        "{place} holds part of a store that was being moved there: move it again, the source is untouched"
    )]
    HalfMoved {
        /// Directory or database of the store.
        place: String,
    },
    /// Acknowledged writes are damaged; opening would lose what comes after them.
    #[error(
        "{} is damaged at byte {offset}, before writes that were acknowledged: restore a backup",
        .file.display()
    )]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// Where the damage starts, in bytes.
        offset: u64,
    },
    /// The settings of a database server cannot be used.
    #[error("the settings of the database cannot be used: {reason}")]
    Settings {
        /// What is wrong with them, and what would be right.
        reason: String,
    },
    /// No connection to the database server could be made.
    #[error("could not reach the database {place}: see that it runs and accepts connections from here")]
    Unreachable {
        /// Server, database and user.
        place: String,
        /// What came in between.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database server does not let us in.
    #[error("the database {place} refused the log-in: check user, password and the server's access rules")]
    Refused {
        /// Server, database and user.
        place: String,
        /// What the server says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file or directory could not be read or written.
    #[error("could not {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The engine refused to open the store.
    #[error("the store in {place} could not be opened")]
    Engine {
        /// Directory or database of the store.
        place: String,
        /// What the engine says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OpenError {
    /// What an engine said while the store in `place` was opened.
    pub(crate) fn engine(place: impl fmt::Display, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Engine {
            place: place.to_string(),
            source: source.into(),
        }
    }
}
