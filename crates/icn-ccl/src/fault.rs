//! How a call ends when it does not end with a result.
use crate::source::Span;
use core::fmt;

macro_rules! faults {
    ($($name:ident = $number:literal, $word:literal, $text:literal;)*) => {
        /// Why a call has no result. The numbers and words are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FaultCode {
            $(#[doc = $text] $name = $number,)*
        }

        impl FaultCode {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word for it, as after `faults` in a test.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What happened.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

faults! {
    Overflow = 1, "overflow", "a number does not fit into 64 bits";
    DivisionByZero = 2, "division_by_zero", "a division by zero";
    Index = 3, "index", "an index outside of the list";
    MissingKey = 4, "missing_key", "a key that the map does not have";
    Size = 5, "size", "a text, list, map, range or result that is too large";
    Memory = 6, "memory", "more memory than a call may take";
    Work = 7, "work", "more work than a call may do";
    BelowZero = 8, "below_zero", "mana, a time or a duration below zero";
    Input = 9, "input", "an input that is not of the slot's type";
    Expectation = 10, "expectation", "an expectation of a test that does not hold";
}

impl FaultCode {
    /// The code with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| *code as u64 == number)
    }
}

/// The end of a call without a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The contract refuses, and says why.
    Refusal {
        /// The reason, for whoever asked.
        reason: String,
        /// Where the contract refuses.
        span: Span,
    },
    /// The contract could not be carried out.
    Fault {
        /// Why.
        code: FaultCode,
        /// Where; an input that is not of the slot's type is wrong nowhere in the contract.
        span: Span,
    },
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refusal { reason, .. } => write!(f, "refused: {reason}"),
            Self::Fault { code, .. } => write!(f, "fault {} ({}): {}", *code as u8, code.word(), code.text()),
        }
    }
}

impl core::error::Error for Stop {}
