//! A federation of three cooperatives whose log runs contracts.
use icn_model::{
    Action, Choice, Cid, Did, Digest, Effect, Electorate, Event, Founder, Genesis, Mana, Method, Millis,
    Operation, PROTOCOL_VERSION, Parameters, ProposalId, ProposalPhase, ProposalSpec, Refusal, RoleKeys,
    SecretKey, Sequence, SignedOperation, Time,
};
use icn_state::{BlockContext, BlockOutcome, Policies, State};
use std::{collections::BTreeMap, sync::Arc};

pub(crate) const NAMES: [&str; 3] = ["Bakery", "Farm", "Press"];
const SECOND: Millis = Millis::from_secs(1);

fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(Digest::of(name.as_bytes()).as_bytes())
}

pub(crate) fn did(name: &str) -> Did {
    Did::new(key(name).public())
}

pub(crate) struct World {
    pub(crate) state: State,
    /// Everything that happened.
    pub(crate) events: Vec<Event>,
    pub(crate) roots: Vec<Digest>,
    store: BTreeMap<Vec<u8>, Vec<u8>>,
    sequences: BTreeMap<String, u64>,
}

impl World {
    /// A mana a second regenerates, up to ten thousand; policies are asked every hundred seconds.
    pub(crate) fn new(engine: Arc<dyn Policies>) -> Self {
        let mut founders: Vec<_> = NAMES
            .iter()
            .map(|name| Founder {
                did: did(name),
                name: name.parse().unwrap(),
                keys: RoleKeys::single(key(name).public()),
            })
            .collect();
        founders.sort_by_key(|founder| founder.did);
        let genesis = Genesis {
            name: "Test".parse().unwrap(),
            created: Time::new(1_000_000),
            protocol: PROTOCOL_VERSION,
            parameters: Parameters {
                mana_rate_per_hour: Mana::from_whole(3_600),
                mana_capacity: Mana::from_whole(10_000),
                mana_start: Mana::from_whole(1_000),
                policy_period_ms: Millis::from_secs(100),
                voting_period_ms: Millis::from_secs(5),
                timelock_ms: SECOND,
                ..Parameters::devnet()
            },
            founders,
            predecessor: None,
        };
        let (state, changes) = State::genesis(&genesis, engine).unwrap();
        let store = changes.0.into_iter();
        Self {
            state,
            events: Vec::new(),
            roots: Vec::new(),
            store: store.map(|change| (change.key, change.value.unwrap())).collect(),
            sequences: BTreeMap::new(),
        }
    }

    /// Goes on with what a node has on disk, under another engine.
    pub(crate) fn reload(&mut self, engine: Arc<dyn Policies>) {
        self.state = State::load(self.store.clone().into_iter(), engine).unwrap();
    }

    pub(crate) fn block(&mut self, after: Millis, operations: &[SignedOperation]) -> BlockOutcome {
        let context = BlockContext {
            height: self.state.height().next(),
            time: self.state.time().after(after),
            parent_time: self.state.time(),
            parent: Digest::of(&self.state.height().get().to_be_bytes()),
        };
        let outcome = self.state.apply(&context, operations);
        for change in &outcome.changes.0 {
            match &change.value {
                Some(value) => self.store.insert(change.key.clone(), value.clone()),
                None => self.store.remove(&change.key),
            };
        }
        self.state.audit().unwrap();
        self.events.extend(outcome.events.iter().cloned());
        self.roots.push(outcome.root);
        outcome
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.block(SECOND, &[]);
        }
    }

    /// One operation in a block of its own, a second after the last.
    pub(crate) fn act(&mut self, author: &str, action: Action) -> Result<ProposalId, Refusal> {
        let sequence = self.sequences.entry(author.to_owned()).or_insert(0);
        *sequence += 1;
        let operation = Operation {
            federation: self.state.federation(),
            author: did(author),
            key: key(author).public(),
            sequence: Sequence::new(*sequence),
            expires: self.state.time().after(Millis::from_secs(1_800)),
            action,
        };
        let signed = SignedOperation::sign(operation, &key(author));
        let id = signed.id().into();
        self.block(SECOND, &[signed]).results.remove(0).map(|()| id)
    }

    pub(crate) fn publish(&mut self, source: &str) -> Result<Cid, Refusal> {
        let source = source.to_owned();
        let cid = Cid::of_raw(source.as_bytes());
        self.act("Bakery", Action::PublishContract { source })
            .map(|_| cid)
    }

    pub(crate) fn propose(&mut self, effect: Effect) -> Result<ProposalId, Refusal> {
        let proposal = ProposalSpec {
            text: None,
            effect,
            electorate: Electorate::Cooperatives,
            method: Method::YesNo {},
            topic: "rules".parse().unwrap(),
            closes: None,
            votes_final: false,
        };
        let proposal = Box::new(proposal);
        self.act("Bakery", Action::Propose { proposal })
    }

    pub(crate) fn vote(&mut self, voter: &str, proposal: ProposalId, choice: Choice) -> Result<(), Refusal> {
        self.act(voter, Action::Vote { proposal, choice }).map(|_| ())
    }

    /// Proposes, and two of three are for it; gives the proposal as it stands after its timelock.
    pub(crate) fn decide(&mut self, effect: Effect) -> ProposalPhase {
        let id = self.propose(effect).unwrap();
        self.vote("Farm", id, Choice::Yes {}).unwrap();
        self.vote("Press", id, Choice::Yes {}).unwrap();
        self.wait(10);
        self.state.proposal(&id).unwrap().phase.clone()
    }
}
