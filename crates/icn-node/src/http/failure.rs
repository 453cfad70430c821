//! Failures on their way to the caller: each becomes a problem document with a stable code.
//!
//! What is the node's own fault is logged here with its cause; the caller learns the code and the correlation
//! id under which the log has it.
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use icn_api::{ApiError, PROBLEM_JSON, Problem, operations::RefusalReport};
use icn_protocol::{exchange::FetchError, ledger::LedgerError};
use icn_store::{BlockError, OverQuota, StoreError};
use std::fmt::Display;

/// Names of refusals that say that something is there already or decided: another request has won, or this
/// one has been done before. They are answered with 409, all others with 422.
const CONFLICTS: [&str; 13] = [
    "sequence-used",
    "invitation-used",
    "already-known",
    "key-in-use",
    "already-approved",
    "wrong-state",
    "wrong-attempt",
    "wrong-phase",
    "vote-is-final",
    "already-said",
    "contract-known",
    "wrong-agreement-state",
    "wrong-revision",
];

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct Failure(Box<Problem>, Option<u64>);

impl Failure {
    /// A fault of the node: `error` goes to the log, the caller gets its correlation id.
    pub(super) fn internal(error: impl Display) -> Self {
        tracing::error!(%error, "cannot answer a request");
        ApiError::Internal {}.into()
    }

    /// A part of the request that is not what the route takes.
    pub(super) fn bad(field: impl Into<String>, detail: impl Display) -> Self {
        ApiError::BadRequest {
            field: field.into(),
            detail: detail.to_string(),
        }
        .into()
    }

    /// The same, with the time after which to come again.
    pub(super) fn after(mut self, seconds: u64) -> Self {
        self.1 = Some(seconds);
        self
    }

    /// What the log would refuse, if it were asked.
    pub(super) fn would_be_refused(report: &RefusalReport) -> Self {
        Self(Box::new(Problem::from(report)), None)
    }

    /// An operation that was handed in alone and refused.
    pub(super) fn refused(report: &RefusalReport) -> Self {
        let mut failure = Self::would_be_refused(report);
        if CONFLICTS.contains(&report.name.as_str()) {
            failure.0.status = StatusCode::CONFLICT.as_u16();
        }
        failure
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(Box::new(Problem::from(&error)), None)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Poisoned { .. } => ApiError::NotReady {
                reason: error.to_string(),
            }
            .into(),
            other => Self::internal(other),
        }
    }
}

impl From<BlockError> for Failure {
    fn from(error: BlockError) -> Self {
        match error {
            BlockError::Store(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<OverQuota> for Failure {
    fn from(over: OverQuota) -> Self {
        ApiError::OverQuota {
            wanted_bytes: over.wanted_bytes,
            used_bytes: over.used_bytes,
            quota_bytes: over.quota_bytes,
        }
        .into()
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Absent(cid) => ApiError::BlockNotFound { cid }.into(),
            FetchError::NotAFile { cid, .. } => ApiError::NotAFile { cid }.into(),
            FetchError::Store(error) => error.into(),
            FetchError::Closed => ApiError::NotReady {
                reason: error.to_string(),
            }
            .into(),
            other @ FetchError::TooLarge { .. } => Self::internal(other),
        }
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(error)
    }
}

/// The body is written by [`super::around`], which knows the correlation id.
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
pub(super) fn name(response: &Response) -> Option<String> {
    let Unwritten(problem) = response.extensions().get()?;
    Some(problem.name.clone())
}

/// Writes the document of a failure, if `response` is one.
pub(super) fn write(mut response: Response, correlation_id: &str) -> Response {
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
    use icn_api::{ErrorKind, codes};
    use icn_model::{Refusal, Sequence};

    #[test]
    fn conflicts_are_codes_of_the_log() {
        for name in CONFLICTS {
            let code = codes().find(|code| code.name == name).expect(name);
            assert!(!(900..1_000).contains(&code.number), "{name} is the log's");
        }
    }

    #[test]
    fn refusals_have_their_status() {
        let status = |refusal: Refusal| {
            Failure::refused(&refusal.into())
                .into_response()
                .status()
                .as_u16()
        };
        assert_eq!(
            status(Refusal::SequenceUsed {
                sequence: Sequence::new(1)
            }),
            409
        );
        assert_eq!(status(Refusal::ZeroAmount {}), 422);
    }

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
