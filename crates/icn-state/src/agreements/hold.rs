//! What parties say of an agreement that holds: that it rests, goes on, ends, or was broken.
use super::{
    Move,
    act::{Hearing, not_for},
};
use crate::step::Step;
use alloc::{string::String, vec::Vec};
use icn_model::{
    AgreementAct, AgreementStep, BreachClaim, Did, DisputeRule, Ending, Notice, Refusal, Suspension,
};

impl Step<'_> {
    pub(super) fn suspend_agreement(
        &mut self,
        hearing: Hearing<'_>,
        act: &AgreementAct,
        reason: &str,
    ) -> Result<(), Refusal> {
        let by = hearing.speaker.did;
        self.signatory(&hearing, act)?;
        if hearing.record.suspensions.iter().any(|one| one.by == by) {
            return Err(Refusal::AlreadySaid {});
        }
        let Some((id, mut record, word)) = self.spoken(hearing, act)? else {
            return Ok(());
        };
        let reason = String::from(reason);
        record.suspensions.push(Suspension {
            by,
            reason: reason.clone(),
        });
        self.go(&mut record, Move::Suspend);
        self.enter(id, &mut record, AgreementStep::Suspended { reason }, Some(&word));
        self.state.tables.agreements.set(id, record);
        self.follow_agreement(id, false);
        Ok(())
    }

    pub(super) fn resume_agreement(
        &mut self,
        hearing: Hearing<'_>,
        act: &AgreementAct,
    ) -> Result<(), Refusal> {
        let by = hearing.speaker.did;
        if hearing.record.suspensions.iter().all(|one| one.by != by) {
            return Err(not_for("who suspended an agreement lets it go on"));
        }
        let Some((id, mut record, word)) = self.spoken(hearing, act)? else {
            return Ok(());
        };
        record.suspensions.retain(|one| one.by != by);
        if record.suspensions.is_empty() {
            self.go(&mut record, Move::Resume);
        }
        self.enter(id, &mut record, AgreementStep::Resumed {}, Some(&word));
        self.state.tables.agreements.set(id, record);
        self.follow_agreement(id, false);
        // What fell due while it rested.
        self.expire_agreement(id);
        Ok(())
    }

    pub(super) fn give_notice(
        &mut self,
        hearing: Hearing<'_>,
        act: &AgreementAct,
        reason: &str,
    ) -> Result<(), Refusal> {
        let held = self.signatory(&hearing, act)?;
        let ends = self.context.time.after(held.terms.notice_ms);
        if hearing.record.notice.is_some() {
            return Err(Refusal::AlreadySaid {});
        }
        let Some((id, mut record, word)) = self.spoken(hearing, act)? else {
            return Ok(());
        };
        record.notice = Some(Notice { by: word.party, ends });
        let reason = reason.into();
        self.enter(
            id,
            &mut record,
            AgreementStep::NoticeGiven { ends, reason },
            Some(&word),
        );
        self.state.tables.agreements.set(id, record);
        Ok(())
    }

    pub(super) fn consent_to_end(&mut self, hearing: Hearing<'_>, act: &AgreementAct) -> Result<(), Refusal> {
        let held = self.signatory(&hearing, act)?;
        let all: Vec<Did> = held.terms.signatories().collect();
        if hearing.record.end.contains(&hearing.speaker.did) {
            return Err(Refusal::AlreadySaid {});
        }
        let Some((id, mut record, word)) = self.spoken(hearing, act)? else {
            return Ok(());
        };
        record.end.push(word.party);
        self.enter(id, &mut record, AgreementStep::EndWanted {}, Some(&word));
        if all.iter().all(|party| record.end.contains(party)) {
            self.end_agreement(id, record, Ending::Consent, None, Some(&word));
        } else {
            self.state.tables.agreements.set(id, record);
        }
        Ok(())
    }

    pub(super) fn hear_of_breach(&mut self, hearing: Hearing<'_>, act: &AgreementAct) -> Result<(), Refusal> {
        let held = hearing.in_force(act)?;
        let (disputes, until) = (
            held.terms.disputes,
            self.context.time.after(held.terms.contest_ms),
        );
        let by = hearing.speaker.did;
        let claim = hearing.record.breach.clone();
        match (act, &claim, disputes) {
            (AgreementAct::ClaimBreach { against, .. }, None, _) => {
                self.signatory(&hearing, act)?;
                if *against == by || !held.terms.signatories().any(|party| party == *against) {
                    return Err(not_for("a claim is against another party that signs"));
                }
            }
            (AgreementAct::ContestBreach { .. }, Some(claim), _) if !claim.contested => {
                if claim.against != by {
                    return Err(not_for("whom a claim is against contests it"));
                }
            }
            (AgreementAct::Rule { .. }, Some(claim), DisputeRule::Arbiter { did }) if claim.contested => {
                if did != by {
                    return Err(not_for("the arbiter that the terms name decides"));
                }
            }
            _ => return Err(hearing.unfit(act)),
        }
        let Some((id, mut record, word)) = self.spoken(hearing, act)? else {
            return Ok(());
        };
        match (act, claim) {
            (AgreementAct::ClaimBreach { against, evidence }, _) => {
                let (against, evidence) = (*against, *evidence);
                record.breach = Some(BreachClaim {
                    by,
                    against,
                    evidence,
                    contested: false,
                    until,
                });
                let step = AgreementStep::BreachClaimed {
                    against,
                    evidence,
                    until,
                };
                self.enter(id, &mut record, step, Some(&word));
            }
            (AgreementAct::ContestBreach { reason }, Some(claim)) => {
                let reason = reason.clone();
                self.enter(
                    id,
                    &mut record,
                    AgreementStep::BreachContested { reason },
                    Some(&word),
                );
                record.breach = match disputes {
                    DisputeRule::Arbiter { .. } => Some(BreachClaim {
                        contested: true,
                        until,
                        ..claim
                    }),
                    DisputeRule::Negotiation {} => {
                        self.enter(id, &mut record, AgreementStep::BreachDismissed {}, None);
                        None
                    }
                };
            }
            (AgreementAct::Rule { upheld: true }, _) => {
                self.end_agreement(id, record, Ending::Breach, None, Some(&word));
                return Ok(());
            }
            _ => {
                record.breach = None;
                self.enter(id, &mut record, AgreementStep::BreachDismissed {}, Some(&word));
            }
        }
        self.state.tables.agreements.set(id, record);
        Ok(())
    }
}
