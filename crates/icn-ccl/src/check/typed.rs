//! The last look at a program that nothing was found wrong with: whether everything in it has a type. What comes
//! next relies on that, and a text that anybody publishes must not be what shows that a check was forgotten.
use crate::{
    diagnostic::{Code, Diagnostic, Findings},
    ir::{Expr, Function},
    source::Span,
    types::Type,
};

/// Reports functions in which something has no type, unless it is known why.
pub(super) fn check(functions: &[Function], findings: &mut Findings) {
    if findings.failed() {
        return;
    }
    for function in functions {
        let local = function.locals.iter().find(|ty| !is_known(ty));
        let found = local
            .map(|_| function.span)
            .or_else(|| untyped(&function.body.expr));
        if let Some(span) = found {
            let diagnostic = Diagnostic::new(Code::NoValue, span, "what this gives is not known");
            findings.add(
                diagnostic
                    .help("the compiler should have said why, which is its fault: write this differently"),
            );
        }
    }
}

/// Where something has no type.
fn untyped(expr: &Expr) -> Option<Span> {
    // What does not come back has no value, which is known.
    if expr.ty != Type::Never && !is_known(&expr.ty) {
        return Some(expr.span);
    }
    expr.parts().into_iter().find_map(untyped)
}

/// Whether there are values of this type, and of all that it consists of.
fn is_known(ty: &Type) -> bool {
    match ty {
        Type::Never | Type::Error => false,
        Type::Option(of) | Type::List(of) => is_known(of),
        Type::Map(key, value) => is_known(key) && is_known(value),
        _ => true,
    }
}
