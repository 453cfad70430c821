//! Source files: the contract, and the modules that it imports, each once.
use super::{Checker, Module};
use crate::{
    ast::{Import, Item},
    diagnostic::{Code, Diagnostic},
    limits::{MAX_MODULES, MAX_SOURCE_BYTES},
    parser,
    source::{Resolver, Source},
};
use icn_model::Cid;
use std::collections::BTreeMap;

impl Checker {
    /// Reads the contract and what it imports.
    pub(super) fn load(&mut self, text: &str, resolver: &dyn Resolver) {
        // A text that is too long is refused by the parser and not kept.
        let kept = if text.len() > MAX_SOURCE_BYTES { "" } else { text };
        let source = self.sources.add(Source::new(kept));
        let file = parser::read(text, source, &mut self.findings);
        self.modules.push(Module {
            file,
            names: BTreeMap::new(),
        });
        self.load_imports(0, resolver);
        self.order.push(0);
        self.check_header();
    }

    fn check_header(&mut self) {
        let scope = self.modules[0]
            .file
            .header
            .as_ref()
            .and_then(|header| header.scope.as_ref());
        if let Some(scope) = scope
            && !["federation", "cooperative"].contains(&scope.text.as_str())
        {
            let message = format!("`{}` is no scope", scope.text);
            let diagnostic = Diagnostic::new(Code::BadHeader, scope.span, message);
            let help = "write `federation` for all cooperatives, or `cooperative` for the one that adopts it";
            self.findings.add(diagnostic.help(help));
        }
    }

    /// Modules import by content, so that they cannot import each other in a circle: the depth is bounded
    /// by their number.
    fn load_imports(&mut self, module: usize, resolver: &dyn Resolver) {
        for import in self.modules[module].file.imports.clone() {
            match self.load_import(&import, resolver) {
                Ok(imported) => self.add_name(module, &import.alias, super::Symbol::Module(imported)),
                Err(diagnostic) => self.findings.add(diagnostic),
            }
        }
    }

    fn load_import(&mut self, import: &Import, resolver: &dyn Resolver) -> Result<usize, Diagnostic> {
        let fails = |message: String| Diagnostic::new(Code::ImportFails, import.cid.span, message);
        let cid: Cid = import
            .cid
            .text
            .parse()
            .map_err(|error| fails(format!("{error}")))?;
        if let Some(known) = self.sources.files().iter().position(|file| file.cid == cid) {
            return Ok(known);
        }
        if self.modules.len() >= MAX_MODULES {
            return Err(fails(format!(
                "a contract has at most {MAX_MODULES} source files"
            )));
        }
        let text = resolver.source(&cid).ok_or_else(|| {
            fails("there is no such module here".to_owned())
                .help("hand its file to the compiler, or publish it before this one")
        })?;
        let source = Source::new(text);
        if source.cid != cid {
            return Err(fails(format!(
                "the text that was found has another content id: {}",
                source.cid
            )));
        }
        let index = self.sources.add(source);
        let text = self.sources.files()[usize::from(index)].text.clone();
        let file = parser::read(&text, index, &mut self.findings);
        if let Some(header) = file.header.as_ref().filter(|header| !header.is_module) {
            let message = format!(
                "\"{}\" is a contract; only modules are imported",
                header.name.text
            );
            self.findings
                .add(fails(message).help("begin the file with `module`"));
        }
        let imported = self.modules.len();
        self.modules.push(Module {
            file,
            names: BTreeMap::new(),
        });
        self.load_imports(imported, resolver);
        self.order.push(imported);
        Ok(imported)
    }

    /// Modules declare functions, types, constants and units only.
    pub(super) fn is_allowed(&mut self, module: usize, item: &Item) -> bool {
        let is_module = self.modules[module]
            .file
            .header
            .as_ref()
            .is_some_and(|header| header.is_module);
        let name = match item {
            Item::Policy(policy) => &policy.slot,
            Item::Role(role) => &role.name,
            Item::Process(process) => &process.name,
            _ => return true,
        };
        if is_module {
            let diagnostic = Diagnostic::new(Code::NotForModules, name.span, "a module decides nothing");
            self.findings
                .add(diagnostic.help("declare this in a contract, and call the module's functions there"));
        }
        !is_module
    }
}
