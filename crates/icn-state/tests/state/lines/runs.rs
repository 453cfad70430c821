//! Any run at all, against an oracle.
use super::{LIMITS, NAMES, Pair, check_limits, order, side};
use crate::world::key;
use icn_model::{Digest, LineMessage, OpenVoid, Time, Transfer};
use icn_state::line::{Heard, LineBook, Outcome, Row};
use proptest::{prelude::*, strategy::ValueTree as _};
use std::collections::{BTreeMap, BTreeSet};

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
        is_stored: bool,
    },
    /// Some of those on their way to one end, together; the first may stay there to come again, and the machine may stop
    /// half-way.
    Deliver {
        at: usize,
        more: usize,
        again: bool,
        is_stored: bool,
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
    let is_stored = prop_oneof![12 => Just(true), 2 => Just(false)];
    let propose = (0_usize..2, 1_u64..300, 0_u64..60, is_stored.clone()).prop_map(
        |(end, amount, reference, is_stored)| {
            Step::Propose {
                end,
                // A reference always has its amount, unless something is wrong.
                amount: if amount == 1 {
                    1
                } else {
                    1 + (reference * 37) % 250
                },
                reference: reference * 2 + end as u64,
                is_stored,
            }
        },
    );
    let deliver =
        (any::<usize>(), 0_usize..6, any::<bool>(), is_stored).prop_map(|(at, more, again, is_stored)| {
            Step::Deliver {
                at,
                more,
                again,
                is_stored,
            }
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
        self.keep(end, outcome, true);
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

    /// The rows reach the disk, or the machine stops before they do: then it has sent nothing, and starts again.
    fn keep(&mut self, end: usize, outcome: Outcome, is_stored: bool) {
        self.seen.extend(outcome.heard.iter().map(name));
        if is_stored || outcome.write.is_empty() {
            let messages = self.ends[end].keep(outcome);
            self.send(end, messages);
        } else {
            self.ends[end].restart();
        }
    }

    /// Takes up to `more` others that go to the same end off the wire, in their order.
    fn others(&mut self, to: usize, more: usize) -> Vec<LineMessage> {
        let mut left = more;
        let others = self.wire.extract_if(.., |(end, _)| {
            let is_taken = *end == to && left > 0;
            left -= usize::from(is_taken);
            is_taken
        });
        others.map(|(_, message)| message).collect()
    }

    fn go(&mut self, step: &Step) {
        match *step {
            Step::Propose {
                end,
                amount,
                reference,
                is_stored,
            } => {
                let key = key(NAMES[end]);
                let asked = order(amount, reference);
                if let Ok(outcome) = self.ends[end].book.propose(&asked, Time::ZERO, &key) {
                    self.keep(end, outcome, is_stored);
                }
            }
            Step::Deliver {
                at,
                more,
                again,
                is_stored,
            } if !self.wire.is_empty() => {
                let at = at % self.wire.len();
                let (to, message) = match again {
                    true => self.wire[at].clone(),
                    false => self.wire.swap_remove(at),
                };
                let mut messages = vec![message];
                messages.extend(self.others(to, more));
                let (outcome, _) = self.ends[to].book.hear(&messages, &key(NAMES[to]));
                self.keep(to, outcome, is_stored);
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
    #![proptest_config(crate::cases(150))]

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
