//! The Federation Service: which projects (hubs) there are, whether each of them is alive, and what became of them.
//!
//! - [`catalog`]: the projects, from a file or over HTTP, all in memory.
//! - [`ingest`]: heartbeats on their way in, over NATS ([`nats`]) and HTTP ([`http`]).
//! - [`liveness`]: what a project is taken for, as a pure function of what was heard and for how long somebody has
//!   listened; [`judge`] asks it when a deadline has come.
//! - [`store`]: the database, and [`writer`], which alone talks to it all the time: heartbeats go there in batches, and of
//!   several replicas one holds the lease and judges.
//! - What was committed is told: over NATS, to [`webhooks`], and to whoever watches.
//!
//! docs/operating/federation-service.md is for those who run it, ADR 0017 says why it is so.
#![forbid(unsafe_code)]

mod catalog;
mod clock;
pub mod config;
mod core;
mod dropped;
mod hearing;
mod http;
mod ingest;
mod judge;
mod keys;
mod liveness;
mod metrics;
mod moment;
mod nats;
pub mod offline;
mod scrape;
mod service;
mod store;
mod sync;
mod webhooks;
mod writer;

#[cfg(feature = "schema")]
pub use http::openapi;
pub use service::run;

use icn_model::Millis;

/// How long after its deadline a project is still shown as it was, if nobody has judged it.
const GRACE: Millis = Millis::new(3_000);
