//! Members of cooperatives, and the mana that moves between them and their cooperative.
use crate::{account::spend, step::Step};
use alloc::vec::Vec;
use icn_model::{AccountRecord, Did, Event, Mana, MemberRecord, Operation, Refusal, Role, SeatPhase, limits};

impl Step<'_> {
    pub(crate) fn add_member(&mut self, operation: &Operation, member: Did) -> Result<(), Refusal> {
        let cooperative = operation.author;
        let seat = self.cooperative_acting(operation, &[Role::Officer])?;
        if seat.phase != (SeatPhase::Seated {}) {
            return Err(Refusal::NotSeated {});
        }
        let tables = &mut self.state.tables;
        if tables.seats.contains(&member) || tables.members.contains(&member) {
            return Err(Refusal::AlreadyKnown { did: member });
        }
        if !member.first_key().is_usable() {
            return Err(Refusal::BadKeys {});
        }
        // Those who left count while a roll has them, so that coming and going fills nobody's memory.
        let departed = tables.departed.index().of(&cooperative);
        let known = tables.members.index().count.of(&cooperative) + departed;
        if known >= limits::MAX_MEMBERS_PER_COOPERATIVE {
            let max = limits::MAX_MEMBERS_PER_COOPERATIVE as u64;
            return Err(Refusal::TooManyMembers { max });
        }
        let since = self.context.time;
        let record = MemberRecord {
            cooperative,
            key: member.first_key(),
            since,
        };
        tables.members.set(member, record);
        let account = AccountRecord {
            touched: since,
            ..AccountRecord::default()
        };
        tables.accounts.set(member, account);
        self.events.push(Event::MemberAdded { member, cooperative });
        Ok(())
    }

    /// What the member has returns to the cooperative; its open jobs become the cooperative's, so that
    /// executors at work are paid as they were promised.
    pub(crate) fn remove_member(&mut self, operation: &Operation, member: Did) -> Result<(), Refusal> {
        let cooperative = operation.author;
        let seat = self.cooperative_acting(operation, &[Role::Officer])?;
        if !seat.phase.is_seated() {
            return Err(Refusal::NotSeated {});
        }
        let known = self.state.tables.members.get(&member);
        let Some(key) = known
            .filter(|known| known.cooperative == cooperative)
            .map(|known| known.key)
        else {
            return Err(Refusal::UnknownMember { member });
        };
        self.take_over_open_jobs(member, cooperative)?;
        let returned = self.with_account(member, |account| Ok(core::mem::take(&mut account.available)))?;
        self.with_account(cooperative, |account| {
            account.available = account.available.saturating_add(returned);
            Ok(())
        })?;
        self.state.tables.accounts.remove(&member);
        self.remember_departed(member);
        self.forget_voter(member);
        self.state.tables.members.remove(&member);
        self.retire_key(key);
        self.events.push(Event::MemberRemoved {
            member,
            cooperative,
            returned,
        });
        Ok(())
    }

    pub(crate) fn share_mana(&mut self, operation: &Operation, to: Did, amount: Mana) -> Result<(), Refusal> {
        let from = operation.author;
        let home = match self.state.tables.members.get(&from) {
            Some(member) => member.cooperative,
            None => {
                self.cooperative_acting(operation, &[Role::Officer])?;
                from
            }
        };
        let seat = self.state.tables.seats.get(&home);
        if !seat.is_some_and(|seat| seat.phase.is_seated()) {
            return Err(Refusal::NotSeated {});
        }
        if amount == Mana::ZERO {
            return Err(Refusal::ZeroAmount {});
        }
        let to_own_member = || {
            self.state
                .tables
                .members
                .get(&to)
                .is_some_and(|member| member.cooperative == from)
        };
        if !(to == home && to != from || to_own_member()) {
            return Err(Refusal::NotSharable { to });
        }
        self.with_account(from, |account| spend(account, amount))?;
        self.with_account(to, |account| {
            account.available = account.available.saturating_add(amount);
            Ok(())
        })?;
        self.events.push(Event::ManaShared { from, to, amount });
        Ok(())
    }

    /// The members of a cooperative, at most `max`.
    pub(crate) fn members_of(&self, cooperative: Did, max: usize) -> Vec<Did> {
        self.state
            .members(&cooperative)
            .map(|(did, _)| did)
            .take(max)
            .collect()
    }
}
