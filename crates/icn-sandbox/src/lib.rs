//! Runs other people's code as a function of its inputs: jobs, and the contracts of the log ([`PolicyHost`]).
//!
//! A job module is a function of what its job names: module, arguments, environment, inputs,
//! seed and limits go in, an exit, output bytes and counters come out, the same on every machine.
//!
//! A module is a WASI preview 1 command. It sees no network, no host file, no host clock and no host
//! randomness: all 46 calls are answered from memory. Everything that it can consume is bounded,
//! and whatever it does ends its own run and nothing else.
//!
//! This is the only crate that names wasmtime (jobs) and wasmi (contracts). It holds no queue, no thread pool and no policy: who
//! may run what, when and at what price is decided by its callers.

mod bounds;
mod cache;
mod engine;
mod exit;
mod invocation;
pub mod job;
mod limiter;
mod linker;
pub mod policies;
mod run;
mod sandbox;
mod screen;
mod ticker;
mod wasi;

pub use bounds::{MODULE_BOUNDS, ModuleBounds};
pub use exit::{Exit, InputError, Invalid, Trap};
pub use invocation::{ARGUMENTS_MAX, ARGUMENTS_MAX_BYTES, Invocation, Limits, Outcome, PROGRAM_NAME};
pub use policies::PolicyHost;
pub use sandbox::{ENGINE_PROFILE, Sandbox, SandboxConfig, SandboxError};
pub use ticker::CancelFlag;
