//! A network that stays solved while its obligations change, one at a time.
//!
//! A change leaves the prices feasible and at most two parties out of balance; what is missing is routed from one to the
//! other along shortest ways, found from both ends at once. Prices rise around the one and fall around the other by what
//! the searches have covered, which keeps them feasible.
use crate::{
    Error, MAX_PARTIES, MAX_ROWS, Obligation, Solution,
    graph::{BACKWARD, Graph, NO_ARC, PARTY, Place, number},
    prices,
    solve::{gross, route_all},
    ways::Ways,
};
use alloc::vec::Vec;

/// Prices are brought down to the least ones when one gets this far from 0.
const FAR: i64 = 1 << 30;

/// In place of an arc that has moved: its opposite is where to. No party has this number.
const MOVED: u32 = u32::MAX;

/// Obligations with an optimal clearing, kept while they change.
///
/// A change costs as much as finding ways around it: mostly a tenth of a millisecond with a million obligations, dozens
/// of milliseconds where a large amount needs many ways, up to the size of the network in a single long ring. Reading
/// everything out is linear.
///
/// The clearing is optimal and its certificate is accepted, but it may be another optimum than the one
/// [`solve`](crate::solve()) finds for the same rows: where everybody has to compute the same bytes, use that. Total and
/// certificate are the same in both.
pub struct Network {
    rows: Vec<Obligation>,
    graph: Graph<u64>,
    /// The end of the room for each party's arcs.
    room: Vec<u32>,
    /// Feasible as in [`crate::search::Labels`], from any origin.
    price: Vec<i64>,
    gross: u64,
    cleared: u64,
    ways: Ways,
}

impl Network {
    /// Solves the obligations and keeps them.
    ///
    /// # Errors
    /// As [`solve`](crate::solve()).
    pub fn new(parties: u32, rows: Vec<Obligation>) -> Result<Self, Error> {
        let gross = gross(parties, &rows)?;
        let mut graph = Graph::<u64>::new(parties, &rows).expect("the sum of all amounts fits");
        let price = route_all(&mut graph, &mut |_| {});
        let loops = rows.iter().filter(|row| !row.counts()).map(|row| row.amount);
        let edges = graph.arcs.iter().zip(&graph.residual);
        let forward = edges
            .filter(|(arc, _)| **arc & BACKWARD == 0)
            .map(|(_, rest)| *rest);
        Ok(Self {
            cleared: loops.chain(forward).sum(),
            room: graph.place.iter().map(|place| place.end).collect(),
            price: price.into_iter().map(i64::from).collect(),
            ways: Ways::new(graph.parties()),
            rows,
            graph,
            gross,
        })
    }

    /// The number of parties.
    #[must_use]
    pub fn parties(&self) -> u32 {
        number(self.graph.parties())
    }

    /// The obligations as they are now. A removed one has the amount 0.
    #[must_use]
    pub fn rows(&self) -> &[Obligation] {
        &self.rows
    }

    /// The sum of all amounts.
    #[must_use]
    pub const fn gross(&self) -> u64 {
        self.gross
    }

    /// The sum of what is cleared: the most that can be.
    #[must_use]
    pub const fn cleared(&self) -> u64 {
        self.cleared
    }

    /// What is cleared of each row and the certificate, in linear time.
    #[must_use]
    pub fn solution(&mut self) -> Solution {
        let least = self.lower_prices();
        let mut left = self.graph.residual.clone();
        let part = |(row, &arc): (&Obligation, &u32)| {
            if arc == NO_ARC {
                return row.amount;
            }
            let left = &mut left[self.follow(arc) as usize];
            let part = row.amount.min(*left);
            *left -= part;
            part
        };
        Solution {
            cleared: self.rows.iter().zip(&self.graph.arc_of_row).map(part).collect(),
            prices: self.graph.rank.iter().map(|&at| least[at as usize]).collect(),
        }
    }

    /// One more party without obligations; the answer is its number.
    ///
    /// # Errors
    /// There are [`MAX_PARTIES`] already.
    pub fn add_party(&mut self) -> Result<u32, Error> {
        let party = self.parties();
        if party == MAX_PARTIES {
            return Err(Error::TooManyParties(party + 1));
        }
        let end = number(self.graph.arcs.len());
        self.graph.rank.push(party);
        self.graph.place.push(Place {
            first: end,
            end,
            current: end,
        });
        self.graph.excess.push(0);
        self.room.push(end);
        self.price.push(0);
        self.ways.add_party();
        Ok(party)
    }

    /// One more obligation; the answer is its row.
    ///
    /// # Errors
    /// A limit is passed, or a party is unknown; nothing is changed then.
    pub fn add(&mut self, obligation: Obligation) -> Result<usize, Error> {
        let row = self.rows.len();
        if row >= MAX_ROWS {
            return Err(Error::TooManyRows(row + 1));
        }
        if obligation.debtor.max(obligation.creditor) >= self.parties() {
            return Err(Error::UnknownParty { row });
        }
        self.rows.push(Obligation {
            amount: 0,
            ..obligation
        });
        self.graph.arc_of_row.push(NO_ARC);
        let added = self.set_amount(row, obligation.amount);
        if added.is_err() {
            self.rows.pop();
            self.graph.arc_of_row.pop();
        }
        added.map(|()| row)
    }

    /// Takes an obligation out. Its row stays, with the amount 0, so that others keep their numbers.
    ///
    /// # Errors
    /// There is no such row.
    pub fn remove(&mut self, row: usize) -> Result<(), Error> {
        self.set_amount(row, 0)
    }

    /// Changes the amount of an obligation and clears anew.
    ///
    /// # Errors
    /// There is no such row, or a limit is passed; nothing is changed then.
    pub fn set_amount(&mut self, row: usize, amount: u64) -> Result<(), Error> {
        let Some(&Obligation {
            debtor,
            creditor,
            amount: before,
        }) = self.rows.get(row)
        else {
            return Err(Error::UnknownRow { row });
        };
        let gross = (self.gross - before).checked_add(amount);
        let gross = gross
            .filter(|sum| i64::try_from(*sum).is_ok())
            .ok_or(Error::TooMuch { row })?;
        if debtor == creditor {
            self.cleared = self.cleared - before + amount;
        } else if amount != before {
            let arc = self.edge(row, debtor, creditor)?;
            if amount > before {
                self.grow(arc, amount - before);
            } else {
                self.shrink(arc, before - amount);
            }
        }
        self.rows[row].amount = amount;
        self.gross = gross;
        Ok(())
    }

    /// More is owed on an edge: it remains if prices say so, otherwise it is cleared, for which others have to be.
    fn grow(&mut self, arc: usize, by: u64) {
        let opposite = self.graph.opposite[arc] as usize;
        let (debtor, creditor) = (self.graph.tail(arc), self.graph.tail(opposite));
        if self.price[creditor] < self.price[debtor] {
            self.graph.residual[opposite] += by;
            self.graph.set_flags(arc, opposite);
        } else {
            self.graph.residual[arc] += by;
            self.graph.set_flags(arc, opposite);
            self.cleared += by;
            self.send(debtor, creditor, by);
        }
    }

    /// Less is owed on an edge: first what remains goes, then what is cleared.
    fn shrink(&mut self, arc: usize, by: u64) {
        let opposite = self.graph.opposite[arc] as usize;
        let (debtor, creditor) = (self.graph.tail(arc), self.graph.tail(opposite));
        let remaining = by.min(self.graph.residual[opposite]);
        let cleared = by - remaining;
        self.graph.residual[opposite] -= remaining;
        self.graph.residual[arc] -= cleared;
        self.graph.set_flags(arc, opposite);
        self.cleared -= cleared;
        self.send(creditor, debtor, cleared);
    }

    /// Moves an amount through the network at the least cost.
    fn send(&mut self, from: usize, to: usize, mut amount: u64) {
        while amount > 0 {
            let (moved, rise) = self.ways.send(&mut self.graph, &mut self.price, from, to, amount);
            amount -= moved;
            // Every step up leaves a unit standing that was cleared.
            self.cleared = self
                .cleared
                .wrapping_sub(moved.wrapping_mul(rise.cast_unsigned()));
        }
        if self.price[from].abs().max(self.price[to].abs()) > FAR {
            self.lower_prices();
        }
    }

    /// Replaces the prices by the ones that come from the least, and answers with those, by number in the graph.
    fn lower_prices(&mut self) -> Vec<u32> {
        let lowest = self.price.iter().copied().min().unwrap_or(0);
        let from_zero = |price: &i64| u32::try_from(price - lowest).expect("prices are kept near 0");
        let feasible: Vec<u32> = self.price.iter().map(from_zero).collect();
        let least = prices::least(&self.graph, &feasible);
        self.price = least.iter().map(|&price| -i64::from(price)).collect();
        least
    }

    /// The forward arc of a row, made if there is none yet.
    fn edge(&mut self, row: usize, debtor: u32, creditor: u32) -> Result<usize, Error> {
        let known = self.graph.arc_of_row[row];
        if known != NO_ARC {
            self.graph.arc_of_row[row] = self.follow(known);
            return Ok(self.graph.arc_of_row[row] as usize);
        }
        let (debtor, creditor) = (
            self.graph.rank[debtor as usize],
            self.graph.rank[creditor as usize],
        );
        let arc = match self.find(debtor as usize, creditor as usize) {
            Some(arc) => arc,
            None => self.connect(debtor as usize, creditor as usize, row)?,
        };
        self.graph.arc_of_row[row] = number(arc);
        Ok(arc)
    }

    /// Where an arc is now that was there once.
    fn follow(&self, mut arc: u32) -> u32 {
        while self.graph.arcs[arc as usize] == MOVED {
            arc = self.graph.opposite[arc as usize];
        }
        arc
    }

    /// The forward arc between two parties, looked for where there are fewer arcs.
    fn find(&self, debtor: usize, creditor: usize) -> Option<usize> {
        let graph = &self.graph;
        let (from_debtor, from_creditor) = (graph.range(debtor), graph.range(creditor));
        if from_debtor.len() <= from_creditor.len() {
            let wanted = number(creditor);
            from_debtor
                .into_iter()
                .find(|&at| graph.arcs[at] & (BACKWARD | PARTY) == wanted)
        } else {
            let wanted = number(debtor) | BACKWARD;
            let backward = from_creditor
                .into_iter()
                .find(|&at| graph.arcs[at] & (BACKWARD | PARTY) == wanted);
            backward.map(|at| graph.opposite[at] as usize)
        }
    }

    /// A new edge without an amount.
    fn connect(&mut self, debtor: usize, creditor: usize, row: usize) -> Result<usize, Error> {
        self.make_room(debtor, row)?;
        self.make_room(creditor, row)?;
        let graph = &mut self.graph;
        let (forward, backward) = (graph.place[debtor].end, graph.place[creditor].end);
        graph.place[debtor].end += 1;
        graph.place[creditor].end += 1;
        graph.arcs[forward as usize] = number(creditor);
        graph.arcs[backward as usize] = number(debtor) | BACKWARD;
        graph.opposite[forward as usize] = backward;
        graph.opposite[backward as usize] = forward;
        Ok(forward as usize)
    }

    /// Sees to it that a party has room for one more arc, by moving its arcs to the end, where there is room for twice
    /// as many.
    fn make_room(&mut self, at: usize, row: usize) -> Result<(), Error> {
        let range = self.graph.range(at);
        if range.end < self.room[at] as usize {
            return Ok(());
        }
        let graph = &mut self.graph;
        let (first, room) = (graph.arcs.len(), range.len() * 2 + 2);
        if first + room > NO_ARC as usize {
            return Err(Error::TooManyRows(row + 1));
        }
        graph.arcs.resize(first + room, 0);
        graph.opposite.resize(first + room, NO_ARC);
        graph.residual.resize(first + room, 0);
        for (step, from) in range.clone().enumerate() {
            let to = first + step;
            graph.arcs[to] = graph.arcs[from];
            graph.residual[to] = graph.residual[from];
            let opposite = graph.opposite[from] as usize;
            graph.opposite[to] = number(opposite);
            graph.opposite[opposite] = number(to);
            // Rows that know the old position find the new one there.
            graph.arcs[from] = MOVED;
            graph.opposite[from] = number(to);
        }
        let place = &mut graph.place[at];
        (place.first, place.current) = (number(first), number(first));
        place.end = number(first + range.len());
        self.room[at] = number(first + room);
        Ok(())
    }
}

impl core::fmt::Debug for Network {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Network")
            .field("parties", &self.parties())
            .field("rows", &self.rows.len())
            .field("gross", &self.gross)
            .field("cleared", &self.cleared)
            .finish_non_exhaustive()
    }
}
