//! `icn-cli`: what members and operators of a federation do, from a terminal.
//!
//! Data goes to stdout, talk to stderr. The exit code is 0 when it is done, 1 when it was refused or failed,
//! 2 when the command was not understood. Whatever acts for an account is signed here, with a key that never
//! leaves this machine; the node only gets what is signed.

mod cli;
mod commands;
mod devnet;
mod failure;
mod format;
mod gather;
mod global;
mod keystore;
mod machine;
mod output;
mod parse;
mod profile;
mod progress;
mod replay;
mod session;
mod table;
mod unlock;

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let output = output::Output::new(&cli.global);
    match cli.run(&output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::report(&error, &output),
    }
}
