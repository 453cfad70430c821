//! HTTP at the edge, whatever the routes are: connections within their bounds, requests with a name and a count,
//! what handlers read, and failures as problem documents.
//!
//! A server puts [`Called`] around every request, and [`MaxBody`] into each whose body is read; its handlers answer with
//! a [`Failure`] where they cannot do what was asked.
mod called;
mod client;
mod counts;
mod extract;
mod failure;
mod server;

pub use called::{Called, CorrelationIds, MAX_CORRELATION_BYTES, no_method, no_route, not_found, panicked};
pub use client::{Proxies, announced, apart, bearer, client, presented};
pub use counts::{Answered, HttpMetrics};
pub use extract::{Incoming, JsonText, MaxBody, Octets, Path, Query};
pub use failure::{Failure, name, write};
pub use server::{Peer, Tls, take_connections};
