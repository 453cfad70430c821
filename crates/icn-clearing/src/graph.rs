//! The residual network: what can still be moved along which obligation, in an order that suits the processor.
//!
//! The obligations between one debtor and one creditor are one *edge*; every edge has two *arcs*. The forward arc leaves
//! the debtor, and its residual is what is cleared so far and could be left standing after all. The backward arc leaves
//! the creditor, and its residual is what remains and could be cleared after all. The two add up to the amount.
//!
//! The searches look at nearly every arc and at few residuals, so an arc is one `u32`: the party it leads to, and three
//! flags. Residuals and the positions of opposite arcs are kept apart.
//!
//! Parties are renumbered by falling degree, so that the ones that are met most share cache lines.
use crate::{Obligation, amount::Amount};
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// The arc is a backward one: using it lowers what remains.
pub(crate) const BACKWARD: u32 = 1 << 31;
/// The opposite arc has a residual.
pub(crate) const OPPOSITE_OPEN: u32 = 1 << 30;
/// This arc has a residual.
pub(crate) const OPEN: u32 = 1 << 29;
/// The bits of an arc that name the party it leads to.
pub(crate) const PARTY: u32 = OPEN - 1;
/// What stands for a row without an edge: a debt to oneself, or nothing.
pub(crate) const NO_ARC: u32 = u32::MAX;

/// The party an arc leads to.
pub(crate) const fn party(arc: u32) -> usize {
    (arc & PARTY) as usize
}

/// Where the arcs of a party are.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) first: u32,
    pub(crate) end: u32,
    /// The arc a routing search is at.
    pub(crate) current: u32,
}

/// The residual network of one set of obligations.
pub(crate) struct Graph<A> {
    /// The arcs of each party.
    pub(crate) place: Vec<Place>,
    /// Arcs: flags and the party they lead to.
    pub(crate) arcs: Vec<u32>,
    /// The position of the opposite arc.
    pub(crate) opposite: Vec<u32>,
    /// What each arc can still take.
    pub(crate) residual: Vec<A>,
    /// What each party still owes beyond what it is owed, minus what of it has been routed.
    pub(crate) excess: Vec<i64>,
    /// The number of each party in here.
    pub(crate) rank: Vec<u32>,
    /// The forward arc of each row, or [`NO_ARC`].
    pub(crate) arc_of_row: Vec<u32>,
}

impl<A: Amount> Graph<A> {
    /// The network in which everything is cleared, unless the amounts between some pair do not fit `A`. `rows` name
    /// parties below `parties`, and their sum fits an `i64`.
    pub(crate) fn new(parties: u32, rows: &[Obligation]) -> Option<Self> {
        let count = parties as usize;
        let (degree, debts) = degrees(count, rows);
        let rank = by_falling_degree(&degree);
        let mut place = vec![Place::default(); count];
        let mut starts = vec![0_u32; count + 1];
        for party in 0..count {
            place[rank[party] as usize].end = degree[party];
            starts[rank[party] as usize + 1] = debts[party];
        }
        drop((degree, debts));
        let mut arcs = 0;
        for (at, place) in place.iter_mut().enumerate() {
            let degree = place.end;
            (place.first, place.end) = (arcs, arcs);
            arcs += degree;
            starts[at + 1] += starts[at];
        }
        let arcs = arcs as usize;
        let mut graph = Self {
            place,
            arcs: vec![0; arcs],
            opposite: vec![0; arcs],
            residual: vec![A::ZERO; arcs],
            excess: vec![0; count],
            rank,
            arc_of_row: vec![NO_ARC; rows.len()],
        };
        graph.fill(rows, starts).then_some(graph)
    }

    /// Puts every row where it belongs, debtor by debtor, and whether all of it fits. `starts` says where the rows of
    /// each debtor begin once they are sorted.
    fn fill(&mut self, rows: &[Obligation], starts: Vec<u32>) -> bool {
        let count = self.parties();
        let mut sorted = vec![0_u32; starts[count] as usize];
        let mut next = starts;
        for (number, row) in (0_u32..).zip(rows) {
            if row.counts() {
                let slot = &mut next[self.rank[row.debtor as usize] as usize];
                sorted[*slot as usize] = number;
                *slot += 1;
            }
        }
        // The forward arc to each creditor that was placed last; it counts only among the debtor's own arcs.
        let mut last = vec![NO_ARC; count];
        let mut from = 0;
        for (debtor, &to) in next[..count].iter().enumerate() {
            for &number in &sorted[from..to as usize] {
                let row = &rows[number as usize];
                let creditor = self.rank[row.creditor as usize] as usize;
                if !self.range(debtor).contains(&(last[creditor] as usize)) {
                    last[creditor] = self.connect(debtor, creditor);
                }
                let arc = last[creditor];
                let Some(sum) = self.residual[arc as usize].with(row.amount) else {
                    return false;
                };
                self.residual[arc as usize] = sum;
                self.arc_of_row[number as usize] = arc;
                // The sum of all amounts fits an i64, so no part of it overflows one.
                let amount = row.amount.cast_signed();
                self.excess[debtor] += amount;
                self.excess[creditor] -= amount;
            }
            from = to as usize;
        }
        true
    }

    /// A new edge, whose room is there already; the answer is its forward arc.
    fn connect(&mut self, debtor: usize, creditor: usize) -> u32 {
        let (forward, backward) = (self.place[debtor].end, self.place[creditor].end);
        self.place[debtor].end += 1;
        self.place[creditor].end += 1;
        self.arcs[forward as usize] = number(creditor) | OPEN;
        self.arcs[backward as usize] = number(debtor) | BACKWARD | OPPOSITE_OPEN;
        self.opposite[forward as usize] = backward;
        self.opposite[backward as usize] = forward;
        forward
    }

    /// The number of parties.
    pub(crate) const fn parties(&self) -> usize {
        self.place.len()
    }

    /// The positions of a party's arcs.
    pub(crate) fn range(&self, party: usize) -> Range<usize> {
        let place = self.place[party];
        place.first as usize..place.end as usize
    }

    /// The party an arc comes from.
    pub(crate) fn tail(&self, arc: usize) -> usize {
        party(self.arcs[self.opposite[arc] as usize])
    }

    /// Moves `amount` from an arc to its opposite, and whether nothing is left on it.
    pub(crate) fn push(&mut self, arc: usize, amount: A) -> bool {
        let opposite = self.opposite[arc] as usize;
        self.residual[opposite] = self.residual[opposite].plus(amount);
        self.residual[arc] = self.residual[arc].minus(amount);
        self.set_flags(arc, opposite);
        self.residual[arc] == A::ZERO
    }

    /// Makes the flags of two opposite arcs say what their residuals say.
    pub(crate) fn set_flags(&mut self, arc: usize, opposite: usize) {
        let here = self.residual[arc] != A::ZERO;
        let there = self.residual[opposite] != A::ZERO;
        let flags = |own, other| if own { OPEN } else { 0 } | if other { OPPOSITE_OPEN } else { 0 };
        self.arcs[arc] = self.arcs[arc] & !(OPEN | OPPOSITE_OPEN) | flags(here, there);
        self.arcs[opposite] = self.arcs[opposite] & !(OPEN | OPPOSITE_OPEN) | flags(there, here);
    }

    /// What is cleared of each row, in input order: rows of one pair are cleared one after the other. The residuals
    /// are used up by it.
    pub(crate) fn take_cleared(&mut self, rows: &[Obligation]) -> Vec<u64> {
        let residual = &mut self.residual;
        let cleared = |(row, &arc): (&Obligation, &u32)| {
            if arc == NO_ARC {
                return row.amount;
            }
            let left = &mut residual[arc as usize];
            let part = (*left).min(A::at_most(row.amount));
            *left = left.minus(part);
            part.get()
        };
        rows.iter().zip(&self.arc_of_row).map(cleared).collect()
    }
}

/// A party as part of an arc. Parties are below [`crate::MAX_PARTIES`].
#[allow(clippy::cast_possible_truncation, reason = "parties fit 29 bits")]
pub(crate) const fn number(party: usize) -> u32 {
    party as u32
}

/// Of each party: how many rows name it, and how many as debtor.
fn degrees(parties: usize, rows: &[Obligation]) -> (Vec<u32>, Vec<u32>) {
    let (mut degree, mut debts) = (vec![0_u32; parties], vec![0_u32; parties]);
    for row in rows.iter().filter(|row| row.counts()) {
        degree[row.debtor as usize] += 1;
        debts[row.debtor as usize] += 1;
        degree[row.creditor as usize] += 1;
    }
    (degree, debts)
}

/// The place of each party when those with many arcs come first, and of equals the one with the lower number.
fn by_falling_degree(degree: &[u32]) -> Vec<u32> {
    let most = degree.iter().copied().max().unwrap_or(0) as usize;
    let mut next = vec![0_u32; most + 2];
    for &degree in degree {
        next[most - degree as usize + 1] += 1;
    }
    for at in 0..=most {
        next[at + 1] += next[at];
    }
    let mut place = |&degree: &u32| {
        let slot = &mut next[most - degree as usize];
        *slot += 1;
        *slot - 1
    };
    degree.iter().map(&mut place).collect()
}
