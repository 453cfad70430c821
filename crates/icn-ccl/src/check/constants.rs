//! Constants, and other values that have to be known at compile time.
use super::{
    Checker, Symbol,
    bodies::{Body, Purpose},
};
use crate::{
    ast::{Expr, Item},
    diagnostic::{Code, Diagnostic},
    interp,
    ir::{self, ExprKind},
    types::Type,
    value::Value,
};

impl Checker {
    /// Computes the constants of a file in their order.
    pub(super) fn constants_of(&mut self, module: usize) {
        for item in self.modules[module].file.items.clone() {
            let Item::Const(item) = item else { continue };
            let ty = self.resolve_type(module, &item.ty);
            self.check_type(&ty, item.ty.span);
            let value = self.constant(module, &item.value, &ty);
            // A name that was taken belongs to another constant.
            let own = self.modules[module].names.get(&item.name.text).copied();
            if let Some((Symbol::Constant(id), span)) = own
                && span == item.name.span
            {
                self.constants[id].ty = ty;
                self.constants[id].value = value;
            }
        }
    }

    /// The value of an expression that has to be known at compile time.
    pub(super) fn constant(&mut self, module: usize, expr: &Expr, ty: &Type) -> Option<Value> {
        let failed = self.findings.failed();
        let mut body = Body::new(self, module, ty.clone(), Purpose::Constant);
        let checked = body.expect(expr, ty);
        let locals = body.into_locals();
        if self.findings.failed() && !failed || checked.ty == Type::Error {
            return None;
        }
        if let ExprKind::Const(value) = checked.kind {
            return Some(value);
        }
        let function = ir::Function {
            name: "constant".to_owned(),
            params: 0,
            locals,
            result: ty.clone(),
            span: expr.span,
            body: ir::Body::new(checked),
        };
        // What follows from an earlier fault may not be fit to run.
        if self.findings.failed() {
            return None;
        }
        match interp::constant(&self.types, &function) {
            Ok(value) => Some(value),
            Err(stop) => {
                let diagnostic = Diagnostic::new(
                    Code::ConstantFails,
                    expr.span,
                    format!("this has no value: {stop}"),
                );
                self.findings.add(diagnostic);
                None
            }
        }
    }
}
