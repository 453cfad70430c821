//! The named keys on disk: `api_keys.json` in the data directory, readable by its owner alone.
use crate::files::{self, Readers};
use icn_api::{
    Scope,
    keys::{KeyName, MAX_KEYS},
};
use icn_model::{Digest, Time};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// File of the named keys in the data directory.
pub(super) const FILE: &str = "api_keys.json";
/// The only format so far.
const VERSION: u32 = 1;

/// The secret of a key, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Secret {
    pub(super) sha256: Digest,
    pub(super) created: Time,
    /// Until when it counts beside its successor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Time>,
}

/// A named key, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub(super) name: KeyName,
    pub(super) scope: Scope,
    pub(super) created: Time,
    pub(super) created_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Time>,
    /// The present one last.
    pub(super) secrets: Vec<Secret>,
}

impl Stored {
    /// Whether its time is over.
    pub(super) fn is_expired(&self, at: Time) -> bool {
        self.expires.is_some_and(|expires| expires <= at)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    keys: Vec<Stored>,
}

/// The keys that are kept; none if there is no file.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Stored>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let Document { version, keys } = serde_json::from_str(&text)?;
    anyhow::ensure!(
        version == VERSION,
        "it is of version {version}, and this program reads {VERSION}"
    );
    anyhow::ensure!(keys.len() <= MAX_KEYS, "it has more than {MAX_KEYS} keys");
    Ok(keys)
}

/// After a crash there are the old keys or the new ones.
pub(super) fn write(path: &Path, keys: Vec<Stored>) -> anyhow::Result<()> {
    let document = Document {
        version: VERSION,
        keys,
    };
    let text = serde_json::to_vec_pretty(&document)?;
    Ok(files::replace(path, &text, Readers::Owner)?)
}
