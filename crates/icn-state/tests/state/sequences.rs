//! Form, numbers and what a refusal leaves behind.
use crate::world::{START, World, did, key, parameters};
use icn_model::{Action, Cid, Event, Millis, Operation, Refusal, Sequence, SignedOperation, Time, limits};

fn operation(world: &World, sequence: u64) -> Operation {
    Operation {
        federation: world.state.federation(),
        author: did("A"),
        key: key("A").public(),
        sequence: Sequence::new(sequence),
        expires: world.state.time().after(Millis::from_secs(60)),
        action: Action::AddMember {
            member: did(&format!("member {sequence}")),
        },
    }
}

fn next_time(world: &World) -> Time {
    world.state.time().after(Millis::from_secs(1))
}

fn sign(operation: Operation) -> SignedOperation {
    SignedOperation::sign(operation, &key("A"))
}

#[test]
fn a_number_is_used_once_in_any_order() {
    let mut world = World::new(&["A", "B"], parameters());
    let numbers = [5, 1, 64, 5, 69, 5, 6, 70, 134, 199, 0];
    let operations: Vec<_> = numbers
        .iter()
        .map(|number| sign(operation(&world, *number)))
        .collect();
    let outcome = world.apply(next_time(&world), operations.clone());
    let names: Vec<_> = outcome
        .results
        .iter()
        .map(|result| {
            result
                .as_ref()
                .map_or_else(|refusal| refusal.code().name, |()| "ok")
        })
        .collect();
    let used = "sequence-used";
    let out = "sequence-out-of-window";
    assert_eq!(
        names,
        ["ok", "ok", "ok", used, "ok", out, "ok", "ok", "ok", out, out]
    );
    assert_eq!(world.state.next_sequence(&key("A").public()), Sequence::new(135));
    let is_used = |number| {
        world
            .state
            .is_sequence_used(&key("A").public(), Sequence::new(number))
    };
    assert!(is_used(5) && is_used(70) && is_used(134) && !is_used(100) && !is_used(135));
    // I7: the whole block again changes nothing but head and height.
    let again = world.apply(next_time(&world), operations);
    assert!(again.results.iter().all(Result::is_err));
    assert_eq!(again.changes.0.len(), 2);
}

#[test]
fn a_refused_operation_uses_its_number_and_nothing_else() {
    let mut world = World::new(&["A", "B"], parameters());
    let mut refused = operation(&world, 1);
    refused.action = Action::AddMember { member: did("B") };
    let refused = sign(refused);
    let outcome = world.apply(next_time(&world), vec![refused.clone()]);
    assert_eq!(outcome.results, [Err(Refusal::AlreadyKnown { did: did("B") })]);
    assert!(
        matches!(outcome.events.as_slice(), [Event::Refused { operation, .. }] if *operation == refused.id())
    );
    // Head, height and time, the window of the key.
    let tables: Vec<u8> = outcome.changes.0.iter().map(|change| change.key[0]).collect();
    assert_eq!(tables, [0x00, 0x01, 0x14]);
    let again = world.apply(next_time(&world), vec![refused]);
    let sequence = Sequence::new(1);
    assert_eq!(again.results, [Err(Refusal::SequenceUsed { sequence })]);
    assert_eq!(again.changes.0.len(), 2);
    assert!(again.events.is_empty());
}

#[test]
fn operations_expire_by_the_parents_time() {
    let mut world = World::new(&["A", "B"], parameters());
    let now = START.after(Millis::from_secs(100));
    world.apply(now, Vec::new());
    let with_expiry = |world: &World, sequence, expires| {
        sign(Operation {
            expires,
            ..operation(world, sequence)
        })
    };
    let time = now.after(Millis::from_secs(50));
    let max = time.after(limits::MAX_EXPIRY);
    let operations = vec![
        with_expiry(&world, 1, now.before(Millis::new(1))),
        with_expiry(&world, 2, now),
        with_expiry(&world, 3, max),
        with_expiry(&world, 4, max.after(Millis::new(1))),
    ];
    let outcome = world.apply(time, operations);
    assert!(matches!(outcome.results[0], Err(Refusal::Expired { .. })));
    assert_eq!(
        outcome.results[1],
        Ok(()),
        "not over at the parent's time, whatever the block's own"
    );
    assert_eq!(outcome.results[2], Ok(()));
    assert!(matches!(outcome.results[3], Err(Refusal::ExpiryTooFar { .. })));
    // What was refused for its form may be signed again under the same number.
    let retry = sign(operation(&world, 1));
    assert_eq!(world.apply(next_time(&world), vec![retry]).results, [Ok(())]);
}

#[test]
fn an_operation_for_another_federation_leaves_no_trace() {
    let mut world = World::new(&["A", "B"], parameters());
    let foreign = sign(Operation {
        federation: Cid::of_dag_cbor(b"another"),
        ..operation(&world, 1)
    });
    let outcome = world.apply(next_time(&world), vec![foreign]);
    assert_eq!(outcome.results, [Err(Refusal::WrongFederation {})]);
    assert_eq!(outcome.changes.0.len(), 2);
}

#[test]
fn strangers_fill_nobodys_memory() {
    let mut world = World::new(&["A", "B"], parameters());
    let mut operations = Vec::new();
    for number in 0..50 {
        let name = format!("stranger {number}");
        operations.push(world.operation(&name, Action::Ready {}));
        operations.push(world.operation_with("A", &name, Action::Ready {}));
    }
    let outcome = world.apply(next_time(&world), operations);
    assert!(outcome.results.iter().all(Result::is_err));
    assert_eq!(outcome.changes.0.len(), 2, "head and height only");
    assert!(outcome.events.is_empty());
}

#[test]
fn a_member_that_comes_back_cannot_be_replayed() {
    let mut world = World::new(&["A", "B"], parameters());
    let add = |world: &mut World| world.act("A", Action::AddMember { member: did("m") });
    add(&mut world).unwrap();
    let amount = icn_model::Mana::from_whole(10);
    let share = Action::ShareMana { to: did("m"), amount };
    world.act("A", share.clone()).unwrap();
    let back = world.operation("m", Action::ShareMana { to: did("A"), amount });
    assert_eq!(
        world.apply(next_time(&world), vec![back.clone()]).results,
        [Ok(())]
    );
    world.act("A", Action::RemoveMember { member: did("m") }).unwrap();
    add(&mut world).unwrap();
    world.act("A", share).unwrap();
    let replayed = world.apply(next_time(&world), vec![back]).results;
    assert!(
        matches!(replayed[0], Err(Refusal::SequenceUsed { .. })),
        "{replayed:?}"
    );
    // An hour later the key is looked at, and kept, since it acts again.
    for _ in 0..3 {
        let time = world.state.time().after(Millis::from_secs(1_900));
        world.apply(time, Vec::new());
    }
    assert_eq!(world.state.next_sequence(&key("m").public()), Sequence::new(2));
}
