//! What every request gets: a name, a span in the log, a count, and a problem document if it fails. A panic of a
//! handler is a failure like any other.
use super::{
    counts::{Answered, HttpMetrics},
    failure::{self, Failure},
};
use axum::{
    body::HttpBody as _,
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use icn_api::{ApiError, CORRELATION_HEADER};
use std::{
    any::Any,
    hash::{BuildHasher as _, Hasher as _, RandomState},
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

/// The longest correlation id that is taken over.
pub const MAX_CORRELATION_BYTES: usize = 128;
/// Name of what is no route, in counts.
const NO_ROUTE: &str = "none";

/// Names for requests that come without one, of which no two are the same.
#[derive(Debug)]
pub struct CorrelationIds {
    /// Prefix of the ids of this process.
    prefix: u64,
    number: AtomicU64,
}

impl Default for CorrelationIds {
    fn default() -> Self {
        Self {
            prefix: RandomState::new().build_hasher().finish(),
            number: AtomicU64::new(0),
        }
    }
}

impl CorrelationIds {
    /// The next one.
    pub fn make(&self) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-{number:x}", self.prefix)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Called {
    /// Its name in the log and in the answer.
    pub id: String,
    /// Its method, of those that are known.
    pub method: &'static str,
    /// The template of its route.
    pub route: String,
    started: Instant,
    has_body: bool,
}

impl Called {
    /// Of a request that is about to be answered: with the name that it came with, or one of `ids`.
    pub fn of(request: &Request, ids: &CorrelationIds) -> Self {
        Self {
            id: given(request.headers()).unwrap_or_else(|| ids.make()),
            method: method(request.method().as_str()),
            route: request
                .extensions()
                .get::<MatchedPath>()
                .map_or(NO_ROUTE.into(), |path| path.as_str().to_owned()),
            started: Instant::now(),
            has_body: !request.body().is_end_stream(),
        }
    }

    /// What the lines of the log that are about it are in.
    pub fn span(&self) -> tracing::Span {
        tracing::info_span!("http", correlation_id = %self.id, method = self.method, route = self.route)
    }

    /// Does what every answer needs before it goes out: writes the document of a failure, names the request, counts.
    pub fn answer(self, response: Response, metrics: &HttpMetrics) -> Response {
        let mut response = failure::write(response, &self.id);
        if self.has_body && refused_unread(response.status()) {
            // What is left of the body cannot be told from the next request, so the connection ends: the client is to
            // know, or it would send its next request into the end.
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Ok(id) = HeaderValue::from_str(&self.id) {
            response.headers_mut().insert(CORRELATION_HEADER, id);
        }
        let (status, elapsed) = (response.status().as_u16(), self.started.elapsed());
        let answered = Answered {
            method: self.method,
            route: self.route,
            status,
        };
        metrics.count(answered, elapsed);
        tracing::debug!(status, elapsed_ms = elapsed.as_millis(), "answered");
        response
    }
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
pub fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Failure::internal(format_args!(
        "a handler panicked: {}",
        text.as_deref().unwrap_or("without a message")
    ))
    .into_response()
}

/// There is no such route.
pub fn not_found(request: &Request) -> ApiError {
    ApiError::NotFound {
        what: "route",
        id: request.uri().path().chars().take(200).collect(),
    }
}

/// The same, as a handler.
pub async fn no_route(request: Request) -> Failure {
    not_found(&request).into()
}

/// There is such a route, with another method.
pub async fn no_method() -> Failure {
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
