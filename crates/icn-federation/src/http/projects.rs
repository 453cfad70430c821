//! Changes of the catalog over HTTP, and heartbeats.
use super::{App, Caller, error, view::ProjectView};
use crate::{
    catalog::{Draft, Entry, Owner, Project},
    ingest,
    liveness::Status,
    moment::Moment,
    store::Edit,
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use icn_api::presence::Slug;
use icn_serve::http::{Failure, JsonText, Octets, Query};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Until when something must be on disk.
const DURABLE: Duration = Duration::from_secs(10);

/// What is to become of an entry. What is absent stays as it is.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// What it is called among people.
    name: Option<String>,
    /// Where it is reached.
    hub_url: Option<String>,
    /// Its namespace in the mesh.
    mesh_namespace: Option<String>,
    /// Words to find it by.
    tags: Option<Vec<String>>,
    /// The projects that it may fan out to.
    allow_fanout: Option<Vec<String>>,
    /// The key that its heartbeats have to be signed with; null takes it away.
    #[serde(default, deserialize_with = "there")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    public_key: Option<Option<String>>,
    /// Whether it is not to be watched for now.
    paused: Option<bool>,
}

/// Tells null from what is absent.
fn there<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(from).map(Some)
}

/// Answer to a heartbeat: it counts, and is on disk.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct Heard {
    /// Whose.
    slug: String,
    /// What the project is taken for.
    status: Status,
    /// When it arrived.
    received_at: Moment,
}

/// A project that another one may fan out to.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct Target {
    /// What it is called.
    slug: String,
    /// Where it is reached; absent if it is not registered.
    hub_url: Option<String>,
    /// Its namespace in the mesh.
    mesh_namespace: String,
    /// What it is taken for; absent if it is not registered.
    status: Option<Status>,
}

/// Who wants to fan out.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "schema", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(super) struct FanoutQuery {
    /// Its slug.
    from: String,
}

fn body<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(bytes).map_err(|error| Failure::bad("body", error))
}

/// Registers a project, or changes the entry of one that was registered over HTTP.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        post, path = "/api/fed/projects", tag = "catalog",
        request_body(content = Draft),
        responses(
            (status = 201, description = "It is registered", body = ProjectView),
            (status = 200, description = "Its entry was changed", body = ProjectView),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 409, description = "1304, 1305: the entry is somebody else's, or of the catalog's file", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 413, description = "905: the body is too large", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 415, description = "906: the body is not JSON", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 422, description = "1306: the entry breaks rules of the catalog", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer; 1315: it did not confirm in time", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn register(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    JsonText(bytes): JsonText,
) -> Result<(StatusCode, Json<ProjectView>), Failure> {
    let draft: Draft = body(&bytes)?;
    let entry = draft.check().map_err(|flaws| error::invalid(&flaws))?;
    caller.must_cover(entry.slug.as_str())?;
    let (project, is_new) = put(&app, entry).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(shown(&app, &project))))
}

/// Changes an entry, or pauses a project.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        patch, path = "/api/fed/projects/{slug}", tag = "catalog",
        params(("slug" = String, Path, description = "What the project is called", pattern = "^[a-z0-9](-?[a-z0-9]+)*$", max_length = 50)),
        request_body(content = Change),
        responses(
            (status = 200, description = "The project as it is now", body = ProjectView),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 404, description = "1303: there is no such project", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 409, description = "1304, 1305: the entry is somebody else's, or of the catalog's file", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 413, description = "905: the body is too large", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 415, description = "906: the body is not JSON", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 422, description = "1306: the entry breaks rules of the catalog", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer; 1315: it did not confirm in time", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn change(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(slug): Path<String>,
    JsonText(bytes): JsonText,
) -> Result<Json<ProjectView>, Failure> {
    let wanted: Change = body(&bytes)?;
    caller.must_cover(&slug)?;
    app.can_write()?;
    let mut project = app
        .core
        .registry
        .get(&slug)
        .ok_or_else(|| error::no_project(&slug))?;
    let entry = project.entry();
    let draft = changed(&entry, &wanted);
    let new = draft.check().map_err(|flaws| error::invalid(&flaws))?;
    if new != *entry {
        // Said before anything is changed: all of it, or nothing.
        let owner = project.vital().owner;
        if owner == Owner::File {
            return Err(error::not_yours(owner, &slug));
        }
        project = put(&app, new).await?.0;
    }
    if let Some(paused) = wanted.paused {
        let slug = entry.slug.clone();
        edit(&app, Edit::Pause { slug, paused }).await?;
        settled(&app, &project).await;
    }
    Ok(Json(shown(&app, &project)))
}

fn changed(entry: &Entry, wanted: &Change) -> Draft {
    let or = |new: &Option<String>, old: &String| new.clone().unwrap_or_else(|| old.clone());
    Draft {
        project_slug: entry.slug.to_string(),
        name: or(&wanted.name, &entry.name),
        hub_url: or(&wanted.hub_url, &entry.hub_url),
        mesh_namespace: Some(or(&wanted.mesh_namespace, &entry.mesh_namespace)),
        tags: wanted.tags.clone().unwrap_or_else(|| entry.tags.clone()),
        allow_fanout: wanted
            .allow_fanout
            .clone()
            .unwrap_or_else(|| entry.allow_fanout.clone()),
        public_key: match &wanted.public_key {
            Some(new) => new.clone(),
            None => entry.public_key.map(|key| key.to_string()),
        },
    }
}

/// Takes a project out of the catalog.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        delete, path = "/api/fed/projects/{slug}", tag = "catalog",
        params(("slug" = String, Path, description = "What the project is called", pattern = "^[a-z0-9](-?[a-z0-9]+)*$", max_length = 50)),
        responses(
            (status = 204, description = "It is gone"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 404, description = "1303: there is no such project", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 409, description = "1304, 1305: the entry is somebody else's, or of the catalog's file", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer; 1315: it did not confirm in time", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn remove(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(slug): Path<String>,
) -> Result<StatusCode, Failure> {
    caller.must_cover(&slug)?;
    app.can_write()?;
    let project = app
        .core
        .registry
        .get(&slug)
        .ok_or_else(|| error::no_project(&slug))?;
    let owner = project.vital().owner;
    if owner == Owner::File {
        return Err(error::not_yours(owner, &slug));
    }
    let slug = project.slug();
    edit(&app, Edit::Remove { slug }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes in a heartbeat; answers when it is on disk.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        post, path = "/api/fed/projects/{slug}/heartbeat", tag = "heartbeats",
        params(("slug" = String, Path, description = "What the project is called", pattern = "^[a-z0-9](-?[a-z0-9]+)*$", max_length = 50)),
        request_body(content = icn_api::presence::Heartbeat),
        responses(
            (status = 200, description = "It counts, and is on disk", body = Heard),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for the project; 1309: the heartbeat is not signed", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 404, description = "1303: there is no such project", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 409, description = "1308: it was there before", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 413, description = "905: the body is too large", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 422, description = "1307: no heartbeat, or one of another project", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer; 1315: it did not confirm in time", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn beat(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(slug): Path<String>,
    Octets(bytes): Octets,
) -> Result<Json<Heard>, Failure> {
    caller.must_cover(&slug)?;
    app.can_write()?;
    let at = app.core.clock.now();
    let project = ingest::hear(&app.core, &slug, &bytes, at).map_err(error::dropped)?;
    durable(app.core.written()).await?;
    settled(&app, &project).await;
    Ok(Json(Heard {
        slug,
        status: shown(&app, &project).status,
        received_at: at.into(),
    }))
}

/// The projects that one may fan out to.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/api/fed/fanout", tag = "catalog",
        params(FanoutQuery),
        responses(
            (status = 200, description = "The projects that it may fan out to, in its order", body = [Target]),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 404, description = "1303: there is no such project", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn fanout(
    State(app): State<App>,
    Query(FanoutQuery { from }): Query<FanoutQuery>,
) -> Result<Json<Vec<Target>>, Failure> {
    app.is_loaded()?;
    let project = app
        .core
        .registry
        .get(&from)
        .ok_or_else(|| error::no_project(&from))?;
    let entry = project.entry();
    let targets = entry.fanout().map(|slug| {
        let target = app.core.registry.get(slug).map(|target| shown(&app, &target));
        match target {
            Some(target) => Target {
                slug: slug.into(),
                hub_url: Some(target.hub_url),
                mesh_namespace: target.mesh_namespace,
                status: Some(target.status),
            },
            None => Target {
                slug: slug.into(),
                hub_url: None,
                mesh_namespace: slug
                    .parse()
                    .map_or_else(|_| slug.to_owned(), |slug: Slug| slug.namespace()),
                status: None,
            },
        }
    });
    Ok(Json(targets.collect()))
}

fn shown(app: &App, project: &Project) -> ProjectView {
    ProjectView::of(project, &app.core, app.core.clock.now())
}

/// Puts an entry into the catalog; the project, and whether it is new.
async fn put(app: &App, entry: Entry) -> Result<(Arc<Project>, bool), Failure> {
    app.can_write()?;
    let slug = entry.slug.clone();
    if let Some(project) = app.core.registry.get(slug.as_str()) {
        let owner = project.vital().owner;
        if owner != Owner::Api {
            return Err(error::not_yours(owner, slug.as_str()));
        }
    }
    let edited = edit(
        app,
        Edit::Put {
            entry: Box::new(entry),
            owner: Owner::Api,
        },
    )
    .await?;
    if edited.refused > 0 {
        return Err(error::not_yours(Owner::File, slug.as_str()));
    }
    app.core.metrics.registers.inc();
    // Somebody may have removed it meanwhile.
    let project = app.core.registry.get(slug.as_str());
    let project = project.ok_or_else(|| error::no_project(slug.as_str()))?;
    Ok((project, edited.created > 0))
}

/// Changes the catalog, and waits until this replica knows.
async fn edit(app: &App, edit: Edit) -> Result<crate::store::Edited, Failure> {
    let edited = app
        .store
        .edit(&[edit], app.core.clock.now())
        .await
        .map_err(|error| error::database(&error))?;
    durable(app.core.reached(edited.revision)).await?;
    Ok(edited)
}

/// Waits for a moment until a project is judged, so that the answer shows what the request has brought about. Where
/// another replica judges, it does not.
async fn settled(app: &App, project: &Project) {
    const STEPS: u32 = 20;
    const STEP: Duration = Duration::from_millis(10);
    for _ in 0..STEPS {
        if !app.core.is_keeper() || !project.vital().is_to_be_judged() {
            return;
        }
        tokio::time::sleep(STEP).await;
    }
}

/// Waits for the writer, which comes by several times a second.
async fn durable(done: impl Future<Output = ()>) -> Result<(), Failure> {
    tokio::time::timeout(DURABLE, done)
        .await
        .map_err(|_| error::slow())
}
