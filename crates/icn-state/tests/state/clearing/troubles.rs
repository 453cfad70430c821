//! What goes wrong in a round, and how it ends then.
use super::{Given, Net, code};
use crate::world::{START, did, engine, key};
use icn_model::{
    AbortReason, AccountRecord, AgreementAct, CreditAct, LineLimits, Mana, RoundNumber, RoundPhase, Signed,
    Totals, canonical,
};
use icn_state::{AuditError, State};
use serde::Serialize;

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
/// What the audit says of the state in which one record is another.
fn audit_of<T: Serialize>(net: &Net, before: &T, after: &T) -> Result<Totals, AuditError> {
    let (before, after) = (canonical::to_bytes(before), canonical::to_bytes(after));
    let records = net.world.store.clone().into_iter().map(|(key, value)| {
        let is_it = value == before;
        (key, if is_it { after.clone() } else { value })
    });
    State::load(records, engine()).unwrap().audit()
}

#[test]
fn the_books_show_what_was_tampered_with() {
    let mut net = joined();
    net.freeze();
    let (id, record) = net.state().lines().find(|(_, line)| !line.is_even()).unwrap();
    let mut other = record.clone();
    other.highest = LineLimits::NONE;
    let error = audit_of(&net, record, &other).unwrap_err();
    assert!(
        matches!(&error, AuditError::OverLimit { line, limit: 0, .. } if **line == id),
        "{error}"
    );
    net.finish();
    let line = net.links[0].id.clone();
    let record = net.state().line(&line).unwrap();
    assert!(record.settled > 1);
    assert!(audit_of(&net, record, record).is_ok());
    let mut other = record.clone();
    other.settled -= 1;
    let error = audit_of(&net, record, &other).unwrap_err();
    assert!(
        matches!(error, AuditError::Unbalanced { settled: -1 | 1, .. }),
        "{error}"
    );

    let (_, row) = net.state().round_rows(&FIRST).next().unwrap();
    let mut other = *row;
    other.cleared -= 1;
    let error = audit_of(&net, row, &other).unwrap_err();
    assert!(matches!(error, AuditError::Round { round: FIRST, .. }), "{error}");

    let agreement = net.state().agreement(&line.agreement).unwrap();
    let mut other = agreement.clone();
    other.owing = !agreement.owing;
    let error = audit_of(&net, agreement, &other).unwrap_err();
    assert!(
        matches!(error, AuditError::Owing { agreement } if agreement == line.agreement),
        "{error}"
    );

    // At a time before it was touched an account is as it is stored.
    let account = &net.state().account(&did("A"), START).unwrap();
    let changes: [fn(&mut AccountRecord); 5] = [
        |account| account.held = Mana::from_milli(1),
        |account| account.holds += 1,
        |account| account.maturing = Mana::from_milli(1),
        |account| account.staked = Mana::from_milli(1),
        |account| account.shared = Mana::from_milli(1),
    ];
    for change in changes {
        let mut other = *account;
        change(&mut other);
        let error = audit_of(&net, account, &other).unwrap_err();
        assert!(matches!(error, AuditError::Part { .. }), "{error}");
    }
}
