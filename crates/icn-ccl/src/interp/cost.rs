//! What work and memory a call takes. Compiled modules count the same at the same places.
use crate::{
    fault::{FaultCode, Stop},
    limits::{MAX_CONSTANT_BYTES, MAX_CONSTANT_WORK, MAX_HEAP_BYTES, MAX_WORK},
    source::Span,
    types::{Type, Types},
    value::Value,
};
use core::cmp::Ordering;

/// Bytes that a text takes: its length, then its bytes, up to the next multiple of eight.
pub(super) const fn text(bytes: usize) -> usize {
    8 + bytes.next_multiple_of(8)
}

/// Bytes that a list takes: its length, then its elements.
pub(super) const fn list(elements: usize) -> usize {
    8 + 8 * elements
}

/// Bytes that a map takes: its length, then key and value of each entry.
pub(super) const fn map(entries: usize) -> usize {
    8 + 16 * entries
}

/// Bytes that a record takes: its fields.
pub(super) const fn record(fields: usize) -> usize {
    8 * fields
}

/// Bytes that a variant takes: which, then its values.
pub(super) const fn variant(values: usize) -> usize {
    8 + 8 * values
}

/// Bytes that a Ratio takes.
pub(super) const RATIO: usize = 16;

/// Bytes that a value takes with all that is in it, nothing shared.
pub(super) fn heap_bytes(types: &Types, ty: &Type, value: &Value) -> usize {
    match (ty, value) {
        (Type::Ratio, _) => RATIO,
        (_, Value::Text(bytes)) => text(bytes.len()),
        (Type::Option(of), Value::Option(Some(value))) => 8 + heap_bytes(types, of, value),
        (Type::List(of), Value::List(values)) => {
            list(values.len())
                + values
                    .iter()
                    .map(|value| heap_bytes(types, of, value))
                    .sum::<usize>()
        }
        (Type::Map(key, of), Value::Map(entries)) => {
            let inner = entries
                .iter()
                .map(|entry| heap_bytes(types, key, &entry.0) + heap_bytes(types, of, &entry.1));
            map(entries.len()) + inner.sum::<usize>()
        }
        (Type::Record(id), Value::Record(values)) => {
            let fields = types.record(*id).fields.iter().zip(values.iter());
            record(values.len())
                + fields
                    .map(|((_, ty), value)| heap_bytes(types, ty, value))
                    .sum::<usize>()
        }
        (Type::Enum(id), Value::Variant(place, values)) if !types.is_scalar(ty) => {
            let expected = &types.enumeration(*id).variants[*place as usize].1;
            let inner = expected
                .iter()
                .zip(values.iter())
                .map(|(ty, value)| heap_bytes(types, ty, value));
            variant(values.len()) + inner.sum::<usize>()
        }
        _ => 0,
    }
}

/// What is left for a call.
pub(super) struct Meter {
    work: i64,
    heap_bytes: i64,
}

fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            work: MAX_WORK,
            heap_bytes: MAX_HEAP_BYTES,
        }
    }

    /// What the computation of a constant may take, so that compiling stays quick.
    pub(super) fn for_constants() -> Self {
        Self {
            work: MAX_CONSTANT_WORK,
            heap_bytes: MAX_CONSTANT_BYTES,
        }
    }

    /// Does `units` of work.
    pub(super) fn work(&mut self, units: usize, span: Span) -> Result<(), Stop> {
        self.work = self.work.saturating_sub(count(units));
        if self.work < 0 {
            let code = FaultCode::Work;
            return Err(Stop::Fault { code, span });
        }
        Ok(())
    }

    /// Takes `bytes` of memory.
    pub(super) fn allocate(&mut self, bytes: usize, span: Span) -> Result<(), Stop> {
        self.heap_bytes = self.heap_bytes.saturating_sub(count(bytes));
        if self.heap_bytes < 0 {
            let code = FaultCode::Memory;
            return Err(Stop::Fault { code, span });
        }
        Ok(())
    }

    /// Compares texts: one unit, and one for every 64 bytes that may have to be looked at.
    fn compare_texts(&mut self, a: &str, b: &str, span: Span) -> Result<Ordering, Stop> {
        self.work(1 + a.len().min(b.len()) / 64, span)?;
        Ok(a.cmp(b))
    }

    /// The order of two values that have one.
    pub(super) fn order(&mut self, a: &Value, b: &Value, span: Span) -> Result<Ordering, Stop> {
        match (a, b) {
            (Value::Text(a), Value::Text(b)) => self.compare_texts(a, b, span),
            _ => Ok(a.cmp(b)),
        }
    }

    /// Whether two values of a type are equal; stops at the first difference.
    pub(super) fn equal(
        &mut self,
        types: &Types,
        ty: &Type,
        a: &Value,
        b: &Value,
        span: Span,
    ) -> Result<bool, Stop> {
        match (a, b) {
            (Value::Text(a), Value::Text(b)) => {
                self.work(1, span)?;
                if a.len() != b.len() {
                    return Ok(false);
                }
                self.work(a.len() / 64, span)?;
                Ok(a == b)
            }
            (Value::Option(a), Value::Option(b)) => {
                self.work(1, span)?;
                match (a, b, ty) {
                    (Some(a), Some(b), Type::Option(of)) => self.equal(types, of, a, b, span),
                    _ => Ok(a.is_none() && b.is_none()),
                }
            }
            (Value::List(a), Value::List(b)) => {
                let Type::List(of) = ty else {
                    unreachable!("a list has the type of one")
                };
                self.work(1, span)?;
                if a.len() != b.len() {
                    return Ok(false);
                }
                self.work(a.len(), span)?;
                self.all_equal(types, a.iter().zip(b.iter()).map(|(a, b)| (&**of, a, b)), span)
            }
            (Value::Map(a), Value::Map(b)) => {
                let Type::Map(key, of) = ty else {
                    unreachable!("a map has the type of one")
                };
                self.work(1, span)?;
                if a.len() != b.len() {
                    return Ok(false);
                }
                self.work(a.len(), span)?;
                let pairs = a.iter().zip(b.iter());
                let flat = pairs.flat_map(|(a, b)| [(&**key, &a.0, &b.0), (&**of, &a.1, &b.1)]);
                self.all_equal(types, flat, span)
            }
            (Value::Record(a), Value::Record(b)) => {
                let Type::Record(id) = ty else {
                    unreachable!("a record has the type of one")
                };
                self.work(1, span)?;
                let fields = types.record(*id).fields.iter().map(|(_, ty)| ty);
                self.all_equal(
                    types,
                    fields.zip(a.iter().zip(b.iter())).map(|(ty, (a, b))| (ty, a, b)),
                    span,
                )
            }
            (Value::Variant(place, a), Value::Variant(other, b)) => {
                let Type::Enum(id) = ty else {
                    unreachable!("a variant has the type of one")
                };
                if types.is_scalar(ty) {
                    return Ok(place == other);
                }
                self.work(1, span)?;
                if place != other {
                    return Ok(false);
                }
                let expected = types.enumeration(*id).variants[*place as usize].1.iter();
                self.all_equal(
                    types,
                    expected
                        .zip(a.iter().zip(b.iter()))
                        .map(|(ty, (a, b))| (ty, a, b)),
                    span,
                )
            }
            _ => Ok(a == b),
        }
    }

    fn all_equal<'v>(
        &mut self,
        types: &Types,
        pairs: impl Iterator<Item = (&'v Type, &'v Value, &'v Value)>,
        span: Span,
    ) -> Result<bool, Stop> {
        for (ty, a, b) in pairs {
            if !self.equal(types, ty, a, b, span)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
