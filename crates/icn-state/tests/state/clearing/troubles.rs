//! What goes wrong in a round, and how it ends then.
use super::{Given, Net, code};
use crate::world::{did, engine, key};
use icn_model::{
    AbortReason, AgreementAct, CreditAct, LineRecord, RoundNumber, RoundPhase, Signed, canonical,
};
use icn_state::{AuditError, State};

const FIRST: RoundNumber = RoundNumber::new(1);
/// Beside the ring: A owes B, and B owes A on another line.
const PAIR: [Given; 1] = [("B", "A", "EUR.2", 500, 500)];

/// A ring of 40 and a pair of 10 which can be cleared, all of it joined.
fn joined() -> Net {
    let mut net = Net::ring(&[50, 40, 40], &PAIR);
    net.owe(3, 0, 10);
    net.open();
    net.join_with(&[0, 1, 2, 3]);
    net
}

#[test]
fn a_dispute_before_the_freeze_keeps_a_line_out() {
    let mut net = joined();
    net.dispute(1, "C");
    net.freeze();
    assert_eq!(net.state().round_rows(&FIRST).count(), 3);
    net.finish();
    assert_eq!(net.positions(), [40, 40, 40, 0]);
}

#[test]
fn a_dispute_after_it_takes_a_line_out_again() {
    let mut net = joined();
    net.freeze();
    assert_eq!(net.state().round_rows(&FIRST).count(), 4);
    net.dispute(1, "C");
    assert_eq!(net.finish(), ["replanned", "cleared", "cleared", "applied"]);
    assert_eq!(net.positions(), [40, 40, 40, 0]);
    let round = net.state().round(&FIRST).unwrap();
    assert_eq!((round.rows, round.left), (3, 1));
    // One that is withdrawn in time changes nothing.
    let mut net = joined();
    net.freeze();
    net.dispute(1, "C");
    net.say(1, "C", CreditAct::Withdraw {}).unwrap();
    net.finish();
    assert_eq!(net.positions(), [0, 0, 0, 0]);
}

#[test]
fn the_lines_of_who_objects_leave_and_the_rest_is_cleared() {
    let mut net = joined();
    net.freeze();
    assert_eq!(code(net.object(FIRST, "D")), "not-touched");
    assert_eq!(net.object(FIRST, "C"), Ok(()));
    assert_eq!(net.told(), ["objected"]);
    assert_eq!(code(net.object(FIRST, "C")), "already-said");
    assert_eq!(net.finish(), ["replanned", "cleared", "cleared", "applied"]);
    assert_eq!(net.positions(), [40, 40, 40, 0]);
    let round = net.state().round(&FIRST).unwrap();
    assert_eq!((round.rows, round.left, round.objections.len()), (2, 2, 1));
    assert_eq!(round.objections[0].by, did("C"));
    assert_eq!(
        net.state().round_rows(&FIRST).count(),
        2,
        "the report is of what was applied"
    );
}

#[test]
fn a_round_that_nothing_is_left_of_changes_nothing() {
    let mut net = joined();
    let before = net.positions();
    net.freeze();
    net.object(FIRST, "A").unwrap();
    assert_eq!(net.finish(), ["aborted"]);
    let phase = &net.state().round(&FIRST).unwrap().phase;
    assert!(matches!(
        phase,
        RoundPhase::Aborted {
            reason: AbortReason::NothingLeft {},
            ..
        }
    ));
    assert_eq!(net.positions(), before);
    assert_eq!(net.state().round_rows(&FIRST).count(), 0);
    assert!(net.state().lines().all(|(_, line)| line.settled == 0));
    // The next one goes as if it had not been.
    net.open();
    net.join_with(&[0, 1, 2, 3]);
    net.freeze();
    net.finish();
    assert_eq!(net.positions(), [0, 0, 0, 0]);
}

#[test]
fn a_line_that_rests_or_ends_in_a_round_is_cleared_all_the_same() {
    let mut net = joined();
    let reason = String::from("moths");
    net.agree(0, "B", AgreementAct::Suspend { reason });
    net.freeze();
    for name in ["B", "C"] {
        net.agree(1, name, AgreementAct::ConsentToEnd {});
    }
    net.finish();
    assert_eq!(net.positions(), [0, 0, 0, 0]);
}

#[test]
fn a_frozen_line_stays_out() {
    let mut net = joined();
    net.freeze();
    let mut first = net.links[1].books[0].to_anchor();
    assert!(first.is_empty());
    net.owe(1, 0, 5);
    first = net.links[1].books[0].to_anchor();
    let first = first.remove(0).transfer;
    let mut second = first.content.clone();
    second.memo = Some(icn_model::Cid::of_raw(b"other"));
    let second = Signed::new(second, &key("B"));
    net.say(1, "D", CreditAct::ProveEquivocation { first, second })
        .unwrap();
    net.finish();
    assert_eq!(net.positions(), [40, 40, 40, 0]);
}

/// Nodes whose solvers were tampered with come to other records, and so to another outcome root. Records that were
/// tampered with afterwards show by themselves.
#[test]
fn the_books_show_what_was_tampered_with() {
    let mut net = joined();
    net.freeze();
    net.finish();
    let line = net.links[0].id.clone();
    let settled = net.state().line(&line).unwrap().settled;
    let audit = |net: &Net, change: &dyn Fn(&mut LineRecord)| {
        let mut record = net.state().line(&line).unwrap().clone();
        let before = canonical::to_bytes(&record);
        change(&mut record);
        let records = net.world.store.clone().into_iter().map(|(key, value)| {
            let is_it = value == before;
            (
                key,
                if is_it {
                    canonical::to_bytes(&record)
                } else {
                    value
                },
            )
        });
        State::load(records, engine()).unwrap().audit()
    };
    assert!(audit(&net, &|_| {}).is_ok());
    let error = audit(&net, &|line| line.settled -= 1).unwrap_err();
    assert!(
        matches!(error, AuditError::Unbalanced { settled: -1 | 1, .. }),
        "{error}"
    );
    assert!(settled > 1);
}
