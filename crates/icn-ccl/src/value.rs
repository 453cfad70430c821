//! Values, and their one canonical encoding: the input and the result of a policy.
//!
//! The bytes carry no types; both sides know them from the interface. Numbers are little-endian.
//!
//! | type | bytes |
//! |---|---|
//! | Bool | 1: 0 or 1 |
//! | Int, Time, Duration, Mana, Amount | 8, two's complement |
//! | Ratio | 16: numerator, denominator, in lowest terms, denominator positive |
//! | Text, Did, Cid | 4 for the length, then UTF-8; identities and content ids in their text form |
//! | Option | 1: 0, or 1 and the value |
//! | List | 4 for the count, then the elements |
//! | Map | 4 for the count, then key and value of each entry, keys strictly ascending |
//! | record | the fields in the order of their declaration |
//! | enum | 1 for the variant, then its values |
use crate::{
    limits::{MAX_ELEMENTS, MAX_TEXT_BYTES},
    number::Ratio,
    types::{Type, Types},
};
use icn_model::{Cid, Did, Mana, Millis, Time};
use std::sync::Arc;

/// A value of the language. Which type it has is known from where it stands.
///
/// The order is that of map keys: numbers by size, texts by bytes, variants by their place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// The value of what is done for its effect.
    Unit,
    /// A Bool.
    Bool(bool),
    /// An Int; a Time or Duration in milliseconds; a Mana in thousandths; an Amount in minor units.
    Number(i64),
    /// A Ratio.
    Ratio(Ratio),
    /// A Text; a Did or Cid in its text form.
    Text(Arc<str>),
    /// An Option.
    Option(Option<Arc<Value>>),
    /// A List.
    List(Arc<Vec<Value>>),
    /// A Map, keys strictly ascending.
    Map(Arc<Vec<(Value, Value)>>),
    /// A record: its fields in the order of their declaration.
    Record(Arc<Vec<Value>>),
    /// A variant of an enum: its place, and its values.
    Variant(u32, Arc<Vec<Value>>),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(value)
    }
}

impl From<Ratio> for Value {
    fn from(value: Ratio) -> Self {
        Self::Ratio(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.into())
    }
}

impl From<Did> for Value {
    fn from(value: Did) -> Self {
        Self::Text(value.to_string().into())
    }
}

impl From<Cid> for Value {
    fn from(value: Cid) -> Self {
        Self::Text(value.to_string().into())
    }
}

/// Numbers beyond what the language counts are taken as the largest it counts.
pub(crate) fn natural(value: u64) -> Value {
    Value::Number(i64::try_from(value).unwrap_or(i64::MAX))
}

impl From<Mana> for Value {
    fn from(value: Mana) -> Self {
        natural(value.milli())
    }
}

impl From<Time> for Value {
    fn from(value: Time) -> Self {
        natural(value.get())
    }
}

impl From<Millis> for Value {
    fn from(value: Millis) -> Self {
        natural(value.get())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        Self::Option(value.map(|value| Arc::new(value.into())))
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(Arc::new(values.into_iter().map(Into::into).collect()))
    }
}

impl Value {
    /// A record with these fields, in the order of their declaration.
    pub fn record(fields: Vec<Self>) -> Self {
        Self::Record(Arc::new(fields))
    }

    /// The variant at `place`, with its values.
    pub fn variant(place: u32, values: Vec<Self>) -> Self {
        Self::Variant(place, Arc::new(values))
    }

    /// The number, if it is one.
    pub const fn as_number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

/// Why bytes are no value, or a value has no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The value is of another type.
    #[error("the value is not of the type that is expected here")]
    Type,
    /// Something is larger than the language allows.
    #[error("a text, list or map is larger than the language allows, or all of it than the interface does")]
    Size,
    /// The bytes end early.
    #[error("the bytes end within the value")]
    Short,
    /// The bytes go on.
    #[error("there are bytes behind the value")]
    Long,
    /// The bytes are not the canonical form of a value.
    #[error("the bytes are not the canonical form of a value")]
    Form,
}

/// The bytes of `value`, which is of type `ty`, at most `limit` of them.
///
/// # Errors
/// A value of another type, or one that is too large.
pub fn encode(types: &Types, ty: &Type, value: &Value, limit: usize) -> Result<Vec<u8>, ValueError> {
    let mut bytes = Vec::new();
    write(types, ty, value, &mut bytes, limit)?;
    Ok(bytes)
}

fn put(bytes: &mut Vec<u8>, more: &[u8], limit: usize) -> Result<(), ValueError> {
    if bytes.len() + more.len() > limit {
        return Err(ValueError::Size);
    }
    bytes.extend_from_slice(more);
    Ok(())
}

fn put_count(bytes: &mut Vec<u8>, count: usize, most: usize, limit: usize) -> Result<(), ValueError> {
    let count = u32::try_from(count)
        .ok()
        .filter(|_| count <= most)
        .ok_or(ValueError::Size)?;
    put(bytes, &count.to_le_bytes(), limit)
}

fn write(
    types: &Types,
    ty: &Type,
    value: &Value,
    bytes: &mut Vec<u8>,
    limit: usize,
) -> Result<(), ValueError> {
    match (ty, value) {
        (Type::Unit, Value::Unit) => Ok(()),
        (Type::Bool, Value::Bool(value)) => put(bytes, &[u8::from(*value)], limit),
        (Type::Int | Type::Amount(_), Value::Number(number)) => put(bytes, &number.to_le_bytes(), limit),
        (Type::Time | Type::Duration | Type::Mana, Value::Number(number)) if *number >= 0 => {
            put(bytes, &number.to_le_bytes(), limit)
        }
        (Type::Ratio, Value::Ratio(ratio)) => {
            put(bytes, &ratio.numerator().to_le_bytes(), limit)?;
            put(bytes, &ratio.denominator().to_le_bytes(), limit)
        }
        (Type::Text | Type::Did | Type::Cid, Value::Text(text)) => {
            put_count(bytes, text.len(), MAX_TEXT_BYTES, limit)?;
            put(bytes, text.as_bytes(), limit)
        }
        (Type::Option(_), Value::Option(None)) => put(bytes, &[0], limit),
        (Type::Option(of), Value::Option(Some(value))) => {
            put(bytes, &[1], limit)?;
            write(types, of, value, bytes, limit)
        }
        (Type::List(of), Value::List(values)) => {
            put_count(bytes, values.len(), MAX_ELEMENTS, limit)?;
            values
                .iter()
                .try_for_each(|value| write(types, of, value, bytes, limit))
        }
        (Type::Map(key, of), Value::Map(entries)) => {
            put_count(bytes, entries.len(), MAX_ELEMENTS, limit)?;
            if !entries.is_sorted_by(|a, b| a.0 < b.0) {
                return Err(ValueError::Form);
            }
            entries.iter().try_for_each(|entry| {
                write(types, key, &entry.0, bytes, limit)?;
                write(types, of, &entry.1, bytes, limit)
            })
        }
        (Type::Record(id), Value::Record(values)) => {
            let fields = &types.record(*id).fields;
            write_all(types, fields.iter().map(|(_, ty)| ty), values, bytes, limit)
        }
        (Type::Enum(id), Value::Variant(place, values)) => {
            let variant = types.enumeration(*id).variants.get(*place as usize);
            let (_, expected) = variant.ok_or(ValueError::Type)?;
            put(
                bytes,
                &[u8::try_from(*place).map_err(|_| ValueError::Type)?],
                limit,
            )?;
            write_all(types, expected.iter(), values, bytes, limit)
        }
        _ => Err(ValueError::Type),
    }
}

fn write_all<'a>(
    types: &Types,
    expected: impl ExactSizeIterator<Item = &'a Type>,
    values: &[Value],
    bytes: &mut Vec<u8>,
    limit: usize,
) -> Result<(), ValueError> {
    if expected.len() != values.len() {
        return Err(ValueError::Type);
    }
    let mut pairs = expected.zip(values);
    pairs.try_for_each(|(ty, value)| write(types, ty, value, bytes, limit))
}

/// The value of type `ty` that `bytes` are, all of them.
///
/// # Errors
/// Bytes that are not the canonical form of such a value.
pub fn decode(types: &Types, ty: &Type, bytes: &[u8]) -> Result<Value, ValueError> {
    let mut rest = bytes;
    let value = read(types, ty, &mut rest)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(ValueError::Long)
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], ValueError> {
    let (taken, after) = rest.split_at_checked(count).ok_or(ValueError::Short)?;
    *rest = after;
    Ok(taken)
}

fn take_number(rest: &mut &[u8]) -> Result<i64, ValueError> {
    let bytes = take(rest, 8)?.try_into().map_err(|_| ValueError::Short)?;
    Ok(i64::from_le_bytes(bytes))
}

fn take_count(rest: &mut &[u8], most: usize) -> Result<usize, ValueError> {
    let bytes = take(rest, 4)?.try_into().map_err(|_| ValueError::Short)?;
    let count = usize::try_from(u32::from_le_bytes(bytes)).map_err(|_| ValueError::Size)?;
    if count > most {
        Err(ValueError::Size)
    } else {
        Ok(count)
    }
}

fn read(types: &Types, ty: &Type, rest: &mut &[u8]) -> Result<Value, ValueError> {
    Ok(match ty {
        Type::Unit => Value::Unit,
        Type::Bool => match take(rest, 1)? {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => return Err(ValueError::Form),
        },
        Type::Int | Type::Amount(_) => Value::Number(take_number(rest)?),
        Type::Time | Type::Duration | Type::Mana => {
            let number = take_number(rest)?;
            Value::Number(if number < 0 {
                return Err(ValueError::Form);
            } else {
                number
            })
        }
        Type::Ratio => {
            let (numerator, denominator) = (take_number(rest)?, take_number(rest)?);
            Value::Ratio(Ratio::reduced(numerator, denominator).ok_or(ValueError::Form)?)
        }
        Type::Text | Type::Did | Type::Cid => {
            let length = take_count(rest, MAX_TEXT_BYTES)?;
            let text = core::str::from_utf8(take(rest, length)?).map_err(|_| ValueError::Form)?;
            let valid = match ty {
                Type::Did => text.parse::<Did>().is_ok_and(|did| did.to_string() == text),
                Type::Cid => text.parse::<Cid>().is_ok(),
                _ => true,
            };
            if valid {
                Value::from(text)
            } else {
                return Err(ValueError::Form);
            }
        }
        Type::Option(of) => match take(rest, 1)? {
            [0] => Value::Option(None),
            [1] => Value::Option(Some(Arc::new(read(types, of, rest)?))),
            _ => return Err(ValueError::Form),
        },
        Type::List(of) => {
            let count = take_count(rest, MAX_ELEMENTS)?;
            let values = (0..count).map(|_| read(types, of, rest));
            Value::List(Arc::new(values.collect::<Result<_, _>>()?))
        }
        Type::Map(key, of) => {
            let count = take_count(rest, MAX_ELEMENTS)?;
            let entries = (0..count).map(|_| Ok((read(types, key, rest)?, read(types, of, rest)?)));
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            if !entries.is_sorted_by(|a, b| a.0 < b.0) {
                return Err(ValueError::Form);
            }
            Value::Map(Arc::new(entries))
        }
        Type::Record(id) => {
            let fields = types.record(*id).fields.iter();
            let values = fields.map(|(_, ty)| read(types, ty, rest));
            Value::record(values.collect::<Result<_, _>>()?)
        }
        Type::Enum(id) => {
            let place = take(rest, 1)?[0];
            let variant = types.enumeration(*id).variants.get(usize::from(place));
            let (_, expected) = variant.ok_or(ValueError::Form)?;
            let values = expected.iter().map(|ty| read(types, ty, rest));
            Value::variant(place.into(), values.collect::<Result<_, _>>()?)
        }
        Type::Never | Type::Error => return Err(ValueError::Type),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_values_are_one_to_one() {
        let types = Types::default();
        let ty = Type::map(Type::Text, Type::option(Type::list(Type::Ratio)));
        let half = Value::from(vec![Ratio::new(1, 2).unwrap()]);
        let value = Value::Map(Arc::new(vec![
            (Value::from("a"), Value::Option(None)),
            (Value::from("b"), Value::Option(Some(Arc::new(half)))),
        ]));
        let bytes = encode(&types, &ty, &value, 1_000).unwrap();
        assert_eq!(decode(&types, &ty, &bytes), Ok(value.clone()));
        assert_eq!(
            encode(&types, &ty, &value, bytes.len() - 1),
            Err(ValueError::Size)
        );
        for cut in 0..bytes.len() {
            assert!(decode(&types, &ty, &bytes[..cut]).is_err());
        }
        assert_eq!(
            decode(&types, &ty, &[&bytes[..], &[0]].concat()),
            Err(ValueError::Long)
        );
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        let types = Types::default();
        let two_quarters = [2i64.to_le_bytes(), 4i64.to_le_bytes()].concat();
        assert_eq!(decode(&types, &Type::Ratio, &two_quarters), Err(ValueError::Form));
        assert_eq!(decode(&types, &Type::Bool, &[2]), Err(ValueError::Form));
        assert_eq!(
            decode(&types, &Type::Mana, &(-1i64).to_le_bytes()),
            Err(ValueError::Form)
        );
        let many = u32::MAX.to_le_bytes();
        assert_eq!(
            decode(&types, &Type::list(Type::Unit), &many),
            Err(ValueError::Size)
        );
    }
}
