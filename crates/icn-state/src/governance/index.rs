//! The indexes of governance's tables.
use crate::{
    index::Counts,
    table::{DueIndex, Index},
};
use alloc::collections::{BTreeMap, BTreeSet};
use icn_model::{
    BallotRecord, Choice, Cid, ContractRecord, DelegationRecord, DepartedRecord, Did, Digest, Effect,
    ProposalId, ProposalPhase, ProposalRecord, ProposalStatus, Time, WishesRecord,
};

/// Whether an effect is a veto of a proposal.
pub(crate) const fn vetoed(effect: &Effect) -> Option<ProposalId> {
    match effect {
        Effect::Veto { proposal } => Some(*proposal),
        _ => None,
    }
}

/// When a proposal that is over was.
fn ended_at(proposal: &ProposalRecord) -> Option<Time> {
    match proposal.phase {
        ProposalPhase::Draft { .. } | ProposalPhase::Open { .. } | ProposalPhase::Accepted { .. } => None,
        ProposalPhase::Executed { at }
        | ProposalPhase::Failed { at, .. }
        | ProposalPhase::Rejected { at }
        | ProposalPhase::Vetoed { at, .. }
        | ProposalPhase::Cancelled { at }
        | ProposalPhase::Expired { at } => Some(at),
    }
}

#[derive(Default, PartialEq)]
pub(crate) struct ProposalIndex {
    pub(crate) due: DueIndex<ProposalId>,
    /// (made, proposal).
    pub(crate) by_time: BTreeSet<(Time, ProposalId)>,
    /// (when, proposal) of those that are over, the failed ones included.
    pub(crate) ended: BTreeSet<(Time, ProposalId)>,
    /// How many are not over.
    pub(crate) under_way: usize,
    /// Of them, how many each cooperative and its members made.
    pub(crate) by_cooperative: Counts<Did>,
    /// (opened, proposal) of those with members on the roll.
    pub(crate) rolls: BTreeSet<(Time, ProposalId)>,
    /// (proposal, veto) of proposals to veto a proposal.
    pub(crate) vetoes: BTreeSet<(ProposalId, ProposalId)>,
    /// How many there are in each state.
    pub(crate) by_status: Counts<ProposalStatus>,
}

impl Index<ProposalId, ProposalRecord> for ProposalIndex {
    fn add(&mut self, id: &ProposalId, proposal: &ProposalRecord) {
        self.due.add(proposal.due(), id);
        self.by_time.insert((proposal.made, *id));
        self.by_status.add(proposal.phase.status());
        match ended_at(proposal) {
            Some(at) => {
                self.ended.insert((at, *id));
            }
            None => {
                self.under_way += 1;
                self.by_cooperative.add(proposal.cooperative);
            }
        }
        if let Some(roll) = proposal.roll.as_ref().filter(|roll| roll.members > 0) {
            self.rolls.insert((roll.opened, *id));
        }
        if let Some(of) = vetoed(&proposal.spec.effect) {
            self.vetoes.insert((of, *id));
        }
    }

    fn remove(&mut self, id: &ProposalId, proposal: &ProposalRecord) {
        self.due.remove(proposal.due(), id);
        self.by_time.remove(&(proposal.made, *id));
        self.by_status.remove(&proposal.phase.status());
        match ended_at(proposal) {
            Some(at) => {
                self.ended.remove(&(at, *id));
            }
            None => {
                self.under_way -= 1;
                self.by_cooperative.remove(&proposal.cooperative);
            }
        }
        if let Some(roll) = &proposal.roll {
            self.rolls.remove(&(roll.opened, *id));
        }
        if let Some(of) = vetoed(&proposal.spec.effect) {
            self.vetoes.remove(&(of, *id));
        }
    }
}

/// What one side of a vote has said so far: voters, and the weights of what they say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) voters: u64,
    pub(crate) yes: u64,
    pub(crate) no: u64,
    pub(crate) object: u64,
}

impl Running {
    fn of(&mut self, choice: &Choice) -> Option<&mut u64> {
        match choice {
            Choice::Yes {} => Some(&mut self.yes),
            Choice::No {} => Some(&mut self.no),
            Choice::Object { .. } => Some(&mut self.object),
            _ => None,
        }
    }
}

/// Sums of ballots, so that a vote need not be counted anew with each of them.
#[derive(Default, PartialEq)]
pub(crate) struct BallotIndex(BTreeMap<(ProposalId, bool), Running>);

impl BallotIndex {
    pub(crate) fn running(&self, id: ProposalId, is_cooperatives: bool) -> Running {
        self.0.get(&(id, is_cooperatives)).copied().unwrap_or_default()
    }
}

impl Index<(ProposalId, Did), BallotRecord> for BallotIndex {
    fn add(&mut self, (id, voter): &(ProposalId, Did), ballot: &BallotRecord) {
        let running = self.0.entry((*id, ballot.cooperative == *voter)).or_default();
        running.voters += 1;
        if let Some(sum) = running.of(&ballot.choice) {
            *sum += ballot.weight;
        }
    }

    fn remove(&mut self, (id, voter): &(ProposalId, Did), ballot: &BallotRecord) {
        let key = (*id, ballot.cooperative == *voter);
        if let Some(running) = self.0.get_mut(&key) {
            running.voters -= 1;
            if let Some(sum) = running.of(&ballot.choice) {
                *sum -= ballot.weight;
            }
            if running.voters == 0 {
                self.0.remove(&key);
            }
        }
    }
}

macro_rules! due_by {
    ($($key:ty, $record:ty, $due:expr;)*) => {
        $(impl Index<$key, $record> for DueIndex<$key> {
            fn add(&mut self, key: &$key, record: &$record) {
                let due: fn(&$record) -> Option<Time> = $due;
                DueIndex::add(self, due(record), key);
            }
            fn remove(&mut self, key: &$key, record: &$record) {
                let due: fn(&$record) -> Option<Time> = $due;
                DueIndex::remove(self, due(record), key);
            }
        })*
    };
}

due_by! {
    (Did, Digest), WishesRecord, |wishes| Some(wishes.until);
    (Did, Digest), DelegationRecord, |delegation| delegation.until;
    Cid, ContractRecord, |contract| Some(contract.until);
}

/// How many members each cooperative had that are remembered.
impl Index<(Time, Did), DepartedRecord> for Counts<Did> {
    fn add(&mut self, _: &(Time, Did), departed: &DepartedRecord) {
        Counts::add(self, departed.cooperative);
    }

    fn remove(&mut self, _: &(Time, Did), departed: &DepartedRecord) {
        Counts::remove(self, &departed.cooperative);
    }
}
