//! Accounts of a state in motion: every change of one goes through [`Step::with_account`].
use crate::{
    mana::{self, Stretch},
    state::State,
    step::Step,
};
use icn_model::{AccountRecord, Did, Event, Mana, Refusal, Time, limits};

impl State {
    /// The account of a cooperative or member with regeneration up to `at` included, as an operation at that
    /// time would find it.
    pub fn account(&self, did: &Did, at: Time) -> Option<AccountRecord> {
        let account = self.tables.accounts.get(did)?;
        Some(self.regenerated(did, account, at).0)
    }

    /// How much mana can still come into being.
    pub(crate) fn supply_room(&self) -> Mana {
        let supply = &self.meta.supply;
        limits::MAX_SUPPLY
            .saturating_sub(supply.granted)
            .saturating_sub(supply.regenerated)
    }

    fn regenerated(&self, did: &Did, account: &AccountRecord, at: Time) -> (AccountRecord, Mana) {
        let room = self.supply_room();
        let at = at.max(account.touched);
        // An account is brought up to date when a policy gives it another rate, so one rate holds since.
        if let Some(rate) = self.tables.own_rates.get(did) {
            let stretch = Stretch {
                from: account.touched,
                to: at,
                rate: *rate,
            };
            return mana::regenerate(account, core::iter::once(stretch), at, room);
        }
        // The stretch of each dated rate ends where the next begins.
        let current = self.tables.rates.range(..=account.touched).next_back();
        let first = current.map_or(Time::ZERO, |(from, _)| *from);
        let ends = self.tables.rates.range(first..at).skip(1).map(|(from, _)| *from);
        let stretches = self.tables.rates.range(first..at).zip(ends.chain([at]));
        let stretches = stretches.map(|((from, rate), to)| Stretch {
            from: *from,
            to,
            rate: *rate,
        });
        mana::regenerate(account, stretches, at, room)
    }
}

impl Step<'_> {
    /// Changes an account after bringing it up to the block's time. What changes in a member's account
    /// counts in its cooperative's `shared`, too. If `change` refuses, nothing changes.
    pub(crate) fn with_account<T>(
        &mut self,
        did: Did,
        change: impl FnOnce(&mut AccountRecord) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut balances = (Mana::ZERO, Mana::ZERO);
        let result = self.with_account_alone(did, |account| {
            balances.0 = mana::balance(account);
            let result = change(account);
            balances.1 = mana::balance(account);
            result
        })?;
        let (before, after) = balances;
        let home = self
            .state
            .tables
            .members
            .get(&did)
            .map(|member| member.cooperative);
        if let Some(cooperative) = home.filter(|_| before != after) {
            self.with_account_alone(cooperative, |account| {
                account.shared = account.shared.saturating_add(after).saturating_sub(before);
                Ok(())
            })?;
        }
        Ok(result)
    }

    fn with_account_alone<T>(
        &mut self,
        did: Did,
        change: impl FnOnce(&mut AccountRecord) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let Some(account) = self.state.tables.accounts.get(&did) else {
            return Err(Refusal::UnknownAuthor { author: did });
        };
        let (mut account, gained) = self.state.regenerated(&did, account, self.context.time);
        let result = change(&mut account)?;
        self.state.tables.accounts.set(did, account);
        let regenerated = &mut self.state.meta.supply.regenerated;
        *regenerated = regenerated.saturating_add(gained);
        Ok(result)
    }

    /// Gives `amount` to the first of `owners` that has an account; if none has one any more, it is burned.
    pub(crate) fn give_back(&mut self, owners: [Did; 2], amount: Mana) {
        let given = owners.into_iter().any(|owner| {
            self.with_account(owner, |account| {
                account.available = account.available.saturating_add(amount);
                Ok(())
            })
            .is_ok()
        });
        if !given {
            self.burn(amount);
        }
    }

    pub(crate) fn burn(&mut self, amount: Mana) {
        let burned = &mut self.state.meta.supply.burned;
        *burned = burned.saturating_add(amount);
    }

    /// Opens the account of a cooperative that gets its seat, or wakes the one that it had.
    pub(crate) fn open_account(&mut self, did: Did) {
        let wakes = self.with_account(did, |account| {
            account.regenerates = true;
            Ok(())
        });
        if wakes.is_ok() {
            return;
        }
        let start = self.state.parameters().mana_start.min(self.state.supply_room());
        let supply = &mut self.state.meta.supply;
        supply.granted = supply.granted.saturating_add(start);
        let account = AccountRecord {
            available: start,
            regenerates: true,
            touched: self.context.time,
            ..AccountRecord::default()
        };
        self.state.tables.accounts.set(did, account);
        self.events.push(Event::ManaGranted {
            to: did,
            amount: start,
        });
    }
}

/// Takes `amount` out of what an account can spend.
pub(crate) fn spend(account: &mut AccountRecord, amount: Mana) -> Result<(), Refusal> {
    let Some(rest) = account.available.checked_sub(amount) else {
        return Err(Refusal::InsufficientMana {
            available: account.available,
            needed: amount,
        });
    };
    account.available = rest;
    Ok(())
}
