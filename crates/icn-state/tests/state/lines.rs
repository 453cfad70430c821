//! Two books of one line, connected by whatever a network may do, on machines that may stop at any instant.
//!
//! The oracle knows nothing of chains: it adds up, from what is on both disks, which references are confirmed, and
//! compares with what the books say. See the invariants of `icn_state::line`, cited as L1 to L6.
use crate::world::{did, key};
use icn_model::{
    AgreementId, ChainRecord, Cid, Digest, Head, LineId, LineMessage, OpenVoid, Signed, Time, Transfer,
    limits,
};
use icn_state::line::{Heard, LineBook, Order, Outcome, Reason, Row, Side, Standing, View};
use proptest::{prelude::*, strategy::ValueTree as _};
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 2] = ["A", "B"];
const LIMITS: [u64; 2] = [1_000, 400];

fn federation() -> Cid {
    Cid::of_dag_cbor(b"federation")
}

fn line() -> LineId {
    LineId {
        agreement: AgreementId::new(Digest::of(b"agreement")),
        unit: "EUR.2".parse().unwrap(),
    }
}

fn side(end: usize) -> Side {
    let did = did(NAMES[end]);
    Side {
        did,
        keys: vec![key(NAMES[end]).public()],
        limit: LIMITS[end],
        chain: ChainRecord::new(Head::origin(&federation(), &line(), &did)),
    }
}

fn view(end: usize) -> View {
    View {
        federation: federation(),
        line: line(),
        mine: side(end),
        theirs: side(1 - end),
        cleared: 0,
    }
}

fn order(amount: u64, reference: u64) -> Order {
    Order {
        amount,
        reference: Digest::of(&reference.to_be_bytes()),
        memo: None,
    }
}

/// A machine with a book.
struct End {
    at: usize,
    book: LineBook,
    /// What is durable, in the order in which it was written.
    disk: Vec<Row>,
    /// What the log says to it.
    view: View,
}

impl End {
    fn new(at: usize) -> Self {
        let (book, outcome) = LineBook::load(view(at), [], false);
        assert_eq!(outcome, Outcome::default());
        Self {
            at,
            book,
            disk: Vec::new(),
            view: view(at),
        }
    }

    /// The first `count` rows reach the disk, and if these are all, the messages are sent.
    fn keep(&mut self, outcome: Outcome, count: usize) -> Vec<LineMessage> {
        let all = count >= outcome.write.len();
        self.disk.extend(outcome.write.into_iter().take(count));
        if all { outcome.send } else { Vec::new() }
    }

    fn restart(&mut self) {
        let mut rows = self.disk.clone();
        if rows.len().is_multiple_of(2) {
            let by_key: BTreeMap<_, _> = rows.into_iter().map(|row| (row.key(), row)).collect();
            rows = by_key.into_values().collect();
        }
        let (book, outcome) = LineBook::load(self.view.clone(), rows, false);
        self.book = book;
        self.disk.extend(outcome.write);
    }

    fn propose(&mut self, amount: u64, reference: u64) -> Result<Vec<LineMessage>, Reason> {
        let key = key(NAMES[self.at]);
        let outcome = self
            .book
            .propose(&order(amount, reference), Time::new(reference), &key)?;
        Ok(self.keep(outcome, usize::MAX))
    }

    fn hear(&mut self, message: &LineMessage) -> Result<Outcome, Reason> {
        self.book.hear(message, &key(NAMES[self.at]))
    }

    fn take(&mut self, message: &LineMessage) -> Vec<LineMessage> {
        match self.hear(message) {
            Ok(outcome) => self.keep(outcome, usize::MAX),
            Err(_) => Vec::new(),
        }
    }
}

struct Pair {
    ends: [End; 2],
    /// Each end's chain, as the log has it.
    log: [ChainRecord; 2],
    /// What happened.
    seen: BTreeSet<&'static str>,
    /// On their way: to whom, what.
    wire: Vec<(usize, LineMessage)>,
}

impl Pair {
    fn new() -> Self {
        Self {
            ends: [End::new(0), End::new(1)],
            log: [0, 1].map(|end| side(end).chain),
            seen: BTreeSet::new(),
            wire: Vec::new(),
        }
    }

    fn send(&mut self, from: usize, messages: Vec<LineMessage>) {
        self.wire
            .extend(messages.into_iter().map(|message| (1 - from, message)));
    }

    fn propose(&mut self, end: usize, amount: u64, reference: u64) -> Result<(), Reason> {
        let messages = self.ends[end].propose(amount, reference)?;
        self.send(end, messages);
        Ok(())
    }

    /// All that is on its way arrives, in order.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.wire.is_empty() {
                return;
            }
            let (to, message) = self.wire.remove(0);
            let answers = self.ends[to].take(&message);
            self.send(to, answers);
        }
        panic!("they never stop talking");
    }

    /// The two reach each other again.
    fn meet(&mut self) {
        self.wire.clear();
        for end in 0..2 {
            let sync = self.ends[end].book.sync(false);
            self.send(end, vec![sync]);
        }
        self.settle();
    }

    /// L4, with L3 in the eyes of both.
    fn check_same(&self) {
        let [a, b] = &self.ends;
        assert_eq!(a.book.own_head(), b.book.other_head());
        assert_eq!(b.book.own_head(), a.book.other_head());
        assert_eq!(a.book.debt(), -b.book.debt());
        for end in &self.ends {
            check_limits(&end.book);
            assert_eq!(end.book.pending().count(), 0);
        }
    }
}

/// L3.
fn check_limits(book: &LineBook) {
    let limit = |did| i128::from(LIMITS[usize::from(did == side(1).did)]);
    assert!(book.debt_with_pending() <= limit(book.view().mine.did));
    assert!(-book.debt() <= limit(book.view().theirs.did));
}

/// What a debtor's own disk says is confirmed, by reference: each once.
fn confirmed(rows: &[Row]) -> BTreeMap<Digest, u64> {
    let mut transfers: BTreeMap<u64, Transfer> = BTreeMap::new();
    let (mut highest, mut void) = (0, BTreeSet::new());
    for row in rows {
        match row {
            Row::Own { transfer, acceptance } => {
                let content = transfer.content.clone();
                if acceptance.is_some() {
                    highest = highest.max(content.number);
                }
                let before = transfers.insert(content.number, content.clone());
                assert!(
                    before.is_none_or(|before| before == content),
                    "a number is signed once"
                );
            }
            Row::Anchored { is_own: true, head } => highest = highest.max(head.number),
            Row::Void {
                is_own: true,
                after,
                through,
                ..
            } => void.extend(after + 1..=*through),
            _ => {}
        }
    }
    let mut sums = BTreeMap::new();
    for (number, transfer) in transfers {
        if number <= highest && !void.contains(&number) {
            let before = sums.insert(transfer.reference, transfer.amount);
            assert!(before.is_none(), "a reference is made once");
        }
    }
    sums
}

/// What a creditor's disk says that it has countersigned, by reference.
fn countersigned(rows: &[Row]) -> BTreeMap<Digest, u64> {
    let mut sums = BTreeMap::new();
    for row in rows {
        if let Row::Other { transfer, .. } = row {
            sums.insert(transfer.content.reference, transfer.content.amount);
        }
    }
    sums
}

#[derive(Clone, Debug)]
enum Step {
    Propose {
        end: usize,
        amount: u64,
        reference: u64,
        stored: usize,
    },
    /// One of those on their way; it may stay there to come again, and the machine may stop half-way.
    Deliver {
        at: usize,
        again: bool,
        stored: usize,
    },
    Lose {
        at: usize,
    },
    Restart {
        end: usize,
    },
    Sync {
        end: usize,
    },
    /// It hears from the log that the other one may owe only so much.
    Lower {
        end: usize,
        limit: u64,
    },
    /// It shows the log what it has.
    Anchor {
        end: usize,
    },
    /// It asks the log to make void what is pending.
    AskVoid {
        end: usize,
    },
    /// It hears what the log says.
    Follow {
        end: usize,
    },
    /// The window for what it asked is over.
    Decide {
        end: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let stored = prop_oneof![12 => Just(usize::MAX), 1 => Just(0_usize), 1 => Just(1_usize)];
    let propose =
        (0_usize..2, 1_u64..300, 0_u64..60, stored.clone()).prop_map(|(end, amount, reference, stored)| {
            Step::Propose {
                end,
                // A reference always has its amount, unless something is wrong.
                amount: if amount == 1 {
                    1
                } else {
                    1 + (reference * 37) % 250
                },
                reference: reference * 2 + end as u64,
                stored,
            }
        });
    let deliver = (any::<usize>(), any::<bool>(), stored).prop_map(|(at, again, stored)| Step::Deliver {
        at,
        again,
        stored,
    });
    let step = prop_oneof![
        4 => propose,
        8 => deliver,
        2 => any::<usize>().prop_map(|at| Step::Lose { at }),
        1 => (0_usize..2).prop_map(|end| Step::Restart { end }),
        1 => (0_usize..2).prop_map(|end| Step::Sync { end }),
        1 => (0_usize..2, prop_oneof![Just(50_u64), Just(2_000)]).prop_map(|(end, limit)| Step::Lower {
            end,
            limit,
        }),
        1 => (0_usize..2).prop_map(|end| Step::Anchor { end }),
        1 => (0_usize..2).prop_map(|end| Step::AskVoid { end }),
        2 => (0_usize..2).prop_map(|end| Step::Follow { end }),
        1 => (0_usize..2).prop_map(|end| Step::Decide { end }),
    ];
    proptest::collection::vec(step, 1..160)
}

impl Pair {
    /// As the log does it: higher numbers win, and what is shown cannot become void.
    fn anchor(&mut self, end: usize) {
        for shown in self.ends[end].book.to_anchor() {
            assert_eq!(shown.verify(), Ok(()));
            let (head, debtor) = (shown.head(), shown.transfer.content.debtor);
            let chain = &mut self.log[usize::from(debtor == side(1).did)];
            if head.number > chain.head.number.max(chain.void_through) {
                chain.head = head;
                chain.void_through = 0;
                chain.voiding = chain.voiding.filter(|void| void.through > head.number);
            }
        }
    }

    fn follow(&mut self, end: usize) {
        let one = &mut self.ends[end];
        one.view.mine.chain = self.log[end];
        one.view.theirs.chain = self.log[1 - end];
        let outcome = one.book.follow(one.view.clone());
        self.keep(end, outcome, usize::MAX);
    }

    /// An honest creditor follows the log, and shows what it has before the window is over.
    fn decide(&mut self, end: usize) {
        if self.log[end].voiding.is_none() {
            return;
        }
        self.follow(1 - end);
        if self.ends[1 - end].book.anchor_by().is_some() {
            self.anchor(1 - end);
            self.seen.insert("shown in time");
        }
        if let Some(void) = self.log[end].voiding.take() {
            self.log[end].void_through = void.through;
            self.seen.insert("void by the log");
        }
    }

    /// Rows up to `stored` reach the disk; a machine that stops before all do has sent nothing, and starts again.
    fn keep(&mut self, end: usize, outcome: Outcome, stored: usize) {
        let stops = stored < outcome.write.len();
        self.seen.extend(outcome.heard.iter().map(name));
        let messages = self.ends[end].keep(outcome, stored);
        self.send(end, messages);
        if stops {
            self.ends[end].restart();
        }
    }

    fn go(&mut self, step: &Step) {
        match *step {
            Step::Propose {
                end,
                amount,
                reference,
                stored,
            } => {
                let key = key(NAMES[end]);
                let asked = order(amount, reference);
                if let Ok(outcome) = self.ends[end].book.propose(&asked, Time::ZERO, &key) {
                    self.keep(end, outcome, stored);
                }
            }
            Step::Deliver { at, again, stored } if !self.wire.is_empty() => {
                let at = at % self.wire.len();
                let (to, message) = match again {
                    true => self.wire[at].clone(),
                    false => self.wire.swap_remove(at),
                };
                if let Ok(outcome) = self.ends[to].hear(&message) {
                    self.keep(to, outcome, stored);
                }
            }
            Step::Lose { at } if !self.wire.is_empty() => {
                let at = at % self.wire.len();
                self.wire.swap_remove(at);
            }
            Step::Restart { end } => self.ends[end].restart(),
            Step::Sync { end } => {
                let sync = self.ends[end].book.sync(false);
                self.send(end, vec![sync]);
            }
            Step::Lower { end, limit } => {
                self.ends[end].view.theirs.limit = limit.min(LIMITS[1 - end]);
                self.follow(end);
            }
            Step::Anchor { end } => self.anchor(end),
            Step::AskVoid { end } => {
                self.anchor(end);
                let through = self.ends[end].book.void_through();
                let chain = &mut self.log[end];
                let settled = chain.head.number.max(chain.void_through);
                match through.filter(|through| *through > settled && chain.voiding.is_none()) {
                    Some(through) => {
                        chain.voiding = Some(OpenVoid {
                            through,
                            until: Time::ZERO,
                        });
                    }
                    None => self.ends[end].book.keep_pending(),
                }
            }
            Step::Follow { end } => self.follow(end),
            Step::Decide { end } => self.decide(end),
            Step::Deliver { .. } | Step::Lose { .. } => {}
        }
        // Repeated messages would else never end.
        self.wire.truncate(200);
    }
}

fn name(heard: &Heard) -> &'static str {
    match heard {
        Heard::Signed { .. } => "signed",
        Heard::Duplicate { .. } => "duplicate",
        Heard::Accepted { .. } => "accepted",
        Heard::Waits { .. } => "waits",
        Heard::Released { .. } => "released",
        Heard::Confirmed { .. } => "confirmed",
        Heard::Voided { .. } => "voided",
        Heard::Equivocation { .. } => "equivocation",
    }
}

/// Whatever is lost, repeated, late or forgotten: at the end both have the same sums, each transfer once.
fn check_run(steps: &[Step]) -> Pair {
    let mut pair = Pair::new();
    for step in steps {
        pair.go(step);
        for end in &pair.ends {
            check_limits(&end.book);
        }
    }
    for end in 0..2 {
        pair.decide(end);
    }
    for end in 0..2 {
        pair.follow(end);
    }
    // Twice: the first may end what both had in mind of each other's limits.
    pair.meet();
    pair.meet();
    pair.check_same();
    for (end, other) in [(0, 1), (1, 0)] {
        let sums = confirmed(&pair.ends[end].disk);
        let total: u64 = sums.values().sum();
        assert_eq!(total, pair.ends[end].book.own_head().owed, "against the oracle");
        assert_eq!(sums, countersigned(&pair.ends[other].disk));
    }
    // What is on the disks is what was in memory.
    let heads =
        |pair: &Pair| [0, 1].map(|end| (pair.ends[end].book.own_head(), pair.ends[end].book.other_head()));
    let before = heads(&pair);
    for end in &mut pair.ends {
        let by_key: BTreeMap<_, _> = end.disk.iter().map(|row| (row.key(), row.clone())).collect();
        let (book, _) = LineBook::load(end.view.clone(), by_key.into_values(), false);
        end.restart();
        assert_eq!(
            (book.own_head(), book.other_head(), book.to_anchor()),
            (end.book.own_head(), end.book.other_head(), end.book.to_anchor())
        );
    }
    assert_eq!(heads(&pair), before);
    pair.meet();
    pair.check_same();
    pair
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// L1 to L5.
    #[test]
    fn both_books_come_to_the_same(steps in steps()) {
        check_run(&steps);
    }
}

#[test]
fn runs_are_rich_enough_to_be_a_test() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut seen, mut owed) = (BTreeSet::new(), 0);
    for _ in 0..60 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let mut pair = check_run(&steps);
        seen.append(&mut pair.seen);
        owed += pair.ends[0].book.own_head().owed;
    }
    for what in [
        "signed",
        "duplicate",
        "accepted",
        "waits",
        "released",
        "confirmed",
        "voided",
        "shown in time",
        "void by the log",
    ] {
        assert!(seen.contains(what), "{what} is not among {seen:?}");
    }
    assert!(!seen.contains("equivocation"), "both are honest");
    assert!(owed > 10_000, "{owed}");
}

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
    assert_eq!(pair.ends[1].book.to_anchor(), [own.clone()]);
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

/// The next transfer of a book's end.
fn draft(book: &LineBook, amount: u64) -> Transfer {
    let (view, head) = (book.view(), book.own_head());
    Transfer {
        federation: view.federation,
        line: view.line.clone(),
        debtor: view.mine.did,
        number: head.number + 1,
        previous: head.hash,
        amount,
        owed: head.owed + amount,
        seen: book.other_head(),
        reference: Digest::of(b"draft"),
        memo: None,
        made: Time::ZERO,
        key: view.mine.keys[0],
    }
}

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
        pair.ends[1].keep(outcome, usize::MAX);
        pair.ends[1].restart();
        assert!(pair.ends[1].book.has_quarrel());
        let mut next = draft(&pair.ends[0].book, 10);
        next.number = 3;
        assert_eq!(pair.ends[1].hear(&sign(&next)), Err(Reason::Quarrel));
        assert_eq!(pair.propose(1, 1, 1), Err(Reason::Quarrel));
        let outcome = pair.ends[1].book.forgive();
        pair.ends[1].keep(outcome, usize::MAX);
        pair.ends[1].restart();
        pair.propose(1, 1, 1).unwrap();
    }
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
            pair.ends[end].keep(outcome, usize::MAX);
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
    let messages = pair.ends[0].keep(outcome, usize::MAX);
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
