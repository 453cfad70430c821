//! Backups: made from a node that runs, restored into one that is stopped, or their blocks into one that runs; and
//! the check of what a node keeps.
use super::write_whole;
use crate::{
    commands::found::now,
    failure::{Found, Usage},
    format, machine,
    parse::day,
    progress::Progress,
    session::Session,
    table::Table,
};
use anyhow::{Context as _, ensure};
use clap::{ArgGroup, Args};
use icn_api::{
    StorePlace,
    backups::{BackupRequest, Merged, VerifyQuery, VerifyReport},
    client::{Client, ClientError},
};
use icn_model::Time;
use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

/// How often a check that runs is asked after.
const ASK_EVERY: Duration = Duration::from_millis(500);
const SUFFIX: &str = ".tar.gz";

/// `dag backup`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("to").required(true).args(["output", "path"])))]
pub(crate) struct BackupArgs {
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The directory to write it to, under a name with its date
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Leave out what the last backup has; to restore, both are needed
    #[arg(long)]
    incremental: bool,
    /// Leave out only what the last backup before this day (UTC) has
    #[arg(long, value_name = "DATE", value_parser = day, requires = "incremental")]
    since: Option<Time>,
    /// Add the node's key, which must be encrypted
    #[arg(long)]
    include_identity: bool,
}

/// `dag restore`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("from").required(true).args(["input", "path"])))]
pub(crate) struct RestoreArgs {
    /// The backup; several for a chain of incremental ones
    #[arg(long, value_name = "FILE", num_args = 1..)]
    input: Vec<PathBuf>,
    /// A directory of backups
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Set state and key of a stopped node aside, and put those of the backup in their place
    #[arg(long)]
    force: bool,
    /// Options of the node that is stopped, if it is to start with others: where its data is, and in which backend
    #[arg(last = true, value_name = "NODE OPTION")]
    node: Vec<OsString>,
}

/// `dag verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Hash every block, and execute the log anew
    #[arg(long)]
    deep: bool,
}

pub(super) fn backup(session: &Session, args: &BackupArgs) -> anyhow::Result<()> {
    let file = match (&args.output, &args.path) {
        (Some(file), _) => file.clone(),
        (None, Some(directory)) => free_name(directory, args.incremental, now()?),
        (None, None) => return Err(Usage::new("say where to write it: --output or --path").into()),
    };
    if let Some(directory) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let client = session.client()?;
    let request = BackupRequest {
        incremental: args.incremental,
        since: args.since,
        include_identity: args.include_identity,
    };
    let progress = Progress::spinner(&session.output, &format!("backing up to {}", file.display()));
    let size_bytes = write_whole(&file, |to| {
        Ok(client.backup(&request, to, |bytes| progress.advance(bytes))?)
    })?;
    drop(progress);
    session.output.say(format!(
        "wrote {} to {}",
        format::bytes(size_bytes),
        file.display()
    ));
    let data = serde_json::json!({ "file": file, "size_bytes": size_bytes });
    session
        .output
        .data(&data, |output| Ok(output.line(file.display().to_string())?))
}

/// A name in `directory` that says what it is, and that nothing has.
fn free_name(directory: &Path, incremental: bool, now: Time) -> PathBuf {
    let kind = if incremental { "incremental" } else { "full" };
    let time: String = format::time(now)
        .chars()
        .filter_map(|char| match char {
            ' ' => Some('-'),
            char if char.is_ascii_digit() => Some(char),
            _ => None,
        })
        .collect();
    let named = |number: usize| match number {
        1 => directory.join(format!("icn-{kind}-{time}{SUFFIX}")),
        number => directory.join(format!("icn-{kind}-{time}-{number}{SUFFIX}")),
    };
    let mut number = 1;
    while named(number).exists() {
        number += 1;
    }
    named(number)
}

pub(super) fn restore(session: &Session, args: &RestoreArgs) -> anyhow::Result<()> {
    let inputs = match &args.path {
        Some(directory) => vec![directory.clone()],
        None => args.input.clone(),
    };
    if let Some(client) = running(session)? {
        if args.force || !args.node.is_empty() {
            return Err(Usage::new(format!(
                "the node at {} runs, and its state is the log's own: stop it to have it replaced",
                client.base_url()
            ))
            .into());
        }
        return merge(session, &client, &inputs);
    }
    let program = machine::node_program()?;
    let mut node = Command::new(&program);
    node.args(["storage", "restore", "--input"]).args(&inputs);
    if args.force {
        node.arg("--force");
    }
    if session.output.is_json() {
        node.arg("--json");
    }
    if args.node.is_empty() {
        name_node(session, &mut node);
    } else {
        node.args(&args.node);
    }
    let status = node
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(status.success(), "nothing was restored: icn-node says why");
    Ok(())
}

/// The node, if one is known and answers.
fn running(session: &Session) -> anyhow::Result<Option<Client>> {
    if session.settings.profile.api_url.is_none() {
        return Ok(None);
    }
    let client = session.client()?;
    match client.health() {
        Ok(_) => Ok(Some(client)),
        Err(ClientError::NoAnswer { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Tells `icn-node` where the node that the profile is of has its data, its key and its store.
fn name_node(session: &Session, node: &mut Command) {
    let Some(data_dir) = data_dir(session) else {
        return;
    };
    let profile = &session.settings.profile;
    if let Some(StorePlace { backend, path }) = &profile.store {
        node.args(["--storage-backend", backend]);
        if let Some(path) = path {
            node.args(["--storage-path", path]);
        }
    }
    if let Some(key) = profile
        .key_path
        .as_ref()
        .filter(|key| key.parent() != Some(&data_dir))
    {
        node.env("ICN_IDENTITY_KEY_PATH", key);
    }
    node.arg("--data-dir").arg(data_dir);
}

/// The data directory of the node that the profile is of, if it lies there.
fn data_dir(session: &Session) -> Option<PathBuf> {
    let directory = session.settings.source.as_ref()?.parent()?;
    directory
        .join("genesis.json")
        .exists()
        .then(|| directory.to_owned())
}

/// Gives a node that runs the blocks of backups.
fn merge(session: &Session, client: &Client, inputs: &[PathBuf]) -> anyhow::Result<()> {
    let mut merged = Vec::new();
    for path in archives(inputs)? {
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let progress = Progress::spinner(&session.output, &format!("restoring {}", path.display()));
        let found = client
            .restore(&file)
            .with_context(|| format!("cannot restore {}", path.display()))?;
        drop(progress);
        merged.push(found);
    }
    session.output.data(&merged, |output| {
        let sum = |of: fn(&Merged) -> u64| merged.iter().map(of).sum::<u64>();
        output.line(format!(
            "put {} blocks and {} pins, {} blocks were here",
            sum(|found| found.blocks_put),
            sum(|found| found.pins_put),
            sum(|found| found.blocks_here)
        ))?;
        session.output.say(
            "the node runs, so its state is as it was: stop it and add --force to have it replaced by the backup's",
        );
        Ok(())
    })
}

/// The files of `inputs`, those of directories in the order of their names.
fn archives(inputs: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut archives = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            archives.push(input.clone());
            continue;
        }
        let named = || format!("cannot read {}", input.display());
        let mut found = Vec::new();
        for file in fs::read_dir(input).with_context(named)? {
            let path = file.with_context(named)?.path();
            if path.to_string_lossy().ends_with(SUFFIX) {
                found.push(path);
            }
        }
        ensure!(
            !found.is_empty(),
            "there is no backup in {}: they end in {SUFFIX}",
            input.display()
        );
        found.sort();
        archives.extend(found);
    }
    Ok(archives)
}

pub(super) fn verify(session: &Session, args: &VerifyArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let progress = Progress::spinner(&session.output, "checking what the node keeps");
    let mut status = client.verify(&VerifyQuery {
        deep: args.deep,
        wait_ms: None,
    })?;
    while status.running {
        thread::sleep(ASK_EVERY);
        status = client.verify_status()?;
    }
    drop(progress);
    if let Some(failure) = status.failure {
        anyhow::bail!("the check came to no end: {failure}");
    }
    let report = status
        .last
        .context("the node stopped before the check was done")?;
    session.output.data(&report, |output| {
        output.table(&table(&report))?;
        for finding in &report.findings {
            output.line(format!("fault: {}", finding.text))?;
        }
        Ok(())
    })?;
    if report.faults == 0 {
        Ok(())
    } else {
        Err(Found(format!("{} faults were found", report.faults)).into())
    }
}

fn table(report: &VerifyReport) -> Table {
    let mut table = Table::pairs();
    table.row([
        "state".into(),
        format!("height {}, root {}", report.height, report.root),
    ]);
    let hashed = if report.deep { "hashed" } else { "listed" };
    table.row([
        "blocks".into(),
        format!(
            "{} {hashed}, {}",
            report.blocks,
            format::bytes(report.block_bytes)
        ),
    ]);
    if report.deep {
        let mut log = format!("{} blocks executed anew", report.log_executed);
        if report.log_absent > 0 {
            log.push_str(&format!(
                ", {} not on this node: the state was compared with the node's memory only",
                report.log_absent
            ));
        }
        table.row(["log".into(), log]);
        table.row(["links to elsewhere".into(), report.absent_links.to_string()]);
    }
    table.row(["events".into(), format!("{} in a chain", report.events)]);
    if report.forgotten > 0 {
        table.row(["forgotten".into(), format!("{} of them", report.forgotten)]);
    }
    table.row(["faults".into(), report.faults.to_string()]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_when_and_are_not_used_twice() {
        let directory = tempfile::tempdir().unwrap();
        let name = || free_name(directory.path(), false, Time::new(951_782_399_000));
        let first = name();
        assert!(first.ends_with("icn-full-20000228-235959.tar.gz"), "{first:?}");
        fs::write(&first, "").unwrap();
        assert!(name().ends_with("icn-full-20000228-235959-2.tar.gz"));
    }
}
