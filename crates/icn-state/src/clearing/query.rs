//! What can be asked of rounds.
use super::plan::{ClearingDraft, UnitPlan, gather};
use crate::{credit::LineKey, line::OpenRound, state::State};
use alloc::collections::BTreeMap;
use icn_model::{
    AbortReason, ClearedUnit, ClearingRow, CreditUnit, Did, LineId, LineRecord, RoundNumber, RoundPhase,
    RoundRecord,
};

impl State {
    /// A round of clearing.
    pub fn round(&self, number: &RoundNumber) -> Option<&RoundRecord> {
        self.tables.rounds.get(number)
    }

    /// The rounds that are kept, the first one first.
    pub fn rounds(&self) -> impl DoubleEndedIterator<Item = (RoundNumber, &RoundRecord)> {
        self.tables.rounds.iter().map(|(number, round)| (*number, round))
    }

    /// The round that is under way, if one is.
    pub fn open_round(&self) -> Option<(RoundNumber, &RoundRecord)> {
        self.rounds()
            .next_back()
            .filter(|(_, round)| round.phase.is_open())
    }

    /// What the plan of a round comes to, by unit; of one that was not applied, and of one that was long ago, nothing.
    pub fn round_units(&self, number: &RoundNumber) -> impl Iterator<Item = (&CreditUnit, &ClearedUnit)> {
        self.tables.cleared_units.of(number)
    }

    /// The plan of a round, in the order of agreements and units.
    pub fn round_rows(&self, number: &RoundNumber) -> impl Iterator<Item = (LineId, &ClearingRow)> {
        let rows = self.tables.clearing_rows.of(number);
        rows.map(|((agreement, unit), row)| {
            let line = LineId {
                agreement: *agreement,
                unit: unit.clone(),
            };
            (line, row)
        })
    }

    /// The certificate of a round: everybody's price in each unit.
    pub fn round_prices(&self, number: &RoundNumber) -> impl Iterator<Item = (&CreditUnit, Did, u32)> {
        let prices = self.tables.clearing_prices.of(number);
        prices.map(|((unit, party), price)| (unit, *party, price.price))
    }

    /// The plan of a round by unit, with all that it takes to verify it ([`super::verify_clearing`]).
    pub fn round_plan(&self, number: &RoundNumber) -> BTreeMap<CreditUnit, UnitPlan> {
        let mut plans: BTreeMap<CreditUnit, UnitPlan> = BTreeMap::new();
        for (unit, figures) in self.round_units(number) {
            plans.entry(unit.clone()).or_default().figures = *figures;
        }
        for (line, row) in self.round_rows(number) {
            let plan = plans.entry(line.unit.clone()).or_default();
            plan.rows.insert(line, *row);
        }
        for (unit, party, price) in self.round_prices(number) {
            let plan = plans.entry(unit.clone()).or_default();
            plan.prices.insert(party, price);
        }
        plans
    }

    /// What a round would be planned of if it were frozen now and every line had joined it: in one unit, or in all.
    /// Solving it takes a while and does not need the state.
    pub fn clearing_draft(&self, unit: Option<&CreditUnit>) -> ClearingDraft {
        let last = self.tables.rounds.iter().next_back();
        let next = last.map_or(RoundNumber::new(0), |(number, _)| *number).next();
        let first = self.first_line(next);
        let lines = &self.tables.lines;
        let all = lines.range(first.clone()..).chain(lines.range(..first));
        let is_asked = |key: &LineKey| unit.is_none_or(|unit| key.1 == *unit);
        ClearingDraft(gather(all.filter(move |(key, _)| is_asked(key))))
    }

    /// What a round would clear, as [`Self::clearing_draft`]. Changes nothing.
    ///
    /// # Errors
    /// The plan does not pass its check: a fault of the program.
    pub fn clearing_plan(
        &self,
        unit: Option<&CreditUnit>,
    ) -> Result<BTreeMap<CreditUnit, UnitPlan>, AbortReason> {
        self.clearing_draft(unit).solve()
    }

    /// Whether a line of somebody is in the plan of a round.
    pub fn is_touched(&self, round: &RoundNumber, by: &Did) -> bool {
        let mut rows = self.tables.clearing_rows.of(round);
        rows.any(|(_, row)| [row.debtor, row.creditor].contains(by))
    }

    /// From what sum on the chain of an end may grow by no more than its limit, if a plan of which its line is part
    /// could make it owe more.
    pub(crate) fn round_base(&self, key: &LineKey, end: &Did) -> Option<(RoundNumber, u64)> {
        let (number, round) = self.open_round()?;
        if !matches!(round.phase, RoundPhase::Objecting { .. }) {
            return None;
        }
        let row = self.tables.clearing_rows.get(&(number, key.clone()))?;
        (row.creditor == *end).then_some((number, row.base[1]))
    }

    /// The round that concerns a line, for one of its ends, and from what sum on the chain of each end is bounded in it.
    pub(crate) fn round_of(&self, key: &LineKey, line: &LineRecord) -> (Option<OpenRound>, [Option<u64>; 2]) {
        let Some((number, round)) = self.open_round() else {
            return (None, [None; 2]);
        };
        if matches!(round.phase, RoundPhase::Announced { .. }) {
            let base = |end: usize| {
                let joined = line.joined[end] == Some(number);
                joined.then_some(line.chains[end].head.owed)
            };
            let is_frozen = false;
            return (Some(OpenRound { number, is_frozen }), [base(0), base(1)]);
        }
        let bases = line
            .ends
            .map(|end| self.round_base(key, &end).map(|(_, base)| base));
        let is_frozen = true;
        let is_in = bases.iter().any(Option::is_some);
        (is_in.then_some(OpenRound { number, is_frozen }), bases)
    }
}
