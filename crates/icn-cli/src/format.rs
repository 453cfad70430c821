//! Times, sizes and identities as people read them.
use icn_api::federation::Members;
use icn_model::{Did, ExitStatus, Mana, Millis, Time};
use std::collections::BTreeMap;

/// A moment in UTC: `2026-03-01 12:00:07Z`.
pub(crate) fn time(time: Time) -> String {
    let seconds = time.get() / 1_000;
    let (days, in_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (in_day / 3_600, in_day / 60 % 60, in_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// The beginning of a day in UTC, from 1970 to 9999; none if there is no such day.
pub(crate) fn midnight(year: u64, month: u64, day: u64) -> Option<Time> {
    if !(1_970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Never too late, and early by less than the days of two months and the leap days that it leaves out.
    let guess = (year - 1_970) * 365 + (month - 1) * 28 + (day - 1);
    let days = (guess..)
        .take(MAX_DAYS_OFF)
        .find(|days| civil(*days) == (year, month, day))?;
    Some(Time::new(days * 86_400_000))
}

/// How far the guess of [`midnight`] can be off: 1,947 leap days by 9999, and 29 days of a year's months.
const MAX_DAYS_OFF: usize = 2_100;

/// Year, month and day of the so manieth day after 1970-01-01, in the Gregorian calendar: counted from
/// 1 March of the year 0, so that the leap day is a year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_IN_ERA: u64 = 146_097;
    let from_march = days + 719_468;
    let (era, in_era) = (from_march / DAYS_IN_ERA, from_march % DAYS_IN_ERA);
    let year_in_era = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_in_era + year_in_era / 4 - year_in_era / 100);
    let shifted = (5 * in_year + 2) / 153;
    let day = in_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_in_era + u64::from(month <= 2), month, day)
}

/// A span: `350 ms`, `12.3 s`, `5 min 10 s`, `3 h 20 min`, `12 d 4 h`.
pub(crate) fn span(span: Millis) -> String {
    let ms = span.get();
    let seconds = ms / 1_000;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{seconds}.{} s", ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A size: `512 B`, `1.5 KiB`, `20.0 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1_024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// An amount of mana without its unit, for columns that name it.
pub(crate) fn mana(amount: Mana) -> String {
    format!("{}.{:03}", amount.milli() / 1_000, amount.milli() % 1_000)
}

/// How a program ended.
pub(crate) fn exit(exit: &ExitStatus) -> String {
    match exit {
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Trap(trap) => format!("trap: {trap}"),
        ExitStatus::OutOfFuel => "out of fuel".to_owned(),
        ExitStatus::OutOfMemory => "out of memory".to_owned(),
        ExitStatus::OutputLimit => "output limit reached".to_owned(),
        ExitStatus::InvalidModule(reason) => format!("invalid module: {reason}"),
        ExitStatus::WallClock => "time limit reached".to_owned(),
        ExitStatus::InputMissing(cid) => format!("the executor could not get {cid}"),
        ExitStatus::HostFailure(reason) => format!("failure of the executor: {reason}"),
    }
}

/// What identities are called, as far as the log knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(BTreeMap<Did, String>);

impl Names {
    pub(crate) fn new(members: &Members) -> Self {
        Self(
            members
                .seats
                .iter()
                .map(|seat| (seat.did, seat.record.name.to_string()))
                .collect(),
        )
    }

    /// The name, or a short form of the identity.
    pub(crate) fn of(&self, did: &Did) -> String {
        self.0.get(did).cloned().unwrap_or_else(|| did.short())
    }

    /// Several names.
    pub(crate) fn all<'a>(&self, dids: impl IntoIterator<Item = &'a Did>) -> String {
        let names: Vec<_> = dids.into_iter().map(|did| self.of(did)).collect();
        if names.is_empty() {
            "-".to_owned()
        } else {
            names.join(", ")
        }
    }

    /// Text with names in the place of the identities in it.
    pub(crate) fn within(&self, text: &str) -> String {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        for word in &mut words {
            if let Some(name) = word.parse().ok().and_then(|did| self.0.get(&did)) {
                word.clone_from(name);
            }
        }
        words.join(" ")
    }

    /// The one identity that has this name.
    pub(crate) fn find(&self, name: &str) -> Option<Did> {
        let mut found = self
            .0
            .iter()
            .filter(|(_, other)| other.as_str() == name)
            .map(|(did, _)| *did);
        found.next().filter(|_| found.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_gregorian() {
        for (ms, text) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399_999, "2000-02-28 23:59:59Z"),
            (951_782_400_000, "2000-02-29 00:00:00Z"),
            (1_709_251_200_000, "2024-03-01 00:00:00Z"),
            (4_107_542_400_000, "2100-03-01 00:00:00Z"),
            (1_798_761_599_000, "2026-12-31 23:59:59Z"),
        ] {
            assert_eq!(time(Time::new(ms)), text);
        }
    }

    #[test]
    fn spans_and_sizes_have_fitting_units() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (12_345, "12.3 s"),
            (61_000, "1 min 1 s"),
        ] {
            assert_eq!(span(Millis::new(ms)), text);
        }
        assert_eq!(span(Millis::from_secs(90_000)), "1 d 1 h");
        assert_eq!(span(Millis::from_secs(3_660)), "1 h 1 min");
        for (size, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_536, "1.5 KiB"),
            (20 << 20, "20.0 MiB"),
        ] {
            assert_eq!(bytes(size), text);
        }
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
    }
}
