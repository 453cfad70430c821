//! Lines of credit: what is owed, transfers, statements, and what is said of lines on the log.
mod pay;
mod show;
mod statement;

use super::agreement;
use crate::{failure::Usage, global::Global, output::Output, session::Session};
use clap::{Args, Subcommand};
use icn_api::{
    client::Client,
    credit::{LineView, LinesQuery},
};
use icn_model::{Action, CreditAct, CreditUnit, Did, LineId};
use std::path::PathBuf;

/// `credit`
#[derive(Debug, Subcommand)]
pub(crate) enum CreditCommand {
    /// List lines of credit
    Ls(LsArgs),
    /// Show a line: what is owed, what may be, what is pending
    Show(LineArgs),
    /// Owe the other end of a line more: your node signs, the other end's node countersigns
    Pay(PayArgs),
    /// List transfers on a line, the newest first
    Transfers(TransfersArgs),
    /// Write everything that both ends have signed, as CSV or with --json with all signatures
    Statement(StatementArgs),
    /// Check lines, or a statement in a file: every signature, every sum, what is owed
    Verify(VerifyArgs),
    /// Show the log what both ends have signed; nodes do so by themselves
    Anchor(LineArgs),
    /// Ask the log to make void what the other end does not countersign
    Void(LineArgs),
    /// Say that you do not agree with how a line stands: it stays out of clearing
    Dispute(DisputeArgs),
    /// Take that back
    Withdraw(LineArgs),
    /// Show what a cooperative owes and is owed over all its lines
    Exposure(ExposureArgs),
}

/// A line.
#[derive(Debug, Args)]
pub(crate) struct LineArgs {
    /// The line: AGREEMENT:UNIT, like f3kq7a:EUR.2, or the agreement alone if it has one line; of the agreement's id its
    /// beginning or end is enough
    line: String,
}

/// `credit ls`
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Only those of which this cooperative is an end
    #[arg(long, value_name = "NAME")]
    end: Option<String>,
    /// Only those in this unit
    #[arg(long, value_name = "UNIT")]
    unit: Option<CreditUnit>,
    /// Begin after this line
    #[arg(long, value_name = "LINE")]
    after: Option<LineId>,
    /// At most so many, up to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// `credit pay`
#[derive(Debug, Args)]
pub(crate) struct PayArgs {
    #[command(flatten)]
    line: LineArgs,
    /// How much, in the line's unit, like 12.50
    amount: String,
    /// What it is for; the other end's people read it, it becomes a block
    #[arg(long = "for", value_name = "TEXT")]
    memo: Option<String>,
    /// Your own name for it, like an invoice's number: with a name that was used before, nothing new is made
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// How long to wait for the other end's signature, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    wait: u64,
}

/// `credit transfers`
#[derive(Debug, Args)]
pub(crate) struct TransfersArgs {
    #[command(flatten)]
    line: LineArgs,
    /// Those by which your cooperative is owed more, instead of those by which it owes more
    #[arg(long)]
    other: bool,
    /// Begin before this number
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    /// At most so many, up to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// `credit statement`
#[derive(Debug, Args)]
pub(crate) struct StatementArgs {
    #[command(flatten)]
    line: LineArgs,
}

/// `credit verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The line: AGREEMENT:UNIT; all lines of your cooperative if absent
    line: Option<String>,
    /// A statement that `credit statement --json` wrote; no node is asked
    #[arg(long, value_name = "FILE", conflicts_with = "line")]
    file: Option<PathBuf>,
}

/// `credit dispute`
#[derive(Debug, Args)]
pub(crate) struct DisputeArgs {
    #[command(flatten)]
    line: LineArgs,
    /// Why; everybody in the federation can read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `credit exposure`
#[derive(Debug, Args)]
pub(crate) struct ExposureArgs {
    /// Whose; your own cooperative's if absent
    of: Option<String>,
}

pub(crate) fn run(global: &Global, output: &Output, command: CreditCommand) -> anyhow::Result<()> {
    let session = Session::new(global, output)?;
    match command {
        CreditCommand::Ls(args) => show::ls(&session, &args),
        CreditCommand::Show(args) => show::show(&session, &args),
        CreditCommand::Pay(args) => pay::pay(&session, &args),
        CreditCommand::Transfers(args) => show::transfers(&session, &args),
        CreditCommand::Statement(args) => statement::statement(&session, &args),
        CreditCommand::Verify(args) => statement::verify(&session, &args),
        CreditCommand::Anchor(args) => pay::anchor(&session, &args),
        CreditCommand::Void(args) => pay::void(&session, &args),
        CreditCommand::Dispute(DisputeArgs { line, reason }) => say(
            &session,
            &line,
            CreditAct::Dispute { reason },
            "disputed: it stays out of clearing",
        ),
        CreditCommand::Withdraw(line) => say(&session, &line, CreditAct::Withdraw {}, "taken back"),
        CreditCommand::Exposure(args) => show::exposure(&session, &args),
    }
}

/// The line that `text` names.
fn find(session: &Session, client: &Client, text: &str) -> anyhow::Result<LineView> {
    let (agreement, unit) = match text.split_once(':') {
        Some((agreement, unit)) => (agreement, Some(unit.parse::<CreditUnit>()?)),
        None => (text, None),
    };
    let agreement = agreement::find(client, agreement)?;
    let unit = match unit {
        Some(unit) => unit,
        None => only_unit(client, agreement)?,
    };
    let line = LineId { agreement, unit };
    Ok(session.once_known(|| client.credit_line(&line))?)
}

/// The unit of an agreement's one line.
fn only_unit(client: &Client, agreement: icn_model::AgreementId) -> anyhow::Result<CreditUnit> {
    let view = client.agreement(&agreement)?;
    let lines = view.record.in_force.iter().flat_map(|held| &held.terms.lines);
    let units: Vec<_> = lines.map(|line| line.unit.clone()).collect();
    match &units[..] {
        [unit] => Ok(unit.clone()),
        [] => Err(Usage::new(format!(
            "agreement {agreement} has opened no line of credit: `icn-cli agreement show {agreement}` shows its terms"
        ))
        .into()),
        several => {
            let names: Vec<_> = several.iter().map(|unit| format!("{agreement}:{unit}")).collect();
            Err(Usage::new(format!("agreement {agreement} has several lines: name {}", names.join(" or "))).into())
        }
    }
}

/// The line that `text` names, of which this node's cooperative is an end.
fn find_own(session: &Session, client: &Client, args: &LineArgs) -> anyhow::Result<(LineView, Did)> {
    let view = find(session, client, &args.line)?;
    match &view.own {
        Some(own) => {
            let other = own.other;
            Ok((view, other))
        }
        None => Err(Usage::new(format!(
            "your node's cooperative is no end of {}: ask the node of one that is",
            view.name
        ))
        .into()),
    }
}

/// Says something of a line on the log, with the own key.
fn say(session: &Session, args: &LineArgs, act: CreditAct, done: &str) -> anyhow::Result<()> {
    let client = session.client()?;
    let line = find(session, &client, &args.line)?.line;
    let signer = session.signer()?;
    let action = Action::Credit {
        agreement: line.agreement,
        unit: line.unit.clone(),
        act: Box::new(act),
    };
    let said = session.submit_as(&client, &signer, &action)?;
    let data = serde_json::json!({ "id": said.id, "height": said.height, "line": line });
    session.output.data(&data, |output| {
        Ok(output.line(format!("{done} (block {})", said.height))?)
    })
}

/// All lines that a query finds.
fn all_lines(client: &Client, query: &LinesQuery) -> anyhow::Result<Vec<LineView>> {
    let (mut lines, mut query) = (Vec::new(), query.clone());
    loop {
        let page = client.credit_lines(&query)?;
        lines.extend(page.items);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return Ok(lines),
        }
    }
}

/// An amount that may be below zero, as people write it.
fn signed(unit: &CreditUnit, amount: i64) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}{}", unit.write(amount.unsigned_abs()))
}
