//! The demo's assembly: four cooperatives vote on a contract that lets those regenerate faster who deliver work, it
//! is carried out by the log, and shows in what their accounts gain.
use super::{
    fleet::Fleet,
    story::{CROWD, SEATS, hand_in, is_done, put_scene},
    teller::Teller,
};
use crate::{
    commands::job,
    format::{self, Names},
    gather,
    table::Table,
};
use anyhow::{Context as _, ensure};
use icn_api::{client::Client, events::EventsQuery, mana::ManaQuery};
use icn_model::{
    Action, Choice, Cid, Did, Effect, Electorate, Event, EventKind, GovernanceEvent, JobLimits, Mana, Method,
    PolicySlot, ProposalId, ProposalSpec,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// The contract that is voted on; it ships with the project.
const CONTRACT: &str = include_str!("../../../../examples/ccl/regeneration-by-contribution.ccl");
const WHY: &str =
    "# Regeneration by contribution\n\nWho delivers work for others regenerates up to twice as fast.\n";
/// How long the log has to close the vote and carry the decision out: five seconds for votes, one for vetoes.
const DECISION_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the policy may take to be asked about work that was just done: two of its periods.
const POLICY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long accounts are watched.
const WATCHED: Duration = Duration::from_secs(4);
/// How long a job may take.
const JOB_TIMEOUT: Duration = Duration::from_secs(60);

/// Tells of the vote.
pub(super) fn assemble(teller: &Teller<'_>, fleet: &mut Fleet, names: &Names) -> anyhow::Result<()> {
    let proposal = propose(teller, fleet)?;
    let choices = [Choice::Yes {}, Choice::Yes {}, Choice::Yes {}, Choice::No {}];
    for (at, choice) in choices.into_iter().enumerate() {
        let word = if choice == (Choice::Yes {}) { "yes" } else { "no" };
        let (session, client) = (fleet.session(at), fleet.client(at));
        session.submit(client, &Action::Vote { proposal, choice })?;
        teller.say(format!("{} votes {word}", fleet.nodes()[at].name));
    }
    let is_executed = |event: &GovernanceEvent| matches!(event, GovernanceEvent::Executed { proposal: one, .. } if *one == proposal);
    // Each node has carried it out by itself; nobody closes the vote.
    fleet.wait_for(
        "the decision is carried out on all nodes",
        DECISION_TIMEOUT,
        |fleet| {
            fleet.check_interrupt()?;
            (0..SEATS).try_fold(true, |all, at| {
                Ok(all && governance(fleet.client(at))?.iter().any(is_executed))
            })
        },
    )?;
    teller.done(
        "vote",
        "3 of 4 for it, carried out by every node after the time for vetoes".to_owned(),
    );
    reward(teller, fleet, names)
}

/// Publishes the contract and proposes it.
fn propose(teller: &Teller<'_>, fleet: &Fleet) -> anyhow::Result<ProposalId> {
    let (session, client) = (fleet.session(0), fleet.client(0));
    let source = CONTRACT.to_owned();
    let contract = Cid::of_raw(source.as_bytes());
    session.submit(client, &Action::PublishContract { source })?;
    let text = gather::put(client, WHY.as_bytes(), |_| {})?.cid;
    let proposal = ProposalSpec {
        text: Some(text),
        effect: Effect::InstallPolicy {
            slot: PolicySlot::ManaRate,
            contract,
        },
        electorate: Electorate::Cooperatives,
        method: Method::YesNo {},
        topic: "mana".parse().context("a word is a name")?,
        closes: None,
        votes_final: false,
    };
    let done = session.submit(
        client,
        &Action::Propose {
            proposal: Box::new(proposal),
        },
    )?;
    teller.say(format!(
        "{} proposes that contract {contract} decides the rate of regeneration",
        fleet.nodes()[0].name
    ));
    Ok(done.id.into())
}

/// A few jobs, and what the policy makes of them.
fn reward(teller: &Teller<'_>, fleet: &mut Fleet, names: &Names) -> anyhow::Result<()> {
    let submitter = CROWD.submitter;
    let spec = put_scene(fleet.client(submitter), &CROWD, JobLimits::default())?;
    for number in 0..SEATS {
        let mut spec = spec.clone();
        spec.env.insert("REWARDED".to_owned(), number.to_string());
        let id = hand_in(&fleet.session(submitter), fleet.client(submitter), spec)?;
        let view = job::wait_until_over(fleet.client(submitter), &id, JOB_TIMEOUT, |_| {
            fleet.check_interrupt()
        })?;
        ensure!(is_done(&view), "job {id} is {}", view.state);
    }
    teller.say("four more jobs are done; the contract is asked about them at the end of its period");
    let base = fleet
        .client(submitter)
        .federation()?
        .parameters
        .mana_rate_per_hour;
    let mut rates = BTreeMap::new();
    fleet.wait_for("the contract rewards who worked", POLICY_TIMEOUT, |fleet| {
        fleet.check_interrupt()?;
        rates = latest_rates(&governance(fleet.client(submitter))?);
        Ok(rates.values().any(|rate| *rate > base))
    })?;
    let before = available(fleet.client(submitter))?;
    let watched = Instant::now();
    fleet.wait_for("accounts regenerate", 2 * WATCHED, |fleet| {
        fleet.check_interrupt()?;
        Ok(watched.elapsed() >= WATCHED)
    })?;
    let after = available(fleet.client(submitter))?;
    let mut table = Table::new(["COOPERATIVE", ">REGENERATES AN HOUR", ">GAINED MEANWHILE"]);
    for (did, before) in &before {
        let rate = rates.get(did).copied().unwrap_or(base);
        let gained = after
            .get(did)
            .copied()
            .unwrap_or_default()
            .saturating_sub(*before);
        table.row([names.of(did), format::mana(rate), format::mana(gained)]);
    }
    teller.show(&table.to_string());
    let rewarded: Vec<Did> = rates
        .iter()
        .filter(|(_, rate)| **rate > base)
        .map(|(did, _)| *did)
        .collect();
    teller.done(
        "policy",
        format!(
            "{} regenerate faster than {base} an hour: they delivered work",
            names.all(&rewarded)
        ),
    );
    Ok(())
}

/// The newest events of governance on a node, the oldest first.
fn governance(client: &Client) -> anyhow::Result<Vec<GovernanceEvent>> {
    let page = client.events(&EventsQuery {
        kind: Some(EventKind::Governance),
        tail: Some(200),
        ..EventsQuery::default()
    })?;
    let events = page.items.into_iter().filter_map(|record| match record.event {
        Event::Governance(event) => Some(event),
        _ => None,
    });
    Ok(events.collect())
}

fn latest_rates(events: &[GovernanceEvent]) -> BTreeMap<Did, Mana> {
    let rates = events.iter().filter_map(|event| match event {
        GovernanceEvent::RegenerationSet {
            cooperative,
            rate_per_hour,
            ..
        } => Some((*cooperative, *rate_per_hour)),
        _ => None,
    });
    rates.collect()
}

/// What each cooperative has available now.
fn available(client: &Client) -> anyhow::Result<BTreeMap<Did, Mana>> {
    let accounts = client.accounts(&ManaQuery::default())?;
    Ok(accounts
        .items
        .iter()
        .map(|account| (account.did, account.spendable))
        .collect())
}
