//! Restoring into a node that runs: the blocks and pins of a backup join what is there. Its state is the log's own,
//! and is never replaced while the node runs.
use super::{
    BackupError,
    read::{self, Part},
    write,
};
use crate::dag::{Pins, decode_pin};
use icn_api::backups::Merged;
use icn_model::Cid;
use icn_store::{Blocks, Table};
use std::path::Path;

/// Puts the blocks and pins of the archive at `path` that are missing or damaged here.
pub(super) async fn merge(
    blocks: Blocks,
    pins: Pins,
    federation: Cid,
    path: &Path,
) -> Result<Merged, BackupError> {
    let path = path.to_owned();
    let merged = tokio::task::spawn_blocking(move || {
        // Once to see that all of it is good, and once to use it: a bad archive changes nothing.
        let head = read::walk(&path, |_, part| each_block(part, |_, _| Ok(())))
            .map_err(|error| BackupError::from((path.as_path(), error)))?;
        if head.federation.id != federation {
            return Err(BackupError::OtherFederation {
                ours: federation,
                theirs: head.federation.id,
            });
        }
        let mut merged = Merged {
            id: head.taken.id.clone(),
            height: head.taken.height,
            blocks_put: 0,
            blocks_here: 0,
            pins_put: 0,
        };
        let mut found = Vec::new();
        let walked = read::walk(&path, |_, part| {
            if let Part::Records(Table::Pins, records) = &part {
                for (_, record) in records {
                    found.push(decode_pin(record).map_err(|source| BackupError::Record {
                        table: Table::Pins,
                        source,
                    })?);
                }
            }
            each_block(part, |cid, bytes| {
                match blocks.heal(&cid.generic(), bytes)? {
                    Some(commit) => {
                        commit.wait()?;
                        merged.blocks_put += 1;
                    }
                    None => merged.blocks_here += 1,
                }
                Ok(())
            })
        });
        walked.map_err(|error| BackupError::from((path.as_path(), error)))?;
        Ok((merged, found))
    });
    let (mut merged, found) = merged.await.map_err(std::io::Error::other)??;
    for pin in found {
        let here = pins
            .get(&pin.cid, &pin.owner)
            .map_err(BackupError::inconsistent)?;
        if here.is_none() {
            pins.add(&pin).await.map_err(BackupError::inconsistent)?;
            merged.pins_put += 1;
        }
    }
    Ok(merged)
}

fn each_block(
    part: Part,
    mut each: impl FnMut(Cid, Vec<u8>) -> Result<(), BackupError>,
) -> Result<(), BackupError> {
    let Part::Records(Table::Blocks, records) = part else {
        return Ok(());
    };
    for (name, bytes) in records {
        let cid = write::name_of(&name).ok_or_else(|| BackupError::inconsistent("a block has no name"))?;
        if !cid.names(&bytes) {
            return Err(BackupError::inconsistent(format_args!("block {cid} is damaged")));
        }
        each(cid, bytes.into_vec())?;
    }
    Ok(())
}
