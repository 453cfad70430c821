//! ARCHITECTURE.md's arrows, held against what cargo knows of the crates.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
mod common;

use common::{packages, root};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Heavy libraries, each confined to one crate, or to the servers and what they share.
const CONFINED: [(&str, &[&str]); 7] = [
    ("libp2p", &["icn-net"]),
    ("wasmtime", &["icn-sandbox"]),
    ("wasmi", &["icn-sandbox"]),
    ("fjall", &["icn-store"]),
    ("axum", &["icn-federation", "icn-node", "icn-serve"]),
    ("tokio-rustls", &["icn-node", "icn-serve"]),
    ("ureq", &["icn-api", "icn-federation"]),
];
/// Crates without a clock, randomness or IO: nothing of these libraries.
const PURE: [&str; 3] = ["icn-clearing", "icn-model", "icn-state"];
const IMPURE: [&str; 6] = [
    "tokio",
    "futures",
    "tracing",
    "rand",
    "getrandom",
    "commonware-runtime",
];

type Edges = BTreeMap<String, BTreeSet<String>>;

/// Every dependency but those of tests, by crate.
fn manifests() -> Edges {
    let normal = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap().clone();
        let normal = all.into_iter().filter(|dependency| dependency["kind"] != "dev");
        normal
            .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
            .collect()
    };
    packages()
        .iter()
        .map(|package| (package["name"].as_str().unwrap().to_owned(), normal(package)))
        .collect()
}

/// The table between the markers in ARCHITECTURE.md: crate, and what it may use.
fn drawn() -> Edges {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let table = text
        .split("<!-- arrows -->")
        .nth(1)
        .expect("ARCHITECTURE.md has its table of arrows");
    let names = |cell: &str| {
        cell.split('`')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        (names(cells[1])[0].clone(), names(cells[2]).into_iter().collect())
    })
    .collect()
}

#[test]
fn crates_use_exactly_what_is_drawn() {
    let manifests = manifests();
    let ours: BTreeSet<_> = manifests.keys().cloned().collect();
    let used: Edges = manifests
        .into_iter()
        .map(|(name, dependencies)| (name, dependencies.intersection(&ours).cloned().collect()))
        .collect();
    assert_eq!(used, drawn(), "left: the manifests, right: ARCHITECTURE.md");
}

#[test]
fn heavy_libraries_stay_where_they_are_confined() {
    for (name, dependencies) in manifests() {
        for (library, homes) in CONFINED {
            assert!(
                !dependencies.contains(library) || homes.contains(&name.as_str()),
                "{name} names {library}, which belongs to {homes:?}"
            );
        }
    }
}

#[test]
fn pure_crates_have_no_clock_no_randomness_and_no_io() {
    let manifests = manifests();
    for name in PURE {
        for library in IMPURE {
            assert!(!manifests[name].contains(library), "{name} names {library}");
        }
        let lib = std::fs::read_to_string(root().join("crates").join(name).join("src/lib.rs")).unwrap();
        assert!(
            lib.contains("no_std)]") || lib.contains("#![no_std]"),
            "{name} is not no_std"
        );
    }
}

#[test]
fn nothing_uses_the_simulator() {
    for (name, dependencies) in manifests() {
        assert!(!dependencies.contains("icn-sim"), "{name} uses icn-sim");
    }
}
