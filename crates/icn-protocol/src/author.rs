//! The node as an author of operations: bids won, receipts, awards, readiness.
use crate::ledger::Ledger;
use commonware_utils::sync::Mutex;
use icn_model::{
    Action, Did, Millis, Operation, OperationId, Refusal, SecretKey, Sequence, SignedOperation, Time,
};
use std::sync::Arc;

/// The node's own operations are of no use later than this.
const EXPIRY: Millis = Millis::from_secs(300);

/// Signs and hands in what the node itself has to say. Cheap to clone.
#[derive(Clone)]
pub struct Author {
    did: Did,
    key: SecretKey,
    ledger: Ledger,
    /// The last number given out: numbers in flight are in no state yet.
    last: Arc<Mutex<Sequence>>,
}

impl Author {
    /// For the cooperative or witness `did`, whose seat key is `key`.
    pub fn new(did: Did, key: SecretKey, ledger: Ledger) -> Self {
        Self {
            did,
            key,
            ledger,
            last: Arc::default(),
        }
    }

    /// Who it is.
    pub const fn did(&self) -> Did {
        self.did
    }

    /// The seat key.
    pub const fn key(&self) -> &SecretKey {
        &self.key
    }

    /// Signs `action` and hands it in.
    ///
    /// # Errors
    /// The refusal that the state has for it now.
    pub fn act(&self, action: Action, now: Time) -> Result<OperationId, Refusal> {
        let key = self.key.public();
        let mut last = self.last.lock();
        let sequence = Sequence::new((last.get() + 1).max(self.ledger.next_sequence(&key).get()));
        let operation = Operation {
            federation: self.ledger.read(icn_state::State::federation),
            author: self.did,
            key,
            sequence,
            expires: now.after(EXPIRY),
            action,
        };
        let operation = SignedOperation::sign(operation, &self.key);
        let id = operation.id();
        self.ledger.submit(operation, now)?;
        *last = sequence;
        Ok(id)
    }
}
