//! `proposal rules`: how what is decided.
use crate::{format, session::Session, table::Table};
use icn_api::governance::{KindRule, ParameterRule, ParameterUnit, Rules};
use icn_model::{Mana, Millis};

pub(super) fn rules(session: &Session) -> anyhow::Result<()> {
    let rules = session.client()?.rules()?;
    session.output.data(&rules, |output| {
        output.table(&kinds(&rules))?;
        output.line("")?;
        output.table(&slots(&rules))?;
        output.line("")?;
        output.table(&parameters(&rules))?;
        output.line("")?;
        Ok(output.table(&decided(&rules))?)
    })
}

fn kinds(rules: &Rules) -> Table {
    let mut table = Table::new([
        "KIND",
        "WHO",
        "HOW",
        "QUORUM",
        "THRESHOLD",
        "OPEN FOR",
        "TIMELOCK",
        ">SPONSORS",
        "VOTES",
        "RULE",
    ]);
    for KindRule {
        kind,
        process,
        source,
    } in &rules.kinds
    {
        let (quorum, threshold) = match process.rejection_quorum {
            Some(share) => ("-".to_owned(), format!("unless {share} say no")),
            None => (process.quorum.to_string(), process.threshold.to_string()),
        };
        table.row([
            kind.to_string(),
            process.electorate.to_string(),
            process.method.to_string(),
            quorum,
            threshold,
            format::span(process.duration_ms),
            format::span(process.timelock_ms),
            process.sponsors.to_string(),
            if process.votes_final {
                "final"
            } else {
                "changeable"
            }
            .to_owned(),
            source.name().to_owned(),
        ]);
    }
    table
}

fn slots(rules: &Rules) -> Table {
    let mut table = Table::new(["SLOT", "DECIDED BY", "NAME", "SINCE"]);
    for slot in &rules.slots {
        let dash = || "-".to_owned();
        table.row([
            slot.slot.to_string(),
            slot.policy.map_or_else(
                || "the federation's own rule".to_owned(),
                |policy| policy.contract.to_string(),
            ),
            slot.name.clone().unwrap_or_else(dash),
            slot.policy.map_or_else(dash, |policy| format::time(policy.since)),
        ]);
    }
    table
}

/// A value of a parameter, in the unit that `proposal create parameter` takes.
pub(super) fn value(unit: ParameterUnit, value: u64) -> String {
    match unit {
        ParameterUnit::Millimana => Mana::from_milli(value).to_string(),
        ParameterUnit::Milliseconds => format::span(Millis::new(value)),
        ParameterUnit::Count => value.to_string(),
    }
}

fn parameters(rules: &Rules) -> Table {
    let mut table = Table::new(["PARAMETER", ">VALUE", ">LEAST", ">MOST"]);
    for ParameterRule {
        name,
        value: now,
        min,
        max,
        unit,
    } in &rules.parameters
    {
        table.row([
            name.to_string(),
            value(*unit, *now),
            value(*unit, *min),
            value(*unit, *max),
        ]);
    }
    table
}

fn decided(rules: &Rules) -> Table {
    let decided = &rules.decided;
    let mut table = Table::pairs();
    let clearing = decided.clearing_every_ms;
    table.pair(
        "clearing",
        clearing.map_or_else(
            || "never by itself".to_owned(),
            |every| format!("every {}", format::span(every)),
        ),
    );
    let windows = decided.clearing_windows;
    table.pair(
        "clearing windows",
        format!(
            "{} to join, {} to object",
            format::span(windows.join_ms),
            format::span(windows.object_ms)
        ),
    );
    table.pair("protocol", format!("version {}", decided.protocol));
    if let Some(planned) = decided.upgrade {
        let waits = if planned.fixed {
            "begins with that epoch"
        } else {
            "once over two thirds of the seats can follow it"
        };
        table.pair(
            "upgrade",
            format!(
                "version {} from epoch {} on, {waits}",
                planned.version, planned.epoch
            ),
        );
    }
    table
}
