//! Blocks of the log.
use crate::{
    Cid, Digest, EpochNumber, Height, PublicKey, SignedOperation, Time,
    canonical::{self, DecodeError},
    limits,
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// An outcome root with the height that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NamedRoot {
    /// The height whose changes the root covers last.
    pub height: Height,
    /// The root there.
    pub root: Digest,
}

/// Everything about a block but its operations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BlockHeader {
    /// Whose log.
    pub federation: Cid,
    /// Its place in the log.
    pub height: Height,
    /// The epoch that ordered it.
    pub epoch: EpochNumber,
    /// The consensus view within the epoch.
    pub view: u64,
    /// The seat that proposed it.
    pub leader: PublicKey,
    /// Hash of the block before it.
    pub parent: Digest,
    /// The consensus view of the block before it.
    pub parent_view: u64,
    /// After its parent's.
    pub time: Time,
    /// What the proposer had executed.
    pub executed: NamedRoot,
    /// In the last block of an epoch: Merkle root over the whole state at the height where the epoch's
    /// successors were fixed.
    pub state: Option<Digest>,
}

/// A block of the log: a DAG-CBOR block like any other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Everything but the operations.
    pub header: BlockHeader,
    /// In order.
    pub operations: Vec<SignedOperation>,
}

impl Block {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::to_bytes(self)
    }

    /// Reads bytes from outside.
    ///
    /// # Errors
    /// [`DecodeError`] if they are not the canonical bytes of a block of allowed size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let block: Self = canonical::from_bytes(bytes, limits::MAX_LOG_BLOCK_BYTES)?;
        if block.operations.len() > limits::MAX_BLOCK_OPERATIONS {
            return Err(DecodeError::TooLong {
                len: block.operations.len(),
                max: limits::MAX_BLOCK_OPERATIONS,
            });
        }
        Ok(block)
    }
}
