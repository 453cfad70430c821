//! `proposal create` and `proposal plan`.
use super::{what::What, words};
use crate::{commands::contract, failure::Usage, format::Names, output::Output, parse, session::Session};
use anyhow::Context as _;
use clap::Args;
use icn_api::governance::{Plan, PlannedChange};
use icn_model::{Action, Codec, Effect, Millis, Name, Process, ProposalId, ProposalSpec, limits};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// `proposal create`
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(subcommand)]
    what: What,
    /// What it is called: the first line of its text
    #[arg(long, global = true, value_name = "TITLE")]
    title: Option<String>,
    /// A file with the reasons, in Markdown; - for standard input
    #[arg(long, global = true, value_name = "FILE")]
    text: Option<PathBuf>,
    /// What it is about, for delegations by topic; the kind if it is left out
    #[arg(long, global = true, value_name = "TOPIC")]
    topic: Option<Name>,
    /// How long it is open, if longer than its process asks for
    #[arg(long, global = true, value_name = "SPAN", value_parser = parse::span)]
    closes_in: Option<Millis>,
    /// Votes cannot be changed; then it ends as soon as nothing can change the outcome
    #[arg(long, global = true)]
    votes_final: bool,
    /// Wait until nothing happens to it any more by itself; carried out is success
    #[arg(long, global = true)]
    wait: bool,
}

/// `proposal plan`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(subcommand)]
    what: What,
}

pub(super) fn plan(session: &Session, args: &PlanArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let effect = args.what.effect(session, &client, false)?;
    let plan = client.plan(&effect)?;
    session.output.data(&plan, |output| {
        let names = session.names(&client);
        for line in lines(&effect, &plan, &plan.process, &names) {
            output.line(line)?;
        }
        Ok(())
    })
}

/// A plan for people; `process` is what the proposal goes through.
fn lines(effect: &Effect, plan: &Plan, process: &Process, names: &Names) -> Vec<String> {
    let mut lines = vec![
        format!("{}: {}", plan.kind, words::effect(effect, names)),
        format!("decided by: {}", words::process(process)),
        format!("costs: {}", plan.cost),
    ];
    let changes = changes(&plan.changes, names);
    lines.extend(changes.iter().map(|change| format!("changes: {change}")));
    lines
}

/// What would change, one by one.
pub(super) fn changes(changes: &[PlannedChange], names: &Names) -> Vec<String> {
    if changes.is_empty() {
        return vec!["nothing but words".to_owned()];
    }
    let line = |change: &PlannedChange| {
        let PlannedChange { what, before, after } = change;
        format!("{}: {before} -> {after}", names.within(what))
    };
    changes.iter().map(line).collect()
}

pub(super) fn create(session: &Session, args: &CreateArgs) -> anyhow::Result<()> {
    if args.what.needs_words() && args.title.is_none() && args.text.is_none() {
        return Err(Usage::new("a text needs words: --title TITLE, --text FILE, or both").into());
    }
    let words = document(args)?;
    let signer = session.signer()?;
    let client = session.client()?;
    let effect = args.what.effect(session, &client, true)?;
    let plan = client.plan(&effect)?;
    let (electorate, method) = args.what.terms(&plan)?;
    let names = session.names(&client);
    let process = Process {
        electorate,
        method: method.kind(),
        votes_final: plan.process.votes_final || args.votes_final,
        ..plan.process
    };
    lines(&effect, &plan, &process, &names)
        .iter()
        .for_each(|line| session.output.say(line));
    let backtest = contract::try_proposed(session, &client, &effect)?;
    let closes = match args.closes_in {
        Some(span) => Some(client.next_operation(signer.key.public())?.time.after(span)),
        None => None,
    };
    let topic = match &args.topic {
        Some(topic) => topic.clone(),
        None => plan.kind.name().parse().context("the kind is no topic")?,
    };
    // The node keeps it for as long as the log keeps the proposal that names it.
    let text = words
        .map(|words| client.put_block(Codec::Raw, words.as_bytes()))
        .transpose()?;
    let proposal = ProposalSpec {
        text,
        effect,
        electorate,
        method,
        topic,
        closes,
        votes_final: args.votes_final,
    };
    let action = Action::Propose {
        proposal: Box::new(proposal),
    };
    let done = session.submit_as(&client, &signer, &action)?;
    let id = ProposalId::from(done.id);
    session
        .output
        .say(format!("proposal {id} is in block {}", done.height));
    if args.wait {
        return super::wait(session, id, None, None);
    }
    let data = serde_json::json!({ "id": id, "height": done.height, "text": text, "plan": plan, "backtest": backtest });
    print_id(&session.output, &data, id)
}

/// Proposes a round of clearing, without more words.
pub(crate) fn open_clearing(session: &Session) -> anyhow::Result<()> {
    let args = CreateArgs {
        what: What::OpenClearing,
        title: None,
        text: None,
        topic: None,
        closes_in: None,
        votes_final: false,
        wait: false,
    };
    create(session, &args)
}

fn print_id(output: &Output, data: &serde_json::Value, id: ProposalId) -> anyhow::Result<()> {
    output.data(data, |output| Ok(output.line(id.to_string())?))
}

/// The words of a proposal: its title as a heading, and its text.
fn document(args: &CreateArgs) -> anyhow::Result<Option<String>> {
    let body = args.text.as_deref().map(read_text).transpose()?;
    let heading = args.title.as_ref().map(|title| format!("# {}\n", title.trim()));
    let parts: Vec<_> = heading.into_iter().chain(body).collect();
    let document = parts.join("\n");
    if document.len() > limits::MAX_DAG_BLOCK_BYTES {
        let max = limits::MAX_DAG_BLOCK_BYTES;
        return Err(Usage::new(format!(
            "the text is {} bytes long, at most {max} are allowed",
            document.len()
        ))
        .into());
    }
    Ok((!parts.is_empty()).then_some(document))
}

/// A text from a file, or from standard input if that is `-`; no more is read than a block holds.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    let most = limits::MAX_DAG_BLOCK_BYTES as u64 + 1;
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_string(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(most).read_to_string(&mut text))
    };
    read.with_context(|| format!("cannot read the text {}", path.display()))?;
    Ok(text)
}
