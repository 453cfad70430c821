//! Garbage collection: what neither pins nor the log's state nor this node's jobs lead to is removed, once that
//! has been so for the grace period.
//!
//! The log's state is asked in the one way that cannot miss anything: every link in every record counts, and so
//! does every link in the blocks that they lead to. A block that nothing leads to is marked with the time; a put
//! takes the mark off, and only what has carried its mark for the grace period goes. So a block that is put stays
//! at least so long, whether or not anything refers to it yet. Blocks are looked at a page at a time, and other
//! work goes on between the pages; only the links of what is kept are held in memory.
use super::{
    PinError, Pins,
    pins::{Watching, is_over},
};
use icn_api::{
    car::links,
    dag::{GcReport, Pin},
};
use icn_model::{Cid, Codec, Millis, Time, canonical::DecodeError, limits::MAX_DAG_BLOCK_BYTES};
use icn_store::{
    BlockEntry, BlockError, Blocks, MAX_VALUE_BYTES, Reader, ScanRange, Store, StoreError, Table,
};
use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

/// Blocks that are looked at, marked or removed at a time: puts wait so long.
const PAGE_BLOCKS: usize = 500;
/// Records of the log's state that are read at a time.
const PAGE_RECORDS: usize = 1_000;
/// The most blocks that may be kept: each takes some 50 bytes of memory while a collection runs.
const MAX_KEPT: usize = 8_000_000;

/// Why a collection did not come to its end. What it did before holds.
#[derive(Debug, thiserror::Error)]
pub(super) enum GcError {
    /// What a kept block leads to is not known.
    #[error(
        "{cid} is kept, and damaged: what it leads to is not known. Get it from a peer (icn-cli dag get)"
    )]
    Damaged {
        /// The block.
        cid: Cid,
    },
    /// A record of the log's state or of a job is no DAG-CBOR.
    #[error("a record in table {table} cannot be read")]
    Record {
        /// The table.
        table: Table,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// There are more blocks than a collection can remember.
    #[error("over {MAX_KEPT} blocks are kept: a collection cannot remember more")]
    TooMany,
    /// The pins cannot be read.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// The blocks cannot be read or removed.
    #[error(transparent)]
    Blocks(#[from] BlockError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node is shutting down.
    #[error("the node is shutting down")]
    Stopped,
}

/// Collects the garbage of one store; one collection at a time, which its caller sees to.
pub(super) struct Collector {
    store: Store,
    blocks: Blocks,
    pins: Pins,
    grace: Millis,
    stopped: AtomicBool,
}

impl Collector {
    pub(super) fn new(store: Store, blocks: Blocks, pins: Pins, grace: Millis) -> Self {
        Self {
            store,
            blocks,
            pins,
            grace,
            stopped: AtomicBool::new(false),
        }
    }

    /// Ends a collection at its next page.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Removes what may go, or tells what would be removed if it is a dry run.
    pub(super) fn run(&self, dry_run: bool, now: fn() -> Time) -> Result<GcReport, GcError> {
        let watching = self.pins.watch();
        let mut report = GcReport {
            dry_run,
            started: now(),
            ..GcReport::default()
        };
        let mut kept = Kept::default();
        self.add_pins(&mut kept, &mut report)?;
        self.add_named(&mut kept, &mut report)?;
        self.follow(&mut kept)?;
        let mut after = None;
        loop {
            let page = self.blocks.list(after.as_ref(), PAGE_BLOCKS)?;
            self.page(&page.entries, &mut kept, &watching, &mut report)?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        if !dry_run {
            self.store.persist().wait()?;
        }
        report.finished = now();
        Ok(report)
    }

    fn check(&self) -> Result<(), GcError> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(GcError::Stopped);
        }
        Ok(())
    }

    /// Begins with the pins that count, and takes away those that no longer do.
    fn add_pins(&self, kept: &mut Kept, report: &mut GcReport) -> Result<(), GcError> {
        let mut over: Vec<Pin> = Vec::new();
        self.pins.each(|pin| {
            if !is_over(&pin, report.started) {
                report.pins += 1;
                kept.add(pin.cid);
            } else if over.len() < PAGE_RECORDS {
                // The rest goes the next time.
                over.push(pin);
            }
        })?;
        report.expired_pins = if report.dry_run {
            over.len() as u64
        } else {
            self.pins.expire(&over)?
        };
        Ok(())
    }

    /// Goes on with every link in the log's state and in this node's jobs.
    fn add_named(&self, kept: &mut Kept, report: &mut GcReport) -> Result<(), GcError> {
        for table in [Table::State, Table::Jobs] {
            let mut range = ScanRange::all();
            loop {
                self.check()?;
                // Not of one moment: what a later block of the log names was put a moment ago.
                let page = self.store.scan(table, &range, PAGE_RECORDS)?;
                for (_, record) in &page.entries {
                    let named =
                        links(record, MAX_VALUE_BYTES).map_err(|source| GcError::Record { table, source })?;
                    for cid in named {
                        report.named_by_log += u64::from(kept.add(cid));
                    }
                }
                match page.next {
                    Some(cursor) => range = range.resume(&cursor),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Finds everything that the kept blocks lead to. A block that is not here leads nowhere; of one that is
    /// damaged nobody knows where it leads, so nothing may be removed.
    fn follow(&self, kept: &mut Kept) -> Result<(), GcError> {
        while let Some(cid) = kept.open.pop() {
            self.check()?;
            let bytes = match self.blocks.get(&cid.generic()) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => continue,
                Err(BlockError::Corrupt { .. }) => return Err(GcError::Damaged { cid }),
                Err(error) => return Err(error.into()),
            };
            // A block that says that it is DAG-CBOR and is not leads nowhere.
            for link in links(&bytes, MAX_DAG_BLOCK_BYTES).unwrap_or_default() {
                kept.add(link);
            }
            if kept.all.len() > MAX_KEPT {
                return Err(GcError::TooMany);
            }
        }
        Ok(())
    }

    fn page(
        &self,
        entries: &[BlockEntry],
        kept: &mut Kept,
        watching: &Watching<'_>,
        report: &mut GcReport,
    ) -> Result<(), GcError> {
        self.check()?;
        let is_kept = |kept: &Kept, entry: &BlockEntry| {
            Cid::try_from(&entry.cid).is_ok_and(|cid| kept.all.contains(&cid))
        };
        let (staying, loose): (Vec<&BlockEntry>, Vec<_>) =
            entries.iter().partition(|entry| is_kept(kept, entry));
        let cutoff = report.started.before(self.grace);
        let may_go = |entry: &BlockEntry| {
            let since = entry
                .unreferenced_since_ms
                .unwrap_or_else(|| report.started.get());
            since <= cutoff.get()
        };
        let (going, waiting): (Vec<&BlockEntry>, Vec<_>) = loose.iter().partition(|entry| may_go(entry));
        report.blocks += entries.len() as u64;
        report.kept += staying.len() as u64;
        report.waiting += waiting.len() as u64;
        report.waiting_bytes += sum(waiting.iter().copied());
        if report.dry_run {
            report.removed += going.len() as u64;
            report.removed_bytes += sum(going.iter().copied());
            return Ok(());
        }
        let named = |entries: &[&BlockEntry], marked: bool| -> Vec<_> {
            let wanted = |entry: &&&BlockEntry| entry.unreferenced_since_ms.is_some() == marked;
            entries.iter().filter(wanted).map(|entry| entry.cid).collect()
        };
        let (unmark, mark) = (named(&staying, true), named(&loose, false));
        if !unmark.is_empty() {
            self.blocks.unmark(&unmark)?;
        }
        if !mark.is_empty() {
            self.blocks.mark(&mark, report.started.get())?;
        }
        let mut going: Vec<BlockEntry> = going.into_iter().copied().collect();
        while !going.is_empty() {
            let cids: Vec<_> = going.iter().map(|entry| entry.cid).collect();
            let removed = self
                .blocks
                .remove_marked(&cids, cutoff.get(), || watching.is_quiet())?;
            if let Some(removed) = removed {
                report.removed += removed.blocks;
                report.removed_bytes += removed.size_bytes;
                break;
            }
            // Somebody pinned something meanwhile, which may be among these.
            watching.take().into_iter().for_each(|cid| {
                kept.add(cid);
            });
            self.follow(kept)?;
            going.retain(|entry| !is_kept(kept, entry));
        }
        Ok(())
    }
}

fn sum<'a>(entries: impl Iterator<Item = &'a BlockEntry>) -> u64 {
    entries.map(|entry| u64::from(entry.size_bytes)).sum()
}

/// What stays, and which of it is still to be followed.
#[derive(Default)]
struct Kept {
    all: HashSet<Cid>,
    open: Vec<Cid>,
}

impl Kept {
    /// Whether it is new.
    fn add(&mut self, cid: Cid) -> bool {
        let is_new = self.all.insert(cid);
        if is_new && cid.codec() == Codec::DagCbor {
            self.open.push(cid);
        }
        is_new
    }
}
