//! What keys may do.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What an API key lets its holder do. A scope includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Needs no key.
    Open,
    /// See what the node knows.
    Read,
    /// Hand in signed operations and blocks.
    Submit,
    /// Run the node.
    Operate,
    /// Change its configuration and keys.
    Admin,
}

impl Scope {
    /// The name in configuration, JSON and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Submit => "submit",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

/// A text names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key's scope is one of read, submit, operate, admin")]
pub struct ScopeError;

/// The scopes that a key can have, by their names.
impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let scopes = [Self::Read, Self::Submit, Self::Operate, Self::Admin];
        scopes
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or(ScopeError)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
