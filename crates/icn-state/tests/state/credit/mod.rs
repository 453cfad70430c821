//! Lines of credit on the log: what is anchored, refused, void, frozen and disputed, and what agreements do to them.
mod heads;
mod phases;
mod windows;

use crate::world::{World, did, key, parameters};
use icn_model::{
    Acceptance, Action, AgreementAct, AgreementId, AgreementKind, CoSigned, CreditAct, CreditEvent,
    CreditStep, Digest, DisputeRule, Event, Head, LineId, LineRecord, LineTerms, Millis, Party, PartyRole,
    Refusal, Release, Released, RoleKeys, Signed, Terms, Time, Transfer,
};
use icn_state::State;
use std::collections::BTreeMap;

const SECOND: Millis = Millis::from_secs(1);
const DAY: u64 = 24 * 3_600;

pub(crate) fn terms(a: &str, b: &str, lines: &[(&str, u64, u64)]) -> Terms {
    let party = |name, role| Party { did: did(name), role };
    Terms {
        kind: AgreementKind::Credit,
        title: "credit".parse().unwrap(),
        parties: vec![party(a, PartyRole::Proposer), party(b, PartyRole::Counterparty)],
        effective: None,
        expires: None,
        renews_by_ms: None,
        notice_ms: Millis::from_secs(30),
        contest_ms: Millis::from_secs(60),
        disputes: DisputeRule::Negotiation {},
        lines: lines
            .iter()
            .map(|(unit, proposer_limit, counterparty_limit)| LineTerms {
                unit: unit.parse().unwrap(),
                proposer_limit: *proposer_limit,
                counterparty_limit: *counterparty_limit,
            })
            .collect(),
        rates: Vec::new(),
        text: None,
    }
}

/// Both signatures over a transfer.
pub(crate) fn co_sign(transfer: Transfer, debtor: &str, creditor: &str) -> CoSigned {
    let acceptance = Acceptance {
        transfer: transfer.hash(),
        key: key(creditor).public(),
    };
    CoSigned {
        transfer: Signed::new(transfer, &key(debtor)),
        acceptance: Signed::new(acceptance, &key(creditor)),
    }
}

/// A and B give each other credit: A may owe 1,000 cents and B 500; and ten hours each.
struct Credit {
    world: World,
    id: AgreementId,
    /// Where the chains in cents stand between the two.
    heads: BTreeMap<&'static str, Head>,
}

const LINES: [(&str, u64, u64); 2] = [("EUR.2", 1_000, 500), ("HOUR.0", 10, 10)];

impl Credit {
    fn new() -> Self {
        let mut world = World::new(&["A", "B", "C"], parameters());
        let action = Action::ProposeAgreement {
            terms: Box::new(terms("A", "B", &LINES)),
        };
        let operation = world.operation("A", action);
        let time = world.state.time().after(SECOND);
        let id = AgreementId::from(operation.id());
        world.apply(time, vec![operation]).results.remove(0).unwrap();
        let mut credit = Self {
            world,
            id,
            heads: BTreeMap::new(),
        };
        assert_eq!(
            credit.world.state.lines().count(),
            0,
            "not before both have signed"
        );
        credit.sign_terms("B").unwrap();
        for name in ["A", "B"] {
            let head = Head::origin(&credit.world.state.federation(), &credit.eur(), &did(name));
            credit.heads.insert(name, head);
        }
        credit
    }

    fn eur(&self) -> LineId {
        LineId {
            agreement: self.id,
            unit: "EUR.2".parse().unwrap(),
        }
    }

    fn line(&self) -> &LineRecord {
        self.world.state.line(&self.eur()).unwrap()
    }

    fn sign_terms(&mut self, by: &str) -> Result<(), Refusal> {
        let record = self.world.state.agreement(&self.id).unwrap();
        let offer = record.offer.as_ref().unwrap();
        let act = AgreementAct::Sign {
            revision: offer.revision,
            content: offer.terms.digest(),
        };
        self.agree(by, act)
    }

    fn agree(&mut self, by: &str, act: AgreementAct) -> Result<(), Refusal> {
        let agreement = self.id;
        let act = Box::new(act);
        self.world.act(by, Action::Agreement { agreement, act })
    }

    /// New terms that both sign.
    fn renew(&mut self, lines: &[(&str, u64, u64)]) {
        let revision = self.world.state.agreement(&self.id).unwrap().revisions + 1;
        let mut terms = terms("A", "B", lines);
        terms.title = format!("credit {revision}").parse().unwrap();
        self.agree("A", AgreementAct::Offer { revision, terms }).unwrap();
        self.sign_terms("B").unwrap();
    }

    fn say(&mut self, by: &str, act: CreditAct) -> Result<(), Refusal> {
        let action = act_of(&self.eur(), act);
        self.world.act(by, action)
    }

    fn anchor(&mut self, by: &str, heads: &[&CoSigned]) -> Result<(), Refusal> {
        let heads = heads.iter().copied().cloned().collect();
        self.say(by, CreditAct::Anchor { heads })
    }

    /// The next transfer of a chain, as an honest debtor makes it.
    fn draft(&self, debtor: &'static str, amount: u64) -> Transfer {
        let (own, other) = (self.heads[debtor], self.heads[other(debtor)]);
        Transfer {
            federation: self.world.state.federation(),
            line: self.eur(),
            debtor: did(debtor),
            number: own.number + 1,
            previous: own.hash,
            amount,
            owed: own.owed + amount,
            seen: other,
            reference: Digest::of(&own.number.to_be_bytes()),
            memo: None,
            made: Time::ZERO,
            key: key(debtor).public(),
        }
    }

    /// The same, signed by both.
    fn transfer(&mut self, debtor: &'static str, amount: u64) -> CoSigned {
        let signed = co_sign(self.draft(debtor, amount), debtor, other(debtor));
        self.heads.insert(debtor, signed.head());
        signed
    }

    fn events(&self) -> Vec<&'static str> {
        let events = &self.world.last.as_ref().unwrap().events;
        let step = |event: &Event| match event {
            Event::Credit(CreditEvent { step, .. }) => Some(step.name()),
            _ => None,
        };
        events.iter().filter_map(step).collect()
    }

    /// Two blocks: the second one's parent, from whose time deadlines are judged, is after the pause.
    fn pass(&mut self, secs: u64) -> Vec<&'static str> {
        let time = self.world.state.time().after(Millis::from_secs(secs));
        self.world.apply(time, Vec::new());
        let mut events = self.events();
        self.world.apply(time.after(Millis::new(1)), Vec::new());
        events.extend(self.events());
        events
    }

    /// So many seconds, in steps that are no pause of the log.
    fn live(&mut self, secs: u64) -> Vec<&'static str> {
        (0..secs.div_ceil(600)).flat_map(|_| self.pass(600)).collect()
    }

    fn void(&mut self, by: &str, through: u64, release: Option<Released>) -> Result<(), Refusal> {
        self.say(by, CreditAct::Void { through, release })
    }

    fn release(&self, debtor: &'static str, transfer: &Transfer) -> Signed<Release> {
        let content = Release {
            federation: transfer.federation,
            line: transfer.line.clone(),
            debtor: transfer.debtor,
            after: self.heads[debtor],
            transfer: transfer.hash(),
            key: key(other(debtor)).public(),
        };
        Signed::new(content, &key(other(debtor)))
    }

    fn position(&self) -> i128 {
        self.world.state.position(&self.eur(), &did("A")).unwrap()
    }

    fn rotate_line_key(&mut self, author: &str, holder: &str) {
        let keys = RoleKeys {
            line: key(holder).public(),
            ..self.world.state.seat_record(&did(author)).unwrap().keys.clone()
        };
        let action = Action::RotateKeys {
            keys: Box::new(keys),
            possession: None,
        };
        self.world.act(author, action).unwrap();
    }
}

impl Drop for Credit {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.world.check_replay();
        }
    }
}

fn act_of(line: &LineId, act: CreditAct) -> Action {
    Action::Credit {
        agreement: line.agreement,
        unit: line.unit.clone(),
        act: Box::new(act),
    }
}

fn other(end: &str) -> &'static str {
    match end {
        "A" => "B",
        _ => "A",
    }
}

fn code(result: Result<(), Refusal>) -> &'static str {
    result.map_or_else(|refusal| refusal.code().name, |()| "ok")
}

/// Something of a line, from numbers; much of it is refused.
pub(crate) fn random_action(state: &State, names: &[&str], who: &str, which: u8, amount: u64) -> Action {
    let author = did(who);
    let mut own = state.lines_of(&author);
    let Some((id, line)) = own.nth(usize::from(which) % 3) else {
        let whom = names[usize::from(which) % names.len()];
        let terms = terms(who, whom, &LINES);
        return Action::ProposeAgreement {
            terms: Box::new(terms),
        };
    };
    let end = usize::from(which / 3) % 2;
    let name = |end: usize| {
        names
            .iter()
            .find(|name| did(name) == line.ends[end])
            .unwrap_or(&"m")
    };
    let draft = |end: usize, seen: Head| {
        let head = line.chains[end].head;
        let gap = 1 + amount % 5;
        let amount = 1 + amount % 400;
        Transfer {
            federation: state.federation(),
            line: id.clone(),
            debtor: line.ends[end],
            number: head.number + gap,
            previous: head.hash,
            amount,
            owed: head.owed + amount,
            seen,
            reference: Digest::ZERO,
            memo: None,
            made: Time::ZERO,
            key: key(name(end)).public(),
        }
    };
    let [first, second] = [end, 1 - end];
    let act = match which % 12 {
        0 => CreditAct::Void {
            through: line.chains[end].head.number + amount % 4,
            release: None,
        },
        1 | 2 if line.disputes.iter().any(|dispute| dispute.by == author) => CreditAct::Withdraw {},
        1 | 2 => CreditAct::Dispute {
            reason: "so it is".into(),
        },
        3 => CreditAct::Withdraw {},
        4 if amount.is_multiple_of(3) => {
            let one = draft(end, line.chains[1 - end].head);
            let two = Transfer {
                made: Time::new(1),
                ..one.clone()
            };
            CreditAct::ProveEquivocation {
                first: Signed::new(one, &key(name(end))),
                second: Signed::new(two, &key(name(end))),
            }
        }
        _ => {
            let one = draft(first, line.chains[second].head);
            let one = co_sign(one, name(first), name(second));
            let two = draft(second, one.head());
            let two = co_sign(two, name(second), name(first));
            let heads = if amount.is_multiple_of(2) {
                vec![one]
            } else {
                vec![two, one]
            };
            CreditAct::Anchor { heads }
        }
    };
    act_of(&id, act)
}

/// That what happened on a line is told of, too.
pub(crate) fn step_name(event: &CreditEvent) -> String {
    match &event.step {
        CreditStep::Changed { phase, .. } => format!("Credit {}", phase.name()),
        step => format!("Credit {}", step.name()),
    }
}
