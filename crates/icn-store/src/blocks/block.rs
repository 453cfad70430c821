//! A block whose name is known to be that of its bytes: hashed once, however far it goes before it is stored.

use cid::Cid;

use super::{BlockError, Blocks, DATA, INDEX, MAX_BLOCK_BYTES, check, is_named_by, key};
use crate::batch::Batch;
use crate::bounds::{MAX_BATCH_BYTES, OP_OVERHEAD_BYTES};
use crate::error::StoreError;
use crate::table::Table;

/// A block with its CID, which its bytes hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    bytes: Vec<u8>,
}

impl Block {
    /// Names `bytes` under `codec` (0x55 raw, 0x71 dag-cbor). Hashing takes the calling thread up to
    /// some milliseconds.
    #[must_use]
    pub fn new(codec: u64, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let cid = Blocks::cid_of(codec, &bytes);
        Self { cid, bytes }
    }

    /// Takes `bytes` for the block `cid`, which they have to hash to.
    ///
    /// # Errors
    ///
    /// The CID is unsupported, the block too large or not what the CID names.
    pub fn named(cid: &Cid, bytes: impl Into<Vec<u8>>) -> Result<Self, BlockError> {
        let (cid, bytes) = (*cid, bytes.into());
        check(&cid)?;
        size(&cid, &bytes)?;
        if is_named_by(&cid, &bytes) {
            Ok(Self { cid, bytes })
        } else {
            Err(BlockError::Mismatch { cid })
        }
    }

    /// Its CID.
    #[must_use]
    pub const fn cid(&self) -> &Cid {
        &self.cid
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Adds the block to a batch: both of its entries, or none.
    ///
    /// # Errors
    ///
    /// The block is too large, or the batch full.
    pub fn put_in(self, batch: &mut Batch) -> Result<(), BlockError> {
        let size = size(&self.cid, &self.bytes)?;
        let (index, data) = (key(INDEX, &self.cid), key(DATA, &self.cid));
        let added = 2 * (index.len() + OP_OVERHEAD_BYTES) + size_of::<u32>() + self.bytes.len();
        let len = batch.size_bytes() + added;
        if len > MAX_BATCH_BYTES {
            return Err(StoreError::BatchSize { len }.into());
        }
        batch.put(Table::Blocks, data, self.bytes)?;
        batch.put(Table::Blocks, index, size.to_le_bytes())?;
        Ok(())
    }
}

/// The size of a block that is not too large.
fn size(cid: &Cid, bytes: &[u8]) -> Result<u32, BlockError> {
    u32::try_from(bytes.len())
        .ok()
        .filter(|_| bytes.len() <= MAX_BLOCK_BYTES)
        .ok_or(BlockError::TooLarge {
            cid: *cid,
            len: bytes.len(),
        })
}
