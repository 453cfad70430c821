//! The routes of clearing.
use super::{OF_ONE, OF_THE_LOG, get, ok};
use crate::{Body, Endpoint, Query, Tag, clearing, paths};

pub(super) const PLAN: Endpoint = Endpoint {
    query: Some(Query::of::<clearing::UnitQuery>()),
    details: "As if every line joined a round that was frozen now. It changes nothing.",
    errors: OF_THE_LOG,
    ..get(
        "clearing_plan",
        paths::CLEARING_PLAN,
        Tag::Credit,
        "What a round of clearing would come to now, with its proof",
        &[ok(Body::json::<clearing::ClearingReport>())],
    )
};

pub(super) const ROUNDS: Endpoint = Endpoint {
    query: Some(Query::of::<clearing::RoundsQuery>()),
    errors: OF_THE_LOG,
    ..get(
        "clearing_rounds",
        paths::CLEARING_ROUNDS,
        Tag::Credit,
        "Rounds of clearing, the newest first",
        &[ok(Body::json::<clearing::RoundPage>())],
    )
};

pub(super) const ROUND: Endpoint = Endpoint {
    errors: OF_ONE,
    ..get(
        "clearing_round",
        paths::CLEARING_ROUND,
        Tag::Credit,
        "A round of clearing",
        &[ok(Body::json::<clearing::RoundView>())],
    )
};

pub(super) const REPORT: Endpoint = Endpoint {
    query: Some(Query::of::<clearing::UnitQuery>()),
    details: "The rows with what is cleared of each, and everybody's price: whoever has them can verify without any node \
              that nobody's net position changes and that no clearing clears more (`icn-cli clearing verify --file`). Kept \
              for the last rounds that were applied.",
    errors: OF_ONE,
    ..get(
        "clearing_report",
        paths::CLEARING_REPORT,
        Tag::Credit,
        "What a round clears, with its proof",
        &[ok(Body::json::<clearing::ClearingReport>())],
    )
};
