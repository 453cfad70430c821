//! The host and the interpreter say the same to every question, and take and refuse the same texts.
use crate::texts::{Interpreted, Shelf};
use icn_model::{
    Activity, AdmissionQuestion, BidQuestion, Did, Mana, ManaQuestion, Millis, PolicyAnswer, PolicyFailure,
    PolicyQuestion, PolicySlot, PriceQuestion, ProposalKind, PublicKey, Time, VoteQuestion,
};
use icn_sandbox::PolicyHost;
use icn_state::Policies;
use proptest::{collection::vec, prelude::*, sample::select};
use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex},
};

/// A contract for every slot of which the log asks, with every way to end.
const EVERY: &str = r#"contract "Every slot" version 1 language 1 scope federation;

role regular { may vote; requires(one) { one.votes_cast > one.votes_missed } }
role elder {
  may vote, veto;
  requires(one) {
    require(one.member_for > 30 days, "too new");
    one.roles.contains("regular") and one.votes_cast.rem(one.votes_missed) == 0
  }
}

policy mana_rate(input) {
  require(input.jobs_failed <= input.jobs_executed + 100, "{input.jobs_failed} failures in {input.period}");
  input.base_rate.times_round(1 + input.jobs_executed / (input.jobs_submitted + 1)) + input.earned - input.spent
}
policy mana_capacity(input) { input.base_capacity + (input.balance - input.base_rate) * 2 }
policy bid_eligibility(input) {
  input.bidder != input.submitter and input.price <= input.max_price
    and input.jobs_executed / input.jobs_failed > 1/2
}
policy price_ceiling(input) {
  match input.average_price {
    Some(price) => price * input.replicas + 1 millimana,
    None => refuse("no prices are known at {input.now}"),
  }
}
policy vote_eligibility(input) { input.roles.contains("regular") or input.voter == input.proposer }
policy vote_weight(input) {
  let base = match input.kind {
    ProposalKind.veto => -1,
    ProposalKind.budget => input.members,
    _ => 1,
  };
  if input.roles.contains("elder") { base * 2 } else { base }
}
policy admission(input) {
  require(not input.left_before, "{input.applicant} has left before");
  input.sponsors.len() > input.seats - input.witnesses
}
"#;

fn did() -> impl Strategy<Value = Did> {
    (0..3u8).prop_map(|byte| Did::new(PublicKey::new([byte; 32])))
}

/// Small, ordinary, and beyond what contracts count.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..4u64,
        4 => 0..10_000_000u64,
        1 => any::<u64>(),
        1 => select(vec![u64::MAX, i64::MAX as u64, i64::MAX as u64 + 1]),
    ]
}

fn mana() -> impl Strategy<Value = Mana> {
    number().prop_map(Mana::from_milli)
}

fn millis() -> impl Strategy<Value = Millis> {
    prop_oneof![number(), 0..400 * 86_400_000u64].prop_map(Millis::new)
}

fn time() -> impl Strategy<Value = Time> {
    prop_oneof![number(), 1_700_000_000_000..1_900_000_000_000u64].prop_map(Time::new)
}

prop_compose! {
    fn mana_question()(
        (cooperative, now, member_for, period) in (did(), time(), millis(), millis()),
        (balance, base_rate, base_capacity, earned, spent) in (mana(), mana(), mana(), mana(), mana()),
        (jobs_executed, jobs_submitted, jobs_failed) in (number(), number(), number()),
    ) -> ManaQuestion {
        let activity = Activity { jobs_executed, jobs_submitted, jobs_failed, earned, spent };
        ManaQuestion { cooperative, now, member_for, balance, base_rate, base_capacity, period, activity }
    }
}

prop_compose! {
    fn bid_question()(
        (bidder, submitter, now, bidder_member_for) in (did(), did(), time(), millis()),
        (price, max_price, jobs_executed, jobs_failed, fault_points) in (mana(), mana(), number(), number(), 0..=1_000u32),
    ) -> BidQuestion {
        BidQuestion { bidder, submitter, now, price, max_price, jobs_executed, jobs_failed, fault_points, bidder_member_for }
    }
}

prop_compose! {
    fn price_question()(
        (submitter, now, cpu, replicas) in (did(), time(), millis(), 1..=5u8),
        (memory_bytes, output_bytes, balance) in (number(), number(), mana()),
        average_price in proptest::option::of(mana()),
    ) -> PriceQuestion {
        PriceQuestion { submitter, now, cpu, memory_bytes, output_bytes, replicas, balance, average_price }
    }
}

prop_compose! {
    fn vote_question()(
        (voter, cooperative, proposer) in (did(), did(), did()),
        (now, member_for, members) in (time(), millis(), number()),
        (votes_cast, votes_missed, kind) in (number(), number(), select(ProposalKind::ALL)),
    ) -> VoteQuestion {
        VoteQuestion { voter, cooperative, now, member_for, members, kind, proposer, votes_cast, votes_missed }
    }
}

prop_compose! {
    fn admission_question()(
        (applicant, sponsors, now, applied_for) in (did(), vec(did(), 0..4), time(), millis()),
        (seats, witnesses, left_before) in (0..100u64, number(), any::<bool>()),
    ) -> AdmissionQuestion {
        AdmissionQuestion { applicant, sponsors, now, applied_for, seats, witnesses, left_before }
    }
}

fn question() -> impl Strategy<Value = PolicyQuestion> {
    prop_oneof![
        mana_question().prop_map(PolicyQuestion::ManaRate),
        mana_question().prop_map(PolicyQuestion::ManaCapacity),
        bid_question().prop_map(PolicyQuestion::BidEligibility),
        price_question().prop_map(PolicyQuestion::PriceCeiling),
        vote_question().prop_map(PolicyQuestion::VoteEligibility),
        vote_question().prop_map(PolicyQuestion::VoteWeight),
        admission_question().prop_map(PolicyQuestion::Admission),
    ]
}

const EXAMPLES: [&str; 3] = [
    include_str!("../../../../examples/ccl/consent.ccl"),
    include_str!("../../../../examples/ccl/membership.ccl"),
    include_str!("../../../../examples/ccl/regeneration-by-contribution.ccl"),
];

/// Every contract here, with what it takes to ask it.
struct Both {
    host: PolicyHost,
    interpreted: Interpreted,
    shelf: Shelf,
    contracts: Vec<icn_model::Cid>,
}

static BOTH: LazyLock<Both> = LazyLock::new(|| {
    let mut shelf = Shelf::default();
    // The example for one cooperative would be refused by the log for its scope.
    let texts = EXAMPLES.map(|text| text.replace("scope cooperative", "scope federation"));
    let contracts = texts.into_iter().chain([EVERY.to_owned()]);
    let contracts = contracts.map(|text| shelf.add(text)).collect();
    Both {
        host: PolicyHost::new(),
        interpreted: Interpreted::default(),
        shelf,
        contracts,
    }
});

static ENDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

fn agree(question: &PolicyQuestion) {
    let Both {
        host,
        interpreted,
        shelf,
        contracts,
    } = &*BOTH;
    for contract in contracts {
        let expected = interpreted.ask(contract, shelf, question);
        assert_eq!(host.ask(contract, shelf, question), expected, "{question:?}");
        let end = match expected {
            Ok(PolicyAnswer::Is(_)) => "yes or no",
            Ok(PolicyAnswer::Mana(_)) => "mana",
            Ok(PolicyAnswer::Count(_)) => "count",
            Err(PolicyFailure::Refused { .. }) => "refusal",
            Err(PolicyFailure::Fault { .. }) => "fault",
        };
        ENDS.lock().unwrap().insert(end);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn host_and_interpreter_agree(question in question()) {
        agree(&question);
    }
}

#[test]
fn questions_end_in_every_way() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    for _ in 0..500 {
        agree(&question().new_tree(&mut runner).unwrap().current());
    }
    assert_eq!(ENDS.lock().unwrap().len(), 5, "{ENDS:?}");
}

#[test]
fn threads_may_ask_at_a_time() {
    let question = || {
        PolicyQuestion::VoteWeight(VoteQuestion {
            voter: Did::new(PublicKey::new([1; 32])),
            cooperative: Did::new(PublicKey::new([1; 32])),
            now: Time::new(1),
            member_for: Millis::from_secs(90 * 86_400),
            members: 7,
            kind: ProposalKind::Budget,
            proposer: Did::new(PublicKey::new([1; 32])),
            votes_cast: 6,
            votes_missed: 3,
        })
    };
    let mut shelf = Shelf::default();
    let contract = shelf.add(EVERY);
    let host = PolicyHost::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(
                        host.ask(&contract, &shelf, &question()),
                        Ok(PolicyAnswer::Count(14))
                    );
                }
            });
        }
    });
}

fn contract(rest: &str) -> String {
    format!("contract \"Test\" version 1 language 1 scope federation;\n{rest}")
}

#[test]
fn both_take_and_refuse_the_same_texts() {
    let mut shelf = Shelf::default();
    let module = shelf.add("module \"M\" version 1 language 1;\nfn twice(of: Mana) -> Mana { of * 2 }");
    let unknown = icn_model::Cid::of_raw(b"nothing");
    let sums = "x = x + 1; ".repeat(1_800);
    let list = format!("[{}]", vec!["x"; 900].join(", "));
    for (text, taken) in [
        (
            contract("policy mana_rate(input) { input.base_rate }"),
            Ok(vec![PolicySlot::ManaRate]),
        ),
        (
            contract(&format!(
                "import \"{module}\" as m;\npolicy mana_rate(input) {{ m.twice(input.base_rate) }}"
            )),
            Ok(vec![PolicySlot::ManaRate]),
        ),
        (
            contract(&format!(
                "import \"{unknown}\" as m;\npolicy mana_rate(input) {{ m.twice(input.base_rate) }}"
            )),
            Err("2:8: there is no such module here"),
        ),
        (
            contract("policy mana_rate(input) { input.base_rates }"),
            Err("2:33: "),
        ),
        (contract("policy mana(input) { 1 }"), Err("2:8: ")),
        // WebAssembly is no text of a contract, whatever it would do.
        ("\0asm\u{1}\0\0\0".to_owned(), Err("1:1: ")),
        (
            "(module (func (export \"mana_rate\") (param i32) (result i32) (loop (br 0)) unreachable))"
                .to_owned(),
            Err("1:1: "),
        ),
        (String::new(), Err("1:1: ")),
        (contract(&" ".repeat(300_000)), Err("1:1: the file has ")),
        // Large for one function, as engines count.
        (
            contract(&format!(
                "policy vote_weight(input) {{ var x = input.members; {sums} x }}"
            )),
            Ok(vec![PolicySlot::VoteWeight]),
        ),
        (
            contract(&format!(
                "policy vote_weight(input) {{ let x = input.members; {} x }}",
                format!("require({list}.len() > 0, \"\"); ").repeat(6)
            )),
            Ok(vec![PolicySlot::VoteWeight]),
        ),
    ] {
        let host = PolicyHost::new().examine(&text, &shelf);
        let interpreted = Interpreted::default().examine(&text, &shelf);
        assert_eq!(host, interpreted, "{}", &text[..text.len().min(200)]);
        match (host, taken) {
            (Ok(examined), Ok(slots)) => assert_eq!(examined.slots, slots),
            (Err(line), Err(start)) => assert!(line.starts_with(start), "{line}"),
            (found, expected) => panic!("{found:?}, and not {expected:?}"),
        }
    }
}

/// Sixteen files whose functions call each other as deep as they can and keep as many values as they can, up to
/// the bound on compiled contracts: no bound of the engine comes before the language's.
#[test]
fn the_largest_contract_runs() {
    let mut shelf = Shelf::default();
    let list = format!("[{}]", vec!["x"; 900].join(","));
    let mut import = String::new();
    let mut call = "x".to_owned();
    let mut contract = None;
    for n in 0..16 {
        let header = if n == 15 {
            "contract \"Large\" version 1 language 1 scope federation;"
        } else {
            "module \"Large\" version 1 language 1;"
        };
        let mut text = format!("{header}\n{import}");
        let mut inner = call.clone();
        for level in 0..4 {
            let lists = format!("require({list}.len()>0,\"\");");
            text += &format!("fn f{level}(x: Int) -> Int {{ {lists} {inner} }}\n");
            inner = format!("f{level}(x)");
        }
        call = "m.f3(x)".to_owned();
        if n == 15 {
            text += "policy vote_weight(input) { let x = input.members; f3(x) }";
        }
        assert!(
            text.len() <= icn_model::limits::MAX_CONTRACT_BYTES,
            "{}",
            text.len()
        );
        let cid = shelf.add(text);
        import = format!("import \"{cid}\" as m;\n");
        contract = Some(cid);
    }
    let contract = contract.unwrap();
    let text = icn_state::Texts::text(&shelf, &contract).unwrap().to_owned();
    assert_eq!(
        PolicyHost::new()
            .examine(&text, &shelf)
            .map(|found| found.imports.len()),
        Ok(15)
    );
    let question = PolicyQuestion::VoteWeight(VoteQuestion {
        voter: Did::new(PublicKey::new([1; 32])),
        cooperative: Did::new(PublicKey::new([1; 32])),
        now: Time::new(1),
        member_for: Millis::new(1),
        members: 7,
        kind: ProposalKind::Budget,
        proposer: Did::new(PublicKey::new([1; 32])),
        votes_cast: 0,
        votes_missed: 0,
    });
    let expected = Interpreted::default().ask(&contract, &shelf, &question);
    assert_eq!(expected, Ok(PolicyAnswer::Count(7)));
    assert_eq!(PolicyHost::new().ask(&contract, &shelf, &question), expected);
}

#[test]
fn what_the_host_keeps_does_not_show() {
    let mut shelf = Shelf::default();
    let module = shelf.add("module \"M\" version 1 language 1;\nfn twice(of: Int) -> Int { of * 2 }");
    let user = shelf.add(contract(&format!(
        "import \"{module}\" as m;\npolicy vote_weight(input) {{ m.twice(input.members) }}"
    )));
    let question = PolicyQuestion::VoteWeight(VoteQuestion {
        voter: Did::new(PublicKey::new([1; 32])),
        cooperative: Did::new(PublicKey::new([1; 32])),
        now: Time::new(1),
        member_for: Millis::new(1),
        members: 7,
        kind: ProposalKind::Budget,
        proposer: Did::new(PublicKey::new([1; 32])),
        votes_cast: 0,
        votes_missed: 0,
    });
    let host = PolicyHost::new();
    assert_eq!(host.ask(&user, &shelf, &question), Ok(PolicyAnswer::Count(14)));
    shelf.remove(&module);
    let gone = host.ask(&user, &shelf, &question);
    assert!(matches!(gone, Err(PolicyFailure::Fault { .. })));
    assert_eq!(PolicyHost::new().ask(&user, &shelf, &question), gone);
    assert_eq!(Interpreted::default().ask(&user, &shelf, &question), gone);
    // More contracts than are kept: each is compiled again when it is asked again.
    let many: Vec<_> = (0..40)
        .map(|n| {
            shelf.add(contract(&format!(
                "policy vote_weight(input) {{ input.members + {n} }}"
            )))
        })
        .collect();
    for _ in 0..2 {
        for (n, contract) in (0..).zip(&many) {
            assert_eq!(
                host.ask(contract, &shelf, &question),
                Ok(PolicyAnswer::Count(7 + n))
            );
        }
    }
}
