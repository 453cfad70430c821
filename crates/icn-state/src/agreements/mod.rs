//! The way of an agreement between cooperatives: who may say what when, and what comes of it.
//!
//! ```text
//! propose ─> proposed ──offer──> negotiating
//!               │ └──all signed, date reached──┘ └─> active <──resume── suspended
//!               │                                      │ └────suspend────> │
//!               └─ withdraw, reject, lapse ─> terminated <─ expiry, notice, consent, breach ┘
//! ```
//!
//! [`transition::next`] is the one table of it. Whatever comes, from this node's users or out of a block, goes by it.
//! Dates are enforced by block time: nobody has to call for what is due (`due`). What is due comes before the
//! operations of a block, so an end beats a suspension.
mod act;
mod deadline;
mod due;
mod hold;
pub(crate) mod index;
mod query;
mod transition;

use crate::step::Step;
use alloc::vec::Vec;
use icn_model::{
    AgreementEntry, AgreementEvent, AgreementId, AgreementRecord, AgreementStep, Did, Event, LogEntry,
    Refusal, Sequence,
};
pub use transition::{Move, hears, next};

/// Whose word a step was, and the operations that carry it.
struct Word {
    party: Did,
    by: Vec<LogEntry>,
}

impl Step<'_> {
    /// The agreement as it stands now: what fell due since the block's time was passed is done first.
    fn agreement(&mut self, id: AgreementId) -> Result<AgreementRecord, Refusal> {
        self.expire_agreement(id);
        match self.state.tables.agreements.get(&id) {
            Some(record) => Ok(record.clone()),
            None => Err(Refusal::UnknownAgreement { agreement: id }),
        }
    }

    /// Adds `step`, after which the agreement stands as `record` says, to its history, and tells of it.
    fn enter(
        &mut self,
        id: AgreementId,
        record: &mut AgreementRecord,
        step: AgreementStep,
        word: Option<&Word>,
    ) {
        let entry = AgreementEntry {
            number: record.entries + 1,
            previous: record.head,
            step: step.clone(),
            state: record.state,
            at: self.context.time,
            party: word.map(|word| word.party),
            by: word.map_or_else(Vec::new, |word| word.by.clone()),
        };
        record.entries = entry.number;
        record.head = entry.digest();
        let party = entry.party;
        let key = (id, Sequence::new(entry.number));
        self.state.tables.agreement_entries.set(key, entry);
        self.events.push(Event::Agreement(AgreementEvent {
            agreement: id,
            entry: record.entries,
            step,
            state: record.state,
            party,
        }));
    }

    /// Moves `record` as the table says; nothing if the table has no such move.
    fn go(&self, record: &mut AgreementRecord, how: Move) {
        if let Some(state) = next(record.state, how)
            && state != record.state
        {
            record.state = state;
            record.since = self.context.time;
        }
    }
}
