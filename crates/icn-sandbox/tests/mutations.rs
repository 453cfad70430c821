//! Whatever bytes a module is made of, a run of it ends, in bounded fuel, and the host is not touched:
//! random damage to valid modules, and random arguments to every call.

mod common;

use common::{LIMITS, job_file, run_with, wat};
use icn_sandbox::{Exit, Invocation, Limits};
use proptest::prelude::*;

/// What a mutant may use: little, for there are many.
const SMALL: Limits = Limits {
    fuel: 2_000_000,
    memory_bytes: 2 << 20,
    output_bytes: 64 << 10,
    ..LIMITS
};

/// Endings that would mean that the module got the better of the host, or only time stopped it.
fn check(exit: &Exit) -> Result<(), TestCaseError> {
    prop_assert!(
        !matches!(exit, Exit::HostFailure(_) | Exit::WallClock | Exit::Cancelled),
        "{exit}"
    );
    Ok(())
}

fn damage(mut module: Vec<u8>, changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (at, byte) in changes {
        let at = at.index(module.len());
        module[at] = *byte;
    }
    module
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_small_modules_end(
        which in prop::sample::select(vec!["memory-bomb", "table-bomb", "output-flood", "stack-overflow", "endless-loop"]),
        changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
    ) {
        let module = damage(job_file(&format!("hostile/{which}.wasm")), &changes);
        check(&run_with(&module, &Invocation { limits: SMALL, ..Invocation::default() }).exit)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_programs_end(changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..3)) {
        let module = damage(job_file("checksum/module.wasm"), &changes);
        check(&run_with(&module, &Invocation { limits: SMALL, ..Invocation::default() }).exit)?;
    }
}

/// The parameters of the calls, `i` for i32 and `l` for i64; all but `proc_exit` have an i32 result.
const CALLS: [(&str, &str); 45] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "ili"),
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "ill"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "il"),
    ("fd_filestat_set_times", "illi"),
    ("fd_pread", "iiili"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiili"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_seek", "ilii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiilli"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("proc_raise", "i"),
    ("sched_yield", ""),
    ("random_get", "ii"),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

fn type_of(kind: char) -> &'static str {
    if kind == 'l' { "i64" } else { "i32" }
}

/// A module that makes these calls, one after the other.
fn calling(calls: &[(usize, [u64; 9])]) -> Vec<u8> {
    let imports: String = CALLS
        .iter()
        .map(|(name, kinds)| {
            let params: Vec<_> = kinds.chars().map(type_of).collect();
            let params = params.join(" ");
            format!(
                r#"(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {params}) (result i32)))"#
            )
        })
        .collect();
    let body: String = calls
        .iter()
        .map(|(call, values)| {
            let (name, kinds) = CALLS[*call];
            let arguments: String = kinds
                .chars()
                .zip(values)
                .map(|(kind, value)| match kind {
                    'l' => format!("(i64.const {value})"),
                    _ => format!("(i32.const {})", value & 0xffff_ffff),
                })
                .collect();
            format!("(drop (call ${name} {arguments}))")
        })
        .collect();
    let exit = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))"#;
    // Memory that holds usable vectors, subscriptions and paths at small addresses.
    let data = r#"(data (i32.const 0) "\10\00\00\00\20\00\00\00in/x\00\00out/y/../z\00\01\00\00\00\02")"#;
    wat(&format!(
        r#"(module {imports} {exit} (memory (export "memory") 1) {data}
            (func (export "_start") {body} (call $proc_exit (i32.const 7))))"#
    ))
}

/// Numbers that calls have reasons to be careful with.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..8_u64,
        2 => 8..64_u64,
        1 => 65_500..65_560_u64,
        1 => any::<u64>(),
        1 => any::<u32>().prop_map(u64::from),
        1 => Just(u64::MAX),
        1 => Just(u64::from(u32::MAX)),
        1 => Just(1 << 63),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_call_with_any_arguments_returns(
        calls in prop::collection::vec((0..CALLS.len(), prop::array::uniform9(number())), 1..40),
    ) {
        let inputs = [("/in/x".to_owned(), "some bytes".into())].into();
        let invocation = Invocation { inputs, limits: SMALL, ..Invocation::default() };
        let module = calling(&calls);
        let outcome = run_with(&module, &invocation);
        check(&outcome.exit)?;
        prop_assert!(
            matches!(outcome.exit, Exit::Code(7) | Exit::OutOfFuel | Exit::OutputLimit),
            "{}", outcome.exit
        );
        prop_assert_eq!(outcome.agrees_with(&run_with(&module, &invocation)), Some(true));
    }
}
