//! Progress on stderr, for what takes longer than a second.
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(1);

/// Says something once a second at most, and nothing in the first.
pub(crate) struct Progress {
    last: Instant,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { last: Instant::now() }
    }

    /// Says what `text` makes, if it is time.
    pub(crate) fn tell(&mut self, text: impl FnOnce() -> String) {
        if self.last.elapsed() >= EVERY {
            self.last = Instant::now();
            eprintln!("icn-clear: {}", text());
        }
    }
}
