//! Blocks and files.
use icn_model::{Cid, Codec, Time};
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
    /// How many bytes clients may put in all; none if that is not limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_bytes: Option<u64>,
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
    /// When a collection found that nothing refers to it; none if something does, or none has run since it was
    /// put.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreferenced_since: Option<Time>,
}

/// Who keeps pins if the request does not say.
pub const DEFAULT_PIN_OWNER: &str = "operator";
/// Bytes of a pin's owner.
pub const MAX_PIN_OWNER_BYTES: usize = 64;
/// Bytes of a pin's reason.
pub const MAX_PIN_REASON_BYTES: usize = 512;

/// A promise that a block of this node, and every block that it leads to, is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The block.
    pub cid: Cid,
    /// For whom it is kept. A block can be kept for several owners.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub created: Time,
    /// Until when; for ever if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
}

/// Body of a `POST` to [`crate::paths::DAG_PINS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PinRequest {
    /// The block; it and what it leads to must be here or with a connected peer.
    pub cid: Cid,
    /// For whom, at most 64 bytes: `operator` if not said. A second pin of one owner replaces the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Why, at most 512 bytes.
    #[serde(default)]
    pub reason: String,
    /// Until when; for ever if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
}

/// Query of a `GET` of [`crate::paths::DAG_PINS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct PinsQuery {
    /// Pins after this place, as an earlier answer's `next` said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many: 100 if not said, at most 1,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of a `GET` of [`crate::paths::DAG_PINS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PinPage {
    /// Pins, in the order of their CIDs' bytes.
    pub items: Vec<Pin>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Query of a `DELETE` of [`crate::paths::DAG_PIN`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct UnpinQuery {
    /// Whose pin; `operator` if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// Query of a `POST` to [`crate::paths::DAG_GC`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct GcQuery {
    /// Whether to tell only what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// Answer after so many milliseconds even if it still runs: 5,000 if not said, at most 60,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// How far garbage collection is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GcStatus {
    /// Whether a collection runs now.
    pub running: bool,
    /// What the last one that ended did; none if none has since the node started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<GcReport>,
    /// Why the last one removed nothing more, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What a garbage collection did, or would do if it was a dry run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GcReport {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// When it began.
    pub started: Time,
    /// When it ended.
    pub finished: Time,
    /// Pins that count.
    pub pins: u64,
    /// Pins that had expired and were taken away.
    pub expired_pins: u64,
    /// Blocks that the log's state and this node's jobs name.
    pub named_by_log: u64,
    /// Blocks that were looked at.
    pub blocks: u64,
    /// Of those, the ones that pins, the log's state or this node's jobs lead to.
    pub kept: u64,
    /// Blocks that nothing leads to and that stay until the grace period is over.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
    /// Blocks that are removed.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
}
