//! What a failed command prints, and its exit code.
use crate::output::Output;
use icn_api::{Problem, client::ClientError, operations::RefusalReport};
use serde_json::json;
use std::{io, process::ExitCode};

/// The command was understood, but not done.
const FAILED: u8 = 1;
/// The command was not understood.
const USAGE: u8 = 2;

/// The command makes no sense as it stands.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Usage {
    message: String,
}

impl Usage {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// The log did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("refused: {}", .0.detail)]
pub(crate) struct Refused(pub(crate) RefusalReport);

/// A failure whose findings have been printed already.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Found(pub(crate) String);

/// Prints the error, its causes and the way out; gives the exit code.
pub(crate) fn report(error: &anyhow::Error, output: &Output) -> ExitCode {
    if is_closed_pipe(error) {
        // Whoever read the output has had enough; that is their success.
        return ExitCode::SUCCESS;
    }
    let problem = problem(error);
    if output.is_json() {
        let data = match &problem {
            Some(problem) => json!({ "error": problem }),
            None => json!({ "error": { "detail": format!("{error:#}") } }),
        };
        output.insist(data.to_string());
    } else {
        output.insist(format!("error: {error:#}"));
        if let Some(problem) = problem {
            output.insist(format!(
                "  code: {} {} (icn-cli explain {})",
                problem.code, problem.name, problem.code
            ));
            output.insist(format!("  remedy: {}", problem.remedy));
            if let Some(id) = &problem.correlation_id {
                output.insist(format!("  in the node's log: {id}"));
            }
        } else if let Some(remedy) = remedy(error) {
            output.insist(format!("  remedy: {remedy}"));
        }
    }
    ExitCode::from(if error.is::<Usage>() { USAGE } else { FAILED })
}

fn problem(error: &anyhow::Error) -> Option<Problem> {
    error.chain().find_map(|cause| {
        if let Some(Refused(report)) = cause.downcast_ref() {
            return Some(Problem::from(report));
        }
        cause
            .downcast_ref::<ClientError>()
            .and_then(ClientError::problem)
            .cloned()
    })
}

fn remedy(error: &anyhow::Error) -> Option<&'static str> {
    let distrusted = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<ClientError>()
            .is_some_and(ClientError::is_distrusted)
    };
    if error.chain().any(distrusted) {
        return Some(
            "name the certificate of whoever signed the node's with --ca-cert or ICN_CA_CERT, and the node by a name \
             that its certificate has; a node without a certificate speaks http://",
        );
    }
    let unreachable = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<ClientError>()
            .is_some_and(ClientError::is_no_answer)
    };
    error
        .chain()
        .any(unreachable)
        .then_some("start the node (icn-node), or say where it is with --api-url or ICN_API_URL; icn-cli doctor looks closer")
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;
    use icn_model::{Mana, Refusal};

    #[test]
    fn refusals_keep_their_code_under_context() {
        let refusal = Refusal::InsufficientMana {
            available: Mana::ZERO,
            needed: Mana::from_whole(1),
        };
        let error = Err::<(), _>(Refused(refusal.into()))
            .context("cannot submit the job")
            .unwrap_err();
        assert_eq!(problem(&error).unwrap().code, 401);
        assert!(format!("{error:#}").contains("1.000 mana needed"));
        assert!(problem(&anyhow::anyhow!("other")).is_none());
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("printing");
        assert!(is_closed_pipe(&error));
        assert!(!is_closed_pipe(&anyhow::anyhow!("other")));
    }
}
