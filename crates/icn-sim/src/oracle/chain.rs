//! One log: the same block, root and events at every height of every node, and nothing durable undone.
use super::{Invariant, Violation};
use icn_model::{Digest, Event, EventRecord, PublicKey, canonical};
use icn_protocol::ledger::{BlockPlace, Ledger};
use icn_store::{Reader as _, ScanRange, Table};
use std::{collections::BTreeMap, ops::Bound};

const PAGE: usize = 1_024;
/// Heights that are read a second time after a crash.
const READ_AGAIN: u64 = 64;
const MAX_RECORD_BYTES: usize = 1 << 20;

/// What one height is on every node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Height {
    block: Digest,
    root: Digest,
    events: Digest,
}

/// How far a node has been read.
#[derive(Clone, Copy, Debug, Default)]
struct Read {
    height: u64,
    event: u64,
    /// Hash of the last event's record, if this reader has seen it.
    event_hash: Option<Digest>,
    /// The height that the node has called durable.
    durable: u64,
}

/// What a look at a node has brought.
pub(super) struct News {
    /// Events by height that no other node had shown before.
    pub(super) events: Vec<(u64, Vec<Event>)>,
    /// Seat, epoch and view of evidence.
    pub(super) accusations: Vec<(PublicKey, u64, u64)>,
    /// Whether this node is the first at its height.
    pub(super) is_first: bool,
}

pub(super) struct Chain {
    heights: BTreeMap<u64, Height>,
    read: Vec<Read>,
    highest: u64,
}

impl Chain {
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            heights: BTreeMap::new(),
            read: vec![Read::default(); nodes],
            highest: 0,
        }
    }

    pub(super) fn common_height(&self) -> u64 {
        self.read.iter().map(|read| read.height).min().unwrap_or(0)
    }

    /// The highest that any node has reached.
    pub(super) const fn highest(&self) -> u64 {
        self.highest
    }

    /// Reads what a node has written since the last time.
    pub(super) fn read(&mut self, node: usize, ledger: &Ledger) -> Result<News, Violation> {
        let mut read = self.read[node];
        read.durable = ledger.progress().height.get();
        let (mut events, accusations) = read_events(node, ledger, &mut read)?;
        let mut fresh = Vec::new();
        for (height, place) in rows::<BlockPlace>(node, ledger, Table::Log, read.height)? {
            if height != read.height + 1 {
                return Err(disagrees(
                    node,
                    format!("height {height} follows {}", read.height),
                ));
            }
            read.height = height;
            let own = events.remove(&height).unwrap_or_default();
            let found = Height {
                block: place.hash,
                root: place.root,
                events: digest(&own),
            };
            self.invariant_agreement(node, height, found)?;
            if height > self.highest {
                self.highest = height;
                fresh.push((height, own));
            }
        }
        if let Some(height) = events.keys().next() {
            return Err(disagrees(
                node,
                format!("events at height {height}, outside of its block"),
            ));
        }
        self.read[node] = read;
        let needed = self.common_height().saturating_sub(READ_AGAIN);
        self.heights = self.heights.split_off(&needed);
        Ok(News {
            is_first: !fresh.is_empty(),
            events: fresh,
            accusations,
        })
    }

    fn invariant_agreement(&mut self, node: usize, height: u64, found: Height) -> Result<(), Violation> {
        let known = *self.heights.entry(height).or_insert(found);
        if known == found {
            return Ok(());
        }
        Err(disagrees(
            node,
            format!("at height {height} it has {found:?}, another node has {known:?}"),
        ))
    }

    /// After a crash a node has what it had called durable, as it was.
    pub(super) fn reopened(&mut self, node: usize, ledger: &Ledger) -> Result<(), Violation> {
        let read = &mut self.read[node];
        let progress = ledger.progress();
        let height = progress.height.get();
        if height < read.durable {
            let detail = format!(
                "node {node} had made height {} durable, after a crash it is at {height}",
                read.durable
            );
            return Err(Violation::new(Invariant::Acknowledged, detail));
        }
        // What was read and not durable is gone; it will come again, and is compared again.
        if height < read.height || progress.last_event < read.event {
            read.height = read.height.min(height);
            read.event = read.event.min(progress.last_event);
            read.event_hash = None;
        }
        for (height, place) in
            rows::<BlockPlace>(node, ledger, Table::Log, height.saturating_sub(READ_AGAIN))?
        {
            let known = self.heights.get(&height);
            if known.is_some_and(|known| (known.block, known.root) != (place.hash, place.root)) {
                return Err(disagrees(
                    node,
                    format!("after a crash it has {place:?} at height {height}, not {known:?}"),
                ));
            }
        }
        Ok(())
    }
}

fn disagrees(node: usize, detail: String) -> Violation {
    Violation::new(Invariant::Agreement, format!("node {node}: {detail}"))
}

type Accusations = Vec<(PublicKey, u64, u64)>;

/// New events of a node by height, without its own observations.
fn read_events(
    node: usize,
    ledger: &Ledger,
    read: &mut Read,
) -> Result<(BTreeMap<u64, Vec<Event>>, Accusations), Violation> {
    let (mut events, mut accusations) = (BTreeMap::<u64, Vec<Event>>::new(), Vec::new());
    for (number, record) in rows::<EventRecord>(node, ledger, Table::Events, read.event)? {
        if number != read.event + 1 || record.number != number {
            return Err(disagrees(node, format!("event {number} follows {}", read.event)));
        }
        if read.event_hash.is_some_and(|hash| hash != record.previous) {
            return Err(disagrees(
                node,
                format!("event {number} does not name the one before it"),
            ));
        }
        read.event = number;
        read.event_hash = Some(Digest::of(&canonical::to_bytes(&record)));
        match record.event {
            Event::Misbehaved {
                seat, epoch, view, ..
            } => accusations.push((seat, epoch.get(), view)),
            Event::CircuitOpened { .. } | Event::CircuitClosed { .. } => {}
            event => events.entry(record.height.get()).or_default().push(event),
        }
    }
    Ok((events, accusations))
}

/// Rows of a table whose keys are numbers, above `after`.
fn rows<T: serde::de::DeserializeOwned>(
    node: usize,
    ledger: &Ledger,
    table: Table,
    after: u64,
) -> Result<Vec<(u64, T)>, Violation> {
    let mut rows = Vec::new();
    let start = Bound::Included((after + 1).to_be_bytes().to_vec());
    let all = ScanRange::new(start, Bound::Unbounded);
    let mut range = all.clone();
    loop {
        let page = ledger.store().scan(table, &range, PAGE);
        let page = page.map_err(|error| Violation::new(Invariant::Alive, format!("node {node}: {error}")))?;
        for (key, value) in &page.entries {
            let number = key.as_slice().try_into().map(u64::from_be_bytes);
            let row = canonical::from_own_bytes(value, MAX_RECORD_BYTES);
            let (Ok(number), Ok(row)) = (number, row) else {
                return Err(disagrees(
                    node,
                    format!("a row of {} cannot be read", table.name()),
                ));
            };
            rows.push((number, row));
        }
        match page.next {
            Some(cursor) => range = all.resume(&cursor),
            None => return Ok(rows),
        }
    }
}

fn digest(events: &[Event]) -> Digest {
    Digest::of(&canonical::to_bytes(events))
}
