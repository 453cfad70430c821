//! Comparisons that depend on the type.
use super::{
    builder::Builder,
    collections::element,
    key::{Key, Memory, Texts},
    low::{Code, Cond, Do, Low, Var, add, eq, give, load, lt, ne, set, when},
};
use crate::types::Type;

const A: Var = Var(0);
const B: Var = Var(1);
const SITE: Var = Var(2);

/// Whether two values of type `ty` are equal.
pub(super) fn equality(builder: &mut Builder<'_>, ty: &Type, a: Low, b: Low, site: Low) -> Cond {
    if builder.types().is_scalar(ty) {
        return eq(a, b);
    }
    let call = if ty.is_textual() {
        builder.call(Texts::Equal, [a, b, site])
    } else {
        builder.call(Key::Equal(ty.clone()), [a, b, site])
    };
    Cond::True(call)
}

/// Gives 0 unless the values at `offset` of A and B are equal.
fn unless_equal(builder: &mut Builder<'_>, ty: &Type, offset: u32) -> Do {
    let equal = equality(builder, ty, load(A, offset), load(B, offset), SITE.into());
    Do::If(equal, Vec::new(), vec![give(0)])
}

/// Compares two values that are not scalars; stops at the first difference.
pub(super) fn equal(builder: &mut Builder<'_>, ty: &Type) -> Code {
    let one = builder.call(Memory::Work, [Low::Int(1), SITE.into()]);
    let mut body = vec![Do::Forget(one)];
    match ty {
        Type::Ratio => {
            // Work is counted for what can be large only.
            body = vec![
                unless_equal(builder, &Type::Int, 0),
                unless_equal(builder, &Type::Int, 8),
            ];
        }
        Type::Option(of) => {
            let none = vec![give(Low::Truth(Box::new(eq(A, B))))];
            body.push(when(eq(A, 0), none));
            body.push(when(eq(B, 0), vec![give(0)]));
            body.push(unless_equal(builder, of, 0));
        }
        Type::List(of) => elements(builder, &mut body, of, None),
        Type::Map(key, of) => elements(builder, &mut body, key, Some(of)),
        Type::Record(id) => {
            for (offset, (_, field)) in (0u32..).step_by(8).zip(&builder.types().record(*id).fields) {
                let part = unless_equal(builder, field, offset);
                body.push(part);
            }
        }
        Type::Enum(id) => {
            body.push(when(ne(load(A, 0), load(B, 0)), vec![give(0)]));
            for (place, (_, values)) in (0i64..).zip(&builder.types().enumeration(*id).variants) {
                let parts = (8u32..).step_by(8).zip(values);
                let parts: Vec<_> = parts
                    .map(|(offset, ty)| unless_equal(builder, ty, offset))
                    .collect();
                if !parts.is_empty() {
                    body.push(when(eq(load(A, 0), place), parts));
                }
            }
        }
        // Scalars and texts are compared elsewhere.
        _ => builder.give_up("a comparison of what has no value"),
    }
    body.push(give(1));
    Code::new(3, 5, body)
}

/// Compares the elements of lists, or the entries of maps.
fn elements(builder: &mut Builder<'_>, body: &mut Vec<Do>, of: &Type, values: Option<&Type>) {
    let at = Var(3);
    let work = builder.call(Memory::Work, [load(A, 0), SITE.into()]);
    let stride = if values.is_some() { 16 } else { 8 };
    let here = |list: Var, offset: u32| load(add(list, super::low::mul(at, stride)), offset);
    let mut turn = Vec::new();
    for (offset, ty) in (8u32..).step_by(8).zip([Some(of), values].into_iter().flatten()) {
        let equal = equality(builder, ty, here(A, offset), here(B, offset), SITE.into());
        turn.push(Do::If(equal, Vec::new(), vec![give(0)]));
    }
    turn.push(set(at, add(at, 1)));
    body.push(when(ne(load(A, 0), load(B, 0)), vec![give(0)]));
    body.push(Do::Forget(work));
    body.push(Do::While(lt(at, load(A, 0)), turn));
}

/// (list, value, site) says whether one of the elements is equal to the value.
pub(super) fn contains(builder: &mut Builder<'_>, of: &Type) -> Code {
    let at = Var(3);
    let work = builder.call(Memory::Work, [load(A, 0), SITE.into()]);
    let equal = equality(builder, of, load(element(A, at), 8), B.into(), SITE.into());
    let body = vec![
        Do::Forget(work),
        Do::While(
            lt(at, load(A, 0)),
            vec![when(equal, vec![give(1)]), set(at, add(at, 1))],
        ),
        give(0),
    ];
    Code::new(3, 4, body)
}
