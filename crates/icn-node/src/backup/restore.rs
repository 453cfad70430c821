//! Restoring a stopped node: a new store is built beside the old one and checked as a whole before it takes its
//! place, so that whatever goes wrong, the node is as it was.
use super::{
    BackupError,
    chain::{self, Found},
    format::{CID_BYTES, Head, Record, WHOLE},
    read::{self, Part},
    verify, write,
};
use crate::{
    config::Config,
    federation,
    files::{self, Readers},
    succession,
};
use icn_model::{Digest, Genesis, Height};
use icn_protocol::ledger::{self, put_event};
use icn_store::{Batch, Blocks, Building, EmbeddedKind, Location, OpenError, Table, open_existing};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What was restored.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Archives that it came from.
    pub archives: usize,
    /// Where the store is now.
    pub place: String,
    /// The last height that it knows.
    pub height: Height,
    /// The outcome root there.
    pub root: Digest,
    /// Its blocks.
    pub blocks: u64,
    /// Whether the node's key came along.
    pub identity: bool,
    /// Where the earlier store is, if there was one.
    pub set_aside: Option<PathBuf>,
}

/// Restores the youngest backup of `inputs` (archives, or directories of them) as the store that `config` names.
/// With `force`, a store and a key that are there are set aside.
///
/// # Errors
/// [`BackupError`]; the node is then as it was.
pub fn restore(config: &Config, inputs: &[PathBuf], force: bool) -> Result<Restored, BackupError> {
    let chain = chain::find(inputs)?;
    let last = chain
        .last()
        .ok_or_else(|| BackupError::inconsistent("no archive"))?;
    let data_dir = &config.storage.data_dir;
    let ours = federation::kept(data_dir).map_err(BackupError::inconsistent)?;
    let theirs = last.head.federation.id;
    if let Some(ours) = ours.map(|genesis| genesis.id()).filter(|ours| *ours != theirs) {
        return Err(BackupError::OtherFederation { ours, theirs });
    }
    let location = config.storage.location().map_err(BackupError::inconsistent)?;
    let place = Place::prepare(&location, force)?;
    let building = Building::begin(&place.building)?;
    let key_path = config.identity.key_path(data_dir);
    let outcome = fill(&building, &chain).and_then(|filled| {
        check(&building, &last.head, &filled)?;
        building.finish()?;
        fs::create_dir_all(data_dir)?;
        if let Some(key) = &filled.identity {
            put_key(&key_path, key, force)?;
            succession::keep_did(data_dir, last.head.node)?;
        }
        Ok(filled)
    });
    let filled = match outcome {
        Ok(filled) => filled,
        Err(error) => {
            place.forget();
            return Err(error);
        }
    };
    // A node with a genesis and no store asks its peers for what happened; the other way round it would found anew.
    federation::keep(data_dir, &filled.genesis).map_err(BackupError::inconsistent)?;
    let set_aside = place.switch(last)?;
    Ok(Restored {
        archives: chain.len(),
        place: location.to_string(),
        height: last.head.taken.height,
        root: last.head.root,
        blocks: filled.blocks,
        identity: filled.identity.is_some(),
        set_aside,
    })
}

/// Where the store is built, and what it replaces.
struct Place {
    building: Location,
    /// For stores in directories: where it is built, and where it goes.
    directories: Option<(PathBuf, PathBuf)>,
}

impl Place {
    fn prepare(location: &Location, force: bool) -> Result<Self, BackupError> {
        let Location::Directory { kind, path } = location else {
            return Ok(Self {
                building: location.clone(),
                directories: None,
            });
        };
        let is_there = fs::read_dir(path).is_ok_and(|mut files| files.next().is_some());
        if is_there && !force {
            return Err(BackupError::Force {
                what: format!("a store in {}", path.display()),
            });
        }
        if is_there {
            // Opening it takes its lock, which a node that runs does not give. That it is damaged is no obstacle:
            // that may be why somebody restores.
            if let Err(error @ OpenError::Locked { .. }) = open_existing(location) {
                return Err(error.into());
            }
        }
        let beside = suffixed(path, ".restoring");
        if beside.exists() {
            // What an attempt has left that was killed.
            fs::remove_dir_all(&beside)?;
        }
        let building = directory(*kind, &beside)?;
        Ok(Self {
            building,
            directories: Some((beside, path.clone())),
        })
    }

    /// Removes what was built.
    fn forget(&self) {
        if let Some((beside, _)) = &self.directories {
            let _ = fs::remove_dir_all(beside);
        }
    }

    /// Puts what was built in its place.
    fn switch(self, last: &Found) -> Result<Option<PathBuf>, BackupError> {
        let Some((beside, path)) = self.directories else {
            return Ok(None);
        };
        let mut set_aside = None;
        if path.exists() {
            let old = suffixed(&path, &format!(".before-{}", last.head.taken.id));
            fs::rename(&path, &old)?;
            set_aside = Some(old);
        }
        files::take_place(&beside, &path)?;
        Ok(set_aside)
    }
}

fn directory(kind: EmbeddedKind, path: &Path) -> Result<Location, BackupError> {
    Ok(Location::directory(kind.kind(), path)?)
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What came out of the archives besides the store.
struct Filled {
    genesis: Genesis,
    identity: Option<Vec<u8>>,
    /// How many blocks there are, by the last archive's word.
    blocks: u64,
}

/// Writes what the archives hold into the store.
fn fill(building: &Building, chain: &[Found]) -> Result<Filled, BackupError> {
    let (mut genesis, mut identity, mut blocks) = (None, None, 0);
    for (at, found) in chain.iter().enumerate() {
        let is_last = at + 1 == chain.len();
        let head = read::walk(&found.path, |_, part| {
            match part {
                Part::Genesis(found) if is_last => genesis = Some(*found),
                Part::Identity(key) if is_last => identity = Some(key),
                // The list comes last: every block has been put.
                Part::List(names) if is_last => blocks += count_blocks(building, &names)?,
                Part::Records(Table::Blocks, records) => put_blocks(building, records)?,
                // Of what each archive holds as a whole the last word counts.
                Part::Records(table, records) if is_last || !WHOLE.contains(&table) => {
                    put_records(building, table, records)?;
                }
                _ => {}
            }
            Ok(())
        });
        let head = head.map_err(|error| BackupError::from((found.path.as_path(), error)))?;
        if head != found.head {
            return Err(BackupError::inconsistent(
                "an archive was changed while it was read",
            ));
        }
    }
    let genesis = genesis.ok_or_else(|| BackupError::inconsistent("there is no genesis in it"))?;
    Ok(Filled {
        genesis,
        identity,
        blocks,
    })
}

/// Counts the blocks that are named, all of which must be there.
fn count_blocks(building: &Building, names: &[u8]) -> Result<u64, BackupError> {
    let mut count = 0;
    let mut names = names.chunks_exact(CID_BYTES);
    for name in &mut names {
        let cid =
            write::name_of(name).ok_or_else(|| BackupError::inconsistent("its list names no blocks"))?;
        if !Blocks::has_in(building, &cid.generic())? {
            return Err(BackupError::inconsistent(format_args!("block {cid} is missing")));
        }
        count += 1;
    }
    if names.remainder().is_empty() {
        Ok(count)
    } else {
        Err(BackupError::inconsistent("its list of blocks is cut off"))
    }
}

fn put_blocks(building: &Building, records: Vec<Record>) -> Result<(), BackupError> {
    let mut batch = Batch::new();
    for (name, bytes) in records {
        let cid = write::name_of(&name).ok_or_else(|| BackupError::inconsistent("a block has no name"))?;
        Blocks::put_in(&mut batch, &cid.generic(), bytes.into_vec())?;
    }
    Ok(building.commit(&batch)?)
}

fn put_records(building: &Building, table: Table, records: Vec<Record>) -> Result<(), BackupError> {
    let mut batch = Batch::new();
    for (key, value) in records {
        let (key, value) = (key.into_vec(), value.into_vec());
        if table == Table::Events {
            put_event(&mut batch, key, value).map_err(BackupError::inconsistent)?;
        } else {
            batch.put(table, key, value)?;
        }
    }
    Ok(building.commit(&batch)?)
}

/// Whether the store is what its last archive says.
fn check(building: &Building, head: &Head, filled: &Filled) -> Result<(), BackupError> {
    let state = write::read_state(building)?;
    let same = state.height() == head.taken.height
        && state.root() == head.root
        && state.merkle_root() == head.state
        && state.federation() == head.federation.id
        && filled.genesis.id() == head.federation.id;
    if !same {
        return Err(BackupError::inconsistent(
            "its state is not the one that its head names",
        ));
    }
    verify::log(building, head.taken.height, head.root)?;
    let end = ledger::last_event(building).map_err(BackupError::inconsistent)?;
    if end.0 != head.taken.last_event {
        return Err(BackupError::inconsistent(
            "its last event is not the one that its head names",
        ));
    }
    verify::events(building, end)?;
    Ok(())
}

/// Puts the node's key where the node looks for it; readable by the owner alone.
fn put_key(path: &Path, key: &[u8], force: bool) -> Result<(), BackupError> {
    match fs::read(path) {
        Ok(found) if found == key => return Ok(()),
        Ok(_) if !force => {
            return Err(BackupError::Force {
                what: format!("another key in {}", path.display()),
            });
        }
        Ok(_) => fs::rename(
            path,
            suffixed(path, &format!(".before-{:.8}", Digest::of(key).to_string())),
        )?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(files::create(path, key, Readers::Owner)?)
}
