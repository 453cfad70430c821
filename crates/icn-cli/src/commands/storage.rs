//! `storage`: what is done to the store of a node that is stopped. The backends are the node's, so its program does
//! the work.
use crate::{machine, output::Output};
use anyhow::{Context as _, ensure};
use clap::Subcommand;
use std::process::Command;

/// `storage`
#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// Move the store to another backend; the old one stays as it is
    Migrate {
        /// Where the store is: BACKEND:DIRECTORY or a postgresql:// URL
        #[arg(long, value_name = "PLACE")]
        from: String,
        /// Where it goes, an empty place: BACKEND:DIRECTORY or a postgresql:// URL
        #[arg(long, value_name = "PLACE")]
        to: String,
    },
}

pub(crate) fn run(output: &Output, command: StorageCommand) -> anyhow::Result<()> {
    let StorageCommand::Migrate { from, to } = command;
    let program = machine::node_program()?;
    let mut node = Command::new(&program);
    node.args(["storage", "migrate", "--from", &from, "--to", &to]);
    if output.is_json() {
        node.arg("--json");
    }
    let status = node
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(status.success(), "the store was not moved: icn-node says why");
    Ok(())
}
