//! What a federation of four does on one machine, over loopback, with durable stores: latency and throughput of
//! jobs, throughput of operations and votes, memory, start. Run by hand: `cargo xtask bench [latency] [jobs]
//! [operations] [votes] [credit]`.
//! Prints a table; judges nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot run should say where"
)]
mod credit;
mod votes;

use icn_api::{
    client::{Client, ClientConfig},
    keyfile,
    mesh::JobsQuery,
};
use icn_model::{
    Action, Cid, Codec, Did, JobId, JobLimits, JobSpec, Mana, Millis, Operation, Requirements, SecretKey,
    Sequence, SignedOperation,
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

const CLI: &str = env!("CARGO_BIN_EXE_icn-cli");
const NOOP: &[u8] = include_bytes!("../../../../jobs/noop/module.wasm");
/// Jobs one after the other.
const SEQUENTIAL: usize = 100;
/// Jobs at once.
const CROWD: usize = 1_000;
/// Operations that each author sends in one request, and in how many.
const BATCH: usize = 500;
const BATCHES: usize = 50;

struct Seat {
    name: String,
    client: Client,
    key: SecretKey,
    pid: u64,
}

impl Seat {
    fn sign(&self, actions: impl IntoIterator<Item = Action>) -> Vec<SignedOperation> {
        let next = self.client.next_operation(self.key.public()).unwrap();
        let signed = actions
            .into_iter()
            .zip(next.sequence.get()..)
            .map(|(action, sequence)| {
                let operation = Operation {
                    federation: next.federation,
                    author: Did::new(self.key.public()),
                    key: self.key.public(),
                    sequence: Sequence::new(sequence),
                    expires: next.time.after(Millis::from_secs(600)),
                    action,
                };
                SignedOperation::sign(operation, &self.key)
            });
        signed.collect()
    }

    fn job(&self, module: Cid, number: usize) -> Action {
        let spec = JobSpec {
            module,
            args: vec![number.to_string()],
            env: BTreeMap::new(),
            stdin: None,
            inputs: BTreeMap::new(),
            limits: JobLimits::default(),
            require: Requirements::default(),
            replicas: 1,
            max_mana: Mana::from_whole(1),
            deadline: self
                .client
                .federation()
                .unwrap()
                .time
                .after(Millis::from_secs(1_800)),
            coordinator: None,
            private: false,
        };
        Action::SubmitJob { spec: Box::new(spec) }
    }

    fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

struct Devnet(PathBuf);

impl Drop for Devnet {
    fn drop(&mut self) {
        let _ = Command::new(CLI)
            .args(["devnet", "down", "--dir"])
            .arg(&self.0)
            .output();
    }
}

fn start(dir: &Path) -> Vec<Seat> {
    let up = Command::new(CLI)
        .args(["devnet", "up", "--base-port", "18900", "--dir"])
        .arg(dir)
        .output()
        .unwrap();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    let state: Value = serde_json::from_slice(&std::fs::read(dir.join("devnet.json")).unwrap()).unwrap();
    let seats = state["nodes"].as_array().unwrap().iter().map(|node| {
        let name = node["name"].as_str().unwrap().to_owned();
        let mut config = ClientConfig::new(node["api_url"].as_str().unwrap());
        config.api_key = Some(node["api_key"].as_str().unwrap().to_owned());
        Seat {
            client: Client::new(config).unwrap(),
            key: keyfile::read(&dir.join(&name).join("node.key")).unwrap(),
            pid: node["process"]["pid"].as_u64().unwrap(),
            name,
        }
    });
    seats.collect()
}

fn percentile(sorted: &[Duration], per_cent: usize) -> Duration {
    sorted[(sorted.len() - 1) * per_cent / 100]
}

/// From handing in a no-op job to its being settled, as its submitter sees it.
fn latency(seat: &Seat, module: Cid) {
    let mut took: Vec<_> = (0..SEQUENTIAL)
        .map(|number| {
            let operations = seat.sign([seat.job(module, number)]);
            let started = Instant::now();
            seat.client.submit(&operations, Duration::from_secs(10)).unwrap();
            let id = JobId::from(operations[0].id());
            while seat.client.job(&id).unwrap().state.is_open() {
                sleep(Duration::from_millis(2));
            }
            started.elapsed()
        })
        .collect();
    took.sort();
    println!(
        "submit to settled, no-op, idle federation   p50 {:?}   p99 {:?}   ({SEQUENTIAL} jobs)",
        percentile(&took, 50),
        percentile(&took, 99)
    );
}

/// Many jobs at once, from three cooperatives.
fn throughput(seats: &[Seat], module: Cid) {
    let submitters = &seats[..3];
    let operations: Vec<_> = submitters
        .iter()
        .enumerate()
        .map(|(at, seat)| {
            seat.sign(
                (0..CROWD)
                    .skip(at)
                    .step_by(3)
                    .map(|number| seat.job(module, SEQUENTIAL + number)),
            )
        })
        .collect();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for (seat, operations) in submitters.iter().zip(&operations) {
            scope.spawn(move || {
                for batch in operations.chunks(BATCH) {
                    seat.client.submit(batch, Duration::from_secs(30)).unwrap();
                }
            });
        }
    });
    let open = |state| {
        seats[3].client.jobs(&JobsQuery {
            state: Some(state),
            limit: Some(1),
            ..JobsQuery::default()
        })
    };
    use icn_model::JobStatus::{Bidding, Running};
    while [Bidding, Running]
        .into_iter()
        .any(|state| !open(state).unwrap().items.is_empty())
    {
        sleep(Duration::from_millis(50));
    }
    let took = started.elapsed();
    let rate = CROWD as f64 / took.as_secs_f64();
    println!("{CROWD} no-op jobs at once                        {rate:.0} settled/s   ({took:.1?})");
}

/// Signed operations from four authors, each batch waited for. All are signed beforehand: what authors do on their
/// own machines is not the federation's work.
fn operations(seats: &[Seat]) {
    let batches: Vec<_> = seats
        .iter()
        .enumerate()
        .map(|(at, seat)| {
            let add = |number: usize| {
                let mut seed = [0x5a; 32];
                seed[..8].copy_from_slice(&number.to_le_bytes());
                seed[8] = u8::try_from(at).unwrap();
                Action::AddMember {
                    member: Did::new(SecretKey::from_seed(&seed).public()),
                }
            };
            seat.sign((0..BATCH * BATCHES).map(add))
        })
        .collect();
    let submit = |seat: &Seat, batch: &[SignedOperation]| {
        let handed_in = Instant::now();
        let answer = seat.client.submit(batch, Duration::from_secs(30)).unwrap();
        assert!(answer.operations.iter().all(|status| status.state.is_final()));
        handed_in.elapsed()
    };
    let started = Instant::now();
    let mut waited: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = seats
            .iter()
            .zip(&batches)
            .map(|(seat, operations)| {
                scope.spawn(move || {
                    let batches = operations.chunks(BATCH);
                    batches.map(|batch| submit(seat, batch)).collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let took = started.elapsed();
    waited.sort();
    let count = seats.len() * BATCH * BATCHES;
    println!(
        "signed operations, four authors             {:.0}/s committed   batches of {BATCH}: p50 {:?}   p99 {:?}",
        count as f64 / took.as_secs_f64(),
        percentile(&waited, 50),
        percentile(&waited, 99)
    );
}

/// How long a node takes from its start until it is ready, with all of this in its log.
fn restart(seat: &Seat, devnet: &Path) {
    let height = seat.client.federation().unwrap().height;
    let signal = |pid: u64| {
        Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status()
            .unwrap()
    };
    signal(seat.pid);
    while Path::new(&format!("/proc/{}", seat.pid)).exists() {
        sleep(Duration::from_millis(10));
    }
    let config = devnet.join(&seat.name).join("icn.toml");
    let started = Instant::now();
    let mut node = Command::new(Path::new(CLI).with_file_name("icn-node"))
        .arg("--config")
        .arg(config)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !seat.client.ready().is_ok_and(|ready| ready.ready) {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the node is not ready after a minute"
        );
        sleep(Duration::from_millis(5));
    }
    println!(
        "start with {} operations, {height} blocks     {:?} until ready",
        4 * BATCH * BATCHES,
        started.elapsed()
    );
    signal(u64::from(node.id()));
    node.wait().unwrap();
}

fn tell_resident(when: &str, seats: &[Seat]) {
    let resident: Vec<_> = seats
        .iter()
        .map(|seat| format!("{} {} MB", seat.name, seat.resident_kib() / 1_000))
        .collect();
    println!("resident memory, {when:<27}{}", resident.join("   "));
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let devnet = Devnet(dir.path().join("devnet"));
    let started = Instant::now();
    let seats = start(&devnet.0);
    println!(
        "four nodes agree                            {:?} after their start",
        started.elapsed()
    );
    tell_resident("idle", &seats);
    let module = seats[0].client.put_block(Codec::Raw, NOOP).unwrap();
    for seat in &seats[1..] {
        seat.client.put_block(Codec::Raw, NOOP).unwrap();
    }
    // Names on the command line choose; none means all.
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let wants = |name: &str| named.is_empty() || named.iter().any(|named| named == name);
    if wants("latency") {
        latency(&seats[0], module);
    }
    if wants("jobs") {
        throughput(&seats, module);
    }
    if wants("operations") {
        operations(&seats);
    }
    if wants("votes") {
        votes::votes(&seats);
    }
    if wants("credit") {
        credit::credit(&seats);
    }
    tell_resident("after all of it", &seats);
    if wants("operations") {
        restart(&seats[3], &devnet.0);
    }
}
