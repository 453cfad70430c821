//! One value of every kind that is signed, hashed or stored, the same in every run.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, and says where"
)]

mod agreements;
mod clearing;
mod credit;
mod events;
mod governance;
mod records;

pub(crate) use credit::{acceptance, co_signed, release, transfer};
use icn_model::{
    Action, Bid, Block, BlockHeader, Checkpoint, Cid, Did, Digest, EpochNumber, Exclusion, ExclusionReason,
    ExitStatus, Founder, Genesis, Height, Invitation, JobId, JobLimits, JobSpec, Mana, NamedRoot, Operation,
    Outcome, PROTOCOL_VERSION, Parameters, Possession, Predecessor, Receipt, Requirements, RoleKeys,
    SeatKind, SecretKey, Sequence, Signed, SignedOperation, Time, Verdict,
    canonical::{self, DecodeError},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeSet, sync::OnceLock};

/// A value as its bytes, with what decodes bytes of its type and encodes them again, and the same by JSON.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) recode: fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
    pub(crate) through_json: fn(&[u8]) -> Vec<u8>,
}

pub(crate) const MAX: usize = 4 << 20;

pub(crate) fn sample<T: Serialize + DeserializeOwned>(name: &str, value: &T) -> Sample {
    Sample {
        name: name.into(),
        kind: core::any::type_name::<T>(),
        bytes: canonical::to_bytes(value),
        recode: |bytes| canonical::from_bytes::<T>(bytes, MAX).map(|value| canonical::to_bytes(&value)),
        through_json: |bytes| {
            let value: T = canonical::from_bytes(bytes, MAX).unwrap();
            let text = serde_json::to_string(&value).unwrap();
            let read: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            canonical::to_bytes(&read)
        },
    }
}

pub(crate) fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

pub(crate) fn did(number: u8) -> Did {
    Did::new(key(number).public())
}

pub(crate) fn cid(text: &str) -> Cid {
    Cid::of_dag_cbor(text.as_bytes())
}

pub(crate) fn job_id() -> JobId {
    JobId::new(Digest::of(b"job"))
}

pub(crate) fn time(ms: u64) -> Time {
    Time::new(1_700_000_000_000 + ms)
}

pub(crate) fn federation() -> Cid {
    cid("federation")
}

pub(crate) fn spec() -> JobSpec {
    JobSpec {
        module: Cid::of_raw(b"module"),
        args: vec!["--fast".into(), String::new(), "größe".into()],
        env: [("LANG".into(), "C".into()), ("A".into(), String::new())].into(),
        stdin: Some(Cid::of_raw(b"input")),
        inputs: [("data/in.csv".into(), cid("data"))].into(),
        limits: JobLimits::default(),
        require: Requirements {
            min_reputation: 300,
            cooperatives: vec![did(2), did(3)],
        },
        replicas: 3,
        max_mana: Mana::from_milli(12_345),
        deadline: time(60_000),
        coordinator: Some(did(4)),
        private: true,
    }
}

pub(crate) fn bid() -> Bid {
    Bid {
        federation: federation(),
        job: job_id(),
        attempt: 1,
        executor: did(2),
        key: key(2).public(),
        price: Mana::from_milli(7),
        free_memory_bytes: 1 << 33,
        local_bytes: 4_096,
        load_per_mille: 250,
        expires: time(5_000),
    }
}

pub(crate) fn exits() -> Vec<ExitStatus> {
    vec![
        ExitStatus::Code(0),
        ExitStatus::Code(-1),
        ExitStatus::Trap("unreachable".into()),
        ExitStatus::OutOfFuel,
        ExitStatus::OutOfMemory,
        ExitStatus::OutputLimit,
        ExitStatus::InvalidModule("imports sock_open".into()),
        ExitStatus::WallClock,
        ExitStatus::InputMissing(Cid::of_raw(b"gone")),
        ExitStatus::HostFailure("disk full".into()),
    ]
}

pub(crate) fn outcome(exit: ExitStatus) -> Outcome {
    Outcome {
        exit,
        stdout: Cid::of_raw(b"out"),
        stderr: Cid::of_raw(b""),
        files: [("out.bin".into(), cid("out"))].into(),
        fuel: 123_456_789,
    }
}

pub(crate) fn receipt() -> Receipt {
    Receipt {
        federation: federation(),
        job: job_id(),
        attempt: 0,
        executor: did(2),
        key: key(2).public(),
        module: Cid::of_raw(b"module"),
        spec: Digest::of(b"spec"),
        outcome: outcome(ExitStatus::Code(0)),
        peak_memory_bytes: 65_536,
        engine: "engine 1".into(),
        started: time(1),
        finished: time(2),
    }
}

pub(crate) fn checkpoint() -> Checkpoint {
    Checkpoint {
        height: Height::new(99),
        block: cid("block"),
    }
}

pub(crate) fn invitation() -> Invitation {
    Invitation {
        federation: federation(),
        log: cid("log"),
        kind: SeatKind::Witness,
        inviter: did(1),
        key: key(1).public(),
        nonce: u64::MAX,
        expires: time(3_600_000),
        checkpoint: checkpoint(),
        addresses: vec!["/ip4/192.0.2.1/tcp/4001".into()],
    }
}

pub(crate) fn possession() -> Possession {
    Possession {
        federation: federation(),
        did: did(1),
        key: key(11).public(),
    }
}

pub(crate) fn genesis() -> Genesis {
    let mut founders: Vec<_> = [1, 2]
        .map(|number| Founder {
            did: did(number),
            name: format!("Cooperative {number}").parse().unwrap(),
            keys: RoleKeys::single(key(number).public()),
        })
        .into();
    founders.sort_by_key(|founder| founder.did);
    Genesis {
        name: "Federation".parse().unwrap(),
        created: time(0),
        protocol: PROTOCOL_VERSION,
        parameters: Parameters::production(),
        founders,
        predecessor: Some(Predecessor {
            federation: cid("first"),
            log: cid("old"),
            height: Height::new(7),
            root: Digest::of(b"root"),
            state: Digest::of(b"state"),
        }),
    }
}

pub(crate) fn actions() -> Vec<Action> {
    let verdict = |outcome| Action::PostVerdict {
        verdict: Verdict {
            job: job_id(),
            outcome,
        },
    };
    let mut actions = vec![
        Action::Join {
            invitation: Signed::new(invitation(), &key(1)),
            name: "Newcomer".parse().unwrap(),
            keys: RoleKeys::single(key(9).public()),
        },
        Action::Ready {},
        Action::Leave {},
        Action::RotateKeys {
            keys: Box::new(RoleKeys::single(key(11).public())),
            possession: Some(Signed::new(possession(), &key(11))),
        },
        Action::RotateMemberKey {
            possession: Signed::new(possession(), &key(11)),
        },
        Action::AddMember { member: did(10) },
        Action::RemoveMember { member: did(10) },
        Action::ShareMana {
            to: did(10),
            amount: Mana::from_whole(5),
        },
        Action::SubmitJob {
            spec: Box::new(spec()),
        },
        Action::AwardJob {
            job: job_id(),
            attempt: 1,
            bids: vec![Signed::new(bid(), &key(2))],
            excluded: vec![
                Exclusion {
                    executor: did(3),
                    reason: ExclusionReason::Blacklisted { until: time(9) },
                },
                Exclusion {
                    executor: did(4),
                    reason: ExclusionReason::Outbid {},
                },
            ],
        },
        Action::PostReceipt {
            receipt: Box::new(Signed::new(receipt(), &key(2))),
        },
        Action::ReturnJob {
            job: job_id(),
            attempt: 2,
        },
        Action::CancelJob { job: job_id() },
        Action::ChallengeJob { job: job_id() },
        verdict(Some(Digest::of(b"outcome"))),
        verdict(None),
    ];
    actions.extend(governance::actions());
    actions.extend(agreements::actions());
    actions.extend(credit::actions());
    actions.extend(clearing::actions());
    actions
}

pub(crate) fn operation(action: Action) -> Operation {
    Operation {
        federation: federation(),
        author: did(1),
        key: key(1).public(),
        sequence: Sequence::new(42),
        expires: time(60_000),
        action,
    }
}

pub(crate) fn block() -> Block {
    let operations = actions()
        .into_iter()
        .map(|action| SignedOperation::sign(operation(action), &key(1)));
    Block {
        header: BlockHeader {
            federation: federation(),
            height: Height::new(100),
            epoch: EpochNumber::new(1),
            view: 12,
            leader: key(1).public(),
            parent: Digest::of(b"parent"),
            parent_view: 11,
            time: time(4),
            executed: NamedRoot {
                height: Height::new(98),
                root: Digest::of(b"root"),
            },
            state: Some(Digest::of(b"state")),
        },
        operations: operations.collect(),
    }
}

/// Every sample.
pub(crate) fn samples() -> Vec<Sample> {
    let mut samples = vec![
        sample("genesis", &genesis()),
        sample("parameters devnet", &Parameters::devnet()),
        sample("invitation", &invitation()),
        sample("signed invitation", &Signed::new(invitation(), &key(1))),
        sample("possession", &possession()),
        sample("signed possession", &Signed::new(possession(), &key(11))),
        sample("job spec", &spec()),
        sample("bid", &bid()),
        sample("signed bid", &Signed::new(bid(), &key(2))),
        sample("receipt", &receipt()),
        sample("signed receipt", &Signed::new(receipt(), &key(2))),
        sample("block", &block()),
        sample(
            "empty block",
            &Block {
                operations: Vec::new(),
                ..block()
            },
        ),
    ];
    for action in actions() {
        let unable = matches!(&action, Action::PostVerdict { verdict } if verdict.outcome.is_none());
        let detail = match &action {
            Action::Agreement { act, .. } => act.name(),
            Action::Credit { act, .. } => act.name(),
            Action::Clearing { act } => act.name(),
            _ if unable => "unable",
            _ => "",
        };
        let name = format!("operation {} {detail}", action.name());
        let name = name.trim_end().to_owned();
        samples.push(sample(&name, &operation(action)));
    }
    let signed = SignedOperation::sign(operation(Action::Ready {}), &key(1));
    samples.push(sample("signed operation", &signed));
    for exit in exits() {
        samples.push(sample(&format!("outcome {exit:?}"), &outcome(exit)));
    }
    samples.extend(records::samples());
    samples.extend(events::samples());
    samples.extend(governance::samples());
    samples.extend(agreements::records());
    samples.extend(credit::records());
    samples.extend(clearing::records());
    samples
}

/// One sample of each type, for tests that try many bytes on each; made once.
pub(crate) fn kinds() -> &'static [Sample] {
    static KINDS: OnceLock<Vec<Sample>> = OnceLock::new();
    KINDS.get_or_init(|| {
        let mut samples = samples();
        let mut seen = BTreeSet::new();
        samples.retain(|sample| seen.insert(sample.kind));
        samples
    })
}
