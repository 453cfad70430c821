//! Clearing: what a round would come to, how one stands, what it cleared, and the check of its proof.
mod report;

pub(crate) use report::{check, table};

use crate::{
    commands::proposal,
    format::{self, Names},
    global::Global,
    output::Output,
    session::Session,
    table::Table,
};
use clap::{Args, Subcommand};
use icn_api::{
    clearing::{RoundView, RoundsQuery},
    client::Client,
};
use icn_model::{Action, ClearingAct, CreditUnit, RoundNumber, RoundPhase};
use std::path::PathBuf;

/// `clearing`
#[derive(Debug, Subcommand)]
pub(crate) enum ClearingCommand {
    /// Show what a round would clear now, if every line took part; changes nothing
    Plan(PlanArgs),
    /// Propose to open a round; the federation votes on it
    Open,
    /// Show the round that is under way, or the last one
    Status(StatusArgs),
    /// List rounds, the newest first
    Ls(LsArgs),
    /// Show what a round clears on each line
    Report(ReportArgs),
    /// Check the proof of a round, or of a report in a file: nobody's net position changes, and nothing clears more
    Verify(VerifyArgs),
    /// Take your cooperative's lines out of the plan of the round that is under way
    Object(ObjectArgs),
}

/// `clearing plan`
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Only in this unit
    #[arg(long, value_name = "UNIT")]
    unit: Option<CreditUnit>,
}

/// `clearing status`
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The number of a round
    round: Option<u64>,
}

/// `clearing ls`
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Begin before this round
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    /// At most so many, up to 1000
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

/// `clearing report`
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The number of the round; the last one if absent
    round: Option<u64>,
    /// Only in this unit
    #[arg(long, value_name = "UNIT")]
    unit: Option<CreditUnit>,
}

/// `clearing verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The number of the round; the last one if absent
    round: Option<u64>,
    /// A report that `clearing report --json` or `clearing plan --json` wrote; no node is asked
    #[arg(long, value_name = "FILE", conflicts_with = "round")]
    file: Option<PathBuf>,
}

/// `clearing object`
#[derive(Debug, Args)]
pub(crate) struct ObjectArgs {
    /// Why; everybody in the federation can read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(global: &Global, output: &Output, command: ClearingCommand) -> anyhow::Result<()> {
    let session = Session::new(global, output)?;
    match command {
        ClearingCommand::Plan(args) => report::plan(&session, args.unit),
        ClearingCommand::Open => open(&session),
        ClearingCommand::Status(args) => status(&session, args.round),
        ClearingCommand::Ls(args) => ls(&session, &args),
        ClearingCommand::Report(args) => report::report(&session, args.round, args.unit),
        ClearingCommand::Verify(args) => report::verify(&session, &args),
        ClearingCommand::Object(args) => object(&session, args.reason),
    }
}

/// The round with a number, or the last one.
fn find(client: &Client, round: Option<u64>) -> anyhow::Result<RoundView> {
    if let Some(round) = round {
        return Ok(client.clearing_round(RoundNumber::new(round))?);
    }
    let page = client.clearing_rounds(&RoundsQuery {
        limit: Some(1),
        ..RoundsQuery::default()
    })?;
    page.items.into_iter().next().ok_or_else(|| {
        anyhow::anyhow!(
            "there has been no round of clearing: `icn-cli clearing open` proposes one, and `icn-cli proposal create \
             clearing every 30d` that they come by themselves"
        )
    })
}

fn open(session: &Session) -> anyhow::Result<()> {
    session
        .output
        .say("a round begins when the federation has decided so: icn-cli vote, icn-cli clearing status");
    proposal::open_clearing(session)
}

fn status(session: &Session, round: Option<u64>) -> anyhow::Result<()> {
    let client = session.client()?;
    let view = find(&client, round)?;
    session.output.data(&view, |output| {
        let names = session.names(&client);
        let mut table = Table::pairs();
        for (name, value) in standing(&view, &names) {
            table.row([name.to_owned(), value]);
        }
        output.table(&table)?;
        for unit in &view.units {
            let figures = &unit.figures;
            output.line(format!(
                "{}: {} of {} on {} lines between {} cooperatives",
                unit.unit,
                unit.unit.write(figures.cleared),
                unit.unit.write(figures.gross),
                figures.rows,
                figures.parties
            ))?;
        }
        Ok(())
    })
}

fn standing(view: &RoundView, names: &Names) -> Vec<(&'static str, String)> {
    let record = &view.record;
    let mut lines = vec![
        ("round", view.number.to_string()),
        ("state", record.phase.name().to_owned()),
        ("announced", format::time(record.announced)),
    ];
    match &record.phase {
        RoundPhase::Announced { freeze_at } => {
            lines.push(("lines that take part", view.joined.to_string()));
            lines.push(("counts what is anchored until", format::time(*freeze_at)));
        }
        RoundPhase::Objecting { until } => {
            lines.push(("lines in the plan", record.rows.to_string()));
            lines.push(("can be objected to until", format::time(*until)));
        }
        RoundPhase::Applied { at } => {
            lines.push(("applied", format::time(*at)));
            lines.push(("lines", record.rows.to_string()));
        }
        RoundPhase::Ended { at } => lines.push(("ended", format::time(*at))),
        RoundPhase::Aborted { at, reason } => {
            lines.push(("aborted", format::time(*at)));
            lines.push(("because", reason.to_string()));
        }
    }
    if record.left > 0 {
        lines.push(("lines that have left", record.left.to_string()));
    }
    for objection in &record.objections {
        lines.push((
            "objection",
            format!("{}: {}", names.of(&objection.by), objection.reason),
        ));
    }
    lines
}

fn ls(session: &Session, args: &LsArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let page = client.clearing_rounds(&RoundsQuery {
        before: args.before,
        limit: Some(args.limit),
    })?;
    session.output.data(&page, |output| {
        let mut table = Table::new(["ROUND", "STATE", "ANNOUNCED", "LINES", "CLEARED"]);
        for round in &page.items {
            let cleared: Vec<_> = round
                .units
                .iter()
                .map(|unit| format!("{} {}", unit.unit.write(unit.figures.cleared), unit.unit))
                .collect();
            table.row([
                round.number.to_string(),
                round.record.phase.name().to_owned(),
                format::time(round.record.announced),
                round.record.rows.to_string(),
                if cleared.is_empty() {
                    "-".to_owned()
                } else {
                    cleared.join(", ")
                },
            ]);
        }
        output.table(&table)?;
        if let Some(next) = page.next {
            session
                .output
                .say(format!("more: icn-cli clearing ls --before {next}"));
        }
        Ok(())
    })
}

fn object(session: &Session, reason: String) -> anyhow::Result<()> {
    let client = session.client()?;
    let signer = session.signer()?;
    let round = find(&client, None)?.number;
    let action = Action::Clearing {
        act: ClearingAct::Object { round, reason },
    };
    let said = session.submit_as(&client, &signer, &action)?;
    let data = serde_json::json!({ "id": said.id, "height": said.height, "round": round });
    session.output.data(&data, |output| {
        Ok(output.line(format!(
            "objected: your cooperative's lines leave round {round} (block {})",
            said.height
        ))?)
    })
}
