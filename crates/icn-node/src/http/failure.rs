//! What of the node's own errors a caller learns: a failure of the interface, and what the parts of the node come to as
//! one.
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use icn_api::{ApiError, Problem, operations::RefusalReport};
use icn_protocol::{exchange::FetchError, ledger::LedgerError};
use icn_serve::http;
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

/// Why a request is not done. A type of the node's own, so that errors of its parts become one by themselves.
#[derive(Debug)]
pub(super) struct Failure(http::Failure);

impl Failure {
    /// A fault of the node: `error` goes to the log, the caller gets its correlation id.
    pub(super) fn internal(error: impl Display) -> Self {
        Self(http::Failure::internal(error))
    }

    /// A part of the request that is not what the route takes.
    pub(super) fn bad(field: impl Into<String>, detail: impl Display) -> Self {
        Self(http::Failure::bad(field, detail))
    }

    /// The same, with the time after which to come again.
    pub(super) fn after(self, seconds: u64) -> Self {
        Self(self.0.after(seconds))
    }

    /// What the log would refuse, if it were asked.
    pub(super) fn would_be_refused(report: &RefusalReport) -> Self {
        Self(Problem::from(report).into())
    }

    /// An operation that was handed in alone and refused.
    pub(super) fn refused(report: &RefusalReport) -> Self {
        let mut problem = Problem::from(report);
        if CONFLICTS.contains(&report.name.as_str()) {
            problem.status = StatusCode::CONFLICT.as_u16();
        }
        Self(problem.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<http::Failure> for Failure {
    fn from(failure: http::Failure) -> Self {
        Self(failure)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error.into())
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
        Self(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_api::codes;
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
}
