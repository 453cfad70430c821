//! How another key follows the node's own.
//!
//! The new key is made beside the old one (`node.key.next`), and the log says from which epoch on it has the seat.
//! Until then the node runs with the old one. Which of the two it is, is read from the node's own state at each start,
//! so a node that was stopped in between, or slept through the epoch, comes back with the right one.
use crate::{
    config::{Config, Environment, Identity},
    files::{self, Readers},
    identity,
};
use anyhow::{Context as _, bail};
use icn_api::keyfile::{self, Passphrase, PassphraseError, succession};
use icn_model::{Did, PublicKey, Role, RoleKeys, SeatRecord, SecretKey};
use icn_protocol::{credit::LineKeys, membership};
use icn_store::Store;
use serde::{Deserialize, Serialize};
use std::{
    env, io,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// File in the data directory that says whose node it is, once that does not follow from its key any more.
const IDENTITY_FILE: &str = "identity.json";
/// Largest size of that file, bytes.
const MAX_IDENTITY_BYTES: u64 = 4_096;

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    did: Did,
    /// The key that has the seat, or gets it, whatever an older state says: until then the node only follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed: Option<PublicKey>,
}

/// Whose node it is, and where its keys are.
#[derive(Clone)]
pub(crate) struct KeyRing {
    did: Did,
    claimed: Option<PublicKey>,
    data_dir: PathBuf,
    path: PathBuf,
    variable: String,
    is_production: bool,
}

impl KeyRing {
    /// Of a node whose own key is `key`.
    ///
    /// # Errors
    /// If what is kept of its identity cannot be read.
    pub(crate) fn of(config: &Config, data_dir: &Path, key: &SecretKey) -> anyhow::Result<Self> {
        let kept = kept_identity(data_dir)?;
        let settings: &Identity = &config.identity;
        Ok(Self {
            did: kept.map_or_else(|| Did::new(key.public()), |kept| kept.did),
            claimed: kept.and_then(|kept| kept.claimed),
            data_dir: data_dir.to_owned(),
            path: settings.key_path(data_dir),
            variable: settings.passphrase_variable().to_owned(),
            is_production: config.runtime.environment == Environment::Production,
        })
    }

    /// Whose node it is.
    pub(crate) const fn did(&self) -> Did {
        self.did
    }

    fn passphrase(&self) -> Result<Option<Passphrase>, PassphraseError> {
        Passphrase::from_variables(&self.variable, |name| env::var_os(name))
    }

    fn open(&self, path: &Path) -> anyhow::Result<SecretKey> {
        let passphrase = self.passphrase()?;
        let opened = identity::open(path, &self.variable, passphrase.as_ref(), self.is_production);
        Ok(opened?)
    }

    /// The key with which the node has to run by the state in `store`: `current`, or the one that was to follow it,
    /// which then takes its place for good, or one that it had, where the state is older than its key.
    ///
    /// # Errors
    /// If the seat has yet another key.
    pub(crate) fn in_force(&self, store: &Store, current: SecretKey) -> anyhow::Result<SecretKey> {
        let Some(seat) = membership::seat_key(store, &self.did)? else {
            return Ok(current);
        };
        if seat == current.public() {
            return Ok(current);
        }
        let next = succession::next_path(&self.path);
        if next.exists() {
            let next = self.open(&next)?;
            if next.public() == seat {
                succession::take_over(&self.path, &current.public())?;
                tracing::info!(key = %seat, "the node goes on with its new key");
                return Ok(next);
            }
        }
        let former = succession::former_path(&self.path, &seat);
        if former.exists() {
            let key = self.open(&former)?;
            if key.public() == seat {
                tracing::warn!(key = %seat, "the state is from before the last rotation: following with the former key");
                return Ok(key);
            }
        }
        if self.claimed == Some(current.public()) {
            tracing::warn!(
                seat = %seat,
                key = %current.public(),
                "following until the log gives this node's key the seat"
            );
            return Ok(current);
        }
        bail!(
            "the seat of {} has the key {seat}, and the one in {} is {}: put the seat's key there, or, where it is lost, \
             have the officers give the seat this one (icn-cli key assign --seat), and say so with icn-node claim",
            self.did,
            self.path.display(),
            current.public()
        )
    }

    /// The key that is to follow `current`, made now if it was not before.
    ///
    /// # Errors
    /// If it cannot be written, encrypted as the current one is.
    pub(crate) fn next(&self) -> anyhow::Result<SecretKey> {
        let path = succession::next_path(&self.path);
        if path.exists() {
            return self.open(&path);
        }
        keep_did(&self.data_dir, self.did)?;
        let is_encrypted = keyfile::load(&self.path)?.is_encrypted();
        let passphrase = self.passphrase()?.filter(|_| is_encrypted);
        Ok(succession::make_next(&self.path, passphrase.as_ref())?)
    }
}

impl KeyRing {
    /// The line keys that the node has: its own, which is `current`, the one that `other` names, and the one that is to
    /// follow its own, from when the log has it.
    ///
    /// # Errors
    /// If `other` cannot be opened.
    pub(crate) fn line_keys(&self, current: SecretKey, other: Option<&Path>) -> anyhow::Result<LineKeys> {
        let mut keys = vec![current];
        if let Some(path) = other {
            keys.push(self.open(path).context("identity.line_key_path")?);
        }
        let (ring, next) = (self.clone(), OnceLock::new());
        Ok(Arc::new(move |public| {
            let key = keys.iter().find(|key| key.public() == *public);
            key.cloned().or_else(|| {
                let next: &SecretKey = match next.get() {
                    Some(next) => next,
                    None => {
                        let path = succession::next_path(&ring.path);
                        let opened = path.exists().then(|| ring.open(&path).ok())??;
                        next.get_or_init(|| opened)
                    }
                };
                (next.public() == *public).then(|| next.clone())
            })
        }))
    }
}

/// Makes the node of `config` the one of `did`, whose seat its key has or is given by the federation, and says which key
/// that is.
///
/// # Errors
/// If the node has no key, or is another's.
pub fn claim(config: &Config, did: Did) -> anyhow::Result<PublicKey> {
    let data_dir = &config.storage.data_dir;
    let path = config.identity.key_path(data_dir);
    if !path.exists() {
        bail!(
            "there is no key at {}: put the seat's there, or make one with icn-cli key new",
            path.display()
        );
    }
    let is_production = config.runtime.environment == Environment::Production;
    let key = identity::load_or_create(&config.identity, data_dir, is_production)?.public();
    if let Some(kept) = kept_identity(data_dir)?
        && kept.did != did
    {
        bail!(
            "{} is the node of {}: claim a seat with an empty data directory",
            data_dir.display(),
            kept.did
        );
    }
    let claimed = Some(key);
    std::fs::create_dir_all(data_dir).with_context(|| format!("cannot create {}", data_dir.display()))?;
    keep_identity(data_dir, IdentityFile { did, claimed })
        .with_context(|| format!("cannot write {}", data_dir.join(IDENTITY_FILE).display()))?;
    Ok(key)
}

/// Whose node the one of `data_dir` is, if that is kept there.
///
/// # Errors
/// If it cannot be read.
fn kept_identity(data_dir: &Path) -> anyhow::Result<Option<IdentityFile>> {
    let path = data_dir.join(IDENTITY_FILE);
    let file = match std::fs::File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let kept = serde_json::from_reader(io::Read::take(file, MAX_IDENTITY_BYTES))
        .with_context(|| format!("{} is damaged", path.display()))?;
    Ok(Some(kept))
}

/// Keeps in `data_dir` whose node it is.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn keep_did(data_dir: &Path, did: Did) -> io::Result<()> {
    keep_identity(data_dir, IdentityFile { did, claimed: None })
}

fn keep_identity(data_dir: &Path, identity: IdentityFile) -> io::Result<()> {
    let file = serde_json::to_vec_pretty(&identity)?;
    files::replace(&data_dir.join(IDENTITY_FILE), &file, Readers::Masked)
}

/// The keys with `next` in every place of `old` that `old` may give away by itself, and the roles that these are.
pub(crate) fn succeeding(seat: &SeatRecord, old: PublicKey, next: PublicKey) -> (RoleKeys, Vec<Role>) {
    let keys = &seat.keys;
    let speaks = keys.officers.threshold == 1 && keys.officers.keys.contains(&old);
    let mut roles = Vec::new();
    let mut follow = |role, key: &PublicKey, may: bool| {
        let follows = *key == old && may;
        if follows && !roles.contains(&role) {
            roles.push(role);
        }
        if follows { next } else { *key }
    };
    let recovers = keys.recovery == old;
    let mut all = keys.clone();
    // The seat's key may be on its way to be another already.
    all.seat = follow(Role::Seat, &old, true);
    for officer in &mut all.officers.keys {
        *officer = follow(Role::Officer, officer, speaks || recovers);
    }
    all.line = follow(Role::Line, &keys.line, speaks || recovers);
    all.recovery = follow(Role::Recovery, &keys.recovery, recovers);
    (all, roles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{Officers, SeatKind, SeatPhase, Succession, Time};

    fn key(byte: u8) -> PublicKey {
        SecretKey::from_seed(&[byte; 32]).public()
    }

    fn seat(keys: RoleKeys) -> SeatRecord {
        SeatRecord {
            kind: SeatKind::Cooperative,
            name: "bakery".parse().unwrap(),
            keys,
            inviter: None,
            phase: SeatPhase::Seated {},
            since: Time::new(0),
            leave: Vec::new(),
            suspended: None,
            protocol: icn_model::PROTOCOL_VERSION,
            succession: Succession::default(),
        }
    }

    #[test]
    fn a_key_gives_away_what_it_may() {
        let (old, next) = (key(1), key(2));
        let single = seat(RoleKeys::single(old));
        let all = vec![Role::Seat, Role::Officer, Role::Line, Role::Recovery];
        assert_eq!(succeeding(&single, old, next), (RoleKeys::single(next), all));

        let apart = RoleKeys {
            seat: old,
            officers: Officers {
                threshold: 2,
                keys: vec![old, key(3), key(4)],
            },
            line: old,
            recovery: key(5),
        };
        let (keys, roles) = succeeding(&seat(apart.clone()), old, next);
        assert_eq!(
            roles,
            [Role::Seat],
            "one of two officers does not change the officers"
        );
        assert_eq!(keys, RoleKeys { seat: next, ..apart });
    }
}
