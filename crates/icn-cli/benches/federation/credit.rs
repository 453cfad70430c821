//! Transfers that both ends of a line have signed and have on disk, as the debtor's client sees it.
use crate::{Seat, percentile};
use icn_api::credit::{TransferOrder, TransferOrders};
use icn_model::{
    Action, AgreementAct, AgreementId, AgreementKind, CreditUnit, Did, DisputeRule, LineId, LineTerms,
    Millis, Party, PartyRole, Standing, Terms,
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Units of an agreement, each with a line of its own.
const UNITS: usize = 8;
/// Agreements that open many lines.
const AGREEMENTS: usize = 4;
/// How long each load runs.
const SPAN: Duration = Duration::from_secs(10);
const LIMIT: u64 = 1 << 40;

/// One line with a transfer a request, one line with many a request, and many lines.
pub(crate) fn credit(seats: &[Seat]) {
    let (debtor, creditor) = (&seats[0], &seats[1]);
    let lines: Vec<LineId> = (0..AGREEMENTS)
        .flat_map(|number| open(debtor, creditor, number))
        .collect();
    for line in &lines {
        wait_until_met(debtor, line);
    }
    load("one line, 1 request at a time", debtor, &lines[..1], 1, 1);
    load("one line, 32 requests of 1 at a time", debtor, &lines[..1], 32, 1);
    load("one line, 4 requests of 16 at a time", debtor, &lines[..1], 4, 16);
    let many = format!("{} lines, each a request of 32 at a time", lines.len());
    load(&many, debtor, &lines, lines.len(), 32);
}

fn open(debtor: &Seat, creditor: &Seat, number: usize) -> Vec<LineId> {
    let party = |seat: &Seat, role| Party {
        did: Did::new(seat.key.public()),
        role,
    };
    let unit = |at: usize| -> CreditUnit { format!("U{at}.2").parse().unwrap() };
    let terms = Terms {
        kind: AgreementKind::Credit,
        title: format!("trade {number}").parse().unwrap(),
        parties: vec![
            party(debtor, PartyRole::Proposer),
            party(creditor, PartyRole::Counterparty),
        ],
        effective: None,
        expires: None,
        renews_by_ms: None,
        notice_ms: Millis::ZERO,
        contest_ms: Millis::from_secs(60),
        disputes: DisputeRule::Negotiation {},
        lines: (0..UNITS)
            .map(|at| LineTerms {
                unit: unit(at),
                proposer_limit: LIMIT,
                counterparty_limit: LIMIT,
            })
            .collect(),
        rates: Vec::new(),
        text: None,
    };
    let content = terms.digest();
    let operations = debtor.sign([Action::ProposeAgreement {
        terms: Box::new(terms),
    }]);
    let agreement = AgreementId::from(operations[0].id());
    debtor
        .client
        .submit(&operations, Duration::from_secs(10))
        .unwrap();
    while creditor.client.agreement(&agreement).is_err() {
        sleep(Duration::from_millis(20));
    }
    let act = AgreementAct::Sign { revision: 1, content };
    let action = Action::Agreement {
        agreement,
        act: Box::new(act),
    };
    creditor
        .client
        .submit(&creditor.sign([action]), Duration::from_secs(10))
        .unwrap();
    (0..UNITS)
        .map(|at| LineId {
            agreement,
            unit: unit(at),
        })
        .collect()
}

fn wait_until_met(seat: &Seat, line: &LineId) {
    let has_met = || {
        let view = seat.client.credit_line(line).ok()?;
        (!view.own?.waits_for_other).then_some(())
    };
    while has_met().is_none() {
        sleep(Duration::from_millis(20));
    }
}

/// So many clients at once, each with requests of so many transfers, one after the other, over the lines by turns.
fn load(what: &str, debtor: &Seat, lines: &[LineId], clients: usize, batch: usize) {
    let orders = TransferOrders {
        transfers: vec![
            TransferOrder {
                amount: 1,
                reference: None,
                memo: None,
            };
            batch
        ],
        wait_ms: Some(10_000),
    };
    let started = Instant::now();
    let mut took: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|client| {
                let (line, orders) = (&lines[client % lines.len()], &orders);
                scope.spawn(move || {
                    let mut took = Vec::new();
                    while started.elapsed() < SPAN {
                        let asked = Instant::now();
                        let answers = debtor.client.credit_transfer(line, orders).unwrap();
                        took.push(asked.elapsed());
                        for answer in answers.transfers {
                            let made = answer.transfer.unwrap_or_else(|| panic!("{:?}", answer.problem));
                            assert_eq!(made.standing, Standing::Confirmed);
                        }
                    }
                    took
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let span = started.elapsed().as_secs_f64();
    took.sort();
    println!(
        "credit, {what:<42}{:.0} transfers/s   p50 {:.1?}   p99 {:.1?}",
        (took.len() * batch) as f64 / span,
        percentile(&took, 50),
        percentile(&took, 99)
    );
}
