//! Counting, against published counts and against the plainest way to count.
use icn_model::{
    Choice, Cid, Counts, Decision, Effect, Electorate, Method, MethodKind, Millis, Name, Process,
    ProposalSpec, Roll, Share, Tally, Threshold, Time,
};
use icn_state::{Cast, tally};
use proptest::prelude::*;

fn ranked(options: &[&str], ballots: &[Choice]) -> Tally {
    let options: Vec<Name> = options.iter().map(|name| name.parse().unwrap()).collect();
    let spec = ProposalSpec {
        text: None,
        effect: Effect::Text {},
        electorate: Electorate::Members,
        method: Method::Ranked { options },
        topic: "election".parse().unwrap(),
        closes: None,
        votes_final: false,
    };
    let process = Process {
        electorate: Electorate::Members,
        method: MethodKind::Ranked,
        quorum: Share::THIRD,
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
        members: ballots.len() as u64,
        list: Cid::of_raw(b""),
    };
    let votes = ballots.iter().map(|choice| Cast {
        choice,
        weight: 1,
        by_cooperative: false,
        delegated: false,
    });
    tally(&spec, &process, &roll, votes)
}

/// Ballots from a table of `count: names in order`.
fn profile(options: &[&str], table: &[(usize, &str)]) -> Vec<Choice> {
    let place = |name: &str| {
        let place = options.iter().position(|option| *option == name);
        u8::try_from(place.unwrap_or_else(|| panic!("no option {name}"))).unwrap()
    };
    let ballots = table.iter().flat_map(|(count, ranking)| {
        let options = ranking.split('>').map(place).collect();
        std::iter::repeat_n(Choice::Rank { options }, *count)
    });
    ballots.collect()
}

/// The rounds as `votes …, exhausted`.
fn rounds(tally: &Tally) -> Vec<(Vec<Option<u64>>, u64)> {
    let members = tally.members.as_ref().unwrap();
    let Counts::Ranked { rounds } = &members.counts else {
        panic!("counted by rank")
    };
    rounds
        .iter()
        .map(|round| (round.votes.clone(), round.exhausted))
        .collect()
}

/// Alaska, special election to the House of Representatives of 16 August 2022. The profile is that of A.
/// Graham-Squire and D. McCune, "Ranked Choice Wackiness in Alaska", arXiv:2209.04764, table 1; first and final
/// round are those that the state's Division of Elections has published.
#[test]
fn alaska_2022() {
    let options = ["Begich", "Palin", "Peltola"];
    let ballots = profile(
        &options,
        &[
            (27_053, "Begich>Palin>Peltola"),
            (15_467, "Begich>Peltola>Palin"),
            (11_290, "Begich"),
            (34_049, "Palin>Begich>Peltola"),
            (3_652, "Palin>Peltola>Begich"),
            (21_272, "Palin"),
            (47_407, "Peltola>Begich>Palin"),
            (4_645, "Peltola>Palin>Begich"),
            (23_747, "Peltola"),
        ],
    );
    let tally = ranked(&options, &ballots);
    assert_eq!(
        rounds(&tally),
        [
            (vec![Some(53_810), Some(58_973), Some(75_799)], 0),
            (vec![None, Some(86_026), Some(91_266)], 11_290),
        ]
    );
    assert_eq!(tally.decision, Decision::Chosen { option: 2 });
}

/// Burlington, Vermont, election of the mayor of 3 March 2009, with the two least candidates and write-ins taken
/// out: profile and count of W. D. Smith, "Burlington Vermont 2009 IRV mayor election", rangevoting.org.
#[test]
fn burlington_2009() {
    let options = ["Kiss", "Montroll", "Wright"];
    let ballots = profile(
        &options,
        &[
            (1_332, "Montroll>Kiss>Wright"),
            (767, "Montroll>Wright>Kiss"),
            (455, "Montroll"),
            (2_043, "Kiss>Montroll>Wright"),
            (371, "Kiss>Wright>Montroll"),
            (568, "Kiss"),
            (1_513, "Wright>Montroll>Kiss"),
            (495, "Wright>Kiss>Montroll"),
            (1_289, "Wright"),
        ],
    );
    let tally = ranked(&options, &ballots);
    assert_eq!(
        rounds(&tally),
        [
            (vec![Some(2_982), Some(2_554), Some(3_297)], 0),
            (vec![Some(4_314), None, Some(4_064)], 455),
        ]
    );
    assert_eq!(tally.decision, Decision::Chosen { option: 0 });
}

/// The capital of Tennessee, the running example of the encyclopaedia's articles on voting methods ("Instant-runoff
/// voting", Wikipedia): shares of voters in per cent.
#[test]
fn tennessee() {
    let options = ["Memphis", "Nashville", "Chattanooga", "Knoxville"];
    let ballots = profile(
        &options,
        &[
            (42, "Memphis>Nashville>Chattanooga>Knoxville"),
            (26, "Nashville>Chattanooga>Knoxville>Memphis"),
            (15, "Chattanooga>Knoxville>Nashville>Memphis"),
            (17, "Knoxville>Chattanooga>Nashville>Memphis"),
        ],
    );
    let tally = ranked(&options, &ballots);
    assert_eq!(
        rounds(&tally),
        [
            (vec![Some(42), Some(26), Some(15), Some(17)], 0),
            (vec![Some(42), Some(26), None, Some(32)], 0),
            (vec![Some(42), None, None, Some(58)], 0),
        ]
    );
    assert_eq!(tally.decision, Decision::Chosen { option: 3 });
}

#[test]
fn ties_are_broken_by_earlier_rounds_and_then_by_the_list() {
    let options = ["a", "b", "c", "d"];
    // c and d are last alike and never differ: d, listed last, goes. Then b and c are last alike, and b had more.
    let ballots = profile(&options, &[(5, "a"), (3, "b"), (2, "c"), (2, "d>c"), (1, "c>b")]);
    let eliminated = |tally: &Tally| -> Vec<Option<u8>> {
        let Some(Counts::Ranked { rounds }) = tally.members.as_ref().map(|side| side.counts.clone()) else {
            panic!("counted by rank")
        };
        rounds.iter().map(|round| round.eliminated).collect()
    };
    let tally = ranked(&options, &ballots);
    assert_eq!(eliminated(&tally)[0], Some(3));
    let ballots = profile(&options, &[(2, "a"), (2, "b")]);
    let tally = ranked(&options, &ballots);
    assert_eq!(eliminated(&tally), [Some(3), Some(2), Some(1), None]);
    assert_eq!(tally.decision, Decision::Chosen { option: 0 });
    let nobody = ranked(&options, &[Choice::Abstain {}, Choice::Abstain {}]);
    assert!(matches!(nobody.decision, Decision::Tied { .. }));
}

/// Counts ballot by ballot, without putting alike ones together.
fn plain_run_off(ballots: &[Vec<u8>], options: usize) -> Option<u8> {
    let mut left: Vec<u8> = (0..u8::try_from(options).unwrap()).collect();
    let mut earlier: Vec<Vec<u64>> = Vec::new();
    loop {
        let mut votes = vec![0_u64; options];
        for ballot in ballots {
            if let Some(first) = ballot.iter().find(|option| left.contains(option)) {
                votes[usize::from(*first)] += 1;
            }
        }
        let total: u64 = votes.iter().sum();
        if total == 0 {
            return None;
        }
        if let Some(winner) = left
            .iter()
            .find(|option| 2 * votes[usize::from(**option)] > total)
        {
            return Some(*winner);
        }
        if let [winner] = left[..] {
            return Some(winner);
        }
        let mut last = left.clone();
        for round in std::iter::once(&votes).chain(earlier.iter().rev()) {
            let fewest = last
                .iter()
                .map(|option| round[usize::from(*option)])
                .min()
                .unwrap();
            last.retain(|option| round[usize::from(*option)] == fewest);
        }
        let goes = *last.last().unwrap();
        left.retain(|option| *option != goes);
        earlier.push(votes);
    }
}

proptest! {
    #[test]
    fn a_run_off_is_as_counted_by_hand(
        ballots in proptest::collection::vec(
            proptest::sample::subsequence(vec![0_u8, 1, 2, 3, 4], 1..=5).prop_shuffle(), 1..40),
    ) {
        let options = ["a", "b", "c", "d", "e"];
        let choices: Vec<_> = ballots.iter().map(|options| Choice::Rank { options: options.clone() }).collect();
        let expected = plain_run_off(&ballots, options.len());
        let found = match ranked(&options, &choices).decision {
            Decision::Chosen { option } => Some(option),
            _ => None,
        };
        prop_assert_eq!(found, expected);
    }

    /// A threshold is met by exactly what the fraction says, without rounding.
    #[test]
    fn thresholds_are_exact(part in 0_u64..1_000, whole in 1_u64..1_000, n in 0_u32..50, d in 1_u32..50) {
        prop_assume!(part <= whole && n <= d);
        let share = Share::new(n, d).unwrap();
        let (left, right) = (part * u64::from(d), whole * u64::from(n));
        prop_assert_eq!(Threshold::MoreThan(share).is_met(part, whole), left > right);
        prop_assert_eq!(Threshold::AtLeast(share).is_met(part, whole), left >= right);
    }
}
