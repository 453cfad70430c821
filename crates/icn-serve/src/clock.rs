//! The process's clock, and how a moment is written for people and for other programs.
use icn_model::{Millis, Time};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time now. A clock before 1970 is taken for 1970.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment as `2026-03-01T12:00:07.250Z`.
pub fn rfc3339(time: Time) -> String {
    match der::DateTime::from_unix_duration(Duration::from_millis(time.get())) {
        Ok(date) => {
            let date = date.to_string();
            format!("{}.{:03}Z", date.trim_end_matches('Z'), time.get() % 1_000)
        }
        // After the year 9999.
        Err(_) => Millis::new(time.get()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339_says() {
        assert_eq!(rfc3339(Time::ZERO), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(Time::new(1_772_366_407_250)), "2026-03-01T12:00:07.250Z");
        assert!(rfc3339(Time::new(u64::MAX)).ends_with(" ms"));
    }
}
