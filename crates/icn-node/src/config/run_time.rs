//! The layer that is changed at run time: its file, which keys it may hold, and who set them.
use super::{Config, ConfigError};
use icn_api::config::{Changes, ConfigChange, MAX_CHANGES, SetBy};
use icn_model::Time;
use icn_serve::config::File;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// File of the run-time layer in the data directory.
pub(super) const FILE: &str = "runtime.toml";
/// Keys whose changes hold at once; whoever uses them is told.
const AT_ONCE: [&str; 5] = [
    "logging.level",
    "mesh.blacklist_after_failures",
    "mesh.blacklist_cooldown_secs",
    "performance.job_memory_bytes",
    "performance.max_concurrent_jobs",
];
/// Sections that decide where the node finds its identity, its store and its keys, who may use it, to whom it sends a
/// key, or what of its past it forgets: with a key of the interface alone nobody changes these.
const BY_FILE: [&str; 9] = [
    "api.",
    "audit.",
    "events.",
    "federation.",
    "identity.",
    "monitoring.",
    "runtime.",
    "security.",
    "storage.",
];
/// The table of the run-time file that says who set what; it is no section of the configuration.
const CHANGES_TABLE: &str = "changes";
/// First lines of the run-time file.
const HEADER: &str =
    "# Written by the node: what was set while it ran (icn-cli config set). It wins over all other layers.\n";

/// Why a change is not made. Nothing of it is, then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// A key cannot be changed like this.
    #[error("{key}: {reason}")]
    Key {
        /// Which one.
        key: String,
        /// What to do instead.
        reason: String,
    },
    /// The configuration would be none.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The run-time file cannot be kept.
    #[error("cannot keep the run-time configuration in {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The run-time layer's file in the data directory.
pub(super) fn file(config: &Config) -> PathBuf {
    config.storage.data_dir.join(FILE)
}

/// When a change of a key takes effect.
pub(super) fn changes(key: &str) -> Changes {
    if AT_ONCE.contains(&key) {
        Changes::AtOnce
    } else if BY_FILE.iter().any(|section| key.starts_with(section)) {
        Changes::ByFile
    } else {
        Changes::AtStart
    }
}

/// Whether the keys of a change are such that can be changed.
pub(super) fn check(change: &ConfigChange) -> Result<(), ChangeError> {
    let refused = |key: &str, reason: &str| {
        Err(ChangeError::Key {
            key: key.into(),
            reason: reason.into(),
        })
    };
    if change.set.len() + change.unset.len() > MAX_CHANGES {
        return refused("set", &format!("at most {MAX_CHANGES} keys at once"));
    }
    for key in change.set.keys().chain(&change.unset) {
        if changes(key) == Changes::ByFile {
            return refused(
                key,
                "is not changed at run time: set it in the configuration file and start the node again",
            );
        }
        match key.split_once('.') {
            Some((CHANGES_TABLE, _)) => return refused(key, "there is no such key"),
            Some((section, name)) if !section.is_empty() && !name.is_empty() && !name.contains('.') => {}
            _ => return refused(key, "a key is section.name, such as logging.level"),
        }
    }
    if let Some(key) = change.unset.iter().find(|key| change.set.contains_key(*key)) {
        return refused(key, "is both set and unset");
    }
    Ok(())
}

/// Takes out of the run-time layer who set what, which is no part of the configuration.
pub(super) fn take_changes(file: &mut File) -> BTreeMap<String, SetBy> {
    #[derive(Deserialize)]
    struct By {
        key: String,
        at: u64,
    }
    let Some(changes) = file.take(CHANGES_TABLE) else {
        return BTreeMap::new();
    };
    // The node's own notes: what is not as it wrote it says nothing.
    let changes: BTreeMap<String, By> = changes.deserialize().unwrap_or_default();
    let set_by = |by: By| SetBy {
        key: by.key,
        at: Time::new(by.at),
    };
    changes.into_iter().map(|(key, by)| (key, set_by(by))).collect()
}

/// The text of the run-time file after a change.
pub(super) fn changed(
    path: &Path,
    before: &str,
    change: &ConfigChange,
    set_by: &SetBy,
) -> Result<String, ChangeError> {
    let mut table: toml::Table = toml::from_str(before).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        detail: error.to_string().trim_end().to_owned(),
    })?;
    let sections = change.set.iter().map(|(key, value)| (key, Some(value)));
    let sections = sections.chain(change.unset.iter().map(|key| (key, None)));
    for (key, value) in sections {
        let value = value.map(|value| in_toml(key, value)).transpose()?;
        let by = value.is_some().then(|| {
            let at = i64::try_from(set_by.at.get()).unwrap_or(i64::MAX);
            let by = [
                ("key".to_owned(), toml::Value::String(set_by.key.clone())),
                ("at".to_owned(), toml::Value::Integer(at)),
            ];
            toml::Value::Table(by.into_iter().collect())
        });
        if let Some((section, name)) = key.split_once('.') {
            put(&mut table, section, name, value);
            put(&mut table, CHANGES_TABLE, key, by);
        }
    }
    Ok(format!("{HEADER}{table}"))
}

/// Puts a value into a section or takes it out, and the section with its last value.
fn put(table: &mut toml::Table, section: &str, name: &str, value: Option<toml::Value>) {
    let entry = table
        .entry(section)
        .or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let toml::Value::Table(entry) = entry {
        match value {
            Some(value) => drop(entry.insert(name.into(), value)),
            None => drop(entry.remove(name)),
        }
        if entry.is_empty() {
            table.remove(section);
        }
    }
}

/// A value of JSON as one of TOML.
fn in_toml(key: &str, value: &Value) -> Result<toml::Value, ChangeError> {
    toml::Value::try_from(value).map_err(|_| ChangeError::Key {
        key: key.into(),
        reason: "null is no value: unset the key to leave it to the other layers".into(),
    })
}
