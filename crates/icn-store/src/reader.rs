//! Reading, whatever from.

use crate::backend::View;
use crate::error::StoreError;
use crate::scan::{Page, ScanRange};
use crate::table::Table;

/// Reading, from a [`crate::Store`] as it is now or from a [`crate::Snapshot`].
pub trait Reader {
    /// The value of `key`, or `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// The backend failed, now or before; the stored bytes are damaged; the snapshot has expired.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// The first entries of `range`, at most `limit` and at most a page's bounds
    /// ([`crate::MAX_PAGE_ENTRIES`], [`crate::MAX_PAGE_BYTES`]). A page is of one moment; the pages
    /// of one scan are so only on a snapshot.
    ///
    /// # Errors
    ///
    /// As for [`Reader::get`], and a limit of zero.
    fn scan(&self, table: Table, range: &ScanRange, limit: usize) -> Result<Page, StoreError>;
}

pub(crate) fn checked_scan(
    view: &dyn View,
    table: Table,
    range: &ScanRange,
    limit: usize,
) -> Result<Page, StoreError> {
    if limit == 0 {
        return Err(StoreError::EmptyPage);
    }
    if range.is_empty() {
        return Ok(Page::default());
    }
    Ok(view.scan(table, range, limit)?)
}
