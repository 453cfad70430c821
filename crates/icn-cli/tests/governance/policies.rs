//! Contracts in slots, by the command line: tried on the log, published, put in, replaced and taken out.
use crate::{
    THREE, fails,
    harness::{Devnet, NOOP},
    propose_final, reaches, refused, vote,
};
use serde_json::Value;

/// A contract in a file, by which a job costs so much at the most.
fn ceiling(devnet: &Devnet, mana: u32) -> String {
    let path = devnet.dir.path().join(format!("ceiling-{mana}.ccl"));
    let source = format!(
        "contract \"Ceiling of {mana}\" version 1 language 1 scope federation;\n\n\
         policy price_ceiling(input) {{\n  {mana} mana\n}}\n"
    );
    std::fs::write(&path, source).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Decides about a slot, and waits on a node that did not propose until it is carried out.
fn decide(devnet: &Devnet, what: &[&str]) {
    let id = propose_final(devnet, "bakery", what);
    vote(devnet, &THREE, &[&id], &["yes"]);
    reaches(devnet, "orchard", &id, "executed");
}

/// What decides a slot, as a node sees it.
fn contract_of(devnet: &Devnet, on: &str, slot: &str) -> Value {
    let rules = devnet.ask(on, &["proposal", "rules"]);
    let slots = rules["slots"].as_array().unwrap();
    let found = slots.iter().find(|rule| rule["slot"] == slot);
    found.unwrap_or_else(|| panic!("{slot} is not there: {rules}"))["policy"]["contract"].clone()
}

#[test]
fn contracts_decide_slots_while_they_are_in_them() {
    let devnet = Devnet::up(19_300);
    let offer = |mana: &'static str| ["job", "submit", NOOP, "--max-mana", mana];
    devnet.ask("dairy", &offer("8"));
    devnet.ask("dairy", &offer("3"));
    let (five, twenty) = (ceiling(&devnet, 5), ceiling(&devnet, 20));

    let tried = devnet.ask("mill", &["ccl", "backtest", &five, "--slot", "price-ceiling"]);
    assert_eq!(
        (&tried["asked"], &tried["refused"]),
        (&2.into(), &1.into()),
        "{tried}"
    );
    assert_eq!(tried["cases"][0]["subject"], devnet.node("dairy")["did"]);
    refused(
        &devnet,
        "mill",
        &["ccl", "backtest", &five, "--slot", "admission"],
        803,
    );

    decide(&devnet, &["install-policy", "price-ceiling", &five]);
    let published = devnet.ask("orchard", &["ccl", "ls"]);
    assert_eq!(
        published["items"][0]["cid"],
        contract_of(&devnet, "orchard", "price-ceiling")
    );
    refused(&devnet, "dairy", &offer("8"), 806);
    devnet.ask("dairy", &offer("5"));
    refused(
        &devnet,
        "bakery",
        &["proposal", "create", "install-policy", "price-ceiling", &twenty],
        804,
    );

    decide(&devnet, &["replace-policy", "price-ceiling", &twenty]);
    devnet.ask("dairy", &offer("8"));
    refused(&devnet, "dairy", &offer("21"), 806);

    decide(&devnet, &["remove-policy", "price-ceiling"]);
    devnet.ask("dairy", &offer("21"));
    assert_eq!(contract_of(&devnet, "orchard", "price-ceiling"), Value::Null);

    // Nothing but the text of a contract without faults comes into the log.
    let (_, said) = fails(&devnet, "dairy", &["ccl", "publish", NOOP]);
    assert!(said.contains("module.wasm"), "{said}");
    let faulty = devnet.dir.path().join("faulty.ccl");
    std::fs::write(
        &faulty,
        "contract \"Faulty\" version 1 language 1 scope federation;\npolicy price_ceiling(input) { input.nothing }\n",
    )
    .unwrap();
    let (exit, said) = fails(&devnet, "dairy", &["ccl", "publish", faulty.to_str().unwrap()]);
    assert!(exit == Some(1) && said.contains("nothing"), "{said}");
}
