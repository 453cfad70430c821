//! The demo: four nodes, three jobs, a crash, a vote, trades that are cleared, and a reckoning. Whatever happens, its nodes are gone afterwards;
//! logs and results stay.
use super::{
    economy,
    fleet::Fleet,
    plan::{self, Plan},
    story::{self, CROWD, SCENES, SEATS, Scene, hand_in, is_done, put_scene},
    table,
    teller::Teller,
    told, vote,
};
use crate::{
    commands::{job, job_result, mana, receipt},
    failure::{Found, Refused},
    format::{self, Names},
    gather,
    output::Output,
    replay,
    table::Table,
};
use anyhow::{Context as _, ensure};
use icn_api::{
    client::Client,
    mesh::{JobView, JobsQuery},
    operations::OperationState,
};
use icn_model::{Action, JobId, JobLimits, JobSpec, JobStatus, Millis, Outcome, Sequence, limits};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long the nodes have to agree at first.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long one job may take.
const JOB_TIMEOUT: Duration = Duration::from_secs(60);
/// Jobs that run while a node is killed.
const CROWD_SIZE: usize = 24;
/// How long the crowd has to be over: a lost executor costs its jobs their whole time to deliver.
const CROWD_TIMEOUT: Duration = Duration::from_secs(180);
/// How long an executor may take for a job of the crowd: a hundred times what it takes, for machines that are
/// busy with other things, too.
const CROWD_WALL: Millis = Millis::from_secs(15);
/// How long the log may take to take the crowd in.
const HAND_IN_TIMEOUT: Duration = Duration::from_secs(9);
/// How long the killed node has to catch up.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn run(output: &Output, directory: Option<PathBuf>, base_port: u16) -> anyhow::Result<()> {
    let directory = match directory {
        Some(directory) => std::path::absolute(directory)?,
        None => std::env::temp_dir().join(format!("icn-demo-{}", std::process::id())),
    };
    let teller = Teller::new(output);
    let told = tell(&teller, &directory, base_port);
    teller.say(format!("logs and results are in {}", directory.display()));
    told?;
    teller.sum_up()
}

fn tell(teller: &Teller<'_>, directory: &Path, base_port: u16) -> anyhow::Result<()> {
    let state = plan::prepare(
        directory,
        &Plan::new(SEATS, plan::free_base_port(SEATS, base_port)?),
    )?;
    let mut fleet = Fleet::new(directory.to_owned(), state)?;
    teller.say("starting four nodes, one for each cooperative");
    fleet.start_all()?;
    fleet.wait_until_agreed(teller.output(), START_TIMEOUT)?;
    teller.show(&table(&fleet.views()).to_string());
    teller.done("federation", format!("{SEATS} nodes agree"));
    let names = Names::new(&gather::seats(fleet.client(0))?);
    for scene in &SCENES {
        play(teller, &fleet, &names, scene).with_context(|| scene.title)?;
    }
    crash(teller, &mut fleet, &names)?;
    vote::assemble(teller, &mut fleet, &names)?;
    economy::trade(teller, &mut fleet, &names)?;
    reckon(teller, &fleet)?;
    let ends = fleet.stop_all()?;
    let slow = ends
        .iter()
        .filter(|(_, end)| *end == super::fleet::End::Killed)
        .count();
    teller.done(
        "end",
        if slow == 0 {
            "all nodes stopped in order".to_owned()
        } else {
            format!("{slow} nodes had to be killed")
        },
    );
    Ok(())
}

/// One job from submission to a replayed receipt.
fn play(teller: &Teller<'_>, fleet: &Fleet, names: &Names, scene: &Scene) -> anyhow::Result<()> {
    let submitter = &fleet.nodes()[scene.submitter];
    let (session, client) = (fleet.session(scene.submitter), fleet.client(scene.submitter));
    let spec = put_scene(client, scene, JobLimits::default())?;
    let id = hand_in(&session, client, spec)?;
    teller.say(format!("{} submits {}: job {id}", submitter.name, scene.title));
    let view = job::wait_until_over(client, &id, JOB_TIMEOUT, |_| fleet.check_interrupt())?;
    let executors: Vec<_> = view.record.paid().map(|paid| paid.executor).collect();
    ensure!(is_done(&view), "job {id} is {}", view.state);
    ensure!(
        !executors.contains(&submitter.did),
        "{} ran its own job",
        submitter.name
    );
    let outcome = job_result::outcome(client, &view)?;
    ensure!(
        outcome.exit.is_success(),
        "the program ended with {}",
        format::exit(&outcome.exit)
    );
    show_results(teller, fleet, client, scene, &outcome)?;
    let (_, receipt_cid) = view.receipts().next().context("there is no receipt")?;
    let receipt = gather::receipt(client, &receipt_cid)?;
    let replayer = replay::replayer()?;
    receipt::replay(client, replayer.as_ref(), &receipt.content, &view)
        .context("the receipt does not hold")?;
    let result = format!(
        "run by {}, receipt replayed with the same outcome",
        names.all(&executors)
    );
    teller.done(scene.title, result);
    Ok(())
}

fn show_results(
    teller: &Teller<'_>,
    fleet: &Fleet,
    client: &Client,
    scene: &Scene,
    outcome: &Outcome,
) -> anyhow::Result<()> {
    let stdout = gather::get_bytes(client, &outcome.stdout, limits::MAX_OUTPUT_BYTES)?;
    let stdout = String::from_utf8_lossy(&stdout);
    teller.show(&stdout);
    if !scene.inputs.is_empty() {
        let missing = story::expected_checksums()
            .into_iter()
            .find(|checksum| !stdout.contains(checksum));
        ensure!(
            missing.is_none(),
            "the checksums are not those that this machine computes"
        );
    }
    let results = fleet
        .directory()
        .join("results")
        .join(&fleet.nodes()[scene.submitter].name);
    fs::create_dir_all(&results)?;
    for path in job_result::write_outcome(&Output::silent(), client, outcome, &results)? {
        if path.extension().is_some_and(|extension| extension == "png") {
            let size = format::bytes(fs::metadata(&path)?.len());
            teller.show(&format!("the picture, {size}: {}", path.display()));
        }
    }
    Ok(())
}

/// A node is killed while a crowd of jobs runs; the crowd is done all the same, and the node comes back.
fn crash(teller: &Teller<'_>, fleet: &mut Fleet, names: &Names) -> anyhow::Result<()> {
    let submitter = CROWD.submitter;
    let jobs = hand_in_crowd(fleet, submitter, CROWD_SIZE)?;
    teller.say(format!(
        "{} hands in {} jobs at once",
        fleet.nodes()[submitter].name,
        jobs.len()
    ));
    // Whoever works for the submitter will do; who that is, the federation decides.
    let mut busiest = (0, submitter);
    fleet.wait_for("a node works for the crowd", JOB_TIMEOUT, |fleet| {
        let query = |did| JobsQuery {
            executor: Some(did),
            state: Some(JobStatus::Running),
            ..JobsQuery::default()
        };
        for at in (0..SEATS).filter(|at| *at != submitter) {
            let running = fleet.client(submitter).jobs(&query(fleet.nodes()[at].did))?;
            busiest = busiest.max((running.items.len(), at));
        }
        Ok(busiest.0 > 0)
    })?;
    let (busy, at) = busiest;
    let victim = fleet.nodes()[at].clone();
    fleet.kill(at)?;
    teller.say(format!(
        "{} is killed (SIGKILL) with {busy} jobs in hand",
        victim.name
    ));
    let crowd = await_crowd(fleet, submitter, &jobs)?;
    teller.show(&crowd_table(&crowd, names).to_string());
    let lost = crowd.iter().filter(|view| !is_done(view)).count();
    ensure!(lost == 0, "{lost} of {} jobs were not done", crowd.len());
    let retried = crowd.iter().filter(|view| view.record.attempt > 0).count();
    teller.done(
        "jobs over a crash",
        format!("{0} of {0} settled, {retried} by a second executor", crowd.len()),
    );
    let height = fleet.client(submitter).federation()?.height;
    fleet.start(at)?;
    fleet.wait_for("the killed node catches up", CATCH_UP_TIMEOUT, |fleet| {
        Ok(fleet.agreed_height()? > Some(height))
    })?;
    teller.done(
        "recovery",
        format!(
            "{} is back, past height {height} with the same blocks",
            victim.name
        ),
    );
    Ok(())
}

/// Hands in `count` jobs of the crowd in one request, as the cooperative of a node.
fn hand_in_crowd(fleet: &Fleet, at: usize, count: usize) -> anyhow::Result<Vec<JobId>> {
    let (client, signer) = (fleet.client(at), fleet.session(at).signer()?);
    let limits = JobLimits {
        wall_ms: CROWD_WALL.get(),
        ..JobLimits::default()
    };
    let spec = put_scene(client, &CROWD, limits)?;
    let mut next = client.next_operation(signer.key.public())?;
    let mut operations = Vec::new();
    for number in 0..count {
        let env = BTreeMap::from([("NUMBER".to_owned(), number.to_string())]);
        let spec = Box::new(JobSpec { env, ..spec.clone() });
        operations.push(signer.sign(&next, Action::SubmitJob { spec }));
        next.sequence = Sequence::new(next.sequence.get() + 1);
    }
    let submitted = client.submit(&operations, HAND_IN_TIMEOUT)?;
    for status in &submitted.operations {
        if let OperationState::Refused { refusal, .. } = &status.state {
            return Err(Refused(refusal.clone()).into());
        }
    }
    ensure!(
        submitted.is_final(),
        "the jobs are not in the log after {}",
        told(HAND_IN_TIMEOUT)
    );
    Ok(submitted
        .operations
        .iter()
        .map(|status| status.id.into())
        .collect())
}

fn await_crowd(fleet: &mut Fleet, at: usize, jobs: &[JobId]) -> anyhow::Result<Vec<JobView>> {
    let mut open: Vec<_> = jobs.to_vec();
    let mut over = Vec::new();
    fleet.wait_for("the jobs are done", CROWD_TIMEOUT, |fleet| {
        while let Some(id) = open.last() {
            let view = fleet.client(at).job(id)?;
            if view.state.is_open() {
                break;
            }
            over.push(view);
            open.pop();
        }
        Ok(open.is_empty())
    })?;
    Ok(over)
}

fn crowd_table(crowd: &[JobView], names: &Names) -> Table {
    let mut by_executor = BTreeMap::<String, (usize, usize)>::new();
    for view in crowd {
        for paid in view.record.paid() {
            let (done, retried) = by_executor.entry(names.of(&paid.executor)).or_default();
            *done += 1;
            *retried += usize::from(view.record.attempt > 0);
        }
    }
    let mut table = Table::new(["EXECUTOR", ">JOBS DONE", ">OF THEM RETRIED"]);
    for (name, (done, retried)) in by_executor {
        table.row([name, done.to_string(), retried.to_string()]);
    }
    table
}

/// The mana of all nodes adds up, and is the same.
fn reckon(teller: &Teller<'_>, fleet: &Fleet) -> anyhow::Result<()> {
    fleet.check_interrupt()?;
    let comparison = mana::compare(fleet.clients())?;
    let accounts = &comparison.accounts[0];
    let mut table = Table::new(["ACCOUNT", ">AVAILABLE", ">HELD", ">MATURING", ">STAKED"]);
    for account in &accounts.items {
        let (name, record) = (
            account
                .name
                .as_ref()
                .map_or_else(|| account.did.short(), ToString::to_string),
            &account.record,
        );
        let parts = [record.available, record.held, record.maturing, record.staked].map(format::mana);
        let [available, held, maturing, staked] = parts;
        table.row([name, available, held, maturing, staked]);
    }
    teller.show(&table.to_string());
    if !comparison.holds() {
        return Err(Found("the mana does not add up, or differs between nodes".into()).into());
    }
    let supply = accounts.totals.supply;
    let sum = format!(
        "{} granted + {} regenerated - {} burned = what is in the accounts",
        supply.granted, supply.regenerated, supply.burned
    );
    teller.done(
        "mana",
        format!("{sum}, on all {SEATS} nodes at height {}", accounts.height),
    );
    Ok(())
}
