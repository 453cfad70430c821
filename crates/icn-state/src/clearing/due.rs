//! What time does to rounds of clearing: they are announced, frozen, applied or aborted, and forgotten.
use super::plan::{Owed, UnitPlan};
use crate::{
    credit::LineKey,
    state::State,
    step::{GAP, Step},
};
use alloc::{collections::BTreeMap, vec::Vec};
use icn_model::{
    AbortReason, ClearingPrice, ClearingRow, ClearingStep, CreditStep, CreditUnit, LineId, Millis,
    ProposalId, RoundNumber, RoundPhase, RoundRecord, Time, limits,
};

impl State {
    /// When the next round is opened by the schedule, unless one is under way then: it waits for that.
    ///
    /// It is a whole number of spans after the schedule was decided, so that rounds do not drift; spans that were missed
    /// are not made up for.
    pub fn next_round_due(&self) -> Option<Time> {
        let decided = &self.federation.decided;
        let every = decided.clearing_every_ms?.get().max(1);
        let since = decided.clearing_since;
        let last = self.tables.rounds.iter().next_back();
        let last = last.map_or(since, |(_, round)| round.announced.max(since));
        let spans = last.since(since).get() / every + 1;
        Some(since.after(Millis::new(spans.saturating_mul(every))))
    }
}

impl Step<'_> {
    /// Takes the round that is under way a step further if that is due, or opens one. One step a block, so that what a
    /// block takes is bounded.
    pub(crate) fn advance_clearing(&mut self) {
        let now = self.now();
        let open = self.state.open_round();
        let open = open.map(|(number, record)| (number, record.clone()));
        match open {
            Some((number, record)) if record.phase.due().is_some_and(|due| due < now) => match record.phase {
                RoundPhase::Announced { .. } => self.freeze(number, record),
                _ => self.finish(number, record),
            },
            Some(_) => {}
            None if self.state.next_round_due().is_some_and(|due| due < now) => self.announce_round(None),
            None => {}
        }
    }

    /// Opens a round. The caller knows that none is under way.
    pub(crate) fn announce_round(&mut self, proposal: Option<ProposalId>) {
        let last = self.state.tables.rounds.iter().next_back();
        let number = last.map_or(RoundNumber::new(0), |(number, _)| *number).next();
        let windows = self.state.federation.decided.clearing_windows;
        let freeze_at = self.context.time.after(windows.join_ms);
        let record = RoundRecord {
            announced: self.context.time,
            proposal,
            windows,
            phase: RoundPhase::Announced { freeze_at },
            frozen: None,
            rows: 0,
            left: 0,
            objections: Vec::new(),
        };
        self.state.tables.rounds.set(number, record);
        self.tell_of_round(number, ClearingStep::Announced { freeze_at, proposal });
        let rounds = &self.state.tables.rounds;
        let too_many = rounds.len().saturating_sub(limits::MAX_CLEARING_ROUNDS);
        let oldest: Vec<RoundNumber> = rounds.iter().take(too_many).map(|(number, _)| *number).collect();
        for number in oldest {
            self.forget_plan(number);
            self.state.tables.rounds.remove(&number);
        }
    }

    /// Makes the plan of what is anchored on the lines that both ends have joined with.
    fn freeze(&mut self, number: RoundNumber, mut record: RoundRecord) {
        record.frozen = Some(self.context.height);
        match self.state.settle(self.state.joined_rows(number)) {
            Err(reason) => self.abort(number, record, reason),
            Ok(plans) if plans.is_empty() => {
                let at = self.context.time;
                record.phase = RoundPhase::Ended { at };
                self.state.tables.rounds.set(number, record);
                self.tell_of_round(number, ClearingStep::Ended {});
            }
            Ok(plans) => {
                let until = self.context.time.after(record.windows.object_ms);
                record.phase = RoundPhase::Objecting { until };
                record.rows = self.keep_plan(number, plans);
                let rows = record.rows;
                self.state.tables.rounds.set(number, record);
                self.tell_of_round(number, ClearingStep::Frozen { until, rows });
            }
        }
    }

    /// Stores a plan; says how many rows it has.
    fn keep_plan(&mut self, number: RoundNumber, plans: BTreeMap<CreditUnit, UnitPlan>) -> u64 {
        let tables = &mut self.state.tables;
        let mut count = 0;
        for (unit, plan) in plans {
            for (line, row) in plan.rows {
                tables
                    .clearing_rows
                    .set((number, (line.agreement, line.unit)), row);
                count += 1;
            }
            for (party, price) in plan.prices {
                let key = (number, (unit.clone(), party));
                tables.clearing_prices.set(key, ClearingPrice { price });
            }
            tables.cleared_units.set((number, unit), plan.figures);
        }
        count
    }

    fn plan_rows(&self, number: RoundNumber) -> Vec<(LineKey, ClearingRow)> {
        let rows = self.state.tables.clearing_rows.of(&number);
        rows.map(|(key, row)| (key.clone(), *row)).collect()
    }

    fn forget_plan(&mut self, number: RoundNumber) {
        self.state.tables.clearing_rows.remove_of(&number);
        self.state.tables.clearing_prices.remove_of(&number);
        self.state.tables.cleared_units.remove_of(&number);
    }

    /// The window for objections is over: applies what is left of the plan.
    fn finish(&mut self, number: RoundNumber, mut record: RoundRecord) {
        let rows = self.plan_rows(number);
        let count = rows.len();
        let stays = |(key, row): &(LineKey, ClearingRow)| {
            let line = self.state.tables.lines.get(key);
            let objects = |by| row.debtor == by || row.creditor == by;
            line.is_some_and(|line| line.is_clearable())
                && !record.objections.iter().any(|objection| objects(objection.by))
        };
        let rows: Vec<_> = rows.into_iter().filter(stays).collect();
        if rows.len() < count {
            record.left = (count - rows.len()) as u64;
            match self.state.settle(owed(rows)) {
                Err(reason) => return self.abort(number, record, reason),
                Ok(plans) if plans.is_empty() => {
                    return self.abort(number, record, AbortReason::NothingLeft {});
                }
                Ok(plans) => {
                    self.forget_plan(number);
                    record.rows = self.keep_plan(number, plans);
                    let (left, rows) = (record.left, record.rows);
                    self.tell_of_round(number, ClearingStep::Replanned { left, rows });
                }
            }
        }
        self.apply_plan(number, record);
    }

    fn apply_plan(&mut self, number: RoundNumber, mut record: RoundRecord) {
        for (key, mut row) in self.plan_rows(number) {
            let Some(mut line) = self.state.tables.lines.get(&key).cloned() else {
                continue;
            };
            // Both are within what the chains add up to, which is far from the bounds of the type.
            let cleared = i64::try_from(row.cleared).unwrap_or(i64::MAX);
            line.settled = match line.end(&row.debtor) {
                Some(0) => line.settled.saturating_add(cleared),
                _ => line.settled.saturating_sub(cleared),
            };
            row.settled = Some(line.settled);
            self.state.tables.clearing_rows.set((number, key.clone()), row);
            if row.cleared > 0 {
                self.set_line(&key, line);
                let (round, debtor, amount) = (number, row.debtor, row.cleared);
                self.tell_of_line(
                    &key,
                    CreditStep::Cleared {
                        round,
                        debtor,
                        amount,
                    },
                );
            }
        }
        let (at, rows) = (self.context.time, record.rows);
        record.phase = RoundPhase::Applied { at };
        self.state.tables.rounds.set(number, record);
        self.tell_of_round(number, ClearingStep::Applied { rows });
        let applied = self.state.rounds().rev();
        let applied = applied.filter(|(_, round)| matches!(round.phase, RoundPhase::Applied { .. }));
        let oldest = applied
            .map(|(number, _)| number)
            .nth(limits::MAX_CLEARING_REPORTS);
        if let Some(oldest) = oldest {
            self.forget_plan(oldest);
        }
    }

    fn abort(&mut self, number: RoundNumber, mut record: RoundRecord, reason: AbortReason) {
        self.forget_plan(number);
        record.rows = 0;
        record.phase = RoundPhase::Aborted {
            at: self.context.time,
            reason: reason.clone(),
        };
        self.state.tables.rounds.set(number, record);
        self.tell_of_round(number, ClearingStep::Aborted { reason });
    }

    /// After a long pause of the log, those who could not join, anchor or object get the lost time back.
    pub(crate) fn bridge_clearing_gap(&mut self) {
        let gap = self.context.time.since(self.context.parent_time);
        if gap <= GAP {
            return;
        }
        let open = self.state.open_round();
        let Some((number, mut record)) = open.map(|(number, record)| (number, record.clone())) else {
            return;
        };
        if let RoundPhase::Announced { freeze_at: due } | RoundPhase::Objecting { until: due } =
            &mut record.phase
        {
            *due = due.after(gap);
        }
        self.state.tables.rounds.set(number, record);
    }
}

/// Rows of a plan, as they were before it.
fn owed(rows: Vec<(LineKey, ClearingRow)>) -> Owed {
    let mut owed = Owed::new();
    for ((agreement, unit), row) in rows {
        let line = LineId {
            agreement,
            unit: unit.clone(),
        };
        let row = ClearingRow { cleared: 0, ..row };
        owed.entry(unit).or_default().insert(line, row);
    }
    owed
}
