//! Why a heartbeat does not count: one list for answers, metrics and the log.
use icn_api::presence::MAX_HEARTBEAT_BYTES;

/// Why a heartbeat does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub(crate) enum Dropped {
    /// Its subject does not end with a slug.
    #[error("the subject does not end with a slug")]
    Subject,
    /// It has more than [`MAX_HEARTBEAT_BYTES`].
    #[error("a heartbeat has at most {MAX_HEARTBEAT_BYTES} bytes")]
    TooLarge,
    /// It is no JSON, or not of a heartbeat.
    #[error("no heartbeat: JSON with project_slug and status is needed")]
    Malformed,
    /// It says another slug than its subject or path.
    #[error("the heartbeat is of another project than it was sent for")]
    Mismatch,
    /// There is no such project.
    #[error("no such project is registered")]
    Unknown,
    /// It was there before, or a later one was.
    #[error("its sequence is not above that of the last one of the same boot_id")]
    Replayed,
    /// The project has a key, and the heartbeat is not signed with it, or does not say its number.
    #[error("the project has a key: a signature by it is needed, with boot_id and sequence")]
    Unsigned,
}

impl Dropped {
    /// Every reason.
    pub(crate) const ALL: [Self; 7] = [
        Self::Subject,
        Self::TooLarge,
        Self::Malformed,
        Self::Mismatch,
        Self::Unknown,
        Self::Replayed,
        Self::Unsigned,
    ];

    /// As a label of a metric.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Mismatch => "mismatch",
            Self::Unknown => "unknown",
            Self::Replayed => "replayed",
            Self::Unsigned => "unsigned",
        }
    }
}
