//! What is built in: methods by type, and functions. The checker and the reference take it from here.
use crate::{ir::Op, number::Rounding, types::Type};

/// What a method takes and gives.
pub(crate) struct Method {
    /// Types of the arguments.
    pub(crate) args: Vec<Type>,
    /// Type of the result.
    pub(crate) result: Type,
    /// What it does.
    pub(crate) op: Op,
}

/// Types with methods, what they are called, and what they do; for the reference and for suggestions.
pub const METHODS: &[(&str, &str, &str)] = &[
    ("Int, Amount", "abs()", "without its sign"),
    (
        "Int",
        "div(Int)",
        "the quotient, rounded down; a division by zero is a fault",
    ),
    (
        "Int",
        "rem(Int)",
        "what that division leaves; it has the sign of the divisor",
    ),
    (
        "Int, Mana, Duration, Amount",
        "times_floor(Ratio)",
        "times a fraction, rounded down",
    ),
    (
        "Int, Mana, Duration, Amount",
        "times_ceil(Ratio)",
        "times a fraction, rounded up",
    ),
    (
        "Int, Mana, Duration, Amount",
        "times_round(Ratio)",
        "times a fraction, rounded to the nearest, halves away from zero",
    ),
    (
        "Mana, Duration",
        "minus_or_zero(same)",
        "the difference, or zero where it would be below",
    ),
    (
        "Time",
        "since(Time)",
        "how long after the other moment; zero if it is before",
    ),
    ("Ratio", "floor()", "the Int that is not above it"),
    ("Ratio", "ceil()", "the Int that is not below it"),
    ("Ratio", "round()", "the nearest Int, halves away from zero"),
    ("Ratio", "numerator()", "the Int above the line, in lowest terms"),
    ("Ratio", "denominator()", "the Int below the line, at least 1"),
    ("Text", "len()", "how many bytes it has"),
    ("Text", "contains(Text)", "whether the other is in it"),
    ("Text", "starts_with(Text)", "whether it begins with the other"),
    ("Option<T>", "is_some()", "whether there is a value"),
    (
        "Option<T>",
        "otherwise(T)",
        "the value, or the other if there is none",
    ),
    ("List<T>", "len()", "how many elements it has"),
    (
        "List<T>",
        "get(Int)",
        "the element at that place, from 0, as an Option",
    ),
    (
        "List<T>",
        "contains(T)",
        "whether one of the elements is equal to that",
    ),
    ("List<T>", "push(T)", "the list with that at its end"),
    (
        "List<T>",
        "concat(List<T>)",
        "the list with the elements of the other at its end",
    ),
    ("List<T>", "sum()", "the sum of numbers; of an empty list zero"),
    ("Map<K, V>", "len()", "how many entries it has"),
    ("Map<K, V>", "get(K)", "the value under that key, as an Option"),
    ("Map<K, V>", "has(K)", "whether it has that key"),
    (
        "Map<K, V>",
        "insert(K, V)",
        "the map with that value under that key",
    ),
    ("Map<K, V>", "remove(K)", "the map without that key"),
    ("Map<K, V>", "keys()", "the keys in order"),
    ("Map<K, V>", "values()", "the values in the order of their keys"),
];

/// Functions that are built in, and what they do.
pub const FUNCTIONS: &[(&str, &str)] = &[
    (
        "require(Bool, Text)",
        "refuses with that reason unless the condition holds",
    ),
    ("refuse(Text)", "refuses with that reason"),
    ("min(a, b)", "the smaller of two values of one type"),
    ("max(a, b)", "the larger of two values of one type"),
    (
        "range(Int, Int)",
        "the numbers from the first to before the second; only behind `in` of a `for`",
    ),
    ("did(\"…\")", "an identity"),
    ("cid(\"…\")", "a content id"),
    ("time(\"2026-01-31T12:00:00Z\")", "a moment"),
    ("expect(Bool)", "in tests: a fault unless it holds"),
];

/// Names of the types that are built in.
pub const TYPES: [&str; 13] = [
    "Bool", "Int", "Ratio", "Text", "Did", "Cid", "Time", "Duration", "Mana", "Amount", "Option", "List",
    "Map",
];

/// The name in front of the parentheses.
fn bare(signature: &'static str) -> &'static str {
    signature.split('(').next().unwrap_or(signature)
}

/// Names of the built-in functions.
pub(crate) fn function_names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(signature, _)| bare(signature))
}

/// Names of the methods that values of type `receiver` have.
pub(crate) fn method_names(receiver: &Type) -> Vec<&'static str> {
    let names = METHODS.iter().map(|(_, signature, _)| bare(signature));
    names.filter(|name| method(receiver, name).is_some()).collect()
}

/// The method `name` of values of type `receiver`.
pub(crate) fn method(receiver: &Type, name: &str) -> Option<Method> {
    let of = |args: &[Type], result: Type, op: Op| {
        Some(Method {
            args: args.to_vec(),
            result,
            op,
        })
    };
    let this = || receiver.clone();
    match (receiver, name) {
        (Type::Int | Type::Amount(_), "abs") => of(&[], this(), Op::Abs),
        (Type::Int, "div") => of(&[Type::Int], Type::Int, Op::Quotient),
        (Type::Int, "rem") => of(&[Type::Int], Type::Int, Op::Remainder),
        (Type::Int | Type::Duration | Type::Mana | Type::Amount(_), _) if scaling(name).is_some() => {
            of(&[Type::Ratio], this(), Op::Scale(scaling(name)?))
        }
        (Type::Mana | Type::Duration, "minus_or_zero") => of(&[this()], this(), Op::MinusOrZero),
        (Type::Time, "since") => of(&[Type::Time], Type::Duration, Op::MinusOrZero),
        (Type::Ratio, "floor") => of(&[], Type::Int, Op::ToInt(Rounding::Floor)),
        (Type::Ratio, "ceil") => of(&[], Type::Int, Op::ToInt(Rounding::Ceil)),
        (Type::Ratio, "round") => of(&[], Type::Int, Op::ToInt(Rounding::Round)),
        (Type::Ratio, "numerator") => of(&[], Type::Int, Op::Numerator),
        (Type::Ratio, "denominator") => of(&[], Type::Int, Op::Denominator),
        (Type::Text, "len") => of(&[], Type::Int, Op::TextLength),
        (Type::Text, "contains") => of(&[Type::Text], Type::Bool, Op::TextContains),
        (Type::Text, "starts_with") => of(&[Type::Text], Type::Bool, Op::TextStartsWith),
        (Type::Option(_), "is_some") => of(&[], Type::Bool, Op::IsSome),
        (Type::Option(value), "otherwise") => of(&[(**value).clone()], (**value).clone(), Op::OptionOr),
        (Type::List(element), _) => list_method(receiver, element, name),
        (Type::Map(key, value), _) => map_method(receiver, key, value, name),
        _ => None,
    }
}

fn scaling(name: &str) -> Option<Rounding> {
    match name {
        "times_floor" => Some(Rounding::Floor),
        "times_ceil" => Some(Rounding::Ceil),
        "times_round" => Some(Rounding::Round),
        _ => None,
    }
}

fn list_method(list: &Type, element: &Type, name: &str) -> Option<Method> {
    let (args, result, op) = match name {
        "len" => (vec![], Type::Int, Op::Length),
        "get" => (vec![Type::Int], Type::option(element.clone()), Op::ListGet),
        "contains" => (vec![element.clone()], Type::Bool, Op::ListContains),
        "push" => (vec![element.clone()], list.clone(), Op::ListPush),
        "concat" => (vec![list.clone()], list.clone(), Op::ListConcat),
        "sum" if matches!(element, Type::Int | Type::Ratio) || element.is_quantity() => {
            (vec![], element.clone(), Op::ListSum)
        }
        _ => return None,
    };
    Some(Method { args, result, op })
}

fn map_method(map: &Type, key: &Type, value: &Type, name: &str) -> Option<Method> {
    let (args, result, op) = match name {
        "len" => (vec![], Type::Int, Op::Length),
        "get" => (vec![key.clone()], Type::option(value.clone()), Op::MapGet),
        "has" => (vec![key.clone()], Type::Bool, Op::MapHas),
        "insert" => (vec![key.clone(), value.clone()], map.clone(), Op::MapInsert),
        "remove" => (vec![key.clone()], map.clone(), Op::MapRemove),
        "keys" => (vec![], Type::list(key.clone()), Op::MapKeys),
        "values" => (vec![], Type::list(value.clone()), Op::MapValues),
        _ => return None,
    };
    Some(Method { args, result, op })
}
