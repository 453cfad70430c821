//! Jobs: what is asked, what is bid, what was done.
use crate::{Cid, Did, Digest, Domain, JobId, Mana, PublicKey, Signable, Time, canonical, limits};
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// What a job may use. Going over ends the job, not the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct JobLimits {
    /// Instructions, roughly, as the engine meters them.
    pub fuel: u64,
    /// Linear memory in total.
    pub memory_bytes: u64,
    /// Standard output, standard error and files together.
    pub output_bytes: u64,
    /// Wall clock on the executor.
    pub wall_ms: u64,
}

impl Default for JobLimits {
    fn default() -> Self {
        Self {
            fuel: 10_000_000_000,
            memory_bytes: 256 << 20,
            output_bytes: 16 << 20,
            wall_ms: 60_000,
        }
    }
}

/// Who may run a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    /// Least reputation, from 0 to 1,000.
    pub min_reputation: u32,
    /// Only these cooperatives; empty means any but the submitter's own.
    pub cooperatives: Vec<Did>,
}

/// A job is a function of what this names, and of nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// A WASI preview 1 command.
    pub module: Cid,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// What the program reads from standard input; nothing if absent.
    pub stdin: Option<Cid>,
    /// Files that the program sees, by path.
    pub inputs: BTreeMap<String, Cid>,
    /// What it may use.
    pub limits: JobLimits,
    /// Who may run it.
    pub require: Requirements,
    /// How many distinct cooperatives run it; pay is for those that agree.
    pub replicas: u8,
    /// The most that one replica may cost.
    pub max_mana: Mana,
    /// When it must be done, by block time.
    pub deadline: Time,
    /// The seat that collects bids; the submitter's own if absent.
    pub coordinator: Option<Did>,
    /// Blocks are served to submitter and executors only.
    pub private: bool,
}

/// An executor's offer to run a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Bid {
    /// Where it counts.
    pub federation: Cid,
    /// For which job.
    pub job: JobId,
    /// For which attempt of it, from 0.
    pub attempt: u32,
    /// The cooperative that offers.
    pub executor: Did,
    /// Its seat key, which signs.
    pub key: PublicKey,
    /// What it asks: this is what it is paid.
    pub price: Mana,
    /// Memory that it has free for jobs.
    pub free_memory_bytes: u64,
    /// Bytes of the job's module and inputs that it already has.
    pub local_bytes: u64,
    /// Share of its job slots in use, per mille.
    pub load_per_mille: u16,
    /// Until when the offer stands, by block time.
    pub expires: Time,
}

impl Signable for Bid {
    const DOMAIN: Domain = Domain::Bid;

    fn signer(&self) -> PublicKey {
        self.key
    }
}

/// A bidder that the coordinator left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// Who.
    pub executor: Did,
    /// Why.
    pub reason: ExclusionReason,
}

/// Why a coordinator leaves a bidder out. What every node can compute itself is not listed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ExclusionReason {
    /// Failed too often in a row for this coordinator.
    Blacklisted {
        /// Until when.
        until: Time,
    },
    /// More bids than an award carries, and others were better.
    Outbid {},
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ExitStatus {
    /// By itself, with a status; 0 is success.
    Code(i32),
    /// By a trap; the text names it.
    Trap(String),
    /// Out of fuel.
    OutOfFuel,
    /// Over its memory.
    OutOfMemory,
    /// Over its output.
    OutputLimit,
    /// The module is none, or imports what no job may.
    InvalidModule(String),
    /// Over its wall clock: the machine's fault or the job's, nobody can tell.
    WallClock,
    /// The executor could not get a block that the job names.
    InputMissing(Cid),
    /// The executor's own trouble.
    HostFailure(String),
}

impl ExitStatus {
    /// Whether any honest executor gets the same: such an end is paid for, and can be disproved.
    pub const fn is_deterministic(&self) -> bool {
        match self {
            Self::Code(_)
            | Self::Trap(_)
            | Self::OutOfFuel
            | Self::OutOfMemory
            | Self::OutputLimit
            | Self::InvalidModule(_) => true,
            Self::WallClock | Self::InputMissing(_) | Self::HostFailure(_) => false,
        }
    }

    /// Whether the program itself says that it succeeded.
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Code(0))
    }
}

/// What a run produced. Two honest runs of one job under one engine profile produce the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// How it ended.
    pub exit: ExitStatus,
    /// Standard output.
    pub stdout: Cid,
    /// Standard error.
    pub stderr: Cid,
    /// Files, by path; at most [`limits::MAX_OUTPUTS`].
    pub files: BTreeMap<String, Cid>,
    /// Fuel used.
    pub fuel: u64,
}

impl Outcome {
    /// What replicas and replays are compared by.
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical::to_bytes(self))
    }

    /// Whether every collection and text is within its bound.
    pub fn is_bounded(&self) -> bool {
        let text = match &self.exit {
            ExitStatus::Trap(text) | ExitStatus::InvalidModule(text) | ExitStatus::HostFailure(text) => {
                text.len()
            }
            _ => 0,
        };
        text <= limits::MAX_TEXT_BYTES
            && self.files.len() <= limits::MAX_OUTPUTS
            && self.files.keys().all(|path| path.len() <= limits::MAX_PATH_BYTES)
    }
}

/// An executor's signed word of what it ran and what came out. A DAG-CBOR block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Where it counts.
    pub federation: Cid,
    /// Which job.
    pub job: JobId,
    /// Which attempt of it.
    pub attempt: u32,
    /// The cooperative that ran it.
    pub executor: Did,
    /// Its seat key, which signs.
    pub key: PublicKey,
    /// What was run.
    pub module: Cid,
    /// Hash of the whole job as it was submitted: arguments, inputs, limits.
    pub spec: Digest,
    /// What came out.
    pub outcome: Outcome,
    /// Most memory in use at once.
    pub peak_memory_bytes: u64,
    /// Everything about the engine that results depend on.
    pub engine: String,
    /// By the executor's clock.
    pub started: Time,
    /// By the executor's clock.
    pub finished: Time,
}

impl Signable for Receipt {
    const DOMAIN: Domain = Domain::Receipt;

    fn signer(&self) -> PublicKey {
        self.key
    }
}

/// What a drawn seat says of a challenged job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Which job.
    pub job: JobId,
    /// Digest of the outcome that its own replay had; none if it could not replay.
    pub outcome: Option<Digest>,
}
