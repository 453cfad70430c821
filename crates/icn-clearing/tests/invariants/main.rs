//! What holds of every clearing, on random networks, against an oracle that shares no code with the solver.
use icn_clearing::{Error, Network, Obligation, Refusal, Solution, check, check_netting, net, solve};
use proptest::{collection::vec, prelude::*};

mod oracle;

const fn owes(debtor: u32, creditor: u32, amount: u64) -> Obligation {
    Obligation {
        debtor,
        creditor,
        amount,
    }
}

/// Amounts of all sizes: tiny ones, so that ties are frequent, and such that no double holds.
fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 1..4_u64, 4 => 1..1000_u64, 1 => (1_u64 << 53) + 1..1 << 56, 1 => Just(0)]
}

/// Networks of a few parties: parallel rows, debts to oneself and several components come by themselves.
fn network(parties: u32, rows: usize) -> impl Strategy<Value = (u32, Vec<Obligation>)> {
    (1..=parties).prop_flat_map(move |parties| {
        let row = (0..parties, 0..parties, amount()).prop_map(|(d, c, amount)| owes(d, c, amount));
        (Just(parties), vec(row, 0..rows))
    })
}

fn small() -> impl Strategy<Value = (u32, Vec<Obligation>)> {
    prop_oneof![network(5, 12), network(12, 40), network(30, 60)]
}

fn solved(parties: u32, rows: &[Obligation]) -> Solution {
    let solution = solve(parties, rows).expect("within the limits");
    let verified = check(parties, rows, &solution.cleared, &solution.prices);
    assert_eq!(verified.map(|sums| sums.cleared), Ok(solution.total()));
    solution
}

fn remaining(rows: &[Obligation], cleared: &[u64]) -> Vec<Obligation> {
    let rest = rows.iter().zip(cleared);
    rest.map(|(row, part)| owes(row.debtor, row.creditor, row.amount - part))
        .collect()
}

fn positions(parties: u32, rows: &[Obligation]) -> Vec<i128> {
    let mut positions = vec![0; parties as usize];
    for row in rows {
        positions[row.debtor as usize] += i128::from(row.amount);
        positions[row.creditor as usize] -= i128::from(row.amount);
    }
    positions
}

/// Whether rows of which something is left form a ring.
fn has_ring(parties: u32, rows: &[Obligation]) -> bool {
    let mut left: Vec<_> = rows.iter().filter(|row| row.amount > 0).collect();
    let mut alive = vec![true; parties as usize];
    loop {
        let before = left.len();
        for (party, alive) in (0..parties).zip(&mut alive) {
            *alive &= left.iter().any(|row| row.creditor == party);
        }
        left.retain(|row| alive[row.debtor as usize]);
        if left.len() == before {
            return before > 0;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_total_is_the_greatest((parties, rows) in small()) {
        let solution = solved(parties, &rows);
        let total: u128 = solution.cleared.iter().map(|&part| u128::from(part)).sum();
        prop_assert_eq!(total, oracle::greatest_total(parties, &rows));
        prop_assert!(!oracle::could_be_more(parties, &rows, &solution.cleared));
    }

    #[test]
    fn positions_are_kept_and_no_ring_is_left((parties, rows) in small()) {
        let solution = solved(parties, &rows);
        prop_assert_eq!(solution.cleared.len(), rows.len());
        for (row, &part) in rows.iter().zip(&solution.cleared) {
            prop_assert!(part <= row.amount);
            prop_assert!(row.debtor != row.creditor || part == row.amount);
        }
        let rest = remaining(&rows, &solution.cleared);
        prop_assert_eq!(positions(parties, &rest), positions(parties, &rows));
        prop_assert!(!has_ring(parties, &rest));
        prop_assert_eq!(solved(parties, &rest).total(), 0);
        prop_assert!(solution.prices.iter().all(|&price| price < parties));
    }

    #[test]
    fn equal_input_gives_equal_bytes_and_rows_of_a_pair_follow_each_other((parties, rows) in small()) {
        let solution = solved(parties, &rows);
        prop_assert_eq!(&solution, &solved(parties, &rows));
        for (at, row) in rows.iter().enumerate() {
            let started = solution.cleared[at] > 0 && row.debtor != row.creditor;
            let mut earlier = rows[..at].iter().zip(&solution.cleared);
            let same = |other: &Obligation| (other.debtor, other.creditor) == (row.debtor, row.creditor);
            prop_assert!(!started || earlier.all(|(other, &part)| !same(other) || part == other.amount));
        }
    }

    #[test]
    fn order_and_numbers_do_not_matter(
        (parties, rows) in small(),
        keys in vec(any::<u64>(), 100),
    ) {
        let solution = solved(parties, &rows);
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&row| keys[row % keys.len()].wrapping_mul(row as u64 + 1));
        let mut names: Vec<u32> = (0..parties).collect();
        names.sort_by_key(|&party| keys[party as usize % keys.len()]);
        let name = |party: u32| names[party as usize];
        let other: Vec<_> =
            order.iter().map(|&row| owes(name(rows[row].debtor), name(rows[row].creditor), rows[row].amount)).collect();
        let shuffled = solved(parties, &other);
        prop_assert_eq!(shuffled.total(), solution.total());
        for party in 0..parties {
            prop_assert_eq!(shuffled.prices[name(party) as usize], solution.prices[party as usize]);
        }
    }

    #[test]
    fn totals_scale_and_more_debt_never_lowers_them(
        (parties, rows) in network(12, 30),
        factor in 1..100_u64,
        more in (0..12_u32, 0..12_u32, 1..500_u64),
    ) {
        let solution = solved(parties, &rows);
        let scaled: Vec<_> =
            rows.iter().map(|row| owes(row.debtor, row.creditor, row.amount * factor % (1 << 58))).collect();
        if rows.iter().all(|row| row.amount < 1 << 50) {
            prop_assert_eq!(solved(parties, &scaled).total(), solution.total() * factor);
        }
        let mut longer = rows;
        longer.push(owes(more.0 % parties, more.1 % parties, more.2));
        prop_assert!(solved(parties, &longer).total() >= solution.total());
    }

    #[test]
    fn a_certificate_changed_in_one_place_fails(
        (parties, rows) in small(),
        at in any::<prop::sample::Index>(),
        change in prop_oneof![Just(1_u32), 1..40_u32, Just(u32::MAX)],
    ) {
        let Solution { cleared, prices } = solved(parties, &rows);
        let refused = |cleared: &[u64], prices: &[u32]| check(parties, &rows, cleared, prices).is_err();
        let party = at.index(prices.len());
        for price in [prices[party].wrapping_add(change), prices[party].wrapping_sub(change)] {
            let mut prices = prices.clone();
            prices[party] = price;
            prop_assert!(refused(&cleared, &prices));
        }
        if !rows.is_empty() {
            let row = at.index(rows.len());
            for part in [cleared[row].wrapping_add(change.into()), cleared[row].wrapping_sub(change.into())] {
                let mut cleared = cleared.clone();
                cleared[row] = part;
                prop_assert!(refused(&cleared, &prices));
            }
        }
        prop_assert!(refused(&cleared, &prices[1..]));
        prop_assert!(rows.is_empty() || refused(&cleared[1..], &prices));
    }

    #[test]
    fn the_checker_accepts_nothing_but_an_optimum(
        (parties, rows) in network(4, 8),
        parts in vec(0..4_u64, 8),
        prices in vec(0..4_u32, 4),
    ) {
        let cleared: Vec<_> = rows.iter().zip(&parts).map(|(row, part)| row.amount.min(*part)).collect();
        if check(parties, &rows, &cleared, &prices[..parties as usize]).is_ok() {
            prop_assert!(!oracle::could_be_more(parties, &rows, &cleared));
            let rest = remaining(&rows, &cleared);
            prop_assert_eq!(positions(parties, &rest), positions(parties, &rows));
        }
    }

    #[test]
    fn netting_keeps_positions_with_few_entries((parties, rows) in small()) {
        let solution = solved(parties, &rows);
        let entries = net(parties, &rows, &solution.cleared).expect("a clearing");
        prop_assert_eq!(check_netting(parties, &rows, &solution.cleared, &entries), Ok(()));
        prop_assert_eq!(positions(parties, &entries), positions(parties, &rows));
        let owed: i128 = positions(parties, &rows).iter().filter(|&&position| position > 0).sum();
        let total: i128 = entries.iter().map(|entry| i128::from(entry.amount)).sum();
        prop_assert_eq!(total, owed);
        prop_assert!(entries.len() < parties.max(1) as usize);
        for at in 0..entries.len() {
            let mut changed = entries.clone();
            changed[at].amount += 1;
            prop_assert!(check_netting(parties, &rows, &solution.cleared, &changed).is_err());
            changed.remove(at);
            prop_assert!(check_netting(parties, &rows, &solution.cleared, &changed).is_err());
        }
    }

    #[test]
    fn a_warm_network_stays_optimal(
        (parties, rows) in small(),
        changes in vec((any::<prop::sample::Index>(), 0..40_u32, 0..40_u32, amount(), 0..4_u8), 1..25),
    ) {
        let mut network = Network::new(parties, rows).expect("within the limits");
        for (at, debtor, creditor, amount, kind) in changes {
            let count = network.rows().len();
            match kind {
                0 => drop(network.add(owes(debtor % network.parties(), creditor % network.parties(), amount))),
                1 if network.parties() < 40 => {
                    let party = network.add_party().expect("few parties");
                    network.add(owes(party, debtor % party, amount)).expect("within the limits");
                    network.add(owes(creditor % party, party, amount)).expect("within the limits");
                }
                2 if count > 0 => network.remove(at.index(count)).expect("a row"),
                _ if count > 0 => network.set_amount(at.index(count), amount).expect("a row"),
                _ => {}
            }
            let (parties, rows) = (network.parties(), network.rows().to_vec());
            let warm = network.solution();
            let sums = check(parties, &rows, &warm.cleared, &warm.prices).expect("the certificate holds");
            prop_assert_eq!((sums.gross, sums.cleared), (network.gross(), network.cleared()));
            let cold = solved(parties, &rows);
            prop_assert_eq!(cold.total(), network.cleared());
            prop_assert_eq!(cold.prices, warm.prices);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Rings of over a thousand parties, too long for short labels, with chords and side chains in every direction.
    #[test]
    fn deep_networks_are_solved(
        ring in vec(1..50_u64, 700..1500),
        back in vec((0..700_usize, 1..50_u64), 0..200),
        chords in vec((0..1500_u32, 0..1500_u32, 1..80_u64), 0..40),
    ) {
        let parties = u32::try_from(ring.len()).expect("few parties");
        let next = |party: u32| (party + 1) % parties;
        let mut rows: Vec<_> = (0..parties).zip(&ring).map(|(party, &amount)| owes(party, next(party), amount)).collect();
        for (at, amount) in back {
            let party = u32::try_from(at).expect("few parties");
            rows.push(owes(next(party), party, amount));
        }
        rows.extend(chords.iter().map(|&(d, c, amount)| owes(d % parties, c % parties, amount)));
        let solution = solved(parties, &rows);
        let mut network = Network::new(parties, rows.clone()).expect("within the limits");
        prop_assert_eq!(network.solution().prices, solution.prices);
        network.set_amount(0, rows[0].amount + 7).expect("a row");
        network.remove(rows.len() / 2).expect("a row");
        let (rows, warm) = (network.rows().to_vec(), network.solution());
        prop_assert_eq!(warm.prices, solved(parties, &rows).prices);
    }
}

/// Every network of three parties with amounts up to two, against every clearing there is.
#[test]
fn tiny_networks_by_brute_force() {
    let pairs = [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)];
    for amounts in 0..3_u32.pow(6) {
        let digit = |numbers: u32, at: u32| u64::from(numbers / 3_u32.pow(at) % 3);
        let rows: Vec<_> = (0..6)
            .zip(pairs)
            .map(|(at, (d, c))| owes(d, c, digit(amounts, at)))
            .collect();
        let best = (0..3_u32.pow(6))
            .map(|parts| (0..6).map(|at| digit(parts, at)).collect::<Vec<_>>())
            .filter(|parts| rows.iter().zip(parts).all(|(row, part)| *part <= row.amount))
            .filter(|parts| positions(3, &remaining(&rows, parts)) == positions(3, &rows))
            .map(|parts| parts.iter().sum::<u64>())
            .max();
        assert_eq!(Some(solved(3, &rows).total()), best, "{rows:?}");
    }
}

/// Cancelling the mutual debt of 0 and 1 clears 2 and leaves no ring; the ring of three clears 3.
#[test]
fn cancelling_pairs_first_is_not_optimal() {
    let rows = [owes(0, 1, 1), owes(1, 0, 1), owes(1, 2, 1), owes(2, 0, 1)];
    let solution = solved(3, &rows);
    assert_eq!((solution.total(), solution.cleared[1]), (3, 0));
    assert_eq!(oracle::greedy_total(3, &rows), 2);
}

/// Without mutual debts: a ring of three and one of four share the debt of 0 to 1. The shorter one is found first.
#[test]
fn cancelling_rings_greedily_is_not_optimal() {
    let rows = [
        owes(0, 1, 1),
        owes(1, 2, 1),
        owes(2, 0, 1),
        owes(1, 3, 1),
        owes(3, 4, 1),
        owes(4, 0, 1),
    ];
    assert_eq!(solved(5, &rows).cleared, [1, 0, 0, 1, 1, 1]);
    assert_eq!(oracle::greedy_total(5, &rows), 3);
}

#[test]
fn nothing_comes_of_nothing() {
    for parties in [0, 1, 5] {
        let solution = solved(parties, &[]);
        assert_eq!(
            (solution.total(), solution.prices),
            (0, vec![0; parties as usize])
        );
        assert_eq!(net(parties, &[], &[]), Ok(vec![]));
    }
}

#[test]
fn debts_to_oneself_are_cleared() {
    let rows = [owes(1, 1, 7), owes(0, 1, 5), owes(1, 1, u64::from(u32::MAX))];
    assert_eq!(solved(2, &rows).cleared, [7, 0, u64::from(u32::MAX)]);
}

#[test]
fn sums_are_exact_up_to_the_limit() {
    let half = i64::MAX.unsigned_abs() / 2;
    let rows = [owes(0, 1, half), owes(1, 0, half + 1)];
    assert_eq!(solved(2, &rows).cleared, [half, half]);
    let rows = [owes(0, 1, half), owes(1, 0, half), owes(0, 1, 2)];
    assert_eq!(solve(2, &rows), Err(Error::TooMuch { row: 2 }));
    assert_eq!(solve(2, &[owes(0, 2, 1)]), Err(Error::UnknownParty { row: 0 }));
    assert!(matches!(solve(u32::MAX, &[]), Err(Error::TooManyParties(_))));
}

/// Rings and chains far longer than any label of 16 bits or any stack.
#[test]
fn long_rings_and_chains() {
    let parties = 50_000;
    let next = |party: u32| (party + 1) % parties;
    let spread = |party: u32| u64::from(party.wrapping_mul(2_654_435_761) >> 12) + 1;
    let ring: Vec<_> = (0..parties)
        .map(|party| owes(party, next(party), spread(party)))
        .collect();
    let least = ring.iter().map(|row| row.amount).min().unwrap();
    assert_eq!(solved(parties, &ring).total(), least * u64::from(parties));

    let stairs: Vec<_> = (0..parties)
        .map(|party| owes(party, next(party), u64::from(party) + 1))
        .collect();
    assert_eq!(solved(parties, &stairs).total(), u64::from(parties));

    let chain = &ring[..ring.len() - 1];
    let solution = solved(parties, chain);
    assert_eq!(solution.total(), 0);
    assert_eq!(solution.prices.iter().max(), Some(&(parties - 1)));

    let both: Vec<_> = ring.iter().chain(&stairs).copied().collect();
    solved(parties, &both);
    let mut network = Network::new(parties, ring).unwrap();
    network.set_amount(7, 1).unwrap();
    assert_eq!(network.cleared(), u64::from(parties));
    network.remove(7).unwrap();
    assert_eq!(network.cleared(), 0);
}

#[test]
fn refusals_have_numbers_of_their_own() {
    let rows = [owes(0, 1, 5), owes(1, 0, 3)];
    let Solution { cleared, prices } = solved(2, &rows);
    assert_eq!(
        (cleared.as_slice(), prices.as_slice()),
        ([3, 3].as_slice(), [0, 1].as_slice())
    );
    let code = |cleared: &[u64], prices: &[u32]| {
        check(2, &rows, cleared, prices)
            .map_err(|refusal| refusal.code())
            .expect_err("refused")
    };
    assert_eq!(code(&[3], &prices), 1);
    assert_eq!(code(&cleared, &[0]), 2);
    assert_eq!(code(&[6, 3], &prices), 5);
    assert_eq!(code(&cleared, &[0, 0]), 6);
    assert_eq!(code(&cleared, &[0, 2]), 7);
    assert_eq!(code(&[2, 3], &prices), 8);
    assert_eq!(
        check(2, &rows[..1], &[0], &[0, 2]),
        Err(Refusal::PriceWithoutReason { party: 1 })
    );
    assert_eq!(Refusal::PriceWithoutReason { party: 1 }.code(), 9);
    assert_eq!(
        check(2, &[owes(0, 2, 1)], &[0], &[0, 1]),
        Err(Refusal::UnknownParty { row: 0 })
    );
    let much = [owes(0, 1, u64::MAX), owes(1, 0, 1)];
    assert_eq!(
        check(2, &much, &[0, 0], &[0, 1]),
        Err(Refusal::TooMuch { row: 0 })
    );
}
