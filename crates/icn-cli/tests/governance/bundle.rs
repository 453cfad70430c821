//! Audit bundles: one of a real vote holds without a node, and each change of it is found.
use crate::harness::{CLI, Devnet};
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// Verifies with nothing but the file: no node, no profile, no environment.
fn verify(file: &Path, more: &[&str]) -> Output {
    Command::new(CLI)
        .args(["proposal", "verify-bundle", file.to_str().unwrap()])
        .args(more)
        .current_dir(file.parent().unwrap())
        .env_clear()
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout[..], &output.stderr]
        .map(String::from_utf8_lossy)
        .concat()
}

/// A vote that has delegations, members and cooperatives, and has been counted.
pub(crate) fn holds_and_shows_changes(devnet: &Devnet, id: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bundle.json");
    let audited = devnet.ask(
        "orchard",
        &["proposal", "audit", id, "-o", path.to_str().unwrap()],
    );
    let digest = audited["digest"].as_str().unwrap();
    let other = directory.path().join("other.json");
    let again = devnet.ask("mill", &["proposal", "audit", id, "-o", other.to_str().unwrap()]);
    assert_eq!(again["digest"], digest, "every node gives the same records");
    for file in [&path, &other] {
        let output = verify(file, &["--digest", digest]);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("the bundle holds"));
    }
    let output = verify(&path, &["--digest", &"00".repeat(32)]);
    assert_eq!(output.status.code(), Some(1));

    let bundle: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let changed = directory.path().join("changed.json");
    let finds = |part: &str, change: &dyn Fn(&mut Value)| {
        let mut other = bundle.clone();
        change(&mut other);
        assert_ne!(other, bundle, "{part}: nothing was changed");
        fs::write(&changed, serde_json::to_vec(&other).unwrap()).unwrap();
        let output = verify(&changed, &[]);
        assert_eq!(output.status.code(), Some(1), "{part}: {}", said(&output));
        assert!(said(&output).contains(part), "{part}: {}", said(&output));
    };
    let ballots = bundle["records"]["ballots"].as_array().unwrap();
    let direct = ballots
        .iter()
        .position(|one| one["record"]["through"] == json!([]))
        .unwrap();
    // One on which nobody else's rests: that of the longest chain's beginning.
    let chain = |one: &Value| one["record"]["through"].as_array().unwrap().len();
    let delegated = (0..ballots.len()).max_by_key(|at| chain(&ballots[*at])).unwrap();
    let is_yes = |at: usize| ballots[at]["record"]["choice"].get("yes").is_some();
    let (other_choice, words) = if is_yes(direct) {
        (json!({"no": {}}), "says no, its operation yes")
    } else {
        (json!({"yes": {}}), "says yes, its operation no")
    };
    finds(words, &|b| {
        b["records"]["ballots"][direct]["record"]["choice"] = other_choice.clone()
    });
    finds("who voted for it", &|b| {
        b["records"]["ballots"][delegated]["record"]["choice"] = json!({"abstain": {}});
    });
    finds("counted again", &|b| {
        b["records"]["ballots"][direct]["record"]["weight"] = json!(2)
    });
    finds("the members' list is", &|b| {
        b["records"]["members"][0]["cooperative"] = b["records"]["members"][0]["did"].clone();
    });
    finds("the roll has 3 members, the list 2", &|b| {
        b["records"]["members"].as_array_mut().unwrap().pop();
    });
    let officer = bundle["records"]["genesis"]["founders"][0]["keys"]["seat"].clone();
    finds("which does not act for it now", &|b| {
        for cooperative in b["records"]["cooperatives"].as_array_mut().unwrap() {
            cooperative["officers"]["keys"] = json!([officer]);
        }
    });
    finds("counted again", &|b| {
        b["records"]["record"]["tally"]["members"]["turnout"] = json!(9);
    });
    finds("counted again", &|b| {
        b["records"]["record"]["tally"]["decision"] = json!({"disagreed": {}})
    });
    finds("counted again", &|b| {
        b["records"]["ballots"].as_array_mut().unwrap().remove(delegated);
    });
    finds("does not have the signature of its key", &|b| {
        let other = b["records"]["proposed"]["signature"].clone();
        b["records"]["ballots"][direct]["operations"][0]["signature"] = other;
    });
    finds("are not those that its record names", &|b| {
        b["records"]["ballots"][direct]["operations"] = json!([]);
    });
    finds("has voted twice", &|b| {
        let twice = b["records"]["ballots"][direct].clone();
        b["records"]["ballots"].as_array_mut().unwrap().push(twice);
    });
    finds("not of the federation", &|b| {
        b["records"]["genesis"]["created"] = json!(7)
    });
    finds("not what its author signed", &|b| {
        b["records"]["record"]["spec"]["topic"] = json!("other");
    });
    finds("though the vote came to", &|b| {
        b["records"]["record"]["phase"] = json!({"rejected": {"at": 1}});
    });
    finds("not those that the node signed", &|b| {
        b["records"]["record"]["made"] = json!(1)
    });
    finds("the node's word does not have", &|b| {
        b["attestation"]["content"]["height"] = json!(1)
    });
    fs::write(&changed, "{}").unwrap();
    let output = verify(&changed, &[]);
    assert!(output.status.code() == Some(1) && said(&output).contains("not an audit bundle"));
}
