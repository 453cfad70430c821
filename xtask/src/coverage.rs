//! `cargo xtask coverage`: which lines of what everything stands on the tests go through.
use crate::{cargo_command, status, target_dir};
use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use std::{fs, path::PathBuf, process::Stdio};

/// What is measured: its name, and where it is.
const AREAS: [(&str, &[&str]); 6] = [
    ("icn-model", &["crates/icn-model/src/"]),
    ("icn-state", &["crates/icn-state/src/"]),
    ("icn-clearing", &["crates/icn-clearing/src/"]),
    ("icn-ccl", &["crates/icn-ccl/src/"]),
    ("icn-protocol", &["crates/icn-protocol/src/"]),
    (
        "configuration",
        &[
            "crates/icn-node/src/config",
            "crates/icn-federation/src/config",
            "crates/icn-serve/src/config",
        ],
    ),
];
/// The packages whose tests count.
const PACKAGES: [&str; 9] = [
    "icn-model",
    "icn-state",
    "icn-clearing",
    "icn-ccl",
    "icn-protocol",
    "icn-sim",
    "icn-serve",
    "icn-node",
    "icn-federation",
];
/// Share of an area's lines, per cent.
const WANTED: f64 = 90.0;

/// What cargo-tarpaulin writes.
#[derive(Deserialize)]
struct Report {
    files: Vec<SourceFile>,
}

#[derive(Deserialize)]
struct SourceFile {
    /// Its parts.
    path: Vec<String>,
    covered: usize,
    coverable: usize,
}

impl SourceFile {
    fn path(&self) -> String {
        self.path.iter().collect::<PathBuf>().display().to_string()
    }
}

/// Runs the tests and says how many lines of each area they went through, and of which files they left most out.
pub(crate) fn coverage(rest: &[String]) -> anyhow::Result<()> {
    let installed = cargo_command()
        .args(["tarpaulin", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    ensure!(
        installed.is_ok_and(|status| status.success()),
        "cargo-tarpaulin is missing: cargo install --locked cargo-tarpaulin"
    );
    let directory = target_dir().join("coverage");
    fs::create_dir_all(&directory)?;
    let mut command = cargo_command();
    command
        .args(["tarpaulin", "--engine", "llvm", "--skip-clean", "--out", "json"])
        .args(["--run-types", "lib", "--run-types", "tests"])
        // Many tests run the programs.
        .arg("--follow-exec")
        // Of a test that says nothing for so many seconds. Simulated federations take their time, and more so here.
        .args(["--timeout", "3600"])
        .args(PACKAGES.iter().flat_map(|package| ["--packages", package]))
        .args(
            AREAS
                .iter()
                .flat_map(|(_, places)| *places)
                .flat_map(|place| ["--include-files".to_owned(), format!("{place}*")]),
        )
        .arg("--output-dir")
        .arg(&directory)
        .arg("--target-dir")
        .arg(directory.join("target"))
        .args(rest);
    status(&mut command)?;
    let path = directory.join("tarpaulin-report.json");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    judge(&serde_json::from_slice(&text)?)
}

fn judge(report: &Report) -> anyhow::Result<()> {
    let mut low = Vec::new();
    for (name, places) in AREAS {
        let of_area = |file: &&SourceFile| {
            let path = file.path();
            places.iter().any(|place| path.contains(place))
        };
        let mut files: Vec<_> = report.files.iter().filter(of_area).collect();
        let covered: usize = files.iter().map(|file| file.covered).sum();
        let coverable: usize = files.iter().map(|file| file.coverable).sum();
        let share = 100.0 * covered as f64 / coverable.max(1) as f64;
        println!("{name:<14} {share:5.1} %  {covered} of {coverable} lines");
        files.sort_by_key(|file| std::cmp::Reverse(file.coverable - file.covered));
        for file in files.iter().take(5).filter(|file| file.covered < file.coverable) {
            println!(
                "{:>16} lines not in {}",
                file.coverable - file.covered,
                file.path()
            );
        }
        if share < WANTED {
            low.push(name);
        }
    }
    if !low.is_empty() {
        bail!("under {WANTED} %: {}", low.join(", "));
    }
    Ok(())
}
