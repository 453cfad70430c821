//! Why a call of the client failed, with the code and remedy where the node gave them.
use crate::{Problem, sse::StreamError};
use icn_model::Cid;
use std::io;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The base URL is none.
    #[error("{url} is not the URL of a node: expected http://HOST:PORT or https://HOST")]
    Url {
        /// What was given.
        url: String,
    },
    /// There is no certificate where one should be.
    #[error("the file of certificates holds none: expected PEM, with a line BEGIN CERTIFICATE")]
    Certificates,
    /// The node cannot be reached, or did not answer in time.
    #[error("no answer from {url}")]
    NoAnswer {
        /// The node's base URL.
        url: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// The node says what is wrong.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// Something answers, but not as a node does.
    #[error("{url} answered with status {status}: {text}")]
    Status {
        /// What was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer.
        text: String,
    },
    /// The answer is not what this version of the interface says.
    #[error("the answer of {url} is not as expected: is the node of another version?")]
    Decode {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        source: serde_json::Error,
    },
    /// The answer is larger than it can be.
    #[error("the answer of {url} has more than the {max_bytes} bytes that it can have: is that a node?")]
    TooLarge {
        /// What was asked.
        url: String,
        /// The most bytes that it can have.
        max_bytes: u64,
    },
    /// A long answer broke off, or its content cannot be written.
    #[error("what {url} sends broke off, or cannot be written")]
    Copy {
        /// What was asked.
        url: String,
        /// What went wrong.
        source: io::Error,
    },
    /// The request is larger than any node takes.
    #[error("{count} operations in one request, at most {max} are allowed")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many may be.
        max: usize,
    },
    /// The node served other bytes than were asked for.
    #[error("the node's bytes for {cid} are not what it names: ask another node")]
    Corrupt {
        /// What was asked for.
        cid: Cid,
    },
    /// A transfer without a name cannot be given one, and sent without a name it could be made twice.
    #[error("the operating system gives no randomness for the name of a transfer: give it a reference")]
    Randomness(#[source] getrandom::Error),
    /// The stream of events broke off or makes no sense.
    #[error("the stream of events broke off")]
    Stream(#[source] io::Error),
    /// The stream of events makes no sense.
    #[error(transparent)]
    Event(#[from] StreamError),
}

impl ClientError {
    /// What the node says is wrong, if it says it.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// The HTTP status of an answer that was no success.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Problem(problem) => Some(problem.status),
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether nothing answers at the address.
    pub const fn is_no_answer(&self) -> bool {
        matches!(self, Self::NoAnswer { .. })
    }

    /// Whether something answers whose certificate is not to be believed.
    pub fn is_distrusted(&self) -> bool {
        match self {
            Self::NoAnswer { source, .. } => match source.as_ref() {
                ureq::Error::Rustls(_) => true,
                ureq::Error::Io(error) => error.kind() == io::ErrorKind::InvalidData,
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether the same request may well succeed in a moment.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            // Nobody listening, or no such host, does not pass in a moment; a connection cut short does.
            Self::NoAnswer { source, .. } => match source.as_ref() {
                // What TLS does not like about a node comes as invalid data.
                ureq::Error::Io(error) => !matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::InvalidData
                ),
                ureq::Error::Protocol(_) => true,
                _ => false,
            },
            Self::Problem(problem) => matches!(problem.name.as_str(), "rate-limited" | "overloaded"),
            Self::Status { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            _ => false,
        }
    }
}
