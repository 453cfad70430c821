//! The plan of a round: which lines are in it, what is cleared on each, and what proves that it is the most.
use crate::{credit::LineKey, state::State, table::Key as _};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::ToString as _,
    vec::Vec,
};
use icn_clearing::{Error, Obligation, Refusal, Solution, Verified, check, solve};
use icn_model::{
    AbortReason, AgreementId, ClearedUnit, ClearingRow, CreditUnit, Did, Digest, LineId, LineRecord,
    RoundNumber, canonical, limits,
};

/// Lines that are looked at for one plan: those on which nothing is owed cost time, too.
const MAX_LINES_SEEN: usize = 8 * limits::MAX_CLEARING_ROWS;

/// What is cleared in one unit, with its certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitPlan {
    /// What it comes to.
    pub figures: ClearedUnit,
    /// By line, in the order in which the solver takes them.
    pub rows: BTreeMap<LineId, ClearingRow>,
    /// The price of everybody who owes or is owed something.
    pub prices: BTreeMap<Did, u32>,
}

/// Verifies what a round clears in one unit: that nobody's net position changes, and that `prices` prove that no clearing
/// clears more. It takes one pass, and needs nothing but the rows.
///
/// # Errors
/// The first reason against it. Rows are numbered from 0, parties in the order of their identities.
pub fn verify_clearing(rows: &[ClearingRow], prices: &BTreeMap<Did, u32>) -> Result<Verified, Refusal> {
    let parties: Vec<Did> = prices.keys().copied().collect();
    let cleared: Vec<u64> = rows.iter().map(|row| row.cleared).collect();
    let prices: Vec<u32> = prices.values().copied().collect();
    check(count(&parties), &obligations(rows, &parties), &cleared, &prices)
}

fn count(parties: &[Did]) -> u32 {
    u32::try_from(parties.len()).unwrap_or(u32::MAX)
}

/// As the solver has them: parties by their place. Who is not among them gets a place that is not there.
fn obligations(rows: &[ClearingRow], parties: &[Did]) -> Vec<Obligation> {
    let place = |did: &Did| {
        let place = parties.binary_search(did).unwrap_or(parties.len());
        u32::try_from(place).unwrap_or(u32::MAX)
    };
    let obligation = |row: &ClearingRow| Obligation {
        debtor: place(&row.debtor),
        creditor: place(&row.creditor),
        amount: row.amount,
    };
    rows.iter().map(obligation).collect()
}

/// Solves one unit; what it says is checked before it is believed.
type Solver<'a> = &'a dyn Fn(u32, &[Obligation]) -> Result<Solution, Error>;

/// What the rows of one unit come to; nothing if nothing can be cleared.
fn settle(
    unit: &CreditUnit,
    rows: BTreeMap<LineId, ClearingRow>,
    solver: Solver<'_>,
) -> Result<Option<UnitPlan>, AbortReason> {
    let mut rows = within_sum(rows);
    let parties: BTreeSet<Did> = rows.values().flat_map(|row| [row.debtor, row.creditor]).collect();
    let parties: Vec<Did> = parties.into_iter().collect();
    let owed: Vec<ClearingRow> = rows.values().copied().collect();
    let unproved = |detail: &dyn core::fmt::Display| AbortReason::Unproved {
        unit: unit.clone(),
        detail: detail.to_string(),
    };
    let solution =
        solver(count(&parties), &obligations(&owed, &parties)).map_err(|error| unproved(&error))?;
    for (row, cleared) in rows.values_mut().zip(&solution.cleared) {
        row.cleared = *cleared;
    }
    let prices: BTreeMap<Did, u32> = parties.iter().copied().zip(solution.prices).collect();
    let solved: Vec<ClearingRow> = rows.values().copied().collect();
    let verified = verify_clearing(&solved, &prices).map_err(|refusal| unproved(&refusal))?;
    let figures = ClearedUnit {
        parties: count(&parties),
        rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        gross: verified.gross,
        cleared: verified.cleared,
    };
    Ok((verified.cleared > 0).then_some(UnitPlan {
        figures,
        rows,
        prices,
    }))
}

/// Without the largest rows, where all add up to more than the solver takes: who agrees on absurd amounts keeps nobody else
/// out.
fn within_sum(mut rows: BTreeMap<LineId, ClearingRow>) -> BTreeMap<LineId, ClearingRow> {
    let most = u128::from(i64::MAX.unsigned_abs());
    let mut sum: u128 = rows.values().map(|row| u128::from(row.amount)).sum();
    while sum > most {
        let largest = rows.iter().max_by_key(|(_, row)| row.amount);
        let Some((line, amount)) = largest.map(|(line, row)| (line.clone(), row.amount)) else {
            return rows;
        };
        rows.remove(&line);
        sum -= u128::from(amount);
    }
    rows
}

/// What is owed on a line, if clearing may take part of it.
fn row_of(line: &LineRecord) -> Option<ClearingRow> {
    let position = line.position();
    if position == 0 || !line.is_clearable() {
        return None;
    }
    let [debtor, creditor] = if position > 0 { [0, 1] } else { [1, 0] };
    Some(ClearingRow {
        debtor: line.ends[debtor],
        creditor: line.ends[creditor],
        // A position is within a limit.
        amount: u64::try_from(position.unsigned_abs()).ok()?,
        cleared: 0,
        base: [debtor, creditor].map(|end| line.chains[end].head.owed),
        settled: None,
    })
}

/// Rows by unit.
pub(super) type Owed = BTreeMap<CreditUnit, BTreeMap<LineId, ClearingRow>>;

/// What is owed on the first lines that can be cleared, as many as a plan takes.
pub(super) fn gather<'a>(lines: impl Iterator<Item = (&'a LineKey, &'a LineRecord)>) -> Owed {
    let rows = lines
        .take(MAX_LINES_SEEN)
        .filter_map(|(key, line)| Some((key, row_of(line)?)))
        .take(limits::MAX_CLEARING_ROWS);
    let mut owed = Owed::new();
    for ((agreement, unit), row) in rows {
        let line = LineId {
            agreement: *agreement,
            unit: unit.clone(),
        };
        owed.entry(unit.clone()).or_default().insert(line, row);
    }
    owed
}

/// What a plan would be made of.
#[derive(Clone, Debug)]
pub struct ClearingDraft(pub(super) Owed);

impl ClearingDraft {
    /// The plan, by unit; units in which nothing can be cleared are left out.
    ///
    /// # Errors
    /// It does not pass its check: a fault of the program.
    pub fn solve(self) -> Result<BTreeMap<CreditUnit, UnitPlan>, AbortReason> {
        settle_all(self.0, &solve)
    }
}

/// The plan of each unit in which something can be cleared.
fn settle_all(owed: Owed, solver: Solver<'_>) -> Result<BTreeMap<CreditUnit, UnitPlan>, AbortReason> {
    let mut plans = BTreeMap::new();
    for (unit, rows) in owed {
        if let Some(plan) = settle(&unit, rows, solver)? {
            plans.insert(unit, plan);
        }
    }
    Ok(plans)
}

impl State {
    /// The plan that this state comes to.
    pub(super) fn settle(&self, owed: Owed) -> Result<BTreeMap<CreditUnit, UnitPlan>, AbortReason> {
        settle_all(owed, &|parties, owed| self.engine.clear(parties, owed))
    }

    /// From which line on a round takes its rows: if there are too many, others stay out each time.
    pub(super) fn first_line(&self, round: RoundNumber) -> LineKey {
        let content = canonical::to_bytes(&("icn/clearing/1", self.federation.id, round));
        (AgreementId::new(Digest::of(&content)), CreditUnit::least())
    }

    /// What is owed on the lines that both ends have joined a round with.
    pub(super) fn joined_rows(&self, round: RoundNumber) -> Owed {
        let joined = &self.tables.lines.index().joined;
        let (least, first) = ((round, LineKey::least()), (round, self.first_line(round)));
        let all = joined.range(first.clone()..).chain(joined.range(least..first));
        let lines = all
            .filter(|(of, _)| *of == round)
            .filter_map(|(_, key)| Some((key, self.tables.lines.get(key)?)));
        gather(lines)
    }
}
