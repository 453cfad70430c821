//! Declarations: first every name, then what the types consist of, then what the functions take and give.
//! So the order of declarations does not matter, but for constants.
use super::{Checker, Constant, Signature, Symbol, graph::Colour};
use crate::{
    ast::{EnumItem, Item, Name, RecordItem},
    diagnostic::{Code, Diagnostic},
    interface::{self, Slot},
    limits::{MAX_DECLARATIONS, MAX_MEMBERS, MAX_TYPE_DEPTH},
    source::Span,
    types::{EnumDef, EnumId, RecordDef, RecordId, Type, UnitDef, UnitId},
};
use std::collections::BTreeMap;

/// The most decimals that a unit can have.
const MAX_DECIMALS: u32 = 6;

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("source files are bounded")
}

impl Checker {
    /// Declares everything but what functions do.
    pub(super) fn declare(&mut self) {
        for module in self.order.clone() {
            for item in self.modules[module].file.items.clone() {
                self.declare_name(module, &item);
            }
        }
        for module in self.order.clone() {
            for item in self.modules[module].file.items.clone() {
                match item {
                    Item::Record(record) => self.record(module, &record),
                    Item::Enum(item) => self.enumeration(module, &item),
                    _ => {}
                }
            }
        }
        self.measure_types();
        for module in self.order.clone() {
            self.signatures_of(module);
            self.constants_of(module);
        }
    }

    fn declare_name(&mut self, module: usize, item: &Item) {
        let (name, symbol) = match item {
            Item::Unit(unit) => {
                let decimals = unit.decimals.min(MAX_DECIMALS);
                if unit.decimals > MAX_DECIMALS {
                    let message = format!("a unit has at most {MAX_DECIMALS} decimals");
                    self.report(Code::TooMany, unit.name.span, message);
                }
                self.types.units.push(UnitDef {
                    name: unit.name.text.clone(),
                    decimals,
                });
                (
                    &unit.name,
                    Symbol::Unit(UnitId(number(self.types.units.len() - 1))),
                )
            }
            Item::Const(constant) => {
                self.constants.push(Constant {
                    ty: Type::Error,
                    value: None,
                });
                (&constant.name, Symbol::Constant(self.constants.len() - 1))
            }
            Item::Record(record) => {
                self.types.records.push(RecordDef {
                    name: record.name.text.clone(),
                    fields: Vec::new(),
                    span: Some(record.name.span),
                });
                (
                    &record.name,
                    Symbol::Record(RecordId(number(self.types.records.len() - 1))),
                )
            }
            Item::Enum(item) => {
                self.types.enums.push(EnumDef {
                    name: item.name.text.clone(),
                    variants: Vec::new(),
                    span: Some(item.name.span),
                });
                (
                    &item.name,
                    Symbol::Enum(EnumId(number(self.types.enums.len() - 1))),
                )
            }
            Item::Fn(function) => {
                let symbol = self.new_function(&function.name);
                (&function.name, symbol)
            }
            Item::Policy(policy) => return self.declare_policy(module, &policy.slot),
            // Roles, processes and tests have names of their own kind.
            Item::Role(_) | Item::Process(_) | Item::Test(_) => return,
        };
        self.add_name(module, name, symbol);
        self.check_count(name.span);
    }

    fn check_count(&mut self, span: Span) {
        let most = [
            self.types.units.len(),
            self.constants.len(),
            self.types.records.len(),
            self.types.enums.len(),
            self.signatures.len(),
        ];
        if most.iter().any(|count| *count > MAX_DECLARATIONS) {
            let message = format!("more than {MAX_DECLARATIONS} declarations of one kind");
            self.report(Code::TooMany, span, message);
        }
    }

    fn declare_policy(&mut self, module: usize, slot: &Name) {
        let symbol = self.new_function(slot);
        if Slot::named(&slot.text).is_some() {
            self.add_any_name(module, slot, symbol);
        } else {
            let names = interface::SLOTS.iter().map(|slot| slot.name);
            let all = names.clone().collect::<Vec<_>>().join(", ");
            let help = self.findings.suggestion(&slot.text, || names);
            let message = format!("the interface has no slot `{}`", slot.text);
            let diagnostic = Diagnostic::new(Code::UnknownSlot, slot.span, message);
            self.findings
                .add(diagnostic.help_if(help.or(Some(format!("the slots are {all}")))));
        }
    }

    /// A function whose signature is not known yet.
    pub(super) fn new_function(&mut self, name: &Name) -> Symbol {
        self.signatures.push(Signature {
            name: name.text.clone(),
            params: Vec::new(),
            result: Type::Error,
            span: name.span,
        });
        self.functions.push(None);
        self.check_count(name.span);
        Symbol::Function(self.signatures.len() - 1)
    }

    fn check_members(&mut self, count: usize, what: &str, span: Span) {
        if count > MAX_MEMBERS {
            let message = format!("{count} {what}; at most {MAX_MEMBERS} are allowed");
            self.report(Code::TooMany, span, message);
        }
    }

    /// Reports the second of two equal names.
    pub(super) fn check_distinct<'a>(&mut self, names: impl IntoIterator<Item = &'a Name>) {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for name in names {
            if let Some(first) = seen.insert(&name.text, name.span) {
                let message = format!("`{}` is declared twice", name.text);
                let diagnostic = Diagnostic::new(Code::DuplicateName, name.span, message);
                self.findings.add(diagnostic.also(first, "declared here before"));
            }
        }
    }

    fn record(&mut self, module: usize, item: &RecordItem) {
        self.check_distinct(item.fields.iter().map(|field| &field.name));
        self.check_members(item.fields.len(), "fields", item.name.span);
        if item.fields.is_empty() {
            self.report(Code::NoValue, item.name.span, "a record has at least one field");
        }
        let mut fields = Vec::new();
        for field in &item.fields {
            fields.push((field.name.text.clone(), self.resolve_type(module, &field.ty)));
        }
        let own = |record: &&mut RecordDef| record.span == Some(item.name.span);
        if let Some(record) = self.types.records.iter_mut().find(own) {
            record.fields = fields;
        }
    }

    fn enumeration(&mut self, module: usize, item: &EnumItem) {
        self.check_distinct(item.variants.iter().map(|(name, _)| name));
        self.check_members(item.variants.len(), "variants", item.name.span);
        if item.variants.is_empty() {
            self.report(Code::NoValue, item.name.span, "an enum has at least one variant");
        }
        let mut variants = Vec::new();
        for (name, values) in &item.variants {
            self.check_members(values.len(), "values", name.span);
            let values = values.iter().map(|ty| self.resolve_type(module, ty)).collect();
            variants.push((name.text.clone(), values));
        }
        let own = |def: &&mut EnumDef| def.span == Some(item.name.span);
        if let Some(def) = self.types.enums.iter_mut().find(own) {
            def.variants = variants;
        }
    }

    /// Finds types that contain themselves, and how deep the others are nested.
    fn measure_types(&mut self) {
        let records = (0..self.types.records.len()).map(|place| Symbol::Record(RecordId(number(place))));
        let enums = (0..self.types.enums.len()).map(|place| Symbol::Enum(EnumId(number(place))));
        let mut colours = BTreeMap::new();
        for symbol in records.chain(enums).collect::<Vec<_>>() {
            self.measure(symbol, 0, &mut colours);
        }
        for (ty, span) in self.written_types() {
            self.check_type(&ty, span);
        }
    }

    /// The types of all fields and values, each with the place of its declaration.
    fn written_types(&self) -> Vec<(Type, Span)> {
        let records = self
            .types
            .records
            .iter()
            .filter_map(|record| Some((record, record.span?)));
        let fields =
            records.flat_map(|(record, span)| record.fields.iter().map(move |(_, ty)| (ty.clone(), span)));
        let enums = self.types.enums.iter().filter_map(|def| Some((def, def.span?)));
        let values = enums.flat_map(|(def, span)| {
            let values = def.variants.iter().flat_map(|(_, values)| values);
            values.map(move |ty| (ty.clone(), span))
        });
        fields.chain(values).collect()
    }

    /// Goes down from type to type, `level` of them so far, and stops beyond the limit: what is deeper is refused
    /// anyway, and a chain of declarations can be as long as the source.
    fn measure(&mut self, symbol: Symbol, level: usize, colours: &mut BTreeMap<Symbol, Colour>) {
        if colours.contains_key(&symbol) {
            return;
        }
        colours.insert(symbol, Colour::Open);
        let mut parts = Vec::new();
        let (name, span) = match symbol {
            Symbol::Record(id) => {
                let record = self.types.record(id);
                record
                    .fields
                    .iter()
                    .for_each(|(_, ty)| named_types(ty, &mut parts));
                (record.name.clone(), record.span)
            }
            Symbol::Enum(id) => {
                let def = self.types.enumeration(id);
                let values = def.variants.iter().flat_map(|(_, values)| values);
                values.for_each(|ty| named_types(ty, &mut parts));
                (def.name.clone(), def.span)
            }
            _ => return,
        };
        if level > MAX_TYPE_DEPTH {
            let message =
                format!("`{name}` is part of types that are nested more than {MAX_TYPE_DEPTH} levels deep");
            self.report(Code::TooDeep, span.unwrap_or_default(), message);
            // A circle may lead through it.
            self.forget_members(symbol);
            parts.clear();
        }
        for part in parts {
            self.measure(part, level + 1, colours);
            if colours.get(&part) == Some(&Colour::Open) {
                let message = format!("`{name}` contains itself");
                let diagnostic = Diagnostic::new(Code::RecursiveType, span.unwrap_or_default(), message);
                let help = "keep the others in a list of their own, and refer to them by a key";
                self.findings.add(diagnostic.help(help));
                self.forget_members(symbol);
            }
        }
        colours.insert(symbol, Colour::Done);
        let depth = self
            .members_of(symbol)
            .iter()
            .map(|ty| self.type_depth(ty))
            .max()
            .unwrap_or(0)
            + 1;
        self.depths.insert(symbol, depth);
    }

    fn members_of(&self, symbol: Symbol) -> Vec<Type> {
        match symbol {
            Symbol::Record(id) => self
                .types
                .record(id)
                .fields
                .iter()
                .map(|(_, ty)| ty.clone())
                .collect(),
            Symbol::Enum(id) => {
                let variants = self.types.enumeration(id).variants.iter();
                variants.flat_map(|(_, values)| values.clone()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Takes the members of a type that contains itself as wrong, so that nothing runs in a circle.
    fn forget_members(&mut self, symbol: Symbol) {
        match symbol {
            Symbol::Record(id) => {
                let fields = &mut self.types.records[id.0 as usize].fields;
                fields.iter_mut().for_each(|(_, ty)| *ty = Type::Error);
            }
            Symbol::Enum(id) => {
                let variants = &mut self.types.enums[id.0 as usize].variants;
                variants
                    .iter_mut()
                    .flat_map(|(_, values)| values)
                    .for_each(|ty| *ty = Type::Error);
            }
            _ => {}
        }
    }

    fn signatures_of(&mut self, module: usize) {
        for item in self.modules[module].file.items.clone() {
            let (name, params, result) = match &item {
                Item::Fn(function) => {
                    self.check_members(function.params.len(), "parameters", function.name.span);
                    self.check_distinct(function.params.iter().map(|param| &param.name));
                    let mut params = Vec::new();
                    for param in &function.params {
                        let ty = self.resolve_type(module, &param.ty);
                        self.check_type(&ty, param.ty.span);
                        params.push(ty);
                    }
                    let result = self.resolve_type(module, &function.result);
                    self.check_type(&result, function.result.span);
                    (&function.name, params, result)
                }
                Item::Policy(policy) => {
                    let Some(slot) = Slot::named(&policy.slot.text) else {
                        continue;
                    };
                    (&policy.slot, vec![slot.input_type()], slot.result_type())
                }
                _ => continue,
            };
            let own = |signature: &&mut Signature| signature.span == name.span;
            if let Some(signature) = self.signatures.iter_mut().find(own) {
                signature.params = params;
                signature.result = result;
            }
        }
    }
}

/// The records and enums that `ty` names.
fn named_types(ty: &Type, into: &mut Vec<Symbol>) {
    match ty {
        Type::Option(of) | Type::List(of) => named_types(of, into),
        Type::Map(key, value) => {
            named_types(key, into);
            named_types(value, into);
        }
        Type::Record(id) => into.push(Symbol::Record(*id)),
        Type::Enum(id) => into.push(Symbol::Enum(*id)),
        _ => {}
    }
}
