//! What time does to agreements: they take effect, lapse, are renewed, expire and end.
use super::{
    Move,
    deadline::{Due, next_due},
};
use crate::step::{GAP, MAX_DUE_PER_BLOCK, Step};
use alloc::vec::Vec;
use icn_model::{AgreementId, AgreementRecord, AgreementStep, Did, Ending, InForce, limits};

impl Step<'_> {
    pub(crate) fn expire_agreements(&mut self) {
        let due = self
            .state
            .tables
            .agreements
            .index()
            .due
            .before(self.now(), MAX_DUE_PER_BLOCK);
        due.into_iter().for_each(|id| self.expire_agreement(id));
        let too_many = self
            .state
            .tables
            .agreements
            .index()
            .ended
            .len()
            .saturating_sub(limits::MAX_ENDED_AGREEMENTS);
        let ended = self.state.tables.agreements.index().ended.iter();
        let oldest: Vec<AgreementId> = ended.take(too_many).map(|(_, id)| *id).collect();
        oldest.into_iter().for_each(|id| self.forget_agreement(id));
    }

    /// Does what is due for one agreement, the earliest first.
    pub(crate) fn expire_agreement(&mut self, id: AgreementId) {
        let now = self.now();
        // Each step changes what is due, and none comes back: a renewal moves the date, the others end something.
        while let Some(record) = self.state.tables.agreements.get(&id) {
            match next_due(record).filter(|(at, _)| *at < now) {
                Some((_, due)) => {
                    let record = record.clone();
                    self.bring_about(id, record, due);
                }
                None => return,
            }
        }
    }

    fn bring_about(&mut self, id: AgreementId, mut record: AgreementRecord, due: Due) {
        match due {
            Due::Expire => self.end_agreement(id, record, Ending::Expired, None, None),
            Due::NoticeOver => self.end_agreement(id, record, Ending::Notice, None, None),
            Due::Breach => self.end_agreement(id, record, Ending::Breach, None, None),
            Due::Lapse => self.end_offer(id, record, Ending::Lapsed, None, None),
            Due::Forget => self.forget_agreement(id),
            Due::TakeEffect => self.take_effect(id, record),
            Due::Renew => {
                let Some(held) = &mut record.in_force else { return };
                let (Some(expires), Some(by)) = (held.expires, held.terms.renews_by_ms) else {
                    return;
                };
                let expires = expires.after(by);
                held.expires = Some(expires);
                record.end.clear();
                self.enter(id, &mut record, AgreementStep::Renewed { expires }, None);
                self.state.tables.agreements.set(id, record);
            }
            Due::DismissBreach => {
                record.breach = None;
                self.enter(id, &mut record, AgreementStep::BreachDismissed {}, None);
                self.state.tables.agreements.set(id, record);
            }
        }
    }

    /// What all have signed holds from now on; what was said of the terms before is of no more use.
    fn take_effect(&mut self, id: AgreementId, mut record: AgreementRecord) {
        let Some(offer) = record.offer.take() else { return };
        let revision = offer.revision;
        record.in_force = Some(InForce {
            revision,
            expires: offer.terms.expires,
            terms: offer.terms,
            since: self.context.time,
        });
        (record.notice, record.end) = (None, Vec::new());
        self.go(&mut record, Move::TakeEffect);
        self.enter(id, &mut record, AgreementStep::TookEffect { revision }, None);
        self.state.tables.agreements.set(id, record);
        self.follow_agreement(id, true);
    }

    /// Forgets an agreement that has ended, and its lines, on which nothing is owed any more.
    fn forget_agreement(&mut self, id: AgreementId) {
        self.forget_lines(id);
        self.state.tables.agreement_entries.remove_of(&id);
        self.state.tables.agreements.remove(&id);
    }

    /// Ends the agreements that need the signature of somebody who is forgotten.
    pub(crate) fn end_agreements_of(&mut self, did: Did) {
        let all: Vec<AgreementId> = self.state.agreements_of(&did).map(|(id, _)| *id).collect();
        for id in all {
            let Some(record) = self.state.tables.agreements.get(&id) else {
                continue;
            };
            if !record.has_ended() && record.role(&did).is_some_and(|role| role.signs()) {
                let record = record.clone();
                self.end_agreement(id, record, Ending::PartyGone, None, None);
            }
        }
    }

    /// After a long pause of the log, those who could not contest get the lost time back.
    pub(crate) fn bridge_agreement_gap(&mut self) {
        let gap = self.context.time.since(self.context.parent_time);
        if gap <= GAP {
            return;
        }
        let claimed: Vec<AgreementId> = self
            .state
            .tables
            .agreements
            .index()
            .claimed
            .iter()
            .copied()
            .collect();
        for id in claimed {
            let Some(mut record) = self.state.tables.agreements.get(&id).cloned() else {
                continue;
            };
            if let Some(claim) = &mut record.breach {
                claim.until = claim.until.after(gap);
            }
            self.state.tables.agreements.set(id, record);
        }
    }
}
