//! The built service as operators and hubs meet it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]

mod api;
mod catalog;
mod heartbeats;
mod openapi;
mod outage;
mod replicas;
mod seed;
mod world;
