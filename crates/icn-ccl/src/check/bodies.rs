//! What functions do: the frame in which expressions and statements are checked.
use super::{Checker, Parts, Symbol};
use crate::{
    ast::{Block, FnItem, Item, Name, PolicyItem, TestEnd, TestItem},
    diagnostic::{Code, Diagnostic},
    fault::FaultCode,
    interface::Slot,
    ir::{self, Function, FunctionId, LocalId, Policy, Test, TestEnd as CheckedEnd},
    limits::MAX_LOCALS,
    source::Span,
    types::Type,
};

/// What a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A function that others call.
    Function,
    /// A test.
    Test,
    /// A value that is known at compile time.
    Constant,
}

/// A local name.
pub(super) struct Local {
    pub(super) name: String,
    pub(super) id: LocalId,
    pub(super) span: Span,
    pub(super) mutable: bool,
    pub(super) used: bool,
}

/// The body of a function while it is checked.
pub(super) struct Body<'c> {
    pub(super) checker: &'c mut Checker,
    pub(super) module: usize,
    pub(super) purpose: Purpose,
    /// The type of the result.
    pub(super) result: Type,
    pub(super) locals: Vec<Type>,
    /// The names that can be seen, the innermost last.
    pub(super) names: Vec<Local>,
}

impl<'c> Body<'c> {
    pub(super) fn new(checker: &'c mut Checker, module: usize, result: Type, purpose: Purpose) -> Self {
        Self {
            checker,
            module,
            purpose,
            result,
            locals: Vec::new(),
            names: Vec::new(),
        }
    }

    pub(super) fn into_locals(self) -> Vec<Type> {
        self.locals
    }

    pub(super) fn add(&mut self, diagnostic: Diagnostic) {
        self.checker.findings.add(diagnostic);
    }

    pub(super) fn report(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.checker.report(code, span, message);
    }

    /// The type as it is written.
    pub(super) fn show(&self, ty: &Type) -> String {
        self.checker.types.show(ty).to_string()
    }

    /// A local that has no name.
    pub(super) fn temporary(&mut self, ty: Type, span: Span) -> LocalId {
        if self.locals.len() == MAX_LOCALS {
            let message = format!("this function has more than {MAX_LOCALS} local values");
            self.report(Code::TooMany, span, message);
        }
        self.locals.push(ty);
        self.locals.len() - 1
    }

    /// A local with a name, which must not hide another.
    pub(super) fn local(&mut self, name: &Name, ty: Type, mutable: bool) -> LocalId {
        let id = self.temporary(ty, name.span);
        if name.text == "_" {
            return id;
        }
        if super::names::is_reserved(&name.text) {
            let message = format!("`{}` is a name of the language or its interface", name.text);
            let diagnostic = Diagnostic::new(Code::ReservedName, name.span, message);
            self.add(diagnostic.help("choose another name"));
        }
        if let Some(first) = self.names.iter().find(|local| local.name == name.text) {
            let message = format!("`{}` is already a name here", name.text);
            let diagnostic = Diagnostic::new(Code::DuplicateName, name.span, message);
            let diagnostic = diagnostic.also(first.span, "named here before");
            self.add(diagnostic.help("no name hides another: choose a new one, or make the first a `var`"));
        }
        self.names.push(Local {
            name: name.text.clone(),
            id,
            span: name.span,
            mutable,
            used: false,
        });
        id
    }

    /// What `name` stands for, if it is a local.
    pub(super) fn find_local(&mut self, name: &str) -> Option<LocalId> {
        let local = self.names.iter_mut().rev().find(|local| local.name == name)?;
        local.used = true;
        Some(local.id)
    }

    /// Checks what `inner` checks with names of its own.
    pub(super) fn scope<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let outside = self.names.len();
        let result = inner(self);
        for local in self.names.split_off(outside) {
            if !local.used && !local.name.starts_with('_') {
                let message = format!("nothing uses `{}`", local.name);
                let diagnostic = Diagnostic::new(Code::UnusedName, local.span, message);
                self.add(diagnostic.help(format!("if that is meant, call it `_{}`", local.name)));
            }
        }
        result
    }

    /// Names that can be seen here, for suggestions.
    pub(super) fn suggestion(&self, wrong: &str) -> Option<String> {
        self.checker.findings.suggestion(wrong, || {
            let symbols = self.checker.names_of(self.module, |_| true);
            let locals = self.names.iter().map(|local| local.name.clone());
            let builtins = crate::builtins::function_names().map(str::to_owned);
            locals.chain(symbols).chain(builtins)
        })
    }
}

impl Checker {
    /// Checks everything in a file that has a body.
    pub(super) fn module_bodies(&mut self, module: usize, parts: &mut Parts) {
        let items = self.modules[module].file.items.clone();
        for item in &items {
            if !self.is_allowed(module, item) {
                continue;
            }
            match item {
                Item::Fn(function) => self.function_item(module, function),
                Item::Policy(policy) => self.policy_item(module, policy, parts),
                Item::Role(role) => self.role_item(module, role, parts),
                Item::Test(test) => self.test_item(module, test, parts),
                _ => {}
            }
        }
        // Processes name roles, wherever these stand.
        for item in &items {
            if let Item::Process(process) = item
                && module == 0
            {
                self.process_item(process, parts);
            }
        }
    }

    /// The function that was declared with this name.
    fn declared(&self, name: &Name) -> Option<FunctionId> {
        self.signatures
            .iter()
            .position(|signature| signature.span == name.span)
    }

    fn function_item(&mut self, module: usize, item: &FnItem) {
        if let Some(id) = self.declared(&item.name) {
            let params: Vec<_> = item.params.iter().map(|param| param.name.clone()).collect();
            self.body(module, id, &params, &item.body, Purpose::Function);
        }
    }

    fn policy_item(&mut self, module: usize, item: &PolicyItem, parts: &mut Parts) {
        let Some(id) = self.declared(&item.slot) else {
            return;
        };
        let Some(slot) = Slot::named(&item.slot.text) else {
            return;
        };
        self.body(
            module,
            id,
            core::slice::from_ref(&item.param),
            &item.body,
            Purpose::Function,
        );
        parts.policies.push(Policy { slot, function: id });
    }

    fn test_item(&mut self, module: usize, item: &TestItem, parts: &mut Parts) {
        if let Some(first) = parts.tests.iter().find(|test| test.name == item.name.text) {
            let diagnostic = Diagnostic::new(Code::DuplicateName, item.name.span, "two tests have this name");
            self.findings
                .add(diagnostic.also(first.span, "the first is here"));
        }
        let end = match &item.end {
            TestEnd::Passes => CheckedEnd::Passes,
            TestEnd::Refuses(reason) => CheckedEnd::Refuses(reason.text.clone()),
            TestEnd::Faults(name) => {
                let code = FaultCode::ALL.iter().find(|code| code.word() == name.text);
                let Some(code) = code else {
                    let words = FaultCode::ALL.iter().map(|code| code.word());
                    let all = words.clone().collect::<Vec<_>>().join(", ");
                    let near = self.findings.suggestion(&name.text, || words);
                    let help = near.or(Some(format!("the faults are {all}")));
                    let diagnostic = Diagnostic::new(
                        Code::UnknownItem,
                        name.span,
                        format!("there is no fault `{}`", name.text),
                    );
                    self.findings.add(diagnostic.help_if(help));
                    return;
                };
                CheckedEnd::Faults(*code)
            }
        };
        let Symbol::Function(id) = self.new_function(&item.name) else {
            return;
        };
        self.signatures[id].result = Type::Unit;
        self.body(module, id, &[], &item.body, Purpose::Test);
        parts.tests.push(Test {
            name: item.name.text.clone(),
            end,
            function: id,
            span: item.name.span,
        });
    }

    /// Checks the body of a function whose signature is known.
    pub(super) fn body(
        &mut self,
        module: usize,
        id: FunctionId,
        params: &[Name],
        block: &Block,
        purpose: Purpose,
    ) {
        let signature = self.signatures[id].clone();
        let mut body = Body::new(self, module, signature.result.clone(), purpose);
        let checked = body.scope(|body| {
            for (name, ty) in params.iter().zip(&signature.params) {
                body.local(name, ty.clone(), false);
            }
            body.function_block(block, &signature.result)
        });
        let locals = body.into_locals();
        self.functions[id] = Some(Function {
            name: signature.name,
            params: signature.params.len(),
            locals,
            result: signature.result,
            body: ir::Body::new(checked),
            span: signature.span,
        });
    }
}
