//! Keys and webhooks, for the operator.
use super::{App, Caller, error};
use crate::{
    catalog::hub_url,
    keys::{DEFAULT_OVERLAP, KeyName, KeyView, Made, Scope, Wanted, generate, hash},
    moment::Moment,
    store::Webhook,
};
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use icn_api::presence::Slug;
use icn_model::Millis;
use icn_serve::http::{Failure, JsonText};
use serde::{Deserialize, Serialize};

/// Shortest secret that calls can be signed with.
const MIN_SECRET: usize = 16;
/// Longest of it.
const MAX_SECRET: usize = 256;
/// Longest time for which the former secret of a key can count.
const MAX_OVERLAP: Millis = Millis::from_secs(90 * 24 * 3_600);

/// A key that is to be made.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// What it is to be called: lower-case letters, digits, `.`, `_`, `-`.
    #[cfg_attr(feature = "schema", schema(value_type = String, pattern = "^[a-z0-9][a-z0-9._-]*$", max_length = 64))]
    name: KeyName,
    /// What it is to be good for: read, project or admin.
    #[cfg_attr(feature = "schema", schema(pattern = "^(read|project|admin)$"))]
    scope: String,
    /// The project that it is for, where the scope is `project`.
    #[serde(default)]
    slug: Option<Slug>,
    /// Until when it is to count; for ever, if absent.
    #[serde(default)]
    expires: Option<Moment>,
}

/// A key with its secret, which is told this once.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct MadeKey {
    /// What is kept of it.
    key: KeyView,
    /// What its holder sends.
    secret: String,
}

/// How a key is to be rotated.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Rotate {
    /// How long the former secret still counts, in seconds; a day if absent, at most 90 days.
    #[serde(default)]
    overlap_seconds: Option<u64>,
}

/// A new secret.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct Rotated {
    /// Whose.
    name: String,
    /// What its holder sends from now on.
    secret: String,
    /// Until when the former one counts.
    former_until: Moment,
}

/// Every key.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/api/fed/keys", tag = "administration",
        responses(
            (status = 200, description = "Every key, without its secret", body = [KeyView]),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn keys(State(app): State<App>) -> Result<Json<Vec<KeyView>>, Failure> {
    let keys = app.store.keys().await.map_err(|error| error::database(&error))?;
    Ok(Json(keys.into_iter().map(KeyView::from).collect()))
}

/// Makes a key.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        post, path = "/api/fed/keys", tag = "administration",
        request_body(content = NewKey),
        responses(
            (status = 201, description = "The key, with its secret", body = MadeKey),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 409, description = "1311: there is a key of that name", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 413, description = "905: the body is too large", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 415, description = "906: the body is not JSON", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn add_key(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    JsonText(bytes): JsonText,
) -> Result<(StatusCode, Json<MadeKey>), Failure> {
    let new: NewKey = serde_json::from_slice(&bytes).map_err(|error| Failure::bad("body", error))?;
    app.can_write()?;
    let now = app.core.clock.now();
    let scope = Scope::of(&new.scope, new.slug).map_err(|reason| Failure::bad("scope", reason))?;
    let expires = new.expires.map(|expires| expires.0);
    if expires.is_some_and(|expires| expires <= now) {
        return Err(Failure::bad("expires", "that moment is past"));
    }
    let wanted = Wanted {
        name: new.name,
        scope,
        expires,
    };
    let made = Made::new(&wanted, now, caller.name()).map_err(Failure::internal)?;
    let added = app.store.add_key(&made.stored).await;
    if !added.map_err(|error| error::database(&error))? {
        let detail = format!("there is a key {} already", wanted.name);
        return Err(error::failure(error::KEY_TAKEN, 409, detail));
    }
    reload(&app).await?;
    let made = MadeKey {
        key: made.stored.into(),
        secret: made.secret,
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Gives a key another secret.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        post, path = "/api/fed/keys/{name}/rotate", tag = "administration",
        params(("name" = String, Path, description = "What the key is called")),
        request_body(content = Rotate),
        responses(
            (status = 200, description = "The new secret", body = Rotated),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 404, description = "1312: there is no such key", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 413, description = "905: the body is too large", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 415, description = "906: the body is not JSON", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn rotate_key(
    State(app): State<App>,
    Path(name): Path<String>,
    JsonText(bytes): JsonText,
) -> Result<Json<Rotated>, Failure> {
    let rotate: Rotate = serde_json::from_slice(&bytes).map_err(|error| Failure::bad("body", error))?;
    let overlap = rotate.overlap_seconds.map_or(DEFAULT_OVERLAP, Millis::from_secs);
    if overlap > MAX_OVERLAP {
        return Err(Failure::bad("overlap_seconds", "at most 90 days"));
    }
    app.can_write()?;
    let secret = generate().map_err(Failure::internal)?;
    let until = app.core.clock.now().after(overlap);
    let rotated = app.store.rotate_key(&name, &hash(&secret), until).await;
    if !rotated.map_err(|error| error::database(&error))? {
        return Err(no_key(&name));
    }
    reload(&app).await?;
    Ok(Json(Rotated {
        name,
        secret,
        former_until: until.into(),
    }))
}

/// Takes a key away.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        delete, path = "/api/fed/keys/{name}", tag = "administration",
        params(("name" = String, Path, description = "What the key is called")),
        responses(
            (status = 204, description = "It counts no more"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 404, description = "1312: there is no such key", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn revoke_key(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    app.can_write()?;
    let revoked = app.store.revoke_key(&name).await;
    if !revoked.map_err(|error| error::database(&error))? {
        return Err(no_key(&name));
    }
    reload(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// This replica knows at once; others within a moment.
async fn reload(app: &App) -> Result<(), Failure> {
    app.keys
        .load(&app.store)
        .await
        .map_err(|error| error::database(&error))
}

fn no_key(name: &str) -> Failure {
    let name = crate::catalog::shortened(name);
    error::failure(error::NO_KEY, 404, format_args!("there is no key {name:?}"))
}

/// A webhook that is to be added.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    /// Where changes are posted to.
    #[cfg_attr(feature = "schema", schema(format = "uri", max_length = 2048))]
    url: String,
    /// What calls are signed with, 16 to 256 characters; one is made if absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schema(min_length = 16, max_length = 256))]
    secret: Option<String>,
}

/// A webhook.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub(super) struct WebhookView {
    /// Its number.
    id: i64,
    /// Where changes are posted to.
    url: String,
    /// What calls are signed with; told only when it is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// Since when.
    created: Moment,
    /// Changes up to here have been delivered, or given up.
    told: i64,
    /// How many were given up, each after a day of tries.
    given_up: i64,
    /// Why the last call failed; absent if it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

impl From<Webhook> for WebhookView {
    fn from(hook: Webhook) -> Self {
        Self {
            id: hook.id,
            url: hook.url,
            secret: None,
            created: hook.created.into(),
            told: hook.told,
            given_up: hook.failures,
            failed: hook.failed,
        }
    }
}

/// Every webhook.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        get, path = "/api/fed/webhooks", tag = "administration",
        responses(
            (status = 200, description = "Every webhook, without its secret", body = [WebhookView]),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn webhooks(State(app): State<App>) -> Result<Json<Vec<WebhookView>>, Failure> {
    let hooks = app
        .store
        .webhooks()
        .await
        .map_err(|error| error::database(&error))?;
    Ok(Json(hooks.into_iter().map(WebhookView::from).collect()))
}

/// Adds a webhook.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        post, path = "/api/fed/webhooks", tag = "administration",
        request_body(content = NewWebhook),
        responses(
            (status = 201, description = "The webhook, with its secret", body = WebhookView),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 413, description = "905: the body is too large", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 415, description = "906: the body is not JSON", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn add_webhook(
    State(app): State<App>,
    JsonText(bytes): JsonText,
) -> Result<(StatusCode, Json<WebhookView>), Failure> {
    let new: NewWebhook = serde_json::from_slice(&bytes).map_err(|error| Failure::bad("body", error))?;
    app.can_write()?;
    hub_url(&new.url).map_err(|reason| Failure::bad("url", reason))?;
    if !app.hooks_may_be_private {
        let url = new.url.clone();
        tokio::task::spawn_blocking(move || crate::webhooks::is_public(&url))
            .await?
            .map_err(|reason| Failure::bad("url", reason))?;
    }
    let secret = match new.secret {
        None => generate().map_err(Failure::internal)?,
        Some(secret) if (MIN_SECRET..=MAX_SECRET).contains(&secret.len()) && !secret.contains('\0') => secret,
        Some(_) => return Err(Failure::bad("secret", "16 to 256 bytes")),
    };
    let now = app.core.clock.now();
    let added = app.store.add_webhook(&new.url, &secret, now).await;
    let id = added.map_err(|error| error::database(&error))?;
    let hooks = app
        .store
        .webhooks()
        .await
        .map_err(|error| error::database(&error))?;
    let hook = hooks.into_iter().find(|hook| hook.id == id);
    let mut view = WebhookView::from(hook.ok_or_else(|| no_webhook(id))?);
    view.secret = Some(secret);
    Ok((StatusCode::CREATED, Json(view)))
}

/// Takes a webhook away.
#[cfg_attr(
    feature = "schema",
    utoipa::path(
        delete, path = "/api/fed/webhooks/{id}", tag = "administration",
        params(("id" = i64, Path, description = "Its number")),
        responses(
            (status = 204, description = "It is called no more"),
            (status = 400, description = "904: a parameter or the body is not what the route takes", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 401, description = "1301: no key that counts was sent", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 403, description = "1302: the key is not for this", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 404, description = "1313: there is no such webhook", body = icn_api::Problem, content_type = "application/problem+json"),
            (status = 503, description = "1310: the database does not answer", body = icn_api::Problem, content_type = "application/problem+json"),
        ),
        security(("api_key" = []), ("bearer" = [])),
    )
)]
pub(super) async fn remove_webhook(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, Failure> {
    app.can_write()?;
    let id: i64 = id
        .parse()
        .map_err(|_| Failure::bad("id", "the number of a webhook"))?;
    let removed = app.store.remove_webhook(id).await;
    if removed.map_err(|error| error::database(&error))? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(no_webhook(id))
    }
}

fn no_webhook(id: i64) -> Failure {
    error::failure(error::NO_WEBHOOK, 404, format_args!("there is no webhook {id}"))
}
