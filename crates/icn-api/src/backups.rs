//! Backups, and whether what a node keeps is whole.
use icn_model::{Cid, Digest, Height, Time};
use serde::{Deserialize, Serialize};

/// Findings of a check that are told; more are counted.
pub const MAX_FINDINGS: usize = 100;

/// Body of a `POST` to [`crate::paths::BACKUPS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BackupRequest {
    /// Whether to leave out what the last backup has.
    #[serde(default)]
    pub incremental: bool,
    /// With `incremental`: leave out only what the last backup before this moment has; everything is there if there
    /// was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Whether the node's key goes along. It must be encrypted.
    #[serde(default)]
    pub include_identity: bool,
}

/// Answer of a `GET` of [`crate::paths::BACKUPS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BackupList {
    /// Backups that this node made and that an incremental one can stand on, the youngest first.
    pub items: Vec<BackupView>,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BackupView {
    /// Its id.
    pub id: String,
    /// When.
    pub created: Time,
    /// The last height that it knows.
    pub height: Height,
}

/// Answer of [`crate::paths::RESTORE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Merged {
    /// The backup.
    pub id: String,
    /// The height that it was made at. The node's own state is as it was.
    pub height: Height,
    /// Blocks that were missing or damaged here.
    pub blocks_put: u64,
    /// Blocks that were here.
    pub blocks_here: u64,
    /// Pins that were missing here.
    pub pins_put: u64,
}

/// Query of a `POST` to [`crate::paths::VERIFY`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct VerifyQuery {
    /// Whether to hash every block, and to execute the log anew.
    #[serde(default)]
    pub deep: bool,
    /// Answer after so many milliseconds even if it still runs: 5,000 if not said, at most 60,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// How far a check is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct VerifyStatus {
    /// Whether one runs now.
    pub running: bool,
    /// What the last one that ended found; none if none has since the node started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<VerifyReport>,
    /// Why the last one came to no end, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct VerifyReport {
    /// Whether every block was hashed and the log executed anew.
    pub deep: bool,
    /// When it began.
    pub started: Time,
    /// When it ended.
    pub finished: Time,
    /// The height that the state was checked at.
    pub height: Height,
    /// The outcome root there.
    pub root: Digest,
    /// Blocks of the DAG that were looked at.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Blocks that others here lead to, and that are not here: no damage, for a node need not have all.
    pub absent_links: u64,
    /// Blocks of the log that were executed anew.
    pub log_executed: u64,
    /// Blocks of the log whose content is not on this node, as after a restore until they came from peers: from
    /// those on the log cannot be executed anew, and the state is compared with what the node has in memory.
    pub log_absent: u64,
    /// Events that were looked at.
    pub events: u64,
    /// How many of them are kept no longer, of which the chain has only the hashes.
    #[serde(default)]
    pub forgotten: u64,
    /// How many faults were found.
    pub faults: u64,
    /// The first of them.
    pub findings: Vec<Finding>,
}

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Finding {
    /// What is wrong, and what to do about it.
    pub text: String,
    /// The block of the DAG that is meant, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cid: Option<Cid>,
}
