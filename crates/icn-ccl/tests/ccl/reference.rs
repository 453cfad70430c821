//! The reference says what the compiler does: its examples compile and pass, those marked as wrong are wrong
//! in the way it says, and its tables are the compiler's. `UPDATE=1` writes the tables.
use crate::examples::passes;
use icn_ccl::{
    FaultCode, NoModules, builtins, check,
    diagnostic::Code,
    interface::{self, INPUTS, SLOTS},
    limits,
};
use std::{fmt::Write as _, fs};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/ccl.md");
const HEADER: &str = "contract \"example\" version 1 language 1 scope federation;\n";

/// The fenced blocks: what follows the fence, and what is in it.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(tag) = line.strip_prefix("```") {
            let inner: Vec<_> = lines
                .by_ref()
                .take_while(|line| !line.starts_with("```"))
                .collect();
            blocks.push((tag.to_owned(), inner.join("\n")));
        }
    }
    blocks
}

#[test]
fn examples_of_the_reference_hold() {
    let text = fs::read_to_string(PATH).unwrap();
    let (mut right, mut wrong) = (0, 0);
    for (tag, source) in blocks(&text) {
        let whole = if source.starts_with("contract") {
            source.clone()
        } else {
            format!("{HEADER}{source}\n")
        };
        match tag.split_once(' ') {
            None if tag == "ccl" => {
                passes("the reference", &whole);
                right += 1;
            }
            Some(("ccl-wrong", code)) => {
                let found = check(&whole, &NoModules).diagnostics;
                let codes: Vec<_> = found.iter().map(|found| found.code.to_string()).collect();
                assert_eq!(codes, [code], "{source}");
                wrong += 1;
            }
            _ => assert!(
                ["sh", "text", "ebnf"].contains(&tag.as_str()),
                "an unknown kind of block: {tag}"
            ),
        }
    }
    assert!(right >= 10 && wrong >= 5, "{right} {wrong}");
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(text, "| {} |", cells.join(" | ")).unwrap();
    }
    text
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn slots() -> String {
    let types = interface::types();
    let slots = SLOTS.iter().map(|slot| {
        let result = types.show(&slot.result_type()).to_string();
        vec![
            code(slot.name),
            code(INPUTS[slot.input].name),
            code(&result),
            slot.doc.to_owned(),
            slot.without.to_owned(),
        ]
    });
    let mut text = table(&["slot", "input", "gives", "question", "without a policy"], slots);
    for input in INPUTS {
        writeln!(text, "\n`{}`:\n", input.name).unwrap();
        let fields = input.fields.iter().map(|field| {
            vec![
                code(field.name),
                code(&types.show(&field.ty.ty()).to_string()),
                field.doc.to_owned(),
            ]
        });
        text.push_str(&table(&["field", "type", "what it says"], fields));
    }
    text
}

fn pairs(head: [&str; 2], rows: &[(&str, &str)]) -> String {
    table(
        &head,
        rows.iter().map(|(name, doc)| vec![code(name), (*doc).to_owned()]),
    )
}

fn processes() -> String {
    let kinds = interface::PROPOSAL_KINDS.iter().map(|kind| {
        let effect = kind.effect.map_or_else(|| "`nothing`".to_owned(), code);
        let rules = if kind.built_in {
            "built in"
        } else {
            "a process, or the federation's"
        };
        vec![code(kind.name), kind.doc.to_owned(), effect, rules.to_owned()]
    });
    [
        pairs(["property", "what it says"], interface::PROCESS_FIELDS),
        table(&["proposal", "to", "executes", "rules"], kinds),
        pairs(["electorate", "who is on the roll"], interface::ELECTORATES),
        pairs(["method", "votes are"], interface::METHODS),
    ]
    .join("\n")
}

fn bounds() -> String {
    let rows = [
        ("bytes of a source file", limits::MAX_SOURCE_BYTES.to_string()),
        ("source files of a contract", limits::MAX_MODULES.to_string()),
        (
            "levels of nesting of brackets, blocks, operators and types",
            limits::MAX_NESTING.to_string(),
        ),
        (
            "levels of evaluation, along the longest chain of calls",
            limits::MAX_DEPTH.to_string(),
        ),
        ("levels of types within types", limits::MAX_TYPE_DEPTH.to_string()),
        ("declarations of one kind", limits::MAX_DECLARATIONS.to_string()),
        (
            "parameters, fields, variants, values of a variant",
            limits::MAX_MEMBERS.to_string(),
        ),
        ("local values of a function", limits::MAX_LOCALS.to_string()),
        ("bytes of a name", limits::MAX_NAME_BYTES.to_string()),
        ("bytes of a text", limits::MAX_TEXT_BYTES.to_string()),
        (
            "elements of a list, entries of a map",
            limits::MAX_ELEMENTS.to_string(),
        ),
        ("numbers of a range", limits::MAX_RANGE.to_string()),
        ("units of work of a call", limits::MAX_WORK.to_string()),
        (
            "operations of a body for each unit beyond the first",
            limits::OPERATIONS_PER_UNIT.to_string(),
        ),
        (
            "bytes of all values of a call",
            limits::MAX_HEAP_BYTES.to_string(),
        ),
        (
            "bytes of an input, of a result",
            limits::MAX_INPUT_BYTES.to_string(),
        ),
        (
            "units of work of computing a constant",
            limits::MAX_CONSTANT_WORK.to_string(),
        ),
        (
            "bytes of the values of computing a constant",
            limits::MAX_CONSTANT_BYTES.to_string(),
        ),
        (
            "bytes of all constants and texts",
            limits::MAX_STATIC_BYTES.to_string(),
        ),
        ("bytes of a module", limits::MAX_MODULE_BYTES.to_string()),
        (
            "in the log: bytes of a contract or module",
            icn_model::limits::MAX_CONTRACT_BYTES.to_string(),
        ),
        (
            "in the log: bytes of its name",
            limits::MAX_TITLE_BYTES.to_string(),
        ),
        (
            "in the log: roles with a rule, beside policies for votes",
            limits::MAX_ASKED_ROLES.to_string(),
        ),
    ];
    table(
        &["bound", "at most"],
        rows.map(|(what, most)| vec![what.to_owned(), most]),
    )
}

fn replaced(text: &str, name: &str, inner: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = text
        .split_once(&open)
        .unwrap_or_else(|| panic!("the reference has no {name}"));
    let (_, after) = rest.split_once(&close).unwrap();
    format!("{before}{open}{inner}{close}{after}")
}

#[test]
fn tables_of_the_reference_are_the_compilers() {
    let text = fs::read_to_string(PATH).unwrap();
    let faults = FaultCode::ALL.iter().map(|fault| {
        vec![
            (*fault as u8).to_string(),
            code(fault.word()),
            fault.text().to_owned(),
        ]
    });
    let codes = Code::ALL
        .iter()
        .map(|found| vec![found.to_string(), found.title().to_owned()]);
    let methods = builtins::METHODS
        .iter()
        .map(|(on, name, doc)| vec![code(on), code(&format!(".{name}")), (*doc).to_owned()]);
    let mut expected = text.clone();
    for (name, inner) in [
        ("faults", table(&["number", "word", "what happened"], faults)),
        ("methods", table(&["on", "method", "gives"], methods)),
        (
            "functions",
            pairs(["function", "what it does"], builtins::FUNCTIONS),
        ),
        ("slots", slots()),
        (
            "permissions",
            pairs(["permission", "whoever has it may"], interface::PERMISSIONS),
        ),
        ("processes", processes()),
        ("limits", bounds()),
        ("codes", table(&["code", "meaning"], codes)),
    ] {
        expected = replaced(&expected, name, &inner);
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(PATH, &expected).unwrap();
    } else {
        assert!(
            text == expected,
            "`UPDATE=1 cargo test -p icn-ccl --test ccl reference` writes the tables"
        );
    }
}
