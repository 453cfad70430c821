//! Who calls whom: no circles, and no chain of calls that nests too deeply for those who run it.
use crate::{
    diagnostic::{Code, Diagnostic, Findings},
    ir::{Expr, ExprKind, Function, FunctionId, Statement},
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
            self.depths[id] = self.expr(&function.body, level + 1) + 1;
            if self.depths[id] > MAX_DEPTH {
                self.too_deep(function);
            }
        }
        self.colours[id] = Some(Colour::Done);
    }

    fn too_deep(&mut self, function: &Function) {
        let message = format!("`{}` nests more than {MAX_DEPTH} levels deep with what it calls", function.name);
        let diagnostic = Diagnostic::new(Code::TooDeep, function.span, message);
        self.findings.add(diagnostic.help("call functions one after the other instead of within each other"));
    }

    /// How deep an expression nests, with the functions that it calls.
    fn expr(&mut self, expr: &Expr, level: usize) -> usize {
        let mut deepest = 0;
        let mut parts: Vec<&Expr> = Vec::new();
        match &expr.kind {
            ExprKind::Const(_) | ExprKind::Local(_) | ExprKind::Fail(_) => {}
            ExprKind::Block(statements, tail) => {
                for statement in statements {
                    statement_parts(statement, &mut parts);
                }
                parts.push(tail);
            }
            ExprKind::If(condition, then, otherwise) => parts.extend([&**condition, &**then, &**otherwise]),
            ExprKind::Match(value, _, arms) => {
                parts.push(value);
                parts.extend(arms.iter().map(|(_, body)| body));
            }
            ExprKind::Call(id, args) => {
                deepest = self.call(*id, expr, level);
                parts.extend(args);
            }
            ExprKind::Op(_, args)
            | ExprKind::Record(args)
            | ExprKind::Variant(_, args)
            | ExprKind::List(args)
            | ExprKind::Join(args) => parts.extend(args),
            ExprKind::Some(of) | ExprKind::Field(of, _) | ExprKind::Return(of) | ExprKind::Refuse(of) => parts.push(of),
            ExprKind::Collect(_, over, condition, value) => {
                parts.extend([&**over, &**value]);
                parts.extend(condition.as_deref());
            }
        }
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
            self.findings.add(diagnostic.also(function.span, "declared here").help(help));
            return 0;
        }
        self.visit(id, level + 1);
        self.depths[id]
    }
}

fn statement_parts<'a>(statement: &'a Statement, parts: &mut Vec<&'a Expr>) {
    match statement {
        Statement::Set(_, value) | Statement::Do(value) => parts.push(value),
        Statement::ForList(_, over, body) | Statement::ForMap(_, _, over, body) => parts.extend([over, body]),
        Statement::ForRange(_, from, to, body) => parts.extend([from, to, body]),
    }
}
