//! The one deterministic state machine of a federation: who belongs to it, what it has decided, what its cooperatives
//! have agreed on, what mana everybody has, and how its jobs stand, as a function of its log.
//!
//! [`State::apply`] takes a block and says what came of each operation, what happened, which records changed,
//! and the root over all of it. It knows no clock, randomness, floats, network or disk; two machines that
//! apply the same blocks have the same bytes. What it does not do: order operations, check their signatures,
//! store anything, run jobs.
//!
//! # Invariants
//!
//! Between blocks, always, whatever the log holds:
//!
//! 1. **Mana is conserved.** Granted + regenerated = available + held + maturing + staked + burned.
//! 2. **Each part has its reason.** What an account has held is the sum of its open jobs, what matures that of
//!    its settled jobs, what is staked that of its challenges, what is shared that of its members.
//! 3. **A job's hold is closed once:** by being settled, cancelled or rolled back.
//! 4. **A refused operation uses its number and changes nothing else.** If it is refused for its form, or its
//!    key does not act for its author, it changes nothing at all.
//! 5. **Replaying is exact.** The same blocks from the same genesis give the same roots, events and records.
//! 6. **Changes are complete.** Whoever stores the changes of every block has the state, and loading it gives
//!    one that goes on alike.
//! 7. **A number of a key is used once**, also by a refused operation, also by a key that came back.
//! 8. **Asking changes nothing:** [`State::check`], [`State::preview`] and every query.
//! 9. **There is always somebody to go on:** every epoch has a seat of a cooperative, known sixteen blocks
//!    before it begins.
//! 10. **Everything is bounded:** seats, applications, members, holds, windows of numbers, epochs kept, jobs
//!     that are over ([`icn_model::limits`]), and the work that one block does for what falls due.
//! 11. **Regeneration does not depend on who looks when.** It is exact over any division of time.
//!
//! 12. **Credit stays within limits.** What an end of a line owes by what was anchored was never over the highest limit
//!     that its agreements set, whatever was cleared, and what one end owes the other is owed.
//! 13. **Clearing moves nothing.** Over all its lines in a unit, as much of what somebody owes was cleared as of what it
//!     is owed. A round is applied as a whole or not at all, and what it cleared was the most that could be.
//!
//! [`State::audit`] recomputes the first two and the last two from every record. The tests cite the numbers.
//!
//! # What is decided here
//!
//! - Time is the log's. What begins in a block begins at its time; deadlines compare with its parent's, and
//!   include the moment that they name. A pause of the log of over ten minutes gives executors, jurors and
//!   challengers the lost time back.
//! - A cooperative's own jobs are submitted by an officer or its seat; members submit on their own account.
//!   Mana is shared and members are entered by any one officer; approving an applicant and leaving need as
//!   many officers as the cooperative's threshold says.
//! - Who leaves keeps its seat until the epoch's end and its mana for 30 days, resting; who comes back within
//!   them finds it, and is not granted a start balance again. Then it is forgotten, and the mana burned.
//! - A job must be able to end by its deadline: it can be awarded until wall clock and receipt grace before it.
//! - Jobs that are over stay for readers for 24 hours, and no more than 50,000 of them.
//! - Capacity counts what is held, staked and shared with members, so that none of these makes room to
//!   regenerate more; it counts no pay before it matures.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod account;
mod agreements;
mod audit;
mod changes;
mod clearing;
mod credit;
mod engine;
mod genesis;
mod governance;
mod index;
mod jobs;
pub mod line;
mod mana;
mod members;
mod membership;
mod merkle;
mod query;
mod rotation;
mod seats;
mod sequence;
mod standing;
mod state;
mod step;
mod succession;
mod table;

pub use agreements::{Move, hears, next};
pub use audit::AuditError;
pub use changes::{Change, Changes};
pub use clearing::{ClearingDraft, UnitPlan, verify_clearing};
pub use credit::Exposure;
pub use engine::{Engine, Examined, NoPolicies, Policies, Texts};
pub use governance::{Cast, PlannedChange, cooperatives_vote, roll_bytes, tally};
pub use icn_clearing::{Refusal as ClearingFault, Verified};
pub use icn_model::Totals;
pub use jobs::Weights;
pub use merkle::MerkleTree;
pub use state::{LoadError, State, seat_key};
pub use step::{BlockContext, BlockOutcome};
pub use succession::{SuccessionError, check_endorsed};
