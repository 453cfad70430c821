//! What contracts cost: `cargo bench -p icn-ccl`.
//!
//! - compiling 200 lines, from text to validated module: under 20 ms;
//! - a call of a policy under wasmi, after the first: under 50 µs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark: a panic is how it fails, and its functions are no interface"
)]
#[path = "../tests/ccl/host.rs"]
mod host;

use criterion::{Criterion, criterion_group, criterion_main};
use host::Host;
use icn_ccl::{Build, NoModules, Value, check, compile, interp};
use std::{fmt::Write as _, hint::black_box};

const HEADER: &str = "contract \"Bench\" version 1 language 1 scope federation;\n\nunit eur decimals 2;\n";
const LINES: usize = 200;

/// A contract of 200 lines: rules of a dozen lines each, and a policy that calls them all.
fn contract() -> String {
    let mut text = HEADER.to_owned();
    let mut calls = Vec::new();
    while text.lines().count() < LINES - 14 {
        let n = calls.len();
        write!(
            text,
            r#"
enum State{n} {{ New, Trading(Amount<eur>, Ratio), Closed(Text) }}
fn rule{n}(input: ManaInput, sums: List<Amount<eur>>) -> Ratio {{
  var total = 0 eur;
  for sum in sums {{
    if sum > 1.50 eur {{ total = total + sum.times_round(1/3); }}
  }}
  let state = if total == 0 eur {{ State{n}.New }} else {{ State{n}.Trading(total, input.jobs_executed / 7) }};
  match state {{
    State{n}.New => 0,
    State{n}.Trading(amount, share) => min(1, share + amount / 1_000 eur),
    State{n}.Closed(reason) => refuse("closed since {{input.now}}: {{reason}}"),
  }}
}}
"#
        )
        .unwrap();
        calls.push(format!("rule{n}(input, sums)"));
    }
    text.push_str(
        "\npolicy mana_rate(input) {\n  require(input.jobs_failed < 10, \"{input.jobs_failed} failures\");\n",
    );
    text.push_str("  let sums = [1 eur, 2.50 eur, 3 eur];\n  var bonus: Ratio = 0;\n");
    for call in calls {
        writeln!(text, "  bonus = bonus + {call};").unwrap();
    }
    text.push_str("  input.base_rate.times_floor(1 + min(1, bonus))\n}\n");
    text
}

fn input() -> Value {
    let numbers = |numbers: &[i64]| numbers.iter().copied().map(Value::from).collect::<Vec<_>>();
    let mut fields = vec![Value::from(
        "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
    )];
    fields.extend(numbers(&[
        1_777_636_800_000,
        86_400_000,
        5_000,
        10_000,
        1_000_000,
        2_592_000_000,
        3,
        4,
        1,
        40_000,
        20_000,
    ]));
    Value::record(fields)
}

fn compiling(bench: &mut Criterion) {
    let source = contract();
    println!("{} lines, {} bytes", source.lines().count(), source.len());
    bench.bench_function("compile 200 lines", |bench| {
        bench.iter(|| {
            let program = check(black_box(&source), &NoModules).program.unwrap();
            compile(&program, Build::Contract).unwrap()
        });
    });
}

fn calling(bench: &mut Criterion) {
    let example = include_str!("../../../examples/ccl/regeneration-by-contribution.ccl");
    for (name, source) in [("200 lines", contract()), ("an example", example.to_owned())] {
        let checked = check(&source, &NoModules);
        let program = checked.program.unwrap();
        let module = compile(&program, Build::Contract).unwrap();
        println!("{name}: a module of {} bytes", module.len());
        let (mut host, input, function) = (Host::new(&module), input(), program.policies[0].function);
        let expected = interp::call(&program, function, &input);
        assert_eq!(host.call(&program, "mana_rate", function, &input), expected);
        bench.bench_function(&format!("call {name} under wasmi"), |bench| {
            bench.iter(|| host.call(&program, "mana_rate", function, black_box(&input)));
        });
        bench.bench_function(&format!("call {name} in the interpreter"), |bench| {
            bench.iter(|| interp::call(&program, function, black_box(&input)));
        });
        bench.bench_function(&format!("instantiate {name}"), |bench| {
            bench.iter(|| Host::new(black_box(&module)))
        });
    }
}

criterion_group!(benches, compiling, calling);
criterion_main!(benches);
