//! The way of a job, line by line.
use crate::{
    script::{run, run_with},
    world::{START, World, forged, key, outcome, parameters},
};
use icn_model::{
    Action, Bid, Cid, Digest, Event, Exclusion, ExclusionReason, ExitStatus, JobPhase, Millis, Operation,
    Parameters, Receipt, Refusal, Role, Signed, SignedOperation, limits,
};

const FOUR: &[&str] = &["A", "B", "C", "D"];

#[test]
fn a_job_is_paid_what_was_bid_and_the_rest_released() {
    run(
        FOUR,
        "
        t=1   submit J by=A max=10            -> ok | J bidding, A available 90, A held 10, A holds 1
        t=2   award J by=A bids=B:6,C:8       -> ok | J running, A held 10
        t=3   receipt J by=B                  -> ok | J settled, A available 94, A held 0, A holds 0, B maturing 6, B available 100
        t=13  tick
        t=14  tick                                  | J settled, B maturing 6
        t=15  tick                                  | J completed, B maturing 0, B available 106, C available 100
        ",
    );
}

#[test]
fn whatever_any_honest_executor_gets_is_paid_and_what_is_the_executors_own_is_not() {
    run(
        FOUR,
        "
        t=1   submit J by=A max=10            -> ok
        t=2   award J by=A bids=B:6           -> ok
        t=3   receipt J by=B exit=trap        -> ok | J settled, B maturing 6
        t=4   submit K by=A max=10            -> ok | A held 10
        t=5   award K by=A bids=C:5           -> ok
        t=6   receipt K by=C exit=wall-clock  -> ok | K bidding, A held 10, C maturing 0, C reputation 200
        t=7   award K by=A bids=C:1,D:5       -> ok
        t=8   receipt K by=D exit=host        -> ok | K rolled-back, A held 0, A available 94, D reputation 200
        ",
    );
}

#[test]
fn an_executor_that_vanishes_costs_time_not_mana() {
    let script = run(
        FOUR,
        "
        t=1   submit J by=A max=10            -> ok
        t=2   award J by=A bids=B:1,C:8       -> ok
        t=4   tick
        t=5   tick                                  | J running
        t=6   tick                                  | J bidding, B reputation 200, A held 10
        t=7   receipt J by=B attempt=0        -> wrong-state
        t=8   award J by=A bids=B:1           -> no-eligible-bid
        t=8.1 award J by=A bids=B:1,C:8       -> ok
        t=9   receipt J by=B attempt=0        -> wrong-attempt
        t=10  receipt J by=C                  -> ok | J settled, C maturing 8, A available 92
        t=10.1 receipt J by=C                 -> wrong-state
        ",
    );
    let ranking = script.world.state.ranking(&script.jobs["J"]).unwrap();
    assert_eq!(ranking.attempt, 1);
    assert_eq!(
        ranking.bids.iter().map(|bid| bid.chosen).collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn a_job_that_nobody_can_do_is_rolled_back_with_everything_as_before() {
    let script = run(
        FOUR,
        "
        t=1   submit J by=A max=10            -> ok | A held 10
        t=2   award J by=A bids=B:5           -> ok
        t=3   return J by=B                   -> ok | J bidding, B reputation 240
        t=4   award J by=A bids=C:5           -> ok
        t=5   return J by=C                   -> ok | J rolled-back, A available 100, A held 0, A holds 0
        t=6   receipt J by=C                  -> wrong-state
        ",
    );
    let reasons = script.world.log.len();
    assert_eq!(reasons, 6);
    assert_eq!(script.world.state.audit().unwrap().available.milli(), 400_000);
}

#[test]
fn bidding_lapses_when_no_run_could_end_by_the_deadline() {
    run(
        FOUR,
        "
        t=0.1 submit J by=A max=10 deadline=2.59      -> bad-deadline
        t=0.2 submit J by=A max=10 deadline=700000    -> bad-deadline
        t=1   submit J by=A max=10 deadline=20        -> ok | A held 10
        t=18  tick
        t=19  tick                                          | J bidding
        t=19.1 tick                                         | J rolled-back, A available 100
        t=19.2 award J by=A bids=B:1                  -> wrong-state
        ",
    );
}

#[test]
fn who_awards_at_the_last_moment_is_in_time() {
    let mut script = run(FOUR, "t=1 submit J by=A max=10 deadline=20 -> ok");
    let job = script.world.state.job(&script.jobs["J"]).unwrap();
    let JobPhase::Bidding { until, .. } = job.phase else {
        panic!("{:?}", job.phase)
    };
    // The block after it: deadlines compare with the time of a block's parent.
    let last = until.since(START).get() as f64 / 1_000.0;
    script.run(&format!(
        "t={last} tick\nt+1 award J by=A bids=B:1 -> ok | J running"
    ));
}

#[test]
fn the_coordinator_awards_first_and_after_its_silence_any_seat() {
    run(
        FOUR,
        "
        t=1   submit J by=A max=10                    -> ok
        t=5   award J by=B bids=C:1                   -> not-coordinator
        t=6   award J by=B bids=C:1                   -> not-coordinator
        t=6.1 award J by=B bids=C:1                   -> ok | J running
        t=7   submit K by=A max=10 coordinator=D      -> ok
        t=8   award K by=A bids=C:1                   -> not-coordinator
        t=9   award K by=D bids=C:1                   -> ok | K running
        t=10  submit L by=A max=10 coordinator=X      -> bad-job
        ",
    );
}

#[test]
fn only_the_submitter_cancels_and_only_before_a_receipt() {
    run(
        FOUR,
        "
        t=1   submit J by=A max=10            -> ok
        t=2   cancel J by=B                   -> not-submitter
        t=3   cancel J by=A                   -> ok | J cancelled, A available 100, A holds 0
        t=4   cancel J by=A                   -> wrong-state
        t=5   submit K by=A max=10            -> ok
        t=6   award K by=A bids=B:5           -> ok
        t=7   cancel K by=A                   -> ok | K cancelled, A available 100
        t=8   receipt K by=B                  -> wrong-state
        t=9   submit L by=A max=10 k=2        -> ok | A held 20
        t=10  award L by=A bids=B:5,C:5       -> ok
        t=11  receipt L by=B                  -> ok | L running
        t=12  cancel L by=A                   -> wrong-state
        ",
    );
}

#[test]
fn replicas_are_paid_by_strict_majority() {
    run(
        &["A", "B", "C", "D", "E"],
        "
        t=1   submit J by=A max=10 k=3                -> ok | A held 30
        t=2   award J by=A bids=B:5,C:6,D:7           -> ok
        t=3   receipt J by=B out=x                    -> ok | J running
        t=3.1 receipt J by=B out=x                    -> not-executor
        t=3.2 receipt J by=E out=x                    -> not-executor
        t=3.3 receipt J by=C out=lie                  -> ok | J running
        t=3.4 receipt J by=D out=x                    -> ok | J settled, B maturing 5, C maturing 0, D maturing 7, A available 88, C reputation 0
        t=5   submit K by=A max=10 k=2                -> ok
        t=6   award K by=A bids=B:5,D:5               -> ok
        t=7   receipt K by=B out=x                    -> ok
        t=7.1 receipt K by=D out=y                    -> ok | K bidding, B reputation 250, D reputation 250
        t=8   award K by=A bids=C:5,E:5               -> ok
        t=8.1 receipt K by=C out=x                    -> ok
        t=8.2 receipt K by=E out=x                    -> ok | K settled
        t=9   submit L by=A max=10 k=3                -> ok
        t=10  award L by=A bids=B:5,C:5,D:5,E:4       -> ok
        t=11  receipt L by=E out=x                    -> ok
        t=11.1 return L by=B                          -> ok
        t=11.2 receipt L by=D out=x                   -> ok | L settled
        ",
    );
}

#[test]
fn a_member_submits_on_its_own_account() {
    run(
        FOUR,
        "
        t=1   add m by=A                      -> ok | m available 0
        t=2   submit J by=m max=10            -> insufficient-mana
        t=3   share by=A to=m amount=30       -> ok | A available 70, A shared 30, m available 30
        t=4   submit J by=m max=10            -> ok | m held 10, m available 20, A shared 30
        t=5   cancel J by=A                   -> not-submitter
        t=6   award J by=A bids=B:6           -> ok
        t=7   receipt J by=B                  -> ok | m available 24, A shared 24, B maturing 6
        t=8   submit K by=m max=10            -> ok | m held 10
        t=9   strike m by=A                   -> ok | A available 84, A held 10, A holds 1, A shared 0
        t=10  award K by=A bids=C:6           -> ok
        t=11  receipt K by=C                  -> ok | A available 88, C maturing 6
        ",
    );
}

#[test]
fn nobody_runs_a_job_of_its_own_unless_named_or_alone() {
    run(
        FOUR,
        "
        t=1   submit J by=A max=10            -> ok
        t=2   award J by=A bids=A:0           -> no-eligible-bid
        t=3   award J by=A bids=A:0,B:9       -> ok
        t=4   receipt J by=A                  -> not-executor
        t=5   submit K by=A max=10 only=A     -> ok
        t=6   award K by=A bids=A:5,B:1       -> ok
        t=7   receipt K by=A                  -> ok | K settled, A maturing 5
        t=7.1 submit L by=A max=1 k=4         -> bad-job
        ",
    );
    run(
        &["A"],
        "
        t=1   submit J by=A max=10            -> ok
        t=2   award J by=A bids=A:5           -> ok
        t=3   receipt J by=A                  -> ok | J settled, A available 95, A maturing 5
        t=15  tick
        t=16  tick                                  | J completed, A available 100, A reputation 250
        ",
    );
}

#[test]
fn jobs_that_are_over_are_forgotten_after_a_day() {
    let script = run(
        FOUR,
        "
        t=1   submit J by=A max=10            -> ok
        t=2   cancel J by=A                   -> ok | J cancelled
        t=1d  tick
        t=86402 tick
        t=86403 tick                                | J cancelled
        t=86404 tick                                | J unknown
        t=86405 cancel J by=A                 -> unknown-job
        ",
    );
    assert!(script.world.state.job_spec(&script.jobs["J"]).is_none());
}

#[test]
fn a_pause_of_the_log_gives_those_who_had_to_act_their_time_back() {
    run(
        FOUR,
        "
        t=1    submit J by=A max=10            -> ok
        t=2    award J by=A bids=B:5           -> ok
        t=3    submit K by=A max=10            -> ok
        t=3.1  award K by=A bids=C:5           -> ok
        t=3.2  receipt K by=C                  -> ok | K settled
        # Nothing for an hour.
        t=3603 tick                                  | J running, K settled
        t=3603.5 tick                                | J running
        t=3603.6 receipt J by=B                -> ok | J settled
        t=3613 tick                                  | K settled
        t=3613.3 tick                                | K settled
        t=3613.4 tick                                | K completed
        ",
    );
}

fn with_job(parameters: Parameters) -> (World, icn_model::JobId) {
    let mut world = World::new(FOUR, parameters);
    let spec = Box::new(world.spec(10));
    let operation = world.operation("A", Action::SubmitJob { spec });
    let time = world.state.time().after(Millis::from_secs(1));
    world
        .apply(time, vec![operation.clone()])
        .results
        .remove(0)
        .unwrap();
    (world, operation.id().into())
}

fn award(job: icn_model::JobId, bids: Vec<Signed<Bid>>) -> Action {
    Action::AwardJob {
        job,
        attempt: 0,
        bids,
        excluded: Vec::new(),
    }
}

#[test]
fn bids_that_do_not_count_spoil_the_award() {
    let (mut world, job) = with_job(parameters());
    let good = world.bid(job, "B", 5);
    let altered = |change: &dyn Fn(&mut Bid)| {
        let mut bid = good.clone();
        change(&mut bid);
        Signed::new(bid, &key("B"))
    };
    let bad = [
        altered(&|bid| bid.federation = Cid::of_dag_cbor(b"another")),
        altered(&|bid| bid.job = icn_model::JobId::new(Digest::ZERO)),
        altered(&|bid| bid.expires = crate::world::START),
        altered(&|bid| bid.executor = crate::world::did("C")),
        altered(&|bid| bid.executor = crate::world::did("X")),
        altered(&|bid| bid.key = key("X").public()),
        forged(good.clone(), "C"),
        Signed {
            content: Bid {
                price: icn_model::Mana::ZERO,
                ..good.clone()
            },
            signature: Signed::new(good.clone(), &key("B")).signature,
        },
    ];
    for bid in bad {
        let result = world.act("A", award(job, vec![bid.clone()]));
        assert!(
            matches!(result, Err(Refusal::BadBid { .. })),
            "{bid:?}: {result:?}"
        );
    }
    let twice = vec![world.signed_bid(job, "B", 5), world.signed_bid(job, "B", 4)];
    assert!(matches!(
        world.act("A", award(job, twice)),
        Err(Refusal::BadBid { .. })
    ));
    let other = altered(&|bid| bid.attempt = 1);
    assert!(matches!(
        world.act("A", award(job, vec![other])),
        Err(Refusal::WrongAttempt { .. })
    ));
    let none = Err(Refusal::NoEligibleBid {
        eligible: 0,
        needed: 1,
    });
    assert_eq!(world.act("A", award(job, Vec::new())), none);
    let many = vec![world.signed_bid(job, "B", 5); limits::MAX_BIDS + 1];
    assert!(matches!(
        world.act("A", award(job, many)),
        Err(Refusal::TooLarge { .. })
    ));
    let good = vec![world.signed_bid(job, "B", 5)];
    assert_eq!(world.act("A", award(job, good)), Ok(()));
}

#[test]
fn an_award_keeps_whom_the_coordinator_left_out() {
    let (mut world, job) = with_job(parameters());
    let excluded = vec![Exclusion {
        executor: crate::world::did("D"),
        reason: ExclusionReason::Outbid {},
    }];
    let action = Action::AwardJob {
        job,
        attempt: 0,
        bids: vec![world.signed_bid(job, "B", 5)],
        excluded: excluded.clone(),
    };
    world.act("A", action).unwrap();
    assert_eq!(world.state.ranking(&job).unwrap().excluded, excluded);
}

#[test]
fn receipts_that_are_for_something_else_are_refused() {
    let (mut world, job) = with_job(parameters());
    let bids = vec![world.signed_bid(job, "B", 5)];
    world.act("A", award(job, bids)).unwrap();
    let good = world.receipt(job, "B", outcome("x", ExitStatus::Code(0)));
    let altered = |change: &dyn Fn(&mut Receipt)| {
        let mut receipt = good.clone();
        change(&mut receipt);
        Signed::new(receipt, &key("B"))
    };
    let bad = [
        altered(&|receipt| receipt.federation = Cid::of_dag_cbor(b"another")),
        altered(&|receipt| receipt.executor = crate::world::did("C")),
        altered(&|receipt| receipt.key = key("C").public()),
        altered(&|receipt| receipt.module = Cid::of_raw(b"another")),
        altered(&|receipt| receipt.spec = Digest::ZERO),
        altered(&|receipt| receipt.engine = "x".repeat(limits::MAX_TEXT_BYTES + 1)),
        altered(&|receipt| receipt.outcome.exit = ExitStatus::Trap("x".repeat(limits::MAX_TEXT_BYTES + 1))),
        forged(good.clone(), "C"),
    ];
    for receipt in bad {
        let action = Action::PostReceipt {
            receipt: Box::new(receipt.clone()),
        };
        // Before the run's time is over.
        let operation = world.operation("B", action);
        let time = world.state.time().after(Millis::new(10));
        let result = world.apply(time, vec![operation]).results.remove(0);
        assert!(
            matches!(result, Err(Refusal::ReceiptMismatch { .. })),
            "{receipt:?}: {result:?}"
        );
    }
    let receipt = Box::new(Signed::new(good, &key("B")));
    assert_eq!(world.act("B", Action::PostReceipt { receipt }), Ok(()));
}

#[test]
fn jobs_over_a_bound_are_refused_by_name() {
    let mut world = World::new(FOUR, parameters());
    let long = "x".repeat(limits::MAX_ARG_BYTES + 1);
    type Change<'a> = (&'a str, Box<dyn Fn(&mut icn_model::JobSpec) + 'a>);
    let changes: Vec<Change<'_>> = vec![
        ("replicas", Box::new(|spec| spec.replicas = 0)),
        (
            "replicas",
            Box::new(|spec| spec.replicas = limits::MAX_REPLICAS + 1),
        ),
        ("limits.fuel", Box::new(|spec| spec.limits.fuel = 0)),
        ("limits.fuel", Box::new(|spec| spec.limits.fuel = u64::MAX)),
        (
            "limits.memory_bytes",
            Box::new(|spec| spec.limits.memory_bytes = limits::MAX_MEMORY_BYTES + 1),
        ),
        (
            "limits.output_bytes",
            Box::new(|spec| spec.limits.output_bytes = limits::MAX_OUTPUT_BYTES + 1),
        ),
        (
            "limits.wall_ms",
            Box::new(|spec| spec.limits.wall_ms = limits::MAX_WALL_MS + 1),
        ),
        (
            "number of arguments",
            Box::new(|spec| spec.args = vec![String::new(); limits::MAX_ARGS + 1]),
        ),
        (
            "bytes of arguments",
            Box::new(|spec| spec.args = vec![long.clone()]),
        ),
        (
            "variable",
            Box::new(|spec| {
                spec.env.insert("A=B".into(), String::new());
            }),
        ),
        ("argument", Box::new(|spec| spec.args = vec!["a\0b".into()])),
        (
            "input path",
            Box::new(|spec| {
                spec.inputs.insert("../x".into(), Cid::of_raw(b""));
            }),
        ),
        (
            "input path",
            Box::new(|spec| {
                spec.inputs.insert("/etc/passwd".into(), Cid::of_raw(b""));
            }),
        ),
        (
            "min_reputation",
            Box::new(|spec| spec.require.min_reputation = 1_001),
        ),
        (
            "max_mana",
            Box::new(|spec| {
                spec.replicas = 2;
                spec.max_mana = icn_model::Mana::from_milli(u64::MAX);
            }),
        ),
    ];
    for (name, change) in changes {
        let mut spec = world.spec(1);
        change(&mut spec);
        match world.act("A", Action::SubmitJob { spec: Box::new(spec) }) {
            Err(Refusal::BadJob { detail }) => assert!(detail.contains(name), "{name}: {detail}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn each_act_needs_its_key() {
    let mut world = World::new(FOUR, parameters());
    let submit = |world: &World| Action::SubmitJob {
        spec: Box::new(world.spec(1)),
    };
    let foreign = Operation {
        federation: world.state.federation(),
        author: crate::world::did("A"),
        key: key("B").public(),
        sequence: icn_model::Sequence::new(1),
        expires: world.state.time().after(Millis::from_secs(60)),
        action: submit(&world),
    };
    let foreign = SignedOperation::sign(foreign, &key("B"));
    let refused = world.apply(world.state.time().after(Millis::new(1)), vec![foreign]);
    let needs = Role::Officer;
    let author = crate::world::did("A");
    assert_eq!(refused.results, [Err(Refusal::NotAuthorised { author, needs })]);
    assert!(refused.events.is_empty(), "what leaves no trace makes no noise");
    // Only the head and the height changed.
    assert_eq!(refused.changes.0.len(), 2);
    let action = submit(&world);
    let author = crate::world::did("X");
    assert_eq!(world.act("X", action), Err(Refusal::UnknownAuthor { author }));
}

#[test]
fn the_end_of_each_job_is_told_by_exactly_one_event() {
    let script = run_with(
        FOUR,
        parameters(),
        "
        t=1   submit J by=A max=10            -> ok
        t=2   award J by=A bids=B:5           -> ok
        ",
    );
    let mut world = script.world;
    let job = script.jobs["J"];
    let receipt = world.receipt(job, "B", outcome("x", ExitStatus::Code(0)));
    let action = Action::PostReceipt {
        receipt: Box::new(Signed::new(receipt, &key("B"))),
    };
    world.act("B", action).unwrap();
    let events = world.last.unwrap().events;
    assert!(matches!(
        events.as_slice(),
        [Event::JobReceipt { .. }, Event::JobSettled { job: settled, .. }] if *settled == job
    ));
}
