//! Rounds of clearing on real nodes: trades go on meanwhile, one is objected to, and one has a node down.
use super::{Devnet, SEATS, debt, line, until};
use serde_json::Value;

fn round(devnet: &Devnet, on: &str, number: u64) -> Value {
    let output = devnet.try_ask(on, &["clearing", "status", &number.to_string()]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// Waits until a round is in a phase on a node.
fn reaches(devnet: &Devnet, on: &str, number: u64, phase: &str) -> Value {
    let mut view = Value::Null;
    until(&format!("round {number} is {phase} on {on}"), || {
        view = round(devnet, on, number);
        view["record"]["phase"].get(phase).is_some()
    });
    view
}

/// The number of the next round to be announced.
fn next(devnet: &Devnet) -> u64 {
    let rounds = devnet.ask("bakery", &["clearing", "ls"]);
    rounds["items"][0]["number"].as_u64().unwrap_or(0) + 1
}

/// Waits for the first round from `first` on that is in a phase; its number.
fn first_that(devnet: &Devnet, on: &str, first: u64, phase: &str) -> u64 {
    let mut number = 0;
    until(&format!("a round is {phase}"), || {
        let rounds = devnet.ask(on, &["clearing", "ls"]);
        let found = rounds["items"].as_array().unwrap().iter().find(|round| {
            round["number"].as_u64().unwrap() >= first && round["record"]["phase"].get(phase).is_some()
        });
        number = found.map_or(0, |round| round["number"].as_u64().unwrap());
        number > 0
    });
    number
}

/// Everybody votes for what was proposed, and it is carried out.
fn decide(devnet: &Devnet, proposed: &Value) {
    let proposal = proposed["id"].as_str().unwrap();
    for on in SEATS {
        devnet.ask(on, &["vote", proposal, "yes"]);
    }
    devnet.ask("dairy", &["proposal", "wait", proposal]);
}

/// Proposes how often there are rounds, and how long their windows are.
fn schedule(devnet: &Devnet, how_often: &[&str]) -> Value {
    let kind = ["proposal", "create", "clearing"];
    let windows = ["--join", "5s", "--object", "6s"];
    devnet.ask("mill", &[&kind, how_often, &windows].concat())
}

#[test]
fn debts_that_run_in_circles_are_cleared() {
    let devnet = Devnet::up();
    let ring = [("bakery", "mill"), ("mill", "orchard"), ("orchard", "bakery")];
    let lines = ring.map(|(debtor, creditor)| line(&devnet, debtor, creditor));
    let pay = |at: usize, amount: &str| {
        let paid = devnet.ask(ring[at].0, &["credit", "pay", &lines[at], amount, "--wait", "20"]);
        assert_eq!(paid["transfer"]["standing"], "confirmed", "{paid:#}");
    };
    for (at, amount) in ["100", "80", "60"].into_iter().enumerate() {
        pay(at, amount);
        devnet.ask(ring[at].0, &["credit", "anchor", &lines[at]]);
    }
    let none = devnet.try_ask("bakery", &["clearing", "status"]);
    assert_eq!(none.status.code(), Some(1), "no round so far");
    until("the plan finds the ring", || {
        let plan = devnet.ask("dairy", &["clearing", "plan"]);
        plan["units"][0]["figures"]["cleared"] == 18_000
    });

    // The windows are set, and one round is opened by decision.
    decide(&devnet, &schedule(&devnet, &["never"]));
    let opened = devnet.ask("dairy", &["clearing", "open"]);
    assert_eq!(opened["plan"]["kind"], "open-clearing", "{opened:#}");
    decide(&devnet, &opened);

    // Both directions of a line while the round is on.
    let first = first_that(&devnet, "bakery", 1, "objecting");
    assert_eq!(
        round(&devnet, "mill", first)["record"]["proposal"],
        opened["id"],
        "the round that was proposed"
    );
    pay(0, "5");
    let back = devnet.ask("mill", &["credit", "pay", &lines[0], "7", "--wait", "20"]);
    assert_eq!(back["transfer"]["standing"], "confirmed", "{back:#}");
    for on in SEATS {
        reaches(&devnet, on, first, "applied");
        let verified = devnet.ask(on, &["clearing", "verify", &first.to_string()]);
        assert_eq!(verified["units"][0]["figures"]["cleared"], 18_000, "{verified:#}");
    }
    for (on, owed) in [("bakery", 3_800), ("mill", -3_800)] {
        until("what was cleared counts", || debt(&devnet, on, &lines[0]) == owed);
        devnet.ask(on, &["credit", "verify", &lines[0]]);
    }
    assert_eq!(debt(&devnet, "mill", &lines[1]), 2_000);
    assert_eq!(debt(&devnet, "orchard", &lines[2]), 0);

    // The proof is for anybody; what was changed in it is found.
    let report = devnet
        .ask("dairy", &["clearing", "report", &first.to_string()])
        .to_string();
    let file = devnet.dir.path().join("report.json");
    let file = file.to_str().unwrap();
    for (from, to, holds) in [
        ("", "", true),
        ("\"price\":0", "\"price\":5", false),
        ("\"cleared\":6000", "\"cleared\":5999", false),
        ("\"amount\":10000", "\"amount\":5000", false),
    ] {
        assert!(report.contains(from), "{report}");
        std::fs::write(file, report.replacen(from, to, 1)).unwrap();
        let checked = devnet.try_ask("dairy", &["clearing", "verify", "--file", file]);
        assert_eq!(checked.status.success(), holds, "{from}: {checked:?}");
    }

    // From now on rounds come by themselves. Nothing runs in circles any more.
    decide(&devnet, &schedule(&devnet, &["every", "12s"]));
    first_that(&devnet, "orchard", first + 1, "ended");

    // An objection takes the ring apart: nothing changes. The transfer may be in the round that is open while it is made.
    pay(2, "50");
    let second = first_that(&devnet, "orchard", first + 1, "objecting");
    devnet.ask(
        "orchard",
        &["clearing", "object", "--reason", "the apples were bad"],
    );
    let aborted = reaches(&devnet, "dairy", second, "aborted");
    assert_eq!(
        aborted["record"]["objections"][0]["reason"],
        "the apples were bad"
    );
    assert_eq!(debt(&devnet, "orchard", &lines[2]), 5_000);

    // A node that is down keeps its lines out, and nobody waits for it.
    devnet.stop("orchard");
    let from = next(&devnet) + 1;
    first_that(&devnet, "bakery", from, "ended");
    devnet.devnet(&["up"]);
    // It may have joined the one that was announced while it stopped or started.
    let third = first_that(&devnet, "bakery", second + 1, "applied");
    for on in SEATS {
        reaches(&devnet, on, third, "applied");
    }
    assert_eq!(debt(&devnet, "orchard", &lines[2]), 3_000, "2,000 went round");
    devnet.agree(&SEATS);
}
