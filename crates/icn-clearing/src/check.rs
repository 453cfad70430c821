//! The checker: one pass over the rows that needs neither the solver nor its data structures.
//!
//! It stands by itself on purpose. Who trusts a clearing needs to read this file only.
use crate::Obligation;
use alloc::{vec, vec::Vec};
use core::fmt;

/// What a clearing that has been verified comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The sum of all amounts.
    pub gross: u64,
    /// The sum of what is cleared: the most that can be.
    pub cleared: u64,
}

/// Why a clearing is refused. Rows and parties are numbered from 0.
///
/// Checks are made in this order: the counts, then row by row what concerns one row, then party by party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is not one cleared amount for each obligation.
    RowCount {
        /// The number of obligations.
        expected: usize,
        /// The number of cleared amounts.
        found: usize,
    },
    /// There is not one price for each party.
    PartyCount {
        /// The number of parties.
        expected: usize,
        /// The number of prices.
        found: usize,
    },
    /// An obligation names a party that there is not.
    UnknownParty {
        /// The obligation.
        row: usize,
    },
    /// The amounts up to this row add up to more than 2^63 - 1.
    TooMuch {
        /// The obligation.
        row: usize,
    },
    /// More is cleared than is owed.
    MoreThanOwed {
        /// The obligation.
        row: usize,
    },
    /// Something remains, but the creditor's price is not above the debtor's: more could be cleared.
    RemainsWithoutRise {
        /// The obligation.
        row: usize,
    },
    /// Something is cleared, but the creditor's price is more than one above the debtor's: other debts should have been.
    ClearedOverSteps {
        /// The obligation.
        row: usize,
    },
    /// What is cleared of what a party owes is not what is cleared of what it is owed.
    Unbalanced {
        /// The party.
        party: usize,
    },
    /// A price is above 0 and no row asks for so much: the certificate is not in its least form.
    PriceWithoutReason {
        /// The party.
        party: usize,
    },
}

impl Refusal {
    /// The number of the reason, which stays the same from version to version.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::RowCount { .. } => 1,
            Self::PartyCount { .. } => 2,
            Self::UnknownParty { .. } => 3,
            Self::TooMuch { .. } => 4,
            Self::MoreThanOwed { .. } => 5,
            Self::RemainsWithoutRise { .. } => 6,
            Self::ClearedOverSteps { .. } => 7,
            Self::Unbalanced { .. } => 8,
            Self::PriceWithoutReason { .. } => 9,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowCount { expected, found } => {
                write!(f, "{found} cleared amounts for {expected} obligations")
            }
            Self::PartyCount { expected, found } => write!(f, "{found} prices for {expected} parties"),
            Self::UnknownParty { row } => write!(f, "row {row} names a party that does not exist"),
            Self::TooMuch { row } => write!(f, "the amounts up to row {row} add up to more than 2^63 - 1"),
            Self::MoreThanOwed { row } => write!(f, "row {row}: more is cleared than is owed"),
            Self::RemainsWithoutRise { row } => {
                write!(
                    f,
                    "row {row}: something remains, but the price does not rise to the creditor"
                )
            }
            Self::ClearedOverSteps { row } => {
                write!(
                    f,
                    "row {row}: something is cleared, but the price rises by more than one to the creditor"
                )
            }
            Self::Unbalanced { party } => {
                write!(
                    f,
                    "party {party}: what is cleared of its debts is not what is cleared of its claims"
                )
            }
            Self::PriceWithoutReason { party } => {
                write!(f, "party {party}: no row asks for its price, which is not 0")
            }
        }
    }
}

impl core::error::Error for Refusal {}

/// What the pass keeps of a party, together because it is needed together.
#[derive(Clone, Copy)]
struct Party {
    /// Cleared of what it owes minus cleared of what it is owed.
    balance: i64,
    price: u32,
    /// The price is 0, or a row asks for it.
    held: bool,
}

/// Verifies that `cleared` is feasible, that nothing more can be cleared, and that `prices` prove it.
///
/// The prices prove it because, for every circulation `f` within the amounts `a`, as prices cancel out around
/// every party, `Σ f = Σ f·(1 + price[debtor] - price[creditor]) <= Σ a·max(0, 1 + price[debtor] - price[creditor])`.
/// Where something remains the factor is not positive, where something is cleared it is not negative, so for `cleared`
/// both sides are the same, and no `f` has a greater sum.
///
/// Every price has to be 0 or to be asked for by a row, as the least prices are. With that, an accepted certificate
/// of which a single price is changed, or a single cleared amount, is not accepted any more: a price cannot fall, for
/// something asks for it, nor rise, for nothing asks for more; and an amount changes a balance, or leaves a part of a
/// debt to oneself. (It is a proof in any case. That it is the least one altogether is not checked: rows can ask in a
/// circle, so that several prices that rise alike still prove the same.)
///
/// # Errors
/// The first reason found against it.
pub fn check(
    parties: u32,
    rows: &[Obligation],
    cleared: &[u64],
    prices: &[u32],
) -> Result<Verified, Refusal> {
    let (expected, found) = (rows.len(), cleared.len());
    if expected != found {
        return Err(Refusal::RowCount { expected, found });
    }
    let (expected, found) = (parties as usize, prices.len());
    if expected != found {
        return Err(Refusal::PartyCount { expected, found });
    }
    let party = |&price: &u32| Party {
        balance: 0,
        price,
        held: price == 0,
    };
    let mut all: Vec<Party> = prices.iter().map(party).collect();
    let mut sums = Verified { gross: 0, cleared: 0 };
    for (number, (row, &part)) in rows.iter().zip(cleared).enumerate() {
        check_row(&mut all, number, row, part)?;
        let gross = sums.gross.checked_add(row.amount);
        // Balances are sums of parts of this sum, so none of them overflows either.
        sums.gross = gross
            .filter(|&gross| gross <= i64::MAX.unsigned_abs())
            .ok_or(Refusal::TooMuch { row: number })?;
        sums.cleared += part;
        let part = part.cast_signed();
        all[row.debtor as usize].balance += part;
        all[row.creditor as usize].balance -= part;
    }
    for (number, party) in all.iter().enumerate() {
        if party.balance != 0 {
            return Err(Refusal::Unbalanced { party: number });
        }
        if !party.held {
            return Err(Refusal::PriceWithoutReason { party: number });
        }
    }
    Ok(sums)
}

/// What can be said of one row: its bounds, and complementary slackness.
fn check_row(all: &mut [Party], number: usize, row: &Obligation, part: u64) -> Result<(), Refusal> {
    let (debtor, creditor) = (row.debtor as usize, row.creditor as usize);
    if debtor.max(creditor) >= all.len() {
        return Err(Refusal::UnknownParty { row: number });
    }
    if part > row.amount {
        return Err(Refusal::MoreThanOwed { row: number });
    }
    let rise = i64::from(all[creditor].price) - i64::from(all[debtor].price);
    if part < row.amount {
        if rise < 1 {
            return Err(Refusal::RemainsWithoutRise { row: number });
        }
        all[creditor].held |= rise == 1;
    }
    if part > 0 {
        if rise > 1 {
            return Err(Refusal::ClearedOverSteps { row: number });
        }
        all[debtor].held |= rise == 1;
    }
    Ok(())
}

/// Why a netting is refused. Entries are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NettingRefusal {
    /// There is not one cleared amount for each obligation, or it is more than is owed, or a row names no party, or
    /// the amounts add up to more than 2^63 - 1: what is to be netted is itself wrong.
    BadClearing {
        /// The row, or the number of rows if their counts differ.
        row: usize,
    },
    /// An entry names a party that there is not, or the same twice, or no amount, or passes 2^63 - 1 in all.
    BadEntry {
        /// The entry.
        entry: usize,
    },
    /// An entry connects two parties between whom no chain of remaining debts runs.
    AcrossComponents {
        /// The entry.
        entry: usize,
    },
    /// A party's net position is not what it was.
    PositionChanged {
        /// The party.
        party: usize,
    },
    /// A component has as many entries as parties, or more.
    TooManyEntries {
        /// A party of the component.
        party: usize,
    },
    /// A party both owes and is owed, so that the total is more than the positive net positions.
    BothSides {
        /// The party.
        party: usize,
    },
}

impl NettingRefusal {
    /// The number of the reason, which stays the same from version to version.
    #[must_use]
    pub const fn code(&self) -> u16 {
        match self {
            Self::BadClearing { .. } => 21,
            Self::BadEntry { .. } => 22,
            Self::AcrossComponents { .. } => 23,
            Self::PositionChanged { .. } => 24,
            Self::TooManyEntries { .. } => 25,
            Self::BothSides { .. } => 26,
        }
    }
}

impl fmt::Display for NettingRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadClearing { row } => write!(f, "row {row}: not a clearing of these obligations"),
            Self::BadEntry { entry } => {
                write!(f, "entry {entry}: no two parties, no amount, or too much in all")
            }
            Self::AcrossComponents { entry } => {
                write!(f, "entry {entry}: no chain of debts runs between its parties")
            }
            Self::PositionChanged { party } => write!(f, "party {party}: its net position is changed"),
            Self::TooManyEntries { party } => {
                write!(
                    f,
                    "party {party}: its component has more entries than parties less one"
                )
            }
            Self::BothSides { party } => write!(f, "party {party}: it owes and is owed"),
        }
    }
}

impl core::error::Error for NettingRefusal {}

/// Verifies that `netted` replaces what `cleared` leaves of `rows`: net positions are kept, entries stay within the
/// components of what remains, are fewer there than parties, and nobody both owes and is owed, so that the total is
/// that of the positive net positions.
///
/// # Errors
/// The first reason found against it.
pub fn check_netting(
    parties: u32,
    rows: &[Obligation],
    cleared: &[u64],
    netted: &[Obligation],
) -> Result<(), NettingRefusal> {
    let count = parties as usize;
    if rows.len() != cleared.len() {
        return Err(NettingRefusal::BadClearing {
            row: rows.len().min(cleared.len()),
        });
    }
    let mut position = vec![0_i64; count];
    let mut parent: Vec<u32> = (0..parties).collect();
    let mut gross = 0_u64;
    for (number, (row, &part)) in rows.iter().zip(cleared).enumerate() {
        let bad = NettingRefusal::BadClearing { row: number };
        if row.debtor.max(row.creditor) >= parties {
            return Err(bad);
        }
        let rest = row.amount.checked_sub(part).ok_or(bad)?;
        gross = gross
            .checked_add(rest)
            .filter(|sum| i64::try_from(*sum).is_ok())
            .ok_or(bad)?;
        position[row.debtor as usize] += rest.cast_signed();
        position[row.creditor as usize] -= rest.cast_signed();
        if rest > 0 {
            let (one, other) = (top(&mut parent, row.debtor), top(&mut parent, row.creditor));
            parent[one as usize] = other;
        }
    }
    check_entries(&mut parent, &mut position, netted)
}

/// Takes the entries off the positions, of which nothing must be left.
fn check_entries(
    parent: &mut [u32],
    position: &mut [i64],
    netted: &[Obligation],
) -> Result<(), NettingRefusal> {
    let count = position.len();
    let mut members = vec![0_u32; count];
    for at in (0_u32..).take(count) {
        members[top(parent, at) as usize] += 1;
    }
    let (mut owes, mut owed) = (vec![false; count], vec![false; count]);
    let mut sum = 0_u64;
    for (number, entry) in netted.iter().enumerate() {
        let bad = NettingRefusal::BadEntry { entry: number };
        let (debtor, creditor) = (entry.debtor as usize, entry.creditor as usize);
        if debtor.max(creditor) >= count || debtor == creditor || entry.amount == 0 {
            return Err(bad);
        }
        sum = sum
            .checked_add(entry.amount)
            .filter(|sum| i64::try_from(*sum).is_ok())
            .ok_or(bad)?;
        let component = top(parent, entry.debtor) as usize;
        if component != top(parent, entry.creditor) as usize {
            return Err(NettingRefusal::AcrossComponents { entry: number });
        }
        // Counted down to the last party, which must be left.
        members[component] -= 1;
        if members[component] == 0 {
            return Err(NettingRefusal::TooManyEntries { party: debtor });
        }
        (owes[debtor], owed[creditor]) = (true, true);
        let overflow = NettingRefusal::PositionChanged { party: debtor };
        position[debtor] = position[debtor]
            .checked_sub(entry.amount.cast_signed())
            .ok_or(overflow)?;
        let overflow = NettingRefusal::PositionChanged { party: creditor };
        position[creditor] = position[creditor]
            .checked_add(entry.amount.cast_signed())
            .ok_or(overflow)?;
    }
    for party in 0..count {
        if position[party] != 0 {
            return Err(NettingRefusal::PositionChanged { party });
        }
        if owes[party] && owed[party] {
            return Err(NettingRefusal::BothSides { party });
        }
    }
    Ok(())
}

/// The party that stands for the component of this one; halves the way for the next who asks.
fn top(parent: &mut [u32], party: u32) -> u32 {
    let mut at = party as usize;
    while parent[at] as usize != at {
        parent[at] = parent[parent[at] as usize];
        at = parent[at] as usize;
    }
    parent[at]
}
