//! Calls: functions, methods, built-ins, records and variants.
use super::{
    Symbol,
    bodies::{Body, Purpose},
    expressions::Path,
};
use crate::{
    ast::{self, Argument, ExprKind as Ast, Name},
    builtins,
    diagnostic::{Code, Diagnostic},
    fault::FaultCode,
    ir::{Comparison, Expr, ExprKind, Op, Statement},
    source::Span,
    types::{EnumId, RecordId, Type},
};

impl Body<'_> {
    pub(super) fn call(
        &mut self,
        callee: &ast::Expr,
        args: &[Argument],
        span: Span,
        want: Option<&Type>,
    ) -> Expr {
        match self.path(callee) {
            Some(Path::Symbol(Symbol::Function(id))) => return self.function_call(id, args, span),
            Some(Path::Symbol(Symbol::Record(id))) => return self.record(id, args, span),
            Some(Path::Variant(id, place)) => return self.variant(id, place, args, span),
            Some(Path::Symbol(Symbol::Constant(_))) | None => {}
            Some(Path::Symbol(_) | Path::Nothing) => {
                // Says what it is instead.
                self.expr(callee, None);
                return Self::error(span);
            }
        }
        match &callee.kind {
            Ast::Name(name) => self.builtin(name, args, span, want),
            Ast::Field(base, name) => self.method(base, name, args, span),
            _ => {
                self.report(Code::WrongType, callee.span, "this is not a function");
                Self::error(span)
            }
        }
    }

    /// Arguments without names, as many as `types`.
    fn arguments(&mut self, what: &str, args: &[Argument], types: &[Type], span: Span) -> Vec<Expr> {
        self.check_arguments(what, args, types.len(), span);
        let nothing = Type::Error;
        let types = types.iter().chain(core::iter::repeat(&nothing));
        args.iter()
            .zip(types)
            .map(|(arg, ty)| self.expect(&arg.value, ty))
            .collect()
    }

    /// Reports another number of arguments, and names that they have.
    fn check_arguments(&mut self, what: &str, args: &[Argument], count: usize, span: Span) {
        if args.len() != count {
            let plural = if count == 1 { "" } else { "s" };
            let message = format!("{what} takes {count} value{plural}, not {}", args.len());
            self.report(Code::WrongCount, span, message);
        }
        for name in args.iter().filter_map(|arg| arg.name.as_ref()) {
            let diagnostic = Diagnostic::new(
                Code::UnknownField,
                name.span,
                "only records have names for their values",
            );
            self.add(diagnostic.help(format!("leave `{}:` out", name.text)));
        }
    }

    fn function_call(&mut self, id: usize, args: &[Argument], span: Span) -> Expr {
        let signature = self.checker.signatures[id].clone();
        if self.purpose == Purpose::Constant {
            let message = format!("constants do not call functions such as `{}`", signature.name);
            self.report(Code::NotConstant, span, message);
            return Self::error(span);
        }
        let args = self.arguments(&format!("`{}`", signature.name), args, &signature.params, span);
        let wrong = args.len() != signature.params.len();
        Expr {
            kind: ExprKind::Call(id, args),
            ty: if wrong { Type::Error } else { signature.result },
            span,
        }
    }

    fn field_types(&self, id: RecordId) -> Vec<Type> {
        let fields = &self.checker.types.record(id).fields;
        fields.iter().map(|(_, ty)| ty.clone()).collect()
    }

    /// The fields that are given, by place.
    fn fields(&mut self, id: RecordId, args: &[Argument]) -> Vec<Option<Expr>> {
        let types = self.field_types(id);
        let mut given: Vec<Option<Expr>> = types.iter().map(|_| None).collect();
        for arg in args {
            let Some(name) = &arg.name else {
                let diagnostic = Diagnostic::new(
                    Code::MissingField,
                    arg.value.span,
                    "the name of the field is missing",
                );
                self.add(diagnostic.help("write `field: value`"));
                continue;
            };
            let Some(place) = self.field_place(id, name) else {
                self.expr(&arg.value, None);
                continue;
            };
            if given[place].is_some() {
                self.report(
                    Code::DuplicateField,
                    name.span,
                    format!("`{}` is given twice", name.text),
                );
            }
            given[place] = Some(self.expect(&arg.value, &types[place]));
        }
        given
    }

    fn record(&mut self, id: RecordId, args: &[Argument], span: Span) -> Expr {
        let given = self.fields(id, args);
        let record = self.checker.types.record(id);
        let missing = record
            .fields
            .iter()
            .zip(&given)
            .filter(|(_, value)| value.is_none());
        let missing: Vec<_> = missing.map(|((name, _), _)| format!("`{name}`")).collect();
        if !missing.is_empty() {
            let message = format!("`{}` also needs {}", record.name, missing.join(", "));
            self.report(Code::MissingField, span, message);
            return Self::error(span);
        }
        Expr {
            kind: ExprKind::Record(given.into_iter().flatten().collect()),
            ty: Type::Record(id),
            span,
        }
    }

    /// `base with (field: value)`: a record with some fields changed.
    pub(super) fn with(&mut self, base: &ast::Expr, args: &[Argument], span: Span) -> Expr {
        let base = self.operand(base, None);
        let Type::Record(id) = base.ty else {
            if !base.ty.is_poison() {
                let message = format!("expected a record, found {}", self.show(&base.ty));
                self.report(Code::WrongType, base.span, message);
            }
            return Self::error(span);
        };
        let given = self.fields(id, args);
        let ty = base.ty.clone();
        let local = self.temporary(ty.clone(), span);
        let whole = self.read(local, span);
        let types = self.field_types(id);
        let fields = given
            .into_iter()
            .zip(types)
            .enumerate()
            .map(|(place, (value, field))| {
                value.unwrap_or_else(|| {
                    let whole = whole.clone();
                    Expr {
                        kind: ExprKind::Field(Box::new(whole), place),
                        ty: field,
                        span,
                    }
                })
            });
        let record = Expr {
            kind: ExprKind::Record(fields.collect()),
            ty: ty.clone(),
            span,
        };
        Expr {
            kind: ExprKind::Block(vec![Statement::Set(local, base)], Box::new(record)),
            ty,
            span,
        }
    }

    pub(super) fn variant(&mut self, id: EnumId, place: usize, args: &[Argument], span: Span) -> Expr {
        let def = self.checker.types.enumeration(id);
        let (name, types) = def.variants[place].clone();
        let what = format!("`{}.{name}`", def.name);
        let values = self.arguments(&what, args, &types, span);
        let wrong = values.len() != types.len();
        Expr {
            kind: ExprKind::Variant(u32::try_from(place).expect("enums have few variants"), values),
            ty: if wrong { Type::Error } else { Type::Enum(id) },
            span,
        }
    }

    fn method(&mut self, base: &ast::Expr, name: &Name, args: &[Argument], span: Span) -> Expr {
        let receiver = self.operand(base, None);
        if receiver.ty.is_poison() {
            args.iter().for_each(|arg| {
                self.expr(&arg.value, None);
            });
            return Self::error(span);
        }
        let Some(method) = builtins::method(&receiver.ty, &name.text) else {
            let known = builtins::method_names(&receiver.ty);
            let is_field = match &receiver.ty {
                Type::Record(id) => self.checker.types.record(*id).field(&name.text).is_some(),
                _ => false,
            };
            let help = if is_field {
                Some("it is a field: leave the parentheses out".to_owned())
            } else {
                let near = self.checker.findings.suggestion(&name.text, || &known);
                near.or((!known.is_empty()).then(|| format!("its methods are {}", known.join(", "))))
            };
            let message = format!("{} has no method `{}`", self.show(&receiver.ty), name.text);
            self.add(Diagnostic::new(Code::UnknownMethod, name.span, message).help_if(help));
            return Self::error(span);
        };
        let checked = self.arguments(&format!("`{}`", name.text), args, &method.args, span);
        let wrong = checked.len() != method.args.len();
        let args = core::iter::once(receiver).chain(checked).collect();
        Self::op(
            method.op,
            args,
            if wrong { Type::Error } else { method.result },
            span,
        )
    }

    fn builtin(&mut self, name: &Name, args: &[Argument], span: Span, want: Option<&Type>) -> Expr {
        let what = format!("`{}`", name.text);
        match name.text.as_str() {
            "require" => {
                let mut args = self
                    .arguments(&what, args, &[Type::Bool, Type::Text], span)
                    .into_iter();
                match (args.next(), args.next()) {
                    (Some(condition), Some(reason)) => {
                        self.unless(condition, ExprKind::Refuse(Box::new(reason)), span)
                    }
                    _ => Self::error(span),
                }
            }
            "expect" => {
                if self.purpose != Purpose::Test {
                    let diagnostic = Diagnostic::new(Code::OnlyInTests, span, "only tests expect something");
                    self.add(diagnostic.help("write `require(condition, \"reason\")`"));
                }
                let condition = self
                    .arguments(&what, args, &[Type::Bool], span)
                    .into_iter()
                    .next();
                condition.map_or(Self::error(span), |condition| {
                    self.unless(condition, ExprKind::Fail(FaultCode::Expectation), span)
                })
            }
            "refuse" => {
                let reason = self
                    .arguments(&what, args, &[Type::Text], span)
                    .into_iter()
                    .next();
                reason.map_or(Self::error(span), |reason| Expr {
                    kind: ExprKind::Refuse(Box::new(reason)),
                    ty: Type::Never,
                    span,
                })
            }
            "min" | "max" => self.extreme(name.text == "min", args, span, want),
            "did" | "cid" | "time" => self.named_literal(name, args, span),
            "range" => {
                let diagnostic = Diagnostic::new(
                    Code::UnexpectedToken,
                    span,
                    "`range` stands only behind the `in` of a `for`",
                );
                self.add(diagnostic.help("write `for i in range(0, 10) { … }`"));
                Self::error(span)
            }
            _ => {
                let help = self.suggestion(&name.text);
                let message = format!("there is no function `{}`", name.text);
                self.add(Diagnostic::new(Code::UnknownName, name.span, message).help_if(help));
                args.iter().for_each(|arg| {
                    self.expr(&arg.value, None);
                });
                Self::error(span)
            }
        }
    }

    /// Nothing if the condition holds, else `end`.
    fn unless(&mut self, condition: Expr, end: ExprKind, span: Span) -> Expr {
        let end = Expr {
            kind: end,
            ty: Type::Never,
            span,
        };
        Expr {
            kind: ExprKind::If(
                Box::new(condition),
                Box::new(Self::nothing(span, Type::Unit)),
                Box::new(end),
            ),
            ty: Type::Unit,
            span,
        }
    }

    /// The smaller or larger of two, each computed once; the first of equals.
    fn extreme(&mut self, smaller: bool, args: &[Argument], span: Span, want: Option<&Type>) -> Expr {
        let what = if smaller { "`min`" } else { "`max`" };
        self.check_arguments(what, args, 2, span);
        let [first, second] = args else {
            return Self::error(span);
        };
        let first = self.operand(&first.value, None);
        let second = self.operand(&second.value, None);
        if first.ty.is_poison() || second.ty.is_poison() {
            return Self::error(span);
        }
        let ratio = first.ty == Type::Ratio || second.ty == Type::Ratio || want == Some(&Type::Ratio);
        let ty = if ratio { Type::Ratio } else { first.ty.clone() };
        let first = self.coerce(first, &ty);
        let second = self.coerce(second, &ty);
        if first.ty == Type::Error || second.ty == Type::Error {
            return Self::error(span);
        }
        if !ty.is_ordered() {
            let message = format!("{} has no order", self.show(&ty));
            self.report(Code::WrongOperands, span, message);
            return Self::error(span);
        }
        let (a, b) = (self.temporary(ty.clone(), span), self.temporary(ty.clone(), span));
        let local = |id| self.read(id, span);
        let op = if smaller {
            Comparison::LessEqual
        } else {
            Comparison::GreaterEqual
        };
        let condition = Self::op(Op::Compare(op), vec![local(a), local(b)], Type::Bool, span);
        let choice = Expr {
            kind: ExprKind::If(Box::new(condition), Box::new(local(a)), Box::new(local(b))),
            ty: ty.clone(),
            span,
        };
        let statements = vec![Statement::Set(a, first), Statement::Set(b, second)];
        Expr {
            kind: ExprKind::Block(statements, Box::new(choice)),
            ty,
            span,
        }
    }
}
