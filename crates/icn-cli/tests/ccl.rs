//! What authors of contracts do, by the program itself. No node runs.
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

fn ccl(directory: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icn-cli"))
        .arg("ccl")
        .args(args)
        .current_dir(directory)
        .env_clear()
        .output()
        .expect("icn-cli runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ccl")
}

fn example(name: &str) -> String {
    fs::read_to_string(examples().join(name)).expect("the example ships")
}

fn contract(rest: &str) -> String {
    format!("contract \"Ours\" version 1 language 1 scope federation;\n\n{rest}\n")
}

#[test]
fn examples_check_build_and_pass() {
    let directory = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(examples()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        fs::copy(&path, directory.path().join(&name)).unwrap();

        let checked = ccl(directory.path(), &["check", &name]);
        assert_eq!(
            checked.status.code(),
            Some(0),
            "{name}: {}",
            text(&checked.stderr)
        );
        assert!(text(&checked.stdout).starts_with("bafkrei"), "{name}");

        let tested = ccl(directory.path(), &["test", &name]);
        assert_eq!(tested.status.code(), Some(0), "{name}: {}", text(&tested.stderr));
        assert!(
            text(&tested.stdout)
                .lines()
                .all(|line| line.starts_with("passed  ")),
            "{name}"
        );

        let built = ccl(directory.path(), &["build", &name, "--json"]);
        assert_eq!(built.status.code(), Some(0), "{name}: {}", text(&built.stderr));
        let data: serde_json::Value = serde_json::from_slice(&built.stdout).unwrap();
        let module = fs::read(directory.path().join(data["file"].as_str().unwrap())).unwrap();
        assert!(module.starts_with(b"\0asm"));
        assert_eq!(data["bytes"], module.len());
        assert_eq!(data["module"], icn_model::Cid::of_raw(&module).to_string());

        let laid_out = ccl(directory.path(), &["fmt", "--check", &name]);
        assert_eq!(
            laid_out.status.code(),
            Some(0),
            "{name}: {}",
            text(&laid_out.stderr)
        );
    }
}

#[test]
fn what_is_wrong_is_shown_with_its_line_and_a_way_out() {
    let directory = tempfile::tempdir().unwrap();
    let source = contract("policy mana_rate(input) {\n  input.base_rat * 2\n}\n\nfn f() -> Int { \"text\" }");
    fs::write(directory.path().join("wrong.ccl"), source).unwrap();
    for command in ["check", "build", "test", "explain"] {
        let output = ccl(directory.path(), &[command, "wrong.ccl"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(output.stdout.is_empty(), "{command}");
        for part in [
            "error[C0015]: `ManaInput` has no field `base_rat`",
            "wrong.ccl:4:9",
            "did you mean `base_rate`?",
            "error[C0018]: expected Int, found Text",
            "error: 2 errors",
        ] {
            assert!(said.contains(part), "{command}: {part}\n{said}");
        }
    }
    assert!(!directory.path().join("wrong.wasm").exists());
    let output = ccl(directory.path(), &["check", "wrong.ccl", "--json"]);
    let data: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(data["fine"], false);
    assert_eq!(data["diagnostics"][0]["code"], "C0015");
    assert_eq!(data["diagnostics"][0]["labels"][0]["line"], 4);
}

#[test]
fn a_test_that_fails_says_where() {
    let directory = tempfile::tempdir().unwrap();
    let source = contract(
        "test \"sums\" {\n  expect(1 + 1 == 3);\n}\n\ntest \"refuses\" refuses \"no\" { refuse(\"no\"); }",
    );
    fs::write(directory.path().join("a.ccl"), source).unwrap();
    let output = ccl(directory.path(), &["test", "a.ccl"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "FAILED  sums\npassed  refuses\n");
    let said = text(&output.stderr);
    assert!(
        said.contains("an expectation does not hold") && said.contains("a.ccl:4:3"),
        "{said}"
    );
    assert!(said.contains("1 of 2 tests failed"), "{said}");
}

#[test]
fn fmt_lays_out_and_keeps_comments() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ccl");
    fs::write(&path, contract("// why\nfn f( ) -> Int{1+1}")).unwrap();
    let output = ccl(directory.path(), &["fmt", "--check", "a.ccl"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "a.ccl\n");
    assert_eq!(ccl(directory.path(), &["fmt", "a.ccl"]).status.code(), Some(0));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        contract("// why\nfn f() -> Int { 1 + 1 }")
    );
    assert_eq!(
        ccl(directory.path(), &["fmt", "--check", "a.ccl"]).status.code(),
        Some(0)
    );
}

#[test]
fn modules_are_found_by_their_content() {
    let directory = tempfile::tempdir().unwrap();
    let module = "module \"shares\" version 1 language 1;\n\nfn half(amount: Mana) -> Mana { amount.times_floor(1/2) }\n";
    fs::write(directory.path().join("shares.ccl"), module).unwrap();
    let checked = ccl(directory.path(), &["check", "shares.ccl"]);
    let cid = text(&checked.stdout).trim().to_owned();
    let source = contract(&format!(
        "import \"{cid}\" as shares;\n\npolicy mana_rate(input) {{ shares.half(input.base_rate) }}"
    ));
    fs::write(directory.path().join("a.ccl"), source).unwrap();
    let missing = ccl(directory.path(), &["check", "a.ccl"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing.stderr).contains("C0036"),
        "{}",
        text(&missing.stderr)
    );
    let found = ccl(directory.path(), &["check", "a.ccl", "--module", "shares.ccl"]);
    assert_eq!(found.status.code(), Some(0), "{}", text(&found.stderr));
}

#[test]
fn explain_uses_plain_words() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.ccl"), example("consent.ccl")).unwrap();
    let output = ccl(directory.path(), &["explain", "a.ccl"]);
    let said = text(&output.stdout);
    assert!(
        said.contains("More than 1/2 of the votes has to agree; 1/2 itself is not enough."),
        "{said}"
    );
    assert!(
        said.contains("One paramount objection, with its reason, blocks."),
        "{said}"
    );
}

#[test]
fn what_is_no_source_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(
        ccl(directory.path(), &["check", "nowhere.ccl"]).status.code(),
        Some(1)
    );
    assert_eq!(ccl(directory.path(), &["check"]).status.code(), Some(2));
    fs::write(directory.path().join("bytes.ccl"), [0xff, 0xfe, 0]).unwrap();
    assert_eq!(
        ccl(directory.path(), &["check", "bytes.ccl"]).status.code(),
        Some(1)
    );
    fs::write(directory.path().join("long.ccl"), "// long\n".repeat(64 * 1024)).unwrap();
    let output = ccl(directory.path(), &["check", "long.ccl"]);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("long.ccl") && told.contains("262144 bytes"),
        "{told}"
    );
    fs::write(directory.path().join("a.wasm"), contract("")).unwrap();
    let output = ccl(directory.path(), &["build", "a.wasm"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
