//! The slowest contracts that anybody has thought of end by the bounds of the language, far from the engine's.
use super::{PolicyHost, instance::FUEL};
use icn_ccl::{Contract, NoModules, interp};
use icn_model::{
    Did, Millis, PolicyFailure, PolicyQuestion, PolicySlot, ProposalKind, PublicKey, Time, VoteQuestion,
};
use std::time::Instant;

fn question() -> PolicyQuestion {
    let did = |byte| Did::new(PublicKey::new([byte; 32]));
    PolicyQuestion::VoteWeight(VoteQuestion {
        voter: did(1),
        cooperative: did(2),
        now: Time::new(253_402_300_799_999),
        member_for: Millis::new(9_223_372_036_854_775_807),
        members: 7_540_113_804_746_346_429,
        kind: ProposalKind::Veto,
        proposer: did(3),
        votes_cast: 1,
        votes_missed: 1,
    })
}

/// A policy that does something in a loop, after some preparation, until it is stopped.
fn endless(declarations: &str, before: &str, turn: &str) -> String {
    format!(
        "contract \"Slow\" version 1 language 1 scope federation;\n{declarations}
policy vote_weight(input) {{
  var n = 0;
  {before}
  for i in range(0, 10_000) {{ for j in range(0, 10_000) {{ {turn} }} }}
  n
}}"
    )
}

/// Name and text of what takes long by one instruction or built-in each.
fn slow() -> Vec<(&'static str, String)> {
    let members = (0..64)
        .map(|n| format!("f{n}: Int"))
        .collect::<Vec<_>>()
        .join(", ");
    let values = (0..64).map(|n| format!("f{n}: n")).collect::<Vec<_>>().join(", ");
    let record = format!("record Wide {{ {members} }}");
    let wide = format!("let a = Wide({values}); let b = Wide({values});");
    let variants = (0..64).map(|n| format!("V{n}")).collect::<Vec<_>>().join(", ");
    let choices = format!("enum Many {{ {variants} }}");
    let arms = (0..64)
        .map(|n| format!("Many.V{n} => {n}"))
        .collect::<Vec<_>>()
        .join(", ");
    let text = format!("let a = \"{0}\"; let b = \"{0}\";", "a".repeat(4_000));
    let half = format!(
        "let a = \"{}\"; let b = \"{}b\";",
        "a".repeat(4_000),
        "a".repeat(1_000)
    );
    let near = "let a = 7_540_113_804_746_346_429 / 4_660_046_610_375_530_309;
        let b = 4_660_046_610_375_530_309 / 2_880_067_194_370_816_120;";
    let small = "let a = 1_836_311_903 / 1_134_903_170; let b = 1 / 1_134_903_170;";
    let ratios = "let all = [1_836_311_903 / 1_134_903_170 for i in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]];";
    let keys = "var m: Map<Text, Int> = map {}; let k = \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\";
        for i in range(0, 500) { m = m.insert(\"{k}{i}\", i); }";
    let all = [
        ("nothing", "", String::new(), "n = n;".to_owned()),
        (
            "calls",
            "fn one(x: Int) -> Int { x }",
            String::new(),
            "n = one(n);".to_owned(),
        ),
        ("sums", "", String::new(), "n = n + 1; n = n - 1; ".repeat(200)),
        (
            "products",
            "",
            String::new(),
            "n = (n * 3).rem(7).div(2);".repeat(50),
        ),
        (
            "order of ratios",
            "",
            near.to_owned(),
            "if a < b { n = 1; }".to_owned(),
        ),
        (
            "order of ratios, many",
            "",
            near.to_owned(),
            "if a < b { n = 1; } ".repeat(40),
        ),
        (
            "fractions",
            "",
            String::new(),
            "if input.members / 4_660_046_610_375_530_309 == 1 { n = 1; }".to_owned(),
        ),
        (
            "sums of ratios",
            "",
            small.to_owned(),
            "if a + b == 1 { n = 1; }".to_owned(),
        ),
        (
            "products of ratios",
            "",
            small.to_owned(),
            "if a * b == 1 { n = 1; }".to_owned(),
        ),
        (
            "scaling",
            "",
            near.to_owned(),
            "n = input.members.times_floor(1 / 4_660_046_610_375_530_309);".to_owned(),
        ),
        (
            "sum of a list of ratios",
            "",
            ratios.to_owned(),
            "if all.sum() == 1 { n = 1; }".to_owned(),
        ),
        (
            "moments as text",
            "",
            String::new(),
            "n = \"{input.now}\".len();".to_owned(),
        ),
        (
            "durations as text",
            "",
            String::new(),
            "n = \"{input.member_for}\".len();".to_owned(),
        ),
        (
            "numbers as text",
            "",
            String::new(),
            "n = \"{input.members}\".len();".to_owned(),
        ),
        (
            "variants as text",
            &choices,
            String::new(),
            "n = \"{Many.V63}\".len();".to_owned(),
        ),
        (
            "variants",
            &choices,
            "let v = if input.members > 1 { Many.V63 } else { Many.V0 };".to_owned(),
            format!("n = match v {{ {arms} }};"),
        ),
        ("wide records", &record, wide, "if a == b { n = 0; }".to_owned()),
        ("long texts", "", text.clone(), "if a == b { n = 0; }".to_owned()),
        ("order of long texts", "", text, "if a < b { n = 0; }".to_owned()),
        (
            "texts in texts",
            "",
            half,
            "if a.contains(b) { n = 0; }".to_owned(),
        ),
        (
            "letters in texts",
            "",
            format!("let a = \"{}\";", "a".repeat(4_000)),
            "if a.contains(\"b\") { n = 0; }".to_owned(),
        ),
        (
            "long keys",
            "",
            keys.to_owned(),
            "if m.has(\"{k}499\") { n = 0; }".to_owned(),
        ),
        (
            "lists",
            "",
            "let all = [i for i in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]];".to_owned(),
            "if all.contains(11) { n = 0; } n = all.sum();".to_owned(),
        ),
        (
            "memory",
            "",
            "var all: List<Int> = [];".to_owned(),
            "all = all.push(n); if all.len() > 900 { all = []; }".to_owned(),
        ),
        (
            "texts put together",
            "",
            format!("let a = \"{}\";", "a".repeat(2_000)),
            "n = \"{a}{a}\".len();".to_owned(),
        ),
        (
            "options",
            "",
            "let some = Some(1);".to_owned(),
            "n = some.otherwise(2); ".repeat(100),
        ),
        (
            "conditions",
            "",
            String::new(),
            "if n < 5 and not (n > 6) or n == 8 { n = 1; } ".repeat(60),
        ),
        (
            "the roles",
            "",
            String::new(),
            "if input.roles.contains(\"x\") { n = 1; }".to_owned(),
        ),
    ];
    all.into_iter()
        .map(|(name, declarations, before, turn)| (name, endless(declarations, &before, &turn)))
        .collect()
}

#[test]
fn the_slowest_contracts_end_by_the_language() {
    let host = PolicyHost::new();
    let mut most = 0;
    for (name, source) in slow() {
        let (contract, module) =
            Contract::read(&source, &NoModules).unwrap_or_else(|error| panic!("{name}: {error}\n{source}"));
        assert_eq!(contract.slots(), [PolicySlot::VoteWeight]);
        let prepared = host.0.prepare(contract, &module).unwrap();
        let begin = Instant::now();
        let answer = prepared.ask(&host.0.engine, &question());
        let took = begin.elapsed();
        let burned = {
            let idle = prepared.idle.lock().unwrap();
            idle.as_ref().map(super::Instance::burned)
        };
        println!("{name}: {took:?}, {burned:?} of fuel, {answer:?}");
        let Err(PolicyFailure::Fault { detail }) = &answer else {
            panic!("{name}: {answer:?}");
        };
        assert!(
            detail.starts_with("work at ") || detail.starts_with("memory at "),
            "{name}: {detail}"
        );
        most = most.max(burned.unwrap_or_default());
        let contract = &prepared.contract;
        let expected = contract.ask(&question(), |entry, input| {
            let function = contract.entries()[entry].function;
            interp::call(contract.program(), function, input).map_err(Into::into)
        });
        assert_eq!(answer, expected, "{name}");
    }
    assert!(most > 0 && most < FUEL / 10, "{most}");
}
