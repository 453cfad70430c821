//! Failures on their way to the caller: each becomes a problem document with a stable code.
//!
//! What is the server's own fault is logged here with its cause; the caller learns the code and the correlation
//! id under which the log has it.
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use icn_api::{ApiError, PROBLEM_JSON, Problem};
use std::fmt::Display;

/// Why a request is not done.
#[derive(Debug)]
pub struct Failure(Box<Problem>, Option<u64>);

impl Failure {
    /// A fault of the server: `error` goes to the log, the caller gets its correlation id.
    pub fn internal(error: impl Display) -> Self {
        tracing::error!(%error, "cannot answer a request");
        ApiError::Internal {}.into()
    }

    /// A part of the request that is not what the route takes.
    pub fn bad(field: impl Into<String>, detail: impl Display) -> Self {
        ApiError::BadRequest {
            field: field.into(),
            detail: detail.to_string(),
        }
        .into()
    }

    /// The same, with the time after which to come again.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.1 = Some(seconds);
        self
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem), None)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Problem::from(&error).into()
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(error)
    }
}

/// The body is written by [`write`], which is given the correlation id.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        // Statuses of the contract are valid ones; a test of the contract's table would not let others pass.
        *response.status_mut() =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Some(seconds) = self.1 {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(Unwritten(self.0));
        response
    }
}

/// A problem whose document is not written yet.
#[derive(Clone)]
struct Unwritten(Box<Problem>);

/// The name of a failure whose document is not written yet.
pub fn name(response: &Response) -> Option<String> {
    let Unwritten(problem) = response.extensions().get()?;
    Some(problem.name.clone())
}

/// Writes the document of a failure, if `response` is one.
pub fn write(mut response: Response, correlation_id: &str) -> Response {
    let Some(Unwritten(problem)) = response.extensions_mut().remove::<Unwritten>() else {
        return response;
    };
    let problem = problem.correlated(correlation_id);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    match problem.status {
        401 => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        503 => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    match serde_json::to_vec(&problem) {
        Ok(body) => *response.body_mut() = body.into(),
        Err(error) => tracing::error!(%error, "a problem document cannot be written"),
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_api::ErrorKind;

    #[tokio::test]
    async fn a_failure_is_a_problem_document() {
        for kind in ErrorKind::ALL {
            assert!(StatusCode::from_u16(kind.status()).is_ok());
        }
        let response = write(Failure::bad("query", "no such thing").into_response(), "c-7");
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()["content-type"], PROBLEM_JSON);
        let body = axum::body::to_bytes(response.into_body(), 4_096).await.unwrap();
        let problem: Problem = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (problem.code, problem.correlation_id.as_deref()),
            (904, Some("c-7"))
        );
        assert_eq!(problem.detail, "query: no such thing");
    }
}
