//! What to make of fjall's journals before fjall opens them.
//!
//! A crash can leave a tail of writes that nobody acknowledged: cut short, or with pages missing in
//! the middle, because an operating system writes pages out in any order. fjall cuts off most such
//! tails, but refuses for ever to open a database whose last batch is all there with a hole in a
//! value; and behind damage in the middle it silently drops batches that *were* acknowledged. So the
//! journals are read first:
//! - an intact journal is left alone;
//! - a torn tail is copied aside and cut off;
//! - damage before acknowledged writes is an error, and nothing is touched.
//!
//! To tell the last two apart, every batch carries a [`Mark`]: its number, and the number up to which
//! everything was durable when it was written. If a mark behind the damage says that a lost batch
//! was durable, it was acknowledged. (Damage to the very last durable batch looks like a torn tail
//! and cannot be told from one.)
//!
//! This reads fjall 3's journal format (`FJL` 3): batches, each a start entry (item count, sequence
//! number), items, and an end entry with the xxh3 checksum of the items and a trailer. The rest of a
//! file is zeros, allocated ahead. It writes nothing in that format.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3;

use crate::bounds::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::directory::{exists, failed, sync_dir};
use crate::error::OpenError;

/// The key of the mark; keys that start with 0 are the backend's own.
pub(super) const MARK_KEY: &[u8] = b"\0mark";

/// The file in the store's directory that keeps the last torn tail.
const TORN_TAIL: &str = "torn-tail";

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const TRAILER: [u8; 4] = *b"FJL\x03";
/// Tag, number of items (4), sequence number (8).
const START_BYTES: usize = 13;
/// Tag, value type, compression, keyspace (8), key length (2), value length (4), length on disk (4).
const ITEM_HEAD_BYTES: usize = 21;
/// Checksum (8) and trailer, after the tag.
const END_REST_BYTES: usize = 12;

/// What every batch says about itself and those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Drawn when the store is made, so that no value that somebody stores can pass for a mark.
    pub(super) salt: u64,
    /// The batch's number, counted from 1.
    pub(super) number: u64,
    /// When the batch was written, every batch up to this number was durable.
    pub(super) durable: u64,
}

impl Mark {
    /// The mark of a new store's first batch.
    pub(super) fn first() -> Self {
        // The standard library's only source of randomness.
        Self {
            salt: RandomState::new().build_hasher().finish(),
            number: 1,
            durable: 0,
        }
    }

    pub(super) fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.salt.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.number.to_be_bytes());
        bytes[16..].copy_from_slice(&self.durable.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; 24] = bytes.try_into().ok()?;
        let (words, _) = bytes.as_chunks::<8>();
        let [salt, number, durable] = [0, 1, 2].map(|i| u64::from_be_bytes(words[i]));
        Some(Self {
            salt,
            number,
            durable,
        })
    }
}

/// Makes the journals of `database` safe to open; a torn tail goes to a file in `store`.
pub(super) fn recover(database: &Path, store: &Path) -> Result<(), OpenError> {
    let mut journals = list(database)?;
    let Some(active) = journals.pop() else {
        return Ok(());
    };
    let mut last = None;
    for sealed in journals {
        // A journal is synced before the next one is made: it has no torn tail.
        let scan = Scan::of(&sealed, last)?;
        if scan.tail_end > scan.valid_end {
            return Err(OpenError::Damaged {
                file: sealed,
                offset: scan.valid_end,
            });
        }
        last = scan.last;
    }
    let scan = Scan::of(&active, last)?;
    if scan.tail_end == scan.valid_end {
        return Ok(());
    }
    let tail = read_tail(&active, &scan).map_err(|source| failed("read", &active, source))?;
    if shows_acknowledged_loss(&tail, scan.last) {
        return Err(OpenError::Damaged {
            file: active,
            offset: scan.valid_end,
        });
    }
    let torn = store.join(TORN_TAIL);
    set_aside(&torn, &tail).map_err(|source| failed("write", &torn, source))?;
    sync_dir(store)?;
    cut(&active, scan.valid_end).map_err(|source| failed("cut the torn tail off", &active, source))?;
    tracing::warn!(
        journal = %active.display(),
        offset = scan.valid_end,
        bytes = tail.len(),
        kept = %torn.display(),
        "cut off writes that a crash tore before they were acknowledged"
    );
    Ok(())
}

/// The journals in the order in which they were written.
fn list(database: &Path) -> Result<Vec<PathBuf>, OpenError> {
    if !exists(database)? {
        return Ok(Vec::new());
    }
    let read = |source| failed("read the directory", database, source);
    let mut journals = Vec::new();
    for entry in fs::read_dir(database).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let number = path
            .extension()
            .filter(|extension| *extension == "jnl")
            .and(path.file_stem())
            .and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number {
            journals.push((number, path));
        }
    }
    journals.sort_unstable();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}

/// How far a journal is good.
struct Scan {
    /// Where the last intact batch of the unbroken run from the start ends.
    valid_end: u64,
    /// Where the last byte that is not zero ends; at least `valid_end`.
    tail_end: u64,
    /// The mark of the last of those batches, or of the journal before.
    last: Option<Mark>,
}

impl Scan {
    fn of(path: &Path, before: Option<Mark>) -> Result<Self, OpenError> {
        let scan = || -> io::Result<Self> {
            let mut file = BufReader::with_capacity(256 * 1024, File::open(path)?);
            let mut batches = Batches {
                input: &mut file,
                item: Vec::new(),
            };
            let mut scan = Self {
                valid_end: 0,
                tail_end: 0,
                last: before,
            };
            while let Some(batch) = batches.next()? {
                scan.valid_end += batch.bytes;
                scan.last = batch.mark.or(scan.last);
            }
            file.seek(SeekFrom::Start(scan.valid_end))?;
            scan.tail_end = scan.valid_end + nonzero_bytes(&mut file)?;
            Ok(scan)
        };
        scan().map_err(|source| failed("read", path, source))
    }
}

/// The number of bytes up to the last one that is not zero.
fn nonzero_bytes(input: &mut impl Read) -> io::Result<u64> {
    let mut chunk = vec![0; 256 * 1024];
    let (mut position, mut end) = (0, 0);
    loop {
        let read = input.read(&mut chunk)?;
        if read == 0 {
            return Ok(end);
        }
        if let Some(last) = chunk[..read].iter().rposition(|byte| *byte != 0) {
            end = position + last as u64 + 1;
        }
        position += read as u64;
    }
}

fn read_tail(path: &Path, scan: &Scan) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(scan.valid_end))?;
    let mut tail = Vec::new();
    file.take(scan.tail_end - scan.valid_end).read_to_end(&mut tail)?;
    Ok(tail)
}

fn set_aside(torn: &Path, tail: &[u8]) -> io::Result<()> {
    fs::write(torn, tail)?;
    File::open(torn)?.sync_all()
}

fn cut(journal: &Path, end: u64) -> io::Result<()> {
    let file = File::options().write(true).open(journal)?;
    file.set_len(end)?;
    file.sync_all()
}

/// Whether an intact batch in `tail`, which follows the one marked `last`, shows that a batch that
/// is lost between the two had been acknowledged.
fn shows_acknowledged_loss(tail: &[u8], last: Option<Mark>) -> bool {
    let mut first_lost = last.map(|mark| mark.number + 1);
    for start in 0..tail.len().saturating_sub(START_BYTES) {
        if tail[start] != START || tail[start + START_BYTES] != ITEM {
            continue;
        }
        let mut input = &tail[start..];
        let mut batches = Batches {
            input: &mut input,
            item: Vec::new(),
        };
        let Ok(Some(Intact { mark: Some(mark), .. })) = batches.next() else {
            continue;
        };
        if last.is_some_and(|last| last.salt != mark.salt) {
            continue;
        }
        // With nothing to count from, at least the batch before the first intact one is lost.
        let first_lost = *first_lost.get_or_insert(mark.number.saturating_sub(1));
        if mark.durable >= first_lost {
            return true;
        }
    }
    false
}

/// A batch with a sound checksum.
struct Intact {
    bytes: u64,
    mark: Option<Mark>,
}

/// Reads batches until the first thing that is none.
struct Batches<'a, R> {
    input: &'a mut R,
    /// The item being read.
    item: Vec<u8>,
}

impl<R: Read> Batches<'_, R> {
    /// The next batch; `None` at anything that is not a whole batch with a sound checksum.
    fn next(&mut self) -> io::Result<Option<Intact>> {
        match self.batch() {
            Ok(batch) => Ok(batch),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn batch(&mut self) -> io::Result<Option<Intact>> {
        let mut start = [0; START_BYTES];
        self.input.read_exact(&mut start)?;
        if start[0] != START {
            return Ok(None);
        }
        let items = u32::from_le_bytes([start[1], start[2], start[3], start[4]]);
        let mut batch = Intact {
            bytes: START_BYTES as u64,
            mark: None,
        };
        let mut checksum = Xxh3::new();
        for _ in 0..items {
            let Some(key_len) = self.item()? else {
                return Ok(None);
            };
            checksum.update(&self.item);
            batch.bytes += self.item.len() as u64;
            let (key, value) = self.item[ITEM_HEAD_BYTES..].split_at(key_len);
            if key == MARK_KEY {
                batch.mark = Mark::from_bytes(value);
            }
        }
        let mut end = [0; 1 + END_REST_BYTES];
        self.input.read_exact(&mut end)?;
        batch.bytes += end.len() as u64;
        let mut expected = [END; 1 + END_REST_BYTES];
        expected[1..9].copy_from_slice(&checksum.digest().to_le_bytes());
        expected[9..].copy_from_slice(&TRAILER);
        Ok((end == expected).then_some(batch))
    }

    /// Reads an item into `self.item`; the length of its key, or `None` if it is no item.
    fn item(&mut self) -> io::Result<Option<usize>> {
        let mut head = [0; ITEM_HEAD_BYTES];
        self.input.read_exact(&mut head)?;
        let key_len = usize::from(u16::from_le_bytes([head[11], head[12]]));
        let value_len = u32::from_le_bytes([head[13], head[14], head[15], head[16]]);
        let disk_len = u32::from_le_bytes([head[17], head[18], head[19], head[20]]);
        // No store writes more than this, so no damaged length makes anything allocate more. One
        // byte of the key is the table's.
        let Ok(rest) = usize::try_from(disk_len) else {
            return Ok(None);
        };
        let is_item = head[0] == ITEM
            && head[2] == 0
            && value_len == disk_len
            && key_len <= MAX_KEY_BYTES + 1
            && rest <= MAX_VALUE_BYTES;
        if !is_item {
            return Ok(None);
        }
        self.item.clear();
        self.item.extend_from_slice(&head);
        self.item.resize(ITEM_HEAD_BYTES + key_len + rest, 0);
        self.input.read_exact(&mut self.item[ITEM_HEAD_BYTES..])?;
        Ok(Some(key_len))
    }
}

#[cfg(test)]
mod tests {
    use super::{Batches, END, ITEM, MARK_KEY, Mark, START, TRAILER, Xxh3, shows_acknowledged_loss};

    const LAST: Mark = Mark {
        salt: 7,
        number: 10,
        durable: 10,
    };

    fn mark(salt: u64, number: u64, durable: u64) -> Vec<u8> {
        batch(
            MARK_KEY,
            &Mark {
                salt,
                number,
                durable,
            }
            .to_bytes(),
        )
    }

    /// A batch of one item, as fjall writes it.
    fn batch(key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut item = vec![ITEM, 0, 0];
        item.extend(1u64.to_le_bytes());
        item.extend(u16::try_from(key.len()).unwrap().to_le_bytes());
        item.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        item.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
        item.extend([key, value].concat());
        let mut checksum = Xxh3::new();
        checksum.update(&item);
        let mut batch = vec![START, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
        batch.extend(item);
        batch.push(END);
        batch.extend(checksum.digest().to_le_bytes());
        batch.extend(TRAILER);
        batch
    }

    #[test]
    fn a_lost_batch_was_acknowledged_if_a_later_one_says_so() {
        let hole = vec![0; 100];
        let tail = |marks: &[Vec<u8>]| [hole.clone(), marks.concat()].concat();
        assert!(!shows_acknowledged_loss(&tail(&[]), Some(LAST)));
        assert!(!shows_acknowledged_loss(
            &tail(&[mark(7, 12, 10), mark(7, 13, 10)]),
            Some(LAST)
        ));
        assert!(shows_acknowledged_loss(&tail(&[mark(7, 12, 11)]), Some(LAST)));
        assert!(shows_acknowledged_loss(
            &tail(&[mark(7, 12, 10), mark(7, 13, 12)]),
            Some(LAST)
        ));
        // Without a batch to count from, the one before the first intact one is lost for certain.
        assert!(!shows_acknowledged_loss(&tail(&[mark(7, 12, 10)]), None));
        assert!(shows_acknowledged_loss(&tail(&[mark(7, 12, 11)]), None));
    }

    #[test]
    fn a_stored_value_that_looks_like_a_batch_proves_nothing() {
        let forged = mark(8, 1000, 999);
        let mut torn = batch(b"\x03block", &[vec![0; 50], forged, vec![0; 50]].concat());
        *torn.last_mut().unwrap() = 0;
        assert!(!shows_acknowledged_loss(&torn, Some(LAST)));
    }

    #[test]
    fn only_whole_batches_are_read() {
        let whole = mark(7, 11, 10);
        for end in 0..whole.len() {
            let mut input = &whole[..end];
            assert!(
                Batches {
                    input: &mut input,
                    item: Vec::new()
                }
                .next()
                .unwrap()
                .is_none()
            );
        }
        // The number that fjall gives a batch is no part of the checksum, nor of what is used here.
        for at in (0..whole.len()).filter(|at| !(5..13).contains(at)) {
            let mut changed = whole.clone();
            changed[at] ^= 0x40;
            let mut input = changed.as_slice();
            assert!(
                Batches {
                    input: &mut input,
                    item: Vec::new()
                }
                .next()
                .unwrap()
                .is_none(),
                "byte {at}"
            );
        }
    }
}
