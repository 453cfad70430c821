//! Blocks and files.
use icn_model::{Cid, Codec};
use serde::{Deserialize, Serialize};

/// How the bytes of a new block are to be taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BlockCodec {
    /// As they are.
    #[default]
    Raw,
    /// As canonical DAG-CBOR; other bytes are refused.
    DagCbor,
}

impl From<BlockCodec> for Codec {
    fn from(codec: BlockCodec) -> Self {
        match codec {
            BlockCodec::Raw => Self::Raw,
            BlockCodec::DagCbor => Self::DagCbor,
        }
    }
}

impl From<Codec> for BlockCodec {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::Raw => Self::Raw,
            Codec::DagCbor => Self::DagCbor,
        }
    }
}

/// Query of a `POST` to [`crate::paths::DAG_BLOCKS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct PutQuery {
    /// How the bytes are to be taken; `raw` if not said.
    #[serde(default)]
    pub codec: BlockCodec,
}

/// Query of a `GET` of a block or file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct GetQuery {
    /// Whether to look on this node only, and not ask its peers.
    #[serde(default)]
    pub local: bool,
}

/// Answer to new content. It is durable on the node that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Stored {
    /// The content's name.
    pub cid: Cid,
    /// Its bytes.
    pub size_bytes: u64,
    /// Blocks that it takes.
    pub blocks: u64,
}

/// Query of [`crate::paths::DAG`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct DagQuery {
    /// Blocks after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Cid>,
    /// At most so many: 100 if not said, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::DAG`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DagView {
    /// Blocks of this node, all together.
    pub blocks: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Some of them, in the order of their CIDs' bytes.
    pub items: Vec<BlockView>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Cid>,
}

/// A block of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockView {
    /// Its name.
    pub cid: Cid,
    /// Its bytes.
    pub size_bytes: u64,
}
