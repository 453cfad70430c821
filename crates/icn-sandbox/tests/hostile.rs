//! Modules that mean harm, or are none: each ends its own run in the way it deserves, and nothing else.

mod common;

use std::time::Duration;

use common::{LIMITS, SANDBOX, job_file, run, run_with, wat};
use icn_sandbox::{CancelFlag, Exit, Invalid, Invocation, Limits, MODULE_BOUNDS, Trap};

fn with_limits(limits: Limits) -> Invocation {
    Invocation {
        limits,
        ..Invocation::default()
    }
}

/// A module whose `_start` does this.
fn doing(body: &str) -> Vec<u8> {
    wat(&format!(
        r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#
    ))
}

#[test]
fn an_endless_loop_ends_with_its_fuel() {
    let outcome = run(&job_file("hostile/endless-loop.wasm"));
    assert_eq!((outcome.exit, outcome.fuel_used), (Exit::OutOfFuel, LIMITS.fuel));
}

#[test]
fn an_endless_loop_with_fuel_for_ever_ends_with_its_time() {
    let limits = Limits {
        fuel: u64::MAX,
        wall_ms: 50,
        ..LIMITS
    };
    let outcome = run_with(&job_file("hostile/endless-loop.wasm"), &with_limits(limits));
    assert_eq!(outcome.exit, Exit::WallClock);
    assert!(!outcome.exit.is_deterministic());
    assert!(outcome.wall_ms >= 50);
}

#[test]
fn a_loop_in_the_start_section_is_no_different() {
    let module = wat(r#"(module (func $spin (loop (br 0))) (start $spin) (func (export "_start")))"#);
    assert_eq!(run(&module).exit, Exit::OutOfFuel);
}

#[test]
fn a_run_is_cancelled_from_another_thread() {
    let module = job_file("hostile/endless-loop.wasm");
    let limits = Limits {
        fuel: u64::MAX,
        ..LIMITS
    };
    let cancel = CancelFlag::new();
    let outcome = std::thread::scope(|scope| {
        let running = scope.spawn(|| SANDBOX.run(&module, &with_limits(limits), &cancel));
        std::thread::sleep(Duration::from_millis(20));
        cancel.cancel();
        running.join().expect("the sandbox does not panic")
    });
    assert_eq!(outcome.exit, Exit::Cancelled);
    assert_eq!(
        SANDBOX.run(&module, &with_limits(limits), &cancel).exit,
        Exit::Cancelled
    );
}

#[test]
fn a_memory_bomb_gets_its_limit_and_no_more() {
    let outcome = run(&job_file("hostile/memory-bomb.wasm"));
    assert_eq!(outcome.exit, Exit::OutOfFuel);
    assert_eq!(outcome.peak_memory_bytes, LIMITS.memory_bytes);
    assert!(outcome.memory_growth_denied > 1_000);
}

#[test]
fn a_table_bomb_gets_its_limit_and_no_more() {
    let outcome = run(&job_file("hostile/table-bomb.wasm"));
    assert_eq!(outcome.exit, Exit::OutOfFuel);
    assert!(outcome.peak_memory_bytes <= LIMITS.memory_bytes);
    assert!(outcome.peak_memory_bytes > LIMITS.memory_bytes - 16_000);
    assert!(outcome.table_growth_denied > 1_000);
    assert_eq!(outcome.memory_growth_denied, 0);
}

#[test]
fn memories_and_tables_share_one_limit() {
    let module = wat(r#"(module (memory $a 1) (memory $b 1) (table $t 0 funcref)
            (func (export "_start")
                (drop (memory.grow $a (i32.const 30)))                     ;; 32 pages of 64 now
                (drop (table.grow $t (ref.null func) (i32.const 65536)))   ;; and 16 more
                (if (i32.ne (memory.grow $b (i32.const 17)) (i32.const -1)) (then unreachable))
                (if (i32.ne (memory.grow $b (i32.const 16)) (i32.const 1)) (then unreachable))))"#);
    let outcome = run(&module);
    assert_eq!(outcome.exit, Exit::Code(0));
    assert_eq!(
        (outcome.memory_growth_denied, outcome.peak_memory_bytes),
        (1, LIMITS.memory_bytes)
    );
}

#[test]
fn a_module_may_not_declare_more_than_it_may_have() {
    let memory = wat(r#"(module (memory 65) (func (export "_start")))"#);
    let outcome = run(&memory);
    assert_eq!((outcome.exit, outcome.peak_memory_bytes), (Exit::MemoryLimit, 0));
    let huge = wat(r#"(module (memory 65536) (memory 65536) (func (export "_start")))"#);
    assert_eq!(run(&huge).exit, Exit::MemoryLimit);
    let table = wat(r#"(module (table 4294967295 funcref) (func (export "_start")))"#);
    assert_eq!(run(&table).exit, Exit::MemoryLimit);
}

#[test]
fn growth_beyond_the_type_or_the_modules_own_maximum_is_not_a_denial() {
    let module = wat(r#"(module (memory 1 2) (memory 0)
            (func (export "_start")
                (if (i32.ne (memory.grow 0 (i32.const 2)) (i32.const -1)) (then unreachable))
                (if (i32.ne (memory.grow 1 (i32.const 65537)) (i32.const -1)) (then unreachable))
                (if (i32.ne (memory.grow 1 (i32.const -1)) (i32.const -1)) (then unreachable))))"#);
    let limits = Limits {
        memory_bytes: u64::MAX,
        fuel: u64::MAX,
        ..LIMITS
    };
    let outcome = run_with(&module, &with_limits(limits));
    assert_eq!((outcome.exit, outcome.memory_growth_denied), (Exit::Code(0), 0));
}

#[test]
fn a_flood_of_output_is_kept_up_to_the_limit() {
    let limits = Limits {
        output_bytes: 1_000,
        ..LIMITS
    };
    let outcome = run_with(&job_file("hostile/output-flood.wasm"), &with_limits(limits));
    assert_eq!(outcome.exit, Exit::OutputLimit);
    assert_eq!(outcome.stdout, b"more and more!!\n".repeat(63)[..1_000]);
}

#[test]
fn recursion_ends_at_the_stack() {
    let limits = Limits {
        fuel: u64::MAX,
        ..LIMITS
    };
    let outcome = run_with(&job_file("hostile/stack-overflow.wasm"), &with_limits(limits));
    assert_eq!(outcome.exit, Exit::StackOverflow);
    assert!(
        !outcome.exit.is_deterministic(),
        "how deep it gets depends on the machine"
    );
}

#[test]
fn a_callers_small_stack_does_not_matter() {
    let module = job_file("hostile/stack-overflow.wasm");
    let limits = Limits {
        fuel: u64::MAX,
        ..LIMITS
    };
    let caller = std::thread::Builder::new().stack_size(64 * 1024);
    let caller = caller
        .spawn(move || run_with(&module, &with_limits(limits)).exit)
        .expect("a thread");
    assert_eq!(caller.join().expect("it does not overflow"), Exit::StackOverflow);
}

#[test]
fn what_is_no_module_is_refused() {
    for garbage in [
        &job_file("hostile/garbage.wasm")[..],
        b"",
        b"\0asm",
        b"\0asm\x01\0\0\0\x01",
        b"\0asm\x0d\0\x01\0",
    ] {
        let exit = run(garbage).exit;
        assert!(
            matches!(exit, Exit::Invalid(Invalid::Malformed(_) | Invalid::NoStart)),
            "{exit}"
        );
    }
}

#[test]
fn what_no_job_gets_is_refused_by_name() {
    let (module, name) = ("host".to_owned(), "open_the_door".to_owned());
    let outcome = run(&job_file("hostile/unknown-import.wasm"));
    assert_eq!(
        outcome.exit,
        Exit::Invalid(Invalid::UnknownImport { module, name })
    );
    let memory =
        wat(r#"(module (import "wasi_snapshot_preview1" "memory" (memory 1)) (func (export "_start")))"#);
    assert!(matches!(
        run(&memory).exit,
        Exit::Invalid(Invalid::UnknownImport { .. })
    ));
    let other_type = wat(
        r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64))) (func (export "_start")))"#,
    );
    let name = "fd_close".to_owned();
    assert_eq!(run(&other_type).exit, Exit::Invalid(Invalid::ImportType { name }));
}

#[test]
fn what_is_no_command_is_refused() {
    for module in [
        "(module)",
        r#"(module (func (export "main")))"#,
        r#"(module (func (export "_start") (param i32)))"#,
        r#"(module (func (export "_start") (result i32) (i32.const 0)))"#,
        r#"(module (memory (export "_start") 1))"#,
    ] {
        assert_eq!(
            run(&wat(module)).exit,
            Exit::Invalid(Invalid::NoStart),
            "{module}"
        );
    }
}

#[test]
fn what_is_not_deterministic_or_not_bounded_is_switched_off() {
    for module in [
        r#"(module (memory 1 1 shared) (func (export "_start")))"#,
        r#"(module (memory i64 1) (func (export "_start")))"#,
        r#"(module (func (export "_start") (drop (f32x4.relaxed_madd
            (v128.const i64x2 0 0) (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))"#,
        r#"(module (tag) (func (export "_start")))"#,
        r#"(module (table 1 externref) (func (export "_start")))"#,
    ] {
        let exit = run(&wat(module)).exit;
        assert!(
            matches!(exit, Exit::Invalid(Invalid::Malformed(_))),
            "{module}: {exit}"
        );
    }
}

#[test]
fn each_trap_has_its_name() {
    let cases = [
        ("unreachable", Trap::Unreachable),
        ("(drop (i32.load (i32.const 65536)))", Trap::MemoryOutOfBounds),
        (
            "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
            Trap::IntegerDivisionByZero,
        ),
        (
            "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
            Trap::IntegerOverflow,
        ),
        (
            "(drop (i32.trunc_f32_s (f32.const nan)))",
            Trap::BadConversionToInteger,
        ),
    ];
    for (body, trap) in cases {
        assert_eq!(run(&doing(body)).exit, Exit::Trapped(trap), "{body}");
    }
    let table = |index: u32| {
        let text = format!(
            r#"(module (table 2 funcref) (elem (i32.const 0) $f) (func $f (param i32))
                (func (export "_start") (call_indirect (i32.const {index}))))"#
        );
        run(&wat(&text)).exit
    };
    assert_eq!(table(0), Exit::Trapped(Trap::BadSignature));
    assert_eq!(table(1), Exit::Trapped(Trap::IndirectCallToNull));
    assert_eq!(table(2), Exit::Trapped(Trap::TableOutOfBounds));
    let data = wat(r#"(module (memory 1) (data (i32.const 65536) "x") (func (export "_start")))"#);
    assert_eq!(run(&data).exit, Exit::Trapped(Trap::MemoryOutOfBounds));
}

#[test]
fn modules_beyond_the_bounds_are_refused_before_they_are_compiled() {
    let too_much = |module: &[u8]| match run(module).exit {
        Exit::Invalid(Invalid::TooMuch { what, count, limit }) => {
            assert!(count > limit);
            what
        }
        other => panic!("{other}"),
    };
    let repeat = |n: u64, text: &str| text.repeat(usize::try_from(n).expect("a small number"));
    let with = |fields: &str| wat(&format!(r#"(module {fields} (func (export "_start")))"#));

    assert_eq!(too_much(&vec![0; (16 << 20) + 1]), "bytes");
    assert_eq!(
        too_much(&with(&format!("(memory 1) {}", repeat(20_001, "(data \"\")")))),
        "data segments"
    );
    assert_eq!(too_much(&with(&repeat(20_001, "(func)"))), "functions");
    assert_eq!(too_much(&with(&repeat(5, "(memory 0)"))), "memories");
    assert_eq!(too_much(&with(&repeat(17, "(table 0 funcref)"))), "tables");
    assert_eq!(
        too_much(&with(&format!("(type (func (param {})))", repeat(129, " i32")))),
        "parameters of one type"
    );
    let most = with(&format!("(type (func (param {})))", repeat(128, " i32")));
    assert_eq!(run(&most).exit, Exit::Code(0));
    let locals = format!("(func (local {}))", repeat(MODULE_BOUNDS.locals + 1, " i64"));
    assert_eq!(too_much(&with(&locals)), "locals in one function");
    let nops = format!("(func {})", repeat(MODULE_BOUNDS.function_bytes, "nop "));
    assert_eq!(too_much(&with(&nops)), "bytes in one function");
    let branches = format!("(func {})", repeat(MODULE_BOUNDS.branches, "(block) "));
    assert_eq!(too_much(&with(&branches)), "branches in one function");
    let values = format!("(type $t (func (result{})))", repeat(16, " i64"));
    let values = format!(
        "{values} (func {} unreachable)",
        repeat(60, "(block (type $t) unreachable) unreachable ")
    );
    assert_eq!(too_much(&with(&values)), "branches in one function");
    let results = format!("(type (func (result{})))", repeat(17, " i64"));
    assert_eq!(too_much(&with(&results)), "results of one type");
    let flow = repeat(3, &format!("(func {})", repeat(14_000, "(block) ")));
    assert_eq!(too_much(&with(&flow)), "branches times branches and locals");
    let looked_up = repeat(7_000, "(drop (table.get $looked (i32.const 0))) ");
    let tables = format!(
        "(table $looked 1 funcref) {}",
        repeat(3, &format!("(func {looked_up})"))
    );
    assert_eq!(too_much(&with(&tables)), "branches times branches and locals");
}

#[test]
fn deep_nesting_is_compiled_or_refused_but_ends() {
    let depth = 14_000;
    let nested = doing(&format!("{}{}", "(block ".repeat(depth), ")".repeat(depth)));
    assert_eq!(run(&nested).exit, Exit::Code(0));
    let added = doing(&format!(
        "(drop {}{})",
        "(i32.add (i32.const 1) ".repeat(depth),
        "(i32.const 1)".to_owned() + &")".repeat(depth)
    ));
    assert_eq!(run(&added).exit, Exit::Code(0));
}

#[test]
fn arguments_that_cannot_be_passed_are_refused() {
    let invalid = |invocation: Invocation| {
        let exit = run_with(&job_file("noop/module.wasm"), &invocation).exit;
        assert!(matches!(exit, Exit::Invalid(Invalid::Arguments(_))), "{exit}");
    };
    invalid(Invocation {
        args: vec!["a\0b".to_owned()],
        ..Invocation::default()
    });
    invalid(Invocation {
        args: vec![String::new(); 1_025],
        ..Invocation::default()
    });
    invalid(Invocation {
        args: vec!["x".repeat(256 * 1024)],
        ..Invocation::default()
    });
    invalid(Invocation {
        env: vec![("A=B".to_owned(), String::new())],
        ..Invocation::default()
    });
}

#[test]
fn many_runs_at_a_time_do_not_disturb_each_other() {
    let spin = job_file("hostile/endless-loop.wasm");
    let bomb = job_file("hostile/memory-bomb.wasm");
    let noop = job_file("noop/module.wasm");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(run(&spin).exit, Exit::OutOfFuel));
            scope.spawn(|| assert_eq!(run(&bomb).exit, Exit::OutOfFuel));
            scope.spawn(|| assert_eq!(run(&noop).exit, Exit::Code(0)));
        }
    });
}
