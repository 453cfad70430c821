//! The certificate in its one canonical form: the least prices.
//!
//! What makes prices optimal are lower bounds only: a row of which something remains asks that the creditor's price is
//! at least the debtor's plus one, and a row of which something is cleared asks that the debtor's is at least the
//! creditor's minus one. Of all solutions that are not negative there is a least one, in every coordinate. It does not
//! depend on which optimal clearing one starts from, for every optimal clearing fits every optimal price.
use crate::{
    amount::Amount,
    graph::{BACKWARD, Graph, OPPOSITE_OPEN, number, party},
};
use alloc::{vec, vec::Vec};

/// The least prices of a routed network, by number in the graph. `feasible` are any prices of it in the sense of
/// [`crate::search::Labels`], which fall towards creditors.
pub(crate) fn least<A: Amount>(graph: &Graph<A>, feasible: &[u32]) -> Vec<u32> {
    let top = feasible.iter().copied().max().unwrap_or(0);
    // Turned round, the prices are bounds from above; what they can be lowered by is a shortest distance.
    let high = |at: usize| top - feasible[at];
    let mut lower: Vec<u32> = (0..graph.parties()).map(high).collect();
    let mut buckets: Vec<Vec<u32>> = vec![Vec::new(); top as usize + 1];
    for (at, &by) in lower.iter().enumerate() {
        buckets[by as usize].push(number(at));
    }
    let mut at = 0;
    while at < buckets.len() {
        let mut bucket = core::mem::take(&mut buckets[at]);
        while let Some(party_at) = bucket.pop() {
            let own = party_at as usize;
            if lower[own] as usize != at {
                continue;
            }
            let price = high(own) - lower[own];
            for &arc in &graph.arcs[graph.range(own)] {
                if arc & OPPOSITE_OPEN == 0 {
                    continue;
                }
                let other = party(arc);
                // Through a forward arc something remains, through a backward one something is cleared.
                let bound = (price + 1).saturating_sub(2 * (arc / BACKWARD));
                let by = high(other) - bound;
                if by < lower[other] {
                    lower[other] = by;
                    if by as usize == at {
                        bucket.push(number(other));
                    } else {
                        buckets[by as usize].push(number(other));
                    }
                }
            }
        }
        at += 1;
    }
    for (at, lower) in lower.iter_mut().enumerate() {
        *lower = high(at) - *lower;
    }
    lower
}
