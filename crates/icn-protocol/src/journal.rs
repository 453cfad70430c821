//! Whether the consensus journal is the one that this node voted with.
//!
//! A seat that forgot its votes could vote twice and be taken for a liar. So the journal and the store
//! carry one random mark: where they do not agree, the node follows and does not vote for the rest of the
//! epoch. A backup holds the store and never the journal, so a restored node is caught by this, too.
use crate::environment::Runtime;
use commonware_runtime::{Blob as _, Error as RuntimeError, ReadOptions, WriteOptions};
use icn_model::Height;
use icn_store::{Batch, Durability, Reader as _, Store, StoreError, Table};

const MARK: &[u8] = b"journal/mark";
const MARK_BYTES: usize = 16;

/// Why the mark cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The journal's storage failed.
    #[error("the consensus journal in the data directory cannot be read or written")]
    Journal(#[from] RuntimeError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// What the mark says.
pub struct Journal {
    /// Whether the node may vote in the epoch that it is in.
    pub may_vote: bool,
    /// Names the time since when journal and store have been the same ones: where the mark is another one than before, the
    /// node may have forgotten what it did.
    pub mark: Vec<u8>,
}

/// Says whether the node may vote, and marks journal and store as belonging together from now on.
///
/// # Errors
/// If either cannot be read or written.
pub async fn open<E: Runtime>(
    runtime: &mut E,
    store: &Store,
    partition: &str,
    applied: Height,
) -> Result<Journal, JournalError> {
    let (blob, len) = runtime.open(&format!("{partition}-mark"), MARK).await?;
    let in_journal = if len >= MARK_BYTES as u64 {
        Some(
            blob.read_at(0, MARK_BYTES, ReadOptions::default())
                .await?
                .coalesce()
                .as_ref()
                .to_vec(),
        )
    } else {
        None
    };
    let in_store = store.get(Table::Meta, MARK)?;
    let agree = match (&in_journal, &in_store) {
        (Some(journal), Some(store)) => journal == store,
        // Nothing was voted on yet.
        (None, None) => applied == Height::ZERO,
        // The store was lost, or is of another time; the votes are all there.
        (Some(_), None) => true,
        (None, Some(_)) => false,
    };
    let mark = match in_store {
        Some(mark) if agree && in_journal.is_some() => mark,
        _ => {
            let mut mark = vec![0; MARK_BYTES];
            runtime.fill_bytes(&mut mark);
            blob.write_at(0, mark.clone(), WriteOptions::SYNC).await?;
            let mut batch = Batch::new();
            batch.put(Table::Meta, MARK, mark.clone())?;
            store.commit(batch, Durability::Sync).await?;
            mark
        }
    };
    Ok(Journal {
        may_vote: agree,
        mark,
    })
}
