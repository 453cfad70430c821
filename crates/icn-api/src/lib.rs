//! The HTTP contract of a node: its routes, bodies, error codes and OpenAPI document, so that the server
//! and its clients cannot drift apart.
//!
//! - [`paths`] has every route once; [`ENDPOINTS`] says of each what goes in and out, and who may call it.
//!   The server's router is tested against this table, and [`OPENAPI_JSON`] is made from it.
//! - The bodies are in one module per area. Nouns of the federation are those of `icn-model`.
//! - [`Problem`] is how an error looks, [`ApiError`] which ones there are, [`explain`] what they mean.
//! - [`keyfile`], [`Profile`] and [`InvitationFile`] are the files that node and command line share;
//!   [`file`] is how content of any size becomes blocks and back, [`car`] how blocks travel in one file.
//! - [`presence`] is how an instance tells a Federation Service that it is there.
//! - The feature `client` adds a blocking [`client`]; the feature `schema` adds what the OpenAPI document
//!   is generated from.
//!
//! An API key grants access to a node, never authority over an account: whatever acts for an account is an
//! operation that the caller signed. There is no server here, and nothing decides anything.
#![forbid(unsafe_code)]

pub mod agreements;
pub mod audit;
pub mod backups;
pub mod car;
pub mod clearing;
#[cfg(feature = "client")]
pub mod client;
pub mod config;
pub mod credit;
pub mod dag;
mod endpoint;
mod endpoints;
mod error;
pub mod events;
pub mod federation;
pub mod file;
mod files;
pub mod governance;
pub mod keyfile;
pub mod keys;
pub mod log;
pub mod mana;
pub mod mesh;
pub mod network;
pub mod node;
#[cfg(feature = "schema")]
mod openapi;
pub mod operations;
pub mod paths;
pub mod presence;
#[cfg(feature = "schema")]
mod schemas;
mod scope;
pub mod sse;
pub mod statement;

pub use endpoint::{Answer, Body, Described, DescribedQuery, Endpoint, Method, Query, Tag, Type};
pub use endpoints::{ENDPOINTS, endpoint};
pub use error::{ApiError, ErrorKind, Problem, codes, explain};
pub use files::{InvitationFile, InvitationFileError, Profile, RecoveryFile, StorePlace};
#[cfg(feature = "schema")]
pub use openapi::openapi;
pub use scope::{Scope, ScopeError};

/// The OpenAPI 3.1 document, as checked in at docs/reference/openapi.json and served at
/// [`paths::OPENAPI`]. A test regenerates it from [`ENDPOINTS`] and compares.
pub const OPENAPI_JSON: &str = include_str!("../../../docs/reference/openapi.json");

/// Media type of a [`Problem`].
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Media type of a stream of events.
pub const EVENT_STREAM: &str = "text/event-stream";
/// Media type of blocks and files.
pub const OCTETS: &str = "application/octet-stream";
/// Media type of backups.
pub const GZIP: &str = "application/gzip";
/// Header that names a request in the logs of every node that it touches. Taken from the caller, or made.
pub const CORRELATION_HEADER: &str = "x-correlation-id";
/// Header that carries an API key; `Authorization: Bearer <key>` does as well.
pub const API_KEY_HEADER: &str = "x-api-key";
/// Where a node on this machine serves HTTP if nothing says.
pub const DEFAULT_API_URL: &str = "http://127.0.0.1:7845";
/// The key of a node in test mode: known to everybody.
pub const TEST_MODE_KEY: &str = "dev-key-123";
/// How long a write waits for its operations to be final if the caller does not say.
pub const DEFAULT_WAIT_MS: u64 = 5_000;
/// The longest that a caller can make a node wait.
pub const MAX_WAIT_MS: u64 = 60_000;
/// Operations in one request.
pub const MAX_OPERATIONS: usize = 1_000;
/// Items of one page of a list if the caller does not say.
pub const DEFAULT_PAGE: usize = 100;
/// The most items of one page; a larger `limit` is cut to it.
pub const MAX_PAGE: usize = 1_000;
/// Bytes of a request that carries operations: a full one of the largest operations, as JSON.
pub const MAX_OPERATIONS_BODY_BYTES: usize = 8 << 20;
/// Largest body with an invitation: it holds the federation's genesis.
pub const MAX_INVITATION_BODY_BYTES: usize = 1 << 20;
/// Largest change of a configuration.
pub const MAX_CONFIG_BODY_BYTES: usize = 64 << 10;
/// Largest body with a wish about a key.
pub const MAX_KEY_BODY_BYTES: usize = 4 << 10;
/// Bytes of a request about what an effect would change.
pub const MAX_EFFECT_BODY_BYTES: usize = 4 << 10;
/// Bytes of a contract to be tried on the log, as JSON: each byte of its text may take six.
pub const MAX_BACKTEST_BODY_BYTES: usize = 6 * icn_model::limits::MAX_CONTRACT_BYTES + (4 << 10);
/// Bytes of a request to pin a block.
pub const MAX_PIN_BODY_BYTES: usize = 4 << 10;
/// Most transfers in one request: as many as may be pending on a line.
pub const MAX_ORDERS: usize = icn_model::limits::MAX_PENDING_TRANSFERS;
/// Largest request for transfers.
pub const MAX_TRANSFERS_BODY_BYTES: usize = 64 << 10;
/// Bytes of a request for a backup.
pub const MAX_BACKUP_REQUEST_BYTES: usize = 4 << 10;
/// Bytes of a backup that is sent to a node: 1 TiB.
pub const MAX_ARCHIVE_BYTES: usize = 1 << 40;
/// Bytes of a file that is sent in one request; larger ones are sent block by block.
pub const MAX_FILE_BODY_BYTES: usize = 64 << 20;
