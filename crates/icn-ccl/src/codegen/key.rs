//! The functions that a module may have, each with what it is given.
use crate::{ir::FunctionId, number::Rounding, types::Type};

/// What a function of a module is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Tells where the input goes.
    Input,
    /// Calls a function of the program from outside.
    Outer(FunctionId),
    /// A function of the program.
    User(FunctionId),
    /// Reads a value of the input.
    Decode(Type),
    /// Writes a value into the outcome.
    Encode(Type),
    /// Compares two values.
    Equal(Type),
    /// Puts a value into a text.
    Format(Type),
    /// Looks for a value in a list of such.
    Contains(Type),
    Memory(Memory),
    Arithmetic(Arithmetic),
    Texts(Texts),
    Collections(Collections),
}

/// What every function needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Memory {
    /// (bytes, site) gives an address.
    Allocate,
    /// (units, site)
    Work,
    /// (code, site) does not return.
    Fault,
    /// (text, site) does not return.
    Refuse,
}

/// Numbers and Ratios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Arithmetic {
    /// (a, b, site)
    Add,
    /// (a, b, site)
    Subtract,
    /// (a, b, site)
    Multiply,
    /// (a, b, site)
    Quotient,
    /// (a, b, site)
    Remainder,
    /// (a, site) gives a, which is not negative.
    Natural,
    /// (a, b), of which one is not zero, gives the greatest number that divides both.
    Gcd,
    /// (a, b), b positive
    Round(Rounding),
    /// (a, ratio, site)
    Scale(Rounding),
    /// (a, b, site), in lowest terms, gives a Ratio.
    RatioOf,
    /// (a, b, site) gives a Ratio.
    RatioNew,
    /// (ratio, ratio, site)
    RatioAdd,
    /// (ratio, ratio, site)
    RatioSubtract,
    /// (ratio, ratio, site)
    RatioMultiply,
    /// (ratio, ratio, site)
    RatioDivide,
    /// (above, below, above, below, site)
    RatioSum,
    /// (above, below, above, below, site)
    RatioProduct,
    /// (ratio, ratio) gives -1, 0 or 1.
    RatioOrder,
}

/// Texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Texts {
    /// (length, site) gives a text whose bytes are still to be written.
    New,
    /// (address, address, length) says whether the bytes are the same.
    SameBytes,
    /// (text, text, site) says whether they are equal.
    Equal,
    /// (text, text) gives -1, 0 or 1.
    Compare,
    /// (text, text, site) gives -1, 0 or 1, and counts the work.
    Order,
    /// (text, text, site)
    Contains,
    /// (text, text, site)
    StartsWith,
    /// (address, text) writes the bytes of the text there and gives the address behind them.
    Append,
    /// (number without sign, address, digits) writes at least so many digits before the address and gives
    /// that of the first.
    Digits,
    /// (text, address) writes the text before the address and gives that of its first byte.
    Prepend,
    /// (address, site) gives the text of what was written from there to the end of the scratch.
    Finish,
}

/// Lists, maps and options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Collections {
    /// (value, site) gives an Option.
    Some,
    /// (length, site) gives a list whose elements are still to be written.
    ListNew,
    /// (list, index, site)
    ListIndex,
    /// (list, index, site) gives an Option.
    ListGet,
    /// (list, value, site)
    ListPush,
    /// (list, list, site)
    ListConcat,
    /// (list, site)
    ListSum,
    /// (list, site), of Ratios
    RatioSum,
    /// (length, site) gives a map whose entries are still to be written.
    MapNew,
    /// (map, key, site) gives twice the place of the first key that is not less, and one more if it is equal.
    MapSearch(Keys),
    /// (map, key, site)
    MapIndex(Keys),
    /// (map, key, site) gives an Option.
    MapGet(Keys),
    /// (map, key, value, site)
    MapInsert(Keys),
    /// (map, key, site)
    MapRemove(Keys),
    /// (map, 8 for keys or 16 for values, site) gives a list.
    MapColumn,
}

/// How keys are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Keys {
    Numbers,
    Texts,
}

impl Keys {
    pub(super) fn of(ty: &Type) -> Self {
        if ty.is_textual() {
            Self::Texts
        } else {
            Self::Numbers
        }
    }
}

impl From<Memory> for Key {
    fn from(helper: Memory) -> Self {
        Self::Memory(helper)
    }
}

impl From<Arithmetic> for Key {
    fn from(helper: Arithmetic) -> Self {
        Self::Arithmetic(helper)
    }
}

impl From<Texts> for Key {
    fn from(helper: Texts) -> Self {
        Self::Texts(helper)
    }
}

impl From<Collections> for Key {
    fn from(helper: Collections) -> Self {
        Self::Collections(helper)
    }
}
