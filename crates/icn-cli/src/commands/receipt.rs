//! Receipts: whether an executor's word is signed, fits the log, and is true.
use crate::{
    failure::Found,
    format, gather,
    progress::Progress,
    replay::{self, Replayer},
    session::Session,
    table::Table,
};
use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use icn_api::{client::Client, mesh::JobView};
use icn_model::{Cid, Delivery, Digest, Outcome, Receipt, Signed, canonical};
use serde::Serialize;
use std::path::Path;

/// `receipt`
#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Check a receipt: its signature, that it fits the log, and with --replay what it says
    Verify(VerifyArgs),
}

/// `receipt verify`
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The receipt: a CID, or a file with the bytes of its block
    receipt: String,
    /// Check the signature only, and ask no node (needs a file)
    #[arg(long, conflicts_with = "replay")]
    offline: bool,
    /// Run the job again and compare
    #[arg(long)]
    replay: bool,
}

/// How one check ended.
#[derive(Clone, Debug, Serialize)]
struct Check {
    name: &'static str,
    passed: bool,
    finding: String,
}

pub(crate) fn run(session: &Session, command: &ReceiptCommand) -> anyhow::Result<()> {
    let ReceiptCommand::Verify(args) = command;
    let (cid, receipt) = load(session, args)?;
    let mut checks = vec![checked(
        "signature",
        signature(&receipt).map(|()| format!("by {}", receipt.content.key)),
    )];
    if !args.offline {
        let client = session.client()?;
        let view = client.job(&receipt.content.job)?;
        let fits = check_fits(&receipt, &cid, &view).map(|()| format!("job {}, {}", view.id, view.state));
        checks.push(checked("log", fits));
        if args.replay {
            let progress = Progress::spinner(&session.output, "running the job again");
            let replayed = replay(&client, replay::replayer()?.as_ref(), &receipt.content, &view);
            drop(progress);
            checks.push(checked("replay", replayed));
        }
    }
    let data = serde_json::json!({ "cid": cid, "receipt": receipt.content, "checks": checks });
    session.output.data(&data, |output| {
        output.table(&receipt_table(&cid, &receipt.content))?;
        let mut table = Table::new(["CHECK", "RESULT", "FINDING"]);
        for check in &checks {
            let result = if check.passed { "pass" } else { "fail" };
            table.row([check.name.to_owned(), result.to_owned(), check.finding.clone()]);
        }
        Ok(output.table(&table)?)
    })?;
    match checks.iter().find(|check| !check.passed) {
        Some(failed) => Err(Found(format!(
            "the receipt does not hold: {}: {}",
            failed.name, failed.finding
        ))
        .into()),
        None => Ok(()),
    }
}

fn checked(name: &'static str, result: anyhow::Result<String>) -> Check {
    match result {
        Ok(finding) => Check {
            name,
            passed: true,
            finding,
        },
        Err(error) => Check {
            name,
            passed: false,
            finding: format!("{error:#}"),
        },
    }
}

fn load(session: &Session, args: &VerifyArgs) -> anyhow::Result<(Cid, Signed<Receipt>)> {
    if let Ok(cid) = args.receipt.parse::<Cid>() {
        ensure!(
            !args.offline,
            "--offline needs the receipt as a file: icn-cli dag get {cid} -o FILE"
        );
        return Ok((cid, gather::receipt(&session.client()?, &cid)?));
    }
    let path = Path::new(&args.receipt);
    let bytes =
        std::fs::read(path).with_context(|| format!("{} is neither a CID nor a file", args.receipt))?;
    let receipt =
        gather::decode_receipt(&bytes).with_context(|| format!("{} is not a receipt", path.display()))?;
    Ok((Cid::of_dag_cbor(&bytes), receipt))
}

fn signature(receipt: &Signed<Receipt>) -> anyhow::Result<()> {
    receipt.verify()?;
    ensure!(
        receipt.content.outcome.is_bounded(),
        "the outcome is larger than any can be"
    );
    Ok(())
}

/// Checks that a receipt is its executor's signed word, and the one that the log has.
pub(crate) fn check_signed_for(receipt: &Signed<Receipt>, cid: &Cid, view: &JobView) -> anyhow::Result<()> {
    signature(receipt)?;
    check_fits(receipt, cid, view)
}

fn check_fits(receipt: &Signed<Receipt>, cid: &Cid, view: &JobView) -> anyhow::Result<()> {
    let content = &receipt.content;
    ensure!(content.job == view.id, "it is for job {}", content.job);
    ensure!(
        content.module == view.spec.module,
        "it is for another module, {}",
        content.module
    );
    let spec = Digest::of(&canonical::to_bytes(&view.spec));
    ensure!(
        content.spec == spec && view.record.spec == spec,
        "it is for another version of the job"
    );
    let assignment = view
        .record
        .assignments
        .iter()
        .find(|assignment| assignment.executor == content.executor);
    let assignment =
        assignment.with_context(|| format!("the log has not given the job to {}", content.executor))?;
    ensure!(
        assignment.key == content.key,
        "it is not signed with the executor's seat key"
    );
    match &assignment.delivery {
        Delivery::Delivered { receipt, outcome, .. } => {
            ensure!(
                receipt == cid,
                "the log has another receipt of this executor, {receipt}"
            );
            ensure!(
                *outcome == content.outcome.digest(),
                "the log has another outcome of this executor"
            );
            Ok(())
        }
        _ => anyhow::bail!("the log has no receipt of this executor"),
    }
}

/// Runs the job again; says what agreed, or fails with what did not.
pub(crate) fn replay(
    client: &Client,
    replayer: &dyn Replayer,
    receipt: &Receipt,
    view: &JobView,
) -> anyhow::Result<String> {
    ensure!(
        receipt.engine == replayer.engine(),
        "it was run under {:?}, this icn-cli has {:?}: use the icn-cli of that version",
        receipt.engine,
        replayer.engine(),
    );
    ensure!(
        receipt.outcome.exit.is_deterministic(),
        "the run ended by its machine ({}): a replay shows nothing",
        format::exit(&receipt.outcome.exit),
    );
    let again = replayer.replay(client, &view.spec)?;
    match difference(&receipt.outcome, &again) {
        None => Ok(format!("the same outcome, {}", again.digest())),
        Some(difference) => anyhow::bail!("{difference}"),
    }
}

/// The first thing in which two outcomes differ.
fn difference(said: &Outcome, again: &Outcome) -> Option<String> {
    let told = |what: &str, said: &dyn std::fmt::Display, again: &dyn std::fmt::Display| {
        Some(format!("{what}: the receipt says {said}, the replay {again}"))
    };
    if said.exit != again.exit {
        return told("exit", &format::exit(&said.exit), &format::exit(&again.exit));
    }
    if said.stdout != again.stdout {
        return told("standard output", &said.stdout, &again.stdout);
    }
    if said.stderr != again.stderr {
        return told("standard error", &said.stderr, &again.stderr);
    }
    let paths = said.files.keys().chain(again.files.keys());
    for path in paths {
        let shown = |outcome: &Outcome| {
            outcome
                .files
                .get(path)
                .map_or_else(|| "nothing".to_owned(), Cid::to_string)
        };
        if said.files.get(path) != again.files.get(path) {
            return told(&format!("file {path}"), &shown(said), &shown(again));
        }
    }
    if said.fuel == again.fuel {
        None
    } else {
        told("fuel", &said.fuel, &again.fuel)
    }
}

fn receipt_table(cid: &Cid, receipt: &Receipt) -> Table {
    let mut table = Table::pairs();
    table.pair("receipt", cid);
    table.pair("job", format!("{}, attempt {}", receipt.job, receipt.attempt + 1));
    table.pair("executor", receipt.executor);
    table.pair("module", receipt.module);
    table.pair("engine", &receipt.engine);
    table.pair("exit", format::exit(&receipt.outcome.exit));
    table.pair("stdout", receipt.outcome.stdout);
    table.pair("stderr", receipt.outcome.stderr);
    for (path, cid) in &receipt.outcome.files {
        table.pair("file", format!("{path} {cid}"));
    }
    table.pair("fuel", receipt.outcome.fuel);
    table.pair("memory", format::bytes(receipt.peak_memory_bytes));
    let span = format::span(receipt.finished.since(receipt.started));
    table.pair("ran", format!("{}, for {span}", format::time(receipt.started)));
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{
        Assignment, Did, ExitStatus, JobId, JobLimits, JobPhase, JobRecord, JobSpec, Mana, Requirements,
        SecretKey, Time,
    };
    use std::collections::BTreeMap;

    struct Twin(Outcome);

    impl Replayer for Twin {
        fn engine(&self) -> &str {
            "engine/1"
        }

        fn replay(&self, _: &Client, _: &JobSpec) -> anyhow::Result<Outcome> {
            Ok(self.0.clone())
        }
    }

    fn outcome() -> Outcome {
        let empty = Cid::of_raw(b"");
        let files = BTreeMap::from([("a".to_owned(), empty)]);
        Outcome {
            exit: ExitStatus::Code(0),
            stdout: empty,
            stderr: empty,
            files,
            fuel: 7,
        }
    }

    fn case() -> (Signed<Receipt>, JobView) {
        let key = SecretKey::from_seed(&[1; 32]);
        let did = Did::new(key.public());
        let id = JobId::new(Digest::of(b"job"));
        let spec = JobSpec {
            module: Cid::of_raw(b"module"),
            args: vec![],
            env: BTreeMap::new(),
            stdin: None,
            inputs: BTreeMap::new(),
            limits: JobLimits::default(),
            require: Requirements::default(),
            replicas: 1,
            max_mana: Mana::from_whole(1),
            deadline: Time::new(9),
            coordinator: None,
            private: false,
        };
        let digest = Digest::of(&canonical::to_bytes(&spec));
        let content = Receipt {
            federation: Cid::of_raw(b"f"),
            job: id,
            attempt: 0,
            executor: did,
            key: key.public(),
            module: spec.module,
            spec: digest,
            outcome: outcome(),
            peak_memory_bytes: 1,
            engine: "engine/1".into(),
            started: Time::new(1),
            finished: Time::new(2),
        };
        let receipt = Signed::new(content, &key);
        let cid = Cid::of_dag_cbor(&canonical::to_bytes(&receipt));
        let delivery = Delivery::Delivered {
            receipt: cid,
            outcome: outcome().digest(),
            exit: ExitStatus::Code(0),
            at: Time::new(2),
        };
        let record = JobRecord {
            payer: did,
            cooperative: did,
            coordinator: did,
            spec: digest,
            submitted: Time::new(0),
            held: Mana::ZERO,
            attempt: 0,
            tried: vec![],
            assignments: vec![Assignment {
                executor: did,
                key: key.public(),
                price: Mana::ZERO,
                delivery,
            }],
            outcome: Some(outcome().digest()),
            challenge: None,
            phase: JobPhase::Settled {
                since: Time::new(2),
                until: Time::new(3),
            },
        };
        let state = record.phase.status();
        (
            receipt,
            JobView {
                id,
                state,
                spec,
                record,
            },
        )
    }

    fn cid_of(receipt: &Signed<Receipt>) -> Cid {
        Cid::of_dag_cbor(&canonical::to_bytes(receipt))
    }

    #[test]
    fn a_true_receipt_holds_and_a_changed_one_does_not() {
        let (receipt, view) = case();
        check_signed_for(&receipt, &cid_of(&receipt), &view).unwrap();
        let mut changed = receipt.clone();
        changed.content.outcome.fuel = 8;
        assert!(signature(&changed).is_err());
        let resigned = Signed::new(changed.content, &SecretKey::from_seed(&[1; 32]));
        let error = check_signed_for(&resigned, &cid_of(&resigned), &view).unwrap_err();
        assert!(error.to_string().contains("another receipt"), "{error}");
    }

    #[test]
    fn a_receipt_for_something_else_is_told() {
        let (receipt, mut view) = case();
        view.spec.args.push("more".into());
        let error = check_fits(&receipt, &cid_of(&receipt), &view).unwrap_err();
        assert!(error.to_string().contains("another version"), "{error}");
        let (receipt, mut view) = case();
        view.record.assignments.clear();
        assert!(check_fits(&receipt, &cid_of(&receipt), &view).is_err());
    }

    #[test]
    fn a_replay_agrees_or_names_the_difference() {
        let client = Client::new(icn_api::client::ClientConfig::new("http://127.0.0.1:1")).unwrap();
        let (receipt, view) = case();
        assert!(replay(&client, &Twin(outcome()), &receipt.content, &view).is_ok());
        let mut other = outcome();
        other.files.insert("b".into(), Cid::of_raw(b"b"));
        let error = replay(&client, &Twin(other), &receipt.content, &view)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("file b: the receipt says nothing"), "{error}");
        let elsewhere = Receipt {
            engine: "engine/2".into(),
            ..receipt.content
        };
        assert!(replay(&client, &Twin(outcome()), &elsewhere, &view).is_err());
    }
}
