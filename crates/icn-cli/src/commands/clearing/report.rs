//! `clearing plan`, `clearing report` and `clearing verify`.
use super::{VerifyArgs, find};
use crate::{format::Names, output::Output, session::Session, table::Table};
use anyhow::{Context as _, ensure};
use icn_api::{
    clearing::{ClearingReport, UnitQuery, UnitReport},
    client::Client,
};
use icn_model::{ClearingRow, CreditUnit, Did};
use icn_state::verify_clearing;
use std::{collections::BTreeMap, fs};

pub(super) fn plan(session: &Session, unit: Option<CreditUnit>) -> anyhow::Result<()> {
    let client = session.client()?;
    let report = client.clearing_plan(&UnitQuery { unit })?;
    print(session, &client, &report)
}

pub(super) fn report(session: &Session, round: Option<u64>, unit: Option<CreditUnit>) -> anyhow::Result<()> {
    let client = session.client()?;
    let round = find(&client, round)?.number;
    let report = client.clearing_report(round, &UnitQuery { unit })?;
    print(session, &client, &report)
}

fn print(session: &Session, client: &Client, report: &ClearingReport) -> anyhow::Result<()> {
    session.output.data(report, |output| {
        let names = session.names(client);
        if report.units.is_empty() {
            output.line("nothing to clear: what is owed does not run in circles")?;
        }
        for unit in &report.units {
            print_unit(output, unit, &names)?;
        }
        Ok(())
    })
}

fn print_unit(output: &Output, report: &UnitReport, names: &Names) -> anyhow::Result<()> {
    let (unit, figures) = (&report.unit, &report.figures);
    output.line(format!(
        "{unit}: {} of {} is cleared",
        unit.write(figures.cleared),
        unit.write(figures.gross)
    ))?;
    Ok(output.table(&table(report, names))?)
}

/// What is owed and cleared on each line.
pub(crate) fn table(report: &UnitReport, names: &Names) -> Table {
    let unit = &report.unit;
    let mut table = Table::new(["DEBTOR", "CREDITOR", ">OWED", ">CLEARED", ">LEFT"]);
    for line in &report.rows {
        let row = &line.row;
        table.row([
            names.of(&row.debtor),
            names.of(&row.creditor),
            unit.write(row.amount),
            unit.write(row.cleared),
            unit.write(row.amount.saturating_sub(row.cleared)),
        ]);
    }
    table
}

pub(super) fn verify(session: &Session, args: &VerifyArgs) -> anyhow::Result<()> {
    let report: ClearingReport = match &args.file {
        Some(path) => {
            let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_slice(&text).with_context(|| {
                format!(
                    "{} is no report: `icn-cli clearing report --json` writes one",
                    path.display()
                )
            })?
        }
        None => {
            let client = session.client()?;
            let round = find(&client, args.round)?.number;
            client.clearing_report(round, &UnitQuery::default())?
        }
    };
    ensure!(
        !report.units.is_empty(),
        "there is no plan to check: the round was not applied, or it was so long ago that its rows are not kept"
    );
    for unit in &report.units {
        check(unit).with_context(|| format!("the clearing in {} does not hold", unit.unit))?;
    }
    session.output.data(&report, |output| {
        for unit in &report.units {
            output.line(format!(
                "{}: {} of {} cleared on {} lines: nobody's net position changes, and nothing could clear more",
                unit.unit,
                unit.unit.write(unit.figures.cleared),
                unit.unit.write(unit.figures.gross),
                unit.rows.len()
            ))?;
        }
        Ok(())
    })
}

/// That the figures are the rows', and that the prices prove that no clearing clears more.
pub(crate) fn check(report: &UnitReport) -> anyhow::Result<()> {
    for line in &report.rows {
        ensure!(
            line.line.unit == report.unit,
            "line {} is in another unit",
            line.line
        );
    }
    let rows: Vec<ClearingRow> = report.rows.iter().map(|line| line.row).collect();
    let prices: BTreeMap<Did, u32> = report.prices.iter().map(|one| (one.party, one.price)).collect();
    for row in &rows {
        for party in [row.debtor, row.creditor] {
            ensure!(prices.contains_key(&party), "{party} has no price");
        }
    }
    let verified = verify_clearing(&rows, &prices)?;
    let figures = (report.figures.gross, report.figures.cleared);
    let found = (verified.gross, verified.cleared);
    ensure!(
        figures == found,
        "the report says that {} of {} is cleared, and its rows say {} of {}",
        figures.1,
        figures.0,
        found.1,
        found.0
    );
    Ok(())
}
