//! Checked arithmetic of the language: what `+ - * /` and the methods of numbers do, to the last overflow.
//!
//! The helpers of compiled modules (`codegen::arithmetic`) compute the same by the same steps, so that both
//! report an overflow in the same cases.
use crate::fault::FaultCode;
use core::{cmp::Ordering, fmt};

pub(crate) type Checked<T> = Result<T, FaultCode>;

/// How a fraction becomes a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rounding {
    /// Down, towards negative infinity.
    Floor,
    /// Up, towards positive infinity.
    Ceil,
    /// To the nearest; halves away from zero.
    Round,
}

/// A fraction in lowest terms: the denominator is positive, and no number is `i64::MIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    numerator: i64,
    denominator: i64,
}

fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i64::try_from(a).expect("no operand is i64::MIN, and one is not zero")
}

pub(crate) fn add(a: i64, b: i64) -> Checked<i64> {
    a.checked_add(b).ok_or(FaultCode::Overflow)
}

pub(crate) fn subtract(a: i64, b: i64) -> Checked<i64> {
    a.checked_sub(b).ok_or(FaultCode::Overflow)
}

pub(crate) fn multiply(a: i64, b: i64) -> Checked<i64> {
    a.checked_mul(b).ok_or(FaultCode::Overflow)
}

/// `value`, if it is not negative.
pub(crate) fn natural(value: i64) -> Checked<i64> {
    if value < 0 {
        Err(FaultCode::BelowZero)
    } else {
        Ok(value)
    }
}

/// The quotient rounded down; with [`remainder`], which has the sign of the divisor, `a = q * b + r`.
pub(crate) fn quotient(a: i64, b: i64) -> Checked<i64> {
    if b == 0 {
        return Err(FaultCode::DivisionByZero);
    }
    let quotient = a.checked_div(b).ok_or(FaultCode::Overflow)?;
    let rest = a.wrapping_rem(b);
    Ok(if rest != 0 && (rest < 0) != (b < 0) {
        quotient - 1
    } else {
        quotient
    })
}

pub(crate) fn remainder(a: i64, b: i64) -> Checked<i64> {
    if b == 0 {
        return Err(FaultCode::DivisionByZero);
    }
    let rest = a.wrapping_rem(b);
    Ok(if rest != 0 && (rest < 0) != (b < 0) {
        rest + b
    } else {
        rest
    })
}

/// `quantity` times `ratio`, rounded.
pub(crate) fn scale(quantity: i64, ratio: Ratio, rounding: Rounding) -> Checked<i64> {
    if quantity == i64::MIN {
        return Err(FaultCode::Overflow);
    }
    let shared = gcd(quantity, ratio.denominator);
    let product = multiply(quantity / shared, ratio.numerator)?;
    if product == i64::MIN {
        return Err(FaultCode::Overflow);
    }
    Ok(round(product, ratio.denominator / shared, rounding))
}

/// `numerator` over a positive `denominator`, rounded.
fn round(numerator: i64, denominator: i64, rounding: Rounding) -> i64 {
    let down = numerator.div_euclid(denominator);
    let rest = numerator.rem_euclid(denominator);
    // `rest` above the half, or on it with the number positive, goes up. No doubling: that could overflow.
    let up = match rounding {
        Rounding::Floor => false,
        Rounding::Ceil => rest != 0,
        Rounding::Round => rest > denominator - rest || (rest == denominator - rest && numerator > 0),
    };
    down + i64::from(up)
}

impl Ratio {
    /// `numerator` over `denominator`, in lowest terms.
    ///
    /// # Errors
    /// Division by zero; overflow where one of the two is `i64::MIN`.
    pub fn new(numerator: i64, denominator: i64) -> Result<Self, FaultCode> {
        if denominator == 0 {
            return Err(FaultCode::DivisionByZero);
        }
        if numerator == i64::MIN || denominator == i64::MIN {
            return Err(FaultCode::Overflow);
        }
        let shared = gcd(numerator, denominator) * denominator.signum();
        Ok(Self {
            numerator: numerator / shared,
            denominator: denominator / shared,
        })
    }

    /// The number above the line.
    pub const fn numerator(self) -> i64 {
        self.numerator
    }

    /// The number below the line, at least 1.
    pub const fn denominator(self) -> i64 {
        self.denominator
    }

    /// The pair, if it is already in lowest terms.
    pub(crate) fn reduced(numerator: i64, denominator: i64) -> Option<Self> {
        let ratio = Self::new(numerator, denominator).ok()?;
        (ratio.numerator == numerator && ratio.denominator == denominator).then_some(ratio)
    }

    pub(crate) fn plus(self, other: Self) -> Checked<Self> {
        let shared = gcd(self.denominator, other.denominator);
        let sum = add(
            multiply(self.numerator, other.denominator / shared)?,
            multiply(other.numerator, self.denominator / shared)?,
        )?;
        if sum == i64::MIN {
            return Err(FaultCode::Overflow);
        }
        let rest = gcd(sum, shared);
        Ok(Self {
            numerator: sum / rest,
            denominator: multiply(self.denominator / shared, other.denominator / rest)?,
        })
    }

    pub(crate) fn times(self, other: Self) -> Checked<Self> {
        let left = gcd(self.numerator, other.denominator);
        let right = gcd(other.numerator, self.denominator);
        let numerator = multiply(self.numerator / left, other.numerator / right)?;
        if numerator == i64::MIN {
            return Err(FaultCode::Overflow);
        }
        Ok(Self {
            numerator,
            denominator: multiply(self.denominator / right, other.denominator / left)?,
        })
    }

    pub(crate) fn over(self, other: Self) -> Checked<Self> {
        if other.numerator == 0 {
            return Err(FaultCode::DivisionByZero);
        }
        let sign = other.numerator.signum();
        self.times(Self {
            numerator: other.denominator * sign,
            denominator: other.numerator * sign,
        })
    }

    pub(crate) fn negated(self) -> Self {
        Self {
            numerator: -self.numerator,
            ..self
        }
    }

    pub(crate) fn rounded(self, rounding: Rounding) -> i64 {
        round(self.numerator, self.denominator, rounding)
    }
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Self) -> Ordering {
        let product = |a: i64, b: i64| i128::from(a) * i128::from(b);
        product(self.numerator, other.denominator).cmp(&product(other.numerator, self.denominator))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.denominator == 1 {
            write!(f, "{}", self.numerator)
        } else {
            write!(f, "{}/{}", self.numerator, self.denominator)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(numerator: i64, denominator: i64) -> Ratio {
        Ratio::new(numerator, denominator).unwrap()
    }

    #[test]
    fn fractions_are_reduced_and_ordered() {
        assert_eq!(ratio(2, -4), ratio(-1, 2));
        assert_eq!(ratio(1, 3).plus(ratio(1, 6)), Ok(ratio(1, 2)));
        assert_eq!(ratio(2, 3).times(ratio(3, 4)), Ok(ratio(1, 2)));
        assert_eq!(ratio(1, 2).over(ratio(-1, 4)), Ok(ratio(-2, 1)));
        assert!(ratio(i64::MAX - 1, i64::MAX) < ratio(1, 1));
        assert_eq!(Ratio::new(1, 0), Err(FaultCode::DivisionByZero));
        assert_eq!(Ratio::new(i64::MIN, 1), Err(FaultCode::Overflow));
    }

    #[test]
    fn rounding_is_as_stated() {
        for (numerator, floor, ceil, nearest) in
            [(5, 2, 3, 3), (-5, -3, -2, -3), (4, 2, 2, 2), (-3, -2, -1, -2)]
        {
            let half = ratio(numerator, 2);
            assert_eq!(half.rounded(Rounding::Floor), floor, "{half}");
            assert_eq!(half.rounded(Rounding::Ceil), ceil, "{half}");
            assert_eq!(half.rounded(Rounding::Round), nearest, "{half}");
        }
        assert_eq!(scale(10, ratio(1, 3), Rounding::Ceil), Ok(4));
        assert_eq!(
            scale(i64::MAX, ratio(2, 1), Rounding::Floor),
            Err(FaultCode::Overflow)
        );
    }

    #[test]
    fn whole_division_rounds_down() {
        assert_eq!((quotient(-7, 2), remainder(-7, 2)), (Ok(-4), Ok(1)));
        assert_eq!((quotient(7, -2), remainder(7, -2)), (Ok(-4), Ok(-1)));
        assert_eq!(quotient(i64::MIN, -1), Err(FaultCode::Overflow));
        assert_eq!(remainder(i64::MIN, -1), Ok(0));
    }
}
