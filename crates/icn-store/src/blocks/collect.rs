//! Removing blocks that nobody refers to, without losing one that is put again meanwhile.
//!
//! A block is marked first, and removed only while it still carries the mark. Every put takes the mark
//! off, and none happens between the look at the mark and the removal. Who refers to what is the
//! caller's knowledge.

use cid::Cid;

use super::{BlockEntry, BlockError, BlockUsage, Blocks, INDEX, entry, key};
use crate::batch::{Batch, Durability};
use crate::reader::Reader as _;
use crate::table::Table;

impl Blocks {
    /// Notes that nobody refers to the blocks of `cids`, as of `now_ms`. Blocks that carry such a mark
    /// already keep theirs; blocks that are not here are passed over.
    ///
    /// Puts wait while this looks at the blocks: a few hundred at a time are a good number.
    ///
    /// # Errors
    ///
    /// The list of blocks is damaged, or the store failed.
    pub fn mark(&self, cids: &[Cid], now_ms: u64) -> Result<(), BlockError> {
        self.rewrite(cids, |entry| {
            let unmarked = entry.unreferenced_since_ms.is_none();
            unmarked.then(|| index_value(entry.size_bytes, Some(now_ms)))
        })
    }

    /// Takes the marks off the blocks of `cids`: somebody refers to them again.
    ///
    /// # Errors
    ///
    /// As for [`Blocks::mark`].
    pub fn unmark(&self, cids: &[Cid]) -> Result<(), BlockError> {
        self.rewrite(cids, |entry| {
            let marked = entry.unreferenced_since_ms.is_some();
            marked.then(|| index_value(entry.size_bytes, None))
        })
    }

    fn rewrite(
        &self,
        cids: &[Cid],
        change: impl Fn(&BlockEntry) -> Option<Vec<u8>>,
    ) -> Result<(), BlockError> {
        let _alone = self.store.keep_puts_out()?;
        let mut batch = Batch::new();
        for cid in cids {
            if let Some(value) = self.entry(cid)?.and_then(|entry| change(&entry)) {
                batch.put(Table::Blocks, key(INDEX, cid), value)?;
            }
        }
        // A mark that is lost to a power cut is set again.
        self.store.hand_in(batch, Durability::Buffered).wait()?;
        Ok(())
    }

    /// Removes those blocks of `cids` that have carried their mark since `before_ms` or longer. What is
    /// removed may come back after a power cut, never the other way round.
    ///
    /// `may_go` is asked once, when no put can happen any more until the blocks are gone; where it says
    /// no, nothing is removed and the answer is `None`.
    ///
    /// # Errors
    ///
    /// As for [`Blocks::mark`].
    pub fn remove_marked(
        &self,
        cids: &[Cid],
        before_ms: u64,
        may_go: impl FnOnce() -> bool,
    ) -> Result<Option<BlockUsage>, BlockError> {
        let _alone = self.store.keep_puts_out()?;
        if !may_go() {
            return Ok(None);
        }
        let mut batch = Batch::new();
        let mut removed = BlockUsage::default();
        for cid in cids {
            let Some(entry) = self.entry(cid)? else { continue };
            if entry
                .unreferenced_since_ms
                .is_some_and(|since| since <= before_ms)
            {
                Self::delete_in(&mut batch, cid)?;
                removed.blocks += 1;
                removed.size_bytes += u64::from(entry.size_bytes);
            }
        }
        self.store.hand_in(batch, Durability::Buffered).wait()?;
        Ok(Some(removed))
    }

    /// What the list says of a block; `None` if it isn't here.
    ///
    /// # Errors
    ///
    /// The list of blocks is damaged, or the store failed.
    pub fn entry(&self, cid: &Cid) -> Result<Option<BlockEntry>, BlockError> {
        let key = key(INDEX, cid);
        let value = self.store.get(Table::Blocks, &key)?;
        value.map(|value| entry(&key, &value)).transpose()
    }
}

fn index_value(size_bytes: u32, unreferenced_since_ms: Option<u64>) -> Vec<u8> {
    let mut value = size_bytes.to_le_bytes().to_vec();
    if let Some(since) = unreferenced_since_ms {
        value.extend(since.to_le_bytes());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{BlockUsage, Blocks, Cid, Durability};
    use crate::core::StoreConfig;
    use crate::memory::MemoryBackend;
    use crate::store::Store;

    fn blocks(contents: &[&[u8]]) -> (Blocks, Vec<Cid>) {
        let store = Store::threaded(MemoryBackend::new(), StoreConfig::default()).unwrap();
        let blocks = Blocks::new(store);
        let put = |bytes: &&[u8]| {
            let cid = Blocks::cid_of(0x55, bytes);
            let put = blocks.put(&cid, *bytes, Durability::Sync).unwrap();
            put.wait().unwrap();
            cid
        };
        let cids = contents.iter().map(put).collect();
        (blocks, cids)
    }

    #[test]
    fn only_what_was_marked_long_enough_goes() {
        let (blocks, cids) = blocks(&[b"one", b"three", b"fourteen"]);
        blocks.mark(&cids[..1], 100).unwrap();
        blocks.mark(&cids[..2], 200).unwrap();
        let since = |cid| blocks.entry(cid).unwrap().unwrap().unreferenced_since_ms;
        assert_eq!(
            [since(&cids[0]), since(&cids[1]), since(&cids[2])],
            [Some(100), Some(200), None]
        );
        assert_eq!(blocks.remove_marked(&cids, 199, || false).unwrap(), None);
        let removed = blocks.remove_marked(&cids, 199, || true).unwrap();
        let expected = BlockUsage {
            blocks: 1,
            size_bytes: 3,
        };
        assert_eq!(removed, Some(expected));
        assert_eq!(blocks.get(&cids[0]).unwrap(), None);
        assert_eq!(blocks.usage().unwrap().size_bytes, 13);
        blocks.unmark(&cids).unwrap();
        let removed = blocks.remove_marked(&cids, u64::MAX, || true).unwrap();
        assert_eq!(removed, Some(BlockUsage::default()));
    }

    #[test]
    fn a_put_takes_the_mark_off() {
        let (blocks, cids) = blocks(&[b"comes back"]);
        blocks.mark(&cids, 1).unwrap();
        // Not waited for: what was handed in before the removal counts, also while it is on its way.
        let put = blocks.put(&cids[0], b"comes back", Durability::Buffered).unwrap();
        let removed = blocks.remove_marked(&cids, u64::MAX, || true).unwrap();
        put.wait().unwrap();
        assert_eq!(removed, Some(BlockUsage::default()));
        assert!(blocks.get(&cids[0]).unwrap().is_some());
    }
}
