//! Contracts as the log asks them, by the interpreter.
use icn_ccl::{Contract, Interpreter, Modules, NoModules, Resolver};
use icn_model::{
    Activity, Cid, Did, Mana, ManaQuestion, Millis, PolicyAnswer, PolicyFailure, PolicyQuestion, PolicySlot,
    ProposalKind, PublicKey, Time, VoteQuestion,
};

fn contract(rest: &str) -> String {
    format!("contract \"Log\" version 1 language 1 scope federation;\n{rest}")
}

fn did(byte: u8) -> Did {
    Did::new(PublicKey::new([byte; 32]))
}

fn mana(balance: u64, jobs_executed: u64) -> PolicyQuestion {
    PolicyQuestion::ManaRate(ManaQuestion {
        cooperative: did(1),
        now: Time::new(1_777_636_800_000),
        member_for: Millis::from_secs(86_400),
        balance: Mana::from_milli(balance),
        base_rate: Mana::from_whole(10),
        base_capacity: Mana::from_whole(1_000),
        period: Millis::from_secs(3_600),
        activity: Activity {
            jobs_executed,
            ..Activity::default()
        },
    })
}

fn vote(member_for_days: u64, votes_cast: u64, votes_missed: u64) -> VoteQuestion {
    VoteQuestion {
        voter: did(1),
        cooperative: did(2),
        now: Time::new(1_777_636_800_000),
        member_for: Millis::from_secs(member_for_days * 86_400),
        members: 12,
        kind: ProposalKind::Budget,
        proposer: did(3),
        votes_cast,
        votes_missed,
    }
}

fn fault(detail: &str) -> PolicyFailure {
    PolicyFailure::Fault {
        detail: detail.to_owned(),
    }
}

fn refusal(reason: &str) -> PolicyFailure {
    PolicyFailure::Refused {
        reason: reason.to_owned(),
    }
}

/// What a contract says, asked twice: what an engine keeps does not show.
fn ask(source: &str, question: &PolicyQuestion) -> Result<PolicyAnswer, PolicyFailure> {
    let (mut log, engine) = (Modules::default(), Interpreter::default());
    let cid = log.add(source);
    let answer = engine.ask(&cid, &log, question);
    assert_eq!(engine.ask(&cid, &log, question), answer);
    answer
}

#[test]
fn calls_end_with_an_answer_a_reason_or_the_place_of_a_fault() {
    let source = contract(
        "policy mana_rate(input) {
  require(input.jobs_executed < 5, \"{input.jobs_executed} jobs are enough\");
  let most = 9_223_372_036_854_775_807 millimana;
  if input.jobs_executed == 1 { return most + input.balance; }
  if input.jobs_executed == 2 { return input.base_rate.times_floor(1 / (input.jobs_executed - 2)); }
  if input.jobs_executed == 3 { return input.base_rate - input.base_capacity; }
  input.base_rate * 2
}",
    );
    let twice = PolicyAnswer::Mana(Mana::from_whole(20));
    assert_eq!(ask(&source, &mana(1, 0)), Ok(twice));
    assert_eq!(ask(&source, &mana(1, 1)), Err(fault("overflow at 5:40")));
    assert_eq!(ask(&source, &mana(1, 2)), Err(fault("division_by_zero at 6:68")));
    assert_eq!(ask(&source, &mana(1, 3)), Err(fault("below_zero at 7:40")));
    assert_eq!(ask(&source, &mana(1, 5)), Err(refusal("5 jobs are enough")));
    let other = PolicyQuestion::VoteWeight(vote(1, 0, 0));
    assert_eq!(
        ask(&source, &other),
        Err(fault("the contract has no policy for vote-weight"))
    );
}

#[test]
fn amounts_beyond_what_the_language_counts_are_the_largest_that_it_counts() {
    let source = contract("policy mana_rate(input) { input.balance }");
    let most = PolicyAnswer::Mana(Mana::from_milli(i64::MAX as u64));
    assert_eq!(ask(&source, &mana(u64::MAX, 0)), Ok(most));
}

#[test]
fn voters_have_the_roles_whose_rules_hold() {
    let source = contract(
        "role guest { may delegate; }
role worker {
  may vote;
  requires(candidate) { candidate.member_for >= 30 days }
}
role board {
  may vote, veto;
  requires(candidate) {
    require(candidate.votes_cast > candidate.votes_missed, \"votes too seldom\");
    candidate.roles.contains(\"worker\")
  }
}
policy vote_weight(input) {
  expect_no_guest(input) * 100 + input.roles.len() * 10 + if input.roles.contains(\"board\") { 1 } else { 0 }
}
fn expect_no_guest(input: VoteInput) -> Int { if input.roles.contains(\"guest\") { 1 } else { 0 } }
",
    );
    let weight = |question| ask(&source, &PolicyQuestion::VoteWeight(question));
    assert_eq!(weight(vote(10, 5, 0)), Ok(PolicyAnswer::Count(0)));
    assert_eq!(weight(vote(40, 2, 2)), Ok(PolicyAnswer::Count(10)));
    assert_eq!(weight(vote(40, 3, 2)), Ok(PolicyAnswer::Count(21)));
}

#[test]
fn a_fault_in_the_rule_of_a_role_is_a_fault_of_the_question() {
    let source = contract(
        "role odd { may vote; requires(one) { one.votes_cast.rem(one.votes_missed) == 1 } }
policy vote_eligibility(input) { input.roles.contains(\"odd\") }",
    );
    let may = |question| ask(&source, &PolicyQuestion::VoteEligibility(question));
    assert_eq!(may(vote(1, 5, 2)), Ok(PolicyAnswer::Is(true)));
    assert_eq!(may(vote(1, 5, 0)), Err(fault("division_by_zero at 2:38")));
}

#[test]
fn what_the_log_does_not_take_is_said_in_one_line() {
    let read = |source: &str| Contract::read(source, &NoModules).err().unwrap_or_default();
    assert_eq!(
        read(&contract("policy mana_rate(input) { input.base_rate + 1 }")),
        "2:27: `+` does not work on Mana and Int (write the unit, such as `5 mana`, `7 days` or `10 eur`)"
    );
    let missing = Cid::of_raw(b"no such module");
    assert_eq!(
        read(&contract(&format!("import \"{missing}\" as m;"))),
        "2:8: there is no such module here (hand its file to the compiler, or publish it before this one)"
    );
    assert!(read("\0asm\u{1}\0\0\0").starts_with("1:1: "));
    assert!(read("").starts_with("1:1: "));
    assert_eq!(
        read("contract \"One\" version 1 language 1 scope cooperative;\npolicy vote_weight(input) { 1 }"),
        "the contract holds for one cooperative; the log runs those for all (write `scope federation`)"
    );
    let long = "x".repeat(65);
    assert_eq!(
        read(&format!(
            "contract \"{long}\" version 1 language 1 scope federation;"
        )),
        "the name has 65 bytes; at most 64 are allowed in the log"
    );
    let roles: String = (0..9)
        .map(|n| format!("role r{n} {{ may vote; requires(one) {{ one.votes_cast > {n} }} }}\n"))
        .collect();
    assert!(Contract::read(&contract(&roles), &NoModules).is_ok());
    assert!(
        read(&contract(&format!("{roles}policy vote_weight(input) {{ 1 }}")))
            .starts_with("a contract that decides about votes has at most 8 roles")
    );
    // However long the fault is.
    let name = "n".repeat(60);
    let lines = read(&contract(&format!(
        "policy mana_rate(input) {{ \"{}\\n{name}\" }}",
        "é".repeat(2_000)
    )));
    assert!(lines.len() <= 512 && !lines.contains('\n'), "{lines}");
}

/// A log that can forget.
struct Log(Vec<(Cid, String)>);

impl Resolver for Log {
    fn source(&self, cid: &Cid) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == cid)
            .map(|(_, text)| text.as_str())
    }
}

#[test]
fn what_an_engine_keeps_does_not_show() {
    let module = "module \"Half\" version 1 language 1;\nfn half(of: Mana) -> Mana { of.times_floor(1/2) }";
    let imported = Cid::of_raw(module.as_bytes());
    let source = contract(&format!(
        "import \"{imported}\" as half;\npolicy mana_rate(input) {{ half.half(input.base_rate) }}"
    ));
    let cid = Cid::of_raw(source.as_bytes());
    let mut log = Log(vec![(cid, source.clone()), (imported, module.to_owned())]);
    let engine = Interpreter::default();
    let examined = engine.examine(&source, &log).unwrap();
    assert_eq!(
        (examined.name(), examined.slots(), examined.imports()),
        ("Log", vec![PolicySlot::ManaRate], vec![imported])
    );
    let (as_module, _) = Contract::read(module, &log).unwrap();
    assert_eq!((as_module.name(), as_module.slots()), ("Half", vec![]));
    let half = Ok(PolicyAnswer::Mana(Mana::from_whole(5)));
    assert_eq!(engine.ask(&cid, &log, &mana(0, 0)), half);
    let gone = fault("the log does not have the text of the contract, or of a module that it imports");
    for lost in [1, 0] {
        log.0.remove(lost);
        assert_eq!(engine.ask(&cid, &log, &mana(0, 0)), Err(gone.clone()));
        assert_eq!(
            Interpreter::default().ask(&cid, &log, &mana(0, 0)),
            Err(gone.clone())
        );
    }
    // A text under another's name is none.
    log.0.push((cid, module.to_owned()));
    assert_eq!(Interpreter::default().ask(&cid, &log, &mana(0, 0)), Err(gone));
}

#[test]
fn faults_in_modules_say_in_which() {
    let module = "module \"Div\" version 1 language 1;\nfn div(a: Int, b: Int) -> Int { a.div(b) }";
    let (mut log, engine) = (Modules::default(), Interpreter::default());
    let imported = log.add(module);
    let cid = log.add(contract(&format!(
        "import \"{imported}\" as m;\npolicy vote_weight(input) {{ m.div(input.members, input.members - 12) }}"
    )));
    assert_eq!(
        engine.ask(&cid, &log, &PolicyQuestion::VoteWeight(vote(1, 1, 1))),
        Err(fault(&format!("division_by_zero at 2:33 of {imported}")))
    );
}

#[test]
fn straight_code_counts_as_work() {
    // A body of 1,600 operations and a loop of a thousand turns: each turn costs a hundred.
    let sums = "x = x + 1; ".repeat(540);
    let slow = |turns: u32| {
        contract(&format!(
            "policy vote_weight(input) {{ var x = 0; for i in range(0, {turns}) {{ {sums} }} x }}"
        ))
    };
    let question = PolicyQuestion::VoteWeight(vote(1, 1, 1));
    assert_eq!(ask(&slow(900), &question), Ok(PolicyAnswer::Count(900 * 540)));
    assert!(matches!(
        ask(&slow(1_000), &question),
        Err(PolicyFailure::Fault { detail }) if detail.starts_with("work at ")
    ));
}
