//! Routing: from every party that still owes, along arcs on which labels fit, to parties that are still owed.
//!
//! A depth-first search with current arcs, without recursion. Where no arc fits, the party is relabelled to the least
//! label its arcs offer, as in the shortest-augmenting-path algorithm of Ahuja and Orlin. A source whose label has
//! risen by too many hops is left to the next search, which labels everybody at once. So are all sources of one price
//! when relabelling goes on for long without a payment: they are behind the same bottleneck, and those of other prices
//! need not wait for them.
use crate::{
    amount::Amount,
    graph::{Graph, OPEN, number, party},
    key::Key,
    search::{Labels, TooDeep},
};
use alloc::vec::Vec;

/// By how many hops a source is relabelled.
const CLIMB_HOPS: u32 = 16;
/// A round ends after so many looks at arcs in relabelling for each arc there is.
const WORK_PER_ARC: u64 = 6;
/// Sources of one price are given up after one look for so many arcs without a payment.
const ARCS_PER_STALL: u64 = 32;

/// The lists that routing needs, kept from one round to the next.
#[derive(Default)]
pub(crate) struct Router {
    path: Vec<u32>,
    sources: Vec<u32>,
    work: u64,
    stalled: u64,
}

/// How the search for one source ended.
#[derive(PartialEq, Eq)]
enum End {
    Routed,
    LeftOver,
    Stalled,
}

impl Router {
    /// Routes what it can. Labels stay feasible, and residuals with them.
    pub(crate) fn route<A: Amount, K: Key>(
        &mut self,
        graph: &mut Graph<A>,
        labels: &mut Labels<K>,
    ) -> Result<(), TooDeep> {
        for place in &mut graph.place {
            place.current = place.first;
        }
        let key = labels.key.as_mut_slice();
        let mut sources = core::mem::take(&mut self.sources);
        sources.clear();
        sources.extend((0..number(graph.parties())).filter(|&at| graph.excess[at as usize] > 0));
        sources.sort_unstable_by_key(|&at| key[at as usize]);
        let limits: Vec<K> = sources.iter().map(|&at| key[at as usize]).collect();
        (self.work, self.stalled) = (0, 0);
        let most = graph.arcs.len() as u64 * WORK_PER_ARC;
        let mut given_up = None;
        for (&source, &label) in sources.iter().zip(&limits) {
            if given_up == Some(label.price()) {
                continue;
            }
            if label.hops() + CLIMB_HOPS >= K::HOPS_END {
                return Err(TooDeep);
            }
            let limit = label.plus_hops(CLIMB_HOPS);
            if self.drain(graph, key, source as usize, limit)? == End::Stalled {
                given_up = Some(label.price());
                self.stalled = 0;
            }
            if self.work > most {
                break;
            }
        }
        self.sources = sources;
        Ok(())
    }

    /// Routes what one source has.
    fn drain<A: Amount, K: Key>(
        &mut self,
        graph: &mut Graph<A>,
        key: &mut [K],
        source: usize,
        limit: K,
    ) -> Result<End, TooDeep> {
        self.path.clear();
        let most = graph.arcs.len() as u64 * WORK_PER_ARC;
        let mut at = source;
        while key[source] <= limit {
            let own = key[at];
            // Only the roots of the last search have no hops, so the others' excess need not be looked up.
            if own.hops() == 0 && graph.excess[at] < 0 {
                at = self.pay(graph, source, at);
                self.stalled = 0;
                if self.work > most {
                    return Ok(End::Stalled);
                }
                if graph.excess[source] == 0 {
                    return Ok(End::Routed);
                }
                continue;
            }
            let place = graph.place[at];
            let from = place.current as usize;
            let fits = |&arc: &u32| (arc & OPEN != 0) & (key[party(arc)].through(arc) == own);
            if let Some(steps) = graph.arcs[from..place.end as usize].iter().position(fits) {
                let arc = from + steps;
                // Positions of arcs fit 32 bits.
                self.path.push(number(arc));
                graph.place[at].current = number(arc);
                at = party(graph.arcs[arc]);
                continue;
            }
            relabel(graph, key, at, limit)?;
            let work = u64::from(place.end - place.first) + 1;
            self.work += work;
            self.stalled += work;
            let arcs = graph.arcs.len() as u64;
            if self.stalled > arcs / ARCS_PER_STALL + 1000 {
                return Ok(End::Stalled);
            }
            if let Some(arc) = self.path.pop() {
                at = graph.tail(arc as usize);
            }
        }
        Ok(End::LeftOver)
    }

    /// Pays along the path from the source to a party that is owed, and goes back to where the path is used up.
    fn pay<A: Amount>(&mut self, graph: &mut Graph<A>, source: usize, sink: usize) -> usize {
        let most = graph.excess[source].min(-graph.excess[sink]);
        let most = A::at_most(most.unsigned_abs());
        let rest = |&arc: &u32| graph.residual[arc as usize];
        let amount = self
            .path
            .iter()
            .map(rest)
            .min()
            .map_or(most, |least| least.min(most));
        self.work += self.path.len() as u64;
        let mut cut = self.path.len() - 1;
        for (step, &arc) in self.path.iter().enumerate().rev() {
            if graph.push(arc as usize, amount) {
                cut = step;
            }
        }
        let moved = amount.get().cast_signed();
        graph.excess[source] -= moved;
        graph.excess[sink] += moved;
        let back = graph.tail(self.path[cut] as usize);
        self.path.truncate(cut);
        back
    }
}

/// Gives a party the least label that its arcs offer, or one above the limit if nothing leads on from it.
fn relabel<A: Amount, K: Key>(
    graph: &mut Graph<A>,
    key: &mut [K],
    at: usize,
    limit: K,
) -> Result<(), TooDeep> {
    let range = graph.range(at);
    let first = range.start;
    let (mut best, mut best_step) = (K::NONE, 0);
    for (step, &arc) in graph.arcs[range].iter().enumerate() {
        let offer = if arc & OPEN == 0 {
            K::NONE
        } else {
            key[party(arc)].through(arc)
        };
        if offer < best {
            (best, best_step) = (offer, step);
        }
    }
    if best == K::NONE {
        best = limit.plus_hops(1).max(key[at]);
    }
    if best.hops() >= K::HOPS_END || best.price() >= K::PRICE_END {
        return Err(TooDeep);
    }
    key[at] = best;
    graph.place[at].current = number(first + best_step);
    Ok(())
}
