//! Agreements by the command line alone, on four real nodes: offered on one, signed on another, seen on the others,
//! ended by block time. `cargo xtask test` builds the node's binary beside this one first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../federation/harness.rs"]
mod harness;

use harness::{Devnet, SEATS, until};
use serde_json::Value;

fn propose(devnet: &Devnet, by: &str, options: &[&str]) -> String {
    let made = devnet.ask(by, &[&["agreement", "propose"], options].concat());
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// Says something of an agreement; the command waits until the speaker's node knows of it.
fn say(devnet: &Devnet, by: &str, words: &[&str], id: &str, options: &[&str]) {
    devnet.ask(by, &[&["agreement"], words, &[id], options].concat());
}

fn show(devnet: &Devnet, on: &str, id: &str) -> Option<Value> {
    let output = devnet.try_ask(on, &["agreement", "show", id]);
    serde_json::from_slice(&output.stdout).ok()
}

/// Waits until an agreement is in a state on every node; its record.
fn reaches(devnet: &Devnet, id: &str, state: &str) -> Value {
    let mut record = Value::Null;
    for on in SEATS {
        until(&format!("{id} is {state} on {on}"), || {
            record = show(devnet, on, id).unwrap_or_default()["record"].clone();
            record["state"] == state
        });
    }
    record
}

fn refused(devnet: &Devnet, by: &str, args: &[&str], code: u16) {
    let output = devnet.try_ask(by, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    assert!(said.contains(&format!("\"code\":{code}")), "{args:?}: {said}");
}

#[test]
fn agreements_go_their_way_on_every_node() {
    let devnet = Devnet::up();
    let text = devnet.dir.path().join("flour.md");
    std::fs::write(&text, "# Flour\nTwo sacks a week.\n").unwrap();
    let text = text.to_str().unwrap();

    // Offered, countered, signed by all, told to a witness.
    let flour = propose(
        &devnet,
        "mill",
        &[
            "trade",
            "--title",
            "flour",
            "--with",
            "bakery",
            "--witness",
            "orchard",
            "--notice",
            "1s",
            "--text",
            text,
        ],
    );
    say(
        &devnet,
        "bakery",
        &["offer"],
        &flour,
        &["--title", "more flour", "--contest", "2s"],
    );
    let stale = devnet.try_ask(
        "mill",
        &["agreement", "sign", &flour, "--content", &"0".repeat(64)],
    );
    assert_eq!(stale.status.code(), Some(2), "what was read is what is signed");
    refused(&devnet, "orchard", &["agreement", "sign", &flour], 1003);
    until("the mill knows the counter-proposal", || {
        show(&devnet, "mill", &flour).unwrap()["record"]["revisions"] == 2
    });
    say(&devnet, "mill", &["sign"], &flour, &[]);
    let record = reaches(&devnet, &flour, "active");
    assert_eq!(record["in_force"]["terms"]["title"], "more flour");
    let shown = show(&devnet, "orchard", &flour).unwrap();
    assert_eq!(
        shown["words"], "# Flour\nTwo sacks a week.\n",
        "fetched from the mill's node"
    );

    // Suspended by one, resumed by the same only.
    say(&devnet, "bakery", &["suspend"], &flour, &["--reason", "moths"]);
    reaches(&devnet, &flour, "suspended");
    refused(&devnet, "mill", &["agreement", "resume", &flour], 1007);
    say(&devnet, "bakery", &["resume"], &flour, &[]);
    reaches(&devnet, &flour, "active");

    // An amendment leaves what is in force until it is signed.
    say(&devnet, "mill", &["offer"], &flour, &["--title", "less flour"]);
    say(
        &devnet,
        "bakery",
        &["reject"],
        &flour,
        &["--reason", "too little"],
    );
    assert_eq!(reaches(&devnet, &flour, "active")["in_force"]["revision"], 2);

    // A contested claim falls; an uncontested one ends it, by block time.
    say(
        &devnet,
        "mill",
        &["breach"],
        &flour,
        &["--against", "bakery", "--evidence", text],
    );
    say(
        &devnet,
        "bakery",
        &["contest"],
        &flour,
        &["--reason", "it was paid"],
    );
    assert_eq!(reaches(&devnet, &flour, "active")["breach"], Value::Null);
    say(
        &devnet,
        "mill",
        &["breach"],
        &flour,
        &["--against", "bakery", "--evidence", text],
    );
    assert_eq!(reaches(&devnet, &flour, "terminated")["ending"], "breach");
    refused(
        &devnet,
        "bakery",
        &["agreement", "suspend", &flour, "--reason", "late"],
        1004,
    );

    let history = devnet.ask("dairy", &["agreement", "history", &flour]);
    assert_eq!(history.as_array().unwrap().len(), 16, "{history:#}");
    let events = devnet.try_ask("dairy", &["events", "--type", "agreement", "--limit", "100"]);
    let events = String::from_utf8(events.stdout).unwrap();
    assert_eq!(events.lines().count(), 16, "each step is an event: {events}");

    // Credit, ended by notice; an offer that is turned down; one that both end.
    let credit = propose(
        &devnet,
        "dairy",
        &[
            "credit",
            "--title",
            "milk",
            "--with",
            "bakery",
            "--credit",
            "EUR.2=1000/500",
            "--notice",
            "1s",
        ],
    );
    say(&devnet, "bakery", &["sign"], &credit, &[]);
    let record = reaches(&devnet, &credit, "active");
    assert_eq!(record["in_force"]["terms"]["lines"][0]["proposer_limit"], 100_000);
    say(
        &devnet,
        "bakery",
        &["notice"],
        &credit,
        &["--reason", "no more milk"],
    );
    assert_eq!(reaches(&devnet, &credit, "terminated")["ending"], "notice");

    let rooms = propose(
        &devnet,
        "orchard",
        &[
            "resource-sharing",
            "--title",
            "rooms",
            "--with",
            "dairy",
            "--guarantor",
            "mill",
        ],
    );
    say(&devnet, "dairy", &["sign"], &rooms, &[]);
    say(
        &devnet,
        "mill",
        &["reject"],
        &rooms,
        &["--reason", "we have none"],
    );
    assert_eq!(reaches(&devnet, &rooms, "terminated")["ending"], "rejected");

    let own = propose(
        &devnet,
        "mill",
        &["custom", "--title", "bees", "--with", "orchard"],
    );
    say(&devnet, "orchard", &["sign"], &own, &[]);
    reaches(&devnet, &own, "active");
    say(&devnet, "mill", &["end"], &own, &[]);
    say(&devnet, "orchard", &["end"], &own, &[]);
    assert_eq!(reaches(&devnet, &own, "terminated")["ending"], "consent");

    let listed = devnet.ask(
        "dairy",
        &["agreement", "ls", "--party", "orchard", "--state", "terminated"],
    );
    assert_eq!(listed["items"].as_array().unwrap().len(), 3, "{listed:#}");
    let bad = [
        (
            &[
                "agreement",
                "propose",
                "credit",
                "--title",
                "x",
                "--with",
                "bakery",
            ][..],
            2,
        ),
        (
            &[
                "agreement",
                "propose",
                "trade",
                "--title",
                "x",
                "--with",
                "nobody",
            ],
            2,
        ),
        (
            &[
                "agreement",
                "propose",
                "trade",
                "--title",
                "x",
                "--with",
                "mill",
                "--expires",
                "1d",
                "--effective",
                "2d",
            ],
            2,
        ),
        (&["agreement", "show", "nothing-like-that"], 2),
    ];
    for (args, code) in bad {
        let output = devnet.try_ask("bakery", args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    }
    devnet.agree(&SEATS);
}
