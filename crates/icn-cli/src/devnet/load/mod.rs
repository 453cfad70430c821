//! `devnet load`: jobs of all kinds, so many at once, and whether a federation comes through them.
mod kinds;
mod report;
mod worker;

pub(super) use kinds::{Mix, next};
pub(super) use report::LoadReport;

use super::{
    NetworkMode,
    fleet::Fleet,
    stage::{Stage, StageArgs},
    told,
    verdict::{self, Verdict},
};
use crate::{failure::Found, format, output::Output, parse};
use anyhow::Context as _;
use clap::Args;
use icn_model::Millis;
use serde::Serialize;
use std::{
    fs::File,
    io::Write as _,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use worker::{Board, Done, Worker};

/// Nodes, where nothing says how many.
const SEATS: usize = 4;
/// Jobs that are open at once, where nothing says.
const CONCURRENT_JOBS: u32 = 100;
/// How long the last jobs have to be over: a lost executor costs a job its whole time, up to four times.
const END_TIMEOUT: Duration = Duration::from_secs(240);
/// The same once the run has failed.
const LOST_TIMEOUT: Duration = Duration::from_secs(5);
/// How often is said how far it is.
const TELL: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(200);

/// `devnet load`
#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    stage: StageArgs,
    #[command(flatten)]
    jobs: JobsArgs,
    /// For how long jobs are handed in
    #[arg(long, value_name = "SPAN", value_parser = parse::span, required_unless_present = "count", conflicts_with = "count")]
    duration: Option<Millis>,
    /// How many jobs are handed in, instead of for how long
    #[arg(long = "jobs", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    #[command(flatten)]
    metrics: MetricsArgs,
}

/// What is handed in.
#[derive(Clone, Debug, Args)]
pub(super) struct JobsArgs {
    /// Jobs that are open at once, over all nodes [default: 100; 24 beside chaos]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrent_jobs: Option<u32>,
    /// Kinds of jobs: mixed, or a list of short, text, data, memory, failing, too-long
    #[arg(long, value_name = "KINDS", default_value = "mixed", value_parser = Mix::parse)]
    job_types: Mix,
}

/// Where figures go.
#[derive(Clone, Debug, Args)]
pub(super) struct MetricsArgs {
    /// A file for all figures, as JSON
    #[arg(long, value_name = "FILE")]
    metrics_output: Option<PathBuf>,
}

impl MetricsArgs {
    /// The file, opened now: a run of an hour should not end with a folder that is not there.
    pub(super) fn open(&self) -> anyhow::Result<Option<(PathBuf, File)>> {
        let Some(path) = &self.metrics_output else {
            return Ok(None);
        };
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Some((path.clone(), file)))
    }
}

/// Writes figures where they were asked for.
pub(super) fn write_metrics(file: Option<(PathBuf, File)>, figures: &impl Serialize) -> anyhow::Result<()> {
    let Some((path, mut file)) = file else {
        return Ok(());
    };
    let mut text = serde_json::to_vec_pretty(figures)?;
    text.push(b'\n');
    file.write_all(&text)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Everything that a run found.
#[derive(Debug, Serialize)]
struct Figures<'a> {
    passed: bool,
    failures: &'a [String],
    nodes_count: usize,
    concurrent_jobs: u32,
    load: &'a LoadReport,
    verdict: &'a Verdict,
}

/// Jobs that are being handed in.
pub(super) struct Load {
    board: Arc<Board>,
    workers: Vec<JoinHandle<Done>>,
    started: Instant,
    told: Instant,
}

impl Load {
    /// Starts to hand jobs in at every node, as its cooperative.
    pub(super) fn start(
        fleet: &Fleet,
        args: &JobsArgs,
        default: u32,
        jobs: Option<usize>,
    ) -> anyhow::Result<Self> {
        let board = Arc::new(Board::new(args.job_types.clone(), jobs));
        let nodes = fleet.nodes().len();
        let all = usize::try_from(args.concurrent_jobs.unwrap_or(default))?;
        let mut workers = Vec::new();
        for at in 0..nodes {
            // The first ones take what does not divide.
            let share = all / nodes + usize::from(at < all % nodes);
            if share == 0 {
                continue;
            }
            let signer = fleet.session(at).signer()?;
            let worker = Worker::new(fleet.client(at).clone(), signer, share, board.clone());
            workers.push(thread::spawn(move || worker.run()));
        }
        Ok(Self {
            board,
            workers,
            started: Instant::now(),
            told: Instant::now(),
        })
    }

    /// Says how far it is, every few seconds.
    pub(super) fn tell(&mut self, output: &Output) {
        if self.told.elapsed() >= TELL {
            self.told = Instant::now();
            output.say(format!(
                "[{:>9}] {} jobs in the log, {} over",
                told(self.started.elapsed()),
                self.board.taken.load(Ordering::Relaxed),
                self.board.over.load(Ordering::Relaxed)
            ));
        }
    }

    /// Whether as many have been handed in as there are to be.
    fn is_complete(&self) -> bool {
        let count = self.board.next.load(Ordering::Relaxed);
        self.board.jobs.is_some_and(|jobs| count >= jobs)
    }

    /// Hands in no more, and follows what is open to its end, or gives it up where the run has failed already.
    pub(super) fn finish(
        mut self,
        output: &Output,
        fleet: &Fleet,
        has_failed: bool,
    ) -> anyhow::Result<LoadReport> {
        let handing_in = self.started.elapsed();
        self.board.closing.store(true, Ordering::Relaxed);
        let timeout = if has_failed { LOST_TIMEOUT } else { END_TIMEOUT };
        let until = Instant::now() + timeout;
        let mut interrupted = Ok(());
        while self.workers.iter().any(|worker| !worker.is_finished()) {
            interrupted = fleet.check_interrupt();
            if Instant::now() > until || interrupted.is_err() {
                self.board.giving_up.store(true, Ordering::Relaxed);
            }
            self.tell(output);
            thread::sleep(POLL);
        }
        let took = self.started.elapsed();
        let workers = std::mem::take(&mut self.workers);
        let done: Option<Vec<_>> = workers.into_iter().map(|worker| worker.join().ok()).collect();
        interrupted?;
        Ok(LoadReport::new(
            done.context("a thread that handed in jobs broke off")?,
            handing_in,
            took,
        ))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.board.closing.store(true, Ordering::Relaxed);
        self.board.giving_up.store(true, Ordering::Relaxed);
    }
}

/// Runs a load, and judges the federation.
pub(super) fn run(output: &Output, args: &LoadArgs) -> anyhow::Result<()> {
    args.stage.enter(NetworkMode::Local)?;
    let file = args.metrics.open()?;
    let mut stage = Stage::open(output, &args.stage, (NetworkMode::Local, SEATS), "load", |_| {
        Ok(())
    })?;
    let jobs = args.count.map(usize::try_from).transpose()?;
    let mut load = Load::start(&stage.fleet, &args.jobs, CONCURRENT_JOBS, jobs)?;
    let until = args
        .duration
        .map(|span| Instant::now() + Duration::from_millis(span.get()));
    let mut failures = Vec::new();
    while !load.is_complete() && until.is_none_or(|until| Instant::now() < until) {
        stage.fleet.check_interrupt()?;
        if stage.fleet.check_well().is_err() {
            break;
        }
        load.tell(output);
        thread::sleep(POLL);
    }
    let has_failed = stage.fleet.check_well().is_err();
    let report = load.finish(output, &stage.fleet, has_failed)?;
    let verdict = verdict::judge(&mut stage.fleet, &report.acknowledged)?;
    failures.extend(verdict.failures.iter().cloned());
    failures.extend(report.failures.iter().cloned());
    let figures = Figures {
        passed: failures.is_empty(),
        failures: &failures,
        nodes_count: stage.fleet.nodes().len(),
        concurrent_jobs: args.jobs.concurrent_jobs.unwrap_or(CONCURRENT_JOBS),
        load: &report,
        verdict: &verdict,
    };
    write_metrics(file, &figures)?;
    output.data(&figures, |output| {
        output.table(&report.table())?;
        output.line("")?;
        output.table(&verdict::table(&verdict.nodes))?;
        output.line("")?;
        Ok(output.line(summary(&report, &verdict))?)
    })?;
    stage.close(output, failures.is_empty())?;
    conclude(output, &failures)
}

/// What a table does not say.
pub(super) fn summary(report: &LoadReport, verdict: &Verdict) -> String {
    let mut lines = vec![
        format!(
            "jobs handed in for {}, all over after {}",
            format::span(report.handing_in_ms),
            format::span(report.took_ms)
        ),
        verdict::told(&verdict.acknowledged),
    ];
    if report.unanswered > 0 {
        lines.push(format!("{} requests were not answered", report.unanswered));
    }
    lines.join("\n")
}

/// Says every failure; the run has failed if there is one.
pub(super) fn conclude(output: &Output, failures: &[String]) -> anyhow::Result<()> {
    const SHOWN: usize = 20;
    for failure in failures.iter().take(SHOWN) {
        output.insist(format!("FAIL {failure}"));
    }
    if failures.len() > SHOWN {
        output.insist(format!("and {} more", failures.len() - SHOWN));
    }
    match failures.len() {
        0 => Ok(()),
        count => Err(Found(format!("{count} things do not hold")).into()),
    }
}
