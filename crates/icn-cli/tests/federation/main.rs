//! Federations of real processes, driven by the command line alone: kills, a cut, joining and leaving, a lying
//! disk, keys that follow each other. `cargo xtask test` builds the node's binary beside this one first.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
mod harness;
mod recovery;
mod rotation;

use harness::{CLI, Devnet, NOOP, SEATS, jobs, node_binary, run, until};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

#[test]
fn a_node_is_killed_during_two_hundred_jobs_and_none_is_lost() {
    let devnet = Devnet::up();
    std::thread::scope(|scope| {
        for name in ["bakery", "dairy", "mill"] {
            let devnet = &devnet;
            scope.spawn(move || {
                for number in 0..67 {
                    devnet.ask(
                        name,
                        &[
                            "job",
                            "submit",
                            NOOP,
                            "--arg",
                            &number.to_string(),
                            "--max-mana",
                            "1",
                            // What was in the dead node's hands goes to another one after this.
                            "--wall",
                            "5s",
                        ],
                    );
                }
            });
        }
        sleep(Duration::from_secs(3));
        devnet.kill("orchard");
    });
    let ended = |state: &str| matches!(state, "settled" | "completed" | "rolled-back");
    until("all jobs settle or roll back", || {
        let jobs = jobs(&devnet, "bakery");
        assert_eq!(jobs.len(), 201);
        jobs.iter().all(|(_, state)| ended(state))
    });
    devnet.agree(&["bakery", "dairy", "mill"]);
    devnet.devnet(&["up"]);
    until("the killed node catches up", || {
        devnet.height("orchard") + 2 >= devnet.height("bakery")
    });
    devnet.agree(&SEATS);
    let (mut here, mut there) = (jobs(&devnet, "bakery"), jobs(&devnet, "orchard"));
    here.sort();
    there.sort();
    assert_eq!(here, there);
}

/// Lets three vote for who has applied, at once: the vote of a devnet is open for five seconds.
fn admit(devnet: &Devnet, applicant: &str) {
    until("the application is in the log", || {
        devnet
            .ask("bakery", &["federation", "members"])
            .to_string()
            .contains(applicant)
    });
    std::thread::scope(|scope| {
        for officer in ["bakery", "dairy", "mill"] {
            scope.spawn(move || devnet.ask(officer, &["federation", "approve", applicant]));
        }
    });
}

#[test]
fn a_fifth_cooperative_joins_runs_a_job_and_another_leaves() {
    let devnet = Devnet::up();
    let dir = devnet.dir.path();
    let invitation = dir.join("invitation.json");
    devnet.ask(
        "bakery",
        &["federation", "invite", "-o", invitation.to_str().unwrap()],
    );

    // Somebody who is invited and admitted and never appears stops nobody.
    let absent = dir.join("absent.json");
    devnet.ask("dairy", &["federation", "invite", "-o", absent.to_str().unwrap()]);
    let key = dir.join("absent.key");
    run(&["key", "new", key.to_str().unwrap()]);
    devnet.ask(
        "dairy",
        &[
            "--key",
            key.to_str().unwrap(),
            "federation",
            "join",
            "--name",
            "absent",
            absent.to_str().unwrap(),
        ],
    );
    admit(&devnet, "absent");

    // A node that knows only where to find others founds nothing: it waits, and says for what.
    let port = devnet.ports.base + 350;
    let mut newcomer = Newcomer::start(dir, &devnet.peer_address("bakery"), port);
    let ask = |args: &[&str]| {
        let profile = dir.join("smithy/cli.toml");
        let output = Command::new(CLI)
            .args(["--profile", profile.to_str().unwrap(), "--json", "--quiet"])
            .args(args)
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).ok()
    };
    until("the newcomer waits for an invitation", || {
        ask(&["status"]).is_some_and(|status| status["info"]["role"].to_string().contains("an invitation"))
    });
    assert_eq!(ask(&["mana", "balance"]), None);
    let told = metrics(port + 2);
    assert!(told.contains("icn_build_info{"), "{told}");
    assert!(told.contains("\nicn_node_ready 0\n"), "{told}");
    let join = ["federation", "join", invitation.to_str().unwrap()];
    assert_eq!(
        ask(&[&join[..], &["--threshold", "2"]].concat()),
        None,
        "two of one officer"
    );
    assert!(ask(&join).is_some());
    admit(&devnet, "smithy");
    until("the newcomer has a seat", || {
        ask(&["status"]).is_some_and(|status| !status["info"]["role"]["seat"].is_null())
    });

    let did = newcomer.did();
    let job = devnet.ask(
        "bakery",
        &[
            "job",
            "submit",
            NOOP,
            "--cooperative",
            "smithy",
            "--max-mana",
            "1",
            "--wait",
        ],
    );
    assert!(job.to_string().contains(&did), "{job}");

    devnet.ask("orchard", &["federation", "leave", "--yes"]);
    until("the seat is given up", || {
        let members = devnet.ask("bakery", &["federation", "members"]);
        let seats = members["seats"].as_array().unwrap();
        let orchard = seats
            .iter()
            .find(|seat| seat["record"]["name"] == "orchard")
            .unwrap();
        orchard["record"]["phase"].get("left").is_some()
    });
    devnet.signal("orchard", "-TERM");
    let before = devnet.height("bakery");
    until("the others go on", || devnet.height("bakery") > before + 2);
    newcomer.stop();
}

#[test]
fn a_block_that_the_disk_has_changed_is_healed_from_a_peer() {
    let devnet = Devnet::up();
    let dir = devnet.dir.path();
    // More than stays in memory, so that blocks lie in the store's tables; and nothing that compresses.
    let content = noise(24 << 20);
    let (original, copy) = (dir.join("original"), dir.join("copy"));
    std::fs::write(&original, &content).unwrap();
    let put = devnet.ask("bakery", &["dag", "put", original.to_str().unwrap()]);
    let cid = put["cid"].as_str().unwrap().to_owned();
    let get = |name: &str| {
        let _ = std::fs::remove_file(&copy);
        devnet.try_ask(name, &["dag", "get", &cid, "-o", copy.to_str().unwrap()])
    };
    assert!(get("dairy").status.success());

    devnet.stop("dairy");
    let store = dir.join("dairy/data/store");
    flip_one_byte(&store, &content);
    devnet.devnet(&["up"]);
    let output = get("dairy");
    assert!(output.status.success(), "{output:?}");
    assert!(std::fs::read(&copy).unwrap() == content, "another file came back");
    let log = std::fs::read_to_string(dir.join("dairy/node.log")).unwrap();
    assert!(log.contains("block is corrupt on disk"), "{log}");

    // It has been healed, and not only handed through: nobody else is there any more.
    ["bakery", "mill", "orchard"]
        .iter()
        .for_each(|name| devnet.stop(name));
    assert!(get("dairy").status.success());
    assert!(std::fs::read(&copy).unwrap() == content, "another file came back");
}

#[test]
fn a_seat_that_lost_its_disk_comes_back_from_its_backup_and_does_not_vote_at_once() {
    let devnet = Devnet::up();
    let dir = devnet.dir.path();
    let (file, backup) = (dir.join("file"), dir.join("dairy.tar.gz"));
    std::fs::write(&file, noise(3 << 20)).unwrap();
    let put = devnet.ask("dairy", &["dag", "put", file.to_str().unwrap()]);
    devnet.ask("dairy", &["dag", "backup", "--output", backup.to_str().unwrap()]);
    let before = devnet.height("dairy");
    devnet.kill("dairy");
    // Everything but its key and its configuration, which lie elsewhere.
    std::fs::remove_dir_all(dir.join("dairy/data")).unwrap();
    let config = dir.join("dairy/icn.toml");
    let backup = backup.to_str().unwrap();
    run(&[
        "dag",
        "restore",
        "--input",
        backup,
        "--",
        "--config",
        config.to_str().unwrap(),
    ]);
    devnet.devnet(&["up"]);
    until("it follows the others", || devnet.height("dairy") > before);
    devnet.agree(&SEATS);
    let log = std::fs::read_to_string(dir.join("dairy/node.log")).unwrap();
    assert!(log.contains("following until the next epoch"), "{log}");
    let checked = devnet.ask("dairy", &["dag", "verify", "--deep"]);
    assert_eq!(checked["faults"], 0, "{checked}");
    assert_eq!(
        checked["log_absent"], 0,
        "what came before is had from the others: {checked}"
    );
    let pins = devnet.ask("dairy", &["dag", "pins"]);
    assert_eq!(pins["items"][0]["cid"], put["cid"]);
    assert_eq!(checked["blocks"], 4);
}

/// Bytes without a pattern, the same each time (xorshift).
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut words = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut words).flatten().take(len).collect()
}

/// Changes one byte of `content` where it lies in one of the store's tables.
fn flip_one_byte(store: &Path, content: &[u8]) {
    let mut directories = vec![store.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            // Journals are checked as a whole at the start, and are another test's business.
            if path.extension().is_some_and(|extension| extension == "jnl") {
                continue;
            }
            let mut bytes = std::fs::read(&path).unwrap();
            let needle = &content[1_000_000..1_000_032];
            if let Some(at) = bytes.windows(needle.len()).position(|window| window == needle) {
                bytes[at] ^= 1;
                std::fs::write(&path, bytes).unwrap();
                return;
            }
        }
    }
    panic!("the content lies in no table");
}

/// What a node answers a scraper.
fn metrics(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// A node that is no founder.
struct Newcomer {
    process: Child,
    data: PathBuf,
}

impl Newcomer {
    fn start(dir: &Path, bootstrap: &str, port: u16) -> Self {
        let data = dir.join("smithy");
        std::fs::create_dir_all(&data).unwrap();
        let log = std::fs::File::create(dir.join("smithy.log")).unwrap();
        let process = Command::new(node_binary())
            .env("ICN_IDENTITY_NAME", "smithy")
            .args([
                "--data-dir",
                data.to_str().unwrap(),
                "--bootstrap-peers",
                bootstrap,
            ])
            .args(["--http-listen-addr", &format!("127.0.0.1:{port}")])
            .args(["--p2p-listen-addr", &format!("/ip4/127.0.0.1/tcp/{}", port + 1)])
            .args(["--metrics-bind-addr", &format!("127.0.0.1:{}", port + 2)])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, data }
    }

    fn did(&self) -> String {
        let profile = std::fs::read_to_string(self.data.join("cli.toml")).unwrap();
        let line = profile.lines().find(|line| line.starts_with("did")).unwrap();
        line.split('"').nth(1).unwrap().to_owned()
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        self.stop();
    }
}
