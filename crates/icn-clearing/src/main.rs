//! `icn-clear`: clears a network of obligations in a CSV file, and checks such clearings.
//!
//! Data goes to stdout and into the files that are named, talk to stderr. The exit code is 0 when it is done, 1 when it
//! was refused or failed, 2 when the command was not understood.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("icn-clear: {error:#}");
            ExitCode::FAILURE
        }
    }
}
