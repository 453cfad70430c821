//! Operations from signing to their effects, and every way in which they are refused.
use crate::harness::{Node, WAIT};
use icn_api::{
    operations::{OperationState, OperationStatus, Submitted},
    paths,
};
use icn_model::{Action, Cid, Did, Mana, Operation, OperationId, SecretKey, Sequence, SignedOperation, Time};

fn member() -> (SecretKey, Did) {
    let key = SecretKey::from_seed(&[9; 32]);
    let did = Did::new(key.public());
    (key, did)
}

fn share(to: Did, whole: u64) -> Action {
    Action::ShareMana {
        to,
        amount: Mana::from_whole(whole),
    }
}

#[test]
fn a_member_is_added_and_gets_mana() {
    let node = Node::start();
    let (key, member) = member();
    node.done(&node.own(Action::AddMember { member }));
    node.done(&node.own(share(member, 5)));
    let view = node.client.account(&member).unwrap();
    assert_eq!(view.account.spendable, Mana::from_whole(5));
    assert_eq!(view.account.cooperative, Some(node.did));
    // The member acts for itself now: some of it goes back.
    node.done(&node.sign(member, &key, share(node.did, 2)));
    assert_eq!(
        node.client.account(&member).unwrap().account.spendable,
        Mana::from_whole(3)
    );
    let accounts = node.client.accounts(&Default::default()).unwrap();
    assert_eq!(accounts.items.len(), 2);
    icn_api::mana::reconcile(
        accounts.items.iter().map(|account| &account.record),
        &accounts.totals,
    )
    .unwrap();
    let members = node.client.members(&Default::default()).unwrap();
    assert_eq!(
        members
            .members
            .iter()
            .map(|member| member.did)
            .collect::<Vec<_>>(),
        [member]
    );
    assert_eq!((members.seats.len(), members.applications.len()), (1, 0));
}

#[test]
fn one_that_was_handed_in_can_be_asked_for_and_handed_in_again() {
    let node = Node::start();
    let operation = node.own(Action::AddMember { member: member().1 });
    let accepted: Submitted = node.post_json("/v1/operations?wait_ms=0", &operation).json(202);
    assert_eq!(accepted.operations.len(), 1);
    assert_eq!(accepted.operations[0].id, operation.id());
    let done = node.client.operation(&operation.id(), WAIT).unwrap();
    assert!(matches!(done.state, OperationState::Done { .. }), "{done:?}");
    let again: Submitted = node.post_json(paths::OPERATIONS, &operation).json(200);
    assert_eq!(again.operations, [done]);
    let unknown = OperationId::new(icn_model::Digest::of(b"no such operation"));
    node.get(&paths::with(paths::OPERATION, unknown))
        .problem(404, 903);
    node.get(&paths::with(paths::OPERATION, "nonsense"))
        .problem(400, 904);
}

#[test]
fn refusals_carry_the_code_of_the_log() {
    let node = Node::start();
    let (stranger, nobody) = member();
    let submit = |operation: &SignedOperation| node.post_json(paths::OPERATIONS, operation);
    submit(&node.own(share(nobody, 1))).problem(422, 403);
    submit(&node.own(share(node.did, 0))).problem(422, 404);
    submit(&node.sign(nobody, &stranger, share(node.did, 1))).problem(422, 201);
    submit(&node.own(Action::AddMember { member: node.did })).problem(409, 304);
    // Signed by another key than it names.
    let good = node.own(Action::AddMember { member: nobody });
    let forged = SignedOperation::sign(good.operation().clone(), &stranger);
    submit(&forged).problem(422, 104);
    let changed = |change: fn(&mut Operation)| {
        let mut operation = good.operation().clone();
        change(&mut operation);
        submit(&SignedOperation::sign(operation, &node.key))
    };
    changed(|operation| operation.federation = Cid::of_raw(b"another")).problem(422, 103);
    changed(|operation| operation.expires = Time::new(1)).problem(422, 105);
    changed(|operation| operation.expires = Time::new(u64::MAX)).problem(422, 106);
    changed(|operation| operation.sequence = Sequence::new(1_000_000)).problem(422, 108);
    // Two operations with one number: the first counts.
    node.done(&good);
    let second = SignedOperation::sign(
        Operation {
            action: share(nobody, 1),
            ..good.operation().clone()
        },
        &node.key,
    );
    submit(&second).problem(409, 107);
    // What was refused is counted by its reason.
    let metrics = String::from_utf8(node.get(paths::METRICS).body).unwrap();
    for (reason, count) in [("bad-signature", 1), ("expired", 1), ("sequence-used", 1)] {
        let line = format!("\nicn_operations_refused_total{{reason=\"{reason}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line} is missing:\n{metrics}");
    }
}

#[test]
fn of_several_each_has_its_own_answer() {
    let node = Node::start();
    let (_, member) = member();
    let first = node.own(Action::AddMember { member });
    let next = |step, action| {
        let sequence = Sequence::new(first.operation().sequence.get() + step);
        SignedOperation::sign(
            Operation {
                sequence,
                action,
                ..first.operation().clone()
            },
            &node.key,
        )
    };
    let batch = [
        first.clone(),
        next(1, share(node.did, 0)),
        next(2, Action::AddMember { member: node.did }),
    ];
    let answer: Submitted = node.post_json("/v1/operations?wait_ms=20000", &batch).json(200);
    let ids: Vec<_> = answer.operations.iter().map(|status| status.id).collect();
    assert_eq!(ids, batch.each_ref().map(SignedOperation::id));
    let code = |status: &OperationStatus| match &status.state {
        OperationState::Refused { refusal, .. } => refusal.code,
        _ => 0,
    };
    assert_eq!(
        answer.operations.iter().map(code).collect::<Vec<_>>(),
        [0, 404, 304]
    );
    let none: Submitted = node.post_json(paths::OPERATIONS, &[0_u8; 0]).json(200);
    assert!(none.operations.is_empty());
}

#[test]
fn bodies_that_are_no_operations_are_told_why() {
    let node = Node::start();
    let submit = |text: &str| node.post(paths::OPERATIONS, "application/json", text.as_bytes());
    let cut = submit("{\"operation\": ").problem(400, 904);
    assert!(cut.detail.contains("line 1"), "{}", cut.detail);
    for text in [
        "",
        "null",
        "7",
        "[7]",
        "{}",
        "{\"operation\": {}, \"signature\": \"z\"}",
        "\u{0}",
    ] {
        submit(text).problem(400, 904);
    }
    let deep = "[".repeat(100_000);
    submit(&deep).problem(400, 904);
    let operation = node.own(Action::Leave {});
    let text = serde_json::to_vec(&operation).unwrap();
    node.post(paths::OPERATIONS, "text/plain", &text)
        .problem(415, 906);
    let many = vec![operation.clone(); 1_001];
    node.post_json(paths::OPERATIONS, &many).problem(400, 904);
    // Larger than any operation, by a list that the model lets grow.
    let mut large = operation.operation().clone();
    large.action = Action::AwardJob {
        job: icn_model::JobId::new(icn_model::Digest::ZERO),
        attempt: 0,
        bids: Vec::new(),
        excluded: vec![
            icn_model::Exclusion {
                executor: node.did,
                reason: icn_model::ExclusionReason::Outbid {}
            };
            1_000
        ],
    };
    node.post_json(paths::OPERATIONS, &SignedOperation::sign(large, &node.key))
        .problem(422, 102);
}
