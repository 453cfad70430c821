//! `federation recover`: the survivors of a federation whose quorum is lost for good agree on how its log goes on.
//!
//! A file goes round: one of them drafts it, an officer of each signs it, and every operator lets the node accept it
//! (`icn-node --recovery FILE`). Before a signature is given, the file is held against what the signer's own node would
//! draft.
use super::found;
use crate::{output::Output, session::Session, table::Table};
use anyhow::Context as _;
use clap::Subcommand;
use icn_api::{RecoveryFile, client::Client};
use icn_model::{Did, Endorsement, Genesis, Signed};
use icn_state::check_endorsed;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// `federation recover`
#[derive(Debug, Subcommand)]
pub(crate) enum RecoverCommand {
    /// Write how the log could go on, from where this node is
    Draft {
        /// A seat that is lost for good, by name or identity; several times for several
        #[arg(long = "lost", value_name = "NAME|DID", required = true)]
        lost: Vec<String>,
        /// The file to write; it must not exist yet
        #[arg(long, short, value_name = "FILE", default_value = "recovery.json")]
        output: PathBuf,
    },
    /// Sign it as an officer of a survivor, after holding it against this node's own log
    Sign {
        /// The file; the signature is added to it
        file: PathBuf,
    },
    /// Show what it says, who has signed it, and whose signatures are missing; needs no node
    Show {
        /// The file
        file: PathBuf,
    },
}

pub(crate) fn run(
    output: &Output,
    session: impl FnOnce() -> anyhow::Result<Session>,
    command: RecoverCommand,
) -> anyhow::Result<()> {
    match command {
        RecoverCommand::Draft { lost, output } => draft(&session()?, &lost, &output),
        RecoverCommand::Sign { file } => sign(&session()?, &file),
        RecoverCommand::Show { file } => show(output, &read(&file)?),
    }
}

fn draft(session: &Session, lost: &[String], path: &Path) -> anyhow::Result<()> {
    let client = session.client()?;
    let lost = lost
        .iter()
        .map(|name| session.resolve(&client, name))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let genesis = client.successor(&lost)?;
    warn_of_quorum(session, &client, &genesis)?;
    let file = RecoveryFile {
        genesis,
        endorsements: Vec::new(),
    };
    found::write_new_json(path, &file)?;
    session.output.say(format!(
        "wrote {}: an officer of every survivor signs it (icn-cli federation recover sign {0}), then each node is \
         stopped and started with --recovery {0}",
        path.display()
    ));
    show(&session.output, &file)
}

/// While there is a quorum, seats are given up by vote, and nothing has to begin anew.
fn warn_of_quorum(session: &Session, client: &Client, genesis: &Genesis) -> anyhow::Result<()> {
    let seats = client.federation()?.seats;
    let survivors: BTreeSet<Did> = genesis.founders.iter().map(|founder| founder.did).collect();
    let left = seats.iter().filter(|seat| survivors.contains(&seat.did)).count();
    // One third of the seats, rounded down, may be missing less one.
    let quorum = seats.len() - (seats.len().saturating_sub(1)) / 3;
    if left >= quorum {
        session.output.insist(format!(
            "warning: {left} of {} seats are left, and {quorum} are a quorum: the log goes on by itself. To put a seat \
             out of the federation, vote on it (icn-cli proposal create suspend)",
            seats.len()
        ));
    }
    Ok(())
}

fn sign(session: &Session, path: &Path) -> anyhow::Result<()> {
    let mut file = read(path)?;
    let signer = session.signer()?;
    let client = session.client()?;
    let survivors: BTreeSet<Did> = file.genesis.founders.iter().map(|founder| founder.did).collect();
    let seats = client.federation()?.seats;
    let lost: Vec<Did> = seats
        .iter()
        .map(|seat| seat.did)
        .filter(|did| !survivors.contains(did))
        .collect();
    let own = client.successor(&lost)?;
    anyhow::ensure!(own == file.genesis, differs(&own, &file.genesis));
    let founder = file
        .genesis
        .founders
        .iter()
        .find(|founder| founder.did == signer.did);
    let founder = founder.with_context(|| format!("{} is none of the survivors in the file", signer.did))?;
    let key = signer.key.public();
    anyhow::ensure!(
        founder.keys.officers.keys.contains(&key),
        "{key} is not an officer's key of {}",
        founder.name
    );
    let endorsement = Endorsement {
        log: file.genesis.log(),
        did: signer.did,
        key,
    };
    file.endorsements
        .retain(|signed| (signed.content.did, signed.content.key) != (signer.did, key));
    file.endorsements.push(Signed::new(endorsement, &signer.key));
    replace(path, &file)?;
    show(&session.output, &file)
}

/// Why a node would draft something else.
fn differs(own: &Genesis, theirs: &Genesis) -> String {
    let at = |genesis: &Genesis| {
        let predecessor = genesis.predecessor.as_ref();
        predecessor.map_or(0, |predecessor| predecessor.height.get())
    };
    let (here, there) = (at(own), at(theirs));
    match here.cmp(&there) {
        std::cmp::Ordering::Less => format!(
            "the file goes on from height {there}, and this node is at {here}: let it fetch what is missing from a node \
             that has it, then sign"
        ),
        std::cmp::Ordering::Greater => format!(
            "the file goes on from height {there}, and this node has final blocks up to {here}, which would be lost: \
             draft a new one here"
        ),
        std::cmp::Ordering::Equal => "the file does not say what this node knows of the federation: its seats, keys, \
                                      rules or root differ. Draft one here (icn-cli federation recover draft), and \
                                      compare the two"
            .to_owned(),
    }
}

fn show(output: &Output, file: &RecoveryFile) -> anyhow::Result<()> {
    let genesis = &file.genesis;
    let complete = check_endorsed(genesis, &file.endorsements);
    let shown = serde_json::json!({
        "federation": genesis.id(),
        "log": genesis.log(),
        "predecessor": genesis.predecessor,
        "survivors": genesis.founders.iter().map(|founder| &founder.name).collect::<Vec<_>>(),
        "complete": complete.is_ok(),
        "missing": complete.as_ref().err().map(ToString::to_string),
    });
    output.data(&shown, |output| {
        let mut table = Table::new(["SURVIVOR", ">SIGNED", ">NEEDED", "IDENTITY"]);
        for founder in &genesis.founders {
            let officers = &founder.keys.officers;
            let is_its = |signed: &&Signed<Endorsement>| {
                signed.content.did == founder.did
                    && officers.keys.contains(&signed.content.key)
                    && signed.content.log == genesis.log()
                    && signed.verify().is_ok()
            };
            table.row([
                founder.name.to_string(),
                file.endorsements.iter().filter(is_its).count().to_string(),
                officers.threshold.to_string(),
                founder.did.to_string(),
            ]);
        }
        output.table(&table)?;
        if let Some(predecessor) = &genesis.predecessor {
            output.line(format!(
                "log {} goes on after height {} of {}",
                genesis.log(),
                predecessor.height,
                predecessor.log
            ))?;
        }
        Ok(output.line(match &complete {
            Ok(()) => "signed by all survivors".to_owned(),
            Err(error) => error.to_string(),
        })?)
    })
}

fn read(path: &Path) -> anyhow::Result<RecoveryFile> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not a recovery file", path.display()))
}

/// Written beside it first, so that signatures that are there are not lost.
fn replace(path: &Path, file: &RecoveryFile) -> anyhow::Result<()> {
    let beside = path.with_extension("tmp");
    let write = || {
        fs::write(&beside, serde_json::to_vec_pretty(file)?)?;
        fs::rename(&beside, path)?;
        anyhow::Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
