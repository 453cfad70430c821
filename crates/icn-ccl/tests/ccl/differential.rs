//! The interpreter and compiled modules agree: on results, refusals and faults, and where they happen.
//!
//! `PROPTEST_CASES=100000 cargo test -p icn-ccl --test ccl differential` runs as many programs.
use crate::{choices::Choices, host::Host, programs::program, values::value};
use icn_ccl::{Build, NoModules, Stop, check, compile, interp};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest},
};
use std::{collections::BTreeMap, sync::Mutex};

const INPUTS: usize = 4;

/// How calls ended, to see that the programs are not all alike.
static ENDS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 4_000, ..ProptestConfig::default() })]
    #[test]
    fn interpreter_and_module_agree(bytes in vec(any::<u8>(), 0..2_500)) {
        let mut choices = Choices::new(&bytes);
        let source = program(&mut choices);
        let checked = check(&source, &NoModules);
        let errors: Vec<_> = checked.diagnostics.iter().filter(|found| !found.code.is_warning()).collect();
        prop_assert!(errors.is_empty(), "{errors:?}\n{source}");
        let program = checked.program.unwrap();
        let module = compile(&program, Build::WithFunctions).unwrap();
        let mut host = Host::new(&module);
        let main = program.functions.len() - 1;
        let input_type = program.functions[main].locals[0].clone();
        for _ in 0..INPUTS {
            let input = value(&program.types, &input_type, &mut choices);
            let expected = interp::call(&program, main, &input);
            let found = host.call(&program, &format!("fn:{main}"), main, &input);
            let end = match &expected {
                Ok(_) => "result",
                Err(Stop::Refusal { .. }) => "refusal",
                Err(Stop::Fault { code, .. }) => code.word(),
            };
            *ENDS.lock().unwrap().entry(end.to_owned()).or_default() += 1;
            prop_assert_eq!(&expected, &found, "interpreter left, module right, for {:?}\n{}", input, source);
        }
    }
}

#[test]
fn generated_programs_end_in_many_ways() {
    // The other test may not have run, or not yet: its numbers are looked at after some of one's own.
    let mut ends = BTreeMap::new();
    for seed in 0..400u32 {
        let bytes: Vec<u8> = (0..1_500u32)
            .map(|at| {
                (seed.wrapping_mul(2_654_435_761) ^ at.wrapping_mul(40_503).rotate_left(at % 13 + seed % 7))
                    .to_le_bytes()[1]
            })
            .collect();
        let mut choices = Choices::new(&bytes);
        let source = program(&mut choices);
        let checked = check(&source, &NoModules);
        let Some(program) = checked.program else {
            panic!("{:?}\n{source}", checked.diagnostics);
        };
        let main = program.functions.len() - 1;
        let input = value(&program.types, &program.functions[main].locals[0], &mut choices);
        let end = match interp::call(&program, main, &input) {
            Ok(_) => "result",
            Err(Stop::Refusal { .. }) => "refusal",
            Err(Stop::Fault { code, .. }) => code.word(),
        };
        *ends.entry(end).or_insert(0) += 1;
    }
    println!("{ends:?} {:?}", ENDS.lock().unwrap());
    for end in [
        "result",
        "refusal",
        "overflow",
        "index",
        "missing_key",
        "division_by_zero",
    ] {
        assert!(
            ends.contains_key(end),
            "no generated program ended with {end}: {ends:?}"
        );
    }
}
