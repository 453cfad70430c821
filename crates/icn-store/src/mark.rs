//! The mark of a store that is not whole yet.

use crate::backend::Backend;
use crate::error::BackendError;
use crate::table::Table;

/// The mark of a target, in [`Table::Meta`]. No user of the table has keys under `icn-store/`.
pub(crate) const MARK_KEY: &[u8] = b"icn-store/half-moved";

/// Whether the store is what an interrupted move has left.
pub(crate) fn is_half_moved(backend: &dyn Backend) -> Result<bool, BackendError> {
    Ok(backend.get(Table::Meta, MARK_KEY)?.is_some())
}

/// Whether an entry is the mark.
pub(crate) fn is_mark(table: Table, key: &[u8]) -> bool {
    table == Table::Meta && key == MARK_KEY
}
