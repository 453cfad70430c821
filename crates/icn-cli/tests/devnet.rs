//! `devnet load` and `devnet chaos` on loopback: short runs of real nodes. What needs hosts of their own is run by
//! `scripts/chaos_test.sh`. `cargo xtask test` builds the node's binary beside this one first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
#[path = "federation/ports.rs"]
mod ports;

use ports::Ports;
use serde_json::Value;
use std::{fs, path::Path, process::Command, sync::Mutex};

const CLI: &str = env!("CARGO_BIN_EXE_icn-cli");
/// One federation at a time: they share two cores.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs a command of a devnet that writes figures, on ports of its own; gives them, and what it said.
fn figures(args: &[&str], folder: &Path) -> (Value, String) {
    let file = folder.join("figures.json");
    let ports = Ports::take();
    let output = Command::new(CLI)
        .arg("devnet")
        .args(args)
        .args(["--base-port", &ports.base.to_string()])
        .arg("--metrics-output")
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {}\n{said}", output.status);
    (serde_json::from_slice(&fs::read(&file).unwrap()).unwrap(), said)
}

#[test]
fn every_kind_of_job_comes_to_its_end() {
    let _turn = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path().join("federation");
    let mut args = vec!["load", "--jobs", "20", "--concurrent-jobs", "10", "--work"];
    args.push(work.to_str().unwrap());
    let (figures, _) = figures(&args, folder.path());
    assert_eq!(figures["passed"], true);
    let load = &figures["load"];
    assert_eq!(load["submitted"], 20);
    let kinds = load["kinds"].as_array().unwrap();
    let names: Vec<_> = kinds.iter().map(|kind| kind["kind"].as_str().unwrap()).collect();
    assert_eq!(names, ["short", "text", "data", "memory", "failing", "too-long"]);
    // What never ends is rolled back, and it alone has to be.
    assert_eq!(kinds[5]["rolled_back"], 1);
    assert_eq!(figures["verdict"]["acknowledged"]["operations"], 20);
    assert_eq!(figures["verdict"]["acknowledged"]["lost"], 0);
    // Nobody is left running: the directory is there, and names no process.
    let state: Value = serde_json::from_slice(&fs::read(work.join("load/devnet.json")).unwrap()).unwrap();
    assert!(
        state["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .all(|node| node["process"].is_null())
    );
}

#[test]
fn a_killed_node_is_back_within_the_limit() {
    let _turn = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let options = [
        "--duration",
        "8s",
        "--federation-size",
        "4",
        "--network-mode",
        "local",
    ];
    let mut args = vec!["chaos", "--scenario", "node_failure", "--concurrent-jobs", "8"];
    args.extend(options);
    let (figures, said) = figures(&args, folder.path());
    let rounds = figures["outcomes"][0]["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 1, "{said}");
    assert!(rounds[0]["blocks"].as_u64().unwrap() > 0);
    assert!(rounds[0]["recovery_ms"].as_u64().unwrap() < 30_000);
}
