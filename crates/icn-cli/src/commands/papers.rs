//! What is made from the command line itself: completion scripts and manual pages.
use crate::output::Output;
use anyhow::Context as _;
use clap::{Args, Command};
use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

/// `completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where to write the pages
    directory: PathBuf,
}

/// Prints the completion script of `program`.
pub(crate) fn completions(args: &CompletionsArgs, mut program: Command) -> anyhow::Result<()> {
    let name = program.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, name, &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(())
}

/// Writes the manual pages of `program`.
pub(crate) fn man(output: &Output, args: &ManArgs, program: Command) -> anyhow::Result<()> {
    let directory = args.directory.display();
    let first = format!("{directory}/{}.1", program.get_name());
    fs::create_dir_all(&args.directory).with_context(|| format!("cannot make {directory}"))?;
    clap_mangen::generate_to(program, &args.directory)
        .with_context(|| format!("cannot write to {directory}"))?;
    output.say(format!("wrote the pages to {directory}: man -l {first}"));
    Ok(())
}
