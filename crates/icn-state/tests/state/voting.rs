//! What scripts say of proposals.
//!
//! ```text
//! t=1  propose P by=A effect=parameter:max_holds:9                 -> ok  | P open
//! t=1  propose Q by=A effect=text method=ranked options=x,y,z      -> ok
//! t=2  vote P by=B choice=yes                                      -> ok
//! t=2  vote Q by=B choice=2,0                                      -> ok
//! t=3  delegate C by=B topic=money until=60                        -> ok
//! ```
//!
//! Effects: `text`, `parameter:NAME:VALUE`, `process:KIND:WORDS` (see [`process`]), `admit:NAME`,
//! `admit-witness:NAME`, `suspend:NAME:SECONDS`, `remove:NAME`, `install:SLOT:CONTRACT`, `replace:SLOT:CONTRACT`,
//! `clear:SLOT`, `budget:NAME:AMOUNT`, `clearing:SECONDS:JOIN:OBJECT`, `open-clearing`, `upgrade:VERSION:EPOCH`, `veto:PROPOSAL`. A contract
//! is the text of [`crate::contracts`], with `_` for spaces and `+` for semicolons.
use crate::{
    script::{Line, Script, mana, seconds_of},
    world::{START, did},
};
use icn_model::{
    Action, Choice, Cid, ClearingWindows, Digest, Effect, Electorate, EpochNumber, Mana, Method, Millis,
    Name, ParameterName, PolicySlot, Process, ProposalId, ProposalKind, ProposalSpec, Share, Threshold,
};
use icn_state::State;

/// The text of a contract as scripts write it.
pub(crate) fn source(text: &str) -> String {
    text.replace('_', " ").replace('+', ";")
}

fn contract(text: &str) -> Cid {
    Cid::of_raw(source(text).as_bytes())
}

impl Script {
    pub(crate) fn governance(&mut self, line: &Line<'_>) -> Action {
        match line.word(0) {
            "propose" => Action::Propose {
                proposal: Box::new(self.proposal(line)),
            },
            "vote" => Action::Vote {
                proposal: self.named(line.word(1)),
                choice: self.choice(line),
            },
            "approve" => Action::Vote {
                proposal: self.named(line.word(1)),
                choice: Choice::Yes {},
            },
            "sponsor" => Action::Sponsor {
                proposal: self.named(line.word(1)),
            },
            "withdraw" => Action::CancelProposal {
                proposal: self.named(line.word(1)),
            },
            "retry" => Action::RetryProposal {
                proposal: self.named(line.word(1)),
            },
            "delegate" => Action::Delegate {
                to: did(line.word(1)),
                topic: line.get("topic").map(|topic| topic.parse().unwrap()),
                until: line.get("until").map(|until| START.after(seconds_of(until))),
            },
            "undelegate" => Action::Undelegate {
                topic: line.get("topic").map(|topic| topic.parse().unwrap()),
            },
            "publish" => Action::PublishContract {
                source: source(line.word(1)),
            },
            "announce" => Action::Announce {
                protocol: line.word(1).parse().unwrap(),
            },
            verb => panic!("unknown verb {verb}"),
        }
    }

    /// A proposal by its name in the script, or that to admit an applicant; else one that there is not.
    pub(crate) fn named(&self, name: &str) -> ProposalId {
        let known = self.proposals.get(name);
        known.copied().unwrap_or(ProposalId::new(Digest::ZERO))
    }

    fn proposal(&self, line: &Line<'_>) -> ProposalSpec {
        let effect = self.effect(line.get("effect").unwrap_or("text"));
        let process = self.world.state.process(effect.kind());
        let options = || {
            line.list("options")
                .map(|name| name.parse().unwrap())
                .collect::<Vec<Name>>()
        };
        let method = match line.get("method").unwrap_or(process.method.name()) {
            "yes-no" => Method::YesNo {},
            "consent" => Method::Consent {},
            "approval" => Method::Approval { options: options() },
            "ranked" => Method::Ranked { options: options() },
            "score" => Method::Score {
                options: options(),
                max: line.get("max").map_or(5, |max| max.parse().unwrap()),
            },
            method => panic!("no method {method}"),
        };
        ProposalSpec {
            text: Some(Cid::of_raw(b"# Why")),
            effect,
            electorate: line
                .get("electorate")
                .map_or(process.electorate, |electorate| electorate.parse().unwrap()),
            method,
            topic: line.get("topic").unwrap_or("general").parse().unwrap(),
            closes: line.get("closes").map(|closes| START.after(seconds_of(closes))),
            votes_final: line.get("final").is_some(),
        }
    }

    pub(crate) fn effect(&self, text: &str) -> Effect {
        let parts: Vec<&str> = text.splitn(3, ':').collect();
        match parts[..] {
            ["text"] => Effect::Text {},
            ["parameter", name, value] => Effect::ChangeParameter {
                name: name.parse().unwrap(),
                value: value.parse().unwrap(),
            },
            ["process", kind, words] => {
                let kind: ProposalKind = kind.parse().unwrap();
                Effect::SetProcess {
                    kind,
                    process: process(self.world.state.process(kind), words),
                }
            }
            ["admit", name] => Effect::Admit { applicant: did(name) },
            ["admit-witness", name] => Effect::AdmitWitness { applicant: did(name) },
            ["suspend", name, span] => Effect::Suspend {
                cooperative: did(name),
                span_ms: seconds_of(span),
            },
            ["remove", name] => Effect::Remove { seat: did(name) },
            ["install", slot, text] => Effect::InstallPolicy {
                slot: slot.parse().unwrap(),
                contract: contract(text),
            },
            ["replace", slot, text] => Effect::ReplacePolicy {
                slot: slot.parse().unwrap(),
                contract: contract(text),
            },
            ["clear", slot] => Effect::RemovePolicy {
                slot: slot.parse().unwrap(),
            },
            ["budget", name, amount] => Effect::Budget {
                to: did(name),
                amount: mana(amount),
            },
            ["clearing", "never"] => {
                let windows = ClearingWindows::default();
                Effect::ClearingSchedule {
                    every_ms: None,
                    join_ms: windows.join_ms,
                    object_ms: windows.object_ms,
                }
            }
            ["clearing", span, windows] => {
                let (join, object) = windows.split_once(':').unwrap();
                Effect::ClearingSchedule {
                    every_ms: (span != "never").then(|| seconds_of(span)),
                    join_ms: seconds_of(join),
                    object_ms: seconds_of(object),
                }
            }
            ["open-clearing"] => Effect::OpenClearing {},
            ["upgrade", version, epoch] => Effect::Upgrade {
                version: version.parse().unwrap(),
                epoch: EpochNumber::new(epoch.parse().unwrap()),
            },
            ["veto", name] => Effect::Veto {
                proposal: self.named(name),
            },
            _ => panic!("no effect {text}"),
        }
    }

    fn choice(&self, line: &Line<'_>) -> Choice {
        let text = line.get("choice").unwrap();
        let numbers = || text.split(',').map(|one| one.parse().unwrap()).collect();
        let proposal = self.world.state.proposal(&self.named(line.word(1)));
        match (text, proposal.map(|proposal| &proposal.spec.method)) {
            ("yes", _) => Choice::Yes {},
            ("no", _) => Choice::No {},
            ("abstain", _) => Choice::Abstain {},
            ("object", _) => Choice::Object {
                reason: "it harms us".into(),
            },
            (_, Some(Method::Approval { .. })) => Choice::Approve { options: numbers() },
            (_, Some(Method::Score { .. })) => Choice::Score { points: numbers() },
            _ => Choice::Rank { options: numbers() },
        }
    }
}

/// A process with some of its parts otherwise: `quorum=1/3,threshold=>2/3,threshold=1/1,method=consent,
/// electorate=both,rejection=1/4,sponsors=1,timelock=5,duration=9,final=yes`, of which a script writes `~` for
/// the equals sign.
fn process(mut process: Process, words: &str) -> Process {
    for word in words.split(',').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('~').unwrap();
        let share = |text: &str| -> Share { text.parse().unwrap() };
        match name {
            "quorum" => process.quorum = share(value),
            "threshold" => {
                process.threshold = match value.strip_prefix('>') {
                    Some(value) => Threshold::MoreThan(share(value)),
                    None => Threshold::AtLeast(share(value)),
                }
            }
            "rejection" => process.rejection_quorum = Some(share(value)),
            "method" => process.method = value.parse().unwrap(),
            "electorate" => process.electorate = value.parse().unwrap(),
            "sponsors" => process.sponsors = value.parse().unwrap(),
            "timelock" => process.timelock_ms = seconds_of(value),
            "duration" => process.duration_ms = seconds_of(value),
            "final" => process.votes_final = value == "yes",
            _ => panic!("no part {name}"),
        }
    }
    process
}

/// A vote for what is proposed, or for the first option.
pub(crate) fn yes(method: &Method) -> Choice {
    match method {
        Method::YesNo {} | Method::Consent {} => Choice::Yes {},
        Method::Approval { .. } => Choice::Approve { options: vec![0] },
        Method::Ranked { .. } => Choice::Rank { options: vec![0, 1] },
        Method::Score { options, max } => Choice::Score {
            points: vec![*max; options.len()],
        },
    }
}

const CONTRACT: &str =
    "contract c; mana-rate earned; mana-capacity double; vote-weight 2; price-ceiling fails";

/// Something in governance, from numbers; much of it is refused.
pub(crate) fn random_action(state: &State, whom: &str, which: u8, amount: u64) -> Action {
    let number = usize::try_from(amount).unwrap();
    let last = state.proposals().nth(usize::from(which) % 6);
    let (proposal, method) = last.map_or((ProposalId::new(Digest::ZERO), Method::YesNo {}), |(id, one)| {
        (*id, one.spec.method.clone())
    });
    match which % 12 {
        0..4 => Action::Propose {
            proposal: Box::new(random_proposal(state, whom, proposal, amount)),
        },
        4..7 => Action::Vote {
            proposal,
            choice: match (amount % 4, &method) {
                (0, _) => Choice::Abstain {},
                (1, Method::YesNo {}) => Choice::No {},
                (1, Method::Consent {}) => Choice::Object { reason: "no".into() },
                _ => yes(&method),
            },
        },
        7 => Action::Delegate {
            to: did(whom),
            topic: amount.is_multiple_of(2).then(|| "general".parse().unwrap()),
            until: amount
                .is_multiple_of(3)
                .then(|| state.time().after(Millis::new(amount))),
        },
        8 => Action::Undelegate {
            topic: amount.is_multiple_of(2).then(|| "general".parse().unwrap()),
        },
        9 => match amount % 3 {
            0 => Action::CancelProposal { proposal },
            1 => Action::RetryProposal { proposal },
            _ => Action::Sponsor { proposal },
        },
        10 => Action::PublishContract {
            source: [CONTRACT, "contract d; vote-eligibility yes", "none"][number % 3].into(),
        },
        _ => Action::Announce {
            protocol: u32::try_from(amount % 4).unwrap(),
        },
    }
}

fn random_proposal(state: &State, whom: &str, proposal: ProposalId, amount: u64) -> ProposalSpec {
    let (whom, contract) = (did(whom), Cid::of_raw(CONTRACT.as_bytes()));
    let number = usize::try_from(amount).unwrap();
    let slot = PolicySlot::ALL[number % PolicySlot::ALL.len()];
    let name = ParameterName::ALL[number % ParameterName::ALL.len()];
    let effects = [
        Effect::Text {},
        Effect::Budget {
            to: whom,
            amount: Mana::from_milli(amount),
        },
        Effect::ChangeParameter {
            name,
            value: state.parameters().get(name) + 1,
        },
        if amount.is_multiple_of(40) {
            Effect::Suspend {
                cooperative: whom,
                span_ms: Millis::new(amount),
            }
        } else {
            Effect::Text {}
        },
        Effect::InstallPolicy { slot, contract },
        Effect::RemovePolicy { slot },
        Effect::Veto { proposal },
        Effect::Upgrade {
            version: 2,
            epoch: state.epoch().next(),
        },
        Effect::ClearingSchedule {
            every_ms: Some(Millis::from_secs(40)),
            join_ms: Millis::from_secs(10),
            object_ms: Millis::from_secs(30),
        },
        Effect::OpenClearing {},
        Effect::SetProcess {
            kind: ProposalKind::Budget,
            process: Process {
                electorate: Electorate::ALL[number % 3],
                ..state.process(ProposalKind::Budget)
            },
        },
    ];
    let effect = effects[number / 7 % effects.len()];
    let process = state.process(effect.kind());
    let is_text = effect == (Effect::Text {});
    let options = || ["x", "y", "z"].map(|name| name.parse().unwrap()).to_vec();
    ProposalSpec {
        text: None,
        effect,
        electorate: if is_text {
            Electorate::ALL[number % 3]
        } else {
            process.electorate
        },
        method: match amount % 5 {
            1 if is_text => Method::Consent {},
            2 if is_text => Method::Approval { options: options() },
            3 if is_text => Method::Ranked { options: options() },
            4 if is_text => Method::Score {
                options: options(),
                max: 3,
            },
            _ => Method::YesNo {},
        },
        topic: "general".parse().unwrap(),
        closes: None,
        votes_final: amount.is_multiple_of(6),
    }
}
