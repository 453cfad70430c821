//! What nodes have acknowledged, and whether they stand by it.
use super::{Invariant, Violation};
use icn_model::{Millis, OperationId, Time};
use icn_protocol::ledger::{FinalOperation, Ledger, OperationStatus};
use std::collections::VecDeque;

/// Acknowledgements that are compared again and again; older ones are not any more.
const KEPT: usize = 8_192;
/// An operation that was not acknowledged in this time has expired: nobody waits for it.
const PATIENCE: Millis = Millis::from_secs(900);

struct Expected {
    node: usize,
    id: OperationId,
    since: Time,
}

#[derive(Default)]
pub(super) struct Promises {
    expected: Vec<Expected>,
    kept: VecDeque<(OperationId, FinalOperation)>,
    acknowledged: u64,
}

impl Promises {
    pub(super) fn expect(&mut self, node: usize, id: OperationId, since: Time) {
        self.expected.push(Expected { node, id, since });
    }

    pub(super) const fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    pub(super) fn last(&self) -> Option<OperationId> {
        self.kept
            .iter()
            .rev()
            .find(|(_, place)| place.refusal.is_none())
            .map(|(id, _)| *id)
    }

    /// Notes which of the expected answers a node gives now.
    pub(super) fn collect(&mut self, node: usize, ledger: &Ledger, now: Time) -> Result<(), Violation> {
        let (mut waiting, own): (Vec<_>, Vec<_>) = std::mem::take(&mut self.expected)
            .into_iter()
            .partition(|expected| expected.node != node);
        for expected in own {
            match status(node, ledger, &expected.id)? {
                Some(OperationStatus::Final(place)) => {
                    self.acknowledged += 1;
                    self.kept.push_back((expected.id, place));
                    if self.kept.len() > KEPT {
                        self.kept.pop_front();
                    }
                }
                Some(OperationStatus::Dropped(_)) => {}
                _ if now.since(expected.since) > PATIENCE => {}
                // Also what a node has forgotten in a crash: another may bring it into the log.
                _ => waiting.push(expected),
            }
        }
        self.expected = waiting;
        Ok(())
    }

    /// Whoever has reached the height of an acknowledged operation says of it what was said first.
    pub(super) fn invariant_acknowledged(&self, node: usize, ledger: &Ledger) -> Result<(), Violation> {
        let reached = ledger.progress().height;
        for (id, place) in self.kept.iter().filter(|(_, place)| place.height <= reached) {
            let found = status(node, ledger, id)?;
            if found != Some(OperationStatus::Final(place.clone())) {
                let detail =
                    format!("node {node} says of operation {id} {found:?}, it was acknowledged as {place:?}");
                return Err(Violation::new(Invariant::Acknowledged, detail));
            }
        }
        Ok(())
    }
}

fn status(node: usize, ledger: &Ledger, id: &OperationId) -> Result<Option<OperationStatus>, Violation> {
    let status = ledger.status(id);
    status.map_err(|error| Violation::new(Invariant::Alive, format!("node {node}: {error}")))
}
