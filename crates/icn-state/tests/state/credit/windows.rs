//! What has a time: voids, releases, and keys that were replaced.
use super::{Credit, DAY, co_sign, code};
use crate::world::{did, key};
use icn_model::{Refusal, Release, Released, Signed, limits};

#[test]
fn what_no_creditor_shows_in_time_is_void() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    credit.anchor("A", &[&held]).unwrap();
    let pending = credit.draft("A", 50);
    assert_eq!(code(credit.void("A", 1, None)), "nothing-to-void");
    assert_eq!(credit.void("A", 3, None), Ok(()));
    assert_eq!(credit.events(), ["void-asked"]);
    assert_eq!(code(credit.void("A", 9, None)), "void-open");
    assert_eq!(credit.pass(59), [""; 0]);
    assert_eq!(credit.pass(2), ["voided"]);
    assert_eq!(credit.line().chains[0].void_through, 3);
    let late = co_sign(pending, "A", "B");
    assert_eq!(code(credit.anchor("B", &[&late])), "void-number");
    // The chain goes on above what is void, on the head that the log names.
    let mut again = credit.draft("A", 50);
    again.number = 4;
    let again = co_sign(again, "A", "B");
    assert_eq!(credit.anchor("B", &[&again]), Ok(()));
    assert_eq!(
        (credit.position(), credit.line().chains[0].void_through),
        (150, 0)
    );
    assert_eq!(code(credit.anchor("B", &[&late])), "old-head");
}

#[test]
fn a_countersignature_shown_in_time_stands() {
    let mut credit = Credit::new();
    let (first, second) = (credit.transfer("A", 100), credit.transfer("A", 50));
    assert_eq!(credit.void("A", 2, None), Ok(()));
    // Not all of it: what comes after it would still be void.
    assert_eq!(credit.anchor("B", &[&first]), Ok(()));
    assert_eq!(credit.events(), ["anchored"]);
    assert_eq!(credit.anchor("B", &[&second]), Ok(()));
    assert_eq!(credit.events(), ["anchored", "void-fell"]);
    assert_eq!(credit.pass(61), [""; 0]);
    assert_eq!(credit.position(), 150);
    // A part of it.
    let third = credit.transfer("A", 10);
    assert_eq!(credit.void("A", 5, None), Ok(()));
    assert_eq!(credit.anchor("A", &[&third]), Ok(()));
    assert_eq!(credit.pass(61), ["voided"]);
    let chain = credit.line().chains[0];
    assert_eq!((chain.head.number, chain.void_through), (3, 5));
    assert_eq!(credit.position(), 160);
}

#[test]
fn a_pause_of_the_log_takes_no_time_from_a_creditor() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    assert_eq!(credit.void("A", 1, None), Ok(()));
    assert_eq!(credit.pass(3 * 3_600), [""; 0]);
    assert_eq!(credit.anchor("B", &[&held]), Ok(()));
    assert_eq!(credit.position(), 100);
}

#[test]
fn a_released_transfer_is_void_at_once() {
    let mut credit = Credit::new();
    let held = credit.transfer("A", 100);
    let pending = credit.draft("A", 50);
    let release = credit.release("A", &pending);
    let shown = |release: &Signed<Release>| Released {
        transfer: pending.clone(),
        release: release.clone(),
    };
    let refused =
        |credit: &mut Credit, release: Signed<Release>| code(credit.void("A", 2, Some(shown(&release))));
    assert_eq!(
        refused(&mut credit, release.clone()),
        "bad-release",
        "its head is not anchored"
    );
    credit.anchor("A", &[&held]).unwrap();
    let with = |change: &dyn Fn(&mut Release), by: &str| {
        let mut content = release.content.clone();
        change(&mut content);
        Signed::new(content, &key(by))
    };
    for (wrong, expected) in [
        (with(&|_| {}, "A"), "bad-release"),
        (with(&|one| one.key = key("A").public(), "A"), "not-its-line-key"),
        (with(&|one| one.debtor = did("B"), "B"), "bad-release"),
        (with(&|one| one.after.owed = 0, "B"), "bad-release"),
        (
            with(&|one| one.line.unit = "HOUR.0".parse().unwrap(), "B"),
            "bad-release",
        ),
    ] {
        assert_eq!(refused(&mut credit, wrong), expected);
    }
    // B has countersigned the one that A would have void with it.
    assert_eq!(code(credit.void("A", 3, Some(shown(&release)))), "bad-release");
    let mut another = shown(&release);
    another.transfer.number = 3;
    assert_eq!(code(credit.void("A", 3, Some(another))), "bad-release");
    assert_eq!(credit.void("A", 2, Some(shown(&release))), Ok(()));
    assert_eq!(credit.events(), ["voided"]);
    assert_eq!(
        code(credit.anchor("B", &[&co_sign(pending, "A", "B")])),
        "void-number"
    );
}

#[test]
fn a_replaced_line_key_counts_for_what_was_signed_before_for_a_week() {
    let mut credit = Credit::new();
    let (first, second) = (credit.transfer("A", 100), credit.transfer("A", 50));
    credit.rotate_line_key("A", "l");
    credit.rotate_line_key("B", "k");
    assert_eq!(credit.anchor("B", &[&first]), Ok(()), "both keys were replaced");
    let mut new = credit.draft("A", 1);
    new.key = key("l").public();
    assert_eq!(
        code(credit.anchor("B", &[&co_sign(new.clone(), "A", "k")])),
        "half-signed"
    );
    let new = co_sign(new, "l", "k");
    credit.live(7 * DAY + 600);
    assert_eq!(
        credit.anchor("B", &[&second]),
        Err(Refusal::NotItsLineKey {
            end: did("A"),
            key: key("A").public()
        })
    );
    assert_eq!(credit.anchor("B", &[&new]), Ok(()), "the sum says the whole");
    assert_eq!(credit.position(), 151);
    let former = |name: &str| {
        let seat = credit.world.state.seat_record(&did(name)).unwrap();
        seat.succession.former_lines.len()
    };
    assert_eq!(former("A"), 1, "until the next rotation");
    // As many as are remembered.
    for turn in 0..20 {
        credit.rotate_line_key("A", &format!("l{turn}"));
    }
    let seat = credit.world.state.seat_record(&did("A")).unwrap();
    assert_eq!(seat.succession.former_lines.len(), limits::MAX_FORMER_KEYS);
    let view = credit.world.state.line_view(&credit.eur(), &did("A")).unwrap();
    assert_eq!(view.mine.keys.len(), 1 + limits::MAX_FORMER_KEYS);
    assert_eq!(view.mine.keys[0], key("l19").public());
}
