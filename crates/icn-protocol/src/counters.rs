//! What this node refused, what it saw others do wrong, and what it forgot, since it started.
use commonware_utils::sync::Mutex;
use icn_model::{EventKind, Fault, Refusal};
use std::{collections::BTreeMap, sync::Arc};

/// Counts by reason. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Counters(Arc<Mutex<Counts>>);

/// The counts at one moment.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Operations refused before they waited for a block, by the refusal's name.
    pub refused: BTreeMap<&'static str, u64>,
    /// Operations refused by a final block, by the refusal's name.
    pub refused_in_blocks: BTreeMap<&'static str, u64>,
    /// Faults of others.
    pub faults: BTreeMap<Fault, u64>,
    /// Events that are kept no longer, by kind.
    pub forgotten: BTreeMap<EventKind, u64>,
}

impl Counters {
    /// The counts now.
    pub fn get(&self) -> Counts {
        self.0.lock().clone()
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.faults(fault, 1);
    }

    pub(crate) fn faults(&self, fault: Fault, count: usize) {
        *self.0.lock().faults.entry(fault).or_default() += count as u64;
    }

    pub(crate) fn forgot(&self, kind: EventKind, count: usize) {
        *self.0.lock().forgotten.entry(kind).or_default() += count as u64;
    }

    /// Counts an operation that did not get as far as the pool.
    pub fn refused(&self, refusal: &Refusal) {
        *self.0.lock().refused.entry(refusal.code().name).or_default() += 1;
    }

    pub(crate) fn refused_in_block(&self, refusal: &Refusal) {
        *self
            .0
            .lock()
            .refused_in_blocks
            .entry(refusal.code().name)
            .or_default() += 1;
    }
}
