//! The node as an author of operations: bids won, receipts, awards, readiness.
use crate::ledger::Ledger;
use commonware_utils::sync::Mutex;
use icn_model::{
    Action, Did, Millis, Operation, OperationId, Refusal, SecretKey, Sequence, SignedOperation, Time,
};
use std::sync::Arc;

/// The node's own operations are of no use later than this.
const EXPIRY: Millis = Millis::from_secs(300);

/// How often a number that somebody else took meanwhile is replaced by a later one.
const TRIES: u32 = 4;

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
        let mut least = last.get() + 1;
        let mut tries = TRIES;
        loop {
            let sequence = Sequence::new(least.max(self.ledger.next_sequence(&key).get()));
            let operation = Operation {
                federation: self.ledger.read(icn_state::State::federation),
                author: self.did,
                key,
                sequence,
                expires: now.after(EXPIRY),
                action: action.clone(),
            };
            let operation = SignedOperation::sign(operation, &self.key);
            let id = operation.id();
            match self.ledger.submit(operation, now) {
                Ok(_) => {
                    *last = sequence;
                    return Ok(id);
                }
                // The cooperative's people sign with this key, too, and have taken the number in between.
                Err(Refusal::SequenceUsed { .. }) if tries > 0 => {
                    least = sequence.get() + 1;
                    tries -= 1;
                }
                Err(refusal) => return Err(refusal),
            }
        }
    }
}
