//! What the integration tests share: one sandbox, and short ways to run a module.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::path::PathBuf;
use std::sync::LazyLock;

use icn_sandbox::{CancelFlag, Invocation, Limits, Outcome, Sandbox, SandboxConfig};

/// One sandbox for all tests of a binary, which run side by side in it.
pub(crate) static SANDBOX: LazyLock<Sandbox> = LazyLock::new(new_sandbox);

/// Limits that no honest test reaches, and a hostile one soon.
pub(crate) const LIMITS: Limits = Limits {
    fuel: 20_000_000,
    memory_bytes: 4 << 20,
    output_bytes: 1 << 20,
    wall_ms: 120_000,
};

/// A sandbox with nothing in its cache.
pub(crate) fn new_sandbox() -> Sandbox {
    Sandbox::new(SandboxConfig::default()).expect("an engine for this machine")
}

/// Assembles WebAssembly text.
pub(crate) fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the test's module is well-formed")
}

/// Runs a module with [`LIMITS`] and nothing else.
pub(crate) fn run(module: &[u8]) -> Outcome {
    run_with(
        module,
        &Invocation {
            limits: LIMITS,
            ..Invocation::default()
        },
    )
}

/// Runs a module.
pub(crate) fn run_with(module: &[u8], invocation: &Invocation) -> Outcome {
    SANDBOX.run(module, invocation, &CancelFlag::new())
}

/// A path under `jobs/`.
pub(crate) fn jobs(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../jobs")
        .join(path)
}

/// A file under `jobs/`.
pub(crate) fn job_file(path: &str) -> Vec<u8> {
    let path = jobs(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
