//! A federation under test: one state, its store, its log, and everybody's keys.
use icn_model::{
    Action, Bid, Checkpoint, Cid, Did, Digest, EpochNumber, Event, ExitStatus, Founder, Genesis, Height,
    Invitation, JobId, JobLimits, JobSpec, Mana, Millis, Operation, Outcome, PROTOCOL_VERSION, Parameters,
    Possession, PublicKey, Receipt, Refusal, Requirements, RoleKeys, SeatKind, SecretKey, Sequence, Signed,
    SignedOperation, Time,
};
use icn_state::{BlockContext, BlockOutcome, State};
use std::collections::BTreeMap;

/// When every federation here begins.
pub(crate) const START: Time = Time::new(1_000_000);

/// The key of a name, the same in every test.
pub(crate) fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(Digest::of(name.as_bytes()).as_bytes())
}

pub(crate) fn did(name: &str) -> Did {
    Did::new(key(name).public())
}

/// Small numbers, so that tables can be checked by hand; nothing regenerates unless a test wants it.
pub(crate) fn parameters() -> Parameters {
    Parameters {
        epoch_blocks: 32,
        mana_rate_per_hour: Mana::ZERO,
        mana_capacity: Mana::from_whole(100),
        mana_start: Mana::from_whole(100),
        max_holds: 3,
        job_retry_count: 1,
        award_timeout_ms: Millis::from_secs(5),
        receipt_grace_ms: Millis::from_secs(1),
        bid_window_ms: Millis::new(500),
        challenge_window_ms: Millis::from_secs(10),
        challenge_stake: Mana::from_whole(10),
        challenge_jury: 3,
        standing_cap_per_payer: Mana::from_whole(100),
        proposal_cost: Mana::from_whole(1),
        voting_period_ms: Millis::from_secs(20),
        timelock_ms: Millis::from_secs(10),
        policy_period_ms: Millis::from_secs(60),
        ..Parameters::devnet()
    }
}

pub(crate) fn genesis(names: &[&str], parameters: Parameters) -> Genesis {
    let mut founders: Vec<_> = names
        .iter()
        .map(|name| Founder {
            did: did(name),
            name: name.parse().unwrap(),
            keys: RoleKeys::single(key(name).public()),
        })
        .collect();
    founders.sort_by_key(|founder| founder.did);
    Genesis {
        name: "Test".parse().unwrap(),
        created: START,
        protocol: PROTOCOL_VERSION,
        parameters,
        founders,
        predecessor: None,
    }
}

/// What runs contracts here: see [`crate::contracts`].
pub(crate) fn engine() -> icn_state::Engine {
    std::sync::Arc::new(crate::contracts::Words)
}

pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) genesis: Genesis,
    /// What a node would have on disk, from changes alone.
    pub(crate) store: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) log: Vec<(BlockContext, Vec<SignedOperation>, Digest)>,
    pub(crate) last: Option<BlockOutcome>,
    /// Of all blocks.
    pub(crate) events: Vec<Event>,
    sequences: BTreeMap<PublicKey, u64>,
    /// Loads the state from the store after each block, too: slower.
    pub(crate) loads: bool,
}

impl World {
    pub(crate) fn new(names: &[&str], parameters: Parameters) -> Self {
        Self::of(genesis(names, parameters))
    }

    pub(crate) fn of(genesis: Genesis) -> Self {
        let (state, changes) = State::genesis(&genesis, engine()).unwrap();
        let store = changes
            .0
            .into_iter()
            .map(|change| (change.key, change.value.unwrap()));
        Self {
            state,
            store: store.collect(),
            genesis,
            log: Vec::new(),
            last: None,
            events: Vec::new(),
            sequences: BTreeMap::new(),
            loads: true,
        }
    }

    pub(crate) fn context(&self, time: Time) -> BlockContext {
        BlockContext {
            height: self.state.height().next(),
            time,
            parent_time: self.state.time(),
            parent: Digest::of(&self.state.height().get().to_be_bytes()),
        }
    }

    /// Applies a block, and checks every invariant that holds between blocks.
    pub(crate) fn apply(&mut self, time: Time, operations: Vec<SignedOperation>) -> BlockOutcome {
        let context = self.context(time);
        let outcome = self.state.apply(&context, &operations);
        for change in &outcome.changes.0 {
            match &change.value {
                Some(value) => self.store.insert(change.key.clone(), value.clone()),
                None => self.store.remove(&change.key),
            };
        }
        assert!(
            outcome.changes.0.is_sorted_by(|a, b| a.key < b.key),
            "changes are sorted, each key once"
        );
        assert_eq!(outcome.results.len(), operations.len());
        assert_eq!(outcome.root, self.state.root());
        self.log.push((context, operations, outcome.root));
        self.check_invariants();
        self.events.extend_from_slice(&outcome.events);
        self.last = Some(outcome.clone());
        outcome
    }

    fn check_invariants(&self) {
        // I1, I2.
        self.state.audit().unwrap();
        // I6: what a node stored from changes alone is the state.
        assert!(
            self.state.records().eq(self.store.clone()),
            "changes are complete"
        );
        if self.loads {
            let loaded = State::load(self.store.clone().into_iter(), engine()).unwrap();
            assert_same(&loaded, &self.state);
        }
        // I9.
        let seats = self
            .state
            .seats(self.state.epoch())
            .expect("the current seats are known");
        assert!(seats.iter().any(|seat| seat.kind == SeatKind::Cooperative));
        assert!(seats.is_sorted_by(|a, b| a.key < b.key));
    }

    /// I5: the log alone, from genesis, gives the same roots.
    pub(crate) fn check_replay(&self) {
        let (mut state, _) = State::genesis(&self.genesis, engine()).unwrap();
        for (context, operations, root) in &self.log {
            assert_eq!(state.apply(context, operations).root, *root);
        }
        assert_same(&state, &self.state);
    }

    pub(crate) fn operation(&mut self, author: &str, action: Action) -> SignedOperation {
        self.operation_with(author, author, action)
    }

    /// Signed for `author` with the key of `signer`.
    pub(crate) fn operation_with(&mut self, author: &str, signer: &str, action: Action) -> SignedOperation {
        let key = key(signer);
        let sequence = self.sequences.entry(key.public()).or_insert(0);
        *sequence += 1;
        // Numbers of operations that left no trace are free again, and else would run out of the window.
        let next = self.state.next_sequence(&key.public()).get();
        if *sequence > next + 48 {
            *sequence = next;
        }
        let operation = Operation {
            federation: self.state.federation(),
            author: did(author),
            key: key.public(),
            sequence: Sequence::new(*sequence),
            expires: self.state.time().after(Millis::from_secs(1_800)),
            action,
        };
        SignedOperation::sign(operation, &key)
    }

    /// One operation in a block of its own, a second after the last.
    pub(crate) fn act(&mut self, author: &str, action: Action) -> Result<(), Refusal> {
        let operation = self.operation(author, action);
        let time = self.state.time().after(Millis::from_secs(1));
        self.apply(time, vec![operation]).results.remove(0)
    }

    /// Empty blocks until the first of the next epoch can come, half a second apart.
    pub(crate) fn end_epoch(&mut self) {
        let epoch = self.state.epoch();
        while self.state.epoch() == epoch {
            let time = self.state.time().after(Millis::new(500));
            self.apply(time, Vec::new());
        }
    }

    /// Empty blocks, half a second apart, until the seats of `epoch` are fixed.
    pub(crate) fn fix_seats(&mut self, epoch: EpochNumber) {
        while self.state.seats(epoch).is_none() {
            let time = self.state.time().after(Millis::new(500));
            self.apply(time, Vec::new());
        }
    }

    pub(crate) fn invitation(&self, inviter: &str, kind: SeatKind, nonce: u64) -> Signed<Invitation> {
        let invitation = Invitation {
            federation: self.state.federation(),
            log: self.state.federation_record().log,
            kind,
            inviter: did(inviter),
            key: key(inviter).public(),
            nonce,
            expires: self.state.time().after(Millis::from_secs(3_600)),
            checkpoint: Checkpoint {
                height: Height::ZERO,
                block: Cid::of_dag_cbor(b"block"),
            },
            addresses: Vec::new(),
        };
        Signed::new(invitation, &key(inviter))
    }

    pub(crate) fn join(&self, applicant: &str, invitation: Signed<Invitation>) -> Action {
        Action::Join {
            invitation,
            name: applicant.parse().unwrap(),
            keys: RoleKeys::single(key(applicant).public()),
        }
    }

    /// A job of one second that offers `max` whole mana.
    /// That the key of `holder` is to act for `author`, by that key.
    pub(crate) fn possession(&self, author: &str, holder: &str) -> Signed<Possession> {
        let possession = Possession {
            federation: self.state.federation(),
            did: did(author),
            key: key(holder).public(),
        };
        Signed::new(possession, &key(holder))
    }

    pub(crate) fn spec(&self, max: u64) -> JobSpec {
        JobSpec {
            module: Cid::of_raw(b"module"),
            args: Vec::new(),
            env: BTreeMap::new(),
            stdin: None,
            inputs: BTreeMap::new(),
            limits: JobLimits {
                wall_ms: 1_000,
                ..JobLimits::default()
            },
            require: Requirements::default(),
            replicas: 1,
            max_mana: Mana::from_whole(max),
            deadline: self.state.time().after(Millis::from_secs(60)),
            coordinator: None,
            private: false,
        }
    }

    pub(crate) fn bid(&self, job: JobId, executor: &str, price: u64) -> Bid {
        Bid {
            federation: self.state.federation(),
            job,
            attempt: self.state.job(&job).map_or(0, |job| job.attempt),
            executor: did(executor),
            key: key(executor).public(),
            price: Mana::from_whole(price),
            free_memory_bytes: 1 << 30,
            local_bytes: 0,
            load_per_mille: 0,
            expires: self.state.time().after(Millis::from_secs(60)),
        }
    }

    pub(crate) fn signed_bid(&self, job: JobId, executor: &str, price: u64) -> Signed<Bid> {
        Signed::new(self.bid(job, executor, price), &key(executor))
    }

    pub(crate) fn receipt(&self, job: JobId, executor: &str, outcome: Outcome) -> Receipt {
        let record = self.state.job(&job);
        Receipt {
            federation: self.state.federation(),
            job,
            attempt: record.map_or(0, |job| job.attempt),
            executor: did(executor),
            key: key(executor).public(),
            module: Cid::of_raw(b"module"),
            spec: record.map_or(Digest::ZERO, |job| job.spec),
            outcome,
            peak_memory_bytes: 65_536,
            engine: "test".into(),
            started: Time::ZERO,
            finished: Time::ZERO,
        }
    }
}

/// What a program that prints `text` produced.
pub(crate) fn outcome(text: &str, exit: ExitStatus) -> Outcome {
    Outcome {
        exit,
        stdout: Cid::of_raw(text.as_bytes()),
        stderr: Cid::of_raw(b""),
        files: BTreeMap::new(),
        fuel: 1_000,
    }
}

pub(crate) fn assert_same(a: &State, b: &State) {
    assert_eq!((a.height(), a.time(), a.root()), (b.height(), b.time(), b.root()));
    assert_eq!(a.checkpoint(), b.checkpoint());
    assert!(a.records().eq(b.records()));
}

/// The key's signature in the domain of receipts, for receipts that are signed by somebody else.
pub(crate) fn forged<T: icn_model::Signable>(content: T, signer: &str) -> Signed<T> {
    let bytes = icn_model::canonical::to_bytes(&content);
    let signature = key(signer).sign(T::DOMAIN, &bytes);
    Signed { content, signature }
}
