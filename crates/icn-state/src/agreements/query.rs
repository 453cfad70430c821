//! What can be asked of agreements.
use super::deadline::due_at;
use crate::state::State;
use icn_model::{AgreementEntry, AgreementId, AgreementRecord, AgreementState, Did, Digest, Sequence, Time};

impl State {
    /// An agreement.
    pub fn agreement(&self, id: &AgreementId) -> Option<&AgreementRecord> {
        self.tables.agreements.get(id)
    }

    /// Every agreement, in the order of their ids.
    pub fn agreements(&self) -> impl DoubleEndedIterator<Item = (&AgreementId, &AgreementRecord)> {
        self.tables.agreements.iter()
    }

    /// The agreements of a party, witnesses included, in the order of their ids.
    pub fn agreements_of(&self, party: &Did) -> impl Iterator<Item = (&AgreementId, &AgreementRecord)> {
        let party = *party;
        let from = (party, AgreementId::new(Digest::ZERO));
        let of = self.tables.agreements.index().by_party.range(from..);
        of.take_while(move |(did, _)| *did == party)
            .filter_map(|(_, id)| Some((id, self.tables.agreements.get(id)?)))
    }

    /// The history of an agreement, from entry `after` on, oldest first.
    pub fn agreement_history(&self, id: &AgreementId, after: u64) -> impl Iterator<Item = &AgreementEntry> {
        let after = (after > 0).then(|| Sequence::new(after));
        self.tables
            .agreement_entries
            .of_after(id, after)
            .map(|(_, entry)| entry)
    }

    /// When something happens to an agreement by itself.
    pub fn agreement_due(&self, id: &AgreementId) -> Option<Time> {
        self.tables.agreements.get(id).and_then(due_at)
    }

    /// How many agreements are in a state.
    pub fn agreements_by_state(&self, state: AgreementState) -> usize {
        self.tables.agreements.index().by_state.of(&state)
    }
}
