//! A contract's life in the log: published, installed by a vote, asked, replaced, removed.
use crate::{
    texts::Interpreted,
    world::{World, did},
};
use icn_model::{
    Action, Choice, Cid, Effect, Event, GovernanceEvent, JobLimits, JobSpec, Mana, Millis, PolicyFailure,
    PolicySlot, ProposalKind, ProposalPhase, Refusal, Requirements, limits,
};
use icn_sandbox::PolicyHost;
use icn_state::NoPolicies;
use std::{collections::BTreeMap, sync::Arc};

const RATE: &str = r#"contract "Busy" version 1 language 1 scope federation;

// Who had work to give away in the period regenerates three times as fast.
policy mana_rate(input) {
  if input.jobs_submitted > 0 { input.base_rate * 3 } else { input.base_rate }
}
"#;

fn world() -> World {
    World::new(Arc::new(PolicyHost::new()))
}

fn contract(rest: &str) -> String {
    format!("contract \"Test\" version 1 language 1 scope federation;\n{rest}")
}

fn install(slot: PolicySlot, contract: Cid) -> Effect {
    Effect::InstallPolicy { slot, contract }
}

/// What a cooperative gains in ten seconds, in whole mana.
fn gain(world: &mut World, name: &str) -> u64 {
    let available = |world: &World| {
        let account = world.state.account(&did(name), world.state.time()).unwrap();
        account.available.milli()
    };
    let before = available(world);
    world.wait(10);
    (available(world) - before) / 1_000
}

fn submit(world: &World) -> Action {
    let spec = JobSpec {
        module: Cid::of_raw(b"module"),
        args: Vec::new(),
        env: BTreeMap::new(),
        stdin: None,
        inputs: BTreeMap::new(),
        limits: JobLimits {
            wall_ms: 1_000,
            ..JobLimits::default()
        },
        require: Requirements::default(),
        replicas: 1,
        max_mana: Mana::from_whole(10),
        deadline: world.state.time().after(Millis::from_secs(60)),
        coordinator: None,
        private: false,
    };
    Action::SubmitJob { spec: Box::new(spec) }
}

/// To the next turn of the period of policies, and a block more.
fn next_period(world: &mut World) {
    let turns = |world: &World| {
        let is_turn =
            |event: &&Event| matches!(event, Event::Governance(GovernanceEvent::RegenerationSet { .. }));
        world.events.iter().filter(is_turn).count()
    };
    let before = turns(world);
    for _ in 0..110 {
        if turns(world) > before {
            break;
        }
        world.wait(1);
    }
}

/// The whole life of a policy for mana; gives the roots of all blocks.
fn life(world: &mut World) {
    let rate = |world: &World, name: &str| world.state.own_rate(&did(name)).map(|rate| rate.rate_per_hour);
    let base = Mana::from_whole(3_600);
    let contract = world.publish(RATE).unwrap();
    let record = world.state.contract(&contract).unwrap();
    assert_eq!(
        (record.name.as_str(), record.slots.as_slice()),
        ("Busy", [PolicySlot::ManaRate].as_slice())
    );
    assert_eq!(gain(world, "Farm"), 10);
    assert!(
        world.state.policies().next().is_none(),
        "a contract decides nothing before a vote"
    );

    let phase = world.decide(install(PolicySlot::ManaRate, contract));
    assert!(matches!(phase, ProposalPhase::Executed { .. }), "{phase:?}");
    assert_eq!(rate(world, "Farm"), Some(base));
    let submitted = submit(world);
    world.act("Farm", submitted).unwrap();
    next_period(world);
    assert_eq!(rate(world, "Farm"), Some(Mana::from_whole(3 * 3_600)));
    assert_eq!(rate(world, "Press"), Some(base));
    assert_eq!((gain(world, "Farm"), gain(world, "Press")), (30, 10));
    next_period(world);
    assert_eq!(rate(world, "Farm"), Some(base), "a period without work");

    let phase = world.decide(Effect::RemovePolicy {
        slot: PolicySlot::ManaRate,
    });
    assert!(matches!(phase, ProposalPhase::Executed { .. }), "{phase:?}");
    assert_eq!(rate(world, "Farm"), None);
    assert_eq!(gain(world, "Farm"), 10);
}

#[test]
fn a_policy_for_mana_changes_balances_period_by_period() {
    life(&mut world());
}

#[test]
fn simulations_and_nodes_come_to_the_same_roots() {
    let (mut node, mut simulated) = (world(), World::new(Arc::new(Interpreted::default())));
    life(&mut node);
    life(&mut simulated);
    assert_eq!(node.roots, simulated.roots);
}

#[test]
fn a_node_that_starts_again_compiles_the_texts_that_it_has() {
    let mut world = world();
    let contract = world.publish(RATE).unwrap();
    world.decide(install(PolicySlot::ManaRate, contract));
    let submitted = submit(&world);
    world.act("Farm", submitted).unwrap();
    world.reload(Arc::new(PolicyHost::new()));
    next_period(&mut world);
    assert_eq!(gain(&mut world, "Farm"), 30);
    // A program that runs no contracts gives everybody the federation's own rate, and says so.
    world.reload(Arc::new(NoPolicies));
    world.events.clear();
    world.wait(110);
    let failed = |event: &Event| matches!(event, Event::Governance(GovernanceEvent::PolicyFailed { .. }));
    assert!(world.events.iter().any(failed));
    assert_eq!(world.state.own_rate(&did("Farm")), None);
}

#[test]
fn what_is_no_contract_is_refused_and_costs_nothing() {
    let mut world = world();
    let account = |world: &World| world.state.account(&did("Bakery"), world.state.time()).unwrap();
    let before = account(&world).available;
    let bad = |found: Result<Cid, Refusal>, start: &str| match found {
        Err(Refusal::BadContract { detail }) => assert!(detail.starts_with(start), "{detail}"),
        other => panic!("{other:?}"),
    };
    bad(world.publish("\0asm\u{1}\0\0\0"), "1:1: ");
    bad(
        world.publish(&contract("policy mana_rate(input) { input.base_rate + 1 }")),
        "2:27: `+` does not work",
    );
    bad(world.publish(&contract("fn f(x: Int) -> Int { f(x) }")), "2:23: ");
    let unknown = Cid::of_raw(b"nothing");
    bad(
        world.publish(&contract(&format!("import \"{unknown}\" as m;"))),
        "2:8: there is no such module",
    );
    let long = contract(&"// comment\n".repeat(limits::MAX_CONTRACT_BYTES / 11));
    assert!(matches!(world.publish(&long), Err(Refusal::TooLarge { .. })));
    assert_eq!(world.state.contracts().count(), 0);
    let regenerated = Mana::from_whole(5);
    assert_eq!(account(&world).available, before.saturating_add(regenerated));
}

#[test]
fn modules_are_published_first_and_stay_while_they_are_used() {
    let mut world = world();
    let module = world
        .publish(
            "module \"Shares\" version 1 language 1;\nfn third(of: Mana) -> Mana { of.times_floor(1/3) }",
        )
        .unwrap();
    let user = contract(&format!(
        "import \"{module}\" as shares;\npolicy mana_rate(input) {{ shares.third(input.base_rate) }}"
    ));
    let contract = world.publish(&user).unwrap();
    assert_eq!(world.state.contract(&contract).unwrap().imports, [module]);
    assert_eq!(
        world.propose(install(PolicySlot::ManaRate, module)),
        Err(Refusal::NoPolicy {
            contract: module,
            slot: PolicySlot::ManaRate
        })
    );
    world.decide(install(PolicySlot::ManaRate, contract));
    assert_eq!(gain(&mut world, "Farm"), 3);
}

#[test]
fn faults_of_a_policy_for_mana_are_told_and_cost_nobody_anything() {
    for (body, expected) in [
        (
            "input.base_rate + 9_223_372_036_854_775_807 millimana",
            "overflow at 2:27",
        ),
        (
            "input.base_rate.times_floor(1 / input.jobs_executed)",
            "division_by_zero at 2:55",
        ),
        ("input.base_rate - 5_000 mana", "below_zero at 2:27"),
    ] {
        let mut world = world();
        let source = contract(&format!("policy mana_rate(input) {{ {body} }}"));
        let contract = world.publish(&source).unwrap();
        let phase = world.decide(install(PolicySlot::ManaRate, contract));
        assert!(matches!(phase, ProposalPhase::Executed { .. }), "{phase:?}");
        let failures = world.events.iter().filter_map(|event| match event {
            Event::Governance(GovernanceEvent::PolicyFailed { failure, .. }) => Some(failure.clone()),
            _ => None,
        });
        let failures: Vec<_> = failures.collect();
        assert_eq!(failures.len(), 3, "{failures:?}");
        for failure in failures {
            let PolicyFailure::Fault { detail } = failure else {
                panic!("{failure:?}")
            };
            assert!(detail.contains(expected), "{detail}");
        }
        assert_eq!(gain(&mut world, "Farm"), 10, "the federation's own rate");
    }
}

#[test]
fn policies_for_votes_refuse_with_their_reason_but_not_their_own_repeal() {
    let mut world = world();
    let source = contract(
        r#"policy vote_eligibility(input) {
  require(input.kind != ProposalKind.text, "nobody talks, {input.members} members or not");
  10 / (input.members - input.members) > 1
}"#,
    );
    let contract = world.publish(&source).unwrap();
    let slot = PolicySlot::VoteEligibility;
    world.decide(install(slot, contract));
    let text = world.propose(Effect::Text {}).unwrap();
    assert_eq!(
        world.vote("Farm", text, Choice::Yes {}),
        Err(Refusal::PolicyRefused {
            slot,
            contract,
            reason: "nobody talks, 0 members or not".into()
        })
    );
    let budget = world.propose(Effect::Budget {
        to: did("Farm"),
        amount: Mana::from_whole(1),
    });
    assert_eq!(
        world.vote("Farm", budget.unwrap(), Choice::Yes {}),
        Err(Refusal::PolicyFailed {
            slot,
            contract,
            detail: "division_by_zero at 4:3".into()
        })
    );
    assert!(ProposalKind::RemovePolicy.is_built_in());
    let phase = world.decide(Effect::RemovePolicy { slot });
    assert!(matches!(phase, ProposalPhase::Executed { .. }), "{phase:?}");
}

#[test]
fn prices_and_bids_follow_a_policy() {
    let mut world = world();
    let source = contract("policy price_ceiling(input) { input.average_price.otherwise(5 mana) }");
    let contract = world.publish(&source).unwrap();
    world.decide(install(PolicySlot::PriceCeiling, contract));
    let submitted = submit(&world);
    let refused = world.act("Farm", submitted).unwrap_err();
    assert!(
        matches!(
            &refused,
            Refusal::PolicyRefused {
                slot: PolicySlot::PriceCeiling,
                ..
            }
        ),
        "{refused:?}"
    );
}
