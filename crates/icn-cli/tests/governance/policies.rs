//! Contracts: published, put into slots by vote, replaced, and taken out again though they would forbid it.
use crate::{
    THREE, fails,
    harness::{self, Devnet},
    propose_final, reaches, refused, say, text, vote,
};
use serde_json::Value;
use std::path::PathBuf;

pub(crate) fn source(devnet: &Devnet, name: &str, policy: &str) -> String {
    let path: PathBuf = devnet.dir.path().join(format!("{name}.ccl"));
    let source = format!("contract \"{name}\" version 1 language 1 scope federation;\n\n{policy}\n");
    std::fs::write(&path, source).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What decides a slot, on a node that did not propose it.
pub(crate) fn decides(devnet: &Devnet, slot: &str) -> Value {
    let rules = devnet.ask("orchard", &["proposal", "rules"]);
    let slots = rules["slots"].as_array().unwrap();
    let found = slots.iter().find(|rule| rule["slot"] == slot).unwrap();
    found["policy"]["contract"].clone()
}

pub(crate) fn decide(devnet: &Devnet, what: &[&str]) {
    let id = propose_final(devnet, "bakery", what);
    vote(devnet, &THREE, &[&id], &["yes"]);
    reaches(devnet, &id, "executed");
}

#[test]
fn contracts_decide_slots_until_a_vote_takes_them_out() {
    let devnet = Devnet::up();
    let double = source(
        &devnet,
        "double",
        "policy mana_rate(input) { input.base_rate * 2 }",
    );
    let triple = source(
        &devnet,
        "triple",
        "policy mana_rate(input) { input.base_rate * 3 }",
    );

    // A source is published with the proposal that needs it.
    decide(&devnet, &["install-policy", "mana-rate", &double]);
    let contract = decides(&devnet, "mana-rate");
    let contract = contract.as_str().unwrap();
    let shown = devnet.ask("orchard", &["ccl", "show", contract]);
    assert_eq!(
        shown["record"]["source"].as_str(),
        Some(&*std::fs::read_to_string(&double).unwrap())
    );
    assert_eq!(shown["decides"][0], "mana-rate");
    let events = || text(&devnet.try_ask("orchard", &["events", "--limit", "1000"]));
    assert!(events().contains("\"rate_per_hour\":20000000"), "{}", events());

    refused(
        &devnet,
        "dairy",
        &["proposal", "plan", "install-policy", "mana-rate", &double],
        804,
    );
    refused(
        &devnet,
        "dairy",
        &["proposal", "plan", "replace-policy", "mana-rate", &triple],
        802,
    );
    let published = devnet.ask("dairy", &["ccl", "publish", &triple]);
    let triple = published["cid"].as_str().unwrap();
    refused(
        &devnet,
        "dairy",
        &["proposal", "plan", "install-policy", "admission", triple],
        803,
    );
    decide(&devnet, &["replace-policy", "mana-rate", triple]);
    assert_eq!(decides(&devnet, "mana-rate"), triple);
    assert!(events().contains("\"rate_per_hour\":30000000"));
    let listed = devnet.ask("orchard", &["ccl", "ls"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    decide(&devnet, &["remove-policy", "mana-rate"]);
    assert_eq!(decides(&devnet, "mana-rate"), Value::Null);

    let (exit, said) = fails(
        &devnet,
        "mill",
        &[
            "ccl",
            "publish",
            &source(&devnet, "wrong", "policy mana_rate(input) { input.base_rat }"),
        ],
    );
    assert!(exit == Some(1) && said.contains("base_rat"), "{said}");
    a_rule_against_votes(&devnet);
}

/// A contract that forbids votes gives its reason, and cannot forbid its own repeal.
fn a_rule_against_votes(devnet: &Devnet) {
    let quiet = source(
        devnet,
        "quiet",
        "policy vote_eligibility(input) { require(1 > 2, \"nobody votes any more\"); true }",
    );
    decide(devnet, &["install-policy", "vote-eligibility", &quiet]);
    let words = propose_final(devnet, "dairy", &["text", "--title", "Words"]);
    reaches(devnet, &words, "open");
    refused(devnet, "mill", &["vote", &words, "yes"], 806);
    let (_, said) = fails(devnet, "mill", &["vote", &words, "yes"]);
    assert!(said.contains("nobody votes any more"), "{said}");
    decide(devnet, &["remove-policy", "vote-eligibility"]);
    say(devnet, "mill", &words, &["yes"]);
    let rules = harness::run(&["--profile", &devnet.profile("mill"), "proposal", "rules"]);
    assert!(text(&rules).contains("the federation's own rule"));
}
