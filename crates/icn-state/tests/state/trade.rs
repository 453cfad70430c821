//! Two cooperatives trade by their books, and the log hears of it: what `State` tells a book, and what a book shows it.
use crate::{
    credit::terms,
    lines::hear,
    world::{World, did, key, parameters},
};
use icn_model::{
    Action, AgreementAct, AgreementId, CreditAct, Digest, LineId, LineMessage, Millis, Released, RoleKeys,
    Time,
};
use icn_state::line::{LineBook, Order, Outcome, Reason, Row};

const NAMES: [&str; 2] = ["A", "B"];

/// Two books with their disks, and the log between them.
struct Trade {
    world: World,
    line: LineId,
    books: Vec<LineBook>,
    disks: [Vec<Row>; 2],
    /// Whose key signs for each.
    signers: [&'static str; 2],
    references: u64,
}

impl Trade {
    fn new() -> Self {
        let mut world = World::new(&["A", "B", "C"], parameters());
        let terms = terms("A", "B", &[("EUR.2", 1_000, 500)]);
        let content = terms.digest();
        let operation = world.operation(
            "A",
            Action::ProposeAgreement {
                terms: Box::new(terms),
            },
        );
        let agreement = AgreementId::from(operation.id());
        world.apply(world.state.time().after(Millis::new(1)), vec![operation]);
        let act = Box::new(AgreementAct::Sign { revision: 1, content });
        world.act("B", Action::Agreement { agreement, act }).unwrap();
        let line = LineId {
            agreement,
            unit: "EUR.2".parse().unwrap(),
        };
        let books = NAMES.map(|name| {
            let view = world.state.line_view(&line, &did(name)).unwrap();
            LineBook::load(view, [], false).0
        });
        assert_eq!(world.state.line_view(&line, &did("C")), None);
        Self {
            world,
            line,
            books: books.into(),
            disks: [Vec::new(), Vec::new()],
            signers: NAMES,
            references: 0,
        }
    }

    fn keep(&mut self, end: usize, outcome: Outcome) -> Vec<LineMessage> {
        self.disks[end].extend(outcome.write);
        outcome.send
    }

    fn propose(&mut self, end: usize, amount: u64) -> Result<Vec<LineMessage>, Reason> {
        self.references += 1;
        let order = Order {
            amount,
            reference: Digest::of(&self.references.to_be_bytes()),
            memo: None,
        };
        let outcome = self.books[end].propose(&order, Time::ZERO, &key(self.signers[end]))?;
        Ok(self.keep(end, outcome))
    }

    /// Everything that `from` has sent arrives, and all the answers.
    fn exchange(&mut self, from: usize, messages: Vec<LineMessage>) {
        let (mut from, mut messages) = (from, messages);
        while !messages.is_empty() {
            let to = 1 - from;
            let mut answers = Vec::new();
            for message in &messages {
                let outcome = hear(&mut self.books[to], message, &key(self.signers[to])).unwrap();
                answers.extend(self.keep(to, outcome));
            }
            (from, messages) = (to, answers);
        }
    }

    fn owe(&mut self, end: usize, amount: u64) {
        let messages = self.propose(end, amount).unwrap();
        self.exchange(end, messages);
        assert_eq!(self.books[end].pending().count(), 0);
    }

    fn say(&mut self, end: usize, act: CreditAct) {
        let action = Action::Credit {
            agreement: self.line.agreement,
            unit: self.line.unit.clone(),
            act: Box::new(act),
        };
        self.world.act(NAMES[end], action).unwrap();
        self.follow();
    }

    fn anchor(&mut self, end: usize) {
        let heads = self.books[end].to_anchor();
        self.say(end, CreditAct::Anchor { heads });
        assert!(self.books.iter().all(|book| book.to_anchor().is_empty()));
        let position = self.world.state.position(&self.line, &did("A")).unwrap();
        assert_eq!(position, self.books[0].debt());
        assert_eq!(-position, self.books[1].debt());
    }

    fn follow(&mut self) {
        for (end, name) in NAMES.into_iter().enumerate() {
            let view = self.world.state.line_view(&self.line, &did(name)).unwrap();
            let outcome = self.books[end].follow(view);
            self.keep(end, outcome);
        }
    }

    fn agree(&mut self, by: &str, act: AgreementAct) {
        let agreement = self.line.agreement;
        let act = Box::new(act);
        self.world.act(by, Action::Agreement { agreement, act }).unwrap();
        self.follow();
    }
}

#[test]
fn a_thousand_transfers_are_anchored_by_two() {
    let mut trade = Trade::new();
    for turn in 0..500 {
        trade.owe(0, 1 + turn % 7);
        trade.owe(1, 1 + turn % 6);
    }
    trade.anchor(0);
    let line = trade.world.state.line(&trade.line).unwrap();
    assert_eq!(line.chains.map(|chain| chain.head.number), [500, 500]);
    trade.owe(1, 100);
    trade.anchor(1);
    trade.world.check_replay();
}

#[test]
fn books_go_by_what_the_log_says() {
    let mut trade = Trade::new();
    trade.owe(0, 400);
    let reason = String::from("moths");
    trade.agree("B", AgreementAct::Suspend { reason });
    let over = |owes, limit| Err(Reason::OverLimit { owes, limit });
    assert_eq!(trade.propose(0, 1), over(401, 0), "it may only shrink");
    trade.owe(1, 300);
    assert_eq!(trade.propose(1, 101), over(1, 0));
    trade.anchor(0);
    trade.agree("B", AgreementAct::Resume {});
    trade.owe(0, 900);
    trade.anchor(1);
    // Another line key for A: its book signs with that one, and B's takes it.
    let keys = RoleKeys {
        line: key("l").public(),
        ..trade.world.state.seat_record(&did("A")).unwrap().keys.clone()
    };
    let action = Action::RotateKeys {
        keys: Box::new(keys),
        possession: None,
    };
    trade.world.act("A", action).unwrap();
    trade.owe(1, 50);
    trade.follow();
    assert_eq!(trade.propose(0, 1), Err(Reason::Key));
    trade.signers[0] = "l";
    trade.owe(0, 10);
    trade.anchor(0);
    assert_eq!(trade.books[0].debt(), 960);
}

#[test]
fn what_a_silent_creditor_keeps_back_is_void_on_both_sides() {
    let mut trade = Trade::new();
    trade.owe(0, 100);
    trade.anchor(0);
    let lost = trade.propose(0, 50).unwrap();
    let through = trade.books[0].void_through().unwrap();
    trade.say(
        0,
        CreditAct::Void {
            through,
            release: None,
        },
    );
    assert_eq!(trade.propose(0, 1), Err(Reason::Voiding));
    for pause in [61, 1] {
        let time = trade.world.state.time().after(Millis::from_secs(pause));
        trade.world.apply(time, Vec::new());
    }
    trade.follow();
    assert_eq!(hear(&mut trade.books[1], &lost[0], &key("B")), Err(Reason::Void));
    trade.owe(0, 50);
    trade.anchor(1);
    assert_eq!(trade.books[0].own_head().number, 3, "the second is void");
    // The same from the disks alone.
    for (end, name) in NAMES.into_iter().enumerate() {
        let view = trade.world.state.line_view(&trade.line, &did(name)).unwrap();
        let (book, outcome) = LineBook::load(view, trade.disks[end].clone(), false);
        assert_eq!(outcome, Outcome::default());
        assert_eq!(book.debt(), trade.books[end].debt());
    }
}

#[test]
fn a_release_is_shown_to_the_log() {
    let mut trade = Trade::new();
    trade.owe(0, 100);
    trade.anchor(0);
    // B follows the log, and A does not so far: what A signs is over the limit for B.
    let before = trade.books[0].view().clone();
    let reason = String::from("moths");
    trade.agree("B", AgreementAct::Suspend { reason });
    trade.books[0].follow(before);
    let messages = trade.propose(0, 50).unwrap();
    trade.exchange(0, messages);
    assert_eq!(trade.books[0].pending().count(), 0);
    let (number, release) = trade.books[0].to_show().unwrap();
    let transfer = trade.disks[0].iter().find_map(|row| match row {
        Row::Own { transfer, .. } => Some(transfer.content.clone()).filter(|one| one.number == number),
        _ => None,
    });
    let released = Released {
        transfer: transfer.unwrap(),
        release: release.clone(),
    };
    let release = Some(released);
    trade.say(0, CreditAct::Void { through: 2, release });
    let chain = trade.world.state.line(&trade.line).unwrap().chains[0];
    assert_eq!(
        (chain.head.number, chain.void_through, chain.voiding),
        (1, 2, None)
    );
}
