//! Shortest ways between two parties of a solved network, found from both ends at once.
//!
//! Dial's algorithm on reduced costs from either end; the end that has looked at fewer arcs goes on. Once the best
//! meeting is as short as the two radii together, it is the shortest way, and prices can follow.
use crate::graph::{BACKWARD, Graph, NO_ARC, OPEN, OPPOSITE_OPEN, number, party};
use alloc::{vec, vec::Vec};

const UNSEEN: u32 = u32::MAX;
/// How many more arcs are looked at for further ways once there is one, beyond as many again.
const ENOUGH: u64 = 1000;

/// One of the two searches.
struct End {
    /// From the source along arcs, or from the sink against them.
    forward: bool,
    distance: Vec<u32>,
    /// The arc by which a party was come to, at the party nearer to this end.
    by: Vec<u32>,
    seen: Vec<u32>,
    buckets: Vec<Vec<u32>>,
    /// All who are nearer than this have been expanded.
    radius: u32,
    /// Who is next at the radius: first come, first served, for ways of few hops, on which more fits.
    next: usize,
    looked_at: u64,
}

/// The lists of the two searches.
pub(crate) struct Ways {
    from_source: End,
    from_sink: End,
    /// Parties on shortest ways that were labelled from both ends.
    meetings: Vec<u32>,
    way: Vec<usize>,
}

impl End {
    fn new(parties: usize, forward: bool) -> Self {
        Self {
            forward,
            distance: vec![UNSEEN; parties],
            by: vec![NO_ARC; parties],
            seen: Vec::new(),
            buckets: vec![Vec::new()],
            radius: 0,
            next: 0,
            looked_at: 0,
        }
    }

    fn start(&mut self, at: usize) {
        self.distance[at] = 0;
        self.seen.push(number(at));
        self.buckets[0].push(number(at));
    }

    /// Expands one party at the radius, or widens it. `meet` gets every party that is labelled.
    fn advance(&mut self, graph: &Graph<u64>, price: &[i64], meet: &mut dyn FnMut(usize, u32)) {
        let Some(&at) = self.buckets[self.radius as usize].get(self.next) else {
            (self.radius, self.next) = (self.radius + 1, 0);
            if self.buckets.len() <= self.radius as usize {
                self.buckets.push(Vec::new());
            }
            self.looked_at += 1;
            return;
        };
        self.next += 1;
        let at = at as usize;
        if self.distance[at] != self.radius {
            return;
        }
        let range = graph.range(at);
        self.looked_at += range.len() as u64 + 1;
        let usable = if self.forward { OPEN } else { OPPOSITE_OPEN };
        for position in range {
            let arc = graph.arcs[position];
            if arc & usable == 0 {
                continue;
            }
            let other = party(arc);
            let rise = 1 - 2 * i64::from(arc / BACKWARD) + price[other] - price[at];
            let reduced = if self.forward { rise } else { -rise };
            debug_assert!(reduced >= 0, "prices are feasible");
            // Reduced costs are sums of differences of prices, which are kept near 0.
            let distance = self
                .radius
                .saturating_add(u32::try_from(reduced).unwrap_or(UNSEEN));
            if distance < self.distance[other] {
                self.label(other, distance, position);
                meet(other, distance);
            }
        }
    }

    fn label(&mut self, at: usize, distance: u32, by: usize) {
        if self.distance[at] == UNSEEN {
            self.seen.push(number(at));
        }
        self.distance[at] = distance;
        self.by[at] = number(by);
        let bucket = distance as usize;
        if self.buckets.len() <= bucket {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        self.buckets[bucket].push(number(at));
    }

    /// Forgets everything, after moving prices by what was covered.
    fn finish(&mut self, price: &mut [i64]) {
        let sign = if self.forward { 1 } else { -1 };
        for &at in &self.seen {
            let covered = self.radius.saturating_sub(self.distance[at as usize]);
            price[at as usize] += sign * i64::from(covered);
            self.distance[at as usize] = UNSEEN;
        }
        self.seen.clear();
        self.buckets.iter_mut().for_each(Vec::clear);
        (self.radius, self.next, self.looked_at) = (0, 0, 0);
    }
}

impl Ways {
    pub(crate) fn new(parties: usize) -> Self {
        Self {
            from_source: End::new(parties, true),
            from_sink: End::new(parties, false),
            meetings: Vec::new(),
            way: Vec::new(),
        }
    }

    pub(crate) fn add_party(&mut self) {
        for end in [&mut self.from_source, &mut self.from_sink] {
            end.distance.push(UNSEEN);
            end.by.push(NO_ARC);
        }
    }

    /// Sends up to `most` along shortest ways, all that one search finds: what was sent, and the cost of each way. There
    /// is a way.
    pub(crate) fn send(
        &mut self,
        graph: &mut Graph<u64>,
        price: &mut [i64],
        source: usize,
        sink: usize,
        most: u64,
    ) -> (u64, i64) {
        self.meet(graph, price, source, sink, most);
        let (mut sent, mut cost) = (0, 0);
        for meeting in core::mem::take(&mut self.meetings) {
            if !self.trace(graph, source, sink, meeting as usize) {
                continue;
            }
            let rest = |&arc: &usize| graph.residual[arc];
            let amount = self
                .way
                .iter()
                .map(rest)
                .min()
                .unwrap_or(u64::MAX)
                .min(most - sent);
            if amount > 0 {
                let step = |&arc: &usize| 1 - 2 * i64::from(graph.arcs[arc] / BACKWARD);
                // Shortest ways all cost the same.
                cost = self.way.iter().map(step).sum();
                for &arc in &self.way {
                    graph.push(arc, amount);
                }
                sent += amount;
            }
        }
        self.from_source.finish(price);
        self.from_sink.finish(price);
        (sent, cost)
    }

    /// Puts together the way through a meeting, and whether it comes to no party twice.
    fn trace(&mut self, graph: &Graph<u64>, source: usize, sink: usize, meeting: usize) -> bool {
        self.way.clear();
        let shortest = self.from_source.radius + self.from_sink.radius;
        let mut at = meeting;
        while at != source {
            let arc = self.from_source.by[at] as usize;
            self.way.push(arc);
            at = graph.tail(arc);
            let (there, back) = (self.from_source.distance[at], self.from_sink.distance[at]);
            if back != UNSEEN
                && there.saturating_add(back) <= shortest
                && self.is_between(graph, at, meeting, sink)
            {
                return false;
            }
        }
        at = meeting;
        while at != sink {
            let back = self.from_sink.by[at] as usize;
            self.way.push(graph.opposite[back] as usize);
            at = graph.tail(back);
        }
        true
    }

    /// Whether a party is on the way from a meeting to the sink.
    fn is_between(&self, graph: &Graph<u64>, wanted: usize, meeting: usize, sink: usize) -> bool {
        let mut at = meeting;
        while at != sink {
            at = graph.tail(self.from_sink.by[at] as usize);
            if at == wanted {
                return true;
            }
        }
        false
    }

    /// Searches until a shortest way is known that takes `most`, or several ways, and notes a party on each.
    fn meet(&mut self, graph: &Graph<u64>, price: &[i64], source: usize, sink: usize, most: u64) {
        self.from_source.start(source);
        self.from_sink.start(sink);
        let mut best = u64::MAX;
        let mut enough = u64::MAX;
        self.meetings.clear();
        loop {
            let radius = u64::from(self.from_source.radius) + u64::from(self.from_sink.radius);
            let looked_at = self.from_source.looked_at + self.from_sink.looked_at;
            if best <= radius && enough == u64::MAX {
                let last = self.meetings.split_off(self.meetings.len() - 1);
                let traced = self.trace(graph, source, sink, last[0] as usize);
                if traced && self.way.iter().all(|&arc| graph.residual[arc] >= most) {
                    self.meetings = last;
                    return;
                }
                self.meetings.extend(last);
                enough = looked_at * 2 + ENOUGH;
            }
            let (near, far) = if self.from_source.looked_at <= self.from_sink.looked_at {
                (&mut self.from_source, &self.from_sink)
            } else {
                (&mut self.from_sink, &self.from_source)
            };
            let widen = near.next >= near.buckets[near.radius as usize].len();
            if best <= radius && (widen || looked_at > enough) {
                return;
            }
            let meetings = &mut self.meetings;
            near.advance(graph, price, &mut |at, distance| {
                let rest = far.distance[at];
                let length = u64::from(distance) + u64::from(rest);
                if rest == UNSEEN || length > best {
                    return;
                }
                if length < best {
                    meetings.clear();
                    best = length;
                }
                meetings.push(number(at));
            });
        }
    }
}
