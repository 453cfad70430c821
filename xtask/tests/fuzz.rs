//! `fuzz/` is a workspace of its own, which no other test builds: its lock file against what the crates need.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
mod common;

use common::{packages, root};
use std::collections::{BTreeMap, BTreeSet};

/// What a lock file says of packages without a source, which are our own: the names of those that each needs.
fn locked(file: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let ours = file
        .split("[[package]]\n")
        .skip(1)
        .filter(|package| !package.contains("\nsource = "));
    ours.map(|package| {
        let name = package.split('"').nth(1).expect("a package has a name");
        let needs = package
            .split_once("dependencies = [")
            .map_or("", |(_, list)| list);
        // A name, and a version after it where there are several.
        let names = needs
            .split('"')
            .skip(1)
            .step_by(2)
            .filter_map(|need| need.split(' ').next());
        (name, names.collect())
    })
    .collect()
}

#[test]
fn the_lock_file_knows_what_the_crates_need() {
    let file = std::fs::read_to_string(root().join("fuzz/Cargo.lock")).unwrap();
    let locked = locked(&file);
    assert!(locked.contains_key("icn-model"), "{locked:?}");
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let Some(known) = locked.get(name) else { continue };
        let dependencies = package["dependencies"].as_array().unwrap();
        let needed = dependencies
            .iter()
            .filter(|need| need["kind"] != "dev" && need["optional"] == false)
            .map(|need| need["name"].as_str().unwrap());
        let missing: Vec<_> = needed.filter(|need| !known.contains(need)).collect();
        assert!(
            missing.is_empty(),
            "fuzz/Cargo.lock does not know that {name} needs {missing:?}: cd fuzz && cargo metadata >/dev/null"
        );
    }
}
