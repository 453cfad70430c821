//! The OpenAPI document, made from the handlers.
use super::{admin, health, history, list, projects, watch};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ICN Federation Service",
        version = "1",
        license(name = "Apache-2.0"),
        description = "A catalog of projects, their heartbeats, and which of them are alive. Errors are problem \
                       details (RFC 9457) with a stable code and a remedy; every answer carries `x-correlation-id`. \
                       Clients ignore fields that they do not know; the service refuses parameters and fields that it \
                       does not know, but those of heartbeats."
    ),
    tags(
        (name = "catalog", description = "Which projects there are, and how they are"),
        (name = "heartbeats", description = "Signs of life; over NATS they go to hub.presence.SLUG"),
        (name = "administration", description = "Keys and webhooks, with a key of scope admin"),
        (name = "health", description = "The service itself; no key is needed")
    ),
    paths(
        list::list, list::one, projects::register, projects::change, projects::remove, projects::beat,
        projects::fanout, history::history, watch::watch, admin::keys, admin::add_key, admin::rotate_key,
        admin::revoke_key, admin::webhooks, admin::add_webhook, admin::remove_webhook, health::health,
        health::nats, health::livez, health::readyz, health::metrics
    ),
    modifiers(&Keys)
)]
struct Document;

struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "api_key",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))),
        );
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// The document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}
