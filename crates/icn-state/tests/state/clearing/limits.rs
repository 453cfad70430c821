//! Limits in a round: they hold whether it is applied or aborted.
use super::{Given, Net, RING};
use crate::{
    credit::co_sign,
    lines::hear,
    world::{did, key},
};
use icn_model::{CreditAct, Digest, LineMessage, Refusal, RoundNumber, Signed, Time, Transfer};
use icn_state::line::{LineBook, Reason};

const FIRST: RoundNumber = RoundNumber::new(1);
/// In which everybody may owe 100 only.
const TIGHT: [Given; 3] = [
    ("A", "B", "EUR.2", 100, 100),
    ("B", "C", "EUR.2", 100, 100),
    ("C", "A", "EUR.2", 100, 100),
];

fn tight() -> Net {
    let mut net = Net::new(&TIGHT);
    for link in 0..3 {
        net.owe(link, 0, 90);
    }
    net
}

fn bounded(remains: u64) -> Reason {
    let round = FIRST;
    Reason::Round { round, remains }
}

/// Both directions of a line are used while a round is on; both ways that it can end.
#[test]
fn a_creditor_cannot_use_its_claim_twice() {
    for is_aborted in [false, true] {
        let mut net = tight();
        net.open();
        net.join_with(&[0, 1, 2]);
        net.freeze();
        // B is owed 90 by A, which may all be cleared: so B signs up to 100 and not 190.
        assert_eq!(net.propose(0, 1, 101), Err(bounded(100)));
        net.owe(0, 1, 60);
        assert_eq!(net.propose(0, 1, 41), Err(bounded(40)));
        // What A owes more meanwhile does not help: it was not there at the freeze. A has its usual limit.
        net.owe(0, 0, 70);
        assert_eq!(net.propose(0, 1, 41), Err(bounded(40)));
        assert_eq!(
            net.propose(0, 0, 1),
            Err(Reason::OverLimit {
                owes: 101,
                limit: 100
            })
        );
        net.owe(0, 1, 40);
        assert_eq!(net.anchor(0, 0), Ok(()));
        if is_aborted {
            net.object(FIRST, "C").unwrap();
            assert_eq!(net.finish(), ["aborted"]);
            assert_eq!(net.positions()[0], 60);
        } else {
            net.finish();
            assert_eq!(net.positions(), [-30, 0, 0]);
        }
        // After it the usual limits hold alone.
        let room = if is_aborted { 160 } else { 70 };
        assert!(matches!(
            net.propose(0, 1, room + 1),
            Err(Reason::OverLimit { .. })
        ));
        net.owe(0, 1, room);
        assert_eq!(net.anchor(0, 1), Ok(()));
        assert_eq!(net.positions()[0], -100);
    }
}

#[test]
fn before_the_freeze_it_is_what_is_anchored_that_counts() {
    let mut net = tight();
    net.open();
    assert_eq!(net.links[0].books[0].round_to_join(), Err(Reason::NotAnchored));
    net.join_with(&[0, 1, 2]);
    // A paid back and borrowed again: within its limit of 100, and no more than that over what is anchored.
    net.owe(0, 1, 90);
    net.owe(0, 0, 90);
    assert_eq!(net.propose(0, 0, 10).map(|_| ()), Ok(()));
    net.owe(0, 1, 10);
    assert_eq!(net.propose(0, 0, 1), Err(bounded(0)));
    net.anchor(0, 0).unwrap();
    // The one that is pending counts still, and the usual limit does, too.
    let over = Reason::OverLimit {
        owes: 101,
        limit: 100,
    };
    assert_eq!(net.propose(0, 0, 11), Err(over));
    assert!(net.propose(0, 0, 10).is_ok());
}

/// Where nobody has joined, nothing is bounded, however long the log is away.
#[test]
fn lines_that_are_not_in_a_round_have_no_rule() {
    let mut net = tight();
    net.open();
    for _ in 0..5 {
        net.owe(0, 1, 90);
        net.owe(0, 0, 90);
    }
    net.join_with(&[1, 2]);
    net.freeze();
    for _ in 0..5 {
        net.owe(0, 1, 90);
        net.owe(0, 0, 90);
    }
    assert_eq!(net.anchor(0, 0), Ok(()));
}

/// Who is about to join is bounded before the log says so, also after a crash.
#[test]
fn a_book_keeps_its_word_over_a_crash() {
    let mut net = tight();
    net.anchor(0, 0).unwrap();
    net.open();
    let (round, outcome) = net.links[0].books[1].join_round().unwrap();
    assert_eq!(round, FIRST);
    net.keep(0, 1, outcome);
    let again = net.links[0].books[1].join_round().unwrap();
    assert!(
        again.1.write.is_empty(),
        "it may be told again, and is stored once"
    );
    let view = net.state().line_view(&net.links[0].id, &did("B")).unwrap();
    let disk = net.links[0].disks[1].clone();
    net.links[0].books[1] = LineBook::load(view, disk, false).0;
    assert_eq!(net.propose(0, 1, 101), Err(bounded(100)));
    // The log never heard of it: after the freeze the word is of no more use.
    net.freeze();
    assert_eq!(net.phase(FIRST), "ended");
    assert!(net.propose(0, 1, 101).is_ok());
}

/// A debtor that does not keep its word: the other end does not countersign, and does not release either.
#[test]
fn what_is_over_the_limit_in_a_round_waits() {
    let mut net = tight();
    net.open();
    net.join_with(&[0, 1, 2]);
    net.freeze();
    let book = &net.links[0].books[1];
    let (view, seen) = (book.view(), book.other_head());
    let transfer = Transfer {
        federation: view.federation,
        line: view.line.clone(),
        debtor: did("B"),
        number: 1,
        previous: book.own_head().hash,
        amount: 150,
        owed: 150,
        seen,
        reference: Digest::of(b"greedy"),
        memo: None,
        made: Time::ZERO,
        key: key("B").public(),
    };
    let message = LineMessage::Transfer(Box::new(Signed::new(transfer.clone(), &key("B"))));
    let heard = hear(&mut net.links[0].books[0], &message, &key("A"));
    assert_eq!(heard, Err(bounded(100)));
    // If A countersigns it all the same, the log does not take it now.
    let heads = vec![co_sign(transfer, "B", "A")];
    let refused = net.say(0, "A", CreditAct::Anchor { heads: heads.clone() });
    let over = Refusal::OverLimitInRound {
        end: did("B"),
        owes: 150,
        limit: 100,
        round: FIRST,
    };
    assert_eq!(refused, Err(over));
    net.object(FIRST, "A").unwrap();
    net.finish();
    assert_eq!(net.phase(FIRST), "aborted");
    assert_eq!(net.say(0, "A", CreditAct::Anchor { heads }), Ok(()));
    assert_eq!(net.positions()[0], -60);
    assert!(hear(&mut net.links[0].books[0], &message, &key("A")).is_ok());
}

/// What was signed before clearing, and counts on less than was anchored and cleared since: it fits all the same.
#[test]
fn what_counts_on_less_than_was_cleared_still_stands() {
    let mut net = Net::new(&RING);
    for (link, amount) in [900, 1_000, 1_000].into_iter().enumerate() {
        net.owe(link, 0, amount);
    }
    net.open();
    net.join_with(&[0, 1, 2]);
    // Before it holds what A owes more, B signs; its transfer is late.
    let late = net.propose(0, 1, 1_000).unwrap();
    net.owe(0, 0, 100);
    net.anchor(0, 0).unwrap();
    net.freeze();
    net.finish();
    assert_eq!(net.positions(), [0, 0, 0]);
    net.exchange(0, 1, late);
    assert_eq!(net.links[0].books[1].pending().count(), 0);
    assert_eq!(net.anchor(0, 1), Ok(()));
    assert_eq!(net.positions()[0], -1_000);
}
