//! Who runs jobs.
use crate::{format, session::Session, table::Table};
use clap::Subcommand;
use icn_model::Millis;

/// `mesh`
#[derive(Debug, Subcommand)]
pub(crate) enum MeshCommand {
    /// List the cooperatives that run jobs, and what is known of their work
    Executors,
    /// List the executors that this node gives no jobs, why and until when
    Blacklist,
}

pub(crate) fn run(session: &Session, command: &MeshCommand) -> anyhow::Result<()> {
    match command {
        MeshCommand::Executors => executors(session),
        MeshCommand::Blacklist => blacklist(session),
    }
}

fn executors(session: &Session) -> anyhow::Result<()> {
    let executors = session.client()?.executors()?;
    session.output.data(&executors, |output| {
        let mut table = Table::new([
            "NAME",
            ">REPUTATION",
            ">DONE",
            ">FAILED",
            ">EARNED",
            ">RUNNING",
            "ONLINE",
            "BLACKLISTED UNTIL",
        ]);
        for executor in &executors.items {
            table.row([
                executor.name.to_string(),
                executor.reputation.to_string(),
                executor.standing.completed.to_string(),
                executor.standing.failed.to_string(),
                format::mana(executor.standing.earned),
                executor.running.to_string(),
                if executor.online { "yes" } else { "no" }.to_owned(),
                executor
                    .blacklisted_until
                    .map_or_else(|| "-".to_owned(), format::time),
            ]);
        }
        Ok(output.table(&table)?)
    })
}

fn blacklist(session: &Session) -> anyhow::Result<()> {
    let client = session.client()?;
    let blacklist = client.blacklist()?;
    session.output.say(format!(
        "an executor that fails {} times in a row gets no jobs for {}",
        blacklist.after_failures,
        format::span(Millis::from_secs(blacklist.cooldown_secs)),
    ));
    session.output.data(&blacklist, |output| {
        if blacklist.items.is_empty() {
            session.output.say("nobody is blacklisted");
            return Ok(());
        }
        let names = session.names(&client);
        let mut table = Table::new(["NAME", ">FAILURES", "UNTIL", "REASON"]);
        for entry in &blacklist.items {
            table.row([
                names.of(&entry.executor),
                entry.failures.to_string(),
                format::time(entry.until),
                entry.reason.clone(),
            ]);
        }
        Ok(output.table(&table)?)
    })
}
