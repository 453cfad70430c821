//! Governance by the command line alone, on four real nodes: every kind of proposals and every method of voting goes
//! its whole way, and what was decided shows on a node that did not propose it. `cargo xtask test` builds the node's
//! binary beside this one first.
//!
//! Votes that are final end with the vote that decides, so nothing here waits for the clock but what is about it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
mod bundle;
#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../federation/harness.rs"]
mod harness;
mod policies;
mod trials;
mod voting;

use harness::{CLI, Devnet, SEATS, until};
use serde_json::Value;
use std::process::{Command, Output};

/// What makes a vote end as soon as it is decided, and not before.
pub(crate) const FINAL: [&str; 3] = ["--votes-final", "--closes-in", "10m"];

/// Proposes as a cooperative; the proposal's id.
pub(crate) fn propose(devnet: &Devnet, by: &str, what: &[&str]) -> String {
    let mut args = vec!["proposal", "create"];
    args.extend_from_slice(what);
    let made = devnet.ask(by, &args);
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

/// The same, of one whose votes are final.
pub(crate) fn propose_final(devnet: &Devnet, by: &str, what: &[&str]) -> String {
    propose(devnet, by, &[what, &FINAL].concat())
}

/// Each of the voters says the same on each of the proposals; they do so at once, each in order.
pub(crate) fn vote(devnet: &Devnet, voters: &[&str], ids: &[&str], words: &[&str]) {
    std::thread::scope(|scope| {
        for voter in voters {
            scope.spawn(move || {
                for id in ids {
                    say(devnet, voter, id, words);
                }
            });
        }
    });
}

/// Votes; the command waits until the voter's node has heard of the proposal.
pub(crate) fn say(devnet: &Devnet, voter: &str, id: &str, words: &[&str]) {
    devnet.ask(voter, &[&["vote", id][..], words].concat());
}

/// A proposal, if the node has heard of it.
pub(crate) fn show(devnet: &Devnet, on: &str, id: &str) -> Option<Value> {
    let output = devnet.try_ask(on, &["proposal", "show", id]);
    serde_json::from_slice(&output.stdout).ok()
}

/// Waits on a node until a proposal is in a state.
pub(crate) fn reaches_on(devnet: &Devnet, on: &str, id: &str, status: &str) -> Value {
    let mut view = Value::Null;
    until(&format!("{id} is {status} on {on}"), || {
        view = show(devnet, on, id).unwrap_or_default();
        view["status"] == status
    });
    view
}

/// Waits until a proposal is in a state on every node; what the last of them shows of it.
pub(crate) fn reaches(devnet: &Devnet, id: &str, status: &str) -> Value {
    let views = SEATS.map(|on| reaches_on(devnet, on, id, status));
    let [.., last] = views;
    last
}

/// What a command that fails says, and its exit code.
pub(crate) fn fails(devnet: &Devnet, by: &str, args: &[&str]) -> (Option<i32>, String) {
    let output = devnet.try_ask(by, args);
    assert!(!output.status.success(), "{args:?} succeeds");
    (output.status.code(), text(&output))
}

pub(crate) fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr]
        .map(String::from_utf8_lossy)
        .concat()
}

/// That the log refuses a command with this number.
pub(crate) fn refused(devnet: &Devnet, by: &str, args: &[&str], code: u16) {
    let (exit, said) = fails(devnet, by, args);
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains(&format!("\"code\":{code}")), "{args:?}: {said}");
}

fn parameter(devnet: &Devnet, on: &str, name: &str) -> u64 {
    let rules = devnet.ask(on, &["proposal", "rules"]);
    let all = rules["parameters"].as_array().unwrap();
    let one = all.iter().find(|one| one["name"] == name).unwrap();
    one["value"].as_u64().unwrap()
}

fn seat(devnet: &Devnet, on: &str, name: &str) -> Value {
    let members = devnet.ask(on, &["federation", "members"]);
    let seats = members["seats"].as_array().unwrap();
    let found = seats.iter().find(|seat| seat["record"]["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not there: {members}"))["record"]["phase"].clone()
}

pub(crate) const THREE: [&str; 3] = ["bakery", "dairy", "mill"];

#[test]
fn what_binds_is_decided_and_carried_out_everywhere() {
    let devnet = Devnet::up();
    let plan = devnet.ask("mill", &["proposal", "plan", "parameter", "max_holds", "9"]);
    assert_eq!(plan["changes"][0]["after"], "9");

    let parameter_id = propose_final(&devnet, "bakery", &["parameter", "max_holds", "9"]);
    let process = propose_final(&devnet, "bakery", &["process", "budget", "--timelock", "10m"]);
    let clearing = propose_final(&devnet, "dairy", &["clearing", "every", "7d"]);
    let upgrade = propose_final(&devnet, "dairy", &["upgrade", "2", "100000"]);
    let budget = propose_final(&devnet, "mill", &["budget", "orchard", "12.5"]);
    let all = [&parameter_id, &process, &clearing, &upgrade, &budget].map(String::as_str);
    vote(&devnet, &THREE, &all, &["yes"]);
    for id in all {
        reaches_on(&devnet, "orchard", id, "executed");
        devnet.ask("orchard", &["proposal", "wait", id]);
    }
    assert_eq!(parameter(&devnet, "orchard", "max_holds"), 9);
    let rules = devnet.ask("orchard", &["proposal", "rules"]);
    let kinds = rules["kinds"].as_array().unwrap();
    let of_budgets = kinds.iter().find(|rule| rule["kind"] == "budget").unwrap();
    assert_eq!(
        (&of_budgets["source"], &of_budgets["process"]["timelock_ms"]),
        (&"decided".into(), &600_000.into())
    );
    assert_eq!(rules["decided"]["clearing_every_ms"], 604_800_000);
    assert_eq!(rules["decided"]["upgrade"]["version"], 2);
    let events = devnet.try_ask("orchard", &["events", "--limit", "1000"]);
    assert!(text(&events).contains("\"amount\":12500"), "{}", text(&events));

    a_veto(&devnet);
    a_failure(&devnet);
    ends_by_time(&devnet);
    devnet.agree(&SEATS);
}

/// What is accepted waits, and is stopped.
fn a_veto(devnet: &Devnet) {
    let budget = propose_final(devnet, "mill", &["budget", "dairy", "5"]);
    vote(devnet, &THREE, &[&budget], &["yes"]);
    reaches(devnet, &budget, "accepted");
    // The end of an id is enough to name it.
    let end = &budget[budget.len() - 12..];
    let veto = propose(devnet, "orchard", &["veto", end]);
    vote(devnet, &["orchard", "bakery", "dairy"], &[&veto], &["yes"]);
    let view = reaches(devnet, &budget, "vetoed");
    assert_eq!(view["record"]["phase"]["vetoed"]["by"], veto.as_str());
    assert_eq!(view["vetoes"][0], veto.as_str());
    reaches(devnet, &veto, "executed");
    let (exit, said) = fails(devnet, "dairy", &["proposal", "wait", &budget]);
    assert!(exit == Some(1) && said.contains("is vetoed"), "{said}");
}

/// Two want the same: the second has nothing to change, and is tried again when there is.
fn a_failure(devnet: &Devnet) {
    let first = propose_final(devnet, "bakery", &["parameter", "max_holds", "11"]);
    let second = propose_final(devnet, "dairy", &["parameter", "max_holds", "11"]);
    vote(devnet, &THREE, &[&first], &["yes"]);
    reaches(devnet, &first, "executed");
    vote(devnet, &THREE, &[&second], &["yes"]);
    reaches(devnet, &second, "failed");
    let (exit, said) = fails(devnet, "orchard", &["proposal", "wait", &second]);
    assert!(exit == Some(1) && said.contains("721"), "{said}");
    refused(devnet, "mill", &["proposal", "retry", &second], 721);
    let other = propose_final(devnet, "mill", &["parameter", "max_holds", "12"]);
    vote(devnet, &THREE, &[&other], &["yes"]);
    reaches(devnet, &other, "executed");
    devnet.ask("mill", &["proposal", "retry", &second]);
    reaches(devnet, &second, "executed");
    assert_eq!(parameter(devnet, "orchard", "max_holds"), 11);
}

/// Nobody closes a vote: a tie, and one in which too few take part.
fn ends_by_time(devnet: &Devnet) {
    let lapsed = propose(devnet, "bakery", &["parameter", "max_holds", "20"]);
    let withdrawn = propose_final(devnet, "dairy", &["budget", "mill", "1"]);
    reaches(devnet, &withdrawn, "open");
    refused(devnet, "mill", &["proposal", "cancel", &withdrawn], 711);
    devnet.ask("dairy", &["proposal", "cancel", &withdrawn]);
    reaches(devnet, &withdrawn, "cancelled");
    let tie = propose_final(devnet, "mill", &["parameter", "max_holds", "30"]);
    vote(devnet, &["bakery", "dairy"], &[&tie], &["yes"]);
    vote(devnet, &["mill", "orchard"], &[&tie], &["no"]);
    let view = reaches(devnet, &tie, "rejected");
    assert_eq!(view["record"]["tally"]["decision"]["below-threshold"]["votes"], 2);
    let view = reaches(devnet, &lapsed, "rejected");
    assert_eq!(view["record"]["tally"]["decision"]["no-quorum"]["on_roll"], 4);
    assert_eq!(parameter(devnet, "orchard", "max_holds"), 11);
    refused(devnet, "mill", &["vote", &lapsed, "yes"], 706);
}

#[test]
fn cooperatives_and_witnesses_come_and_go_by_vote() {
    let devnet = Devnet::up();
    for (kind, seat_kind, name) in [
        ("admit", "cooperative", "smithy"),
        ("admit-witness", "witness", "notary"),
    ] {
        let dir = devnet.dir.path();
        let path = |end: &str| dir.join(format!("{name}.{end}")).to_str().unwrap().to_owned();
        let (key, invitation) = (path("key"), path("json"));
        harness::run(&["key", "new", &key]);
        devnet.ask(
            "dairy",
            &["federation", "invite", "--kind", seat_kind, "-o", &invitation],
        );
        let join = ["--key", &key, "federation", "join", "--name", name, &invitation];
        let join = devnet.ask("dairy", &join);
        let application = join["id"].as_str().unwrap();
        let view = reaches(&devnet, application, "open");
        assert!(view["record"]["spec"]["effect"].get(kind).is_some());
        vote(&devnet, &["bakery", "mill"], &[application], &["no"]);
        reaches(&devnet, application, "rejected");
        assert!(seat(&devnet, "orchard", name).get("applied").is_some());
        let again = propose(&devnet, "mill", &[kind, name, "--title", "Once more"]);
        vote(&devnet, &THREE, &[&again], &["yes"]);
        reaches(&devnet, &again, "executed");
        assert!(seat(&devnet, "orchard", name).get("admitted").is_some());
    }
    let suspend = propose_final(&devnet, "bakery", &["suspend", "mill", "--for", "30d"]);
    vote(&devnet, &["bakery", "dairy", "orchard"], &[&suspend], &["yes"]);
    reaches_on(&devnet, "orchard", &suspend, "executed");
    until("the seat is taken", || {
        seat(&devnet, "orchard", "mill").get("suspended").is_some()
    });
    refused(
        &devnet,
        "mill",
        &["proposal", "create", "parameter", "max_holds", "5"],
        309,
    );
    let remove = propose_final(&devnet, "bakery", &["remove", "dairy"]);
    vote(&devnet, &["bakery", "orchard"], &[&remove], &["yes"]);
    reaches_on(&devnet, "orchard", &remove, "executed");
    until("the seat is taken for good", || {
        seat(&devnet, "orchard", "dairy").get("left").is_some()
    });
}

#[test]
fn what_makes_no_sense_is_told_with_a_way_out() {
    let devnet = Devnet::up();
    let usage = |args: &[&str], part: &str| {
        let (exit, said) = fails(&devnet, "bakery", args);
        assert!(exit == Some(2) && said.contains(part), "{args:?}: {said}");
    };
    usage(&["proposal", "create", "abolish"], "abolish");
    usage(&["proposal", "create", "text"], "--title");
    usage(&["proposal", "create", "parameter", "max_hold", "7"], "max_holds");
    usage(
        &["proposal", "create", "parameter", "voting_period_ms", "7"],
        "no unit of time",
    );
    usage(
        &["proposal", "plan", "process", "budget", "--quorum", "3/2"],
        "fraction",
    );
    usage(
        &["proposal", "plan", "process", "budget", "--quorum", "0"],
        "the quorum is 0",
    );
    usage(
        &["proposal", "plan", "process", "budget", "--threshold", "1/2"],
        "more-than 1/2",
    );
    usage(&["proposal", "plan", "clearing", "sometimes"], "sometimes");
    usage(&["proposal", "plan", "admit", "nobody"], "federation members");
    usage(
        &[
            "proposal", "create", "text", "--title", "T", "--method", "ranked", "--option", "one",
        ],
        "two or more",
    );
    usage(&["proposal", "show", "abc"], "at least 6 characters");
    usage(&["proposal", "show", "qqqqqqqqqq"], "proposal ls");
    refused(
        &devnet,
        "bakery",
        &["proposal", "plan", "process", "remove", "--quorum", "1/3"],
        718,
    );
    refused(
        &devnet,
        "bakery",
        &["proposal", "create", "budget", "dairy", "0"],
        404,
    );
    refused(
        &devnet,
        "bakery",
        &["proposal", "create", "parameter", "max_holds", "0"],
        720,
    );
    refused(
        &devnet,
        "bakery",
        &["proposal", "create", "upgrade", "1", "9"],
        722,
    );
    refused(
        &devnet,
        "bakery",
        &["proposal", "plan", "remove-policy", "mana-rate"],
        805,
    );
    refused(
        &devnet,
        "bakery",
        &[
            "proposal",
            "create",
            "text",
            "--title",
            "Short",
            "--closes-in",
            "1s",
        ],
        704,
    );
    let id = propose_final(&devnet, "bakery", &["text", "--title", "Bread"]);
    usage(&["vote", &id, "rank", "1"], "yes, no or abstain");
    devnet.ask("bakery", &["vote", &id, "no"]);
    refused(&devnet, "bakery", &["vote", &id, "yes"], 709);
    let key = devnet.dir.path().join("stranger.key");
    let key = key.to_str().unwrap();
    harness::run(&["key", "new", key]);
    refused(&devnet, "bakery", &["--key", key, "vote", &id, "yes"], 201);
    refused(&devnet, "bakery", &["proposal", "sponsor", &id], 706);
    let contract = devnet.dir.path().join("process.ccl");
    let contract = contract.to_str().unwrap();
    std::fs::write(contract, CONTRACT).unwrap();
    let from = [
        "proposal",
        "plan",
        "process",
        "--from-contract",
        contract,
        "--process",
    ];
    let plan = devnet.ask("bakery", &[&from[..], &["budgets"]].concat());
    let after = plan["changes"][0]["after"].as_str().unwrap();
    assert!(
        after.contains("quorum 1/4, at least 3/5") && after.contains("votes final"),
        "{after}"
    );
    usage(
        &[&from[..], &["elders"]].concat(),
        "rolls of a federation know no roles",
    );
    usage(&[&from[..], &["none"]].concat(), "budgets, elders");
    usage(
        &[
            "proposal",
            "plan",
            "process",
            "text",
            "--from-contract",
            contract,
            "--process",
            "budgets",
        ],
        "for budget, not for text",
    );
    for (code, name) in [("713", "delegation-cycle"), ("802", "unknown-contract")] {
        let explained = Command::new(CLI).args(["explain", code]).output().unwrap();
        assert!(text(&explained).contains(name));
    }
}

const CONTRACT: &str = r#"contract "Ours" version 1 language 1 scope federation;

role elder { may vote; }

process budgets {
  proposal: budget;
  electorate: both;
  method: yes_no;
  quorum: 1/4;
  threshold: at least 3/5;
  duration: 2 days;
  votes: final;
  executes: allocate_budget;
}

process elders {
  proposal: parameter;
  electorate: members;
  eligible: elder;
  method: yes_no;
  quorum: 1/4;
  threshold: more than 1/2;
  duration: 2 days;
  executes: change_parameter;
}
"#;
