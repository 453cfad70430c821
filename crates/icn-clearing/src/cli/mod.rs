//! The program around the library: what it is told, reads, says and writes.
pub(crate) mod args;
mod clear;
mod generate;
mod lines;
mod memory;
mod network;
mod progress;
mod read;
mod verify;

use anyhow::Context as _;
use args::{Args, Command};
use clap::Parser as _;
use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::Path,
};

/// Does what the arguments say.
pub(crate) fn run() -> anyhow::Result<()> {
    let args = Args::parse();
    match args.command {
        None => clear::clear(&args.clear),
        Some(Command::Check(check)) => verify::verify(&check),
        Some(Command::Generate(generate)) => {
            let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
            generate::generate(generate.family, generate.rows, generate.seed, &mut out)
                .and_then(|()| out.flush())
                .context("cannot write to stdout")
        }
    }
}

/// A file to write CSV to.
fn create(path: &Path) -> anyhow::Result<csv::Writer<File>> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(csv::WriterBuilder::new()
        .buffer_capacity(1 << 16)
        .from_writer(file))
}
