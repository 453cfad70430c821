//! What time does to agreements: they take effect, lapse, are renewed, expire and end.
use super::Move;
use crate::{jobs::GAP, seats::MAX_DUE_PER_BLOCK, step::Step};
use alloc::vec::Vec;
use icn_model::{
    AgreementId, AgreementRecord, AgreementState, AgreementStep, Did, Ending, InForce, Time, limits,
};

/// What falls due by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    // In this order where several fall due at once: an end comes first.
    Expire,
    NoticeOver,
    Breach,
    Renew,
    DismissBreach,
    TakeEffect,
    Lapse,
    Forget,
}

/// When something happens to an agreement by itself next, and what.
fn next_due(record: &AgreementRecord) -> Option<(Time, Due)> {
    if record.has_ended() {
        let forgotten = record.since.after(limits::AGREEMENT_RETENTION);
        return (!record.owing).then_some((forgotten, Due::Forget));
    }
    let offer = || {
        let offer = record.offer.as_ref()?;
        let due = if offer.is_signed() {
            Due::TakeEffect
        } else {
            Due::Lapse
        };
        Some((offer.due(), due))
    };
    let Some(held) = &record.in_force else {
        return offer();
    };
    let is_active = record.state == AgreementState::Active;
    let renews = is_active
        && held.terms.renews_by_ms.is_some()
        && record.notice.is_none()
        && record.entries < limits::MAX_AGREEMENT_ENTRIES;
    let expiry = held
        .expires
        .map(|expires| (expires, if renews { Due::Renew } else { Due::Expire }));
    let notice = record
        .notice
        .as_ref()
        .map(|notice| (notice.ends, Due::NoticeOver));
    let breach = record.breach.as_ref().map(|claim| {
        let due = if claim.contested {
            Due::DismissBreach
        } else {
            Due::Breach
        };
        (claim.until, due)
    });
    // What is offered waits while it rests.
    let offer = offer().filter(|_| is_active);
    [expiry, notice, breach, offer].into_iter().flatten().min()
}

/// When something happens to an agreement by itself.
pub(super) fn due_at(record: &AgreementRecord) -> Option<Time> {
    next_due(record).map(|(at, _)| at)
}

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
