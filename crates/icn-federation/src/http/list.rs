//! `GET /api/fed/projects`: all of them, or those that are asked for. What everybody asks for is put together once for
//! all who ask at the same time, also in compressed form.
use super::{App, error, view::ProjectView};
use crate::{
    catalog::{Project, Registry},
    liveness::Status,
};
use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
};
use bytes::Bytes;
use icn_serve::http::{Failure, Query};
use serde::Deserialize;
use std::{
    io::Write as _,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// How old a list may be that is put together for many.
const FRESH: Duration = Duration::from_millis(100);
/// Statuses follow from the time, too, so that a list in which nothing has changed grows old as well.
const STALE: Duration = Duration::from_secs(1);
/// The most projects of one page.
pub(super) const MAX_PAGE: usize = 1_000;
/// Lists that are shorter are not worth compressing.
const MIN_COMPRESSED: usize = 1_024;
/// Good enough, and fast.
const ZSTD_LEVEL: i32 = 3;

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "schema", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Of this status only; `online` has those that are late, too.
    #[cfg_attr(feature = "schema", param(value_type = Option<Status>))]
    status: Option<String>,
    /// With this tag only.
    tag: Option<String>,
    /// With this text in slug, name, address, namespace or tags, whatever its case.
    q: Option<String>,
    /// A page of so many, at most 1000; `Link` names the next one. All at once if absent.
    #[cfg_attr(feature = "schema", param(minimum = 1, maximum = 1000))]
    limit: Option<usize>,
    /// Where the page begins: taken from `Link`.
    cursor: Option<String>,
}

/// A list that was put together.
pub(super) struct List {
    version: u64,
    changes: u64,
    at: Instant,
    tag: String,
    plain: Bytes,
    gzip: OnceLock<Bytes>,
    zstd: OnceLock<Bytes>,
}

/// The last list of all projects.
#[derive(Default)]
pub(super) struct Cache(Mutex<Option<Arc<List>>>);

impl Cache {
    /// A list of all, not older than a moment.
    fn get(&self, app: &App) -> Result<Arc<List>, Failure> {
        // A list is replaced as a whole.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, changes) = (app.core.registry.version(), app.core.registry.changes());
        let is_good = |list: &Arc<List>| {
            let age = list.at.elapsed();
            list.changes == changes && (age < FRESH || (list.version == version && age < STALE))
        };
        if let Some(list) = last.as_ref().filter(|list| is_good(list)) {
            return Ok(list.clone());
        }
        let projects = app.core.registry.all();
        let plain = render(app, &projects)?;
        // The same bytes keep their tag, and their compressed forms.
        if let Some(list) = last.as_ref().filter(|list| list.plain == plain) {
            let list = Arc::new(List {
                version,
                changes,
                at: Instant::now(),
                tag: list.tag.clone(),
                plain: list.plain.clone(),
                gzip: list.gzip.clone(),
                zstd: list.zstd.clone(),
            });
            return Ok(last.insert(list).clone());
        }
        let tag = icn_model::Digest::of(&plain).to_string();
        let list = Arc::new(List {
            version,
            changes,
            at: Instant::now(),
            tag: format!("\"{}\"", &tag[..32]),
            plain,
            gzip: OnceLock::new(),
            zstd: OnceLock::new(),
        });
        Ok(last.insert(list).clone())
    }
}

fn render(app: &App, projects: &[Arc<Project>]) -> Result<Bytes, Failure> {
    let now = app.core.clock.now();
    let views: Vec<_> = projects
        .iter()
        .map(|project| ProjectView::of(project, &app.core, now))
        .collect();
    serde_json::to_vec(&views)
        .map(Bytes::from)
        .map_err(Failure::internal)
}

/// Answers the list.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/api/fed/projects", tag = "catalog",
        params(ListQuery),
        responses(
            (status = 200, description = "All projects in the order of their slugs, or a page of them", body = [ProjectView]),
            (status = 304, description = "As If-None-Match has it"),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Response<Body>, Failure> {
    let started = Instant::now();
    app.is_loaded()?;
    let list = if query == ListQuery::default() {
        app.lists.get(&app).map(|list| answer(&list, &headers))
    } else {
        some(&app, &query, &headers)
    }?;
    app.core.metrics.looked_up(started.elapsed());
    Ok(list)
}

/// A part of the list.
fn some(app: &App, query: &ListQuery, headers: &HeaderMap) -> Result<Response<Body>, Failure> {
    let limit = match query.limit {
        Some(0) => return Err(Failure::bad("limit", "at least 1")),
        limit => limit.map(|limit| limit.min(MAX_PAGE)),
    };
    if query.cursor.is_some() && limit.is_none() {
        return Err(Failure::bad("cursor", "a page needs a limit"));
    }
    let mut found = matching(app, query)?;
    let mut next = None;
    if let Some(limit) = limit
        && found.len() > limit
    {
        found.truncate(limit);
        next = found.last().map(|last| last.slug().to_string());
    }
    let plain = render(app, &found)?;
    let list = List {
        version: 0,
        changes: 0,
        at: Instant::now(),
        tag: format!("\"{}\"", &icn_model::Digest::of(&plain).to_string()[..32]),
        plain,
        gzip: OnceLock::new(),
        zstd: OnceLock::new(),
    };
    let mut response = answer(&list, headers);
    if let (Some(cursor), Some(limit)) = (next, limit) {
        let mut parameters = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("status", &query.status), ("tag", &query.tag), ("q", &query.q)] {
            if let Some(value) = value {
                parameters.append_pair(name, value);
            }
        }
        parameters.append_pair("limit", &limit.to_string());
        parameters.append_pair("cursor", &cursor);
        let link = format!("</api/fed/projects?{}>; rel=\"next\"", parameters.finish());
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

fn matching(app: &App, query: &ListQuery) -> Result<Vec<Arc<Project>>, Failure> {
    let wanted = query
        .status
        .as_deref()
        .map(|text| {
            text.parse::<Status>()
                .map_err(|error| Failure::bad("status", error))
        })
        .transpose()?;
    Ok(select(&app.core.registry, query.cursor.as_deref(), |project| {
        let now = app.core.clock.now();
        let status = project
            .vital()
            .shown(now, app.core.rules.threshold, crate::GRACE)
            .status;
        let has_status = wanted.is_none_or(|wanted| status == wanted || status.counted() == wanted);
        has_status && has_words(project, query.tag.as_deref(), query.q.as_deref())
    }))
}

/// The projects after `cursor` that are wanted.
pub(super) fn select(
    registry: &Registry,
    cursor: Option<&str>,
    is_wanted: impl Fn(&Project) -> bool,
) -> Vec<Arc<Project>> {
    let mut found = registry.after(cursor);
    found.retain(|project| is_wanted(project));
    found
}

/// Whether a project has a tag and a text.
pub(super) fn has_words(project: &Project, tag: Option<&str>, text: Option<&str>) -> bool {
    let entry = project.entry();
    let has_tag = tag.is_none_or(|tag| entry.tags.iter().any(|own| own == tag));
    has_tag && text.is_none_or(|text| entry.mentions(&text.to_lowercase()))
}

/// A list in the form that the caller takes, or word that it has it.
fn answer(list: &List, headers: &HeaderMap) -> Response<Body> {
    let has_it = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == list.tag || tag == "*");
    let mut response = Response::new(Body::empty());
    let answer = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&list.tag) {
        answer.insert(header::ETAG, tag);
    }
    answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    answer.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-cache"),
    );
    if has_it {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let (encoding, bytes) = encoded(list, headers);
    if let Some(encoding) = encoding {
        answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    *response.body_mut() = Body::from(bytes);
    response
}

fn encoded(list: &List, headers: &HeaderMap) -> (Option<&'static str>, Bytes) {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let takes = |name: &str| {
        accepted.split(',').any(|word| {
            let mut parts = word.split(';').map(str::trim);
            parts.next() == Some(name)
                && parts.all(|part| !matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    };
    if list.plain.len() >= MIN_COMPRESSED {
        if takes("zstd")
            && let Some(bytes) = zstd_of(list)
        {
            return (Some("zstd"), bytes);
        }
        if takes("gzip")
            && let Some(bytes) = gzip_of(list)
        {
            return (Some("gzip"), bytes);
        }
    }
    (None, list.plain.clone())
}

fn zstd_of(list: &List) -> Option<Bytes> {
    if let Some(bytes) = list.zstd.get() {
        return Some(bytes.clone());
    }
    let bytes = zstd::encode_all(&*list.plain, ZSTD_LEVEL).ok()?;
    Some(list.zstd.get_or_init(|| bytes.into()).clone())
}

fn gzip_of(list: &List) -> Option<Bytes> {
    if let Some(bytes) = list.gzip.get() {
        return Some(bytes.clone());
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&list.plain).ok()?;
    let bytes = encoder.finish().ok()?;
    Some(list.gzip.get_or_init(|| bytes.into()).clone())
}

/// Answers one project.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/api/fed/projects/{slug}", tag = "catalog",
        params(("slug" = String, Path, description = "What the project is called", pattern = "^[a-z0-9](-?[a-z0-9]+)*$", max_length = 50)),
        responses(
            (status = 200, description = "The project", body = ProjectView),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 404, description = "1303: there is no such project", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn one(
    State(app): State<App>,
    axum::extract::Path(slug): axum::extract::Path<String>,
) -> Result<axum::Json<ProjectView>, Failure> {
    let started = Instant::now();
    app.is_loaded()?;
    let project = app.core.registry.get(&slug);
    app.core.metrics.looked_up(started.elapsed());
    let project = project.ok_or_else(|| error::no_project(&slug))?;
    Ok(axum::Json(ProjectView::of(
        &project,
        &app.core,
        app.core.clock.now(),
    )))
}
