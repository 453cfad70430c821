//! How JSON looks that is written and read by hand.
use icn_model::{BlockHeader, Operation, OperationId, Signature};
use utoipa::ToSchema;

/// How a signed operation looks in JSON; `icn_model::SignedOperation` writes and reads it by hand.
#[derive(ToSchema)]
#[schema(as = SignedOperation)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct SignedOperationSchema {
    /// The operation's id. Optional when handing in: the true id follows from the operation.
    id: Option<OperationId>,
    /// What was signed.
    operation: Operation,
    /// Over the operation's canonical bytes.
    signature: Signature,
}

/// A block of the log in JSON.
#[derive(ToSchema)]
#[schema(as = Block)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct BlockSchema {
    /// Everything but the operations.
    header: BlockHeader,
    /// In order.
    operations: Vec<SignedOperationSchema>,
}

/// One signed operation, or several in the order of their numbers.
#[derive(ToSchema)]
#[schema(as = Submit)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum SubmitSchema {
    /// At most 1,000.
    Many(Vec<SignedOperationSchema>),
    /// One.
    One(Box<SignedOperationSchema>),
}
