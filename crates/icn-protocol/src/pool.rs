//! Operations that wait for a block.
//!
//! The pool is bounded, and each cooperative has its share of it and of every block, so that one that
//! floods holds up only itself. It keeps nothing over a restart: an author's node keeps what is its own
//! and hands it in again.
use icn_model::{
    Did, Millis, OperationId, PublicKey, Refusal, Sequence, SignedOperation, Time,
    limits::{MAX_BLOCK_OPERATIONS, MAX_LOG_BLOCK_BYTES, SEQUENCE_WINDOW},
};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Operations of one cooperative that wait at once, its members' included.
pub const MAX_PER_COOPERATIVE: usize = 16_384;
/// Operations of everybody whom the federation does not know: applicants.
pub const MAX_OF_STRANGERS: usize = 256;
/// Bytes of operations in one block; the rest is header.
const MAX_OPERATION_BYTES_IN_BLOCK: usize = MAX_LOG_BLOCK_BYTES - 4_096;
/// An operation after a gap in its key's numbers waits this long for the missing one.
const GAP_PATIENCE: Millis = Millis::new(2_000);

/// Who pays for an operation's place: a cooperative, or nobody that the federation knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payer {
    /// A cooperative, for itself or a member of it.
    Cooperative(Did),
    /// An applicant.
    Stranger,
}

impl Payer {
    const fn share(self) -> usize {
        match self {
            Self::Cooperative(_) => MAX_PER_COOPERATIVE,
            Self::Stranger => MAX_OF_STRANGERS,
        }
    }
}

/// What became of an operation that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It waits now.
    New,
    /// It waits already.
    Known,
}

#[derive(Debug)]
struct Entry {
    operation: SignedOperation,
    arrived: Time,
    /// Handed in here, so it is this node's task to tell the others, again and again.
    own: bool,
    told: Time,
}

#[derive(Debug, Default)]
struct Queue {
    by_key: BTreeMap<PublicKey, BTreeMap<Sequence, Entry>>,
    /// Keys with something waiting, by turns.
    turns: VecDeque<PublicKey>,
    len: usize,
}

/// The operations that wait.
#[derive(Debug, Default)]
pub struct Pool {
    queues: BTreeMap<Payer, Queue>,
    places: HashMap<OperationId, (Payer, PublicKey, Sequence)>,
    /// Own operations that nobody has been told of.
    untold: Vec<OperationId>,
}

/// What the log has used of a key's numbers, as far as the proposer knows.
pub trait Numbers {
    /// The highest number used, in the state and in blocks that are on the way.
    fn highest(&self, key: &PublicKey) -> Sequence;
}

impl Pool {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether this one waits.
    pub fn contains(&self, id: &OperationId) -> bool {
        self.places.contains_key(id)
    }

    /// The highest number of `key` that waits.
    pub fn highest(&self, key: &PublicKey) -> Option<Sequence> {
        let numbers = |queue: &Queue| {
            queue
                .by_key
                .get(key)
                .and_then(|own| own.keys().next_back().copied())
        };
        self.queues.values().filter_map(numbers).max()
    }

    /// Takes in an operation whose signature has been checked.
    ///
    /// # Errors
    /// [`Refusal::SequenceUsed`] if another operation of the key waits with its number, and
    /// [`Refusal::TooLarge`] if the payer's share is full.
    pub fn add(
        &mut self,
        operation: SignedOperation,
        payer: Payer,
        now: Time,
        own: bool,
    ) -> Result<Added, Refusal> {
        let id = operation.id();
        if let Some((payer, key, sequence)) = self.places.get(&id) {
            let queue = self
                .queues
                .get_mut(payer)
                .and_then(|queue| queue.by_key.get_mut(key));
            if let Some(entry) = queue.and_then(|own| own.get_mut(sequence)) {
                entry.own |= own;
            }
            return Ok(Added::Known);
        }
        let (key, sequence) = (operation.operation().key, operation.operation().sequence);
        let queue = self.queues.entry(payer).or_default();
        if queue.len >= payer.share() {
            let (value, max) = (queue.len as u64 + 1, payer.share() as u64);
            return Err(Refusal::TooLarge {
                what: "number of the cooperative's waiting operations".into(),
                value,
                max,
            });
        }
        let numbers = queue.by_key.entry(key).or_default();
        if numbers.contains_key(&sequence) {
            return Err(Refusal::SequenceUsed { sequence });
        }
        if numbers.is_empty() {
            queue.turns.push_back(key);
        }
        numbers.insert(
            sequence,
            Entry {
                operation,
                arrived: now,
                own,
                told: now,
            },
        );
        queue.len += 1;
        if own {
            self.untold.push(id);
        }
        self.places.insert(id, (payer, key, sequence));
        Ok(Added::New)
    }

    /// Drops an operation, whatever became of it.
    pub fn remove(&mut self, id: &OperationId) -> Option<SignedOperation> {
        let (payer, key, sequence) = self.places.remove(id)?;
        let queue = self.queues.get_mut(&payer)?;
        let numbers = queue.by_key.get_mut(&key)?;
        let entry = numbers.remove(&sequence)?;
        queue.len -= 1;
        if numbers.is_empty() {
            queue.by_key.remove(&key);
            queue.turns.retain(|other| *other != key);
        }
        if queue.len == 0 {
            self.queues.remove(&payer);
        }
        Some(entry.operation)
    }

    /// Drops what has expired by block time, and says what that was.
    pub fn expire(&mut self, now: Time) -> Vec<SignedOperation> {
        let entries = self
            .queues
            .values()
            .flat_map(|queue| queue.by_key.values().flat_map(BTreeMap::values));
        let expired: Vec<_> = entries
            .filter(|entry| entry.operation.operation().expires <= now)
            .map(|entry| entry.operation.id())
            .collect();
        expired.iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Own operations that the others have not been told of.
    pub fn take_untold(&mut self) -> Vec<SignedOperation> {
        let untold = std::mem::take(&mut self.untold);
        untold.iter().filter_map(|id| self.get(id)).cloned().collect()
    }

    /// Own operations that the others were told of last longer ago than `every`; they count as told now.
    pub fn to_retell(&mut self, now: Time, every: Millis) -> Vec<SignedOperation> {
        let entries = self
            .queues
            .values_mut()
            .flat_map(|queue| queue.by_key.values_mut().flat_map(BTreeMap::values_mut));
        entries
            .filter(|entry| entry.own && now.since(entry.told) >= every)
            .map(|entry| {
                entry.told = now;
                entry.operation.clone()
            })
            .collect()
    }

    fn get(&self, id: &OperationId) -> Option<&SignedOperation> {
        let (payer, key, sequence) = self.places.get(id)?;
        let entry = self.queues.get(payer)?.by_key.get(key)?.get(sequence)?;
        Some(&entry.operation)
    }

    /// Whether there is anything for the next block but `used`.
    pub fn has_other_than(&self, used: &HashSet<OperationId>) -> bool {
        self.places.len() > used.len() || self.places.keys().any(|id| !used.contains(id))
    }

    /// Chooses operations for a block: cooperatives take turns, so do the keys of each, and each key's go in
    /// the order of their numbers. What is in `used` is on its way already.
    pub fn choose(
        &self,
        used: &HashSet<OperationId>,
        numbers: &impl Numbers,
        now: Time,
    ) -> Vec<SignedOperation> {
        let mut lines: VecDeque<VecDeque<Line<'_>>> = self
            .queues
            .values()
            .map(|queue| {
                let line = |key| Line::new(&queue.by_key[key], numbers.highest(key));
                queue.turns.iter().map(line).collect::<VecDeque<_>>()
            })
            .collect();
        let (mut chosen, mut bytes) = (Vec::new(), 0);
        while let Some(mut keys) = lines.pop_front() {
            let Some(mut line) = keys.pop_front() else {
                continue;
            };
            match line.next(used, now) {
                Some(operation) => {
                    bytes += operation.encoded_len();
                    if chosen.len() >= MAX_BLOCK_OPERATIONS || bytes > MAX_OPERATION_BYTES_IN_BLOCK {
                        break;
                    }
                    chosen.push(operation.clone());
                    keys.push_back(line);
                    lines.push_back(keys);
                }
                // This key has nothing more: the cooperative's next key goes on, in its turn.
                None => lines.push_back(keys),
            }
        }
        chosen
    }
}

/// One key's operations in the order of their numbers.
struct Line<'a> {
    entries: std::collections::btree_map::Values<'a, Sequence, Entry>,
    highest: Sequence,
}

impl<'a> Line<'a> {
    fn new(entries: &'a BTreeMap<Sequence, Entry>, highest: Sequence) -> Self {
        Self {
            entries: entries.values(),
            highest,
        }
    }

    /// The next one that fits into the key's window. One that would push a missing number out of the
    /// window waits for it for a while: it may just be slower on its way here.
    fn next(&mut self, used: &HashSet<OperationId>, now: Time) -> Option<&'a SignedOperation> {
        loop {
            let entry = self.entries.next()?;
            let number = entry.operation.operation().sequence;
            let step = number.get().saturating_sub(self.highest.get());
            let jumps = step > SEQUENCE_WINDOW / 2 && now.since(entry.arrived) < GAP_PATIENCE;
            if used.contains(&entry.operation.id()) {
                continue;
            }
            if step > SEQUENCE_WINDOW || jumps {
                return None;
            }
            self.highest = self.highest.max(number);
            return Some(&entry.operation);
        }
    }
}
