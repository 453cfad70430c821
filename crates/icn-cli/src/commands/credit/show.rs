//! `credit ls`, `credit show`, `credit transfers` and `credit exposure`.
use super::{ExposureArgs, LineArgs, LsArgs, TransfersArgs, find, find_own, signed};
use crate::{
    format::{self, Names},
    session::Session,
    table::Table,
};
use icn_api::credit::{ExposureQuery, LineView, LinesQuery, OwnLine, TransfersQuery, Whose};
use icn_model::ChainRecord;

pub(super) fn ls(session: &Session, args: &LsArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let end = args
        .end
        .as_ref()
        .map(|name| session.resolve(&client, name))
        .transpose()?;
    let page = client.credit_lines(&LinesQuery {
        end,
        unit: args.unit.clone(),
        after: args.after.as_ref().map(ToString::to_string),
        limit: Some(args.limit),
    })?;
    session.output.data(&page, |output| {
        let names = session.names(&client);
        let mut table = Table::new(["LINE", "STATE", "OWES", "OWED BY", "ON THE LOG", "HERE"]);
        for view in &page.items {
            let [first, second] = view.record.ends;
            // Whoever owes comes first.
            let (debtor, creditor) = if view.position < 0 {
                (second, first)
            } else {
                (first, second)
            };
            let here = view.own.as_ref().map(|own| signed(&view.line.unit, own.debt));
            table.row([
                view.name.clone(),
                standing(view),
                names.of(&debtor),
                names.of(&creditor),
                view.line.unit.write(view.position.unsigned_abs()),
                here.unwrap_or_else(|| "-".into()),
            ]);
        }
        output.table(&table)?;
        if let Some(next) = &page.next {
            session
                .output
                .say(format!("more: icn-cli credit ls --after {next}"));
        }
        Ok(())
    })
}

fn standing(view: &LineView) -> String {
    let disputed = if view.record.disputes.is_empty() {
        ""
    } else {
        ", disputed"
    };
    format!("{}{disputed}", view.record.phase.name())
}

pub(super) fn show(session: &Session, args: &LineArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let view = find(session, &client, &args.line)?;
    session.output.data(&view, |output| {
        let names = session.names(&client);
        let mut table = Table::pairs();
        for (name, value) in on_the_log(&view, &names) {
            table.row([name, value]);
        }
        output.table(&table)?;
        if let Some(own) = &view.own {
            output.line("")?;
            output.line("on this node")?;
            let mut table = Table::pairs();
            for (name, value) in here(&view, own, &names) {
                table.row([name.to_owned(), value]);
            }
            output.table(&table)?;
        }
        Ok(())
    })
}

fn on_the_log(view: &LineView, names: &Names) -> Vec<(String, String)> {
    let (record, unit) = (&view.record, &view.line.unit);
    let mut lines = vec![
        ("line".to_owned(), view.name.clone()),
        ("state".to_owned(), standing(view)),
        ("since".to_owned(), format::time(record.since)),
    ];
    for (end, did) in record.ends.iter().enumerate() {
        let chain: &ChainRecord = &record.chains[end];
        let mut text = format!(
            "{} in all by transfer {}, may owe {}",
            unit.write(chain.head.owed),
            chain.head.number,
            unit.write(view.in_force.of(end))
        );
        if let Some(void) = chain.voiding {
            text.push_str(&format!(
                "; numbers up to {} are void {}, unless they are shown countersigned",
                void.through,
                format::time(void.until)
            ));
        }
        lines.push((format!("{} has owed", names.of(did)), text));
    }
    let [first, second] = record.ends;
    let (debtor, creditor) = if view.position < 0 {
        (second, first)
    } else {
        (first, second)
    };
    let position = unit.write(view.position.unsigned_abs());
    lines.push((
        "position".into(),
        format!("{} owes {} {position}", names.of(&debtor), names.of(&creditor)),
    ));
    if record.settled != 0 {
        lines.push(("cleared".into(), unit.write(record.settled.unsigned_abs())));
    }
    for dispute in &record.disputes {
        lines.push((
            "disputed by".into(),
            format!("{}: {}", names.of(&dispute.by), dispute.reason),
        ));
    }
    lines
}

fn here(view: &LineView, own: &OwnLine, names: &Names) -> Vec<(&'static str, String)> {
    let unit = &view.line.unit;
    let other = names.of(&own.other);
    let owes = if own.debt < 0 { "you are owed" } else { "you owe" };
    let mut lines = vec![
        (owes, unit.write(own.debt.unsigned_abs())),
        ("you may owe", unit.write(own.limit)),
    ];
    if !own.pending.is_empty() {
        let with = signed(unit, own.debt_with_pending);
        let count = own.pending.len();
        lines.push((
            "pending",
            format!("{count} transfers wait for {other}; with them you owe {with}"),
        ));
    }
    if own.is_ahead {
        lines.push(("the log", "has still to be told of the last transfers".into()));
    }
    let heard = own
        .heard
        .map_or_else(|| "not since this node started".into(), format::time);
    lines.push(("heard from the other end", heard));
    for (is_so, what) in [
        (
            own.waits_for_other,
            "nothing, before the other end has told where it stands",
        ),
        (
            own.has_quarrel,
            "nothing: the other end has signed two transfers with one number",
        ),
        (
            !own.can_sign,
            "nothing: this node does not have the cooperative's line key",
        ),
    ] {
        if is_so {
            lines.push(("signs", what.into()));
        }
    }
    lines
}

pub(super) fn transfers(session: &Session, args: &TransfersArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let (view, _) = find_own(session, &client, &args.line)?;
    let page = client.credit_transfers(
        &view.line,
        &TransfersQuery {
            whose: if args.other { Whose::Other } else { Whose::Own },
            newest: true,
            after: args.before,
            limit: Some(args.limit),
        },
    )?;
    session.output.data(&page, |output| {
        let mut table = Table::new(["NUMBER", "MADE", "AMOUNT", "IN ALL", "STATE", "FOR"]);
        for entry in &page.items {
            let transfer = &entry.transfer.content;
            let memo = transfer.memo.and_then(|cid| session.words(&client, &cid));
            table.row([
                transfer.number.to_string(),
                format::time(transfer.made),
                view.line.unit.write(transfer.amount),
                view.line.unit.write(transfer.owed),
                entry.standing.name().to_owned(),
                memo.map_or_else(
                    || "-".into(),
                    |text| text.lines().next().unwrap_or_default().to_owned(),
                ),
            ]);
        }
        output.table(&table)?;
        if let Some(next) = page.next {
            session.output.say(format!("more: --before {next}"));
        }
        Ok(())
    })
}

pub(super) fn exposure(session: &Session, args: &ExposureArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let of = args
        .of
        .as_ref()
        .map(|name| session.resolve(&client, name))
        .transpose()?;
    let exposures = client.credit_exposure(&ExposureQuery { of })?;
    session.output.data(&exposures, |output| {
        let mut table = Table::new(["UNIT", "OWES", "IS OWED", "MAY OWE", "MAY BE OWED"]);
        for sum in &exposures.units {
            let amounts =
                [sum.owes, sum.owed, sum.may_owe, sum.may_be_owed].map(|amount| sum.unit.write(amount));
            let [owes, owed, may_owe, may_be_owed] = amounts;
            table.row([sum.unit.to_string(), owes, owed, may_owe, may_be_owed]);
        }
        Ok(output.table(&table)?)
    })
}
