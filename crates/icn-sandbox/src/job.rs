//! A job in the sandbox's words, and its ending in the log's: the one place where the two meet, so that an
//! executor, a juror and somebody who verifies a receipt run exactly the same thing.
use crate::{Exit, Invalid, Invocation, Limits, Outcome};
use bytes::Bytes;
use icn_model::{
    Cid, Digest, ExitStatus, JobSpec, canonical,
    file::{self, FileBlock},
    limits::MAX_TEXT_BYTES,
};
use std::collections::BTreeMap;

/// Why bytes are no module.
const MALFORMED: &str = "this is no WebAssembly module that is run here: wasm-tools validate says why";

/// What the sandbox is asked for a job whose content has been fetched. The job itself seeds its randomness.
#[must_use]
pub fn invocation(spec: &JobSpec, stdin: Bytes, inputs: BTreeMap<String, Bytes>) -> Invocation {
    Invocation {
        args: spec.args.clone(),
        env: spec.env.clone().into_iter().collect(),
        stdin,
        inputs,
        limits: Limits {
            fuel: spec.limits.fuel,
            memory_bytes: spec.limits.memory_bytes,
            output_bytes: spec.limits.output_bytes,
            wall_ms: spec.limits.wall_ms,
        },
        seed: *Digest::of(&canonical::to_bytes(spec)).as_bytes(),
    }
}

/// The ending in the log's words. Endings that a replay may not reach are the host's.
#[must_use]
pub fn exit_status(exit: &Exit) -> ExitStatus {
    match exit {
        Exit::Code(code) => ExitStatus::Code(*code),
        Exit::Trapped(trap) => ExitStatus::Trap(short(trap.to_string())),
        Exit::OutOfFuel => ExitStatus::OutOfFuel,
        Exit::OutputLimit => ExitStatus::OutputLimit,
        Exit::MemoryLimit => ExitStatus::OutOfMemory,
        // Receipts are compared by this, and the parser's own wording may be another one in its next release.
        Exit::Invalid(Invalid::Malformed(_)) => ExitStatus::InvalidModule(MALFORMED.to_owned()),
        Exit::Invalid(invalid) => ExitStatus::InvalidModule(short(invalid.to_string())),
        Exit::WallClock => ExitStatus::WallClock,
        Exit::StackOverflow | Exit::Cancelled | Exit::HostFailure(_) => {
            ExitStatus::HostFailure(short(exit.to_string()))
        }
    }
}

/// What receipts and replays are compared by.
#[must_use]
pub fn outcome(ran: &Outcome) -> icn_model::Outcome {
    icn_model::Outcome {
        exit: exit_status(&ran.exit),
        stdout: name(&ran.stdout),
        stderr: name(&ran.stderr),
        files: ran
            .files
            .iter()
            .map(|(path, content)| (path.clone(), name(content)))
            .collect(),
        fuel: ran.fuel_used,
    }
}

/// The CID that content has as a file. What is too large for a file has none, and no job writes as much.
fn name(content: &[u8]) -> Cid {
    let blocks = file::split(content).unwrap_or_default();
    blocks
        .last()
        .map_or_else(|| Cid::of_raw(content), |FileBlock { cid, .. }| *cid)
}

fn short(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CancelFlag, Sandbox, SandboxConfig};

    #[test]
    fn a_real_module_has_the_same_outcome_twice() {
        let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
        let module = include_bytes!("../../../jobs/word-frequencies/module.wasm");
        let invocation = Invocation {
            args: vec!["-n".into(), "1".into()],
            stdin: Bytes::from_static(b"to be or not to be to"),
            ..Invocation::default()
        };
        let run = || outcome(&sandbox.run(module, &invocation, &CancelFlag::default()));
        let first = run();
        assert_eq!(first.exit, ExitStatus::Code(0));
        assert_eq!(first.stdout, Cid::of_raw(b"3\tto\n"));
        assert_eq!(run(), first);
    }

    #[test]
    fn garbage_ends_as_the_log_says() {
        let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
        let outcome = outcome(&sandbox.run(b"garbage", &Invocation::default(), &CancelFlag::default()));
        assert!(
            matches!(outcome.exit, ExitStatus::InvalidModule(_)),
            "{:?}",
            outcome.exit
        );
        assert!(outcome.is_bounded());
        let other = b"\0asm\x01\0\0\0 and more";
        let other = super::outcome(&sandbox.run(other, &Invocation::default(), &CancelFlag::default()));
        assert_eq!(
            other.exit, outcome.exit,
            "the wording of a parser is not compared"
        );
        assert!(short("é".repeat(500)).len() <= MAX_TEXT_BYTES);
    }
}
