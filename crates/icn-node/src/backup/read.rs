//! Reading an archive that may come from anywhere: nothing is believed before it was checked, nothing is unpacked
//! to a disk, and no length makes the reader take more memory than one entry.
use super::format::{
    AnyFormat, CONFIG, EntryNote, FORMAT, GENESIS, GROWING, GZIP_HEADER, HEAD, Head, IDENTITY, LIST,
    MANIFEST, MAX_ENTRIES, MAX_ENTRY_BYTES, MAX_MANIFEST_BYTES, Manifest, Record, WHOLE, decode_records,
    piece,
};
use flate2::bufread::GzDecoder;
use icn_model::{Digest, Genesis};
use icn_store::Table;
use serde::de::DeserializeOwned;
use std::{
    convert::Infallible,
    fs::File,
    io::{self, BufRead as _, BufReader, Read},
    path::Path,
};
use tar::EntryType;

/// Zeros that may follow the end of the tar in it.
const MAX_PADDING_BYTES: usize = 64 << 10;

/// Why an archive is not used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read.
    #[error("cannot read the archive")]
    Io(#[source] io::Error),
    /// It is no backup.
    #[error("this is not a backup of a node")]
    NotABackup,
    /// It ends before its time, or was changed.
    #[error("the archive is cut off or damaged: use another copy of it")]
    Broken(#[source] io::Error),
    /// It is of a newer program.
    #[error(
        "the archive has format {format}, and this program reads formats up to {FORMAT}: use a newer icn-node"
    )]
    Newer {
        /// Its format.
        format: u32,
    },
    /// It holds something that no backup holds.
    #[error(
        "the archive holds {name:?}, which has no place there: it was not made by a node, or was changed"
    )]
    Foreign {
        /// What.
        name: String,
    },
    /// An entry is larger than a node makes them.
    #[error("{name} has {size_bytes} bytes, more than a node writes into one entry: the archive is not used")]
    TooLarge {
        /// Which.
        name: String,
        /// Its size.
        size_bytes: u64,
    },
    /// An entry is not what it should be.
    #[error("{name} in the archive is damaged: use another copy of the archive")]
    Damaged {
        /// Which.
        name: String,
    },
    /// The end is missing, or there is something behind it.
    #[error("the archive does not end as a backup ends: use another copy of it")]
    End,
}

/// A part of an archive.
pub(super) enum Part {
    /// How the federation began.
    Genesis(Box<Genesis>),
    /// The node's key file.
    Identity(Vec<u8>),
    /// Records of a table.
    Records(Table, Vec<Record>),
    /// Names of blocks, one after the other.
    List(Vec<u8>),
}

/// What an archive of the operator's is about, by its own word.
pub(super) fn head(path: &Path) -> Result<Head, ArchiveError> {
    let mut head = None;
    match walk_until(path, &mut |found, _| {
        head = Some(found.clone());
        Ok::<_, Ended>(false)
    }) {
        Ok(()) | Err(WalkError::Visit(Ended)) => head.ok_or(ArchiveError::End),
        Err(WalkError::Archive(error)) => Err(error),
    }
}

/// Reads an archive to its end, as a restore does before anything is changed.
///
/// # Errors
/// [`ArchiveError`] says what is wrong with it.
pub fn check_archive(path: &Path) -> Result<(), ArchiveError> {
    match walk(path, |_, _| Ok::<_, Infallible>(())) {
        Ok(_) => Ok(()),
        Err(WalkError::Archive(error)) => Err(error),
        Err(WalkError::Visit(never)) => match never {},
    }
}

struct Ended;

/// Why a walk through an archive ended early.
pub(super) enum WalkError<E> {
    /// The archive is at fault.
    Archive(ArchiveError),
    /// The visitor said so.
    Visit(E),
}

/// Hands every part of an archive to `visit`, with its head. What was visited is not to be believed before the walk
/// ended well: only then it is known that nothing was changed, and nothing is missing.
pub(super) fn walk<E>(
    path: &Path,
    mut visit: impl FnMut(&Head, Part) -> Result<(), E>,
) -> Result<Head, WalkError<E>> {
    let mut last = None;
    walk_until(path, &mut |head, part| {
        if last.is_none() {
            last = Some(head.clone());
        }
        match part {
            Some(part) => visit(head, part).map(|()| true),
            None => Ok(true),
        }
    })?;
    last.ok_or(WalkError::Archive(ArchiveError::End))
}

type Visit<'a, E> = dyn FnMut(&Head, Option<Part>) -> Result<bool, E> + 'a;

/// Calls `visit` once with the head alone and then with each part, for as long as it says yes.
fn walk_until<E>(path: &Path, visit: &mut Visit<'_, E>) -> Result<(), WalkError<E>> {
    let file = File::open(path).map_err(|error| WalkError::Archive(ArchiveError::Io(error)))?;
    let mut raw = BufReader::with_capacity(1 << 16, file);
    let archive = WalkError::Archive;
    let start = raw.fill_buf().map_err(|error| archive(ArchiveError::Io(error)))?;
    if !start.starts_with(&GZIP_HEADER) {
        return Err(archive(ArchiveError::NotABackup));
    }
    let mut tar = tar::Archive::new(GzDecoder::new(raw));
    let mut plan = Plan::default();
    let mut head = None;
    let mut ended = false;
    // Raw: nothing in the archive may stand for something else, such as a long name or a link.
    let entries = tar
        .entries()
        .map_err(|error| archive(ArchiveError::Broken(error)))?;
    for entry in entries.raw(true) {
        let mut entry = entry.map_err(|error| archive(broken(error, head.is_some())))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if ended {
            return Err(archive(ArchiveError::End));
        }
        if entry.header().entry_type() != EntryType::Regular || !plan.takes(&name) {
            return Err(archive(ArchiveError::Foreign { name }));
        }
        let size_bytes = entry.size();
        let max_bytes = if name == MANIFEST {
            MAX_MANIFEST_BYTES
        } else {
            MAX_ENTRY_BYTES
        };
        if size_bytes > max_bytes {
            return Err(archive(ArchiveError::TooLarge { name, size_bytes }));
        }
        let mut bytes = Vec::new();
        entry
            .read_to_end(&mut bytes)
            .map_err(|error| archive(ArchiveError::Broken(error)))?;
        if bytes.len() as u64 != size_bytes {
            return Err(archive(ArchiveError::Broken(io::ErrorKind::UnexpectedEof.into())));
        }
        if name == MANIFEST {
            let manifest: Manifest = json(&name, &bytes).map_err(archive)?;
            if manifest.entries != plan.notes {
                return Err(archive(ArchiveError::Damaged { name }));
            }
            ended = true;
            continue;
        }
        plan.notes.push(EntryNote {
            name: name.clone(),
            size_bytes,
            sha256: Digest::of(&bytes),
        });
        let go_on = match &head {
            None => {
                let found = read_head(&bytes).map_err(archive)?;
                let go_on = visit(&found, None).map_err(WalkError::Visit)?;
                head = Some(found);
                go_on
            }
            Some(head) => match plan.part(&name, bytes).map_err(archive)? {
                Some(part) => visit(head, Some(part)).map_err(WalkError::Visit)?,
                None => true,
            },
        };
        if !go_on {
            return Ok(());
        }
    }
    if !ended {
        return Err(archive(ArchiveError::End));
    }
    finish(tar.into_inner()).map_err(archive)
}

/// Reads what is left behind the tar, so that the checksum of the whole is checked.
fn finish(mut gzip: GzDecoder<BufReader<File>>) -> Result<(), ArchiveError> {
    let mut padding = [0; 4_096];
    let mut read = 0;
    loop {
        let len = gzip.read(&mut padding).map_err(ArchiveError::Broken)?;
        if len == 0 {
            break;
        }
        read += len;
        if padding[..len].iter().any(|byte| *byte != 0) || read > MAX_PADDING_BYTES {
            return Err(ArchiveError::End);
        }
    }
    let mut raw = gzip.into_inner();
    if raw.fill_buf().map_err(ArchiveError::Io)?.is_empty() {
        Ok(())
    } else {
        Err(ArchiveError::End)
    }
}

fn broken(error: io::Error, has_head: bool) -> ArchiveError {
    if has_head {
        ArchiveError::Broken(error)
    } else {
        ArchiveError::NotABackup
    }
}

fn json<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, ArchiveError> {
    serde_json::from_slice(bytes).map_err(|_| ArchiveError::Damaged {
        name: name.to_owned(),
    })
}

fn read_head(bytes: &[u8]) -> Result<Head, ArchiveError> {
    let AnyFormat { format } = json(HEAD, bytes)?;
    if format > FORMAT {
        return Err(ArchiveError::Newer { format });
    }
    json(HEAD, bytes)
}

/// Which entry may come next, and which came.
#[derive(Default)]
struct Plan {
    notes: Vec<EntryNote>,
    /// The folder that is being read, by its place in the order, and the pieces of it that came.
    folder: usize,
    pieces: usize,
}

impl Plan {
    fn folders() -> impl Iterator<Item = &'static str> {
        let tables = WHOLE.into_iter().chain(GROWING).map(Table::name);
        tables.chain([LIST])
    }

    /// Whether this is the place of `name`.
    fn takes(&mut self, name: &str) -> bool {
        match self.notes.len() {
            0 => return name == HEAD,
            1 => return name == GENESIS,
            2 => return name == CONFIG,
            MAX_ENTRIES.. => return false,
            3 if name == IDENTITY => return true,
            _ => {}
        }
        if name == MANIFEST {
            return true;
        }
        for (at, folder) in Self::folders().enumerate().skip(self.folder) {
            let number = if at == self.folder { self.pieces } else { 0 };
            if name == piece(folder, number) {
                (self.folder, self.pieces) = (at, number + 1);
                return true;
            }
        }
        false
    }

    fn part(&self, name: &str, bytes: Vec<u8>) -> Result<Option<Part>, ArchiveError> {
        let damaged = || ArchiveError::Damaged {
            name: name.to_owned(),
        };
        Ok(Some(match name {
            GENESIS => Part::Genesis(Box::new(json(name, &bytes)?)),
            CONFIG => {
                json::<serde_json::Value>(name, &bytes)?;
                return Ok(None);
            }
            IDENTITY => Part::Identity(bytes),
            _ => match WHOLE.into_iter().chain(GROWING).nth(self.folder) {
                Some(table) => {
                    let records = decode_records(&bytes).map_err(|_| damaged())?;
                    Part::Records(table, records)
                }
                None => Part::List(bytes),
            },
        }))
    }
}
