//! Moving a whole store into another, empty one, of whatever backend. The source is only read; the
//! target is whole or is known to be not: until everything was copied, read back and compared, it
//! carries a mark with which no [`crate::open`] opens it.

use std::ops::ControlFlow;

use sha2::{Digest as _, Sha256};

use crate::backend::{Backend, View};
use crate::batch::{Batch, Durability};
use crate::error::{BackendError, OpenError, StoreError};
use crate::location::{Absent, Location};
use crate::mark::{MARK_KEY, is_half_moved, is_mark};
use crate::open::{open_existing, open_unchecked};
use crate::scan::{Page, ScanRange};
use crate::table::Table;

/// Entries that are read and written at a time; a page's bytes bound them too.
const PAGE_ENTRIES: usize = 2000;

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub step: Step,
    /// The table that it is being done to.
    pub table: Table,
    /// Entries of all tables that this step is done with.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// The parts of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Removing what an interrupted move has left in the target.
    Clear,
    /// Copying.
    Copy,
    /// Reading the target back.
    Verify,
}

/// What a store holds, in numbers; equal for equal stores, whatever their backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Entries of all tables.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// SHA-256 over all entries in the order of tables and keys: the table's number, the lengths of key
    /// and value in four bytes each, most significant first, key, value.
    pub digest: [u8; 32],
}

/// Why a move did not happen. The source is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// Nothing stays in memory.
    #[error("the backend memory keeps nothing: name another one")]
    Memory,
    /// Source and target are one.
    #[error("{place} cannot be moved to itself: name another place")]
    SamePlace {
        /// The place.
        place: String,
    },
    /// The source could not be opened.
    #[error("could not open the store to move")]
    Source(#[source] OpenError),
    /// The target could not be opened.
    #[error("could not open the store to move to")]
    Target(#[source] OpenError),
    /// The target holds something; it is as it was.
    #[error("{place} holds a store already, with entries in table {table}: name an empty place")]
    NotEmpty {
        /// The target.
        place: String,
        /// Where there are entries.
        table: Table,
    },
    /// The source could not be read.
    #[error("could not read the store to move")]
    Read(#[source] BackendError),
    /// The target could not be written or read; it is half-moved.
    #[error("could not write the store to move to")]
    Write(#[source] BackendError),
    /// The source holds an entry beyond the store's limits; the target is half-moved.
    #[error("the store to move holds an entry beyond the limits")]
    Limits(#[source] StoreError),
    /// What was read back is not what was written; the target is half-moved.
    #[error(
        "{place} does not hold what was copied there ({} entries of {}): see to its disk and move again",
        .found.entries,
        .copied.entries
    )]
    Differs {
        /// The target.
        place: String,
        /// What was copied.
        copied: Contents,
        /// What is there.
        found: Contents,
    },
    /// The caller wished to end; the target is half-moved.
    #[error("the move was stopped: the source is untouched, and moving again starts over")]
    Stopped,
}

/// Copies the store at `from` into the empty place `to`, and verifies the copy. Both are locked
/// meanwhile: no node has them open. A target that an interrupted move has left is started over.
///
/// `progress` is called after each page, and ends the move with [`ControlFlow::Break`].
///
/// # Errors
///
/// Every variant of [`MigrateError`]; the source is untouched in any case.
pub fn migrate(
    from: &Location,
    to: &Location,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Contents, MigrateError> {
    if matches!(from, Location::Memory) || matches!(to, Location::Memory) {
        return Err(MigrateError::Memory);
    }
    let place = to.to_string();
    if from.to_string() == place {
        return Err(MigrateError::SamePlace { place });
    }
    let source = open_existing(from).map_err(MigrateError::Source)?;
    let target = open_unchecked(to, Absent::Make).map_err(MigrateError::Target)?;
    prepare(&*target, &place, progress)?;
    let copied = copy(&*source, &*target, progress)?;
    // From here on the target is what its disk holds, not what its caches do.
    drop(target);
    let target = open_unchecked(to, Absent::Refuse).map_err(MigrateError::Target)?;
    let found = read_back(&*target, progress)?;
    if found != copied {
        return Err(MigrateError::Differs { place, copied, found });
    }
    set_mark(&*target, false)?;
    Ok(copied)
}

pub(crate) fn set_mark(target: &dyn Backend, is_half_moved: bool) -> Result<(), MigrateError> {
    let mut batch = Batch::new();
    let outcome = if is_half_moved {
        batch.put(Table::Meta, MARK_KEY, "")
    } else {
        batch.delete(Table::Meta, MARK_KEY)
    };
    outcome.map_err(MigrateError::Limits)?;
    target
        .commit(&batch, Durability::Sync)
        .map_err(MigrateError::Write)
}

/// Sees to it that the target is empty but for the mark.
pub(crate) fn prepare(
    target: &dyn Backend,
    place: &str,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<(), MigrateError> {
    if !is_half_moved(target).map_err(MigrateError::Write)? {
        for table in Table::ALL {
            let page = target.scan(table, &ScanRange::all(), 1);
            if !page.map_err(MigrateError::Write)?.entries.is_empty() {
                let place = place.to_owned();
                return Err(MigrateError::NotEmpty { place, table });
            }
        }
        return set_mark(target, true);
    }
    let mut tally = Tally::new(Step::Clear, progress);
    for table in Table::ALL {
        pages(target, table, MigrateError::Write, |page| {
            let mut batch = Batch::new();
            for (key, _) in &page.entries {
                if !is_mark(table, key) {
                    batch
                        .delete(table, key.as_slice())
                        .map_err(MigrateError::Limits)?;
                }
            }
            target
                .commit(&batch, Durability::Buffered)
                .map_err(MigrateError::Write)?;
            tally.add(table, page)
        })?;
    }
    target.persist().map_err(MigrateError::Write)
}

fn copy(
    source: &dyn Backend,
    target: &dyn Backend,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Contents, MigrateError> {
    let snapshot = source.snapshot().map_err(MigrateError::Read)?;
    let mut tally = Tally::new(Step::Copy, progress);
    for table in Table::ALL {
        pages(&*snapshot, table, MigrateError::Read, |page| {
            let mut batch = Batch::new();
            for (key, value) in &page.entries {
                batch
                    .put(table, key.as_slice(), value.as_slice())
                    .map_err(MigrateError::Limits)?;
            }
            target
                .commit(&batch, Durability::Buffered)
                .map_err(MigrateError::Write)?;
            tally.add(table, page)
        })?;
    }
    target.persist().map_err(MigrateError::Write)?;
    Ok(tally.contents())
}

fn read_back(
    target: &dyn Backend,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Contents, MigrateError> {
    let mut tally = Tally::new(Step::Verify, progress);
    for table in Table::ALL {
        pages(target, table, MigrateError::Write, |page| tally.add(table, page))?;
    }
    Ok(tally.contents())
}

/// Reads a table from end to end.
fn pages<V: View + ?Sized>(
    view: &V,
    table: Table,
    failed: impl Fn(BackendError) -> MigrateError,
    mut each: impl FnMut(&Page) -> Result<(), MigrateError>,
) -> Result<(), MigrateError> {
    let mut range = ScanRange::all();
    loop {
        let page = view.scan(table, &range, PAGE_ENTRIES).map_err(&failed)?;
        each(&page)?;
        match &page.next {
            Some(cursor) => range = range.resume(cursor),
            None => return Ok(()),
        }
    }
}

/// Counts and digests entries, and tells how far it is.
struct Tally<'a> {
    step: Step,
    entries: u64,
    bytes: u64,
    hasher: Sha256,
    progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>,
}

impl<'a> Tally<'a> {
    fn new(step: Step, progress: &'a mut dyn FnMut(Progress) -> ControlFlow<()>) -> Self {
        Self {
            step,
            entries: 0,
            bytes: 0,
            hasher: Sha256::new(),
            progress,
        }
    }

    fn add(&mut self, table: Table, page: &Page) -> Result<(), MigrateError> {
        for (key, value) in page.entries.iter().filter(|(key, _)| !is_mark(table, key)) {
            let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
            self.hasher.update([table.number()]);
            self.hasher.update(len(key));
            self.hasher.update(len(value));
            self.hasher.update(key);
            self.hasher.update(value);
            self.entries += 1;
            self.bytes += (key.len() + value.len()) as u64;
        }
        let progress = Progress {
            step: self.step,
            table,
            entries: self.entries,
            bytes: self.bytes,
        };
        match (self.progress)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(MigrateError::Stopped),
        }
    }

    fn contents(self) -> Contents {
        Contents {
            entries: self.entries,
            bytes: self.bytes,
            digest: self.hasher.finalize().into(),
        }
    }
}
