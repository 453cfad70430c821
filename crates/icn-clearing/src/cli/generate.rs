//! Networks by seed, for figures and trials: integers only, so that one seed gives the same bytes on every machine.
//!
//! Amounts are log-normal (median about 8,200 minor units, standard deviation of the natural logarithm about 1.4).
//! About one row in ten belongs to a pair of parties that owe each other, where the family has a choice.
use clap::ValueEnum;
use std::io::{self, Write};

/// How the parties of a generated network are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Family {
    /// Debtor and creditor drawn with weights that give a power law of degrees (exponent 7/3); ten rows a party.
    PowerLaw,
    /// Barabási–Albert: each new party makes five obligations with parties chosen by their degree.
    BarabasiAlbert,
    /// Each party owes the next, the last owes the first; random amounts.
    Ring,
    /// A ring whose amounts grow by one from party to party: what is not cleared travels all the way round.
    Staircase,
    /// Each party owes the next, the last nobody: nothing can be cleared.
    Chain,
    /// A square torus: each party owes its right and its lower neighbour.
    Grid,
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
pub(crate) struct Random(u64);

impl Random {
    /// A generator that `seed` determines.
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0 (the bias is below `bound` / 2^64).
    pub(crate) const fn below(&mut self, bound: u64) -> u64 {
        high(self.bits(), bound)
    }

    /// A log-normal amount of at least 1: two to the power of a sum of twelve uniform numbers.
    pub(crate) fn amount(&mut self) -> u64 {
        // Twelve uniform 16-bit fractions: mean 6, standard deviation 1. Times two: bits with deviation 2.
        let normal: u64 = (0..3)
            .map(|_| {
                let bits = self.bits();
                (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum::<u64>()
            })
            .sum();
        let exponent = normal * 2 + (1 << 16);
        // 2^fraction is close to 1 + fraction between powers of two.
        ((0x1_0000 + (exponent & 0xffff)) << (exponent >> 16) >> 16).max(1)
    }
}

/// The upper half of a product of 64-bit numbers.
const fn high(a: u64, b: u64) -> u64 {
    ((a as u128 * b as u128) >> 64) as u64
}

/// Writes `rows` obligations of a family as CSV with a header.
///
/// # Errors
/// What `out` fails with.
pub(crate) fn generate(family: Family, rows: u64, seed: u64, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "debtor,creditor,amount")?;
    let mut random = Random::new(seed);
    let mut row = |debtor: u64, creditor: u64, amount: u64| writeln!(out, "{debtor},{creditor},{amount}");
    match family {
        Family::PowerLaw => power_law(rows, &mut random, &mut row),
        Family::BarabasiAlbert => barabasi_albert(rows, &mut random, &mut row),
        Family::Ring => (0..rows).try_for_each(|party| row(party, (party + 1) % rows, random.amount())),
        Family::Staircase => (0..rows).try_for_each(|party| row(party, (party + 1) % rows, party + 1)),
        Family::Chain => (0..rows).try_for_each(|party| row(party, party + 1, random.amount())),
        Family::Grid => grid(rows, &mut random, &mut row),
    }
}

type Row<'a> = dyn FnMut(u64, u64, u64) -> io::Result<()> + 'a;

/// One row in twenty answers an earlier one, so that about one in ten has an opposite.
const ANSWERS: u64 = 20;

fn power_law(rows: u64, random: &mut Random, row: &mut Row<'_>) -> io::Result<()> {
    let parties = (rows / 10).max(2);
    let ids = shuffled(parties, random);
    // Rank n·u⁴ for uniform u: density ∝ rank^(-3/4), hence degrees with exponent 1 + 4/3.
    let draw = |random: &mut Random| {
        let square = |x| high(x, x);
        high(square(square(random.bits())), parties)
    };
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for _ in 0..rows {
        let (debtor, creditor) = if !pairs.is_empty() && random.below(ANSWERS) == 0 {
            let (debtor, creditor) = pairs[index(random.below(pairs.len() as u64))];
            (creditor, debtor)
        } else {
            loop {
                let (debtor, creditor) = (draw(random), draw(random));
                if debtor != creditor {
                    break (ids[index(debtor)], ids[index(creditor)]);
                }
            }
        };
        pairs.push((debtor, creditor));
        row(u64::from(debtor), u64::from(creditor), random.amount())?;
    }
    Ok(())
}

fn barabasi_albert(rows: u64, random: &mut Random, row: &mut Row<'_>) -> io::Result<()> {
    const EACH: u64 = 5;
    let parties = rows / EACH + 2;
    let ids = shuffled(parties, random);
    // Both ends of every obligation so far: a uniform pick is a pick by degree.
    let mut ends: Vec<u32> = vec![0, 1];
    let (mut newest, mut left) = (1_u32, 0);
    for _ in 0..rows {
        let (debtor, creditor) = if ends.len() > 2 && random.below(ANSWERS) == 0 {
            let pair = index(random.below(ends.len() as u64 / 2)) * 2;
            (ends[pair + 1], ends[pair])
        } else {
            if left == 0 {
                (newest, left) = (newest + 1, EACH);
            }
            left -= 1;
            let other = loop {
                let other = ends[index(random.below(ends.len() as u64))];
                if other != newest {
                    break other;
                }
            };
            if random.bits() & 1 == 0 {
                (newest, other)
            } else {
                (other, newest)
            }
        };
        ends.extend([debtor, creditor]);
        row(
            u64::from(ids[debtor as usize]),
            u64::from(ids[creditor as usize]),
            random.amount(),
        )?;
    }
    Ok(())
}

fn grid(rows: u64, random: &mut Random, row: &mut Row<'_>) -> io::Result<()> {
    let side = (rows / 2).isqrt().max(2);
    for y in 0..side {
        for x in 0..side {
            let party = y * side + x;
            row(party, y * side + (x + 1) % side, random.amount())?;
            row(party, (y + 1) % side * side + x, random.amount())?;
        }
    }
    Ok(())
}

/// Numbers for parties in random order, so that no solver learns anything from them.
fn shuffled(parties: u64, random: &mut Random) -> Vec<u32> {
    let last = u32::try_from(parties).unwrap_or(u32::MAX);
    let mut ids: Vec<u32> = (0..last).collect();
    for at in (1..ids.len()).rev() {
        ids.swap(at, index(random.below(at as u64 + 1)));
    }
    ids
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("it is below the length of a vector")
}
