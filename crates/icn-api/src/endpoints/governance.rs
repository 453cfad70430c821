//! The routes of governance.
use super::{OF_ONE, get, ok};
use crate::{
    Answer, Body, Endpoint, ErrorKind, MAX_BACKTEST_BODY_BYTES, MAX_EFFECT_BODY_BYTES, Method, Query, Tag,
    audit, governance, paths,
};
use icn_model::Effect;

const TAG: Tag = Tag::Governance;
/// The errors of putting a bundle together, one at a time.
const OF_AUDITING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
    ErrorKind::NotFound,
    ErrorKind::Busy,
];
/// The errors of trying a contract, one at a time.
const OF_TRYING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
    ErrorKind::Busy,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
];
/// The errors of asking what an effect would change.
const OF_PLANNING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
];

pub(super) const PROPOSALS: Endpoint = Endpoint {
    query: Some(Query::of::<governance::ProposalsQuery>()),
    ..get(
        "proposals",
        paths::PROPOSALS,
        TAG,
        "Proposals, the newest first",
        &[ok(Body::json::<governance::ProposalPage>())],
    )
};

pub(super) const PROPOSAL: Endpoint = Endpoint {
    errors: OF_ONE,
    ..get(
        "proposal",
        paths::PROPOSAL,
        TAG,
        "A proposal, how the vote stands, and what carrying it out now would change",
        &[ok(Body::json::<governance::ProposalView>())],
    )
};

pub(super) const BALLOTS: Endpoint = Endpoint {
    query: Some(Query::of::<governance::BallotsQuery>()),
    errors: OF_ONE,
    ..get(
        "ballots",
        paths::PROPOSAL_BALLOTS,
        TAG,
        "The votes on a proposal: who said what, and through whom",
        &[ok(Body::json::<governance::BallotPage>())],
    )
};

pub(super) const AUDIT: Endpoint = Endpoint {
    details: "The roll, every ballot with the operations that cast it, as their voters signed them, and the tally, \
              signed by the node. `icn-cli proposal verify-bundle` checks it without a node. Its digest is the same \
              on every node that is as far. There is none before votes can be cast.",
    errors: OF_AUDITING,
    ..get(
        "audit",
        paths::PROPOSAL_AUDIT,
        TAG,
        "What it takes to check a vote",
        &[ok(Body::json::<audit::AuditBundle>())],
    )
};

pub(super) const PLAN: Endpoint = Endpoint {
    method: Method::Post,
    details: "Changes nothing: the effect is carried out on the node's present state, and undone.",
    request: Some(Body::json::<Effect>()),
    max_request_bytes: MAX_EFFECT_BODY_BYTES,
    errors: OF_PLANNING,
    ..get(
        "plan",
        paths::GOVERNANCE_PLAN,
        TAG,
        "What a proposal would change, and what it would go through",
        &[
            ok(Body::json::<governance::Plan>()),
            Answer {
                status: 422,
                meaning: "The effect could not be carried out now; the code is the refusal's",
                body: Body::Problem,
            },
        ],
    )
};

pub(super) const BACKTEST: Endpoint = Endpoint {
    method: Method::Post,
    details: "Changes nothing: the node executes its log anew, and asks the contract what the state machine asked, or \
              would have asked, in the last operations.",
    request: Some(Body::json::<governance::Backtest>()),
    max_request_bytes: MAX_BACKTEST_BODY_BYTES,
    errors: OF_TRYING,
    ..get(
        "backtest",
        paths::GOVERNANCE_BACKTEST,
        TAG,
        "What a contract would have said to what has happened",
        &[
            ok(Body::json::<governance::BacktestReport>()),
            Answer {
                status: 422,
                meaning: "The text is no contract, or has no policy for the slot; the code is the refusal's",
                body: Body::Problem,
            },
        ],
    )
};

pub(super) const RULES: Endpoint = get(
    "rules",
    paths::GOVERNANCE_RULES,
    TAG,
    "What proposals of each kind go through, what contracts decide, and every parameter",
    &[ok(Body::json::<governance::Rules>())],
);

pub(super) const DELEGATIONS: Endpoint = Endpoint {
    query: Some(Query::of::<governance::DelegationsQuery>()),
    ..get(
        "delegations",
        paths::DELEGATIONS,
        TAG,
        "Whom somebody lets vote, on which topic and until when",
        &[ok(Body::json::<governance::Delegations>())],
    )
};

pub(super) const CONTRACTS: Endpoint = Endpoint {
    query: Some(Query::of::<governance::ContractsQuery>()),
    ..get(
        "contracts",
        paths::CONTRACTS,
        TAG,
        "The contracts that the log knows",
        &[ok(Body::json::<governance::ContractPage>())],
    )
};

pub(super) const CONTRACT: Endpoint = Endpoint {
    errors: OF_ONE,
    ..get(
        "contract",
        paths::CONTRACT,
        TAG,
        "A contract with its text",
        &[ok(Body::json::<governance::ContractView>())],
    )
};
