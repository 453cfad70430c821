//! The project's own chores: `cargo xtask demo | test | lint | sim | soak | fuzz | bench | dist`.
//!
//! A chore is a few commands that people would otherwise have to remember. What can go wrong is said by
//! those commands; this only stops at the first one that fails.
mod dist;
mod fuzz;

use anyhow::{Context as _, bail, ensure};
use std::{
    env,
    path::PathBuf,
    process::{Command, ExitCode},
    time::Instant,
};

const USAGE: &str = "\
usage: cargo xtask CHORE [OPTION ...]

  demo [--built]  build the node and the command line, unless they are, and show a federation of four at work
  test            all tests: federations of real processes, a cut between them, requests of all kinds, simulated ones
  lint            formatting, and clippy with warnings denied, over benchmarks, too
  sim [OPTION..]  500 simulated federations of 10 minutes; options go to icn-sim
  soak            the units and the image in a Debian of their own (root), a cut of 60 s between real nodes, everything that
                  chaos breaks, half an hour of jobs on twelve nodes, ten minutes of requests of all kinds, and the crash
                  tests with their full counts
  fuzz [--seconds N] [TARGET..]
                  libFuzzer over what parses bytes from outside, each target for N seconds (60); builds every dependency
                  anew and needs a C++ compiler
  bench [NAME..]  the figures of docs/benchmarks.md: latency, jobs, operations, votes, credit, or blocks, backup; all of them if none
                  is named; clearing [OPTION..] has figures of its own
  dist            the programs with their papers and a Debian package, in one archive
  modules         check that the built job modules match their sources
";

/// The Federation Service.
const SERVICE: &str = "icn-federation";
/// The storage backends that are tested beside the default. RocksDB takes a quarter of an hour to build: see
/// docs/storage.md for its command.
const STORE_BACKENDS: &str = "icn-store/postgresql,icn-store/redb,icn-store/sled,icn-store/sqlite";

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let chore = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let started = Instant::now();
    let done = match chore.as_str() {
        "demo" => demo(&rest),
        "test" => test(&rest),
        "lint" => lint(),
        "sim" => simulate(&rest),
        "soak" => soak(),
        "fuzz" => fuzz::fuzz(&rest),
        "bench" => bench(&rest),
        "dist" => dist::dist(),
        "modules" => run("sh", &["jobs/build.sh", "--check"]),
        "-h" | "--help" | "help" => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => {
            eprintln!("xtask {chore}: done in {:.0} s", started.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("xtask {chore}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo(rest: &[String]) -> anyhow::Result<()> {
    let (rest, is_built) = match rest.split_first() {
        Some((first, rest)) if first == "--built" => (rest, true),
        _ => (rest, false),
    };
    if !is_built {
        cargo(&["build", "--package", "icn-node", "--package", "icn-cli"])?;
    }
    let cli = target_dir().join("debug/icn-cli");
    let mut command = Command::new(&cli);
    command.args(["devnet", "demo"]).args(rest);
    status(&mut command)
}

fn test(rest: &[String]) -> anyhow::Result<()> {
    // One selection of packages, so that each library has the same features in all of them and is built once. The programs
    // come with it: end-to-end tests drive them, those of other packages, too.
    cargo(&["test", "--workspace", "--no-run"])?;
    let mut command = cargo_command();
    status(command.args(["test", "--workspace"]).args(rest))?;
    service()?;
    let mut modules = Command::new("sh");
    modules.args(["jobs/build.sh", "--check"]);
    status(modules.env("ICN_WAT", target_dir().join("debug/examples/wat")))?;
    deployment(&["deployment_test.py", "backup_test.sh"])?;
    cut("15")?;
    chaos("node_failure", "4", "15s")?;
    load(&["--nodes", "4", "--jobs", "40", "--concurrent-jobs", "20"])?;
    interface("20")?;
    monitoring()
}

/// Holds the built Federation Service against what its dashboards ask, what browsers show, and what its deployment says.
fn service() -> anyhow::Result<()> {
    let programs = target_dir().join("debug");
    for script in [
        "scripts/federation_compose_test.py",
        "scripts/federation_monitoring_test.py",
        "scripts/federation_page_test.sh",
    ] {
        status(Command::new(script).arg("--bin").arg(&programs))?;
    }
    let mut command = Command::new("bash");
    command.args([
        "scripts/api_test.sh",
        "--program",
        SERVICE,
        "--seconds",
        "20",
        "--bin",
    ]);
    status(command.arg(&programs))
}

/// Holds what deploys the built programs against what reads it, and runs it.
fn deployment(scripts: &[&str]) -> anyhow::Result<()> {
    scripts.iter().try_for_each(|script| {
        let mut command = Command::new(format!("scripts/{script}"));
        status(command.arg("--bin").arg(target_dir().join("debug")))
    })
}

/// Cuts two built nodes off from two for so many seconds.
fn cut(outage_secs: &str) -> anyhow::Result<()> {
    let mut command = Command::new("bash");
    command.args(["scripts/partition_test.sh", "--outage", outage_secs, "--bin"]);
    status(command.arg(target_dir().join("debug")))
}

/// Breaks a federation of built nodes in a way, and mends it, for so long.
fn chaos(scenario: &str, seats: &str, duration: &str) -> anyhow::Result<()> {
    let mut command = Command::new("bash");
    command.args([
        "scripts/chaos_test.sh",
        "--scenario",
        scenario,
        "--federation-size",
        seats,
    ]);
    command.args(["--duration", duration, "--bin"]);
    status(command.arg(target_dir().join("debug")))
}

/// Hands built nodes jobs of all kinds.
fn load(options: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("bash");
    command.arg("scripts/load_test.sh").args(options).arg("--bin");
    status(command.arg(target_dir().join("debug")))
}

/// Everything that can be done to a federation, one of it being a node that goes wrong when it is told to.
fn break_everything() -> anyhow::Result<()> {
    let hooked = ["--features", "test-hooks", "--bin", "icn-node-test-hooks"];
    cargo(&[&["build", "--package", "icn-node"][..], &hooked].concat())?;
    let mut command = Command::new("bash");
    command.args(["scripts/altered_ledger_test.sh", "--bin"]);
    status(command.arg(target_dir().join("debug")))?;
    chaos("all", "8", "2m")?;
    load(&["--nodes", "12", "--concurrent-jobs", "100", "--duration", "30m"])
}

/// Sends a built node requests made from its OpenAPI document for so many seconds.
fn interface(seconds: &str) -> anyhow::Result<()> {
    let mut command = Command::new("bash");
    command.args(["scripts/api_test.sh", "--seconds", seconds, "--bin"]);
    status(command.arg(target_dir().join("debug")))
}

/// Runs every query of the dashboards and alerts about nodes against a federation of built ones, and kills some.
fn monitoring() -> anyhow::Result<()> {
    let mut command = Command::new("scripts/monitoring_test.py");
    status(command.arg("--bin").arg(target_dir().join("debug")))
}

fn lint() -> anyhow::Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

fn simulate(rest: &[String]) -> anyhow::Result<()> {
    cargo(&["build", "--release", "--package", "icn-sim"])?;
    if rest.is_empty() {
        return status(simulator().args(["--seeds", "1..500", "--minutes", "10", "--faults", "all"]));
    }
    status(simulator().args(rest))
}

fn simulator() -> Command {
    Command::new(target_dir().join("release/icn-sim"))
}

fn soak() -> anyhow::Result<()> {
    cargo(&["build", "--package", "icn-node", "--package", "icn-cli"])?;
    cargo(&["build", "--package", SERVICE])?;
    // These boot or make another system, which only root can.
    deployment(&[
        "systemd_test.sh",
        "dockerfile_test.sh",
        "pods_test.py",
        "proxy_test.py",
        "runbooks_test.py",
    ])?;
    cut("60")?;
    break_everything()?;
    interface("600")?;
    let mut command = cargo_command();
    command
        .args([
            "test",
            "--release",
            "--package",
            "icn-store",
            "--test",
            "crash_kill",
            "--test",
            "crash_power",
            "--test",
            "power_loss",
            "--features",
            STORE_BACKENDS,
        ])
        .env("ICN_CRASH_ROUNDS", "200");
    status(&mut command)
}

fn bench(rest: &[String]) -> anyhow::Result<()> {
    if let Some((first, options)) = rest.split_first()
        && first == "clearing"
    {
        let bench = ["bench", "--package", "icn-clearing", "--bench", "clearing", "--"];
        return status(cargo_command().args(bench).args(options));
    }
    if let Some((first, options)) = rest.split_first()
        && first == SERVICE
    {
        let bench = ["bench", "--package", SERVICE, "--bench", "load", "--"];
        return status(cargo_command().args(bench).args(options));
    }
    release_build()?;
    // Of one node, or of a federation: each program knows its own names.
    let of_one_node = |word: &String| word == "blocks" || word == "backup";
    let programs: &[&str] = match rest.first() {
        None => &["federation", "blocks"],
        Some(first) if of_one_node(first) => &["blocks"],
        Some(_) => &["federation"],
    };
    programs.iter().try_for_each(|program| measure(program, rest))
}

fn measure(program: &str, rest: &[String]) -> anyhow::Result<()> {
    let mut command = cargo_command();
    status(
        command
            // Both packages, so that their libraries have the features that they were just built with.
            .args([
                "bench",
                "--package",
                "icn-node",
                "--package",
                "icn-cli",
                "--bench",
                program,
                "--",
            ])
            .args(rest),
    )
}

/// Builds the programs as they ship.
fn release_build() -> anyhow::Result<()> {
    let programs = ["icn-node", "icn-cli", "icn-clearing"]
        .map(|name| ["--package", name])
        .concat();
    cargo(&[&["build", "--release"][..], &programs].concat())
}

/// Cargo without what it told this program of its own package: build scripts that read such variables (`ring`'s does)
/// would run again, and with them half of the workspace, after each change between `cargo xtask` and plain `cargo`.
fn cargo_command() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let said = name.to_str().is_some_and(|name| {
            name == "OUT_DIR" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if said {
            command.env_remove(name);
        }
    }
    command
}

fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

fn cargo(args: &[&str]) -> anyhow::Result<()> {
    status(cargo_command().args(args))
}

fn run(program: &str, args: &[&str]) -> anyhow::Result<()> {
    status(Command::new(program).args(args))
}

fn status(command: &mut Command) -> anyhow::Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    eprintln!("+ {shown}");
    let started = Instant::now();
    let status = command
        .status()
        .with_context(|| format!("cannot start {shown}"))?;
    eprintln!("= {:.0} s: {shown}", started.elapsed().as_secs_f64());
    ensure!(status.code().is_some(), "{shown} was ended by a signal");
    if !status.success() {
        bail!("{shown} failed with {status}");
    }
    Ok(())
}
