//! What users decide together: proposals, votes, delegations. The decisions leave mana's rate and the seats as
//! they are, which the oracle takes as given.
use crate::workload::Workload;
use icn_model::{
    Action, Choice, Did, Effect, Electorate, Method, Millis, Name, ParameterName, ProposalId, ProposalSpec,
    ProposalStatus, SecretKey,
};
use rand::RngExt as _;

const TOPICS: [&str; 2] = ["work", "money"];
/// Parameters that are voted on, with the values that they get.
const CHANGES: [(ParameterName, std::ops::Range<u64>); 3] = [
    (ParameterName::JobRetryCount, 1..6),
    (ParameterName::BidWindowMs, 300..900),
    (ParameterName::TimelockMs, 0..6_000),
];

/// Rounds of clearing come this often, and take so long.
const CLEARING_EVERY: Millis = Millis::from_secs(30);
const CLEARING_JOIN: Millis = Millis::from_secs(8);
const CLEARING_OBJECT: Millis = Millis::from_secs(5);

impl Workload {
    /// Somebody proposes, votes, or lets another vote.
    pub(crate) fn govern(&mut self, node: usize) {
        match self.rng.random_range(0..10) {
            0..2 => self.propose(node),
            2 => self.delegate(node),
            3 => self.withdraw(node),
            _ => self.vote(),
        }
    }

    fn topic(&mut self) -> Name {
        let topic = TOPICS[self.rng.random_range(0..TOPICS.len())];
        topic.parse().expect("a word is a name")
    }

    fn propose(&mut self, node: usize) {
        let Some(running) = self.roster.node(node) else {
            return;
        };
        let effect = self.effect(&running);
        let (process, is_text) = running
            .ledger()
            .read(|state| (state.process(effect.kind()), effect == Effect::Text {}));
        let options = || {
            ["oats", "rye", "wheat"]
                .map(|name| name.parse().expect("a word is a name"))
                .to_vec()
        };
        let method = match self.rng.random_range(0..5) {
            0 if is_text => Method::Consent {},
            1 if is_text => Method::Approval { options: options() },
            2 if is_text => Method::Ranked { options: options() },
            3 if is_text => Method::Score {
                options: options(),
                max: 5,
            },
            _ => Method::YesNo {},
        };
        let electorate = match self.rng.random_range(0..3) {
            at @ 0..3 if is_text => Electorate::ALL[at],
            _ => process.electorate,
        };
        let proposal = ProposalSpec {
            text: None,
            effect,
            electorate,
            method,
            topic: self.topic(),
            closes: None,
            votes_final: self.rng.random_bool(0.3),
        };
        self.speak(
            node,
            Action::Propose {
                proposal: Box::new(proposal),
            },
        );
    }

    fn effect(&mut self, running: &icn_protocol::node::Node) -> Effect {
        match self.rng.random_range(0..6) {
            0 => Effect::Budget {
                to: self.dids[self.rng.random_range(0..self.dids.len())],
                amount: self.amount(1..50_000),
            },
            1 | 2 => {
                let (name, values) = CHANGES[self.rng.random_range(0..CHANGES.len())].clone();
                Effect::ChangeParameter {
                    name,
                    value: self.rng.random_range(values),
                }
            }
            3 => {
                let accepted = running.ledger().read(|state| {
                    let mut proposals = state.proposals();
                    let waits = proposals.find(|(_, one)| one.phase.status() == ProposalStatus::Accepted);
                    waits.map(|(id, _)| *id)
                });
                accepted.map_or(Effect::Text {}, |proposal| Effect::Veto { proposal })
            }
            4 => Effect::ClearingSchedule {
                every_ms: Some(CLEARING_EVERY),
                join_ms: CLEARING_JOIN,
                object_ms: CLEARING_OBJECT,
            },
            _ => Effect::Text {},
        }
    }

    /// Most cooperatives, and some of their members, vote on one of the open proposals.
    fn vote(&mut self) {
        let Some((_, running)) = self.roster.running().into_iter().next() else {
            return;
        };
        let open: Vec<(ProposalId, Method)> = running.ledger().read(|state| {
            let open = state
                .proposals()
                .filter(|(_, one)| one.phase.status() == ProposalStatus::Open);
            open.map(|(id, one)| (*id, one.spec.method.clone())).collect()
        });
        if open.is_empty() {
            return;
        }
        let (proposal, method) = open[self.rng.random_range(0..open.len())].clone();
        for node in 0..self.dids.len() {
            if self.rng.random_bool(0.8) {
                let choice = self.choice(&method);
                self.speak(node, Action::Vote { proposal, choice });
            }
            if let Some(member) = self.member(node) {
                let choice = self.choice(&method);
                self.act_for(node, &member, Action::Vote { proposal, choice });
            }
        }
    }

    fn choice(&mut self, method: &Method) -> Choice {
        let any = self.rng.random_range(0..3_u8);
        match (self.rng.random_range(0..10), method) {
            (0, _) => Choice::Abstain {},
            (1 | 2, Method::YesNo {}) => Choice::No {},
            (1, Method::Consent {}) => Choice::Object {
                reason: "it harms us".into(),
            },
            (_, Method::Approval { .. }) => Choice::Approve { options: vec![any] },
            (_, Method::Ranked { .. }) => Choice::Rank {
                options: vec![any, (any + 1) % 3],
            },
            (_, Method::Score { .. }) => Choice::Score {
                points: vec![any, 5, 2],
            },
            _ => Choice::Yes {},
        }
    }

    fn delegate(&mut self, node: usize) {
        let other = self.rng.random_range(0..self.dids.len());
        let (topic, until) = (self.rng.random_bool(0.5), self.rng.random_bool(0.5));
        let topic = topic.then(|| self.topic());
        let until = until.then(|| self.now().after(Millis::from_secs(60)));
        let (from, to): (Option<SecretKey>, Did) = match (self.member(node), self.member(other)) {
            (Some(from), Some(to)) if self.rng.random_bool(0.5) => (Some(from), Did::new(to.public())),
            _ => (None, self.dids[other]),
        };
        let action = if self.rng.random_bool(0.2) {
            Action::Undelegate { topic }
        } else {
            Action::Delegate { to, topic, until }
        };
        match from {
            Some(member) => self.act_for(node, &member, action),
            None => self.speak(node, action),
        };
    }

    /// Withdraws the newest proposal, or tries again what failed.
    fn withdraw(&mut self, node: usize) {
        let Some(running) = self.roster.node(node) else {
            return;
        };
        let failed = running.ledger().read(|state| {
            let mut proposals = state.proposals();
            let failed = proposals.find(|(_, one)| one.phase.status() == ProposalStatus::Failed);
            failed.map(|(id, _)| *id)
        });
        let newest = || {
            running
                .ledger()
                .read(|state| state.proposals().next().map(|(id, _)| *id))
        };
        match (failed, newest()) {
            (Some(proposal), _) => self.speak(node, Action::RetryProposal { proposal }),
            (None, Some(proposal)) => self.speak(node, Action::CancelProposal { proposal }),
            (None, None) => None,
        };
    }
}
