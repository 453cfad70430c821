//! Values on the command line: spans, moments, sizes, `key=value` pairs, names out of a list, shares of votes.
use clap::builder::{PossibleValuesParser, TypedValueParser};
use icn_model::{Millis, Share, Threshold, Time};
use std::{error::Error, path::PathBuf, str::FromStr};

/// Reads one of `names`, which help and completions list.
pub(crate) fn one_of<T>(names: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err: Error + Send + Sync + 'static> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// Reads `more-than 1/2` or `at-least 2/3`.
pub(crate) fn threshold(text: &str) -> Result<Threshold, String> {
    let wrong = || format!("{text:?} is not a threshold: expected \"more-than 1/2\" or \"at-least 2/3\"");
    let spaced = text
        .trim()
        .replace("more than", "more-than")
        .replace("at least", "at-least");
    let (word, share) = spaced.split_once(' ').ok_or_else(wrong)?;
    let share: Share = share
        .trim()
        .parse()
        .map_err(|error| format!("{text:?}: {error}"))?;
    match word {
        "more-than" => Ok(Threshold::MoreThan(share)),
        "at-least" => Ok(Threshold::AtLeast(share)),
        _ => Err(wrong()),
    }
}

/// Reads `never`, or a span like `7d` that `every` may come before.
pub(crate) fn schedule(words: &[String]) -> Result<Option<Millis>, String> {
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["never"] => Ok(None),
        ["every", every] | [every] => span(every).map(Some),
        _ => Err(format!(
            "{:?} is not a schedule: expected every 7d, or never",
            words.join(" ")
        )),
    }
}

/// Splits the digits at the beginning from what follows.
fn number(text: &str) -> Result<(u64, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let value = text[..end]
        .parse()
        .map_err(|_| format!("{text:?} does not begin with a number"))?;
    Ok((value, text[end..].trim()))
}

/// Reads `500ms`, `30s`, `10m`, `2h` or `7d`.
pub(crate) fn span(text: &str) -> Result<Millis, String> {
    let (value, unit) = number(text.trim())?;
    let ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => {
            return Err(format!(
                "{text:?} has no unit of time: expected ms, s, m, h or d, like 10m"
            ));
        }
    };
    value
        .checked_mul(ms)
        .map(Millis::new)
        .ok_or_else(|| format!("{text:?} is too long"))
}

/// A moment to come, as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// So long from now.
    After(Millis),
    /// Then.
    At(Time),
}

impl When {
    /// The moment, if it is `now`.
    pub(crate) fn from(self, now: Time) -> Time {
        match self {
            Self::After(span) => now.after(span),
            Self::At(time) => time,
        }
    }
}

/// Reads a span like `90d`, or the beginning of a day like `2027-03-01`, in UTC.
pub(crate) fn when(text: &str) -> Result<When, String> {
    day(text)
        .map(When::At)
        .or_else(|_| span(text).map(When::After))
        .map_err(|_| format!("{text:?} is neither a span like 90d nor a day like 2027-03-01"))
}

/// Reads a day, `2026-12-31`: the moment at which it begins in UTC.
pub(crate) fn day(text: &str) -> Result<Time, String> {
    let wrong = || format!("{text:?} is not a day like 2026-12-31");
    let mut parts = text.splitn(3, '-').map(|part| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| part.parse::<u64>().ok()).flatten()
    });
    let mut next = || parts.next().flatten().ok_or_else(wrong);
    let (year, month, day) = (next()?, next()?, next()?);
    crate::format::midnight(year, month, day).ok_or_else(wrong)
}

/// Reads `4096`, `64k`, `256MiB` or `1g`; units are powers of 1,024.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let (value, unit) = number(text.trim())?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        _ => {
            return Err(format!(
                "{text:?} has no unit of size: expected k, m or g, like 256m"
            ));
        }
    };
    value
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("{text:?} is too large"))
}

/// Reads `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not NAME=VALUE")),
    }
}

/// Reads `PATH=FILE`: the path that a job sees, from its root, and the file here that it is. A file alone is seen
/// under `/in` by its name.
pub(crate) fn input(text: &str) -> Result<(String, PathBuf), String> {
    if let Some((path, file)) = text.split_once('=') {
        let path = path.trim_start_matches('/');
        let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !plain || file.is_empty() {
            return Err(format!(
                "{text:?} is not PATH=FILE with a plain path, like /in/data.csv=./data.csv"
            ));
        }
        return Ok((path.to_owned(), file.into()));
    }
    let file = PathBuf::from(text);
    let name = file
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or(format!("{text:?} is not a file"))?;
    Ok((format!("in/{name}"), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(span(text), Ok(Millis::new(ms)));
        }
        for text in [
            "",
            "10",
            "m",
            "-1s",
            "1 week",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn thresholds_are_exact() {
        assert_eq!(threshold("more-than 1/2"), Ok(Threshold::MoreThan(Share::HALF)));
        assert_eq!(threshold("more than 2/4"), Ok(Threshold::MoreThan(Share::HALF)));
        assert_eq!(
            threshold(" at-least 2/3 "),
            Ok(Threshold::AtLeast(Share::TWO_THIRDS))
        );
        for text in [
            "",
            "1/2",
            "more-than",
            "more-than 3/2",
            "at-most 1/2",
            "at-least 0.5",
        ] {
            assert!(threshold(text).is_err(), "{text}");
        }
    }

    #[test]
    fn schedules_are_spans_or_never() {
        let read = |text: &str| schedule(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("never"), Ok(None));
        assert_eq!(read("every 1h"), Ok(Some(Millis::from_secs(3_600))));
        assert_eq!(read("30s"), Ok(Some(Millis::from_secs(30))));
        for text in ["every", "every day now", "sometimes"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_spans_or_days() {
        assert_eq!(when("90d"), Ok(When::After(Millis::from_secs(90 * 86_400))));
        assert_eq!(when("1970-01-02"), Ok(When::At(Time::new(86_400_000))));
        assert_eq!(when("2028-02-29"), Ok(When::At(Time::new(1_835_395_200_000))));
        assert_eq!(day("1970-01-01"), Ok(Time::new(0)));
        assert_eq!(day("2000-02-29"), Ok(Time::new(951_782_400_000)));
        for text in [
            "",
            "tomorrow",
            "2023-02-29",
            "2027-13-01",
            "2027-1",
            "2027-01-00",
            "-1-1",
            "99999-01-01",
            "2024-01-01T00:00:00Z",
            "+2024-01-01",
        ] {
            assert!(when(text).is_err() && day(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_powers_of_two() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4_096),
            ("64k", 65_536),
            ("256MiB", 256 << 20),
            ("1g", 1 << 30),
        ] {
            assert_eq!(size(text), Ok(bytes));
        }
        for text in ["", "1t", "1.5m", "17179869184g"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn inputs_have_a_place() {
        assert_eq!(
            input("/in/a.txt=./b.txt"),
            Ok(("in/a.txt".into(), "./b.txt".into()))
        );
        assert_eq!(input("data=b=c"), Ok(("data".into(), "b=c".into())));
        assert_eq!(input("dir/b.txt"), Ok(("in/b.txt".into(), "dir/b.txt".into())));
        for text in ["=b", "/=b", "a=", "", "..", "../a=b", "a//b=c", "in/=b"] {
            assert!(input(text).is_err(), "{text}");
        }
        assert_eq!(pair("A="), Ok(("A".into(), String::new())));
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
