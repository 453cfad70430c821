//! What an instance tells a Federation Service about itself: that it is there, and how it is.
//!
//! The body is the same over NATS, on [`Heartbeat::subject`], and over HTTP, to [`heartbeat_path`]. Senders write all
//! of it; receivers take what an instance in another language sends, so all that goes beyond who beats and how it is may
//! be absent, and fields that nobody here knows are ignored.
use icn_model::Signature;
use serde::{Deserialize, Deserializer, Serialize};
use std::{borrow::Borrow, fmt, str::FromStr};

/// The longest slug.
pub const MAX_SLUG_BYTES: usize = 50;
/// The longest [`Heartbeat::boot_id`].
pub const MAX_BOOT_ID_BYTES: usize = 64;
/// The largest heartbeat, as JSON.
pub const MAX_HEARTBEAT_BYTES: usize = 8 << 10;
/// What the subjects of heartbeats over NATS begin with; the slug follows.
pub const SUBJECT_PREFIX: &str = "hub.presence.";
/// Where projects are registered and listed in a Federation Service.
pub const PROJECTS: &str = "/api/fed/projects";
/// What a mesh namespace begins with if nobody chose one; the slug follows.
const NAMESPACE_PREFIX: &str = "hub.";

/// Where a project beats over HTTP.
pub fn heartbeat_path(slug: &Slug) -> String {
    format!("{PROJECTS}/{slug}/heartbeat")
}

/// What a project is called in subjects, paths and metrics: 1 to [`MAX_SLUG_BYTES`] lower-case letters and digits, with
/// single hyphens between them (`^[a-z0-9](-?[a-z0-9]+)*$`). So it is one token of a NATS subject, and of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The mesh namespace of a project that chose none.
    pub fn namespace(&self) -> String {
        format!("{NAMESPACE_PREFIX}{self}")
    }
}

/// Text that is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a slug has 1 to {MAX_SLUG_BYTES} lower-case letters and digits, with single hyphens between them")]
pub struct SlugError;

/// Whether a text is a slug: the one rule.
fn is_slug(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    text.len() <= MAX_SLUG_BYTES && text.split('-').all(word)
}

impl TryFrom<String> for Slug {
    type Error = SlugError;

    fn try_from(text: String) -> Result<Self, SlugError> {
        if is_slug(&text) {
            Ok(Self(text))
        } else {
            Err(SlugError)
        }
    }
}

impl FromStr for Slug {
    type Err = SlugError;

    fn from_str(text: &str) -> Result<Self, SlugError> {
        // Looked at before it is copied: subjects and paths come from outside.
        if is_slug(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SlugError)
        }
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// So that maps by slug are asked with text.
impl Borrow<str> for Slug {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for Slug {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .pattern(Some("^[a-z0-9](-?[a-z0-9]+)*$"))
            .min_length(Some(1))
            .max_length(Some(MAX_SLUG_BYTES))
            .description(Some("What a project is called in subjects, paths and metrics"))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for Slug {}

/// How an instance says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum SelfStatus {
    /// It does all that it is there for.
    Online,
    /// It is there, and something that it needs is not.
    Degraded,
    /// It is about to leave: its last heartbeat.
    Offline,
}

impl SelfStatus {
    /// As on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Degraded => "degraded",
            Self::Offline => "offline",
        }
    }
}

impl fmt::Display for SelfStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Heartbeat {
    /// Who beats. The same as in the subject or path that it comes by.
    pub project_slug: Slug,
    /// The namespace that it has in the mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh_namespace: Option<String>,
    /// Where people reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_url: Option<String>,
    /// How it says it is.
    pub status: SelfStatus,
    /// When it was sent by the sender's clock (RFC 3339), as it was written: liveness is by arrival.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// The number of this heartbeat since the instance started, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Names the run of the instance that `sequence` counts in: other after each start, at most 64 bytes.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "boot_id"
    )]
    pub boot_id: Option<String>,
    /// How it is, in figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// The project's signature over [`Heartbeat::signed_text`], where its catalog entry has a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub signature: Option<Signature>,
}

impl Heartbeat {
    /// The NATS subject that it goes to.
    pub fn subject(&self) -> String {
        format!("{SUBJECT_PREFIX}{}", self.project_slug)
    }

    /// What a project with a key signs: lines of a fixed order, so that any language can make them. What is absent is an
    /// empty line. Run and number are in it: whoever records a heartbeat cannot play it again.
    pub fn signed_text(&self) -> String {
        let sequence = self.sequence.map(|sequence| sequence.to_string());
        let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
        format!(
            "icn-heartbeat-v1\n{}\n{}\n{}\n{}\n{}",
            self.project_slug,
            self.status,
            or_empty(&self.timestamp),
            or_empty(&self.boot_id),
            or_empty(&sequence)
        )
    }
}

/// What a node tells of itself beside its status. Other instances tell less.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Details {
    /// The last block of its federation's log that is final and executed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// How many nodes it is connected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<u64>,
    /// The version of its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What makes a project known to a Federation Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Project {
    /// What it is called in subjects, paths and metrics.
    pub project_slug: Slug,
    /// What it is called for people.
    pub name: String,
    /// Where people reach it.
    pub hub_url: String,
    /// The namespace that it has in the mesh.
    pub mesh_namespace: String,
}

/// Receivers keep it for as long as they know the project.
fn boot_id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let id = Option::<String>::deserialize(from)?;
    match id {
        Some(id) if id.len() > MAX_BOOT_ID_BYTES => Err(serde::de::Error::custom(format_args!(
            "a boot_id has at most {MAX_BOOT_ID_BYTES} bytes"
        ))),
        id => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_follow_one_rule() {
        let longest = "a".repeat(MAX_SLUG_BYTES);
        for good in ["a", "7", "commandcenter", "project-a", "a-1-b", "0-0", &longest] {
            assert_eq!(good.parse::<Slug>().unwrap().as_str(), good);
        }
        let long = "a".repeat(MAX_SLUG_BYTES + 1);
        for bad in [
            "", "-", "-a", "a-", "a--b", "A", "a_b", "a.b", "a b", "é", "a\n", "*", ">", &long,
        ] {
            assert_eq!(bad.parse::<Slug>(), Err(SlugError), "{bad:?}");
            assert_eq!(Slug::try_from(bad.to_owned()), Err(SlugError), "{bad:?}");
        }
    }

    #[test]
    fn the_example_of_the_deployment_guide_is_a_heartbeat() {
        let text = r#"{
            "project_slug": "commandcenter",
            "mesh_namespace": "hub.commandcenter",
            "hub_url": "http://localhost:9001",
            "status": "online",
            "timestamp": "2025-11-18T12:00:00Z"
        }"#;
        let beat: Heartbeat = serde_json::from_str(text).unwrap();
        assert_eq!(beat.subject(), "hub.presence.commandcenter");
        assert_eq!(
            heartbeat_path(&beat.project_slug),
            "/api/fed/projects/commandcenter/heartbeat"
        );
        assert_eq!(
            beat.mesh_namespace.as_deref(),
            Some(beat.project_slug.namespace()).as_deref()
        );
        assert_eq!((beat.status, beat.sequence), (SelfStatus::Online, None));
        let written: serde_json::Value = serde_json::to_value(&beat).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(text).unwrap());
    }

    #[test]
    fn strange_fields_are_ignored_and_strange_values_are_not() {
        let beat = |text: &str| serde_json::from_str::<Heartbeat>(text);
        let full = r#"{"project_slug": "a", "status": "degraded", "sequence": 3, "boot_id": "9f",
            "details": {"height": 7, "load": [1]}, "colour": "green"}"#;
        let told = beat(full).unwrap();
        assert_eq!(told.details.unwrap().height, Some(7));
        assert!(beat(r#"{"test": true}"#).is_err());
        assert!(beat(r#"{"project_slug": "A", "status": "online"}"#).is_err());
        assert!(beat(r#"{"project_slug": "a", "status": "well"}"#).is_err());
        let long = format!(
            r#"{{"project_slug": "a", "status": "online", "boot_id": "{}"}}"#,
            "0".repeat(65)
        );
        assert!(beat(&long).unwrap_err().to_string().contains("boot_id"));
    }
}
