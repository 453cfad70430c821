//! Events as the store has them: a chain of records, an index of those that are kept by their kinds, and stubs where
//! records were forgotten.
use super::{APPLIED, Applied, Ledger, LedgerError, decode};
use icn_model::{Digest, Event, EventKind, EventRecord, Height, Time, canonical};
use icn_store::{Batch, Durability, MAX_PAGE_ENTRIES, Reader, ScanRange, StoreError, Table};
use serde::{Deserialize, Serialize};
use std::ops::Bound;

/// What is left of a record that is kept no longer: enough for the chain to be followed over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgottenEvent {
    /// The record's number.
    pub number: u64,
    /// The kind of its event.
    pub kind: EventKind,
    /// Its hash, which the record after it names.
    pub hash: Digest,
}

/// What the store has under the number of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredEvent {
    /// Its record.
    Kept(EventRecord),
    /// A stub in the record's place.
    Forgotten(ForgottenEvent),
}

impl StoredEvent {
    /// Reads a value of [`Table::Events`]. Of the fields of records and stubs neither has all that the other needs, so a
    /// value is one of them at the most.
    ///
    /// # Errors
    /// [`LedgerError::Damaged`] if it is neither.
    pub fn decode(bytes: &[u8]) -> Result<Self, LedgerError> {
        decode(WHAT, bytes).map(Self::Kept).or_else(|error| {
            // Of what is neither, it matters why it is no record.
            let stub = decode(WHAT, bytes).map_err(|_| error)?;
            Ok(Self::Forgotten(stub))
        })
    }

    /// The number.
    pub const fn number(&self) -> u64 {
        match self {
            Self::Kept(record) => record.number,
            Self::Forgotten(stub) => stub.number,
        }
    }

    /// The record's hash, where `bytes` are what was decoded.
    pub fn hash(&self, bytes: &[u8]) -> Digest {
        match self {
            Self::Kept(_) => Digest::of(bytes),
            Self::Forgotten(stub) => stub.hash,
        }
    }

    fn kept(self) -> Option<EventRecord> {
        match self {
            Self::Kept(record) => Some(record),
            Self::Forgotten(_) => None,
        }
    }
}

const WHAT: &str = "an event";

/// Events that were read, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsRead {
    /// Those that are kept, oldest first.
    pub records: Vec<EventRecord>,
    /// There is nothing else to read up to this number.
    pub upto: u64,
}

/// The end of the chain.
#[derive(Clone, Copy)]
pub(super) struct ChainEnd {
    /// Number of the last record; 0 if there is none.
    pub(super) number: u64,
    /// Its hash; zeros if there is none.
    pub(super) hash: Digest,
}

impl ChainEnd {
    /// Adds a record of `event`.
    pub(super) fn append(
        &mut self,
        batch: &mut Batch,
        height: Height,
        time: Time,
        event: Event,
    ) -> Result<(), StoreError> {
        let record = EventRecord {
            number: self.number + 1,
            height,
            time,
            event,
            previous: self.hash,
        };
        let bytes = canonical::to_bytes(&record);
        *self = Self {
            number: record.number,
            hash: Digest::of(&bytes),
        };
        put(batch, &record, bytes)
    }
}

/// Puts what a backup has under the number of an event into a store, and into the index, which backups do not have.
///
/// # Errors
/// [`LedgerError`] if it is no event, or too large.
pub fn put_event(batch: &mut Batch, key: Vec<u8>, bytes: Vec<u8>) -> Result<(), LedgerError> {
    match StoredEvent::decode(&bytes)? {
        StoredEvent::Kept(record) => Ok(put(batch, &record, bytes)?),
        StoredEvent::Forgotten(_) => Ok(batch.put(Table::Events, key, bytes)?),
    }
}

fn put(batch: &mut Batch, record: &EventRecord, bytes: Vec<u8>) -> Result<(), StoreError> {
    batch.put(Table::Events, record.number.to_be_bytes(), bytes)?;
    batch.put(
        Table::EventKinds,
        index_key(record.event.kind(), record.number),
        Vec::new(),
    )
}

/// The last event that the ledger says it has: its number, and the hash of its record. Zeros if it has none.
///
/// # Errors
/// If the store fails, or says it in no way that is known.
pub fn last_event(reader: &impl Reader) -> Result<(u64, Digest), LedgerError> {
    let Some(bytes) = reader.get(Table::Meta, APPLIED.as_bytes())? else {
        return Ok((0, Digest::ZERO));
    };
    let applied: Applied = decode("the last applied block", &bytes)?;
    Ok((applied.last_event, applied.event_hash))
}

/// Whether the index has an event.
///
/// # Errors
/// If the store fails.
pub fn is_indexed(reader: &impl Reader, record: &EventRecord) -> Result<bool, StoreError> {
    let key = index_key(record.event.kind(), record.number);
    Ok(reader.get(Table::EventKinds, &key)?.is_some())
}

/// The number of an event that has this key in [`Table::EventKinds`].
///
/// # Errors
/// [`LedgerError::Damaged`] if no event has.
pub fn indexed_number(key: &[u8]) -> Result<u64, LedgerError> {
    let number = key.get(1..).and_then(|number| number.try_into().ok());
    number
        .map(u64::from_be_bytes)
        .ok_or_else(|| LedgerError::Damaged {
            what: "the kinds of events",
            detail: format!("a key has {} bytes", key.len()),
        })
}

/// Where the index has an event: by its kind, then by its number.
fn index_key(kind: EventKind, number: u64) -> [u8; 9] {
    let mut key = [kind.number(); 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

impl Ledger {
    /// Events with numbers above `after`, of one kind or of all, oldest first, at most `limit`, without those that were
    /// forgotten.
    ///
    /// # Errors
    /// If the store fails.
    pub fn events(
        &self,
        kind: Option<EventKind>,
        after: u64,
        limit: usize,
    ) -> Result<EventsRead, LedgerError> {
        let last = self.progress().last_event.max(after);
        let limit = limit.min(MAX_PAGE_ENTRIES);
        if kind.is_none()
            && let Some(read) = self.whole_range(after, last, limit)?
        {
            return Ok(read);
        }
        let numbers = self.numbers(kind, after, last, limit, End::First)?;
        let upto = match numbers.last() {
            Some(number) if numbers.len() == limit => *number,
            _ => last,
        };
        let records = self.records(numbers)?;
        Ok(EventsRead { records, upto })
    }

    /// The last `count` events with numbers above `after`, of one kind or of all, oldest first, without those that were
    /// forgotten.
    ///
    /// # Errors
    /// If the store fails.
    pub fn last_events(
        &self,
        kind: Option<EventKind>,
        after: u64,
        count: usize,
    ) -> Result<Vec<EventRecord>, LedgerError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let last = self.progress().last_event;
        let count = count.min(MAX_PAGE_ENTRIES);
        let numbers = self.numbers(kind, after, last, count, End::Last)?;
        self.records(numbers)
    }

    /// The events after `after` without a look at the index; none if one of them was forgotten. That spares those who
    /// follow the node's events a search for each kind.
    fn whole_range(&self, after: u64, last: u64, limit: usize) -> Result<Option<EventsRead>, LedgerError> {
        let first = after.saturating_add(1).to_be_bytes().to_vec();
        let range = ScanRange::new(
            Bound::Included(first),
            Bound::Included(last.to_be_bytes().to_vec()),
        );
        let page = self.store.scan(Table::Events, &range, limit)?;
        let mut records = Vec::with_capacity(page.entries.len());
        for (_, bytes) in &page.entries {
            match StoredEvent::decode(bytes)? {
                StoredEvent::Kept(record) => records.push(record),
                StoredEvent::Forgotten(_) => return Ok(None),
            }
        }
        let upto = match records.last() {
            Some(record) if page.next.is_some() => record.number,
            _ => last,
        };
        Ok(Some(EventsRead { records, upto }))
    }

    /// The numbers of kept events above `after` and up to `last`, in order: the `limit` ones at one end.
    fn numbers(
        &self,
        kind: Option<EventKind>,
        after: u64,
        last: u64,
        limit: usize,
        end: End,
    ) -> Result<Vec<u64>, LedgerError> {
        let kinds = match &kind {
            Some(kind) => std::slice::from_ref(kind),
            None => &EventKind::ALL[..],
        };
        let mut numbers = Vec::new();
        for kind in kinds {
            let range = ScanRange::new(
                Bound::Excluded(index_key(*kind, after).to_vec()),
                Bound::Included(index_key(*kind, last).to_vec()),
            );
            let range = match end {
                End::First => range,
                End::Last => range.reversed(),
            };
            let page = self.store.scan(Table::EventKinds, &range, limit)?;
            for (key, _) in &page.entries {
                numbers.push(indexed_number(key)?);
            }
        }
        numbers.sort_unstable();
        let surplus = numbers.len().saturating_sub(limit);
        match end {
            End::First => numbers.truncate(limit),
            End::Last => drop(numbers.drain(..surplus)),
        }
        Ok(numbers)
    }

    /// The records of these numbers, without those that were forgotten since they were looked up.
    fn records(&self, numbers: Vec<u64>) -> Result<Vec<EventRecord>, LedgerError> {
        let mut records = Vec::with_capacity(numbers.len());
        for number in numbers {
            let bytes = self.store.get(Table::Events, &number.to_be_bytes())?;
            let bytes = bytes.ok_or_else(|| LedgerError::Damaged {
                what: WHAT,
                detail: format!("number {number} is missing"),
            })?;
            records.extend(StoredEvent::decode(&bytes)?.kept());
        }
        Ok(records)
    }

    /// Forgets the oldest events of a kind from before `before`, at most `limit` at once, and says how many. It blocks,
    /// and holds nothing else up: what is durable of events nobody else writes.
    ///
    /// # Errors
    /// If the store fails.
    pub fn forget(&self, kind: EventKind, before: Time, limit: usize) -> Result<usize, LedgerError> {
        let last = self.progress().last_event;
        let mut batch = Batch::new();
        let mut count = 0;
        for number in self.numbers(Some(kind), 0, last, limit, End::First)? {
            let key = number.to_be_bytes();
            let Some(bytes) = self.store.get(Table::Events, &key)? else {
                continue;
            };
            if let StoredEvent::Kept(record) = StoredEvent::decode(&bytes)? {
                // Times do not go back from one event to the next.
                if record.time >= before {
                    break;
                }
                let stub = ForgottenEvent {
                    number,
                    kind,
                    hash: Digest::of(&bytes),
                };
                batch.put(Table::Events, key, canonical::to_bytes(&stub))?;
                count += 1;
            }
            batch.delete(Table::EventKinds, index_key(kind, number))?;
        }
        if !batch.is_empty() {
            // What is lost of it with the power is forgotten again.
            self.store.commit(batch, Durability::Buffered).wait()?;
        }
        self.counters.forgot(kind, count);
        Ok(count)
    }
}

/// One of the two ends of the chain.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block::LogBlock, testing::genesis};
    use commonware_runtime::{Runner as _, deterministic};
    use icn_model::{Block, BlockHeader, EpochNumber, Mana, PROTOCOL_VERSION};
    use icn_store::{MemoryBackend, Store, StoreConfig};
    use std::sync::Arc;

    const KINDS: [EventKind; 3] = [EventKind::Membership, EventKind::Mana, EventKind::Challenge];

    async fn open(store: &Store) -> Ledger {
        let engine = Arc::new(icn_state::NoPolicies);
        Ledger::open(store.clone(), &genesis(), engine, PROTOCOL_VERSION)
            .await
            .unwrap()
    }

    /// Applies a block without operations, `hours` after the genesis.
    async fn pass(ledger: &Ledger, parent: &LogBlock, hours: u64) -> LogBlock {
        let header = BlockHeader {
            height: parent.header().height.next(),
            view: parent.header().view + 1,
            parent: parent.hash(),
            parent_view: parent.header().view,
            time: genesis()
                .created
                .after(icn_model::Millis::from_secs(hours * 3_600)),
            epoch: EpochNumber::ZERO,
            leader: genesis().founders[0].keys.seat,
            ..ledger.genesis_block().header().clone()
        };
        let block = LogBlock::new(Block {
            header,
            operations: Vec::new(),
        });
        let pending = ledger.apply(&block).unwrap();
        ledger.persist(pending.into_iter().collect()).await.unwrap();
        block
    }

    fn event(kind: EventKind) -> Event {
        let seat = genesis().founders[0].did;
        match kind {
            EventKind::Membership => Event::SeatReady { seat },
            EventKind::Mana => Event::ManaGranted {
                to: seat,
                amount: Mana::ZERO,
            },
            _ => Event::ChallengeLapsed {
                job: icn_model::JobId::new(Digest::ZERO),
            },
        }
    }

    /// A ledger with an event of each of [`KINDS`] in each of `hours` hours, at least, and all of its events.
    async fn eventful(store: &Store, hours: u64) -> (Ledger, Vec<EventRecord>) {
        let ledger = open(store).await;
        let mut block = ledger.genesis_block();
        for hour in 1..=hours {
            block = pass(&ledger, &block, hour).await;
            for kind in KINDS {
                ledger.record(event(kind)).await.unwrap();
            }
        }
        let all = ledger.events(None, 0, 10_000).unwrap().records;
        assert!(all.len() as u64 >= 3 * hours);
        (ledger, all)
    }

    fn store() -> Store {
        Store::inline(MemoryBackend::new(), StoreConfig::default())
    }

    fn selected(all: &[EventRecord], kind: Option<EventKind>, after: u64) -> Vec<EventRecord> {
        let wanted = |record: &&EventRecord| {
            record.number > after && kind.is_none_or(|kind| record.event.kind() == kind)
        };
        all.iter().filter(wanted).cloned().collect()
    }

    /// Whether pages and ends of all kinds are those of `all`.
    fn agrees(ledger: &Ledger, all: &[EventRecord]) {
        let last = ledger.progress().last_event;
        for kind in [None].into_iter().chain(EventKind::ALL.map(Some)) {
            for (after, limit) in [(0, 1), (0, 2), (3, 5), (0, 1_000), (last, 1), (last + 9, 1)] {
                let expected = selected(all, kind, after);
                let (mut found, mut at, mut reads) = (Vec::new(), after, 0);
                while at < last {
                    let EventsRead { records, upto } = ledger.events(kind, at, limit).unwrap();
                    assert!(upto > at && records.len() <= limit, "{kind:?} {after} {limit}");
                    found.extend(records);
                    at = upto;
                    reads += 1;
                }
                assert_eq!(found, expected, "{kind:?} {after} {limit}");
                // Nobody comes in vain, but to hear that there is nothing more.
                assert!(reads <= expected.len() / limit + 1, "{kind:?} {after} {limit}");
                let end = ledger.last_events(kind, after, limit).unwrap();
                let surplus = expected.len().saturating_sub(limit);
                assert_eq!(end, expected[surplus..], "{kind:?} {after} {limit}");
            }
            assert_eq!(ledger.last_events(kind, 0, 0).unwrap(), []);
        }
    }

    /// Follows the chain over stubs to its end.
    fn chain_is_whole(store: &Store) -> usize {
        let entries = store
            .scan(Table::Events, &ScanRange::all(), 10_000)
            .unwrap()
            .entries;
        let (mut previous, mut forgotten) = (Digest::ZERO, 0);
        for (number, (_, bytes)) in (1..).zip(&entries) {
            let stored = StoredEvent::decode(bytes).unwrap();
            assert_eq!(stored.number(), number);
            match &stored {
                StoredEvent::Kept(record) => assert_eq!(record.previous, previous),
                StoredEvent::Forgotten(_) => forgotten += 1,
            }
            previous = stored.hash(bytes);
        }
        forgotten
    }

    #[test]
    fn the_index_finds_what_a_search_would() {
        deterministic::Runner::seeded(1).start(|_| async move {
            let (ledger, all) = eventful(&store(), 8).await;
            agrees(&ledger, &all);
        });
    }

    #[test]
    fn what_is_forgotten_leaves_no_gap_in_the_chain_and_stops_no_reader() {
        deterministic::Runner::seeded(1).start(|_| async move {
            let store = store();
            let (ledger, mut all) = eventful(&store, 8).await;
            let hour = |hour: u64| Time::new(1_000 + hour * 3_600_000);
            // The fifth hour's are not before it.
            let is_old =
                |record: &EventRecord| record.event.kind() == EventKind::Mana && record.time < hour(5);
            let old = all.iter().filter(|record| is_old(record)).count();
            assert_eq!(ledger.forget(EventKind::Mana, hour(5), 2).unwrap(), 2);
            assert_eq!(ledger.forget(EventKind::Mana, hour(5), 1_000).unwrap(), old - 2);
            assert_eq!(ledger.forget(EventKind::Mana, hour(5), 1_000).unwrap(), 0);
            assert_eq!(
                ledger.counters().get().forgotten,
                [(EventKind::Mana, old as u64)].into()
            );
            all.retain(|record| !is_old(record));
            agrees(&ledger, &all);
            assert_eq!(chain_is_whole(&store), old);

            // All of it, with the last record, after which the chain goes on.
            for kind in EventKind::ALL {
                ledger.forget(kind, hour(9), 1_000).unwrap();
            }
            agrees(&ledger, &[]);
            let last = ledger.progress().last_event;
            drop(ledger);
            let ledger = open(&store).await;
            ledger.record(event(EventKind::Mana)).await.unwrap();
            let new = ledger.events(None, 0, 10).unwrap().records;
            assert_eq!((new.len(), new[0].number), (1, last + 1));
            assert_eq!(chain_is_whole(&store) as u64, last);
            agrees(&ledger, &new);
        });
    }

    #[test]
    fn the_index_comes_back_with_the_events_of_a_backup() {
        deterministic::Runner::seeded(1).start(|_| async move {
            let first = store();
            let (ledger, _) = eventful(&first, 4).await;
            ledger.forget(EventKind::Mana, Time::new(u64::MAX), 2).unwrap();
            let entries = |store: &Store, table| {
                let page = store.scan(table, &ScanRange::all(), 10_000).unwrap();
                page.entries
            };
            let second = store();
            let mut batch = Batch::new();
            for (key, bytes) in entries(&first, Table::Events) {
                put_event(&mut batch, key, bytes).unwrap();
            }
            second.commit(batch, Durability::Sync).await.unwrap();
            for table in [Table::Events, Table::EventKinds] {
                assert_eq!(entries(&first, table), entries(&second, table), "{table}");
            }
            let garbage = put_event(&mut Batch::new(), vec![1], b"no event".to_vec());
            assert!(matches!(garbage, Err(LedgerError::Damaged { .. })), "{garbage:?}");
        });
    }
}
