//! How lines are found without scanning.
use super::LineKey;
use crate::table::{DueIndex, Index};
use alloc::collections::BTreeSet;
use icn_model::{AgreementId, CreditUnit, Did, LineRecord, RoundNumber, Time};

#[derive(Default, PartialEq)]
pub(crate) struct LineIndex {
    pub(crate) due: DueIndex<LineKey>,
    /// (end, agreement, unit).
    pub(crate) by_end: BTreeSet<(Did, AgreementId, CreditUnit)>,
    /// Those with which both ends have joined a round, by the last such.
    pub(crate) joined: BTreeSet<(RoundNumber, LineKey)>,
}

/// When something happens to a line by itself.
pub(super) fn due_at(line: &LineRecord) -> Option<Time> {
    let voids = line.chains.iter().filter_map(|chain| chain.voiding);
    let former = line.former.map(|former| former.until);
    voids.map(|void| void.until).chain(former).min()
}

/// The last round that both ends have joined with a line, if it is the last that either has.
fn joined(line: &LineRecord) -> Option<RoundNumber> {
    line.joined[0].filter(|round| line.has_joined(*round))
}

impl Index<LineKey, LineRecord> for LineIndex {
    fn add(&mut self, key: &LineKey, line: &LineRecord) {
        self.due.add(due_at(line), key);
        for end in line.ends {
            self.by_end.insert((end, key.0, key.1.clone()));
        }
        if let Some(round) = joined(line) {
            self.joined.insert((round, key.clone()));
        }
    }

    fn remove(&mut self, key: &LineKey, line: &LineRecord) {
        self.due.remove(due_at(line), key);
        for end in line.ends {
            self.by_end.remove(&(end, key.0, key.1.clone()));
        }
        if let Some(round) = joined(line) {
            self.joined.remove(&(round, key.clone()));
        }
    }
}
