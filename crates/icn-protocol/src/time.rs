//! The runtime's clock as the model's time.
use commonware_runtime::Clock;
use icn_model::Time;
use std::time::UNIX_EPOCH;

/// Now. A clock before 1970 is taken for 1970.
pub fn now(clock: &impl Clock) -> Time {
    let since = clock.current().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
