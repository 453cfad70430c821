//! A node that gets another key while the federation works, and one that sleeps through it.
use crate::harness::{CLI, Devnet, NOOP, SEATS, node_binary, until};
use serde_json::Value;
use std::{path::PathBuf, process::Command};

fn online(devnet: &Devnet, name: &str) -> u64 {
    devnet.ask(name, &["status"])["network"]["seats_online"]
        .as_u64()
        .unwrap_or(0)
}

fn key_file(devnet: &Devnet, name: &str, end: &str) -> PathBuf {
    devnet.dir.path().join(name).join(format!("node.key{end}"))
}

/// A job of `name` is run by another and settled.
fn a_job_settles(devnet: &Devnet, name: &str) {
    let output = devnet.try_ask(name, &["job", "submit", NOOP, "--max-mana", "1", "--wait"]);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a job of {name}: {talk}");
}

#[test]
fn a_seat_goes_on_with_another_key_and_one_that_slept_finds_its_turn() {
    let devnet = Devnet::up();
    let before = devnet.ask("bakery", &["key", "roles"]);
    let (did, pid) = (before["did"].clone(), devnet.pid("bakery"));

    // Everything that the one key did, the next one does.
    let rotation = devnet.ask("bakery", &["key", "rotate", "--wait", "60"]);
    assert_ne!(rotation["key"], before["key"]);
    assert_eq!(rotation["roles"].as_array().unwrap().len(), 4, "{rotation}");
    let after = devnet.ask("bakery", &["key", "roles"]);
    assert_eq!((&after["did"], &after["key"]), (&did, &rotation["key"]));
    assert_eq!(after["keys"]["seat"], rotation["key"]);
    assert_eq!(after["keys"]["recovery"], rotation["key"]);
    assert_eq!(after["succession"]["former_seats"][0], before["key"]);
    assert_eq!(devnet.pid("bakery"), pid, "the process is the same");
    assert!(!key_file(&devnet, "bakery", ".next").exists());

    // The others reach it where it was, though they were told `/p2p/<the former key>`.
    until("all seats are online", || {
        SEATS.iter().all(|name| online(&devnet, name) == 4)
    });
    for name in ["bakery", "dairy"] {
        a_job_settles(&devnet, name);
    }
    // It speaks for its cooperative with the new key, for whom its identity stays what it was.
    let member = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
    devnet.ask("bakery", &["federation", "add-member", member]);

    // A node that is off when its turn comes still has the former key, with which it finds out.
    let rotation = devnet.ask("mill", &["key", "rotate"]);
    devnet.stop("mill");
    let moved = |name: &str| devnet.ask(name, &["federation", "members"]);
    until("the epoch turns without the mill", || {
        let members = moved("dairy");
        let seats = members["seats"].as_array().cloned().unwrap_or_default();
        seats
            .iter()
            .any(|seat| seat["record"]["keys"]["seat"] == rotation["key"])
    });
    assert!(key_file(&devnet, "mill", ".next").exists());
    devnet.devnet(&["up"]);
    until("the mill has its new key", || {
        devnet.ask("mill", &["key", "roles"])["key"] == rotation["key"]
    });
    until("all seats are online again", || {
        SEATS.iter().all(|name| online(&devnet, name) == 4)
    });
    a_job_settles(&devnet, "mill");
    devnet.agree(&SEATS);
}

#[test]
fn a_seat_whose_key_is_lost_with_its_disk_is_given_another_by_its_officer() {
    let devnet = Devnet::up();
    let dir = devnet.dir.path();
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (officer, proof, config) = (path("officer.pem"), path("proof.json"), path("mill/icn.toml"));
    let made = devnet.ask("mill", &["key", "new", &officer]);
    let made = made["key"].as_str().unwrap();
    devnet.ask("mill", &["key", "assign", "--officer", made, "--recovery", made]);
    let mill = devnet.ask("mill", &["key", "roles"])["did"].clone();
    let mill = mill.as_str().unwrap();

    devnet.kill("mill");
    std::fs::remove_dir_all(path("mill/data")).unwrap();
    std::fs::remove_file(key_file(&devnet, "mill", "")).unwrap();
    let claim = || {
        let mut command = Command::new(node_binary());
        command.args(["claim", mill, "--config", &config]);
        command.output().unwrap()
    };
    let talk = String::from_utf8_lossy(&claim().stderr).into_owned();
    assert!(talk.contains("there is no key at"), "{talk}");

    // A new key at the old place, which proves for whom it is to act.
    let key_path = path("mill/node.key");
    let new = devnet.ask("bakery", &["key", "new", &key_path]);
    let prove = |did: &str| {
        let proven = devnet.ask("bakery", &["key", "prove", &key_path, "--for", did]);
        std::fs::write(&proof, proven.to_string()).unwrap();
    };
    let assign = [
        "--key", &officer, "--author", mill, "key", "assign", "--seat", &proof,
    ];
    prove(new["did"].as_str().unwrap());
    let refused = devnet.try_ask("bakery", &assign);
    let talk = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && talk.contains("the proof is for"),
        "{talk}"
    );
    prove(mill);
    let assigned = devnet.ask("bakery", &assign);
    assert_eq!(assigned["next_seat"], new["key"], "{assigned}");

    // Started before its epoch: nobody knows its key yet.
    let claimed = claim();
    assert!(claimed.status.success(), "{claimed:?}");
    devnet.devnet(&["up"]);
    until("the mill is back", || {
        let roles = devnet.ask("mill", &["key", "roles"]);
        roles["keys"]["seat"] == new["key"] && roles["did"] == mill
    });
    until("all seats are online", || {
        SEATS.iter().all(|name| online(&devnet, name) == 4)
    });
    a_job_settles(&devnet, "mill");
    devnet.agree(&SEATS);
}

#[test]
fn a_copy_of_a_node_that_runs_does_not_start() {
    let devnet = Devnet::up();
    let (original, copy) = (devnet.dir.path().join("bakery"), devnet.dir.path().join("copy"));
    let copied = Command::new("cp").arg("-a").args([&original, &copy]).status();
    assert!(copied.unwrap().success());
    let data = copy.join("data");
    let output = Command::new(node_binary())
        .env("ICN_IDENTITY_KEY_PATH", copy.join("node.key"))
        .args(["--data-dir", data.to_str().unwrap()])
        .args(["--bootstrap-peers", &devnet.peer_address("dairy")])
        .args([
            "--http-listen-addr",
            "127.0.0.1:0",
            "--p2p-listen-addr",
            "/ip4/127.0.0.1/tcp/0",
        ])
        .output()
        .unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{talk}");
    assert!(
        talk.contains("another process runs with this node's key"),
        "{talk}"
    );
    // The original neither stops nor is shut out.
    a_job_settles(&devnet, "bakery");
    devnet.agree(&SEATS);
}

/// Runs a command with a keystore of its own.
fn with_keys(devnet: &Devnet, name: &str, args: &[&str]) -> (Option<i32>, Value, String) {
    let output = Command::new(CLI)
        .args(["--profile", &devnet.profile(name), "--json", "--quiet"])
        .args(args)
        .env("XDG_CONFIG_HOME", devnet.dir.path().join("home"))
        .output()
        .unwrap();
    let data = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), data, talk)
}

#[test]
fn members_and_officers_have_keys_of_their_own() {
    let devnet = Devnet::up();
    let done = |args: &[&str]| {
        let (code, data, talk) = with_keys(&devnet, "bakery", args);
        assert_eq!(code, Some(0), "{args:?}: {talk}");
        data
    };
    let failed = |args: &[&str]| {
        let (code, _, talk) = with_keys(&devnet, "bakery", args);
        assert_eq!(code, Some(1), "{args:?}: {talk}");
        talk
    };

    // A member signs with a key from the keystore, and keeps its identity under the next one.
    let alice = done(&["key", "new", "@alice"]);
    let did = alice["did"].as_str().unwrap();
    done(&["federation", "add-member", did]);
    done(&["mana", "share", did, "50"]);
    let rotated = done(&["key", "rotate", "@alice"]);
    assert_eq!(rotated["did"], did);
    assert_ne!(rotated["key"], alice["key"]);
    done(&["--key", "@alice", "mana", "share", "bakery", "1"]);
    assert_eq!(
        done(&["key", "ls"])[0]["holder"],
        serde_json::json!({"did": did, "key": rotated["key"]})
    );

    // She loses it: her cooperative takes her next one, if she has that.
    done(&["key", "new", "@alice2"]);
    let proof = done(&["key", "prove", "@alice2", "--for", did]);
    let file = devnet.dir.path().join("proof.json");
    std::fs::write(&file, proof.to_string()).unwrap();
    let file = file.to_str().unwrap();
    assert!(
        with_keys(&devnet, "dairy", &["federation", "replace-member-key", file])
            .2
            .contains("312")
    );
    done(&["federation", "replace-member-key", file]);
    assert!(failed(&["--key", "@alice", "mana", "share", "bakery", "1"]).contains("202"));
    done(&[
        "--key", "@alice2", "--author", did, "mana", "share", "bakery", "1",
    ]);

    // Two officers and a recovery key take over from the one key that did everything.
    for name in ["@ann", "@ben", "@safe"] {
        done(&["key", "new", name]);
    }
    let roles = [
        "--officer",
        "@ann",
        "--officer",
        "@ben",
        "--threshold",
        "2",
        "--recovery",
        "@safe",
    ];
    done(&[&["key", "assign"][..], &roles].concat());
    let record = done(&["key", "roles"]);
    assert_eq!(record["keys"]["officers"]["threshold"], 2);
    assert_eq!(record["keys"]["seat"], record["key"]);
    assert!(
        failed(&["federation", "add-member", did]).contains("202"),
        "the node's key does not speak any more"
    );
    let cooperative = record["did"].as_str().unwrap();
    let line = [
        "key",
        "assign",
        "--line",
        "@ann",
        "--author",
        cooperative,
        "--key",
    ];
    let first = done(&[&line[..], &["@ann"]].concat());
    assert_eq!(first["wishes"].as_array().unwrap().len(), 1, "one of two");
    assert_ne!(first["keys"]["line"], first["keys"]["officers"]["keys"][0]);
    let second = done(&[&line[..], &["@ben"]].concat());
    assert_eq!(second["keys"]["line"], second["keys"]["officers"]["keys"][0]);
    // The node still rotates what is its own.
    let rotation = done(&["key", "rotate"]);
    assert_eq!(rotation["roles"], serde_json::json!(["seat"]));
    let doctor = with_keys(&devnet, "bakery", &["doctor"]).1.to_string();
    assert!(
        doctor.contains("officers and recovery have keys of their own"),
        "{doctor}"
    );
}
