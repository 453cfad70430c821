//! A disk that loses power: rebuilt from a record of what a process did to its files (see
//! `tests/data/recorder.c`), as it may be found after the power went at some point of the record.
//!
//! What it models: a file's writes since its last completed sync survive page by page, in any
//! combination, some of them torn between sectors. Creations, renames and removals survive in their
//! order, up to a moment since the last completed sync of anything (as in file systems with an ordered
//! journal: ext4, XFS). A sync counts when it has returned, for what was written before it began;
//! `sync_file_range` does not count, since it leaves the disk's own cache alone.
//!
//! What it does not: disks that lie about a sync, garbage where nothing was written, damage to what had
//! been synced, writes through mapped memory (SQLite's shared index, which is rebuilt).
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::common::Numbers;

const PAGE_BYTES: usize = 4096;
const SECTOR_BYTES: usize = 512;

/// A file whatever it is called: inode numbers are used again, these are not.
type FileId = usize;

#[derive(Clone, Debug)]
pub(crate) enum Event {
    Create {
        path: PathBuf,
        inode: u64,
    },
    Write {
        inode: u64,
        offset: usize,
        data: Vec<u8>,
    },
    Truncate {
        inode: u64,
        len: usize,
    },
    SyncBegin {
        id: u64,
        inode: u64,
    },
    SyncEnd {
        id: u64,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Unlink(PathBuf),
    Mkdir(PathBuf),
    Rmdir(PathBuf),
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Listing {
        dir: PathBuf,
        files: Vec<(u64, PathBuf)>,
    },
}

/// Reads the recorder's log.
pub(crate) fn read_log(log: &Path) -> Vec<Event> {
    let bytes = fs::read(log).unwrap();
    let mut rest = bytes.as_slice();
    let mut events = Vec::new();
    while !rest.is_empty() {
        let mut head = [0; 6];
        for number in &mut head {
            let (first, tail) = rest.split_first_chunk().unwrap();
            *number = u64::from_ne_bytes(*first);
            rest = tail;
        }
        let [kind, inode, offset, data_len, path_len, second_len] = head;
        let mut take = |len: u64| {
            let (first, tail) = rest.split_at(usize::try_from(len).unwrap());
            rest = tail;
            first
        };
        let path = PathBuf::from(OsStr::from_bytes(take(path_len)));
        let to = PathBuf::from(OsStr::from_bytes(take(second_len)));
        let data = take(data_len).to_vec();
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        events.push(match kind {
            1 => Event::Create { path, inode },
            2 => Event::Write {
                inode,
                offset: at,
                data,
            },
            3 => Event::Truncate { inode, len: at },
            4 => Event::SyncBegin { id: offset, inode },
            5 => Event::SyncEnd { id: offset },
            6 => Event::Rename { from: path, to },
            7 => Event::Unlink(path),
            8 => Event::Mkdir(path),
            9 => Event::Rmdir(path),
            10 => Event::Link { from: path, to },
            11 => {
                let lines = String::from_utf8(data).unwrap();
                let file = |line: &str| {
                    let (inode, name) = line.split_once(' ').unwrap();
                    (inode.parse().unwrap(), path.join(name))
                };
                let files = lines.lines().map(file).collect();
                Event::Listing { dir: path, files }
            }
            kind => panic!("the recorder knows no kind {kind}"),
        });
    }
    events
}

#[derive(Clone)]
enum Entry {
    Set(PathBuf, FileId),
    Remove(PathBuf),
    Mkdir(PathBuf),
    Rmdir(PathBuf),
}

#[derive(Clone)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Truncate(usize),
}

/// Names, and what they name.
#[derive(Clone, Default)]
struct Names {
    files: BTreeMap<PathBuf, FileId>,
    dirs: BTreeSet<PathBuf>,
}

impl Names {
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Set(path, file) => drop(self.files.insert(path.clone(), *file)),
            Entry::Remove(path) => drop(self.files.remove(path)),
            Entry::Mkdir(path) => drop(self.dirs.insert(path.clone())),
            Entry::Rmdir(path) => drop(self.dirs.remove(path)),
        }
    }

    fn rename_dir(&self, from: &Path, to: &Path) -> Vec<Entry> {
        let moved = |path: &Path| to.join(path.strip_prefix(from).expect("it is below"));
        let dirs = self.dirs.iter().filter(|dir| dir.starts_with(from));
        let files = self.files.iter().filter(|(path, _)| path.starts_with(from));
        let mut entries: Vec<Entry> = Vec::new();
        for dir in dirs {
            let to = if dir == from { to.to_owned() } else { moved(dir) };
            entries.extend([Entry::Rmdir(dir.clone()), Entry::Mkdir(to)]);
        }
        for (path, file) in files {
            entries.extend([Entry::Remove(path.clone()), Entry::Set(moved(path), *file)]);
        }
        entries
    }
}

/// What is on the disk for certain, and what may be.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    durable: Names,
    present: Names,
    /// Groups of changes to names since the last sync; a group happens as one.
    pending_names: Vec<Vec<Entry>>,
    contents: Vec<Vec<u8>>,
    pending: BTreeMap<FileId, Vec<Change>>,
    by_inode: HashMap<u64, FileId>,
    /// For each sync under way: whose, and how much was pending when it began.
    syncs: HashMap<u64, (Option<FileId>, usize, usize)>,
    /// How many changes of a file's pending ones have become durable so far.
    done: HashMap<FileId, usize>,
    names_done: usize,
}

impl Disk {
    /// All that is in `dir` now, durable.
    pub(crate) fn of(dir: &Path) -> Self {
        let mut disk = Self::default();
        disk.durable.dirs.insert(dir.to_owned());
        disk.add(dir);
        disk.present = disk.durable.clone();
        disk
    }

    fn add(&mut self, dir: &Path) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::metadata(&path).unwrap();
            if metadata.is_dir() {
                self.durable.dirs.insert(path.clone());
                self.add(&path);
            } else {
                self.by_inode.insert(metadata.ino(), self.contents.len());
                self.durable.files.insert(path.clone(), self.contents.len());
                self.contents.push(fs::read(&path).unwrap());
            }
        }
    }

    fn name(&mut self, entries: Vec<Entry>) {
        for entry in &entries {
            self.present.apply(entry);
        }
        self.pending_names.push(entries);
    }

    fn change(&mut self, inode: u64, change: Change) {
        // Files without a name are nobody's concern.
        if let Some(file) = self.by_inode.get(&inode) {
            self.pending.entry(*file).or_default().push(change);
        }
    }

    /// The next thing that the process did.
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Create { path, inode } => {
                let file = self.contents.len();
                self.contents.push(Vec::new());
                self.by_inode.insert(*inode, file);
                self.name(vec![Entry::Set(path.clone(), file)]);
            }
            Event::Write { inode, offset, data } => {
                let (offset, data) = (*offset, data.clone());
                self.change(*inode, Change::Write { offset, data });
            }
            Event::Truncate { inode, len } => self.change(*inode, Change::Truncate(*len)),
            Event::SyncBegin { id, inode } => {
                let file = self.by_inode.get(inode).copied();
                let changes = file.map_or(0, |file| {
                    self.done.get(&file).unwrap_or(&0) + self.pending.get(&file).map_or(0, Vec::len)
                });
                let names = self.names_done + self.pending_names.len();
                self.syncs.insert(*id, (file, changes, names));
            }
            Event::SyncEnd { id } => self.end_sync(*id),
            Event::Rename { from, to } | Event::Link { from, to } => {
                let mut entries = self.present.rename_dir(from, to);
                if let Some(file) = self.present.files.get(from) {
                    entries = vec![Entry::Set(to.clone(), *file)];
                    if matches!(event, Event::Rename { .. }) {
                        entries.push(Entry::Remove(from.clone()));
                    }
                }
                self.name(entries);
            }
            Event::Unlink(path) => self.name(vec![Entry::Remove(path.clone())]),
            Event::Mkdir(path) => self.name(vec![Entry::Mkdir(path.clone())]),
            Event::Rmdir(path) => self.name(vec![Entry::Rmdir(path.clone())]),
            Event::Listing { dir, files } => self.reconcile(dir, files),
        }
    }

    /// Learns from a directory's listing what the recorder did not see.
    fn reconcile(&mut self, dir: &Path, files: &[(u64, PathBuf)]) {
        let mut entries = Vec::new();
        for (inode, path) in files {
            if let Some(file) = self.by_inode.get(inode)
                && self.present.files.get(path) != Some(file)
            {
                entries.push(Entry::Set(path.clone(), *file));
            }
        }
        for path in self
            .present
            .files
            .keys()
            .filter(|path| path.parent() == Some(dir))
        {
            if !files.iter().any(|(_, there)| there == path) {
                entries.push(Entry::Remove(path.clone()));
            }
        }
        self.name(entries);
    }

    fn end_sync(&mut self, id: u64) {
        let (file, changes, names) = self.syncs.remove(&id).expect("a sync begins before it ends");
        let new_names = names.saturating_sub(self.names_done);
        for entry in self.pending_names.drain(..new_names).flatten() {
            self.durable.apply(&entry);
        }
        self.names_done += new_names;
        let Some(file) = file else { return };
        let done = self.done.entry(file).or_default();
        let new_changes = changes.saturating_sub(*done);
        *done += new_changes;
        for change in self.pending.entry(file).or_default().drain(..new_changes) {
            apply_change(&mut self.contents[file], &change);
        }
    }

    /// The power goes: what is pending survives as `fate` and chance have it.
    pub(crate) fn cut(mut self, fate: Fate, numbers: &mut Numbers) -> Self {
        let groups = self.pending_names.len() as u64;
        let kept = match fate {
            Fate::AllLost => 0,
            Fate::AllKept => groups,
            Fate::NamesKept => groups,
            Fate::Mixed => numbers.below(groups + 1),
        };
        for entry in self.pending_names[..usize::try_from(kept).unwrap()]
            .iter()
            .flatten()
        {
            self.durable.apply(entry);
        }
        for (file, changes) in std::mem::take(&mut self.pending) {
            survive(&mut self.contents[file], &changes, fate, numbers);
        }
        self
    }

    /// Writes what is on the disk into `to`, as it was below `from`.
    pub(crate) fn write_out(&self, from: &Path, to: &Path) {
        let place = |path: &Path| to.join(path.strip_prefix(from).expect("all is below it"));
        for dir in &self.durable.dirs {
            fs::create_dir_all(place(dir)).unwrap();
        }
        for (path, file) in &self.durable.files {
            let path = place(path);
            // A file whose directory did not survive is not there either.
            if path.parent().is_some_and(Path::is_dir) {
                fs::write(path, &self.contents[*file]).unwrap();
            }
        }
    }
}

/// What becomes of that which was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    AllLost,
    AllKept,
    /// Names are kept, of the contents nothing.
    NamesKept,
    Mixed,
}

pub(crate) const FATES: [Fate; 4] = [Fate::Mixed, Fate::AllLost, Fate::NamesKept, Fate::AllKept];

fn apply_change(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Truncate(len) => content.resize(*len, 0),
        Change::Write { offset, data } => {
            if content.len() < offset + data.len() {
                content.resize(offset + data.len(), 0);
            }
            content[*offset..offset + data.len()].copy_from_slice(data);
        }
    }
}

fn survive(content: &mut Vec<u8>, changes: &[Change], fate: Fate, numbers: &mut Numbers) {
    for change in changes {
        match (fate, change) {
            (Fate::AllLost | Fate::NamesKept, _) => {}
            (Fate::AllKept, change) => apply_change(content, change),
            (Fate::Mixed, Change::Truncate(_)) => {
                // What is written after a truncation does not come before it.
                if numbers.below(2) == 0 {
                    return;
                }
                apply_change(content, change);
            }
            (Fate::Mixed, Change::Write { offset, data }) => {
                let mut at = 0;
                while at < data.len() {
                    let page_end = ((offset + at) / PAGE_BYTES + 1) * PAGE_BYTES - offset;
                    let end = page_end.min(data.len());
                    // Half of the pages are lost, some of the others torn.
                    let kept = match numbers.below(16) {
                        0..8 => at,
                        8 => {
                            let sectors = usize::try_from(numbers.below(8)).unwrap();
                            end.min(at + sectors * SECTOR_BYTES)
                        }
                        _ => end,
                    };
                    let part = Change::Write {
                        offset: offset + at,
                        data: data[at..kept].to_vec(),
                    };
                    if kept > at {
                        apply_change(content, &part);
                    }
                    at = end;
                }
            }
        }
    }
}
