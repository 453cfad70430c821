//! Expressions: names, fields, branches, collections. Calls are in `calls`, signs in `operators`.
use super::{
    Symbol,
    bodies::{Body, Purpose},
};
use crate::{
    ast::{self, ExprKind as Ast, Name},
    diagnostic::{Code, Diagnostic},
    ir::{Expr, ExprKind, LocalId},
    source::Span,
    types::{EnumId, Type},
    value::Value,
};

/// What a chain of names leads to.
pub(super) enum Path {
    Symbol(Symbol),
    Variant(EnumId, usize),
    /// Something that does not exist; it has been reported.
    Nothing,
}

impl Body<'_> {
    /// The expression, which has to be of type `ty`.
    pub(super) fn expect(&mut self, expr: &ast::Expr, ty: &Type) -> Expr {
        let checked = self.expr(expr, Some(ty));
        self.coerce(checked, ty)
    }

    /// A value that something is done with; `want` as in [`Body::expr`]. What never gives one would take its place
    /// with it, and so what it says: `refuse("closed") + 1` would be an answer.
    pub(super) fn operand(&mut self, expr: &ast::Expr, want: Option<&Type>) -> Expr {
        let checked = self.expr(expr, want);
        if checked.ty != Type::Never {
            return checked;
        }
        let diagnostic = Diagnostic::new(Code::NoValue, expr.span, "this never gives a value");
        self.add(diagnostic.help("let it stand alone, or be a branch of an `if` or `match`"));
        Self::error(expr.span)
    }

    pub(super) fn error(span: Span) -> Expr {
        Self::nothing(span, Type::Error)
    }

    pub(super) fn constant(span: Span, value: Value, ty: Type) -> Expr {
        Expr {
            kind: ExprKind::Const(value),
            ty,
            span,
        }
    }

    /// The expression; `want` is the type that it should have, for those whose own says too little.
    pub(super) fn expr(&mut self, expr: &ast::Expr, want: Option<&Type>) -> Expr {
        let span = expr.span;
        match &expr.kind {
            Ast::Int(number) => Self::constant(span, Value::Number(*number), Type::Int),
            Ast::Quantity(digits, decimals, unit) => self.quantity(*digits, *decimals, unit, span),
            Ast::Bool(value) => Self::constant(span, Value::Bool(*value), Type::Bool),
            Ast::None => self.none(span, want),
            Ast::Some(value) => {
                let want = match want {
                    Some(Type::Option(of)) => Some(&**of),
                    _ => None,
                };
                let mut value = self.operand(value, want);
                if let Some(ty) = want {
                    value = self.coerce(value, ty);
                }
                let ty = Type::option(value.ty.clone());
                Expr {
                    kind: ExprKind::Some(Box::new(value)),
                    ty,
                    span,
                }
            }
            Ast::Text(parts) => self.text(parts, span),
            Ast::Name(name) => self.name(name),
            Ast::Field(base, name) => self.field(expr, base, name),
            Ast::Call(callee, args) => self.call(callee, args, span, want),
            Ast::Index(base, index) => self.index(base, index, span),
            Ast::Unary(op, value) => self.unary(*op, value, span),
            Ast::Binary(op, left, right) => self.binary(*op, left, right, span),
            Ast::List(items) => self.list(items, span, want),
            Ast::Map(entries) => self.map(entries, span, want),
            Ast::Collect {
                value,
                name,
                over,
                condition,
            } => self.collect(value, name, over, condition.as_deref(), span),
            Ast::With(base, fields) => self.with(base, fields, span),
            Ast::If(condition, then, otherwise) => {
                self.branch(condition, then, otherwise.as_deref(), span, want)
            }
            Ast::Match(value, arms) => self.match_expr(value, arms, span, want),
            Ast::Block(block) => self.block(block, want),
            Ast::Return(value) => self.return_expr(value, span),
        }
    }

    fn return_expr(&mut self, value: &ast::Expr, span: Span) -> Expr {
        if self.purpose != Purpose::Function {
            self.report(
                Code::UnexpectedToken,
                span,
                "only functions and policies return values",
            );
            return Self::error(span);
        }
        let result = self.result.clone();
        let value = self.expect(value, &result);
        Expr {
            kind: ExprKind::Return(Box::new(value)),
            ty: Type::Never,
            span,
        }
    }

    /// What the names in `expr` lead to, if they do not begin with a local.
    pub(super) fn path(&mut self, expr: &ast::Expr) -> Option<Path> {
        match &expr.kind {
            Ast::Name(name) => {
                if self.names.iter().any(|local| local.name == name.text) {
                    return None;
                }
                let symbol = self.checker.find(self.module, &name.text)?;
                Some(Path::Symbol(symbol))
            }
            Ast::Field(base, name) => match self.path(base)? {
                Path::Symbol(Symbol::Enum(id)) => Some(self.variant_path(id, name)),
                Path::Symbol(Symbol::Module(_)) => {
                    let Ast::Name(alias) = &base.kind else { return None };
                    let found = self.checker.find_in(self.module, alias, name);
                    Some(found.map_or(Path::Nothing, Path::Symbol))
                }
                Path::Nothing => Some(Path::Nothing),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn variant_path(&mut self, id: EnumId, name: &Name) -> Path {
        let def = self.checker.types.enumeration(id);
        if let Some(place) = def.variant(&name.text) {
            return Path::Variant(id, place);
        }
        let variants = || def.variants.iter().map(|(name, _)| name);
        let help = self.checker.findings.suggestion(&name.text, variants);
        let message = format!("`{}` has no variant `{}`", def.name, name.text);
        let diagnostic = Diagnostic::new(Code::UnknownVariant, name.span, message);
        self.add(diagnostic.help_if(help));
        Path::Nothing
    }

    /// What a local holds.
    pub(super) fn read(&self, id: LocalId, span: Span) -> Expr {
        Expr {
            kind: ExprKind::Local(id),
            ty: self.locals[id].clone(),
            span,
        }
    }

    fn name(&mut self, name: &Name) -> Expr {
        if let Some(id) = self.find_local(&name.text) {
            return self.read(id, name.span);
        }
        match self.checker.find(self.module, &name.text) {
            Some(symbol) => self.symbol_value(symbol, &name.text, name.span),
            None => {
                let help = self.suggestion(&name.text);
                let message = format!("there is no `{}` here", name.text);
                self.add(Diagnostic::new(Code::UnknownName, name.span, message).help_if(help));
                Self::error(name.span)
            }
        }
    }

    fn symbol_value(&mut self, symbol: Symbol, name: &str, span: Span) -> Expr {
        let (what, help) = match symbol {
            Symbol::Constant(id) => {
                let constant = &self.checker.constants[id];
                let ty = constant.ty.clone();
                return match constant.value.clone() {
                    Some(value) => Self::constant(span, value, ty),
                    None => {
                        // Either its own fault has been reported, or it is declared further down.
                        if !self.checker.findings.failed() {
                            let message = format!("`{name}` has no value yet");
                            let diagnostic = Diagnostic::new(Code::NotConstant, span, message);
                            self.add(diagnostic.help("constants refer to constants above them"));
                        }
                        Self::error(span)
                    }
                };
            }
            Symbol::Function(_) => ("a function", "call it: write `(…)` behind it"),
            Symbol::Record(_) => ("a record", "give its fields: write `(field: value, …)` behind it"),
            Symbol::Enum(_) => ("an enum", "write a `.` and one of its variants behind it"),
            Symbol::Unit(_) => ("a unit", "write a number in front of it"),
            Symbol::Module(_) => ("a module", "write a `.` and a name of the module behind it"),
        };
        let diagnostic = Diagnostic::new(Code::NoValue, span, format!("`{name}` is {what}, not a value"));
        self.add(diagnostic.help(help));
        Self::error(span)
    }

    fn field(&mut self, expr: &ast::Expr, base: &ast::Expr, name: &Name) -> Expr {
        match self.path(expr) {
            Some(Path::Symbol(symbol)) => return self.symbol_value(symbol, &name.text, expr.span),
            Some(Path::Variant(id, place)) => return self.variant(id, place, &[], expr.span),
            Some(Path::Nothing) => return Self::error(expr.span),
            None => {}
        }
        let base = self.operand(base, None);
        let Type::Record(id) = base.ty else {
            if !base.ty.is_poison() {
                let known = crate::builtins::method_names(&base.ty);
                let help = if known.contains(&name.text.as_str()) {
                    Some(format!("it is a method: write `.{}(…)`", name.text))
                } else {
                    self.checker.findings.suggestion(&name.text, || known)
                };
                let message = format!("{} has no field `{}`", self.show(&base.ty), name.text);
                self.add(Diagnostic::new(Code::UnknownField, name.span, message).help_if(help));
            }
            return Self::error(expr.span);
        };
        let Some(place) = self.field_place(id, name) else {
            return Self::error(expr.span);
        };
        let ty = self.checker.types.record(id).fields[place].1.clone();
        Expr {
            kind: ExprKind::Field(Box::new(base), place),
            ty,
            span: expr.span,
        }
    }

    /// The place of a field; reports it if there is none.
    pub(super) fn field_place(&mut self, id: crate::types::RecordId, name: &Name) -> Option<usize> {
        let record = self.checker.types.record(id);
        let place = record.field(&name.text);
        if place.is_none() {
            let fields = || record.fields.iter().map(|(name, _)| name.as_str());
            let help = self.checker.findings.suggestion(&name.text, fields);
            let all = || fields().collect::<Vec<_>>().join(", ");
            let help = help.unwrap_or_else(|| format!("its fields are {}", all()));
            let message = format!("`{}` has no field `{}`", record.name, name.text);
            self.add(Diagnostic::new(Code::UnknownField, name.span, message).help(help));
        }
        place
    }

    fn branch(
        &mut self,
        condition: &ast::Expr,
        then: &ast::Block,
        otherwise: Option<&ast::Expr>,
        span: Span,
        want: Option<&Type>,
    ) -> Expr {
        let condition = self.expect(condition, &Type::Bool);
        let Some(otherwise) = otherwise else {
            let then = self.block(then, Some(&Type::Unit));
            let then = if then.ty.is_poison() || then.ty == Type::Unit {
                then
            } else {
                let message = format!(
                    "this gives {}, and nothing if the condition does not hold",
                    self.show(&then.ty)
                );
                let diagnostic = Diagnostic::new(Code::NoValue, then.span, message);
                self.add(diagnostic.help("add an `else`"));
                Self::error(then.span)
            };
            let nothing = Self::nothing(span, Type::Unit);
            return Expr {
                kind: ExprKind::If(Box::new(condition), Box::new(then), Box::new(nothing)),
                ty: Type::Unit,
                span,
            };
        };
        let then = self.block(then, want);
        let otherwise = self.expr(
            otherwise,
            Some(want.unwrap_or(&then.ty.clone())).filter(|ty| !ty.is_poison()),
        );
        let (mut bodies, ty) = self.join(vec![then, otherwise], want);
        let otherwise = bodies.pop().unwrap_or_else(|| Self::error(span));
        let then = bodies.pop().unwrap_or_else(|| Self::error(span));
        Expr {
            kind: ExprKind::If(Box::new(condition), Box::new(then), Box::new(otherwise)),
            ty,
            span,
        }
    }

    /// Brings alternatives to one type: the one that is wanted, or that of the first which has one.
    pub(super) fn join(&mut self, alternatives: Vec<Expr>, want: Option<&Type>) -> (Vec<Expr>, Type) {
        let mut types = alternatives.iter().map(|expr| &expr.ty);
        if types.clone().all(|ty| *ty == Type::Never) {
            return (alternatives, Type::Never);
        }
        let known = types.find(|ty| !ty.is_poison()).cloned();
        // Where nothing is to be given, those who give something are told by whoever asked.
        let wanted = want.filter(|ty| **ty != Type::Unit).cloned();
        // An Int beside a Ratio is one.
        let ratio = alternatives.iter().any(|expr| expr.ty == Type::Ratio) && known == Some(Type::Int);
        let ty = match (wanted, known) {
            (Some(ty), _) if !ty.is_poison() => ty,
            _ if ratio => Type::Ratio,
            (_, Some(ty)) => ty,
            _ => Type::Error,
        };
        let joined: Vec<_> = alternatives
            .into_iter()
            .map(|expr| self.coerce(expr, &ty))
            .collect();
        let failed = joined.iter().any(|expr| expr.ty == Type::Error);
        (joined, if failed { Type::Error } else { ty })
    }
}
