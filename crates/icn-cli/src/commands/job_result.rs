//! What came out of a job: logs and files, by the executor's signed word.
use super::{dag, receipt};
use crate::{format, gather, output::Output, progress::Progress, session::Session};
use anyhow::Context as _;
use clap::Args;
use icn_api::{client::Client, mesh::JobView};
use icn_model::{Cid, Delivery, Did, ExitStatus, JobId, Outcome};
use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// `job get`
#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// The job's id
    id: JobId,
    /// The directory to write to; made if it is not there
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    output: PathBuf,
}

/// Who delivered the accepted outcome, and how the program ended.
pub(crate) fn accepted(view: &JobView) -> Option<(Did, &ExitStatus)> {
    view.record
        .paid()
        .find_map(|assignment| match &assignment.delivery {
            Delivery::Delivered { exit, .. } => Some((assignment.executor, exit)),
            _ => None,
        })
}

/// What came out of a job, by the word of an executor whose signature and place in the log are checked: the
/// accepted outcome if there is one, the first that was delivered otherwise.
pub(crate) fn outcome(client: &Client, view: &JobView) -> anyhow::Result<Outcome> {
    let accepted = accepted(view).map(|(executor, _)| executor);
    let mut receipts = view.receipts();
    let found = match accepted {
        Some(accepted) => receipts.find(|(executor, _)| *executor == accepted),
        None => receipts.next(),
    };
    let (_, cid) =
        found.with_context(|| format!("job {} is {}: nothing has been delivered", view.id, view.state))?;
    let receipt = gather::receipt(client, &cid)?;
    receipt::check_signed_for(&receipt, &cid, view)?;
    Ok(receipt.content.outcome)
}

pub(crate) fn logs(session: &Session, id: JobId) -> anyhow::Result<()> {
    let client = session.client()?;
    let view = client.job(&id)?;
    let outcome = outcome(&client, &view)?;
    if session.output.is_json() {
        let text = |cid: &Cid| {
            let bytes = gather::get_bytes(&client, cid, icn_model::limits::MAX_OUTPUT_BYTES)?;
            anyhow::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let (stdout, stderr) = (text(&outcome.stdout)?, text(&outcome.stderr)?);
        return session
            .output
            .json(&serde_json::json!({ "exit": outcome.exit, "stdout": stdout, "stderr": stderr }));
    }
    gather::get(&client, &outcome.stderr, io::stderr().lock(), |_| {})?;
    gather::get(&client, &outcome.stdout, io::stdout().lock(), |_| {})?;
    io::Write::flush(&mut io::stdout())?;
    session
        .output
        .say(format!("{}, {} fuel", format::exit(&outcome.exit), outcome.fuel));
    Ok(())
}

pub(crate) fn get(session: &Session, args: &GetArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let view = client.job(&args.id)?;
    let outcome = outcome(&client, &view)?;
    let written = write_outcome(&session.output, &client, &outcome, &args.output)?;
    session.output.data(&written, |output| {
        for path in &written {
            output.line(path.display().to_string())?;
        }
        Ok(())
    })
}

/// Writes standard output, standard error and files below `directory`; gives what was written.
pub(crate) fn write_outcome(
    output: &Output,
    client: &Client,
    outcome: &Outcome,
    directory: &Path,
) -> anyhow::Result<Vec<PathBuf>> {
    let streams = [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)];
    let streams = streams.into_iter().map(|(name, cid)| (PathBuf::from(name), cid));
    let files = outcome
        .files
        .iter()
        .map(|(path, cid)| Ok((Path::new("files").join(inside(path)?), cid)));
    let wanted = streams.map(Ok).chain(files).collect::<anyhow::Result<Vec<_>>>()?;
    let progress = Progress::spinner(output, "getting the results");
    let mut written = Vec::new();
    for (path, cid) in wanted {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        dag::write_whole(&path, |to| {
            gather::get(client, cid, to, |bytes| progress.advance(bytes))
        })?;
        written.push(path);
    }
    Ok(written)
}

/// The path of an output file, if it stays inside: it comes from another cooperative's machine.
fn inside(path: &str) -> anyhow::Result<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    let plain = relative
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    let usable = plain && relative.components().next().is_some() && !path.contains(['\\', '\0']);
    anyhow::ensure!(
        usable,
        "the executor names an output file {path:?}, which is not written"
    );
    Ok(relative.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_files_stay_inside() {
        for (path, expected) in [("a.png", "a.png"), ("/x/y.txt", "x/y.txt"), ("ä b", "ä b")] {
            assert_eq!(inside(path).unwrap(), Path::new(expected));
        }
        for path in ["", "/", "..", "../a", "a/../../b", "./a", "a\\b", "a\0b"] {
            assert!(inside(path).is_err(), "{path:?}");
        }
    }
}
