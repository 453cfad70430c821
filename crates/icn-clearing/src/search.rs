//! The search: exact labels for all parties, from those that are still owed something.
//!
//! Dial's variant of Dijkstra's algorithm, from many roots against the direction of the arcs, on reduced costs. These
//! are small integers that add up to little, so a party waits in the bucket of its distance. Within a bucket parties
//! come by hops, so labels are least as pairs (price, hops).
use crate::{
    amount::Amount,
    graph::{Graph, OPPOSITE_OPEN, number, party},
    key::Key,
};
use alloc::{vec, vec::Vec};
use core::{hint, mem};

/// How many parties are looked up at once.
const BLOCK: usize = 32;

/// A label needs more bits than it has.
#[derive(Debug)]
pub(crate) struct TooDeep;

/// The labels, and the lists that a search needs, kept from one to the next.
///
/// Invariant: prices are feasible. On no arc with a residual does the price fall by more than the arc costs:
/// `price(tail) <= price(head) + cost`, where a forward arc costs 1 and a backward arc -1.
pub(crate) struct Labels<K> {
    pub(crate) key: Vec<K>,
    previous: Vec<K>,
    /// Who waits for the search to come to a distance.
    buckets: Vec<Vec<u32>>,
    frontier: Vec<u32>,
    next: Vec<u32>,
}

impl<K: Key> Labels<K> {
    /// Labels without hops, of feasible prices.
    pub(crate) fn new(prices: &[u32]) -> Result<Self, TooDeep> {
        if prices.iter().any(|&price| price >= K::PRICE_END) {
            return Err(TooDeep);
        }
        let key: Vec<K> = prices.iter().map(|&price| K::new(price, 0)).collect();
        Ok(Self {
            previous: key.clone(),
            key,
            buckets: vec![Vec::new()],
            frontier: Vec::new(),
            next: Vec::new(),
        })
    }

    /// The price of each party, as of the last search where a new one was given up.
    pub(crate) fn prices(&self) -> Vec<u32> {
        self.key.iter().map(|key| key.price()).collect()
    }

    /// When the last search came to a party: its reduced distance, then its hops.
    pub(crate) fn place(&self, at: usize) -> (u32, u32) {
        let key = self.key[at];
        (key.price() - self.previous[at].price(), key.hops())
    }

    /// Labels every party anew. Given up, it leaves the prices as they were.
    pub(crate) fn search<A: Amount>(&mut self, graph: &Graph<A>) -> Result<(), TooDeep> {
        mem::swap(&mut self.key, &mut self.previous);
        let done = self.search_from_creditors(graph);
        if done.is_err() {
            mem::swap(&mut self.key, &mut self.previous);
        }
        for bucket in &mut self.buckets {
            bucket.clear();
        }
        done
    }

    fn search_from_creditors<A: Amount>(&mut self, graph: &Graph<A>) -> Result<(), TooDeep> {
        self.key.fill(K::NONE);
        for (at, &excess) in graph.excess.iter().enumerate() {
            if excess < 0 {
                self.key[at] = K::new(self.previous[at].price(), 0);
                self.buckets[0].push(number(at));
            }
        }
        let mut distance = 0;
        while (distance as usize) < self.buckets.len() {
            self.level(graph, distance)?;
            distance += 1;
        }
        self.lift_unreached()
    }

    /// Settles all who are `distance` away in reduced cost, by rising hops.
    fn level<A: Amount>(&mut self, graph: &Graph<A>, distance: u32) -> Result<(), TooDeep> {
        let mut seeds = mem::take(&mut self.buckets[distance as usize]);
        let (key, previous) = (&self.key, &self.previous);
        seeds.retain(|&at| key[at as usize].price() == previous[at as usize].price() + distance);
        if distance > 0 {
            seeds.sort_unstable_by_key(|&at| key[at as usize].hops());
        }
        let mut waiting = seeds.as_slice();
        let mut hops = 0;
        loop {
            if self.frontier.is_empty() {
                let Some(&at) = waiting.first() else { break };
                hops = hops.max(self.key[at as usize].hops());
            }
            while let Some((&at, rest)) = waiting.split_first() {
                let own = self.key[at as usize].hops();
                if own > hops {
                    break;
                }
                waiting = rest;
                if own == hops {
                    self.frontier.push(at);
                }
            }
            if hops >= K::HOPS_END {
                return Err(TooDeep);
            }
            self.step(graph, distance, hops)?;
            mem::swap(&mut self.frontier, &mut self.next);
            self.next.clear();
            hops += 1;
        }
        Ok(())
    }

    /// Offers labels to all who are one arc away from the frontier.
    fn step<A: Amount>(&mut self, graph: &Graph<A>, distance: u32, hops: u32) -> Result<(), TooDeep> {
        let frontier = mem::take(&mut self.frontier);
        let mut ready = [(K::NONE, 0, 0); BLOCK];
        for block in frontier.chunks(BLOCK) {
            // Looked up in advance, so that the processor waits for the arcs of many parties at once.
            let mut count = 0;
            for &at in block {
                let price = self.previous[at as usize].price() + distance;
                let own = K::new(price, hops);
                if self.key[at as usize] != own {
                    continue;
                }
                if price >= K::PRICE_END {
                    return Err(TooDeep);
                }
                let place = graph.place[at as usize];
                hint::black_box(graph.arcs.get(place.first as usize).copied());
                ready[count] = (own, place.first as usize, place.end as usize);
                count += 1;
            }
            for &(own, first, end) in &ready[..count] {
                self.offer(own, &graph.arcs[first..end], distance);
            }
        }
        self.frontier = frontier;
        Ok(())
    }

    /// Offers labels to those at the other ends of a party's arcs.
    fn offer(&mut self, own: K, arcs: &[u32], distance: u32) {
        for &arc in arcs {
            let other = party(arc);
            let (offer, before) = (own.back_through(arc), self.key[other]);
            if (arc & OPPOSITE_OPEN == 0) | (offer >= before) {
                continue;
            }
            self.key[other] = offer;
            let apart = offer.price() - self.previous[other].price();
            if apart == distance {
                self.next.push(number(other));
            } else if before.price() > offer.price() {
                let bucket = apart as usize;
                if self.buckets.len() <= bucket {
                    self.buckets.resize_with(bucket + 1, Vec::new);
                }
                self.buckets[bucket].push(number(other));
            }
        }
    }

    /// Lifts those from whom no way leads to the roots above all others. No arc with a residual leaves them, so their
    /// prices stay feasible when all rise alike.
    fn lift_unreached(&mut self) -> Result<(), TooDeep> {
        let (mut highest, mut lowest) = (0, u32::MAX);
        for (key, previous) in self.key.iter().zip(&self.previous) {
            if *key == K::NONE {
                lowest = lowest.min(previous.price());
            } else {
                highest = highest.max(key.price());
            }
        }
        let lift = (highest + 1).saturating_sub(lowest);
        for (key, previous) in self.key.iter_mut().zip(&self.previous) {
            if *key == K::NONE {
                let price = previous.price() + lift;
                if price >= K::PRICE_END {
                    return Err(TooDeep);
                }
                *key = K::new(price, 0);
            }
        }
        Ok(())
    }
}
