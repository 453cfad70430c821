//! The model's block as consensus carries it: the canonical bytes, named by their hash.
//!
//! The digest that consensus votes on is the hash in the block's CID, so a finalised block *is* a block of
//! the DAG.
use crate::keys;
use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, EncodeSize, Error as CodecError, RangeCfg, Read, Write};
use commonware_consensus::{
    Block, BoundedBlock, CertifiableBlock, Heightable,
    simplex::types::Context,
    types::{Epoch, Height, Round, View},
};
use commonware_cryptography::{Digestible, ed25519::PublicKey, sha256};
use icn_model::{BlockHeader, Cid, Digest, EpochNumber, NamedRoot, Time, limits::MAX_LOG_BLOCK_BYTES};
use std::sync::Arc;

/// Where a block stands in consensus.
pub type BlockContext = Context<sha256::Digest, PublicKey>;

/// A block of the log with its bytes and hash. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LogBlock {
    inner: Arc<icn_model::Block>,
    context: BlockContext,
    bytes: Bytes,
    digest: Digest,
}

impl LogBlock {
    /// Encodes `block`.
    ///
    /// # Panics
    /// If the leader in its header is no key: the header of a block that this node builds names a seat, and
    /// a block from outside comes through [`Read`], which refuses it.
    pub fn new(block: icn_model::Block) -> Self {
        let bytes = block.to_bytes();
        Self::from_parts(block, bytes.into()).expect("a seat's key is a key")
    }

    fn from_parts(block: icn_model::Block, bytes: Bytes) -> Option<Self> {
        let header = &block.header;
        let context = BlockContext {
            round: Round::new(Epoch::new(header.epoch.get()), View::new(header.view)),
            leader: keys::public(&header.leader)?,
            parent: (View::new(header.parent_view), keys::digest(&header.parent)),
        };
        let digest = Digest::of(&bytes);
        Some(Self {
            inner: Arc::new(block),
            context,
            bytes,
            digest,
        })
    }

    /// The first block of a federation's log: nothing but a place to stand on.
    pub fn genesis(federation: Cid, founder: icn_model::PublicKey, created: Time, root: Digest) -> Self {
        Self::new(icn_model::Block {
            header: BlockHeader {
                federation,
                height: icn_model::Height::ZERO,
                epoch: EpochNumber::ZERO,
                view: 0,
                leader: founder,
                parent: Digest::ZERO,
                parent_view: 0,
                time: created,
                executed: NamedRoot {
                    height: icn_model::Height::ZERO,
                    root,
                },
                state: None,
            },
            operations: Vec::new(),
        })
    }

    /// What it says.
    pub fn content(&self) -> &icn_model::Block {
        &self.inner
    }

    /// Its header.
    pub fn header(&self) -> &BlockHeader {
        &self.inner.header
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its hash.
    pub fn hash(&self) -> Digest {
        self.digest
    }
}

impl PartialEq for LogBlock {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for LogBlock {}

impl Write for LogBlock {
    fn write(&self, buffer: &mut impl BufMut) {
        self.bytes.write(buffer);
    }
}

impl EncodeSize for LogBlock {
    fn encode_size(&self) -> usize {
        self.bytes.encode_size()
    }
}

impl Read for LogBlock {
    type Cfg = ();

    fn read_cfg(buffer: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        let bytes = Bytes::read_cfg(buffer, &RangeCfg::from(..=MAX_LOG_BLOCK_BYTES))?;
        let block = icn_model::Block::from_bytes(&bytes)
            .map_err(|error| CodecError::Wrapped("log block", Box::new(error)))?;
        Self::from_parts(block, bytes).ok_or(CodecError::Invalid("log block", "leader is not a key"))
    }
}

impl Digestible for LogBlock {
    type Digest = sha256::Digest;

    fn digest(&self) -> sha256::Digest {
        keys::digest(&self.digest)
    }
}

impl Heightable for LogBlock {
    fn height(&self) -> Height {
        Height::new(self.inner.header.height.get())
    }
}

impl Block for LogBlock {
    fn parent(&self) -> sha256::Digest {
        self.context.parent.1
    }
}

impl CertifiableBlock for LogBlock {
    type Context = BlockContext;

    fn context(&self) -> BlockContext {
        self.context.clone()
    }
}

impl BoundedBlock for LogBlock {
    fn max_encode_size((): &()) -> usize {
        // The bytes with their length as a varint.
        MAX_LOG_BLOCK_BYTES + 5
    }
}
