//! The two budgets that calls draw on: bytes written and fuel.

use super::errno::{Call, Stop};

/// Bytes that the program may hold in files and streams.
#[derive(Debug)]
pub(crate) struct Quota {
    limit_bytes: u64,
    used_bytes: u64,
}

impl Quota {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self {
            limit_bytes,
            used_bytes: 0,
        }
    }

    /// Bytes still free.
    pub(crate) fn left(&self) -> u64 {
        self.limit_bytes - self.used_bytes
    }

    /// Takes `bytes`, or ends the run where there are not so many left.
    pub(crate) fn take(&mut self, bytes: u64) -> Call {
        if bytes > self.left() {
            return Err(Stop::OutputLimit.into());
        }
        self.used_bytes += bytes;
        Ok(())
    }

    /// Gives back `bytes` that were taken before.
    pub(crate) fn give_back(&mut self, bytes: u64) {
        self.used_bytes = self.used_bytes.saturating_sub(bytes);
    }
}

/// Fuel during one call. The engine's own counter is set from it when the call is over.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    left: u64,
}

impl Meter {
    pub(crate) fn set(&mut self, left: u64) {
        self.left = left;
    }

    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Uses `fuel`, or ends the run where there is less left.
    pub(crate) fn spend(&mut self, fuel: u64) -> Call {
        match self.left.checked_sub(fuel) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Stop::OutOfFuel.into())
            }
        }
    }
}
