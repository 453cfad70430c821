//! A log that continues another one, of which seats were lost for good.
use crate::{
    script::run,
    world::{World, did, engine, key, parameters},
};
use icn_model::{
    Action, Endorsement, EpochNumber, Event, Genesis, Height, Mana, Millis, Refusal, SeatKind, SeatPhase,
    Signed,
};
use icn_state::{State, SuccessionError, check_endorsed};
use std::collections::BTreeSet;

const SEATS: [&str; 4] = ["a", "b", "c", "d"];

fn world() -> World {
    let mut world = World::new(&SEATS, parameters());
    world.act("a", Action::AddMember { member: did("ann") }).unwrap();
    let to = did("ann");
    let amount = Mana::from_whole(5);
    world.act("a", Action::ShareMana { to, amount }).unwrap();
    // Into an epoch with a checkpoint.
    world.end_epoch();
    world
}

fn lost(names: &[&str]) -> BTreeSet<icn_model::Did> {
    names.iter().map(|name| did(name)).collect()
}

fn copy(world: &World) -> State {
    State::load(world.store.clone().into_iter(), engine()).unwrap()
}

/// The world after its log went on as the one of `genesis`.
fn go_on(mut world: World, genesis: Genesis) -> (World, Vec<Event>) {
    let (state, changes, events) = world.state.succeed(&genesis).unwrap();
    world.state = state;
    for change in changes.0 {
        match change.value {
            Some(value) => world.store.insert(change.key, value),
            None => world.store.remove(&change.key),
        };
    }
    world.genesis = genesis;
    world.log.clear();
    (world, events)
}

#[test]
fn survivors_go_on_with_all_that_was() {
    let world = world();
    let (federation, log, height) = (
        world.state.federation(),
        world.state.federation_record().log,
        world.state.height(),
    );
    let before = world.state.audit().unwrap();
    let genesis = world.state.successor(&lost(&["c", "d"])).unwrap();
    assert_eq!(
        genesis,
        copy(&world).successor(&lost(&["d", "c"])).unwrap(),
        "all draft the same"
    );
    let (mut world, events) = go_on(world, genesis.clone());
    world.state.audit().unwrap();
    assert!(
        world.state.records().eq(world.store.clone()),
        "changes are complete"
    );
    assert_eq!(
        world.state.federation(),
        federation,
        "what was signed for it holds"
    );
    assert_eq!(world.state.federation_record().log, genesis.log());
    assert_ne!(genesis.log(), log);
    assert_eq!(genesis.id(), federation);
    assert_eq!(world.state.height(), Height::ZERO);
    assert_eq!(
        world.state.audit().unwrap(),
        before,
        "nothing is granted or burned"
    );
    let gone: BTreeSet<_> = ["c", "d"].map(did).into();
    let Event::LogContinued {
        predecessor,
        height: last,
        gone: told,
    } = &events[0]
    else {
        panic!("{events:?}");
    };
    assert_eq!((*predecessor, *last), (log, height));
    assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), gone);
    let seats = world.state.seats(EpochNumber::ZERO).unwrap();
    let seats: BTreeSet<_> = seats.iter().map(|entry| entry.did).collect();
    assert_eq!(seats, ["a", "b"].map(did).into());

    // Members, accounts and numbers of keys are as they were.
    let to = did("ann");
    let amount = Mana::from_whole(1);
    world.act("a", Action::ShareMana { to, amount }).unwrap();
    let share = Action::ShareMana { to, amount };
    assert!(
        matches!(world.act("c", share), Err(Refusal::NotSeated {})),
        "who was lost speaks no more"
    );
    let seat = world.state.seat_record(&did("c")).unwrap();
    assert!(matches!(seat.phase, SeatPhase::Left { .. }));
    world.end_epoch();
    assert_eq!(world.state.seats(world.state.epoch()).unwrap().len(), 2);

    // Once more.
    let genesis = world.state.successor(&lost(&["b"])).unwrap();
    let (mut world, _) = go_on(world, genesis);
    assert_eq!(world.state.federation(), federation);
    world.act("a", Action::ShareMana { to, amount }).unwrap();
}

#[test]
fn who_had_only_applied_applies_anew() {
    let mut world = world();
    let invitation = world.invitation("a", SeatKind::Cooperative, 1);
    let join = world.join("e", invitation);
    world.act("e", join).unwrap();
    let genesis = world.state.successor(&lost(&["c", "d"])).unwrap();
    let (world, events) = go_on(world, genesis);
    let applicant = did("e");
    assert!(
        events.contains(&Event::ApplicationLapsed { applicant }),
        "{events:?}"
    );
    assert!(world.state.seat_record(&applicant).is_none());
}

#[test]
fn an_upgrade_that_was_fixed_waits_for_the_seats_of_the_new_log() {
    let mut script = run(
        &["a", "b", "c", "d"],
        "
        t=1   announce 2 by=a                   -> ok
        t=2   announce 2 by=b                   -> ok
        t=3   announce 2 by=c                   -> ok
        t=4   propose P by=a effect=upgrade:2:2 -> ok
        t=5   vote P by=a choice=yes            -> ok
        t=6   vote P by=b choice=yes            -> ok
        t=7   vote P by=c choice=yes            -> ok
        t+1   enact                                   | P executed
        ",
    );
    script.world.fix_seats(EpochNumber::new(2));
    assert!(script.world.state.decided().upgrade.unwrap().fixed);
    let genesis = script.world.state.successor(&lost(&["c", "d"])).unwrap();
    let (world, _) = go_on(script.world, genesis);
    let planned = world.state.decided().upgrade.unwrap();
    assert_eq!((planned.version, planned.epoch), (2, EpochNumber::ZERO));
    assert!(!planned.fixed);
}

#[test]
fn a_pause_without_a_log_is_a_pause() {
    let world = world();
    let end = world.state.time();
    let genesis = world.state.successor(&lost(&["c", "d"])).unwrap();
    assert_eq!(genesis.created, end);
    let (mut world, _) = go_on(world, genesis);
    world.apply(end.after(Millis::from_secs(86_400)), Vec::new());
    world.state.audit().unwrap();
}

#[test]
fn what_does_not_continue_the_log_is_refused() {
    let world = world();
    let good = world.state.successor(&lost(&["c", "d"])).unwrap();
    let error = |change: &dyn Fn(&mut Genesis)| {
        let mut genesis = good.clone();
        change(&mut genesis);
        copy(&world).succeed(&genesis).map(|_| ()).unwrap_err()
    };
    assert_eq!(
        error(&|genesis| genesis.predecessor = None),
        SuccessionError::NoPredecessor
    );
    let predecessor = |change: &dyn Fn(&mut icn_model::Predecessor)| {
        error(&|genesis| change(genesis.predecessor.as_mut().unwrap()))
    };
    let other = icn_model::Cid::of_raw(b"other");
    assert!(matches!(
        predecessor(&|it| it.log = other),
        SuccessionError::OtherLog { .. }
    ));
    assert!(matches!(
        predecessor(&|it| it.federation = other),
        SuccessionError::OtherLog { .. }
    ));
    assert!(matches!(
        predecessor(&|it| it.height = it.height.next()),
        SuccessionError::OtherHeight { .. }
    ));
    let zero = icn_model::Digest::ZERO;
    assert!(matches!(
        predecessor(&|it| it.root = zero),
        SuccessionError::OtherRoot { .. }
    ));
    assert!(matches!(
        predecessor(&|it| it.state = zero),
        SuccessionError::OtherRoot { .. }
    ));
    let same = SuccessionError::OtherRules;
    assert_eq!(error(&|genesis| genesis.protocol += 1), same);
    assert_eq!(
        error(&|genesis| genesis.created = genesis.created.after(Millis::new(1))),
        same
    );
    assert_eq!(error(&|genesis| genesis.parameters.max_holds += 1), same);
    let stranger = |genesis: &mut Genesis| genesis.founders[0].keys.officers.keys = vec![key("x").public()];
    assert!(matches!(error(&stranger), SuccessionError::NotSeated { .. }));
    assert!(
        matches!(
            world.state.successor(&lost(&SEATS)),
            Err(SuccessionError::Genesis(_))
        ),
        "somebody is left"
    );
}

#[test]
fn all_survivors_have_to_sign() {
    let world = world();
    let genesis = world.state.successor(&lost(&["c", "d"])).unwrap();
    let by = |did_of: &str, signer: &str, log| {
        let content = Endorsement {
            log,
            did: did(did_of),
            key: key(signer).public(),
        };
        Signed::new(content, &key(signer))
    };
    let log = genesis.log();
    let (a, b) = (by("a", "a", log), by("b", "b", log));
    assert_eq!(check_endorsed(&genesis, &[a.clone(), b.clone()]), Ok(()));
    let missing = |endorsements: &[_]| check_endorsed(&genesis, endorsements).unwrap_err();
    assert!(matches!(
        missing(std::slice::from_ref(&a)),
        SuccessionError::NotEndorsed { have: 0, need: 1, .. }
    ));
    // Somebody else's key, one's own for another, twice the same.
    assert!(matches!(
        missing(&[a.clone(), by("b", "c", log)]),
        SuccessionError::NotEndorsed { .. }
    ));
    assert!(matches!(
        missing(&[a.clone(), by("b", "a", log)]),
        SuccessionError::NotEndorsed { .. }
    ));
    assert!(matches!(
        missing(&[a.clone(), a.clone()]),
        SuccessionError::NotEndorsed { .. }
    ));
    let other = by("b", "b", world.state.federation());
    assert!(matches!(
        missing(&[a.clone(), b.clone(), other]),
        SuccessionError::BadEndorsement { .. }
    ));
    let mut forged = b;
    forged.content.did = did("a");
    assert!(matches!(
        missing(&[a, forged]),
        SuccessionError::BadEndorsement { .. }
    ));
}
