//! A node's configuration: every value with where it comes from, and changes at run time.
use icn_model::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Keys in one change.
pub const MAX_CHANGES: usize = 64;

/// Answer of [`crate::paths::CONFIG`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Configuration {
    /// Every value, in the order of the keys.
    pub settings: Vec<Setting>,
}

/// One value of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// The value as in TOML, secrets masked; empty if there is none.
    pub value: String,
    /// The layer that it comes from: `default`, a file, `environment` with the variable, `command line`.
    pub origin: String,
    /// When a change takes effect.
    pub changes: Changes,
    /// What the node runs with until its next start, where that is another value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
    /// Who set it at run time, if anybody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<SetBy>,
}

/// When a change of a key takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Changes {
    /// While the node runs.
    AtOnce,
    /// When it starts the next time.
    AtStart,
    /// The same, and not from outside: it decides where the node finds its identity, its store and its keys.
    ByFile,
}

/// A change at run time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SetBy {
    /// Name of the API key.
    pub key: String,
    /// By the node's clock.
    pub at: Time,
}

/// Body of a change of [`crate::paths::CONFIG`]. All of it is done, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ConfigChange {
    /// New values by `section.key`.
    #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<String, Object>))]
    pub set: BTreeMap<String, serde_json::Value>,
    /// Keys to leave to the other layers again.
    pub unset: Vec<String>,
}

impl ConfigChange {
    /// Sets one key.
    pub fn setting(key: impl Into<String>, value: impl Into<serde_json::Value>) -> Self {
        Self {
            set: [(key.into(), value.into())].into(),
            unset: Vec::new(),
        }
    }

    /// Leaves one key to the other layers again.
    pub fn unsetting(key: impl Into<String>) -> Self {
        Self {
            set: BTreeMap::new(),
            unset: vec![key.into()],
        }
    }
}

/// What came of a change, or of reading the configuration again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConfigChanged {
    /// Keys whose new values hold now.
    pub at_once: Vec<String>,
    /// Keys whose new values hold from the next start on.
    pub at_start: Vec<String>,
}
