//! What agreements do to their lines: open them, change their limits, let them rest, close them.
use super::LineKey;
use crate::step::Step;
use alloc::vec::Vec;
use icn_model::{
    AgreementId, AgreementState, ChainRecord, CreditStep, Did, FormerLimits, GoneRecord, Head, LineId,
    LineLimits, LinePhase, LineRecord, limits,
};

impl Step<'_> {
    /// Brings the lines of an agreement to where it stands. `is_renewed` says that all parties have just signed its
    /// terms: then frozen lines open again, and disputes are over.
    pub(crate) fn follow_agreement(&mut self, id: AgreementId, is_renewed: bool) {
        let agreement = self.state.tables.agreements.get(&id);
        let held = agreement.and_then(|agreement| Some((agreement.state, agreement.in_force.clone()?)));
        let Some((state, held)) = held else { return };
        let Some(ends) = held.terms.ends() else { return };
        let phase = match state {
            AgreementState::Terminated => LinePhase::Closing {},
            AgreementState::Suspended => LinePhase::Resting {},
            AgreementState::Proposed | AgreementState::Negotiating | AgreementState::Active => {
                LinePhase::Open {}
            }
        };
        for terms in &held.terms.lines {
            let limits = LineLimits {
                proposer: terms.proposer_limit,
                counterparty: terms.counterparty_limit,
            };
            let key = (id, terms.unit.clone());
            match self.state.tables.lines.get(&key).cloned() {
                Some(line) => self.change_line(&key, line, phase, limits, is_renewed),
                None => self.open_line(&key, ends, phase, limits),
            }
        }
        let others: Vec<_> = self
            .state
            .tables
            .lines
            .of(&id)
            .filter(|(unit, _)| held.terms.line(unit).is_none())
            .map(|(unit, line)| (unit.clone(), line.clone()))
            .collect();
        for (unit, line) in others {
            let limits = line.limits;
            self.change_line(&(id, unit), line, LinePhase::Closing {}, limits, is_renewed);
        }
    }

    fn open_line(&mut self, key: &LineKey, ends: [Did; 2], phase: LinePhase, limits: LineLimits) {
        let id = LineId {
            agreement: key.0,
            unit: key.1.clone(),
        };
        let federation = self.state.federation.id;
        let chains = ends.map(|end| ChainRecord::new(Head::origin(&federation, &id, &end)));
        let line = LineRecord {
            ends,
            phase,
            since: self.context.time,
            limits,
            former: None,
            highest: limits,
            chains,
            settled: 0,
            joined: [None; 2],
            disputes: Vec::new(),
        };
        self.tell_of_line(key, CreditStep::Opened { limits });
        self.set_line(key, line);
    }

    fn change_line(
        &mut self,
        key: &LineKey,
        mut line: LineRecord,
        phase: LinePhase,
        limits: LineLimits,
        is_renewed: bool,
    ) {
        let before = line.clone();
        if is_renewed {
            let over = core::mem::take(&mut line.disputes);
            for dispute in over {
                self.tell_of_line(key, CreditStep::DisputeEnded { by: dispute.by });
            }
        }
        let is_frozen = matches!(line.phase, LinePhase::Frozen { .. });
        if let LinePhase::Frozen { debtor, number } = line.phase
            && let Some(end) = line.end(&debtor).filter(|_| is_renewed)
        {
            // Else anybody who kept the proof could freeze the line again.
            let forgiven = &mut line.chains[end].forgiven_through;
            *forgiven = number.max(*forgiven);
        }
        // An agreement that ends makes nobody honest: a frozen line stays out of clearing.
        let phase = if is_frozen && !is_renewed {
            line.phase
        } else {
            phase
        };
        self.remember_limits(&mut line, phase, limits);
        line.limits = limits;
        line.highest = line.highest.max(limits);
        let mut line = self.stand(key, line, phase);
        if line.limits != before.limits && line.phase == before.phase {
            self.tell_changed(key, &line);
        }
        if line.phase == before.phase {
            line.since = before.since;
        }
        if line != before {
            self.set_line(key, line);
        }
    }

    /// The line in another phase.
    pub(super) fn stand(&mut self, key: &LineKey, mut line: LineRecord, phase: LinePhase) -> LineRecord {
        if phase == line.phase {
            return line;
        }
        let limits = line.limits;
        self.remember_limits(&mut line, phase, limits);
        line.phase = phase;
        line.since = self.context.time;
        self.tell_changed(key, &line);
        line
    }

    fn tell_changed(&mut self, key: &LineKey, line: &LineRecord) {
        let step = CreditStep::Changed {
            phase: line.phase,
            limits: line.in_force(),
        };
        self.tell_of_line(key, step);
    }

    /// Before limits fall: those that were in force count for a while for what both have signed.
    fn remember_limits(&self, line: &mut LineRecord, phase: LinePhase, limits: LineLimits) {
        let was = line.in_force();
        let will = LineRecord {
            phase,
            limits,
            ..line.clone()
        }
        .in_force();
        if was.max(will) != will {
            let highest = line.anchorable(self.now());
            line.former = Some(FormerLimits {
                limits: highest,
                until: self.context.time.after(limits::LINE_GRACE),
            });
        }
    }

    /// Forgets the lines of an agreement that is forgotten.
    pub(crate) fn forget_lines(&mut self, id: AgreementId) {
        let units: Vec<_> = self
            .state
            .tables
            .lines
            .of(&id)
            .map(|(unit, _)| unit.clone())
            .collect();
        for unit in units {
            let key = (id, unit);
            self.keep_settled(&key);
            self.state.tables.lines.remove(&key);
            self.tell_of_line(&key, CreditStep::Forgotten {});
        }
    }

    /// Before a line is forgotten: what was cleared on it still counts against what was cleared elsewhere.
    ///
    /// Rounds leave everybody's net position in a unit as it was. So what is kept for somebody is nothing once all its
    /// lines in the unit are forgotten: there are no more of these records than lines.
    fn keep_settled(&mut self, key: &LineKey) {
        let Some(line) = self.state.tables.lines.get(key) else {
            return;
        };
        let (ends, settled) = (line.ends, line.settled);
        for (end, settled) in ends.into_iter().zip([settled, -settled]) {
            let key = (end, key.1.clone());
            let gone = &mut self.state.tables.gone;
            let before = gone.get(&key).map_or(0, |record| record.settled);
            match before.saturating_add(settled) {
                0 => gone.remove(&key),
                settled => gone.set(key, GoneRecord { settled }),
            }
        }
    }
}
