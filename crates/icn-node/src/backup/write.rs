//! Making a backup of a node that runs, as a stream.
//!
//! State, pins and jobs are read from one snapshot of the store. Log, operations and events only grow, so they are
//! read as they are, up to the snapshot's height; that events are forgotten meanwhile leaves their chain whole. Blocks
//! never change: whatever was there at the moment of the snapshot, and was not collected as garbage since, is in the list
//! of blocks and in this archive or an earlier one of its chain.
use super::{
    BackupError,
    format::{
        CID_BYTES, CONFIG, EntryNote, FORMAT, FederationName, GENESIS, GROWING, GZIP_SYSTEM, HEAD, Head,
        IDENTITY, LIST, MANIFEST, Manifest, Record, Taken, WHOLE, encode_records, piece,
    },
    taken::{Base, List},
};
use flate2::{Compression, GzBuilder, write::GzEncoder};
use icn_model::{Cid, Did, Digest, Genesis, Height, canonical};
use icn_protocol::ledger::{ANCHOR, FinalOperation};
use icn_state::{NoPolicies, State};
use icn_store::{Blocks, MAX_PAGE_ENTRIES, Reader, ScanRange, Store, Table};
use serde::Serialize;
use serde_bytes::ByteBuf;
use std::io::Write;
use tar::{Builder, EntryType, Header};

/// Bytes of records that are gathered before they are written: little, for each piece is in memory twice.
const PIECE_BYTES: usize = 1 << 20;
/// Records that are read at a time.
const PAGE_ENTRIES: usize = 1_000;
/// Names of blocks in one piece of the list.
const LIST_NAMES: usize = 100_000;
/// Speed before size: the blocks of most nodes do not shrink.
const LEVEL: u32 = 3;
/// Largest record of an operation's place.
const MAX_PLACE_BYTES: usize = 64 << 10;

/// What a backup is made from.
pub(super) struct Source<'a> {
    pub(super) store: &'a Store,
    pub(super) blocks: &'a Blocks,
    pub(super) node: Did,
    pub(super) genesis: &'a Genesis,
    /// The configuration without its secrets.
    pub(super) config: &'a serde_json::Value,
    /// The node's key file, if it goes along; it is encrypted.
    pub(super) identity: Option<&'a [u8]>,
    pub(super) base: Option<Base>,
    /// The block at a height with its certificate, for a log without other seats to go on from.
    pub(super) anchor: &'a dyn Fn(Height) -> Option<Vec<u8>>,
    /// Notes the names of the blocks, for a later backup to stand on this one.
    pub(super) list: List,
}

/// Writes a backup to `to`, and gives what it is of.
pub(super) fn write(
    source: Source<'_>,
    id: String,
    created: icn_model::Time,
    to: impl Write,
) -> Result<(Head, List), BackupError> {
    let gzip = GzBuilder::new()
        .operating_system(GZIP_SYSTEM)
        .write(to, Compression::new(LEVEL));
    let mut archive = Archive {
        tar: Builder::new(gzip),
        entries: Vec::new(),
    };
    let snapshot = source.store.snapshot()?;
    let state = read_state(&snapshot)?;
    let last_event = last_event(&snapshot)?;
    let head = Head {
        format: FORMAT,
        program: concat!("icn-node ", env!("CARGO_PKG_VERSION")).into(),
        taken: Taken {
            id,
            created,
            height: state.height(),
            last_event,
        },
        root: state.root(),
        state: state.merkle_root(),
        node: source.node,
        federation: FederationName {
            id: state.federation(),
            name: state.federation_record().name.clone(),
        },
        base: source.base.as_ref().map(|base| base.taken.clone()),
    };
    drop(state);
    archive.json(HEAD, &head)?;
    archive.json(GENESIS, source.genesis)?;
    archive.json(CONFIG, source.config)?;
    if let Some(key) = source.identity {
        archive.add(IDENTITY, key)?;
    }
    for table in WHOLE {
        let mut pieces = Pieces::new(table.name());
        each(&snapshot, table, &ScanRange::all(), |key, value| {
            if table == Table::Meta && key == ANCHOR.as_bytes() {
                return Ok(());
            }
            pieces.push(&mut archive, (ByteBuf::from(key), ByteBuf::from(value)))
        })?;
        if table == Table::Meta
            && let Some(anchor) = (source.anchor)(head.taken.height)
        {
            let record = (ByteBuf::from(ANCHOR.as_bytes()), ByteBuf::from(anchor));
            pieces.push(&mut archive, record)?;
        }
        pieces.flush(&mut archive)?;
    }
    drop(snapshot);
    for table in GROWING.into_iter().filter(|table| *table != Table::Blocks) {
        growing(&mut archive, source.store, table, &head)?;
    }
    let (blocks, list) = blocks(&mut archive, source.blocks, source.base, source.list)?;
    let manifest = Manifest {
        entries: std::mem::take(&mut archive.entries),
        blocks,
        listed: list.len(),
    };
    archive.json(MANIFEST, &manifest)?;
    archive.tar.into_inner()?.finish()?.flush()?;
    Ok((head, list))
}

/// The state that a snapshot holds.
pub(super) fn read_state(reader: &impl Reader) -> Result<State, BackupError> {
    let mut records = Vec::new();
    each(reader, Table::State, &ScanRange::all(), |key, value| {
        records.push((key, value));
        Ok(())
    })?;
    // Nothing is applied to it: no contract is asked.
    Ok(State::load(records.into_iter(), std::sync::Arc::new(NoPolicies))?)
}

/// The number of the last event; 0 if there is none.
pub(super) fn last_event(reader: &impl Reader) -> Result<u64, BackupError> {
    let page = reader.scan(Table::Events, &ScanRange::all().reversed(), 1)?;
    Ok(page.entries.first().map_or(0, |(key, _)| number(key)))
}

/// A height or an event's number, from its key.
fn number(key: &[u8]) -> u64 {
    key.try_into().map_or(0, u64::from_be_bytes)
}

/// Calls `each` with every entry of a range.
pub(super) fn each(
    reader: &impl Reader,
    table: Table,
    range: &ScanRange,
    mut each: impl FnMut(Vec<u8>, Vec<u8>) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let mut range = range.clone();
    loop {
        let page = reader.scan(table, &range, PAGE_ENTRIES)?;
        for (key, value) in page.entries {
            each(key, value)?;
        }
        match page.next {
            Some(cursor) => range = range.resume(&cursor),
            None => return Ok(()),
        }
    }
}

/// Writes what a table that only grows has between the base and the head.
fn growing<W: Write>(
    archive: &mut Archive<W>,
    store: &Store,
    table: Table,
    head: &Head,
) -> Result<(), BackupError> {
    let base = head.base.as_ref();
    let from_height = base.map(|base| base.height.get());
    let range = match table {
        Table::Log => after(from_height, head.taken.height.get()),
        Table::Events => after(base.map(|base| base.last_event), head.taken.last_event),
        _ => ScanRange::all(),
    };
    let mut pieces = Pieces::new(table.name());
    each(store, table, &range, |key, value| {
        if table == Table::Operations {
            let place: FinalOperation = canonical::from_own_bytes(&value, MAX_PLACE_BYTES)
                .map_err(|source| BackupError::Record { table, source })?;
            let height = place.height.get();
            if height > head.taken.height.get() || from_height.is_some_and(|from| height <= from) {
                return Ok(());
            }
        }
        pieces.push(archive, (ByteBuf::from(key), ByteBuf::from(value)))
    })?;
    pieces.flush(archive)
}

/// The numbers after `after` up to `last`.
fn after(after: Option<u64>, last: u64) -> ScanRange {
    use std::ops::Bound;
    let start = after.map_or(Bound::Unbounded, |after| {
        Bound::Excluded(after.to_be_bytes().to_vec())
    });
    ScanRange::new(start, Bound::Included(last.to_be_bytes().to_vec()))
}

/// Writes the blocks that the base does not have, and the names of all.
fn blocks<W: Write>(
    archive: &mut Archive<W>,
    blocks: &Blocks,
    mut base: Option<Base>,
    mut list: List,
) -> Result<(u64, List), BackupError> {
    let mut pieces = Pieces::new(Table::Blocks.name());
    let mut written = 0;
    let mut after = None;
    loop {
        let page = blocks.list(after.as_ref(), MAX_PAGE_ENTRIES.min(PAGE_ENTRIES))?;
        for entry in &page.entries {
            let name = entry.cid.to_bytes();
            let is_known = match &mut base {
                Some(base) => base.has(&name)?,
                None => false,
            };
            if !is_known {
                // A block that was collected since it was listed is not missed by anybody.
                let Some(bytes) = blocks.get(&entry.cid)? else {
                    continue;
                };
                pieces.push(archive, (ByteBuf::from(name.clone()), ByteBuf::from(bytes)))?;
                written += 1;
            }
            list.push(&name)?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    pieces.flush(archive)?;
    let mut number = 0;
    let mut names = Vec::new();
    let mut reader = list.reader()?;
    while let Some(name) = reader.next_name()? {
        names.extend_from_slice(&name);
        if names.len() == LIST_NAMES * CID_BYTES {
            archive.add(&piece(LIST, number), &names)?;
            number += 1;
            names.clear();
        }
    }
    if !names.is_empty() {
        archive.add(&piece(LIST, number), &names)?;
    }
    Ok((written, list))
}

/// An archive on its way.
struct Archive<W: Write> {
    tar: Builder<GzEncoder<W>>,
    entries: Vec<EntryNote>,
}

impl<W: Write> Archive<W> {
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        self.tar.append_data(&mut header, name, bytes)?;
        self.entries.push(EntryNote {
            name: name.to_owned(),
            size_bytes: bytes.len() as u64,
            sha256: Digest::of(bytes),
        });
        Ok(())
    }

    fn json(&mut self, name: &str, value: &impl Serialize) -> Result<(), BackupError> {
        let bytes = serde_json::to_vec_pretty(value).map_err(std::io::Error::from)?;
        self.add(name, &bytes)
    }
}

/// Records on their way into entries of a few MiB.
struct Pieces {
    folder: &'static str,
    number: usize,
    records: Vec<Record>,
    bytes: usize,
}

impl Pieces {
    fn new(folder: &'static str) -> Self {
        Self {
            folder,
            number: 0,
            records: Vec::new(),
            bytes: 0,
        }
    }

    fn push<W: Write>(&mut self, archive: &mut Archive<W>, record: Record) -> Result<(), BackupError> {
        self.bytes += record.0.len() + record.1.len();
        self.records.push(record);
        if self.bytes >= PIECE_BYTES {
            self.flush(archive)?;
        }
        Ok(())
    }

    fn flush<W: Write>(&mut self, archive: &mut Archive<W>) -> Result<(), BackupError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let bytes = encode_records(&self.records);
        archive.add(&piece(self.folder, self.number), &bytes)?;
        self.number += 1;
        self.bytes = 0;
        self.records.clear();
        Ok(())
    }
}

/// Whether a CID is one that this program names blocks by.
pub(super) fn name_of(bytes: &[u8]) -> Option<Cid> {
    Cid::try_from(bytes).ok()
}
