//! Blocks and statements.
use super::bodies::Body;
use crate::{
    ast::{self, Block, Name, Statement},
    diagnostic::{Code, Diagnostic},
    ir::{self, Expr, ExprKind},
    source::Span,
    types::Type,
    value::Value,
};

impl Body<'_> {
    /// A value of nothing.
    pub(super) fn nothing(span: Span, ty: Type) -> Expr {
        Expr {
            kind: ExprKind::Const(Value::Unit),
            ty,
            span,
        }
    }

    /// The body of a function with that result.
    pub(super) fn function_block(&mut self, block: &Block, result: &Type) -> Expr {
        let checked = self.block(block, Some(result));
        self.coerce(checked, result)
    }

    /// A block; `want` is the type that its value should have.
    pub(super) fn block(&mut self, block: &Block, want: Option<&Type>) -> Expr {
        self.scope(|body| {
            let mut statements = Vec::new();
            let mut ended: Option<Span> = None;
            let mut broken = false;
            for statement in &block.statements {
                let span = statement_span(statement);
                if let (Some(end), Some(span)) = (ended, span) {
                    body.unreachable(span, end);
                    ended = None;
                }
                match body.statement(statement) {
                    Some(checked) => {
                        if let ir::Statement::Do(expr) = &checked
                            && expr.ty == Type::Never
                        {
                            ended = Some(expr.span);
                        }
                        statements.push(checked);
                    }
                    None => broken = true,
                }
            }
            let never = ended.is_some();
            let tail = match &block.tail {
                Some(tail) => {
                    if let Some(end) = ended {
                        body.unreachable(tail.span, end);
                    }
                    body.expr(tail, want)
                }
                None if never => Self::nothing(block.span, Type::Never),
                None if broken => Self::nothing(block.span, Type::Error),
                None => Self::nothing(end_of(block), Type::Unit),
            };
            let ty = if never { Type::Never } else { tail.ty.clone() };
            Expr {
                span: tail.span,
                kind: ExprKind::Block(statements, Box::new(tail)),
                ty,
            }
        })
    }

    fn unreachable(&mut self, span: Span, end: Span) {
        let diagnostic = Diagnostic::new(Code::UnreachableCode, span, "nothing reaches this");
        self.add(diagnostic.also(end, "it always ends here"));
    }

    fn statement(&mut self, statement: &Statement) -> Option<ir::Statement> {
        match statement {
            Statement::Let {
                name,
                mutable,
                ty,
                value,
            } => {
                let value = match ty {
                    Some(expr) => {
                        let ty = self.checker.resolve_type(self.module, expr);
                        self.checker.check_type(&ty, expr.span);
                        let mut value = self.expect(value, &ty);
                        if value.ty == Type::Never {
                            value.ty = ty;
                        }
                        value
                    }
                    None => self.operand(value, None),
                };
                if value.ty == Type::Unit {
                    self.report(Code::NoValue, value.span, "this gives no value");
                }
                let id = self.local(name, value.ty.clone(), *mutable);
                Some(ir::Statement::Set(id, value))
            }
            Statement::Assign { name, value } => self.assign(name, value),
            Statement::For {
                first,
                second,
                over,
                body,
            } => self.for_loop(first, second.as_ref(), over, body),
            Statement::Expr(expr) => {
                let checked = self.expr(expr, Some(&Type::Unit));
                if checked.ty != Type::Unit && !checked.ty.is_poison() {
                    let message = format!("nothing uses this {}", self.show(&checked.ty));
                    let diagnostic = Diagnostic::new(Code::UnusedValue, expr.span, message);
                    self.add(diagnostic.help(
                        "a value at the end of a block has no `;`; elsewhere give it a name with `let`",
                    ));
                }
                Some(ir::Statement::Do(checked))
            }
            Statement::Error => None,
        }
    }

    fn assign(&mut self, name: &Name, value: &ast::Expr) -> Option<ir::Statement> {
        let found = self.names.iter().rev().find(|local| local.name == name.text);
        let found = found.map(|local| (local.id, local.mutable, local.span));
        let Some((id, mutable, span)) = found else {
            let help = self.suggestion(&name.text);
            let message = format!("there is no `var` called `{}`", name.text);
            self.add(Diagnostic::new(Code::NotAssignable, name.span, message).help_if(help));
            return None;
        };
        if !mutable {
            let message = format!("`{}` cannot be assigned", name.text);
            let diagnostic = Diagnostic::new(Code::NotAssignable, name.span, message);
            let diagnostic = diagnostic.also(span, "named here");
            self.add(diagnostic.help("declare it with `var` instead of `let`"));
        }
        let ty = self.locals[id].clone();
        let value = self.expect(value, &ty);
        Some(ir::Statement::Set(id, value))
    }

    fn for_loop(
        &mut self,
        first: &Name,
        second: Option<&Name>,
        over: &ast::Expr,
        block: &Block,
    ) -> Option<ir::Statement> {
        if let ast::ExprKind::Call(callee, args) = &over.kind
            && matches!(&callee.kind, ast::ExprKind::Name(name) if name.text == "range")
        {
            if let Some(second) = second {
                self.report(
                    Code::WrongCount,
                    second.span,
                    "a range gives one number at a time",
                );
            }
            let [from, to] = &args[..] else {
                self.report(Code::WrongCount, over.span, "`range` takes two numbers");
                return None;
            };
            let from = self.expect(&from.value, &Type::Int);
            let to = self.expect(&to.value, &Type::Int);
            return self.scope(|body| {
                let id = body.local(first, Type::Int, false);
                let block = body.loop_body(block);
                Some(ir::Statement::ForRange(id, from, to, ir::Body::new(block)))
            });
        }
        let over = self.operand(over, None);
        self.scope(|body| match (over.ty.clone(), second) {
            (Type::List(of), None) => {
                let id = body.local(first, *of, false);
                let block = body.loop_body(block);
                Some(ir::Statement::ForList(id, over, ir::Body::new(block)))
            }
            (Type::Map(key, value), Some(second)) => {
                let key = body.local(first, *key, false);
                let value = body.local(second, *value, false);
                let block = body.loop_body(block);
                Some(ir::Statement::ForMap(key, value, over, ir::Body::new(block)))
            }
            (ty, _) => {
                let (code, message, help) = match ty {
                    Type::List(_) => (
                        Code::WrongCount,
                        "a list gives one element at a time",
                        "leave the second name out",
                    ),
                    Type::Map(..) => (
                        Code::WrongCount,
                        "a map gives a key and a value",
                        "write `for key, value in …`",
                    ),
                    _ => (
                        Code::WrongType,
                        "this cannot be gone through",
                        "`for` goes through a list, a map or `range(from, to)`",
                    ),
                };
                if !ty.is_poison() {
                    let diagnostic = Diagnostic::new(code, over.span, message);
                    let found = format!("this is {}", body.show(&ty));
                    body.add(diagnostic.here(found).help(help));
                }
                body.local(first, Type::Error, false);
                if let Some(second) = second {
                    body.local(second, Type::Error, false);
                }
                body.names.iter_mut().for_each(|local| local.used = true);
                body.loop_body(block);
                None
            }
        })
    }

    fn loop_body(&mut self, block: &Block) -> Expr {
        let body = self.block(block, Some(&Type::Unit));
        self.coerce(body, &Type::Unit)
    }
}

/// Where a block ends, for those who miss its value.
fn end_of(block: &Block) -> Span {
    Span {
        start: block.span.end.saturating_sub(1),
        ..block.span
    }
}

fn statement_span(statement: &Statement) -> Option<Span> {
    match statement {
        Statement::Let { name, .. } | Statement::Assign { name, .. } => Some(name.span),
        Statement::For { first, .. } => Some(first.span),
        Statement::Expr(expr) => Some(expr.span),
        Statement::Error => None,
    }
}
