//! Signs between and before values, and the one conversion: an Int where a Ratio is expected.
use super::bodies::Body;
use crate::{
    ast::{self, BinaryOp, UnaryOp},
    diagnostic::{Code, Diagnostic},
    ir::{Comparison, Expr, ExprKind, Op},
    number::Ratio,
    source::Span,
    types::Type,
    value::Value,
};

impl Body<'_> {
    pub(super) fn op(op: Op, args: Vec<Expr>, ty: Type, span: Span) -> Expr {
        Expr {
            kind: ExprKind::Op(op, args),
            ty,
            span,
        }
    }

    /// `expr` as a value of type `ty`; reports it if it is none.
    pub(super) fn coerce(&mut self, expr: Expr, ty: &Type) -> Expr {
        if expr.ty == *ty || expr.ty.is_poison() || ty.is_poison() {
            return expr;
        }
        if expr.ty == Type::Int && *ty == Type::Ratio {
            return Self::as_ratio(expr);
        }
        // The types of lists and options are compared as a whole; a part that was reported spoils all.
        if contains_error(&expr.ty) || contains_error(ty) {
            return Expr {
                ty: Type::Error,
                ..expr
            };
        }
        let (wanted, found) = (self.show(ty), self.show(&expr.ty));
        let diagnostic = Diagnostic::new(
            Code::WrongType,
            expr.span,
            format!("expected {wanted}, found {found}"),
        );
        let help = match (ty, &expr.ty) {
            (Type::Int, Type::Ratio) => {
                Some("say how to round: `.floor()`, `.ceil()` or `.round()`".to_owned())
            }
            (_, Type::Option(of)) if **of == *ty => {
                Some("take it apart with `match`, or write `.otherwise(…)`".to_owned())
            }
            (Type::Option(of), _) if **of == expr.ty => Some("write `Some(…)`".to_owned()),
            (_, Type::Unit) => Some("a block gives the value at its end, without `;`".to_owned()),
            (_, Type::Int) if ty.is_quantity() => {
                Some("write the unit, such as `5 mana`, `7 days` or `10 eur`".to_owned())
            }
            (Type::Text, _) if self.checker.types.is_showable(&expr.ty) => {
                Some("put it into a text: `\"{…}\"`".to_owned())
            }
            _ => None,
        };
        self.add(diagnostic.help_if(help));
        Expr {
            ty: Type::Error,
            ..expr
        }
    }

    fn as_ratio(expr: Expr) -> Expr {
        let span = expr.span;
        if let ExprKind::Const(Value::Number(number)) = expr.kind
            && let Ok(ratio) = Ratio::new(number, 1)
        {
            return Expr {
                kind: ExprKind::Const(Value::Ratio(ratio)),
                ty: Type::Ratio,
                span,
            };
        }
        Self::op(Op::ToRatio, vec![expr], Type::Ratio, span)
    }

    pub(super) fn unary(&mut self, op: UnaryOp, value: &ast::Expr, span: Span) -> Expr {
        if op == UnaryOp::Not {
            let value = self.operand(value, Some(&Type::Bool));
            let value = self.coerce(value, &Type::Bool);
            return Self::op(Op::Not, vec![value], Type::Bool, span);
        }
        let value = self.operand(value, None);
        let ty = value.ty.clone();
        match ty {
            Type::Int | Type::Amount(_) => Self::op(Op::Negate, vec![value], ty, span),
            Type::Ratio => Self::op(Op::RatioNegate, vec![value], ty, span),
            _ if ty.is_poison() => value,
            _ => {
                let message = format!("{} has no negative", self.show(&ty));
                self.report(Code::WrongOperands, span, message);
                Self::nothing(span, Type::Error)
            }
        }
    }

    pub(super) fn binary(&mut self, op: BinaryOp, left: &ast::Expr, right: &ast::Expr, span: Span) -> Expr {
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            return self.logic(op, left, right, span);
        }
        let mut left = self.operand(left, None);
        // What a `None` or an empty list is compared with says its type.
        let hint = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual).then(|| left.ty.clone());
        let mut right = self.operand(right, hint.as_ref());
        if left.ty.is_poison() || right.ty.is_poison() {
            return Self::nothing(span, Type::Error);
        }
        if left.ty == Type::Ratio && right.ty == Type::Int {
            right = Self::as_ratio(right);
        } else if left.ty == Type::Int && right.ty == Type::Ratio {
            left = Self::as_ratio(left);
        }
        let Some((known, ty)) = operation(op, &left.ty, &right.ty) else {
            self.wrong_operands(op, &left, &right, span);
            return Self::nothing(span, Type::Error);
        };
        let result = Self::op(known, vec![left, right], ty, span);
        if op == BinaryOp::NotEqual {
            return Self::op(Op::Not, vec![result], Type::Bool, span);
        }
        self.fold(result)
    }

    /// Quotients of literals are literals: `1/2` costs nothing.
    fn fold(&mut self, expr: Expr) -> Expr {
        let ExprKind::Op(Op::Divide, args) = &expr.kind else {
            return expr;
        };
        let (ExprKind::Const(Value::Number(above)), ExprKind::Const(Value::Number(below))) =
            (&args[0].kind, &args[1].kind)
        else {
            return expr;
        };
        match Ratio::new(*above, *below) {
            Ok(ratio) => Expr {
                kind: ExprKind::Const(Value::Ratio(ratio)),
                ..expr
            },
            Err(code) => {
                self.report(
                    Code::ConstantFails,
                    expr.span,
                    format!("this has no value: {}", code.text()),
                );
                Self::nothing(expr.span, Type::Error)
            }
        }
    }

    /// `and` and `or` look at the right side only if the left does not decide.
    fn logic(&mut self, op: BinaryOp, left: &ast::Expr, right: &ast::Expr, span: Span) -> Expr {
        let left = self.expect(left, &Type::Bool);
        let right = self.expect(right, &Type::Bool);
        let decided = Expr {
            kind: ExprKind::Const(Value::Bool(op == BinaryOp::Or)),
            ty: Type::Bool,
            span,
        };
        let (then, otherwise) = if op == BinaryOp::And {
            (right, decided)
        } else {
            (decided, right)
        };
        Expr {
            kind: ExprKind::If(Box::new(left), Box::new(then), Box::new(otherwise)),
            ty: Type::Bool,
            span,
        }
    }

    fn wrong_operands(&mut self, op: BinaryOp, left: &Expr, right: &Expr, span: Span) {
        if contains_error(&left.ty) || contains_error(&right.ty) {
            return;
        }
        let (a, b) = (self.show(&left.ty), self.show(&right.ty));
        let message = format!("`{}` does not work on {a} and {b}", op.text());
        let diagnostic = Diagnostic::new(Code::WrongOperands, span, message);
        let diagnostic = diagnostic
            .also(left.span, format!("this is {a}"))
            .also(right.span, format!("this is {b}"));
        let help = match (op, &left.ty, &right.ty) {
            (_, Type::Amount(_), Type::Amount(_)) => Some("amounts of different units are not mixed"),
            (BinaryOp::Multiply, ty, Type::Ratio) | (BinaryOp::Multiply, Type::Ratio, ty)
                if ty.is_quantity() =>
            {
                Some("say how to round: `.times_floor(…)`, `.times_ceil(…)` or `.times_round(…)`")
            }
            (BinaryOp::Divide, ty, Type::Int) if ty.is_quantity() => {
                Some("write `.times_floor(1/…)`, which says how to round")
            }
            (BinaryOp::Add, Type::Text, _) | (BinaryOp::Add, _, Type::Text) => Some("write `\"{…}{…}\"`"),
            (_, Type::Option(_), _) | (_, _, Type::Option(_)) => {
                Some("take the Option apart with `match`, or write `.otherwise(…)`")
            }
            (_, ty, Type::Int) | (_, Type::Int, ty) if ty.is_quantity() => {
                Some("write the unit, such as `5 mana`, `7 days` or `10 eur`")
            }
            _ => None,
        };
        self.add(diagnostic.help_if(help.map(str::to_owned)));
    }
}

pub(super) fn contains_error(ty: &Type) -> bool {
    match ty {
        Type::Error => true,
        Type::Option(of) | Type::List(of) => contains_error(of),
        Type::Map(key, value) => contains_error(key) || contains_error(value),
        _ => false,
    }
}

/// What a sign does between two types, and the type of the result.
fn operation(op: BinaryOp, left: &Type, right: &Type) -> Option<(Op, Type)> {
    let comparison = match op {
        BinaryOp::Equal | BinaryOp::NotEqual => {
            return (left == right && *left != Type::Unit).then_some((Op::Equal, Type::Bool));
        }
        BinaryOp::Less => Comparison::Less,
        BinaryOp::LessEqual => Comparison::LessEqual,
        BinaryOp::Greater => Comparison::Greater,
        BinaryOp::GreaterEqual => Comparison::GreaterEqual,
        _ => return arithmetic(op, left, right),
    };
    (left == right && left.is_ordered()).then_some((Op::Compare(comparison), Type::Bool))
}

fn arithmetic(op: BinaryOp, left: &Type, right: &Type) -> Option<(Op, Type)> {
    use BinaryOp::{Add, Divide, Multiply, Subtract};
    let same = left == right;
    let known = match (op, left, right) {
        (Add, Type::Ratio, Type::Ratio) => (Op::RatioAdd, Type::Ratio),
        (Subtract, Type::Ratio, Type::Ratio) => (Op::RatioSubtract, Type::Ratio),
        (Multiply, Type::Ratio, Type::Ratio) => (Op::RatioMultiply, Type::Ratio),
        (Divide, Type::Ratio, Type::Ratio) => (Op::RatioDivide, Type::Ratio),
        (Add, Type::Time, Type::Duration) | (Add, Type::Duration, Type::Time) => (Op::Add, Type::Time),
        (Subtract, Type::Time, Type::Duration) => (Op::Subtract, Type::Time),
        (Subtract, Type::Time, Type::Time) => (Op::Subtract, Type::Duration),
        (Multiply, Type::Int, Type::Int) => (Op::Multiply, Type::Int),
        (Multiply, Type::Int, ty) | (Multiply, ty, Type::Int) if ty.is_quantity() => {
            (Op::Multiply, ty.clone())
        }
        (Add, Type::Int, Type::Int) => (Op::Add, Type::Int),
        (Subtract, Type::Int, Type::Int) => (Op::Subtract, Type::Int),
        (Divide, Type::Int, Type::Int) => (Op::Divide, Type::Ratio),
        (Add, ty, _) if same && ty.is_quantity() => (Op::Add, ty.clone()),
        (Subtract, ty, _) if same && ty.is_quantity() => (Op::Subtract, ty.clone()),
        (Divide, ty, _) if same && ty.is_quantity() => (Op::Divide, Type::Ratio),
        _ => return None,
    };
    Some(known)
}
