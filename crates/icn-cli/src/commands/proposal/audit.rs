//! `proposal audit` and `proposal verify-bundle`.
use super::{find, verify, words};
use crate::{
    commands::dag::write_whole, failure::Found, format, output::Output, progress::Progress, session::Session,
    table::Table,
};
use anyhow::Context as _;
use clap::Args;
use icn_api::audit::{AuditBundle, MAX_AUDIT_BYTES};
use icn_model::{Cid, Digest};
use serde_json::json;
use std::{
    fs,
    io::{Read as _, Write as _},
    path::PathBuf,
};

/// `proposal audit`
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The proposal: its id, or the beginning or end of it
    id: String,
    /// The file to write; standard output without it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `proposal verify-bundle`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The bundle
    file: PathBuf,
    /// The federation that it must be of, by the content id of its genesis
    #[arg(long, value_name = "CID")]
    federation: Option<Cid>,
    /// The digest that it must have, as another node has told it
    #[arg(long, value_name = "HEX")]
    digest: Option<Digest>,
    /// Take the node's word for keys that act no more, and for officers' thresholds that have changed
    #[arg(long)]
    accept_former_keys: bool,
}

pub(super) fn audit(session: &Session, args: &AuditArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = find(&client, &args.id)?;
    let progress = Progress::spinner(&session.output, "getting the records of the vote");
    let bundle = client.audit(&id)?;
    drop(progress);
    let digest = bundle.digest();
    let mut bytes = serde_json::to_vec(&bundle)?;
    bytes.push(b'\n');
    let Some(path) = &args.output else {
        session.output.say(format!("digest {digest}"));
        return Ok(session.output.bytes(&bytes)?);
    };
    write_whole(path, |to| Ok(to.write_all(&bytes)?))?;
    session.output.say(format!(
        "wrote {} votes to {}; every node that is as far gives this digest:",
        bundle.records.ballots.len(),
        path.display()
    ));
    let data = json!({ "file": path, "digest": digest, "votes": bundle.records.ballots.len() });
    session
        .output
        .data(&data, |output| Ok(output.line(digest.to_string())?))
}

/// Reads a bundle.
fn read(path: &PathBuf) -> anyhow::Result<AuditBundle> {
    let named = || format!("cannot read the bundle {}", path.display());
    let mut bytes = Vec::new();
    let file = fs::File::open(path).with_context(named)?;
    file.take(MAX_AUDIT_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(named)?;
    anyhow::ensure!(
        bytes.len() as u64 <= MAX_AUDIT_BYTES,
        "{} is larger than any bundle: {MAX_AUDIT_BYTES} bytes",
        path.display()
    );
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not an audit bundle", path.display()))
}

pub(super) fn verify(output: &Output, args: &VerifyArgs) -> anyhow::Result<()> {
    let bundle = read(&args.file)?;
    let expected = verify::Expected {
        federation: args.federation,
        digest: args.digest,
        accept_former_keys: args.accept_former_keys,
    };
    let records = &bundle.records;
    let checked = verify::verify(&bundle, &expected);
    let digest = bundle.digest();
    let data = json!({
        "holds": checked.is_ok(),
        "flaw": checked.as_ref().err().map(ToString::to_string),
        "notes": checked.as_ref().map(|checked| checked.notes.clone()).unwrap_or_default(),
        "federation": records.federation,
        "proposal": records.proposal,
        "digest": digest,
        "attested_by": bundle.attestation.content,
        "tally": checked.as_ref().ok().map(|checked| &checked.tally),
    });
    output.data(&data, |output| {
        let mut table = Table::pairs();
        table.pair(
            "federation",
            format!("{} ({})", records.genesis.name, records.federation),
        );
        table.pair(
            "proposal",
            format!("{} ({})", records.proposal, records.record.kind()),
        );
        table.pair("state", words::phase(&records.record.phase));
        table.pair("digest", digest);
        let word = &bundle.attestation.content;
        table.pair(
            "word of",
            format!("{} at height {}, by key {}", word.node, word.height, word.key),
        );
        if let Ok(checked) = &checked {
            let method = &records.record.spec.method;
            table.pair("votes", records.ballots.len());
            for (name, side) in [
                ("cooperatives", &checked.tally.cooperatives),
                ("members", &checked.tally.members),
            ] {
                if let Some(side) = side {
                    let counts = words::counts(side, method);
                    table.pair(
                        name,
                        format!("{counts}; {} of {} took part", side.turnout, side.on_roll),
                    );
                }
            }
            let outcome = words::decision(&checked.tally.decision, method);
            let end = if records.record.tally.is_some() {
                "outcome"
            } else {
                "so far"
            };
            table.pair(end, outcome);
            table.pair("made", format::time(records.record.made));
        }
        output.table(&table)?;
        for note in checked.iter().flat_map(|checked| &checked.notes) {
            output.say(format!("note: {note}"));
        }
        Ok(())
    })?;
    match checked {
        Ok(_) => {
            output.say("the bundle holds");
            Ok(())
        }
        Err(flaw) => Err(Found(format!("the bundle does not hold: {flaw}")).into()),
    }
}
