//! `devnet chaos`: breaks a federation while jobs run, mends it, and sees whether anything that was promised is not kept.
//!
//! Delays of links and bandwidths are not among what is broken: see `hosts`.
mod faults;
mod runner;
mod scenario;
mod watch;

use super::{
    NetworkMode, fleet,
    load::{self, JobsArgs, Load, LoadReport, MetricsArgs},
    stage::{Stage, StageArgs},
    verdict::{self, Verdict},
};
use crate::{failure::Usage, format, output::Output, parse, table::Table};
use clap::Args;
use icn_model::Millis;
use runner::{Round, Runner};
use scenario::Scenario;
use serde::Serialize;
use std::{collections::BTreeSet, time::Duration};
use watch::Watch;

/// Nodes, where nothing says how many: two of them can be lost.
const SEATS: usize = 8;
/// Jobs that are open at once beside it, where nothing says.
const CONCURRENT_JOBS: u32 = 24;
/// How long something stays broken, where nothing says; no longer than the whole run.
const OUTAGE: Millis = Millis::from_secs(30);

/// `devnet chaos`
#[derive(Debug, Args)]
pub(crate) struct ChaosArgs {
    /// What is broken
    #[arg(long, value_name = "SCENARIO", value_enum)]
    scenario: Scenario,
    /// For how long things are broken and mended; each scenario of `all` as long
    #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "60s")]
    duration: Millis,
    /// How long each thing stays broken [default: 30s, or the whole duration if that is shorter]
    #[arg(long, value_name = "SPAN", value_parser = parse::span)]
    outage: Option<Millis>,
    /// Share of nodes that something happens to, rounded up; in packet_loss, of packets
    #[arg(long, value_name = "SHARE", value_parser = scenario::percent, default_value = "20%")]
    failure_rate: u32,
    /// Sizes of the sides of a partition, such as 6,2 [default: as few are cut off as can be lost]
    #[arg(long, value_name = "SIZES", value_parser = split)]
    split: Option<Split>,
    /// How long a slow disk takes for each sync
    #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "500ms")]
    sync_delay: Millis,
    /// How far a wrong clock is off, by turns ahead and behind
    #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "60s")]
    clock_off: Millis,
    /// Decides who is met
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The library that makes disks slow and clocks wrong (scripts/chaos/faults.c)
    #[arg(long, value_name = "FILE")]
    faults_library: Option<std::path::PathBuf>,
    #[command(flatten)]
    stage: StageArgs,
    #[command(flatten)]
    jobs: JobsArgs,
    #[command(flatten)]
    metrics: MetricsArgs,
}

/// Sizes of sides.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Split(Vec<usize>);

fn split(text: &str) -> Result<Split, String> {
    scenario::split(text).map(Split)
}

/// What a scenario came to.
#[derive(Debug, Serialize)]
struct Outcome {
    scenario: Scenario,
    rounds: Vec<Round>,
    load: LoadReport,
    verdict: Verdict,
    failures: Vec<String>,
}

/// Everything that a run found.
#[derive(Debug, Serialize)]
struct Figures {
    passed: bool,
    failures: Vec<String>,
    seed: u64,
    outcomes: Vec<Outcome>,
}

/// Breaks what is asked for, and judges.
pub(super) fn run(output: &Output, args: &ChaosArgs) -> anyhow::Result<()> {
    let each: &[Scenario] = match &args.scenario {
        Scenario::All => &Scenario::EACH,
        one => std::slice::from_ref(one),
    };
    check(args, each)?;
    args.stage.enter(NetworkMode::Distributed)?;
    let file = args.metrics.open()?;
    let mut figures = Figures {
        passed: true,
        failures: Vec::new(),
        seed: args.seed,
        outcomes: Vec::new(),
    };
    for scenario in each {
        match play(output, args, *scenario) {
            Ok(outcome) => {
                figures.failures.extend(outcome.failures.iter().cloned());
                figures.outcomes.push(outcome);
            }
            // Said below.
            Err(_) if fleet::is_interrupted() => {}
            Err(error) => figures.failures.push(format!("{}: {error:#}", scenario.name())),
        }
        // The run is to end, and not this scenario alone.
        if fleet::is_interrupted() {
            figures.failures.push(format!("{}: interrupted", scenario.name()));
            break;
        }
    }
    figures.passed = figures.failures.is_empty();
    load::write_metrics(file, &figures)?;
    output.data(&figures, |output| {
        for outcome in &figures.outcomes {
            output.table(&outcome.load.table())?;
            output.line("")?;
            output.table(&verdict::table(&outcome.verdict.nodes))?;
            output.line("")?;
            output.line(load::summary(&outcome.load, &outcome.verdict))?;
            output.line("")?;
        }
        Ok(output.table(&table(&figures.outcomes))?)
    })?;
    load::conclude(output, &figures.failures)
}

/// Whether everything is at hand, before anything is started.
fn check(args: &ChaosArgs, each: &[Scenario]) -> anyhow::Result<()> {
    for scenario in each {
        runner::check(*scenario, args, &args.stage)?;
        let is_local = args.stage.is_own() && args.stage.mode(NetworkMode::Distributed) == NetworkMode::Local;
        if scenario.needs_hosts() && is_local {
            return Err(Usage::new(format!(
                "{} needs nodes on hosts of their own: --network-mode distributed",
                scenario.name()
            ))
            .into());
        }
    }
    if let Some(Split(sizes)) = &args.split
        && args.stage.is_own()
        && sizes.iter().sum::<usize>() != args.stage.seats(SEATS)
    {
        return Err(Usage::new(format!(
            "--split has to divide all {} nodes",
            args.stage.seats(SEATS)
        ))
        .into());
    }
    Ok(())
}

/// One scenario with a federation of its own, or the one that is there.
fn play(output: &Output, args: &ChaosArgs, scenario: Scenario) -> anyhow::Result<Outcome> {
    let mut faults = Vec::new();
    let part = format!("chaos-{}", scenario.name());
    let modes = (NetworkMode::Distributed, SEATS);
    let mut stage = Stage::open(output, &args.stage, modes, &part, |fleet| {
        faults = runner::prepare(scenario, args, fleet)?;
        Ok(())
    })?;
    stage.mounts = runner::small_disks(scenario, args, &stage.fleet);
    let outage = args.outage.unwrap_or(OUTAGE.min(args.duration));
    let mut load = Load::start(&stage.fleet, &args.jobs, CONCURRENT_JOBS, None)?;
    let mut runner = Runner {
        output,
        args,
        scenario,
        fleet: &mut stage.fleet,
        load: &mut load,
        watch: Watch::default(),
        faults: &faults,
        random: args.seed,
        may_end: BTreeSet::new(),
        rounds: Vec::new(),
    };
    let span = |span: Millis| Duration::from_millis(span.get());
    let ran = runner.run(span(args.duration), span(outage));
    let rounds = std::mem::take(&mut runner.rounds);
    let mut failures: Vec<String> = rounds.iter().flat_map(|round| round.failures.clone()).collect();
    if let Err(error) = ran {
        stage.fleet.check_interrupt()?;
        failures.push(format!("{}: {error:#}", scenario.name()));
    }
    let load = load.finish(output, &stage.fleet, !failures.is_empty())?;
    let verdict = verdict::judge(&mut stage.fleet, &load.acknowledged)?;
    failures.extend(verdict.failures.iter().cloned());
    failures.extend(load.failures.iter().cloned());
    stage.close(output, failures.is_empty())?;
    Ok(Outcome {
        scenario,
        rounds,
        load,
        verdict,
        failures,
    })
}

/// Everything that was broken.
fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new([
        "SCENARIO",
        "BROKEN",
        ">FOR",
        ">BLOCKS MEANWHILE",
        ">ALL AGREE AFTER",
    ]);
    for round in outcomes.iter().flat_map(|outcome| &outcome.rounds) {
        table.row([
            round.scenario.name().to_owned(),
            round.broken.clone(),
            format::span(round.broken_ms),
            round.blocks.to_string(),
            round.recovery_ms.map_or_else(|| "never".to_owned(), format::span),
        ]);
    }
    table
}
