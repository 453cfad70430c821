//! The clock of a run, which counts how often it was asked and nothing else.
//!
//! All four clocks of preview 1 show the same time: 2000-01-01 00:00:00 UTC at the start, a
//! millisecond more at each reading, and after a sleep as much more as the sleep was to take. So time
//! moves forward for programs that wait for it to, and is the same in every replay.

use super::errno::{Call, Errno};

/// Time at the start of a run, and of every file, in nanoseconds since 1970.
pub(crate) const START_NS: u64 = 946_684_800 * 1_000_000_000;
/// What one reading adds.
const STEP_NS: u64 = 1_000_000;

#[derive(Debug)]
pub(crate) struct Clock {
    now_ns: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { now_ns: START_NS }
    }

    /// The time, and a step forward.
    pub(crate) fn read(&mut self) -> u64 {
        let now_ns = self.now_ns;
        self.now_ns = now_ns.saturating_add(STEP_NS);
        now_ns
    }

    /// Moves on to `time_ns`, if that is ahead.
    pub(crate) fn advance_to(&mut self, time_ns: u64) {
        self.now_ns = self.now_ns.max(time_ns);
    }

    /// The time at which a wait is over.
    pub(crate) fn deadline(&self, timeout_ns: u64, absolute: bool) -> u64 {
        if absolute {
            timeout_ns
        } else {
            self.now_ns.saturating_add(timeout_ns)
        }
    }

    /// The time without a step, for times of files.
    pub(crate) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The unit in which the clocks move.
    pub(crate) fn resolution_ns() -> u64 {
        STEP_NS
    }
}

/// Refuses what is not one of the four clocks.
pub(crate) fn check_id(id: u32) -> Call {
    if id <= 3 { Ok(()) } else { Err(Errno::Inval.into()) }
}
