//! How projects are shown.
use crate::{
    GRACE,
    catalog::{Entry, Owner, Project},
    core::Core,
    liveness::{Cause, Status},
    moment::Moment,
};
use icn_api::presence::Details;
use icn_model::{PublicKey, Time};
use serde::Serialize;
use std::sync::Arc;

/// A project as readers see it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct ProjectView {
    /// What it is called in subjects, paths and metrics.
    pub slug: String,
    /// What it is called among people.
    pub name: String,
    /// Where it is reached.
    pub hub_url: String,
    /// Its namespace in the mesh.
    pub mesh_namespace: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The projects that it may fan out to.
    pub allow_fanout: Vec<String>,
    /// The key that its heartbeats have to be signed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub public_key: Option<PublicKey>,
    /// Who has registered it: only the same can change it.
    pub owner: Owner,
    /// What it is taken for.
    pub status: Status,
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub since: Moment,
    /// When it was last heard.
    pub last_heartbeat_at: Option<Moment>,
    /// How far its clock was ahead then, in milliseconds.
    pub clock_skew_ms: Option<i64>,
    /// What it told of itself then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// When it was registered.
    pub created_at: Moment,
    /// When its entry was last changed.
    pub updated_at: Moment,
}

impl ProjectView {
    /// A project as it is now.
    pub(crate) fn of(project: &Project, core: &Core, now: Time) -> Self {
        let entry: Arc<Entry> = project.entry();
        let vital = project.vital();
        let standing = vital.shown(now, core.rules.threshold, GRACE);
        Self {
            slug: entry.slug.to_string(),
            name: entry.name.clone(),
            hub_url: entry.hub_url.clone(),
            mesh_namespace: entry.mesh_namespace.clone(),
            tags: entry.tags.clone(),
            allow_fanout: entry.allow_fanout.clone(),
            public_key: entry.public_key,
            owner: vital.owner,
            status: standing.status,
            cause: standing.cause,
            since: standing.since.into(),
            last_heartbeat_at: vital.heard.map(|heard| heard.at.into()),
            clock_skew_ms: vital.skew_ms(),
            details: vital.details.clone(),
            created_at: vital.created.into(),
            updated_at: vital.updated.into(),
        }
    }
}
