//! What agreements, proofs and disputes do to a line.
use super::{Credit, DAY, LINES, co_sign, code};
use crate::world::{did, key};
use icn_model::{
    AgreementAct, AgreementState, CreditAct, Ending, LineId, LineLimits, LinePhase, Signed, Transfer,
};

#[test]
fn limits_follow_amendments_and_what_both_had_signed_stays_good_for_a_week() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 800);
    credit.renew(&[("EUR.2", 100, 500)]);
    assert_eq!(credit.events(), ["changed", "changed"], "less, and no more hours");
    let hours = LineId {
        unit: "HOUR.0".parse().unwrap(),
        ..credit.eur()
    };
    let phase = |credit: &Credit| credit.world.state.line(&hours).unwrap().phase;
    assert_eq!(phase(&credit), LinePhase::Closing {});
    assert_eq!(credit.line().in_force().proposer, 100);
    assert_eq!(credit.anchor("B", &[&held]), Ok(()), "signed before");
    credit.live(7 * DAY + 600);
    let more = credit.transfer("A", 1);
    assert_eq!(code(credit.anchor("B", &[&more])), "over-limit");
    assert_eq!(credit.line().former, None);
    credit.renew(&LINES);
    assert_eq!(phase(&credit), LinePhase::Open {});
    assert_eq!(credit.anchor("B", &[&more]), Ok(()));
}

#[test]
fn a_suspended_line_only_shrinks() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 300);
    let reason = String::from("moths");
    credit.agree("B", AgreementAct::Suspend { reason }).unwrap();
    assert_eq!(credit.line().phase, LinePhase::Resting {});
    assert_eq!(credit.line().in_force(), LineLimits::NONE);
    assert_eq!(credit.anchor("B", &[&held]), Ok(()), "what both had signed");
    credit.live(7 * DAY + 600);
    let more = credit.draft("A", 1);
    assert_eq!(
        code(credit.anchor("B", &[&co_sign(more, "A", "B")])),
        "over-limit",
        "after suspension"
    );
    let too_much = credit.draft("B", 301);
    assert_eq!(
        code(credit.anchor("A", &[&co_sign(too_much, "B", "A")])),
        "over-limit"
    );
    let back = credit.transfer("B", 300);
    assert_eq!(credit.anchor("A", &[&back]), Ok(()));
    assert_eq!(credit.position(), 0);
    credit.agree("B", AgreementAct::Resume {}).unwrap();
    assert_eq!(credit.line().phase, LinePhase::Open {});
    let more = credit.transfer("A", 1_000);
    assert_eq!(credit.anchor("A", &[&more]), Ok(()));
}

#[test]
fn what_is_owed_outlives_its_agreement() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 300);
    credit.anchor("B", &[&held]).unwrap();
    for by in ["A", "B"] {
        credit.agree(by, AgreementAct::ConsentToEnd {}).unwrap();
    }
    assert_eq!(credit.line().phase, LinePhase::Closing {});
    credit.pass(367 * DAY);
    let record = credit.world.state.agreement(&credit.id).unwrap();
    assert_eq!(
        (record.state, record.ending),
        (AgreementState::Terminated, Some(Ending::Consent))
    );
    assert!(record.owing, "so it is not forgotten");
    assert_eq!(credit.position(), 300);
    let back = credit.transfer("B", 300);
    assert_eq!(credit.anchor("B", &[&back]), Ok(()));
    credit.pass(2);
    assert_eq!(credit.world.state.agreement(&credit.id), None);
    assert_eq!(credit.world.state.lines().count(), 0);
}

#[test]
fn an_agreement_without_debts_is_forgotten_with_its_lines() {
    let mut credit = Credit::new();
    for by in ["A", "B"] {
        credit.agree(by, AgreementAct::ConsentToEnd {}).unwrap();
    }
    let events = credit.pass(367 * DAY);
    assert!(events.contains(&"forgotten"), "{events:?}");
    assert_eq!(credit.world.state.lines_of(&did("A")).count(), 0);
}

#[test]
fn two_transfers_with_one_number_freeze_the_line() {
    let mut credit = Credit::new();
    let one = credit.draft("A", 100);
    let sign = |transfer: &Transfer, by: &str| Signed::new(transfer.clone(), &key(by));
    let mut two = one.clone();
    two.amount = 90;
    two.owed = 90;
    let prove = |credit: &mut Credit, by: &str, first, second| {
        let result = credit.say(by, CreditAct::ProveEquivocation { first, second });
        code(result)
    };
    let (first, second) = (sign(&one, "A"), sign(&two, "A"));
    // Nothing of this proves anything.
    let mut next = two.clone();
    next.number = 2;
    let mut elsewhere = two.clone();
    elsewhere.line.unit = "HOUR.0".parse().unwrap();
    let mut stranger = two.clone();
    stranger.key = key("C").public();
    for (other, expected) in [
        (first.clone(), "no-equivocation"),
        (sign(&next, "A"), "no-equivocation"),
        (sign(&elsewhere, "A"), "no-equivocation"),
        (sign(&two, "B"), "no-equivocation"),
        (sign(&stranger, "C"), "not-its-line-key"),
    ] {
        assert_eq!(prove(&mut credit, "C", first.clone(), other), expected);
    }
    assert_eq!(credit.line().phase, LinePhase::Open {});
    // Anybody may show it who has a seat.
    assert_eq!(prove(&mut credit, "C", first.clone(), second.clone()), "ok");
    assert_eq!(credit.events(), ["equivocated", "changed"]);
    assert!(matches!(credit.line().phase, LinePhase::Frozen { debtor, number: 1 } if debtor == did("A")));
    assert!(!credit.line().is_clearable());
    assert_eq!(
        prove(&mut credit, "B", second.clone(), first.clone()),
        "already-frozen"
    );
    // What B has countersigned stays owed: a liar does not free itself by its lie.
    assert_eq!(credit.anchor("B", &[&co_sign(one, "A", "B")]), Ok(()));
    assert_eq!(credit.position(), 100);
    let reason = String::from("lies");
    credit.agree("B", AgreementAct::Suspend { reason }).unwrap();
    credit.agree("B", AgreementAct::Resume {}).unwrap();
    assert_eq!(credit.line().phase.name(), "frozen", "that makes nobody honest");
    credit.renew(&LINES);
    assert_eq!(credit.line().phase, LinePhase::Open {});
    // New terms forgive what was done before them, whoever has kept the proof.
    assert_eq!(prove(&mut credit, "C", first, second), "no-equivocation");
    assert_eq!(credit.line().phase, LinePhase::Open {});
}

#[test]
fn a_dispute_keeps_a_line_out_of_clearing() {
    let mut credit = Credit::new();
    let dispute = |reason: &str| CreditAct::Dispute {
        reason: reason.into(),
    };
    assert_eq!(code(credit.say("A", CreditAct::Withdraw {})), "not-disputed");
    for reason in ["", " ", &"x".repeat(513)] {
        assert_eq!(code(credit.say("A", dispute(reason))), "no-reason");
    }
    assert_eq!(credit.say("A", dispute("late")), Ok(()));
    assert_eq!(code(credit.say("A", dispute("later"))), "already-said");
    assert_eq!(code(credit.say("B", CreditAct::Withdraw {})), "not-disputed");
    assert_eq!(credit.say("B", dispute("rotten")), Ok(()));
    assert!(!credit.line().is_clearable() && !credit.line().is_even());
    assert_eq!(credit.say("A", CreditAct::Withdraw {}), Ok(()));
    assert!(!credit.line().is_clearable());
    // Trade goes on meanwhile, and new terms end it.
    let held = credit.transfer("A", 100);
    assert_eq!(credit.anchor("A", &[&held]), Ok(()));
    credit.renew(&LINES);
    assert_eq!(credit.events(), ["dispute-ended"]);
    assert!(credit.line().is_clearable());
}
