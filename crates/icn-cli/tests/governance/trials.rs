//! A contract is tried on what has happened, and then decides what jobs may cost.
use crate::{
    harness::{Devnet, NOOP},
    policies::{decide, decides, source},
    propose_final, refused,
};
use serde_json::Value;

#[test]
fn a_ceiling_is_tried_on_the_log_before_it_holds() {
    let devnet = Devnet::up();
    let offer = |mana: &'static str| ["job", "submit", NOOP, "--max-mana", mana];
    devnet.ask("dairy", &offer("8"));
    devnet.ask("dairy", &offer("3"));
    let five = source(&devnet, "five", "policy price_ceiling(input) { 5 mana }");

    let tried = devnet.ask("dairy", &["ccl", "backtest", &five, "--slot", "price-ceiling"]);
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

    // Proposing tells the same.
    let id = propose_final(&devnet, "dairy", &["install-policy", "price-ceiling", &five]);
    devnet.ask("dairy", &["proposal", "cancel", &id]);
    decide(&devnet, &["install-policy", "price-ceiling", &five]);
    refused(&devnet, "orchard", &offer("8"), 806);
    devnet.ask("orchard", &offer("5"));
    decide(&devnet, &["remove-policy", "price-ceiling"]);
    assert_eq!(decides(&devnet, "price-ceiling"), Value::Null);
    devnet.ask("dairy", &offer("8"));
}
