//! A batch of writes, and how durable a commit is to be. A batch is data: it touches no backend.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;

use crate::bounds::{MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, OP_OVERHEAD_BYTES};
use crate::error::StoreError;
use crate::table::Table;

/// What an acknowledged commit survives.
///
/// Ordered: the stronger is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// The end of the process (kill -9), not a power cut. A power cut takes a tail of such commits:
    /// never one of them without all the later ones, never a part of one.
    Buffered,
    /// A power cut, where the backend says that it can ([`crate::Caps::power_loss_safe`]). It makes
    /// every earlier commit durable too.
    Sync,
}

/// Writes that happen together or not at all, over any tables.
///
/// Each key appears once: a later `put` or `delete` of a key replaces the earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    ops: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    bytes: usize,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` to `value`, which may be empty.
    ///
    /// # Errors
    ///
    /// A key, value or batch beyond its limit; the batch is then as it was.
    pub fn put(
        &mut self,
        table: Table,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let value = value.into();
        if value.len() > MAX_VALUE_BYTES {
            return Err(StoreError::ValueLength {
                table,
                len: value.len(),
            });
        }
        self.set(table, key.into(), Some(value))
    }

    /// Removes `key`; that it isn't there is no error.
    ///
    /// # Errors
    ///
    /// A key or batch beyond its limit; the batch is then as it was.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) -> Result<(), StoreError> {
        self.set(table, key.into(), None)
    }

    fn set(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), StoreError> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(StoreError::KeyLength {
                table,
                len: key.len(),
            });
        }
        let added = op_bytes(&key, value.as_deref());
        let slot = self.ops.entry((table, key));
        let replaced = match &slot {
            MapEntry::Occupied(old) => op_bytes(&old.key().1, old.get().as_deref()),
            MapEntry::Vacant(_) => 0,
        };
        let bytes = self.bytes - replaced + added;
        if bytes > MAX_BATCH_BYTES {
            return Err(StoreError::BatchSize { len: bytes });
        }
        slot.insert_entry(value);
        self.bytes = bytes;
        Ok(())
    }

    /// Adds what `later` does after what this batch does. The caller has checked the size of both.
    pub(crate) fn absorb(&mut self, later: Self) {
        if self.ops.is_empty() {
            *self = later;
            return;
        }
        for ((table, key), value) in later.ops {
            let key_len = key.len();
            let added = op_bytes(&key, value.as_deref());
            let replaced = self.ops.insert((table, key), value);
            self.bytes += added;
            if let Some(old) = replaced {
                self.bytes -= key_len + old.map_or(0, |value| value.len()) + OP_OVERHEAD_BYTES;
            }
        }
    }

    /// The writes in the order of table and key; `None` is a delete. No key appears twice.
    pub fn ops(&self) -> impl ExactSizeIterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.ops
            .iter()
            .map(|((table, key), value)| (*table, key.as_slice(), value.as_deref()))
    }

    /// Whether the batch writes keys of `table`.
    #[must_use]
    pub fn touches(&self, table: Table) -> bool {
        let first = self.ops.range((table, Vec::new())..).next();
        first.is_some_and(|((found, _), _)| *found == table)
    }

    /// Number of keys that the batch writes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether the batch writes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Size in bytes as [`MAX_BATCH_BYTES`] counts it.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.bytes
    }
}

fn op_bytes(key: &[u8], value: Option<&[u8]>) -> usize {
    key.len() + value.map_or(0, <[u8]>::len) + OP_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::{Batch, MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, OP_OVERHEAD_BYTES};
    use crate::error::StoreError;
    use crate::table::Table;

    #[test]
    fn the_last_word_on_a_key_counts_and_so_does_its_size() {
        let mut batch = Batch::new();
        batch.put(Table::State, "a", vec![0; 100]).unwrap();
        batch.put(Table::State, "a", "x").unwrap();
        batch.put(Table::Meta, "a", "y").unwrap();
        batch.delete(Table::State, "b").unwrap();
        let ops: Vec<_> = batch.ops().collect();
        assert_eq!(
            ops,
            [
                (Table::Meta, &b"a"[..], Some(&b"y"[..])),
                (Table::State, b"a", Some(b"x")),
                (Table::State, b"b", None),
            ]
        );
        assert_eq!(batch.size_bytes(), 5 + 3 * OP_OVERHEAD_BYTES);
    }

    #[test]
    fn absorbing_counts_like_putting() {
        let mut first = Batch::new();
        first.put(Table::State, "a", "1").unwrap();
        first.put(Table::State, "b", "long value").unwrap();
        let mut later = Batch::new();
        later.delete(Table::State, "b").unwrap();
        later.put(Table::State, "c", "3").unwrap();
        let mut both = first.clone();
        both.absorb(later);
        let mut expected = Batch::new();
        expected.put(Table::State, "a", "1").unwrap();
        expected.delete(Table::State, "b").unwrap();
        expected.put(Table::State, "c", "3").unwrap();
        assert_eq!(both, expected);
    }

    #[test]
    fn limits_are_refused_and_leave_the_batch_alone() {
        let mut batch = Batch::new();
        assert!(matches!(
            batch.put(Table::Jobs, "", "v"),
            Err(StoreError::KeyLength { len: 0, .. })
        ));
        let long_key = vec![1; MAX_KEY_BYTES + 1];
        assert!(matches!(
            batch.delete(Table::Jobs, long_key),
            Err(StoreError::KeyLength { .. })
        ));
        let long_value = vec![1; MAX_VALUE_BYTES + 1];
        assert!(matches!(
            batch.put(Table::Jobs, "k", long_value),
            Err(StoreError::ValueLength { .. })
        ));
        assert!(batch.is_empty());
        batch
            .put(Table::Jobs, vec![1; MAX_KEY_BYTES], vec![1; MAX_VALUE_BYTES])
            .unwrap();
        for i in 0..6u8 {
            batch.put(Table::Jobs, [i], vec![1; MAX_VALUE_BYTES]).unwrap();
        }
        let before = batch.clone();
        let error = batch
            .put(Table::Jobs, "one more", vec![1; MAX_VALUE_BYTES])
            .unwrap_err();
        assert!(matches!(error, StoreError::BatchSize { len } if len > MAX_BATCH_BYTES));
        assert_eq!(batch, before);
    }
}
