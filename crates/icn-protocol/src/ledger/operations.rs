//! Operations on their way into a block: handed in here, heard of from others, chosen for a proposal.
use super::{FinalOperation, Inner, Ledger, LedgerError, OperationStatus, decode};
use crate::pool::{Added, Numbers, Payer};
use icn_model::{
    Digest, Effect, Height, Millis, NamedRoot, OperationId, PublicKey, Refusal, Sequence, SignedOperation,
    Time,
    limits::{MAX_BLOCK_OPERATIONS, SEQUENCE_WINDOW},
};
use icn_state::{PlannedChange, State};
use icn_store::{Reader as _, Table};
use std::collections::{HashMap, HashSet};

impl Ledger {
    /// Takes in an operation from this node's users, whose signature has been checked.
    ///
    /// # Errors
    /// The refusal that the state has for it now.
    pub fn submit(&self, operation: SignedOperation, now: Time) -> Result<Added, Refusal> {
        let added = {
            let mut inner = self.inner.lock();
            let inner = &mut *inner;
            if inner.pool.contains(&operation.id()) {
                return Ok(Added::Known);
            }
            match inner.state.check(&operation, now) {
                // A run of numbers that begins in the window may wait as a whole.
                Err(Refusal::SequenceOutOfWindow { sequence, highest }) if sequence > highest => {
                    let key = &operation.operation().key;
                    let waiting = inner.pool.highest(key).unwrap_or(highest);
                    if sequence.get() > waiting.get().max(highest.get()) + SEQUENCE_WINDOW {
                        return Err(Refusal::SequenceOutOfWindow { sequence, highest });
                    }
                }
                checked => checked?,
            }
            let payer = payer(&inner.state, &operation);
            inner.pool.add(operation, payer, now, true)?
        };
        self.arrivals.update(|count| count + 1);
        Ok(added)
    }

    /// Takes in operations that other nodes told of, whose signatures have been checked.
    pub fn hear(&self, operations: Vec<SignedOperation>, now: Time) {
        {
            let mut inner = self.inner.lock();
            let inner = &mut *inner;
            for operation in operations {
                let (key, sequence) = (operation.operation().key, operation.operation().sequence);
                let used = sequence < inner.state.next_sequence(&key)
                    && inner.state.is_sequence_used(&key, sequence);
                if !used && operation.operation().federation == inner.state.federation() {
                    let payer = payer(&inner.state, &operation);
                    // A full share or a used number: the sender's node keeps it and tells of it again.
                    let _ = inner.pool.add(operation, payer, now, false);
                }
            }
        }
        self.arrivals.update(|count| count + 1);
    }

    /// What `effect` would change, were it carried out at `now`. Changes nothing.
    ///
    /// # Errors
    /// Why it could not be carried out.
    pub fn plan(&self, effect: &Effect, now: Time) -> Result<Vec<PlannedChange>, Refusal> {
        self.inner.lock().state.plan(effect, now)
    }

    /// Own operations that the others have not been told of.
    pub fn take_untold(&self) -> Vec<SignedOperation> {
        self.inner.lock().pool.take_untold()
    }

    /// Own operations that still wait long after the others were told of them.
    pub fn to_retell(&self, now: Time, every: Millis) -> Vec<SignedOperation> {
        self.inner.lock().pool.to_retell(now, every)
    }

    /// The next number of `key`, after those that wait.
    pub fn next_sequence(&self, key: &PublicKey) -> Sequence {
        let inner = self.inner.lock();
        let waiting = inner.pool.highest(key).map_or(0, Sequence::get);
        Sequence::new(inner.state.next_sequence(key).get().max(waiting + 1))
    }

    /// Where an operation stands; none if this node has never seen it.
    ///
    /// # Errors
    /// If the store fails.
    pub fn status(&self, id: &OperationId) -> Result<Option<OperationStatus>, LedgerError> {
        if let Some(bytes) = self.store.get(Table::Operations, id.digest().as_bytes())? {
            let place: FinalOperation = decode("an operation", &bytes)?;
            // Until the whole block is durable, its operations are not acknowledged.
            if place.height <= self.progress().height {
                return Ok(Some(OperationStatus::Final(place)));
            }
        }
        let inner = self.inner.lock();
        if let Some(refusal) = inner.dropped.get(id) {
            return Ok(Some(OperationStatus::Dropped(refusal.clone())));
        }
        Ok(inner.pool.contains(id).then_some(OperationStatus::Waiting))
    }

    /// Whether a block should be made at once.
    pub fn is_urgent(&self, used: &HashSet<OperationId>) -> bool {
        let inner = self.inner.lock();
        inner.state.change_waits() || inner.pool.has_other_than(used)
    }

    /// Operations for a block whose unfinished ancestors hold `pending`; what the state would refuse after
    /// them is left out.
    pub fn choose(&self, pending: &[SignedOperation], parent_time: Time, now: Time) -> Vec<SignedOperation> {
        let mut inner = self.inner.lock();
        let inner = &mut *inner;
        let used: HashSet<_> = pending.iter().map(SignedOperation::id).collect();
        let numbers = OnTheWay::new(&inner.state, pending);
        let chosen = inner.pool.choose(&used, &numbers, now);
        let verdicts = inner.state.preview(pending, &chosen, parent_time);
        let mut kept = Vec::with_capacity(chosen.len().min(MAX_BLOCK_OPERATIONS));
        for (operation, verdict) in chosen.into_iter().zip(verdicts) {
            match verdict {
                Ok(()) => kept.push(operation),
                Err(refusal) => inner.give_up(&operation.id(), refusal),
            }
        }
        kept
    }

    /// The newest outcome root, and the state's Merkle root where one is fixed.
    pub fn executed_root(&self) -> (NamedRoot, Option<(Height, Digest)>) {
        let inner = self.inner.lock();
        (
            NamedRoot {
                height: inner.state.height(),
                root: inner.state.root(),
            },
            inner.state.checkpoint(),
        )
    }
}

impl Inner {
    fn give_up(&mut self, id: &OperationId, refusal: Refusal) {
        self.pool.remove(id);
        // Bounded by what the pool can hold.
        if self.dropped.len() >= MAX_BLOCK_OPERATIONS {
            self.dropped.clear();
        }
        self.dropped.insert(*id, refusal);
    }
}

/// A key's highest number, counting blocks that are on their way.
struct OnTheWay<'a> {
    state: &'a State,
    highest: HashMap<PublicKey, Sequence>,
}

impl<'a> OnTheWay<'a> {
    fn new(state: &'a State, pending: &[SignedOperation]) -> Self {
        let mut highest = HashMap::new();
        for operation in pending {
            let own = highest.entry(operation.operation().key).or_insert(Sequence::ZERO);
            *own = (*own).max(operation.operation().sequence);
        }
        Self { state, highest }
    }
}

impl Numbers for OnTheWay<'_> {
    fn highest(&self, key: &PublicKey) -> Sequence {
        let used = Sequence::new(self.state.next_sequence(key).get() - 1);
        self.highest.get(key).copied().unwrap_or(Sequence::ZERO).max(used)
    }
}

fn payer(state: &State, operation: &SignedOperation) -> Payer {
    state
        .cooperative_of(&operation.operation().author)
        .map_or(Payer::Stranger, Payer::Cooperative)
}
