//! Two books of one line, connected by whatever a network may do, on machines that may stop at any instant.
//!
//! The oracle knows nothing of chains: it adds up, from what is on both disks, which references are confirmed, and
//! compares with what the books say. See the invariants of `icn_state::line`, cited as L1 to L6.
mod cases;
mod runs;
mod troubles;

use crate::world::{did, key};
use icn_model::{
    AgreementId, ChainRecord, Cid, Digest, Head, LineId, LineMessage, SecretKey, Time, Transfer,
};
use icn_state::line::{LineBook, Order, Outcome, Reason, Row, Side, View};
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
        base: None,
    }
}

fn view(end: usize) -> View {
    View {
        federation: federation(),
        line: line(),
        mine: side(end),
        theirs: side(1 - end),
        cleared: 0,
        round: None,
    }
}

fn order(amount: u64, reference: u64) -> Order {
    Order {
        amount,
        reference: Digest::of(&reference.to_be_bytes()),
        memo: None,
    }
}

/// One message by itself.
pub(crate) fn hear(book: &mut LineBook, message: &LineMessage, key: &SecretKey) -> Result<Outcome, Reason> {
    let (outcome, mut refused) = book.hear(std::slice::from_ref(message), key);
    refused.pop().map_or(Ok(outcome), Err)
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

    /// The rows reach the disk, and the messages are sent.
    fn keep(&mut self, outcome: Outcome) -> Vec<LineMessage> {
        self.disk.extend(outcome.write);
        outcome.send
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
        Ok(self.keep(outcome))
    }

    fn hear(&mut self, message: &LineMessage) -> Result<Outcome, Reason> {
        hear(&mut self.book, message, &key(NAMES[self.at]))
    }

    fn take(&mut self, message: &LineMessage) -> Vec<LineMessage> {
        match self.hear(message) {
            Ok(outcome) => self.keep(outcome),
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
