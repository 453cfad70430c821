//! Laws that hold for every log: random operations by everybody, in any order, at any time.
//!
//! `World::apply` checks conservation (I1, I2), the completeness of changes (I6) and the seats (I9) after
//! every block.
use crate::{
    agreements, clearing, credit,
    voting::{random_action, yes},
    world::{START, World, did, engine, forged, key, outcome, parameters},
};
use icn_model::{
    Action, AgreementState, Event, ExitStatus, JobId, JobStatus, Mana, Millis, Parameters, ProposalStatus,
    SeatKind, SignedOperation, Time, Verdict,
};
use icn_state::{LoadError, State};
use proptest::{prelude::*, strategy::ValueTree as _};
use std::collections::BTreeSet;

const NAMES: [&str; 5] = ["A", "B", "C", "D", "E"];
const PEOPLE: [&str; 8] = ["A", "B", "C", "D", "E", "m", "n", "W"];

/// What somebody does: numbers that are made into an operation of the moment.
#[derive(Clone, Debug)]
struct Deed {
    verb: u8,
    who: u8,
    whom: u8,
    job: u8,
    amount: u64,
    pause_ms: u64,
}

fn deeds(count: core::ops::Range<usize>) -> impl Strategy<Value = Vec<Deed>> {
    let pause = prop_oneof![
        8 => 0_u64..700,
        3 => 700_u64..12_000,
        1 => 60_000_u64..2_000_000,
    ];
    let deed = (0_u8..33, 0_u8..8, 0_u8..8, any::<u8>(), 0_u64..40_000, pause);
    let deed = deed.prop_map(|(verb, who, whom, job, amount, pause_ms)| Deed {
        verb,
        who,
        whom,
        job,
        amount,
        pause_ms,
    });
    proptest::collection::vec(deed, count)
}

fn lively() -> Parameters {
    Parameters {
        mana_rate_per_hour: Mana::from_milli(7_654_321),
        max_holds: 6,
        job_retry_count: 2,
        ..parameters()
    }
}

struct Play {
    world: World,
    jobs: Vec<JobId>,
    /// Names of the events that happened.
    seen: BTreeSet<String>,
}

impl Play {
    fn new() -> Self {
        let mut world = World::new(&NAMES, lively());
        world.loads = false;
        Self {
            world,
            jobs: Vec::new(),
            seen: BTreeSet::new(),
        }
    }

    fn operation(&mut self, deed: &Deed) -> SignedOperation {
        let who = PEOPLE[usize::from(deed.who)];
        let whom = PEOPLE[usize::from(deed.whom)];
        // One of the last few: the others are over.
        let job = self.jobs.iter().rev().nth(usize::from(deed.job) % 4);
        let job = job.copied().unwrap_or(JobId::new(icn_model::Digest::ZERO));
        let action = self.action(deed, who, whom, job);
        let operation = self.world.operation(who, action);
        if matches!(operation.operation().action, Action::SubmitJob { .. }) {
            self.jobs.push(operation.id().into());
        }
        operation
    }

    fn action(&mut self, deed: &Deed, who: &str, whom: &str, job: JobId) -> Action {
        let world = &self.world;
        let attempt = world.state.job(&job).map_or(0, |job| job.attempt);
        let text = ["x", "x", "x", "y", "z"][usize::from(deed.job % 5)];
        match deed.verb {
            0..=3 => {
                let mut spec = world.spec(0);
                spec.max_mana = Mana::from_milli(deed.amount);
                spec.replicas = 1 + deed.job % 3;
                spec.deadline = world.state.time().after(Millis::new(4_000 + deed.amount));
                Action::SubmitJob { spec: Box::new(spec) }
            }
            4..=7 => {
                let bidders = NAMES.iter().skip(usize::from(deed.whom) % 3);
                let bids = bidders.map(|name| world.signed_bid(job, name, deed.amount % 7));
                Action::AwardJob {
                    job,
                    attempt,
                    bids: bids.collect(),
                    excluded: Vec::new(),
                }
            }
            8..=10 => {
                let exit = match deed.amount % 5 {
                    0 => ExitStatus::WallClock,
                    _ => ExitStatus::Code(0),
                };
                let receipt = world.receipt(job, who, outcome(text, exit));
                Action::PostReceipt {
                    receipt: Box::new(forged(receipt, who)),
                }
            }
            11 => Action::ReturnJob { job, attempt },
            12 => Action::CancelJob { job },
            13 => Action::ChallengeJob { job },
            14 => {
                let outcome = Some(outcome(text, ExitStatus::Code(0)).digest());
                Action::PostVerdict {
                    verdict: Verdict { job, outcome },
                }
            }
            15 => Action::AddMember { member: did(whom) },
            16 => Action::ShareMana {
                to: did(whom),
                amount: Mana::from_milli(deed.amount),
            },
            17 | 20 => match deed.amount % 24 {
                // A few that can still run jobs must stay.
                6..14 if !matches!(who, "A" | "B" | "C") => Action::Leave {},
                0..16 => Action::RemoveMember { member: did(whom) },
                16..20 => self.rotation(who, deed.amount),
                _ => Action::Ready {},
            },
            18 | 19 if !matches!(who, "m" | "n") => {
                let kind = [SeatKind::Cooperative, SeatKind::Witness][usize::from(deed.job % 2)];
                let invitation = world.invitation(whom, kind, deed.amount);
                world.join(who, invitation)
            }
            31.. => clearing::random_action(&world.state, deed.amount),
            28..=30 => credit::random_action(&world.state, &NAMES, who, deed.job, deed.amount),
            24..=27 => agreements::random_action(&world.state, who, whom, deed.job, deed.amount),
            _ => random_action(&world.state, whom, deed.job, deed.amount),
        }
    }

    /// Another key in place of one that this play does not sign with, or of a member's.
    fn rotation(&self, who: &str, amount: u64) -> Action {
        let (world, holder) = (&self.world, format!("{who}{amount}"));
        let possession = world.possession(who, &holder);
        match world.state.seat_record(&did(who)) {
            // Two executors that cannot deliver any more are enough.
            Some(seat) => {
                let mut keys = seat.keys.clone();
                keys.line = key(&holder).public();
                if matches!(who, "D" | "E") {
                    keys.seat = keys.line;
                }
                Action::RotateKeys {
                    keys: Box::new(keys),
                    possession: Some(possession),
                }
            }
            None => Action::RotateMemberKey { possession },
        }
    }

    /// Everything that the executors, jurors and coordinators in the state could do now, so that random
    /// logs reach the far ends of a job's way.
    fn helpful(&mut self) -> Vec<SignedOperation> {
        let mut operations = Vec::new();
        let waiting: Vec<JobId> = self.world.state.jobs_awaiting_award().map(|(id, _)| id).collect();
        for job in waiting {
            let coordinator = self.world.state.job(&job).unwrap().coordinator;
            let Some(name) = NAMES.iter().find(|name| did(name) == coordinator) else {
                continue;
            };
            let attempt = self.world.state.job(&job).unwrap().attempt;
            let offers = NAMES.map(|name| self.world.signed_bid(job, name, 0));
            let now = self.world.state.time();
            let bids = offers
                .into_iter()
                .filter(|bid| self.world.state.check_bid(bid, now).is_ok());
            let action = Action::AwardJob {
                job,
                attempt,
                bids: bids.collect(),
                excluded: Vec::new(),
            };
            operations.push(self.world.operation(name, action));
        }
        for name in NAMES {
            let jobs: Vec<JobId> = self.world.state.awarded_to(&did(name)).collect();
            for job in jobs {
                // Of some jobs everybody tells the same lie, which only a jury finds out.
                let text = if job.digest().as_bytes()[0] % 3 == 0 {
                    "lie"
                } else {
                    "x"
                };
                let receipt = self.world.receipt(job, name, outcome(text, ExitStatus::Code(0)));
                let receipt = Box::new(forged(receipt, name));
                operations.push(self.world.operation(name, Action::PostReceipt { receipt }));
            }
            let jobs: Vec<JobId> = self.world.state.on_jury(&did(name)).collect();
            for job in jobs {
                let outcome = Some(outcome("x", ExitStatus::Code(0)).digest());
                let verdict = Verdict { job, outcome };
                operations.push(self.world.operation(name, Action::PostVerdict { verdict }));
            }
            let open = self.world.state.proposals();
            let open = open.filter(|(_, one)| one.phase.status() == ProposalStatus::Open);
            let open: Vec<_> = open.map(|(id, one)| (*id, yes(&one.spec.method))).collect();
            for (proposal, choice) in open {
                operations.push(self.world.operation(name, Action::Vote { proposal, choice }));
            }
        }
        let settled = self.world.state.jobs_by_status(JobStatus::Settled);
        let settled: Vec<JobId> = settled.map(|(id, _)| id).collect();
        for job in settled {
            let [lie, challenger, ..] = *job.digest().as_bytes();
            // Some doubt the truth.
            if lie % 3 == 0 || lie % 16 == 1 {
                let name = NAMES[usize::from(challenger) % NAMES.len()];
                operations.push(self.world.operation(name, Action::ChallengeJob { job }));
            }
        }
        for name in NAMES {
            operations.extend(
                clearing::helpful_action(&self.world.state, name)
                    .map(|action| self.world.operation(name, action)),
            );
        }
        for name in PEOPLE {
            let seat = self.world.state.seat_record(&did(name));
            if seat.is_some_and(|seat| seat.phase.name() == "admitted") {
                operations.push(self.world.operation(name, Action::Ready {}));
            }
        }
        operations
    }

    fn play(&mut self, deeds: &[Deed]) {
        for chunk in deeds.chunks(3) {
            let pause: u64 = chunk.iter().map(|deed| deed.pause_ms).max().unwrap_or(0);
            let time = self.world.state.time().after(Millis::new(1 + pause));
            let mut operations: Vec<_> = chunk.iter().map(|deed| self.operation(deed)).collect();
            if chunk[0].job % 2 == 0 {
                operations.extend(self.helpful());
            }
            self.check_checks(&operations, time);
            let events = self.world.apply(time, operations).events;
            let name = |event: &Event| match event {
                Event::Agreement(event) => format!("Agreement {}", event.step.name()),
                Event::Credit(event) => credit::step_name(event),
                Event::Clearing(event) => format!("Clearing {}", event.step.name()),
                event => format!("{event:?}").split([' ', '{']).next().unwrap().to_string(),
            };
            self.seen.extend(events.iter().map(name));
        }
    }

    /// I8: asking changes nothing, and tells what would happen.
    fn check_checks(&mut self, operations: &[SignedOperation], time: Time) {
        let before: Vec<_> = self.world.state.records().collect();
        let (pending, candidates) = operations.split_at(operations.len() / 2);
        for operation in candidates {
            let _ = self.world.state.check(operation, time);
        }
        let parent_time = self.world.state.time();
        let previewed = self.world.state.preview(pending, candidates, parent_time);
        assert_eq!(previewed.len(), candidates.len());
        assert!(self.world.state.records().eq(before), "asking changes nothing");
    }
}

proptest! {
    #![proptest_config(crate::cases(12))]

    /// I1, I2, I5, I6, I8, I9, and at the end: loaded from what was stored, the state goes on alike.
    #[test]
    fn any_log_keeps_the_books(deeds in deeds(40..240)) {
        let mut play = Play::new();
        play.play(&deeds);
        play.world.check_replay();
        let mut loaded = State::load(play.world.store.clone().into_iter(), engine()).unwrap();
        crate::world::assert_same(&loaded, &play.world.state);
        let more: Vec<_> = deeds.iter().take(12).map(|deed| play.operation(deed)).collect();
        let context = play.world.context(play.world.state.time().after(Millis::from_secs(30)));
        let here = play.world.state.apply(&context, &more);
        prop_assert_eq!(here, loaded.apply(&context, &more));
    }

    /// When everything is over, no mana is held, maturing or at stake.
    #[test]
    fn every_hold_ends(deeds in deeds(10..90)) {
        let mut play = Play::new();
        play.play(&deeds);
        for _ in 0..12 {
            let time = play.world.state.time().after(Millis::from_secs(120));
            play.world.apply(time, Vec::new());
        }
        let totals = play.world.state.audit().unwrap();
        prop_assert_eq!((totals.held, totals.maturing, totals.staked), (Mana::ZERO, Mana::ZERO, Mana::ZERO));
        prop_assert!(play.world.state.jobs(None).all(|(_, job)| job.phase.status().is_ended()));
    }

    /// I4: an operation that is refused after it has changed much leaves nothing but its number.
    #[test]
    fn what_is_previewed_is_what_happens(deeds in deeds(2..60)) {
        let mut play = Play::new();
        let (before, last) = deeds.split_at(deeds.len() / 2);
        play.play(before);
        let operations: Vec<_> = last.iter().map(|deed| play.operation(deed)).collect();
        let parent_time = play.world.state.time();
        let previewed = play.world.state.preview(&[], &operations, parent_time);
        let heartbeat = play.world.state.parameters().heartbeat_ms;
        let mut context = play.world.context(parent_time.after(heartbeat));
        context.parent = icn_model::Digest::ZERO;
        let outcome = play.world.state.apply(&context, &operations);
        prop_assert_eq!(previewed, outcome.results);
    }
}

#[test]
fn indexes_agree_with_a_scan() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..6 {
        let tree = deeds(2_400..2_401).new_tree(&mut runner).unwrap();
        let mut play = Play::new();
        play.play(&tree.current());
        check_indexes(&play.world.state);
        seen.append(&mut play.seen);
    }
    // The log is rich enough to be a test.
    for event in [
        "Admitted",
        "Agreement breach-claimed",
        "Agreement ended",
        "Agreement resumed",
        "Agreement signed",
        "Agreement suspended",
        "Agreement took-effect",
        "ChallengeFailed",
        "Clearing announced",
        "Clearing applied",
        "Clearing ended",
        "Clearing frozen",
        "Clearing joined",
        "Clearing objected",
        "Credit anchored",
        "Credit cleared",
        "Credit closing",
        "Credit dispute-ended",
        "Credit disputed",
        "Credit frozen",
        "Credit opened",
        "Credit resting",
        "Credit void-asked",
        "Credit voided",
        "Governance(Executed",
        "Governance(Failed",
        "Governance(ParameterChanged",
        "Governance(PolicyInstalled",
        "Governance(RegenerationSet",
        "Governance(Rejected",
        "JobCancelled",
        "JobDisproved",
        "JobRetried",
        "JobRolledBack",
        "KeysRotated",
        "Leaving",
        "MemberRemoved",
        "PayMatured",
        "SeatKeyChanged",
        "Seated",
    ] {
        assert!(seen.contains(event), "{event} is not among {seen:?}");
    }
}

fn check_indexes(state: &State) {
    let all: Vec<_> = state.jobs(None).collect();
    assert!(all.is_sorted_by_key(|(id, job)| (job.submitted, *id)));
    for status in JobStatus::ALL {
        let scanned = all.iter().filter(|(_, job)| job.phase.status() == status).count();
        assert_eq!(state.jobs_by_status(status).count(), scanned, "{status}");
    }
    for at in AgreementState::ALL {
        let scanned = state.agreements().filter(|(_, one)| one.state == *at).count();
        assert_eq!(state.agreements_by_state(*at), scanned, "{at}");
    }
    for name in PEOPLE {
        let of = did(name);
        let scanned = state.lines().filter(|(_, line)| line.ends.contains(&of));
        assert!(state.lines_of(&of).eq(scanned), "{name}");
        let scanned = state.agreements().filter(|(_, one)| one.parties().contains(&of));
        assert!(state.agreements_of(&of).eq(scanned), "{name}");
    }
    if let Some((id, first)) = all.first() {
        assert_eq!(state.jobs(Some((first.submitted, *id))).count(), all.len() - 1);
    }
    for name in PEOPLE {
        let of = did(name);
        let scanned = all
            .iter()
            .filter(|(_, job)| job.phase.status().is_open() && (job.payer == of || job.cooperative == of));
        assert_eq!(state.open_jobs(&of).count(), scanned.count());
        assert!(
            state
                .seat_of_key(&key(name).public())
                .is_none_or(|seat| seat == of)
        );
    }
}

#[test]
fn damaged_stores_are_refused_by_name() {
    let world = World::new(&["A"], parameters());
    type Records = Vec<(Vec<u8>, Vec<u8>)>;
    let load = |change: &dyn Fn(&mut Records)| {
        let mut records: Vec<_> = world.store.clone().into_iter().collect();
        change(&mut records);
        State::load(records.into_iter(), engine()).err()
    };
    assert_eq!(load(&|_| {}), None);
    assert_eq!(
        load(&|records| records.clear()),
        Some(LoadError::Missing { name: "federation" })
    );
    assert_eq!(
        load(&|records| records.retain(|(key, _)| key[0] != 0)),
        Some(LoadError::Missing { name: "head" })
    );
    assert_eq!(
        load(&|records| records.push((vec![0x77, 1], vec![]))),
        Some(LoadError::UnknownTable { number: 0x77 })
    );
    assert_eq!(
        load(&|records| records.push((vec![], vec![]))),
        Some(LoadError::EmptyKey)
    );
    for at in 0..world.store.len() {
        let error = load(&|records| {
            records[at].1.pop();
        });
        assert!(
            matches!(error, Some(LoadError::Record { .. })),
            "record {at}: {error:?}"
        );
    }
    let longer = load(&|records| records.iter_mut().for_each(|(key, _)| key.push(0)));
    assert!(longer.is_some());
}

#[test]
fn genesis_is_a_function_of_its_document() {
    let (a, b) = (
        World::new(&["A", "B"], parameters()),
        World::new(&["A", "B"], parameters()),
    );
    crate::world::assert_same(&a.state, &b.state);
    assert_eq!(a.state.time(), START);
    assert_eq!(a.state.height().get(), 0);
    let other = World::new(&["A", "C"], parameters());
    assert_ne!(a.state.root(), other.state.root());
    assert_ne!(a.state.merkle_root(), other.state.merkle_root());
    let mut genesis = crate::world::genesis(&["A"], parameters());
    genesis.parameters.epoch_blocks = 31;
    assert!(State::genesis(&genesis, engine()).is_err());
}

/// One scenario, to the byte: a change of this root is a change of the rules, and needs an epoch from which
/// every node follows the new ones.
#[test]
fn the_rules_are_as_they_were() {
    let script = crate::script::run(
        &["A", "B", "C", "D", "E"],
        "
        t=1   add m by=A                      -> ok
        t=2   share by=A to=m amount=30       -> ok
        t=3   submit J by=m max=10 k=2        -> ok
        t=4   award J by=A bids=B:5,C:6,D:7   -> ok
        t=4.5 receipt J by=B                  -> ok
        t=5   receipt J by=C                  -> ok | J settled
        t=6   challenge J by=A                -> ok | J challenged
        t=7   submit K by=B max=10            -> ok
        t=8   award K by=B bids=A:1           -> ok
        t=9   return K by=A                   -> ok
        t=10  join by=X invited=A             -> ok
        t=11  approve X by=B                  -> ok
        t=12  leave by=E                      -> ok
        t=13  epoch                           -> ok
        t+99  tick
        t+1   tick
        ",
    );
    let root = script.world.state.root().to_string();
    let pinned = "c97ba37cc78bc2202c29f8bdcf3c0188330571a23bcfdd6cd14e8e20ec1a2cb3";
    assert_eq!(root, pinned);
}
