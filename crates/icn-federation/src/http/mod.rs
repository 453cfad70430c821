//! The service over HTTP: routes, who may call them, and what happens around every request.
mod admin;
mod error;
mod health;
mod history;
mod list;
#[cfg(feature = "schema")]
mod openapi;
mod page;
mod projects;
mod view;
mod watch;

pub(crate) use error::CODES;
#[cfg(feature = "schema")]
pub use openapi::openapi;

use crate::{
    core::Core,
    keys::{Holder, Keys, Scope},
    store::Store,
};
use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::{self, Next},
    response::Response,
    routing::{delete, get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_api::ApiError;
use icn_serve::http::{
    Called, CorrelationIds, Failure, MaxBody, announced, no_method, no_route, panicked, presented,
};
use std::sync::Arc;
use tokio::sync::{Semaphore, watch as signal};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

/// Bytes of an entry of the catalog.
const MAX_ENTRY_BYTES: usize = 64 << 10;
/// Bytes of every other request: what is longer is no heartbeat, key or hook.
const MAX_SMALL_BYTES: usize = 16 << 10;
/// Streams that are open at once.
const MAX_STREAMS: usize = 1_024;

/// The OpenAPI 3.1 document, as checked in at docs/reference/federation-openapi.json. A test makes it anew and compares.
pub(crate) const OPENAPI_JSON: &str = include_str!("../../../../docs/reference/federation-openapi.json");

/// What all handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) core: Arc<Core>,
    pub(crate) store: Store,
    pub(crate) keys: Arc<Keys>,
    /// Where NATS is, without its password; none where it is not used.
    pub(crate) nats_url: Option<String>,
    pub(crate) page: crate::config::Page,
    pub(crate) names_projects: bool,
    pub(crate) hooks_may_be_private: bool,
    lists: list::Cache,
    lately: page::Lately,
    pub(crate) streams: Arc<Semaphore>,
    /// Says true when streams are to end.
    pub(crate) closing: signal::Receiver<bool>,
    ids: CorrelationIds,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What [`App`] is made of.
pub(crate) struct Parts {
    pub(crate) core: Arc<Core>,
    pub(crate) store: Store,
    pub(crate) keys: Arc<Keys>,
    pub(crate) nats_url: Option<String>,
    pub(crate) page: crate::config::Page,
    pub(crate) names_projects: bool,
    pub(crate) hooks_may_be_private: bool,
    pub(crate) closing: signal::Receiver<bool>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Shared {
            core: parts.core,
            store: parts.store,
            keys: parts.keys,
            nats_url: parts.nats_url,
            page: parts.page,
            names_projects: parts.names_projects,
            hooks_may_be_private: parts.hooks_may_be_private,
            lists: list::Cache::default(),
            lately: page::Lately::default(),
            streams: Arc::new(Semaphore::new(MAX_STREAMS)),
            closing: parts.closing,
            ids: CorrelationIds::default(),
        }))
    }

    /// Before the catalog has been read, nobody can be told what is in it.
    fn is_loaded(&self) -> Result<(), Failure> {
        if self.core.is_loaded() {
            Ok(())
        } else {
            Err(error::away())
        }
    }

    /// What is to be changed needs the database.
    fn can_write(&self) -> Result<(), Failure> {
        if self.core.is_loaded() && self.core.ears.database() {
            Ok(())
        } else {
            Err(error::away())
        }
    }
}

/// What a route needs of whoever calls it.
#[derive(Clone, Copy)]
enum Needs {
    Read,
    /// A key that covers the project that the request is about; which one that is, the handler looks at.
    Write,
    Admin,
    /// To read, unless the page is public.
    Page,
}

/// All routes.
pub(crate) fn router(app: App) -> Router {
    let needs = |needs: Needs| middleware::from_fn_with_state((app.clone(), needs), gate);
    let read = Router::new()
        .route("/api/fed/projects", get(list::list))
        .route("/api/fed/projects/{slug}", get(list::one))
        .route("/api/fed/projects/{slug}/history", get(history::history))
        .route("/api/fed/fanout", get(projects::fanout))
        .layer(needs(Needs::Read));
    let write = Router::new()
        .route("/api/fed/projects", post(projects::register))
        .route(
            "/api/fed/projects/{slug}",
            delete(projects::remove).patch(projects::change),
        )
        .route("/api/fed/projects/{slug}/heartbeat", post(projects::beat))
        .layer(needs(Needs::Write));
    let admin = Router::new()
        .route("/api/fed/keys", get(admin::keys).post(admin::add_key))
        .route("/api/fed/keys/{name}", delete(admin::revoke_key))
        .route("/api/fed/keys/{name}/rotate", post(admin::rotate_key))
        .route("/api/fed/webhooks", get(admin::webhooks).post(admin::add_webhook))
        .route("/api/fed/webhooks/{id}", delete(admin::remove_webhook))
        .layer(needs(Needs::Admin));
    let page = Router::new()
        .route("/", get(page::page))
        .route("/projects/{slug}", get(page::project))
        .route("/api/fed/watch", get(watch::watch))
        .layer(needs(Needs::Page));
    let open = Router::new()
        .route("/health", get(health::health))
        .route("/health/nats", get(health::nats))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(health::openapi))
        .route("/assets/{name}", get(page::asset));
    read.merge(write)
        .merge(admin)
        .merge(page)
        .merge(open)
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(app.clone(), around))
        .with_state(app)
}

/// Names a request, counts it, and writes the document of its failure.
async fn around(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let called = Called::of(&request, &app.ids);
    let span = called.span();
    let max = if request.uri().path() == "/api/fed/projects" {
        MAX_ENTRY_BYTES
    } else {
        MAX_SMALL_BYTES
    };
    request.extensions_mut().insert(MaxBody(max));
    let too_large = announced(request.headers()).filter(|bytes| *bytes > max as u64);
    async move {
        let mut response = match too_large {
            None => next.run(request).await,
            Some(_) => axum::response::IntoResponse::into_response(Failure::from(ApiError::BodyTooLarge {
                max_bytes: max as u64,
            })),
        };
        harden(response.headers_mut());
        called.answer(response, &app.core.metrics.http)
    }
    .instrument(span)
    .await
}

/// What browsers are told with every answer.
fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Lets a request through if its key is good for the route.
async fn gate(
    State((app, needs)): State<(App, Needs)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let holder = secret(request.headers()).and_then(|secret| app.keys.find(&secret));
    let is_let_in = match (&holder, needs) {
        (_, Needs::Page) if app.page.public => true,
        (None, Needs::Page) => return Ok(page::ask_for_key()),
        (None, _) => {
            return Err(error::failure(
                error::KEY_NEEDED,
                401,
                "no key that counts was sent",
            ));
        }
        (Some(_), Needs::Read | Needs::Page) => true,
        (Some(holder), Needs::Write) => holder.scope != Scope::Read,
        (Some(holder), Needs::Admin) => holder.scope == Scope::Admin,
    };
    if !is_let_in {
        let needed = match needs {
            Needs::Admin => "admin",
            Needs::Write | Needs::Read | Needs::Page => "project or admin",
        };
        let detail = format!("the route needs a key of scope {needed}");
        return Err(error::failure(error::NOT_ALLOWED, 403, detail));
    }
    if let Some(holder) = holder {
        request.extensions_mut().insert(Caller(holder));
    }
    Ok(next.run(request).await)
}

/// The key that a request came with: as every interface of the project takes it, or as a browser sends a password.
fn secret(headers: &HeaderMap) -> Option<Vec<u8>> {
    if let Some(secret) = presented(headers) {
        return Some(secret.to_vec());
    }
    let basic = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = basic.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(rest.trim()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

/// Who calls.
#[derive(Clone)]
pub(crate) struct Caller(Holder);

impl Caller {
    fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether the caller may speak for a project.
    fn must_cover(&self, slug: &str) -> Result<(), Failure> {
        if self.0.scope.covers(slug) {
            return Ok(());
        }
        let slug = crate::catalog::shortened(slug);
        Err(error::failure(
            error::NOT_ALLOWED,
            403,
            format_args!("the key {} is not for the project {slug:?}", self.0.name),
        ))
    }
}
