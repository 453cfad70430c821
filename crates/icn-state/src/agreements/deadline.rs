//! What time does to an agreement next, and when.
use icn_model::{AgreementRecord, AgreementState, Time, limits};

/// What falls due by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
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
pub(super) fn next_due(record: &AgreementRecord) -> Option<(Time, Due)> {
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
