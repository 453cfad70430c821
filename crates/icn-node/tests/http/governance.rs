//! Governance through the interface: what the log has of proposals, and what it would say.
use crate::harness::{Node, WAIT};
use icn_api::{
    audit::AuditBundle,
    governance::{
        BallotPage, ContractPage, Delegations, Plan, Planned, ProposalPage, ProposalView, RuleSource, Rules,
    },
    paths,
};
use icn_model::{
    Action, Choice, Cid, Decision, Did, Digest, Effect, Electorate, Method, ParameterName, Process,
    ProposalId, ProposalKind, ProposalSpec, ProposalStatus, SecretKey,
};
use std::{thread, time::Duration, time::Instant};

fn spec(effect: Effect) -> ProposalSpec {
    ProposalSpec {
        text: None,
        effect,
        electorate: Electorate::Cooperatives,
        method: Method::YesNo {},
        topic: "tests".parse().unwrap(),
        closes: None,
        votes_final: true,
    }
}

fn propose(node: &Node, spec: ProposalSpec) -> ProposalId {
    let operation = node.own(Action::Propose {
        proposal: Box::new(spec),
    });
    node.done(&operation);
    operation.id().into()
}

fn vote(node: &Node, proposal: ProposalId, choice: Choice) {
    node.done(&node.own(Action::Vote { proposal, choice }));
}

fn at(path: &'static str, id: &ProposalId) -> String {
    paths::with(path, id)
}

fn wait_for(node: &Node, id: &ProposalId, status: ProposalStatus) -> ProposalView {
    let started = Instant::now();
    loop {
        let view: ProposalView = node.get(&at(paths::PROPOSAL, id)).json(200);
        if view.status == status {
            return view;
        }
        assert!(started.elapsed() < WAIT, "{view:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_proposal_is_followed_from_plan_to_audit() {
    let node = Node::start();
    let effect = Effect::ChangeParameter {
        name: ParameterName::MaxHolds,
        value: 7,
    };
    let plan: Plan = node.post_json(paths::GOVERNANCE_PLAN, &effect).json(200);
    let [change] = &plan.changes[..] else {
        panic!("{plan:?}")
    };
    assert_eq!((change.what.as_str(), change.after.as_str()), ("max_holds", "7"));
    assert_eq!(plan.kind, ProposalKind::Parameter);

    let id = propose(&node, spec(effect));
    let view: ProposalView = node.get(&at(paths::PROPOSAL, &id)).json(200);
    assert_eq!(view.status, ProposalStatus::Open);
    assert!(matches!(view.plan, Some(Planned::Changes { .. })));
    assert!(matches!(
        view.standing.unwrap().decision,
        Decision::NoQuorum { turnout: 0, .. }
    ));
    vote(&node, id, Choice::Yes {});
    let view = wait_for(&node, &id, ProposalStatus::Executed);
    assert_eq!(view.plan, None);
    assert_eq!(view.record.tally, view.standing);

    let ballots: BallotPage = node.get(&at(paths::PROPOSAL_BALLOTS, &id)).json(200);
    assert_eq!(
        ballots.items.iter().map(|one| one.voter).collect::<Vec<_>>(),
        [node.did]
    );
    let after = format!("{}?after={}", at(paths::PROPOSAL_BALLOTS, &id), node.did);
    assert!(node.get(&after).json::<BallotPage>(200).items.is_empty());

    let rules: Rules = node.get(paths::GOVERNANCE_RULES).json(200);
    assert_eq!(rules.parameter(ParameterName::MaxHolds).unwrap().value, 7);
    assert_eq!(
        rules.process(ProposalKind::Remove).unwrap().source,
        RuleSource::BuiltIn
    );

    let bundle: AuditBundle = node.get(&at(paths::PROPOSAL_AUDIT, &id)).json(200);
    bundle.attestation.verify().unwrap();
    assert_eq!(bundle.attestation.content.digest, bundle.digest());
    assert_eq!(bundle.attestation.content.node, node.did);
    assert_eq!(bundle.records.genesis.id(), bundle.records.federation);
    let [ballot] = &bundle.records.ballots[..] else {
        panic!("{bundle:?}")
    };
    assert_eq!(ballot.operations[0].operation().author, node.did);
    ballot.operations[0].verify().unwrap();
    assert_eq!(
        node.client.audit(&id).unwrap().digest(),
        bundle.digest(),
        "the same records again"
    );
    let metrics = node.client.metrics().unwrap();
    assert!(
        metrics.contains(r#"icn_governance_proposals_total{kind="parameter"} 1"#),
        "{metrics}"
    );
}

#[test]
fn proposals_come_in_pages_the_newest_first() {
    let node = Node::start();
    let ids: Vec<_> = (0..3).map(|_| propose(&node, spec(Effect::Text {}))).collect();
    vote(&node, ids[1], Choice::No {});
    wait_for(&node, &ids[1], ProposalStatus::Rejected);
    let page = |query: &str| -> ProposalPage { node.get(&format!("{}{query}", paths::PROPOSALS)).json(200) };
    let listed = |page: &ProposalPage| page.items.iter().map(|one| one.id).collect::<Vec<_>>();
    let first = page("?limit=2");
    let second = page(&format!("?limit=2&after={}", first.next.unwrap()));
    let all: Vec<_> = listed(&first).into_iter().chain(listed(&second)).collect();
    assert_eq!(all, ids.iter().rev().copied().collect::<Vec<_>>());
    assert_eq!(second.next, None);
    assert_eq!(listed(&page("?status=rejected")), [ids[1]]);
    assert_eq!(listed(&page("?kind=text&status=open")).len(), 2);
    assert!(listed(&page("?kind=budget")).is_empty());
    let brief = &page("?status=rejected").items[0];
    assert_eq!((brief.turnout, brief.on_roll), (1, 1));
    assert!(brief.decision.is_some());
}

#[test]
fn what_could_not_be_carried_out_is_told_with_its_number() {
    let node = Node::start();
    let plan = |effect: &Effect| node.post_json(paths::GOVERNANCE_PLAN, effect);
    let nobody = Did::new(SecretKey::from_seed(&[77; 32]).public());
    let parameter = |value| Effect::ChangeParameter {
        name: ParameterName::ChallengeJury,
        value,
    };
    plan(&parameter(3)).problem(422, 721);
    plan(&parameter(99)).problem(422, 720);
    plan(&Effect::Admit { applicant: nobody }).problem(422, 306);
    plan(&Effect::Remove { seat: node.did }).problem(422, 310);
    plan(&Effect::Veto {
        proposal: ProposalId::new(Digest::ZERO),
    })
    .problem(422, 701);
    let rules: Rules = node.get(paths::GOVERNANCE_RULES).json(200);
    let process = rules.process(ProposalKind::Suspend).unwrap().process;
    plan(&Effect::SetProcess {
        kind: ProposalKind::Suspend,
        process,
    })
    .problem(422, 718);
    let words: Plan = plan(&Effect::Text {}).json(200);
    assert!(words.changes.is_empty());

    for body in ["", "null", "{}", "{\"text\":1}", "{\"abolish\":{}}", "[]"] {
        node.post(paths::GOVERNANCE_PLAN, "application/json", body.as_bytes())
            .problem(400, 904);
    }
    node.post(paths::GOVERNANCE_PLAN, "text/plain", b"{\"text\":{}}")
        .problem(415, 906);
    node.post(paths::GOVERNANCE_PLAN, "application/json", &[b' '; 5_000])
        .problem(413, 905);
}

#[test]
fn what_is_not_there_is_not_found() {
    let node = Node::start();
    let id = ProposalId::new(Digest::of(b"no proposal"));
    for path in [paths::PROPOSAL, paths::PROPOSAL_BALLOTS, paths::PROPOSAL_AUDIT] {
        node.get(&at(path, &id)).problem(404, 903);
        node.get(&paths::with(path, "nonsense")).problem(400, 904);
    }
    let contract = Cid::of_raw(b"no contract");
    node.get(&paths::with(paths::CONTRACT, contract))
        .problem(404, 903);
    for query in ["?status=passed", "?kind=war", "?limit=-1", "?colour=red"] {
        node.get(&format!("{}{query}", paths::PROPOSALS))
            .problem(400, 904);
    }
    node.get(&format!("{}?after={id}", paths::PROPOSALS))
        .problem(400, 904);
    node.get(paths::DELEGATIONS).problem(400, 904);
    let own = format!("{}?voter={}", paths::DELEGATIONS, node.did);
    assert!(node.get(&own).json::<Delegations>(200).items.is_empty());
    let contracts: ContractPage = node.get(paths::CONTRACTS).json(200);
    assert!(contracts.items.is_empty() && contracts.next.is_none());
}

#[test]
fn there_is_nothing_to_audit_before_a_vote_begins() {
    let node = Node::start();
    let rules: Rules = node.get(paths::GOVERNANCE_RULES).json(200);
    let process = Process {
        sponsors: 1,
        ..rules.process(ProposalKind::Text).unwrap().process
    };
    let kind = ProposalKind::Text;
    let id = propose(&node, spec(Effect::SetProcess { kind, process }));
    vote(&node, id, Choice::Yes {});
    wait_for(&node, &id, ProposalStatus::Executed);
    let rules: Rules = node.get(paths::GOVERNANCE_RULES).json(200);
    assert_eq!(rules.process(kind).unwrap().source, RuleSource::Decided);
    let draft = propose(&node, spec(Effect::Text {}));
    let view = wait_for(&node, &draft, ProposalStatus::Draft);
    assert_eq!(view.standing, None);
    let problem = node.get(&at(paths::PROPOSAL_AUDIT, &draft)).problem(404, 903);
    assert!(problem.detail.contains("no roll yet"), "{}", problem.detail);
}
