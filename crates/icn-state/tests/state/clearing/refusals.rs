//! What is refused of a round, and why.
use super::{Net, code, lines_to_join};
use crate::world::{did, key};
use icn_model::{
    Action, AgreementId, ClearingAct, Digest, LineId, Operation, RoleKeys, RoundNumber, Sequence,
    SignedOperation, limits,
};

const FIRST: RoundNumber = RoundNumber::new(1);

fn join(net: &mut Net, by: &str, round: RoundNumber, lines: &[LineId]) -> &'static str {
    let lines = lines.to_vec();
    code(net.clear(by, ClearingAct::Join { round, lines }))
}

#[test]
fn rounds_are_joined_by_the_ends_of_lines_before_the_freeze() {
    let mut net = Net::ring(&[50, 30, 40], &[]);
    let line = net.links[0].id.clone();
    let lines = [line.clone()];
    assert_eq!(join(&mut net, "A", FIRST, &lines), "no-such-round");
    assert_eq!(code(net.object(FIRST, "A")), "no-such-round");
    net.open();
    assert_eq!(join(&mut net, "A", FIRST.next(), &lines), "no-such-round");
    assert_eq!(join(&mut net, "A", FIRST, &[]), "no-lines");
    let many = vec![line.clone(); limits::MAX_LINES_PER_JOIN + 1];
    assert_eq!(join(&mut net, "A", FIRST, &many), "too-large");
    let mut unknown = line.clone();
    unknown.agreement = AgreementId::new(Digest::ZERO);
    assert_eq!(
        join(&mut net, "A", FIRST, &[line.clone(), unknown]),
        "unknown-line"
    );
    assert_eq!(join(&mut net, "C", FIRST, &lines), "not-an-end");
    assert_eq!(code(net.object(FIRST, "A")), "wrong-round-phase");
    assert_eq!(lines_to_join(net.state(), "A").len(), 2);
    assert_eq!(join(&mut net, "A", FIRST, &[line.clone(), line.clone()]), "ok");
    assert_eq!(join(&mut net, "A", FIRST, &lines), "already-said");
    assert_eq!(lines_to_join(net.state(), "A").len(), 1);
    net.world
        .act("A", Action::AddMember { member: did("m") })
        .unwrap();
    assert_eq!(join(&mut net, "m", FIRST, &lines), "not-a-cooperative");
    // The join of the others comes a moment too late: the block before it was after the time.
    net.tick(21);
    assert_eq!(join(&mut net, "B", FIRST, &lines), "no-such-round");
    assert_eq!(net.phase(FIRST), "ended");
    assert!(lines_to_join(net.state(), "A").is_empty());
}

#[test]
fn objections_have_a_reason_and_come_in_time() {
    let mut net = Net::ring(&[50, 30, 40], &[]);
    net.open();
    net.join_with(&[0, 1, 2]);
    net.freeze();
    let line = net.links[0].id.clone();
    assert_eq!(join(&mut net, "A", FIRST, &[line]), "wrong-round-phase");
    for reason in [String::new(), " ".into(), "x".repeat(limits::MAX_TEXT_BYTES + 1)] {
        let round = FIRST;
        assert_eq!(
            code(net.clear("A", ClearingAct::Object { round, reason })),
            "no-reason"
        );
    }
    net.tick(31);
    assert_eq!(
        code(net.object(FIRST, "A")),
        "no-such-round",
        "it was applied before"
    );
    assert_eq!(net.phase(FIRST), "applied");
}

#[test]
fn a_line_key_joins_and_does_not_object() {
    let mut net = Net::ring(&[50, 30, 40], &[]);
    let keys = RoleKeys {
        line: key("l").public(),
        ..net.state().seat_record(&did("A")).unwrap().keys.clone()
    };
    let action = Action::RotateKeys {
        keys: Box::new(keys),
        possession: None,
    };
    net.world.act("A", action).unwrap();
    net.open();
    let mut number = 0;
    let mut say = |net: &mut Net, act| {
        number += 1;
        let operation = Operation {
            federation: net.state().federation(),
            author: did("A"),
            key: key("l").public(),
            sequence: Sequence::new(number),
            expires: net.state().time().after(icn_model::Millis::from_secs(60)),
            action: Action::Clearing { act },
        };
        let operation = SignedOperation::sign(operation, &key("l"));
        let time = net.state().time().after(icn_model::Millis::from_secs(1));
        code(net.world.apply(time, vec![operation]).results.remove(0))
    };
    let (round, lines) = (FIRST, vec![net.links[0].id.clone()]);
    assert_eq!(say(&mut net, ClearingAct::Join { round, lines }), "ok");
    let reason = "no".into();
    assert_eq!(
        say(&mut net, ClearingAct::Object { round, reason }),
        "not-authorised"
    );
}
