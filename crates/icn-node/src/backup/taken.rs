//! What a node remembers of the backups that it made, so that an incremental one can stand on them: in
//! `backups/` of the data directory, for each a note and the names of the blocks that it knew. Nobody needs them to
//! restore; where they are lost, the next backup is a full one.
use super::{
    BackupError,
    format::{CID_BYTES, Head, Taken},
};
use crate::files::{self, Readers};
use icn_api::node::BackupsStatus;
use icn_model::Time;
use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
};

/// Backups that are remembered; the oldest are forgotten first.
const MAX_REMEMBERED: usize = 32;

/// Which backups were made last, also when their notes are forgotten.
const LAST: &str = "last";

/// The notes of a node.
#[derive(Clone)]
pub(crate) struct Notes {
    directory: PathBuf,
}

/// A backup that another one stands on.
pub(super) struct Base {
    pub(super) taken: Taken,
    names: Names,
    next: Option<[u8; CID_BYTES]>,
}

/// The names of the blocks of a backup that is being made, in their order.
pub(super) struct List {
    path: PathBuf,
    to: BufWriter<File>,
    count: u64,
}

/// Reads names in their order.
pub(super) struct Names(BufReader<File>);

impl Notes {
    /// In `data_dir`.
    pub(crate) fn new(data_dir: &Path) -> Self {
        Self {
            directory: data_dir.join("backups"),
        }
    }

    /// Where files of a backup are made.
    pub(crate) fn directory(&self) -> Result<&Path, BackupError> {
        fs::create_dir_all(&self.directory)?;
        Ok(&self.directory)
    }

    /// The backups that were made, the youngest last. What cannot be read is as good as forgotten.
    pub(crate) fn all(&self) -> Vec<Taken> {
        let Ok(files) = fs::read_dir(&self.directory) else {
            return Vec::new();
        };
        let mut all: Vec<Taken> = files
            .flatten()
            .filter(|file| file.path().extension().is_some_and(|suffix| suffix == "json"))
            .filter_map(|file| serde_json::from_slice(&fs::read(file.path()).ok()?).ok())
            .filter(|taken: &Taken| self.list_of(&taken.id).exists())
            .collect();
        all.sort_by(|a, b| (a.created, a.height, &a.id).cmp(&(b.created, b.height, &b.id)));
        all
    }

    /// What an incremental backup stands on: the last one that was made, or the last one before `before`.
    pub(super) fn base(&self, before: Option<Time>) -> Result<Option<Base>, BackupError> {
        let mut all = self.all();
        all.retain(|taken| before.is_none_or(|before| taken.created < before));
        let Some(taken) = all.pop() else {
            return Ok(None);
        };
        let mut names = Names(BufReader::new(File::open(self.list_of(&taken.id))?));
        let next = names.next_name()?;
        Ok(Some(Base { taken, names, next }))
    }

    /// A list for a new backup.
    pub(super) fn list(&self, id: &str) -> Result<List, BackupError> {
        let path = self.directory()?.join(format!("{id}.part"));
        Ok(List {
            to: BufWriter::new(File::create(&path)?),
            path,
            count: 0,
        })
    }

    /// Remembers a backup that was made to its end.
    pub(super) fn keep(&self, head: &Head, list: List) -> Result<(), BackupError> {
        let taken = &head.taken;
        self.note_last(head)?;
        let file = list.to.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&list.path, self.list_of(&taken.id))?;
        let note = serde_json::to_vec_pretty(taken).map_err(io::Error::from)?;
        let beside = self.directory.join(format!("{}.new", taken.id));
        fs::write(&beside, note)?;
        fs::rename(&beside, self.note_of(&taken.id))?;
        let all = self.all();
        for old in &all[..all.len().saturating_sub(MAX_REMEMBERED)] {
            let _ = fs::remove_file(self.note_of(&old.id));
            let _ = fs::remove_file(self.list_of(&old.id));
        }
        Ok(())
    }

    /// When the last backups were made.
    pub(crate) fn last(&self) -> BackupsStatus {
        let read = fs::read(self.directory.join(LAST)).ok();
        let last = read.and_then(|text| serde_json::from_slice(&text).ok());
        // Of nodes that did not note it, what they remember tells at least of one.
        last.unwrap_or_else(|| BackupsStatus {
            last_full: self.all().pop().map(|taken| taken.created),
            last_incremental: None,
        })
    }

    fn note_last(&self, head: &Head) -> Result<(), BackupError> {
        let mut last = self.last();
        match &head.base {
            None => last.last_full = Some(head.taken.created),
            Some(_) => last.last_incremental = Some(head.taken.created),
        }
        let text = serde_json::to_vec(&last).map_err(io::Error::from)?;
        Ok(files::replace(&self.directory.join(LAST), &text, Readers::Owner)?)
    }

    /// Removes what backups that came to no end have left.
    pub(crate) fn tidy(&self) {
        let Ok(files) = fs::read_dir(&self.directory) else {
            return;
        };
        for file in files.flatten() {
            let is_left = file
                .path()
                .extension()
                .is_some_and(|suffix| suffix == "part" || suffix == "new");
            if is_left {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn note_of(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.json"))
    }

    fn list_of(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.list"))
    }
}

impl Base {
    /// Whether the base has a block; to be asked in the order of names.
    pub(super) fn has(&mut self, name: &[u8]) -> Result<bool, BackupError> {
        while let Some(next) = self.next {
            if next.as_slice() > name {
                return Ok(false);
            }
            if next.as_slice() == name {
                return Ok(true);
            }
            self.next = self.names.next_name()?;
        }
        Ok(false)
    }
}

impl List {
    pub(super) fn push(&mut self, name: &[u8]) -> Result<(), BackupError> {
        self.to.write_all(name)?;
        self.count += 1;
        Ok(())
    }

    pub(super) const fn len(&self) -> u64 {
        self.count
    }

    /// Reads what was pushed.
    pub(super) fn reader(&mut self) -> Result<Names, BackupError> {
        self.to.flush()?;
        Ok(Names(BufReader::new(File::open(&self.path)?)))
    }
}

impl Names {
    pub(super) fn next_name(&mut self) -> Result<Option<[u8; CID_BYTES]>, BackupError> {
        let mut name = [0; CID_BYTES];
        match self.0.read_exact(&mut name) {
            Ok(()) => Ok(Some(name)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
