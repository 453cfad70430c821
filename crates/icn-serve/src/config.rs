//! Configuration in layers: files whose strings may name variables, the environment with its secrets, and errors that
//! say which layer, which line and which key. Which keys there are is the server's.
use std::path::PathBuf;

mod explain;
mod file;
mod named;
mod secret;
mod shown;

pub use explain::explain;
pub use file::File;
pub use named::{COMMAND_LINE, DEFAULT, ENVIRONMENT, Named};
pub use secret::{FILE_SUFFIX, Secret, read, text_of};
pub use shown::{shown, without_password, without_secrets};

/// A configuration that cannot be used: which layer, which key, and why.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not TOML: {detail}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where, and what is wrong.
        detail: String,
    },
    /// A key is unknown or has a value of another type.
    #[error("{place}: {key}: {reason}")]
    Key {
        /// The layer; of a file also the line.
        place: String,
        /// Which key.
        key: String,
        /// What is wrong with it, and what may have been meant.
        reason: String,
    },
    /// Two keys that mean the same have two values.
    #[error("{one} and {other} mean the same and differ: set one of them")]
    Contradiction {
        /// The one key.
        one: String,
        /// The other.
        other: String,
    },
    /// A value is of the right type and cannot be used.
    #[error("{key} = {value:?}: {reason}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is wrong.
        reason: String,
    },
}
