//! How rounds go: the plan, what is applied, and what is kept of it.
use super::{Given, Net, RING, WINDOWS};
use icn_model::{AgreementAct, ClearingRow, Effect, LineId, Millis, RoundNumber, RoundPhase, limits};
use icn_state::verify_clearing;
use std::collections::BTreeSet;

const FIRST: RoundNumber = RoundNumber::new(1);

#[test]
fn a_ring_is_cleared_by_its_smallest_debt() {
    let mut net = Net::ring(&[50, 30, 40], &[]);
    net.open();
    net.join_with(&[0, 1, 2]);
    let expected = net.state().clearing_plan(None).unwrap();
    assert_eq!(net.positions(), [50, 30, 40]);
    assert_eq!(net.freeze(), ["frozen"]);
    assert_eq!(net.positions(), [50, 30, 40], "nothing yet");
    let plan = net.state().round_plan(&FIRST);
    assert_eq!(plan, expected, "the dry run said so");
    let unit = &plan[&"EUR.2".parse().unwrap()];
    let figures = unit.figures;
    assert_eq!(
        (figures.parties, figures.rows, figures.gross, figures.cleared),
        (3, 3, 120, 90)
    );
    assert_eq!(net.finish(), ["cleared", "cleared", "cleared", "applied"]);
    assert_eq!(net.positions(), [20, 0, 10]);
    assert_eq!(net.phase(FIRST), "applied");
    for link in &net.links {
        assert_eq!(
            link.books[0].debt(),
            -link.books[1].debt(),
            "the books say so, too"
        );
    }
    // Anybody can verify it from what is kept; a changed price or amount shows.
    let plan = &net.state().round_plan(&FIRST)[&"EUR.2".parse().unwrap()];
    let rows: Vec<ClearingRow> = plan.rows.values().copied().collect();
    let verified = verify_clearing(&rows, &plan.prices).unwrap();
    assert_eq!((verified.gross, verified.cleared), (120, 90));
    for party in plan.prices.keys() {
        let mut prices = plan.prices.clone();
        *prices.get_mut(party).unwrap() += 1;
        assert!(verify_clearing(&rows, &prices).is_err());
        prices.remove(party);
        assert!(verify_clearing(&rows, &prices).is_err());
    }
    for at in 0..rows.len() {
        let mut rows = rows.clone();
        rows[at].cleared -= 1;
        assert!(verify_clearing(&rows, &plan.prices).is_err());
    }
    // A second round clears nothing.
    let second = net.open();
    net.join_with(&[0, 1, 2]);
    assert_eq!(net.freeze(), ["ended"]);
    assert_eq!(net.phase(second), "ended");
    assert_eq!(net.state().round_rows(&second).count(), 0);
    assert_eq!(net.positions(), [20, 0, 10]);
}

#[test]
fn who_is_down_does_not_join_and_the_rest_is_cleared() {
    let mut net = Net::ring(
        &[50, 30, 40],
        &[("B", "A", "EUR.2", 500, 500), ("A", "D", "EUR.2", 500, 500)],
    );
    net.owe(3, 0, 10);
    net.owe(4, 0, 70);
    net.open();
    // C is down. A joins with everything, D too, but only half of its line to A: that is enough.
    net.join_with(&[0, 3, 4]);
    net.anchor(1, 0).unwrap();
    net.join(1, 0).unwrap();
    net.anchor(2, 1).unwrap();
    net.join(2, 1).unwrap();
    assert_eq!(net.freeze(), ["frozen"]);
    let rows: BTreeSet<LineId> = net.state().round_rows(&FIRST).map(|(id, _)| id).collect();
    let joined = [0, 3, 4].map(|link| net.links[link].id.clone());
    assert_eq!(rows, joined.into());
    net.finish();
    assert_eq!(net.positions(), [40, 30, 40, 0, 70]);
}

#[test]
fn what_is_anchored_counts() {
    let mut net = Net::ring(&[50, 50, 50], &[]);
    net.open();
    net.join_with(&[0, 1, 2]);
    // More is owed by the word of both, and nobody shows it before the freeze.
    net.owe(0, 0, 25);
    net.owe(1, 1, 20);
    net.freeze();
    let amounts: Vec<u64> = net
        .state()
        .round_rows(&FIRST)
        .map(|(_, row)| row.amount)
        .collect();
    assert_eq!(amounts, [50, 50, 50]);
    net.anchor(0, 1).unwrap();
    net.finish();
    net.anchor(1, 1).unwrap();
    assert_eq!(net.positions(), [25, -20, 0]);
}

#[test]
fn units_never_mix() {
    let mut net = Net::ring(
        &[50, 30, 40],
        &[
            ("B", "A", "HOUR.0", 100, 100),
            ("A", "B", "HOUR.0", 100, 100),
            ("C", "B", "USD.2", 1_000, 1_000),
        ],
    );
    net.owe(3, 0, 7);
    net.owe(4, 0, 5);
    net.owe(5, 0, 900);
    net.open();
    net.join_with(&[0, 1, 2, 3, 4, 5]);
    net.freeze();
    let units: Vec<String> = net
        .state()
        .round_units(&FIRST)
        .map(|(unit, _)| unit.to_string())
        .collect();
    assert_eq!(units, ["EUR.2", "HOUR.0"], "in dollars there is nothing to clear");
    let hours = net
        .state()
        .clearing_plan(Some(&"HOUR.0".parse().unwrap()))
        .unwrap();
    assert_eq!(hours.len(), 1);
    net.finish();
    assert_eq!(net.positions(), [20, 0, 10, 2, 0, 900]);
}

#[test]
fn absurd_amounts_keep_nobody_else_out() {
    let most = limits::MAX_CREDIT;
    let absurd: [Given; 2] = [("A", "D", "EUR.2", most, most), ("D", "A", "EUR.2", most, most)];
    let mut net = Net::ring(&[50, 30, 40], &absurd);
    net.owe(3, 0, most);
    net.owe(4, 0, most);
    net.open();
    net.join_with(&[0, 1, 2, 3, 4]);
    net.freeze();
    net.finish();
    // One of the two is too much for the solver; without it the other has nothing to be set off against.
    let positions = net.positions();
    assert_eq!(positions[..3], [20, 0, 10]);
    assert_eq!(positions[3..], [i128::from(most); 2]);
}

#[test]
fn rounds_come_by_schedule_one_at_a_time() {
    let mut net = Net::ring(&[50, 30, 40], &[]);
    assert_eq!(net.state().next_round_due(), None);
    net.schedule(Some(100));
    let due = net.state().next_round_due().unwrap();
    let left = due.since(net.state().time());
    assert_eq!(net.pass(left.get().div_ceil(1_000)), ["announced"]);
    let next = due.after(Millis::from_secs(100));
    assert_eq!(net.state().next_round_due(), Some(next), "no drift");
    assert_eq!(net.freeze(), ["ended"], "nobody has joined");
    assert_eq!(net.phase(FIRST), "ended");
    // One by decision is under way when the next one is due: that one waits.
    let second = net.open();
    net.join_with(&[0, 1, 2]);
    net.freeze();
    assert_eq!(net.phase(second), "objecting");
    net.finish();
    assert_eq!(net.phase(second), "applied");
    assert!(net.state().time() > next);
    net.tick(0);
    assert_eq!(net.told(), ["announced"]);
    let records: Vec<bool> = net
        .state()
        .rounds()
        .map(|(_, round)| round.proposal.is_some())
        .collect();
    assert_eq!(records, [false, true, false]);
    net.freeze();
    net.schedule(None);
    assert_eq!(net.state().next_round_due(), None);
}

#[test]
fn no_round_is_opened_while_one_is_under_way() {
    let mut net = Net::new(&RING);
    // Longer windows than a vote takes.
    let hour = Millis::from_secs(3_600);
    net.decide(Effect::ClearingSchedule {
        every_ms: None,
        join_ms: hour,
        object_ms: hour,
    });
    let first = net.open();
    // It is not even proposed while one is under way.
    let spec = icn_model::ProposalSpec {
        text: None,
        effect: Effect::OpenClearing {},
        electorate: icn_model::Electorate::Cooperatives,
        method: icn_model::Method::YesNo {},
        topic: "general".parse().unwrap(),
        closes: None,
        votes_final: false,
    };
    let proposal = Box::new(spec);
    let refused = net.world.act("B", icn_model::Action::Propose { proposal });
    assert_eq!(refused, Err(icn_model::Refusal::RoundUnderWay { round: first }));
    assert_eq!(net.phase(first), "announced");
}

#[test]
fn a_pause_of_the_log_gives_the_lost_time_back() {
    let mut net = Net::ring(&[50, 30, 40], &[]);
    let round = net.open();
    net.tick(3_600);
    net.join_with(&[0, 1, 2]);
    assert_eq!(net.phase(round), "announced");
    net.freeze();
    assert_eq!(net.phase(round), "objecting");
    net.tick(3_600);
    net.tick(1);
    assert_eq!(net.object(round, "A"), Ok(()));
    net.finish();
    assert_eq!(net.phase(round), "aborted");
    assert!(WINDOWS[1] < 3_600);
}

#[test]
fn the_last_reports_are_kept() {
    let mut net = Net::new(&RING);
    let count = limits::MAX_CLEARING_REPORTS as u64 + 2;
    for number in 0..count {
        // To and fro.
        let end = usize::from(number % 2 == 1);
        for link in 0..3 {
            net.owe(link, end, 10);
        }
        net.open();
        net.join_with(&[0, 1, 2]);
        net.freeze();
        net.finish();
    }
    let kept = |number| net.state().round_rows(&RoundNumber::new(number)).count();
    let rows: Vec<usize> = (1..=count).map(kept).collect();
    assert_eq!(rows[..2], [0, 0]);
    assert!(rows[2..].iter().all(|rows| *rows == 3));
    assert_eq!(net.state().rounds().count() as u64, count, "their records are");
    assert!(
        net.state()
            .rounds()
            .all(|(_, round)| matches!(round.phase, RoundPhase::Applied { .. }) && round.rows == 3)
    );
}

#[test]
fn what_was_cleared_on_a_forgotten_line_still_counts() {
    let mut net = Net::ring(&[50, 30, 40], &[]);
    net.open();
    net.join_with(&[0, 1, 2]);
    net.freeze();
    net.finish();
    // B and C owe each other nothing any more, and end their agreement.
    let everybody = ["B", "C"];
    for name in everybody {
        net.agree(1, name, AgreementAct::ConsentToEnd {});
    }
    let id = net.links[1].id.clone();
    net.links.remove(1);
    net.tick(367 * 24 * 3_600);
    net.tick(0);
    assert_eq!(net.state().line(&id), None);
    // `World::apply` has the state audited after each block: the sums are right without the line.
    assert_eq!(net.state().line(&net.links[0].id).unwrap().settled, 30);
    let plan = net.state().round_plan(&FIRST);
    assert_eq!(plan.values().map(|plan| plan.rows.len()).sum::<usize>(), 3);
}
