//! What a backup looks like: one `tar.gz` of a head, what the node keeps, and a manifest with every entry's hash.
//!
//! The entries come in this order, and there are no others: `head.json`, `genesis.json`, `config.json`, perhaps
//! `identity.pem`, then `TABLE/NNNNNN.cbor` for the tables and `list/NNNNNN.bin` for the names of all blocks, then
//! `manifest.json`. An archive without its manifest is not a whole one. The records of a table are a DAG-CBOR list
//! of pairs of byte strings, key and value; a block's key is the binary form of its CID, and its value the block.
use icn_model::{
    Cid, Did, Digest, Height, Name, Time,
    canonical::{self, DecodeError},
};
use icn_store::Table;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Version of the format. A program reads its own and every earlier one.
pub(super) const FORMAT: u32 = 1;
/// Bytes of an entry: a page of the store with one value more than fits.
pub(super) const MAX_ENTRY_BYTES: u64 = 32 << 20;
/// Entries of an archive: with full ones, 30 TiB.
pub(super) const MAX_ENTRIES: usize = 1_000_000;
/// Bytes of the manifest.
pub(super) const MAX_MANIFEST_BYTES: u64 = 256 << 20;
/// Bytes of the binary form of a block's name.
pub(super) const CID_BYTES: usize = 36;
/// The gzip header of every archive: no name, no time, an operating system that is none. It is the one part that no
/// checksum covers, so it is compared as a whole.
pub(super) const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last byte of [`GZIP_HEADER`].
pub(super) const GZIP_SYSTEM: u8 = 255;

pub(super) const HEAD: &str = "head.json";
pub(super) const GENESIS: &str = "genesis.json";
pub(super) const CONFIG: &str = "config.json";
pub(super) const IDENTITY: &str = "identity.pem";
pub(super) const MANIFEST: &str = "manifest.json";
/// Folder of the names of all blocks.
pub(super) const LIST: &str = "list";

/// Tables of which every archive holds everything, in the order of the archive.
pub(super) const WHOLE: [Table; 5] = [Table::Meta, Table::State, Table::Pins, Table::Jobs, Table::Credit];
/// Tables that only grow: an incremental archive holds what came after its base. The kinds of events are none of them, for
/// they follow from the events.
pub(super) const GROWING: [Table; 4] = [Table::Log, Table::Operations, Table::Events, Table::Blocks];

/// The federation that a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FederationName {
    /// Its id.
    pub(crate) id: Cid,
    /// Its name.
    pub(crate) name: Name,
}

/// A backup, as another one refers to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Taken {
    /// Its id: random, in hexadecimal.
    pub(crate) id: String,
    /// When it was made, by the node's clock.
    pub(crate) created: Time,
    /// The last height that it knows.
    pub(crate) height: Height,
    /// The last event that it holds.
    pub(crate) last_event: u64,
}

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// [`FORMAT`].
    pub(crate) format: u32,
    /// The program that made it.
    pub(crate) program: String,
    /// Id, time and place in the log.
    pub(crate) taken: Taken,
    /// The outcome root at the height.
    pub(crate) root: Digest,
    /// The Merkle root over the records of the state.
    pub(crate) state: Digest,
    /// Whose node it was.
    pub(crate) node: Did,
    /// The federation.
    pub(crate) federation: FederationName,
    /// The backup that it continues; none for a full one.
    pub(crate) base: Option<Taken>,
}

/// Only the version, of whatever format.
#[derive(Deserialize)]
pub(super) struct AnyFormat {
    pub(super) format: u32,
}

/// An entry as the manifest has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EntryNote {
    pub(super) name: String,
    pub(super) size_bytes: u64,
    pub(super) sha256: Digest,
}

/// The last entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) entries: Vec<EntryNote>,
    /// Blocks in this archive.
    pub(super) blocks: u64,
    /// Blocks that the node had, those of earlier archives included.
    pub(super) listed: u64,
}

/// A key and its value.
pub(super) type Record = (ByteBuf, ByteBuf);

pub(super) fn encode_records(records: &[Record]) -> Vec<u8> {
    canonical::to_bytes(records)
}

pub(super) fn decode_records(bytes: &[u8]) -> Result<Vec<Record>, DecodeError> {
    canonical::from_own_bytes(bytes, bytes.len())
}

/// The name of a piece of a table or of the list.
pub(super) fn piece(folder: &str, number: usize) -> String {
    let suffix = if folder == LIST { "bin" } else { "cbor" };
    format!("{folder}/{number:06}.{suffix}")
}
