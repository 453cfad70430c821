//! Ids of operations, and of what one operation begins.
use crate::macros::content_id;

content_id!(
    /// Id of an operation: the hash of its canonical bytes without the signature, so that nobody can give
    /// one operation a second id.
    OperationId,
    "id of an operation"
);

content_id!(
    /// Id of an agreement: that of the operation that proposed it.
    AgreementId,
    "id of an agreement"
);

impl From<OperationId> for AgreementId {
    fn from(id: OperationId) -> Self {
        Self::new(*id.digest())
    }
}

content_id!(
    /// Id of a job: that of the operation that submitted it.
    JobId,
    "id of a job"
);

impl From<OperationId> for JobId {
    fn from(id: OperationId) -> Self {
        Self::new(*id.digest())
    }
}

content_id!(
    /// Id of a proposal: that of the operation that made it.
    ProposalId,
    "id of a proposal"
);

impl From<OperationId> for ProposalId {
    fn from(id: OperationId) -> Self {
        Self::new(*id.digest())
    }
}
