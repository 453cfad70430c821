//! The block that a restored log goes on from, with the certificate that makes it final.
//!
//! A node that lost its journal gets the log from the other seats. A federation of one has no others: its backup
//! carries the last block and its certificate, and the log goes on from there. What came before is in the state, and
//! its blocks are gone. Where there are other seats, nothing of this is used.
use crate::{
    block::LogBlock,
    keys,
    ledger::{ANCHOR, Ledger},
};
use bytes::Bytes;
use commonware_codec::{Decode as _, DecodeExt as _, Encode as _};
use commonware_consensus::{
    simplex::{scheme::ed25519::Scheme, types::Finalization},
    types::Epoch,
};
use commonware_cryptography::{Digestible as _, sha256};
use commonware_parallel::Sequential;
use icn_model::{Height, canonical, limits::MAX_LOG_BLOCK_BYTES, limits::MAX_SEATS};
use icn_store::{Reader as _, Table};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

/// Largest anchor: a block, and a certificate of a seat.
const MAX_ANCHOR_BYTES: usize = MAX_LOG_BLOCK_BYTES + (1 << 16);

/// A final block with its certificate.
#[derive(Clone)]
pub(crate) struct Anchor {
    pub(crate) block: LogBlock,
    pub(crate) finalization: Finalization<Scheme, sha256::Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(with = "serde_bytes")]
    block: Vec<u8>,
    #[serde(with = "serde_bytes")]
    finalization: Vec<u8>,
}

impl Anchor {
    /// The bytes to keep under [`ANCHOR`].
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        canonical::to_bytes(&Record {
            block: self.block.encode().to_vec(),
            finalization: self.finalization.encode().to_vec(),
        })
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let record: Record = canonical::from_own_bytes(bytes, MAX_ANCHOR_BYTES).ok()?;
        Some(Self {
            block: LogBlock::decode(Bytes::from(record.block)).ok()?,
            finalization: Finalization::decode_cfg(Bytes::from(record.finalization), &MAX_SEATS).ok()?,
        })
    }

    /// The anchor of a restored store, if it has one that `scheme_of` its epoch vouches for, and that is the block
    /// which the store was at.
    pub(crate) fn of(
        ledger: &Ledger,
        scheme_of: impl Fn(Epoch) -> Option<Scheme>,
        rng: &mut impl CryptoRng,
    ) -> Option<Self> {
        let bytes = ledger.store().get(Table::Meta, ANCHOR.as_bytes()).ok()??;
        let found = Self::from_bytes(&bytes).filter(|anchor| {
            let place = ledger.place(anchor.height()).ok().flatten();
            let is_of_log = place.is_some_and(|place| place.hash == anchor.block.hash());
            let payload = anchor.finalization.proposal.payload;
            let is_of_block =
                payload == anchor.block.digest() && payload == keys::digest(&anchor.block.hash());
            let scheme = scheme_of(anchor.epoch());
            let is_final = scheme.is_some_and(|scheme| anchor.finalization.verify(rng, &scheme, &Sequential));
            is_of_log && is_of_block && is_final
        });
        if found.is_none() {
            tracing::warn!("the restored block to go on from is not one of this log: it is not used");
        }
        found
    }

    pub(crate) fn height(&self) -> Height {
        self.block.header().height
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.finalization.proposal.round.epoch()
    }
}
