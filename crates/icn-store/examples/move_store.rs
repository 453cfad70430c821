//! Moves a store to another backend: `cargo run -p icn-store --features sqlite --example move_store --
//! fjall ./icn_data/store sqlite ./icn_data/store.sqlite`. The node must be stopped.

use std::error::Error;
use std::ops::ControlFlow;
use std::process::ExitCode;

use icn_store::{BackendKind, Location, Step, migrate};

const USAGE: &str = "usage: move_store FROM_BACKEND FROM_PLACE TO_BACKEND TO_PLACE";

fn location(kind: &str, place: &str) -> Result<Location, Box<dyn Error>> {
    let kind: BackendKind = kind.parse()?;
    Ok(Location::new(Some(kind), place)?)
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [from_kind, from, to_kind, to] = arguments else {
        return Err(USAGE.into());
    };
    let moved = migrate(
        &location(from_kind, from)?,
        &location(to_kind, to)?,
        &mut |progress| {
            let step = match progress.step {
                Step::Clear => "cleared",
                Step::Copy => "copied",
                Step::Verify => "verified",
            };
            eprint!(
                "\r{step} {} entries, {} bytes   ",
                progress.entries, progress.bytes
            );
            ControlFlow::Continue(())
        },
    )?;
    eprintln!();
    let digest: String = moved.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    println!(
        "{} entries, {} bytes, sha256 {digest}",
        moved.entries, moved.bytes
    );
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("move_store: {error}");
            let mut cause = error.source();
            while let Some(deeper) = cause {
                eprintln!("  because: {deeper}");
                cause = deeper.source();
            }
            ExitCode::FAILURE
        }
    }
}
