//! Which federation a node belongs to: the one that it is in, was invited to, is told to found with others,
//! or founds alone.
use crate::{
    config::Config,
    files::{self, Readers},
};
use anyhow::{Context as _, bail};
use icn_api::InvitationFile;
use icn_model::{Action, Founder, Genesis, Mana, PROTOCOL_VERSION, Parameters, Time};
use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// File of the genesis in the data directory: what this node is bound to.
const GENESIS_FILE: &str = "genesis.json";
/// File of the invitation in the data directory.
const INVITATION_FILE: &str = "invitation.json";

/// What the command line says about it.
#[derive(Clone, Debug, Default)]
pub struct Founding {
    /// Genesis of a federation that several found together.
    pub genesis: Option<PathBuf>,
    /// An invitation into one.
    pub invitation: Option<PathBuf>,
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
    settle(data_dir, genesis, invited, founder).map(Some)
}

/// Takes an invitation for good.
///
/// # Errors
/// If it does not hold, or cannot be kept.
pub(crate) fn accept(data_dir: &Path, file: InvitationFile, founder: &Founder) -> anyhow::Result<Membership> {
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
            (Some(application(file, founder)?), addresses)
        }
        None => (None, Vec::new()),
    };
    write_json(&data_dir.join(GENESIS_FILE), &genesis)?;
    Ok(Membership {
        genesis,
        application,
        addresses,
    })
}

fn application(file: InvitationFile, applicant: &Founder) -> anyhow::Result<Action> {
    file.check().context("the invitation does not hold")?;
    let (name, keys) = (applicant.name.clone(), applicant.keys.clone());
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
