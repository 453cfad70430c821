//! Any run at all of rounds over lines with books, on machines that stop at any instant and hear of the log when they
//! like: what honest ends have both signed is never refused, and no limit is broken however a round ends.
//!
//! `World::apply` audits the state after every block: limits of all positions, nobody's net position, certificates.
use super::{COOPERATIVES, Given, Net, code};
use crate::{
    lines::hear,
    world::{did, key},
};
use icn_model::{
    Action, AgreementAct, ClearingAct, CreditAct, Effect, Event, LineId, LineMessage, Millis, Refusal, Time,
};
use icn_state::line::{Heard, LineBook, Order, Outcome, Reason};
use proptest::{prelude::*, strategy::ValueTree as _};
use std::collections::{BTreeMap, BTreeSet};

const LINES: [Given; 6] = [
    ("A", "B", "EUR.2", 100, 80),
    ("B", "C", "EUR.2", 100, 80),
    ("C", "A", "EUR.2", 100, 80),
    ("B", "A", "EUR.2", 90, 90),
    ("C", "D", "EUR.2", 90, 90),
    ("D", "C", "EUR.2", 90, 90),
];

#[derive(Clone, Copy, Debug)]
enum Step {
    Propose {
        amount: u64,
        is_stored: bool,
    },
    /// One of those on their way; it may stay there to come again, and the machine may stop half-way.
    Deliver {
        at: usize,
        again: bool,
        is_stored: bool,
    },
    Lose {
        at: usize,
    },
    /// All that is on its way arrives.
    Settle,
    Restart,
    Sync,
    /// It hears what the log says.
    Follow,
    Anchor,
    Join {
        is_stored: bool,
    },
    /// Everybody buys something.
    Trade,
    /// Everybody does what a node does while a round is announced: hears, anchors, joins.
    Gather,
    /// Not so, or so after all.
    Dispute,
    Object,
    /// The agreement rests, or goes on.
    Suspend,
    Pass {
        secs: u64,
    },
}

/// Of which end of which line a step is.
type Deed = (usize, usize, Step);

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let is_stored = prop_oneof![12 => Just(true), 2 => Just(false)];
    let deliver = (any::<usize>(), any::<bool>(), is_stored.clone())
        .prop_map(|(at, again, is_stored)| Step::Deliver { at, again, is_stored });
    let propose = (1_u64..70, is_stored).prop_map(|(amount, is_stored)| Step::Propose { amount, is_stored });
    let step = prop_oneof![
        8 => propose,
        16 => deliver,
        2 => any::<usize>().prop_map(|at| Step::Lose { at }),
        2 => Just(Step::Settle),
        1 => Just(Step::Restart),
        2 => Just(Step::Sync),
        8 => Just(Step::Follow),
        6 => Just(Step::Anchor),
        8 => prop_oneof![9 => Just(true), 1 => Just(false)].prop_map(|is_stored| Step::Join { is_stored }),
        2 => Just(Step::Trade),
        6 => Just(Step::Gather),
        2 => Just(Step::Dispute),
        6 => Just(Step::Object),
        1 => Just(Step::Suspend),
        6 => (1_u64..20).prop_map(|secs| Step::Pass { secs }),
    ];
    proptest::collection::vec((0..LINES.len(), 0_usize..2, step), 1..600)
}

struct Run {
    net: Net,
    /// On their way: on which line, to whom, what.
    wire: Vec<(usize, usize, LineMessage)>,
    /// Whether books hear of the log only when a step says so.
    lags: bool,
    seen: BTreeSet<String>,
}

impl Run {
    fn new(lags: bool) -> Self {
        let mut net = Net::new(&LINES);
        net.decide(Effect::ClearingSchedule {
            every_ms: Some(Millis::from_secs(60)),
            join_ms: Millis::from_secs(25),
            object_ms: Millis::from_secs(35),
        });
        Self {
            net,
            wire: Vec::new(),
            lags,
            seen: BTreeSet::new(),
        }
    }

    fn book(&mut self, link: usize, end: usize) -> &mut LineBook {
        &mut self.net.links[link].books[end]
    }

    fn act(&mut self, by: &str, action: Action) -> Result<(), Refusal> {
        let operation = self.net.world.operation(by, action);
        let time = self.net.state().time().after(Millis::new(100));
        let result = self.net.world.apply(time, vec![operation]).results.remove(0);
        self.told();
        result
    }

    fn gather(&mut self) {
        self.follow_all();
        for (link, end) in ends() {
            self.anchor(link, end);
            self.follow(link, 0);
            self.follow(link, 1);
        }
        for (link, end) in ends() {
            self.join(link, end, true);
        }
    }

    fn told(&mut self) {
        for event in &self.net.world.last.as_ref().unwrap().events {
            match event {
                Event::Clearing(event) => drop(self.seen.insert(event.step.name().into())),
                Event::Credit(event) => drop(self.seen.insert(event.step.name().into())),
                _ => {}
            }
        }
        if !self.lags {
            self.follow_all();
        }
    }

    fn follow_all(&mut self) {
        for (link, end) in ends() {
            self.follow(link, end);
        }
    }

    fn follow(&mut self, link: usize, end: usize) {
        let here = &mut self.net.links[link];
        let view = self
            .net
            .world
            .state
            .line_view(&here.id, &did(here.names[end]))
            .unwrap();
        let outcome = here.books[end].follow(view);
        self.keep(link, end, outcome, true);
    }

    /// The rows reach the disk, or the machine stops before they do: then it has sent nothing, and starts again.
    fn keep(&mut self, link: usize, end: usize, outcome: Outcome, is_stored: bool) {
        for heard in &outcome.heard {
            let name = format!("{heard:?}");
            self.seen
                .insert(name.split([' ', '{']).next().unwrap().to_owned());
            // Who hears of the log at once releases nothing that an honest end has signed.
            assert!(
                self.lags || !matches!(heard, Heard::Released { .. }),
                "released: {heard:?}"
            );
        }
        if !is_stored && !outcome.write.is_empty() {
            return self.restart(link, end);
        }
        self.net.links[link].disks[end].extend(outcome.write);
        let messages = outcome.send.into_iter().map(|message| (link, 1 - end, message));
        self.wire.extend(messages);
    }

    fn restart(&mut self, link: usize, end: usize) {
        let here = &mut self.net.links[link];
        let mut rows = here.disks[end].clone();
        if rows.len().is_multiple_of(2) {
            let by_key: BTreeMap<_, _> = rows.into_iter().map(|row| (row.key(), row)).collect();
            rows = by_key.into_values().collect();
        }
        let view = here.books[end].view().clone();
        let (book, outcome) = LineBook::load(view, rows, false);
        here.books[end] = book;
        here.disks[end].extend(outcome.write);
    }

    fn propose(&mut self, link: usize, end: usize, amount: u64, is_stored: bool) {
        self.net.references += 1;
        let order = Order {
            amount,
            reference: icn_model::Digest::of(&self.net.references.to_be_bytes()),
            memo: None,
        };
        let name = self.net.links[link].names[end];
        match self.book(link, end).propose(&order, Time::ZERO, &key(name)) {
            Ok(outcome) => self.keep(link, end, outcome, is_stored),
            Err(reason) => self.hindered(reason),
        }
    }

    fn deliver(&mut self, link: usize, to: usize, message: &LineMessage, is_stored: bool) {
        let name = self.net.links[link].names[to];
        match hear(self.book(link, to), message, &key(name)) {
            Ok(outcome) => self.keep(link, to, outcome, is_stored),
            Err(reason) => self.hindered(reason),
        }
    }

    fn hindered(&mut self, reason: Reason) {
        if let Reason::Round { .. } = reason {
            self.seen.insert("bounded".into());
        }
    }

    /// The point of it all: what both have signed is taken, whoever shows it, whenever.
    fn anchor(&mut self, link: usize, end: usize) {
        let heads = self.book(link, end).to_anchor();
        if heads.is_empty() {
            return;
        }
        let (id, name) = (self.net.links[link].id.clone(), self.net.links[link].names[end]);
        let result = self.act(name, credit(&id, CreditAct::Anchor { heads }));
        let result = code(result);
        assert!(matches!(result, "ok" | "old-head"), "{result}");
    }

    fn join(&mut self, link: usize, end: usize, is_stored: bool) {
        let Ok((round, outcome)) = self.book(link, end).join_round() else {
            return;
        };
        let is_kept = is_stored || outcome.write.is_empty();
        self.keep(link, end, outcome, is_stored);
        if is_kept {
            let (id, name) = (self.net.links[link].id.clone(), self.net.links[link].names[end]);
            let lines = vec![id];
            let act = ClearingAct::Join { round, lines };
            // The log may be past that round, as far as this end knows.
            let _ = self.act(name, Action::Clearing { act });
        }
    }

    fn object(&mut self, name: &str) {
        let Some((round, _)) = self.net.state().open_round() else {
            return;
        };
        let reason = "so it is".into();
        let act = ClearingAct::Object { round, reason };
        let _ = self.act(name, Action::Clearing { act });
    }

    fn dispute(&mut self, link: usize, end: usize) {
        let (id, name) = (self.net.links[link].id.clone(), self.net.links[link].names[end]);
        let line = self.net.state().line(&id).unwrap();
        let act = if line.disputes.iter().any(|dispute| dispute.by == did(name)) {
            CreditAct::Withdraw {}
        } else {
            let reason = "so it is".into();
            CreditAct::Dispute { reason }
        };
        self.act(name, credit(&id, act)).unwrap();
    }

    fn suspend(&mut self, link: usize) {
        let (agreement, name) = (self.net.links[link].id.agreement, self.net.links[link].names[0]);
        let record = self.net.state().agreement(&agreement).unwrap();
        let act = if record.suspensions.is_empty() {
            let reason = "moths".into();
            AgreementAct::Suspend { reason }
        } else {
            AgreementAct::Resume {}
        };
        let act = Box::new(act);
        self.act(name, Action::Agreement { agreement, act }).unwrap();
    }

    fn pass(&mut self, secs: u64) {
        for pause in [secs * 1_000, 1] {
            let time = self.net.state().time().after(Millis::new(pause));
            self.net.world.apply(time, Vec::new());
            self.told();
        }
    }

    fn go(&mut self, &(link, end, step): &Deed) {
        match step {
            Step::Propose { amount, is_stored } => self.propose(link, end, amount, is_stored),
            Step::Deliver { at, again, is_stored } if !self.wire.is_empty() => {
                let at = at % self.wire.len();
                let (link, to, message) = match again {
                    true => self.wire[at].clone(),
                    false => self.wire.swap_remove(at),
                };
                self.deliver(link, to, &message, is_stored);
            }
            Step::Lose { at } if !self.wire.is_empty() => {
                let at = at % self.wire.len();
                self.wire.swap_remove(at);
            }
            Step::Deliver { .. } | Step::Lose { .. } => {}
            Step::Settle => self.settle(),
            Step::Trade => {
                for link in 0..LINES.len() {
                    self.propose(link, 0, 20, true);
                }
                self.settle();
            }
            Step::Gather => self.gather(),
            Step::Restart => self.restart(link, end),
            Step::Sync => {
                let sync = self.book(link, end).sync(false);
                self.wire.push((link, 1 - end, sync));
            }
            Step::Follow => self.follow(link, end),
            Step::Anchor => self.anchor(link, end),
            Step::Join { is_stored } => self.join(link, end, is_stored),
            Step::Dispute => self.dispute(link, end),
            Step::Object => self.object(COOPERATIVES[link % COOPERATIVES.len()]),
            // Who has not heard of it may release what the other end signs in good faith.
            Step::Suspend if self.lags => self.suspend(link),
            Step::Suspend => {}
            Step::Pass { secs } => self.pass(secs),
        }
        self.wire.truncate(200);
    }

    /// Ends of a line reach each other again, and nothing is lost.
    fn meet(&mut self) {
        self.wire.clear();
        for (link, end) in ends() {
            let sync = self.book(link, end).sync(false);
            self.wire.push((link, 1 - end, sync));
        }
        self.settle();
    }

    fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.wire.is_empty() {
                return;
            }
            let (link, to, message) = self.wire.remove(0);
            self.deliver(link, to, &message, true);
        }
        panic!("they never stop talking");
    }

    /// When all is said: the books of both ends and the log agree.
    fn check_end(&mut self) {
        for link in 0..LINES.len() {
            let agreement = self.net.links[link].id.agreement;
            if !self
                .net
                .state()
                .agreement(&agreement)
                .unwrap()
                .suspensions
                .is_empty()
            {
                self.suspend(link);
            }
        }
        while self.net.state().open_round().is_some() {
            self.pass(5);
        }
        self.follow_all();
        self.lags = true;
        // Twice: the first may end what both had in mind of each other's limits.
        self.meet();
        self.meet();
        for (link, end) in ends() {
            self.anchor(link, end);
            self.follow_all();
        }
        for link in &self.net.links {
            let [a, b] = &link.books;
            assert_eq!((a.own_head(), a.other_head()), (b.other_head(), b.own_head()));
            assert_eq!(a.pending().count() + b.pending().count(), 0);
            let position = self.net.world.state.position(&link.id, &did(link.names[0]));
            assert_eq!((position, position), (Some(a.debt()), Some(-b.debt())));
        }
    }
}

fn ends() -> impl Iterator<Item = (usize, usize)> {
    (0..LINES.len()).flat_map(|link| [(link, 0), (link, 1)])
}

fn credit(line: &LineId, act: CreditAct) -> Action {
    Action::Credit {
        agreement: line.agreement,
        unit: line.unit.clone(),
        act: Box::new(act),
    }
}

fn check_run(deeds: &[Deed], lags: bool) -> Run {
    let mut run = Run::new(lags);
    for deed in deeds {
        run.go(deed);
    }
    run.check_end();
    run
}

proptest! {
    #![proptest_config(crate::cases(24))]

    /// L7 and I12, I13.
    #[test]
    fn what_honest_ends_have_signed_is_taken_however_a_round_ends(deeds in deeds(), lags: bool) {
        check_run(&deeds, lags);
    }
}

#[test]
fn runs_are_rich_enough_to_be_a_test() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for at in 0..40 {
        let deeds = deeds().new_tree(&mut runner).unwrap().current();
        seen.append(&mut check_run(&deeds, at % 2 == 0).seen);
    }
    for what in [
        "announced",
        "joined",
        "frozen",
        "ended",
        "objected",
        "replanned",
        "applied",
        "aborted",
        "cleared",
        "anchored",
        "disputed",
        "bounded",
        "Accepted",
        "Confirmed",
        "Duplicate",
    ] {
        assert!(seen.contains(what), "{what} is not among {seen:?}");
    }
    assert!(!seen.contains("Equivocation"), "all are honest");
}
