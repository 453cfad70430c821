//! A store in memory: for the simulator, for tests, and for nodes that are asked to keep nothing.
//! It can lose power on request. It writes no files and gives no space back to the system.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::{Backend, Caps, View};
use crate::batch::{Batch, Durability};
use crate::error::BackendError;
use crate::scan::{Direction, Entry, Page, ScanRange};
use crate::table::Table;

/// Most [`Durability::Buffered`] commits that [`MemoryBackend::crash`] takes back; older ones count
/// as written out, as an operating system writes its cache out in time.
pub const MAX_UNDONE_COMMITS: usize = 1024;

const NAME: &str = "memory";

/// A backend in memory. Clones are the same store, so that a simulator keeps one to pull the plug,
/// or to open the store again.
#[derive(Clone, Default)]
pub struct MemoryBackend {
    state: Arc<Mutex<State>>,
}

type Rows = BTreeMap<Arc<[u8]>, Arc<[u8]>>;

/// All rows of one moment. A commit copies a table only if a snapshot still holds it.
#[derive(Clone, Default)]
struct Tables {
    rows: [Arc<Rows>; Table::ALL.len()],
}

#[derive(Default)]
struct State {
    tables: Tables,
    /// What each commit since the last durable one has replaced, oldest first.
    undo: VecDeque<Vec<Replaced>>,
}

struct Replaced {
    table: Table,
    key: Arc<[u8]>,
    value: Option<Arc<[u8]>>,
}

impl MemoryBackend {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Loses power: every [`Durability::Buffered`] commit since the last [`Durability::Sync`] one
    /// is gone (the last [`MAX_UNDONE_COMMITS`] of them), and the store goes on from there.
    ///
    /// A [`crate::Store`] over this backend flushes when its last handle goes, so crash first and
    /// drop the handles afterwards, or nothing is lost. Snapshots that are open keep their view.
    pub fn crash(&self) {
        self.crash_keeping(0);
    }

    /// Loses power when the first `kept` of the buffered commits had been written out already.
    pub fn crash_keeping(&self, kept: usize) {
        let mut state = self.lock();
        while state.undo.len() > kept
            && let Some(commit) = state.undo.pop_back()
        {
            for Replaced { table, key, value } in commit {
                state.tables.set(table, key, value);
            }
        }
        state.undo.clear();
    }

    /// Number of commits that [`MemoryBackend::crash`] would take back.
    #[must_use]
    pub fn buffered_commits(&self) -> usize {
        self.lock().undo.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn of(&self, table: Table) -> &Arc<Rows> {
        &self.rows[usize::from(table.number() - 1)]
    }

    /// Sets or removes a row; returns what was there.
    fn set(&mut self, table: Table, key: Arc<[u8]>, value: Option<Arc<[u8]>>) -> Option<Arc<[u8]>> {
        let rows = Arc::make_mut(&mut self.rows[usize::from(table.number() - 1)]);
        match value {
            Some(value) => rows.insert(key, value),
            None => rows.remove(&key),
        }
    }
}

impl View for Tables {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        Ok(self.of(table).get(key).map(|value| value.to_vec()))
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        if range.is_empty() {
            return Ok(Page::default());
        }
        let bounds: (Bound<&[u8]>, Bound<&[u8]>) = (range.start(), range.end());
        let rows = self.of(table).range::<[u8], _>(bounds);
        let entry = |(key, value): (&Arc<[u8]>, &Arc<[u8]>)| -> Result<Entry, BackendError> {
            Ok((key.to_vec(), value.to_vec()))
        };
        match range.direction() {
            Direction::Forward => Page::collect(limit, rows.map(entry)),
            Direction::Reverse => Page::collect(limit, rows.rev().map(entry)),
        }
    }
}

impl View for MemoryBackend {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
        self.lock().tables.get(table, key)
    }

    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, BackendError> {
        self.lock().tables.scan(table, range, limit)
    }
}

impl Backend for MemoryBackend {
    fn snapshot(&self) -> Result<Box<dyn View>, BackendError> {
        Ok(Box::new(self.lock().tables.clone()))
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        let mut state = self.lock();
        let mut undo = Vec::with_capacity(batch.len());
        for (table, key, value) in batch.ops() {
            let key: Arc<[u8]> = key.into();
            let old = state.tables.set(table, Arc::clone(&key), value.map(Into::into));
            undo.push(Replaced {
                table,
                key,
                value: old,
            });
        }
        match durability {
            Durability::Sync => state.undo.clear(),
            Durability::Buffered if undo.is_empty() => {}
            Durability::Buffered => {
                if state.undo.len() >= MAX_UNDONE_COMMITS {
                    state.undo.pop_front();
                }
                state.undo.push_back(undo);
            }
        }
        Ok(())
    }

    fn persist(&self) -> Result<(), BackendError> {
        self.lock().undo.clear();
        Ok(())
    }

    fn caps(&self) -> Caps {
        Caps {
            name: NAME,
            power_loss_safe: false,
            native_snapshot: true,
            persistent: false,
        }
    }

    fn size_bytes(&self) -> Result<u64, BackendError> {
        let tables = self.lock().tables.clone();
        let rows = tables.rows.iter().flat_map(|rows| rows.iter());
        Ok(rows.map(|(key, value)| (key.len() + value.len()) as u64).sum())
    }

    fn maintain(&self) -> Result<(), BackendError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_UNDONE_COMMITS, MemoryBackend};
    use crate::backend::{Backend, View};
    use crate::batch::{Batch, Durability};
    use crate::scan::ScanRange;
    use crate::table::Table;

    fn write(memory: &MemoryBackend, key: &str, value: Option<&str>, durability: Durability) {
        let mut batch = Batch::new();
        match value {
            Some(value) => batch.put(Table::State, key, value).unwrap(),
            None => batch.delete(Table::State, key).unwrap(),
        }
        memory.commit(&batch, durability).unwrap();
    }

    fn rows(memory: &MemoryBackend) -> Vec<(String, String)> {
        let page = memory.scan(Table::State, &ScanRange::all(), 10_000).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        page.entries
            .into_iter()
            .map(|(key, value)| (text(key), text(value)))
            .collect()
    }

    #[test]
    fn a_crash_takes_back_what_was_buffered_and_nothing_else() {
        let memory = MemoryBackend::new();
        write(&memory, "a", Some("durable"), Durability::Sync);
        write(&memory, "b", Some("buffered first"), Durability::Buffered);
        write(&memory, "c", Some("makes b durable"), Durability::Sync);
        let durable = rows(&memory);
        write(&memory, "a", Some("changed"), Durability::Buffered);
        write(&memory, "a", None, Durability::Buffered);
        write(&memory, "b", None, Durability::Buffered);
        write(&memory, "d", Some("new"), Durability::Buffered);
        assert_eq!(memory.buffered_commits(), 4);
        memory.crash();
        assert_eq!(rows(&memory), durable);
        memory.crash();
        assert_eq!(rows(&memory), durable, "a second crash takes nothing more");
        write(&memory, "e", Some("later"), Durability::Buffered);
        memory.persist().unwrap();
        memory.crash();
        assert_eq!(rows(&memory).len(), durable.len() + 1, "what was persisted stays");
    }

    #[test]
    fn a_crash_can_keep_the_first_of_the_buffered_commits() {
        let memory = MemoryBackend::new();
        for n in 0..5u8 {
            write(&memory, &n.to_string(), Some("x"), Durability::Buffered);
        }
        memory.crash_keeping(2);
        let keys: Vec<_> = rows(&memory).into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["0", "1"]);
        assert_eq!(memory.buffered_commits(), 0);
    }

    #[test]
    fn the_undo_log_is_bounded() {
        let memory = MemoryBackend::new();
        for n in 0..=MAX_UNDONE_COMMITS {
            write(&memory, &format!("{n:05}"), Some("x"), Durability::Buffered);
        }
        assert_eq!(memory.buffered_commits(), MAX_UNDONE_COMMITS);
        memory.crash();
        assert_eq!(rows(&memory).len(), 1, "the oldest counts as written out");
    }
}
