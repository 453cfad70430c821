//! The simulator's command line: one run with its trace, or many with one line each.
//!
//! Lines of outcome go to standard output and are equal for equal arguments; everything about real time
//! goes to standard error. Exit codes: 0 all held, 1 something did not hold, 2 usage.
use anyhow::bail;
use clap::Parser;
use icn_model::{Millis, Parameters};
use icn_sim::{
    Config, Faults, Outcome, Trace,
    config::{self, ConfigError},
};
use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    num::NonZeroUsize,
    ops::RangeInclusive,
    panic,
    process::ExitCode,
    str::FromStr,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// Simulates a federation from a seed: faults, users, and what must hold after every block.
#[derive(Parser, Debug)]
#[command(name = "icn-sim", version)]
struct Args {
    /// Seed of the one run to show
    #[arg(long, value_name = "N", conflicts_with = "seeds", default_value_t = 1)]
    seed: u64,
    /// Seeds to run with one line each, both ends included
    #[arg(long, value_name = "A..B")]
    seeds: Option<Seeds>,
    /// Nodes, a cooperative each
    #[arg(long, value_name = "N", default_value_t = 4)]
    nodes: usize,
    /// Virtual minutes
    #[arg(long, value_name = "M", conflicts_with = "hours")]
    minutes: Option<u64>,
    /// Virtual hours
    #[arg(long, value_name = "H")]
    hours: Option<u64>,
    /// What goes wrong: all, none, or some of kills,partitions,loss,delay,equivocation,liars
    #[arg(long, value_name = "LIST", default_value = "all")]
    faults: Faults,
    /// Users' operations per virtual minute, in the mean; 0.1 is one in ten minutes
    #[arg(long, value_name = "N")]
    load: Option<Load>,
    /// The federation's parameters; by default those that fit the length of the run
    #[arg(long, value_name = "WHICH")]
    parameters: Option<Which>,
    /// Milliseconds between blocks when nothing happens, instead of what the parameters say
    #[arg(long, value_name = "MS")]
    heartbeat_ms: Option<u64>,
    /// Virtual minutes between troubles, in the mean; 10 s if nothing says
    #[arg(long, value_name = "M")]
    calm_minutes: Option<u64>,
    /// Virtual minutes that the last node is away at the beginning; then shows how fast it catches up
    #[arg(long, value_name = "M")]
    away_minutes: Option<u64>,
    /// Runs at the same time; by default as many as there are cores
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Break an invariant on purpose, to see that the run fails: agreement, conservation, paid-once, acknowledged, progress
    #[arg(long = "break", value_name = "INVARIANT")]
    broken: Option<icn_sim::tamper::Broken>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Which {
    /// Epochs of 64 blocks, a block each second
    Short,
    /// Those of a real federation
    Production,
}

#[derive(Clone, Debug)]
struct Seeds(RangeInclusive<u64>);

impl FromStr for Seeds {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let Some((first, last)) = text.split_once("..") else {
            bail!("expected two seeds like 1..50")
        };
        let (first, last) = (first.trim().parse::<u64>()?, last.trim().parse::<u64>()?);
        if first > last {
            bail!("the first seed is above the last");
        }
        Ok(Self(first..=last))
    }
}

/// The time between operations of which there are so many in a minute.
#[derive(Clone, Copy, Debug)]
struct Load(Duration);

impl FromStr for Load {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let a_minute: f64 = text.trim().parse()?;
        if !(1.0 / 1_440.0..=60_000.0).contains(&a_minute) {
            bail!("choose one operation a day (0.0007) to 60000 a minute");
        }
        Ok(Self(Duration::from_secs_f64(60.0 / a_minute)))
    }
}

impl Args {
    fn config(&self, seed: u64) -> Config {
        let span = match (self.hours, self.minutes) {
            (Some(hours), _) => Duration::from_secs(hours.saturating_mul(3_600)),
            (None, minutes) => Duration::from_secs(minutes.unwrap_or(10).saturating_mul(60)),
        };
        let mut config = Config::new(seed, self.nodes, span);
        config.faults = self.faults.clone();
        // A day at the load of minutes would be a day of another federation.
        if span >= config::LONG_SPAN {
            config.gap = Duration::from_secs(30);
        }
        if let Some(Load(gap)) = self.load {
            config.gap = gap;
        }
        match self.parameters {
            Some(Which::Short) => config.parameters = config::short(),
            Some(Which::Production) => config.parameters = Parameters::production(),
            None => {}
        }
        if let Some(heartbeat_ms) = self.heartbeat_ms {
            config.parameters.heartbeat_ms = Millis::new(heartbeat_ms);
        }
        config.broken = self.broken;
        if let Some(minutes) = self.calm_minutes {
            config.calm = Duration::from_secs(minutes.saturating_mul(60));
        }
        config.absence = self
            .away_minutes
            .map(|minutes| Duration::from_secs(minutes.saturating_mul(60)));
        config
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Err(error) = args.config(args.seed).check() {
        return usage(&error);
    }
    let started = Instant::now();
    let (runs, failed) = match &args.seeds {
        None => (1, usize::from(!show(&args))),
        Some(seeds) => many(&args, seeds.0.clone()),
    };
    let wall = started.elapsed().as_secs_f64();
    let virtual_secs =
        args.config(args.seed).span.as_secs_f64() * f64::from(u32::try_from(runs).unwrap_or(u32::MAX));
    eprintln!(
        "{runs} runs, {failed} failed, {wall:.1} s: {:.0} virtual seconds a second",
        virtual_secs / wall
    );
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn usage(error: &ConfigError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

/// One run with its trace. Says whether everything held.
fn show(args: &Args) -> bool {
    // A reader that has seen enough may close the pipe.
    let trace = Trace::new(|line| {
        let _ = writeln!(io::stdout(), "{line}");
    });
    let ran = attempt(&args.config(args.seed), &trace);
    let text = match &ran {
        Ok(outcome) => format!(
            "{}  everything that happened, hashed: {}\n{outcome}",
            outcome.table(),
            outcome.audit
        ),
        Err(failure) => failure.clone(),
    };
    let _ = writeln!(io::stdout(), "{text}");
    ran.is_ok()
}

/// A run; a panic in it fails this run only.
fn attempt(config: &Config, trace: &Trace) -> Result<Outcome, String> {
    match panic::catch_unwind(panic::AssertUnwindSafe(|| icn_sim::run(config, trace))) {
        Ok(ran) => ran.map_err(|failure| failure.to_string()),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Err(format!(
                "seed={} nodes={} failed=panic {text}",
                config.seed, config.nodes
            ))
        }
    }
}

/// Many runs, several at a time, one line each in the order of the seeds. Says how many ran and failed.
fn many(args: &Args, seeds: RangeInclusive<u64>) -> (usize, usize) {
    let seeds: Vec<_> = seeds.collect();
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = args.jobs.unwrap_or(cores).get().min(seeds.len());
    let next = AtomicUsize::new(0);
    let (report, reports) = mpsc::channel();
    let mut failed = 0;
    thread::scope(|scope| {
        for _ in 0..workers {
            let (report, next, seeds) = (report.clone(), &next, &seeds);
            scope.spawn(move || {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let place = seed - seeds[0];
                    if report
                        .send((place, attempt(&args.config(*seed), &Trace::silent())))
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
        drop(report);
        let (mut waiting, mut due) = (BTreeMap::new(), 0);
        for (place, ran) in reports {
            waiting.insert(place, ran);
            while let Some(ran) = waiting.remove(&due) {
                due += 1;
                failed += usize::from(ran.is_err());
                let line = ran.map_or_else(|failure| failure, |outcome| outcome.to_string());
                let _ = writeln!(io::stdout(), "{line}");
            }
        }
    });
    (seeds.len(), failed)
}
