//! Delegations: whom to let vote, on what, for how long.
use crate::{format, parse, session::Session, table::Table};
use clap::Subcommand;
use icn_api::governance::DelegationsQuery;
use icn_model::{Action, Millis, Name};

/// `delegate`
#[derive(Debug, Subcommand)]
pub(crate) enum DelegateCommand {
    /// Let another vote where you do not: a member for a member, a cooperative for a cooperative
    To {
        /// Who votes, by name or identity
        delegate: String,
        /// Only on this topic; it goes before a delegation for all topics
        #[arg(long)]
        topic: Option<Name>,
        /// For how long; for good if it is left out
        #[arg(long = "for", value_name = "SPAN", value_parser = parse::span)]
        span: Option<Millis>,
    },
    /// End a delegation
    End {
        /// That on this topic; that for all topics if it is left out
        #[arg(long)]
        topic: Option<Name>,
    },
    /// List delegations; your own if nobody is named
    Ls {
        /// Whose, by name or identity
        voter: Option<String>,
    },
}

pub(crate) fn run(session: &Session, command: &DelegateCommand) -> anyhow::Result<()> {
    match command {
        DelegateCommand::To {
            delegate,
            topic,
            span,
        } => to(session, delegate, topic.clone(), *span),
        DelegateCommand::End { topic } => {
            let action = Action::Undelegate { topic: topic.clone() };
            tell(session, &action, "ended")
        }
        DelegateCommand::Ls { voter } => ls(session, voter.as_deref()),
    }
}

fn tell(session: &Session, action: &Action, what: &str) -> anyhow::Result<()> {
    let done = session.submit(&session.client()?, action)?;
    session.output.data(&done, |output| {
        Ok(output.line(format!("{what} in block {}", done.height))?)
    })
}

fn to(session: &Session, delegate: &str, topic: Option<Name>, span: Option<Millis>) -> anyhow::Result<()> {
    let client = session.client()?;
    let to = session.resolve(&client, delegate)?;
    let signer = session.signer()?;
    let until = match span {
        Some(span) => Some(client.next_operation(signer.key.public())?.time.after(span)),
        None => None,
    };
    tell(session, &Action::Delegate { to, topic, until }, "delegated")
}

fn ls(session: &Session, voter: Option<&str>) -> anyhow::Result<()> {
    let client = session.client()?;
    let voter = match voter {
        Some(text) => session.resolve(&client, text)?,
        None => match session.own_did() {
            Some(own) => own,
            None => client.identity()?.did,
        },
    };
    let delegations = client.delegations(&DelegationsQuery { voter })?;
    session.output.data(&delegations, |output| {
        let names = session.names(&client);
        let mut table = Table::new(["TOPIC", "TO", "SINCE", "UNTIL"]);
        for record in &delegations.items {
            table.row([
                record
                    .topic
                    .as_ref()
                    .map_or_else(|| "(all others)".to_owned(), ToString::to_string),
                names.of(&record.to),
                format::time(record.since),
                record.until.map_or_else(|| "for good".to_owned(), format::time),
            ]);
        }
        if delegations.items.is_empty() {
            session
                .output
                .say(format!("{} lets nobody vote for it", names.of(&voter)));
            return Ok(());
        }
        Ok(output.table(&table)?)
    })
}
