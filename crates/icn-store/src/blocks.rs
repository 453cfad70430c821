//! The DAG block store: blocks under their CIDs, verified on the way in and on the way out.
//!
//! It fetches nothing from peers (a caller heals what is damaged here), follows no links, and
//! decides nothing about what to keep: pins and garbage collection stand above it, and tell it by
//! [`Blocks::mark`] what nobody refers to.

mod block;
mod collect;
mod quota;

pub use self::block::Block;
pub use self::quota::{BlockQuota, OverQuota, Reserved};

use cid::{Cid, Version};
use sha2::{Digest, Sha256};

use crate::batch::{Batch, Durability};
use crate::error::StoreError;
use crate::queue::Commit;
use crate::reader::Reader;
use crate::scan::{Cursor, MAX_PAGE_ENTRIES, ScanRange};
use crate::store::Store;
use crate::table::Table;

/// Largest block in bytes: 1 MiB.
pub const MAX_BLOCK_BYTES: usize = 1024 * 1024;

/// The multihash code of SHA2-256, with 32 bytes.
const SHA2_256: u64 = 0x12;
const DIGEST_BYTES: usize = 32;

/// Before a CID: the block's size, so that listing and counting need not read the blocks; then, if
/// nobody refers to the block, since when. Putting the block again writes the size alone.
const INDEX: u8 = 0;
/// Before a CID: the block.
const DATA: u8 = 1;

/// Why a block could not be stored or read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The CID is not one that this store keeps.
    #[error("{cid} is not a version 1 CID with a sha2-256 hash: only these are kept")]
    Unsupported {
        /// The CID.
        cid: Cid,
    },
    /// The block is too large.
    #[error("a block has at most {MAX_BLOCK_BYTES} bytes, {cid} has {len}: split it")]
    TooLarge {
        /// The CID.
        cid: Cid,
        /// Size of the block in bytes.
        len: usize,
    },
    /// The bytes are not what the CID names; nothing was stored.
    #[error("these bytes are not block {cid}: their hash differs")]
    Mismatch {
        /// The CID.
        cid: Cid,
    },
    /// The block is here and damaged. It is never handed out: fetch it from a peer and
    /// [`Blocks::heal`] it.
    #[error("block {cid} is damaged on disk: fetch it from a peer")]
    Corrupt {
        /// The CID.
        cid: Cid,
    },
    /// The list of blocks is damaged at an entry that names no block.
    #[error("the list of blocks is damaged: restore a backup")]
    Index,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A block in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Its CID.
    pub cid: Cid,
    /// Its size in bytes.
    pub size_bytes: u32,
    /// Since when nobody refers to it, by the clock of whoever found that out, in milliseconds; `None`
    /// when somebody does, or nobody has looked since it was put.
    pub unreferenced_since_ms: Option<u64>,
}

/// Some of the blocks, in the order of their CIDs' bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockPage {
    /// The blocks.
    pub entries: Vec<BlockEntry>,
    /// After which one to go on; `None` when there are no more.
    pub next: Option<Cid>,
}

/// What the blocks amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockUsage {
    /// Number of blocks.
    pub blocks: u64,
    /// Their size in bytes, without what the backend adds.
    pub size_bytes: u64,
}

/// The blocks of a store. Cheap to clone.
#[derive(Clone)]
pub struct Blocks {
    store: Store,
}

impl Blocks {
    /// The blocks of `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The CID of `bytes` under `codec` (0x55 raw, 0x71 dag-cbor).
    #[must_use]
    pub fn cid_of(codec: u64, bytes: &[u8]) -> Cid {
        let hash = cid::multihash::Multihash::wrap(SHA2_256, &Sha256::digest(bytes))
            .expect("32 bytes fit in a multihash of 64");
        Cid::new_v1(codec, hash)
    }

    /// Adds a block to a caller's batch, so that it is stored together with what refers to it.
    /// Storing a block that is there already changes nothing.
    ///
    /// # Errors
    ///
    /// The CID is unsupported, the block too large or not what the CID names, or the batch is full;
    /// the batch is then as it was.
    pub fn put_in(batch: &mut Batch, cid: &Cid, bytes: impl Into<Vec<u8>>) -> Result<(), BlockError> {
        Block::named(cid, bytes)?.put_in(batch)
    }

    /// Stores a block by itself.
    ///
    /// # Errors
    ///
    /// As for [`Blocks::put_in`] at once, and the future's as for [`Store::commit`].
    pub fn put(
        &self,
        cid: &Cid,
        bytes: impl Into<Vec<u8>>,
        durability: Durability,
    ) -> Result<Commit, BlockError> {
        self.put_block(Block::named(cid, bytes)?, durability)
    }

    /// Stores a block whose name is known to be right.
    ///
    /// # Errors
    ///
    /// The block is too large; and the future's as for [`Store::commit`].
    pub fn put_block(&self, block: Block, durability: Durability) -> Result<Commit, BlockError> {
        let mut batch = Batch::new();
        block.put_in(&mut batch)?;
        Ok(self.store.commit(batch, durability))
    }

    /// Replaces a block that is damaged, or puts it back where it is missing; durable when the
    /// future says so. `None` when the stored block is sound, which is then left alone.
    ///
    /// # Errors
    ///
    /// As for [`Blocks::put`]; in particular bytes that are not what the CID names are refused.
    pub fn heal(&self, cid: &Cid, bytes: impl Into<Vec<u8>>) -> Result<Option<Commit>, BlockError> {
        let block = Block::named(cid, bytes)?;
        match self.get(cid) {
            Ok(Some(_)) => Ok(None),
            Ok(None) | Err(BlockError::Corrupt { .. }) => self.put_block(block, Durability::Sync).map(Some),
            Err(error) => Err(error),
        }
    }

    /// Adds the removal of a block to a caller's batch.
    ///
    /// # Errors
    ///
    /// The CID is unsupported, or the batch is full (the block may then be half in it: drop the
    /// batch).
    pub fn delete_in(batch: &mut Batch, cid: &Cid) -> Result<(), BlockError> {
        check(cid)?;
        batch.delete(Table::Blocks, key(INDEX, cid))?;
        batch.delete(Table::Blocks, key(DATA, cid))?;
        Ok(())
    }

    /// Removes a block by itself; that it isn't there is no error.
    ///
    /// # Errors
    ///
    /// The CID is unsupported; and the future's as for [`Store::commit`].
    pub fn delete(&self, cid: &Cid, durability: Durability) -> Result<Commit, BlockError> {
        let mut batch = Batch::new();
        Self::delete_in(&mut batch, cid)?;
        Ok(self.store.commit(batch, durability))
    }

    /// The block, with its hash verified; `None` if it isn't here. Hashing takes the calling thread
    /// up to some milliseconds.
    ///
    /// # Errors
    ///
    /// [`BlockError::Corrupt`] when the block is here and damaged; the CID is unsupported; the
    /// store failed.
    pub fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, BlockError> {
        Self::get_from(&self.store, cid)
    }

    /// [`Blocks::get`] from a snapshot.
    ///
    /// # Errors
    ///
    /// As for [`Blocks::get`].
    pub fn get_from(reader: &impl Reader, cid: &Cid) -> Result<Option<Vec<u8>>, BlockError> {
        check(cid)?;
        match reader.get(Table::Blocks, &key(DATA, cid)) {
            Ok(Some(bytes)) if is_named_by(cid, &bytes) => Ok(Some(bytes)),
            Ok(None) if !has(reader, cid)? => Ok(None),
            Ok(_) => Err(BlockError::Corrupt { cid: *cid }),
            Err(error) if error.is_corrupt() => Err(BlockError::Corrupt { cid: *cid }),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the block is here; its bytes are not looked at.
    ///
    /// # Errors
    ///
    /// The CID is unsupported, or the store failed.
    pub fn has(&self, cid: &Cid) -> Result<bool, BlockError> {
        check(cid)?;
        has(&self.store, cid)
    }

    /// [`Blocks::has`] from a snapshot or a store that is being built.
    ///
    /// # Errors
    ///
    /// As for [`Blocks::has`].
    pub fn has_in(reader: &impl Reader, cid: &Cid) -> Result<bool, BlockError> {
        check(cid)?;
        has(reader, cid)
    }

    /// The blocks after `after` (from the first one on, if `None`), at most `limit` of them.
    ///
    /// # Errors
    ///
    /// The list is damaged, `limit` is zero, or the store failed.
    pub fn list(&self, after: Option<&Cid>, limit: usize) -> Result<BlockPage, BlockError> {
        Self::list_from(&self.store, after, limit)
    }

    /// [`Blocks::list`] from a snapshot: there the pages together are of one moment.
    ///
    /// # Errors
    ///
    /// As for [`Blocks::list`].
    pub fn list_from(
        reader: &impl Reader,
        after: Option<&Cid>,
        limit: usize,
    ) -> Result<BlockPage, BlockError> {
        let mut range = ScanRange::prefix([INDEX]);
        if let Some(cid) = after {
            range = range.resume(&Cursor::from_bytes(key(INDEX, cid)));
        }
        let page = reader.scan(Table::Blocks, &range, limit)?;
        let entries = page
            .entries
            .iter()
            .map(|(key, value)| entry(key, value))
            .collect::<Result<Vec<_>, _>>()?;
        let next = page.next.and(entries.last().map(|last| last.cid));
        Ok(BlockPage { entries, next })
    }

    /// Number and size of the blocks at one moment. It reads the whole list (some 50 bytes a block),
    /// so it is for a thread that may block, and not for every request.
    ///
    /// # Errors
    ///
    /// The list is damaged, the store failed, or reading took longer than a snapshot may live.
    pub fn usage(&self) -> Result<BlockUsage, BlockError> {
        let snapshot = self.store.snapshot()?;
        let mut usage = BlockUsage::default();
        let mut after = None;
        loop {
            let page = Self::list_from(&snapshot, after.as_ref(), MAX_PAGE_ENTRIES)?;
            for entry in &page.entries {
                usage.blocks += 1;
                usage.size_bytes += u64::from(entry.size_bytes);
            }
            after = page.next;
            if after.is_none() {
                return Ok(usage);
            }
        }
    }
}

fn has(reader: &impl Reader, cid: &Cid) -> Result<bool, BlockError> {
    Ok(reader.get(Table::Blocks, &key(INDEX, cid))?.is_some())
}

fn key(kind: u8, cid: &Cid) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend(cid.to_bytes());
    key
}

fn entry(key: &[u8], value: &[u8]) -> Result<BlockEntry, BlockError> {
    let cid = key
        .get(1..)
        .and_then(|bytes| Cid::try_from(bytes).ok())
        .ok_or(BlockError::Index)?;
    let (size, since) = value.split_first_chunk().ok_or(BlockError::Index)?;
    let unreferenced_since_ms = match since {
        [] => None,
        since => Some(u64::from_le_bytes(
            since.try_into().map_err(|_| BlockError::Index)?,
        )),
    };
    Ok(BlockEntry {
        cid,
        size_bytes: u32::from_le_bytes(*size),
        unreferenced_since_ms,
    })
}

fn check(cid: &Cid) -> Result<(), BlockError> {
    let hash = cid.hash();
    let is_supported =
        cid.version() == Version::V1 && hash.code() == SHA2_256 && usize::from(hash.size()) == DIGEST_BYTES;
    if is_supported {
        Ok(())
    } else {
        Err(BlockError::Unsupported { cid: *cid })
    }
}

fn is_named_by(cid: &Cid, bytes: &[u8]) -> bool {
    Sha256::digest(bytes).as_slice() == cid.hash().digest()
}
