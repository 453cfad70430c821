//! Whether what a node keeps is whole: blocks, log, state and events.
//!
//! The shallow check reads lists and chains. The deep one hashes every block, and executes the log anew from the
//! genesis, so that the state that is stored is compared with what the log says, record by record.
use super::{BackupError, write};
use crate::dag::Pins;
use icn_api::{
    backups::{Finding, MAX_FINDINGS, VerifyReport},
    car::links,
};
use icn_model::{Cid, Codec, Digest, Genesis, Height, Time, canonical, limits::MAX_DAG_BLOCK_BYTES};
use icn_protocol::{
    block::LogBlock,
    ledger::{self, BlockPlace, FinalOperation, StoredEvent, indexed_number, is_indexed},
};
use icn_state::{Engine, State};
use icn_store::{BlockError, Blocks, Reader, ScanRange, Store, Table};
use std::{
    ops::Bound,
    sync::atomic::{AtomicBool, Ordering},
};

/// Blocks that are listed at a time.
const PAGE_BLOCKS: usize = 1_000;
/// Largest record of the log's places and of operations'.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// What a check looks at.
pub(super) struct Subject<'a> {
    pub(super) store: &'a Store,
    pub(super) blocks: &'a Blocks,
    pub(super) pins: &'a Pins,
    pub(super) genesis: &'a Genesis,
    /// What runs the federation's contracts.
    pub(super) policies: Engine,
    /// The content of a final block, if it is on this node.
    pub(super) log_block: &'a dyn Fn(Height) -> Option<LogBlock>,
    /// The Merkle root of the state in memory, with its height.
    pub(super) in_memory: &'a dyn Fn() -> (Height, Digest),
    /// Set when the node shuts down.
    pub(super) stop: &'a AtomicBool,
    pub(super) now: fn() -> Time,
}

/// Checks what the node keeps.
pub(super) fn verify(subject: &Subject<'_>, deep: bool) -> Result<VerifyReport, BackupError> {
    let snapshot = subject.store.snapshot()?;
    let mut check = Check {
        subject,
        report: VerifyReport {
            deep,
            started: (subject.now)(),
            finished: Time::new(0),
            height: Height::ZERO,
            root: Digest::ZERO,
            blocks: 0,
            block_bytes: 0,
            absent_links: 0,
            log_executed: 0,
            log_absent: 0,
            events: 0,
            forgotten: 0,
            faults: 0,
            findings: Vec::new(),
        },
    };
    let state = match write::read_state(&snapshot) {
        Ok(state) => Some(state),
        Err(BackupError::State(error)) => {
            check.fault(format!("the state cannot be read: {error}"), None);
            None
        }
        Err(error) => return Err(error),
    };
    let end = ledger::last_event(&snapshot).map_err(BackupError::inconsistent);
    drop(snapshot);
    if let Some(state) = &state {
        (check.report.height, check.report.root) = (state.height(), state.root());
        check.soft(log(subject.store, state.height(), state.root()))?;
        if deep {
            check.state(state)?;
        }
    }
    let chain = end.and_then(|end| {
        check.report.events = end.0;
        events(subject.store, end)
    });
    let chain = chain.map(|forgotten| check.report.forgotten = forgotten);
    check.soft(chain)?;
    check.blocks()?;
    check.pins()?;
    check.report.finished = (subject.now)();
    Ok(check.report)
}

struct Check<'a> {
    subject: &'a Subject<'a>,
    report: VerifyReport,
}

impl Check<'_> {
    fn fault(&mut self, text: String, cid: Option<Cid>) {
        self.report.faults += 1;
        if self.report.findings.len() < MAX_FINDINGS {
            self.report.findings.push(Finding { text, cid });
        }
    }

    /// Notes an inconsistency as a fault; other errors end the check.
    fn soft(&mut self, outcome: Result<(), BackupError>) -> Result<(), BackupError> {
        match outcome {
            // No backup is looked at, of which the error itself would speak.
            Err(BackupError::Inconsistent { detail }) => {
                self.fault(detail, None);
                Ok(())
            }
            Err(error @ BackupError::Record { .. }) => {
                self.fault(error.to_string(), None);
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn go_on(&self) -> Result<(), BackupError> {
        if self.subject.stop.load(Ordering::Relaxed) {
            return Err(std::io::Error::other("the node is shutting down").into());
        }
        Ok(())
    }

    /// Executes the log anew, and compares what comes out with what is stored.
    fn state(&mut self, stored: &State) -> Result<(), BackupError> {
        let Ok((mut state, _)) = State::genesis(self.subject.genesis, self.subject.policies.clone()) else {
            self.fault("the federation's genesis begins no state".into(), None);
            return Ok(());
        };
        let last = stored.height().get();
        for height in (1..=last).map(Height::new) {
            self.go_on()?;
            let Some(block) = (self.subject.log_block)(height) else {
                self.report.log_absent = last - height.get() + 1;
                return self.compare_with_memory(stored);
            };
            let place = place(self.subject.store, height)?;
            if place.as_ref().map(|place| place.hash) != Some(block.hash()) {
                self.fault(
                    format!("block {height} of the log is not the one that was executed"),
                    None,
                );
                return self.compare_with_memory(stored);
            }
            self.operations(&block)?;
            let context = state.context_of(block.header());
            state.apply(&context, &block.content().operations);
            self.report.log_executed += 1;
            if place.is_some_and(|place| place.root != state.root()) {
                self.fault(
                    format!("the root at height {height} is not what the log gives"),
                    None,
                );
                return Ok(());
            }
        }
        if !state.records().eq(stored.records()) {
            let text = format!(
                "the state at height {last} is not what the log gives: restore a backup, or the store from peers"
            );
            self.fault(text, None);
        }
        Ok(())
    }

    fn compare_with_memory(&mut self, stored: &State) -> Result<(), BackupError> {
        let (height, root) = (self.subject.in_memory)();
        if height == stored.height() && root != stored.merkle_root() {
            self.fault(
                format!("the stored state at height {height} is not the one that the node has in memory"),
                None,
            );
        }
        Ok(())
    }

    /// Whether each operation of a block is where the store says.
    fn operations(&mut self, block: &LogBlock) -> Result<(), BackupError> {
        let height = block.header().height;
        for (index, operation) in block.content().operations.iter().enumerate() {
            let id = operation.id();
            let record = self
                .subject
                .store
                .get(Table::Operations, id.digest().as_bytes())?;
            let place = record
                .and_then(|bytes| canonical::from_own_bytes::<FinalOperation>(&bytes, MAX_RECORD_BYTES).ok());
            let found = place.map(|place| (place.height, usize::try_from(place.index).unwrap_or(usize::MAX)));
            // An operation that was sent again after its key's window had passed stands in a later block, too.
            if found.is_none_or(|found| found < (height, index)) {
                self.fault(format!("operation {id} is not where it was executed"), None);
            }
        }
        Ok(())
    }

    fn blocks(&mut self) -> Result<(), BackupError> {
        let mut after = None;
        loop {
            self.go_on()?;
            let page = self.subject.blocks.list(after.as_ref(), PAGE_BLOCKS)?;
            for entry in &page.entries {
                self.report.blocks += 1;
                self.report.block_bytes += u64::from(entry.size_bytes);
                let Ok(cid) = Cid::try_from(&entry.cid) else {
                    self.fault(format!("{} is of a kind that no node keeps", entry.cid), None);
                    continue;
                };
                if self.report.deep {
                    self.block(cid, entry.size_bytes)?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn block(&mut self, cid: Cid, size_bytes: u32) -> Result<(), BackupError> {
        match self.subject.blocks.get(&cid.generic()) {
            Ok(Some(bytes)) => {
                if bytes.len() != size_bytes as usize {
                    self.fault(format!("the list has another size of block {cid}"), Some(cid));
                }
                if cid.codec() == Codec::DagCbor {
                    self.links(cid, &bytes)?;
                }
                Ok(())
            }
            // Collected since it was listed.
            Ok(None) => Ok(()),
            Err(BlockError::Corrupt { .. }) => {
                let text = format!("block {cid} is damaged: icn-cli dag get {cid} takes it from a peer");
                self.fault(text, Some(cid));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn links(&mut self, cid: Cid, bytes: &[u8]) -> Result<(), BackupError> {
        let Ok(links) = links(bytes, MAX_DAG_BLOCK_BYTES) else {
            self.fault(format!("block {cid} is no DAG-CBOR, as its name says"), Some(cid));
            return Ok(());
        };
        for link in links {
            if !self.subject.blocks.has(&link.generic())? {
                self.report.absent_links += 1;
            }
        }
        Ok(())
    }

    /// What is pinned has to be here.
    fn pins(&mut self) -> Result<(), BackupError> {
        let mut missing = Vec::new();
        let mut failed = None;
        let blocks = self.subject.blocks;
        let each = self
            .subject
            .pins
            .each(|pin| match blocks.has(&pin.cid.generic()) {
                Ok(true) => {}
                Ok(false) => missing.push(pin.cid),
                Err(error) => failed = Some(error),
            });
        if let Err(error) = each {
            self.fault(error.to_string(), None);
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        for cid in missing {
            self.fault(format!("block {cid} is pinned, and is not here"), Some(cid));
        }
        Ok(())
    }
}

fn place(reader: &impl Reader, height: Height) -> Result<Option<BlockPlace>, BackupError> {
    let bytes = reader.get(Table::Log, &height.get().to_be_bytes())?;
    let decode = |bytes: Vec<u8>| {
        canonical::from_own_bytes(&bytes, MAX_RECORD_BYTES).map_err(|source| BackupError::Record {
            table: Table::Log,
            source,
        })
    };
    bytes.map(decode).transpose()
}

/// Whether there is a place for each block of the log up to `height`, and the last one has `root`.
pub(super) fn log(reader: &impl Reader, height: Height, root: Digest) -> Result<(), BackupError> {
    let upto = ScanRange::new(
        Bound::Unbounded,
        Bound::Included(height.get().to_be_bytes().to_vec()),
    );
    let mut next: u64 = 0;
    write::each(reader, Table::Log, &upto, |key, _| {
        if key != next.to_be_bytes() {
            return Err(BackupError::inconsistent(format_args!(
                "block {next} of the log is missing"
            )));
        }
        next += 1;
        Ok(())
    })?;
    let last = place(reader, height)?;
    if last.is_some_and(|place| place.root == root) {
        Ok(())
    } else {
        Err(BackupError::inconsistent(format_args!(
            "the log has another root at height {height} than the state"
        )))
    }
}

/// Whether the events up to the last one, of this number and hash, are all there, each naming the one before, and those
/// that are kept are in the index, and nothing else; says how many of them are stubs. What a stub says of its record is
/// proven by the record after it, unless that was forgotten, too.
pub(super) fn events(reader: &impl Reader, (last, hash): (u64, Digest)) -> Result<u64, BackupError> {
    let upto = ScanRange::new(Bound::Unbounded, Bound::Included(last.to_be_bytes().to_vec()));
    let (mut number, mut previous, mut forgotten) = (0_u64, Digest::ZERO, 0);
    write::each(reader, Table::Events, &upto, |key, bytes| {
        let stored = StoredEvent::decode(&bytes).map_err(BackupError::inconsistent)?;
        number += 1;
        let (follows, is_forgotten) = match &stored {
            StoredEvent::Kept(record) => (record.previous == previous, !is_indexed(reader, record)?),
            StoredEvent::Forgotten(_) => (true, true),
        };
        if stored.number() != number || !follows {
            return Err(BackupError::inconsistent(format_args!(
                "event {number} is missing, or was changed"
            )));
        }
        forgotten += u64::from(is_forgotten);
        previous = stored.hash(&bytes);
        // What was kept when it was read may be forgotten by now.
        if is_forgotten
            && reader.get(Table::Events, &key)? == Some(bytes)
            && matches!(stored, StoredEvent::Kept(_))
        {
            return Err(BackupError::inconsistent(format_args!(
                "event {number} is not among those of its kind"
            )));
        }
        Ok(())
    })?;
    if number != last {
        return Err(BackupError::inconsistent(format_args!(
            "events after {number} are missing"
        )));
    }
    if previous != hash {
        return Err(BackupError::inconsistent(format_args!(
            "event {last}, the last one, was changed"
        )));
    }
    let mut indexed = 0;
    write::each(reader, Table::EventKinds, &ScanRange::all(), |key, _| {
        let number = indexed_number(&key).map_err(BackupError::inconsistent)?;
        indexed += u64::from(number <= last);
        Ok(())
    })?;
    if indexed > last - forgotten {
        return Err(BackupError::inconsistent(format_args!(
            "{indexed} events are listed by their kinds, {} are kept",
            last - forgotten
        )));
    }
    Ok(forgotten)
}
