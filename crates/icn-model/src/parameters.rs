//! The rules of a federation that are numbers, each with its range. Only the log changes them.
use crate::{Mana, Millis, limits};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// What a parameter is in the log: a number in its unit.
trait Number: Sized {
    fn to_number(&self) -> u64;
    fn from_number(number: u64) -> Option<Self>;
}

macro_rules! numbers {
    ($($ty:ty: $to:expr, $from:expr;)*) => {
        $(impl Number for $ty {
            fn to_number(&self) -> u64 {
                let to: fn(&$ty) -> u64 = $to;
                to(self)
            }
            fn from_number(number: u64) -> Option<Self> {
                let from: fn(u64) -> Option<$ty> = $from;
                from(number)
            }
        })*
    };
}

numbers! {
    u8: |value| u64::from(*value), |number| number.try_into().ok();
    u32: |value| u64::from(*value), |number| number.try_into().ok();
    Mana: |value| value.milli(), |number| Some(Mana::from_milli(number));
    Millis: |value| value.get(), |number| Some(Millis::new(number));
}

macro_rules! parameters {
    ($($(#[$doc:meta])* $field:ident: $ty:ty = $variant:ident, $min:expr, $max:expr;)*) => {
        /// Rules of a federation that every node must agree on. Only the log changes them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(deny_unknown_fields)]
        pub struct Parameters {
            /// Blocks of one epoch, 32 to 100,000. Fixed by genesis: the number of an epoch follows from a
            /// height by it.
            pub epoch_blocks: u64,
            $($(#[$doc])* pub $field: $ty,)*
        }

        /// A parameter that a vote can change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum ParameterName {
            $($(#[$doc])* $variant,)*
        }

        impl ParameterName {
            /// Every one, in the order of [`Parameters`].
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name: that of the field.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($field),)*
                }
            }

            /// The least and the most that it can be, in its unit.
            pub const fn range(self) -> (u64, u64) {
                match self {
                    $(Self::$variant => ($min, $max),)*
                }
            }
        }

        impl Parameters {
            /// The value of one, in its unit: thousandths of mana, milliseconds, or a count.
            pub fn get(&self, name: ParameterName) -> u64 {
                match name {
                    $(ParameterName::$variant => self.$field.to_number(),)*
                }
            }

            fn set(&mut self, name: ParameterName, value: u64) -> Option<()> {
                match name {
                    $(ParameterName::$variant => self.$field = Number::from_number(value)?,)*
                }
                Some(())
            }
        }
    };
}

const MAX_MANA: u64 = 1 << 50;
const DAY_MS: u64 = 86_400_000;

parameters! {
    /// An idle federation makes a block this often.
    heartbeat_ms: Millis = HeartbeatMs, 100, 10_000;
    /// What a cooperative regenerates in an hour.
    mana_rate_per_hour: Mana = ManaRatePerHour, 0, MAX_MANA;
    /// Up to what balance a cooperative regenerates.
    mana_capacity: Mana = ManaCapacity, 0, MAX_MANA;
    /// What a cooperative starts with; at most the capacity.
    mana_start: Mana = ManaStart, 0, MAX_MANA;
    /// Holds that one account can have at once.
    max_holds: u32 = MaxHolds, 1, 1 << 20;
    /// Times that a failed job goes to another executor.
    job_retry_count: u32 = JobRetryCount, 0, limits::MAX_RETRIES as u64;
    /// How long bids for a job are collected, from the block that submits it.
    bid_window_ms: Millis = BidWindowMs, 10, 60_000;
    /// Silence of the coordinator after which any seat may award.
    award_timeout_ms: Millis = AwardTimeoutMs, 1_000, 600_000;
    /// What an executor gets beyond the job's wall clock to fetch inputs and post its receipt.
    receipt_grace_ms: Millis = ReceiptGraceMs, 1_000, 600_000;
    /// How long a receipt can be challenged; then its pay is spendable.
    challenge_window_ms: Millis = ChallengeWindowMs, 0, 30 * DAY_MS;
    /// What a challenger puts at stake.
    challenge_stake: Mana = ChallengeStake, 0, MAX_MANA;
    /// Seats that replay a challenged job.
    challenge_jury: u8 = ChallengeJury, 1, 15;
    /// Pay from one cooperative that counts for another's standing, in whole.
    standing_cap_per_payer: Mana = StandingCapPerPayer, 0, MAX_MANA;
    /// What making a proposal costs; it is burned.
    proposal_cost: Mana = ProposalCost, 0, MAX_MANA;
    /// How long a proposal is open, where no process says otherwise.
    voting_period_ms: Millis = VotingPeriodMs, 1_000, 90 * DAY_MS;
    /// How long an accepted proposal waits before it is carried out, where no process says otherwise.
    timelock_ms: Millis = TimelockMs, 0, 90 * DAY_MS;
    /// How often policies for mana are asked, and over what time they are told of work.
    policy_period_ms: Millis = PolicyPeriodMs, 1_000, 30 * DAY_MS;
}

impl Parameters {
    /// For a federation on one machine: short epochs and windows.
    pub fn devnet() -> Self {
        Self {
            epoch_blocks: 100,
            heartbeat_ms: Millis::from_secs(1),
            challenge_window_ms: Millis::from_secs(5),
            voting_period_ms: Millis::from_secs(5),
            timelock_ms: Millis::from_secs(1),
            policy_period_ms: Millis::from_secs(10),
            ..Self::production()
        }
    }

    /// For federations in earnest.
    pub fn production() -> Self {
        Self {
            epoch_blocks: 1_000,
            heartbeat_ms: Millis::from_secs(10),
            mana_rate_per_hour: Mana::from_whole(10_000),
            mana_capacity: Mana::from_whole(100_000),
            mana_start: Mana::from_whole(50_000),
            max_holds: 4_096,
            job_retry_count: 3,
            bid_window_ms: Millis::new(500),
            award_timeout_ms: Millis::from_secs(5),
            receipt_grace_ms: Millis::from_secs(10),
            challenge_window_ms: Millis::from_secs(600),
            challenge_stake: Mana::from_whole(10),
            challenge_jury: 3,
            standing_cap_per_payer: Mana::from_whole(1_000),
            proposal_cost: Mana::from_whole(10),
            voting_period_ms: Millis::new(3 * DAY_MS),
            timelock_ms: Millis::new(DAY_MS),
            policy_period_ms: Millis::new(DAY_MS),
        }
    }

    /// Checks that every parameter is in its range.
    ///
    /// # Errors
    /// Names the first parameter that is out of range, with its range.
    pub fn check(&self) -> Result<(), ParameterError> {
        in_range("epoch_blocks", self.epoch_blocks, 32, 100_000)?;
        for &name in ParameterName::ALL {
            let (min, max) = name.range();
            in_range(name.name(), self.get(name), min, max)?;
        }
        let capacity = self.mana_capacity.milli();
        in_range(
            ParameterName::ManaStart.name(),
            self.mana_start.milli(),
            0,
            capacity,
        )
    }

    /// These parameters with one changed.
    ///
    /// # Errors
    /// Names the parameter that would be out of range, with its range.
    pub fn with(mut self, name: ParameterName, value: u64) -> Result<Self, ParameterError> {
        let (min, max) = name.range();
        in_range(name.name(), value, min, max)?;
        self.set(name, value).ok_or(ParameterError {
            name: name.name(),
            value,
            min,
            max,
        })?;
        self.check()?;
        Ok(self)
    }
}

fn in_range(name: &'static str, value: u64, min: u64, max: u64) -> Result<(), ParameterError> {
    if (min..=max).contains(&value) {
        Ok(())
    } else {
        Err(ParameterError {
            name,
            value,
            min,
            max,
        })
    }
}

/// A parameter out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} = {value} is out of range: {min} to {max}")]
pub struct ParameterError {
    /// Name of the parameter.
    pub name: &'static str,
    /// Its value, in its unit.
    pub value: u64,
    /// The least that is allowed.
    pub min: u64,
    /// The most that is allowed.
    pub max: u64,
}

impl fmt::Display for ParameterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Text that names no parameter that a vote can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a parameter that a vote can change: `icn-cli proposal rules` lists them")]
pub struct ParameterNameError;

impl FromStr for ParameterName {
    type Err = ParameterNameError;
    fn from_str(text: &str) -> Result<Self, ParameterNameError> {
        let mut all = Self::ALL.iter();
        all.find(|name| name.name() == text)
            .copied()
            .ok_or(ParameterNameError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_checked_at_its_edges() {
        let parameters = Parameters::devnet();
        assert_eq!(parameters.check(), Ok(()));
        assert_eq!(Parameters::production().check(), Ok(()));
        for &name in ParameterName::ALL {
            assert_eq!(name.name().parse(), Ok(name));
            assert_eq!(parameters.with(name, parameters.get(name)), Ok(parameters));
            let (min, max) = name.range();
            // The start balance has the capacity as its bound, too.
            let most = if name == ParameterName::ManaStart {
                parameters.mana_capacity.milli()
            } else {
                max
            };
            let least = if name == ParameterName::ManaCapacity {
                parameters.mana_start.milli()
            } else {
                min
            };
            for value in [least, most] {
                assert_eq!(
                    parameters.with(name, value).map(|set| set.get(name)),
                    Ok(value),
                    "{name}"
                );
            }
            for value in [least.checked_sub(1), most.checked_add(1)].into_iter().flatten() {
                assert!(parameters.with(name, value).is_err(), "{name} = {value}");
            }
        }
        assert!(
            "epoch_blocks".parse::<ParameterName>().is_err(),
            "genesis fixes it"
        );
    }
}
