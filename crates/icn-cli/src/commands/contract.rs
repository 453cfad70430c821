//! Contracts of the log: published, listed, shown.
use super::source;
use crate::{format, session::Session, table::Table};
use icn_api::{
    MAX_PAGE,
    client::{Client, ClientError},
    governance::{Backtest, BacktestReport, ContractBrief, ContractsQuery},
};
use icn_ccl::Resolver;
use icn_model::{Action, Cid, Effect, PolicySlot};
use std::{borrow::Cow, path::Path};

/// Modules that a contract imports, out of the log.
struct OfTheLog<'a>(&'a Client);

impl Resolver for OfTheLog<'_> {
    fn source(&self, cid: &Cid) -> Option<Cow<'_, str>> {
        // What cannot be had is told by the checker, with the place that imports it.
        self.0.contract(cid).ok().map(|view| view.record.source.into())
    }
}

/// Whether the log has a contract.
pub(super) fn is_known(client: &Client, cid: &Cid) -> anyhow::Result<bool> {
    match client.contract(cid) {
        Ok(_) => Ok(true),
        Err(ClientError::Problem(problem)) if problem.status == 404 => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Publishes a source, unless the log has it; gives its content id.
pub(super) fn put(session: &Session, client: &Client, path: &Path) -> anyhow::Result<Cid> {
    let text = source::read(path)?;
    let cid = Cid::of_raw(text.as_bytes());
    if is_known(client, &cid)? {
        session
            .output
            .say(format!("the log has {} already", path.display()));
        return Ok(cid);
    }
    // Before anything is paid for; the nodes check it as well.
    source::program(&session.output, path, &OfTheLog(client))?;
    let done = session.submit(client, &Action::PublishContract { source: text })?;
    session
        .output
        .say(format!("published {} in block {}", path.display(), done.height));
    Ok(cid)
}

/// `ccl publish`
pub(super) fn publish(session: &Session, path: &Path) -> anyhow::Result<()> {
    let client = session.client()?;
    let cid = put(session, &client, path)?;
    session.output.data(&serde_json::json!({ "cid": cid }), |output| {
        Ok(output.line(cid.to_string())?)
    })
}

/// `ccl show`
pub(super) fn show(session: &Session, cid: &Cid) -> anyhow::Result<()> {
    let client = session.client()?;
    let view = client.contract(cid)?;
    session.output.data(&view, |output| {
        let record = &view.record;
        let names = session.names(&client);
        let mut table = Table::pairs();
        table.pair("contract", view.cid);
        table.pair("name", &record.name);
        table.pair(
            "published",
            format!(
                "{} by {}",
                format::time(record.published),
                names.of(&record.author)
            ),
        );
        table.pair("answers for", slots(&record.slots));
        table.pair("decides", slots(&view.decides));
        table.pair(
            "kept until",
            format!("{}, longer if it is used", format::time(record.until)),
        );
        for import in &record.imports {
            table.pair("imports", import);
        }
        output.table(&table)?;
        output.line("")?;
        // Others wrote it: no control characters but line ends and tabs.
        let shown = record.source.replace(is_unprintable, "\u{fffd}");
        Ok(output.line(shown.trim_end())?)
    })
}

/// Whether a character could move the cursor.
pub(super) fn is_unprintable(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

fn slots(slots: &[PolicySlot]) -> String {
    if slots.is_empty() {
        return "-".to_owned();
    }
    let names: Vec<_> = slots.iter().map(|slot| slot.name()).collect();
    names.join(", ")
}

/// How many of the last operations a contract is tried on unless somebody says otherwise.
pub(super) const TRIED: u64 = 10_000;

/// Tries the contract that a proposal would put into a slot, and says what came of it.
pub(super) fn try_proposed(
    session: &Session,
    client: &Client,
    effect: &Effect,
) -> anyhow::Result<Option<BacktestReport>> {
    let (Effect::InstallPolicy { slot, contract } | Effect::ReplacePolicy { slot, contract }) = *effect
    else {
        return Ok(None);
    };
    let trial = Backtest {
        slot,
        source: client.contract(&contract)?.record.source,
        operations: TRIED,
    };
    match client.backtest(&trial) {
        Ok(report) => {
            session.output.say(summary(&report, slot));
            Ok(Some(report))
        }
        // A node may not have the whole log, or be at another trial: that keeps nobody from proposing.
        Err(ClientError::Problem(problem)) if problem.status == 503 || problem.status == 409 => {
            session
                .output
                .say(format!("the contract was not tried: {}", problem.detail));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What came of a trial, in a line.
fn summary(report: &BacktestReport, slot: PolicySlot) -> String {
    let BacktestReport {
        from,
        to,
        operations,
        asked,
        refused,
        failed,
        changed,
        ..
    } = report;
    format!(
        "{operations} operations in blocks {from} to {to} asked {asked} times for {slot}: it would have refused \
         {refused}, changed {changed}, and had no answer to {failed}"
    )
}

/// `ccl backtest`
pub(super) fn backtest(session: &Session, path: &Path, slot: PolicySlot, last: u64) -> anyhow::Result<()> {
    let client = session.client()?;
    let trial = Backtest {
        slot,
        source: source::read(path)?,
        operations: last,
    };
    let report = client.backtest(&trial)?;
    session.output.data(&report, |output| {
        output.line(summary(&report, slot))?;
        let BacktestReport {
            refused,
            failed,
            changed,
            ref cases,
            ..
        } = report;
        if cases.is_empty() {
            return Ok(());
        }
        let names = session.names(&client);
        let mut table = Table::new([">BLOCK", "ABOUT", "IT SAYS"]);
        for case in cases {
            let says = case.says.replace(char::is_control, "\u{fffd}");
            table.row([case.height.to_string(), names.of(&case.subject), says]);
        }
        output.table(&table)?;
        let found = refused + failed + changed;
        let shown = cases.len() as u64;
        if shown < found {
            output.line(format!("and {} more", found - shown))?;
        }
        Ok(())
    })
}

/// `ccl ls`
pub(super) fn ls(session: &Session) -> anyhow::Result<()> {
    let client = session.client()?;
    let contracts = all(&client)?;
    session
        .output
        .data(&serde_json::json!({ "items": contracts }), |output| {
            let names = session.names(&client);
            let mut table = Table::new(["CONTRACT", "NAME", "BY", "ANSWERS FOR", "DECIDES"]);
            for contract in &contracts {
                table.row([
                    contract.cid.to_string(),
                    contract.name.clone(),
                    names.of(&contract.author),
                    slots(&contract.slots),
                    slots(&contract.decides),
                ]);
            }
            Ok(output.table(&table)?)
        })
}

fn all(client: &Client) -> Result<Vec<ContractBrief>, ClientError> {
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = client.contracts(&ContractsQuery {
            after,
            limit: Some(MAX_PAGE),
        })?;
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(items),
        }
    }
}
