//! What governance signs, stores and tells of.
use super::{Sample, did, key, sample, time};
use icn_model::{
    Action, Activity, ActivityRecord, BallotRecord, Choice, Cid, ContractRecord, Counts, Decision,
    DelegationRecord, DepartedRecord, Digest, Effect, Electorate, EpochNumber, Event, GovernanceEvent,
    Height, LogEntry, Mana, Method, MethodKind, Millis, Name, OperationId, ParameterName, PolicyFailure,
    PolicyRecord, PolicySlot, Process, ProposalId, ProposalKind, ProposalPhase, ProposalRecord, ProposalSpec,
    Refusal, Roll, Round, Share, SideTally, Tally, Threshold, Wish, WishesRecord,
};

fn id() -> ProposalId {
    ProposalId::new(Digest::of(b"proposal"))
}

fn contract() -> Cid {
    Cid::of_raw(b"contract")
}

fn options() -> Vec<Name> {
    ["oats", "rye", "wheat"]
        .map(|name| name.parse().unwrap())
        .to_vec()
}

fn process() -> Process {
    Process {
        electorate: Electorate::Both,
        method: MethodKind::YesNo,
        quorum: Share::THIRD,
        threshold: Threshold::MoreThan(Share::HALF),
        rejection_quorum: Some(Share::new(1, 4).unwrap()),
        duration_ms: Millis::from_secs(60),
        timelock_ms: Millis::from_secs(5),
        sponsors: 2,
        votes_final: true,
    }
}

fn effects() -> Vec<Effect> {
    let (slot, contract) = (PolicySlot::ManaRate, contract());
    vec![
        Effect::Text {},
        Effect::ChangeParameter {
            name: ParameterName::MaxHolds,
            value: 9,
        },
        Effect::SetProcess {
            kind: ProposalKind::Budget,
            process: process(),
        },
        Effect::Admit { applicant: did(9) },
        Effect::AdmitWitness { applicant: did(9) },
        Effect::Suspend {
            cooperative: did(2),
            span_ms: Millis::from_secs(3_600),
        },
        Effect::Remove { seat: did(2) },
        Effect::InstallPolicy { slot, contract },
        Effect::ReplacePolicy { slot, contract },
        Effect::RemovePolicy { slot },
        Effect::Budget {
            to: did(3),
            amount: Mana::from_milli(2_500),
        },
        Effect::ClearingSchedule {
            every_ms: Some(Millis::from_secs(86_400)),
            join_ms: Millis::from_secs(3_600),
            object_ms: Millis::from_secs(7_200),
        },
        Effect::OpenClearing {},
        Effect::Upgrade {
            version: 2,
            epoch: EpochNumber::new(7),
        },
        Effect::Veto { proposal: id() },
    ]
}

fn methods() -> Vec<Method> {
    vec![
        Method::YesNo {},
        Method::Consent {},
        Method::Approval { options: options() },
        Method::Ranked { options: options() },
        Method::Score {
            options: options(),
            max: 5,
        },
    ]
}

fn choices() -> Vec<Choice> {
    vec![
        Choice::Yes {},
        Choice::No {},
        Choice::Abstain {},
        Choice::Object {
            reason: "it harms us".into(),
        },
        Choice::Approve { options: vec![0, 2] },
        Choice::Rank { options: vec![2, 0] },
        Choice::Score {
            points: vec![5, 0, 3],
        },
    ]
}

fn spec(effect: Effect, method: Method) -> ProposalSpec {
    ProposalSpec {
        text: Some(Cid::of_raw(b"# Why")),
        effect,
        electorate: Electorate::Both,
        method,
        topic: "money".parse().unwrap(),
        closes: Some(time(90_000)),
        votes_final: true,
    }
}

pub(super) fn actions() -> Vec<Action> {
    let (topic, until) = (Some("money".parse().unwrap()), Some(time(9)));
    vec![
        Action::Propose {
            proposal: Box::new(spec(Effect::Text {}, methods().remove(3))),
        },
        Action::Sponsor { proposal: id() },
        Action::Vote {
            proposal: id(),
            choice: Choice::Rank { options: vec![2, 0] },
        },
        Action::Delegate {
            to: did(4),
            topic: topic.clone(),
            until,
        },
        Action::Undelegate { topic },
        Action::CancelProposal { proposal: id() },
        Action::RetryProposal { proposal: id() },
        Action::PublishContract {
            source: "contract \"Half\" version 1 language 1 scope federation;".into(),
        },
        Action::Announce { protocol: 2 },
    ]
}

fn side(counts: Counts) -> SideTally {
    SideTally {
        on_roll: 9,
        turnout: 7,
        delegated: 2,
        abstained: 1,
        counts,
    }
}

fn counts() -> Vec<Counts> {
    vec![
        Counts::YesNo { yes: 4, no: 2 },
        Counts::Consent {
            consents: 6,
            objections: 0,
        },
        Counts::Approval {
            votes: 6,
            approvals: vec![1, 2, 3],
        },
        Counts::Score {
            votes: 6,
            points: vec![9, 0, 4],
        },
        Counts::Ranked {
            rounds: vec![
                Round {
                    votes: vec![Some(2), Some(1), Some(3)],
                    exhausted: 0,
                    eliminated: Some(1),
                },
                Round {
                    votes: vec![Some(2), None, Some(4)],
                    exhausted: 0,
                    eliminated: None,
                },
            ],
        },
    ]
}

fn decisions() -> Vec<Decision> {
    vec![
        Decision::Passed {},
        Decision::Chosen { option: 2 },
        Decision::NoQuorum {
            turnout: 1,
            on_roll: 9,
            quorum: Share::THIRD,
        },
        Decision::BelowThreshold {
            votes: 2,
            of: 4,
            threshold: Threshold::AtLeast(Share::TWO_THIRDS),
        },
        Decision::TurnedDown {
            votes: 3,
            on_roll: 9,
            rejection_quorum: Share::THIRD,
        },
        Decision::Objected { objections: 1 },
        Decision::Tied { options: vec![0, 2] },
        Decision::Disagreed {},
    ]
}

fn phases() -> Vec<ProposalPhase> {
    let (at, until) = (time(3), time(4));
    vec![
        ProposalPhase::Draft { until },
        ProposalPhase::Open { until },
        ProposalPhase::Accepted { until },
        ProposalPhase::Executed { at },
        ProposalPhase::Failed {
            at,
            reason: Refusal::LastCooperative {},
        },
        ProposalPhase::Rejected { at },
        ProposalPhase::Vetoed { at, by: id() },
        ProposalPhase::Cancelled { at },
        ProposalPhase::Expired { at },
    ]
}

fn proposal(phase: ProposalPhase) -> ProposalRecord {
    ProposalRecord {
        spec: spec(Effect::Text {}, Method::YesNo {}),
        proposer: did(10),
        cooperative: did(1),
        made: time(1),
        cost: Mana::from_whole(10),
        process: process(),
        phase,
        sponsors: vec![did(2)],
        roll: Some(Roll {
            opened: time(2),
            cooperatives: vec![did(1), did(2)],
            members: 7,
            list: Cid::of_raw(b"roll"),
        }),
        tally: Some(Tally {
            cooperatives: Some(side(Counts::YesNo { yes: 4, no: 2 })),
            members: None,
            decision: Decision::Passed {},
        }),
    }
}

fn entry() -> LogEntry {
    LogEntry {
        height: Height::new(5),
        operation: OperationId::new(Digest::of(b"operation")),
    }
}

fn records() -> Vec<Sample> {
    let activity = Activity {
        jobs_executed: 1,
        jobs_submitted: 2,
        jobs_failed: 3,
        earned: Mana::from_milli(4),
        spent: Mana::from_milli(5),
    };
    vec![
        sample("process", &process()),
        sample(
            "wishes record",
            &WishesRecord {
                wishes: vec![Wish {
                    officer: key(1).public(),
                    content: Digest::of(b"content"),
                    by: entry(),
                }],
                until: time(9),
            },
        ),
        sample(
            "delegation record",
            &DelegationRecord {
                to: did(4),
                topic: Some("money".parse().unwrap()),
                until: None,
                since: time(1),
                by: vec![entry()],
            },
        ),
        sample(
            "departed record",
            &DepartedRecord {
                cooperative: did(1),
                since: time(2),
            },
        ),
        sample(
            "contract record",
            &ContractRecord {
                author: did(1),
                published: time(1),
                until: time(2),
                name: "Half".into(),
                slots: vec![PolicySlot::VoteWeight, PolicySlot::Admission],
                imports: vec![contract()],
                source: "contract".into(),
            },
        ),
        sample(
            "policy record",
            &PolicyRecord {
                contract: contract(),
                since: time(3),
            },
        ),
        sample(
            "activity record",
            &ActivityRecord {
                current: activity,
                last: Activity::default(),
            },
        ),
    ]
}

fn events() -> Vec<GovernanceEvent> {
    let (proposal, kind, by) = (id(), ProposalKind::Budget, did(1));
    let (slot, contract, until) = (PolicySlot::ManaCapacity, contract(), time(9));
    let (version, epoch) = (2, EpochNumber::new(7));
    let decision = || Decision::Passed {};
    vec![
        GovernanceEvent::Proposed {
            proposal,
            kind,
            by,
            cost: Mana::from_whole(10),
        },
        GovernanceEvent::Sponsored { proposal, by },
        GovernanceEvent::Opened {
            proposal,
            until,
            cooperatives: 4,
            members: 7,
        },
        GovernanceEvent::Voted {
            proposal,
            kind,
            voter: did(2),
        },
        GovernanceEvent::Accepted {
            proposal,
            decision: decision(),
            until,
        },
        GovernanceEvent::Executed { proposal, kind },
        GovernanceEvent::Failed {
            proposal,
            reason: Refusal::LastCooperative {},
        },
        GovernanceEvent::Rejected {
            proposal,
            decision: Decision::Disagreed {},
        },
        GovernanceEvent::Vetoed { proposal, by: id() },
        GovernanceEvent::Cancelled { proposal },
        GovernanceEvent::Expired { proposal },
        GovernanceEvent::Delegated {
            from: by,
            to: did(2),
            topic: None,
        },
        GovernanceEvent::DelegationEnded {
            from: by,
            topic: Some("money".parse().unwrap()),
        },
        GovernanceEvent::ParameterChanged {
            name: ParameterName::BidWindowMs,
            before: 500,
            now: 600,
        },
        GovernanceEvent::ProcessChanged {
            kind,
            process: process(),
        },
        GovernanceEvent::ClearingScheduled {
            every_ms: None,
            join_ms: Millis::from_secs(3_600),
            object_ms: Millis::from_secs(7_200),
        },
        GovernanceEvent::Allocated {
            to: by,
            amount: Mana::from_milli(1),
        },
        GovernanceEvent::ContractPublished {
            contract,
            by,
            cost: Mana::from_whole(10),
        },
        GovernanceEvent::ContractForgotten { contract },
        GovernanceEvent::PolicyInstalled {
            slot,
            contract,
            before: Some(Cid::of_raw(b"before")),
        },
        GovernanceEvent::PolicyRemoved {
            slot,
            before: contract,
        },
        GovernanceEvent::PolicyFailed {
            slot,
            subject: by,
            failure: PolicyFailure::Refused {
                reason: "not today".into(),
            },
        },
        GovernanceEvent::RegenerationSet {
            cooperative: by,
            rate_per_hour: Mana::from_whole(1),
            capacity: Mana::from_whole(2),
        },
        GovernanceEvent::UpgradePlanned { version, epoch },
        GovernanceEvent::UpgradeFixed { version, epoch },
        GovernanceEvent::Announced {
            seat: by,
            protocol: 2,
        },
    ]
}

pub(super) fn happened() -> impl Iterator<Item = Event> {
    events().into_iter().map(Event::Governance)
}

pub(super) fn refusals() -> Vec<Refusal> {
    let (proposal, time, did, detail) = (id(), time(1), did(1), || String::from("detail"));
    let (slot, contract) = (PolicySlot::PriceCeiling, contract());
    vec![
        Refusal::UnknownProposal { proposal },
        Refusal::BadProposal { detail: detail() },
        Refusal::WrongTerms { detail: detail() },
        Refusal::BadClosing {
            closes: time,
            earliest: time,
            latest: time,
        },
        Refusal::TooManyProposals { open: 16, max: 16 },
        Refusal::WrongPhase {
            proposal,
            state: "rejected".into(),
        },
        Refusal::NotOnRoll { voter: did },
        Refusal::BadChoice { detail: detail() },
        Refusal::VoteIsFinal {},
        Refusal::AlreadySaid {},
        Refusal::NotProposer { proposal },
        Refusal::SelfDelegation {},
        Refusal::DelegationCycle { through: did },
        Refusal::NotDelegable { to: did },
        Refusal::UnknownDelegation {},
        Refusal::TooManyDelegations { max: 16 },
        Refusal::DelegationEnded {
            until: time,
            now: time,
        },
        Refusal::BuiltInProcess {
            kind: ProposalKind::Remove,
        },
        Refusal::BadProcess { detail: detail() },
        Refusal::BadParameter {
            name: "max_holds".into(),
            value: 0,
            min: 1,
            max: 9,
        },
        Refusal::NothingChanges { detail: detail() },
        Refusal::CannotDo { detail: detail() },
        Refusal::CannotSponsor { detail: detail() },
        Refusal::BadContract { detail: detail() },
        Refusal::UnknownContract { contract },
        Refusal::NoPolicy { contract, slot },
        Refusal::SlotTaken { slot, contract },
        Refusal::SlotFree { slot },
        Refusal::PolicyRefused {
            slot,
            contract,
            reason: "not today".into(),
        },
        Refusal::PolicyFailed {
            slot,
            contract,
            detail: detail(),
        },
        Refusal::TooManyContracts { max: 1_024 },
        Refusal::ContractKnown { contract },
    ]
}

pub(super) fn samples() -> Vec<Sample> {
    let mut samples = records();
    for effect in effects() {
        let debug = format!("{effect:?}");
        let name = debug.split([' ', '{']).next().unwrap().to_string();
        samples.push(sample(
            &format!("proposal {name}"),
            &spec(effect, Method::YesNo {}),
        ));
    }
    for method in methods() {
        let name = format!("proposal by {}", method.kind());
        samples.push(sample(&name, &spec(Effect::Text {}, method)));
    }
    for choice in choices() {
        let ballot = BallotRecord {
            choice,
            weight: 3,
            cooperative: did(1),
            cast: time(2),
            by: vec![entry()],
            through: vec![did(4)],
        };
        let debug = format!("{:?}", ballot.choice);
        let name = debug.split([' ', '{']).next().unwrap().to_string();
        samples.push(sample(&format!("ballot record {name}"), &ballot));
    }
    for counts in counts() {
        let debug = format!("{counts:?}");
        let name = debug.split([' ', '{']).next().unwrap().to_string();
        samples.push(sample(&format!("side tally {name}"), &side(counts)));
    }
    for decision in decisions() {
        let tally = Tally {
            cooperatives: None,
            members: Some(side(Counts::YesNo { yes: 1, no: 0 })),
            decision,
        };
        let debug = format!("{:?}", tally.decision);
        let name = debug.split([' ', '{']).next().unwrap().to_string();
        samples.push(sample(&format!("tally {name}"), &tally));
    }
    for phase in phases() {
        let name = format!("proposal record {}", phase.status());
        samples.push(sample(&name, &proposal(phase)));
    }
    samples
}
