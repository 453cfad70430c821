//! Releases, lies, backups, silence and lost keys.
use super::{Pair, draft, order, view};
use crate::world::{did, key};
use icn_model::{
    Acceptance, ChainRecord, ChainView, Cid, CoSigned, Digest, LineMessage, OpenVoid, Signed, Standing, Time,
    Transfer,
};
use icn_state::line::{Heard, LineBook, Outcome, Reason, Row};

#[test]
fn a_released_transfer_is_void_with_all_that_builds_on_it() {
    let mut pair = Pair::new();
    pair.propose(0, 10, 1).unwrap();
    // B has heard of a lower limit first.
    let mut lower = view(1);
    lower.theirs.limit = 50;
    pair.ends[1].book.follow(lower);
    pair.propose(0, 100, 2).unwrap();
    pair.propose(0, 20, 3).unwrap();
    pair.settle();
    pair.meet();
    pair.check_same();
    let book = &pair.ends[0].book;
    assert_eq!(book.debt(), 10);
    assert_eq!(
        [1, 2, 3].map(|number| book.standing(number)),
        [
            Some(Standing::Confirmed),
            Some(Standing::Void),
            Some(Standing::Void)
        ]
    );
    // Numbers are not used again, the reference neither; also not after a restart.
    pair.ends[0].restart();
    pair.ends[1].restart();
    pair.propose(0, 20, 3).unwrap();
    assert!(pair.wire.is_empty());
    pair.propose(0, 20, 4).unwrap();
    assert_eq!(pair.ends[0].book.standing(4), Some(Standing::Pending));
    pair.settle();
    pair.check_same();
    assert_eq!(pair.ends[0].book.debt(), 30);
}

#[test]
fn two_transfers_with_one_number_end_all_dealings() {
    let sign =
        |transfer: &Transfer| LineMessage::Transfer(Box::new(Signed::new(transfer.clone(), &key("A"))));
    for number in [1, 2] {
        let mut pair = Pair::new();
        // Countersigned, or waiting for one before it.
        let mut one = draft(&pair.ends[0].book, 10);
        one.number = number;
        if number == 2 {
            one.previous = Digest::of(b"the first, which is late");
        }
        let mut two = one.clone();
        (two.amount, two.owed) = (11, 11);
        pair.ends[1].take(&sign(&one));
        let outcome = pair.ends[1].hear(&sign(&two)).unwrap();
        assert!(
            matches!(&outcome.heard[..], [Heard::Equivocation { number: found, .. }] if *found == number)
        );
        // What waits is in no other row.
        let kept = outcome.write.iter().find_map(|row| match row {
            Row::Quarrel { first, .. } => first.as_ref().map(|first| &first.content),
            _ => None,
        });
        assert_eq!(kept, (number == 2).then_some(&one));
        pair.ends[1].keep(outcome);
        pair.ends[1].restart();
        assert!(pair.ends[1].book.has_quarrel());
        let mut next = draft(&pair.ends[0].book, 10);
        next.number = 3;
        assert_eq!(pair.ends[1].hear(&sign(&next)), Err(Reason::Quarrel));
        assert_eq!(pair.propose(1, 1, 1), Err(Reason::Quarrel));
        let outcome = pair.ends[1].book.forgive();
        pair.ends[1].keep(outcome);
        pair.ends[1].restart();
        pair.propose(1, 1, 1).unwrap();
    }
}

#[test]
fn two_transfers_with_one_number_that_come_together_prove_it_at_once() {
    let mut pair = Pair::new();
    let one = draft(&pair.ends[0].book, 10);
    let mut two = one.clone();
    (two.amount, two.owed) = (11, 11);
    let messages =
        [&one, &two].map(|one| LineMessage::Transfer(Box::new(Signed::new(one.clone(), &key("A")))));
    let (outcome, refused) = pair.ends[1].book.hear(&messages, &key("B"));
    assert!(refused.is_empty());
    let Some(Heard::Equivocation {
        first: Some(first),
        second,
        ..
    }) = outcome.heard.last()
    else {
        panic!("no proof: {:?}", outcome.heard)
    };
    assert_eq!((&first.content, &second.content), (&one, &two));
}

#[test]
fn an_end_from_a_backup_signs_when_it_knows_all() {
    let mut pair = Pair::new();
    pair.propose(0, 10, 1).unwrap();
    pair.settle();
    let old = pair.ends[0].disk.clone();
    for reference in 2..5 {
        pair.propose(0, 10, reference).unwrap();
    }
    pair.settle();
    // One more, which is not countersigned: B has released it.
    let mut lower = view(1);
    lower.theirs.limit = 40;
    pair.ends[1].book.follow(lower);
    pair.propose(0, 10, 5).unwrap();
    let (_, message) = pair.wire.pop().unwrap();
    pair.ends[1].take(&message);
    let (book, outcome) = LineBook::load(view(0), old, true);
    assert_eq!((book.debt(), outcome), (10, Outcome::default()));
    pair.ends[0].book = book;
    assert_eq!(pair.propose(0, 10, 9), Err(Reason::Restored));
    pair.meet();
    assert_eq!(pair.ends[0].book.debt(), 40, "a head says the whole");
    pair.ends[1].book.follow(view(1));
    pair.propose(0, 10, 9).unwrap();
    assert_eq!(
        pair.ends[0].book.standing(6),
        Some(Standing::Pending),
        "five was signed"
    );
    pair.settle();
    pair.check_same();
    // The creditor, too.
    let (book, _) = LineBook::load(view(1), [], true);
    pair.ends[1].book = book;
    pair.meet();
    pair.check_same();
    assert_eq!(pair.ends[1].book.debt(), -50);
}

/// The log makes void what a silent creditor has not shown.
#[test]
fn the_log_overrules_a_silent_creditor() {
    let mut pair = Pair::new();
    pair.propose(0, 10, 1).unwrap();
    pair.settle();
    assert_eq!(pair.ends[0].book.void_through(), None, "nothing is pending");
    for reference in 2..4 {
        pair.propose(0, 10, reference).unwrap();
    }
    // B countersigns, and A does not hear of it.
    let first = pair.wire.remove(0).1;
    pair.ends[1].take(&first);
    pair.wire.clear();
    assert_eq!(pair.ends[0].book.void_through(), Some(3));
    assert_eq!(pair.propose(0, 1, 9), Err(Reason::Voiding));
    pair.ends[0].book.keep_pending();
    assert_eq!(pair.ends[0].book.void_through(), Some(3));
    let anchored = pair.ends[0].book.own_head();
    let on_log = |pair: &mut Pair, chain: ChainRecord| {
        for end in 0..2 {
            let side = if end == 0 {
                &mut pair.ends[end].view.mine
            } else {
                &mut pair.ends[end].view.theirs
            };
            side.chain = chain;
            let view = pair.ends[end].view.clone();
            let outcome = pair.ends[end].book.follow(view);
            pair.ends[end].keep(outcome);
        }
    };
    let asked = OpenVoid {
        through: 3,
        until: Time::new(9),
    };
    let open = ChainRecord {
        head: anchored,
        void_through: 0,
        voiding: Some(asked),
        forgiven_through: 0,
    };
    on_log(&mut pair, open);
    assert_eq!(
        pair.ends[1].book.anchor_by(),
        Some(asked),
        "B has something to show"
    );
    assert_eq!(pair.ends[0].book.anchor_by(), None);
    let third = pair.ends[0].book.pending().nth(1).cloned().unwrap();
    let third = LineMessage::Transfer(Box::new(third));
    assert_eq!(pair.ends[1].hear(&third), Err(Reason::Voiding));
    // It does not.
    let void = ChainRecord {
        head: anchored,
        void_through: 3,
        voiding: None,
        forgiven_through: 0,
    };
    on_log(&mut pair, void);
    pair.meet();
    pair.check_same();
    assert_eq!(pair.ends[0].book.debt(), 10);
    for end in 0..2 {
        pair.ends[end].restart();
    }
    pair.check_same();
    assert_eq!(pair.ends[1].hear(&first), Err(Reason::Void));
    assert_eq!(pair.ends[1].hear(&third), Err(Reason::Void));
    pair.propose(0, 10, 9).unwrap();
    assert_eq!(pair.ends[0].book.standing(4), Some(Standing::Pending));
    pair.settle();
    pair.check_same();
    assert_eq!(pair.ends[0].book.debt(), 20);
}

#[test]
fn what_is_signed_after_the_log_took_back_a_head_outlives_a_restart() {
    let mut pair = Pair::new();
    pair.propose(0, 10, 1).unwrap();
    pair.settle();
    let anchored = pair.ends[0].book.own_head();
    pair.propose(0, 10, 2).unwrap();
    pair.settle();
    // Both have signed the second, and the log has heard of it too late.
    let void = ChainRecord {
        head: anchored,
        void_through: 2,
        voiding: None,
        forgiven_through: 0,
    };
    let mut view = pair.ends[0].view.clone();
    view.mine.chain = void;
    pair.ends[0].view = view.clone();
    let outcome = pair.ends[0].book.follow(view);
    pair.ends[0].keep(outcome);
    assert_eq!(pair.ends[0].book.debt(), 10);
    pair.propose(0, 5, 3).unwrap();
    pair.ends[0].restart();
    let book = &pair.ends[0].book;
    assert_eq!((book.debt(), book.debt_with_pending()), (10, 15));
    assert_eq!(
        [1, 2, 3].map(|number| book.standing(number)),
        [
            Some(Standing::Confirmed),
            Some(Standing::Void),
            Some(Standing::Pending)
        ]
    );
}

#[test]
fn a_number_that_was_released_is_not_taken_again() {
    let mut pair = Pair::new();
    let sign =
        |transfer: &Transfer| LineMessage::Transfer(Box::new(Signed::new(transfer.clone(), &key("A"))));
    let mut wrong = draft(&pair.ends[0].book, 10);
    wrong.owed = 11;
    let answer = pair.ends[1].take(&sign(&wrong));
    assert!(matches!(&answer[..], [LineMessage::Release(_)]), "{answer:?}");
    // Countersigned, it would be void as soon as the log is shown the release.
    let right = draft(&pair.ends[0].book, 10);
    assert_eq!(pair.ends[1].hear(&sign(&right)), Err(Reason::Void));
    pair.ends[1].restart();
    assert_eq!(pair.ends[1].hear(&sign(&right)), Err(Reason::Void));
    let next = Transfer { number: 2, ..right };
    assert!(pair.ends[1].hear(&sign(&next)).is_ok());
}

#[test]
fn what_was_released_is_shown_to_the_log_and_not_taken_back() {
    let mut pair = Pair::new();
    pair.propose(0, 10, 1).unwrap();
    pair.settle();
    let mut lower = view(1);
    lower.theirs.limit = 50;
    pair.ends[1].book.follow(lower);
    pair.propose(0, 100, 2).unwrap();
    pair.settle();
    let (book, head) = (&pair.ends[0].book, pair.ends[0].book.own_head());
    assert_eq!(book.standing(2), Some(Standing::Void));
    assert_eq!(
        book.to_show(),
        None,
        "the log does not know the transfer before it"
    );
    let mut view = pair.ends[0].view.clone();
    view.mine.chain.head = head;
    pair.ends[0].view = view.clone();
    pair.ends[0].book.follow(view.clone());

    let own = pair.ends[0].disk.iter().find_map(|row| match row {
        Row::Own { transfer, .. } if transfer.content.number == 2 => Some(transfer.clone()),
        _ => None,
    });
    let transfer = own.unwrap();
    let acceptance = Acceptance {
        transfer: transfer.content.hash(),
        key: key("B").public(),
    };
    let acceptance = Signed::new(acceptance, &key("B"));
    let shown = CoSigned { transfer, acceptance };
    let LineMessage::Sync(mut sync) = pair.ends[1].book.sync(true) else {
        panic!("a sync is one");
    };
    sync.other = ChainView {
        head: shown.head(),
        shown: Some(Box::new(shown)),
    };
    for _ in 0..2 {
        let end = &mut pair.ends[0];
        assert_eq!(end.hear(&LineMessage::Sync(sync.clone())), Err(Reason::Void));
        assert_eq!(end.book.debt(), 10);
        assert_eq!(end.book.to_show().map(|(number, _)| number), Some(2));
        end.restart();
    }
    view.mine.chain.void_through = 2;
    pair.ends[0].book.follow(view);
    assert_eq!(pair.ends[0].book.to_show(), None);
}

#[test]
fn a_new_line_key_signs_and_a_replaced_one_does_not() {
    let mut pair = Pair::new();
    pair.propose(0, 10, 1).unwrap();
    pair.settle();
    // Signed with the old key, and not countersigned when it is replaced.
    pair.propose(0, 10, 2).unwrap();
    let keys = vec![key("l").public(), key("A").public()];
    let mut mine = view(0);
    mine.mine.keys = keys.clone();
    pair.ends[0].book.follow(mine);
    let mut theirs = view(1);
    theirs.theirs.keys = keys;
    pair.ends[1].book.follow(theirs);
    pair.settle();
    assert_eq!(pair.ends[0].book.standing(2), Some(Standing::Void));
    assert_eq!(pair.propose(0, 10, 3), Err(Reason::Key));
    let outcome = pair.ends[0]
        .book
        .propose(&order(10, 3), Time::ZERO, &key("l"))
        .unwrap();
    let messages = pair.ends[0].keep(outcome);
    pair.send(0, messages);
    pair.settle();
    pair.check_same();
    assert_eq!(pair.ends[0].book.debt(), 20);
    // What a thief of the old key signs twice says nothing of the cooperative.
    let mut twin = draft(&pair.ends[0].book, 5);
    (twin.number, twin.key) = (1, key("A").public());
    let twin = LineMessage::Transfer(Box::new(Signed::new(twin, &key("A"))));
    let heard = pair.ends[1].hear(&twin).unwrap().heard;
    assert_eq!(heard, [Heard::Duplicate { number: 1 }]);
    assert!(!pair.ends[1].book.has_quarrel());
}

#[test]
fn nothing_unsigned_is_believed() {
    let mut pair = Pair::new();
    pair.propose(0, 10, 1).unwrap();
    let LineMessage::Transfer(honest) = pair.wire[0].1.clone() else {
        panic!("a transfer")
    };
    let mut forged = honest.clone();
    forged.content.amount = 9;
    forged.content.owed = 9;
    assert_eq!(
        pair.ends[1].hear(&LineMessage::Transfer(forged)),
        Err(Reason::Signature)
    );
    let mut answers = pair.ends[1].take(&LineMessage::Transfer(honest));
    let LineMessage::Acceptance(acceptance) = answers.remove(0) else {
        panic!("an acceptance")
    };
    let mut forged = acceptance.clone();
    forged.signature = Signed::new(acceptance.content, &key("C")).signature;
    assert_eq!(
        pair.ends[0].hear(&LineMessage::Acceptance(forged)),
        Err(Reason::Signature)
    );
    let mut stranger = acceptance.clone();
    stranger.content.key = key("C").public();
    assert_eq!(
        pair.ends[0].hear(&LineMessage::Acceptance(stranger)),
        Err(Reason::Key)
    );
    let mut unknown = acceptance;
    unknown.content.transfer = Digest::ZERO;
    assert_eq!(
        pair.ends[0].hear(&LineMessage::Acceptance(unknown)),
        Err(Reason::Unknown)
    );
    // A sync without signatures changes nothing, one with wrong ones is not listened to.
    let LineMessage::Sync(sync) = pair.ends[1].book.sync(false) else {
        panic!("a sync")
    };
    let mut bare = sync.clone();
    bare.other.shown = None;
    bare.other.head.number = 7;
    pair.ends[0].hear(&LineMessage::Sync(bare)).unwrap();
    assert_eq!(pair.ends[0].book.own_head().number, 0);
    let elsewhere: [fn(&mut Transfer); 3] = [
        |transfer| transfer.federation = Cid::of_raw(b"another"),
        |transfer| transfer.line.unit = "USD.2".parse().unwrap(),
        |transfer| transfer.debtor = did("C"),
    ];
    for change in elsewhere {
        let mut wrong = sync.clone();
        change(&mut wrong.other.shown.as_mut().unwrap().transfer.content);
        assert_eq!(
            pair.ends[0].hear(&LineMessage::Sync(wrong)),
            Err(Reason::OtherLine)
        );
    }
    let mut wrong = sync.clone();
    let shown = wrong.other.shown.as_mut().unwrap();
    shown.acceptance.signature = shown.transfer.signature;
    assert_eq!(
        pair.ends[0].hear(&LineMessage::Sync(wrong)),
        Err(Reason::Signature)
    );
    pair.ends[0].hear(&LineMessage::Sync(sync)).unwrap();
    assert_eq!(pair.ends[0].book.own_head().number, 1);
}
