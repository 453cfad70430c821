//! The HTTP interface of the real program: started as an operator starts it, talked to as clients talk to it.
#![expect(
    clippy::unwrap_used,
    reason = "a test ends at the first thing that does not hold"
)]
mod access;
mod around;
mod backups;
mod basics;
mod config;
mod dag;
#[cfg(feature = "postgresql")]
mod database;
mod events;
mod fuzz;
mod governance;
mod harness;
mod jobs;
mod keeping;
mod operations;
mod origin;
mod reads;
mod reporting;
mod start;
mod storage;
mod tls;
