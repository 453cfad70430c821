//! The project's own chores: `cargo xtask demo | test | lint | sim | soak | fuzz | coverage | bench | dist`.
//!
//! A chore is a few commands that people would otherwise have to remember. What can go wrong is said by
//! those commands; this only stops at the first one that fails.
mod coverage;
mod dist;
mod fuzz;
mod lanes;
mod suites;

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
  test [OPTION..] all tests: federations of real processes, a cut between them, requests of all kinds, simulated ones; options go to
                  cargo test
  lint            formatting, and clippy with warnings denied, over benchmarks, too
  sim [OPTION..]  500 simulated federations of 10 minutes; options go to icn-sim
  soak            the units and the image in a Debian of their own (root), a cut of 60 s between real nodes, everything that
                  chaos breaks, half an hour of jobs on twelve nodes, ten minutes of requests of all kinds, and the crash
                  tests with their full counts
  fuzz [--seconds N] [TARGET..]
                  libFuzzer over what parses bytes from outside, each target for N seconds (60); builds every dependency
                  anew and needs a C++ compiler
  coverage        which lines of the model, the state, clearing, CCL, the protocol and the configuration the tests go through; needs
                  cargo-tarpaulin, and builds every dependency anew
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
        "coverage" => coverage::coverage(&rest),
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
    if rest.is_empty() {
        suites::run()?;
    } else {
        status(cargo_command().args(["test", "--workspace"]).args(rest))?;
    }
    built_programs()?;
    cut("15")?;
    chaos("node_failure", "4", "15s")?;
    load(&["--nodes", "4", "--jobs", "40", "--concurrent-jobs", "20"])
}

/// Holds the built programs against what deploys, watches, shows and asks them: two at a time, for each mostly waits.
fn built_programs() -> anyhow::Result<()> {
    let mut modules = Command::new("sh");
    modules.args(["jobs/build.sh", "--check"]);
    modules.env("ICN_WAT", target_dir().join("debug/examples/wat"));
    let asked = vec![
        script("federation_compose_test.py").into(),
        script("federation_monitoring_test.py").into(),
        script("federation_page_test.sh").into(),
        requests(&["--program", SERVICE, "--seconds", "20"]).into(),
        requests(&["--seconds", "20"]).into(),
    ];
    let watched = vec![
        modules.into(),
        script("monitoring_test.py").into(),
        script("deployment_test.py").into(),
        script("backup_test.sh").into(),
    ];
    lanes::run([asked, watched])
}

/// A script about the built programs.
fn script(name: &str) -> Command {
    let mut command = Command::new(format!("scripts/{name}"));
    command.arg("--bin").arg(target_dir().join("debug"));
    command
}

/// Sends a built program requests made from its OpenAPI document.
fn requests(options: &[&str]) -> Command {
    let mut command = script("api_test.sh");
    command.args(options);
    command
}

/// Cuts two built nodes off from two for so many seconds.
fn cut(outage_secs: &str) -> anyhow::Result<()> {
    status(script("partition_test.sh").args(["--outage", outage_secs]))
}

/// Breaks a federation of built nodes in a way, and mends it, for so long.
fn chaos(scenario: &str, seats: &str, duration: &str) -> anyhow::Result<()> {
    let what = [
        "--scenario",
        scenario,
        "--federation-size",
        seats,
        "--duration",
        duration,
    ];
    status(script("chaos_test.sh").args(what))
}

/// Hands built nodes jobs of all kinds.
fn load(options: &[&str]) -> anyhow::Result<()> {
    status(script("load_test.sh").args(options))
}

/// Everything that can be done to a federation, one of it being a node that goes wrong when it is told to.
fn break_everything() -> anyhow::Result<()> {
    let hooked = ["--features", "test-hooks", "--bin", "icn-node-test-hooks"];
    cargo(&[&["build", "--package", "icn-node"][..], &hooked].concat())?;
    status(&mut script("altered_ledger_test.sh"))?;
    chaos("all", "8", "2m")?;
    load(&["--nodes", "12", "--concurrent-jobs", "100", "--duration", "30m"])
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
    let rebooting = [
        "systemd_test.sh",
        "dockerfile_test.sh",
        "pods_test.py",
        "proxy_test.py",
        "runbooks_test.py",
        "launch_test.sh",
    ];
    rebooting.iter().try_for_each(|name| status(&mut script(name)))?;
    cut("60")?;
    break_everything()?;
    status(&mut requests(&["--seconds", "600"]))?;
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

/// A command as people would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn status(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
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
