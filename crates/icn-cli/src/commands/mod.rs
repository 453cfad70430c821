//! The commands, one module per subject; each takes its arguments and does one thing.
pub(crate) mod agreement;
pub(crate) mod api_key;
pub(crate) mod ccl;
pub(crate) mod clearing;
mod clearing_event;
pub(crate) mod config;
mod contract;
pub(crate) mod credit;
mod credit_event;
pub(crate) mod dag;
pub(crate) mod delegate;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod federation;
pub(crate) mod found;
mod governance_event;
mod ids;
pub(crate) mod job;
pub(crate) mod job_result;
pub(crate) mod job_submit;
pub(crate) mod key;
pub(crate) mod mana;
pub(crate) mod mesh;
pub(crate) mod node;
pub(crate) mod proposal;
pub(crate) mod receipt;
mod recover;
pub(crate) mod rotate;
pub(crate) mod storage;
pub(crate) mod vote;

use crate::{
    args::{Cli, Command},
    devnet,
    output::Output,
    session::Session,
};

/// Does what the command line says.
pub(crate) fn run(cli: Cli, output: &Output) -> anyhow::Result<()> {
    let session = || Session::new(&cli.global, output);
    match cli.command {
        Command::Info => node::info(&session()?),
        Command::Status => node::status(&session()?),
        Command::Doctor(args) => doctor::run(&session()?, &args),
        Command::Explain(args) => node::explain(output, &args),
        Command::Key(command) => key::run(&cli.global, output, command),
        Command::ApiKey(command) => api_key::run(&session()?, command),
        Command::Federation(command) => federation::run(&cli.global, output, command),
        Command::Proposal(command) => proposal::run(&cli.global, output, command),
        Command::Agreement(command) => agreement::run(&cli.global, output, command),
        Command::Clearing(command) => clearing::run(&cli.global, output, command),
        Command::Credit(command) => credit::run(&cli.global, output, command),
        Command::Vote(args) => vote::run(&session()?, &args),
        Command::Delegate(command) => delegate::run(&session()?, &command),
        Command::Ccl(command) => ccl::run(&cli.global, output, command),
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
        Command::Completions(args) => node::completions(&args),
        Command::Man(args) => node::man(output, &args),
    }
}
