//! Backups of a node: made while it runs, restored into a stopped node's store, or their blocks into a running one's.
//!
//! [`format`] says what an archive is, [`write`] makes one, [`read`] checks one, [`chain`] finds which belong
//! together, [`restore`] and [`merge`] use them, and [`verify`] checks what a node keeps. A backup never holds the
//! consensus journals: a node that was restored is known by their absence and does not vote before it may
//! (icn-protocol, `journal`).
mod chain;
mod format;
mod merge;
mod read;
mod restore;
mod service;
mod taken;
mod verify;
mod write;

pub use read::{ArchiveError, check_archive};
pub use restore::{Restored, restore};
pub(crate) use service::{Backups, Turn};

use icn_model::{Cid, Height, Time, canonical::DecodeError};
use icn_state::LoadError;
use icn_store::{BlockError, LocationError, MigrateError, OpenError, StoreError, Table};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a backup is not made or not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file cannot be read or written, or the one who asked for the backup is gone.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block is damaged, or the store failed.
    #[error(transparent)]
    Blocks(#[from] BlockError),
    /// The state that was found is none.
    #[error(transparent)]
    State(#[from] LoadError),
    /// A record is not what a node writes.
    #[error("a record in table {table} cannot be read")]
    Record {
        /// The table.
        table: Table,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// An archive is not used.
    #[error("cannot use {}", .path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: ArchiveError,
    },
    /// There is none.
    #[error("there is no backup in {}: backups end in .tar.gz", .place.display())]
    NoArchive {
        /// Where.
        place: PathBuf,
    },
    /// A backup that another one stands on is not there.
    #[error(
        "{} continues the backup {id} of {} ms (height {height}), which is not there: give that one as well",
        .path.display(),
        .created.get()
    )]
    Missing {
        /// The archive that stands on it.
        path: PathBuf,
        /// Its id.
        id: String,
        /// When it was made.
        created: Time,
        /// The last height that it knows.
        height: Height,
    },
    /// The archives are of different nodes.
    #[error("the backups are of different nodes or federations: give those of one")]
    Mixed,
    /// The node belongs to another federation.
    #[error(
        "the backup is of the federation {theirs}, and this node belongs to {ours}: restore it into another data \
         directory"
    )]
    OtherFederation {
        /// The node's.
        ours: Cid,
        /// The backup's.
        theirs: Cid,
    },
    /// There is something to be replaced.
    #[error("{what} is there already: --force sets it aside and puts the backup's in its place")]
    Force {
        /// What.
        what: String,
    },
    /// The parts of a backup contradict each other.
    #[error("the backup does not hold together: {detail}")]
    Inconsistent {
        /// How.
        detail: String,
    },
    /// The key is not encrypted.
    #[error(
        "the node's key is not encrypted, and goes into no backup so: icn-cli key export encrypts it \
         (identity.key_path then names the new file)"
    )]
    PlainIdentity,
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store cannot be built.
    #[error(transparent)]
    Build(#[from] MigrateError),
    /// The store's place makes no sense.
    #[error(transparent)]
    Location(#[from] LocationError),
}

impl BackupError {
    fn archive(path: &Path, source: ArchiveError) -> Self {
        Self::Archive {
            path: path.to_owned(),
            source,
        }
    }

    fn inconsistent(detail: impl std::fmt::Display) -> Self {
        Self::Inconsistent {
            detail: detail.to_string(),
        }
    }

    /// Whether an archive is at fault, and not this node.
    pub(crate) fn is_of_archive(&self) -> bool {
        matches!(
            self,
            Self::Archive { .. }
                | Self::NoArchive { .. }
                | Self::Missing { .. }
                | Self::Mixed
                | Self::OtherFederation { .. }
                | Self::Inconsistent { .. }
        )
    }
}

impl From<(&Path, read::WalkError<BackupError>)> for BackupError {
    fn from((path, error): (&Path, read::WalkError<BackupError>)) -> Self {
        match error {
            read::WalkError::Archive(source) => Self::archive(path, source),
            read::WalkError::Visit(error) => error,
        }
    }
}
