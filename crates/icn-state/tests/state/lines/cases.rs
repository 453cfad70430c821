//! What a line does when all goes well, and what is refused.
use super::{End, NAMES, Pair, draft, order};
use crate::world::{did, key};
use icn_model::{Cid, Digest, LineMessage, Signed, Standing, Time, Transfer, limits};
use icn_state::line::{Heard, Reason, Row};

#[test]
fn a_transfer_takes_two_messages() {
    let mut pair = Pair::new();
    pair.propose(0, 300, 1).unwrap();
    assert_eq!(
        pair.ends[0].book.debt(),
        0,
        "nothing is owed before both have signed"
    );
    assert_eq!(pair.ends[0].book.debt_with_pending(), 300);
    assert_eq!(pair.ends[0].book.standing(1), Some(Standing::Pending));
    assert_eq!(pair.wire.len(), 1);
    pair.settle();
    pair.check_same();
    assert_eq!(pair.ends[0].book.debt(), 300);
    assert_eq!(pair.ends[0].book.standing(1), Some(Standing::Confirmed));
    let [own] = &pair.ends[0].book.to_anchor()[..] else {
        panic!("one chain has moved")
    };
    assert_eq!(own.verify(), Ok(()));
    assert_eq!(pair.ends[1].book.to_anchor(), pair.ends[0].book.to_anchor());
}

#[test]
fn an_end_that_starts_again_knows_what_it_knew() {
    let mut pair = Pair::new();
    for reference in 1..4 {
        pair.propose(0, 30, reference).unwrap();
        pair.propose(1, 10, reference + 10).unwrap();
    }
    pair.settle();
    pair.propose(0, 5, 20).unwrap();
    for end in &mut pair.ends {
        let known = |end: &End| {
            let book = &end.book;
            (
                book.own_head(),
                book.other_head(),
                book.debt(),
                book.debt_with_pending(),
            )
        };
        let before = known(end);
        end.restart();
        assert_eq!(known(end), before, "{}", NAMES[end.at]);
    }
}

#[test]
fn limits_count_what_is_pending() {
    let mut pair = Pair::new();
    pair.propose(1, 300, 1).unwrap();
    let over = |owes, limit| Err(Reason::OverLimit { owes, limit });
    assert_eq!(pair.propose(1, 101, 2), over(401, 400));
    pair.propose(1, 100, 3).unwrap();
    assert_eq!(pair.propose(1, 1, 4), over(401, 400));
    // What the other end owes makes room only once both have signed it.
    pair.propose(0, 50, 5).unwrap();
    assert_eq!(pair.propose(1, 1, 4), over(401, 400));
    pair.settle();
    pair.propose(1, 50, 4).unwrap();
    pair.settle();
    pair.check_same();
    assert_eq!(pair.ends[1].book.debt(), 400);
}

#[test]
fn transfers_that_arrive_together_are_countersigned_once() {
    let mut pair = Pair::new();
    for reference in 1..=5 {
        pair.propose(0, 10, reference).unwrap();
    }
    let messages: Vec<_> = pair.wire.drain(..).map(|(_, message)| message).collect();
    let (outcome, refused) = pair.ends[1].book.hear(&messages, &key(NAMES[1]));
    assert!(refused.is_empty());
    assert!(matches!(outcome.send.as_slice(), [LineMessage::Acceptance(_)]));
    let is_signed = |row: &Row| {
        matches!(
            row,
            Row::Other {
                acceptance: Some(_),
                ..
            }
        )
    };
    let signed: Vec<bool> = outcome.write.iter().map(is_signed).collect();
    assert_eq!(signed, [false, false, false, false, true]);

    // It covers all five, also after both have started again.
    let messages = pair.ends[1].keep(outcome);
    pair.send(1, messages);
    pair.settle();
    for _ in 0..2 {
        pair.check_same();
        assert_eq!(pair.ends[0].book.own_head().owed, 50);
        pair.ends.iter_mut().for_each(End::restart);
    }
    pair.meet();
    pair.check_same();
}

#[test]
fn what_is_released_leaves_what_came_with_it_countersigned() {
    let mut pair = Pair::new();
    pair.propose(0, 10, 1).unwrap();
    pair.propose(0, 60, 2).unwrap();
    // The creditor has heard of a lower limit.
    pair.ends[1].view.theirs.limit = 50;
    let view = pair.ends[1].view.clone();
    pair.ends[1].book.follow(view);
    let messages: Vec<_> = pair.wire.drain(..).map(|(_, message)| message).collect();
    let (outcome, _) = pair.ends[1].book.hear(&messages, &key(NAMES[1]));
    let (first, second) = (&outcome.send[0], &outcome.send[1]);
    assert!(matches!(
        (first, second),
        (LineMessage::Acceptance(_), LineMessage::Release(_))
    ));
    let messages = pair.ends[1].keep(outcome);
    pair.send(1, messages);
    pair.settle();
    pair.check_same();
    assert_eq!(pair.ends[0].book.own_head().owed, 10);
}

#[test]
fn sixty_four_may_be_pending() {
    let mut pair = Pair::new();
    for reference in 0..limits::MAX_PENDING_TRANSFERS as u64 {
        pair.propose(0, 1, reference).unwrap();
    }
    assert_eq!(pair.propose(0, 1, 99), Err(Reason::TooManyPending));
    // Backwards: each waits for the one before.
    pair.wire.reverse();
    pair.settle();
    pair.check_same();
    assert_eq!(pair.ends[0].book.debt(), 64);
}

#[test]
fn a_reference_is_made_once() {
    let mut pair = Pair::new();
    pair.propose(0, 10, 1).unwrap();
    pair.propose(0, 10, 1).unwrap();
    assert_eq!(pair.wire.len(), 2, "sent again");
    pair.settle();
    pair.propose(0, 10, 1).unwrap();
    assert!(pair.wire.is_empty());
    assert_eq!(pair.propose(0, 11, 1), Err(Reason::Reference { number: 1 }));
    pair.ends[0].restart();
    pair.propose(0, 10, 1).unwrap();
    pair.settle();
    pair.check_same();
    assert_eq!(pair.ends[0].book.debt(), 10);
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let mut pair = Pair::new();
    assert_eq!(pair.propose(0, 0, 1), Err(Reason::Form));
    assert_eq!(pair.propose(0, limits::MAX_CREDIT + 1, 1), Err(Reason::Form));
    let asked = order(1, 1);
    let by = |pair: &mut Pair, name| pair.ends[0].book.propose(&asked, Time::ZERO, &key(name)).err();
    assert_eq!(by(&mut pair, "B"), Some(Reason::Key));
    assert_eq!(by(&mut pair, "A"), None);
}

/// What the other end makes of a transfer that an honest one would not send.
#[test]
fn what_is_no_honest_transfer_is_refused_or_released() {
    type Change = fn(&mut Transfer);
    let other_line: Change = |one| one.line.unit = "HOUR.0".parse().unwrap();
    let table: [(Change, Result<Reason, Reason>); 11] = [
        (other_line, Err(Reason::OtherLine)),
        (|one| one.federation = Cid::of_raw(b"x"), Err(Reason::OtherLine)),
        (|one| one.debtor = did("B"), Err(Reason::OtherLine)),
        (|one| one.amount = 0, Err(Reason::Form)),
        (|one| one.key = key("C").public(), Err(Reason::Key)),
        (|one| one.previous = Digest::ZERO, Err(Reason::Link)),
        (|one| one.owed += 1, Ok(Reason::Sum)),
        (|one| one.seen.owed = 5, Ok(Reason::Seen)),
        (|one| one.seen.hash = Digest::ZERO, Ok(Reason::Seen)),
        (
            |one| (one.amount, one.owed) = (991, 1_001),
            Ok(Reason::OverLimit {
                owes: 1_001,
                limit: 1_000,
            }),
        ),
        (
            |one| (one.amount, one.owed) = (limits::MAX_CREDIT, limits::MAX_CREDIT),
            Ok(Reason::Sum),
        ),
    ];
    for (change, expected) in table {
        let mut pair = Pair::new();
        pair.propose(0, 10, 1).unwrap();
        pair.settle();
        let mut transfer = draft(&pair.ends[0].book, 10);
        change(&mut transfer);
        let message = LineMessage::Transfer(Box::new(Signed::new(transfer, &key("A"))));
        let before = pair.ends[1].book.other_head();
        match (pair.ends[1].hear(&message), expected) {
            // It was signed with another key than it names.
            (Err(reason), Err(expected)) => assert_eq!(reason, expected),
            (Ok(outcome), Ok(expected)) => {
                let released = Heard::Released {
                    number: 2,
                    reason: expected,
                };
                assert_eq!(outcome.heard, [released]);
                assert!(matches!(outcome.send[..], [LineMessage::Release(_)]));
                assert!(matches!(outcome.write[..], [Row::Released { .. }]));
                let again = pair.ends[1].hear(&message).unwrap();
                assert_eq!(again.send, outcome.send, "the same word again");
                assert!(again.write.is_empty());
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
        assert_eq!(pair.ends[1].book.other_head(), before);
    }
}
