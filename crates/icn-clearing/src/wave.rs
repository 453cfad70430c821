//! Routing for deep networks: everything that is owed moves on together, from the farthest parties to the nearest.
//!
//! On a chain of a million parties, paths from every source would take quadratic time. A wave visits each party that has
//! something to pass on once, in the opposite order of the search, so that what comes from behind is passed on with it:
//! an arc on which labels fit leads to a party that was labelled before. What arrives where more comes than is owed stays
//! there until the next search.
use crate::{
    amount::Amount,
    graph::{Graph, OPEN, number, party},
    key::Key,
    search::Labels,
};
use alloc::collections::BinaryHeap;

/// Passes on along arcs on which labels fit, after a search. Labels are not changed.
pub(crate) fn wave<A: Amount, K: Key>(graph: &mut Graph<A>, labels: &Labels<K>) {
    let key = labels.key.as_slice();
    let owing = (0..graph.parties()).filter(|&at| graph.excess[at] > 0);
    let mut heap: BinaryHeap<_> = owing.map(|at| (labels.place(at), number(at))).collect();
    while let Some((place, at)) = heap.pop() {
        let at = at as usize;
        for position in graph.range(at) {
            let arc = graph.arcs[position];
            let other = party(arc);
            if arc & OPEN == 0 || key[other].through(arc) != key[at] || labels.place(other) >= place {
                continue;
            }
            let amount = graph.residual[position].min(A::at_most(graph.excess[at].unsigned_abs()));
            graph.push(position, amount);
            let moved = amount.get().cast_signed();
            graph.excess[at] -= moved;
            let before = graph.excess[other];
            graph.excess[other] += moved;
            if before <= 0 && graph.excess[other] > 0 {
                heap.push((labels.place(other), number(other)));
            }
            if graph.excess[at] == 0 {
                break;
            }
        }
    }
}
