//! Regeneration by policy: what a contract says each cooperative's rate and capacity are.
//!
//! Contracts are asked once in a period, about what each cooperative did in the last one, and when the policy
//! or the federation's own rate changes; in between a rate holds. So a balance is still a matter of arithmetic,
//! and a contract that fails costs nobody more than its federation's own rate.
use crate::{mana, state::State, step::Step};
use alloc::vec::Vec;
use icn_model::{
    Activity, ActivityRecord, Did, GovernanceEvent, Mana, ManaQuestion, PolicyAnswer, PolicyFailure,
    PolicyQuestion, PolicySlot, RateRecord, Refusal,
};

impl State {
    /// What a cooperative does and did lately.
    pub fn activity(&self, did: &Did) -> ActivityRecord {
        self.tables.activities.get(did).copied().unwrap_or_default()
    }

    /// The rate and capacity that a policy has given a cooperative.
    pub fn own_rate(&self, did: &Did) -> Option<RateRecord> {
        self.tables.own_rates.get(did).copied()
    }

    /// The average price of a job in the last period.
    pub(crate) fn average_price(&self) -> Option<Mana> {
        let activities = self.tables.activities.iter().map(|(_, activity)| activity.last);
        let (jobs, earned) = activities.fold((0_u64, 0_u64), |(jobs, earned), one| {
            let jobs = jobs.saturating_add(one.jobs_executed);
            (jobs, earned.saturating_add(one.earned.milli()))
        });
        earned.checked_div(jobs).map(Mana::from_milli)
    }
}

impl Step<'_> {
    /// Counts something that a cooperative did.
    pub(crate) fn note_activity(&mut self, did: Did, note: impl FnOnce(&mut Activity)) {
        if self.state.tables.seats.contains(&did) {
            let mut record = self.state.activity(&did);
            note(&mut record.current);
            self.state.tables.activities.set(did, record);
        }
    }

    /// At the end of a period: what was done in it becomes what policies are told, and they are asked.
    pub(crate) fn turn_policy_period(&mut self) {
        let period = self.state.parameters().policy_period_ms;
        if self.now() < self.state.meta.period.after(period) {
            return;
        }
        self.state.meta.period = self.context.time;
        let records: Vec<(Did, ActivityRecord)> = self
            .state
            .tables
            .activities
            .iter()
            .map(|(did, record)| (*did, *record))
            .collect();
        for (did, record) in records {
            if record == ActivityRecord::default() {
                self.state.tables.activities.remove(&did);
            } else {
                let turned = ActivityRecord {
                    current: Activity::default(),
                    last: record.current,
                };
                self.state.tables.activities.set(did, turned);
            }
        }
        self.set_regeneration();
    }

    /// Gives each cooperative the rate and capacity that the policies say, or takes them back.
    pub(crate) fn set_regeneration(&mut self) {
        let asks = |slot| self.state.asks(slot);
        let is_asked = asks(PolicySlot::ManaRate) || asks(PolicySlot::ManaCapacity);
        if !is_asked && self.state.tables.own_rates.is_empty() {
            return;
        }
        let cooperatives: Vec<Did> = self.state.cooperatives().map(|(did, _)| *did).collect();
        for did in cooperatives {
            let rate = if is_asked { self.rate_by_policy(did) } else { None };
            if self.state.own_rate(&did) == rate {
                continue;
            }
            // What has regenerated so far did at the rate so far.
            let settled = self.with_account(did, |_| Ok(()));
            debug_assert!(settled.is_ok(), "a cooperative with a seat has an account");
            match rate {
                Some(rate) => {
                    self.state.tables.own_rates.set(did, rate);
                    self.tell(GovernanceEvent::RegenerationSet {
                        cooperative: did,
                        rate_per_hour: rate.rate_per_hour,
                        capacity: rate.capacity,
                    });
                }
                None => self.state.tables.own_rates.remove(&did),
            }
        }
    }

    /// None where no policy gives an answer.
    fn rate_by_policy(&mut self, did: Did) -> Option<RateRecord> {
        let question = self.mana_question(did)?;
        let rate = self.amount_by_policy(did, &PolicyQuestion::ManaRate(question));
        let capacity = self.amount_by_policy(did, &PolicyQuestion::ManaCapacity(question));
        if rate.is_none() && capacity.is_none() {
            return None;
        }
        Some(RateRecord {
            rate_per_hour: rate.unwrap_or(question.base_rate),
            capacity: capacity.unwrap_or(question.base_capacity),
        })
    }

    fn mana_question(&self, did: Did) -> Option<ManaQuestion> {
        let now = self.context.time;
        let seat = self.state.tables.seats.get(&did)?;
        let account = self.state.account(&did, now)?;
        let parameters = self.state.parameters();
        Some(ManaQuestion {
            cooperative: did,
            now,
            member_for: now.since(seat.since),
            balance: mana::balance(&account).saturating_add(account.maturing),
            base_rate: parameters.mana_rate_per_hour,
            base_capacity: parameters.mana_capacity,
            period: parameters.policy_period_ms,
            activity: self.state.activity(&did).last,
        })
    }

    /// The amount that a policy answers, bounded like the parameter; none if there is no policy or no answer,
    /// of which an event tells.
    fn amount_by_policy(&mut self, subject: Did, question: &PolicyQuestion) -> Option<Mana> {
        let failure = match self.state.ask(question) {
            Ok(Some(PolicyAnswer::Mana(amount))) => return Some(amount.min(MAX_AMOUNT)),
            Ok(_) => return None,
            Err(Refusal::PolicyRefused { reason, .. }) => PolicyFailure::Refused { reason },
            Err(refusal) => PolicyFailure::Fault {
                detail: alloc::string::ToString::to_string(&refusal),
            },
        };
        self.tell(GovernanceEvent::PolicyFailed {
            slot: question.slot(),
            subject,
            failure,
        });
        None
    }
}

/// The most that the parameters for rate and capacity can be, in thousandths.
const MAX_AMOUNT: Mana = Mana::from_milli(icn_model::ParameterName::ManaCapacity.range().1);
