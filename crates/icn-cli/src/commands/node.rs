//! What a node is and how it fares; the log and the network as it sees them.
use crate::{format, output::Output, session::Session, table::Table};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use icn_api::{
    federation::Members,
    node::{AccessStatus, BackupsStatus, Info, NodeRole, Status},
    operations::{OperationState, OperationStatus},
};
use icn_model::{Height, OperationId, SeatKind, Time};
use std::time::Duration;

/// `explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A code by number or name, such as 401 or insufficient-mana; all of them if none is named
    code: Option<String>,
}

/// `log`
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show a block of the log
    Block {
        /// Its height; the first block after genesis is 1
        height: u64,
    },
}

/// `network`
#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// List connected peers
    Peers,
}

/// `operation`
#[derive(Debug, Args)]
pub(crate) struct OperationArgs {
    /// The operation's id
    id: OperationId,
    /// How long to wait until it is final
    #[arg(long, value_name = "SPAN", value_parser = crate::parse::span, default_value = "0s")]
    wait: icn_model::Millis,
}

pub(crate) fn info(session: &Session) -> anyhow::Result<()> {
    let info = session.client()?.info()?;
    session.output.data(&info, |output| {
        let mut table = Table::pairs();
        add_info(&mut table, &info);
        Ok(output.table(&table)?)
    })
}

fn add_info(table: &mut Table, info: &Info) {
    if let Some(name) = &info.name {
        table.pair("name", name);
    }
    table.pair("identity", info.did);
    table.pair("key", info.key);
    table.pair("peer id", &info.peer_id);
    match &info.federation {
        Some(federation) => table.pair("federation", format!("{} ({})", federation.name, federation.id)),
        None => table.pair("federation", "none yet"),
    }
    table.pair("role", role(&info.role));
    table.pair("version", &info.version);
    table.pair("engine", &info.engine);
    table.pair(
        "storage",
        if info.test_mode {
            "memory (test mode)"
        } else {
            &info.storage
        },
    );
    table.pair("http", &info.http_address);
    table.pair("p2p", info.p2p_addresses.join(", "));
    table.pair("started", format::time(info.started));
}

fn role(role: &NodeRole) -> String {
    match role {
        NodeRole::Seat {
            kind: SeatKind::Cooperative,
        } => "cooperative with a seat".to_owned(),
        NodeRole::Seat {
            kind: SeatKind::Witness,
        } => "witness with a seat".to_owned(),
        NodeRole::Applicant { waits_for } => format!("applicant, waits for {waits_for}"),
        NodeRole::Observer {} => "observer without a seat".to_owned(),
    }
}

pub(crate) fn status(session: &Session) -> anyhow::Result<()> {
    let status = session.client()?.status()?;
    session.output.data(&status, |output| {
        output.table(&status_table(&status))?;
        for warning in &status.warnings {
            output.line(format!("warning: {warning}"))?;
        }
        for check in status.ready.checks.iter().filter(|check| !check.passed) {
            output.line(format!("not ready: {}: {}", check.name, check.reason))?;
        }
        Ok(())
    })
}

fn status_table(status: &Status) -> Table {
    let mut table = Table::pairs();
    let info = &status.info;
    table.pair(
        "node",
        info.name
            .as_ref()
            .map_or_else(|| info.did.short(), ToString::to_string),
    );
    table.pair("role", role(&info.role));
    match &info.federation {
        Some(federation) => table.pair("federation", &federation.name),
        None => table.pair("federation", "none yet"),
    }
    table.pair("ready", if status.ready.ready { "yes" } else { "no" });
    table.pair(
        "uptime",
        format::span(icn_model::Millis::from_secs(status.uptime_secs)),
    );
    if let Some(log) = &status.log {
        let age = format::span(log.age_ms);
        table.pair(
            "height",
            format!(
                "{} ({age} old, {} behind, epoch {})",
                log.height, log.lag_blocks, log.epoch
            ),
        );
        table.pair("root", log.root);
        table.pair("waiting", format!("{} operations", log.waiting_operations));
    }
    let network = &status.network;
    table.pair("peers", network.peers);
    table.pair(
        "seats",
        format!(
            "{} of {} online, {} needed",
            network.seats_online, network.seats, network.quorum
        ),
    );
    if let Some(mana) = &status.mana {
        table.pair(
            "mana",
            format!(
                "{} available, {} held, {} maturing",
                mana.available, mana.held, mana.maturing
            ),
        );
    }
    let jobs = &status.jobs;
    table.pair(
        "jobs",
        format!("{} bidding, {} running", jobs.bidding, jobs.running),
    );
    table.pair(
        "jobs here",
        format!("{} of {} slots", jobs.running_here, jobs.slots),
    );
    let storage = &status.storage;
    let free = storage
        .free_bytes
        .map_or_else(|| "unknown".to_owned(), format::bytes);
    table.pair(
        "disk",
        format!("{} used, {free} free", format::bytes(storage.used_bytes)),
    );
    table.pair(
        "blocks",
        format!("{}, {}", storage.blocks, format::bytes(storage.block_bytes)),
    );
    if let Some(backups) = status.backups {
        table.pair("backups", self::backups(backups, status.clock));
    }
    if let Some(access) = &status.access {
        table.pair("certificate", certificate(access));
        let open = if access.require_auth {
            ""
        } else {
            "; callers need none"
        };
        table.pair("api keys", format!("{} named{open}", access.keys));
    }
    table
}

/// How old the last backups are.
fn backups(backups: BackupsStatus, clock: Time) -> String {
    let age = |made: Option<Time>| {
        made.map_or_else(
            || "never".to_owned(),
            |made| format!("{} ago", format::span(clock.since(made))),
        )
    };
    format!(
        "full {}, incremental {}",
        age(backups.last_full),
        age(backups.last_incremental)
    )
}

/// What a node shows to whoever connects.
fn certificate(access: &AccessStatus) -> String {
    access.certificate.as_ref().map_or_else(
        || "none: plain HTTP".to_owned(),
        |certificate| {
            format!(
                "{}, until {}",
                certificate.names.join(", "),
                format::time(certificate.not_after)
            )
        },
    )
}

pub(crate) fn explain(output: &Output, args: &ExplainArgs) -> anyhow::Result<()> {
    let json = |code: &icn_model::Code| serde_json::json!({ "code": code.number, "name": code.name, "meaning": code.meaning, "remedy": code.remedy });
    let Some(text) = &args.code else {
        let codes: Vec<_> = icn_api::codes().collect();
        let data: Vec<_> = codes.iter().map(json).collect();
        return output.data(&data, |output| {
            let mut table = Table::new([">CODE", "NAME", "MEANING"]);
            for code in &codes {
                table.row([
                    code.number.to_string(),
                    code.name.to_owned(),
                    code.meaning.to_owned(),
                ]);
            }
            Ok(output.table(&table)?)
        });
    };
    let code = icn_api::explain(text)
        .with_context(|| format!("there is no code {text:?}: `icn-cli explain` lists all"))?;
    output.data(&json(&code), |output| {
        output.line(format!("{} {}", code.number, code.name))?;
        output.line(format!("meaning: {}", code.meaning))?;
        Ok(output.line(format!("remedy:  {}", code.remedy))?)
    })
}

pub(crate) fn log(session: &Session, command: &LogCommand) -> anyhow::Result<()> {
    let LogCommand::Block { height } = command;
    let client = session.client()?;
    let found = client.log_block(Height::new(*height))?;
    session.output.data(&found, |output| {
        let names = session.names(&client);
        let header = &found.block.header;
        let mut table = Table::pairs();
        table.pair("block", found.cid);
        table.pair("height", header.height);
        table.pair("epoch", format!("{}, view {}", header.epoch, header.view));
        table.pair("time", format::time(header.time));
        table.pair("leader", header.leader);
        table.pair("parent", header.parent);
        table.pair(
            "executed",
            format!("height {}, root {}", header.executed.height, header.executed.root),
        );
        table.pair("size", format::bytes(found.size_bytes));
        table.pair("operations", found.block.operations.len());
        output.table(&table)?;
        let mut table = Table::new(["OPERATION", "ACTION", "AUTHOR", ">NUMBER"]);
        for operation in &found.block.operations {
            let content = operation.operation();
            table.row([
                operation.id().to_string(),
                content.action.name().to_owned(),
                names.of(&content.author),
                content.sequence.to_string(),
            ]);
        }
        if !found.block.operations.is_empty() {
            output.table(&table)?;
        }
        Ok(())
    })
}

pub(crate) fn network(session: &Session, command: &NetworkCommand) -> anyhow::Result<()> {
    let NetworkCommand::Peers = command;
    let peers = session.client()?.peers()?;
    session.output.data(&peers, |output| {
        let mut table = Table::new([
            "PEER",
            "NAME",
            "ADDRESS",
            "DIRECTION",
            ">ROUND TRIP",
            "SINCE",
            "AGENT",
        ]);
        for peer in &peers.items {
            let dash = || "-".to_owned();
            table.row([
                peer.peer_id.clone(),
                peer.name.as_ref().map_or_else(dash, ToString::to_string),
                peer.address.clone(),
                format!("{:?}", peer.direction).to_lowercase(),
                peer.round_trip_ms.map_or_else(dash, format::span),
                format::time(peer.since),
                peer.agent.clone().unwrap_or_else(dash),
            ]);
        }
        Ok(output.table(&table)?)
    })
}

pub(crate) fn operation(session: &Session, args: &OperationArgs) -> anyhow::Result<()> {
    let status = session
        .client()?
        .operation(&args.id, Duration::from_millis(args.wait.get()))?;
    session
        .output
        .data(&status, |output| Ok(output.line(told(&status))?))
}

fn told(status: &OperationStatus) -> String {
    match &status.state {
        OperationState::Waiting {} => "waiting: in no final block yet".to_owned(),
        OperationState::Done { height, index } => format!("done: operation {index} of block {height}"),
        OperationState::Refused { height, refusal } => {
            let place = height
                .map(|height| format!(" in block {height}"))
                .unwrap_or_default();
            format!(
                "refused{place}: {} ({} {})",
                refusal.detail, refusal.code, refusal.name
            )
        }
    }
}

/// The record of a seat by its identity.
pub(crate) fn seat<'a>(members: &'a Members, did: &icn_model::Did) -> Option<&'a icn_model::SeatRecord> {
    members
        .seats
        .iter()
        .find(|seat| seat.did == *did)
        .map(|seat| &seat.record)
}
