//! The blocks of the documents, from the fixtures, and a shell block as the commands that somebody types.
use std::collections::BTreeMap;

const FIXTURES: [(&str, &str); 3] = [
    ("core", include_str!("blocks/core-deployment-guide.md")),
    (
        "federation",
        include_str!("blocks/federation-service-deployment.md"),
    ),
    ("phase-5", include_str!("blocks/icn-core-phase-5-plan.md")),
];

/// A block, word for word.
pub(crate) struct Block {
    /// Where it stands among all.
    pub(crate) place: usize,
    pub(crate) is_toml: bool,
    pub(crate) text: String,
}

/// Every block by its name: `DOCUMENT/HEADING`.
pub(crate) fn all() -> BTreeMap<String, Block> {
    let mut blocks = BTreeMap::new();
    for (document, fixture) in FIXTURES {
        for section in fixture.split("\n## ").skip(1) {
            let (heading, rest) = section.split_once("\n\n```").expect("a heading and a block");
            let (language, rest) = rest.split_once('\n').expect("a language");
            let (text, _) = rest.split_once("\n```").expect("an end");
            let block = Block {
                place: blocks.len(),
                is_toml: language == "toml",
                text: format!("{text}\n"),
            };
            let twice = blocks.insert(format!("{document}/{heading}"), block);
            assert!(twice.is_none(), "{heading} is there twice");
        }
    }
    blocks
}

/// What is typed at once.
#[derive(Debug, PartialEq)]
pub(crate) enum Typed {
    /// Lines that end by themselves.
    Lines(String),
    /// A node: what follows is typed beside it.
    Node(String),
}

/// The commands of a shell block: each start of a node by itself, the lines between them together.
pub(crate) fn typed(text: &str) -> Vec<Typed> {
    let mut typed = Vec::new();
    let mut lines = String::new();
    let mut command = String::new();
    for line in text.lines() {
        command.push_str(line);
        command.push('\n');
        if line.ends_with('\\') {
            continue;
        }
        let is_node = command
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .any(|line| {
                let mut words = line.split_whitespace();
                // Variables may come before the program.
                words.find(|word| !word.contains('=')) == Some("icn-node") && words.next() != Some("config")
            });
        if is_node {
            if !lines.trim().is_empty() {
                typed.push(Typed::Lines(std::mem::take(&mut lines)));
            }
            lines.clear();
            typed.push(Typed::Node(std::mem::take(&mut command)));
        } else {
            lines.push_str(&std::mem::take(&mut command));
        }
    }
    if !lines.trim().is_empty() {
        typed.push(Typed::Lines(lines));
    }
    typed
}
