//! Netting: what remains is replaced by as few debts as a simple rule gives, between parties that were connected.
use crate::{Error, Obligation, solve::gross};
use alloc::{vec, vec::Vec};
use core::cmp::Reverse;

/// Replaces what `cleared` leaves of `rows` by single obligations: at most one less than parties in each connected
/// component of what remains, with a total of the positive net positions, which is the least possible.
///
/// The rule: component by component, by the lowest number of a party in it; in each the greatest net debtor pays the
/// greatest net creditor what it can (of equals the one with the lower number comes first), and whoever is left with
/// something goes on with the next in line.
///
/// Nobody's net position changes, but parties get counterparties that they have not chosen: it takes their consent.
///
/// # Errors
/// A limit is passed as in [`crate::solve`], or [`Error::NotAClearing`] names the row that is.
pub fn net(parties: u32, rows: &[Obligation], cleared: &[u64]) -> Result<Vec<Obligation>, Error> {
    gross(parties, rows)?;
    if rows.len() != cleared.len() {
        return Err(Error::NotAClearing {
            row: rows.len().min(cleared.len()),
        });
    }
    let mut position = vec![0_i64; parties as usize];
    let mut components = Components::new(parties);
    for (number, (row, &part)) in rows.iter().zip(cleared).enumerate() {
        let rest = row
            .amount
            .checked_sub(part)
            .ok_or(Error::NotAClearing { row: number })?;
        if rest > 0 {
            components.join(row.debtor, row.creditor);
            position[row.debtor as usize] += rest.cast_signed();
            position[row.creditor as usize] -= rest.cast_signed();
        }
    }
    let mut debtors: Vec<(u32, Reverse<u64>, u32)> = Vec::new();
    let mut creditors = Vec::new();
    for (party, &position) in (0_u32..).zip(&position) {
        if position != 0 {
            let side = if position > 0 {
                &mut debtors
            } else {
                &mut creditors
            };
            side.push((components.of(party), Reverse(position.unsigned_abs()), party));
        }
    }
    debtors.sort_unstable();
    creditors.sort_unstable();
    Ok(pay(&debtors, &creditors))
}

/// Pays off both lists from the front. Within each component they add up to the same.
fn pay(debtors: &[(u32, Reverse<u64>, u32)], creditors: &[(u32, Reverse<u64>, u32)]) -> Vec<Obligation> {
    let mut entries = Vec::new();
    let mut creditors = creditors.iter().map(|&(_, Reverse(owed), party)| (owed, party));
    let (mut owed, mut creditor) = (0, 0);
    for &(_, Reverse(mut owes), debtor) in debtors {
        while owes > 0 {
            if owed == 0 {
                (owed, creditor) = creditors
                    .next()
                    .expect("debts and claims of a component are the same");
            }
            let amount = owes.min(owed);
            entries.push(Obligation {
                debtor,
                creditor,
                amount,
            });
            owes -= amount;
            owed -= amount;
        }
    }
    entries
}

/// Disjoint sets of parties, each known by its lowest number.
struct Components(Vec<u32>);

impl Components {
    fn new(parties: u32) -> Self {
        Self((0..parties).collect())
    }

    fn of(&mut self, party: u32) -> u32 {
        let mut at = party;
        while self.0[at as usize] != at {
            let above = self.0[self.0[at as usize] as usize];
            self.0[at as usize] = above;
            at = above;
        }
        at
    }

    fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.of(one), self.of(other));
        self.0[one.max(other) as usize] = one.min(other);
    }
}
