//! From what was read to what is meant: names are looked up, types checked, constants computed. The result
//! is a [`Program`] in which only the input can still make anything fail.
mod bodies;
mod calls;
mod collections;
mod constants;
mod declare;
mod expressions;
mod graph;
mod literals;
mod load;
mod matching;
mod names;
mod operators;
mod patterns;
mod processes;
mod statements;
mod typed;

use crate::{
    ast,
    diagnostic::{Code, Diagnostic, Findings},
    interface,
    ir::{Function, Policy, Process, Program, Role, Test},
    source::{Resolver, Sources, Span},
    types::{EnumId, RecordId, Type, Types, UnitId},
    value::Value,
};
use std::collections::{BTreeMap, BTreeSet};

/// What a check has come to.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The program, if nothing is wrong but what warnings say.
    pub program: Option<Program>,
    /// What is wrong, in the order of the source.
    pub diagnostics: Vec<Diagnostic>,
    /// The source files, for those who show the diagnostics.
    pub sources: Sources,
}

/// Checks the contract, or the module, whose text this is. What it imports is asked of `resolver`.
///
/// A module checks like a contract that declares nothing to be called from outside.
pub fn check(text: &str, resolver: &dyn Resolver) -> Checked {
    let mut checker = Checker {
        findings: Findings::default(),
        sources: Sources::default(),
        types: interface::types().clone(),
        modules: Vec::new(),
        order: Vec::new(),
        constants: Vec::new(),
        signatures: Vec::new(),
        functions: Vec::new(),
        used: BTreeSet::new(),
        depths: BTreeMap::new(),
    };
    checker.load(text, resolver);
    checker.declare();
    let program = checker.program();
    let failed = checker.findings.failed();
    Checked {
        program: program.filter(|_| !failed),
        diagnostics: checker.findings.into_sorted(),
        sources: checker.sources,
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Symbol {
    Unit(UnitId),
    Constant(usize),
    Record(RecordId),
    Enum(EnumId),
    Function(usize),
    Module(usize),
}

/// A source file and the names that it declares.
struct Module {
    file: ast::File,
    names: BTreeMap<String, (Symbol, Span)>,
}

/// A constant; without a value after a fault.
struct Constant {
    ty: Type,
    value: Option<Value>,
}

/// What callers of a function need to know.
#[derive(Clone)]
struct Signature {
    name: String,
    params: Vec<Type>,
    result: Type,
    span: Span,
}

struct Checker {
    findings: Findings,
    sources: Sources,
    types: Types,
    modules: Vec<Module>,
    /// Modules before those that import them.
    order: Vec<usize>,
    constants: Vec<Constant>,
    signatures: Vec<Signature>,
    functions: Vec<Option<Function>>,
    /// Imports that something refers to.
    used: BTreeSet<(usize, String)>,
    /// How deep the values of records and enums are nested.
    depths: BTreeMap<Symbol, usize>,
}

/// What the functions of a contract are for.
#[derive(Default)]
struct Parts {
    policies: Vec<Policy>,
    roles: Vec<Role>,
    processes: Vec<Process>,
    tests: Vec<Test>,
}

impl Checker {
    fn report(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.findings.add(Diagnostic::new(code, span, message));
    }

    /// Checks everything behind the declarations.
    fn program(&mut self) -> Option<Program> {
        let mut parts = Parts::default();
        for module in self.order.clone() {
            self.module_bodies(module, &mut parts);
        }
        self.unused_imports();
        let functions: Option<Vec<_>> = self.functions.drain(..).collect();
        let functions = functions?;
        graph::check(&functions, &mut self.findings);
        typed::check(&functions, &mut self.findings);
        let header = self.modules.first()?.file.header.as_ref()?;
        Some(Program {
            name: header.name.text.clone(),
            version: header.version,
            scope: header
                .scope
                .as_ref()
                .map_or("none", |scope| match scope.text.as_str() {
                    "cooperative" => "cooperative",
                    _ => "federation",
                }),
            sources: self.sources.clone(),
            types: self.types.clone(),
            functions,
            policies: parts.policies,
            roles: parts.roles,
            processes: parts.processes,
            tests: parts.tests,
        })
    }

    fn unused_imports(&mut self) {
        for (index, module) in self.modules.iter().enumerate() {
            for import in &module.file.imports {
                if !self.used.contains(&(index, import.alias.text.clone())) {
                    let message = format!("nothing uses the module `{}`", import.alias.text);
                    self.findings
                        .add(Diagnostic::new(Code::UnusedName, import.alias.span, message));
                }
            }
        }
    }
}
