//! Every event and refusal.
use super::{Sample, cid, did, job_id, key, sample, time};
use icn_model::{
    Callee, Digest, EpochNumber, Event, EventRecord, Fault, Height, Mana, OperationId, REFUSAL_CODES,
    Refusal, Role, SeatKind, Sequence,
};

fn refusals() -> Vec<Refusal> {
    let (did, job, time, mana) = (did(1), job_id(), time(1), Mana::from_milli(1_500));
    let sequence = Sequence::new(3);
    let detail = || String::from("detail");
    vec![
        Refusal::Malformed { detail: detail() },
        Refusal::TooLarge {
            what: "number of bids".into(),
            value: 17,
            max: 16,
        },
        Refusal::WrongFederation {},
        Refusal::BadSignature {},
        Refusal::Expired {
            expires: time,
            now: time,
        },
        Refusal::ExpiryTooFar {
            expires: time,
            max: time,
        },
        Refusal::SequenceUsed { sequence },
        Refusal::SequenceOutOfWindow {
            sequence,
            highest: sequence,
        },
        Refusal::UnknownAuthor { author: did },
        Refusal::NotAuthorised {
            author: did,
            needs: Role::Officer,
        },
        Refusal::NotACooperative { author: did },
        Refusal::InvitationInvalid { detail: detail() },
        Refusal::InvitationExpired {
            expires: time,
            now: time,
        },
        Refusal::InvitationUsed {},
        Refusal::AlreadyKnown { did },
        Refusal::KeyInUse { did },
        Refusal::UnknownApplicant { applicant: did },
        Refusal::AlreadyApproved { applicant: did },
        Refusal::NotAdmitted {},
        Refusal::NotSeated {},
        Refusal::LastCooperative {},
        Refusal::TooManySeats { max: 128 },
        Refusal::UnknownMember { member: did },
        Refusal::TooManyMembers { max: 9 },
        Refusal::BadKeys {},
        Refusal::TooManyApplications {
            inviter: did,
            max: 16,
        },
        Refusal::KeysUnchanged {},
        Refusal::NotPossessed { key: key(1).public() },
        Refusal::InsufficientMana {
            available: mana,
            needed: mana,
        },
        Refusal::TooManyHolds { open: 3, max: 3 },
        Refusal::NotSharable { to: did },
        Refusal::ZeroAmount {},
        Refusal::UnknownJob { job },
        Refusal::BadJob { detail: detail() },
        Refusal::BadDeadline {
            deadline: time,
            earliest: time,
            latest: time,
        },
        Refusal::WrongState {
            job,
            state: "settled".into(),
        },
        Refusal::WrongAttempt {
            job,
            attempt: 0,
            current: 1,
        },
        Refusal::NotCoordinator { until: time },
        Refusal::BadBid {
            executor: did,
            detail: detail(),
        },
        Refusal::NoEligibleBid {
            eligible: 0,
            needed: 1,
        },
        Refusal::NotExecutor { job },
        Refusal::ReceiptMismatch { detail: detail() },
        Refusal::NotSubmitter { job },
        Refusal::NotChallengeable {
            job,
            detail: detail(),
        },
        Refusal::NotOnJury { job },
    ]
}

fn membership_events() -> Vec<Event> {
    let (seat, applicant, cooperative, member) = (did(1), did(2), did(3), did(4));
    let epoch = EpochNumber::new(4);
    let amount = Mana::from_milli(1_500);
    vec![
        Event::Applied {
            applicant,
            kind: SeatKind::Witness,
            inviter: did(1),
        },
        Event::Admitted { applicant },
        Event::SeatReady { seat },
        Event::Leaving { seat },
        Event::Suspended { seat, until: time(9) },
        Event::SuspensionEnded { seat },
        Event::Seated { seat, epoch },
        Event::Left { seat, epoch },
        Event::LogContinued {
            predecessor: cid("log"),
            height: Height::new(7),
            gone: vec![seat],
        },
        Event::ApplicationLapsed { applicant },
        Event::Forgotten { seat, burned: amount },
        Event::KeysRotated {
            seat,
            next_seat: Some(key(3).public()),
        },
        Event::SeatKeyChanged {
            seat,
            key: key(3).public(),
            epoch,
        },
        Event::MemberKeyRotated {
            member,
            key: key(3).public(),
        },
        Event::MemberAdded { member, cooperative },
        Event::MemberRemoved {
            member,
            cooperative,
            returned: amount,
        },
        Event::SeatsFixed {
            epoch,
            seats: vec![did(1), did(2)],
        },
        Event::ManaGranted { to: seat, amount },
        Event::ManaShared {
            from: cooperative,
            to: member,
            amount,
        },
    ]
}

fn job_events() -> Vec<Event> {
    let (job, executor, amount) = (job_id(), did(2), Mana::from_milli(1_500));
    let reason = || String::from("reason");
    vec![
        Event::PayMatured {
            job,
            executor,
            amount,
        },
        Event::JobSubmitted {
            job,
            submitter: did(1),
            held: amount,
        },
        Event::JobAwarded {
            job,
            attempt: 1,
            executors: vec![executor],
        },
        Event::JobReceipt {
            job,
            executor,
            outcome: Digest::of(b"outcome"),
        },
        Event::JobSettled {
            job,
            executors: vec![executor],
            paid: amount,
            released: amount,
        },
        Event::JobRetried {
            job,
            attempt: 0,
            reason: reason(),
        },
        Event::JobRolledBack {
            job,
            released: amount,
            reason: reason(),
        },
        Event::JobCancelled {
            job,
            released: amount,
        },
        Event::JobChallenged {
            job,
            challenger: did(3),
            jury: vec![did(4)],
        },
        Event::ChallengeFailed { job, stake: amount },
        Event::JobDisproved {
            job,
            executor,
            forfeited: amount,
        },
        Event::ChallengeLapsed { job },
        Event::Misbehaved {
            seat: key(1).public(),
            epoch: EpochNumber::new(1),
            view: 2,
            fault: Fault::DoubleVote,
            detail: "in view 2".into(),
        },
        Event::CircuitOpened {
            callee: Callee::Peer(key(1).public()),
        },
        Event::CircuitClosed {
            callee: Callee::FederationService,
        },
    ]
}

pub(super) fn samples() -> Vec<Sample> {
    let mut refusals = refusals();
    refusals.extend(super::governance::refusals());
    refusals.extend(super::agreements::refusals());
    refusals.extend(super::credit::refusals());
    refusals.extend(super::clearing::refusals());
    assert_eq!(refusals.len(), REFUSAL_CODES.len(), "every refusal has a sample");
    let refused = refusals.into_iter().map(|refusal| Event::Refused {
        operation: OperationId::new(Digest::of(b"operation")),
        author: did(1),
        refusal,
    });
    let events = membership_events().into_iter().chain(job_events());
    let events = events.chain(super::governance::happened());
    let events = events
        .chain(super::agreements::happened())
        .chain(super::credit::happened())
        .chain(super::clearing::happened())
        .chain(refused);
    let record = |event: Event| {
        let debug = format!("{event:?}");
        let mut name = debug.split([' ', '{', '(']).next().unwrap().to_string();
        if let Event::Refused { refusal, .. } = &event {
            name = format!("{name} {}", refusal.code().name);
        }
        if let Event::Agreement(event) = &event {
            name = format!("{name} {}", event.step.name());
        }
        if let Event::Credit(event) = &event {
            name = format!("{name} {}", event.step.name());
        }
        if let Event::Clearing(event) = &event {
            name = format!("{name} {}", event.step.name());
        }
        if let Event::Governance(event) = &event {
            let debug = format!("{event:?}");
            name = format!("{name} {}", debug.split([' ', '{']).next().unwrap());
        }
        let record = EventRecord {
            number: 17,
            height: Height::new(5),
            time: time(5),
            event,
            previous: Digest::of(b"previous"),
        };
        sample(&format!("event {name}"), &record)
    };
    events.map(record).collect()
}
