//! How a run ends, as closed enums, and which endings a replay can confirm or disprove.
//!
//! It says nothing about who is to blame or to be paid: that is the job market's.

use std::fmt;

/// How a run ended.
///
/// An ending is *deterministic* when it is a function of the module, the invocation and the engine
/// profile, so that a replay elsewhere must reach it too. See [`Exit::is_deterministic`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The program returned from `_start` (0) or called `proc_exit` with this code.
    Code(i32),
    /// The program did what WebAssembly defines as a trap.
    Trapped(Trap),
    /// The program used up `Limits::fuel`.
    OutOfFuel,
    /// The program wrote more than `Limits::output_bytes`.
    OutputLimit,
    /// The memories and tables that the module declares exceed `Limits::memory_bytes` before its
    /// first instruction. A program that asks for more while it runs is told "no" and goes on.
    MemoryLimit,
    /// The module or the invocation is not something that this engine profile runs.
    Invalid(Invalid),
    /// The program nested calls deeper than the native stack. Frame sizes depend on the processor
    /// and on how this binary was built, so another machine may get further or less far.
    StackOverflow,
    /// `Limits::wall_ms` passed on this machine.
    WallClock,
    /// The caller raised the [`CancelFlag`](crate::CancelFlag).
    Cancelled,
    /// This machine could not do its part: no memory, no thread, or a fault of the sandbox itself.
    HostFailure(String),
}

impl Exit {
    /// Whether a replay under the same engine profile must end the same way.
    ///
    /// Where one side of a comparison is not deterministic, the comparison is inconclusive: it shows
    /// neither that the executor lied nor that it did not.
    #[must_use]
    pub fn is_deterministic(&self) -> bool {
        match self {
            Self::Code(_)
            | Self::Trapped(_)
            | Self::OutOfFuel
            | Self::OutputLimit
            | Self::MemoryLimit
            | Self::Invalid(_) => true,
            Self::StackOverflow | Self::WallClock | Self::Cancelled | Self::HostFailure(_) => false,
        }
    }

    /// Whether two endings are the same as far as the engine profile fixes them: not the wording of why
    /// bytes are no module, which is the parser's.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Invalid(Invalid::Malformed(_)), Self::Invalid(Invalid::Malformed(_))) => true,
            _ => self == other,
        }
    }

    /// Whether the program ended by itself and with code 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// A stable name without the details, for metric labels and receipts.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Code(_) => "code",
            Self::Trapped(_) => "trapped",
            Self::OutOfFuel => "out-of-fuel",
            Self::OutputLimit => "output-limit",
            Self::MemoryLimit => "memory-limit",
            Self::Invalid(_) => "invalid",
            Self::StackOverflow => "stack-overflow",
            Self::WallClock => "wall-clock",
            Self::Cancelled => "cancelled",
            Self::HostFailure(_) => "host-failure",
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Trapped(trap) => write!(f, "trap: {trap}"),
            Self::OutOfFuel => f.write_str("out of fuel; raise limits.fuel"),
            Self::OutputLimit => f.write_str("output limit reached; raise limits.output_bytes"),
            Self::MemoryLimit => {
                f.write_str("the module declares more memory than it may have; raise limits.memory_bytes")
            }
            Self::Invalid(invalid) => write!(f, "cannot run: {invalid}"),
            Self::StackOverflow => f.write_str("calls nested too deeply"),
            Self::WallClock => f.write_str("time limit reached; raise limits.wall_ms"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::HostFailure(reason) => write!(f, "failure of the host: {reason}"),
        }
    }
}

/// What WebAssembly calls a trap, without those that this engine profile cannot raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Trap {
    /// The `unreachable` instruction: `abort`, a failed assertion or a panic in most languages.
    #[error("the program gave up (unreachable)")]
    Unreachable,
    /// A load or store outside of linear memory.
    #[error("memory access out of bounds")]
    MemoryOutOfBounds,
    /// A table access outside of the table.
    #[error("table access out of bounds")]
    TableOutOfBounds,
    /// An indirect call through an empty table entry.
    #[error("indirect call of an empty table entry")]
    IndirectCallToNull,
    /// An indirect call of a function of another type.
    #[error("indirect call of a function of another type")]
    BadSignature,
    /// An integer division that does not fit its result.
    #[error("integer overflow")]
    IntegerOverflow,
    /// An integer division by zero.
    #[error("integer division by zero")]
    IntegerDivisionByZero,
    /// A conversion of NaN or of a float that the integer type cannot hold.
    #[error("float does not fit an integer")]
    BadConversionToInteger,
}

/// Why a module or an invocation is not run at all. Part of the engine profile: every node that
/// names the same profile refuses the same jobs for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The bytes are not a WebAssembly module of the features that the profile allows.
    #[error("not a valid module: {0}")]
    Malformed(String),
    /// The module has more of something than the profile allows.
    #[error("the module has {count} {what}, more than the {limit} allowed")]
    TooMuch {
        /// What is counted, in the plural, with its unit where it has one.
        what: &'static str,
        /// How much there is.
        count: u64,
        /// How much may be.
        limit: u64,
    },
    /// The module imports something that no job gets.
    #[error("unknown import {module}.{name}; a job may import wasi_snapshot_preview1 only")]
    UnknownImport {
        /// The import's module.
        module: String,
        /// The import's name.
        name: String,
    },
    /// The module imports a known function under another type.
    #[error("import wasi_snapshot_preview1.{name} does not have the type that preview 1 gives it")]
    ImportType {
        /// The function's name.
        name: String,
    },
    /// The module is not a command.
    #[error("the module exports no function _start without parameters and results; build a command")]
    NoStart,
    /// The arguments or the environment cannot be passed to a program.
    #[error("{0}")]
    Arguments(&'static str),
    /// An input cannot be placed in the file system.
    #[error("input {path:?}: {error}")]
    Input {
        /// The path as the invocation names it.
        path: String,
        /// What is wrong with it.
        error: InputError,
    },
}

/// Why an input cannot be placed in the file system of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Empty, with an empty, `.` or `..` component, or with a zero byte.
    #[error("not a plain path from the root")]
    Path,
    /// A name over 255 bytes, a path over 4096, or more than 32 directories.
    #[error("path or name too long, or nested too deeply")]
    TooLong,
    /// Another input has this path, or is a file where this one needs a directory.
    #[error("conflicts with another input or with a directory")]
    Conflict,
    /// The path is under `/out`, where the files are that the program makes.
    #[error("under /out, which is for output; place it under /in")]
    UnderOut,
    /// More inputs and directories for them than a run may have.
    #[error("more than 2048 inputs and directories")]
    TooMany,
}
