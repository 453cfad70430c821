//! What is shown of a line: heads that are anchored, and those that are refused.
use super::{Credit, SECOND, act_of, co_sign, code};
use crate::world::{did, key};
use icn_model::{
    Action, AgreementId, CreditAct, Digest, LineLimits, LinePhase, Refusal, Signed, Transfer, limits,
};

#[test]
fn an_agreement_on_credit_opens_a_line_in_each_unit() {
    let credit = Credit::new();
    assert_eq!(credit.events(), ["opened", "opened"]);
    let line = credit.line();
    assert_eq!(
        (line.ends, line.phase),
        ([did("A"), did("B")], LinePhase::Open {})
    );
    let limits = LineLimits {
        proposer: 1_000,
        counterparty: 500,
    };
    assert_eq!(
        (line.in_force(), line.highest, line.position()),
        (limits, limits, 0)
    );
    assert!(line.is_even() && line.is_clearable());
    let state = &credit.world.state;
    assert_eq!(state.lines_of(&did("A")).count(), 2);
    assert_eq!(state.lines_of(&did("C")).count(), 0);
    assert_eq!(state.lines_of_agreement(&credit.id).count(), 2);
    let exposure = &state.exposure(&did("B"))[&credit.eur().unit];
    assert_eq!((exposure.may_owe, exposure.may_be_owed), (500, 1_000));
}

#[test]
fn higher_numbers_win_and_the_position_is_the_difference() {
    let mut credit = Credit::new();
    let first = credit.transfer("A", 300);
    let second = credit.transfer("A", 200);
    let third = credit.transfer("A", 500);
    assert_eq!(credit.anchor("B", &[&second]), Ok(()));
    assert_eq!(credit.events(), ["anchored"]);
    assert_eq!(credit.position(), 500);
    let old = |number| Refusal::OldHead {
        end: did("A"),
        number,
        anchored: 2,
    };
    assert_eq!(credit.anchor("A", &[&first]), Err(old(1)), "out of order");
    assert_eq!(credit.anchor("A", &[&second]), Err(old(2)), "again");
    assert_eq!(credit.anchor("A", &[&third]), Ok(()));
    assert_eq!(credit.position(), 1_000);
    // What B owes counts against it; both heads, of which one is known already.
    let back = credit.transfer("B", 400);
    assert_eq!(credit.anchor("A", &[&third, &back]), Ok(()));
    assert_eq!(credit.position(), 600);
    for (end, owed, owes) in [("A", 0, 600), ("B", 600, 0)] {
        let exposure = credit.world.state.exposure(&did(end))[&credit.eur().unit];
        assert_eq!((exposure.owed, exposure.owes), (owed, owes), "{end}");
    }
    let more = credit.transfer("A", 400);
    assert_eq!(credit.anchor("B", &[&more, &back]), Ok(()));
    assert_eq!((credit.position(), credit.line().debt(1)), (1_000, -1_000));
    let last_of_both = Refusal::OldHead {
        end: did("B"),
        number: 1,
        anchored: 1,
    };
    assert_eq!(credit.anchor("A", &[&third, &back]), Err(last_of_both));
}

/// Each change of an honest head, and the refusal that it gets.
#[test]
fn what_is_not_a_transfer_of_the_line_signed_by_both_is_refused() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    credit.anchor("A", &[&held]).unwrap();
    type Change = fn(&mut Transfer);
    let table: [(&str, Change, &str); 12] = [
        (
            "bad-head",
            |one| one.federation = icn_model::Cid::of_raw(b"other"),
            "federation",
        ),
        (
            "bad-head",
            |one| one.line.unit = "HOUR.0".parse().unwrap(),
            "unit",
        ),
        (
            "bad-head",
            |one| one.line.agreement = AgreementId::new(Digest::ZERO),
            "agreement",
        ),
        ("bad-head", |one| one.debtor = did("C"), "debtor"),
        ("bad-head", |one| one.number = 0, "number"),
        ("bad-head", |one| one.amount = 0, "nothing"),
        ("bad-head", |one| one.owed = 5, "less than its amount"),
        ("bad-head", |one| one.amount = one.owed, "less than was anchored"),
        ("bad-head", |one| one.owed = limits::MAX_CREDIT + 1, "too much"),
        (
            "not-its-line-key",
            |one| one.key = key("C").public(),
            "another's key",
        ),
        ("over-limit", |one| one.owed = 1_001, "over the limit"),
        ("unseen-head", |one| one.seen.number = 7, "what is not there"),
    ];
    for (expected, change, what) in table {
        let mut transfer = credit.draft("A", 100);
        change(&mut transfer);
        let shown = co_sign(transfer, "A", "B");
        assert_eq!(code(credit.anchor("B", &[&shown])), expected, "{what}");
    }
    let draft = credit.draft("A", 100);
    let mut seen = draft.clone();
    seen.seen.owed = 1;
    assert_eq!(
        code(credit.anchor("A", &[&co_sign(seen, "A", "B")])),
        "unseen-head"
    );
    // Half-signed: by one for both, by a stranger, or countersigned is something else.
    let half = co_sign(draft.clone(), "A", "A");
    assert_eq!(code(credit.anchor("A", &[&half])), "not-its-line-key");
    let mut unsigned = co_sign(draft.clone(), "A", "B");
    unsigned.transfer = Signed::new(draft.clone(), &key("B"));
    assert_eq!(code(credit.anchor("B", &[&unsigned])), "half-signed");
    let mut forged = co_sign(draft.clone(), "A", "B");
    forged.acceptance = Signed::new(forged.acceptance.content, &key("A"));
    assert_eq!(code(credit.anchor("A", &[&forged])), "half-signed");
    let mut other = co_sign(draft.clone(), "A", "B");
    other.acceptance = held.acceptance.clone();
    assert_eq!(code(credit.anchor("A", &[&other])), "half-signed");
    // None, too many, twice the same chain.
    let fine = co_sign(draft, "A", "B");
    for heads in [vec![], vec![&fine, &fine], vec![&fine, &fine, &fine]] {
        assert_eq!(code(credit.anchor("A", &heads)), "bad-head");
    }
    // Another content with the anchored number.
    let mut twin = held.transfer.content.clone();
    twin.memo = Some(icn_model::Cid::of_raw(b"other"));
    assert_eq!(
        code(credit.anchor("A", &[&co_sign(twin, "A", "B")])),
        "other-head"
    );
    assert_eq!(credit.anchor("A", &[&fine]), Ok(()));
}

#[test]
fn only_the_ends_of_a_line_speak_of_it() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    assert_eq!(code(credit.anchor("C", &[&held])), "not-an-end");
    let reason = String::from("so it is");
    assert_eq!(code(credit.say("C", CreditAct::Dispute { reason })), "not-an-end");
    assert_eq!(code(credit.void("C", 3, None)), "not-an-end");
    let mut line = credit.eur();
    line.unit = "USD.2".parse().unwrap();
    let heads = vec![held];
    let action = act_of(&line, CreditAct::Anchor { heads });
    assert_eq!(code(credit.world.act("A", action)), "unknown-line");
    credit
        .world
        .act("A", Action::AddMember { member: did("m") })
        .unwrap();
    assert_eq!(code(credit.say("m", CreditAct::Withdraw {})), "not-a-cooperative");
    // A line key shows transfers, and disputes nothing.
    credit.rotate_line_key("A", "l");
    let operation = |credit: &mut Credit, act| {
        let action = act_of(&credit.eur(), act);
        let operation = credit.world.operation_with("A", "l", action);
        let time = credit.world.state.time().after(SECOND);
        code(credit.world.apply(time, vec![operation]).results.remove(0))
    };
    let void = CreditAct::Void {
        through: 1,
        release: None,
    };
    assert_eq!(operation(&mut credit, void), "ok");
    assert_eq!(operation(&mut credit, CreditAct::Withdraw {}), "not-authorised");
}

#[test]
fn what_counts_on_the_other_chain_is_anchored_with_it() {
    let mut credit = Credit::new();
    let a = credit.transfer("A", 900);
    let b = credit.transfer("B", 1_300);
    assert_eq!(
        credit.anchor("B", &[&b]),
        Err(Refusal::UnseenHead {
            end: did("A"),
            seen: 1,
            anchored: 0
        })
    );
    assert_eq!(credit.anchor("B", &[&b, &a]), Ok(()));
    assert_eq!(credit.position(), -400);
    let over = credit.transfer("B", 101);
    assert_eq!(
        credit.anchor("B", &[&over]),
        Err(Refusal::OverLimit {
            end: did("B"),
            owes: 501,
            limit: 500
        })
    );
}
