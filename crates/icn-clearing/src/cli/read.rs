//! Reading obligations: strict, in one pass, with the line of whatever is wrong.
use super::{
    lines::{Lines, Record},
    memory::Memory,
    network::Input,
    progress::Progress,
};
use anyhow::{Context as _, anyhow, bail, ensure};
use icn_clearing::{MAX_PARTIES, MAX_ROWS};
use std::{mem, path::Path, str};

const COLUMNS: [&str; 4] = ["debtor", "creditor", "amount", "unit"];
/// No name or unit is longer.
const NAME_MAX_BYTES: usize = 1024;
/// There are no more units.
const UNITS_MAX: usize = 10_000;

/// One field as text.
pub(crate) fn text(field: &[u8]) -> anyhow::Result<&str> {
    str::from_utf8(field).map_err(|_| anyhow!("this is not UTF-8: save the file as CSV UTF-8"))
}

/// A whole number of at least `least`.
pub(crate) fn number(field: &[u8], what: &str, least: u64) -> anyhow::Result<u64> {
    let field = text(field)?;
    ensure!(!field.is_empty(), "the {what} is missing");
    let digits = field.strip_prefix('-').unwrap_or(field);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        bail!("the {what} `{}` is not a whole number", excerpt(field));
    }
    ensure!(
        digits.len() == field.len(),
        "the {what} {} is negative",
        excerpt(field)
    );
    let value = field
        .parse::<u64>()
        .ok()
        .filter(|value| i64::try_from(*value).is_ok());
    let value = value.with_context(|| format!("the {what} {} is more than 2^63 - 1", excerpt(field)))?;
    ensure!(value >= least, "the {what} is zero");
    Ok(value)
}

/// The beginning of what may be long.
fn excerpt(field: &str) -> String {
    let short: String = field.chars().take(40).collect();
    if short.len() < field.len() {
        short + "…"
    } else {
        short
    }
}

/// A name of a party or a unit.
pub(crate) fn name<'a>(field: &'a [u8], what: &str) -> anyhow::Result<&'a str> {
    let name = text(field)?;
    ensure!(!name.is_empty(), "the {what} is missing");
    ensure!(
        name.len() <= NAME_MAX_BYTES,
        "the {what} is longer than {NAME_MAX_BYTES} bytes"
    );
    Ok(name)
}

/// Reads all obligations.
pub(crate) fn read(path: &Path, memory: &Memory) -> anyhow::Result<Input> {
    let mut lines = Lines::open(path)?;
    let mut state = Reading::default();
    let mut progress = Progress::new();
    let mut first = true;
    while let Some(record) = lines.next()? {
        if mem::take(&mut first) && state.header(record) {
            continue;
        }
        state.take(record).with_context(|| lines.place())?;
        let rows = state.input.rows();
        if rows.is_multiple_of(1 << 16) {
            state.afford(memory).with_context(|| lines.place())?;
            progress.tell(|| format!("{rows} rows read"));
        }
    }
    state.afford(memory)?;
    if state.input.networks.is_empty() {
        state.input.network("");
    }
    Ok(state.input)
}

#[derive(Default)]
struct Reading {
    input: Input,
    sum: u64,
    name_bytes: u64,
    /// How many fields every row has; 0 before the first.
    columns: usize,
}

impl Reading {
    /// Whether the first record is a header, which says how many columns there are.
    fn header(&mut self, record: Record<'_>) -> bool {
        let found = [&COLUMNS[..3], &COLUMNS[..]]
            .into_iter()
            .find(|columns| record.is(columns));
        if let Some(columns) = found {
            self.columns = columns.len();
            self.input.has_units = columns.len() == 4;
        }
        found.is_some()
    }

    /// Whether what was read so far can be solved in memory.
    fn afford(&self, memory: &Memory) -> anyhow::Result<()> {
        memory.allow(
            self.input.rows() as u64,
            self.input.parties() as u64,
            self.name_bytes,
        )
    }

    fn take(&mut self, record: Record<'_>) -> anyhow::Result<()> {
        if self.columns == 0 {
            if record.len() == 1 && record[0].contains(&b';') {
                bail!("fields are separated by semicolons: commas are expected");
            }
            ensure!(
                matches!(record.len(), 3 | 4),
                "{} fields instead of debtor,creditor,amount and perhaps unit",
                record.len()
            );
            self.columns = record.len();
            self.input.has_units = record.len() == 4;
        }
        ensure!(
            record.len() == self.columns,
            "{} fields instead of {}",
            record.len(),
            self.columns
        );
        let (debtor, creditor) = (name(&record[0], "debtor")?, name(&record[1], "creditor")?);
        let amount = number(&record[2], "amount", 1).map_err(|error| {
            let header = self.input.rows() == 0 && !record[2].first().is_some_and(u8::is_ascii_digit);
            if header {
                error.context("neither a row nor the header debtor,creditor,amount")
            } else {
                error
            }
        })?;
        let unit = if self.columns == 4 {
            name(&record[3], "unit")?
        } else {
            ""
        };
        ensure!(self.input.rows() < MAX_ROWS, "more than {MAX_ROWS} rows");
        let before = self.input.parties();
        ensure!(
            before + 2 <= MAX_PARTIES as usize,
            "more than {MAX_PARTIES} parties"
        );
        // All units together: a sum of different things, but a bound for each.
        let sum = self
            .sum
            .checked_add(amount)
            .filter(|sum| i64::try_from(*sum).is_ok());
        self.sum = sum.context("the amounts up to here add up to more than 2^63 - 1")?;
        let network = self.input.network(unit);
        ensure!(
            self.input.networks.len() <= UNITS_MAX,
            "more than {UNITS_MAX} units"
        );
        self.input.push(network, debtor, creditor, amount);
        if self.input.parties() > before {
            self.name_bytes += 2 * (debtor.len() + creditor.len()) as u64;
        }
        Ok(())
    }
}
