//! What happens around every request: it gets a name, a span in the log, a count, and a problem document if
//! it fails. A panic of a handler is a failure like any other.
use super::{
    audit,
    counts::Answered,
    failure::{self, Failure},
    front::Front,
};
use axum::{
    body::HttpBody as _,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use icn_api::{ApiError, CORRELATION_HEADER};
use std::{any::Any, sync::Arc, time::Instant};
use tracing::Instrument as _;

/// The longest correlation id that is taken over.
const MAX_CORRELATION_BYTES: usize = 128;
/// Name of what is no route, in counts.
const NO_ROUTE: &str = "none";

/// Answers a request, and does what every answer needs.
pub(super) async fn around(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let id = given(request.headers()).unwrap_or_else(|| front.correlation_id());
    let method = method(request.method().as_str());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or(NO_ROUTE.into(), |path| path.as_str().to_owned());
    let span = tracing::info_span!("http", correlation_id = %id, method, route);
    async move {
        let started = Instant::now();
        let has_body = !request.body().is_end_stream();
        let mut response = next.run(request).await;
        if has_body && refused_unread(response.status()) {
            // What is left of the body cannot be told from the next request, so the connection ends: the client is to
            // know, or it would send its next request into the end.
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        audit::note(&mut response, &id, method, &route).await;
        let mut response = failure::write(response, &id);
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(CORRELATION_HEADER, id);
        }
        let (status, elapsed) = (response.status().as_u16(), started.elapsed());
        front.metrics.count(
            Answered {
                method,
                route,
                status,
            },
            elapsed,
        );
        tracing::debug!(status, elapsed_ms = elapsed.as_millis(), "answered");
        response
    }
    .instrument(span)
    .await
}

/// Whether an answer may have been given before the request's body was read.
fn refused_unread(status: StatusCode) -> bool {
    let judged = [StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY];
    status.is_client_error() && !judged.contains(&status)
}

/// The name that the caller gave the request, if it is fit for a log.
fn given(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CORRELATION_HEADER)?.to_str().ok()?;
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    ((1..=MAX_CORRELATION_BYTES).contains(&text.len()) && text.bytes().all(fit)).then(|| text.to_owned())
}

/// Methods that are counted by name; callers can make up any number of others.
fn method(name: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == name).unwrap_or("other")
}

/// A panic of a handler, as an answer.
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Failure::internal(format_args!(
        "a handler panicked: {}",
        text.as_deref().unwrap_or("without a message")
    ))
    .into_response()
}

/// There is no such route.
pub(super) fn not_found(request: &Request) -> ApiError {
    ApiError::NotFound {
        what: "route",
        id: request.uri().path().chars().take(200).collect(),
    }
}

/// The same, as a handler.
pub(super) async fn no_route(request: Request) -> Failure {
    not_found(&request).into()
}

/// There is such a route, with another method.
pub(super) async fn no_method() -> Failure {
    ApiError::MethodNotAllowed {}.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::Body, routing::get};
    use hyper::service::Service as _;
    use hyper_util::service::TowerToHyperService;
    use icn_api::Problem;
    use tower_http::catch_panic::CatchPanicLayer;

    #[test]
    fn only_names_fit_for_a_log_are_taken_over() {
        let with = |text: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(CORRELATION_HEADER, HeaderValue::from_bytes(text).unwrap());
            given(&headers)
        };
        assert_eq!(with(b"order-7:2").as_deref(), Some("order-7:2"));
        assert_eq!(with(b""), None);
        assert_eq!(with(b"two words"), None);
        assert_eq!(with("schön".as_bytes()), None);
        assert_eq!(with(&[b'a'; MAX_CORRELATION_BYTES + 1]), None);
        assert_eq!(given(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn a_panic_is_answered_as_the_nodes_own_fault() {
        async fn panics() {
            panic!("a fault that no caller is to read of")
        }
        let router = Router::new()
            .route("/", get(panics))
            .layer(CatchPanicLayer::custom(panicked));
        let request = Request::new(Body::empty());
        let response = TowerToHyperService::new(router).call(request).await.unwrap();
        let response = failure::write(response, "c-1");
        assert_eq!(response.status(), 500);
        let body = axum::body::to_bytes(response.into_body(), 4_096).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (problem.code, problem.correlation_id.as_deref()),
            (911, Some("c-1"))
        );
        assert!(!String::from_utf8_lossy(&body).contains("a fault"));
    }
}
