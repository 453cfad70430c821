//! The table of routes. What is not here is not served; what is served differently fails a test of the server.
mod agreements;
mod clearing;
mod credit;
mod governance;

use crate::{
    Answer, Body, Endpoint, ErrorKind, GZIP, MAX_ARCHIVE_BYTES, MAX_BACKUP_REQUEST_BYTES,
    MAX_CONFIG_BODY_BYTES, MAX_FILE_BODY_BYTES, MAX_INVITATION_BODY_BYTES, MAX_KEY_BODY_BYTES,
    MAX_OPERATIONS_BODY_BYTES, MAX_PIN_BODY_BYTES, Method, Query, Scope, Tag, Type, backups, config, dag,
    events, federation, keys, log, mana, mesh, network, node, operations, paths,
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
    ErrorKind::OverQuota,
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
/// The errors of rotating the node's own key.
const OF_ROTATING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoFederation,
    ErrorKind::CannotRotate,
];
/// The errors of pinning content.
const OF_PINNING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
    ErrorKind::BlockNotFound,
    ErrorKind::CorruptBlock,
    ErrorKind::TimedOut,
];
/// The errors of taking a pin away.
const OF_UNPINNING: &[ErrorKind] = &[ErrorKind::Unauthorised, ErrorKind::Forbidden, ErrorKind::NotFound];
/// The errors of taking blocks out of a backup.
const OF_RESTORING: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::BodyTooLarge,
    ErrorKind::Busy,
    ErrorKind::ArchiveRefused,
];
/// The errors of making a backup.
const OF_BACKING_UP: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::BodyTooLarge,
    ErrorKind::UnsupportedMediaType,
    ErrorKind::Busy,
];
/// The errors of what runs one at a time.
const OF_RUNNING: &[ErrorKind] = &[ErrorKind::Unauthorised, ErrorKind::Forbidden, ErrorKind::Busy];
/// The errors of giving a node its invitation.
const OF_SUCCESSION: &[ErrorKind] = &[
    ErrorKind::Unauthorised,
    ErrorKind::Forbidden,
    ErrorKind::NoSuccessor,
];
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
        details: "Never needs a key.",
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
        method: Method::Post,
        scope: Scope::Admin,
        details: "The node makes a key beside its own, encrypted as that is, and signs with both that it follows in \
                  every role in which the old one may name its successor. The seat changes with the next epoch whose \
                  seats are not fixed yet: then the node starts itself again with the new key. Asked again before, it \
                  names the same key.",
        query: Some(Query::of::<operations::WaitQuery>()),
        errors: OF_ROTATING,
        ..get(
            "rotate_identity",
            paths::IDENTITY_ROTATE,
            Tag::Node,
            "Put another key in the place of the node's own",
            &[
                ok(Body::json::<node::Rotation>()),
                Answer {
                    status: 202,
                    meaning: "Handed in, and not final yet: ask for the operation",
                    body: Body::json::<node::Rotation>(),
                },
            ],
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
        details: "Needs a key where the node is told to answer nothing without one (`open_rate_limit = 0`).",
        errors: &[ErrorKind::Unauthorised],
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
                  one as `Last-Event-ID` and misses nothing. Events that the node keeps no longer \
                  (`events.retention_days`) are left out; the numbers of the others are as they were.",
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
        query: Some(Query::of::<federation::SuccessorQuery>()),
        details: "Changes nothing. The genesis is the same on every node that is at the same height; officers of the \
                  survivors sign it (icn-cli federation recover).",
        errors: OF_SUCCESSION,
        ..get(
            "successor",
            paths::SUCCESSOR,
            Tag::Federation,
            "How a log would begin that continues this one without seats that are lost for good",
            &[ok(Body::json::<icn_model::Genesis>())],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Operate,
        details: "For a node that was started with bootstrap peers and is in no federation: it keeps the \
                  invitation, applies with it, and follows the log from then on.",
        request: Some(Body::json::<federation::JoinRequest>()),
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
            "Cooperatives, witnesses, applicants with the votes on them, and members",
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
        query: Some(Query::of::<dag::PinsQuery>()),
        errors: OF_THE_KEY,
        ..get(
            "pins",
            paths::DAG_PINS,
            Tag::Dag,
            "What is kept, for whom and until when",
            &[ok(Body::json::<dag::PinPage>())],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Submit,
        details: "The block and every block that it leads to are kept; those that are not here are got from \
                  peers first. Done when all of them are here.",
        request: Some(Body::json::<dag::PinRequest>()),
        max_request_bytes: MAX_PIN_BODY_BYTES,
        errors: OF_PINNING,
        ..get(
            "pin",
            paths::DAG_PINS,
            Tag::Dag,
            "Keep a block and what it leads to",
            &[ok(Body::json::<dag::Pin>())],
        )
    },
    Endpoint {
        method: Method::Delete,
        scope: Scope::Submit,
        query: Some(Query::of::<dag::UnpinQuery>()),
        details: "The blocks stay until a garbage collection finds that nothing else leads to them.",
        errors: OF_UNPINNING,
        ..get(
            "unpin",
            paths::DAG_PIN,
            Tag::Dag,
            "Keep a block no longer",
            &[ok(Body::json::<dag::Pin>())],
        )
    },
    Endpoint {
        errors: OF_THE_KEY,
        ..get(
            "gc_status",
            paths::DAG_GC,
            Tag::Dag,
            "What the last garbage collection did, and whether one runs",
            &[ok(Body::json::<dag::GcStatus>())],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Operate,
        query: Some(Query::of::<dag::GcQuery>()),
        details: "Removes blocks to which neither pins nor the log's state nor this node's jobs lead, once that has \
                  been so for the grace period (`storage.gc_grace_secs`).",
        errors: OF_RUNNING,
        ..get(
            "gc",
            paths::DAG_GC,
            Tag::Dag,
            "Remove what nothing refers to",
            &[
                ok(Body::json::<dag::GcStatus>()),
                Answer {
                    status: 202,
                    meaning: "It still runs; ask again",
                    body: Body::json::<dag::GcStatus>(),
                },
            ],
        )
    },
    Endpoint {
        errors: OF_THE_KEY,
        ..get(
            "verify_status",
            paths::VERIFY,
            Tag::Dag,
            "What the last check of the node's data found, and whether one runs",
            &[ok(Body::json::<backups::VerifyStatus>())],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Operate,
        query: Some(Query::of::<backups::VerifyQuery>()),
        details: "Looks at blocks, log, state and events. With `deep` every block is hashed, and the log is executed \
                  anew and the outcome compared with the stored state, record by record.",
        errors: OF_RUNNING,
        ..get(
            "verify",
            paths::VERIFY,
            Tag::Dag,
            "Check whether what the node keeps is whole",
            &[
                ok(Body::json::<backups::VerifyStatus>()),
                Answer {
                    status: 202,
                    meaning: "It still runs; ask again",
                    body: Body::json::<backups::VerifyStatus>(),
                },
            ],
        )
    },
    Endpoint {
        scope: Scope::Admin,
        errors: OF_THE_KEY,
        ..get(
            "backups",
            paths::BACKUPS,
            Tag::Node,
            "Backups that were made",
            &[ok(Body::json::<backups::BackupList>())],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Admin,
        details: "One tar.gz with a manifest, of one moment, while the node runs. It is whole only with its last entry, \
                  the manifest: a stream that breaks off is no backup.",
        request: Some(Body::json::<backups::BackupRequest>()),
        max_request_bytes: MAX_BACKUP_REQUEST_BYTES,
        errors: OF_BACKING_UP,
        ..get(
            "backup",
            paths::BACKUPS,
            Tag::Node,
            "Make a backup",
            &[ok(Body::Text(GZIP))],
        )
    },
    Endpoint {
        method: Method::Post,
        scope: Scope::Admin,
        details: "Blocks and pins that are missing or damaged here are put; all of the archive is checked before any of \
                  it is used. The node's state and identity stay as they are: those are restored on a node that is \
                  stopped (`icn-node storage restore`).",
        request: Some(Body::Octets),
        max_request_bytes: MAX_ARCHIVE_BYTES,
        errors: OF_RESTORING,
        ..get(
            "restore",
            paths::RESTORE,
            Tag::Node,
            "Take blocks out of a backup",
            &[ok(Body::json::<backups::Merged>())],
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
    governance::PROPOSALS,
    governance::PROPOSAL,
    governance::BALLOTS,
    governance::AUDIT,
    governance::PLAN,
    governance::BACKTEST,
    governance::RULES,
    governance::DELEGATIONS,
    governance::CONTRACTS,
    governance::CONTRACT,
    agreements::AGREEMENTS,
    agreements::AGREEMENT,
    agreements::HISTORY,
    credit::LINES,
    credit::LINE,
    credit::TRANSFERS,
    credit::TRANSFER,
    credit::ANCHOR,
    credit::VOID,
    credit::EXPOSURE,
    clearing::PLAN,
    clearing::ROUNDS,
    clearing::ROUND,
    clearing::REPORT,
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
use crate::schemas::SubmitSchema;
#[cfg(not(feature = "schema"))]
use operations::Submit as SubmitSchema;
