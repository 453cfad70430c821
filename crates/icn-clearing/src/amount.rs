//! Residuals in 32 bits where all amounts fit, otherwise in 64: half the memory for most networks.

/// An unsigned integer that holds any amount between one pair of parties.
pub(crate) trait Amount: Copy + Ord {
    const ZERO: Self;
    /// `value`, or the greatest there is.
    fn at_most(value: u64) -> Self;
    fn get(self) -> u64;
    /// This and `value` more, unless that does not fit.
    fn with(self, value: u64) -> Option<Self>;
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

impl Amount for u32 {
    const ZERO: Self = 0;
    fn at_most(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }
    fn get(self) -> u64 {
        u64::from(self)
    }
    fn with(self, value: u64) -> Option<Self> {
        self.checked_add(Self::try_from(value).ok()?)
    }
    fn plus(self, other: Self) -> Self {
        self + other
    }
    fn minus(self, other: Self) -> Self {
        self - other
    }
}

impl Amount for u64 {
    const ZERO: Self = 0;
    fn at_most(value: u64) -> Self {
        value
    }
    fn get(self) -> u64 {
        self
    }
    fn with(self, value: u64) -> Option<Self> {
        self.checked_add(value)
    }
    fn plus(self, other: Self) -> Self {
        self + other
    }
    fn minus(self, other: Self) -> Self {
        self - other
    }
}
