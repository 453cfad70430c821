//! Rounds of clearing: debts that run in circles are set off along existing lines, on every node alike.
//!
//! ```text
//! schedule or decision ─> announced ──freeze──> objecting ──window over──> applied
//!                             │                     └──nothing left──> aborted
//!                             └──nothing to clear──> ended
//! ```
//!
//! While a round is announced, ends **join** it with their lines, and anchor them. At the freeze, what is anchored on
//! the lines that both ends have joined becomes the rows of a plan. In each unit by itself, every node computes the same
//! clearing with the solver of `icn_clearing`, and checks it without the solver. Those whom the plan touches can
//! **object**: when the window is over, their rows leave, with those of lines that were disputed or frozen meanwhile, and
//! the rest is solved and checked once more. Then it is applied, all of it in one block: [`LineRecord::settled`] moves by
//! what is cleared on each line. What was applied is kept with its certificate for outsiders ([`verify_clearing`]).
//!
//! # Limits hold under both outcomes
//!
//! Transfers go on while a round does. Of a claim that was frozen as `a`, some `x` between 0 and `a` will be cleared; what
//! its creditor owes net rises by that. Let `h` and `d` be what the chains of creditor and debtor had added up to at the
//! freeze, and `s` what was settled of the creditor's debts before, so `a = d - h + s` in the sense of the debtor. Later
//! the chains stand at `h'` and `d'`, of which neither is less. The creditor then owes
//! `h' - d' - s + x <= h' - d' - s + d - h + s <= h' - h`. So it is enough that **its chain grows by no more than its
//! limit from the freeze to the end of the round**, whatever is cleared, also after the plan was made anew. Before the
//! freeze nobody knows who will be the creditor: whoever has joined lets its chain grow by no more than its limit over what
//! is anchored. What is anchored at the freeze is at least that. The log asks it of what is anchored after the freeze
//! ([`Refusal::OverLimitInRound`](icn_model::Refusal::OverLimitInRound)), the ends of what they sign ([`crate::line`]).
//!
//! [`LineRecord::settled`]: icn_model::LineRecord::settled
mod act;
mod audit;
mod due;
mod plan;
mod query;

pub use plan::{ClearingDraft, UnitPlan, verify_clearing};

use crate::step::Step;
use icn_model::{ClearingEvent, ClearingStep, Event, RoundNumber};

impl Step<'_> {
    fn tell_of_round(&mut self, round: RoundNumber, step: ClearingStep) {
        self.events.push(Event::Clearing(ClearingEvent { round, step }));
    }
}
