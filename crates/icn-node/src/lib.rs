//! The library of `icn-node`: configuration, identity, and the wiring of protocol, network, store, sandbox
//! and HTTP interface into one process.
//!
//! It decides nothing of its own: what operations mean is `icn-state`, what a node does over time is
//! `icn-protocol`. Imported as `icn_runtime`.

pub mod backup;
pub mod config;
mod dag;
mod executor;
mod federation;
mod http;
pub mod identity;
mod metrics;
pub mod migrate;
mod network;
pub mod service;
