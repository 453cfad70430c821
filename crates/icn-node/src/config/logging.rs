//! `[logging]`: what a node says, how, and where to.
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[logging]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Logging {
    /// Least level, or directives like `info,icn_protocol=debug`. Default: info.
    pub level: String,
    /// Lines for people or for machines. Default: text.
    pub format: LogFormat,
    /// Where the lines go: stderr, stdout, or the path of a file, which is opened anew on SIGHUP. Default: stderr.
    pub output: LogOutput,
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            level: "info".into(),
            format: LogFormat::Text,
            output: LogOutput::Stderr,
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where log lines go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LogOutput {
    /// The standard error.
    Stderr,
    /// The standard output, after what the node says at its start.
    Stdout,
    /// A file, which lines are added to.
    File(PathBuf),
}

impl From<String> for LogOutput {
    fn from(text: String) -> Self {
        match text.as_str() {
            "stderr" => Self::Stderr,
            "stdout" => Self::Stdout,
            _ => Self::File(text.into()),
        }
    }
}

impl From<LogOutput> for String {
    fn from(output: LogOutput) -> Self {
        match output {
            LogOutput::Stderr => "stderr".into(),
            LogOutput::Stdout => "stdout".into(),
            LogOutput::File(path) => path.to_string_lossy().into_owned(),
        }
    }
}
