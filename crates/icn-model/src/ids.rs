//! Ids of operations, and of what one operation begins.
use crate::macros::content_id;

/// The id of what an operation begins: the operation's own.
macro_rules! begun_id {
    ($(#[$doc:meta])* $name:ident, $expecting:literal) => {
        content_id!($(#[$doc])* $name, $expecting);

        impl From<OperationId> for $name {
            fn from(id: OperationId) -> Self {
                Self::new(*id.digest())
            }
        }
    };
}

content_id!(
    /// Id of an operation: the hash of its canonical bytes without the signature, so that nobody can give
    /// one operation a second id.
    OperationId,
    "id of an operation"
);

begun_id!(
    /// Id of an agreement: that of the operation that proposed it.
    AgreementId,
    "id of an agreement"
);

begun_id!(
    /// Id of a job: that of the operation that submitted it.
    JobId,
    "id of a job"
);

begun_id!(
    /// Id of a proposal: that of the operation that made it.
    ProposalId,
    "id of a proposal"
);
