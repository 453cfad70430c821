//! Who calls whom: no circles, and no chain of calls that nests too deeply for those who run it.
use crate::{
    diagnostic::{Code, Diagnostic, Findings},
    ir::{Expr, ExprKind, Function, FunctionId},
    limits::MAX_DEPTH,
};

/// How far a walk over a graph has come with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    /// On the way to here.
    Open,
    /// Done with.
    Done,
}

/// Reports functions that call each other in a circle, and chains that are too deep.
pub(super) fn check(functions: &[Function], findings: &mut Findings) {
    let mut walk = Walk {
        functions,
        findings,
        colours: vec![None; functions.len()],
        depths: vec![0; functions.len()],
    };
    for id in 0..functions.len() {
        walk.visit(id, 0);
    }
}

struct Walk<'a> {
    functions: &'a [Function],
    findings: &'a mut Findings,
    colours: Vec<Option<Colour>>,
    depths: Vec<usize>,
}

impl Walk<'_> {
    /// The walk itself nests like what it looks at, `level` deep so far, which is why it stops beyond the limit.
    fn visit(&mut self, id: FunctionId, level: usize) {
        if self.colours[id].is_some() {
            return;
        }
        self.colours[id] = Some(Colour::Open);
        let function = &self.functions[id];
        if level > MAX_DEPTH {
            self.too_deep(function);
        } else {
            self.depths[id] = self.expr(&function.body.expr, level + 1) + 1;
            if self.depths[id] > MAX_DEPTH {
                self.too_deep(function);
            }
        }
        self.colours[id] = Some(Colour::Done);
    }

    fn too_deep(&mut self, function: &Function) {
        let message = format!(
            "`{}` nests more than {MAX_DEPTH} levels deep with what it calls",
            function.name
        );
        let diagnostic = Diagnostic::new(Code::TooDeep, function.span, message);
        self.findings
            .add(diagnostic.help("call functions one after the other instead of within each other"));
    }

    /// How deep an expression nests, with the functions that it calls.
    fn expr(&mut self, expr: &Expr, level: usize) -> usize {
        let mut deepest = 0;
        if let ExprKind::Call(id, _) = &expr.kind {
            deepest = self.call(*id, expr, level);
        }
        let parts = expr.parts();
        for part in parts {
            deepest = deepest.max(self.expr(part, level + 1));
        }
        deepest + 1
    }

    fn call(&mut self, id: FunctionId, expr: &Expr, level: usize) -> usize {
        if self.colours[id] == Some(Colour::Open) {
            let function = &self.functions[id];
            let message = format!("`{}` calls itself, perhaps through others", function.name);
            let diagnostic = Diagnostic::new(Code::Recursion, expr.span, message);
            let help = "every contract has to end: go through a list with `for` instead";
            self.findings
                .add(diagnostic.also(function.span, "declared here").help(help));
            return 0;
        }
        self.visit(id, level + 1);
        self.depths[id]
    }
}
