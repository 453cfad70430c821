//! Jobs: their way, their results, and how their executors were chosen.
use super::{
    job_result,
    job_submit::{self, SubmitArgs},
};
use crate::{
    failure::{Found, Usage},
    format::{self, Names},
    parse,
    progress::Progress,
    session::Session,
    table::Table,
};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use icn_api::{
    client::Client,
    mesh::{JobView, JobsQuery},
};
use icn_model::{Action, Delivery, JobId, JobPhase, JobStatus, Millis};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How often a job is asked after.
const POLL: Duration = Duration::from_millis(150);

/// `job`
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Have a program run by another cooperative; prints the job's id
    Submit(Box<SubmitArgs>),
    /// Show a job and how far it is
    Status(JobArgs),
    /// Print what the program wrote to standard output and standard error
    Logs(JobArgs),
    /// Write the program's output and files to a directory
    Get(job_result::GetArgs),
    /// Show how the executors were chosen: each bid, each score, each rule
    Why(JobArgs),
    /// Withdraw a job before its receipt
    Cancel(JobArgs),
    /// Stake mana that the receipt of a settled job is false
    Challenge(JobArgs),
    /// List jobs, the youngest first
    Ls(LsArgs),
    /// Wait until a job is settled or has failed
    Wait(WaitArgs),
}

/// A job.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct JobArgs {
    /// The job's id
    pub(crate) id: JobId,
}

/// `job ls`
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// Only jobs in this state
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(JobStatus::ALL.map(JobStatus::name)))]
    state: Option<String>,
    /// Only jobs that you pay for
    #[arg(long)]
    mine: bool,
    /// Begin after this job
    #[arg(long, value_name = "ID")]
    after: Option<JobId>,
    /// How many to list, at most 1000
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// `job wait`
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// The job's id
    id: JobId,
    /// How long to wait
    #[arg(long, value_name = "SPAN", value_parser = parse::span, default_value = "10m")]
    timeout: Millis,
}

pub(crate) fn run(session: &Session, command: JobCommand) -> anyhow::Result<()> {
    match command {
        JobCommand::Submit(args) => submit(session, &args),
        JobCommand::Status(args) => status(session, args.id),
        JobCommand::Logs(args) => job_result::logs(session, args.id),
        JobCommand::Get(args) => job_result::get(session, &args),
        JobCommand::Why(args) => why(session, args.id),
        JobCommand::Cancel(args) => act(session, &Action::CancelJob { job: args.id }, "cancelled"),
        JobCommand::Challenge(args) => act(session, &Action::ChallengeJob { job: args.id }, "challenged"),
        JobCommand::Ls(args) => ls(session, &args),
        JobCommand::Wait(args) => wait(session, args.id, args.timeout),
    }
}

fn act(session: &Session, action: &Action, what: &str) -> anyhow::Result<()> {
    let done = session.submit(&session.client()?, action)?;
    session.output.data(&done, |output| {
        Ok(output.line(format!("{what} in block {}", done.height))?)
    })
}

fn submit(session: &Session, args: &SubmitArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let id = job_submit::submit(session, &client, args)?;
    if args.wait {
        let view = client.job(&id)?;
        return wait(session, id, view.spec.deadline.since(view.record.submitted));
    }
    session.output.data(&serde_json::json!({ "id": id }), |output| {
        Ok(output.line(id.to_string())?)
    })
}

/// Waits until nothing is held for the job any more; `tell` hears of each change on the way.
pub(crate) fn wait_until_over(
    client: &Client,
    id: &JobId,
    timeout: Duration,
    mut tell: impl FnMut(&JobView) -> anyhow::Result<()>,
) -> anyhow::Result<JobView> {
    let until = Instant::now() + timeout;
    loop {
        let view = client.job(id)?;
        tell(&view)?;
        if !view.state.is_open() {
            return Ok(view);
        }
        anyhow::ensure!(
            Instant::now() < until,
            "job {id} is still {}: icn-cli job wait {id} waits on",
            view.state
        );
        thread::sleep(POLL);
    }
}

fn wait(session: &Session, id: JobId, timeout: Millis) -> anyhow::Result<()> {
    let client = session.client()?;
    let names = session.names(&client);
    let progress = Progress::spinner(&session.output, &format!("job {id}"));
    let timeout = Duration::from_millis(timeout.get());
    let view = wait_until_over(&client, &id, timeout, |view| {
        progress.tell(&stage(view, &names));
        Ok(())
    })?;
    drop(progress);
    session
        .output
        .data(&view, |output| Ok(output.line(id.to_string())?))?;
    if session.output.is_lively() {
        // Otherwise the progress has said so, and it is still there.
        session.output.say(stage(&view, &names));
    }
    match (view.state, job_result::accepted(&view)) {
        (JobStatus::Settled | JobStatus::Completed, Some((_, exit))) if exit.is_success() => Ok(()),
        (JobStatus::Settled | JobStatus::Completed, Some((_, exit))) => Err(Found(format!(
            "the program ended with {}: icn-cli job logs {id}",
            format::exit(exit)
        ))
        .into()),
        (state, _) => Err(Found(format!("job {id} is {state}: icn-cli job status {id}")).into()),
    }
}

/// How far a job is, in one line.
fn stage(view: &JobView, names: &Names) -> String {
    let executors = names.all(
        view.record
            .assignments
            .iter()
            .map(|assignment| &assignment.executor),
    );
    let attempt = match view.record.attempt {
        0 => String::new(),
        attempt => format!(", attempt {}", attempt + 1),
    };
    match &view.record.phase {
        JobPhase::Bidding { .. } => format!("bids are collected{attempt}"),
        JobPhase::Running { .. } => format!("runs at {executors}{attempt}"),
        JobPhase::Settled { .. } => format!("settled, run by {executors}{attempt}"),
        JobPhase::Completed { .. } => format!("completed, run by {executors}{attempt}"),
        JobPhase::RolledBack { reason, .. } => format!("rolled back: {reason}"),
        JobPhase::Challenged { .. } | JobPhase::Cancelled { .. } | JobPhase::Disproved { .. } => {
            view.state.to_string()
        }
    }
}

fn status(session: &Session, id: JobId) -> anyhow::Result<()> {
    let client = session.client()?;
    let view = client.job(&id)?;
    session.output.data(&view, |output| {
        let names = session.names(&client);
        output.table(&status_table(&view, &names))?;
        let mut table = Table::new(["EXECUTOR", ">PRICE", "DELIVERY", "RECEIPT"]);
        for assignment in &view.record.assignments {
            let (delivery, receipt) = delivery(&assignment.delivery);
            table.row([
                names.of(&assignment.executor),
                format::mana(assignment.price),
                delivery,
                receipt,
            ]);
        }
        if !view.record.assignments.is_empty() {
            output.table(&table)?;
        }
        Ok(())
    })
}

fn status_table(view: &JobView, names: &Names) -> Table {
    let (spec, record) = (&view.spec, &view.record);
    let mut table = Table::pairs();
    table.pair("job", view.id);
    table.pair("state", stage(view, names));
    table.pair("since", format::time(record.phase.since()));
    table.pair(
        "submitted",
        format!(
            "{} by {}",
            format::time(record.submitted),
            names.of(&record.payer)
        ),
    );
    table.pair("deadline", format::time(spec.deadline));
    table.pair("module", spec.module);
    table.pair(
        "arguments",
        if spec.args.is_empty() {
            "-".to_owned()
        } else {
            spec.args.join(" ")
        },
    );
    for (path, cid) in &spec.inputs {
        table.pair("input", format!("{path} {cid}"));
    }
    table.pair("limits", job_submit::asked(spec));
    table.pair(
        "mana",
        format!(
            "at most {} for each of {} executors, {} held",
            spec.max_mana, spec.replicas, record.held
        ),
    );
    if let Some(challenge) = &record.challenge {
        table.pair("challenged by", names.of(&challenge.challenger));
    }
    table
}

fn delivery(delivery: &Delivery) -> (String, String) {
    let dash = || "-".to_owned();
    match delivery {
        Delivery::Pending {} => ("works on it".to_owned(), dash()),
        Delivery::Delivered { receipt, exit, .. } => (format::exit(exit), receipt.to_string()),
        Delivery::Returned {} => ("handed it back".to_owned(), dash()),
        Delivery::Late {} => ("not heard of in time".to_owned(), dash()),
    }
}

fn why(session: &Session, id: JobId) -> anyhow::Result<()> {
    let client = session.client()?;
    let why = client.job_why(&id)?;
    session.output.data(&why, |output| {
        let names = session.names(&client);
        let Some(ranking) = &why.ranking else {
            let by = names.of(&why.coordinator);
            return Ok(output.line(format!("{}: no award yet, {by} collects the bids", why.state))?);
        };
        output.line(format!(
            "attempt {}, bids collected by {}",
            ranking.attempt + 1,
            names.of(&why.coordinator)
        ))?;
        Ok(output.table(&ranking_table(ranking, &names))?)
    })
}

fn ranking_table(ranking: &icn_model::Ranking, names: &Names) -> Table {
    let mut table = Table::new([
        "EXECUTOR",
        ">ASKS",
        ">PRICE",
        ">REPUTATION",
        ">LOCALITY",
        ">LOAD",
        ">SCORE",
        "RESULT",
    ]);
    for bid in &ranking.bids {
        let result = match (&bid.ineligible, bid.chosen) {
            (Some(rule), _) => format!("excluded: {rule}"),
            (None, true) => "chosen".to_owned(),
            (None, false) => "outscored".to_owned(),
        };
        table.row([
            names.of(&bid.executor),
            format::mana(bid.price),
            bid.price_score.to_string(),
            bid.reputation.to_string(),
            bid.locality_score.to_string(),
            bid.load_score.to_string(),
            bid.score.to_string(),
            result,
        ]);
    }
    for excluded in &ranking.excluded {
        let reason = match excluded.reason {
            icn_model::ExclusionReason::Blacklisted { until } => {
                format!("left out: blacklisted until {}", format::time(until))
            }
            icn_model::ExclusionReason::Outbid {} => "left out: others were better".to_owned(),
        };
        let dash = || "-".to_owned();
        table.row([
            names.of(&excluded.executor),
            dash(),
            dash(),
            dash(),
            dash(),
            dash(),
            dash(),
            reason,
        ]);
    }
    table
}

fn ls(session: &Session, args: &LsArgs) -> anyhow::Result<()> {
    let client = session.client()?;
    let payer = match (args.mine, session.own_did()) {
        (true, None) => {
            return Err(Usage::new("whose jobs? name a key with --key or an identity with --author").into());
        }
        (true, own) => own,
        (false, _) => None,
    };
    let state = JobStatus::ALL
        .into_iter()
        .find(|state| Some(state.name()) == args.state.as_deref());
    let query = JobsQuery {
        state,
        payer,
        executor: None,
        after: args.after,
        limit: Some(args.limit),
    };
    let page = client.jobs(&query)?;
    session.output.data(&page, |output| {
        let names = session.names(&client);
        let mut table = Table::new(["JOB", "STATE", "PAYER", "EXECUTORS", ">MANA", "SUBMITTED", "END"]);
        for job in &page.items {
            table.row([
                job.id.to_string(),
                job.state.to_string(),
                names.of(&job.payer),
                names.all(&job.executors),
                format::mana(job.mana),
                format::time(job.submitted),
                job.exit.as_ref().map_or_else(|| "-".to_owned(), format::exit),
            ]);
        }
        output.table(&table)?;
        if let Some(next) = page.next {
            session.output.say(format!("more: icn-cli job ls --after {next}"));
        }
        Ok(())
    })
}
