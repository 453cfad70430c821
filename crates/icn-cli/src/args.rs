//! The command line as a whole: what holds for every command, and the list of commands.
use crate::commands::{
    agreement, api_key, ccl, clearing, config, credit, dag, delegate, doctor, events, federation, job, key,
    mana, mesh, node, proposal, receipt, storage, vote,
};
use crate::devnet;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Works with a node of a federation of cooperatives: jobs, mana, storage, membership, keys.
///
/// Where the node is and as whom to act is taken from options, then from the environment, then from a
/// profile: ./icn_data/cli.toml, which a node writes for this command, or ~/.config/icn/cli.toml.
#[derive(Debug, Parser)]
#[command(name = "icn-cli", version, propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The node's HTTP interface, such as http://127.0.0.1:7845
    #[arg(long, global = true, env = "ICN_API_URL", value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// The key that the node takes
    #[arg(
        long,
        global = true,
        env = "ICN_API_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub(crate) api_key: Option<String>,
    /// Certificates (PEM) of whoever signs the node's own, for https:// with an authority of one's own
    #[arg(long, global = true, env = "ICN_CA_CERT", value_name = "FILE")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// The profile to use instead of the default ones
    #[arg(
        long,
        global = true,
        env = "ICN_PROFILE",
        visible_alias = "config",
        value_name = "FILE"
    )]
    pub(crate) profile: Option<PathBuf>,
    /// The key to sign with: a file, or @NAME of the keystore
    #[arg(long = "key", global = true, env = "ICN_KEY", value_name = "FILE")]
    pub(crate) key_path: Option<PathBuf>,
    /// For whom to act, if not for the identity that begins with the key
    #[arg(long, global = true, env = "ICN_DID", value_name = "DID")]
    pub(crate) author: Option<icn_model::Did>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print data and errors only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what the node is
    Info,
    /// Show how the node fares, on one screen
    Status,
    /// Check the node and this machine; changes nothing
    Doctor(doctor::DoctorArgs),
    /// Say what an error code means and what to do about it
    Explain(node::ExplainArgs),
    /// Make, show, convert and rotate keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Make, list, rotate and revoke keys of the node's HTTP interface
    #[command(subcommand)]
    ApiKey(api_key::ApiKeyCommand),
    /// Found, join and run a federation
    #[command(subcommand)]
    Federation(federation::FederationCommand),
    /// Propose, follow and check what the federation decides
    #[command(subcommand)]
    Proposal(proposal::ProposalCommand),
    /// Agreements between cooperatives: propose, sign, amend, suspend, end
    #[command(subcommand)]
    Agreement(agreement::AgreementCommand),
    /// Clearing of debts: plan, rounds, reports with their proof
    #[command(subcommand)]
    Clearing(clearing::ClearingCommand),
    /// Lines of credit: what is owed, transfers, statements
    #[command(subcommand)]
    Credit(credit::CreditCommand),
    /// Vote on a proposal
    Vote(vote::VoteArgs),
    /// Let another vote where you do not
    #[command(subcommand)]
    Delegate(delegate::DelegateCommand),
    /// Check, build, test, lay out, explain and publish contracts
    #[command(subcommand)]
    Ccl(ccl::CclCommand),
    /// See and change the node's configuration while it runs
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Put and get content by its hash
    #[command(subcommand)]
    Dag(dag::DagCommand),
    /// Run programs on other cooperatives' machines
    #[command(subcommand)]
    Job(job::JobCommand),
    /// See who runs jobs
    #[command(subcommand)]
    Mesh(mesh::MeshCommand),
    /// See and share mana, and check that none is lost or made
    #[command(subcommand)]
    Mana(mana::ManaCommand),
    /// Check what executors say that they ran
    #[command(subcommand)]
    Receipt(receipt::ReceiptCommand),
    /// See what the log has brought about
    Events(events::EventsArgs),
    /// Read the log
    #[command(subcommand)]
    Log(node::LogCommand),
    /// See the node's peers
    #[command(subcommand)]
    Network(node::NetworkCommand),
    /// See where an operation stands
    Operation(node::OperationArgs),
    /// Look after the store of a node on this machine that is stopped
    #[command(subcommand)]
    Storage(storage::StorageCommand),
    /// Run a federation of several nodes on this machine
    #[command(subcommand)]
    Devnet(devnet::DevnetCommand),
    /// Print a completion script
    Completions(node::CompletionsArgs),
    /// Write the manual pages to a directory
    Man(node::ManArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn remedies_name_commands_that_there_are() {
        use clap::error::ErrorKind;

        let mut found = 0;
        for code in icn_api::codes() {
            let quoted = code.remedy.split('`').skip(1).step_by(2);
            for command in quoted.filter(|quoted| quoted.starts_with("icn-cli ")) {
                found += 1;
                // What stands for a value is none, so other faults are expected.
                let words = command.split_whitespace().take_while(|word| *word != "…");
                let kind = Cli::command()
                    .try_get_matches_from(words)
                    .err()
                    .map(|error| error.kind());
                let is_there = !matches!(
                    kind,
                    Some(ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand)
                );
                assert!(is_there, "{}: {command}", code.name);
            }
        }
        assert!(found > 20, "{found}");
    }
}
