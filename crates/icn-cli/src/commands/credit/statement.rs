//! `credit statement` and `credit verify`.
use super::{LineArgs, StatementArgs, VerifyArgs, all_lines, find_own, signed};
use crate::{format, session::Session};
use anyhow::{Context as _, bail, ensure};
use icn_api::{
    MAX_PAGE,
    client::Client,
    credit::{LineView, LinesQuery, TransferEntry, TransfersQuery, Whose},
    federation::{MembersQuery, SeatView},
    statement::{Checked, Statement},
};
use icn_model::{Head, LineId, SeatRecord};
use std::{collections::BTreeSet, fs, path::Path};

/// How often a line is read again that changes while it is read.
const MAX_ATTEMPTS: usize = 5;

pub(super) fn statement(session: &Session, args: &StatementArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let (view, _) = find_own(session, &client, &args.line)?;
    let (statement, _) = read(&client, &view.line)?;
    session.output.data(&statement, |output| {
        output.line("made,direction,number,amount,in_all,standing,reference,memo,hash")?;
        let unit = &statement.line.unit;
        let own = statement.own.iter().map(|entry| ("owes", entry));
        let others = statement.others.iter().map(|entry| ("is-owed", entry));
        let mut all: Vec<_> = own.chain(others).collect();
        all.sort_by_key(|(_, entry)| (entry.transfer.content.made, entry.transfer.content.number));
        for (direction, entry) in all {
            let transfer = &entry.transfer.content;
            output.line(format!(
                "{},{direction},{},{},{},{},{},{},{}",
                format::time(transfer.made),
                transfer.number,
                unit.write(transfer.amount),
                unit.write(transfer.owed),
                entry.standing.name(),
                transfer.reference,
                transfer.memo.map(|cid| cid.to_string()).unwrap_or_default(),
                transfer.hash()
            ))?;
        }
        Ok(())
    })
}

/// Reads everything that the node holds of a line, at one moment of it.
fn read(client: &Client, line: &LineId) -> anyhow::Result<(Statement, LineView)> {
    let federation = client.federation()?;
    for _ in 0..MAX_ATTEMPTS {
        let before = client.credit_line(line)?;
        let own = transfers(client, line, Whose::Own)?;
        let others = transfers(client, line, Whose::Other)?;
        let after = client.credit_line(line)?;
        let (Some(was), Some(is)) = (&before.own, &after.own) else {
            bail!("the node keeps this line no more");
        };
        if (was.own_head, was.other_head, was.pending.len()) != (is.own_head, is.other_head, is.pending.len())
            || before.record.settled != after.record.settled
        {
            continue;
        }
        let me = after.record.ends.into_iter().find(|end| *end != is.other);
        let of = me.context("the line has no other end")?;
        let settled = after.record.settled;
        let statement = Statement {
            federation: federation.id,
            line: line.clone(),
            of,
            other: is.other,
            time: federation.time,
            cleared: if after.record.ends[0] == of {
                settled
            } else {
                -settled
            },
            debt: is.debt,
            own,
            others,
        };
        return Ok((statement, after));
    }
    bail!("the line changes while it is read: try again when less is transferred")
}

fn transfers(client: &Client, line: &LineId, whose: Whose) -> anyhow::Result<Vec<TransferEntry>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = client.credit_transfers(
            line,
            &TransfersQuery {
                whose,
                newest: false,
                after,
                limit: Some(MAX_PAGE),
            },
        )?;
        all.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

pub(super) fn verify(session: &Session, args: &VerifyArgs) -> anyhow::Result<()> {
    if let Some(file) = &args.file {
        let statement = load(file)?;
        let checked = statement.check(None)?;
        return report(
            session,
            &statement,
            &checked,
            &["whose keys signed was not asked of a node"],
        );
    }
    let client = session.client()?;
    let lines = match &args.line {
        Some(line) => vec![find_own(session, &client, &LineArgs { line: line.clone() })?.0],
        None => all_lines(&client, &LinesQuery::default())?
            .into_iter()
            .filter(|view| view.own.is_some())
            .collect(),
    };
    if lines.is_empty() {
        session.output.say("your cooperative has no lines of credit");
    }
    let seats = client.members(&MembersQuery::default())?.seats;
    let mut wrong = Vec::new();
    for view in &lines {
        match verify_line(session, &client, &seats, &view.line) {
            Err(error) if lines.len() == 1 => return Err(error),
            Err(error) => {
                // What is wrong with one says nothing of the others.
                session.output.insist(format!("{}: {error:#}", view.name));
                wrong.push(view.name.as_str());
            }
            Ok(()) => {}
        }
    }
    ensure!(wrong.is_empty(), "these lines do not hold: {}", wrong.join(", "));
    Ok(())
}

fn verify_line(session: &Session, client: &Client, seats: &[SeatView], line: &LineId) -> anyhow::Result<()> {
    let (statement, view) = read(client, line)?;
    let checked = statement.check(Some(anchored(&statement, &view)))?;
    check_anchored(&statement, &view)?;
    let mut notes = Vec::new();
    for (did, keys) in [
        (statement.of, [&checked[0].debtor_keys, &checked[1].creditor_keys]),
        (
            statement.other,
            [&checked[1].debtor_keys, &checked[0].creditor_keys],
        ),
    ] {
        let seat = seats.iter().find(|seat| seat.did == did).map(|seat| &seat.record);
        if keys.into_iter().any(|keys| !are_line_keys(seat, keys)) {
            notes.push("some was signed by line keys that the log does not name any more");
        }
    }
    report(session, &statement, &checked, &notes)
}

fn are_line_keys(seat: Option<&SeatRecord>, keys: &BTreeSet<icn_model::PublicKey>) -> bool {
    let Some(seat) = seat else { return keys.is_empty() };
    let former = &seat.succession.former_lines;
    keys.iter()
        .all(|key| seat.keys.line == *key || former.iter().any(|one| one.key == *key))
}

/// The heads that the log knows: own, other's.
fn anchored(statement: &Statement, view: &LineView) -> [Head; 2] {
    let [first, second] = view.record.chains.map(|chain| chain.head);
    if view.record.ends[0] == statement.of {
        [first, second]
    } else {
        [second, first]
    }
}

/// That the statement does not contradict what the log knows.
fn check_anchored(statement: &Statement, view: &LineView) -> anyhow::Result<()> {
    let heads = anchored(statement, view);
    for (entries, head) in [(&statement.own, heads[0]), (&statement.others, heads[1])] {
        let same = entries
            .iter()
            .find(|entry| entry.transfer.content.number == head.number);
        if let Some(entry) = same
            && entry.transfer.content.head() != head
        {
            bail!(
                "transfer {} is another one than the log knows: keep the node's data for analysis",
                head.number
            );
        }
    }
    Ok(())
}

fn load(path: &Path) -> anyhow::Result<Statement> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| {
        format!(
            "{} is no statement: `icn-cli credit statement LINE --json` writes one",
            path.display()
        )
    })
}

fn report(
    session: &Session,
    statement: &Statement,
    checked: &[Checked; 2],
    notes: &[&str],
) -> anyhow::Result<()> {
    let [own, others] = checked;
    let unit = &statement.line.unit;
    let data = serde_json::json!({
        "line": statement.line.to_string(), "debt": statement.debt, "own": own, "others": others, "notes": notes,
    });
    session.output.data(&data, |output| {
        output.line(format!("line {}", statement.line))?;
        for (what, chain) in [("owes", own), ("is owed", others)] {
            output.line(format!(
                "{what}: {} transfers signed by both add up to {}; {} pending, {} void",
                chain.confirmed,
                unit.write(chain.head.owed),
                chain.pending,
                chain.void
            ))?;
        }
        let cleared = signed(unit, statement.cleared);
        output.line(format!(
            "{} - {} - {cleared} cleared = {}: every signature and every sum holds",
            unit.write(own.head.owed),
            unit.write(others.head.owed),
            signed(unit, statement.debt)
        ))?;
        for note in notes {
            output.line(format!("note: {note}"))?;
        }
        Ok(())
    })
}
