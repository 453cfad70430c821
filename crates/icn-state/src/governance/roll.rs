//! Who can vote on a proposal: fixed when it opens, and told again as long as the proposal is kept.
//!
//! The roll is not copied. It follows from when the proposal opened: on it are those who belonged to the
//! federation before that block. Members that leave are remembered ([`DepartedRecord`]) while a proposal is
//! kept that opened before, so that its roll can be listed and checked against its CID.
use crate::{state::State, step::Step, table::Key as _};
use alloc::vec::Vec;
use icn_model::{Cid, DepartedRecord, Did, Electorate, ProposalKind, ProposalRecord, Roll, Time};

/// Departed members that one block forgets.
const MAX_FORGOTTEN_PER_BLOCK: usize = 1_024;

/// Whether the members' side is counted.
pub(crate) fn members_vote(electorate: Electorate) -> bool {
    electorate != Electorate::Cooperatives
}

/// Whether the cooperatives' side is counted: what binds always needs their majority, so that inventing
/// members decides nothing.
pub fn cooperatives_vote(electorate: Electorate, kind: ProposalKind) -> bool {
    electorate != Electorate::Members || kind.binds()
}

impl State {
    /// The members' part of a roll: each member with its cooperative, in the order of the members' identities.
    pub fn roll_members(&self, roll: &Roll) -> Vec<(Did, Did)> {
        if roll.members == 0 {
            return Vec::new();
        }
        self.members_before(roll.opened, &roll.cooperatives)
    }

    fn members_before(&self, opened: Time, cooperatives: &[Did]) -> Vec<(Did, Did)> {
        let on_roll = |cooperative: &Did| cooperatives.binary_search(cooperative).is_ok();
        let present = self.tables.members.iter();
        let present = present
            .filter(|(_, member)| member.since < opened && on_roll(&member.cooperative))
            .map(|(did, member)| (*did, member.cooperative));
        let departed = self.tables.departed.range((opened, Did::least())..);
        let departed = departed
            .filter(|(_, member)| member.since < opened && on_roll(&member.cooperative))
            .map(|((_, did), member)| (*did, member.cooperative));
        let mut members: Vec<_> = present.chain(departed).collect();
        members.sort_unstable();
        members
    }

    /// Whether a member is on the roll of a proposal and still what it was then.
    pub(crate) fn is_on_roll(&self, proposal: &ProposalRecord, voter: &Did) -> bool {
        let Some(roll) = &proposal.roll else { return false };
        let on_roll = |cooperative: &Did| {
            roll.cooperatives.binary_search(cooperative).is_ok() && self.is_voter(cooperative)
        };
        match self.tables.members.get(voter) {
            Some(member) => roll.members > 0 && member.since < roll.opened && on_roll(&member.cooperative),
            None => cooperatives_vote(proposal.spec.electorate, proposal.kind()) && on_roll(voter),
        }
    }
}

/// The bytes that the CID of a roll's list names.
pub fn roll_bytes(members: &[(Did, Did)]) -> Vec<u8> {
    let entries = members.iter().flat_map(|(member, cooperative)| {
        [member.first_key(), cooperative.first_key()].map(|key| *key.as_bytes())
    });
    entries.flatten().collect()
}

impl Step<'_> {
    /// The roll of a proposal that opens now.
    pub(crate) fn roll(&self, electorate: Electorate) -> Roll {
        let opened = self.context.time;
        let seats = &self.state.tables.seats;
        let before = |did: &&Did| seats.get(did).is_some_and(|seat| seat.since < opened);
        let cooperatives: Vec<Did> = seats.index().voters.iter().filter(before).copied().collect();
        let members = if members_vote(electorate) {
            self.state.members_before(opened, &cooperatives)
        } else {
            Vec::new()
        };
        Roll {
            opened,
            cooperatives,
            members: members.len() as u64,
            list: Cid::of_raw(&roll_bytes(&members)),
        }
    }

    /// Remembers a member that leaves, for the rolls of proposals.
    pub(crate) fn remember_departed(&mut self, member: Did) {
        if let Some(record) = self.state.tables.members.get(&member) {
            let departed = DepartedRecord {
                cooperative: record.cooperative,
                since: record.since,
            };
            let key = (self.context.time, member);
            self.state.tables.departed.set(key, departed);
        }
    }

    /// Forgets those who departed before the oldest roll was fixed.
    pub(crate) fn forget_departed(&mut self) {
        let oldest = self.state.tables.proposals.index().rolls.first();
        let oldest = oldest.map_or(self.context.time, |(opened, _)| *opened);
        let departed = self.state.tables.departed.iter();
        let gone: Vec<_> = departed
            .map(|(key, _)| *key)
            .take_while(|(left, _)| *left < oldest)
            .take(MAX_FORGOTTEN_PER_BLOCK)
            .collect();
        gone.iter().for_each(|key| self.state.tables.departed.remove(key));
    }
}
