//! Half of a federation is lost for good; the other half goes on, and takes in somebody new.
use crate::harness::{CLI, Devnet, NOOP, jobs, node_binary, run, until};
use serde_json::Value;
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A node that is ended when the test does.
struct Node(Child);

impl Node {
    fn start(log: &Path, args: &[&str]) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let child = Command::new(node_binary())
            .args(args)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.0.wait();
    }
}

fn ask(profile: &Path, args: &[&str]) -> Option<Value> {
    let output = Command::new(CLI)
        .args(["--profile", profile.to_str().unwrap(), "--json", "--quiet"])
        .args(args)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).ok()
}

/// A settled job is completed once nobody can challenge its outcome any more, which may be in either log.
fn is_paid(jobs: &[(String, String)]) -> bool {
    jobs.iter()
        .all(|(_, state)| matches!(state.as_str(), "settled" | "completed"))
}

#[test]
fn half_of_a_federation_is_lost_and_the_other_half_goes_on() {
    let devnet = Devnet::up();
    let dir = devnet.dir.path();
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    devnet.ask("bakery", &["job", "submit", NOOP, "--max-mana", "1", "--wait"]);
    devnet.agree(&["bakery", "dairy", "mill", "orchard"]);
    until("the job is paid", || is_paid(&jobs(&devnet, "bakery")));
    let jobs_before = jobs(&devnet, "bakery");
    let federation = devnet.ask("bakery", &["status"])["info"]["federation"]["id"].clone();
    for name in ["mill", "orchard"] {
        devnet.kill(name);
        fs::remove_dir_all(dir.join(name)).unwrap();
    }

    // Drafted by one, signed by both; not before both have signed does a node accept it.
    let file = path("recovery.json");
    let drafted = devnet.ask(
        "bakery",
        &[
            "federation",
            "recover",
            "draft",
            "--lost",
            "mill",
            "--lost",
            "orchard",
            "-o",
            &file,
        ],
    );
    assert_eq!(drafted["complete"], false);
    let signed = devnet.ask("dairy", &["federation", "recover", "sign", &file]);
    assert!(
        signed["missing"]
            .to_string()
            .contains("bakery has not endorsed it")
    );
    for name in ["bakery", "dairy"] {
        devnet.stop(name);
    }
    let config = |name: &str| path(&format!("{name}/icn.toml"));
    let refused = Command::new(node_binary())
        .args(["--config", &config("dairy"), "--recovery", &file])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("bakery has not endorsed it"),
        "{said}"
    );
    let log = dir.join("recovered.log");
    let genesis = path("genesis.json");
    let old = Node::start(&log, &["--config", &config("bakery"), "--genesis", &genesis]);
    let profile = |name: &str| dir.join(name).join("data/cli.toml");
    until("it follows the old log once more", || {
        ask(&profile("bakery"), &["federation", "recover", "sign", &file])
            .is_some_and(|shown| shown["complete"] == true)
    });
    drop(old);

    let start = |name: &str| Node::start(&log, &["--config", &config(name), "--recovery", &file]);
    let nodes = [start("bakery"), start("dairy")];
    let height = |name: &str| {
        let status = ask(&profile(name), &["status"])?;
        status["log"]["height"].as_u64()
    };
    until("the log goes on", || {
        ["bakery", "dairy"].iter().all(|name| height(name) > Some(1))
    });
    let status = ask(&profile("dairy"), &["status"]).unwrap();
    assert_eq!(
        status["info"]["federation"]["id"], federation,
        "it is the same federation"
    );
    let jobs_after = jobs(&devnet, "bakery");
    assert!(is_paid(&jobs_after), "{jobs_after:?}");
    let ids = |jobs: Vec<(String, String)>| jobs.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(jobs_after), ids(jobs_before));
    let members = ask(&profile("bakery"), &["federation", "members"]).unwrap();
    let left = members["seats"].as_array().unwrap().iter();
    let left = left.filter(|seat| !seat["record"]["phase"]["left"].is_null());
    assert_eq!(left.count(), 2, "{members}");
    let job = devnet.ask("bakery", &["job", "submit", NOOP, "--max-mana", "1", "--wait"]);
    assert!(!job.is_null());
    devnet.agree(&["bakery", "dairy"]);

    // Later starts need no word of it, also where the first genesis is still named.
    drop(nodes);
    let nodes = ["bakery", "dairy"]
        .map(|name| Node::start(&log, &["--config", &config(name), "--genesis", &genesis]));
    let before = height("bakery");
    until("it goes on after another start", || {
        height("dairy") > before.max(Some(1))
    });

    // A newcomer cannot know what the log went on from, and is given it.
    let (invitation, state) = (path("invitation.json"), path("bakery/data/predecessor.state"));
    until("bakery invites", || {
        ask(&profile("bakery"), &["federation", "invite", "-o", &invitation]).is_some()
    });
    let smithy = path("smithy");
    fs::create_dir(&smithy).unwrap();
    let own = [
        "--data-dir",
        &smithy,
        "--http-listen-addr",
        "127.0.0.1:24470",
        "--p2p-listen-addr",
        "/ip4/127.0.0.1/tcp/24471",
        "--metrics-bind-addr",
        "127.0.0.1:24472",
        "--invitation",
        &invitation,
    ];
    let refused = Command::new(node_binary()).args(own).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("--predecessor-state"),
        "{said}"
    );
    let args: Vec<&str> = own
        .into_iter()
        .chain(["--predecessor-state", state.as_str()])
        .collect();
    let newcomer = Node::start(&dir.join("smithy.log"), &args);
    let did = loop {
        if let Some(info) = ask(&dir.join("smithy/cli.toml"), &["info"]) {
            break info["did"].as_str().unwrap().to_owned();
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    until("both approve", || {
        ["bakery", "dairy"].iter().all(|name| {
            let members = ask(&profile(name), &["federation", "members"]);
            members.is_some_and(|members| members.to_string().contains(&did))
        })
    });
    for name in ["bakery", "dairy"] {
        run(&[
            "--profile",
            profile(name).to_str().unwrap(),
            "federation",
            "approve",
            &did,
        ]);
    }
    until("the newcomer has a seat", || {
        ask(&dir.join("smithy/cli.toml"), &["status"])
            .is_some_and(|status| !status["info"]["role"]["seat"].is_null())
    });
    drop((newcomer, nodes));
}
