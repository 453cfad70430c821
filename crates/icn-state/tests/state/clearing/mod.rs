//! Rounds of clearing among cooperatives with their books: what is joined, frozen, objected to, applied and aborted.
mod cases;
mod limits;
mod refusals;
mod runs;
mod solvers;
mod troubles;

use crate::{
    credit::terms,
    lines::hear,
    voting::yes,
    world::{World, did, key, parameters},
};
use icn_model::{
    Action, AgreementAct, AgreementId, ClearingAct, CreditAct, CreditEvent, Digest, Effect, Event, LineId,
    LineMessage, LineRecord, Millis, ProposalSpec, ProposalStatus, Refusal, RoundNumber, RoundPhase, Time,
};
use icn_state::{
    State,
    line::{LineBook, Order, Outcome, Reason, Row},
};

const COOPERATIVES: [&str; 4] = ["A", "B", "C", "D"];
/// Time to join a round, and to object to its plan.
const WINDOWS: [u64; 2] = [20, 30];

/// A line with the books of its ends, and their disks.
struct Link {
    id: LineId,
    names: [&'static str; 2],
    books: [LineBook; 2],
    disks: [Vec<Row>; 2],
}

/// Cooperatives with lines between them, and the log that hears of these.
struct Net {
    world: World,
    links: Vec<Link>,
    references: u64,
}

/// Who proposes a line, its counterparty, and what each may owe.
type Given = (&'static str, &'static str, &'static str, u64, u64);

/// A, B and C in a ring, each of whom may owe the next one 1,000 and be owed as much.
const RING: [Given; 3] = [
    ("A", "B", "EUR.2", 1_000, 1_000),
    ("B", "C", "EUR.2", 1_000, 1_000),
    ("C", "A", "EUR.2", 1_000, 1_000),
];

impl Net {
    fn new(lines: &[Given]) -> Self {
        let mut world = World::new(&COOPERATIVES, parameters());
        world.loads = false;
        let mut net = Self {
            world,
            links: Vec::new(),
            references: 0,
        };
        for given in lines {
            net.link(given);
        }
        net.schedule(None);
        net
    }

    fn link(&mut self, &(a, b, unit, proposer, counterparty): &Given) {
        let mut terms = terms(a, b, &[(unit, proposer, counterparty)]);
        terms.title = format!("credit {}", self.links.len()).parse().unwrap();
        let content = terms.digest();
        let terms = Box::new(terms);
        let operation = self.world.operation(a, Action::ProposeAgreement { terms });
        let agreement = AgreementId::from(operation.id());
        let time = self.world.state.time().after(Millis::new(1));
        self.world.apply(time, vec![operation]).results.remove(0).unwrap();
        let act = Box::new(AgreementAct::Sign { revision: 1, content });
        self.world.act(b, Action::Agreement { agreement, act }).unwrap();
        let unit = unit.parse().unwrap();
        let id = LineId { agreement, unit };
        let names = [a, b];
        let books = names.map(|name| {
            let view = self.world.state.line_view(&id, &did(name)).unwrap();
            LineBook::load(view, [], false).0
        });
        self.links.push(Link {
            id,
            names,
            books,
            disks: [Vec::new(), Vec::new()],
        });
    }

    fn state(&self) -> &State {
        &self.world.state
    }

    /// Has everybody vote for something, and says what came of it.
    fn decide(&mut self, effect: Effect) -> ProposalStatus {
        let process = self.state().process(effect.kind());
        let spec = ProposalSpec {
            text: None,
            effect,
            electorate: process.electorate,
            method: icn_model::Method::YesNo {},
            topic: "general".parse().unwrap(),
            closes: None,
            votes_final: false,
        };
        let choice = yes(&spec.method);
        let proposal = Box::new(spec);
        let operation = self.world.operation("A", Action::Propose { proposal });
        let proposal = operation.id().into();
        let time = self.world.state.time().after(Millis::new(1));
        self.world.apply(time, vec![operation]).results.remove(0).unwrap();
        for name in COOPERATIVES {
            let choice = choice.clone();
            self.world.act(name, Action::Vote { proposal, choice }).unwrap();
        }
        for pause in [21, 0, 11, 0] {
            self.tick(pause);
        }
        let record = self.state().proposal(&proposal);
        record.unwrap().phase.status()
    }

    fn schedule(&mut self, every_secs: Option<u64>) {
        let [join_ms, object_ms] = WINDOWS.map(Millis::from_secs);
        let every_ms = every_secs.map(Millis::from_secs);
        let status = self.decide(Effect::ClearingSchedule {
            every_ms,
            join_ms,
            object_ms,
        });
        assert_eq!(status, ProposalStatus::Executed);
    }

    /// Opens a round by decision.
    fn open(&mut self) -> RoundNumber {
        assert_eq!(self.decide(Effect::OpenClearing {}), ProposalStatus::Executed);
        let (number, _) = self.state().open_round().unwrap();
        number
    }

    /// A block, so many seconds and a moment after the last; books follow.
    fn tick(&mut self, secs: u64) {
        let time = self.state().time().after(Millis::new(secs * 1_000 + 1));
        self.world.apply(time, Vec::new());
        self.follow();
    }

    /// So long that what was due by then is done: the second block's parent is after it.
    fn pass(&mut self, secs: u64) -> Vec<String> {
        self.tick(secs);
        let mut told = self.told();
        self.tick(0);
        told.extend(self.told());
        told
    }

    fn freeze(&mut self) -> Vec<String> {
        self.pass(WINDOWS[0])
    }

    fn finish(&mut self) -> Vec<String> {
        self.pass(WINDOWS[1])
    }

    /// What the last block told of rounds.
    fn told(&self) -> Vec<String> {
        let events = &self.world.last.as_ref().unwrap().events;
        let step = |event: &Event| match event {
            Event::Clearing(event) => Some(event.step.name().to_owned()),
            Event::Credit(CreditEvent { step, .. }) if step.name() == "cleared" => Some("cleared".into()),
            _ => None,
        };
        events.iter().filter_map(step).collect()
    }

    fn phase(&self, round: RoundNumber) -> &'static str {
        self.state().round(&round).unwrap().phase.name()
    }

    fn follow(&mut self) {
        for link in &mut self.links {
            for end in 0..2 {
                let view = self.world.state.line_view(&link.id, &did(link.names[end]));
                let outcome = link.books[end].follow(view.unwrap());
                link.disks[end].extend(outcome.write);
            }
        }
    }

    fn keep(&mut self, link: usize, end: usize, outcome: Outcome) -> Vec<LineMessage> {
        self.links[link].disks[end].extend(outcome.write);
        outcome.send
    }

    fn propose(&mut self, link: usize, end: usize, amount: u64) -> Result<Vec<LineMessage>, Reason> {
        self.references += 1;
        let order = Order {
            amount,
            reference: Digest::of(&self.references.to_be_bytes()),
            memo: None,
        };
        let name = self.links[link].names[end];
        let outcome = self.links[link].books[end].propose(&order, Time::ZERO, &key(name))?;
        Ok(self.keep(link, end, outcome))
    }

    /// What `from` has sent arrives, and all the answers.
    fn exchange(&mut self, link: usize, from: usize, messages: Vec<LineMessage>) {
        let (mut from, mut messages) = (from, messages);
        while !messages.is_empty() {
            let to = 1 - from;
            let mut answers = Vec::new();
            for message in &messages {
                let name = self.links[link].names[to];
                if let Ok(outcome) = hear(&mut self.links[link].books[to], message, &key(name)) {
                    answers.extend(self.keep(link, to, outcome));
                }
            }
            (from, messages) = (to, answers);
        }
    }

    /// One end owes the other more, by the word of both.
    fn owe(&mut self, link: usize, end: usize, amount: u64) {
        let messages = self.propose(link, end, amount).unwrap();
        self.exchange(link, end, messages);
        assert_eq!(self.links[link].books[end].pending().count(), 0);
    }

    fn say(&mut self, link: usize, by: &str, act: CreditAct) -> Result<(), Refusal> {
        let LineId { agreement, unit } = self.links[link].id.clone();
        let act = Box::new(act);
        let result = self.world.act(by, Action::Credit { agreement, unit, act });
        self.follow();
        result
    }

    fn agree(&mut self, link: usize, by: &str, act: AgreementAct) {
        let agreement = self.links[link].id.agreement;
        let act = Box::new(act);
        self.world.act(by, Action::Agreement { agreement, act }).unwrap();
        self.follow();
    }

    fn dispute(&mut self, link: usize, by: &str) {
        let reason = "so it is".into();
        self.say(link, by, CreditAct::Dispute { reason }).unwrap();
    }

    /// Shows the log what both have signed, if it does not know it.
    fn anchor(&mut self, link: usize, end: usize) -> Result<(), Refusal> {
        let heads = self.links[link].books[end].to_anchor();
        if heads.is_empty() {
            return Ok(());
        }
        let name = self.links[link].names[end];
        self.say(link, name, CreditAct::Anchor { heads })
    }

    fn clear(&mut self, by: &str, act: ClearingAct) -> Result<(), Refusal> {
        let result = self.world.act(by, Action::Clearing { act });
        self.follow();
        result
    }

    /// An end joins with a line, if it can.
    fn join(&mut self, link: usize, end: usize) -> Result<(), Reason> {
        let (round, outcome) = self.links[link].books[end].join_round()?;
        self.keep(link, end, outcome);
        let lines = vec![self.links[link].id.clone()];
        let name = self.links[link].names[end];
        let act = ClearingAct::Join { round, lines };
        self.clear(name, act).unwrap();
        Ok(())
    }

    /// Everything is anchored, and both ends join with these lines.
    fn join_with(&mut self, links: &[usize]) {
        for link in links {
            self.anchor(*link, 0).unwrap();
            for end in 0..2 {
                self.join(*link, end).unwrap();
            }
        }
    }

    fn object(&mut self, round: RoundNumber, by: &str) -> Result<(), Refusal> {
        let reason = "not like this".into();
        self.clear(by, ClearingAct::Object { round, reason })
    }

    /// What the first end of each line owes.
    fn positions(&self) -> Vec<i128> {
        let position = |link: &Link| self.state().position(&link.id, &did(link.names[0])).unwrap();
        self.links.iter().map(position).collect()
    }

    /// A owes B, B owes C and C owes A, and maybe more.
    fn ring(amounts: &[u64; 3], more: &[Given]) -> Self {
        let lines: Vec<Given> = RING.iter().chain(more).copied().collect();
        let mut net = Self::new(&lines);
        for (link, amount) in amounts.iter().enumerate() {
            net.owe(link, 0, *amount);
        }
        net
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.check_replay();
        }
    }
}

fn code(result: Result<(), Refusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.code().name, |()| "ok")
}

/// The lines with which somebody has not joined the round that is announced.
pub(crate) fn lines_to_join(state: &State, who: &str) -> Vec<LineId> {
    let (end, open) = (did(who), state.open_round());
    let announced = open.filter(|(_, round)| matches!(round.phase, RoundPhase::Announced { .. }));
    let Some((number, _)) = announced else {
        return Vec::new();
    };
    let is_left = |line: &LineRecord| line.end(&end).is_some_and(|at| line.joined[at] != Some(number));
    let lines = state.lines_of(&end).filter(|(_, line)| is_left(line));
    lines.map(|(id, _)| id).collect()
}

/// Joins the round that is announced with every line that has not joined it; of some, objects to the plan.
pub(crate) fn helpful_action(state: &State, who: &str) -> Option<Action> {
    let lines = lines_to_join(state, who);
    let (round, _) = state.open_round()?;
    let act = if !lines.is_empty() {
        ClearingAct::Join { round, lines }
    } else if round.get().is_multiple_of(3) && state.is_touched(&round, &did(who)) {
        let reason = "so it is".into();
        ClearingAct::Object { round, reason }
    } else {
        return None;
    };
    Some(Action::Clearing { act })
}

/// Something of a round, from a number; much of it is refused.
pub(crate) fn random_action(state: &State, amount: u64) -> Action {
    let open = state.open_round();
    let round = open.map_or(RoundNumber::new(amount % 3), |(round, _)| round);
    let joins = open.is_some_and(|(_, record)| matches!(record.phase, RoundPhase::Announced { .. }));
    let act = if joins || amount.is_multiple_of(7) {
        let lines = state.lines().map(|(id, _)| id);
        let lines = lines.skip(usize::try_from(amount % 5).unwrap()).take(3);
        ClearingAct::Join {
            round,
            lines: lines.collect(),
        }
    } else {
        ClearingAct::Object {
            round,
            reason: ["so it is", ""][usize::try_from(amount % 2).unwrap()].into(),
        }
    };
    Action::Clearing { act }
}
