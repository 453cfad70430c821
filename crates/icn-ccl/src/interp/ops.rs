//! What built-ins compute.
use super::{Exit, Machine, Step, cost, elements, entries, fault, number, text, text_of};
use crate::{
    fault::{FaultCode, Stop},
    ir::{Comparison, Op},
    limits::{MAX_ELEMENTS, RATIO_UNITS},
    number::{self, Checked, Ratio},
    source::Span,
    types::Type,
    value::Value,
};
use core::cmp::Ordering;
use std::sync::Arc;

fn ratio(value: &Value) -> Ratio {
    match value {
        Value::Ratio(ratio) => *ratio,
        _ => unreachable!("the checker knows that this is a Ratio"),
    }
}

/// A result of arithmetic, or the fault that it is.
fn checked<T>(result: Checked<T>, span: Span) -> Step<T> {
    result.map_err(|code| Exit::Stop(Stop::Fault { code, span }))
}

fn holds(comparison: Comparison, order: Ordering) -> bool {
    match comparison {
        Comparison::Less => order.is_lt(),
        Comparison::LessEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterEqual => order.is_ge(),
    }
}

impl Machine<'_> {
    /// Runs a built-in whose first operand has type `of` and whose result has type `ty`.
    pub(super) fn op(&mut self, op: Op, of: &Type, ty: &Type, args: Vec<Value>, span: Span) -> Step<Value> {
        match op {
            Op::Add
            | Op::Subtract
            | Op::Multiply
            | Op::Negate
            | Op::Quotient
            | Op::Remainder
            | Op::Abs
            | Op::MinusOrZero
            | Op::Scale(_) => {
                let result = arithmetic(op, &args).and_then(|result| {
                    if ty.is_natural() {
                        number::natural(result)
                    } else {
                        Ok(result)
                    }
                });
                checked(result, span).map(Value::Number)
            }
            Op::Divide
            | Op::ToRatio
            | Op::RatioAdd
            | Op::RatioSubtract
            | Op::RatioMultiply
            | Op::RatioDivide
            | Op::RatioNegate => {
                let result = checked(fraction(op, &args), span)?;
                self.meter.allocate(cost::RATIO, span)?;
                Ok(Value::Ratio(result))
            }
            Op::ToInt(rounding) => Ok(Value::Number(ratio(&args[0]).rounded(rounding))),
            Op::Numerator => Ok(Value::Number(ratio(&args[0]).numerator())),
            Op::Denominator => Ok(Value::Number(ratio(&args[0]).denominator())),
            Op::Equal => Ok(Value::Bool(
                self.meter.equal(self.types, of, &args[0], &args[1], span)?,
            )),
            Op::Compare(comparison) => {
                let order = self.meter.order(&args[0], &args[1], span)?;
                Ok(Value::Bool(holds(comparison, order)))
            }
            Op::Not => Ok(Value::Bool(args[0] == Value::Bool(false))),
            Op::TextLength => Ok(count(text(&args[0]).len())),
            Op::TextContains => {
                let (whole, part) = (text(&args[0]), text(&args[1]));
                self.meter.work(1 + whole.len() * (part.len() + 8) / 64, span)?;
                Ok(Value::Bool(whole.contains(&*part)))
            }
            Op::TextStartsWith => {
                let (whole, part) = (text(&args[0]), text(&args[1]));
                self.meter.work(1 + part.len() / 64, span)?;
                Ok(Value::Bool(whole.starts_with(&*part)))
            }
            // Texts, identities and content ids are text already.
            Op::ToText if of.is_textual() => Ok(args.into_iter().next().unwrap_or(Value::Unit)),
            // So are the names of variants, which are constants, and the two words for truth.
            Op::ToText if matches!(of, Type::Bool | Type::Enum(_)) => {
                Ok(Value::from(text_of(self.types, of, &args[0]).as_str()))
            }
            Op::ToText => {
                let new = text_of(self.types, of, &args[0]);
                self.text(&new, span)
            }
            Op::IsSome => Ok(Value::Bool(matches!(args[0], Value::Option(Some(_))))),
            Op::OptionOr => match &args[0] {
                Value::Option(Some(value)) => Ok((**value).clone()),
                _ => Ok(args[1].clone()),
            },
            Op::Length => Ok(match &args[0] {
                Value::Map(entries) => count(entries.len()),
                list => count(elements(list).len()),
            }),
            Op::ListIndex | Op::ListGet | Op::ListContains | Op::ListPush | Op::ListConcat | Op::ListSum => {
                self.list_op(op, of, args, span)
            }
            Op::MapIndex
            | Op::MapGet
            | Op::MapHas
            | Op::MapInsert
            | Op::MapRemove
            | Op::MapKeys
            | Op::MapValues => self.map_op(op, &args, span),
        }
    }

    fn some(&mut self, value: Value, span: Span) -> Step<Value> {
        self.meter.allocate(8, span)?;
        Ok(Value::Option(Some(Arc::new(value))))
    }

    fn list_op(&mut self, op: Op, of: &Type, args: Vec<Value>, span: Span) -> Step<Value> {
        let list = elements(&args[0]);
        match op {
            Op::ListIndex | Op::ListGet => {
                let found = usize::try_from(number(&args[1]))
                    .ok()
                    .and_then(|at| list.get(at))
                    .cloned();
                match (op, found) {
                    (Op::ListIndex, Some(value)) => Ok(value),
                    (Op::ListIndex, None) => fault(FaultCode::Index, span),
                    (_, Some(value)) => self.some(value, span),
                    (_, None) => Ok(Value::Option(None)),
                }
            }
            Op::ListContains => {
                let Type::List(of) = of else {
                    unreachable!("a list has the type of one")
                };
                self.meter.work(list.len(), span)?;
                for element in list.iter() {
                    if self.meter.equal(self.types, of, element, &args[1], span)? {
                        return Ok(Value::Bool(true));
                    }
                }
                Ok(Value::Bool(false))
            }
            Op::ListPush => {
                let mut longer = (*list).clone();
                longer.push(args[1].clone());
                self.list(longer, span)
            }
            Op::ListConcat => {
                let mut both = (*list).clone();
                both.extend(elements(&args[1]).iter().cloned());
                self.list(both, span)
            }
            _ => self.sum(of, &list, span),
        }
    }

    fn sum(&mut self, of: &Type, list: &[Value], span: Span) -> Step<Value> {
        if *of != Type::list(Type::Ratio) {
            self.meter.work(list.len(), span)?;
            let sum = list
                .iter()
                .try_fold(0, |sum, value| number::add(sum, number(value)));
            return checked(sum, span).map(Value::Number);
        }
        self.meter.work(RATIO_UNITS * list.len(), span)?;
        let mut sum = checked(Ratio::new(0, 1), span)?;
        for value in list {
            sum = checked(sum.plus(ratio(value)), span)?;
            self.meter.allocate(cost::RATIO, span)?;
        }
        Ok(Value::Ratio(sum))
    }

    /// The place of the first key that is not below `key`, and whether it is `key`. Each key that is looked
    /// at is a unit of work.
    fn search(&mut self, map: &[(Value, Value)], key: &Value, span: Span) -> Step<(usize, bool)> {
        let (mut low, mut high) = (0, map.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            self.meter.work(1, span)?;
            if self.meter.order(&map[middle].0, key, span)?.is_lt() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let found = match map.get(low) {
            Some((candidate, _)) => {
                self.meter.work(1, span)?;
                self.meter.order(candidate, key, span)?.is_eq()
            }
            None => false,
        };
        Ok((low, found))
    }

    fn map_op(&mut self, op: Op, args: &[Value], span: Span) -> Step<Value> {
        let map = entries(&args[0]);
        if matches!(op, Op::MapKeys | Op::MapValues) {
            self.meter.work(map.len(), span)?;
            let values = map
                .iter()
                .map(|(key, value)| if op == Op::MapKeys { key } else { value });
            return self.list(values.cloned().collect(), span);
        }
        let (at, found) = self.search(&map, &args[1], span)?;
        match op {
            Op::MapHas => Ok(Value::Bool(found)),
            Op::MapIndex if found => Ok(map[at].1.clone()),
            Op::MapIndex => fault(FaultCode::MissingKey, span),
            Op::MapGet if found => self.some(map[at].1.clone(), span),
            Op::MapGet => Ok(Value::Option(None)),
            Op::MapRemove if !found => Ok(args[0].clone()),
            _ => {
                let mut changed = (*map).clone();
                match op {
                    Op::MapRemove => {
                        changed.remove(at);
                    }
                    _ if found => changed[at].1 = args[2].clone(),
                    _ => changed.insert(at, (args[1].clone(), args[2].clone())),
                }
                if changed.len() > MAX_ELEMENTS {
                    return fault(FaultCode::Size, span);
                }
                self.meter.allocate(cost::map(changed.len()), span)?;
                Ok(Value::Map(Arc::new(changed)))
            }
        }
    }
}

fn count(value: usize) -> Value {
    Value::Number(i64::try_from(value).unwrap_or(i64::MAX))
}

fn arithmetic(op: Op, args: &[Value]) -> Checked<i64> {
    let a = number(&args[0]);
    if let Op::Scale(rounding) = op {
        return number::scale(a, ratio(&args[1]), rounding);
    }
    let b = args.get(1).map_or(0, number);
    match op {
        Op::Add => number::add(a, b),
        Op::Subtract => number::subtract(a, b),
        Op::Multiply => number::multiply(a, b),
        Op::Negate => number::subtract(0, a),
        Op::Abs if a < 0 => number::subtract(0, a),
        Op::Abs => Ok(a),
        Op::Quotient => number::quotient(a, b),
        Op::Remainder => number::remainder(a, b),
        // Both are naturals.
        _ => Ok((a - b).max(0)),
    }
}

fn fraction(op: Op, args: &[Value]) -> Checked<Ratio> {
    match op {
        Op::Divide => Ratio::new(number(&args[0]), number(&args[1])),
        Op::ToRatio => Ratio::new(number(&args[0]), 1),
        Op::RatioAdd => ratio(&args[0]).plus(ratio(&args[1])),
        Op::RatioSubtract => ratio(&args[0]).plus(ratio(&args[1]).negated()),
        Op::RatioMultiply => ratio(&args[0]).times(ratio(&args[1])),
        Op::RatioDivide => ratio(&args[0]).over(ratio(&args[1])),
        _ => Ok(ratio(&args[0]).negated()),
    }
}
