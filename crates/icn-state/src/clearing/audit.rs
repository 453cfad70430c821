//! What rounds have cleared, recomputed.
use super::verify_clearing;
use crate::{audit::AuditError, state::State};
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};
use icn_model::{ClearingRow, CreditUnit, Did, LineId, RoundNumber, RoundPhase};

impl State {
    /// That clearing has changed nobody's net position, and that the rounds which are kept have cleared what they say.
    pub(crate) fn audit_clearing(&self) -> Result<(), AuditError> {
        let mut nets: BTreeMap<(Did, &CreditUnit), i128> = BTreeMap::new();
        for ((_, unit), line) in self.tables.lines.iter() {
            for (end, settled) in line.ends.into_iter().zip([line.settled, -line.settled]) {
                *nets.entry((end, unit)).or_default() += i128::from(settled);
            }
        }
        for ((party, unit), gone) in self.tables.gone.iter() {
            *nets.entry((*party, unit)).or_default() += i128::from(gone.settled);
        }
        if let Some(((party, unit), settled)) = nets.into_iter().find(|(_, settled)| *settled != 0) {
            return Err(AuditError::Unbalanced {
                party,
                unit: Box::new(unit.clone()),
                settled,
            });
        }
        let mut settled: BTreeMap<LineId, i64> = BTreeMap::new();
        for (number, round) in self.rounds() {
            if !matches!(round.phase, RoundPhase::Applied { .. }) {
                continue;
            }
            self.audit_round(number, &mut settled)
                .map_err(|detail| AuditError::Round {
                    round: number,
                    detail,
                })?;
        }
        for (id, recorded) in settled {
            let line = self.line(&id);
            if line.is_some_and(|line| line.settled != recorded) {
                return Err(AuditError::Settled {
                    line: Box::new(id),
                    recorded,
                });
            }
        }
        Ok(())
    }

    /// Verifies the certificates of a round, its figures, and that it goes on where the rounds before it had come to.
    fn audit_round(&self, number: RoundNumber, settled: &mut BTreeMap<LineId, i64>) -> Result<(), String> {
        for (unit, plan) in self.round_plan(&number) {
            let rows: Vec<ClearingRow> = plan.rows.values().copied().collect();
            let verified =
                verify_clearing(&rows, &plan.prices).map_err(|refusal| format!("in {unit}, {refusal}"))?;
            let figures = plan.figures;
            if (figures.gross, figures.cleared) != (verified.gross, verified.cleared) {
                return Err(format!("its sums in {unit} are not those of its rows"));
            }
            for (id, row) in plan.rows {
                let after = row.settled.ok_or_else(|| format!("line {id} was not settled"))?;
                let cleared = i128::from(row.cleared);
                let line = self.line(&id);
                let is_first = line.is_none_or(|line| line.end(&row.debtor) == Some(0));
                let before = i128::from(after) - if is_first { cleared } else { -cleared };
                if line.is_some()
                    && let Some(known) = settled.get(&id)
                    && i128::from(*known) != before
                {
                    return Err(format!("line {id} had been settled by {known} before"));
                }
                settled.insert(id, after);
            }
        }
        Ok(())
    }
}
