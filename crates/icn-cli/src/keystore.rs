//! The keys that somebody has on this machine, by name: `@alice` is a file under the configuration directory.
//!
//! Beside each key a small file says whose it is, which after a rotation does not follow from the key any more. So a
//! list needs no passphrase, and whoever signs with `@alice` acts for the identity that she began with.
use crate::{failure::Usage, machine};
use anyhow::{Context as _, bail};
use icn_model::{Did, PublicKey};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What a name of the keystore begins with on the command line.
const MARK: char = '@';
/// Directory of the keystore under the configuration directory.
const DIRECTORY: &str = "icn/keys";
/// Longest name, bytes.
const MAX_NAME_BYTES: usize = 64;

/// A key of the keystore.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// The key's file.
    pub(crate) path: PathBuf,
}

/// What is known of a key without opening it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Holder {
    /// For whom it acts.
    pub(crate) did: Did,
    /// The key.
    pub(crate) key: PublicKey,
}

/// The entry that `text` names; none if it is a path.
pub(crate) fn named(text: &Path) -> anyhow::Result<Option<Entry>> {
    let Some(name) = text.to_str().and_then(|text| text.strip_prefix(MARK)) else {
        return Ok(None);
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || name.starts_with('.') || !name.chars().all(is_plain)
    {
        return Err(Usage::new(format!(
            "{MARK}{name}: a name in the keystore has 1 to {MAX_NAME_BYTES} letters, digits, '-', '_' or '.', and \
             does not begin with '.'"
        ))
        .into());
    }
    Ok(Some(Entry {
        name: name.to_owned(),
        path: directory()?.join(format!("{name}.pem")),
    }))
}

/// The path of the key that `text` names, be it one or an entry.
pub(crate) fn path_of(text: &Path) -> anyhow::Result<PathBuf> {
    Ok(named(text)?.map_or_else(|| text.to_owned(), |entry| entry.path))
}

/// Every entry, in the order of names.
pub(crate) fn all() -> anyhow::Result<Vec<Entry>> {
    let directory = directory()?;
    let files = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files.with_context(|| format!("cannot read {}", directory.display()))?,
    };
    let mut entries = Vec::new();
    for file in files {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        // Former and coming keys have names with another end.
        if let Some(name) = name.and_then(|name| name.strip_suffix(".pem")) {
            entries.push(Entry {
                name: name.to_owned(),
                path: path.clone(),
            });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Makes the keystore's directory, for its owner only.
pub(crate) fn prepare() -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let directory = directory()?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))
}

fn directory() -> anyhow::Result<PathBuf> {
    match machine::configuration_directory() {
        Some(directory) => Ok(directory.join(DIRECTORY)),
        None => bail!("there is no place for the keystore: set HOME or XDG_CONFIG_HOME"),
    }
}

impl Entry {
    fn holder_path(&self) -> PathBuf {
        self.path.with_extension("json")
    }

    /// Whose key it is; none if nobody has said.
    pub(crate) fn holder(&self) -> anyhow::Result<Option<Holder>> {
        let path = self.holder_path();
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let holder =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?;
        Ok(Some(holder))
    }

    /// Says whose key it is.
    pub(crate) fn keep(&self, holder: &Holder) -> anyhow::Result<()> {
        let path = self.holder_path();
        let beside = path.with_extension("json.new");
        fs::write(&beside, serde_json::to_vec_pretty(holder)?)
            .and_then(|()| fs::rename(&beside, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths() {
        for text in ["@", "@../../etc/passwd", "@a b", "@.hidden", "@a/b"] {
            assert!(named(Path::new(text)).unwrap_err().is::<Usage>(), "{text}");
        }
        for text in ["alice", "./@alice", "/keys/@alice"] {
            assert!(named(Path::new(text)).unwrap().is_none(), "{text}");
        }
    }
}
