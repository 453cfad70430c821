//! How agreements are found without scanning.
use super::deadline::due_at;
use crate::{
    index::Counts,
    table::{DueIndex, Index},
};
use alloc::collections::BTreeSet;
use icn_model::{AgreementId, AgreementRecord, AgreementState, Did, Time};

#[derive(Default, PartialEq)]
pub(crate) struct AgreementIndex {
    pub(crate) due: DueIndex<AgreementId>,
    /// (party, agreement), witnesses included.
    pub(crate) by_party: BTreeSet<(Did, AgreementId)>,
    /// Of those that have not ended, or on whose lines something is owed, how many each has proposed.
    pub(crate) open: Counts<Did>,
    /// How many there are in each state.
    pub(crate) by_state: Counts<AgreementState>,
    /// (when, agreement) of those that have ended, and can be forgotten.
    pub(crate) ended: BTreeSet<(Time, AgreementId)>,
    /// Those with a claim of breach.
    pub(crate) claimed: BTreeSet<AgreementId>,
}

impl Index<AgreementId, AgreementRecord> for AgreementIndex {
    fn add(&mut self, id: &AgreementId, record: &AgreementRecord) {
        self.due.add(due_at(record), id);
        for party in record.parties() {
            self.by_party.insert((party, *id));
        }
        self.by_state.add(record.state);
        if record.has_ended() && !record.owing {
            self.ended.insert((record.since, *id));
            return;
        }
        self.open.add(record.proposer);
        if record.breach.is_some() {
            self.claimed.insert(*id);
        }
    }

    fn remove(&mut self, id: &AgreementId, record: &AgreementRecord) {
        self.due.remove(due_at(record), id);
        for party in record.parties() {
            self.by_party.remove(&(party, *id));
        }
        self.by_state.remove(&record.state);
        if record.has_ended() && !record.owing {
            self.ended.remove(&(record.since, *id));
            return;
        }
        self.open.remove(&record.proposer);
        self.claimed.remove(id);
    }
}
