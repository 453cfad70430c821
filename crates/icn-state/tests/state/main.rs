//! Tests of the state machine through its public interface. `script` reads scenarios as tables; `world`
//! checks the invariants of the crate's documentation (cited as I1, I2, …) after every single block.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, and says where"
)]

mod agreements;
mod attacks;
mod challenges;
mod clearing;
mod contracts;
mod credit;
mod governance;
mod jobs;
mod laws;
mod lines;
mod mana;
mod membership;
mod rotation;
mod script;
mod selection;
mod sequences;
mod speed;
mod succession;
mod tallies;
mod trade;
mod voting;
mod world;

/// How often a long property is tried: `PROPTEST_CASES` times, or as often as there is time for in every run of the tests.
fn cases(few: u32) -> proptest::test_runner::Config {
    let default = proptest::test_runner::Config::default();
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default,
        None => proptest::test_runner::Config {
            cases: few,
            ..default
        },
    }
}
