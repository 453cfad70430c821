//! Credit by the command line alone, on four real nodes: transfers in both directions, bad input, statements that verify,
//! nodes that are killed in the middle of a transfer. `cargo xtask test` builds the node's binary beside this one first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
mod clearing;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../federation/harness.rs"]
mod harness;

use harness::{Devnet, SEATS, until};
use serde_json::Value;
use std::{env, thread::sleep, time::Duration};

/// Rounds of killing a node; `ICN_CREDIT_KILL_ROUNDS` sets another number.
const KILL_ROUNDS: u64 = 4;

/// Opens a line of 1,000 EUR each way between two; its name.
fn line(devnet: &Devnet, proposer: &str, counterparty: &str) -> String {
    let terms = [
        "agreement",
        "propose",
        "credit",
        "--title",
        "bread",
        "--with",
        counterparty,
        "--credit",
        "EUR.2=1000/1000",
        "--contest",
        "2s",
    ];
    let made = devnet.ask(proposer, &terms);
    let agreement = made["id"].as_str().unwrap().to_owned();
    devnet.ask(counterparty, &["agreement", "sign", &agreement]);
    let line = format!("{agreement}:EUR.2");
    for on in SEATS {
        until("the line is open everywhere", || {
            devnet.try_ask(on, &["credit", "show", &line]).status.success()
        });
    }
    for on in [proposer, counterparty] {
        until("both ends have met", || {
            own(devnet, on, &line)["waits_for_other"] == false
        });
    }
    line
}

fn own(devnet: &Devnet, on: &str, line: &str) -> Value {
    devnet.ask(on, &["credit", "show", line])["own"].clone()
}

fn debt(devnet: &Devnet, on: &str, line: &str) -> i64 {
    own(devnet, on, line)["debt"].as_i64().unwrap()
}

fn refused(devnet: &Devnet, by: &str, args: &[&str], code: u16) {
    let output = devnet.try_ask(by, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    assert!(said.contains(&format!("\"code\":{code}")), "{args:?}: {said}");
}

#[test]
fn two_cooperatives_trade_and_everybody_can_check_it() {
    let devnet = Devnet::up();
    let line = line(&devnet, "bakery", "mill");

    let paid = devnet.ask(
        "bakery",
        &[
            "credit",
            "pay",
            &line,
            "250.00",
            "--for",
            "flour",
            "--reference",
            "A-1",
        ],
    );
    assert_eq!(paid["transfer"]["standing"], "confirmed", "{paid:#}");
    let again = devnet.ask(
        "bakery",
        &["credit", "pay", &line, "250.00", "--reference", "A-1"],
    );
    assert_eq!(
        (&again["transfer"]["number"], &again["transfer"]["is_new"]),
        (&Value::from(1), &Value::from(false)),
        "an order that is sent twice is carried out once"
    );
    devnet.ask("mill", &["credit", "pay", &line, "100.00", "--for", "bread"]);
    assert_eq!(debt(&devnet, "bakery", &line), 15_000);
    assert_eq!(debt(&devnet, "mill", &line), -15_000);

    refused(&devnet, "bakery", &["credit", "pay", &line, "850.01"], 941);
    refused(
        &devnet,
        "bakery",
        &["credit", "pay", &line, "1", "--reference", "A-1"],
        943,
    );
    refused(&devnet, "bakery", &["credit", "void", &line], 949);
    let agreement = line.split_once(':').unwrap().0;
    let other_unit = format!("{agreement}:EUR.3");
    refused(&devnet, "bakery", &["credit", "show", &other_unit], 903);
    for bad in [
        ["credit", "pay", &line, "1.234"],
        ["credit", "pay", &line, "-5"],
        ["credit", "pay", &line, "much"],
        ["credit", "pay", "nowhere", "1"],
    ] {
        let output = devnet.try_ask("bakery", &bad);
        assert_eq!(output.status.code(), Some(2), "{bad:?}: {output:?}");
    }
    let outsider = devnet.try_ask("orchard", &["credit", "pay", &line, "1"]);
    assert_eq!(outsider.status.code(), Some(2), "{outsider:?}");
    let nothing = devnet.try_ask("bakery", &["credit", "pay", &line, "0"]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");

    // The log is told, and all four say the same.
    devnet.ask("bakery", &["credit", "anchor", &line]);
    for on in SEATS {
        until("the log knows the position", || {
            devnet.ask(on, &["credit", "show", &line])["position"] == 15_000
        });
    }
    let listed = devnet.ask("dairy", &["credit", "ls", "--end", "mill", "--unit", "EUR.2"]);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed:#}");
    let exposure = devnet.ask("mill", &["credit", "exposure"]);
    assert_eq!(exposure["units"][0]["owed"], 15_000, "{exposure:#}");

    // Statements of both ends hold by their signatures, and what was changed is found.
    for on in ["bakery", "mill"] {
        let checked = devnet.ask(on, &["credit", "verify", &line]);
        assert_eq!(checked["notes"].as_array().unwrap().len(), 0, "{checked:#}");
        let statement = devnet.ask(on, &["credit", "statement", &line]);
        let file = devnet.dir.path().join(format!("{on}.json"));
        std::fs::write(&file, statement.to_string()).unwrap();
        let file = file.to_str().unwrap();
        devnet.ask(on, &["credit", "verify", "--file", file]);
        let changed = statement.to_string().replace("25000", "24000");
        std::fs::write(file, changed).unwrap();
        let found = devnet.try_ask(on, &["credit", "verify", "--file", file]);
        assert_eq!(found.status.code(), Some(1), "{found:?}");
    }
    let csv = harness::run(&["--profile", &devnet.profile("mill"), "credit", "statement", &line]);
    let csv = String::from_utf8(csv.stdout).unwrap();
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(csv.contains(",is-owed,1,250.00,250.00,confirmed,"), "{csv}");
    let transfers = devnet.ask("mill", &["credit", "transfers", &line, "--other"]);
    assert_eq!(transfers["items"].as_array().unwrap().len(), 1);

    // A dispute is on the log until it is taken back.
    devnet.ask("mill", &["credit", "dispute", &line, "--reason", "short weight"]);
    until("it is disputed everywhere", || {
        devnet.ask("orchard", &["credit", "show", &line])["record"]["disputes"][0]["reason"] == "short weight"
    });
    devnet.ask("mill", &["credit", "withdraw", &line]);

    // A silent creditor: pending, then void, and the chain goes on.
    devnet.stop("mill");
    let waits = devnet.ask("bakery", &["credit", "pay", &line, "7", "--wait", "0"]);
    assert_eq!(waits["transfer"]["standing"], "pending");
    devnet.ask("bakery", &["credit", "void", &line]);
    refused(&devnet, "bakery", &["credit", "pay", &line, "1"], 944);
    until("it is void", || {
        own(&devnet, "bakery", &line)["pending"]
            .as_array()
            .unwrap()
            .is_empty()
    });
    devnet.devnet(&["up"]);
    let after = devnet.ask("bakery", &["credit", "pay", &line, "5", "--wait", "30"]);
    assert_eq!(after["transfer"]["standing"], "confirmed", "{after:#}");
    assert_eq!(debt(&devnet, "bakery", &line), 15_500);
    devnet.ask("bakery", &["credit", "verify", &line]);
    devnet.agree(&SEATS);
}

#[test]
fn a_node_that_is_killed_in_the_middle_of_a_transfer_makes_it_once() {
    let rounds = env::var("ICN_CREDIT_KILL_ROUNDS").map_or(KILL_ROUNDS, |text| text.parse().unwrap());
    let devnet = Devnet::up();
    let line = line(&devnet, "bakery", "mill");
    for round in 0..rounds {
        let victim = ["bakery", "mill"][usize::try_from(round % 2).unwrap()];
        let reference = format!("round-{round}");
        let pay = [
            "credit",
            "pay",
            &line,
            "1.00",
            "--reference",
            &reference,
            "--wait",
            "20",
        ];
        std::thread::scope(|scope| {
            // Whatever comes of it: the node may die before, during or after it.
            scope.spawn(|| devnet.try_ask("bakery", &pay));
            // From before the request to after the countersignature; a multiple of a prime, so that no two are alike.
            sleep(Duration::from_micros((round * 7_919) % 40_000));
            devnet.kill(victim);
        });
        devnet.devnet(&["up"]);
        until("the transfer is made", || {
            let output = devnet.try_ask("bakery", &pay);
            let made: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            made["transfer"]["standing"] == "confirmed"
        });
        let owed = i64::try_from((round + 1) * 100).unwrap();
        assert_eq!(debt(&devnet, "bakery", &line), owed, "round {round}");
        until("the other end has the same", || {
            debt(&devnet, "mill", &line) == -owed
        });
    }
    for on in ["bakery", "mill"] {
        devnet.ask(on, &["credit", "verify", &line]);
    }
    devnet.agree(&SEATS);
}
