//! The slow oracle: cancels profitable cycles, found by Bellman-Ford, until there is none. It knows nothing of labels,
//! prices or net positions.
use icn_clearing::Obligation;

/// A way to change a clearing: along a row, or back.
#[derive(Clone, Copy)]
struct Step {
    from: usize,
    to: usize,
    row: usize,
    more: bool,
}

fn steps(rows: &[Obligation], cleared: &[u64]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, (row, &part)) in rows.iter().zip(cleared).enumerate() {
        let (debtor, creditor) = (row.debtor as usize, row.creditor as usize);
        if part < row.amount {
            steps.push(Step {
                from: debtor,
                to: creditor,
                row: number,
                more: true,
            });
        }
        if part > 0 {
            steps.push(Step {
                from: creditor,
                to: debtor,
                row: number,
                more: false,
            });
        }
    }
    steps
}

/// A cycle along which more could be cleared, unless there is none.
fn profitable_cycle(parties: usize, steps: &[Step]) -> Option<Vec<Step>> {
    let mut cost = vec![0_i64; parties];
    let mut by: Vec<Option<usize>> = vec![None; parties];
    let mut changed = None;
    for _ in 0..=parties {
        changed = None;
        for (number, step) in steps.iter().enumerate() {
            let offer = cost[step.from] + if step.more { -1 } else { 1 };
            if offer < cost[step.to] {
                (cost[step.to], by[step.to]) = (offer, Some(number));
                changed = Some(step.to);
            }
        }
        changed?;
    }
    // Far enough back one is on the cycle.
    let back = |at: usize| steps[by[at].expect("who was changed was reached")].from;
    let start = (0..parties).fold(changed?, |at, _| back(at));
    let mut cycle = Vec::new();
    let mut at = start;
    loop {
        let step = steps[by[at].expect("who is on a cycle was reached")];
        cycle.push(step);
        at = step.from;
        if at == start {
            return Some(cycle);
        }
    }
}

/// Whether more than `cleared` could be cleared.
pub(crate) fn could_be_more(parties: u32, rows: &[Obligation], cleared: &[u64]) -> bool {
    profitable_cycle(parties as usize, &steps(rows, cleared)).is_some()
}

/// The greatest total, found the slow way.
pub(crate) fn greatest_total(parties: u32, rows: &[Obligation]) -> u128 {
    let mut cleared = vec![0; rows.len()];
    while let Some(cycle) = profitable_cycle(parties as usize, &steps(rows, &cleared)) {
        let room = |step: &Step| {
            let part = cleared[step.row];
            if step.more {
                rows[step.row].amount - part
            } else {
                part
            }
        };
        let amount = cycle.iter().map(room).min().expect("a cycle has steps");
        for step in cycle {
            if step.more {
                cleared[step.row] += amount;
            } else {
                cleared[step.row] -= amount;
            }
        }
    }
    cleared.iter().map(|&part| u128::from(part)).sum()
}

/// The total when every ring of one or two parties is cancelled first, and then any other, without ever going back.
pub(crate) fn greedy_total(parties: u32, rows: &[Obligation]) -> u128 {
    let mut left: Vec<u64> = rows.iter().map(|row| row.amount).collect();
    let mut total = 0;
    for length in 1..=parties as usize {
        while let Some(ring) = ring(rows, &left, length) {
            let amount = ring.iter().map(|&row| left[row]).min().expect("a ring has rows");
            for row in ring {
                left[row] -= amount;
                total += u128::from(amount);
            }
        }
    }
    total
}

/// A ring of so many rows of which something is left.
fn ring(rows: &[Obligation], left: &[u64], length: usize) -> Option<Vec<usize>> {
    fn grow(rows: &[Obligation], left: &[u64], length: usize, path: &mut Vec<usize>) -> bool {
        let (first, last) = (rows[path[0]].debtor, rows[path[path.len() - 1]].creditor);
        if path.len() == length {
            return first == last;
        }
        for next in 0..rows.len() {
            if rows[next].debtor == last && left[next] > 0 && !path.contains(&next) {
                path.push(next);
                if grow(rows, left, length, path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }
    (0..rows.len()).filter(|&row| left[row] > 0).find_map(|row| {
        let mut path = vec![row];
        grow(rows, left, length, &mut path).then_some(path)
    })
}
