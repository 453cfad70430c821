//! What a load consists of: kinds of jobs that end in every way that jobs can end.
use crate::gather;
use anyhow::Context as _;
use clap::ValueEnum;
use icn_api::client::Client;
use icn_model::{Cid, Codec, JobLimits, JobSpec, Mana, Millis, Requirements, Time, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const NOOP: &[u8] = include_bytes!("../../../../../jobs/noop/module.wasm");
const WORDS: &[u8] = include_bytes!("../../../../../jobs/word-frequencies/module.wasm");
const CHECKSUM: &[u8] = include_bytes!("../../../../../jobs/checksum/module.wasm");
const MEMORY: &[u8] = include_bytes!("../../../../../jobs/memory-touch/module.wasm");
const LOOP: &[u8] = include_bytes!("../../../../../jobs/hostile/endless-loop.wasm");
const FLOOD: &[u8] = include_bytes!("../../../../../jobs/hostile/output-flood.wasm");
const IMPORT: &[u8] = include_bytes!("../../../../../jobs/hostile/unknown-import.wasm");
const ESSAY: &[u8] = include_bytes!("../../../../../jobs/inputs/cooperation.txt");
const STOCK: &[u8] = include_bytes!("../../../../../jobs/inputs/checksum/stock.txt");

/// Bytes of a job's own data: a block of its own, that its executor has to get.
const DATA_BYTES: usize = 16 << 10;
/// How long an executor may take for an ordinary job: a hundred times what it takes, for machines that are busy.
const WALL: Millis = Millis::from_secs(10);
/// How long one that never ends may take, and more fuel than is burned meanwhile.
const SHORT_WALL: Millis = Millis::new(200);
const MUCH_FUEL: u64 = 20_000_000_000;
/// Fuel of one that is to run out of it.
const LITTLE_FUEL: u64 = 20_000_000;
/// Output of one that is to print too much.
const LITTLE_OUTPUT_BYTES: u64 = 16 << 10;
/// How long the log has for a job, retries and lost executors included.
const DEADLINE: Millis = Millis::from_secs(900);
/// The most that a job may cost.
const MAX_MANA: Mana = Mana::from_whole(100);

/// A kind of job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Does nothing.
    Short,
    /// Reads and counts a text.
    Text,
    /// Reads files, one of which no other job has.
    Data,
    /// Writes to 16 MiB of memory.
    Memory,
    /// Ends badly, the same on every machine, and is paid: out of fuel, over its output, or imports what no job may.
    Failing,
    /// Never ends: is stopped by the clock, given to others, and rolled back in the end.
    TooLong,
}

/// Kinds in the order in which a mixed load has them, over and over.
const MIXED: [Kind; 20] = {
    use Kind::{Data, Failing, Memory, Short, Text, TooLong};
    [
        Short, Text, Short, Data, Short, Memory, Short, Failing, Short, Text, Data, Short, Short, Memory,
        Short, Failing, Text, Short, Data, TooLong,
    ]
};

impl Kind {
    /// The name on the command line and in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Text => "text",
            Self::Data => "data",
            Self::Memory => "memory",
            Self::Failing => "failing",
            Self::TooLong => "too-long",
        }
    }

    /// Whether every run of it comes to a result that is paid for.
    pub(super) const fn can_settle(self) -> bool {
        !matches!(self, Self::TooLong)
    }
}

/// Which kinds a load has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mix(Vec<Kind>);

impl Mix {
    /// Reads `mixed`, or a list of kinds.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "mixed" {
            return Ok(Self(MIXED.into()));
        }
        let kinds = text.split(',').map(|name| {
            Kind::from_str(name.trim(), false).map_err(|_| {
                let names: Vec<_> = Kind::value_variants().iter().map(|kind| kind.name()).collect();
                format!(
                    "{name:?} is no kind of job: mixed, or a list of {}",
                    names.join(", ")
                )
            })
        });
        Ok(Self(kinds.collect::<Result<_, _>>()?))
    }

    /// The kind of the so manieth job.
    pub(super) fn kind(&self, number: usize) -> Kind {
        self.0[number % self.0.len()]
    }
}

/// What jobs read, put into a node once.
#[derive(Clone, Debug)]
pub(super) struct Content {
    noop: Cid,
    words: Cid,
    checksum: Cid,
    memory: Cid,
    bad: [Cid; 3],
    essay: Cid,
    stock: Cid,
}

impl Content {
    pub(super) fn put(client: &Client) -> anyhow::Result<Self> {
        let put = |content: &[u8]| {
            let written = gather::put(client, content, |_| {});
            anyhow::Ok(written.context("a node does not take what jobs read")?.cid)
        };
        Ok(Self {
            noop: put(NOOP)?,
            words: put(WORDS)?,
            checksum: put(CHECKSUM)?,
            memory: put(MEMORY)?,
            bad: [put(LOOP)?, put(FLOOD)?, put(IMPORT)?],
            essay: put(ESSAY)?,
            stock: put(STOCK)?,
        })
    }

    /// The so manieth job, of a kind, put into the log at `now`. Its own data goes to the node first.
    pub(super) fn spec(
        &self,
        client: &Client,
        kind: Kind,
        number: usize,
        now: Time,
    ) -> anyhow::Result<JobSpec> {
        let limits = JobLimits {
            wall_ms: WALL.get(),
            ..JobLimits::default()
        };
        let mut spec = JobSpec {
            module: self.noop,
            args: vec![number.to_string()],
            env: BTreeMap::new(),
            stdin: None,
            inputs: BTreeMap::new(),
            limits,
            require: Requirements::default(),
            replicas: 1,
            max_mana: MAX_MANA,
            deadline: now.after(DEADLINE),
            coordinator: None,
            private: false,
        };
        match kind {
            Kind::Short => {}
            Kind::Text => {
                spec.module = self.words;
                spec.args = vec!["-n".into(), "8".into()];
                spec.stdin = Some(self.essay);
            }
            Kind::Data => {
                let own = client.put_block(Codec::Raw, &noise(number))?;
                spec.module = self.checksum;
                spec.args = Vec::new();
                spec.inputs = [("in/own", own), ("in/stock.txt", self.stock)]
                    .map(|(path, cid)| (path.to_owned(), cid))
                    .into();
            }
            Kind::Memory => spec.module = self.memory,
            Kind::Failing => {
                spec.module = self.bad[number % self.bad.len()];
                spec.limits.fuel = LITTLE_FUEL;
                spec.limits.output_bytes = LITTLE_OUTPUT_BYTES;
            }
            Kind::TooLong => {
                spec.module = self.bad[0];
                spec.limits.fuel = MUCH_FUEL;
                spec.limits.wall_ms = SHORT_WALL.get();
            }
        }
        debug_assert!(spec.limits.fuel <= limits::MAX_FUEL);
        Ok(spec)
    }
}

/// Bytes that no other job has.
fn noise(number: usize) -> Vec<u8> {
    let mut state = number as u64;
    let words = (0..DATA_BYTES / 8).flat_map(|_| next(&mut state).to_le_bytes());
    words.collect()
}

/// The next of a row of numbers that look like chance (SplitMix64).
pub(in crate::devnet) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixed_load_has_every_kind() {
        let mix = Mix::parse("mixed").unwrap();
        for kind in Kind::value_variants() {
            assert!(
                (0..MIXED.len()).any(|number| mix.kind(number) == *kind),
                "{kind:?}"
            );
        }
        assert_eq!(mix.kind(MIXED.len()), mix.kind(0));
    }

    #[test]
    fn kinds_are_read_by_name() {
        let mix = Mix::parse("short, too-long").unwrap();
        assert_eq!(
            [mix.kind(0), mix.kind(1), mix.kind(2)],
            [Kind::Short, Kind::TooLong, Kind::Short]
        );
        for text in ["", "mixed,short", "long"] {
            let error = Mix::parse(text).unwrap_err();
            assert!(error.contains("too-long"), "{error}");
        }
    }

    #[test]
    fn no_two_jobs_have_the_same_data() {
        assert_eq!(noise(1).len(), DATA_BYTES);
        assert_ne!(noise(1), noise(2));
        assert_eq!(noise(7), noise(7));
    }
}
