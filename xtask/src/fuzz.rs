//! `cargo xtask fuzz`: libFuzzer over everything that parses bytes from outside.
//!
//! Coverage is instrumented by options of the stable compiler, so no nightly is needed. It takes in every dependency,
//! which are built anew for it. A test of icn-node runs the same targets without.
use crate::{cargo_command, status, target_dir};
use anyhow::{Context as _, bail, ensure};
use std::{fs, path::Path, process::Command};

const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                        -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";
/// How long each target runs if nothing says.
const SECONDS: &str = "60";
/// An input for which a target takes longer, in seconds, or more memory, in MiB, is a finding.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=65536"];

/// Builds the targets and runs those that are named, or all of them.
pub(crate) fn fuzz(rest: &[String]) -> anyhow::Result<()> {
    let (seconds, named) = options(rest)?;
    let all = targets()?;
    for name in &named {
        ensure!(
            all.contains(name),
            "there is no target {name}: there are {}",
            all.join(", ")
        );
    }
    let host = Command::new("rustc").args(["--print", "host-tuple"]).output()?;
    let host = String::from_utf8(host.stdout)?.trim().to_owned();
    let built = target_dir().join("fuzz");
    let mut build = cargo_command();
    // With a target named, build scripts and macros are not instrumented.
    build
        .args([
            "build",
            "--release",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target",
            &host,
        ])
        .arg("--target-dir")
        .arg(&built)
        .env("RUSTFLAGS", COVERAGE);
    status(&mut build)?;
    for name in if named.is_empty() { all } else { named } {
        // What is found goes here, and what fails to `fuzz/artifacts`; the corpus that ships is read only.
        let found = built.join("corpus").join(&name);
        let failed = Path::new("fuzz/artifacts").join(&name);
        fs::create_dir_all(&found)?;
        fs::create_dir_all(&failed)?;
        let mut run = Command::new(built.join(&host).join("release").join(&name));
        run.args(LIMITS)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", failed.display()))
            .arg(found)
            .arg(Path::new("fuzz/corpus").join(&name));
        status(&mut run).with_context(|| format!("{name} fails: see {}", failed.display()))?;
    }
    Ok(())
}

fn options(rest: &[String]) -> anyhow::Result<(String, Vec<String>)> {
    let mut seconds = SECONDS.to_owned();
    let mut named = Vec::new();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                let number = words.next().context("--seconds needs a number")?;
                ensure!(
                    number.parse::<u32>().is_ok(),
                    "--seconds {number}: expected a number"
                );
                seconds.clone_from(number);
            }
            option if option.starts_with('-') => {
                bail!("there is no option {option}: fuzz [--seconds N] [TARGET ...]")
            }
            name => named.push(name.to_owned()),
        }
    }
    Ok((seconds, named))
}

/// The names of all targets, which are those of their files.
fn targets() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir("fuzz/fuzz_targets")? {
        let path = file?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}
