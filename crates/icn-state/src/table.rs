//! A typed table that can be undone, knows what changed, and keeps its index.
//!
//! Three things follow from every write going through [`Table::set`] and [`Table::remove`]: an operation
//! that is refused half-way is undone exactly, a block's changes are known without comparing states, and an
//! index never disagrees with its rows. A table knows nothing of what its rows mean.
use crate::changes::Change;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::ops::{Bound, RangeBounds};
use icn_model::{
    AgreementId, Cid, Codec, CreditUnit, Did, Digest, EpochNumber, InvitationId, JobId, PolicySlot,
    ProposalId, ProposalKind, PublicKey, RoundNumber, Sequence, Time,
    canonical::{self, DecodeError},
    limits,
};
use serde::{Serialize, de::DeserializeOwned};

/// Bytes of the largest record; the model's bounds keep each far below.
const MAX_RECORD_BYTES: usize = 1 << 20;

/// A key with canonical bytes whose order is the order of the keys.
pub(crate) trait Key: Ord + Clone {
    /// How many bytes each has.
    const LEN: usize;
    /// The first in the order.
    fn least() -> Self;
    fn encode(&self, out: &mut Vec<u8>);
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// What finds rows by other than their key. It is a function of the rows: never stored, rebuilt by loading.
pub(crate) trait Index<K, V>: Default + PartialEq {
    fn add(&mut self, key: &K, value: &V);
    fn remove(&mut self, key: &K, value: &V);
}

impl<K, V> Index<K, V> for () {
    fn add(&mut self, _: &K, _: &V) {}
    fn remove(&mut self, _: &K, _: &V) {}
}

struct Undo<K, V> {
    key: K,
    before: Option<V>,
    /// Whether the key counts as changed in this block because of this very write.
    made_dirty: bool,
}

/// Rows in the order of their keys.
pub(crate) struct Table<K, V, I = ()> {
    rows: BTreeMap<K, V>,
    index: I,
    undo: Vec<Undo<K, V>>,
    dirty: BTreeSet<K>,
}

impl<K, V, I: Default> Default for Table<K, V, I> {
    fn default() -> Self {
        Self {
            rows: BTreeMap::new(),
            index: I::default(),
            undo: Vec::new(),
            dirty: BTreeSet::new(),
        }
    }
}

impl<K: Key, V, I: Index<K, V>> Table<K, V, I> {
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn range(&self, range: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.range(range)
    }

    pub(crate) fn index(&self) -> &I {
        &self.index
    }

    /// Whether the index is what the rows make of one.
    pub(crate) fn has_right_index(&self) -> bool {
        let mut index = I::default();
        self.rows.iter().for_each(|(key, value)| index.add(key, value));
        self.index == index
    }

    pub(crate) fn set(&mut self, key: K, value: V) {
        self.write(key, Some(value));
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if self.rows.contains_key(key) {
            self.write(key.clone(), None);
        }
    }

    fn write(&mut self, key: K, value: Option<V>) {
        let made_dirty = self.dirty.insert(key.clone());
        let before = self.replace(&key, value);
        self.undo.push(Undo {
            key,
            before,
            made_dirty,
        });
    }

    fn replace(&mut self, key: &K, value: Option<V>) -> Option<V> {
        if let Some(before) = self.rows.get(key) {
            self.index.remove(key, before);
        }
        match value {
            Some(value) => {
                self.index.add(key, &value);
                self.rows.insert(key.clone(), value)
            }
            None => self.rows.remove(key),
        }
    }

    /// Where the writes stand, for [`Self::undo_to`].
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back every write since `mark`, the last first.
    pub(crate) fn undo_to(&mut self, mark: usize) {
        while self.undo.len() > mark {
            let Some(undo) = self.undo.pop() else { return };
            self.replace(&undo.key, undo.before);
            if undo.made_dirty {
                self.dirty.remove(&undo.key);
            }
        }
    }

    /// Makes the writes so far final.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
    }
}

impl<A: Key, B: Key, V, I: Index<(A, B), V>> Table<(A, B), V, I> {
    /// The rows whose keys begin with `first`.
    pub(crate) fn of(&self, first: &A) -> impl Iterator<Item = (&B, &V)> {
        self.of_after(first, None)
    }

    /// The rows whose keys begin with `first` and go on with more than `after`.
    pub(crate) fn of_after(&self, first: &A, after: Option<B>) -> impl Iterator<Item = (&B, &V)> {
        let first = first.clone();
        let from = match after {
            Some(after) => Bound::Excluded((first.clone(), after)),
            None => Bound::Included((first.clone(), B::least())),
        };
        let rows = self.rows.range((from, Bound::Unbounded));
        rows.take_while(move |(key, _)| key.0 == first)
            .map(|(key, value)| (&key.1, value))
    }

    /// Removes the rows whose keys begin with `first`.
    pub(crate) fn remove_of(&mut self, first: &A) {
        let seconds: Vec<B> = self.of(first).map(|(second, _)| second.clone()).collect();
        for second in seconds {
            self.remove(&(first.clone(), second));
        }
    }
}

impl<K: Key, V: Serialize + DeserializeOwned, I: Index<K, V>> Table<K, V, I> {
    /// Appends what changed since the last call, in the order of the keys.
    pub(crate) fn drain_changes(&mut self, number: u8, changes: &mut Vec<Change>) {
        for key in core::mem::take(&mut self.dirty) {
            let value = self.rows.get(&key).map(canonical::to_bytes);
            changes.push(Change {
                key: full_key(number, &key),
                value,
            });
        }
    }

    /// Every row as it is stored, in the order of the keys.
    pub(crate) fn records(&self, number: u8) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        self.rows
            .iter()
            .map(move |(key, value)| (full_key(number, key), canonical::to_bytes(value)))
    }

    /// Takes a stored row; `key` comes without the table's number.
    pub(crate) fn load(&mut self, key: &[u8], value: &[u8]) -> Result<(), DecodeError> {
        let key = K::decode(key).ok_or_else(|| DecodeError::Malformed("key of another length".into()))?;
        let value = canonical::from_bytes(value, MAX_RECORD_BYTES)?;
        self.replace(&key, Some(value));
        Ok(())
    }
}

/// A record's key in the store: the table's number, then the key.
pub(crate) fn full_key<K: Key>(number: u8, key: &K) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + 2 * Digest::LEN);
    bytes.push(number);
    key.encode(&mut bytes);
    bytes
}

macro_rules! key_of_32_bytes {
    ($($name:ty: $bytes:expr, $from:expr;)*) => {
        $(impl Key for $name {
            const LEN: usize = 32;
            fn least() -> Self {
                let from: fn([u8; 32]) -> $name = $from;
                from([0; 32])
            }
            fn encode(&self, out: &mut Vec<u8>) {
                let bytes: fn(&$name) -> &[u8; 32] = $bytes;
                out.extend_from_slice(bytes(self));
            }
            fn decode(bytes: &[u8]) -> Option<Self> {
                let from: fn([u8; 32]) -> $name = $from;
                bytes.try_into().ok().map(from)
            }
        })*
    };
}

key_of_32_bytes! {
    PublicKey: |key| key.as_bytes(), PublicKey::new;
    InvitationId: |id| id.digest().as_bytes(), |bytes| InvitationId::new(Digest::new(bytes));
    JobId: |id| id.digest().as_bytes(), |bytes| JobId::new(Digest::new(bytes));
    AgreementId: |id| id.digest().as_bytes(), |bytes| AgreementId::new(Digest::new(bytes));
    ProposalId: |id| id.digest().as_bytes(), |bytes| ProposalId::new(Digest::new(bytes));
    Digest: |digest| digest.as_bytes(), Digest::new;
    // Contracts are texts: raw blocks.
    Cid: |cid| cid.digest().as_bytes(), |bytes| Cid::new(Codec::Raw, Digest::new(bytes));
}

impl Key for Did {
    const LEN: usize = PublicKey::LEN;
    fn least() -> Self {
        Self::new(PublicKey::least())
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.first_key().encode(out);
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        PublicKey::decode(bytes).map(Did::new)
    }
}

/// The code, filled up with zeros, which no code has, and the number of decimals.
impl Key for CreditUnit {
    const LEN: usize = limits::MAX_UNIT_BYTES + 1;
    fn least() -> Self {
        // The smallest character that a code has, and no decimals.
        "-.0".parse().expect("this is a unit: the tests say so")
    }
    fn encode(&self, out: &mut Vec<u8>) {
        let mut bytes = [0; Self::LEN];
        let code = self.code().as_bytes();
        bytes[..code.len()].copy_from_slice(code);
        bytes[limits::MAX_UNIT_BYTES] = self.decimals();
        out.extend_from_slice(&bytes);
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; limits::MAX_UNIT_BYTES + 1] = bytes.try_into().ok()?;
        let (decimals, code) = bytes.split_last()?;
        let len = code.iter().position(|byte| *byte == 0).unwrap_or(code.len());
        let (code, rest) = code.split_at(len);
        if rest.iter().any(|byte| *byte != 0) {
            return None;
        }
        let code = core::str::from_utf8(code).ok()?;
        alloc::format!("{code}.{decimals}").parse().ok()
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    const LEN: usize = A::LEN + B::LEN;
    fn least() -> Self {
        (A::least(), B::least())
    }
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
    fn decode(bytes: &[u8]) -> Option<Self> {
        let (first, second) = bytes.split_at_checked(A::LEN)?;
        Some((A::decode(first)?, B::decode(second)?))
    }
}

macro_rules! key_of_a_number {
    ($($name:ty),*) => {
        $(impl Key for $name {
            const LEN: usize = 8;
            fn least() -> Self {
                Self::new(0)
            }
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.get().to_be_bytes());
            }
            fn decode(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(u64::from_be_bytes).map(Self::new)
            }
        })*
    };
}

key_of_a_number!(Time, EpochNumber, Sequence, RoundNumber);

/// Names are numbered as they are listed: a name that is added comes last.
macro_rules! key_of_a_name {
    ($($name:ty),*) => {
        $(impl Key for $name {
            const LEN: usize = 1;
            fn least() -> Self {
                Self::ALL[0]
            }
            fn encode(&self, out: &mut Vec<u8>) {
                let at = Self::ALL.iter().position(|name| name == self);
                out.push(at.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX));
            }
            fn decode(bytes: &[u8]) -> Option<Self> {
                match bytes {
                    [at] => Self::ALL.get(usize::from(*at)).copied(),
                    _ => None,
                }
            }
        })*
    };
}

key_of_a_name!(ProposalKind, PolicySlot);

/// An index of what falls due when; one entry per row at most.
#[derive(PartialEq)]
pub(crate) struct DueIndex<K>(BTreeSet<(Time, K)>);

impl<K> Default for DueIndex<K> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<K: Ord + Clone> DueIndex<K> {
    pub(crate) fn add(&mut self, due: Option<Time>, key: &K) {
        if let Some(due) = due {
            self.0.insert((due, key.clone()));
        }
    }

    pub(crate) fn remove(&mut self, due: Option<Time>, key: &K) {
        if let Some(due) = due {
            self.0.remove(&(due, key.clone()));
        }
    }

    /// At most `max` keys that were due before `now`, the earliest first.
    pub(crate) fn before(&self, now: Time, max: usize) -> Vec<K> {
        let due = self.0.iter().take_while(|(due, _)| *due < now).take(max);
        due.map(|(_, key)| key.clone()).collect()
    }

    /// Every key, the earliest first.
    pub(crate) fn all(&self) -> Vec<K> {
        self.0.iter().map(|(_, key)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An index that must be right about every row to come out right.
    #[derive(Default, PartialEq)]
    struct Sum(u64);

    impl Index<Time, u64> for Sum {
        fn add(&mut self, key: &Time, value: &u64) {
            self.0 += key.get() * 1_000 + value;
        }
        fn remove(&mut self, key: &Time, value: &u64) {
            self.0 -= key.get() * 1_000 + value;
        }
    }

    fn sum(rows: &BTreeMap<Time, u64>) -> u64 {
        rows.iter().map(|(key, value)| key.get() * 1_000 + value).sum()
    }

    proptest! {
        /// Writes, some taken back, against a plain map that is copied at each mark.
        #[test]
        fn undone_writes_leave_rows_index_and_changes_as_they_were(
            rounds in proptest::collection::vec(
                (proptest::collection::vec((0_u64..6, proptest::option::of(0_u64..99)), 0..8), any::<bool>()),
                0..12,
            ),
        ) {
            let mut table: Table<Time, u64, Sum> = Table::default();
            let mut model = BTreeMap::new();
            let mut touched = BTreeSet::new();
            for (writes, keeps) in rounds {
                let (mark, before) = (table.mark(), (model.clone(), touched.clone()));
                for (key, value) in writes {
                    let key = Time::new(key);
                    match value {
                        Some(value) => {
                            table.set(key, value);
                            model.insert(key, value);
                            touched.insert(key);
                        }
                        None => {
                            table.remove(&key);
                            if model.remove(&key).is_some() {
                                touched.insert(key);
                            }
                        }
                    }
                }
                if keeps {
                    table.keep();
                } else {
                    table.undo_to(mark);
                    (model, touched) = before;
                }
                prop_assert_eq!(&table.rows, &model);
                prop_assert_eq!(table.index.0, sum(&model));
                prop_assert!(table.has_right_index());
            }
            table.index.0 += 1;
            prop_assert!(!table.has_right_index());
            let mut changes = Vec::new();
            table.drain_changes(7, &mut changes);
            let keys: Vec<_> = touched.iter().map(|key| full_key(7, key)).collect();
            prop_assert_eq!(changes.iter().map(|change| change.key.clone()).collect::<Vec<_>>(), keys);
            table.drain_changes(7, &mut changes);
            prop_assert_eq!(changes.len(), touched.len(), "drained once");
        }

        /// Bytes sort as keys do: changes and records come out in the order of their bytes.
        #[test]
        fn the_order_of_bytes_is_the_order_of_keys(a in any::<[u8; 32]>(), b in any::<[u8; 32]>(), x: u64, y: u64) {
            let bytes = |key: &dyn Fn(&mut Vec<u8>)| {
                let mut out = Vec::new();
                key(&mut out);
                out
            };
            let (did_a, did_b) = (Did::new(PublicKey::new(a)), Did::new(PublicKey::new(b)));
            let (pair_a, pair_b) = ((did_a, did_b), (did_b, did_a));
            prop_assert_eq!(
                bytes(&|out| pair_a.encode(out)).cmp(&bytes(&|out| pair_b.encode(out))),
                pair_a.cmp(&pair_b)
            );
            let (time_x, time_y) = (Time::new(x), Time::new(y));
            prop_assert_eq!(
                bytes(&|out| time_x.encode(out)).cmp(&bytes(&|out| time_y.encode(out))),
                time_x.cmp(&time_y)
            );
            prop_assert_eq!(<(Did, Did)>::decode(&bytes(&|out| pair_a.encode(out))), Some(pair_a));
            prop_assert_eq!(Time::decode(&bytes(&|out| time_x.encode(out))), Some(time_x));
            prop_assert_eq!(Did::decode(&a[1..]), None);
        }

        #[test]
        fn units_are_keys(a in "[A-Z0-9-]{1,16}\\.[0-9]", b in "[A-Z0-9-]{1,4}\\.[0-9]") {
            let units: [CreditUnit; 2] = [a.parse().unwrap(), b.parse().unwrap()];
            let bytes = units.clone().map(|unit| {
                let mut out = Vec::new();
                unit.encode(&mut out);
                out
            });
            prop_assert_eq!(bytes[0].cmp(&bytes[1]), units[0].cmp(&units[1]));
            for (unit, bytes) in units.iter().zip(&bytes) {
                prop_assert_eq!(bytes.len(), CreditUnit::LEN);
                prop_assert_eq!(CreditUnit::decode(bytes), Some(unit.clone()));
                prop_assert!(CreditUnit::least() <= *unit);
                prop_assert_eq!(CreditUnit::decode(&bytes[1..]), None);
            }
        }
    }
}
