//! The log: its blocks.
use icn_model::{Block, Cid};
use serde::{Deserialize, Serialize};

/// Answer of [`crate::paths::LOG_BLOCK`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LogBlock {
    /// The block's CID, which others name it by.
    pub cid: Cid,
    /// Bytes of its canonical form.
    pub size_bytes: u64,
    /// The block.
    #[cfg_attr(feature = "schema", schema(value_type = crate::schemas::BlockSchema))]
    pub block: Block,
}
