//! Texts: comparing, searching, putting together.
use super::{
    arithmetic::order,
    builder::Builder,
    key::{Memory, Texts},
    low::{
        Code, Cond, Do, Low, Var, add, and, bits_and, choose, copy, div_unsigned, eq, ge, give, gt, le, load,
        load_byte, lt, mul, ne, or, rem_unsigned, set, store, store_byte, sub, when,
    },
    memory::fault,
};
use crate::{
    abi::{SCRATCH_ADDRESS, SCRATCH_BYTES},
    fault::FaultCode,
    limits::MAX_TEXT_BYTES,
};

/// Where texts of numbers end; they are written from their end.
pub(super) const SCRATCH_END: i64 = SCRATCH_ADDRESS + SCRATCH_BYTES;

const A: Var = Var(0);
const B: Var = Var(1);
const SITE: Var = Var(2);

pub(super) fn code(builder: &mut Builder<'_>, helper: Texts) -> Code {
    match helper {
        Texts::New => new(builder),
        Texts::SameBytes => same_bytes(),
        Texts::Equal => equal(builder),
        Texts::Compare => compare(),
        Texts::Order => {
            let shorter = choose(lt(load(A, 0), load(B, 0)), load(A, 0), load(B, 0));
            let units = add(1, div_unsigned(shorter, 64));
            let work = builder.call(Memory::Work, [units, SITE.into()]);
            let result = builder.call(Texts::Compare, [A.into(), B.into()]);
            Code::new(3, 3, vec![Do::Forget(work), give(result)])
        }
        Texts::Contains => contains(builder),
        Texts::StartsWith => {
            let units = add(1, div_unsigned(load(B, 0), 64));
            let work = builder.call(Memory::Work, [units, SITE.into()]);
            let same = builder.call(Texts::SameBytes, [add(A, 8), add(B, 8), load(B, 0)]);
            let longer = gt(load(B, 0), load(A, 0));
            Code::new(
                3,
                3,
                vec![Do::Forget(work), when(longer, vec![give(0)]), give(same)],
            )
        }
        Texts::Append => {
            let body = vec![copy(A, add(B, 8), load(B, 0)), give(add(A, load(B, 0)))];
            Code::new(2, 2, body)
        }
        Texts::Digits => digits(),
        Texts::Prepend => {
            let body = vec![
                set(B, sub(B, load(A, 0))),
                copy(B, add(A, 8), load(A, 0)),
                give(B),
            ];
            Code::new(2, 2, body)
        }
        Texts::Finish => {
            let text = Var(2);
            let made = builder.call(Texts::New, [sub(SCRATCH_END, A), B.into()]);
            let body = vec![
                set(text, made),
                copy(add(text, 8), A, sub(SCRATCH_END, A)),
                give(text),
            ];
            Code::new(2, 3, body)
        }
    }
}

fn new(builder: &mut Builder<'_>) -> Code {
    let (length, site, address) = (Var(0), Var(1), Var(2));
    let most = i64::try_from(MAX_TEXT_BYTES).expect("the limit is small");
    let room = add(8, bits_and(add(length, 7), -8));
    let new = builder.call(Memory::Allocate, [room, site.into()]);
    let body = vec![
        when(gt(length, most), fault(builder, FaultCode::Size, site)),
        set(address, new),
        store(address, 0, length),
        give(address),
    ];
    Code::new(2, 3, body)
}

fn same_bytes() -> Code {
    let (a, b, length, at) = (Var(0), Var(1), Var(2), Var(3));
    let here = |step: i64, differ: Cond| vec![when(differ, vec![give(0)]), set(at, add(at, step))];
    let body = vec![
        Do::While(
            le(add(at, 8), length),
            here(8, ne(load(add(a, at), 0), load(add(b, at), 0))),
        ),
        Do::While(
            lt(at, length),
            here(1, ne(load_byte(add(a, at), 0), load_byte(add(b, at), 0))),
        ),
        give(1),
    ];
    Code::new(3, 4, body)
}

fn equal(builder: &mut Builder<'_>) -> Code {
    let first = builder.call(Memory::Work, [Low::Int(1), SITE.into()]);
    let more = builder.call(Memory::Work, [div_unsigned(load(A, 0), 64), SITE.into()]);
    let same = builder.call(Texts::SameBytes, [add(A, 8), add(B, 8), load(A, 0)]);
    let body = vec![
        Do::Forget(first),
        when(ne(load(A, 0), load(B, 0)), vec![give(0)]),
        Do::Forget(more),
        give(same),
    ];
    Code::new(3, 3, body)
}

fn compare() -> Code {
    let (at, shorter, left, right) = (Var(2), Var(3), Var(4), Var(5));
    let same = eq(load(add(A, at), 8), load(add(B, at), 8));
    let body = vec![
        set(
            shorter,
            choose(lt(load(A, 0), load(B, 0)), load(A, 0), load(B, 0)),
        ),
        // Over what is the same in whole words, then byte by byte: words are compared the other way round.
        Do::While(and(le(add(at, 8), shorter), same), vec![set(at, add(at, 8))]),
        Do::While(
            lt(at, shorter),
            vec![
                set(left, load_byte(add(A, at), 8)),
                set(right, load_byte(add(B, at), 8)),
                when(ne(left, right), vec![give(order(left, right))]),
                set(at, add(at, 1)),
            ],
        ),
        set(left, load(A, 0)),
        set(right, load(B, 0)),
        give(order(left, right)),
    ];
    Code::new(2, 6, body)
}

fn contains(builder: &mut Builder<'_>) -> Code {
    let (at, last) = (Var(3), Var(4));
    let units = add(1, div_unsigned(mul(load(A, 0), add(load(B, 0), 8)), 64));
    let work = builder.call(Memory::Work, [units, SITE.into()]);
    let same = builder.call(Texts::SameBytes, [add(add(A, 8), at), add(B, 8), load(B, 0)]);
    let body = vec![
        Do::Forget(work),
        set(last, sub(load(A, 0), load(B, 0))),
        Do::While(
            le(at, last),
            vec![when(Cond::True(same), vec![give(1)]), set(at, add(at, 1))],
        ),
        give(0),
    ];
    Code::new(3, 5, body)
}

fn digits() -> Code {
    let (number, at, width) = (Var(0), Var(1), Var(2));
    let body = vec![
        Do::While(
            or(ne(number, 0), ge(width, 1)),
            vec![
                set(at, sub(at, 1)),
                store_byte(at, 0, add(i64::from(b'0'), rem_unsigned(number, 10))),
                set(number, div_unsigned(number, 10)),
                set(width, sub(width, 1)),
            ],
        ),
        give(at),
    ];
    Code::new(3, 3, body)
}
