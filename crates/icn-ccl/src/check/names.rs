//! Names: declaring them once, finding them, and suggesting near ones.
use super::{Checker, Symbol};
use crate::{
    ast::{Name, TypeExpr},
    builtins,
    diagnostic::{Code, Diagnostic},
    interface,
    limits::MAX_TYPE_DEPTH,
    types::{EnumId, RecordId, Type, UnitId},
};

/// The units of time, with their milliseconds.
pub(super) const TIME_UNITS: [(&str, i64); 13] = [
    ("ms", 1),
    ("second", 1_000),
    ("seconds", 1_000),
    ("minute", 60_000),
    ("minutes", 60_000),
    ("hour", 3_600_000),
    ("hours", 3_600_000),
    ("day", 86_400_000),
    ("days", 86_400_000),
    ("week", 604_800_000),
    ("weeks", 604_800_000),
    ("mana", 0),
    ("millimana", 0),
];

/// A name of the interface that every file knows.
fn interface_symbol(name: &str) -> Option<Symbol> {
    let types = interface::types();
    let number = |place: usize| u32::try_from(place).expect("the interface is small");
    if name == types.units[0].name {
        return Some(Symbol::Unit(UnitId(0)));
    }
    let record = types.records.iter().position(|record| record.name == name);
    let enumeration = types.enums.iter().position(|def| def.name == name);
    record
        .map(|place| Symbol::Record(RecordId(number(place))))
        .or(enumeration.map(|place| Symbol::Enum(EnumId(number(place)))))
}

/// Whether the language or the interface uses `name`.
pub(super) fn is_reserved(name: &str) -> bool {
    name == "_"
        || builtins::TYPES.contains(&name)
        || builtins::function_names().any(|function| function == name)
        || TIME_UNITS.iter().any(|(unit, _)| *unit == name)
        || interface_symbol(name).is_some()
        || interface::Slot::named(name).is_some()
}

impl Checker {
    /// Declares a name of a file, unless it is taken.
    pub(super) fn add_name(&mut self, module: usize, name: &Name, symbol: Symbol) {
        if is_reserved(&name.text) {
            let message = format!("`{}` is a name of the language or its interface", name.text);
            let diagnostic = Diagnostic::new(Code::ReservedName, name.span, message);
            self.findings.add(diagnostic.help("choose another name"));
            return;
        }
        self.add_any_name(module, name, symbol);
    }

    /// The same for names of the interface, which policies declare.
    pub(super) fn add_any_name(&mut self, module: usize, name: &Name, symbol: Symbol) {
        let names = &mut self.modules[module].names;
        if let Some((_, first)) = names.get(&name.text) {
            let message = format!("`{}` is declared twice", name.text);
            let diagnostic = Diagnostic::new(Code::DuplicateName, name.span, message);
            self.findings.add(diagnostic.also(*first, "declared here before"));
        } else {
            names.insert(name.text.clone(), (symbol, name.span));
        }
    }

    /// What `name` stands for in a file.
    pub(super) fn find(&mut self, module: usize, name: &str) -> Option<Symbol> {
        let own = self.modules[module].names.get(name).map(|(symbol, _)| *symbol);
        if matches!(own, Some(Symbol::Module(_))) {
            self.used.insert((module, name.to_owned()));
        }
        own.or_else(|| interface_symbol(name))
    }

    /// What `name` stands for in the module that is called `alias` here; tests and the like are not seen.
    pub(super) fn find_in(&mut self, module: usize, alias: &Name, name: &Name) -> Option<Symbol> {
        let Some(Symbol::Module(imported)) = self.find(module, &alias.text) else {
            let modules = |symbol: &Symbol| matches!(symbol, Symbol::Module(_));
            let help = self
                .findings
                .suggestion(&alias.text, || self.names_of(module, modules));
            let message = format!("there is no module `{}`", alias.text);
            let diagnostic = Diagnostic::new(Code::UnknownName, alias.span, message);
            self.findings.add(diagnostic.help_if(help));
            return None;
        };
        let found = self.modules[imported].names.get(&name.text);
        let found = found
            .map(|(symbol, _)| *symbol)
            .filter(|symbol| !matches!(symbol, Symbol::Module(_)));
        if found.is_none() {
            let others = |symbol: &Symbol| !matches!(symbol, Symbol::Module(_));
            let help = self
                .findings
                .suggestion(&name.text, || self.names_of(imported, others));
            let message = format!("the module `{}` has no `{}`", alias.text, name.text);
            let diagnostic = Diagnostic::new(Code::UnknownName, name.span, message);
            self.findings.add(diagnostic.help_if(help));
        }
        found
    }

    /// The names of a file that stand for what `wanted` says.
    pub(super) fn names_of(&self, module: usize, wanted: impl Fn(&Symbol) -> bool) -> Vec<String> {
        let names = self.modules[module].names.iter();
        let own = names
            .filter(|(_, (symbol, _))| wanted(symbol))
            .map(|(name, _)| name.clone());
        let types = interface::types();
        let records = types.records.iter().map(|record| &record.name);
        let shared = records.chain(types.enums.iter().map(|def| &def.name));
        let shared = shared.filter(|name| interface_symbol(name).is_some_and(|symbol| wanted(&symbol)));
        own.chain(shared.cloned()).collect()
    }

    /// The type that is written.
    pub(super) fn resolve_type(&mut self, module: usize, expr: &TypeExpr) -> Type {
        if expr.module.is_none()
            && let Some(ty) = self.resolve_builtin(module, expr)
        {
            return ty;
        }
        let symbol = match &expr.module {
            Some(alias) => match self.find_in(module, alias, &expr.name) {
                Some(symbol) => Some(symbol),
                None => return Type::Error,
            },
            None => self.find(module, &expr.name.text),
        };
        let ty = match symbol {
            Some(Symbol::Record(id)) => Type::Record(id),
            Some(Symbol::Enum(id)) => Type::Enum(id),
            _ => {
                let types = |symbol: &Symbol| matches!(symbol, Symbol::Record(_) | Symbol::Enum(_));
                let help = self.findings.suggestion(&expr.name.text, || {
                    let own = self.names_of(module, types);
                    own.into_iter().chain(builtins::TYPES.map(str::to_owned))
                });
                let message = format!("there is no type `{}`", expr.name.text);
                let diagnostic = Diagnostic::new(Code::UnknownType, expr.name.span, message);
                self.findings.add(diagnostic.help_if(help));
                return Type::Error;
            }
        };
        self.count_args(expr, 0);
        ty
    }

    fn count_args(&mut self, expr: &TypeExpr, wanted: usize) -> bool {
        if expr.args.len() != wanted {
            let message = format!(
                "`{}` takes {wanted} type{} in `<…>`, not {}",
                expr.name.text,
                if wanted == 1 { "" } else { "s" },
                expr.args.len()
            );
            self.report(Code::WrongCount, expr.span, message);
        }
        expr.args.len() == wanted
    }

    fn resolve_builtin(&mut self, module: usize, expr: &TypeExpr) -> Option<Type> {
        let simple = match expr.name.text.as_str() {
            "Bool" => Type::Bool,
            "Int" => Type::Int,
            "Ratio" => Type::Ratio,
            "Text" => Type::Text,
            "Did" => Type::Did,
            "Cid" => Type::Cid,
            "Time" => Type::Time,
            "Duration" => Type::Duration,
            "Mana" => Type::Mana,
            "Amount" => {
                let valid = self.count_args(expr, 1);
                return Some(if valid {
                    self.resolve_unit(module, &expr.args[0])
                } else {
                    Type::Error
                });
            }
            "Option" | "List" => {
                if !self.count_args(expr, 1) {
                    return Some(Type::Error);
                }
                let of = self.resolve_type(module, &expr.args[0]);
                return Some(if expr.name.text == "List" {
                    Type::list(of)
                } else {
                    Type::option(of)
                });
            }
            "Map" => {
                if !self.count_args(expr, 2) {
                    return Some(Type::Error);
                }
                let key = self.resolve_type(module, &expr.args[0]);
                let value = self.resolve_type(module, &expr.args[1]);
                // Whether the key can be one is known when all enums are.
                return Some(Type::map(key, value));
            }
            _ => return None,
        };
        self.count_args(expr, 0);
        Some(simple)
    }

    fn resolve_unit(&mut self, module: usize, expr: &TypeExpr) -> Type {
        let symbol = match &expr.module {
            Some(alias) => match self.find_in(module, alias, &expr.name) {
                Some(symbol) => Some(symbol),
                None => return Type::Error,
            },
            None => self.find(module, &expr.name.text),
        };
        if let Some(Symbol::Unit(id)) = symbol {
            self.count_args(expr, 0);
            return Type::Amount(id);
        }
        let units = |symbol: &Symbol| matches!(symbol, Symbol::Unit(_));
        let help = self.findings.suggestion(&expr.name.text, || {
            let own = self.names_of(module, units);
            own.into_iter().chain(["line".to_owned()])
        });
        let message = format!("there is no unit `{}`", expr.name.text);
        let diagnostic = Diagnostic::new(Code::UnknownName, expr.span, message);
        self.findings
            .add(diagnostic.help_if(help.or(Some(format!("declare it: `unit {};`", expr.name.text)))));
        Type::Error
    }

    /// Reports keys of maps that cannot be keys, and types that are nested too deeply.
    pub(super) fn check_type(&mut self, ty: &Type, span: crate::source::Span) {
        if let Some(key) = bad_key(&self.types, ty) {
            let message = format!("{} cannot be the key of a map", self.types.show(&key));
            let diagnostic = Diagnostic::new(Code::NotKey, span, message);
            let help =
                "keys are numbers, amounts, moments, texts, identities, content ids and enums without values";
            self.findings.add(diagnostic.help(help));
        }
        if self.type_depth(ty) > MAX_TYPE_DEPTH {
            let message = format!("this type is nested more than {MAX_TYPE_DEPTH} levels deep");
            self.report(Code::TooDeep, span, message);
        }
    }

    /// How deep values of this type are nested.
    pub(super) fn type_depth(&self, ty: &Type) -> usize {
        match ty {
            Type::Option(of) | Type::List(of) => 1 + self.type_depth(of),
            Type::Map(key, value) => 1 + self.type_depth(key).max(self.type_depth(value)),
            Type::Record(id) => self.depths.get(&Symbol::Record(*id)).copied().unwrap_or(1),
            Type::Enum(id) => self.depths.get(&Symbol::Enum(*id)).copied().unwrap_or(1),
            _ => 0,
        }
    }
}

/// A key in `ty` that cannot be one.
fn bad_key(types: &crate::types::Types, ty: &Type) -> Option<Type> {
    match ty {
        Type::Option(of) | Type::List(of) => bad_key(types, of),
        Type::Map(key, value) if types.is_key(key) => bad_key(types, value),
        Type::Map(key, _) => Some((**key).clone()),
        _ => None,
    }
}
