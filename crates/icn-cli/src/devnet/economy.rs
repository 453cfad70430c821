//! The demo's economy: the four give each other credit, trade until debts run in circles, and decide to clear them. Each
//! checks the proof of what was cleared with its own node.
use super::{fleet::Fleet, story::SEATS, teller::Teller};
use crate::{commands::clearing, format::Names, table::Table};
use anyhow::{Context as _, ensure};
use icn_api::{
    clearing::{RoundView, RoundsQuery, UnitQuery},
    credit::{LinesQuery, TransferOrder, TransferOrders},
};
use icn_model::{
    Action, AgreementAct, AgreementId, AgreementKind, Choice, Codec, CreditUnit, Did, DisputeRule, Effect,
    LineId, LineTerms, Method, Millis, Party, PartyRole, ProposalId, ProposalSpec, RoundPhase, Standing,
    Terms,
};
use std::time::Duration;

/// Who owes whom for what, minor units: two rings that share cooperatives, and some over.
const TRADES: [(usize, usize, u64, &str); 6] = [
    (0, 1, 12_000, "milk"),
    (1, 3, 9_500, "apples"),
    (3, 0, 7_000, "bread"),
    (0, 2, 6_000, "flour"),
    (2, 3, 4_500, "cider"),
    (2, 1, 2_000, "butter"),
];
const UNIT: &str = "EUR.2";
const LIMIT: u64 = 100_000;
/// Rounds come this often; the first one this long after the decision.
const EVERY: Millis = Millis::from_secs(10);
const JOIN: Millis = Millis::from_secs(5);
const OBJECT: Millis = Millis::from_secs(2);
/// How long agreements and transfers may take.
const TRADE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the vote, and the first round after it, may take.
const CLEARING_TIMEOUT: Duration = Duration::from_secs(120);
/// How long one transfer waits for the other end.
const TRANSFER_WAIT_MS: u64 = 20_000;

/// Tells of it.
pub(super) fn trade(teller: &Teller<'_>, fleet: &mut Fleet, names: &Names) -> anyhow::Result<()> {
    let unit: CreditUnit = UNIT.parse()?;
    for (debtor, creditor, amount, what) in TRADES {
        let line = open(fleet, debtor, creditor, &unit)?;
        pay(fleet, debtor, &line, amount, what)?;
        let name = |at: usize| &fleet.nodes()[at].name;
        teller.say(format!(
            "{} owes {} {} EUR for {what}: signed by both, on disk at both",
            name(debtor),
            name(creditor),
            unit.write(amount)
        ));
    }
    teller.done(
        "trades",
        format!("{} transfers on {} lines of credit", TRADES.len(), TRADES.len()),
    );
    let before = debts(fleet, &unit)?;
    teller.show(&before.to_string());
    decide(teller, fleet)?;
    let round = wait_for_round(fleet)?;
    let mut cleared = None;
    for at in 0..SEATS {
        let report = fleet
            .client(at)
            .clearing_report(round.number, &UnitQuery::default())?;
        let report = report.units.into_iter().find(|report| report.unit == unit);
        let report = report.context("nothing was cleared")?;
        clearing::check(&report)
            .with_context(|| format!("{} does not believe it", fleet.nodes()[at].name))?;
        ensure!(
            cleared
                .replace(report.clone())
                .is_none_or(|other| other == report),
            "two nodes have cleared differently"
        );
    }
    let report = cleared.context("nobody has cleared anything")?;
    teller.show(&clearing::table(&report, names).to_string());
    teller.done(
        "clearing",
        format!(
            "{} of {} EUR taken off everybody's books; each of the four has checked the proof that no more can be",
            unit.write(report.figures.cleared),
            unit.write(report.figures.gross)
        ),
    );
    Ok(())
}

/// Two cooperatives agree on a line.
fn open(fleet: &mut Fleet, debtor: usize, creditor: usize, unit: &CreditUnit) -> anyhow::Result<LineId> {
    let party = |at: usize, role| Party {
        did: fleet.nodes()[at].did,
        role,
    };
    let terms = Terms {
        kind: AgreementKind::Credit,
        title: "credit".parse()?,
        parties: vec![
            party(debtor, PartyRole::Proposer),
            party(creditor, PartyRole::Counterparty),
        ],
        effective: None,
        expires: None,
        renews_by_ms: None,
        notice_ms: Millis::from_secs(1),
        contest_ms: Millis::from_secs(5),
        disputes: DisputeRule::Negotiation {},
        lines: vec![LineTerms {
            unit: unit.clone(),
            proposer_limit: LIMIT,
            counterparty_limit: LIMIT,
        }],
        rates: Vec::new(),
        text: None,
    };
    let content = terms.digest();
    let action = Action::ProposeAgreement {
        terms: Box::new(terms),
    };
    let done = fleet.session(debtor).submit(fleet.client(debtor), &action)?;
    let agreement = AgreementId::from(done.id);
    fleet.wait_for("the offer is known", TRADE_TIMEOUT, |fleet| {
        fleet.check_interrupt()?;
        Ok(fleet.client(creditor).agreement(&agreement).is_ok())
    })?;
    let act = AgreementAct::Sign { revision: 1, content };
    let action = Action::Agreement {
        agreement,
        act: Box::new(act),
    };
    fleet.session(creditor).submit(fleet.client(creditor), &action)?;
    let line = LineId {
        agreement,
        unit: unit.clone(),
    };
    fleet.wait_for("both ends of the line have met", TRADE_TIMEOUT, |fleet| {
        fleet.check_interrupt()?;
        let view = fleet.client(debtor).credit_line(&line).ok();
        let own = view.and_then(|view| view.own);
        Ok(own.is_some_and(|own| !own.waits_for_other))
    })?;
    Ok(line)
}

fn pay(fleet: &Fleet, debtor: usize, line: &LineId, amount: u64, what: &str) -> anyhow::Result<()> {
    let client = fleet.client(debtor);
    let memo = client.put_block(Codec::Raw, what.as_bytes())?;
    let orders = TransferOrders {
        transfers: vec![TransferOrder {
            amount,
            reference: Some(what.to_owned()),
            memo: Some(memo),
        }],
        wait_ms: Some(TRANSFER_WAIT_MS),
    };
    let answers = client.credit_transfer(line, &orders)?;
    let made = answers.transfers.into_iter().find_map(|answer| answer.transfer);
    let is_signed = made.is_some_and(|made| made.standing == Standing::Confirmed);
    ensure!(
        is_signed,
        "the other end has not signed within {TRANSFER_WAIT_MS} ms"
    );
    Ok(())
}

/// Who owes whom, as the nodes of those who owe say.
fn debts(fleet: &Fleet, unit: &CreditUnit) -> anyhow::Result<Table> {
    let name = |did: &Did| {
        let node = fleet.nodes().iter().find(|node| node.did == *did);
        node.map_or_else(|| did.short(), |node| node.name.clone())
    };
    let mut table = Table::new(["DEBTOR", "CREDITOR", ">OWES"]);
    for at in 0..SEATS {
        let me = fleet.nodes()[at].did;
        let lines = fleet.client(at).credit_lines(&LinesQuery {
            end: Some(me),
            unit: Some(unit.clone()),
            ..LinesQuery::default()
        })?;
        for own in lines.items.iter().filter_map(|view| view.own.as_ref()) {
            if let Ok(debt @ 1..) = u64::try_from(own.debt) {
                table.row([name(&me), name(&own.other), unit.write(debt)]);
            }
        }
    }
    Ok(table)
}

/// The four decide that debts are cleared.
fn decide(teller: &Teller<'_>, fleet: &Fleet) -> anyhow::Result<()> {
    let proposal = ProposalSpec {
        text: None,
        effect: Effect::ClearingSchedule {
            every_ms: Some(EVERY),
            join_ms: JOIN,
            object_ms: OBJECT,
        },
        electorate: icn_model::Electorate::Cooperatives,
        method: Method::YesNo {},
        topic: "clearing".parse().context("a word is a name")?,
        closes: None,
        votes_final: false,
    };
    let action = Action::Propose {
        proposal: Box::new(proposal),
    };
    let done = fleet.session(1).submit(fleet.client(1), &action)?;
    let proposal = ProposalId::from(done.id);
    for at in 0..SEATS {
        let (session, client) = (fleet.session(at), fleet.client(at));
        session.once_known(|| client.proposal(&proposal))?;
        let choice = Choice::Yes {};
        session.submit(client, &Action::Vote { proposal, choice })?;
    }
    teller.say(format!(
        "all four vote for clearing: a round every {} s, {} s to take part, {} s to object",
        EVERY.get() / 1_000,
        JOIN.get() / 1_000,
        OBJECT.get() / 1_000
    ));
    Ok(())
}

/// The first round that clears something, once every node has applied it.
fn wait_for_round(fleet: &mut Fleet) -> anyhow::Result<RoundView> {
    let mut found: Option<RoundView> = None;
    fleet.wait_for(
        "a round of clearing is applied on all nodes",
        CLEARING_TIMEOUT,
        |fleet| {
            fleet.check_interrupt()?;
            for at in 0..SEATS {
                let page = fleet.client(at).clearing_rounds(&RoundsQuery::default())?;
                let is_applied = |round: &RoundView| matches!(round.record.phase, RoundPhase::Applied { .. });
                let Some(round) = page.items.into_iter().rfind(is_applied) else {
                    return Ok(false);
                };
                found = Some(round);
            }
            Ok(true)
        },
    )?;
    found.context("no round was applied")
}
