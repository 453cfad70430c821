//! All test programs, side by side where those that start federations wait and those that compute use the time.
//!
//! Cargo runs one test program after the other, and with only some of them selected it would build every library anew, with
//! the features that those few ask for. So it builds all of them, and says where they are.
use crate::{
    cargo_command,
    lanes::{self, Task, Told},
    shown, status,
};
use anyhow::{Context as _, ensure};
use serde::Deserialize;
use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Instant,
};

/// Packages whose tests start processes and hold them to times. The others' run with lower priority.
const DRIVERS: [&str; 3] = ["icn-cli", "icn-federation", "icn-node"];

/// What cargo says of something that it has built, as far as it is of use here.
#[derive(Deserialize)]
struct Built {
    executable: Option<PathBuf>,
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// A test program.
struct Suite {
    name: String,
    program: PathBuf,
    /// Its package's directory, where cargo runs it.
    directory: PathBuf,
    drives: bool,
}

impl Suite {
    fn task(&self) -> Task {
        let mut command = if self.drives {
            Command::new(&self.program)
        } else {
            let mut nice = Command::new("nice");
            nice.arg("-n10").arg(&self.program);
            nice
        };
        command
            .current_dir(&self.directory)
            .env("CARGO_MANIFEST_DIR", &self.directory);
        Task {
            name: self.name.clone(),
            command,
            told: Told::TestResult,
        }
    }
}

/// Builds and runs everything that `cargo test --workspace` does.
pub(crate) fn run() -> anyhow::Result<()> {
    let suites = build()?;
    // What was just built would go to disk while databases wait for what they write to be there.
    status(&mut Command::new("sync"))?;
    let (mut drivers, others): (Vec<_>, Vec<_>) = suites.iter().partition(|suite| suite.drives);
    // Drivers mostly wait: two of them and one that computes are what two cores take.
    let more = drivers.split_off(drivers.len() / 2);
    lanes::run([drivers, more, others].map(|lane| lane.into_iter().map(Suite::task).collect()))?;
    status(cargo_command().args(["test", "--workspace", "--doc"]))
}

fn build() -> anyhow::Result<Vec<Suite>> {
    let mut command = cargo_command();
    command.args([
        "test",
        "--workspace",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ]);
    let words = shown(&command);
    eprintln!("+ {words}");
    let started = Instant::now();
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {words}"))?;
    eprintln!("= {:.0} s: {words}", started.elapsed().as_secs_f64());
    ensure!(output.status.success(), "{words} failed with {}", output.status);
    let said = String::from_utf8(output.stdout).context("cargo does not speak UTF-8")?;
    let suites: Vec<_> = said.lines().filter_map(suite).collect();
    ensure!(
        !suites.is_empty(),
        "{words} names no test program: does it say so in another form?"
    );
    Ok(suites)
}

/// The test program that a line of cargo's is about, if it is about one.
fn suite(line: &str) -> Option<Suite> {
    let built: Built = serde_json::from_str(line).ok()?;
    let directory = built.manifest_path.parent()?.to_owned();
    let package = directory.file_name().and_then(|name| name.to_str())?.to_owned();
    Some(Suite {
        name: format!("{package} {}", built.target.name),
        program: built.executable.filter(|_| built.profile.test)?,
        drives: DRIVERS.contains(&package.as_str()),
        directory,
    })
}
