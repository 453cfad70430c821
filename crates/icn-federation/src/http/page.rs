//! The page for people: the catalog as it is now. It is made here and needs no script; with one it keeps itself fresh.
use super::{App, error, history, list};
use crate::{
    GRACE,
    catalog::Project,
    liveness::{Standing, Status},
    moment::Moment,
    store::Item,
};
use askama::Template;
use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use icn_model::{Millis, Time};
use icn_serve::http::{Failure, Query};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Projects of one page.
const PER_PAGE: usize = 50;
/// Hours that are shown of each project.
const BARS: u64 = 24;
const HOUR: Millis = Millis::from_secs(3_600);
/// Changes that bars are made from at most.
const MAX_CHANGES: i64 = 50_000;
/// How old the changes may be that bars are made from.
const FRESH: Duration = Duration::from_secs(5);

/// What is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PageQuery {
    q: String,
    status: String,
    after: String,
}

#[derive(Template)]
#[template(path = "page.html")]
struct PageView<'a> {
    title: &'a str,
    query: PageQuery,
    statuses: Vec<Choice>,
    rows: Vec<Row>,
    next: Option<String>,
    warning: Option<&'static str>,
    total: usize,
    now: String,
}

#[derive(Template)]
#[template(path = "project.html")]
struct ProjectPage<'a> {
    title: &'a str,
    row: Row,
    mesh_namespace: String,
    owner: &'static str,
    fanout: Vec<String>,
    uptime: Vec<(&'static str, String)>,
    changes: Vec<Change>,
    details: Vec<(&'static str, String)>,
}

/// A status that can be asked for.
struct Choice {
    name: &'static str,
    count: usize,
    is_chosen: bool,
}

struct Row {
    slug: String,
    name: String,
    hub_url: String,
    tags: Vec<String>,
    status: &'static str,
    cause: &'static str,
    since: String,
    last: Option<String>,
    bars: Vec<Bar>,
    summary: String,
}

struct Bar {
    class: &'static str,
    text: String,
}

struct Change {
    at: String,
    status: &'static str,
    cause: &'static str,
}

type ByProject = HashMap<i64, Vec<Item>>;

/// What was lately, by project.
#[derive(Default)]
pub(super) struct Lately(Mutex<Option<(Instant, Arc<ByProject>)>>);

impl Lately {
    async fn get(&self, app: &App) -> Arc<ByProject> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, items)) = &*kept()
            && at.elapsed() < FRESH
        {
            return items.clone();
        }
        let since = app.core.clock.now().before(Millis::new(HOUR.get() * BARS));
        // Without a database there is a page all the same, with empty bars.
        let items = app.store.news_since(since, MAX_CHANGES).await.unwrap_or_default();
        let mut by_project = ByProject::new();
        for item in items {
            by_project.entry(item.project).or_default().push(item);
        }
        let by_project = Arc::new(by_project);
        *kept() = Some((Instant::now(), by_project.clone()));
        by_project
    }
}

/// The page of all projects.
pub(super) async fn page(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Html<String>, Failure> {
    let now = app.core.clock.now();
    let wanted: Option<Status> = query.status.parse().ok();
    let after = Some(query.after.as_str()).filter(|after| !after.is_empty());
    let text = Some(query.q.as_str()).filter(|text| !text.is_empty());
    let mut found = list::select(&app.core.registry, after, |project| {
        let status = standing(&app, project, now).status;
        wanted.is_none_or(|wanted| status == wanted || status.counted() == wanted)
            && list::has_words(project, None, text)
    });
    let next = (found.len() > PER_PAGE).then(|| {
        found.truncate(PER_PAGE);
        let last = found.last().map(|last| last.slug().to_string());
        let mut parameters = url::form_urlencoded::Serializer::new(String::new());
        parameters.append_pair("q", &query.q);
        parameters.append_pair("status", &query.status);
        parameters.append_pair("after", &last.unwrap_or_default());
        format!("?{}", parameters.finish())
    });
    let lately = app.lately.get(&app).await;
    let rows = found
        .iter()
        .map(|project| row(&app, project, &lately, now))
        .collect();
    let counts = app.core.counted();
    let statuses = Status::ALL
        .into_iter()
        .filter(|status| status.counted() == *status)
        .map(|status| Choice {
            name: status.name(),
            count: counts.get(&status).copied().unwrap_or(0),
            is_chosen: wanted == Some(status),
        })
        .collect();
    let view = PageView {
        title: &app.page.title,
        query,
        statuses,
        rows,
        next,
        warning: warning(&app),
        total: app.core.registry.len(),
        now: Moment(now).text(),
    };
    view.render().map(Html).map_err(Failure::internal)
}

/// What people should know before they believe what they see.
fn warning(app: &App) -> Option<&'static str> {
    let ears = &app.core.ears;
    match (app.core.is_loaded() && ears.database(), ears.nats()) {
        (false, _) => Some("The database does not answer: this is what was known last."),
        (true, Some(false)) => Some("NATS is away: projects that are heard over it become unknown."),
        (true, _) => None,
    }
}

/// The page of one project.
pub(super) async fn project(
    State(app): State<App>,
    Path(slug): Path<String>,
) -> Result<Html<String>, Failure> {
    let project = app
        .core
        .registry
        .get(&slug)
        .ok_or_else(|| error::no_project(&slug))?;
    let now = app.core.clock.now();
    let month = now.before(Millis::from_secs(30 * 86_400));
    let items = app
        .store
        .news_of(project.id, month, MAX_CHANGES)
        .await
        .map_err(|error| error::database(&error))?;
    let uptime = [
        ("hour", 3_600),
        ("24 hours", 86_400),
        ("7 days", 604_800),
        ("30 days", 2_592_000),
    ]
    .into_iter()
    .filter_map(|(name, seconds)| {
        let share = history::uptime(&items, now.before(Millis::from_secs(seconds)), now)?;
        Some((name, percent(share)))
    })
    .collect();
    let changes = items
        .iter()
        .rev()
        .take(PER_PAGE)
        .map(|item| Change {
            at: Moment(item.at).text(),
            status: item.status.map_or("removed", Status::name),
            cause: item.cause.text(),
        })
        .collect();
    let (entry, vital) = (project.entry(), project.vital().clone());
    let told = vital.details.unwrap_or_default();
    let details = [
        ("Height", told.height.map(|height| height.to_string())),
        ("Peers", told.peers.map(|peers| peers.to_string())),
        ("Version", told.version),
    ];
    let lately = HashMap::from([(project.id, items)]);
    let view = ProjectPage {
        title: &app.page.title,
        row: row(&app, &project, &lately, now),
        mesh_namespace: entry.mesh_namespace.clone(),
        owner: vital.owner.name(),
        fanout: entry.allow_fanout.clone(),
        uptime,
        changes,
        details: details
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
    };
    view.render().map(Html).map_err(Failure::internal)
}

fn standing(app: &App, project: &Project, now: Time) -> Standing {
    project.vital().shown(now, app.core.rules.threshold, GRACE)
}

fn row(app: &App, project: &Project, lately: &ByProject, now: Time) -> Row {
    let (entry, standing) = (project.entry(), standing(app, project, now));
    let heard = project.vital().heard;
    let items = lately.get(&project.id).map_or(&[][..], Vec::as_slice);
    let from = now.before(Millis::new(HOUR.get() * BARS));
    Row {
        slug: entry.slug.to_string(),
        name: entry.name.clone(),
        hub_url: entry.hub_url.clone(),
        tags: entry.tags.clone(),
        status: standing.status.name(),
        cause: standing.cause.text(),
        since: Moment(standing.since).text(),
        last: heard.map(|heard| Moment(heard.at).text()),
        bars: (0..BARS)
            .map(|hour| bar(items, from.after(Millis::new(HOUR.get() * hour))))
            .collect(),
        summary: match history::uptime(items, from, now) {
            Some(share) => format!("Alive {} of the last 24 hours", percent(share)),
            None => "Nothing is known of the last 24 hours".into(),
        },
    }
}

fn bar(items: &[Item], from: Time) -> Bar {
    let share = history::uptime(items, from, from.after(HOUR));
    let class = match share {
        None => "none",
        Some(share) if share >= 1.0 => "up",
        Some(share) if share > 0.0 => "part",
        Some(_) => "down",
    };
    let text = share.map_or_else(|| "unknown".into(), percent);
    Bar { class, text }
}

fn percent(share: f64) -> String {
    // Cut, not rounded: 99.96 % is not all of the time.
    format!("{:.1} %", (share * 1_000.0).floor() / 10.0)
}

/// Style and script of the pages.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "page.css" => ("text/css; charset=utf-8", include_str!("../../assets/page.css")),
        "page.js" => (
            "text/javascript; charset=utf-8",
            include_str!("../../assets/page.js"),
        ),
        "icon.svg" => ("image/svg+xml", include_str!("../../assets/icon.svg")),
        _ => {
            return Failure::from(icn_api::ApiError::NotFound {
                what: "asset",
                id: crate::catalog::shortened(&name),
            })
            .into_response();
        }
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "max-age=300"),
    ];
    (headers, text).into_response()
}

/// Has a browser ask for a key.
pub(super) fn ask_for_key() -> Response {
    let challenge = "Basic realm=\"federation\", charset=\"UTF-8\"";
    let text = "A key is needed: send it as X-API-Key. Browsers send it as the password, with any name.\n";
    let headers = [(header::WWW_AUTHENTICATE, challenge)];
    (StatusCode::UNAUTHORIZED, headers, text).into_response()
}
