//! A pinned SHA-256 of every encoding that is signed, hashed or stored. One that changes breaks every log
//! and every signature that exists: change it only together with what reads the old form.
use icn_model::Digest;
use std::collections::BTreeMap;

const PINNED: &str = include_str!("fixtures.txt");

#[test]
fn encodings_are_as_they_were() {
    let found: BTreeMap<String, String> = crate::samples::samples()
        .into_iter()
        .map(|sample| (sample.name, Digest::of(&sample.bytes).to_string()))
        .collect();
    let pinned: BTreeMap<String, String> = PINNED
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(hash, name)| (name.to_string(), hash.to_string()))
        .collect();
    let now: String = found
        .iter()
        .map(|(name, hash)| format!("{hash}  {name}\n"))
        .collect();
    for (name, hash) in &pinned {
        match found.get(name) {
            Some(found) => assert_eq!(found, hash, "the encoding of {name} has changed"),
            None => panic!("{name} is pinned, but has no sample any more"),
        }
    }
    assert_eq!(
        found.len(),
        pinned.len(),
        "something new is not pinned; tests/model/fixtures.txt should be:\n{now}"
    );
}

#[test]
fn every_sample_has_a_name_of_its_own() {
    let samples = crate::samples::samples();
    let names: std::collections::BTreeSet<_> = samples.iter().map(|sample| &sample.name).collect();
    assert_eq!(names.len(), samples.len());
}
