//! Coming, going, and the seats of epochs.
use crate::{
    script::{Script, run, run_with},
    world::{World, did, forged, key, parameters},
};
use icn_model::{
    Action, Choice, Did, EpochNumber, Event, Invitation, Mana, Millis, Officers, Parameters, Refusal,
    RoleKeys, SeatKind, limits,
};

fn seats(script: &Script, epoch: u64) -> Vec<Did> {
    let seats = script.world.state.seats(EpochNumber::new(epoch)).unwrap();
    let mut dids: Vec<_> = seats.iter().map(|seat| seat.did).collect();
    dids.sort_unstable();
    dids
}

fn dids(names: &[&str]) -> Vec<Did> {
    let mut dids: Vec<_> = names.iter().map(|name| did(name)).collect();
    dids.sort_unstable();
    dids
}

#[test]
fn a_cooperative_joins() {
    let mut script = run(
        &["A", "B"],
        "
        t=1   join by=C invited=A             -> ok | C phase applied
        t=2   ready by=C                      -> not-admitted
        t=3   approve C by=A                  -> ok | C phase applied
        t=4   approve C by=A                  -> vote-is-final
        t=5   approve D by=A                  -> unknown-proposal
        t=6   approve C by=B                  -> ok | C phase admitted
        t=7   submit J by=C max=1             -> not-seated
        t=8   ready by=C                      -> ok | C phase ready, C available 0
        ",
    );
    assert!(script.world.state.change_waits());
    script.run("t+1 epoch -> ok | C phase seated, C available 100, supply granted 300");
    assert!(!script.world.state.change_waits());
    assert_eq!(seats(&script, 0), dids(&["A", "B"]));
    assert_eq!(seats(&script, 1), dids(&["A", "B", "C"]));
    script.run("t+1 submit J by=C max=1 -> ok");
    script.world.check_replay();
}

#[test]
fn seats_are_fixed_sixteen_blocks_before_the_end() {
    let mut script = run(
        &["A"],
        "
        t=1   join by=B invited=A             -> ok
        t=2   approve B by=A                  -> ok | B phase admitted
        ",
    );
    // Epochs here have 32 blocks, genesis counted: block 15 fixes what begins with block 32.
    while script.world.state.height().get() < 15 {
        assert!(script.world.state.seats(EpochNumber::new(1)).is_none());
        assert!(script.world.state.checkpoint().is_none());
        script.run("t+1 tick");
    }
    let root = script.world.state.merkle_root();
    assert_eq!(
        script.world.state.checkpoint(),
        Some((script.world.state.height(), root))
    );
    let outcome = script.world.last.as_ref().unwrap();
    assert!(matches!(outcome.events.as_slice(), [Event::SeatsFixed { .. }]));
    script.run("t+1 ready by=B -> ok | B phase ready");
    while script.world.state.height().get() < 30 {
        script.run("t+1 tick");
        assert_eq!(script.world.state.epoch(), EpochNumber::new(0));
    }
    script.run("t+1 tick | B phase ready");
    assert_eq!(script.world.state.epoch(), EpochNumber::new(1));
    assert_eq!(
        seats(&script, 1),
        dids(&["A"]),
        "ready after the seats were fixed: one epoch later"
    );
    assert!(script.world.state.change_waits());
    script.run("t+1 epoch | B phase seated");
    assert_eq!(seats(&script, 2), dids(&["A", "B"]));
}

#[test]
fn seats_of_the_last_eight_epochs_are_known() {
    let mut script = run(&["A"], "");
    script.world.loads = false;
    for _ in 0..12 {
        script.run("t+1 epoch");
    }
    let known = |epoch| script.world.state.seats(EpochNumber::new(epoch)).is_some();
    assert_eq!(script.world.state.epoch(), EpochNumber::new(12));
    assert!(!known(3) && (4..=12).all(known) && !known(13));
}

#[test]
fn one_that_is_never_ready_never_counts() {
    let script = run(
        &["A"],
        "
        t=1   join by=B invited=A             -> ok
        t=2   approve B by=A                  -> ok | B phase admitted
        t+1   epoch                                 | B phase admitted
        t=7d  tick
        t=604803 tick                               | B phase admitted
        t=604804 tick                               | B phase unknown
        ",
    );
    assert_eq!(seats(&script, 1), dids(&["A"]));
    assert_eq!(
        script.world.state.next_sequence(&key("B").public()).get(),
        2,
        "its numbers rest an hour"
    );
}

#[test]
fn applications_lapse_and_keys_are_forgotten() {
    let script = run(
        &["A", "B"],
        "
        t=1   join by=C invited=A             -> ok | C phase applied
        t=2   approve C by=A                  -> ok
        t=608401 tick
        t=608402 tick                               | C phase unknown
        t=612002 tick
        t=612003 tick
        t=612004 tick
        ",
    );
    assert_eq!(script.world.state.next_sequence(&key("C").public()).get(), 1);
    assert_eq!(script.world.state.applicants().count(), 0);
    // Nobody can use it any more, so nobody has to know that it was used.
    let used_invitations = script.world.store.keys().filter(|key| key[0] == 0x13);
    assert_eq!(used_invitations.count(), 0);
}

#[test]
fn over_half_of_the_cooperatives_must_say_yes() {
    run(
        &["A", "B", "C", "D"],
        "
        t=1   join by=X invited=A             -> ok
        t=2   approve X by=A                  -> ok
        t=3   approve X by=B                  -> ok | X phase applied
        t=4   approve X by=C                  -> ok | X phase admitted
        t=5   approve X by=D                  -> wrong-phase
        ",
    );
}

#[test]
fn who_leaves_votes_no_more() {
    run(
        &["A", "B", "C", "D"],
        "
        t=1   join by=X invited=A             -> ok
        t=2   approve X by=A                  -> ok
        t=3   approve X by=B                  -> ok | X phase applied
        t=4   leave by=D                      -> ok | D phase leaving
        t=4.1 approve X by=D                  -> not-seated
        t=5   epoch                           -> ok | D phase left, X phase applied
        t+1   approve X by=C                  -> ok | X phase admitted
        ",
    );
}

#[test]
fn a_cooperative_leaves_and_its_open_jobs_roll_back() {
    let mut script = run(
        &["A", "B", "C"],
        "
        t=1   add m by=A                      -> ok
        t=1.1 share by=A to=m amount=20       -> ok
        t=2   submit J by=A max=10            -> ok
        t=3   submit K by=m max=10            -> ok | m held 10
        t=3.1 submit L by=A max=10 k=2        -> ok
        t=3.2 award L by=A bids=B:5,C:5       -> ok
        t=3.3 receipt L by=B                  -> ok | L running
        t=4   leave by=A                      -> ok | A phase leaving, J rolled-back, K rolled-back, L running
        t=4.1 receipt L by=C                  -> ok | L settled, A available 70, A held 0, m available 20
        t=5   submit M by=A max=1             -> not-seated
        t=6   submit M by=m max=1             -> not-seated
        t=7   leave by=A                      -> not-seated
        t=8   leave by=B                      -> ok
        t=9   leave by=C                      -> last-cooperative
        t=10  submit N by=C max=10 k=2        -> bad-job
        ",
    );
    assert_eq!(
        seats(&script, 0).len(),
        3,
        "a leaving seat is kept until the epoch's end"
    );
    script.run("t+1 epoch | A phase left, B phase left, C phase seated, A available 70, m available 20");
    assert_eq!(seats(&script, 1), dids(&["C"]));
    script.world.check_replay();
}

#[test]
fn who_comes_back_finds_its_account_and_gets_no_second_grant() {
    run_with(
        &["A", "B"],
        Parameters {
            mana_rate_per_hour: Mana::from_whole(3_600),
            mana_capacity: Mana::from_whole(1_000),
            ..parameters()
        },
        "
        t=1   submit J by=B max=60            -> ok | B available 41
        t=1.1 award J by=B bids=A:60          -> ok
        t=1.2 receipt J by=A                  -> ok
        t=1.3 leave by=B                      -> ok
        t=2   epoch                           -> ok | B phase left
        t=40  tick                                  | B available 54.8
        t=140 tick                                  | B available 54.8
        t=141 join by=B invited=A             -> ok | B phase applied, supply granted 200
        t=142 approve B by=A                  -> ok
        t=143 ready by=B                      -> ok
        t+1   epoch                                 | B phase seated, supply granted 200, B available 54.8
        t+1   tick                                  | B available 55.8
        ",
    );
}

#[test]
fn who_stays_away_is_forgotten_and_what_it_had_is_burned() {
    let mut script = run(
        &["A", "B"],
        "
        t=1   add m by=B                      -> ok
        t=2   share by=B to=m amount=30       -> ok
        t=3   leave by=B                      -> ok
        t=4   epoch                           -> ok | B phase left
        t=30d tick
        t=2592016 tick                              | B phase left, m available 30
        t=2592018 tick
        t=2592019 tick                              | B phase unknown, m available 0, supply burned 100
        t=2595619 tick
        t=2595621 tick
        ",
    );
    assert!(script.world.state.member(&did("m")).is_none());
    assert!(
        script
            .world
            .state
            .account(&did("B"), script.world.state.time())
            .is_none()
    );
    script.run(
        "
        t+1 join by=B invited=A -> ok
        t+1 approve B by=A      -> ok
        t+1 ready by=B          -> ok
        t+1 epoch                     | B phase seated, supply granted 300
        ",
    );
}

#[test]
fn a_witness_orders_blocks_and_nothing_else() {
    let mut script = run(
        &["A", "B", "C"],
        "
        t=1   join by=W invited=A as=witness  -> ok
        t=2   approve W by=A                  -> ok
        t=3   approve W by=B                  -> ok | W phase admitted, W executed
        t=4   ready by=W                      -> ok
        t=5   epoch                           -> ok | W phase seated, W available 0, supply granted 300
        t+1   submit J by=W max=0             -> not-a-cooperative
        t+1   propose P by=W                  -> not-a-cooperative
        t+1   add m by=W                      -> not-a-cooperative
        t+1   submit J by=A max=10            -> ok
        t+1   award J by=A bids=W:1           -> bad-bid
        t+5   tick
        t+1   award J by=W bids=B:1           -> ok
        t+1   receipt J by=B                  -> ok
        t+1   challenge J by=W                -> not-a-cooperative
        t+1   leave by=W                      -> ok | W phase leaving
        t+1   epoch                                 | W phase left
        t+1   join by=X invited=W             -> invitation-invalid
        ",
    );
    assert_eq!(script.world.state.cooperative_of(&did("W")), None);
    assert_eq!(seats(&script, 1).len(), 4);
    script.run("t+2d tick");
    script.world.check_replay();
}

#[test]
fn invitations_hold_once_and_only_as_they_were_signed() {
    let mut world = World::new(&["A", "B"], parameters());
    let good = world.invitation("A", SeatKind::Cooperative, 1);
    let altered = |change: &dyn Fn(&mut Invitation)| {
        let mut invitation = good.content.clone();
        change(&mut invitation);
        icn_model::Signed::new(invitation, &key("A"))
    };
    let bad = [
        altered(&|invitation| invitation.federation = icn_model::Cid::of_raw(b"another")),
        altered(&|invitation| invitation.inviter = did("B")),
        altered(&|invitation| invitation.inviter = did("X")),
        altered(&|invitation| invitation.expires = invitation.expires.after(limits::MAX_INVITATION_SPAN)),
        altered(&|invitation| invitation.addresses = vec![String::new(); limits::MAX_ADDRESSES + 1]),
        forged(good.content.clone(), "B"),
    ];
    for invitation in bad {
        let join = world.join("C", invitation.clone());
        let result = world.act("C", join);
        assert!(
            matches!(result, Err(Refusal::InvitationInvalid { .. })),
            "{invitation:?}: {result:?}"
        );
    }
    // Strangers that are refused leave no trace.
    assert_eq!(world.state.next_sequence(&key("C").public()).get(), 1);
    let stale = altered(&|invitation| invitation.expires = crate::world::START);
    let join = world.join("C", stale);
    assert!(matches!(
        world.act("C", join),
        Err(Refusal::InvitationExpired { .. })
    ));
    let join = world.join("C", good.clone());
    assert_eq!(world.act("C", join), Ok(()));
    let join = world.join("D", good);
    assert_eq!(world.act("D", join), Err(Refusal::InvitationUsed {}));
}

#[test]
fn invitations_are_for_thirty_days_at_most() {
    let invited_for = |span: Millis| {
        let mut world = World::new(&["A"], parameters());
        let mut invitation = world.invitation("A", SeatKind::Cooperative, 1).content;
        // From the block that takes the application, a second after the first.
        invitation.expires = world.state.time().after(Millis::from_secs(1)).after(span);
        let join = world.join("B", icn_model::Signed::new(invitation, &key("A")));
        world.act("B", join)
    };
    let longest = limits::MAX_INVITATION_SPAN;
    assert_eq!(invited_for(longest), Ok(()));
    let longer = invited_for(Millis::new(longest.get() + 1));
    assert!(
        matches!(&longer, Err(Refusal::InvitationInvalid { detail }) if detail.contains("30 days")),
        "{longer:?}"
    );
}

#[test]
fn identities_and_seat_keys_are_one_nodes_only() {
    let mut world = World::new(&["A", "B"], parameters());
    let join = |world: &World, nonce, keys: RoleKeys| Action::Join {
        invitation: world.invitation("A", SeatKind::Cooperative, nonce),
        name: "C".parse().unwrap(),
        keys,
    };
    let mut keys = RoleKeys::single(key("C").public());
    keys.seat = key("B").public();
    let action = join(&world, 1, keys.clone());
    assert_eq!(world.act("C", action), Err(Refusal::KeyInUse { did: did("B") }));
    keys.seat = icn_model::PublicKey::new([0; 32]);
    let action = join(&world, 1, keys.clone());
    assert_eq!(world.act("C", action), Err(Refusal::BadKeys {}));
    let good = RoleKeys::single(key("C").public());
    let action = join(&world, 1, good.clone());
    let by_other_key = world.operation_with("C", "D", action);
    let time = world.state.time().after(Millis::new(1));
    assert_eq!(
        world.apply(time, vec![by_other_key]).results,
        [Err(Refusal::BadKeys {})]
    );
    let action = join(&world, 1, good.clone());
    assert_eq!(world.act("C", action), Ok(()));
    let action = join(&world, 2, good);
    assert_eq!(
        world.act("C", action),
        Err(Refusal::AlreadyKnown { did: did("C") })
    );
}

#[test]
fn officers_speak_for_a_cooperative_only_together() {
    let mut genesis = crate::world::genesis(&["A", "B"], parameters());
    let founder = genesis
        .founders
        .iter_mut()
        .find(|founder| founder.did == did("A"))
        .unwrap();
    founder.keys.officers = Officers {
        threshold: 2,
        keys: ["o1", "o2", "o3"].map(|name| key(name).public()).to_vec(),
    };
    let mut world = World::of(genesis);
    let by = |world: &mut World, signer: &str, action: Action| {
        let operation = world.operation_with("A", signer, action);
        let time = world.state.time().after(Millis::new(10));
        world.apply(time, vec![operation]).results.remove(0)
    };
    let join = world.join("C", world.invitation("B", SeatKind::Cooperative, 1));
    world.act("C", join).unwrap();
    let (proposal, _) = world.state.proposals().next().unwrap();
    let proposal = *proposal;
    let approve = || Action::Vote {
        proposal,
        choice: Choice::Yes {},
    };
    world.act("B", approve()).unwrap();
    let not_officer = Err(Refusal::NotAuthorised {
        author: did("A"),
        needs: icn_model::Role::Officer,
    });
    assert_eq!(
        by(&mut world, "A", approve()),
        not_officer,
        "the seat key does not vote"
    );
    assert_eq!(by(&mut world, "o1", approve()), Ok(()));
    assert_eq!(by(&mut world, "o1", approve()), Err(Refusal::AlreadySaid {}));
    assert!(world.state.ballot(&proposal, &did("A")).is_none(), "one of two");
    let against = Action::Vote {
        proposal,
        choice: Choice::No {},
    };
    assert_eq!(by(&mut world, "o2", against), Ok(()), "they need not agree");
    assert!(world.state.ballot(&proposal, &did("A")).is_none());
    assert_eq!(
        world.state.seat_record(&did("C")).unwrap().phase.name(),
        "applied"
    );
    assert_eq!(by(&mut world, "o3", approve()), Ok(()));
    assert_eq!(
        world.state.seat_record(&did("C")).unwrap().phase.name(),
        "admitted"
    );
    assert_eq!(by(&mut world, "o1", Action::Leave {}), Ok(()));
    assert!(matches!(
        by(&mut world, "o1", Action::Leave {}),
        Err(Refusal::AlreadyApproved { .. })
    ));
    assert_eq!(world.state.seat_record(&did("A")).unwrap().phase.name(), "seated");
    assert_eq!(by(&mut world, "o2", Action::Leave {}), Ok(()));
    assert_eq!(
        world.state.seat_record(&did("A")).unwrap().phase.name(),
        "leaving"
    );
    world.check_replay();
}

#[test]
fn applications_are_bounded() {
    let mut world = World::new(&["A", "B"], parameters());
    world.loads = false;
    for number in 0..limits::MAX_APPLICATIONS_PER_INVITER {
        let name = format!("X{number}");
        let join = world.join(&name, world.invitation("A", SeatKind::Cooperative, number as u64));
        assert_eq!(world.act(&name, join), Ok(()));
    }
    let join = world.join("Y", world.invitation("A", SeatKind::Cooperative, 99));
    assert!(matches!(
        world.act("Y", join),
        Err(Refusal::TooManyApplications { .. })
    ));
    let join = world.join("Y", world.invitation("B", SeatKind::Cooperative, 99));
    assert_eq!(world.act("Y", join), Ok(()));
    let names: Vec<String> = (0..limits::MAX_SEATS)
        .map(|number| format!("S{number}"))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut full = World::new(&names, parameters());
    full.loads = false;
    let join = full.join("Y", full.invitation("S0", SeatKind::Cooperative, 1));
    assert!(matches!(full.act("Y", join), Err(Refusal::TooManySeats { .. })));
}
