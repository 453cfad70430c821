//! What a node keeps: pins, and the removal of what nothing refers to.
use crate::{commands::found::now, format, parse, progress::Progress, session::Session, table::Table};
use anyhow::Context as _;
use clap::Args;
use icn_api::dag::{GcQuery, GcReport, GcStatus, PinRequest, PinsQuery, UnpinQuery};
use icn_model::Cid;
use std::{thread, time::Duration};

/// How often a collection that runs is asked after.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// `dag pin`
#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    /// The block, such as the CID of a file
    cid: Cid,
    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Until when: a day like 2026-12-31 or a span like 30d; for ever if not said
    #[arg(long, value_name = "TIME", value_parser = parse::when)]
    expires: Option<parse::When>,
    /// For whom; operator if not said
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
}

/// `dag unpin`
#[derive(Debug, Args)]
pub(crate) struct UnpinArgs {
    /// The block
    cid: Cid,
    /// Whose pin; operator if not said
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
}

/// `dag pins`
#[derive(Debug, Args)]
pub(crate) struct PinsArgs {
    /// Begin after this place
    #[arg(long, value_name = "CID/OWNER")]
    after: Option<String>,
    /// How many to list, at most 1000
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// `dag gc`
#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn pin(session: &Session, args: PinArgs) -> anyhow::Result<()> {
    let expires = match args.expires {
        Some(until) => Some(until.from(now()?)),
        None => None,
    };
    let request = PinRequest {
        cid: args.cid,
        owner: args.owner,
        reason: args.reason,
        expires,
    };
    let progress = Progress::spinner(&session.output, &format!("pinning {}", args.cid));
    let pin = session.client()?.pin(&request)?;
    drop(progress);
    session.output.data(&pin, |output| {
        let until = pin.expires.map_or_else(
            || "for ever".into(),
            |expires| format!("until {}", format::time(expires)),
        );
        Ok(output.line(format!("{} is kept for {} {until}", pin.cid, pin.owner))?)
    })
}

pub(super) fn unpin(session: &Session, args: UnpinArgs) -> anyhow::Result<()> {
    let query = UnpinQuery { owner: args.owner };
    let pin = session.client()?.unpin(&args.cid, &query)?;
    session.output.data(&pin, |output| {
        Ok(output.line(format!("{} is no longer kept for {}", pin.cid, pin.owner))?)
    })
}

pub(super) fn pins(session: &Session, args: PinsArgs) -> anyhow::Result<()> {
    let page = session.client()?.pins(&PinsQuery {
        after: args.after,
        limit: Some(args.limit),
    })?;
    session.output.data(&page, |output| {
        let mut table = Table::new(["CID", "OWNER", "SINCE", "UNTIL", "REASON"]);
        for pin in &page.items {
            table.row([
                pin.cid.to_string(),
                pin.owner.clone(),
                format::time(pin.created),
                pin.expires.map_or_else(|| "-".into(), format::time),
                pin.reason.clone(),
            ]);
        }
        output.table(&table)?;
        if let Some(next) = &page.next {
            session
                .output
                .say(format!("more: icn-cli dag pins --after {next}"));
        }
        Ok(())
    })
}

pub(super) fn gc(session: &Session, args: &GcArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let progress = Progress::spinner(&session.output, "collecting garbage");
    let mut status = client.gc(&GcQuery {
        dry_run: args.dry_run,
        wait_ms: None,
    })?;
    while status.running {
        thread::sleep(ASK_EVERY);
        status = client.gc_status()?;
    }
    drop(progress);
    let GcStatus { last, failure, .. } = status;
    if let Some(failure) = failure {
        anyhow::bail!("the garbage was not collected: {failure}");
    }
    let report = last.context("the node stopped before the garbage was collected")?;
    session
        .output
        .data(&report, |output| Ok(output.table(&table(&report))?))
}

fn table(report: &GcReport) -> Table {
    let mut table = Table::pairs();
    let size = |blocks: u64, bytes: u64| format!("{blocks} blocks, {}", format::bytes(bytes));
    let removed = if report.dry_run {
        "would be removed"
    } else {
        "removed"
    };
    table.row([removed.into(), size(report.removed, report.removed_bytes)]);
    table.row([
        "in the grace period".into(),
        size(report.waiting, report.waiting_bytes),
    ]);
    table.row([
        "kept".into(),
        format!("{} of {} blocks", report.kept, report.blocks),
    ]);
    table.row([
        "kept by".into(),
        format!("{} pins, {} links of the log", report.pins, report.named_by_log),
    ]);
    if report.expired_pins > 0 {
        table.row(["expired pins".into(), report.expired_pins.to_string()]);
    }
    table
}
