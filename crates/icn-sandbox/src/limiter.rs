//! The limit on memory: all linear memories and tables of a run together.
//!
//! Sizes declared up front are checked by the caller before there is an instance; this answers the
//! questions that the engine asks while the program runs.

use wasmtime::ResourceLimiter;

use crate::bounds::{MODULE_BOUNDS, TABLE_ELEMENT_BYTES};

/// What the engine says when a memory would outgrow its type, which it finds out without having
/// asked. That is the program's doing, where any other failure to grow is the host's.
const BEYOND_TYPE: &str = "memory growth exceeds memory type's limits";

/// Counts and limits one run's memory.
#[derive(Debug)]
pub(crate) struct Limiter {
    limit_bytes: u64,
    used_bytes: u64,
    pub(crate) peak_bytes: u64,
    pub(crate) memory_denied: u32,
    pub(crate) table_denied: u32,
}

impl Limiter {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            used_bytes: 0,
            peak_bytes: 0,
            memory_denied: 0,
            table_denied: 0,
        }
    }

    fn take(&mut self, bytes: u64) -> bool {
        let Some(used_bytes) = self.used_bytes.checked_add(bytes) else {
            return false;
        };
        if used_bytes > self.limit_bytes {
            return false;
        }
        self.used_bytes = used_bytes;
        self.peak_bytes = self.peak_bytes.max(used_bytes);
        true
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The module's own maximum is not a denial of ours, and must not be counted as memory used.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let granted = self.take((desired - current) as u64);
        self.memory_denied += u32::from(!granted);
        Ok(granted)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        // A program must not be able to tell whether this machine had memory left: its run ends here.
        if error.to_string() == BEYOND_TYPE {
            Ok(())
        } else {
            Err(error)
        }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let granted = self.take(((desired - current) as u64).saturating_mul(TABLE_ELEMENT_BYTES));
        self.table_denied += u32::from(!granted);
        Ok(granted)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn instances(&self) -> usize {
        1
    }

    fn memories(&self) -> usize {
        usize::try_from(MODULE_BOUNDS.memories).unwrap_or(usize::MAX)
    }

    fn tables(&self) -> usize {
        usize::try_from(MODULE_BOUNDS.tables).unwrap_or(usize::MAX)
    }
}
