//! Values as text: the same texts as [`crate::interp::text_of`].
use super::{
    builder::Builder,
    key::Texts,
    low::{
        Code, Do, Low, Var, add, choose, div, div_unsigned, eq, give, lt, mul, ne, rem, rem_unsigned, set,
        sub, when,
    },
    texts::SCRATCH_END,
};
use crate::{
    interp::SPANS,
    types::{EnumId, Type},
};

const VALUE: Var = Var(0);
const SITE: Var = Var(1);
/// Where the text begins so far; it is written from its end.
const AT: Var = Var(2);

/// (value, site) gives a text.
pub(super) fn format(builder: &mut Builder<'_>, ty: &Type) -> Code {
    match ty {
        Type::Bool => {
            let (no, yes) = (builder.text("false"), builder.text("true"));
            Code::new(2, 2, vec![give(choose(eq(VALUE, 0), no, yes))])
        }
        Type::Enum(id) => names(builder, *id),
        Type::Ratio => ratio(builder),
        Type::Time => moment(builder),
        Type::Duration => duration(builder),
        Type::Mana => decimal(builder, 3, Some("mana")),
        Type::Amount(id) => {
            let unit = builder.types().unit(*id);
            decimal(builder, unit.decimals, Some(&unit.name))
        }
        _ => decimal(builder, 0, None),
    }
}

fn names(builder: &mut Builder<'_>, id: EnumId) -> Code {
    let variants = &builder.types().enumeration(id).variants;
    let mut body = Vec::new();
    for (place, (name, _)) in (0i64..).zip(variants) {
        let name = builder.text(name);
        body.push(when(eq(VALUE, place), vec![give(name)]));
    }
    Code::new(2, 2, body)
}

/// Writes a text before what there is.
fn prepend(builder: &mut Builder<'_>, text: &str) -> Do {
    let text = builder.text(text);
    set(AT, builder.call(Texts::Prepend, [text, AT.into()]))
}

/// Writes a number without its sign before what there is, with at least so many digits.
fn digits(builder: &mut Builder<'_>, number: impl Into<Low>, width: i64) -> Do {
    set(
        AT,
        builder.call(Texts::Digits, [number.into(), AT.into(), Low::Int(width)]),
    )
}

fn finish(builder: &mut Builder<'_>) -> Do {
    give(builder.call(Texts::Finish, [AT.into(), SITE.into()]))
}

fn without_sign(number: Var) -> Low {
    choose(lt(number, 0), sub(0, number), number)
}

/// A number in minor units with so many decimals, and the name of its unit.
fn decimal(builder: &mut Builder<'_>, decimals: u32, unit: Option<&str>) -> Code {
    let plain = Var(3);
    let scale = 10i64.pow(decimals);
    let mut body = vec![set(AT, SCRATCH_END), set(plain, without_sign(VALUE))];
    if let Some(unit) = unit {
        body.push(prepend(builder, unit));
        body.push(prepend(builder, " "));
    }
    if decimals > 0 {
        body.push(digits(builder, rem_unsigned(plain, scale), decimals.into()));
        body.push(prepend(builder, "."));
    }
    body.push(digits(builder, div_unsigned(plain, scale), 1));
    body.push(when(lt(VALUE, 0), vec![prepend(builder, "-")]));
    body.push(finish(builder));
    Code::new(2, 4, body)
}

fn ratio(builder: &mut Builder<'_>) -> Code {
    let (above, below) = (Var(3), Var(4));
    let fraction = vec![digits(builder, below, 1), prepend(builder, "/")];
    let body = vec![
        set(AT, SCRATCH_END),
        set(above, super::low::load(VALUE, 0)),
        set(below, super::low::load(VALUE, 8)),
        when(ne(below, 1), fraction),
        digits(builder, without_sign(above), 1),
        when(lt(above, 0), vec![prepend(builder, "-")]),
        finish(builder),
    ];
    Code::new(2, 5, body)
}

fn duration(builder: &mut Builder<'_>) -> Code {
    let mut body = vec![set(AT, SCRATCH_END)];
    for (length, name) in SPANS {
        let mut write = Vec::new();
        if name != "ms" {
            write.push(when(ne(div(VALUE, length), 1), vec![prepend(builder, "s")]));
        }
        write.push(prepend(builder, name));
        write.push(prepend(builder, " "));
        write.push(digits(builder, div(VALUE, length), 1));
        write.push(finish(builder));
        body.push(when(eq(rem(VALUE, length), 0), write));
    }
    Code::new(2, 3, body)
}

/// The steps are those of the interpreter.
fn moment(builder: &mut Builder<'_>) -> Code {
    let (days, of_day, era, of_era) = (Var(3), Var(4), Var(5), Var(6));
    let (era_year, of_year, shifted_month, month, year) = (Var(7), Var(8), Var(9), Var(10), Var(11));
    let leap_days = sub(
        sub(sub(of_era, div(of_era, 1_460)), sub(0, div(of_era, 36_524))),
        div(of_era, 146_096),
    );
    let before = sub(add(mul(365, era_year), div(era_year, 4)), div(era_year, 100));
    let mut body = vec![
        set(AT, SCRATCH_END),
        set(days, add(div(VALUE, 86_400_000), 719_468)),
        set(of_day, div(rem(VALUE, 86_400_000), 1_000)),
        set(era, div(days, 146_097)),
        set(of_era, rem(days, 146_097)),
        set(era_year, div(leap_days, 365)),
        set(of_year, sub(of_era, before)),
        set(shifted_month, div(add(mul(5, of_year), 2), 153)),
        set(
            month,
            choose(
                lt(shifted_month, 10),
                add(shifted_month, 3),
                sub(shifted_month, 9),
            ),
        ),
        set(
            year,
            add(add(era_year, mul(era, 400)), choose(lt(month, 3), 1, 0)),
        ),
    ];
    let day = add(sub(of_year, div(add(mul(153, shifted_month), 2), 5)), 1);
    let parts: [(&str, Low, i64); 6] = [
        ("Z", rem(of_day, 60), 2),
        (":", rem(div(of_day, 60), 60), 2),
        (":", div(of_day, 3_600), 2),
        ("T", day, 2),
        ("-", month.into(), 2),
        ("-", year.into(), 4),
    ];
    for (after, number, width) in parts {
        body.push(prepend(builder, after));
        body.push(digits(builder, number, width));
    }
    body.push(finish(builder));
    Code::new(2, 12, body)
}
