//! How the demo tells what happens: as it does, with times, and in a table at the end.
use super::told;
use crate::{format, output::Output, table::Table};
use icn_model::Millis;
use serde::Serialize;
use std::{cell::RefCell, time::Instant};

/// A part of the story that has been told.
#[derive(Clone, Debug, Serialize)]
struct Step {
    what: &'static str,
    result: String,
    took_ms: u128,
}

/// Tells the story with times.
pub(super) struct Teller<'a> {
    output: &'a Output,
    started: Instant,
    step_started: RefCell<Instant>,
    steps: RefCell<Vec<Step>>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(output: &'a Output) -> Self {
        let now = Instant::now();
        Self {
            output,
            started: now,
            step_started: RefCell::new(now),
            steps: RefCell::default(),
        }
    }

    pub(super) fn say(&self, text: impl AsRef<str>) {
        self.output
            .say(format!("[{:>9}] {}", told(self.started.elapsed()), text.as_ref()));
    }

    pub(super) fn show(&self, text: &str) {
        for line in text.lines() {
            self.output.say(format!("              {line}"));
        }
    }

    pub(super) fn done(&self, what: &'static str, result: String) {
        let took = self.step_started.replace(Instant::now()).elapsed();
        self.say(format!("{what}: {result} ({})", told(took)));
        self.steps.borrow_mut().push(Step {
            what,
            result,
            took_ms: took.as_millis(),
        });
    }

    pub(super) const fn output(&self) -> &'a Output {
        self.output
    }

    /// Prints what was done and how long it took.
    pub(super) fn sum_up(&self) -> anyhow::Result<()> {
        let steps = self.steps.take();
        self.output.data(&steps, |output| {
            let mut table = Table::new(["STEP", "RESULT", ">TOOK"]);
            for step in steps.iter() {
                let took = Millis::new(u64::try_from(step.took_ms).unwrap_or(u64::MAX));
                table.row([step.what.to_owned(), step.result.clone(), format::span(took)]);
            }
            Ok(output.table(&table)?)
        })
    }
}
