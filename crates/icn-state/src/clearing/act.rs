//! What cooperatives say of a round.
use crate::step::Step;
use icn_model::{
    ClearingAct, ClearingStep, Did, LineId, Operation, Refusal, Role, RoundNumber, RoundObjection,
    RoundPhase, RoundRecord, limits,
};

/// Who may join for a cooperative: who may anchor for it.
const JOINING: [Role; 3] = [Role::Line, Role::Officer, Role::Seat];

impl Step<'_> {
    pub(crate) fn act_on_clearing(
        &mut self,
        operation: &Operation,
        act: &ClearingAct,
    ) -> Result<(), Refusal> {
        match act {
            ClearingAct::Join { round, lines } => {
                self.cooperative_acting(operation, &JOINING)?;
                let record = self.round_under_way(*round)?;
                match record.phase {
                    RoundPhase::Announced { freeze_at } if freeze_at >= self.now() => {}
                    _ => return Err(wrong_phase(*round, record, act)),
                }
                self.join_round(operation.author, *round, lines)
            }
            ClearingAct::Object { round, reason } => {
                self.cooperative_acting(operation, &[Role::Officer])?;
                let record = self.round_under_way(*round)?;
                match record.phase {
                    RoundPhase::Objecting { until } if until >= self.now() => {}
                    _ => return Err(wrong_phase(*round, record, act)),
                }
                let record = record.clone();
                self.object(operation.author, *round, record, reason)
            }
        }
    }

    fn round_under_way(&self, round: RoundNumber) -> Result<&RoundRecord, Refusal> {
        match self.state.open_round() {
            Some((number, record)) if number == round => Ok(record),
            _ => Err(Refusal::NoSuchRound { round }),
        }
    }

    fn join_round(&mut self, by: Did, round: RoundNumber, lines: &[LineId]) -> Result<(), Refusal> {
        if lines.is_empty() {
            return Err(Refusal::NoLines {});
        }
        if lines.len() > limits::MAX_LINES_PER_JOIN {
            return Err(Refusal::TooLarge {
                what: "the number of lines".into(),
                value: lines.len() as u64,
                max: limits::MAX_LINES_PER_JOIN as u64,
            });
        }
        let mut joined = 0;
        for LineId { agreement, unit } in lines {
            let key = (*agreement, unit.clone());
            let Some(line) = self.state.tables.lines.get(&key) else {
                return Err(Refusal::UnknownLine {
                    agreement: *agreement,
                    unit: unit.clone(),
                });
            };
            let Some(end) = line.end(&by) else {
                return Err(Refusal::NotAnEnd {
                    agreement: *agreement,
                });
            };
            if line.joined[end] == Some(round) {
                continue;
            }
            let mut line = line.clone();
            line.joined[end] = Some(round);
            self.state.tables.lines.set(key, line);
            joined += 1;
        }
        if joined == 0 {
            return Err(Refusal::AlreadySaid {});
        }
        self.tell_of_round(round, ClearingStep::Joined { by, lines: joined });
        Ok(())
    }

    fn object(
        &mut self,
        by: Did,
        round: RoundNumber,
        mut record: RoundRecord,
        reason: &str,
    ) -> Result<(), Refusal> {
        if reason.trim().is_empty() || reason.len() > limits::MAX_TEXT_BYTES {
            return Err(Refusal::NoReason {});
        }
        if record.objections.iter().any(|objection| objection.by == by) {
            return Err(Refusal::AlreadySaid {});
        }
        if !self.state.is_touched(&round, &by) {
            return Err(Refusal::NotTouched { round });
        }
        record.objections.push(RoundObjection {
            by,
            reason: reason.into(),
            at: self.context.time,
        });
        self.state.tables.rounds.set(round, record);
        let reason = reason.into();
        self.tell_of_round(round, ClearingStep::Objected { by, reason });
        Ok(())
    }
}

fn wrong_phase(round: RoundNumber, record: &RoundRecord, act: &ClearingAct) -> Refusal {
    Refusal::WrongRoundPhase {
        round,
        phase: record.phase.name().into(),
        act: act.name().into(),
    }
}
