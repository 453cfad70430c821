//! Progress of what takes longer than a moment: redrawn on a terminal, plain lines otherwise.
use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use std::{cell::RefCell, time::Duration};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// A running piece of work. Ends when dropped, and leaves nothing behind on a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    output: Output,
    bar: Option<ProgressBar>,
    last: RefCell<String>,
}

impl Progress {
    /// Work of unknown length.
    pub(crate) fn spinner(output: &Output, text: &str) -> Self {
        let style = || ProgressStyle::with_template("{spinner} {msg} ({elapsed})").ok();
        Self::new(output, text, style, None)
    }

    /// So many bytes to move.
    pub(crate) fn bytes(output: &Output, text: &str, total: u64) -> Self {
        let style =
            || ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec}").ok();
        Self::new(output, text, style, Some(total))
    }

    fn new(
        output: &Output,
        text: &str,
        style: impl Fn() -> Option<ProgressStyle>,
        total: Option<u64>,
    ) -> Self {
        let bar = output.is_lively().then(|| {
            let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            bar.enable_steady_tick(TICK);
            if let Some(style) = style() {
                bar.with_style(style)
            } else {
                bar
            }
        });
        let progress = Self {
            output: *output,
            bar,
            last: RefCell::default(),
        };
        progress.tell(text);
        progress
    }

    /// Says what is being done now; the same text twice is said once.
    pub(crate) fn tell(&self, text: &str) {
        if self.last.replace(text.to_owned()) == text {
            return;
        }
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.output.say(text),
        }
    }

    /// So many bytes more are done.
    pub(crate) fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
