//! Integers with a meaning: times, spans, heights, epochs, sequence numbers and mana.
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $text:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// From the number of units.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The number of units.
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $text, self.0)
            }
        }
    };
}

number!(
    /// A moment: milliseconds since 1970-01-01T00:00:00Z.
    Time, "{} ms"
);
number!(
    /// A span of time in milliseconds.
    Millis, "{} ms"
);
number!(
    /// How many blocks of the log precede this one; genesis has height 0.
    Height, "{}"
);
number!(
    /// A run of blocks ordered by one set of seats; the first is 0.
    EpochNumber, "{}"
);
number!(
    /// An author's own number of an operation; each is used once.
    Sequence, "{}"
);

impl Time {
    /// This moment moved by `span`, or the last moment there is.
    #[must_use]
    pub const fn after(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This moment moved back by `span`, or the first moment there is.
    #[must_use]
    pub const fn before(self, span: Millis) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The span from `earlier` to this moment; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Millis {
    /// From seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000))
    }
}

impl Height {
    /// The height after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl EpochNumber {
    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// An amount of mana in thousandths (millimana).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Mana(u64);

impl Mana {
    /// None.
    pub const ZERO: Self = Self(0);

    /// From thousandths.
    pub const fn from_milli(milli: u64) -> Self {
        Self(milli)
    }

    /// From whole mana; saturates.
    pub const fn from_whole(whole: u64) -> Self {
        Self(whole.saturating_mul(1_000))
    }

    /// In thousandths.
    pub const fn milli(self) -> u64 {
        self.0
    }

    /// The sum, if it is an amount.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, if it is not negative.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(rest) => Some(Self(rest)),
            None => None,
        }
    }

    /// `count` times this amount, if it is one.
    pub const fn checked_mul(self, count: u64) -> Option<Self> {
        match self.0.checked_mul(count) {
            Some(product) => Some(Self(product)),
            None => None,
        }
    }

    /// The sum, or the largest amount.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or none.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Mana {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} mana", self.0 / 1_000, self.0 % 1_000)
    }
}

/// Text that is not an amount of mana.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount of mana: expected a number with at most three decimals, like 12 or 0.250")]
pub struct ManaError;

impl FromStr for Mana {
    type Err = ManaError;

    /// Reads `12`, `12.5` or `12.500 mana`.
    fn from_str(text: &str) -> Result<Self, ManaError> {
        let number = text.strip_suffix("mana").unwrap_or(text).trim();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 3 {
            return Err(ManaError);
        }
        let scale = [100, 10, 1][decimals.len() - 1];
        let whole: u64 = whole.parse().map_err(|_| ManaError)?;
        let decimals: u64 = decimals.parse().map_err(|_| ManaError)?;
        whole
            .checked_mul(1_000)
            .and_then(|milli| milli.checked_add(decimals * scale))
            .map(Self)
            .ok_or(ManaError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn mana_is_read_as_it_is_written() {
        for (text, milli) in [
            ("0", 0),
            ("12", 12_000),
            ("12.5", 12_500),
            ("0.25", 250),
            ("0.001", 1),
            ("7.000 mana", 7_000),
            ("18446744073709551.615", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Mana::from_milli(milli)), "{text}");
        }
        for milli in [0, 1, 999, 1_000, u64::MAX] {
            let amount = Mana::from_milli(milli);
            assert_eq!(amount.to_string().parse(), Ok(amount));
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1.2345",
            "1 000",
            "mana",
            "18446744073709551.616",
            "99999999999999999999",
        ] {
            assert_eq!(text.parse::<Mana>(), Err(ManaError), "{text}");
        }
    }

    #[test]
    fn times_saturate() {
        let last = Time::new(u64::MAX);
        assert_eq!(last.after(Millis::new(1)), last);
        assert_eq!(Time::ZERO.before(Millis::new(1)), Time::ZERO);
        assert_eq!(Time::ZERO.since(last), Millis::ZERO);
    }
}
