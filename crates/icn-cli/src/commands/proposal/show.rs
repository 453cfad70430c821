//! `proposal show` and `proposal ballots`.
use super::{create, find, words};
use crate::{
    commands::contract::is_unprintable,
    format::{self, Names},
    session::Session,
    table::Table,
};
use clap::Args;
use icn_api::{
    MAX_PAGE,
    client::Client,
    governance::{BallotView, BallotsQuery, Planned, ProposalView},
};
use icn_model::{Did, Method, SideTally};
use serde::Serialize;

/// `proposal ballots`
#[derive(Debug, Args)]
pub(crate) struct BallotsArgs {
    /// The proposal: its id, or the beginning or end of it
    id: String,
    /// Begin after this voter
    #[arg(long, value_name = "DID")]
    after: Option<Did>,
    /// At most so many, up to 1000
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

/// A proposal with what else there is to know of it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    view: ProposalView,
    /// Its text, if it can be had.
    words: Option<String>,
    /// Those for whom others voted.
    delegated: Vec<BallotView>,
}

pub(super) fn show(session: &Session, text: &str) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = find(&client, text)?;
    let view = client.proposal(&id)?;
    let shown = Shown {
        words: view.record.spec.text.and_then(|cid| session.words(&client, &cid)),
        delegated: delegated(session, &client, &view)?,
        view,
    };
    session.output.data(&shown, |output| {
        let names = session.names(&client);
        output.table(&summary(&shown.view, &names))?;
        if let Some(standing) = &shown.view.standing {
            let method = &shown.view.record.spec.method;
            let mut table = Table::new([
                "VOTERS",
                ">ON ROLL",
                ">TURNOUT",
                ">THROUGH OTHERS",
                ">ABSTAIN",
                "VOTES",
            ]);
            let mut side = |name: &str, side: &Option<SideTally>| {
                if let Some(side) = side {
                    row(&mut table, name, side, method);
                }
            };
            side("cooperatives", &standing.cooperatives);
            side("members", &standing.members);
            output.line("")?;
            output.table(&table)?;
        }
        if !shown.delegated.is_empty() {
            output.line("")?;
            output.table(&ballots_table(
                &shown.delegated,
                &shown.view.record.spec.method,
                &names,
            ))?;
        }
        if let Some(words) = &shown.words {
            output.line("")?;
            output.line(words.replace(is_unprintable, "\u{fffd}").trim_end())?;
        }
        Ok(())
    })
}

/// The voters for whom others voted, of the first thousand.
fn delegated(session: &Session, client: &Client, view: &ProposalView) -> anyhow::Result<Vec<BallotView>> {
    let sides = view
        .standing
        .iter()
        .flat_map(|tally| [&tally.cooperatives, &tally.members]);
    if sides.flatten().all(|side| side.delegated == 0) {
        return Ok(Vec::new());
    }
    let query = BallotsQuery {
        after: None,
        limit: Some(MAX_PAGE),
    };
    let page = client.ballots(&view.id, &query)?;
    if page.next.is_some() {
        session.output.say(format!(
            "more who count through others: icn-cli proposal ballots {}",
            view.id
        ));
    }
    let through = |ballot: &BallotView| !ballot.record.through.is_empty();
    Ok(page.items.into_iter().filter(through).collect())
}

fn row(table: &mut Table, name: &str, side: &SideTally, method: &Method) {
    table.row([
        name.to_owned(),
        side.on_roll.to_string(),
        side.turnout.to_string(),
        side.delegated.to_string(),
        side.abstained.to_string(),
        words::counts(side, method),
    ]);
}

fn summary(view: &ProposalView, names: &Names) -> Table {
    let (record, spec) = (&view.record, &view.record.spec);
    let mut table = Table::pairs();
    table.pair("proposal", view.id);
    table.pair("kind", record.kind());
    table.pair("state", words::phase(&record.phase));
    table.pair("what", words::effect(&spec.effect, names));
    table.pair(
        "made",
        format!(
            "{} by {}, for {}",
            format::time(record.made),
            names.of(&record.proposer),
            record.cost
        ),
    );
    table.pair("topic", &spec.topic);
    table.pair("decided by", words::process(&record.process));
    for (option, number) in spec.method.options().iter().zip(1..) {
        table.pair("option", format!("{number}. {option}"));
    }
    if let Method::Score { max, .. } = spec.method {
        table.pair("points", format!("0 to {max} for each option"));
    }
    if record.process.sponsors > 0 {
        table.pair(
            "sponsors",
            format!(
                "{} of {}: {}",
                record.sponsors.len(),
                record.process.sponsors,
                names.all(&record.sponsors)
            ),
        );
    }
    if let Some(roll) = &record.roll {
        let members = if roll.members > 0 {
            format!(" and {} members ({})", roll.members, roll.list)
        } else {
            String::new()
        };
        table.pair(
            "roll",
            format!(
                "{}{members}, fixed at {}",
                names.all(&roll.cooperatives),
                format::time(roll.opened)
            ),
        );
    }
    match (&record.tally, &view.standing) {
        (Some(tally), _) => table.pair("outcome", words::decision(&tally.decision, &spec.method)),
        (None, Some(tally)) => table.pair("so far", words::decision(&tally.decision, &spec.method)),
        (None, None) => {}
    }
    for veto in &view.vetoes {
        table.pair("veto", veto);
    }
    match &view.plan {
        Some(Planned::Changes { changes }) => {
            for change in create::changes(changes, names) {
                table.pair("now changes", change);
            }
        }
        Some(Planned::Refused { refusal }) => {
            table.pair(
                "now",
                format!("cannot be carried out: {} ({})", refusal.detail, refusal.code),
            );
        }
        None => {}
    }
    table
}

fn ballots_table(ballots: &[BallotView], method: &Method, names: &Names) -> Table {
    let mut table = Table::new(["VOTER", "OF", ">WEIGHT", "SAYS", "THROUGH", "CAST"]);
    for BallotView { voter, record } in ballots {
        let through = match record.through.as_slice() {
            [] => "-".to_owned(),
            chain => chain
                .iter()
                .map(|did| names.of(did))
                .collect::<Vec<_>>()
                .join(" > "),
        };
        table.row([
            names.of(voter),
            names.of(&record.cooperative),
            record.weight.to_string(),
            words::choice(&record.choice, method),
            through,
            format::time(record.cast),
        ]);
    }
    table
}

pub(super) fn ballots(session: &Session, args: &BallotsArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = find(&client, &args.id)?;
    let query = BallotsQuery {
        after: args.after,
        limit: Some(args.limit),
    };
    let page = client.ballots(&id, &query)?;
    session.output.data(&page, |output| {
        let method = client.proposal(&id)?.record.spec.method;
        output.table(&ballots_table(&page.items, &method, &session.names(&client)))?;
        if let Some(next) = page.next {
            session
                .output
                .say(format!("more: icn-cli proposal ballots {id} --after {next}"));
        }
        Ok(())
    })
}
