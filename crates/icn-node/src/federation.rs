//! Which federation a node belongs to: the one that it is in, was invited to, is told to found with others,
//! or founds alone.
use crate::{
    config::Config,
    files::{self, Readers},
};
use anyhow::{Context as _, bail};
use icn_api::{
    InvitationFile, RecoveryFile,
    federation::{Applicant, JoinRequest},
};
use icn_model::{Action, Founder, Genesis, Mana, PROTOCOL_VERSION, Parameters, Time, canonical};
use icn_protocol::ledger::{self, SucceedError};
use icn_state::{Engine, check_endorsed};
use icn_store::Store;
use serde_bytes::{ByteBuf, Bytes};
use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// File of the genesis in the data directory: what this node is bound to.
const GENESIS_FILE: &str = "genesis.json";
/// File of the invitation in the data directory.
const INVITATION_FILE: &str = "invitation.json";
/// File in the data directory of what the node applies with, where it is not its own name and key.
const APPLICANT_FILE: &str = "applicant.json";
/// File of the state that the log before ended with, in the data directory.
const PREDECESSOR_STATE_FILE: &str = "predecessor.state";

/// What the command line says about it.
#[derive(Clone, Debug, Default)]
pub struct Founding {
    /// Genesis of a federation that several found together.
    pub genesis: Option<PathBuf>,
    /// An invitation into one.
    pub invitation: Option<PathBuf>,
    /// What survivors have signed of how the log goes on, after seats were lost for good.
    pub recovery: Option<PathBuf>,
    /// The state that the log before ended with, for a newcomer to one that continues another.
    pub predecessor_state: Option<PathBuf>,
}

/// The rules of a federation that this node founds.
pub(crate) fn parameters(config: &Config) -> anyhow::Result<Parameters> {
    let mut parameters = if config.runtime.test_mode {
        Parameters::devnet()
    } else {
        Parameters::production()
    };
    if let Some(rate) = config.performance.mana_regeneration_rate {
        parameters.mana_rate_per_hour = Mana::from_whole(rate);
    }
    if let Some(count) = config.mesh.job_retry_count {
        parameters.job_retry_count = count;
    }
    parameters
        .check()
        .context("performance.mana_regeneration_rate or mesh.job_retry_count")?;
    Ok(parameters)
}

/// Says which of the federation's rules the configuration has a wish about that came too late.
pub(crate) fn tell_of_rules(config: &Config, genesis: &Genesis) {
    let rules = &genesis.parameters;
    if let Some(rate) = config.performance.mana_regeneration_rate
        && Mana::from_whole(rate) != rules.mana_rate_per_hour
    {
        tracing::warn!(
            federation = %rules.mana_rate_per_hour,
            "performance.mana_regeneration_rate counts for a federation that this node founds; this one has its own"
        );
    }
    if let Some(count) = config.mesh.job_retry_count
        && count != rules.job_retry_count
    {
        tracing::warn!(
            federation = rules.job_retry_count,
            "mesh.job_retry_count counts for a federation that this node founds; this one has its own"
        );
    }
}

/// A node's place in the world.
pub(crate) struct Membership {
    /// The federation.
    pub genesis: Genesis,
    /// What it applies with, if it was invited.
    pub application: Option<Action>,
    /// Addresses to start from, from the invitation.
    pub addresses: Vec<String>,
    /// The state that the log before ended with, if it was told.
    pub predecessor_state: Option<PathBuf>,
}

impl Membership {
    /// Makes a store that follows the log before, or an empty one, one of the log that continues it; and keeps that
    /// the node is in it. Nothing to do for a node whose log continues none.
    ///
    /// # Errors
    /// If the store is not where the log goes on from, or cannot be written.
    pub(crate) async fn go_on(&self, store: &Store, data_dir: &Path, engine: Engine) -> anyhow::Result<()> {
        if self.genesis.predecessor.is_none() {
            return Ok(());
        }
        let state_file = data_dir.join(PREDECESSOR_STATE_FILE);
        match ledger::succeed(store, &self.genesis, engine.clone()).await {
            Ok(None) => {}
            Ok(Some(records)) => {
                files::replace(&state_file, &canonical::to_bytes(&wire(&records)), Readers::Owner)
                    .with_context(|| format!("cannot write {}", state_file.display()))?;
                tracing::info!(
                    log = %self.genesis.log(),
                    state = %state_file.display(),
                    "the log goes on; newcomers need the state that it went on from"
                );
            }
            Err(SucceedError::Empty) => {
                let path = self.predecessor_state.as_deref().context(
                    "the log of this federation continues another one: start with --predecessor-state FILE, the \
                     state that it went on from, which every survivor has in its data directory as predecessor.state",
                )?;
                let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
                let records: Vec<(ByteBuf, ByteBuf)> = canonical::from_own_bytes(&bytes, bytes.len())
                    .with_context(|| format!("{} is not the state of a log", path.display()))?;
                let records = records
                    .into_iter()
                    .map(|(key, value)| (key.into_vec(), value.into_vec()))
                    .collect();
                ledger::begin(store, &self.genesis, records, engine)
                    .await
                    .with_context(|| format!("{} is of no use here", path.display()))?;
                files::replace(&state_file, &bytes, Readers::Owner)?;
            }
            Err(error) => return Err(error).context("the log cannot go on as the recovery file says"),
        }
        keep(data_dir, &self.genesis)
    }
}

fn wire(records: &[(Vec<u8>, Vec<u8>)]) -> Vec<(&Bytes, &Bytes)> {
    let pairs = records.iter();
    pairs
        .map(|(key, value)| (Bytes::new(key), Bytes::new(value)))
        .collect()
}

/// Finds it out, and keeps it in `data_dir` for later starts. None for a node that may not found a federation and
/// has no invitation into one.
///
/// # Errors
/// If what is told contradicts what is kept, or does not hold.
pub(crate) fn resolve(
    data_dir: &Path,
    founding: &Founding,
    founder: &Founder,
    parameters: Parameters,
    may_found: bool,
) -> anyhow::Result<Option<Membership>> {
    let kept = read_json::<Genesis>(&data_dir.join(GENESIS_FILE))?;
    let state = founding.predecessor_state.clone();
    if let Some(path) = &founding.recovery {
        return Ok(Some(recovered(path, kept.as_ref(), state)?));
    }
    let invited = match &founding.invitation {
        Some(path) => Some(
            read_json::<InvitationFile>(path)?.with_context(|| format!("{} is not there", path.display()))?,
        ),
        None => read_json::<InvitationFile>(&data_dir.join(INVITATION_FILE))?,
    };
    let told = match (&founding.genesis, &invited) {
        (Some(path), _) => {
            Some(read_json::<Genesis>(path)?.with_context(|| format!("{} is not there", path.display()))?)
        }
        (None, Some(invitation)) => Some(invitation.genesis.clone()),
        (None, None) => None,
    };
    let genesis = match (kept, told) {
        (Some(kept), Some(told)) if follows(&told, &kept) => bail!(
            "{} goes on as another log than the one that this node follows: its operator accepts with --recovery FILE \
             what the survivors have signed",
            kept.name
        ),
        (Some(kept), Some(told)) if kept.id() != told.id() => bail!(
            "this node belongs to the federation {} ({}), not to {} ({}). \
             To join another one, start with another data directory",
            kept.name,
            kept.id(),
            told.name,
            told.id()
        ),
        (Some(genesis), _) | (None, Some(genesis)) => genesis,
        (None, None) if may_found => alone(founder, parameters)?,
        (None, None) => return Ok(None),
    };
    let membership = settle(data_dir, genesis, invited, founder)?;
    Ok(Some(Membership {
        predecessor_state: state,
        ..membership
    }))
}

/// Whether one log continues another.
fn follows(later: &Genesis, earlier: &Genesis) -> bool {
    let predecessor = later.predecessor.as_ref();
    predecessor.is_some_and(|predecessor| predecessor.log == earlier.log())
}

/// The place in a log that continues the one which this node is in, by the word of its survivors.
fn recovered(
    path: &Path,
    kept: Option<&Genesis>,
    predecessor_state: Option<PathBuf>,
) -> anyhow::Result<Membership> {
    let file =
        read_json::<RecoveryFile>(path)?.with_context(|| format!("{} is not there", path.display()))?;
    let genesis = file.genesis;
    check_endorsed(&genesis, &file.endorsements).with_context(|| path.display().to_string())?;
    match kept {
        Some(kept) if follows(&genesis, kept) || kept.log() == genesis.log() => {}
        Some(kept) => bail!(
            "{} is about another log than {}, which this node follows",
            path.display(),
            kept.log()
        ),
        None if predecessor_state.is_some() => {}
        None => bail!("this node follows no log that could go on: give it --predecessor-state FILE, too"),
    }
    Ok(Membership {
        genesis,
        application: None,
        addresses: Vec::new(),
        predecessor_state,
    })
}

/// Takes an invitation for good.
///
/// # Errors
/// If it does not hold, or cannot be kept.
pub(crate) fn accept(data_dir: &Path, request: JoinRequest, founder: &Founder) -> anyhow::Result<Membership> {
    let (file, wishes) = request.into_parts();
    write_json(&data_dir.join(APPLICANT_FILE), &wishes)?;
    settle(data_dir, file.genesis.clone(), Some(file), founder)
}

fn settle(
    data_dir: &Path,
    genesis: Genesis,
    invited: Option<InvitationFile>,
    founder: &Founder,
) -> anyhow::Result<Membership> {
    genesis
        .check()
        .context("the federation's genesis does not hold")?;
    let (application, addresses) = match invited {
        Some(file) => {
            // Before the genesis: a node that has one does not wait for the other.
            write_json(&data_dir.join(INVITATION_FILE), &file)?;
            let addresses = file.invitation.content.addresses.clone();
            let wishes = read_json::<Applicant>(&data_dir.join(APPLICANT_FILE))?.unwrap_or_default();
            (Some(application(file, wishes, founder)?), addresses)
        }
        None => (None, Vec::new()),
    };
    write_json(&data_dir.join(GENESIS_FILE), &genesis)?;
    Ok(Membership {
        genesis,
        application,
        addresses,
        predecessor_state: None,
    })
}

fn application(file: InvitationFile, wishes: Applicant, applicant: &Founder) -> anyhow::Result<Action> {
    file.check().context("the invitation does not hold")?;
    let (name, keys) = wishes.or(&applicant.name, &applicant.keys)?;
    Ok(Action::Join {
        invitation: file.invitation,
        name,
        keys,
    })
}

/// A federation of one.
fn alone(founder: &Founder, parameters: Parameters) -> anyhow::Result<Genesis> {
    let created = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock is before 1970")?;
    Ok(Genesis {
        name: "federation of one".parse()?,
        created: Time::new(u64::try_from(created.as_millis())?),
        protocol: PROTOCOL_VERSION,
        parameters,
        founders: vec![founder.clone()],
        predecessor: None,
    })
}

/// The federation that the node of `data_dir` belongs to, if it is in one.
///
/// # Errors
/// If that cannot be read.
pub(crate) fn kept(data_dir: &Path) -> anyhow::Result<Option<Genesis>> {
    read_json(&data_dir.join(GENESIS_FILE))
}

/// Makes the node of `data_dir` one of the federation that begins with `genesis`.
///
/// # Errors
/// If that cannot be written.
pub(crate) fn keep(data_dir: &Path, genesis: &Genesis) -> anyhow::Result<()> {
    write_json(&data_dir.join(GENESIS_FILE), genesis)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> anyhow::Result<Option<T>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let value = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not what it should be", path.display()))?;
    Ok(Some(value))
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> anyhow::Result<()> {
    files::replace(path, &serde_json::to_vec_pretty(value)?, Readers::Masked)
        .with_context(|| format!("cannot write {}", path.display()))
}
