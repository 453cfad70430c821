//! Keys follow each other: the seat's with an epoch, the others at once.
use crate::world::{World, did, genesis, key, parameters};
use icn_model::{
    Action, EpochNumber, Event, Millis, Officers, PublicKey, Refusal, Role, RoleKeys, SeatKind, SeatRecord,
    limits,
};

fn public(name: &str) -> PublicKey {
    key(name).public()
}

/// `A` with a key for each role: `s`, two of `o1`, `o2`, `o3`, `l` and `r`; and `B`.
fn world() -> World {
    let mut genesis = genesis(&["A", "B"], parameters());
    let founder = genesis
        .founders
        .iter_mut()
        .find(|founder| founder.did == did("A"));
    founder.unwrap().keys = keys("s", "r");
    World::of(genesis)
}

fn keys(seat: &str, recovery: &str) -> RoleKeys {
    RoleKeys {
        seat: public(seat),
        officers: Officers {
            threshold: 2,
            keys: ["o1", "o2", "o3"].map(public).to_vec(),
        },
        line: public("l"),
        recovery: public(recovery),
    }
}

fn by(world: &mut World, signer: &str, action: Action) -> Result<(), Refusal> {
    let operation = world.operation_with("A", signer, action);
    let time = world.state.time().after(Millis::new(10));
    world.apply(time, vec![operation]).results.remove(0)
}

fn rotate(world: &World, keys: RoleKeys, holder: Option<&str>) -> Action {
    Action::RotateKeys {
        keys: Box::new(keys),
        possession: holder.map(|holder| world.possession("A", holder)),
    }
}

fn record(world: &World) -> &SeatRecord {
    world.state.seat_record(&did("A")).unwrap()
}

fn needs(role: Role) -> Result<(), Refusal> {
    Err(Refusal::NotAuthorised {
        author: did("A"),
        needs: role,
    })
}

fn voting_key(world: &World) -> PublicKey {
    let seats = world.state.seats(world.state.epoch()).unwrap();
    seats.iter().find(|seat| seat.did == did("A")).unwrap().key
}

#[test]
fn a_seat_key_replaces_itself_with_the_next_epoch() {
    let mut world = world();
    let action = rotate(&world, keys("s2", "r"), Some("s2"));
    assert_eq!(by(&mut world, "s", action.clone()), Ok(()));
    assert!(world.state.change_waits());
    assert_eq!(by(&mut world, "s", action), Err(Refusal::KeysUnchanged {}));
    assert_eq!(
        record(&world).keys.seat,
        public("s"),
        "the old key acts until then"
    );
    let ready = Action::Ready {};
    assert_eq!(by(&mut world, "s2", ready.clone()), needs(Role::Officer));

    world.end_epoch();
    assert_eq!(voting_key(&world), public("s2"));
    assert!(!world.state.change_waits());
    let events = &world.last.as_ref().unwrap().events;
    let changed = Event::SeatKeyChanged {
        seat: did("A"),
        key: public("s2"),
        epoch: EpochNumber::new(1),
    };
    assert!(events.contains(&changed), "{events:?}");
    assert_eq!(record(&world).keys.seat, public("s2"));
    assert_eq!(record(&world).succession.former_seats, [public("s")]);
    assert_eq!(by(&mut world, "s", ready.clone()), needs(Role::Officer));
    assert_eq!(
        by(&mut world, "s2", ready),
        Err(Refusal::NotAdmitted {}),
        "it acts"
    );
    for key in ["s", "s2"] {
        assert_eq!(world.state.seat_of_key(&public(key)), Some(did("A")));
    }
    // A seat does not go back to a key that it had.
    let back = rotate(&world, keys("s", "r"), Some("s"));
    assert_eq!(
        by(&mut world, "s2", back),
        Err(Refusal::KeyInUse { did: did("A") })
    );
    let stored = &world.store[&icn_state::seat_key(&did("A"))];
    assert_eq!(*stored, icn_model::canonical::to_bytes(record(&world)));
    world.check_replay();
}

#[test]
fn a_key_that_comes_after_the_seats_are_fixed_waits_for_the_epoch_after() {
    let mut world = world();
    let first = rotate(&world, keys("s2", "r"), Some("s2"));
    by(&mut world, "s", first).unwrap();
    while world.state.seats(EpochNumber::new(1)).is_none() {
        by(&mut world, "s", Action::Ready {}).unwrap_err();
    }
    let second = rotate(&world, keys("s3", "r"), Some("s3"));
    by(&mut world, "s", second).unwrap();
    world.end_epoch();
    assert_eq!(voting_key(&world), public("s2"));
    assert_eq!(record(&world).succession.next_seat, Some(public("s3")));
    assert!(world.state.change_waits());
    world.end_epoch();
    assert_eq!(voting_key(&world), public("s3"));
    assert_eq!(
        record(&world).succession.former_seats,
        [public("s"), public("s2")]
    );
    assert_eq!(record(&world).succession.next_seat, None);
    world.check_replay();
}

#[test]
fn each_key_replaces_what_it_may() {
    let mut world = world();
    let other = RoleKeys {
        line: public("l2"),
        ..keys("s", "r")
    };
    // Neither the online key nor the line's goes beyond itself.
    let action = rotate(&world, other.clone(), None);
    assert_eq!(by(&mut world, "s", action.clone()), needs(Role::Officer));
    assert_eq!(by(&mut world, "l", action.clone()), needs(Role::Officer));
    // Officers only together.
    assert_eq!(by(&mut world, "o1", action.clone()), Ok(()));
    assert_eq!(by(&mut world, "o1", action.clone()), Ok(()));
    assert_eq!(record(&world).keys, keys("s", "r"));
    let another = RoleKeys {
        line: public("l3"),
        ..keys("s", "r")
    };
    let against = rotate(&world, another, None);
    assert_eq!(by(&mut world, "o2", against), Ok(()));
    assert_eq!(record(&world).keys, keys("s", "r"), "two officers, two wishes");
    assert_eq!(record(&world).succession.wishes.len(), 2);
    assert_eq!(by(&mut world, "o2", action), Ok(()));
    assert_eq!(record(&world).keys, other);
    assert!(record(&world).succession.wishes.is_empty());

    // The recovery key replaces all, itself included; officers do not replace it.
    let all = RoleKeys::single(public("n"));
    let action = rotate(&world, all.clone(), Some("n"));
    assert_eq!(by(&mut world, "o1", action.clone()), needs(Role::Recovery));
    assert_eq!(by(&mut world, "r", action), Ok(()));
    assert_eq!(record(&world).keys.officers.keys, [public("n")]);
    assert_eq!(record(&world).keys.seat, public("s"));
    assert_eq!(by(&mut world, "o1", Action::Leave {}), needs(Role::Officer));
    world.end_epoch();
    assert_eq!(record(&world).keys, all);
    world.check_replay();
}

#[test]
fn a_new_seat_key_is_held_by_its_seat_and_by_nobody_else() {
    let mut world = world();
    let new = keys("s2", "r");
    let not_possessed = |name| Err(Refusal::NotPossessed { key: public(name) });
    let none = rotate(&world, new.clone(), None);
    assert_eq!(by(&mut world, "s", none), not_possessed("s2"));
    let by_another = rotate(&world, new.clone(), Some("x"));
    assert_eq!(by(&mut world, "s", by_another), not_possessed("s2"));
    let for_another = Action::RotateKeys {
        keys: Box::new(new),
        possession: Some(world.possession("B", "s2")),
    };
    assert_eq!(by(&mut world, "s", for_another), not_possessed("s2"));
    let in_use = rotate(&world, keys("B", "r"), Some("B"));
    assert_eq!(
        by(&mut world, "s", in_use),
        Err(Refusal::KeyInUse { did: did("B") })
    );
    let weak = RoleKeys {
        line: PublicKey::new([0; 32]),
        ..keys("s", "r")
    };
    let weak = rotate(&world, weak, None);
    assert_eq!(by(&mut world, "r", weak), Err(Refusal::BadKeys {}));
    // Nobody joins with a key that another seat has been promised.
    let promised = rotate(&world, keys("s2", "r"), Some("s2"));
    assert_eq!(by(&mut world, "s", promised), Ok(()));
    let invitation = world.invitation("B", SeatKind::Cooperative, 1);
    let join = Action::Join {
        invitation,
        name: "C".parse().unwrap(),
        keys: RoleKeys::single(public("s2")),
    };
    assert_eq!(world.act("C", join), Err(Refusal::KeyInUse { did: did("A") }));
    world.check_replay();
}

#[test]
fn former_keys_are_bounded() {
    let mut world = World::new(&["A"], parameters());
    let mut holder = String::from("A");
    for number in 0..=limits::MAX_FORMER_KEYS {
        let next = format!("A{number}");
        let action = rotate(&world, RoleKeys::single(public(&next)), Some(&next));
        by(&mut world, &holder, action).unwrap();
        world.end_epoch();
        assert_eq!(voting_key(&world), public(&next));
        holder = next;
    }
    let former = &record(&world).succession.former_seats;
    assert_eq!(former.len(), limits::MAX_FORMER_KEYS);
    assert_eq!(former[0], public("A0"), "the oldest is forgotten");
    assert_eq!(world.state.seat_of_key(&public("A")), None);
    world.check_replay();
}

#[test]
fn a_member_keeps_its_identity_under_another_key() {
    let mut world = World::new(&["A", "B"], parameters());
    world.act("A", Action::AddMember { member: did("m") }).unwrap();
    let rotation = |world: &World, holder: &str| Action::RotateMemberKey {
        possession: world.possession("m", holder),
    };
    let signed_by = |world: &mut World, author: &str, signer: &str, action: Action| {
        let operation = world.operation_with(author, signer, action);
        let time = world.state.time().after(Millis::new(10));
        world.apply(time, vec![operation]).results.remove(0)
    };
    let same = rotation(&world, "m");
    assert_eq!(world.act("m", same), Err(Refusal::KeysUnchanged {}));
    let new = rotation(&world, "m2");
    assert_eq!(
        signed_by(&mut world, "m", "m2", new.clone()),
        Err(Refusal::NotAuthorised {
            author: did("m"),
            needs: Role::Member,
        }),
        "the new key does not act by itself"
    );
    assert_eq!(world.act("m", new), Ok(()));
    let home = Action::ShareMana {
        to: did("A"),
        amount: icn_model::Mana::ZERO,
    };
    assert_eq!(
        world.act("m", home.clone()).unwrap_err().code().name,
        "not-authorised"
    );
    assert_eq!(
        signed_by(&mut world, "m", "m2", home),
        Err(Refusal::ZeroAmount {}),
        "it acts"
    );

    // A lost key is replaced by the member's cooperative, and by no other.
    let lost = rotation(&world, "m3");
    let unknown = Err(Refusal::UnknownMember { member: did("m") });
    assert_eq!(world.act("B", lost.clone()), unknown);
    assert_eq!(world.act("A", lost), Ok(()));
    assert_eq!(world.state.member(&did("m")).unwrap().key, public("m3"));
    let stranger = Action::RotateMemberKey {
        possession: world.possession("x", "y"),
    };
    assert_eq!(
        world.act("A", stranger),
        Err(Refusal::UnknownMember { member: did("x") })
    );
    world.check_replay();
}
