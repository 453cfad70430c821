//! `match`: patterns are typed here; whether they cover everything is found out in `patterns`.
use super::{Symbol, bodies::Body, expressions::Path, patterns};
use crate::{
    ast::{self, Arm, Name, PatternKind as Ast},
    diagnostic::{Code, Diagnostic},
    ir::{Expr, ExprKind, Pattern},
    source::Span,
    types::{EnumId, RecordId, Type},
};

impl Body<'_> {
    pub(super) fn match_expr(
        &mut self,
        value: &ast::Expr,
        arms: &[Arm],
        span: Span,
        want: Option<&Type>,
    ) -> Expr {
        let value = self.operand(value, None);
        if value.ty == Type::Unit {
            self.report(Code::NoValue, value.span, "this gives no value");
        }
        let id = self.temporary(value.ty.clone(), span);
        let mut fitting = Vec::new();
        let mut bodies: Vec<Expr> = Vec::new();
        for arm in arms {
            self.scope(|body| {
                let pattern = body.pattern(&arm.pattern, &value.ty);
                let known = bodies
                    .iter()
                    .map(|body| &body.ty)
                    .find(|ty| !ty.is_poison())
                    .cloned();
                let hint = want.or(known.as_ref());
                bodies.push(body.expr(&arm.body, hint));
                fitting.push(pattern);
            });
        }
        let complete = fitting.iter().all(Option::is_some) && !value.ty.is_poison();
        let fitting: Vec<_> = fitting
            .into_iter()
            .map(|pattern| pattern.unwrap_or(Pattern::Any))
            .collect();
        if complete {
            let spans = arms.iter().map(|arm| arm.pattern.span).collect::<Vec<_>>();
            let found = patterns::check(&self.checker.types, &value.ty, &fitting, &spans, span);
            found.into_iter().for_each(|diagnostic| self.add(diagnostic));
        }
        let (bodies, ty) = self.join(bodies, want);
        Expr {
            kind: ExprKind::Match(Box::new(value), id, fitting.into_iter().zip(bodies).collect()),
            ty,
            span,
        }
    }

    /// The pattern, if it fits values of type `ty`.
    fn pattern(&mut self, pattern: &ast::Pattern, ty: &Type) -> Option<Pattern> {
        match &pattern.kind {
            Ast::Any => Some(Pattern::Any),
            Ast::Bind(name) => {
                self.check_binding(name, ty);
                Some(Pattern::Bind(self.local(name, ty.clone(), false)))
            }
            Ast::Literal(literal) => {
                let checked = self.expect(literal, ty);
                if checked.ty.is_poison() || ty.is_poison() {
                    return None;
                }
                match checked.kind {
                    ExprKind::Const(value) => Some(Pattern::Value(value, ty.clone())),
                    _ => {
                        self.report(
                            Code::NotConstant,
                            literal.span,
                            "a pattern is a literal without values in it",
                        );
                        None
                    }
                }
            }
            Ast::None => match ty {
                Type::Option(_) => Some(Pattern::None),
                _ => self.unfit(pattern.span, "None", ty),
            },
            Ast::Some(inner) => match ty {
                Type::Option(of) => {
                    let inner = self.pattern(inner, of)?;
                    Some(Pattern::Some(Box::new(inner), (**of).clone()))
                }
                _ => {
                    self.pattern(inner, &Type::Error);
                    self.unfit(pattern.span, "Some(…)", ty)
                }
            },
            Ast::Variant(module, of, variant, values) => {
                let symbol = self.pattern_symbol(module.as_ref(), of)?;
                let Symbol::Enum(id) = symbol else {
                    self.report(
                        Code::UnknownType,
                        of.span,
                        format!("`{}` is not an enum", of.text),
                    );
                    return None;
                };
                self.variant_pattern(id, variant, values, ty, pattern.span)
            }
            Ast::Record(module, name, fields) => {
                let symbol = self.pattern_symbol(module.as_ref(), name)?;
                let Symbol::Record(id) = symbol else {
                    self.report(
                        Code::UnknownType,
                        name.span,
                        format!("`{}` is not a record", name.text),
                    );
                    return None;
                };
                self.record_pattern(id, fields, ty, pattern.span)
            }
        }
    }

    /// A name that takes any value is easily meant to be a variant.
    fn check_binding(&mut self, name: &Name, ty: &Type) {
        let Type::Enum(id) = ty else { return };
        let def = self.checker.types.enumeration(*id);
        if def.variant(&name.text).is_some() {
            let message = format!("`{}` takes every value here, and is not the variant", name.text);
            let help = format!("write `{}.{}`", def.name, name.text);
            let diagnostic = Diagnostic::new(Code::UnreachableArm, name.span, message);
            self.add(diagnostic.help(help));
        }
    }

    fn unfit(&mut self, span: Span, what: &str, ty: &Type) -> Option<Pattern> {
        if !ty.is_poison() {
            let message = format!("`{what}` is no value of type {}", self.show(ty));
            self.report(Code::WrongType, span, message);
        }
        None
    }

    fn pattern_symbol(&mut self, module: Option<&Name>, name: &Name) -> Option<Symbol> {
        let found = match module {
            Some(alias) => return self.checker.find_in(self.module, alias, name),
            None => self.checker.find(self.module, &name.text),
        };
        if found.is_none() {
            let help = self.suggestion(&name.text);
            let message = format!("there is no type `{}`", name.text);
            self.add(Diagnostic::new(Code::UnknownType, name.span, message).help_if(help));
        }
        found
    }

    fn variant_pattern(
        &mut self,
        id: EnumId,
        variant: &Name,
        values: &[ast::Pattern],
        ty: &Type,
        span: Span,
    ) -> Option<Pattern> {
        let Path::Variant(_, place) = self.variant_path(id, variant) else {
            return None;
        };
        let def = self.checker.types.enumeration(id);
        let (types, plain) = (def.variants[place].1.clone(), def.is_plain());
        let what = format!("{}.{}", def.name, variant.text);
        if values.len() != types.len() {
            let plural = if types.len() == 1 { "" } else { "s" };
            let message = format!("`{what}` has {} value{plural}, not {}", types.len(), values.len());
            self.report(Code::WrongCount, span, message);
            return None;
        }
        let mut inner = Some(Vec::new());
        for (pattern, ty) in values.iter().zip(&types) {
            let pattern = self.pattern(pattern, ty);
            inner = inner.zip(pattern).map(|(mut inner, pattern)| {
                inner.push((pattern, ty.clone()));
                inner
            });
        }
        if *ty != Type::Enum(id) {
            return self.unfit(span, &what, ty);
        }
        let place = u32::try_from(place).expect("enums have few variants");
        Some(Pattern::Variant(place, inner?, plain))
    }

    fn record_pattern(
        &mut self,
        id: RecordId,
        fields: &[(Name, ast::Pattern)],
        ty: &Type,
        span: Span,
    ) -> Option<Pattern> {
        let record = self.checker.types.record(id);
        let name = record.name.clone();
        let mut inner: Vec<_> = record
            .fields
            .iter()
            .map(|(_, ty)| (Pattern::Any, ty.clone()))
            .collect();
        let mut fits = true;
        self.checker.check_distinct(fields.iter().map(|(name, _)| name));
        for (field, pattern) in fields {
            let Some(place) = self.field_place(id, field) else {
                fits = false;
                continue;
            };
            let of = inner[place].1.clone();
            match self.pattern(pattern, &of) {
                Some(pattern) => inner[place].0 = pattern,
                None => fits = false,
            }
        }
        if *ty != Type::Record(id) {
            return self.unfit(span, &name, ty);
        }
        fits.then_some(Pattern::Record(inner))
    }
}
