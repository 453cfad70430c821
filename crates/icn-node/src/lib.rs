//! The library of `icn-node`: configuration, identity, and the wiring of protocol, network, store, sandbox
//! and HTTP interface into one process.
//!
//! It decides nothing of its own: what operations mean is `icn-state`, what a node does over time is
//! `icn-protocol`. Imported as `icn_runtime`.

mod access;
mod announce;
mod background;
mod backtest;
pub mod backup;
mod builder;
mod chores;
pub mod config;
mod context;
mod dag;
mod executor;
mod federation;
mod files;
#[cfg(feature = "test-hooks")]
mod hooks;
mod http;
pub mod identity;
mod listen;
pub mod memory;
mod metrics;
pub mod migrate;
mod network;
mod opening;
mod reload;
mod reporting;
mod retention;
pub mod service;
pub mod succession;
pub mod templates;

pub use builder::{RuntimeConfigBuilder, Template, WriteError};
pub use config::Config as RuntimeConfig;
pub use context::RuntimeContext;
