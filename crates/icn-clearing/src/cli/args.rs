//! What the program is told.
use super::generate::Family;
use clap::{Args as Group, Parser, Subcommand};
use std::path::PathBuf;

/// Clear as much debt as can be cleared, and prove that no more can be
///
/// Reads rows of `debtor,creditor,amount`: names or numbers, and whole minor units. A first line of just these words is a
/// header. A fourth column, `unit`, separates networks that are cleared each by itself. Nobody's net position changes and
/// nobody gets a new counterparty.
#[derive(Debug, Parser)]
#[command(
    name = "icn-clear",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 100
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) clear: Clear,
}

/// Clearing.
#[derive(Debug, Group)]
pub(crate) struct Clear {
    /// The obligations, UTF-8; `-` for stdin
    #[arg(value_name = "IN.csv", required = true)]
    pub(crate) input: Option<PathBuf>,
    /// Write every row with what is cleared of it and what remains
    #[arg(long, value_name = "OUT.csv")]
    pub(crate) out: Option<PathBuf>,
    /// Write the price of each party, which proves that the total is the greatest
    #[arg(long, value_name = "CERT.csv")]
    pub(crate) certificate: Option<PathBuf>,
    /// Also replace what remains by as few debts as possible, which gives parties new counterparties; into a file if one
    /// is named
    #[arg(long, value_name = "NET.csv", num_args = 0..=1, require_equals = true)]
    pub(crate) net: Option<Option<PathBuf>>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What reading takes.
#[derive(Debug, Group)]
pub(crate) struct Common {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Refuse input that would take more memory, in MiB [default: three quarters of what is free]
    #[arg(long, value_name = "MIB")]
    pub(crate) max_memory: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Verify a clearing by its certificate, without solving anything
    Check(Check),
    /// Print a network that a seed determines, for trials and figures
    Generate(Generate),
}

/// Checking.
#[derive(Debug, Group)]
pub(crate) struct Check {
    /// The obligations; `-` for stdin
    #[arg(value_name = "IN.csv")]
    pub(crate) input: PathBuf,
    /// What was written with --out
    #[arg(value_name = "OUT.csv")]
    pub(crate) out: PathBuf,
    /// What was written with --certificate
    #[arg(value_name = "CERT.csv")]
    pub(crate) certificate: PathBuf,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// Generating.
#[derive(Debug, Group)]
pub(crate) struct Generate {
    /// How parties are connected
    #[arg(value_enum)]
    pub(crate) family: Family,
    /// How many obligations
    #[arg(value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) rows: u64,
    /// Equal seeds give equal networks
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}
