//! Putting other keys in the place of those that act: the node's own, a member's, and those of a cooperative's roles.
use crate::{
    failure::Usage,
    gather,
    keystore::{self, Entry, Holder},
    output::Output,
    progress::Progress,
    session::{Session, Signer},
    table::Table,
    unlock::{self, Opened},
};
use anyhow::Context as _;
use clap::Args;
use icn_api::{client::Client, keyfile::succession};
use icn_model::{Action, Did, Possession, PublicKey, Role, RoleKeys, SeatRecord, SecretKey, Signed};
use serde_json::json;
use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How often a node is asked whether it has come back with its new key.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// Largest size of a proof, bytes.
const MAX_PROOF_BYTES: u64 = 4_096;

/// `key rotate`
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// A member's key in the keystore; the node's own if none is named
    #[arg(value_name = "@NAME")]
    name: Option<PathBuf>,
    /// Wait until the node has started again with its new key, so many seconds at most
    #[arg(long, value_name = "SECONDS", conflicts_with = "name")]
    wait: Option<u64>,
}

/// `key assign`
#[derive(Debug, Args)]
pub(crate) struct AssignArgs {
    /// A key that speaks for the cooperative, several times if there are several
    #[arg(long = "officer", value_name = "KEY", value_parser = public_key)]
    officers: Vec<PublicKey>,
    /// How many officers must agree
    #[arg(long, value_name = "N")]
    threshold: Option<u8>,
    /// The key that moves credit up to a limit
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    line: Option<PublicKey>,
    /// The key that replaces lost ones
    #[arg(long, value_name = "KEY", value_parser = public_key)]
    recovery: Option<PublicKey>,
    /// A new seat key, where the old one is lost: what `key prove` printed for it
    #[arg(long, value_name = "PROOF")]
    seat: Option<PathBuf>,
}

/// `key prove`
#[derive(Debug, Args)]
pub(crate) struct ProveArgs {
    /// The new key, a file or @NAME
    file: PathBuf,
    /// The identity for which it is to act
    #[arg(long = "for", value_name = "DID")]
    did: Did,
}

/// A key on the command line: as text, as the identity that begins with it, or by its name in the keystore.
fn public_key(text: &str) -> Result<PublicKey, String> {
    if text.starts_with("did:") {
        let did: Result<Did, _> = text.parse();
        return did.map(|did| did.first_key()).map_err(|error| error.to_string());
    }
    match keystore::named(Path::new(text)) {
        Ok(None) => text.parse().map_err(|error| format!("{error}")),
        Ok(Some(entry)) => match entry.holder() {
            Ok(Some(holder)) => Ok(holder.key),
            Ok(None) => Err(format!("there is no {text} in the keystore: icn-cli key ls")),
            Err(error) => Err(format!("{error:#}")),
        },
        Err(error) => Err(format!("{error:#}")),
    }
}

pub(crate) fn rotate(session: &Session, args: &RotateArgs) -> anyhow::Result<()> {
    match &args.name {
        None => rotate_node(session, args.wait.map(Duration::from_secs)),
        Some(name) => {
            let entry = keystore::named(name)?.ok_or_else(|| {
                Usage::new(
                    "a member's key is rotated in the keystore: icn-cli key import @NAME --from FILE first",
                )
            })?;
            rotate_member(session, &entry)
        }
    }
}

fn rotate_node(session: &Session, wait: Option<Duration>) -> anyhow::Result<()> {
    let client = session.client()?;
    let before = client.identity()?;
    let rotation = client.rotate_identity()?;
    let roles: Vec<_> = rotation.roles.iter().map(ToString::to_string).collect();
    if let Some(wait) = wait {
        await_key(session, &client, &rotation.key, wait)?;
    }
    session.output.data(&rotation, |output| {
        let mut table = Table::pairs();
        table.pair("identity", before.did);
        table.pair("key", rotation.key);
        table.pair("peer id", &rotation.peer_id);
        table.pair("follows as", roles.join(", "));
        Ok(output.table(&table)?)
    })?;
    if wait.is_none() {
        session.output.say(
            "the seat changes with the next epoch, and the node then starts itself again; until then it needs both keys",
        );
    }
    Ok(())
}

fn await_key(session: &Session, client: &Client, key: &PublicKey, wait: Duration) -> anyhow::Result<()> {
    let progress = Progress::spinner(&session.output, "waiting for the next epoch");
    let began = Instant::now();
    loop {
        // It does not answer while it starts again.
        let identity = client.identity();
        if identity.as_ref().is_ok_and(|identity| identity.key == *key) {
            drop(progress);
            return Ok(());
        }
        anyhow::ensure!(
            began.elapsed() < wait,
            "the node has not started with {key} within {} s: icn-cli status, and its log, say why",
            wait.as_secs()
        );
        thread::sleep(ASK_EVERY);
    }
}

/// The rotation of a key in the keystore. Every step can be done again after it was cut short.
fn rotate_member(session: &Session, entry: &Entry) -> anyhow::Result<()> {
    let client = session.client()?;
    let holder = entry
        .holder()?
        .with_context(|| format!("there is no @{} in the keystore: icn-cli key ls", entry.name))?;
    let Opened { key: old, passphrase } = unlock::read(&entry.path, &session.output)?;
    let next_path = succession::next_path(&entry.path);
    let next = if next_path.exists() {
        unlock::read(&next_path, &session.output)?.key
    } else {
        succession::make_next(&entry.path, passphrase.as_ref())?
    };
    let members = gather::members(&client)?;
    let member = members.members.iter().find(|member| member.did == holder.did);
    let member = member.with_context(|| {
        format!(
            "{} is not a member here: an officer enters it (icn-cli federation add-member)",
            holder.did
        )
    })?;
    // Else the rotation was done, and what follows it was not.
    if member.record.key != next.public() {
        let possession = possession(&client, holder.did, &next)?;
        let signer = Signer {
            key: old.clone(),
            did: holder.did,
        };
        session.submit_as(&client, &signer, &Action::RotateMemberKey { possession })?;
    }
    let now = Holder {
        did: holder.did,
        key: next.public(),
    };
    let kept = succession::take_over(&entry.path, &old.public())?;
    entry.keep(&now)?;
    session.output.say(format!(
        "@{} has its new key; the former one is in {}, and acts no more",
        entry.name,
        kept.display()
    ));
    show_holder(&session.output, &entry.name, &now)
}

fn show_holder(output: &Output, name: &str, holder: &Holder) -> anyhow::Result<()> {
    let data = json!({ "name": name, "did": holder.did, "key": holder.key });
    output.data(&data, |output| {
        let mut table = Table::pairs();
        table.pair("identity", holder.did);
        table.pair("key", holder.key);
        Ok(output.table(&table)?)
    })
}

fn possession(client: &Client, did: Did, key: &SecretKey) -> anyhow::Result<Signed<Possession>> {
    let possession = Possession {
        federation: client.next_operation(key.public())?.federation,
        did,
        key: key.public(),
    };
    Ok(Signed::new(possession, key))
}

/// `key prove`
pub(crate) fn prove(session: &Session, args: &ProveArgs) -> anyhow::Result<()> {
    let key = unlock::read(&keystore::path_of(&args.file)?, &session.output)?.key;
    let proof = possession(&session.client()?, args.did, &key)?;
    Ok(session.output.line(serde_json::to_string_pretty(&proof)?)?)
}

fn read_proof(path: &Path) -> anyhow::Result<Signed<Possession>> {
    let mut text = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_PROOF_BYTES).read_to_end(&mut text))
        .with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is no proof of `icn-cli key prove`", path.display()))
}

/// Puts the key of a proof in the place of a member's, as an officer of its cooperative.
pub(crate) fn replace_member_key(session: &Session, proof: &Path) -> anyhow::Result<()> {
    let possession = read_proof(proof)?;
    let Possession { did, key, .. } = possession.content;
    let done = session.submit(&session.client()?, &Action::RotateMemberKey { possession })?;
    session.output.data(&done, |output| {
        Ok(output.line(format!("{key} acts for {did} now"))?)
    })
}

/// `key roles`
pub(crate) fn roles(session: &Session) -> anyhow::Result<()> {
    let identity = session.client()?.identity()?;
    let seat = identity.keys.clone().zip(identity.succession.clone());
    let (keys, succession) =
        seat.with_context(|| format!("the federation does not know {} yet", identity.did))?;
    session.output.data(&identity, |output| {
        let mut table = Table::new(["ROLE", "KEY", ""]);
        let mut row = |role: Role, key: &PublicKey, note: &str| {
            table.row([role.to_string(), key.to_string(), note.to_owned()]);
        };
        row(Role::Seat, &keys.seat, "");
        if let Some(next) = &succession.next_seat {
            row(Role::Seat, next, "from the next epoch on");
        }
        for former in &succession.former_seats {
            row(Role::Seat, former, "former");
        }
        let officers = &keys.officers;
        let needed = format!("{} of {}", officers.threshold, officers.keys.len());
        for officer in &officers.keys {
            row(Role::Officer, officer, &needed);
        }
        row(Role::Line, &keys.line, "");
        row(Role::Recovery, &keys.recovery, "");
        Ok(output.table(&table)?)
    })
}

/// `key assign`
pub(crate) fn assign(session: &Session, args: &AssignArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let signer = session.signer()?;
    let before = seat_of(&client, &signer.did)?;
    let mut keys = before.keys.clone();
    if !args.officers.is_empty() {
        keys.officers.keys.clone_from(&args.officers);
        // One of many is no safer than one; more has to be said.
        keys.officers.threshold = 1;
    }
    keys.officers.threshold = args.threshold.unwrap_or(keys.officers.threshold);
    keys.line = args.line.unwrap_or(keys.line);
    keys.recovery = args.recovery.unwrap_or(keys.recovery);
    let possession = args.seat.as_deref().map(read_proof).transpose()?;
    if let Some(proof) = &possession {
        if proof.content.did != signer.did {
            return Err(Usage::new(format!(
                "the proof is for {}, and you sign for {}: icn-cli key prove FILE --for {}",
                proof.content.did, signer.did, signer.did
            ))
            .into());
        }
        keys.seat = proof.content.key;
    }
    if keys == before.keys {
        return Err(Usage::new(
            "nothing would change: name --officer, --threshold, --line, --recovery or --seat",
        )
        .into());
    }
    let action = Action::RotateKeys {
        keys: Box::new(keys.clone()),
        possession,
    };
    let done = session.submit_as(&client, &signer, &action)?;
    let after = seat_of(&client, &signer.did)?;
    let is_done = has_followed(&after, &keys);
    let succession = &after.succession;
    let data = json!({
        "operation": done, "keys": after.keys, "next_seat": succession.next_seat, "wishes": succession.wishes,
    });
    session.output.data(&data, |output| {
        let text = if !is_done {
            format!(
                "{} of {} officers want these keys: the others sign the same",
                succession.wishes.len(),
                after.keys.officers.threshold
            )
        } else if keys.seat == before.keys.seat {
            "these keys act now: icn-cli key roles".to_owned()
        } else {
            "these keys act now, the seat's from the next epoch on: icn-node claim makes its node".to_owned()
        };
        Ok(output.line(text)?)
    })
}

/// Whether a seat has `keys`, that of the seat itself at the latest when the epoch turns.
fn has_followed(seat: &SeatRecord, keys: &RoleKeys) -> bool {
    let has = &seat.keys;
    let has_seat = has.seat == keys.seat || seat.succession.next_seat == Some(keys.seat);
    has_seat && (&has.officers, has.line, has.recovery) == (&keys.officers, keys.line, keys.recovery)
}

fn seat_of(client: &Client, did: &Did) -> anyhow::Result<SeatRecord> {
    let members = gather::seats(client)?;
    let seat = super::node::seat(&members, did).ok_or_else(|| {
        Usage::new(format!(
            "{did} has no seat here: say with --author for which cooperative the key acts"
        ))
    })?;
    Ok(seat.clone())
}
