//! The language from the outside: the examples and the reference, two engines held against each other, the
//! formatter, and input in bad faith.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
mod choices;
mod diagnostics;
mod differential;
mod examples;
mod formatting;
mod grammar;
mod host;
mod hostile;
mod log;
mod programs;
mod reference;
mod values;
