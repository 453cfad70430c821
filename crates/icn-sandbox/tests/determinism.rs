//! The same job gives the same outcome: again, in another sandbox, and as recorded for this profile.

mod common;

use std::collections::BTreeMap;

use common::{LIMITS, SANDBOX, job_file, new_sandbox, run, run_with, wat};
use icn_sandbox::{CancelFlag, ENGINE_PROFILE, Exit, Invocation, Limits, Outcome};
use sha2::{Digest, Sha256};

/// Prints 40 random bytes, two clock readings, the clock's resolution, and what `stat` says of an input.
const CURIOUS: &str = r#"(module
    (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "clock_res_get" (func $clock_res_get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_filestat_get"
        (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\40\00\00\00\80\00\00\00")
    (data (i32.const 16) "in/x")
    (func (export "_start")
        (drop (call $random_get (i32.const 64) (i32.const 40)))
        (drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const 104)))
        (drop (call $clock_time_get (i32.const 3) (i64.const 0) (i32.const 112)))
        (drop (call $clock_res_get (i32.const 1) (i32.const 120)))
        (drop (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 128)))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

fn curious() -> Invocation {
    let inputs = BTreeMap::from([
        ("/in/x".to_owned(), "four".into()),
        ("/in/w".to_owned(), "".into()),
    ]);
    Invocation {
        inputs,
        limits: LIMITS,
        seed: [3; 32],
        ..Invocation::default()
    }
}

fn without_time(outcome: Outcome) -> Outcome {
    Outcome {
        wall_ms: 0,
        ..outcome
    }
}

#[test]
fn randomness_time_and_files_are_those_of_the_job() {
    let module = wat(CURIOUS);
    let outcome = run_with(&module, &curious());
    assert_eq!(outcome.exit, Exit::Code(0));
    let block =
        |i: u64| Sha256::digest([b"icn-wasip1/1 random".as_slice(), &[3; 32], &i.to_le_bytes()].concat());
    let start = 946_684_800_000_000_000_u64;
    let mut expected = [block(0).as_slice(), &block(1)[..8]].concat();
    for number in [start, start + 1_000_000, 1_000_000] {
        expected.extend_from_slice(&number.to_le_bytes());
    }
    // Device, inode (root, in, out, tmp, w, x), regular file, links, size, three times.
    for number in [0, 6, 4, 1, 4, start, start, start] {
        expected.extend_from_slice(&u64::to_le_bytes(number));
    }
    assert_eq!(outcome.stdout, expected);
}

#[test]
fn another_seed_gives_other_randomness_and_nothing_else() {
    let module = wat(CURIOUS);
    let (one, other) = (
        run_with(&module, &curious()),
        run_with(
            &module,
            &Invocation {
                seed: [4; 32],
                ..curious()
            },
        ),
    );
    assert_ne!(one.stdout[..40], other.stdout[..40]);
    assert_eq!(one.stdout[40..], other.stdout[40..]);
    assert_eq!(one.fuel_used, other.fuel_used);
    assert_eq!(one.agrees_with(&other), Some(false));
}

#[test]
fn outcomes_are_equal_again_and_elsewhere() {
    let elsewhere = new_sandbox();
    let text = Invocation {
        stdin: job_file("inputs/cooperation.txt").into(),
        ..curious()
    };
    let drawing = Invocation {
        args: ["40", "30", "99"].map(str::to_owned).into(),
        ..curious()
    };
    let cases = [
        (wat(CURIOUS), curious()),
        (job_file("word-frequencies/module.wasm"), text),
        (job_file("mandelbrot/module.wasm"), drawing),
        (job_file("checksum/module.wasm"), curious()),
        (job_file("hostile/memory-bomb.wasm"), curious()),
        (job_file("hostile/table-bomb.wasm"), curious()),
        (job_file("hostile/output-flood.wasm"), curious()),
        (job_file("hostile/unknown-import.wasm"), curious()),
        (job_file("hostile/garbage.wasm"), curious()),
    ];
    for (module, invocation) in cases {
        let first = run_with(&module, &invocation);
        for sandbox in [&*SANDBOX, &elsewhere] {
            let again = sandbox.run(&module, &invocation, &CancelFlag::new());
            assert_eq!(first.agrees_with(&again), Some(true));
            assert_eq!(without_time(first.clone()), without_time(again));
        }
    }
}

#[test]
fn what_depends_on_the_machine_shows_nothing() {
    let limits = Limits {
        fuel: u64::MAX,
        ..LIMITS
    };
    let invocation = Invocation {
        limits,
        ..Invocation::default()
    };
    let overflow = run_with(&job_file("hostile/stack-overflow.wasm"), &invocation);
    assert_eq!(overflow.agrees_with(&run(&job_file("noop/module.wasm"))), None);
    assert_eq!(run(&job_file("noop/module.wasm")).agrees_with(&overflow), None);
}

#[test]
fn every_nan_has_the_same_bits() {
    // Each result is NaN; payloads and signs of what went in must not show.
    let bits = |nan: &str| {
        format!("(if (i64.ne (i64.reinterpret_f64 {nan}) (i64.const 0x7ff8000000000000)) (then unreachable))")
    };
    let checks = [
        "(f64.div (f64.const 0) (f64.const 0))",
        "(f64.div (f64.const -0) (f64.const 0))",
        "(f64.sqrt (f64.const -1))",
        "(f64.add (f64.const nan:0x123) (f64.const 1))",
        "(f64.mul (f64.const -nan:0x8000000000001) (f64.const -1))",
        "(f64.min (f64.const nan:0x77) (f64.const nan:0x88))",
        "(f64.promote_f32 (f32.const -nan:0x12345))",
        "(f64x2.extract_lane 1 (f64x2.div (v128.const f64x2 0 0) (v128.const f64x2 0 -0)))",
    ];
    let body: String = checks.iter().map(|nan| bits(nan)).collect();
    let module = wat(&format!(r#"(module (func (export "_start") {body}))"#));
    assert_eq!(run(&module).exit, Exit::Code(0));
}

#[test]
fn the_parsers_wording_is_not_part_of_the_result() {
    let (one, other) = (run(b"neither a module"), run(b"nor one, and longer"));
    assert!(one.exit.agrees_with(&other.exit));
    assert_eq!(run(b"\0asm\x01\0\0\0\xff").agrees_with(&one), Some(true));
    assert_eq!(run(&wat("(module)")).agrees_with(&one), Some(false));
}

/// Known results. When a change makes this fail, jobs get other receipts than before: then the
/// profile's name has to change too, so that nobody compares the one with the other.
#[test]
fn results_are_those_recorded_for_the_profile() {
    assert_eq!(ENGINE_PROFILE, "icn-wasip1/2 wasmtime/48");
    let recorded = |path: &str, args: &[&str]| {
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        let limits = Limits {
            fuel: 1_000_000_000,
            ..LIMITS
        };
        let outcome = run_with(
            &job_file(path),
            &Invocation {
                args,
                limits,
                ..curious()
            },
        );
        (outcome.exit, outcome.fuel_used, outcome.peak_memory_bytes)
    };
    let code_0 = |fuel, memory_bytes| (Exit::Code(0), fuel, memory_bytes);
    let all = [
        recorded("noop/module.wasm", &[]),
        recorded("checksum/module.wasm", &[]),
        recorded("mandelbrot/module.wasm", &["64", "48", "200"]),
        recorded("word-frequencies/module.wasm", &["/in/x"]),
        recorded("hostile/output-flood.wasm", &[]),
    ];
    let expected = [
        code_0(1, 65_536),
        code_0(65_415, 196_720),
        code_0(5_028_655, 131_168),
        code_0(40_365, 196_720),
        (Exit::OutputLimit, 18_219_286, 65_536),
    ];
    assert_eq!(all, expected);
}
