//! Credit between two cooperatives: units, limits and rates. Amounts are integers in a unit's minor units.
use crate::{limits, macros::names};
use alloc::{format, string::String};
use core::{fmt, str::FromStr};
use serde::{Deserialize, Serialize};

/// What is owed: a code and how many decimals people write, as in `EUR.2` or `HOUR.0`. Part of what makes two units
/// differ, so that nobody adds cents to euros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(try_from = "String", into = "String")]
pub struct CreditUnit {
    code: String,
    decimals: u8,
}

impl CreditUnit {
    /// The code, like `EUR`.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// How many decimals an amount in it has for people: 0 to 9.
    pub const fn decimals(&self) -> u8 {
        self.decimals
    }

    /// An amount of minor units as people write it, like `12.50`.
    pub fn write(&self, minor: u64) -> String {
        let scale = 10_u64.pow(u32::from(self.decimals));
        match self.decimals {
            0 => format!("{minor}"),
            decimals => format!(
                "{}.{:0width$}",
                minor / scale,
                minor % scale,
                width = usize::from(decimals)
            ),
        }
    }

    /// The amount that `text` writes, in minor units.
    ///
    /// # Errors
    /// [`CreditError::Amount`] unless it is a number with at most as many decimals as the unit has, in bounds.
    pub fn read(&self, text: &str) -> Result<u64, CreditError> {
        let wrong = || CreditError::Amount {
            decimals: self.decimals,
        };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_dotted = text.len() != whole.len();
        if whole.is_empty() || !digits(whole) || !digits(decimals) || is_dotted == decimals.is_empty() {
            return Err(wrong());
        }
        let missing = usize::from(self.decimals)
            .checked_sub(decimals.len())
            .ok_or_else(wrong)?;
        let minor = format!("{whole}{decimals}{:0<missing$}", "");
        let minor: u64 = minor.parse().map_err(|_| wrong())?;
        if minor > limits::MAX_CREDIT {
            return Err(wrong());
        }
        Ok(minor)
    }
}

impl fmt::Display for CreditUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.code, self.decimals)
    }
}

impl FromStr for CreditUnit {
    type Err = CreditError;
    fn from_str(text: &str) -> Result<Self, CreditError> {
        let (code, decimals) = text.split_once('.').ok_or(CreditError::Unit)?;
        let is_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
        let decimals = match decimals.as_bytes() {
            [digit @ b'0'..=b'9'] => digit - b'0',
            _ => return Err(CreditError::Unit),
        };
        if code.is_empty() || code.len() > limits::MAX_UNIT_BYTES || !code.bytes().all(is_code) {
            return Err(CreditError::Unit);
        }
        Ok(Self {
            code: code.into(),
            decimals,
        })
    }
}

impl TryFrom<String> for CreditUnit {
    type Error = CreditError;
    fn try_from(text: String) -> Result<Self, CreditError> {
        text.parse()
    }
}

impl From<CreditUnit> for String {
    fn from(unit: CreditUnit) -> Self {
        format!("{unit}")
    }
}

/// Text that is no unit, or no amount in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditError {
    /// Not a unit.
    #[error(
        "not a unit: expected 1 to {} capital letters, digits or hyphens, a dot and the number of decimals, like EUR.2",
        limits::MAX_UNIT_BYTES
    )]
    Unit,
    /// Not an amount.
    #[error("not an amount: expected a number with at most {decimals} decimals, up to 2^62 minor units")]
    Amount {
        /// How many the unit has.
        decimals: u8,
    },
}

/// The credit that an agreement gives in one unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LineTerms {
    /// In which unit.
    pub unit: CreditUnit,
    /// The most that the proposer may owe the counterparty, minor units.
    pub proposer_limit: u64,
    /// The most that the counterparty may owe the proposer, minor units.
    pub counterparty_limit: u64,
}

impl LineTerms {
    /// Whether sums of what is owed fit.
    pub fn is_bounded(&self) -> bool {
        self.proposer_limit.max(self.counterparty_limit) <= limits::MAX_CREDIT
    }
}

names! {
    /// Which whole number a converted amount becomes.
    Rounding, RoundingError, "a rounding";
    /// The next one below.
    Down "down";
    /// The next one above.
    Up "up";
    /// The nearest; of two the even one.
    HalfEven "half-even";
}

/// What one unit is worth in another: `to = from × numerator / denominator`, in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RateTerms {
    /// From which unit.
    pub from: CreditUnit,
    /// To which.
    pub to: CreditUnit,
    /// Above zero.
    pub numerator: u64,
    /// Above zero.
    pub denominator: u64,
    /// Which whole number the result becomes.
    pub rounding: Rounding,
}

impl RateTerms {
    /// Whether it converts at all.
    pub fn is_usable(&self) -> bool {
        self.numerator > 0 && self.denominator > 0 && self.from != self.to
    }

    /// An amount of the first unit in the second; none if that is over [`limits::MAX_CREDIT`].
    pub fn convert(&self, minor: u64) -> Option<u64> {
        if !self.is_usable() {
            return None;
        }
        let (product, denominator) = (
            u128::from(minor) * u128::from(self.numerator),
            u128::from(self.denominator),
        );
        let (below, rest) = (product / denominator, product % denominator);
        let goes_up = match self.rounding {
            Rounding::Down => false,
            Rounding::Up => rest > 0,
            Rounding::HalfEven => match (rest * 2).cmp(&denominator) {
                core::cmp::Ordering::Less => false,
                core::cmp::Ordering::Equal => below % 2 == 1,
                core::cmp::Ordering::Greater => true,
            },
        };
        let rounded = u64::try_from(below + u128::from(goes_up)).ok()?;
        (rounded <= limits::MAX_CREDIT).then_some(rounded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    fn unit(text: &str) -> CreditUnit {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_read_as_they_are_written() {
        let (eur, hour) = (unit("EUR.2"), unit("HOUR.0"));
        for (text, minor, written) in [
            ("12", 1_200, "12.00"),
            ("12.5", 1_250, "12.50"),
            ("0.01", 1, "0.01"),
        ] {
            assert_eq!(eur.read(text), Ok(minor), "{text}");
            assert_eq!(eur.write(minor), written);
        }
        assert_eq!(hour.read("7"), Ok(7));
        assert_eq!(hour.write(7), "7");
        assert_eq!(unit("N.9").write(1), "0.000000001");
        let largest = eur.write(limits::MAX_CREDIT);
        assert_eq!(eur.read(&largest), Ok(limits::MAX_CREDIT));
    }

    #[test]
    fn what_is_no_amount_or_unit_is_refused() {
        let eur = unit("EUR.2");
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1.234",
            "1e3",
            "1 0",
            "46116860184273879.05",
            "99999999999999999999",
        ] {
            assert!(eur.read(text).is_err(), "{text}");
        }
        assert!(unit("HOUR.0").read("1.0").is_err());
        for text in [
            "",
            "EUR",
            ".2",
            "eur.2",
            "EUR.",
            "EUR.10",
            "EUR.x",
            "E UR.2",
            "ABCDEFGHIJKLMNOPQ.1",
        ] {
            assert_eq!(text.parse::<CreditUnit>(), Err(CreditError::Unit), "{text}");
        }
        assert_eq!(unit("EUR.2").to_string(), "EUR.2");
    }

    #[test]
    fn rates_say_how_they_round() {
        let rate = |rounding| RateTerms {
            from: unit("HOUR.0"),
            to: unit("EUR.2"),
            numerator: 5,
            denominator: 2,
            rounding,
        };
        assert_eq!(rate(Rounding::Down).convert(3), Some(7));
        assert_eq!(rate(Rounding::Up).convert(3), Some(8));
        assert_eq!(rate(Rounding::HalfEven).convert(3), Some(8));
        assert_eq!(rate(Rounding::HalfEven).convert(1), Some(2));
        assert_eq!(rate(Rounding::Up).convert(limits::MAX_CREDIT), None);
    }
}
