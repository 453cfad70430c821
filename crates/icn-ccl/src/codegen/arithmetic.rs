//! Numbers and Ratios: the same steps as in [`crate::number`], with the same faults.
use super::{
    builder::Builder,
    key::{Arithmetic, Memory},
    low::{
        Code, Cond, Do, Low, Var, add, and, bits_and, bits_xor, choose, div, eq, ge, give, gt, load, lt, mul,
        ne, or, rem, rem_unsigned, set, store, sub, when,
    },
    memory::fault,
};
use crate::{fault::FaultCode, number::Rounding};

/// What most helpers are given, the place of the operation last.
const A: Var = Var(0);
const B: Var = Var(1);
const SITE: Var = Var(2);

pub(super) fn code(builder: &mut Builder<'_>, helper: Arithmetic) -> Code {
    match helper {
        Arithmetic::Add => {
            let sum = Var(3);
            let overflow = lt(bits_and(bits_xor(A, sum), bits_xor(B, sum)), 0);
            checked(builder, sum, add(A, B), overflow)
        }
        Arithmetic::Subtract => {
            let rest = Var(3);
            let overflow = lt(bits_and(bits_xor(A, B), bits_xor(A, rest)), 0);
            checked(builder, rest, sub(A, B), overflow)
        }
        Arithmetic::Multiply => multiply(builder),
        Arithmetic::Quotient => quotient(builder),
        Arithmetic::Remainder => remainder(builder),
        Arithmetic::Natural => {
            let below = fault(builder, FaultCode::BelowZero, B);
            Code::new(2, 2, vec![when(lt(A, 0), below), give(A)])
        }
        Arithmetic::Gcd => gcd(),
        Arithmetic::Round(rounding) => round(rounding),
        Arithmetic::Scale(rounding) => scale(builder, rounding),
        Arithmetic::RatioOf => {
            let address = Var(3);
            let new = builder.call(Memory::Allocate, [Low::Int(16), SITE.into()]);
            let body = vec![
                set(address, new),
                store(address, 0, A),
                store(address, 8, B),
                give(address),
            ];
            Code::new(3, 4, body)
        }
        Arithmetic::RatioNew => ratio_new(builder),
        Arithmetic::RatioAdd | Arithmetic::RatioSubtract => {
            let above = load(B, 0);
            let above = if helper == Arithmetic::RatioAdd {
                above
            } else {
                sub(0, above)
            };
            let args = [load(A, 0), load(A, 8), above, load(B, 8), SITE.into()];
            let sum = builder.call(Arithmetic::RatioSum, args);
            Code::new(3, 3, vec![give(sum)])
        }
        Arithmetic::RatioMultiply => {
            let args = [load(A, 0), load(A, 8), load(B, 0), load(B, 8), SITE.into()];
            let product = builder.call(Arithmetic::RatioProduct, args);
            Code::new(3, 3, vec![give(product)])
        }
        Arithmetic::RatioDivide => ratio_divide(builder),
        Arithmetic::RatioSum => ratio_sum(builder),
        Arithmetic::RatioProduct => ratio_product(builder),
        Arithmetic::RatioOrder => ratio_order(),
    }
}

fn overflow_if(builder: &mut Builder<'_>, condition: Cond, site: Var) -> Do {
    when(condition, fault(builder, FaultCode::Overflow, site))
}

fn checked(builder: &mut Builder<'_>, result: Var, value: Low, overflow: Cond) -> Code {
    let body = vec![
        set(result, value),
        overflow_if(builder, overflow, SITE),
        give(result),
    ];
    Code::new(3, 4, body)
}

fn multiply(builder: &mut Builder<'_>) -> Code {
    let product = Var(3);
    // The check divides by the first factor: 0 and -1 come before it.
    let negate = vec![overflow_if(builder, eq(B, i64::MIN), SITE), give(sub(0, B))];
    let body = vec![
        when(eq(A, 0), vec![give(0)]),
        when(eq(A, -1), negate),
        set(product, mul(A, B)),
        overflow_if(builder, ne(div(product, A), B), SITE),
        give(product),
    ];
    Code::new(3, 4, body)
}

/// Whether a remainder that is not zero has another sign than the divisor.
fn crosses(rest: Var) -> Cond {
    and(ne(rest, 0), lt(bits_xor(rest, B), 0))
}

fn quotient(builder: &mut Builder<'_>) -> Code {
    let rest = Var(3);
    let body = vec![
        when(eq(B, 0), fault(builder, FaultCode::DivisionByZero, SITE)),
        overflow_if(builder, and(eq(B, -1), eq(A, i64::MIN)), SITE),
        set(rest, rem(A, B)),
        give(choose(crosses(rest), sub(div(A, B), 1), div(A, B))),
    ];
    Code::new(3, 4, body)
}

fn remainder(builder: &mut Builder<'_>) -> Code {
    let rest = Var(3);
    let body = vec![
        when(eq(B, 0), fault(builder, FaultCode::DivisionByZero, SITE)),
        set(rest, rem(A, B)),
        give(choose(crosses(rest), add(rest, B), rest)),
    ];
    Code::new(3, 4, body)
}

fn gcd() -> Code {
    let rest = Var(2);
    let body = vec![
        when(lt(A, 0), vec![set(A, sub(0, A))]),
        when(lt(B, 0), vec![set(B, sub(0, B))]),
        Do::While(
            ne(B, 0),
            vec![set(rest, rem_unsigned(A, B)), set(A, B), set(B, rest)],
        ),
        give(A),
    ];
    Code::new(2, 3, body)
}

fn round(rounding: Rounding) -> Code {
    let (down, rest) = (Var(2), Var(3));
    let up = match rounding {
        Rounding::Floor => None,
        Rounding::Ceil => Some(ne(rest, 0)),
        Rounding::Round => {
            let half = and(eq(rest, sub(B, rest)), gt(A, 0));
            Some(or(gt(rest, sub(B, rest)), half))
        }
    };
    let mut body = vec![
        set(down, div(A, B)),
        set(rest, rem(A, B)),
        when(
            lt(rest, 0),
            vec![set(down, sub(down, 1)), set(rest, add(rest, B))],
        ),
    ];
    body.extend(up.map(|up| when(up, vec![set(down, add(down, 1))])));
    body.push(give(down));
    Code::new(2, 4, body)
}

fn scale(builder: &mut Builder<'_>, rounding: Rounding) -> Code {
    let (shared, product) = (Var(3), Var(4));
    let found = builder.call(Arithmetic::Gcd, [A.into(), load(B, 8)]);
    let multiplied = builder.call(Arithmetic::Multiply, [div(A, shared), load(B, 0), SITE.into()]);
    let rounded = builder.call(
        Arithmetic::Round(rounding),
        [product.into(), div(load(B, 8), shared)],
    );
    let body = vec![
        overflow_if(builder, eq(A, i64::MIN), SITE),
        set(shared, found),
        set(product, multiplied),
        overflow_if(builder, eq(product, i64::MIN), SITE),
        give(rounded),
    ];
    Code::new(3, 5, body)
}

fn ratio_new(builder: &mut Builder<'_>) -> Code {
    let shared = Var(3);
    let found = builder.call(Arithmetic::Gcd, [A.into(), B.into()]);
    let new = builder.call(Arithmetic::RatioOf, [div(A, shared), div(B, shared), SITE.into()]);
    let body = vec![
        when(eq(B, 0), fault(builder, FaultCode::DivisionByZero, SITE)),
        overflow_if(builder, or(eq(A, i64::MIN), eq(B, i64::MIN)), SITE),
        set(shared, found),
        when(lt(B, 0), vec![set(shared, sub(0, shared))]),
        give(new),
    ];
    Code::new(3, 4, body)
}

/// The numbers of two Ratios and the place of the operation.
const ABOVE: Var = Var(0);
const BELOW: Var = Var(1);
const OTHER_ABOVE: Var = Var(2);
const OTHER_BELOW: Var = Var(3);
const PARTS_SITE: Var = Var(4);

fn ratio_sum(builder: &mut Builder<'_>) -> Code {
    let (shared, sum, rest) = (Var(5), Var(6), Var(7));
    let site = || Low::from(PARTS_SITE);
    let found = builder.call(Arithmetic::Gcd, [BELOW.into(), OTHER_BELOW.into()]);
    let left = builder.call(
        Arithmetic::Multiply,
        [ABOVE.into(), div(OTHER_BELOW, shared), site()],
    );
    let right = builder.call(
        Arithmetic::Multiply,
        [OTHER_ABOVE.into(), div(BELOW, shared), site()],
    );
    let added = builder.call(Arithmetic::Add, [left, right, site()]);
    let more = builder.call(Arithmetic::Gcd, [sum.into(), shared.into()]);
    let below = builder.call(
        Arithmetic::Multiply,
        [div(BELOW, shared), div(OTHER_BELOW, rest), site()],
    );
    let new = builder.call(Arithmetic::RatioOf, [div(sum, rest), below, site()]);
    let body = vec![
        set(shared, found),
        set(sum, added),
        overflow_if(builder, eq(sum, i64::MIN), PARTS_SITE),
        set(rest, more),
        give(new),
    ];
    Code::new(5, 8, body)
}

fn ratio_product(builder: &mut Builder<'_>) -> Code {
    let (left, right, above) = (Var(5), Var(6), Var(7));
    let site = || Low::from(PARTS_SITE);
    let left_shared = builder.call(Arithmetic::Gcd, [ABOVE.into(), OTHER_BELOW.into()]);
    let right_shared = builder.call(Arithmetic::Gcd, [OTHER_ABOVE.into(), BELOW.into()]);
    let multiplied = builder.call(
        Arithmetic::Multiply,
        [div(ABOVE, left), div(OTHER_ABOVE, right), site()],
    );
    let below = builder.call(
        Arithmetic::Multiply,
        [div(BELOW, right), div(OTHER_BELOW, left), site()],
    );
    let new = builder.call(Arithmetic::RatioOf, [above.into(), below, site()]);
    let body = vec![
        set(left, left_shared),
        set(right, right_shared),
        set(above, multiplied),
        overflow_if(builder, eq(above, i64::MIN), PARTS_SITE),
        give(new),
    ];
    Code::new(5, 8, body)
}

fn ratio_divide(builder: &mut Builder<'_>) -> Code {
    let sign = Var(3);
    let args = [
        load(A, 0),
        load(A, 8),
        mul(load(B, 8), sign),
        mul(load(B, 0), sign),
        SITE.into(),
    ];
    let product = builder.call(Arithmetic::RatioProduct, args);
    let body = vec![
        when(eq(load(B, 0), 0), fault(builder, FaultCode::DivisionByZero, SITE)),
        set(sign, choose(lt(load(B, 0), 0), -1, 1)),
        give(product),
    ];
    Code::new(3, 4, body)
}

/// -1, 0 or 1 for what is less, equal or greater.
pub(super) fn order(a: Var, b: Var) -> Low {
    choose(lt(a, b), -1, choose(gt(a, b), 1, 0))
}

/// Compares whole parts; where these are equal, the upside-down rests the other way round. Nothing is
/// multiplied, so nothing overflows, and the steps are those of Euclid's algorithm.
fn ratio_order() -> Code {
    let (above, below, other_above, other_below) = (Var(2), Var(3), Var(4), Var(5));
    let (whole, other_whole, rest, other_rest) = (Var(6), Var(7), Var(8), Var(9));
    let split = |whole: Var, rest: Var, above: Var, below: Var| {
        [
            set(whole, div(above, below)),
            set(rest, rem(above, below)),
            when(
                lt(rest, 0),
                vec![set(whole, sub(whole, 1)), set(rest, add(rest, below))],
            ),
        ]
    };
    let mut turn = Vec::new();
    turn.extend(split(whole, rest, above, below));
    turn.extend(split(other_whole, other_rest, other_above, other_below));
    turn.extend([
        when(ne(whole, other_whole), vec![give(order(whole, other_whole))]),
        when(
            or(eq(rest, 0), eq(other_rest, 0)),
            vec![give(order(rest, other_rest))],
        ),
        // a/b < c/d exactly if d/c < b/a, for what is positive.
        set(above, other_below),
        set(other_above, below),
        set(below, other_rest),
        set(other_below, rest),
    ]);
    let body = vec![
        set(above, load(A, 0)),
        set(below, load(A, 8)),
        set(other_above, load(B, 0)),
        set(other_below, load(B, 8)),
        Do::While(ge(below, 1), turn),
    ];
    Code::new(2, 10, body)
}
