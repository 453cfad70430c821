//! What policies cost in the log: `cargo bench -p icn-sandbox --bench policies`.
//!
//! - a call after the first, of an example and of 220 lines that are all run: under 50 µs;
//! - the first call, which compiles the contract;
//! - the slowest contract that is known, which the language ends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark: a panic is how it fails, and its functions are no interface"
)]
use criterion::{Criterion, criterion_group, criterion_main};
use icn_model::{
    Activity, Cid, Did, Mana, ManaQuestion, Millis, PolicyFailure, PolicyQuestion, ProposalKind, PublicKey,
    Time, VoteQuestion,
};
use icn_sandbox::PolicyHost;
use icn_state::{Policies, Texts};
use std::{fmt::Write as _, hint::black_box};

struct One(Cid, String);

impl One {
    fn new(text: String) -> Self {
        Self(Cid::of_raw(text.as_bytes()), text)
    }
}

impl Texts for One {
    fn text(&self, cid: &Cid) -> Option<&str> {
        (*cid == self.0).then_some(self.1.as_str())
    }
}

fn did(byte: u8) -> Did {
    Did::new(PublicKey::new([byte; 32]))
}

fn mana() -> PolicyQuestion {
    PolicyQuestion::ManaRate(ManaQuestion {
        cooperative: did(7),
        now: Time::new(1_777_636_800_000),
        member_for: Millis::from_secs(86_400),
        balance: Mana::from_whole(5),
        base_rate: Mana::from_whole(10),
        base_capacity: Mana::from_whole(1_000),
        period: Millis::from_secs(2_592_000),
        activity: Activity {
            jobs_executed: 3,
            jobs_submitted: 4,
            jobs_failed: 1,
            earned: Mana::from_whole(40),
            spent: Mana::from_whole(20),
        },
    })
}

fn vote() -> PolicyQuestion {
    PolicyQuestion::VoteWeight(VoteQuestion {
        voter: did(1),
        cooperative: did(2),
        now: Time::new(1_777_636_800_000),
        member_for: Millis::from_secs(86_400 * 365),
        members: 40,
        kind: ProposalKind::Budget,
        proposer: did(3),
        votes_cast: 10,
        votes_missed: 2,
    })
}

/// Rules of a dozen lines each, and a policy that calls them all.
fn long() -> String {
    let mut text =
        "contract \"Bench\" version 1 language 1 scope federation;\n\nunit eur decimals 2;\n".to_owned();
    let mut calls = String::new();
    for n in 0..15 {
        write!(
            text,
            r#"
enum State{n} {{ New, Trading(Amount<eur>, Ratio), Closed(Text) }}
fn rule{n}(input: ManaInput, sums: List<Amount<eur>>) -> Ratio {{
  var total = 0 eur;
  for sum in sums {{
    if sum > 1.50 eur {{ total = total + sum.times_round(1/3); }}
  }}
  let state = if total == 0 eur {{ State{n}.New }} else {{ State{n}.Trading(total, input.jobs_executed / 7) }};
  match state {{
    State{n}.New => 0,
    State{n}.Trading(amount, share) => min(1, share + amount / 1_000 eur),
    State{n}.Closed(reason) => refuse("closed since {{input.now}}: {{reason}}"),
  }}
}}
"#
        )
        .unwrap();
        writeln!(calls, "  bonus = bonus + rule{n}(input, sums);").unwrap();
    }
    write!(
        text,
        "\npolicy mana_rate(input) {{
  require(input.jobs_failed < 10, \"{{input.jobs_failed}} failures\");
  let sums = [1 eur, 2.50 eur, 3 eur];
  var bonus: Ratio = 0;
{calls}  input.base_rate.times_floor(1 + min(1, bonus))
}}
"
    )
    .unwrap();
    text
}

const SLOWEST: &str = r#"contract "Slow" version 1 language 1 scope federation;
policy vote_weight(input) {
  let a = 7_540_113_804_746_346_429 / 4_660_046_610_375_530_309;
  let b = 4_660_046_610_375_530_309 / 2_880_067_194_370_816_120;
  for i in range(0, 10_000) { for j in range(0, 10_000) { if a == b or a < b and b < a { return 1; } } }
  2
}"#;

const ROLES: &str = r#"contract "Roles" version 1 language 1 scope federation;
role member { may vote; requires(one) { one.member_for >= 90 days } }
role active { may vote; requires(one) { one.roles.contains("member") and one.votes_cast > one.votes_missed } }
policy vote_weight(input) { if input.roles.contains("active") { 2 } else { 1 } }"#;

fn calling(bench: &mut Criterion) {
    let example = include_str!("../../../examples/ccl/regeneration-by-contribution.ccl");
    println!("{} lines", long().lines().count());
    for (name, text, question) in [
        ("an example", example.to_owned(), mana()),
        ("220 lines", long(), mana()),
        ("a vote with two roles", ROLES.to_owned(), vote()),
    ] {
        let (host, texts) = (PolicyHost::new(), One::new(text));
        host.ask(&texts.0, &texts, &question).unwrap();
        bench.bench_function(&format!("a call of {name}"), |bench| {
            bench.iter(|| host.ask(&texts.0, &texts, black_box(&question)));
        });
        bench.bench_function(&format!("the first call of {name}"), |bench| {
            bench.iter(|| PolicyHost::new().ask(&texts.0, &texts, black_box(&question)));
        });
    }
}

fn slowest(bench: &mut Criterion) {
    let (host, texts) = (PolicyHost::new(), One::new(SLOWEST.to_owned()));
    let ended = host.ask(&texts.0, &texts, &vote());
    assert!(matches!(ended, Err(PolicyFailure::Fault { .. })), "{ended:?}");
    let mut group = bench.benchmark_group("bounds");
    group.sample_size(10);
    group.bench_function("a call of the slowest", |bench| {
        bench.iter(|| host.ask(&texts.0, &texts, &vote()));
    });
}

criterion_group!(benches, calling, slowest);
criterion_main!(benches);
