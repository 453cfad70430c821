//! The routes of lines of credit.
use super::{OF_ONE, OF_THE_LOG, get, ok};
use crate::{
    Answer, Body, Endpoint, ErrorKind, MAX_TRANSFERS_BODY_BYTES, Method, Query, Scope, Tag, credit, paths,
};

/// The errors of what only an end of a line can be asked.
const OF_AN_END: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
    ErrorKind::NotFound,
    ErrorKind::NotAnEnd,
];
/// The errors of signing transfers.
const OF_TRANSFERS: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
    ErrorKind::NotFound,
    ErrorKind::NotAnEnd,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
    ErrorKind::TransferOverLimit,
    ErrorKind::TooManyPending,
    ErrorKind::ReferenceTaken,
    ErrorKind::LineVoiding,
    ErrorKind::LineWaits,
    ErrorKind::LineQuarrel,
    ErrorKind::NoLineKey,
    ErrorKind::TransferRefused,
    ErrorKind::RoundLimit,
];
/// The errors of telling the log.
const OF_TELLING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
    ErrorKind::NotFound,
    ErrorKind::NotAnEnd,
    ErrorKind::NothingPending,
    ErrorKind::NothingToAnchor,
];

pub(super) const LINES: Endpoint = Endpoint {
    query: Some(Query::of::<credit::LinesQuery>()),
    errors: OF_THE_LOG,
    ..get(
        "credit_lines",
        paths::CREDIT_LINES,
        Tag::Credit,
        "Lines of credit, in the order of agreements and units",
        &[ok(Body::json::<credit::LinePage>())],
    )
};

pub(super) const LINE: Endpoint = Endpoint {
    details: "A line is named by its agreement and its unit: `AGREEMENT:UNIT`. What the two ends have signed beside the \
              log is known to their nodes alone, under `own`.",
    errors: OF_ONE,
    ..get(
        "credit_line",
        paths::CREDIT_LINE,
        Tag::Credit,
        "A line of credit: what is owed, what may be, and what is pending",
        &[ok(Body::json::<credit::LineView>())],
    )
};

pub(super) const TRANSFERS: Endpoint = Endpoint {
    query: Some(Query::of::<credit::TransfersQuery>()),
    errors: OF_AN_END,
    ..get(
        "credit_transfers",
        paths::CREDIT_TRANSFERS,
        Tag::Credit,
        "Transfers on a line, with their signatures",
        &[ok(Body::json::<credit::TransferPage>())],
    )
};

pub(super) const TRANSFER: Endpoint = Endpoint {
    method: Method::Post,
    scope: Scope::Operate,
    details: "The node signs with its cooperative's line key that it owes the other end more, keeps that on its disk, \
              and sends it. Final between the two is what the other end countersigns; the log is not needed, and hears \
              of it later. A reference makes an order safe to repeat: no Idempotency-Key is needed. With one order that \
              is refused, the answer is its problem; with several, each has its own.",
    request: Some(Body::json::<credit::TransferOrders>()),
    max_request_bytes: MAX_TRANSFERS_BODY_BYTES,
    errors: OF_TRANSFERS,
    ..get(
        "credit_transfer",
        paths::CREDIT_TRANSFERS,
        Tag::Credit,
        "Owe the other end of a line more",
        &[
            Answer {
                status: 200,
                meaning: "Each is signed by both, void or refused",
                body: Body::json::<credit::TransferAnswers>(),
            },
            Answer {
                status: 202,
                meaning: "Some wait for the other end's signature",
                body: Body::json::<credit::TransferAnswers>(),
            },
        ],
    )
};

pub(super) const ANCHOR: Endpoint = Endpoint {
    method: Method::Post,
    scope: Scope::Operate,
    details: "The node does so by itself, `credit.anchor_after_secs` after both have signed.",
    errors: OF_TELLING,
    ..get(
        "credit_anchor",
        paths::CREDIT_ANCHOR,
        Tag::Credit,
        "Show the log what both ends of a line have signed",
        &[ok(Body::json::<credit::Told>())],
    )
};

pub(super) const VOID: Endpoint = Endpoint {
    method: Method::Post,
    scope: Scope::Operate,
    details: "The other end has the time to contest that the agreement sets to show that it has countersigned; what it \
              does not show is void then. Nothing is signed on the line meanwhile.",
    errors: OF_TELLING,
    ..get(
        "credit_void",
        paths::CREDIT_VOID,
        Tag::Credit,
        "Ask the log to make void what the other end does not countersign",
        &[ok(Body::json::<credit::Told>())],
    )
};

pub(super) const EXPOSURE: Endpoint = Endpoint {
    query: Some(Query::of::<credit::ExposureQuery>()),
    errors: OF_THE_LOG,
    ..get(
        "credit_exposure",
        paths::CREDIT_EXPOSURE,
        Tag::Credit,
        "What a cooperative owes and is owed over all its lines, by unit",
        &[ok(Body::json::<credit::Exposures>())],
    )
};
