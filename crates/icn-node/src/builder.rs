//! Configurations made in code: from a template, changed, checked, written to a file that a node reads.
//!
//! ```no_run
//! use icn_runtime::{RuntimeConfigBuilder, templates};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = RuntimeConfigBuilder::new()
//!     .apply_template(templates::production_server)
//!     .node_did("did:key:z6MkProdNode01")
//!     .build_unchecked();
//! config.to_file("production.toml")?;
//! # Ok(())
//! # }
//! ```
use crate::{
    config::{Config, ConfigError},
    files::{self, Readers},
};
use std::{
    io,
    path::{Path, PathBuf},
};

/// Says of a configuration what it is for.
pub type Template = fn(&mut Config);

/// First line of a file that was written from code.
const HEADER: &str =
    "# A configuration of icn-node. `icn-node config check FILE` says whether it can be used.\n";

/// A configuration in the making: the defaults, and what was said about it, in that order.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder makes nothing until it is told to build"]
pub struct RuntimeConfigBuilder {
    config: Config,
}

impl RuntimeConfigBuilder {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what a template says. A later one wins over an earlier one.
    pub fn apply_template(mut self, template: Template) -> Self {
        template(&mut self.config);
        self
    }

    /// The DID that the node's key must be of.
    pub fn node_did(mut self, did: impl Into<String>) -> Self {
        self.config.identity.node_did = Some(did.into());
        self
    }

    /// Directory of keys, journals and everything else that is no backend's.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.storage.data_dir = path.into();
        self
    }

    /// Whatever else is to be said.
    pub fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// The configuration, if a node can use it.
    ///
    /// # Errors
    /// [`ConfigError`] names the first key that cannot be.
    pub fn build(self) -> Result<Config, ConfigError> {
        self.config.check()?;
        Ok(self.config)
    }

    /// The configuration, whether a node can use it or not: it says so when it reads it.
    pub fn build_unchecked(self) -> Config {
        self.config
    }
}

/// Why a configuration is not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is a file already, and nobody's configuration is overwritten.
    #[error("{} is there already: remove it first, or choose another name", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A value has no form in TOML.
    #[error("cannot write the configuration as TOML: {0}")]
    Toml(#[from] toml::ser::Error),
}

impl Config {
    /// Writes what differs from the defaults to a new file, readable by the owner alone, for it may hold secrets.
    ///
    /// # Errors
    /// [`WriteError`]
    pub fn to_file(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        let path = path.as_ref();
        let mut table = toml::Table::try_from(self)?;
        let defaults = toml::Table::try_from(Self::default())?;
        leave_out(&mut table, &defaults);
        let text = format!("{HEADER}{table}");
        files::create(path, text.as_bytes(), Readers::Owner).map_err(|source| {
            let path = path.to_owned();
            match source.kind() {
                io::ErrorKind::AlreadyExists => WriteError::Exists { path },
                _ => WriteError::File { path, source },
            }
        })
    }
}

/// Takes out what is as in `defaults`, and sections that have nothing left.
fn leave_out(table: &mut toml::Table, defaults: &toml::Table) {
    table.retain(|key, value| match (value, defaults.get(key)) {
        (toml::Value::Table(inner), Some(toml::Value::Table(defaults))) => {
            leave_out(inner, defaults);
            !inner.is_empty()
        }
        (value, default) => Some(&*value) != default,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config::Sources, templates};
    use std::collections::BTreeMap;

    #[test]
    fn what_is_written_is_what_is_read() {
        let dir = tempfile::tempdir().unwrap();
        for (at, template) in templates::ALL.into_iter().enumerate() {
            let path = dir.path().join(format!("{at}.toml"));
            let config = RuntimeConfigBuilder::new()
                .apply_template(template)
                .data_dir(dir.path())
                .build_unchecked();
            config.to_file(&path).unwrap();
            let sources = Sources::new(Some(path.clone()), &BTreeMap::<String, String>::new()).unwrap();
            assert_eq!(
                sources.read().unwrap().config,
                config,
                "{}",
                std::fs::read_to_string(&path).unwrap()
            );
            let error = config.to_file(&path).unwrap_err();
            assert!(matches!(error, WriteError::Exists { .. }), "{error}");
        }
    }

    #[test]
    fn only_what_differs_is_written_and_checked_if_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("icn.toml");
        let builder = RuntimeConfigBuilder::new().node_did("did:key:z6MkProdNode01");
        builder.clone().build_unchecked().to_file(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            format!("{HEADER}[identity]\nnode_did = \"did:key:z6MkProdNode01\"\n")
        );
        let error = builder.build().unwrap_err().to_string();
        assert!(error.starts_with("identity.node_did"), "{error}");
    }
}
