//! Where text goes: data to stdout, talk to stderr.
use crate::{global::Global, table::Table};
use serde::Serialize;
use std::io::{self, IsTerminal as _, Write as _};

/// How this run prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    terminal: bool,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            json: global.json,
            quiet: global.quiet,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Says nothing but errors, for work within work.
    pub(crate) const fn silent() -> Self {
        Self {
            json: false,
            quiet: true,
            terminal: false,
        }
    }

    /// Whether data is wanted as JSON.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether somebody watches stderr, so that it can be redrawn.
    pub(crate) const fn is_lively(&self) -> bool {
        self.terminal && !self.quiet
    }

    /// Whether somebody is there to be asked.
    pub(crate) const fn can_ask(&self) -> bool {
        self.terminal
    }

    /// A line of data.
    pub(crate) fn line(&self, line: impl AsRef<str>) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(line.as_ref().as_bytes())?;
        stdout.write_all(b"\n")
    }

    /// Bytes of data, as they are.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// A table of data.
    pub(crate) fn table(&self, table: &Table) -> io::Result<()> {
        self.bytes(table.to_string().as_bytes())
    }

    /// Data as JSON.
    pub(crate) fn json(&self, data: &impl Serialize) -> anyhow::Result<()> {
        Ok(self.line(serde_json::to_string_pretty(data)?)?)
    }

    /// Data as JSON on one line, for streams of it.
    pub(crate) fn json_line(&self, data: &impl Serialize) -> anyhow::Result<()> {
        Ok(self.line(serde_json::to_string(data)?)?)
    }

    /// The same data as JSON, or as text that `text` prints.
    pub(crate) fn data(
        &self,
        data: &impl Serialize,
        text: impl FnOnce(&Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if self.json { self.json(data) } else { text(self) }
    }

    /// A line of talk.
    pub(crate) fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            // Nobody to talk to is no reason to stop.
            let _ = writeln!(io::stderr().lock(), "{}", line.as_ref());
        }
    }

    /// A line of talk that is not kept back.
    pub(crate) fn insist(&self, line: impl AsRef<str>) {
        let _ = writeln!(io::stderr().lock(), "{}", line.as_ref());
    }
}
