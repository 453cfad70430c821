//! What a run is given and what it gives back: plain data, no behaviour but checks of itself.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::exit::{Exit, Invalid};

/// What a program finds in `argv[0]`. The arguments of the invocation follow it.
pub const PROGRAM_NAME: &str = "job";

/// Arguments and environment variables that one invocation may pass, counted together.
pub const ARGUMENTS_MAX: usize = 1_024;

/// Bytes of all arguments and environment variables together, with a terminating zero each.
pub const ARGUMENTS_MAX_BYTES: usize = 256 * 1024;

/// Everything that a run depends on besides the module and the engine profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// The program's arguments, without its name.
    pub args: Vec<String>,
    /// The environment, in the order in which the program sees it.
    pub env: Vec<(String, String)>,
    /// Standard input.
    pub stdin: Bytes,
    /// Read-only files by their path from the root, with or without the leading slash.
    pub inputs: BTreeMap<String, Bytes>,
    /// What the run may use.
    pub limits: Limits,
    /// Seed of `random_get`. It belongs to the job: the same seed gives the same bytes.
    pub seed: [u8; 32],
}

impl Invocation {
    /// Checks what the C convention of zero-terminated `KEY=value` strings cannot carry.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        if self.args.len() + self.env.len() > ARGUMENTS_MAX {
            return Err(Invalid::Arguments(
                "more than 1024 arguments and environment variables",
            ));
        }
        let args_bytes = self.args.iter().map(|a| a.len() + 1);
        let env_bytes = self.env.iter().map(|(key, value)| key.len() + value.len() + 2);
        let total = args_bytes.chain(env_bytes).fold(0, usize::saturating_add);
        if total > ARGUMENTS_MAX_BYTES {
            return Err(Invalid::Arguments("arguments and environment exceed 256 KiB"));
        }
        let texts = self
            .args
            .iter()
            .chain(self.env.iter().flat_map(|(key, value)| [key, value]));
        if texts.into_iter().any(|text| text.contains('\0')) {
            return Err(Invalid::Arguments(
                "an argument or environment variable contains a zero byte",
            ));
        }
        if self
            .env
            .iter()
            .any(|(key, _)| key.is_empty() || key.contains('='))
        {
            return Err(Invalid::Arguments(
                "the name of an environment variable is empty or contains '='",
            ));
        }
        Ok(())
    }
}

/// What one run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Units of fuel: about one per executed WebAssembly instruction, one per byte of bulk memory
    /// operations, 256 per WASI call and one per byte that the call moves.
    pub fuel: u64,
    /// Bytes of all linear memories together, plus 16 for each table element.
    pub memory_bytes: u64,
    /// Bytes that the program may write: standard output, standard error and what its files hold.
    /// This memory is the host's, in addition to `memory_bytes`.
    pub output_bytes: u64,
    /// Milliseconds of this machine's time, compilation included.
    pub wall_ms: u64,
}

impl Default for Limits {
    /// A small job: 10 000 000 000 fuel (some ten seconds of a processor), 64 MiB of memory, 16 MiB of
    /// output, one minute.
    fn default() -> Self {
        Self {
            fuel: 10_000_000_000,
            memory_bytes: 64 << 20,
            output_bytes: 16 << 20,
            wall_ms: 60_000,
        }
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub exit: Exit,
    /// Standard output up to the end, also of a run that failed.
    pub stdout: Vec<u8>,
    /// Standard error up to the end, also of a run that failed.
    pub stderr: Vec<u8>,
    /// The files under `/out` at the end, by their path below it, also of a run that failed.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Fuel used. After a trap other than `unreachable` it counts up to the last call only: a lower
    /// bound, but the same bound on every machine.
    pub fuel_used: u64,
    /// The most that memories and tables held together, counted as in [`Limits::memory_bytes`].
    pub peak_memory_bytes: u64,
    /// Milliseconds that it took here, compilation included. Not a property of the job.
    pub wall_ms: u64,
    /// How often `memory.grow` was refused because of [`Limits::memory_bytes`].
    pub memory_growth_denied: u32,
    /// How often `table.grow` was refused because of [`Limits::memory_bytes`].
    pub table_growth_denied: u32,
}

impl Outcome {
    /// An outcome of a run that did not get to execute an instruction.
    pub(crate) fn not_run(exit: Exit) -> Self {
        Self {
            exit,
            stdout: Vec::new(),
            stderr: Vec::new(),
            files: BTreeMap::new(),
            fuel_used: 0,
            peak_memory_bytes: 0,
            wall_ms: 0,
            memory_growth_denied: 0,
            table_growth_denied: 0,
        }
    }

    /// Whether a replay says the same as this outcome in everything but its duration. `None` where
    /// either ended for a reason of its machine, so that the comparison shows nothing.
    #[must_use]
    pub fn agrees_with(&self, replay: &Self) -> Option<bool> {
        if !self.exit.is_deterministic() || !replay.exit.is_deterministic() {
            return None;
        }
        let same_end = self.exit.agrees_with(&replay.exit)
            && self.fuel_used == replay.fuel_used
            && self.peak_memory_bytes == replay.peak_memory_bytes
            && self.memory_growth_denied == replay.memory_growth_denied
            && self.table_growth_denied == replay.table_growth_denied;
        Some(
            same_end
                && self.stdout == replay.stdout
                && self.stderr == replay.stderr
                && self.files == replay.files,
        )
    }
}
