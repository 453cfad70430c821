//! How much room blocks may take: asked before a put, so that what has no room is not stored in part.
//!
//! The count is read from the list of blocks now and then and kept up in between. Blocks that come
//! another way (fetched from peers, results of jobs) are never refused, and count from the next reading.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cid::Cid;

use super::{BlockError, Blocks};

/// A count older than this is read anew.
const COUNT_KEPT: Duration = Duration::from_secs(60);
/// Before a put is refused, a count older than this is read anew: something may have been removed.
const REFUSING_COUNT_KEPT: Duration = Duration::from_secs(2);

/// There is no room for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted_bytes} bytes more do not fit: {used_bytes} of {quota_bytes} bytes are taken")]
pub struct OverQuota {
    /// What was to be put.
    pub wanted_bytes: u64,
    /// What is taken.
    pub used_bytes: u64,
    /// What may be taken.
    pub quota_bytes: u64,
}

/// The room that blocks may take. Shared by whoever puts.
pub struct BlockQuota {
    blocks: Blocks,
    quota_bytes: u64,
    count: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    used_bytes: u64,
    read_at: Option<Instant>,
    /// Counted, and not yet in the list.
    coming: HashSet<Cid>,
}

/// Room for one block; given back when it goes without [`Reserved::stored`].
pub struct Reserved {
    quota: Arc<BlockQuota>,
    /// `None` where the block takes no new room.
    block: Option<(Cid, u64)>,
}

impl BlockQuota {
    /// Lets `blocks` take `quota_bytes`, not counting what the backend adds.
    #[must_use]
    pub fn new(blocks: Blocks, quota_bytes: u64) -> Self {
        Self {
            blocks,
            quota_bytes,
            count: Mutex::default(),
        }
    }

    /// What blocks may take, in bytes.
    #[must_use]
    pub fn quota_bytes(&self) -> u64 {
        self.quota_bytes
    }

    /// Room for the block `cid` of `size_bytes`; a block that is here already needs none. It may read
    /// the list of blocks, so it is for a thread that may block.
    ///
    /// # Errors
    ///
    /// The inner one if there is no room; the outer one if the list cannot be read.
    pub fn reserve(
        self: &Arc<Self>,
        cid: &Cid,
        size_bytes: u64,
    ) -> Result<Result<Reserved, OverQuota>, BlockError> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if count.coming.contains(cid) || self.blocks.has(cid)? {
            return Ok(Ok(Reserved {
                quota: Arc::clone(self),
                block: None,
            }));
        }
        if let Err(over) = self.look(&mut count, size_bytes)? {
            return Ok(Err(over));
        }
        count.used_bytes += size_bytes;
        count.coming.insert(*cid);
        Ok(Ok(Reserved {
            quota: Arc::clone(self),
            block: Some((*cid, size_bytes)),
        }))
    }

    /// Whether `size_bytes` would have room now; reserves nothing. For a thread that may block.
    ///
    /// # Errors
    ///
    /// As for [`BlockQuota::reserve`].
    pub fn check(&self, size_bytes: u64) -> Result<Result<(), OverQuota>, BlockError> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut count, size_bytes)
    }

    fn look(&self, count: &mut Count, size_bytes: u64) -> Result<Result<(), OverQuota>, BlockError> {
        self.read_unless(count, COUNT_KEPT)?;
        let has_room = |count: &Count| count.used_bytes.saturating_add(size_bytes) <= self.quota_bytes;
        if !has_room(count) {
            self.read_unless(count, REFUSING_COUNT_KEPT)?;
        }
        if has_room(count) {
            return Ok(Ok(()));
        }
        Ok(Err(OverQuota {
            wanted_bytes: size_bytes,
            used_bytes: count.used_bytes,
            quota_bytes: self.quota_bytes,
        }))
    }

    /// Reads the list unless the count is younger than `kept`, or blocks are on their way, which a
    /// reading may see or not.
    fn read_unless(&self, count: &mut Count, kept: Duration) -> Result<(), BlockError> {
        let is_young = count.read_at.is_some_and(|at| at.elapsed() < kept);
        if is_young || !(count.coming.is_empty() || count.read_at.is_none()) {
            return Ok(());
        }
        count.used_bytes = self.blocks.usage()?.size_bytes;
        count.read_at = Some(Instant::now());
        Ok(())
    }

    /// Makes the next put read the list: blocks were removed.
    pub fn recount(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        if count.coming.is_empty() {
            count.read_at = None;
        }
    }
}

impl Reserved {
    /// The block is in the list.
    pub fn stored(mut self) {
        if let Some((cid, _)) = self.block.take() {
            self.count(|count| {
                count.coming.remove(&cid);
            });
        }
    }

    fn count(&self, change: impl FnOnce(&mut Count)) {
        let mut count = self.quota.count.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut count);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some((cid, size_bytes)) = self.block.take() {
            self.count(|count| {
                count.coming.remove(&cid);
                count.used_bytes = count.used_bytes.saturating_sub(size_bytes);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, BlockQuota, Blocks};
    use crate::batch::Durability;
    use crate::core::StoreConfig;
    use crate::memory::MemoryBackend;
    use crate::store::Store;

    #[test]
    fn what_has_no_room_is_told_so_and_what_is_here_needs_none() {
        let store = Store::threaded(MemoryBackend::new(), StoreConfig::default()).unwrap();
        let blocks = Blocks::new(store);
        let put = |bytes: &[u8]| {
            let cid = Blocks::cid_of(0x55, bytes);
            blocks.put(&cid, bytes, Durability::Sync).unwrap().wait().unwrap();
            cid
        };
        let here = put(b"1234");
        let quota = Arc::new(BlockQuota::new(blocks.clone(), 10));
        let six = Blocks::cid_of(0x55, b"123456");
        let seven = Blocks::cid_of(0x55, b"1234567");
        let over = quota.reserve(&seven, 7).unwrap().err().unwrap();
        assert_eq!((over.used_bytes, over.quota_bytes, over.wanted_bytes), (4, 10, 7));
        let reserved = quota.reserve(&six, 6).unwrap().unwrap();
        // The same block at the same time takes its room once.
        quota.reserve(&six, 6).unwrap().unwrap().stored();
        let one = Blocks::cid_of(0x55, b"1");
        assert!(quota.reserve(&one, 1).unwrap().is_err());
        drop(reserved);
        let reserved = quota.reserve(&six, 6).unwrap().unwrap();
        put(b"123456");
        reserved.stored();
        assert!(quota.reserve(&one, 1).unwrap().is_err());
        quota.reserve(&here, 4).unwrap().unwrap().stored();
        blocks.delete(&here, Durability::Sync).unwrap().wait().unwrap();
        quota.recount();
        assert!(quota.reserve(&one, 1).unwrap().is_ok());
    }
}
