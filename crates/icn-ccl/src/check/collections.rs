//! Values that hold others: options, lists, maps, and what is taken out of them.
use super::bodies::Body;
use crate::{
    ast::{self, Name},
    diagnostic::{Code, Diagnostic},
    ir::{self, Expr, ExprKind, Op, Statement},
    source::Span,
    types::Type,
    value::Value,
};
use std::sync::Arc;

impl Body<'_> {
    pub(super) fn none(&mut self, span: Span, want: Option<&Type>) -> Expr {
        match want {
            Some(ty @ (Type::Option(_) | Type::Error)) => {
                Self::constant(span, Value::Option(None), ty.clone())
            }
            _ => self.needs_type(span, "None", "let x: Option<Int> = None;"),
        }
    }

    fn needs_type(&mut self, span: Span, what: &str, example: &str) -> Expr {
        let message = format!("what type this `{what}` has cannot be told from here");
        let diagnostic = Diagnostic::new(Code::NeedsType, span, message);
        self.add(diagnostic.help(format!("write the type, as in `{example}`")));
        Self::error(span)
    }

    pub(super) fn list(&mut self, items: &[ast::Expr], span: Span, want: Option<&Type>) -> Expr {
        let mut of = match want {
            Some(Type::List(of)) => Some((**of).clone()),
            _ => None,
        };
        let mut values = Vec::new();
        for item in items {
            let value = self.operand(item, of.as_ref());
            let value = match &of {
                Some(ty) => self.coerce(value, ty),
                None => value,
            };
            if of.is_none() && !value.ty.is_poison() {
                of = Some(value.ty.clone());
            }
            values.push(value);
        }
        let Some(of) = of else {
            if items.is_empty() && !matches!(want, Some(Type::Error)) {
                return self.needs_type(span, "[]", "let x: List<Int> = [];");
            }
            return Self::error(span);
        };
        if values.iter().any(|value| value.ty == Type::Error) {
            return Self::error(span);
        }
        Expr {
            kind: ExprKind::List(values),
            ty: Type::list(of),
            span,
        }
    }

    /// An empty map into which the entries are put one after the other.
    pub(super) fn map(
        &mut self,
        entries: &[(ast::Expr, ast::Expr)],
        span: Span,
        want: Option<&Type>,
    ) -> Expr {
        let mut types = match want {
            Some(Type::Map(key, value)) => Some(((**key).clone(), (**value).clone())),
            _ => None,
        };
        let mut checked = Vec::new();
        for (key, value) in entries {
            let (key_ty, value_ty) = types.as_ref().map(|(key, value)| (key, value)).unzip();
            let (mut key, mut value) = (self.operand(key, key_ty), self.operand(value, value_ty));
            match &types {
                Some((key_ty, value_ty)) => {
                    key = self.coerce(key, key_ty);
                    value = self.coerce(value, value_ty);
                }
                None => types = Some((key.ty.clone(), value.ty.clone())),
            }
            checked.push((key, value));
        }
        let Some((key, value)) = types else {
            if !matches!(want, Some(Type::Error)) {
                return self.needs_type(span, "map {}", "let x: Map<Text, Int> = map {};");
            }
            return Self::error(span);
        };
        let ty = Type::map(key, value);
        self.checker.check_type(&ty, span);
        let mut map = Self::constant(span, Value::Map(Arc::default()), ty.clone());
        if checked.is_empty() {
            return map;
        }
        // One after the other, so that a long literal does not nest.
        let id = self.temporary(ty.clone(), span);
        let mut statements = vec![Statement::Set(id, map)];
        for (key, value) in checked {
            let so_far = self.read(id, span);
            let more = Self::op(Op::MapInsert, vec![so_far, key, value], ty.clone(), span);
            statements.push(Statement::Set(id, more));
        }
        map = self.read(id, span);
        Expr {
            kind: ExprKind::Block(statements, Box::new(map)),
            ty,
            span,
        }
    }

    pub(super) fn collect(
        &mut self,
        value: &ast::Expr,
        name: &Name,
        over: &ast::Expr,
        condition: Option<&ast::Expr>,
        span: Span,
    ) -> Expr {
        let over = self.operand(over, None);
        let of = match &over.ty {
            Type::List(of) => (**of).clone(),
            ty => {
                if !ty.is_poison() {
                    let message = format!("expected a list, found {}", self.show(ty));
                    let diagnostic = Diagnostic::new(Code::WrongType, over.span, message);
                    self.add(diagnostic.help("of a map take `.keys()` or `.values()`"));
                }
                Type::Error
            }
        };
        self.scope(|body| {
            let id = body.local(name, of, false);
            let condition = condition.map(|condition| Box::new(body.expect(condition, &Type::Bool)));
            let value = body.operand(value, None);
            if value.ty == Type::Unit {
                body.report(Code::NoValue, value.span, "this gives no value");
            }
            let ty = Type::list(value.ty.clone());
            if over.ty.is_poison() || value.ty.is_poison() {
                return Self::error(span);
            }
            let value = Box::new(ir::Body::guarded(condition.as_deref(), value));
            Expr {
                kind: ExprKind::Collect(id, Box::new(over), condition, value),
                ty,
                span,
            }
        })
    }

    pub(super) fn index(&mut self, base: &ast::Expr, index: &ast::Expr, span: Span) -> Expr {
        let base = self.operand(base, None);
        let (op, key, ty) = match &base.ty {
            Type::List(of) => (Op::ListIndex, Type::Int, (**of).clone()),
            Type::Map(key, value) => (Op::MapIndex, (**key).clone(), (**value).clone()),
            ty => {
                if !ty.is_poison() {
                    let message = format!("{} has no places: only lists and maps have", self.show(ty));
                    self.report(Code::WrongType, base.span, message);
                }
                return Self::error(span);
            }
        };
        let index = self.expect(index, &key);
        Self::op(op, vec![base, index], ty, span)
    }
}
