//! Inputs from bytes, results to bytes: the encoding of [`crate::value`].
use super::{
    builder::Builder,
    collections::element,
    key::{Arithmetic, Collections, Key, Keys, Memory, Texts},
    low::{
        Code, Cond, Do, Low, Var, add, copy, eq, ge, give, gt, gt_unsigned, load, load_byte, load_word, lt,
        ne, or, set, store, store_byte, store_word, sub, when,
    },
    memory::{CURSOR, INPUT_END, fault},
};
use crate::{
    abi::OUTCOME_ADDRESS,
    fault::FaultCode,
    limits::{MAX_ELEMENTS, MAX_RESULT_BYTES, MAX_TEXT_BYTES},
    types::{EnumId, RecordId, Type},
};

/// Where the input is wrong, there is no place in the source to name.
const NOWHERE: Low = Low::Int(0);

fn limit(most: usize) -> i64 {
    i64::try_from(most).expect("limits are small")
}

fn wrong_if(builder: &mut Builder<'_>, condition: Cond) -> Do {
    when(condition, fault(builder, FaultCode::Input, NOWHERE))
}

/// Moves the cursor over so many bytes of the input, and keeps where they begin.
fn take(builder: &mut Builder<'_>, at: Var, bytes: impl Into<Low> + Clone) -> Vec<Do> {
    vec![
        set(at, CURSOR),
        wrong_if(builder, gt_unsigned(bytes.clone(), sub(INPUT_END, at))),
        Do::SetGlobal(CURSOR, add(at, bytes)),
    ]
}

fn take_count(builder: &mut Builder<'_>, at: Var, count: Var, most: usize) -> Vec<Do> {
    let mut body = take(builder, at, 4);
    body.push(set(count, load_word(at, 0)));
    body.push(wrong_if(builder, gt(count, limit(most))));
    body
}

fn decoded(builder: &mut Builder<'_>, ty: &Type) -> Low {
    builder.call(Key::Decode(ty.clone()), [])
}

/// Reads a value of type `ty` from the cursor on.
pub(super) fn decode(builder: &mut Builder<'_>, ty: &Type) -> Code {
    let (at, value) = (Var(0), Var(1));
    let body = match ty {
        Type::Unit => vec![give(0)],
        Type::Bool => tag(builder, 2),
        Type::Enum(id) if builder.types().is_scalar(ty) => {
            let count = builder.types().enumeration(*id).variants.len();
            tag(builder, count)
        }
        Type::Enum(id) => return decode_variant(builder, *id),
        Type::Ratio => return decode_ratio(builder),
        Type::Option(of) => {
            let mut body = take(builder, at, 1);
            let inner = decoded(builder, of);
            let some = builder.call(Collections::Some, [inner, NOWHERE]);
            body.push(when(eq(load_byte(at, 0), 0), vec![give(0)]));
            body.push(wrong_if(builder, gt(load_byte(at, 0), 1)));
            body.push(give(some));
            body
        }
        Type::List(of) => return decode_list(builder, of),
        Type::Map(key, of) => return decode_map(builder, key, of),
        Type::Record(id) => return decode_record(builder, *id),
        _ if ty.is_textual() => {
            let length = Var(2);
            let mut body = take_count(builder, at, length, MAX_TEXT_BYTES);
            body.extend(take(builder, at, length));
            let new = builder.call(Texts::New, [length.into(), NOWHERE]);
            body.extend([set(value, new), copy(add(value, 8), at, length), give(value)]);
            body
        }
        _ => {
            let mut body = take(builder, at, 8);
            body.push(set(value, load(at, 0)));
            if ty.is_natural() {
                body.push(wrong_if(builder, lt(value, 0)));
            }
            body.push(give(value));
            body
        }
    };
    Code::new(0, 3, body)
}

/// A byte below `count`.
fn tag(builder: &mut Builder<'_>, count: usize) -> Vec<Do> {
    let (at, value) = (Var(0), Var(1));
    let mut body = take(builder, at, 1);
    body.push(set(value, load_byte(at, 0)));
    body.push(wrong_if(builder, ge(value, limit(count))));
    body.push(give(value));
    body
}

fn decode_ratio(builder: &mut Builder<'_>) -> Code {
    let (at, above, below) = (Var(0), Var(1), Var(2));
    let shared = builder.call(Arithmetic::Gcd, [above.into(), below.into()]);
    let new = builder.call(Arithmetic::RatioOf, [above.into(), below.into(), NOWHERE]);
    let mut body = take(builder, at, 16);
    body.extend([set(above, load(at, 0)), set(below, load(at, 8))]);
    let unfit = or(lt(below, 1), eq(above, i64::MIN));
    body.push(wrong_if(builder, or(unfit, ne(shared, 1))));
    body.push(give(new));
    Code::new(0, 3, body)
}

fn decode_record(builder: &mut Builder<'_>, id: RecordId) -> Code {
    let record = Var(0);
    let fields = &builder.types().record(id).fields;
    let bytes = Low::Int(8 * limit(fields.len()));
    let mut body = vec![set(record, builder.call(Memory::Allocate, [bytes, NOWHERE]))];
    for (offset, (_, ty)) in (0u32..).step_by(8).zip(fields) {
        let value = decoded(builder, ty);
        body.push(store(record, offset, value));
    }
    body.push(give(record));
    Code::new(0, 1, body)
}

fn decode_variant(builder: &mut Builder<'_>, id: EnumId) -> Code {
    let (at, place, variant) = (Var(0), Var(1), Var(2));
    let mut body = take(builder, at, 1);
    body.push(set(place, load_byte(at, 0)));
    for (number, (_, values)) in (0i64..).zip(&builder.types().enumeration(id).variants) {
        let bytes = Low::Int(8 + 8 * limit(values.len()));
        let mut read = vec![
            set(variant, builder.call(Memory::Allocate, [bytes, NOWHERE])),
            store(variant, 0, number),
        ];
        for (offset, ty) in (8u32..).step_by(8).zip(values) {
            let value = decoded(builder, ty);
            read.push(store(variant, offset, value));
        }
        read.push(give(variant));
        body.push(when(eq(place, number), read));
    }
    body.extend(fault(builder, FaultCode::Input, NOWHERE));
    Code::new(0, 3, body)
}

fn decode_list(builder: &mut Builder<'_>, of: &Type) -> Code {
    let (at, count, list) = (Var(0), Var(1), Var(2));
    let mut body = take_count(builder, at, count, MAX_ELEMENTS);
    let new = builder.call(Collections::ListNew, [count.into(), NOWHERE]);
    let value = decoded(builder, of);
    body.extend([
        set(list, new),
        set(at, 0),
        Do::While(
            lt(at, count),
            vec![store(element(list, at), 8, value), set(at, add(at, 1))],
        ),
        give(list),
    ]);
    Code::new(0, 3, body)
}

fn decode_map(builder: &mut Builder<'_>, key: &Type, of: &Type) -> Code {
    let (at, count, map, entry) = (Var(0), Var(1), Var(2), Var(3));
    let mut body = take_count(builder, at, count, MAX_ELEMENTS);
    let new = builder.call(Collections::MapNew, [count.into(), NOWHERE]);
    let (read_key, read_value) = (decoded(builder, key), decoded(builder, of));
    // Reading is not work of the contract, so the comparison that counts none.
    let (before, here) = (load(sub(entry, 16), 0), load(entry, 0));
    let ascending = match Keys::of(key) {
        Keys::Numbers => lt(before, here),
        Keys::Texts => lt(builder.call(Texts::Compare, [before, here]), 0),
    };
    let not_ascending = super::low::and(gt(at, 0), super::low::not(ascending));
    let turn = vec![
        store(entry, 0, read_key),
        wrong_if(builder, not_ascending),
        store(entry, 8, read_value),
        set(entry, add(entry, 16)),
        set(at, add(at, 1)),
    ];
    body.extend([
        set(map, new),
        set(entry, add(map, 8)),
        set(at, 0),
        Do::While(lt(at, count), turn),
        give(map),
    ]);
    Code::new(0, 4, body)
}

/// Moves the cursor over so many bytes of the outcome, and keeps where they begin.
fn put(builder: &mut Builder<'_>, at: Var, bytes: impl Into<Low> + Clone) -> Vec<Do> {
    let end = i64::from(OUTCOME_ADDRESS) + 1 + limit(MAX_RESULT_BYTES);
    vec![
        set(at, CURSOR),
        when(
            gt(add(at, bytes.clone()), end),
            fault(builder, FaultCode::Size, SITE),
        ),
        Do::SetGlobal(CURSOR, add(at, bytes)),
    ]
}

const VALUE: Var = Var(0);
const SITE: Var = Var(1);

fn encoded(builder: &mut Builder<'_>, ty: &Type, value: Low) -> Do {
    Do::Forget(builder.call(Key::Encode(ty.clone()), [value, SITE.into()]))
}

/// (value, site) writes a value of type `ty` at the cursor.
pub(super) fn encode(builder: &mut Builder<'_>, ty: &Type) -> Code {
    let (at, turn) = (Var(2), Var(3));
    let mut body = Vec::new();
    match ty {
        Type::Unit => {}
        Type::Bool | Type::Enum(_) if builder.types().is_scalar(ty) => {
            body.extend(put(builder, at, 1));
            body.push(store_byte(at, 0, VALUE));
        }
        Type::Enum(id) => {
            body.extend(put(builder, at, 1));
            body.push(store_byte(at, 0, load(VALUE, 0)));
            for (number, (_, values)) in (0i64..).zip(&builder.types().enumeration(*id).variants) {
                let parts = (8u32..).step_by(8).zip(values);
                let parts = parts
                    .map(|(offset, ty)| encoded(builder, ty, load(VALUE, offset)))
                    .collect();
                body.push(when(eq(load(VALUE, 0), number), parts));
            }
        }
        Type::Ratio => {
            body.extend(put(builder, at, 16));
            body.extend([store(at, 0, load(VALUE, 0)), store(at, 8, load(VALUE, 8))]);
        }
        Type::Option(of) => {
            body.extend(put(builder, at, 1));
            body.push(store_byte(at, 0, Low::Truth(Box::new(ne(VALUE, 0)))));
            let inner = encoded(builder, of, load(VALUE, 0));
            body.push(when(ne(VALUE, 0), vec![inner]));
        }
        Type::List(of) => {
            body.extend(put_count(builder, at));
            let inner = encoded(builder, of, load(element(VALUE, turn), 8));
            body.push(Do::While(
                lt(turn, load(VALUE, 0)),
                vec![inner, set(turn, add(turn, 1))],
            ));
        }
        Type::Map(key, of) => {
            body.extend(put_count(builder, at));
            let entry = add(VALUE, super::low::mul(turn, 16));
            let key = encoded(builder, key, load(entry.clone(), 8));
            let value = encoded(builder, of, load(entry, 16));
            body.push(Do::While(
                lt(turn, load(VALUE, 0)),
                vec![key, value, set(turn, add(turn, 1))],
            ));
        }
        Type::Record(id) => {
            for (offset, (_, ty)) in (0u32..).step_by(8).zip(&builder.types().record(*id).fields) {
                let field = encoded(builder, ty, load(VALUE, offset));
                body.push(field);
            }
        }
        _ if ty.is_textual() => {
            body.extend(put_count(builder, at));
            body.extend(put(builder, at, load(VALUE, 0)));
            body.push(copy(at, add(VALUE, 8), load(VALUE, 0)));
        }
        _ => {
            body.extend(put(builder, at, 8));
            body.push(store(at, 0, VALUE));
        }
    }
    Code::new(2, 4, body)
}

fn put_count(builder: &mut Builder<'_>, at: Var) -> Vec<Do> {
    let mut body = put(builder, at, 4);
    body.push(store_word(at, 0, load(VALUE, 0)));
    body
}
