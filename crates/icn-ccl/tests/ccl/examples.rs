//! The examples that ship: they check without warnings, pass their own tests in both engines, are laid out
//! as the formatter would, and can be explained.
use crate::host::Host;
use icn_ccl::{
    Build, Metadata, NoModules, Program, Value,
    abi::{METADATA_SECTION, TEST_PREFIX},
    check, compile, explain, format, interp,
    testing::{Verdict, judge, run_tests},
};
use std::{fs, path::PathBuf};

pub(crate) fn examples() -> Vec<(String, String)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/ccl"));
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ccl"))
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read_to_string(path).unwrap(),
            )
        })
        .collect();
    found.sort();
    assert!(found.len() >= 4);
    found
}

/// Checks a source and runs its tests in both engines.
pub(crate) fn passes(name: &str, source: &str) -> Program {
    let checked = check(source, &NoModules);
    let found: Vec<_> = checked
        .diagnostics
        .iter()
        .map(|found| (checked.sources.position(found.span()), found.to_string()))
        .collect();
    assert!(found.is_empty(), "{name}: {found:#?}");
    let program = checked.program.unwrap();
    for (test, verdict) in run_tests(&program) {
        assert_eq!(verdict, Verdict::Passed, "{name}: {}", test.name);
    }
    let mut host = Host::new(&compile(&program, Build::WithTests).unwrap());
    for (number, test) in program.tests.iter().enumerate() {
        let end = host.call(
            &program,
            &format!("{TEST_PREFIX}{number}"),
            test.function,
            &Value::Unit,
        );
        assert_eq!(
            end,
            interp::call(&program, test.function, &Value::Unit),
            "{name}: {}",
            test.name
        );
        assert_eq!(judge(test, &end), Verdict::Passed, "{name}: {}", test.name);
    }
    program
}

#[test]
fn examples_pass_their_tests() {
    for (name, source) in examples() {
        let program = passes(&name, &source);
        assert!(!program.tests.is_empty(), "{name} has no tests");
    }
}

#[test]
fn examples_are_laid_out() {
    for (name, source) in examples() {
        let laid_out = format(&source).unwrap();
        if std::env::var_os("UPDATE").is_some() {
            fs::write(
                format!("{}/../../examples/ccl/{name}", env!("CARGO_MANIFEST_DIR")),
                &laid_out,
            )
            .unwrap();
        } else {
            assert_eq!(
                laid_out, source,
                "{name}: `UPDATE=1 cargo test -p icn-ccl examples` lays it out"
            );
        }
    }
}

#[test]
fn examples_can_be_explained() {
    let (_, source) = examples()
        .into_iter()
        .find(|(name, _)| name == "membership.ccl")
        .unwrap();
    let text = explain(&check(&source, &NoModules).program.unwrap());
    for part in [
        "It holds for all cooperatives",
        "There, TRIAL is 90 days.",
        "a steward may make proposals",
        "At least 2/3 of the votes has to agree; 2/3 itself is enough.",
        "It refuses with \"nobody speaks for themselves\" unless not input.sponsors.contains(input.applicant).",
        "how much a debtor may owe on a credit line: without another contract, what the creditor signed.",
        "these follow built-in rules, whatever a contract says: suspend, remove, replace_policy, remove_policy.",
    ] {
        assert!(text.contains(part), "{part}\n\n{text}");
    }
}

#[test]
fn modules_say_what_they_are() {
    for (_, source) in examples() {
        let program = check(&source, &NoModules).program.unwrap();
        let module = compile(&program, Build::Contract).unwrap();
        let sections = wasmi::Module::new(&wasmi::Engine::default(), &module).unwrap();
        let section = sections
            .custom_sections()
            .find(|section| section.name() == METADATA_SECTION)
            .unwrap();
        assert_eq!(Metadata::from_bytes(section.data()), Ok(Metadata::of(&program)));
        assert_eq!(
            Metadata::of(&program).sources[0],
            icn_model::Cid::of_raw(source.as_bytes())
        );
        assert_eq!(Metadata::of(&program).processes.len(), program.processes.len());
        let exports: Vec<_> = sections
            .exports()
            .map(|export| export.name().to_owned())
            .collect();
        for policy in &program.policies {
            assert!(exports.iter().any(|name| name == policy.slot.name));
        }
        assert!(exports.iter().all(|name| !name.starts_with(TEST_PREFIX)));
        // The same source gives the same bytes.
        assert_eq!(compile(&program, Build::Contract).unwrap(), module);
    }
}
