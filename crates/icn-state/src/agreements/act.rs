//! What parties say of agreements.
use super::{Move, Word, hears, next};
use crate::{
    governance::{Speaker, matter},
    step::Step,
};
use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use icn_model::{
    AgreementAct, AgreementId, AgreementRecord, AgreementState, AgreementStep, Did, Digest, DisputeRule,
    Ending, InForce, Offer, PartyRole, Refusal, SignedOperation, Terms, canonical, limits,
};

/// What is asked of one agreement, while it is looked at.
pub(super) struct Hearing<'a> {
    pub(super) id: AgreementId,
    pub(super) record: AgreementRecord,
    pub(super) speaker: Speaker,
    signed: &'a SignedOperation,
}

impl Hearing<'_> {
    pub(super) fn in_force(&self, act: &AgreementAct) -> Result<&InForce, Refusal> {
        self.record.in_force.as_ref().ok_or_else(|| self.unfit(act))
    }

    pub(super) fn unfit(&self, act: &AgreementAct) -> Refusal {
        Refusal::WrongAgreementState {
            agreement: self.id,
            state: self.record.state,
            act: act.name().into(),
        }
    }
}

impl Step<'_> {
    pub(crate) fn propose_agreement(
        &mut self,
        signed: &SignedOperation,
        terms: &Terms,
    ) -> Result<(), Refusal> {
        let speaker = self.cooperative_speaking(signed)?;
        let id = AgreementId::from(signed.id());
        if terms.role(&speaker.did) != Some(PartyRole::Proposer) {
            return Err(bad_terms("who proposes an agreement is its proposer"));
        }
        self.check_terms(terms)?;
        let (open, max) = (
            self.state.tables.agreements.index().open.of(&speaker.did),
            limits::MAX_AGREEMENTS_PER_COOPERATIVE,
        );
        if open >= max {
            return Err(Refusal::TooManyAgreements {
                open: open as u64,
                max: max as u64,
            });
        }
        let record = AgreementRecord {
            proposer: speaker.did,
            state: AgreementState::Proposed,
            since: self.context.time,
            in_force: None,
            offer: None,
            revisions: 0,
            suspensions: Vec::new(),
            end: Vec::new(),
            notice: None,
            breach: None,
            ending: None,
            owing: false,
            entries: 0,
            head: Digest::ZERO,
        };
        let hearing = Hearing {
            id,
            record,
            speaker,
            signed,
        };
        self.take_offer(hearing, terms)
    }

    pub(crate) fn act_on_agreement(
        &mut self,
        signed: &SignedOperation,
        id: AgreementId,
        act: &AgreementAct,
    ) -> Result<(), Refusal> {
        let speaker = self.cooperative_speaking(signed)?;
        let record = self.agreement(id)?;
        let is_heard = match act {
            AgreementAct::Rule { .. } => true,
            _ => record.role(&speaker.did).is_some_and(PartyRole::signs),
        };
        if !is_heard {
            return Err(Refusal::NotAParty { agreement: id });
        }
        let hearing = Hearing {
            id,
            record,
            speaker,
            signed,
        };
        if !hears(hearing.record.state, act) {
            return Err(hearing.unfit(act));
        }
        if hearing.record.entries >= limits::MAX_AGREEMENT_ENTRIES && !ends(act) {
            return Err(Refusal::AgreementFull {
                max: limits::MAX_AGREEMENT_ENTRIES,
            });
        }
        if let Some(reason) = act.reason() {
            check_reason(reason)?;
        }
        match act {
            AgreementAct::Offer { revision, terms } => {
                let expected = hearing.record.revisions + 1;
                if *revision != expected {
                    let revision = *revision;
                    return Err(Refusal::WrongRevision { revision, expected });
                }
                self.check_counter(&hearing, terms)?;
                self.take_offer(hearing, terms)
            }
            AgreementAct::Sign { revision, content } => self.sign_agreement(hearing, *revision, content),
            AgreementAct::Withdraw { reason } => self.drop_offer(hearing, act, Ending::Withdrawn, reason),
            AgreementAct::Reject { reason } => self.drop_offer(hearing, act, Ending::Rejected, reason),
            AgreementAct::Suspend { reason } => self.suspend_agreement(hearing, act, reason),
            AgreementAct::Resume {} => self.resume_agreement(hearing, act),
            AgreementAct::GiveNotice { reason } => self.give_notice(hearing, act, reason),
            AgreementAct::ConsentToEnd {} => self.consent_to_end(hearing, act),
            AgreementAct::ClaimBreach { .. }
            | AgreementAct::ContestBreach { .. }
            | AgreementAct::Rule { .. } => self.hear_of_breach(hearing, act),
        }
    }

    /// A cooperative that speaks by an officer.
    fn cooperative_speaking(&self, signed: &SignedOperation) -> Result<Speaker, Refusal> {
        let speaker = self.speaker(signed.operation())?;
        if speaker.is_cooperative() {
            Ok(speaker)
        } else {
            Err(Refusal::NotACooperative { author: speaker.did })
        }
    }

    /// The word of the author's cooperative for `act`, once enough of its officers have said the same.
    fn word(&mut self, hearing: &Hearing<'_>, act: &AgreementAct) -> Result<Option<Word>, Refusal> {
        let about = [hearing.id.digest().as_bytes().as_slice(), act.name().as_bytes()].concat();
        let content = Digest::of(&canonical::to_bytes(act));
        let agreed = self.agree(
            hearing.speaker,
            hearing.signed,
            matter("agreement", &about),
            content,
        )?;
        let party = hearing.speaker.did;
        Ok(agreed.map(|by| Word { party, by }))
    }

    /// The agreement with the word of the author's cooperative, once that counts.
    pub(super) fn spoken(
        &mut self,
        hearing: Hearing<'_>,
        act: &AgreementAct,
    ) -> Result<Option<(AgreementId, AgreementRecord, Word)>, Refusal> {
        let word = self.word(&hearing, act)?;
        Ok(word.map(|word| (hearing.id, hearing.record, word)))
    }

    /// Whether these terms could hold from now on.
    fn check_terms(&self, terms: &Terms) -> Result<(), Refusal> {
        terms.check().map_err(|error| bad_terms(&error.to_string()))?;
        let now = self.now();
        if terms.expires.is_some_and(|expires| expires <= now) {
            return Err(bad_terms("it would have expired already"));
        }
        for party in &terms.parties {
            let is_there = if party.role.signs() {
                self.state.is_voter(&party.did)
            } else {
                self.is_seated(&party.did)
            };
            if !is_there {
                let what = if party.role.signs() { "cooperative" } else { "seat" };
                return Err(bad_terms(&alloc::format!(
                    "{} is no {what} of this federation",
                    party.did
                )));
            }
        }
        match terms.disputes {
            DisputeRule::Arbiter { did } if !self.state.is_voter(&did) => {
                Err(bad_terms("the arbiter is no cooperative of this federation"))
            }
            _ => Ok(()),
        }
    }

    /// Whether terms can take the place of those of an agreement.
    fn check_counter(&self, hearing: &Hearing<'_>, terms: &Terms) -> Result<(), Refusal> {
        self.check_terms(terms)?;
        let record = &hearing.record;
        if terms.role(&record.proposer) != Some(PartyRole::Proposer) {
            return Err(bad_terms("the proposer of an agreement stays who it is"));
        }
        if !terms.signatories().any(|party| party == hearing.speaker.did) {
            return Err(bad_terms("who offers terms signs them"));
        }
        let Some(before) = record.terms() else {
            return Ok(());
        };
        if terms.kind != before.kind {
            return Err(bad_terms("an agreement stays of its kind"));
        }
        if record.in_force.is_some() && terms.ends() != before.ends() {
            return Err(bad_terms("a line stays between the two that it is between"));
        }
        if before == terms {
            return Err(Refusal::NothingChanges {
                detail: "these are the terms already".into(),
            });
        }
        Ok(())
    }

    /// Makes `terms` what is offered, signed by the speaker as far as its officers agree.
    fn take_offer(&mut self, hearing: Hearing<'_>, terms: &Terms) -> Result<(), Refusal> {
        let Hearing {
            id,
            mut record,
            speaker,
            signed,
        } = hearing;
        let is_first = record.revisions == 0;
        record.revisions += 1;
        let revision = record.revisions;
        let mut needed: Vec<Did> = terms.signatories().collect();
        if let Some(held) = &record.in_force {
            needed.extend(held.terms.signatories());
        }
        needed.sort_unstable();
        needed.dedup();
        record.offer = Some(Offer {
            revision,
            terms: terms.clone(),
            by: speaker.did,
            signed: Vec::new(),
            needed,
            until: self.context.time.after(limits::OFFER_SPAN),
        });
        if !is_first {
            self.go(&mut record, Move::Offer);
        }
        let content = terms.digest();
        let offered = Word {
            party: speaker.did,
            by: alloc::vec![self.log_entry(signed)],
        };
        let step = AgreementStep::Offered { revision, content };
        self.enter(id, &mut record, step, Some(&offered));
        let hearing = Hearing {
            id,
            record,
            speaker,
            signed,
        };
        self.sign_agreement(hearing, revision, &content)
    }

    fn sign_agreement(
        &mut self,
        hearing: Hearing<'_>,
        revision: u32,
        content: &Digest,
    ) -> Result<(), Refusal> {
        let party = hearing.speaker.did;
        let act = AgreementAct::Sign {
            revision,
            content: *content,
        };
        let Some(offer) = &hearing.record.offer else {
            return Err(hearing.unfit(&act));
        };
        if revision != offer.revision {
            let expected = offer.revision;
            return Err(Refusal::WrongRevision { revision, expected });
        }
        if offer.terms.digest() != *content {
            return Err(Refusal::WrongContent { revision });
        }
        if offer.signed.contains(&party) {
            return Err(Refusal::AlreadySaid {});
        }
        let word = self.word(&hearing, &act)?;
        let Hearing { id, mut record, .. } = hearing;
        if let (Some(word), Some(offer)) = (word, &mut record.offer) {
            offer.signed.push(party);
            let content = *content;
            self.enter(
                id,
                &mut record,
                AgreementStep::Signed { revision, content },
                Some(&word),
            );
        }
        self.state.tables.agreements.set(id, record);
        // With the last signature it holds, unless its date is still to come.
        self.expire_agreement(id);
        Ok(())
    }

    fn drop_offer(
        &mut self,
        hearing: Hearing<'_>,
        act: &AgreementAct,
        ending: Ending,
        reason: &str,
    ) -> Result<(), Refusal> {
        let Some(offer) = &hearing.record.offer else {
            return Err(hearing.unfit(act));
        };
        let is_own = offer.by == hearing.speaker.did;
        if is_own != (ending == Ending::Withdrawn) {
            return Err(not_for(if is_own {
                "who made an offer withdraws it"
            } else {
                "only who made an offer withdraws it; others turn it down"
            }));
        }
        if let Some((id, record, word)) = self.spoken(hearing, act)? {
            self.end_offer(id, record, ending, Some(reason.into()), Some(&word));
        }
        Ok(())
    }

    /// What is offered comes to nothing, and with it the agreement, unless it is in force.
    pub(super) fn end_offer(
        &mut self,
        id: AgreementId,
        mut record: AgreementRecord,
        ending: Ending,
        reason: Option<String>,
        word: Option<&Word>,
    ) {
        if next(record.state, Move::Drop) == Some(AgreementState::Terminated) {
            return self.end_agreement(id, record, ending, reason, word);
        }
        let Some(offer) = record.offer.take() else { return };
        let revision = offer.revision;
        let step = AgreementStep::OfferEnded {
            revision,
            ending,
            reason,
        };
        self.enter(id, &mut record, step, word);
        self.state.tables.agreements.set(id, record);
    }

    pub(super) fn end_agreement(
        &mut self,
        id: AgreementId,
        mut record: AgreementRecord,
        ending: Ending,
        reason: Option<String>,
        word: Option<&Word>,
    ) {
        self.go(&mut record, Move::of(ending));
        record.ending = Some(ending);
        self.enter(id, &mut record, AgreementStep::Ended { ending, reason }, word);
        self.state.tables.agreements.set(id, record);
        self.follow_agreement(id, false);
    }

    /// What is in force, if the speaker has signed it.
    pub(super) fn signatory<'a>(
        &self,
        hearing: &'a Hearing<'_>,
        act: &AgreementAct,
    ) -> Result<&'a InForce, Refusal> {
        let held = hearing.in_force(act)?;
        if held.terms.signatories().any(|party| party == hearing.speaker.did) {
            Ok(held)
        } else {
            Err(Refusal::NotAParty {
                agreement: hearing.id,
            })
        }
    }
}

/// Whether an act can bring an agreement to its end, or decides whether a breach that is claimed does: it is heard however long
/// the history is. Nobody is left without a defence because the claim was the last entry.
const fn ends(act: &AgreementAct) -> bool {
    matches!(
        act,
        AgreementAct::Withdraw { .. }
            | AgreementAct::Reject { .. }
            | AgreementAct::GiveNotice { .. }
            | AgreementAct::ConsentToEnd {}
            | AgreementAct::ContestBreach { .. }
            | AgreementAct::Rule { .. }
    )
}

fn check_reason(reason: &str) -> Result<(), Refusal> {
    if reason.trim().is_empty() || reason.len() > limits::MAX_TEXT_BYTES {
        return Err(Refusal::NoReason {});
    }
    Ok(())
}

fn bad_terms(detail: &str) -> Refusal {
    Refusal::BadTerms {
        detail: detail.into(),
    }
}

pub(super) fn not_for(detail: &str) -> Refusal {
    Refusal::NotForThisParty {
        detail: detail.into(),
    }
}
