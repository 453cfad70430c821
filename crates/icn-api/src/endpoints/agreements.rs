//! The routes of agreements.
use super::{OF_ONE, get, ok};
use crate::{Body, Endpoint, Query, Tag, agreements, paths};

pub(super) const AGREEMENTS: Endpoint = Endpoint {
    query: Some(Query::of::<agreements::AgreementsQuery>()),
    ..get(
        "agreements",
        paths::AGREEMENTS,
        Tag::Credit,
        "Agreements between cooperatives, in the order of their ids",
        &[ok(Body::json::<agreements::AgreementPage>())],
    )
};

pub(super) const AGREEMENT: Endpoint = Endpoint {
    errors: OF_ONE,
    ..get(
        "agreement",
        paths::AGREEMENT,
        Tag::Credit,
        "An agreement: the terms in force, what is offered and who has signed it",
        &[ok(Body::json::<agreements::AgreementView>())],
    )
};

pub(super) const HISTORY: Endpoint = Endpoint {
    query: Some(Query::of::<agreements::HistoryQuery>()),
    details: "Each entry names the hash of the one before, and the operations that carry the word of its party.",
    errors: OF_ONE,
    ..get(
        "agreement_history",
        paths::AGREEMENT_HISTORY,
        Tag::Credit,
        "What has happened to an agreement, oldest first",
        &[ok(Body::json::<agreements::HistoryPage>())],
    )
};
