//! Regeneration and the sums of accounts: arithmetic only, no state.
use icn_model::{AccountRecord, Mana, RateRecord, Time};

/// Milliseconds of an hour: the denominator of what regenerates in a millisecond.
const HOUR_MS: u128 = 3_600_000;

/// What counts towards a cooperative's capacity: all that it could spend or will get back, its members'
/// mana included. Pay that has not matured does not count. So neither holding mana nor handing it to
/// members makes room for more.
pub(crate) fn balance(account: &AccountRecord) -> Mana {
    account
        .available
        .saturating_add(account.held)
        .saturating_add(account.staked)
        .saturating_add(account.shared)
}

/// A stretch of time with one rate.
pub(crate) struct Stretch {
    pub(crate) from: Time,
    pub(crate) to: Time,
    pub(crate) rate: RateRecord,
}

/// The account with regeneration up to `at` included, and how much that is.
///
/// `stretches` are the dated rates, in order. Each stretch adds `rate × time`, exactly: what is below a
/// thousandth of mana is kept in `remainder`, so the result depends on neither how often nor when the
/// account was looked at. A full account gains nothing and starts anew when it is spent from. No more than
/// `room` is gained, so that supply stays within its limit.
pub(crate) fn regenerate(
    account: &AccountRecord,
    stretches: impl Iterator<Item = Stretch>,
    at: Time,
    room: Mana,
) -> (AccountRecord, Mana) {
    let mut account = *account;
    if at <= account.touched {
        return (account, Mana::ZERO);
    }
    let start = balance(&account).milli();
    let mut gained = 0_u64;
    if account.regenerates {
        for stretch in stretches {
            let (from, to) = (stretch.from.max(account.touched), stretch.to.min(at));
            let missing = stretch
                .rate
                .capacity
                .milli()
                .saturating_sub(start.saturating_add(gained));
            let elapsed = u128::from(to.since(from).get());
            let parts =
                u128::from(stretch.rate.rate_per_hour.milli()) * elapsed + u128::from(account.remainder);
            let whole = parts / HOUR_MS;
            if whole >= u128::from(missing) {
                gained = gained.saturating_add(missing);
                account.remainder = 0;
            } else {
                gained = gained.saturating_add(u64::try_from(whole).unwrap_or(missing));
                account.remainder = u32::try_from(parts % HOUR_MS).unwrap_or(0);
            }
        }
    }
    let gained = Mana::from_milli(gained).min(room);
    account.available = account.available.saturating_add(gained);
    account.touched = at;
    (account, gained)
}
