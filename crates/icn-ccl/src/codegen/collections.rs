//! Lists, maps and options.
use super::{
    builder::Builder,
    key::{Arithmetic, Collections, Keys, Memory, Texts},
    low::{
        Code, Cond, Do, Low, Var, add, and, bits_and, bits_or, choose, copy, eq, ge, give, gt, load, lt, mul,
        not, set, shift_left, shift_right, store, sub, when,
    },
    memory::fault,
};
use crate::{
    fault::FaultCode,
    limits::{MAX_ELEMENTS, RATIO_UNITS},
    number::Ratio,
    types::Type,
    value::Value,
};

const A: Var = Var(0);
const B: Var = Var(1);

impl Keys {
    /// -1, 0 or 1.
    pub(super) fn order(self, builder: &mut Builder<'_>, a: Low, b: Low, site: impl Into<Low>) -> Cond3 {
        match self {
            Self::Numbers => Cond3::Numbers(a, b),
            Self::Texts => Cond3::Order(builder.call(Texts::Order, [a, b, site.into()])),
        }
    }
}

/// A comparison that is still to be asked for less or equal.
pub(super) enum Cond3 {
    Numbers(Low, Low),
    Order(Low),
}

impl Cond3 {
    fn less(self) -> Cond {
        match self {
            Self::Numbers(a, b) => lt(a, b),
            Self::Order(order) => lt(order, 0),
        }
    }

    fn equal(self) -> Cond {
        match self {
            Self::Numbers(a, b) => eq(a, b),
            Self::Order(order) => eq(order, 0),
        }
    }
}

pub(super) fn code(builder: &mut Builder<'_>, helper: Collections) -> Code {
    match helper {
        Collections::Some => {
            let (value, site, address) = (Var(0), Var(1), Var(2));
            let new = builder.call(Memory::Allocate, [Low::Int(8), site.into()]);
            Code::new(
                2,
                3,
                vec![set(address, new), store(address, 0, value), give(address)],
            )
        }
        Collections::ListNew => new(builder, 8),
        Collections::MapNew => new(builder, 16),
        Collections::ListIndex => {
            let outside = fault(builder, FaultCode::Index, Var(2));
            Code::new(
                3,
                3,
                vec![when(not(within()), outside), give(load(element(A, B), 8))],
            )
        }
        Collections::ListGet => {
            let some = builder.call(Collections::Some, [load(element(A, B), 8), Var(2).into()]);
            Code::new(3, 3, vec![give(choose(within(), some, 0))])
        }
        Collections::ListPush => {
            let (site, longer) = (Var(2), Var(3));
            let made = builder.call(Collections::ListNew, [add(load(A, 0), 1), site.into()]);
            let body = vec![
                set(longer, made),
                copy(add(longer, 8), add(A, 8), mul(load(A, 0), 8)),
                store(element(longer, load(A, 0)), 8, B),
                give(longer),
            ];
            Code::new(3, 4, body)
        }
        Collections::ListConcat => {
            let (site, both) = (Var(2), Var(3));
            let made = builder.call(Collections::ListNew, [add(load(A, 0), load(B, 0)), site.into()]);
            let body = vec![
                set(both, made),
                copy(add(both, 8), add(A, 8), mul(load(A, 0), 8)),
                copy(element(add(both, 8), load(A, 0)), add(B, 8), mul(load(B, 0), 8)),
                give(both),
            ];
            Code::new(3, 4, body)
        }
        Collections::ListSum => sum(builder, false),
        Collections::RatioSum => sum(builder, true),
        Collections::MapSearch(keys) => search(builder, keys),
        Collections::MapIndex(keys) => {
            let (site, found) = (Var(2), Var(3));
            let place = builder.call(Collections::MapSearch(keys), [A.into(), B.into(), site.into()]);
            let missing = fault(builder, FaultCode::MissingKey, site);
            let body = vec![
                set(found, place),
                when(not(hit(found)), missing),
                give(load(entry(A, found), 16)),
            ];
            Code::new(3, 4, body)
        }
        Collections::MapGet(keys) => {
            let (site, found) = (Var(2), Var(3));
            let place = builder.call(Collections::MapSearch(keys), [A.into(), B.into(), site.into()]);
            let some = builder.call(Collections::Some, [load(entry(A, found), 16), site.into()]);
            Code::new(3, 4, vec![set(found, place), give(choose(hit(found), some, 0))])
        }
        Collections::MapInsert(keys) => insert(builder, keys),
        Collections::MapRemove(keys) => remove(builder, keys),
        Collections::MapColumn => column(builder),
    }
}

/// The address of a place in a list, but for its length.
pub(super) fn element(list: impl Into<Low>, place: impl Into<Low>) -> Low {
    add(list, mul(place, 8))
}

/// The address of the entry that a search found, but for the length of the map.
fn entry(map: Var, found: Var) -> Low {
    add(map, shift_left(shift_right(found, 1), 4))
}

/// Whether a search found the key itself.
pub(super) fn hit(found: impl Into<Low>) -> Cond {
    Cond::True(bits_and(found, 1))
}

/// Whether B is a place of the list A.
fn within() -> Cond {
    and(ge(B, 0), lt(B, load(A, 0)))
}

fn new(builder: &mut Builder<'_>, bytes: i64) -> Code {
    let (length, site, address) = (Var(0), Var(1), Var(2));
    let most = i64::try_from(MAX_ELEMENTS).expect("the limit is small");
    let made = builder.call(Memory::Allocate, [add(8, mul(length, bytes)), site.into()]);
    let body = vec![
        when(gt(length, most), fault(builder, FaultCode::Size, site)),
        set(address, made),
        store(address, 0, length),
        give(address),
    ];
    Code::new(2, 3, body)
}

fn sum(builder: &mut Builder<'_>, of_ratios: bool) -> Code {
    let (list, site, at, total) = (Var(0), Var(1), Var(2), Var(3));
    let units = if of_ratios {
        mul(
            load(list, 0),
            i64::try_from(RATIO_UNITS).expect("the limit is small"),
        )
    } else {
        load(list, 0)
    };
    let work = builder.call(Memory::Work, [units, site.into()]);
    let args = [total.into(), load(element(list, at), 8), site.into()];
    let (start, added) = if of_ratios {
        let zero = Ratio::new(0, 1).expect("zero is a fraction");
        let zero = builder.constant(&Type::Ratio, &Value::Ratio(zero));
        (zero, builder.call(Arithmetic::RatioAdd, args))
    } else {
        (0, builder.call(Arithmetic::Add, args))
    };
    let body = vec![
        Do::Forget(work),
        set(total, start),
        Do::While(
            lt(at, load(list, 0)),
            vec![set(total, added), set(at, add(at, 1))],
        ),
        give(total),
    ];
    Code::new(2, 4, body)
}

fn search(builder: &mut Builder<'_>, keys: Keys) -> Code {
    let (site, low, high, middle) = (Var(2), Var(3), Var(4), Var(5));
    let work = builder.call(Memory::Work, [Low::Int(1), site.into()]);
    let key = |place: Var| load(add(A, shift_left(place, 4)), 8);
    let less = keys.order(builder, key(middle), B.into(), site).less();
    let equal = keys.order(builder, key(low), B.into(), site).equal();
    let look = vec![
        set(middle, shift_right(add(low, high), 1)),
        Do::Forget(work.clone()),
        Do::If(less, vec![set(low, add(middle, 1))], vec![set(high, middle)]),
    ];
    let place = shift_left(low, 1);
    let body = vec![
        set(high, load(A, 0)),
        Do::While(lt(low, high), look),
        when(ge(low, load(A, 0)), vec![give(place.clone())]),
        Do::Forget(work),
        give(bits_or(place, Low::Truth(Box::new(equal)))),
    ];
    Code::new(3, 6, body)
}

fn insert(builder: &mut Builder<'_>, keys: Keys) -> Code {
    let (value, site, found, changed) = (Var(2), Var(3), Var(4), Var(5));
    let place = builder.call(Collections::MapSearch(keys), [A.into(), B.into(), site.into()]);
    let same = builder.call(Collections::MapNew, [load(A, 0), site.into()]);
    let longer = builder.call(Collections::MapNew, [add(load(A, 0), 1), site.into()]);
    let bytes = mul(load(A, 0), 16);
    let before = shift_left(shift_right(found, 1), 4);
    let replace = vec![
        set(changed, same),
        copy(add(changed, 8), add(A, 8), bytes.clone()),
    ];
    let widen = vec![
        set(changed, longer),
        copy(add(changed, 8), add(A, 8), before.clone()),
        copy(
            add(entry(changed, found), 24),
            add(entry(A, found), 8),
            sub(bytes, before),
        ),
        store(entry(changed, found), 8, B),
    ];
    let body = vec![
        set(found, place),
        Do::If(hit(found), replace, widen),
        store(entry(changed, found), 16, value),
        give(changed),
    ];
    Code::new(4, 6, body)
}

fn remove(builder: &mut Builder<'_>, keys: Keys) -> Code {
    let (site, found, changed) = (Var(2), Var(3), Var(4));
    let place = builder.call(Collections::MapSearch(keys), [A.into(), B.into(), site.into()]);
    let shorter = builder.call(Collections::MapNew, [sub(load(A, 0), 1), site.into()]);
    let before = shift_left(shift_right(found, 1), 4);
    let after = sub(mul(sub(load(A, 0), 1), 16), before.clone());
    let body = vec![
        set(found, place),
        when(not(hit(found)), vec![give(A)]),
        set(changed, shorter),
        copy(add(changed, 8), add(A, 8), before),
        copy(add(entry(changed, found), 8), add(entry(A, found), 24), after),
        give(changed),
    ];
    Code::new(3, 5, body)
}

fn column(builder: &mut Builder<'_>) -> Code {
    let (map, offset, site, at, list) = (Var(0), Var(1), Var(2), Var(3), Var(4));
    let work = builder.call(Memory::Work, [load(map, 0), site.into()]);
    let made = builder.call(Collections::ListNew, [load(map, 0), site.into()]);
    let value = load(add(add(map, offset), shift_left(at, 4)), 0);
    let body = vec![
        Do::Forget(work),
        set(list, made),
        Do::While(
            lt(at, load(map, 0)),
            vec![store(element(list, at), 8, value), set(at, add(at, 1))],
        ),
        give(list),
    ];
    Code::new(3, 5, body)
}
