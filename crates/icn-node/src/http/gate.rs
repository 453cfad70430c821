//! Who may call a route, and how much may be sent to it: the entry of the table of routes decides.
//!
//! There is one key, and it opens every route that needs one.
use super::{failure::Failure, front::Front};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use icn_api::{API_KEY_HEADER, ApiError, Endpoint, Scope, paths};
use std::sync::Arc;

/// Lets a request through, or answers why not.
pub(super) async fn gate(
    State((front, endpoint)): State<(Arc<Front>, &'static Endpoint)>,
    mut request: Request,
    next: Next,
) -> Response {
    let slot = front.requests.clone().try_acquire_owned();
    // Whether the process is alive is told however much there is to do.
    if slot.is_err() && endpoint.path != paths::HEALTH {
        return Failure::from(ApiError::Overloaded {}).into_response();
    }
    match check(&front, endpoint, &request) {
        Ok(()) => {
            request.extensions_mut().insert(endpoint);
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    }
}

fn check(front: &Front, endpoint: &Endpoint, request: &Request) -> Result<(), Failure> {
    let known = || presented(request.headers()).is_some_and(|key| front.api_key.is(key));
    if endpoint.scope > Scope::Open && !known() {
        return Err(ApiError::Unauthorised {}.into());
    }
    if endpoint.query.is_none() && request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(Failure::bad("query", "the route takes no parameters"));
    }
    let max_bytes = endpoint.max_request_bytes as u64;
    if max_bytes > 0 && announced(request.headers()).is_some_and(|bytes| bytes > max_bytes) {
        return Err(ApiError::BodyTooLarge { max_bytes }.into());
    }
    Ok(())
}

/// The key that the caller sent.
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get(API_KEY_HEADER) {
        return Some(key.as_bytes());
    }
    let (scheme, key) = headers
        .get(header::AUTHORIZATION)?
        .as_bytes()
        .split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(key)
}

/// How long the body is, by the caller's word.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_key_comes_in_one_of_two_headers() {
        let with = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            presented(&headers).map(<[u8]>::to_vec)
        };
        assert_eq!(with("x-api-key", "k").as_deref(), Some(&b"k"[..]));
        assert_eq!(with("authorization", "Bearer k").as_deref(), Some(&b"k"[..]));
        assert_eq!(with("authorization", "bearer k").as_deref(), Some(&b"k"[..]));
        assert_eq!(with("authorization", "Basic k"), None);
        assert_eq!(with("authorization", "Bear"), None);
        assert_eq!(with("cookie", "k"), None);
    }
}
