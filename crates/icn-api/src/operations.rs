//! Operations: handing them in, and what became of them.
//!
//! An operation's id is the hash of what was signed, so handing one in twice is handing it in once: there is
//! no need for an idempotency key, and a client may repeat a request whose answer it did not get.
use crate::Problem;
use icn_model::{Cid, Height, OperationId, PublicKey, Refusal, Sequence, SignedOperation, Time};
use serde::{Deserialize, Serialize};

/// Query of [`crate::paths::OPERATION_NEXT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct NextQuery {
    /// The key that will sign.
    pub key: PublicKey,
}

/// What a client needs to build an operation, besides what is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct NextOperation {
    /// The federation to name.
    pub federation: Cid,
    /// The key's next free number, after what is waiting; more may follow it one by one.
    pub sequence: Sequence,
    /// Time of the last final block: expiry is counted from here.
    pub time: Time,
    /// Height of that block.
    pub height: Height,
}

/// Query of [`crate::paths::OPERATIONS`] and [`crate::paths::OPERATION`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// How long to wait until the operation is final: 0 does not wait, at most 60,000. When handing in,
    /// the default is 5,000; when asking, 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// Body of a `POST` to [`crate::paths::OPERATIONS`]: one operation, or several in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Submit {
    /// Several, at most [`crate::MAX_OPERATIONS`].
    Many(Vec<SignedOperation>),
    /// One.
    One(Box<SignedOperation>),
}

impl Submit {
    /// The operations.
    pub fn into_operations(self) -> Vec<SignedOperation> {
        match self {
            Self::Many(operations) => operations,
            Self::One(operation) => vec![*operation],
        }
    }
}

/// Where each of the operations that were handed in stands, in their order. The status is 200 when each is
/// final or refused, 202 when some still wait; ask for those at [`crate::paths::OPERATION`]. One operation that
/// is sent alone, and not in an array, and is refused, is answered with 422 and a [`Problem`] instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Submitted {
    /// One for each operation.
    pub operations: Vec<OperationStatus>,
}

impl Submitted {
    /// Whether each is final or refused.
    pub fn is_final(&self) -> bool {
        self.operations.iter().all(|status| status.state.is_final())
    }
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OperationStatus {
    /// Its id.
    pub id: OperationId,
    /// Where it stands.
    pub state: OperationState,
}

/// Where an operation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OperationState {
    /// In no final block yet.
    Waiting {},
    /// Done: in a final block, with its effects durable on the node that answers.
    Done {
        /// The block.
        height: Height,
        /// Its place in the block, from 0.
        index: u32,
    },
    /// Not done, and it will not be.
    Refused {
        /// The block that has it; none if it never came into one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        height: Option<Height>,
        /// Why.
        refusal: RefusalReport,
    },
}

impl OperationState {
    /// Whether it stays like this.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Waiting {})
    }
}

/// A refusal with what people need to know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RefusalReport {
    /// The stable number.
    pub code: u16,
    /// The stable name.
    pub name: String,
    /// What happened this time.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
    /// The refusal as the log has it.
    pub reason: Refusal,
}

impl From<Refusal> for RefusalReport {
    fn from(reason: Refusal) -> Self {
        let code = reason.code();
        Self {
            code: code.number,
            name: code.name.to_owned(),
            detail: reason.to_string(),
            remedy: code.remedy.to_owned(),
            reason,
        }
    }
}

/// For an interface that answers for one operation only.
impl From<&RefusalReport> for Problem {
    fn from(report: &RefusalReport) -> Self {
        Self::new(report.reason.code(), 422, &report.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{Action, Did, Operation, SecretKey};

    fn signed() -> SignedOperation {
        let key = SecretKey::from_seed(&[7; 32]);
        let operation = Operation {
            federation: Cid::of_raw(b"a federation"),
            author: Did::new(key.public()),
            key: key.public(),
            sequence: Sequence::new(1),
            expires: Time::new(1_000),
            action: Action::Ready {},
        };
        SignedOperation::sign(operation, &key)
    }

    #[test]
    fn one_or_many_operations_are_read() {
        let one = serde_json::to_string(&signed()).unwrap();
        let many = format!("[{one},{one}]");
        let read = |text: &str| serde_json::from_str::<Submit>(text).map(Submit::into_operations);
        assert_eq!(read(&one).unwrap(), [signed()]);
        assert_eq!(read(&many).unwrap(), [signed(), signed()]);
        assert!(read("{\"operation\": 1}").is_err());
        assert!(read("[]").unwrap().is_empty());
    }

    #[test]
    fn states_have_these_words() {
        let done = OperationState::Done {
            height: Height::new(4),
            index: 0,
        };
        assert_eq!(
            serde_json::to_string(&done).unwrap(),
            r#"{"done":{"height":4,"index":0}}"#
        );
        assert_eq!(
            serde_json::to_string(&OperationState::Waiting {}).unwrap(),
            r#"{"waiting":{}}"#
        );
        assert!(done.is_final() && !OperationState::Waiting {}.is_final());
        let refused = OperationState::Refused {
            height: None,
            refusal: Refusal::ZeroAmount {}.into(),
        };
        let json = serde_json::to_value(&refused).unwrap();
        assert_eq!(json["refused"]["refusal"]["code"], 404);
        assert_eq!(serde_json::from_value::<OperationState>(json).unwrap(), refused);
    }
}
