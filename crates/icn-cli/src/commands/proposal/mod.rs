//! Proposals: made, followed, explained, checked.
mod audit;
mod create;
mod process;
mod rules;
mod show;
mod verify;
mod what;
mod words;

pub(crate) use create::{open_clearing, read_text};

use super::ids;
use crate::{
    failure::Found, format, global::Global, output::Output, parse, progress::Progress, session::Session,
    table::Table,
};
use clap::{Args, Subcommand};
use icn_api::{
    MAX_PAGE,
    client::{Client, ClientError},
    governance::{ProposalBrief, ProposalView, ProposalsQuery},
};
use icn_model::{Action, Millis, ProposalId, ProposalKind, ProposalPhase, ProposalStatus};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How often a proposal is asked after.
const POLL: Duration = Duration::from_millis(200);

/// `proposal`
#[derive(Debug, Subcommand)]
pub(crate) enum ProposalCommand {
    /// Propose something; shows what it would change, and prints the proposal's id
    Create(Box<create::CreateArgs>),
    /// Show what a proposal would change and how it would be decided; signs nothing
    Plan(Box<create::PlanArgs>),
    /// List proposals, the newest first
    Ls(LsArgs),
    /// Show a proposal: its text, how the vote stands and who counts through whom, what it would change
    Show(IdArgs),
    /// List the votes on a proposal
    Ballots(show::BallotsArgs),
    /// Speak for another cooperative's proposal, so that it opens
    Sponsor(IdArgs),
    /// Withdraw your proposal before it is accepted
    Cancel(IdArgs),
    /// Try again to carry out a proposal that failed
    Retry(IdArgs),
    /// Wait until nothing happens to a proposal any more by itself
    Wait(WaitArgs),
    /// Show what proposals of each kind go through, what contracts decide, and every parameter
    Rules,
    /// Write what it takes to check a vote without a node
    Audit(audit::AuditArgs),
    /// Check a vote by its bundle; needs no node
    VerifyBundle(audit::VerifyArgs),
}

/// A proposal.
#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The proposal: its id, or the beginning or end of it
    id: String,
}

/// `proposal ls`
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Only proposals in this state
    #[arg(long, value_name = "STATE", value_parser = parse::one_of::<ProposalStatus>(ProposalStatus::ALL.iter().map(|one| one.name())))]
    status: Option<ProposalStatus>,
    /// Only proposals of this kind
    #[arg(long, value_name = "KIND", value_parser = parse::one_of::<ProposalKind>(ProposalKind::ALL.iter().map(|one| one.name())))]
    kind: Option<ProposalKind>,
    /// Begin after this proposal
    #[arg(long, value_name = "ID")]
    after: Option<ProposalId>,
    /// At most so many, up to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// `proposal wait`
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    proposal: IdArgs,
    /// Wait for this state only
    #[arg(long = "for", value_name = "STATE", value_parser = parse::one_of::<ProposalStatus>(ProposalStatus::ALL.iter().map(|one| one.name())))]
    status: Option<ProposalStatus>,
    /// How long to wait
    #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "10m")]
    timeout: Millis,
}

pub(crate) fn run(global: &Global, output: &Output, command: ProposalCommand) -> anyhow::Result<()> {
    let session = || Session::new(global, output);
    match command {
        ProposalCommand::Create(args) => create::create(&session()?, &args),
        ProposalCommand::Plan(args) => create::plan(&session()?, &args),
        ProposalCommand::Ls(args) => ls(&session()?, &args),
        ProposalCommand::Show(args) => show::show(&session()?, &args.id),
        ProposalCommand::Ballots(args) => show::ballots(&session()?, &args),
        ProposalCommand::Sponsor(args) => act(&session()?, &args.id, "sponsored", |proposal| {
            Action::Sponsor { proposal }
        }),
        ProposalCommand::Cancel(args) => act(&session()?, &args.id, "withdrawn", |proposal| {
            Action::CancelProposal { proposal }
        }),
        ProposalCommand::Retry(args) => act(&session()?, &args.id, "carried out", |proposal| {
            Action::RetryProposal { proposal }
        }),
        ProposalCommand::Wait(args) => {
            let session = session()?;
            let id = find(&session.client()?, &args.proposal.id)?;
            let until = Instant::now() + Duration::from_millis(args.timeout.get());
            wait(&session, id, args.status, Some(until))
        }
        ProposalCommand::Rules => rules::rules(&session()?),
        ProposalCommand::Audit(args) => audit::audit(&session()?, &args),
        ProposalCommand::VerifyBundle(args) => audit::verify(output, &args),
    }
}

fn act(session: &Session, id: &str, what: &str, action: impl Fn(ProposalId) -> Action) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = find(&client, id)?;
    session.once_known(|| client.proposal(&id))?;
    let done = session.submit(&client, &action(id))?;
    session.output.data(&done, |output| {
        Ok(output.line(format!("{what} in block {}", done.height))?)
    })
}

/// The proposal that `text` names.
pub(crate) fn find(client: &Client, text: &str) -> anyhow::Result<ProposalId> {
    ids::find(text, ("proposal", "icn-cli proposal ls"), || {
        Ok(all(client)?.iter().map(|proposal| proposal.id).collect())
    })
}

/// Every proposal that the log keeps.
fn all(client: &Client) -> Result<Vec<ProposalBrief>, ClientError> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = client.proposals(&ProposalsQuery {
            after,
            limit: Some(MAX_PAGE),
            ..ProposalsQuery::default()
        })?;
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(items),
        }
    }
}

fn ls(session: &Session, args: &LsArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let page = client.proposals(&ProposalsQuery {
        status: args.status,
        kind: args.kind,
        after: args.after,
        limit: Some(args.limit),
    })?;
    session.output.data(&page, |output| {
        let names = session.names(&client);
        let mut table = Table::new(["PROPOSAL", "KIND", "STATE", "BY", ">VOTED", "DUE", "WHAT"]);
        for proposal in &page.items {
            table.row([
                proposal.id.to_string(),
                proposal.kind.to_string(),
                proposal.status.to_string(),
                names.of(&proposal.proposer),
                format!("{} of {}", proposal.turnout, proposal.on_roll),
                proposal.due.map_or_else(|| "-".to_owned(), format::time),
                words::effect(&proposal.effect, &names),
            ]);
        }
        output.table(&table)?;
        if let Some(next) = page.next {
            session
                .output
                .say(format!("more: icn-cli proposal ls --after {next}"));
        }
        Ok(())
    })
}

/// Waits for a state, or else until nothing happens to the proposal any more by itself. That it comes to something
/// else than being carried out, or than the state, is an error.
fn wait(
    session: &Session,
    id: ProposalId,
    status: Option<ProposalStatus>,
    until: Option<Instant>,
) -> anyhow::Result<()> {
    let client = session.client()?;
    let progress = Progress::spinner(&session.output, &format!("proposal {id}"));
    let view = loop {
        let view = client.proposal(&id)?;
        progress.tell(&words::phase(&view.record.phase));
        let rests = view.status.is_ended() || view.status == ProposalStatus::Failed;
        if rests || Some(view.status) == status {
            break view;
        }
        anyhow::ensure!(
            until.is_none_or(|until| Instant::now() < until),
            "proposal {id} is still {}: icn-cli proposal wait {id} waits on",
            view.status
        );
        thread::sleep(POLL);
    };
    drop(progress);
    session
        .output
        .data(&view, |output| Ok(output.line(id.to_string())?))?;
    if view.status == status.unwrap_or(ProposalStatus::Executed) {
        return Ok(());
    }
    Err(Found(came_to(&view)).into())
}

/// What became of a proposal that was not carried out.
fn came_to(view: &ProposalView) -> String {
    let decision = view.record.tally.as_ref();
    let why = match (&view.record.phase, decision) {
        (ProposalPhase::Failed { reason, .. }, _) => {
            format!(": {reason} ({})", reason.code().number)
        }
        (ProposalPhase::Rejected { .. }, Some(tally)) => {
            format!(": {}", words::decision(&tally.decision, &view.record.spec.method))
        }
        _ => String::new(),
    };
    format!("proposal {} is {}{why}", view.id, view.status)
}
