//! How the rows of lines lie in the store: under the agreement, the unit, and the row's own key.
//!
//! Beside them lie the references of own transfers, so that one is made once however long ago it was, and the mark of
//! the journal under which the other end was heard last.
use crate::ledger::{LedgerError, decode};
use icn_model::{Digest, LineId, Standing, canonical, limits::MAX_RECENT_TRANSFERS};
use icn_state::line::Row;
use icn_store::{Direction, Reader, ScanRange, Table};
use std::ops::Bound;

/// What the keys of [`Row::key`] begin with.
const OWN: u8 = 0;
const OTHER: u8 = 1;
const RELEASED: u8 = 2;
const VOID: u8 = 3;
const ANCHORED: u8 = 4;
const QUARREL: u8 = 5;
const JOINS: u8 = 6;
/// Numbers of own transfers by reference.
const REFERENCE: u8 = 0x10;
/// The journal's mark under which the other end was heard.
const MET: u8 = 0x11;
/// Entries that are read at once.
const PAGE: usize = 1_024;

fn key(line: &LineId, rest: &[u8]) -> Vec<u8> {
    let unit = line.unit.to_string();
    // No unit has a zero byte, so none is the beginning of another.
    [
        line.agreement.digest().as_bytes().as_slice(),
        unit.as_bytes(),
        &[0],
        rest,
    ]
    .concat()
}

fn numbered(line: &LineId, kind: u8, number: u64) -> Vec<u8> {
    key(line, &[&[kind], number.to_be_bytes().as_slice()].concat())
}

/// What is put into the store for a row.
pub(super) fn entries(line: &LineId, row: &Row) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut entries = vec![(key(line, &row.key()), canonical::to_bytes(row))];
    if let Row::Own {
        transfer,
        acceptance: None,
    } = row
    {
        let number = transfer.content.number.to_be_bytes();
        entries.push((reference_key(line, &transfer.content.reference), number.to_vec()));
    }
    entries
}

fn reference_key(line: &LineId, reference: &Digest) -> Vec<u8> {
    key(line, &[&[REFERENCE], reference.as_bytes().as_slice()].concat())
}

/// Where the mark is kept under which the other end of a line was heard.
pub(super) fn met_key(line: &LineId) -> Vec<u8> {
    key(line, &[MET])
}

/// The number of the own transfer that a reference names.
pub(super) fn named(
    store: &impl Reader,
    line: &LineId,
    reference: &Digest,
) -> Result<Option<u64>, LedgerError> {
    let bytes = store.get(Table::Credit, &reference_key(line, reference))?;
    let number = |bytes: Vec<u8>| {
        let bytes = bytes.try_into().map_err(|_| LedgerError::Damaged {
            what: "a reference",
            detail: "not a number".into(),
        })?;
        Ok(u64::from_be_bytes(bytes))
    };
    bytes.map(number).transpose()
}

/// The rows of a line of which a book is made.
pub(super) fn load(store: &impl Reader, line: &LineId) -> Result<Vec<Row>, LedgerError> {
    let mut rows = Vec::new();
    for (kind, most) in [
        (OWN, MAX_RECENT_TRANSFERS),
        (OTHER, MAX_RECENT_TRANSFERS),
        (RELEASED, usize::MAX),
        (VOID, usize::MAX),
        (ANCHORED, usize::MAX),
        (QUARREL, usize::MAX),
        (JOINS, usize::MAX),
    ] {
        let newest_first = ScanRange::prefix(key(line, &[kind])).reversed();
        let mut of_kind = scan(store, newest_first, most)?;
        of_kind.reverse();
        rows.extend(of_kind);
    }
    Ok(rows)
}

fn scan(store: &impl Reader, mut range: ScanRange, most: usize) -> Result<Vec<Row>, LedgerError> {
    let mut rows = Vec::new();
    while rows.len() < most {
        let page = store.scan(Table::Credit, &range, PAGE.min(most - rows.len()))?;
        for (_, bytes) in &page.entries {
            rows.push(decode::<Row>("a row of a line of credit", bytes)?);
        }
        match page.next {
            Some(cursor) => range = range.resume(&cursor),
            None => break,
        }
    }
    Ok(rows)
}

/// One transfer of a line, as it is stored.
pub(super) fn transfer(
    store: &impl Reader,
    line: &LineId,
    is_own: bool,
    number: u64,
) -> Result<Option<Row>, LedgerError> {
    let kind = if is_own { OWN } else { OTHER };
    let bytes = store.get(Table::Credit, &numbered(line, kind, number))?;
    bytes.map(|bytes| decode("a transfer", &bytes)).transpose()
}

/// Transfers of one direction with numbers above `after` (below it, if newest come first), at most `limit`.
pub(super) fn history(
    store: &impl Reader,
    line: &LineId,
    is_own: bool,
    after: Option<u64>,
    direction: Direction,
    limit: usize,
) -> Result<Vec<Row>, LedgerError> {
    let kind = if is_own { OWN } else { OTHER };
    let of_kind = |number| numbered(line, kind, number);
    let (first, last) = (Bound::Included(of_kind(0)), Bound::Included(of_kind(u64::MAX)));
    let range = match (direction, after) {
        (Direction::Forward, Some(after)) => ScanRange::new(Bound::Excluded(of_kind(after)), last),
        (Direction::Forward, None) => ScanRange::new(first, last),
        (Direction::Reverse, Some(after)) => {
            ScanRange::new(first, Bound::Excluded(of_kind(after))).reversed()
        }
        (Direction::Reverse, None) => ScanRange::new(first, last).reversed(),
    };
    scan(store, range, limit)
}

/// Numbers of one chain that are void: after the first of a pair, up to the second.
pub(super) struct Voids(Vec<(u64, u64)>);

impl Voids {
    pub(super) fn load(store: &impl Reader, line: &LineId, of_own: bool) -> Result<Self, LedgerError> {
        let rows = scan(store, ScanRange::prefix(key(line, &[VOID])), usize::MAX)?;
        let ranges = rows.into_iter().filter_map(|row| match row {
            Row::Void {
                is_own,
                after,
                through,
                ..
            } if is_own == of_own => Some((after, through)),
            _ => None,
        });
        Ok(Self(ranges.collect()))
    }

    /// How a transfer stands, where those up to `head` are signed by both.
    pub(super) fn standing(&self, number: u64, head: u64) -> Standing {
        let is_void = |(after, through): &(u64, u64)| *after < number && number <= *through;
        if self.0.iter().any(is_void) {
            Standing::Void
        } else if number <= head {
            Standing::Confirmed
        } else {
            Standing::Pending
        }
    }
}
