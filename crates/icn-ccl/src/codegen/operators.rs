//! What is built in, in functions of a program: mostly calls of helpers.
use super::{
    collections::hit,
    key::{Arithmetic, Collections, Key, Keys, Texts},
    low::{Cond, Low, choose, eq, ge, gt, le, load, lt, ne, set, sub},
    operations::equality,
    translate::{Frame, site},
};
use crate::{
    ir::{Comparison, Expr, Op},
    source::Span,
    types::Type,
};

/// The operands of a built-in, with their types and its place.
struct Operands {
    a: Low,
    b: Low,
    c: Low,
    /// The type of the first.
    of: Type,
    /// The type of the result.
    ty: Type,
    at: Low,
}

impl Frame<'_, '_> {
    pub(super) fn op(&mut self, op: Op, args: &[Expr], ty: &Type, span: Span) -> Low {
        let of = args[0].ty.clone();
        let mut values = self.values(args).into_iter();
        let mut next = || values.next().unwrap_or(Low::Int(0));
        let operands = Operands {
            a: next(),
            b: next(),
            c: next(),
            of,
            ty: ty.clone(),
            at: site(span),
        };
        self.of_numbers(op, operands)
    }

    fn of_numbers(&mut self, op: Op, operands: Operands) -> Low {
        let Operands { a, b, ty, at, .. } = operands;
        match op {
            Op::Add => self.number(Arithmetic::Add, a, b, &ty, at),
            Op::Subtract => self.number(Arithmetic::Subtract, a, b, &ty, at),
            Op::Multiply => self.number(Arithmetic::Multiply, a, b, &ty, at),
            Op::Negate => self.number(Arithmetic::Subtract, Low::Int(0), a, &ty, at),
            Op::Quotient => self.number(Arithmetic::Quotient, a, b, &ty, at),
            Op::Remainder => self.number(Arithmetic::Remainder, a, b, &ty, at),
            Op::Scale(rounding) => self.number(Arithmetic::Scale(rounding), a, b, &ty, at),
            Op::Abs => {
                let kept = self.temporary();
                let args = [Low::Int(0), kept.into(), at];
                let negative = self.builder.call(Arithmetic::Subtract, args);
                Low::Seq(vec![set(kept, a)], Box::new(choose(lt(kept, 0), negative, kept)))
            }
            Op::MinusOrZero => {
                let kept = self.temporary();
                Low::Seq(vec![set(kept, sub(a, b))], Box::new(choose(lt(kept, 0), 0, kept)))
            }
            _ => self.of_ratios(
                op,
                Operands {
                    a,
                    b,
                    ty,
                    at,
                    ..operands
                },
            ),
        }
    }

    fn of_ratios(&mut self, op: Op, operands: Operands) -> Low {
        let Operands { a, b, at, .. } = operands;
        match op {
            Op::Divide => self.builder.call(Arithmetic::RatioNew, [a, b, at]),
            Op::ToRatio => self.builder.call(Arithmetic::RatioNew, [a, Low::Int(1), at]),
            Op::RatioAdd => self.builder.call(Arithmetic::RatioAdd, [a, b, at]),
            Op::RatioSubtract => self.builder.call(Arithmetic::RatioSubtract, [a, b, at]),
            Op::RatioMultiply => self.builder.call(Arithmetic::RatioMultiply, [a, b, at]),
            Op::RatioDivide => self.builder.call(Arithmetic::RatioDivide, [a, b, at]),
            Op::RatioNegate => {
                let kept = self.temporary();
                let args = [sub(0, load(kept, 0)), load(kept, 8), at];
                let new = self.builder.call(Arithmetic::RatioOf, args);
                Low::Seq(vec![set(kept, a)], Box::new(new))
            }
            Op::ToInt(rounding) => {
                let kept = self.temporary();
                let args = [load(kept, 0), load(kept, 8)];
                let rounded = self.builder.call(Arithmetic::Round(rounding), args);
                Low::Seq(vec![set(kept, a)], Box::new(rounded))
            }
            Op::Numerator => load(a, 0),
            Op::Denominator => load(a, 8),
            _ => self.of_any(op, Operands { a, b, at, ..operands }),
        }
    }

    fn of_any(&mut self, op: Op, operands: Operands) -> Low {
        let Operands { a, b, of, at, .. } = operands;
        match op {
            Op::Equal => Self::truth(equality(self.builder, &of, a, b, at)),
            Op::Compare(comparison) => Self::truth(self.compare(comparison, &of, a, b, at)),
            Op::Not => Self::truth(eq(a, 0)),
            Op::TextLength | Op::Length => load(a, 0),
            Op::TextContains => self.builder.call(Texts::Contains, [a, b, at]),
            Op::TextStartsWith => self.builder.call(Texts::StartsWith, [a, b, at]),
            Op::ToText if of.is_textual() => a,
            Op::ToText => self.builder.call(Key::Format(of), [a, at]),
            Op::IsSome => Self::truth(ne(a, 0)),
            Op::OptionOr => {
                let (option, other) = (self.temporary(), self.temporary());
                let body = vec![set(option, a), set(other, b)];
                Low::Seq(body, Box::new(choose(eq(option, 0), other, load(option, 0))))
            }
            _ => self.of_collections(
                op,
                Operands {
                    a,
                    b,
                    of,
                    at,
                    ..operands
                },
            ),
        }
    }

    fn of_collections(&mut self, op: Op, operands: Operands) -> Low {
        let Operands { a, b, c, of, at, .. } = operands;
        let keys = match &of {
            Type::Map(key, _) => Keys::of(key),
            _ => Keys::Numbers,
        };
        let (helper, args) = match op {
            Op::ListIndex => (Collections::ListIndex, [a, b, at]),
            Op::ListGet => (Collections::ListGet, [a, b, at]),
            Op::ListPush => (Collections::ListPush, [a, b, at]),
            Op::ListConcat => (Collections::ListConcat, [a, b, at]),
            Op::MapKeys => (Collections::MapColumn, [a, Low::Int(8), at]),
            Op::MapValues => (Collections::MapColumn, [a, Low::Int(16), at]),
            Op::MapIndex => (Collections::MapIndex(keys), [a, b, at]),
            Op::MapGet => (Collections::MapGet(keys), [a, b, at]),
            Op::MapRemove => (Collections::MapRemove(keys), [a, b, at]),
            Op::MapHas => {
                let found = self.builder.call(Collections::MapSearch(keys), [a, b, at]);
                return Self::truth(hit(found));
            }
            Op::MapInsert => return self.builder.call(Collections::MapInsert(keys), [a, b, c, at]),
            Op::ListSum if of == Type::list(Type::Ratio) => {
                return self.builder.call(Collections::RatioSum, [a, at]);
            }
            Op::ListSum => return self.builder.call(Collections::ListSum, [a, at]),
            Op::ListContains => {
                let Type::List(of) = of else {
                    self.builder.give_up("a list that has another type");
                    return Low::Int(0);
                };
                return self.builder.call(Key::Contains(*of), [a, b, at]);
            }
            _ => {
                self.builder.give_up("an operation that nothing translates");
                return Low::Int(0);
            }
        };
        self.builder.call(helper, args)
    }

    /// A number of type `ty`, which may not be allowed to be negative.
    fn number(&mut self, helper: Arithmetic, a: Low, b: Low, ty: &Type, at: Low) -> Low {
        let result = self.builder.call(helper, [a, b, at.clone()]);
        if ty.is_natural() {
            self.builder.call(Arithmetic::Natural, [result, at])
        } else {
            result
        }
    }

    fn compare(&mut self, comparison: Comparison, of: &Type, a: Low, b: Low, at: Low) -> Cond {
        let (a, b) = match of {
            Type::Text => (self.builder.call(Texts::Order, [a, b, at]), Low::Int(0)),
            Type::Ratio => (self.builder.call(Arithmetic::RatioOrder, [a, b]), Low::Int(0)),
            _ => (a, b),
        };
        match comparison {
            Comparison::Less => lt(a, b),
            Comparison::LessEqual => le(a, b),
            Comparison::Greater => gt(a, b),
            Comparison::GreaterEqual => ge(a, b),
        }
    }
}
