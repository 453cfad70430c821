//! Contracts of the log: the engine of nodes held against the interpreter, by questions and in a state.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
mod engines;
mod log;
mod texts;
mod world;
