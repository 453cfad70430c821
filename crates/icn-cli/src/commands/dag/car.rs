//! Blocks in CAR files, one block at a time in memory.
use super::write_whole;
use crate::{format, progress::Progress, session::Session};
use anyhow::Context as _;
use clap::Args;
use icn_api::{
    car::{self, CarReader},
    client::Client,
    dag::{PinRequest, UnpinQuery},
};
use icn_model::{Cid, Codec, limits::MAX_DAG_BLOCK_BYTES};
use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufReader, Write},
    path::PathBuf,
};

/// `dag export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The block to begin with, such as the CID of a file
    cid: Cid,
    /// Where to write the CAR file; standard output if not named
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `dag import`
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The CAR file
    file: PathBuf,
    /// Do not pin the roots: the node removes the blocks with its next garbage collection, unless a job or another
    /// block refers to them by then
    #[arg(long)]
    no_pin: bool,
    /// Why the roots are kept
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "imported",
        conflicts_with = "no_pin"
    )]
    reason: String,
}

/// What was moved.
#[derive(Clone, Copy, Default)]
struct Moved {
    blocks: u64,
    bytes: u64,
}

pub(super) fn export(session: &Session, args: &ExportArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let progress = Progress::spinner(&session.output, &format!("exporting {}", args.cid));
    let Some(path) = &args.output else {
        write(&client, args.cid, &mut io::stdout().lock(), &progress)?;
        return Ok(io::stdout().flush()?);
    };
    let moved = write_whole(path, |to| write(&client, args.cid, to, &progress))?;
    drop(progress);
    session.output.say(format!(
        "wrote {} blocks, {}, to {}",
        moved.blocks,
        format::bytes(moved.bytes),
        path.display()
    ));
    Ok(())
}

/// Writes `root` and what it leads to, each block once, those that are led to behind those that lead to them.
fn write(client: &Client, root: Cid, to: &mut impl Write, progress: &Progress) -> anyhow::Result<Moved> {
    car::write_header(to, &[root])?;
    let (mut seen, mut open) = (HashSet::from([root]), vec![root]);
    let mut moved = Moved::default();
    while let Some(cid) = open.pop() {
        let bytes = client.get_block(&cid, false)?;
        car::write_block(to, &cid, &bytes)?;
        progress.advance(bytes.len() as u64);
        moved.blocks += 1;
        moved.bytes += bytes.len() as u64;
        if cid.codec() == Codec::DagCbor {
            let links =
                car::links(&bytes, MAX_DAG_BLOCK_BYTES).with_context(|| format!("cannot read {cid}"))?;
            // The last one put there is the first one taken: so the file has them in their order.
            open.extend(links.into_iter().rev().filter(|link| seen.insert(*link)));
        }
    }
    Ok(moved)
}

pub(super) fn import(session: &Session, args: &ImportArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let named = || format!("cannot read {}", args.file.display());
    let file = File::open(&args.file).with_context(named)?;
    let size = file.metadata().with_context(named)?.len();
    let progress = Progress::bytes(
        &session.output,
        &format!("importing {}", args.file.display()),
        size,
    );
    let mut reader = CarReader::new(BufReader::new(file)).with_context(named)?;
    let mut moved = Moved::default();
    while let Some((cid, bytes)) = reader.next_block().with_context(named)? {
        client
            .put_block(cid.codec(), &bytes)
            .with_context(|| format!("cannot put {cid}"))?;
        progress.advance(bytes.len() as u64);
        moved.blocks += 1;
        moved.bytes += bytes.len() as u64;
    }
    let roots = reader.roots().to_vec();
    if !args.no_pin {
        progress.tell("pinning the roots");
        pin_all(&client, &roots, &args.reason)?;
    }
    drop(progress);
    session.output.say(format!(
        "put {} blocks, {}",
        moved.blocks,
        format::bytes(moved.bytes)
    ));
    let data = serde_json::json!({ "roots": roots, "blocks": moved.blocks, "size_bytes": moved.bytes });
    session.output.data(&data, |output| {
        for root in &roots {
            output.line(root.to_string())?;
        }
        Ok(())
    })
}

/// Pins all of `roots`, or those that are not pinned yet remain unpinned.
fn pin_all(client: &Client, roots: &[Cid], reason: &str) -> anyhow::Result<()> {
    // Pins of an owner of their own, so that taking them back takes no other pin away.
    let owner = || Some("import".to_owned());
    for (at, cid) in roots.iter().enumerate() {
        let request = PinRequest {
            cid: *cid,
            owner: owner(),
            reason: reason.to_owned(),
            expires: None,
        };
        if let Err(error) = client.pin(&request) {
            for cid in &roots[..at] {
                // What cannot be taken back is kept too long, which the error that is told is worse than.
                let _ = client.unpin(cid, &UnpinQuery { owner: owner() });
            }
            return Err(error).with_context(|| format!("cannot pin the root {cid}, so no root is pinned"));
        }
    }
    Ok(())
}
