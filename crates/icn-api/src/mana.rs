//! Accounts, and that nothing is lost or made between them.
use icn_model::{AccountRecord, Did, Digest, Height, Mana, Name, Supply, Time, Totals};
use serde::{Deserialize, Serialize};

/// Query of [`crate::paths::MANA`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct ManaQuery {
    /// Accounts after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Did>,
    /// At most so many: 1,000 if not said, which is also the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// Answer of [`crate::paths::MANA`]. Pages of one `root` belong together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Accounts {
    /// As of this height.
    pub height: Height,
    /// The outcome root there: nodes with the same root have the same accounts.
    pub root: Digest,
    /// That block's time.
    pub time: Time,
    /// What all accounts have, as the node computes it.
    pub totals: Totals,
    /// Accounts in the order of their DIDs.
    pub items: Vec<Account>,
    /// What to pass as `after` for more; none if these are the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Did>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Account {
    /// Whose.
    pub did: Did,
    /// What a cooperative is called; members have no names in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The cooperative that a member belongs to; none for a cooperative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooperative: Option<Did>,
    /// As the log has it: regeneration is included up to `touched`.
    pub record: AccountRecord,
    /// Spendable now: `record.available`, regenerated up to the last block's time.
    pub spendable: Mana,
}

/// Answer of [`crate::paths::ACCOUNT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AccountView {
    /// As of this height.
    pub height: Height,
    /// That block's time.
    pub time: Time,
    /// The account.
    pub account: Account,
    /// What a cooperative regenerates in an hour.
    pub rate_per_hour: Mana,
    /// Up to what balance a cooperative regenerates, its members' mana included.
    pub capacity: Mana,
}

/// What accounts do not add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Imbalance {
    /// A sum over the accounts is not the total that the node states.
    #[error("the accounts' {part} add up to {sum}, the node says {stated}")]
    Part {
        /// Which part of an account.
        part: &'static str,
        /// The sum over the accounts.
        sum: Mana,
        /// What the node states.
        stated: Mana,
    },
    /// More or less is there than came into being.
    #[error("{present} is in accounts, but {supplied} came into being and was not burned")]
    Supply {
        /// In all accounts.
        present: Mana,
        /// Granted and regenerated, less what was burned.
        supplied: Mana,
    },
    /// A sum is larger than all mana that can be.
    #[error("the accounts add up to more mana than can exist")]
    Overflow,
}

/// Recomputes the conservation law from each account:
/// granted + regenerated − burned = available + held + maturing + staked.
///
/// # Errors
/// The first sum that does not hold.
pub fn reconcile<'a>(
    accounts: impl IntoIterator<Item = &'a AccountRecord>,
    stated: &Totals,
) -> Result<(), Imbalance> {
    let mut sums = [Mana::ZERO; 4];
    for account in accounts {
        let parts = [account.available, account.held, account.maturing, account.staked];
        for (sum, part) in sums.iter_mut().zip(parts) {
            *sum = sum.checked_add(part).ok_or(Imbalance::Overflow)?;
        }
    }
    let stated_parts = [
        ("available", stated.available),
        ("held", stated.held),
        ("maturing", stated.maturing),
        ("staked", stated.staked),
    ];
    for ((part, stated), sum) in stated_parts.into_iter().zip(sums) {
        if sum != stated {
            return Err(Imbalance::Part { part, sum, stated });
        }
    }
    let present = sums
        .iter()
        .try_fold(Mana::ZERO, |all, sum| all.checked_add(*sum))
        .ok_or(Imbalance::Overflow)?;
    let Supply {
        granted,
        regenerated,
        burned,
    } = stated.supply;
    let supplied = granted
        .checked_add(regenerated)
        .ok_or(Imbalance::Overflow)?
        .saturating_sub(burned);
    if present == supplied {
        Ok(())
    } else {
        Err(Imbalance::Supply { present, supplied })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(available: u64, held: u64) -> AccountRecord {
        AccountRecord {
            available: Mana::from_milli(available),
            held: Mana::from_milli(held),
            ..AccountRecord::default()
        }
    }

    fn totals(available: u64, held: u64, granted: u64, regenerated: u64, burned: u64) -> Totals {
        Totals {
            supply: Supply {
                granted: Mana::from_milli(granted),
                regenerated: Mana::from_milli(regenerated),
                burned: Mana::from_milli(burned),
            },
            available: Mana::from_milli(available),
            held: Mana::from_milli(held),
            ..Totals::default()
        }
    }

    #[test]
    fn what_came_into_being_is_in_accounts_or_burned() {
        let accounts = [account(70, 30), account(45, 0)];
        assert_eq!(reconcile(&accounts, &totals(115, 30, 100, 50, 5)), Ok(()));
    }

    #[test]
    fn a_false_sum_and_a_false_supply_are_told_apart() {
        let accounts = [account(70, 30)];
        assert!(matches!(
            reconcile(&accounts, &totals(71, 30, 101, 0, 0)),
            Err(Imbalance::Part {
                part: "available",
                ..
            })
        ));
        assert_eq!(
            reconcile(&accounts, &totals(70, 30, 99, 0, 0)),
            Err(Imbalance::Supply {
                present: Mana::from_milli(100),
                supplied: Mana::from_milli(99)
            })
        );
        assert_eq!(
            reconcile(&[account(u64::MAX, 0), account(1, 0)], &totals(0, 0, 0, 0, 0)),
            Err(Imbalance::Overflow)
        );
    }
}
