//! Counts a vote of a hundred thousand rankings of ten options, nearly all of them different.
use criterion::{Criterion, criterion_group, criterion_main};
use icn_model::{
    Choice, Cid, Digest, Effect, Electorate, Method, MethodKind, Millis, Process, ProposalSpec, Roll, Share,
    Threshold, Time,
};
use icn_state::{Cast, tally};

const BALLOTS: u64 = 100_000;
const OPTIONS: u8 = 10;

/// A ranking of all options, drawn from a hash of its number.
fn ranking(number: u64) -> Choice {
    let lots = Digest::of(&number.to_be_bytes());
    let mut options: Vec<u8> = (0..OPTIONS).collect();
    options.sort_by_key(|option| lots.as_bytes()[usize::from(*option)]);
    Choice::Rank { options }
}

fn bench(criterion: &mut Criterion) {
    let name = |number: u8| {
        format!("option {number}")
            .parse()
            .expect("a short text is a name")
    };
    let spec = ProposalSpec {
        text: None,
        effect: Effect::Text {},
        electorate: Electorate::Members,
        method: Method::Ranked {
            options: (0..OPTIONS).map(name).collect(),
        },
        topic: name(0),
        closes: None,
        votes_final: false,
    };
    let process = Process {
        electorate: Electorate::Members,
        method: MethodKind::Ranked,
        quorum: Share::HALF,
        threshold: Threshold::MoreThan(Share::HALF),
        rejection_quorum: None,
        duration_ms: Millis::from_secs(60),
        timelock_ms: Millis::ZERO,
        sponsors: 0,
        votes_final: false,
    };
    let roll = Roll {
        opened: Time::ZERO,
        cooperatives: Vec::new(),
        members: BALLOTS,
        list: Cid::of_raw(&[]),
    };
    let ballots: Vec<Choice> = (0..BALLOTS).map(ranking).collect();
    criterion.bench_function("tally of 100,000 rankings of 10 options", |bencher| {
        bencher.iter(|| {
            let votes = ballots.iter().map(|choice| Cast {
                choice,
                weight: 1,
                by_cooperative: false,
                delegated: false,
            });
            tally(&spec, &process, &roll, votes)
        });
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
