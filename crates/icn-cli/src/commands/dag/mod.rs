//! Content by its hash: put, got, kept, moved in files.
mod backup;
mod car;
mod keep;

use crate::{format, gather, progress::Progress, session::Session, table::Table};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use icn_api::dag::{DagQuery, PinRequest};
use icn_model::Cid;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

/// `dag`
#[derive(Debug, Subcommand)]
pub(crate) enum DagCommand {
    /// Put a file and keep it; prints its CID
    Put(PutArgs),
    /// Get a file, checked block by block
    Get(GetArgs),
    /// List the node's blocks
    Ls(LsArgs),
    /// Keep a block and everything that it leads to
    Pin(keep::PinArgs),
    /// Keep a block no longer
    Unpin(keep::UnpinArgs),
    /// List what is kept, and for whom
    Pins(keep::PinsArgs),
    /// Remove blocks that nothing refers to
    Gc(keep::GcArgs),
    /// Write a block and everything that it leads to into a CAR file
    Export(car::ExportArgs),
    /// Put the blocks of a CAR file and keep its roots; prints their CIDs
    Import(car::ImportArgs),
    /// Back the node up while it runs: blocks, state, log, events, configuration
    Backup(backup::BackupArgs),
    /// Restore a stopped node from backups, or the blocks of backups into one that runs
    Restore(backup::RestoreArgs),
    /// Check whether what the node keeps is whole
    Verify(backup::VerifyArgs),
}

/// `dag put`
#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    /// The file; - is standard input
    file: PathBuf,
    /// Do not pin it: the node removes it with its next garbage collection, unless a job or another block refers to
    /// it by then
    #[arg(long)]
    no_pin: bool,
    /// Why it is kept
    #[arg(long, value_name = "TEXT", default_value = "put", conflicts_with = "no_pin")]
    reason: String,
}

/// `dag get`
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Its CID
    cid: Cid,
    /// Where to write it; standard output if not named
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `dag ls`
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Begin after this block
    #[arg(long, value_name = "CID")]
    after: Option<Cid>,
    /// How many to list, at most 1000
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

pub(crate) fn run(session: &Session, command: DagCommand) -> anyhow::Result<()> {
    match command {
        DagCommand::Put(args) => put(session, &args),
        DagCommand::Get(args) => get(session, &args),
        DagCommand::Ls(args) => ls(session, &args),
        DagCommand::Pin(args) => keep::pin(session, args),
        DagCommand::Unpin(args) => keep::unpin(session, args),
        DagCommand::Pins(args) => keep::pins(session, args),
        DagCommand::Gc(args) => keep::gc(session, &args),
        DagCommand::Export(args) => car::export(session, &args),
        DagCommand::Import(args) => car::import(session, &args),
        DagCommand::Backup(args) => backup::backup(session, &args),
        DagCommand::Restore(args) => backup::restore(session, &args),
        DagCommand::Verify(args) => backup::verify(session, &args),
    }
}

fn put(session: &Session, args: &PutArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let path = args.file.as_path();
    let written = if path == Path::new("-") {
        let progress = Progress::spinner(&session.output, "putting standard input");
        gather::put(&client, io::stdin().lock(), |bytes| progress.advance(bytes))?
    } else {
        put_file(session, &client, path)?
    };
    if !args.no_pin {
        let pin = PinRequest {
            cid: written.cid,
            owner: None,
            reason: args.reason.clone(),
            expires: None,
        };
        client.pin(&pin).with_context(|| {
            format!(
                "{} is put, but not pinned: pin it with icn-cli dag pin",
                written.cid
            )
        })?;
    }
    let data =
        serde_json::json!({ "cid": written.cid, "size_bytes": written.size_bytes, "blocks": written.blocks });
    session.output.say(format!(
        "put {} in {} blocks",
        format::bytes(written.size_bytes),
        written.blocks
    ));
    session
        .output
        .data(&data, |output| Ok(output.line(written.cid.to_string())?))
}

/// Puts a file with progress.
pub(crate) fn put_file(
    session: &Session,
    client: &icn_api::client::Client,
    path: &Path,
) -> anyhow::Result<icn_api::file::Written> {
    let named = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(named)?;
    let size = file.metadata().with_context(named)?;
    anyhow::ensure!(
        !size.is_dir(),
        "{} is a directory: put its files one by one",
        path.display()
    );
    let progress = Progress::bytes(
        &session.output,
        &format!("putting {}", path.display()),
        size.len(),
    );
    gather::put(client, file, |bytes| progress.advance(bytes))
        .with_context(|| format!("cannot put {}", path.display()))
}

fn get(session: &Session, args: &GetArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let progress = Progress::spinner(&session.output, &format!("getting {}", args.cid));
    let moved = |bytes| progress.advance(bytes);
    let Some(path) = &args.output else {
        gather::get(&client, &args.cid, io::stdout().lock(), moved)?;
        return Ok(io::stdout().flush()?);
    };
    let written = write_whole(path, |to| gather::get(&client, &args.cid, to, moved))?;
    drop(progress);
    session.output.say(format!(
        "wrote {} to {}",
        format::bytes(written.size_bytes),
        path.display()
    ));
    Ok(())
}

/// Writes a file whole or not at all: beside its place first, and then moved there.
pub(crate) fn write_whole<T>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let write = || {
        let mut to = BufWriter::new(
            File::create(&beside).with_context(|| format!("cannot write {}", beside.display()))?,
        );
        let filled = fill(&mut to)?;
        to.into_inner()?.sync_all()?;
        fs::rename(&beside, path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(filled)
    };
    let result = write();
    if result.is_err() {
        // What is left of the attempt is of no use; that it cannot be removed is not the error to tell.
        let _ = fs::remove_file(&beside);
    }
    result
}

fn ls(session: &Session, args: &LsArgs) -> anyhow::Result<()> {
    let view = session.client()?.dag(&DagQuery {
        after: args.after,
        limit: Some(args.limit),
    })?;
    let quota = view
        .quota_bytes
        .map(|quota| format!(" of {}", format::bytes(quota)))
        .unwrap_or_default();
    session.output.say(format!(
        "{} blocks, {}{quota}",
        view.blocks,
        format::bytes(view.size_bytes)
    ));
    session.output.data(&view, |output| {
        let mut table = Table::new(["CID", ">SIZE", "UNREFERENCED SINCE"]);
        for block in &view.items {
            let since = block.unreferenced_since.map(format::time).unwrap_or_default();
            table.row([block.cid.to_string(), format::bytes(block.size_bytes), since]);
        }
        output.table(&table)?;
        if let Some(next) = view.next {
            session.output.say(format!("more: icn-cli dag ls --after {next}"));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        write_whole(&path, |to| Ok(to.write_all(b"old")?)).unwrap();
        let failed: anyhow::Result<()> = write_whole(&path, |to| {
            to.write_all(b"new")?;
            anyhow::bail!("cut off")
        });
        assert!(failed.is_err_and(|error| error.to_string() == "cut off"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
