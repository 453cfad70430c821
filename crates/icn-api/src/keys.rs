//! Keys of the HTTP interface: who may use a node, and for what. A key grants access, never authority over an
//! account.
use crate::Scope;
use icn_model::{Millis, Time};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The longest name of a key.
pub const MAX_KEY_NAME_BYTES: usize = 64;
/// Keys that a node keeps.
pub const MAX_KEYS: usize = 256;
/// How long the old secret of a rotated key counts if the caller does not say.
pub const DEFAULT_OVERLAP: Millis = Millis::from_secs(24 * 3_600);
/// The longest that it can count.
pub const MAX_OVERLAP: Millis = Millis::from_secs(90 * 24 * 3_600);

/// What a key is called, in lists and in the audit log: lower-case letters, digits, `.`, `_` and `-`, with a letter
/// or digit first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key's name has 1 to {MAX_KEY_NAME_BYTES} lower-case letters, digits, '.', '_' and '-', with a letter or \
     digit first"
)]
pub struct KeyNameError;

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=MAX_KEY_NAME_BYTES).contains(&text.len())
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|byte| plain(byte) || b"._-".contains(&byte));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(KeyNameError)
        }
    }
}

impl TryFrom<String> for KeyName {
    type Error = KeyNameError;

    fn try_from(text: String) -> Result<Self, KeyNameError> {
        text.parse()
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for KeyName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[a-z0-9][a-z0-9._-]*$"))
            .min_length(Some(1))
            .max_length(Some(MAX_KEY_NAME_BYTES))
            .description(Some("What a key is called"))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for KeyName {}

/// A key as the node keeps it: without its secret, of which it knows the hash only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct KeyView {
    /// What it is called.
    pub name: KeyName,
    /// What it lets its holder do.
    pub scope: Scope,
    /// When it was made, by the node's clock.
    pub created: Time,
    /// The name of the key that it was made with.
    pub created_by: String,
    /// Until when it counts; for ever, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// Whether its time is over.
    pub expired: bool,
    /// When its present secret was made.
    pub rotated: Time,
    /// Until when the secret before that counts as well; absent where only one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_until: Option<Time>,
    /// When it was last used since the node started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Time>,
}

/// Answer of [`crate::paths::KEYS`]: the named keys. The key that the node is configured with is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Keys {
    /// By name.
    pub items: Vec<KeyView>,
}

/// Request of a new key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What it is to be called; no other key has the name.
    pub name: KeyName,
    /// What it lets its holder do; not `open`, which needs no key.
    pub scope: Scope,
    /// Until when it counts, by the node's clock; for ever, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
}

/// Request of a new secret for a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    /// How long the old secret still counts; a day if absent, at most 90 days, at once no more if 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_ms: Option<Millis>,
}

/// A key with its secret, which is told this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MadeKey {
    /// What is kept of it.
    pub key: KeyView,
    /// What its holder sends.
    pub secret: String,
}

/// Without the secret.
impl fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["a", "ci-2", "0x", "back.up_2", &"a".repeat(MAX_KEY_NAME_BYTES)] {
            assert_eq!(name.parse::<KeyName>().unwrap().as_str(), name);
        }
        for name in [
            "",
            "-a",
            ".a",
            "A",
            "a b",
            "a/b",
            "ä",
            "(configured)",
            &"a".repeat(65),
        ] {
            assert!(name.parse::<KeyName>().is_err(), "{name}");
            assert!(serde_json::from_value::<KeyName>(name.into()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_secret_is_not_shown_by_accident() {
        let key = KeyView {
            name: "ci".parse().unwrap(),
            scope: Scope::Read,
            created: Time::ZERO,
            created_by: "x".into(),
            expires: None,
            expired: false,
            rotated: Time::ZERO,
            overlap_until: None,
            last_used: None,
        };
        let made = MadeKey {
            key,
            secret: "icn_secret".into(),
        };
        assert!(!format!("{made:?}").contains("icn_secret"));
    }
}
