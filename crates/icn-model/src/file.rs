//! Files larger than one block: a DAG-CBOR block that lists the raw blocks in order.
//!
//! Content of at most [`MAX_DAG_BLOCK_BYTES`] is its own raw block. Longer content is cut into raw blocks
//! of exactly that size (the last one may be shorter), listed by a [`FileIndex`]. So one content has one
//! CID, and each part can be checked alone as it arrives.
use crate::{
    Cid,
    canonical::{self, DecodeError},
    limits::MAX_DAG_BLOCK_BYTES,
};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Blocks that one index lists, which bounds a file to 16 GiB.
pub const MAX_CHUNKS: usize = 16_384;

/// The list of a file's blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileIndex {
    /// Bytes of the whole file.
    pub size: u64,
    /// Its raw blocks, in order.
    pub chunks: Vec<Cid>,
}

impl FileIndex {
    /// Reads an index.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes are no index, or its size and number of blocks do not fit together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let index: Self = canonical::from_bytes(bytes, MAX_DAG_BLOCK_BYTES)?;
        if index.chunks.len() > MAX_CHUNKS {
            return Err(DecodeError::TooLong {
                len: index.chunks.len(),
                max: MAX_CHUNKS,
            });
        }
        let needed = index.size.div_ceil(MAX_DAG_BLOCK_BYTES as u64);
        if index.chunks.len() < 2 || needed != index.chunks.len() as u64 {
            return Err(DecodeError::Malformed(
                "file index lists another number of blocks than its size needs".into(),
            ));
        }
        Ok(index)
    }
}

/// One block of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileBlock<'a> {
    /// Its name.
    pub cid: Cid,
    /// Its bytes: a piece of the content, or the index.
    pub bytes: alloc::borrow::Cow<'a, [u8]>,
}

/// Cuts `content` into its blocks. The last one is the file's: its CID is the file's name.
///
/// # Errors
/// [`DecodeError::TooLong`] for content that one index cannot list.
pub fn split(content: &[u8]) -> Result<Vec<FileBlock<'_>>, DecodeError> {
    let raw = |bytes| FileBlock {
        cid: Cid::of_raw(bytes),
        bytes: alloc::borrow::Cow::Borrowed(bytes),
    };
    if content.len() <= MAX_DAG_BLOCK_BYTES {
        return Ok(alloc::vec![raw(content)]);
    }
    let max = MAX_CHUNKS * MAX_DAG_BLOCK_BYTES;
    if content.len() > max {
        return Err(DecodeError::TooLong {
            len: content.len(),
            max,
        });
    }
    let mut blocks: Vec<_> = content.chunks(MAX_DAG_BLOCK_BYTES).map(raw).collect();
    let index = FileIndex {
        size: content.len() as u64,
        chunks: blocks.iter().map(|block| block.cid).collect(),
    };
    let bytes = canonical::to_bytes(&index);
    blocks.push(FileBlock {
        cid: Cid::of_dag_cbor(&bytes),
        bytes: bytes.into(),
    });
    Ok(blocks)
}
