//! Exact multilateral set-off: the most debt that a network can take off its books, with a proof.
//!
//! A owes B, B owes C, C owes A: the smallest of the three amounts can be struck off all three, and nobody is better or
//! worse off. In a network there are very many such rings, they overlap, and which of them are used matters. This
//! crate finds the greatest total exactly, says how much of each obligation is cleared, and gives every party an
//! integer *price* with which anyone can verify in one pass that no clearing clears more.
//!
//! ```
//! use icn_clearing::{Obligation, check, net, solve};
//!
//! let owes = |debtor, creditor, amount| Obligation { debtor, creditor, amount };
//! let rows = [owes(0, 1, 50), owes(1, 2, 30), owes(2, 0, 40)];
//! let solution = solve(3, &rows)?;
//! assert_eq!(solution.cleared, [30, 30, 30]);
//!
//! let verified = check(3, &rows, &solution.cleared, &solution.prices)?;
//! assert_eq!((verified.gross, verified.cleared), (120, 90));
//!
//! // With the consent of all it touches, what remains can be netted: 2 owes 0 and 0 owes 1 becomes 2 owes 1.
//! assert_eq!(net(3, &rows, &solution.cleared)?, [owes(0, 1, 10), owes(2, 1, 10)]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is computed
//!
//! Obligations `(debtor, creditor, aᵣ)` are the arcs of a directed multigraph. A *clearing* is a circulation `f`
//! with `0 ≤ fᵣ ≤ aᵣ`: at every party as much of its debts is cleared as of its claims, so nobody's net position changes,
//! and only debts that exist get smaller, so nobody gets a new counterparty. Its total is `Σ fᵣ`. This is the
//! minimum-cost circulation problem with the cost -1 on every arc (Ahuja, Magnanti and Orlin, *Network Flows*, 1993,
//! chapters 9 to 11). Clearing obligations as a flow problem is described by Fleischman, Dini and Littera,
//! "Liquidity-Saving through Obligation-Clearing and Mutual Credit" (Journal of Risk and Financial Management 13, 2020).
//!
//! Neither cancelling mutual debts first nor cancelling one ring after the other finds the greatest total; the tests have
//! small networks that show it.
//!
//! # The certificate
//!
//! By linear duality a clearing is optimal exactly if there are prices `p` with
//!
//! - `p[creditor] ≥ p[debtor] + 1` wherever something remains (`f < a`), and
//! - `p[creditor] ≤ p[debtor] + 1` wherever something is cleared (`f > 0`).
//!
//! ([`check()`] has the proof of the direction that matters in one line.) The rows of which something remains therefore
//! lead uphill: they contain no ring, and solving again clears nothing. Costs are integers, so prices can be.
//!
//! Many prices fit. [`Solution::prices`] are the least that are not negative; they depend on the obligations alone, not on
//! which of several optimal clearings was found, and are below the number of parties.
//!
//! # How it is computed
//!
//! What remains, `a - f`, is a flow as well: it carries each net debtor's position to net creditors, within the
//! amounts, and has the least sum of all that do. So the solver clears everything at first, which leaves every net
//! position unpaid, and routes these one after the other along shortest ways, where leaving a debt standing costs 1 and
//! clearing one that stood gains 1. Rounds of two steps do this for all parties at once:
//!
//! 1. A search labels every party with its distance to the nearest net creditor that is still unpaid. Distances are
//!    pairs, cost and then hops. On reduced costs these are small integers, which suits the bucket queue of Dial
//!    (Algorithm 360, Communications of the ACM 12, 1969).
//! 2. A depth-first search routes along arcs on which labels fit exactly, with the relabelling of the shortest
//!    augmenting path algorithm (Ahuja and Orlin, "Distance-directed augmenting path algorithms for maximum flow and
//!    parametric maximum flow problems", Naval Research Logistics 38, 1991), until that no longer pays.
//!
//! Deep networks, where ways take hundreds of hops, are routed by a wave instead that visits each party once a round. In
//! the end prices are lowered to the least ones by one more search.
//!
//! A round takes time linear in the obligations (a deep one `m + n log n`), and every round pays something off. There are
//! some dozen rounds in networks as they occur; a bound on their number in the worst case that says anything of
//! practice is not known to us. Beyond the rows that are passed in, solving takes about 36 bytes an obligation while
//! amounts between each pair fit 32 bits (52 otherwise), and about 40 bytes a party.
//!
//! # What can be relied on
//!
//! - Equal input gives equal output, on every machine: there are no floats, clocks, random numbers or hash maps.
//! - The total and the prices do not depend on the order of rows. Which of several optimal clearings is found does
//!   depend on the order of parties and rows. Rows of one debtor and one creditor are cleared one after the other.
//! - Debts to oneself are cleared in full.
//! - Sums are exact up to [`i64::MAX`] minor units in all; beyond that [`Error::TooMuch`] names the row.
//! - No recursion: chains of millions of parties do not exhaust the stack.
#![no_std]

extern crate alloc;

mod amount;
mod check;
mod graph;
mod key;
mod net;
mod prices;
mod route;
mod search;
mod solve;
mod warm;
mod wave;
mod ways;

pub use check::{NettingRefusal, Refusal, Verified, check, check_netting};
pub use net::net;
pub use solve::{Progress, solve, solve_with_progress};
pub use warm::Network;

use alloc::vec::Vec;
use core::fmt;

/// The most parties a network has: 2^29 - 1.
pub const MAX_PARTIES: u32 = (1 << 29) - 1;
/// The most obligations a network has: 2^30.
pub const MAX_ROWS: usize = 1 << 30;

/// `debtor` owes `creditor` an amount in minor units of the network's one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Obligation {
    /// The party that owes, numbered from 0.
    pub debtor: u32,
    /// The party that is owed.
    pub creditor: u32,
    /// What is owed; 0 is allowed and has no effect.
    pub amount: u64,
}

impl Obligation {
    /// Whether it concerns two parties and an amount.
    pub(crate) const fn counts(&self) -> bool {
        self.debtor != self.creditor && self.amount > 0
    }
}

/// An optimal clearing and its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// What is cleared of each obligation, in the order of the rows.
    pub cleared: Vec<u64>,
    /// The least optimal price of each party.
    pub prices: Vec<u32>,
}

impl Solution {
    /// The sum of what is cleared.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cleared.iter().sum()
    }
}

/// Why a network is not taken. Rows are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There are more than [`MAX_PARTIES`].
    TooManyParties(u32),
    /// There are more than [`MAX_ROWS`].
    TooManyRows(usize),
    /// A row names a party that there is not.
    UnknownParty {
        /// The row.
        row: usize,
    },
    /// There is no such row.
    UnknownRow {
        /// The row.
        row: usize,
    },
    /// The amounts up to and with this row add up to more than [`i64::MAX`].
    TooMuch {
        /// The row.
        row: usize,
    },
    /// More is cleared than is owed on this row, or the number of cleared amounts is not that of rows.
    NotAClearing {
        /// The row, or the first that has no counterpart.
        row: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyParties(count) => write!(f, "{count} parties are more than {MAX_PARTIES}"),
            Self::TooManyRows(count) => write!(f, "{count} obligations are more than {MAX_ROWS}"),
            Self::UnknownParty { row } => write!(f, "row {row} names a party that does not exist"),
            Self::UnknownRow { row } => write!(f, "there is no row {row}"),
            Self::TooMuch { row } => write!(f, "the amounts up to row {row} add up to more than 2^63 - 1"),
            Self::NotAClearing { row } => write!(f, "row {row}: not a clearing of these obligations"),
        }
    }
}

impl core::error::Error for Error {}
