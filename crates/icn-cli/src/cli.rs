//! The command line as a whole: the list of commands, and who does what each says.
use crate::{
    commands::{
        agreement, api_key, ccl, clearing, config, credit, dag, delegate, doctor, events, federation, job,
        key, mana, mesh, node, papers, proposal, receipt, storage, vote,
    },
    devnet,
    global::Global,
    output::Output,
    session::Session,
};
use clap::{CommandFactory as _, Parser, Subcommand};

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
    Completions(papers::CompletionsArgs),
    /// Write the manual pages to a directory
    Man(papers::ManArgs),
}

impl Cli {
    /// Does what the command line says.
    pub(crate) fn run(self, output: &Output) -> anyhow::Result<()> {
        let session = || Session::new(&self.global, output);
        match self.command {
            Command::Info => node::info(&session()?),
            Command::Status => node::status(&session()?),
            Command::Doctor(args) => doctor::run(&session()?, &args),
            Command::Explain(args) => node::explain(output, &args),
            Command::Key(command) => key::run(&self.global, output, command),
            Command::ApiKey(command) => api_key::run(&session()?, command),
            Command::Federation(command) => federation::run(&self.global, output, command),
            Command::Proposal(command) => proposal::run(&self.global, output, command),
            Command::Agreement(command) => agreement::run(&self.global, output, command),
            Command::Clearing(command) => clearing::run(&self.global, output, command),
            Command::Credit(command) => credit::run(&self.global, output, command),
            Command::Vote(args) => vote::run(&session()?, &args),
            Command::Delegate(command) => delegate::run(&session()?, &command),
            Command::Ccl(command) => ccl::run(&self.global, output, command),
            Command::Config(command) => config::run(&session()?, command),
            Command::Dag(command) => dag::run(&session()?, command),
            Command::Job(command) => job::run(&session()?, command),
            Command::Mesh(command) => mesh::run(&session()?, &command),
            Command::Mana(command) => mana::run(&session()?, command),
            Command::Receipt(command) => receipt::run(&session()?, &command),
            Command::Events(args) => events::run(&session()?, &args),
            Command::Log(command) => node::log(&session()?, &command),
            Command::Network(command) => node::network(&session()?, &command),
            Command::Operation(args) => node::operation(&session()?, &args),
            Command::Storage(command) => storage::run(output, command),
            Command::Devnet(command) => devnet::run(output, command),
            Command::Completions(args) => papers::completions(&args, Self::command()),
            Command::Man(args) => papers::man(output, &args, Self::command()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
