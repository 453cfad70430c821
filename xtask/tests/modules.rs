//! The modules of a crate stand above one another: none needs one that needs it.
//!
//! An import counts for the module that declares the name, whoever hands it on. What a module takes from those that it is
//! part of does not count: they say what holds for all their parts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Where a module is in its crate: the root has no name.
type Place = Vec<String>;

/// What a `use` brings into scope.
#[derive(Debug)]
struct Import {
    path: Vec<String>,
    name: String,
    /// Whether it is handed on to others. That is no need of the module's own.
    is_handed_on: bool,
}

/// What the source of a module imports. Sources are formatted: what is not within something else begins its line.
fn imports(source: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    let code = source.lines().map(|line| line.split("//").next().unwrap());
    let source = code.collect::<Vec<_>>().join("\n");
    for (at, _) in source.match_indices("use ") {
        let line = source[..at].rsplit('\n').next().unwrap();
        let is_handed_on = line.starts_with("pub");
        if !(line.is_empty() || is_handed_on && !line.trim_end().contains(' ')) {
            continue;
        }
        let tree = source[at + "use ".len()..].split(';').next().unwrap();
        for (path, name) in leaves(&[], tree) {
            imports.push(Import {
                path,
                name,
                is_handed_on,
            });
        }
    }
    imports
}

/// The paths of a tree of imports, each with the name that it gets.
fn leaves(above: &[String], tree: &str) -> Vec<(Vec<String>, String)> {
    let segments = |text: &str| {
        let named = text.split("::").map(str::trim);
        named
            .filter(|segment| !segment.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let Some((head, branches)) = tree.split_once('{') else {
        let (path, name) = match tree.split_once(" as ") {
            Some((path, name)) => (path, Some(name.trim().to_owned())),
            None => (tree, None),
        };
        let path = [above, &segments(path)].concat();
        let name = name.or_else(|| path.last().cloned());
        return name.map(|name| (path, name)).into_iter().collect();
    };
    let above = [above, &segments(head)].concat();
    let branches = branches.rsplit_once('}').expect("braces come in pairs").0;
    let mut depth = 0;
    let split = branches.split(|letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        letter == ',' && depth == 0
    });
    split.flat_map(|branch| leaves(&above, branch)).collect()
}

/// A crate's modules with what they import.
struct Modules(BTreeMap<Place, Vec<Import>>);

impl Modules {
    /// Of the crate whose sources are in `src`.
    fn read(src: &Path) -> Self {
        let mut modules = BTreeMap::new();
        let has_library = src.join("lib.rs").exists();
        for file in sources(src) {
            let mut place: Place = file
                .with_extension("")
                .strip_prefix(src)
                .unwrap()
                .iter()
                .map(|part| part.to_str().unwrap().to_owned())
                .collect();
            let is_program = place[0] == "bin" || has_library && place == ["main"];
            if is_program || place.iter().any(|part| part == "tests") {
                continue;
            }
            if place.len() == 1 && ["lib", "main"].contains(&place[0].as_str())
                || place.last().unwrap() == "mod"
            {
                place.pop();
            }
            modules.insert(place, imports(&fs::read_to_string(file).unwrap()));
        }
        Self(modules)
    }

    /// The module of this name in another one.
    fn child(&self, of: &Place, name: &str) -> Option<Place> {
        let child = [of.as_slice(), &[name.to_owned()]].concat();
        self.0.contains_key(&child).then_some(child)
    }

    /// The module that declares what `path` names in the module `at`; none if that is not of this crate.
    fn declares(&self, at: &Place, path: &[String], handed: &mut BTreeSet<(Place, String)>) -> Option<Place> {
        let mut rest = path.iter().peekable();
        let mut module = at.clone();
        match rest.peek()?.as_str() {
            "crate" => module.clear(),
            "self" | "super" => {}
            name => drop(self.child(&module, name)?),
        }
        while let Some(segment) =
            rest.next_if(|segment| ["crate", "self", "super"].contains(&segment.as_str()))
        {
            if segment == "super" {
                module.pop();
            }
        }
        while let Some(child) = rest.peek().and_then(|name| self.child(&module, name)) {
            module = child;
            rest.next();
        }
        let Some(name) = rest.peek() else {
            return Some(module);
        };
        let from = self.0[&module].iter().find(|import| import.name == **name);
        match from {
            Some(import) if handed.insert((module.clone(), (*name).clone())) => {
                self.declares(&module, &import.path, handed).or(Some(module))
            }
            _ => Some(module),
        }
    }

    /// Which modules each needs, with one name that it takes from there.
    fn needs(&self) -> BTreeMap<&Place, BTreeMap<Place, &str>> {
        let mut needs = BTreeMap::new();
        for (module, imports) in &self.0 {
            let mut of: BTreeMap<Place, &str> = BTreeMap::new();
            for import in imports.iter().filter(|import| !import.is_handed_on) {
                let needed = self.declares(module, &import.path, &mut BTreeSet::new());
                let needed = needed.filter(|needed| needed.is_empty() || !module.starts_with(needed));
                if let Some(needed) = needed.filter(|needed| needed != module) {
                    of.insert(needed, &import.name);
                }
            }
            needs.insert(module, of);
        }
        needs
    }

    /// What stands in circles, a line for each need.
    fn circles(&self) -> Vec<String> {
        let mut needs = self.needs();
        loop {
            // Whoever needs nobody of those that are left, or whom nobody of them needs, is in no circle.
            let left: BTreeSet<Place> = needs.keys().map(|module| (*module).clone()).collect();
            for of in needs.values_mut() {
                of.retain(|needed, _| left.contains(needed));
            }
            let needed: BTreeSet<Place> = needs.values().flat_map(|of| of.keys().cloned()).collect();
            needs.retain(|module, of| !of.is_empty() && needed.contains(*module));
            if needs.len() == left.len() {
                break;
            }
        }
        let lines = needs.iter().flat_map(|(module, of)| {
            of.iter()
                .map(|(needed, name)| format!("{} -> {} ({name})", module.join("::"), needed.join("::")))
        });
        lines.collect()
    }
}

/// Every source file in a directory and those in it.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn modules_of_a_crate_need_each_other_in_no_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let crates = fs::read_dir(root.join("crates")).unwrap();
    let crates = crates
        .map(|entry| entry.unwrap().path())
        .chain([root.join("xtask")]);
    let mut found = Vec::new();
    for package in crates {
        let name = package.file_name().unwrap().to_str().unwrap().to_owned();
        let circles = Modules::read(&package.join("src")).circles();
        found.extend(circles.into_iter().map(|line| format!("{name}: {line}")));
    }
    assert!(found.is_empty(), "modules in circles:\n{}", found.join("\n"));
}

#[test]
fn a_circle_is_found_through_whoever_hands_a_name_on() {
    let module = |place: &str, source: &str| {
        let place = place.split("::").filter(|part| !part.is_empty());
        (place.map(str::to_owned).collect(), imports(source))
    };
    let line = |middle: &str| {
        let modules = [
            module(
                "",
                "pub mod high;\npub mod low;\npub use low::{deep::Deep, Low};\n",
            ),
            module(
                "high",
                "use crate::{\n    Deep as D, // a name\n    low::Low,\n};\n",
            ),
            module("low", "mod deep;\n"),
            module("low::deep", middle),
        ];
        Modules(modules.into()).circles()
    };
    assert_eq!(line("use super::Low;\nuse std::fmt;\n"), Vec::<String>::new());
    assert_eq!(
        line("    use crate::high::High;\n// use crate::high::High;\n"),
        Vec::<String>::new()
    );
    assert_eq!(
        line("use crate::high::{High, Higher};\n"),
        ["high -> low::deep (D)", "low::deep -> high (Higher)"]
    );
}
