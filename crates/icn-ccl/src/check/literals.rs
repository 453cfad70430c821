//! Literals: quantities, texts with values in them, identities, content ids, moments.
use super::{Symbol, bodies::Body, names::TIME_UNITS};
use crate::{
    ast::{Argument, ExprKind as Ast, Name, TextPart},
    diagnostic::{Code, Diagnostic},
    ir::{Expr, ExprKind, Op},
    limits::MAX_TEXT_BYTES,
    source::Span,
    types::Type,
    value::Value,
};
use icn_model::{Cid, Did};

impl Body<'_> {
    /// `digits`, of which the last `decimals` are behind the point, of a unit.
    pub(super) fn quantity(&mut self, digits: i64, decimals: u32, unit: &Name, span: Span) -> Expr {
        let (ty, per_unit) = match unit.text.as_str() {
            "mana" => (Type::Mana, 1_000),
            "millimana" => (Type::Mana, 1),
            text => {
                let time = TIME_UNITS.iter().find(|(name, _)| *name == text);
                match time {
                    Some((_, millis)) => (Type::Duration, *millis),
                    None => match self.checker.find(self.module, text) {
                        Some(Symbol::Unit(id)) => {
                            let places = self.checker.types.unit(id).decimals;
                            (Type::Amount(id), 10i64.pow(places))
                        }
                        _ => return self.unknown_unit(unit),
                    },
                }
            }
        };
        let scale = 10i64.checked_pow(decimals);
        let value = scale.and_then(|scale| {
            let whole = i128::from(digits) * i128::from(per_unit);
            let exact = whole % i128::from(scale) == 0;
            exact
                .then(|| i64::try_from(whole / i128::from(scale)).ok())
                .flatten()
        });
        let problem = match value {
            None => "this has more decimals than the unit, or does not fit into 64 bits".to_owned(),
            Some(value) if value < 0 && ty.is_natural() => format!("{} is never below zero", self.show(&ty)),
            Some(value) => return Self::constant(span, Value::Number(value), ty),
        };
        self.report(Code::BadNumber, span, problem);
        Self::error(span)
    }

    fn unknown_unit(&mut self, unit: &Name) -> Expr {
        let units = |symbol: &Symbol| matches!(symbol, Symbol::Unit(_));
        let help = self.checker.findings.suggestion(&unit.text, || {
            let own = self.checker.names_of(self.module, units);
            own.into_iter()
                .chain(TIME_UNITS.iter().map(|(name, _)| (*name).to_owned()))
        });
        let help = help.unwrap_or_else(|| format!("declare it: `unit {};`", unit.text));
        let message = format!("there is no unit `{}`", unit.text);
        self.add(Diagnostic::new(Code::UnknownName, unit.span, message).help(help));
        Self::error(unit.span)
    }

    pub(super) fn text(&mut self, parts: &[TextPart], span: Span) -> Expr {
        let mut checked = Vec::new();
        for part in parts {
            let value = match part {
                TextPart::Literal(text) => Self::constant(span, Value::from(text.as_str()), Type::Text),
                TextPart::Value(expr) => self.operand(expr, None),
            };
            if value.ty == Type::Text || value.ty.is_poison() {
                checked.push(value);
            } else if self.checker.types.is_showable(&value.ty) {
                let span = value.span;
                checked.push(Self::op(Op::ToText, vec![value], Type::Text, span));
            } else {
                let message = format!("{} cannot be put into a text", self.show(&value.ty));
                let diagnostic = Diagnostic::new(Code::NotText, value.span, message);
                self.add(
                    diagnostic.help(
                        "texts take numbers, amounts, moments, identities, content ids and plain enums",
                    ),
                );
            }
        }
        let literal = parts.iter().map(|part| match part {
            TextPart::Literal(text) => Some(text.as_str()),
            TextPart::Value(_) => None,
        });
        if let Some(text) = literal.collect::<Option<String>>() {
            if text.len() > MAX_TEXT_BYTES {
                let message = format!(
                    "this text has {} bytes; at most {MAX_TEXT_BYTES} are allowed",
                    text.len()
                );
                self.report(Code::TooMany, span, message);
            }
            return Self::constant(span, Value::from(text.as_str()), Type::Text);
        }
        Expr {
            kind: ExprKind::Join(checked),
            ty: Type::Text,
            span,
        }
    }

    /// `did("…")`, `cid("…")`, `time("…")`
    pub(super) fn named_literal(&mut self, name: &Name, args: &[Argument], span: Span) -> Expr {
        let text = match args {
            [arg] => match &arg.value.kind {
                Ast::Text(parts) => match &parts[..] {
                    [TextPart::Literal(text)] => Some(text.as_str()),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        };
        let Some(text) = text else {
            let message = format!("`{}` takes one text in quotes, without values in it", name.text);
            self.report(Code::NotConstant, span, message);
            return Self::error(span);
        };
        let parsed = match name.text.as_str() {
            "did" => match text.parse::<Did>() {
                Ok(did) => Ok((Value::from(did), Type::Did)),
                Err(error) => Err(error.to_string()),
            },
            "cid" => match text.parse::<Cid>() {
                Ok(cid) => Ok((Value::from(cid), Type::Cid)),
                Err(error) => Err(error.to_string()),
            },
            _ => parse_time(text)
                .map(|millis| (Value::Number(millis), Type::Time))
                .ok_or_else(|| {
                    "not a moment: expected one like 2026-01-31T12:00:00Z, not before 1970".to_owned()
                }),
        };
        match parsed {
            Ok((value, ty)) => Self::constant(span, value, ty),
            Err(message) => {
                self.report(Code::BadLiteral, span, message);
                Self::error(span)
            }
        }
    }
}

/// Milliseconds since 1970 of `YYYY-MM-DDTHH:MM:SSZ`.
fn parse_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 20
        && [
            (4, b'-'),
            (7, b'-'),
            (10, b'T'),
            (13, b':'),
            (16, b':'),
            (19, b'Z'),
        ]
        .iter()
        .all(|(at, sign)| bytes[*at] == *sign);
    if !shape {
        return None;
    }
    let number = |from: usize, to: usize, least: i64, most: i64| {
        let digits = text
            .get(from..to)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits
            .parse::<i64>()
            .ok()
            .filter(|number| (least..=most).contains(number))
    };
    let year = number(0, 4, 1970, 9999)?;
    let month = number(5, 7, 1, 12)?;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = number(8, 10, 1, length)?;
    let (hour, minute, second) = (
        number(11, 13, 0, 23)?,
        number(14, 16, 0, 59)?,
        number(17, 19, 0, 59)?,
    );
    // Years that begin in March: leap days come last. 719,468 days lie between 1 March 0 and 1970.
    let shifted = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read() {
        assert_eq!(parse_time("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse_time("2000-02-29T12:00:01Z"), Some(951_825_601_000));
        assert_eq!(parse_time("2026-01-31T12:00:00Z"), Some(1_769_860_800_000));
        for wrong in [
            "1969-12-31T23:59:59Z",
            "2026-02-29T00:00:00Z",
            "2026-01-01",
            "2026-01-01T24:00:00Z",
            "2026-0é-01T00:00:0Z",
        ] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }
}
