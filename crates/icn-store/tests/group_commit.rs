//! Commits that wait for the writer thread become one commit of the backend, at the strongest
//! durability that any of them asks for. A backend that waits at a gate makes it certain which ones
//! wait.
#![allow(clippy::unwrap_used, reason = "a test says no more by expecting")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use icn_store::{
    Backend, BackendError, Batch, Caps, Durability, MemoryBackend, Page, Reader, ScanRange, Store,
    StoreConfig, Table, View,
};

struct Gated {
    inner: MemoryBackend,
    entered: Sender<()>,
    gate: Mutex<Receiver<()>>,
    seen: Arc<Mutex<Vec<(usize, Durability)>>>,
    flushes: Arc<Mutex<u32>>,
}

impl View for Gated {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.inner.get(table, key)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.inner.scan(table, range, limit)
    }
}

impl Backend for Gated {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        self.inner.snapshot()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        self.entered.send(()).unwrap();
        self.gate.lock().unwrap().recv().unwrap();
        self.seen.lock().unwrap().push((batch.len(), durability));
        self.inner.commit(batch, durability)
    }

    fn persist(&self) -> Result<(), BackendError> {
        *self.flushes.lock().unwrap() += 1;
        self.inner.persist()
    }

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    fn size_bytes(&self) -> Result<u64, BackendError> {
        self.inner.size_bytes()
    }

    fn maintain(&self) -> Result<(), BackendError> {
        self.inner.maintain()
    }
}

fn put(key: &str, value: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(Table::State, key, value).unwrap();
    batch
}

#[test]
fn what_waits_is_committed_as_one_at_the_strongest_durability() {
    let (entered, has_entered) = channel();
    let (open_gate, gate) = channel();
    let (seen, flushes) = (Arc::default(), Arc::default());
    let gated = Gated {
        inner: MemoryBackend::new(),
        entered,
        gate: Mutex::new(gate),
        seen: Arc::clone(&seen),
        flushes: Arc::clone(&flushes),
    };
    let store = Store::threaded(gated, StoreConfig::default()).unwrap();
    let first = store.commit(put("first", "1"), Durability::Buffered);
    has_entered.recv().unwrap();
    let mut waiting = vec![
        store.commit(put("a", "1"), Durability::Buffered),
        store.commit(put("b", "1"), Durability::Sync),
        store.commit(put("a", "2"), Durability::Buffered),
    ];
    // Nobody waits for this one, and it happens all the same.
    drop(store.commit(put("c", "1"), Durability::Buffered));
    open_gate.send(()).unwrap();
    first.wait().unwrap();
    assert_eq!(
        store.get(Table::State, b"a").unwrap(),
        None,
        "not visible before it is durable"
    );
    open_gate.send(()).unwrap();
    waiting.drain(..).for_each(|commit| commit.wait().unwrap());
    assert_eq!(
        *seen.lock().unwrap(),
        [(1, Durability::Buffered), (3, Durability::Sync)]
    );
    assert_eq!(
        store.get(Table::State, b"a").unwrap(),
        Some(b"2".to_vec()),
        "the later write wins"
    );
    let counts = store.commit_counts();
    assert_eq!((counts.commits, counts.groups), (5, 2));
    assert_eq!(store.get(Table::State, b"c").unwrap(), Some(b"1".to_vec()));

    // The last handle writes what waits, then flushes.
    let last = store.commit(put("last", "1"), Durability::Buffered);
    open_gate.send(()).unwrap();
    drop(store);
    last.wait().unwrap();
    assert_eq!(*flushes.lock().unwrap(), 1);
}
