//! The table of routes. What is not here is not served; what is served differently fails a test of the server.
use crate::{
    Answer, Body, Endpoint, ErrorKind, MAX_CONFIG_BODY_BYTES, MAX_FILE_BODY_BYTES, MAX_INVITATION_BODY_BYTES,
    MAX_KEY_BODY_BYTES, MAX_OPERATIONS_BODY_BYTES, Method, Query, Scope, Tag, Type, config, dag, events,
    federation, keys, log, mana, mesh, network, node, operations, paths,
};
use icn_model::{EventRecord, limits::MAX_DAG_BLOCK_BYTES};

/// Media type of the Prometheus text format, which scrapers also get OpenMetrics from.
const METRICS_TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The errors of every route that reads the log's state.
const OF_THE_LOG: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
];
/// The same, for one thing of many.
const OF_ONE: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
    ErrorKind::NotFound,
];
/// The errors of every route that needs a key.
const OF_THE_KEY: &[ErrorKind] = &[ErrorKind::Unauthorised, ErrorKind::Forbidden];
/// The errors of getting content.
const OF_GETTING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::BlockNotFound,
    ErrorKind::CorruptBlock,
    ErrorKind::TimedOut,
];
/// The errors of getting a file.
const OF_GETTING_FILES: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::BlockNotFound,
    ErrorKind::CorruptBlock,
    ErrorKind::TimedOut,
    ErrorKind::NotAFile,
];
/// The errors of putting content.
const OF_PUTTING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::BodyTooLarge,
    ErrorKind::StorageFull,
];
/// The errors of changing the configuration.
const OF_CONFIGURING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
];
/// The errors of what is done to one key.
const OF_A_KEY: &[ErrorKind] = &[ErrorKind::Unauthorised, ErrorKind::Forbidden, ErrorKind::NotFound];
/// The errors of making keys.
const OF_MAKING_KEYS: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
    ErrorKind::KeyNameTaken,
    ErrorKind::TooManyKeys,
];
/// The errors of giving a key a new secret.
const OF_ROTATING_KEYS: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NotFound,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
];
/// The errors of giving a node its invitation.
const OF_JOINING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
    ErrorKind::InFederation,
];
/// The errors of handing in operations.
const OF_SUBMITTING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
    ErrorKind::NotReady,
];

/// A route that reads JSON; the rest of an entry is laid over it.
const fn get(
    id: &'static str,
    path: &'static str,
    tag: Tag,
    summary: &'static str,
    answers: &'static [Answer],
) -> Endpoint {
    Endpoint {
        id,
        method: Method::Get,
        path,
        tag,
        scope: Scope::Read,
        summary,
        details: "",
        query: None,
        request: None,
        max_request_bytes: 0,
        answers,
        errors: OF_THE_LOG,
    }
}

const fn ok(body: Body) -> Answer {
    Answer {
        status: 200,
        meaning: "Done",
        body,
    }
}

/// Every route.
pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        scope: Scope::Open,
        details: "Never needs a key, is exempt from rate limits, and does not depend on anything but the process.",
        errors: &[],
        ..get(
            "health",
            paths::HEALTH,
            Tag::Node,
            "Whether the process is alive",
            &[ok(Body::json::<node::Health>())],
        )
    },
    Endpoint {
        scope: Scope::Open,
        errors: &[],
        ..get(
            "ready",
            paths::READY,
            Tag::Node,
            "Whether the node can serve, check by check",
            &[
                Answer {
                    status: 200,
                    meaning: "Ready",
                    body: Body::json::<node::Ready>(),
                },
                Answer {
                    status: 503,
                    meaning: "Not ready, and why",
                    body: Body::json::<node::Ready>(),
                },
            ],
        )
    },
    Endpoint {
        errors: OF_THE_KEY,
        ..get(
            "status",
            paths::STATUS,
            Tag::Node,
            "How the node fares, on one screen",
            &[ok(Body::json::<node::Status>())],
        )
    },
    Endpoint {
        errors: OF_THE_KEY,
        ..get(
            "info",
            paths::INFO,
            Tag::Node,
            "What the node is",
            &[ok(Body::json::<node::Info>())],
        )
    },
    Endpoint {
        errors: OF_THE_KEY,
        ..get(
            "identity",
            paths::IDENTITY,
            Tag::Node,
            "Who the node is",
            &[ok(Body::json::<node::Identity>())],
        )
    },
    Endpoint {
        errors: OF_THE_KEY,
        ..get(
            "metrics",
            paths::METRICS,
            Tag::Node,
            "Metrics for Prometheus",
            &[ok(Body::Text(METRICS_TEXT))],
        )
    },
    Endpoint {
        scope: Scope::Open,
        errors: &[],
        ..get(
            "openapi",
            paths::OPENAPI,
            Tag::Node,
            "This document",
            &[ok(Body::Text("application/json"))],
        )
    },
    Endpoint {
        query: Some(Query::of::<events::EventsQuery>()),
        details: "A page of JSON; with `Accept: text/event-stream` a stream that goes on with new events. \
                  Each event of a stream carries its number as `id`; a client that comes back sends the last \
                  one as `Last-Event-ID` and misses nothing.",
        errors: OF_THE_KEY,
        ..get(
            "events",
            paths::EVENTS,
            Tag::Events,
            "What the log has brought about",
            &[ok(Body::JsonOrEvents(
                Type::of::<events::EventPage>(),
                Type::of::<EventRecord>(),
            ))],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Submit,
        details: "One operation or an array of at most 1,000, each signed by its author. An operation's id is \
                  the hash of what was signed, so a request may be repeated without harm: no Idempotency-Key \
                  is needed. An operation is done when its block is final and its effects are durable on this \
                  node; that one is refused does not touch the others.",
        query: Some(Query::of::<operations::WaitQuery>()),
        request: Some(Body::json::<SubmitSchema>()),
        max_request_bytes: MAX_OPERATIONS_BODY_BYTES,
        errors: OF_SUBMITTING,
        ..get(
            "submit_operations",
            paths::OPERATIONS,
            Tag::Operations,
            "Hand in signed operations",
            &[
                Answer {
                    status: 200,
                    meaning: "Each is done or refused",
                    body: Body::json::<operations::Submitted>(),
                },
                Answer {
                    status: 202,
                    meaning: "Some still wait; ask for them by id",
                    body: Body::json::<operations::Submitted>(),
                },
                Answer {
                    status: 422,
                    meaning: "The one operation, sent alone and not in an array, is refused; the code is the refusal's",
                    body: Body::Problem,
                },
            ],
        )
    },
    Endpoint {
        query: Some(Query::of::<operations::NextQuery>()),
        ..get(
            "next_operation",
            paths::OPERATION_NEXT,
            Tag::Operations,
            "What a key needs to build its next operation",
            &[ok(Body::json::<operations::NextOperation>())],
        )
    },
    Endpoint {
        query: Some(Query::of::<operations::WaitQuery>()),
        errors: OF_ONE,
        ..get(
            "operation",
            paths::OPERATION,
            Tag::Operations,
            "Where an operation stands",
            &[ok(Body::json::<operations::OperationStatus>())],
        )
    },
    get(
        "federation",
        paths::FEDERATION,
        Tag::Federation,
        "The federation now: rules, seats, height, root",
        &[ok(Body::json::<federation::Federation>())],
    ),
    get(
        "genesis",
        paths::GENESIS,
        Tag::Federation,
        "How the federation began",
        &[ok(Body::json::<federation::GenesisView>())],
    ),
    Endpoint {
        method: Method::Post,
        scope: Scope::Operate,
        details: "For a node that was started with bootstrap peers and is in no federation: it keeps the \
                  invitation, applies with it, and follows the log from then on.",
        request: Some(Body::json::<crate::InvitationFile>()),
        max_request_bytes: MAX_INVITATION_BODY_BYTES,
        errors: OF_JOINING,
        ..get(
            "join",
            paths::JOIN,
            Tag::Federation,
            "Give a waiting node its invitation",
            &[Answer {
                status: 202,
                meaning: "Kept; the node applies",
                body: Body::json::<federation::Joining>(),
            }],
        )
    },
    Endpoint {
        query: Some(Query::of::<federation::MembersQuery>()),
        ..get(
            "members",
            paths::MEMBERS,
            Tag::Federation,
            "Cooperatives, witnesses, applicants with their approvals, and members",
            &[ok(Body::json::<federation::Members>())],
        )
    },
    Endpoint {
        errors: OF_ONE,
        ..get(
            "log_block",
            paths::LOG_BLOCK,
            Tag::Federation,
            "A block of the log",
            &[ok(Body::json::<log::LogBlock>())],
        )
    },
    Endpoint {
        query: Some(Query::of::<dag::DagQuery>()),
        errors: OF_THE_KEY,
        ..get(
            "dag",
            paths::DAG,
            Tag::Dag,
            "The blocks of this node",
            &[ok(Body::json::<dag::DagView>())],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Submit,
        query: Some(Query::of::<dag::PutQuery>()),
        request: Some(Body::Octets),
        max_request_bytes: MAX_DAG_BLOCK_BYTES,
        errors: OF_PUTTING,
        ..get(
            "put_block",
            paths::DAG_BLOCKS,
            Tag::Dag,
            "Put a block of at most 1 MiB",
            &[ok(Body::json::<dag::Stored>())],
        )
    },
    Endpoint {
        query: Some(Query::of::<dag::GetQuery>()),
        details: "The bytes are checked against the id before they are served. A block never changes: the \
                  answer carries its CID as ETag and may be cached for ever.",
        errors: OF_GETTING,
        ..get(
            "get_block",
            paths::DAG_BLOCK,
            Tag::Dag,
            "Get a block, from a peer if need be",
            &[ok(Body::Octets)],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Submit,
        details: "Content over 1 MiB is cut into raw blocks of 1 MiB, listed by a DAG-CBOR block \
                  `{ size, chunks: [CID, …] }`, whose CID names the file; smaller content is its own raw \
                  block. Files over 64 MiB are sent block by block, the index last.",
        request: Some(Body::Octets),
        max_request_bytes: MAX_FILE_BODY_BYTES,
        errors: OF_PUTTING,
        ..get(
            "put_file",
            paths::DAG_FILES,
            Tag::Dag,
            "Put a file of at most 64 MiB",
            &[ok(Body::json::<dag::Stored>())],
        )
    },
    Endpoint {
        query: Some(Query::of::<dag::GetQuery>()),
        errors: OF_GETTING_FILES,
        ..get(
            "get_file",
            paths::DAG_FILE,
            Tag::Dag,
            "Get a file, put together from its blocks",
            &[ok(Body::Octets)],
        )
    },
    Endpoint {
        query: Some(Query::of::<mesh::JobsQuery>()),
        ..get(
            "jobs",
            paths::JOBS,
            Tag::Mesh,
            "Jobs, the youngest first",
            &[ok(Body::json::<mesh::JobPage>())],
        )
    },
    Endpoint {
        errors: OF_ONE,
        ..get(
            "job",
            paths::JOB,
            Tag::Mesh,
            "A job and its way",
            &[ok(Body::json::<mesh::JobView>())],
        )
    },
    Endpoint {
        errors: OF_ONE,
        ..get(
            "job_why",
            paths::JOB_WHY,
            Tag::Mesh,
            "How a job's executors were chosen: each bid, each score, each rule",
            &[ok(Body::json::<mesh::JobWhy>())],
        )
    },
    get(
        "executors",
        paths::EXECUTORS,
        Tag::Mesh,
        "Who runs jobs",
        &[ok(Body::json::<mesh::Executors>())],
    ),
    get(
        "blacklist",
        paths::BLACKLIST,
        Tag::Mesh,
        "Executors that this node gives no jobs, why and until when",
        &[ok(Body::json::<mesh::Blacklist>())],
    ),
    Endpoint {
        query: Some(Query::of::<mana::ManaQuery>()),
        details: "Granted + regenerated − burned = available + held + maturing + staked, over all accounts; \
                  `icn-cli mana verify` recomputes it from this route.",
        ..get(
            "accounts",
            paths::MANA,
            Tag::Mana,
            "All accounts and their totals",
            &[ok(Body::json::<mana::Accounts>())],
        )
    },
    Endpoint {
        errors: OF_ONE,
        ..get(
            "account",
            paths::ACCOUNT,
            Tag::Mana,
            "One account",
            &[ok(Body::json::<mana::AccountView>())],
        )
    },
    Endpoint {
        errors: OF_THE_KEY,
        ..get(
            "network",
            paths::NETWORK,
            Tag::Network,
            "The node's place in the network",
            &[ok(Body::json::<network::Network>())],
        )
    },
    Endpoint {
        errors: OF_THE_KEY,
        ..get(
            "peers",
            paths::PEERS,
            Tag::Network,
            "Connected peers",
            &[ok(Body::json::<network::Peers>())],
        )
    },
    Endpoint {
        scope: Scope::Operate,
        errors: OF_THE_KEY,
        ..get(
            "config",
            paths::CONFIG,
            Tag::Config,
            "Every value of the configuration, and where it comes from",
            &[ok(Body::json::<config::Configuration>())],
        )
    },
    Endpoint {
        method: Method::Patch,
        scope: Scope::Admin,
        details: "Sets keys at run time, for this and later starts, or leaves them to the other layers again. What \
                  decides where the node finds its identity, its store and its keys is changed in its file only.",
        request: Some(Body::json::<config::ConfigChange>()),
        max_request_bytes: MAX_CONFIG_BODY_BYTES,
        errors: OF_CONFIGURING,
        ..get(
            "change_config",
            paths::CONFIG,
            Tag::Config,
            "Change the configuration at run time",
            &[ok(Body::json::<config::ConfigChanged>())],
        )
    },
    Endpoint {
        scope: Scope::Admin,
        errors: OF_THE_KEY,
        ..get(
            "keys",
            paths::KEYS,
            Tag::Access,
            "The named keys of this interface, without their secrets",
            &[ok(Body::json::<keys::Keys>())],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Admin,
        details: "The secret is in this answer and nowhere else: the node keeps its hash.",
        request: Some(Body::json::<keys::NewKey>()),
        max_request_bytes: MAX_KEY_BODY_BYTES,
        errors: OF_MAKING_KEYS,
        ..get(
            "make_key",
            paths::KEYS,
            Tag::Access,
            "Make a key",
            &[Answer {
                status: 201,
                meaning: "Made, and counts from now on",
                body: Body::json::<keys::MadeKey>(),
            }],
        )
    },
    Endpoint {
        method: Method::Delete,
        scope: Scope::Admin,
        errors: OF_A_KEY,
        ..get(
            "revoke_key",
            paths::KEY,
            Tag::Access,
            "Revoke a key: from now on it counts no more",
            &[ok(Body::json::<keys::KeyView>())],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Admin,
        details: "The old secret counts until the overlap is over, so that its holders can change over without \
                  a gap. The new one is in this answer and nowhere else.",
        request: Some(Body::json::<keys::RotateKey>()),
        max_request_bytes: MAX_KEY_BODY_BYTES,
        errors: OF_ROTATING_KEYS,
        ..get(
            "rotate_key",
            paths::KEY_ROTATE,
            Tag::Access,
            "Give a key a new secret",
            &[ok(Body::json::<keys::MadeKey>())],
        )
    },
];

/// The entry of the call named `id`.
pub fn endpoint(id: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|endpoint| endpoint.id == id)
}

#[cfg(feature = "schema")]
use crate::openapi::SubmitSchema;
#[cfg(not(feature = "schema"))]
use operations::Submit as SubmitSchema;
