//! Lines of credit on the log: what their ends show of them, and what time and agreements do to them.
//!
//! Who owes what is made between two ends, off the log (`line`). The log hears of it when an end shows the last transfer
//! that both have signed: it checks the signatures, the keys, the limit that the agreement sets, and that higher numbers
//! win. It decides the two things that the ends cannot decide between themselves: that a transfer which the creditor
//! neither countersigns nor releases is void, and that who signed two transfers with one number is not to be trusted.
//!
//! ```text
//! agreement takes effect ─> open ──suspended──> resting ──resumed──> open
//!                            └──two of one number──> frozen ──new terms──> open
//!        any of them ──agreement ends, or its terms drop the unit──> closing
//! ```
//!
//! In every phase but the first both limits are zero: what is owed may shrink, and stays owed until it has. What both
//! had signed before a limit fell, or before a line key was replaced, can be anchored for
//! [`LINE_GRACE`](icn_model::limits::LINE_GRACE) after that: it is final between the two, and no suspension takes it from
//! the creditor. The other side of it is that the log cannot tell within that time whether it was signed before. So who
//! fears for a line key replaces it *and* suspends the agreement, and who was owed anchors soon.
mod act;
mod due;
mod follow;
pub(crate) mod index;
mod prove;
mod query;

pub use query::Exposure;

use crate::step::Step;
use icn_model::{
    AgreementId, CreditEvent, CreditStep, CreditUnit, Did, Event, LineRecord, PublicKey, Refusal, SeatRecord,
    Time,
};

pub(crate) type LineKey = (AgreementId, CreditUnit);

/// Whether a key signs transfers for a seat, or did so lately.
pub(crate) fn signs_for(seat: &SeatRecord, key: &PublicKey, now: Time) -> bool {
    let mut former = seat.succession.former_lines.iter();
    seat.keys.line == *key || former.any(|one| one.key == *key && one.until >= now)
}

impl Step<'_> {
    /// The line as it stands now: what fell due since the block's time was passed is done first.
    fn line(&mut self, key: &LineKey) -> Result<LineRecord, Refusal> {
        self.expire_agreement(key.0);
        self.expire_line(key);
        match self.state.tables.lines.get(key) {
            Some(record) => Ok(record.clone()),
            None => Err(Refusal::UnknownLine {
                agreement: key.0,
                unit: key.1.clone(),
            }),
        }
    }

    /// Stores a line, and whether its agreement is still needed for it.
    pub(crate) fn set_line(&mut self, key: &LineKey, record: LineRecord) {
        self.state.tables.lines.set(key.clone(), record);
        let mut lines = self.state.tables.lines.of(&key.0);
        let owing = lines.any(|(_, line)| !line.is_even());
        let Some(agreement) = self.state.tables.agreements.get(&key.0) else {
            return;
        };
        if agreement.owing != owing {
            let mut agreement = agreement.clone();
            agreement.owing = owing;
            self.state.tables.agreements.set(key.0, agreement);
        }
    }

    pub(crate) fn tell_of_line(&mut self, key: &LineKey, step: CreditStep) {
        self.events.push(Event::Credit(CreditEvent {
            agreement: key.0,
            unit: key.1.clone(),
            step,
        }));
    }

    /// That `key` signs transfers for an end.
    fn check_line_key(&self, end: Did, key: PublicKey) -> Result<(), Refusal> {
        let seat = self.state.tables.seats.get(&end);
        if seat.is_some_and(|seat| signs_for(seat, &key, self.now())) {
            Ok(())
        } else {
            Err(Refusal::NotItsLineKey { end, key })
        }
    }
}
