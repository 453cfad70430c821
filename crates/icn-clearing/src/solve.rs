//! The solver: rounds of a search that labels all parties and a routing that follows the labels.
use crate::{
    Error, MAX_PARTIES, MAX_ROWS, Obligation, Solution,
    amount::Amount,
    graph::Graph,
    key::Key,
    prices,
    route::Router,
    search::{Labels, TooDeep},
    wave::wave,
};
use alloc::{vec, vec::Vec};

/// How far solving has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many searches have been made.
    pub rounds: u64,
    /// How much of the net positions has no way to a creditor yet. Solving ends at 0.
    pub unrouted: u64,
}

/// Clears as much as can be cleared.
///
/// `parties` is the number of parties; rows name them from 0. Equal input gives equal output on every machine.
///
/// # Errors
/// A limit is passed: see [`Error`].
pub fn solve(parties: u32, rows: &[Obligation]) -> Result<Solution, Error> {
    solve_with_progress(parties, rows, &mut |_| {})
}

/// [`solve`], telling `progress` before each round.
///
/// # Errors
/// As [`solve`].
pub fn solve_with_progress(
    parties: u32,
    rows: &[Obligation],
    progress: &mut dyn FnMut(Progress),
) -> Result<Solution, Error> {
    gross(parties, rows)?;
    if let Some(graph) = Graph::<u32>::new(parties, rows) {
        Ok(finish(graph, rows, progress))
    } else {
        let graph = Graph::<u64>::new(parties, rows).expect("the sum of all amounts fits");
        Ok(finish(graph, rows, progress))
    }
}

fn finish<A: Amount>(
    mut graph: Graph<A>,
    rows: &[Obligation],
    progress: &mut dyn FnMut(Progress),
) -> Solution {
    let feasible = route_all(&mut graph, progress);
    let least = prices::least(&graph, &feasible);
    drop(feasible);
    let prices = graph.rank.iter().map(|&at| least[at as usize]).collect();
    drop(least);
    graph.opposite = Vec::new();
    graph.arcs = Vec::new();
    Solution {
        cleared: graph.take_cleared(rows),
        prices,
    }
}

/// The sum of all amounts, if the input is within its limits.
pub(crate) fn gross(parties: u32, rows: &[Obligation]) -> Result<u64, Error> {
    if parties > MAX_PARTIES {
        return Err(Error::TooManyParties(parties));
    }
    if rows.len() > MAX_ROWS {
        return Err(Error::TooManyRows(rows.len()));
    }
    let mut sum = 0_u64;
    for (number, row) in rows.iter().enumerate() {
        if row.debtor.max(row.creditor) >= parties {
            return Err(Error::UnknownParty { row: number });
        }
        sum = sum
            .checked_add(row.amount)
            .filter(|&sum| sum <= i64::MAX.unsigned_abs())
            .ok_or(Error::TooMuch { row: number })?;
    }
    Ok(sum)
}

/// Routes all net positions at the least cost, and answers with feasible prices.
///
/// Almost all networks are shallow: a debt finds its way in a few hops. What is deeper than short labels can say is
/// finished with long ones.
pub(crate) fn route_all<A: Amount>(graph: &mut Graph<A>, progress: &mut dyn FnMut(Progress)) -> Vec<u32> {
    let mut rounds = 0;
    let mut unfinished = |graph: &Graph<A>| {
        let owing = graph.excess.iter().filter(|&&excess| excess > 0);
        let unrouted = owing.map(|excess| excess.unsigned_abs()).sum();
        if unrouted > 0 {
            progress(Progress { rounds, unrouted });
            rounds += 1;
        }
        unrouted > 0
    };
    let mut prices = vec![0; graph.parties()];
    // Parties that are cut off from all who are owed are lifted out of the way, possibly higher than labels reach.
    // Normal prices bring them down again, for as long as that helps.
    let mut helped = true;
    while helped {
        helped = shallow(graph, &mut prices, &mut unfinished);
        if graph.excess.iter().all(|&excess| excess <= 0) {
            return prices;
        }
        normalise(graph, &mut prices);
    }
    deep(graph, &mut prices, &mut unfinished);
    prices
}

/// Goes on until all is routed or a label is too long for 16 bits, and whether at least one round was made.
fn shallow<A: Amount>(
    graph: &mut Graph<A>,
    prices: &mut Vec<u32>,
    unfinished: &mut dyn FnMut(&Graph<A>) -> bool,
) -> bool {
    let Ok(mut labels) = Labels::<u16>::new(prices) else {
        return false;
    };
    let mut router = Router::default();
    let mut rounds = 0_u32;
    while unfinished(graph) {
        let round = labels
            .search(graph)
            .and_then(|()| router.route(graph, &mut labels));
        if let Err(TooDeep) = round {
            break;
        }
        rounds += 1;
    }
    *prices = labels.prices();
    rounds > 0
}

/// Goes on until all is routed.
fn deep<A: Amount>(
    graph: &mut Graph<A>,
    prices: &mut Vec<u32>,
    unfinished: &mut dyn FnMut(&Graph<A>) -> bool,
) {
    const FITS: &str = "normal prices are below the number of parties, and a search at most trebles that";
    let mut router = Router::default();
    while unfinished(graph) {
        let mut labels = Labels::<u64>::new(prices).expect(FITS);
        loop {
            labels.search(graph).expect(FITS);
            wave(graph, &labels);
            router.route(graph, &mut labels).expect(FITS);
            let high = labels.key.iter().any(|key| key.price() > MAX_PARTIES);
            if high || !unfinished(graph) {
                break;
            }
        }
        *prices = labels.prices();
        normalise(graph, prices);
    }
}

/// Brings feasible prices into the range from 0 to the number of parties.
fn normalise<A: Amount>(graph: &Graph<A>, prices: &mut Vec<u32>) {
    let least = prices::least(graph, prices);
    let top = least.iter().copied().max().unwrap_or(0);
    *prices = least.iter().map(|price| top - price).collect();
}
