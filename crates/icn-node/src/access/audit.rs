//! The audit log: one line of JSON for every request that changes something, asks for the administrator's, or is
//! denied, and for every change of keys and configuration. Of requests over their limit, one a second gets a line.
//!
//! Lines are appended. Each reaches the operating system before its request is answered; lines of changes reach the
//! disk before that, others within a second. The file is opened anew on SIGHUP, so that it can be moved away.
//! Secrets are in no line: keys are told by their names.
use crate::config;
use anyhow::Context as _;
use icn_serve::clock::{now, rfc3339};
use serde::Serialize;
use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// File in the data directory if nothing names another.
const FILE: &str = "audit.log";
/// How long a line that no request waits for may stay off the disk.
pub(super) const SYNC_EVERY: Duration = Duration::from_secs(1);

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// As was asked.
    Done,
    /// The caller may not.
    Denied,
    /// It could not be, by fault of the request or the node.
    Failed,
}

/// What was changed of keys or configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// What was done, such as `key-made`.
    pub(crate) what: &'static str,
    /// What it was done to: the name of a key, or a key of the configuration.
    pub(crate) name: String,
    /// How it is now, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
}

/// What a request was about: the ids that lead from its line to what it did, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct About(Vec<String>);

impl About {
    pub(crate) fn new(ids: impl IntoIterator<Item = impl ToString>) -> Self {
        Self(ids.into_iter().map(|id| id.to_string()).collect())
    }
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuditLine<'a> {
    /// Under what the node's log has it; absent for what no request asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation_id: Option<&'a str>,
    /// The name of the caller's key; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<&'a str>,
    /// The caller's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<IpAddr>,
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<&'a str>,
    /// The route, as in the table of routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<&'a str>,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The name of the error, which `icn-cli explain` knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<&'a str>,
    /// What it was about: ids of operations, a line of credit and numbers of transfers, a CID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<&'a About>,
    /// What was changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) change: Option<&'a Change>,
}

impl<'a> AuditLine<'a> {
    /// Of a change that no request asked for, such as one by a signal.
    pub(crate) const fn of_change(change: &'a Change, outcome: Outcome) -> Self {
        Self {
            correlation_id: None,
            key: None,
            client: None,
            method: None,
            route: None,
            status: None,
            outcome,
            error: None,
            about: None,
            change: Some(change),
        }
    }
}

#[derive(Serialize)]
struct Dated<'a> {
    time: String,
    #[serde(flatten)]
    line: &'a AuditLine<'a>,
}

struct Log {
    path: PathBuf,
    file: Mutex<File>,
    /// Whether something is not on the disk yet.
    is_dirty: AtomicBool,
    is_failing: AtomicBool,
    /// When a request over its limit last got a line, in seconds.
    limited_at: AtomicU64,
}

/// The audit log, or none.
pub(crate) struct Audit(Option<Log>);

impl Audit {
    /// As the configuration says.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(crate) fn open(settings: &config::Audit, data_dir: &Path) -> anyhow::Result<Self> {
        if !settings.enabled {
            return Ok(Self(None));
        }
        let path = settings.log_path.clone().unwrap_or_else(|| data_dir.join(FILE));
        let file = open(&path).with_context(|| {
            format!(
                "cannot open the audit log {}: make its directory, or set audit.log_path",
                path.display()
            )
        })?;
        tracing::info!(
            path = %path.display(),
            "the audit log: changes are on the disk before they are answered, other lines within a second"
        );
        Ok(Self(Some(Log {
            path,
            file: Mutex::new(file),
            is_dirty: AtomicBool::new(false),
            is_failing: AtomicBool::new(false),
            limited_at: AtomicU64::new(0),
        })))
    }

    /// Whether there is one.
    pub(crate) const fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the last line could not be written.
    pub(crate) fn is_failing(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|log| log.is_failing.load(Ordering::Relaxed))
    }

    /// Whether a request that is over its limit gets a line: one a second does.
    pub(crate) fn has_time_for_another(&self) -> bool {
        let second = now().get() / 1_000;
        let is_new = |log: &Log| log.limited_at.swap(second, Ordering::Relaxed) != second;
        self.0.as_ref().is_some_and(is_new)
    }

    /// Writes a line; one with a change to the disk. Blocks for as long as that takes.
    pub(crate) fn write(&self, line: &AuditLine<'_>) {
        let Some(log) = &self.0 else { return };
        let time = rfc3339(now());
        let text = serde_json::to_string(&Dated { time, line }).map(|text| text + "\n");
        let written = text.map_err(std::io::Error::from).and_then(|text| {
            let mut file = log.file.lock().unwrap_or_else(PoisonError::into_inner);
            // In one call, so that no line of another process comes between.
            file.write_all(text.as_bytes())?;
            if line.change.is_some() {
                return file.sync_data();
            }
            log.is_dirty.store(true, Ordering::Relaxed);
            Ok(())
        });
        log.note(&written);
    }

    /// Opens the file anew.
    pub(crate) fn reopen(&self) -> anyhow::Result<String> {
        let Some(log) = &self.0 else {
            return Ok("there is none".into());
        };
        let file = open(&log.path).with_context(|| format!("cannot open {}", log.path.display()))?;
        let old = std::mem::replace(
            &mut *log.file.lock().unwrap_or_else(PoisonError::into_inner),
            file,
        );
        old.sync_data()?;
        Ok(format!("{} is open anew", log.path.display()))
    }

    /// Brings all lines to the disk.
    pub(crate) fn sync(&self) {
        if let Some(log) = &self.0 {
            log.sync();
        }
    }
}

impl Log {
    fn sync(&self) {
        if !self.is_dirty.swap(false, Ordering::Relaxed) {
            return;
        }
        // Another handle of the same file: writers do not wait for the disk.
        let file = self
            .file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .try_clone();
        self.note(&file.and_then(|file| file.sync_data()));
    }

    fn note(&self, done: &std::io::Result<()>) {
        let failed_before = self.is_failing.swap(done.is_err(), Ordering::Relaxed);
        if let (Err(error), false) = (done, failed_before) {
            tracing::error!(%error, path = %self.path.display(), "the audit log cannot be written");
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Change {
        Change {
            what: "key-made",
            name: "ci".into(),
            to: Some("read".into()),
        }
    }

    #[test]
    fn lines_are_appended_and_go_to_the_new_file_after_a_move() {
        let dir = tempfile::tempdir().unwrap();
        let settings = config::Audit {
            enabled: true,
            log_path: None,
        };
        let path = dir.path().join(FILE);
        std::fs::write(&path, "{}\n").unwrap();
        let audit = Audit::open(&settings, dir.path()).unwrap();
        let change = change();
        let line = AuditLine::of_change(&change, Outcome::Done);
        audit.write(&line);
        let moved = dir.path().join("audit.log.1");
        std::fs::rename(&path, &moved).unwrap();
        audit.reopen().unwrap();
        audit.write(&line);
        audit.sync();
        let lines = |path: &Path| std::fs::read_to_string(path).unwrap().lines().count();
        assert_eq!((lines(&moved), lines(&path), audit.is_failing()), (2, 1, false));
        let text = std::fs::read_to_string(&path).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&value["outcome"], &value["change"]["name"]),
            (&"done".into(), &"ci".into())
        );
        assert!(value["time"].as_str().unwrap().ends_with('Z') && value.get("key").is_none());
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let settings = config::Audit {
            enabled: true,
            log_path: Some(dir.path().join("none/audit.log")),
        };
        let error = format!("{:#}", Audit::open(&settings, dir.path()).err().unwrap());
        assert!(
            error.contains("none/audit.log") && error.contains("audit.log_path"),
            "{error}"
        );
        let none = Audit::open(&config::Audit::default(), dir.path()).unwrap();
        none.write(&AuditLine::of_change(&change(), Outcome::Done));
        assert!(!none.is_enabled() && none.reopen().is_ok());
    }
}
