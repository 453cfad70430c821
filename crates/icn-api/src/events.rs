//! Events: a page of them, or a stream.
use icn_model::{EventKind, EventRecord};
use serde::{Deserialize, Serialize};

/// The most events of one page.
pub const MAX_EVENTS: usize = 1_000;
/// Events of one page if the caller does not say.
pub const DEFAULT_EVENTS: usize = 100;

/// Query of [`crate::paths::EVENTS`].
///
/// A stream starts with the events that the query selects, then tells new ones as they come. A client that
/// comes back sends the number of the last one that it saw as `Last-Event-ID`, which overrides `since`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Only events of this kind.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<EventKind>,
    /// The last so many, instead of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<usize>,
    /// Only events after this number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// At most so many: 100 if not said, at most 1,000. A stream has no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// A page of events, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EventPage {
    /// The events.
    pub items: Vec<EventRecord>,
    /// What to pass as `since` for the next page; none if there are no more now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}
