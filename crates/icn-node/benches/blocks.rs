//! Blocks over HTTP beside the store alone, and a backup beside `tar | gzip`, on one node. Run by hand:
//! `cargo xtask bench blocks [BACKEND ...]`, `cargo xtask bench backup [MIB]`. Prints tables; judges nothing.
//!
//! Puts are durable before they are answered, on either side. The clients share the machine with the node, so what it
//! reaches is more than what is shown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark that cannot run should say where"
)]
use icn_api::{
    backups::BackupRequest,
    client::{Client, ClientConfig},
};
use icn_store::{Batch, Durability, Location, Store, StoreConfig, Table, open};
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

const KEY: &str = "a-key-to-measure-with";
/// How long each figure is measured.
const LASTS: Duration = Duration::from_secs(3);
const BACKENDS: [&str; 4] = ["fjall", "redb", "sled", "sqlite"];
const SIZES: [usize; 2] = [64, 64 << 10];
const CONNECTIONS: [usize; 2] = [1, 32];
/// Blocks of a backup's content.
const BLOCK: usize = 1 << 18;
/// What a backup is made of if nothing says, in MiB.
const MIB: usize = 1_024;

struct Node {
    child: Child,
    address: String,
}

impl Node {
    fn start(directory: &Path, backend: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_icn-node"))
            .args([
                "--http-listen-addr",
                "127.0.0.1:0",
                "--p2p-listen-addr",
                "/ip4/127.0.0.1/tcp/0",
            ])
            .args([
                "--api-key",
                KEY,
                "--storage-backend",
                backend,
                "--metrics-enabled",
                "false",
            ])
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(File::create(directory.join("log")).unwrap())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut address = None;
        for line in lines {
            if let Some(url) = line.strip_prefix("http ") {
                address = url.trim().strip_prefix("http://").map(str::to_owned);
            }
            if line.starts_with("try ") {
                break;
            }
        }
        let address = address.expect("the node starts");
        Self { child, address }
    }

    /// The most memory that it had so far, in MiB.
    fn peak_mib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection on which one request follows the other.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: node\r\nx-api-key: {KEY}\r\ncontent-type: application/octet-stream\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.0.get_mut().write_all(&request).unwrap();
        let (mut len, mut line) = (0, String::new());
        let mut is_first = true;
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            assert!(!is_first || line.starts_with("HTTP/1.1 200"), "{line}");
            is_first = false;
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    len = value.parse().unwrap()
                }
                Some(_) => {}
                None if line == "\r\n" => break,
                None => {}
            }
        }
        let mut answer = vec![0; len];
        self.0.read_exact(&mut answer).unwrap();
        answer
    }
}

/// Content that no compression and no hash has seen: every block has its own.
fn block(number: u64, len: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    bytes.extend_from_slice(&number.to_le_bytes());
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// How often `threads` do `work` in a second; `work` makes what it does over and over.
fn rate<W: FnMut(u64)>(threads: usize, make: impl Fn() -> W + Sync) -> f64 {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let numbers = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut work = make();
                while !stop.load(Ordering::Relaxed) {
                    work(numbers.fetch_add(1, Ordering::Relaxed));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(LASTS);
        stop.store(true, Ordering::Relaxed);
    });
    let done = u32::try_from(done.load(Ordering::Relaxed)).unwrap();
    f64::from(done) / LASTS.as_secs_f64()
}

fn blocks(backends: &[String]) {
    println!(
        "| backend | bytes | connections | put/s over HTTP | put/s of the store | share | get/s over HTTP |"
    );
    println!("|---|---|---|---|---|---|---|");
    for backend in backends {
        for size in SIZES {
            for connections in CONNECTIONS {
                let directory = tempfile::tempdir().unwrap();
                let node = Node::start(directory.path(), backend);
                let put = rate(connections, || {
                    let mut connection = Connection::new(&node.address);
                    move |number| drop(connection.ask("POST", "/v1/dag/blocks", &block(number, size)))
                });
                let mut connection = Connection::new(&node.address);
                let stored = connection.ask("POST", "/v1/dag/blocks", &block(0, size));
                let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
                let path = format!("/v1/dag/blocks/{}", stored["cid"].as_str().unwrap());
                let get = rate(connections, || {
                    let mut connection = Connection::new(&node.address);
                    let path = path.clone();
                    move |_| drop(connection.ask("GET", &path, b""))
                });
                drop(node);
                let raw = raw(directory.path(), backend, size, connections);
                println!(
                    "| {backend} | {size} | {connections} | {put:.0} | {raw:.0} | {:.0} % | {get:.0} |",
                    100.0 * put / raw
                );
            }
        }
    }
}

/// The same blocks put into the store alone, by as many threads, each waiting for its own.
fn raw(directory: &Path, backend: &str, size: usize, threads: usize) -> f64 {
    let path = directory.join("raw");
    let location = Location::directory(backend.parse().unwrap(), path).unwrap();
    let store = Store::threaded(open(&location).unwrap(), StoreConfig::default()).unwrap();
    rate(threads, || {
        let store = store.clone();
        move |number| {
            let bytes = block(number, size);
            let mut batch = Batch::new();
            // The key is as long as a block's name.
            let key = [&number.to_be_bytes()[..], &[0; 28]].concat();
            batch.put(Table::Blocks, key, bytes).unwrap();
            store.commit(batch, Durability::Sync).wait().unwrap();
        }
    })
}

/// How long an answer takes, of a hundred the slowest, while `meanwhile` runs.
fn p99(address: &str, path: &str, meanwhile: impl FnOnce() + Send) -> Duration {
    let done = AtomicBool::new(false);
    let mut took = thread::scope(|scope| {
        scope.spawn(|| {
            meanwhile();
            done.store(true, Ordering::Relaxed);
        });
        let mut connection = Connection::new(address);
        let mut took = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let asked = Instant::now();
            connection.ask("GET", path, b"");
            took.push(asked.elapsed());
            thread::sleep(Duration::from_millis(2));
        }
        took
    });
    took.sort_unstable();
    took[(took.len() - 1) * 99 / 100]
}

fn backup(mib: usize) {
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("files");
    fs::create_dir(&files).unwrap();
    let node = Node::start(directory.path(), "fjall");
    let mut connection = Connection::new(&node.address);
    let mut path = String::new();
    for number in 0..(mib << 20) / BLOCK {
        let bytes = block(number as u64, BLOCK);
        let stored = connection.ask("POST", "/v1/dag/blocks", &bytes);
        let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
        path = format!("/v1/dag/blocks/{}", stored["cid"].as_str().unwrap());
        fs::write(files.join(number.to_string()), bytes).unwrap();
    }
    let before = node.peak_mib();
    let idle = p99(&node.address, &path, || thread::sleep(LASTS));
    let mut config = ClientConfig::new(format!("http://{}", node.address));
    config.api_key = Some(KEY.to_owned());
    let client = Client::new(config).unwrap();
    let mut archive = File::create(directory.path().join("archive")).unwrap();
    let mut backed_up = Duration::ZERO;
    let busy = p99(&node.address, &path, || {
        let began = Instant::now();
        client
            .backup(&BackupRequest::default(), &mut archive, |_| {})
            .unwrap();
        backed_up = began.elapsed();
    });
    let began = Instant::now();
    let line = format!("tar -cf - -C '{}' . | gzip > '{0}.tar.gz'", files.display());
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    let tar = began.elapsed();
    println!("| what | measured |\n|---|---|");
    println!("| backup of {mib} MiB | {:.1} s |", backed_up.as_secs_f64());
    println!("| `tar \\| gzip` of the same | {:.1} s |", tar.as_secs_f64());
    println!(
        "| most memory before, and with the backup | {before} MiB, {} MiB |",
        node.peak_mib()
    );
    println!("| p99 of a get before, and during the backup | {idle:.1?}, {busy:.1?} |");
}

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let after = |name: &str| {
        words
            .iter()
            .position(|word| word == name)
            .map(|at| &words[at + 1..])
    };
    let nothing = words.is_empty();
    if let Some(named) = after("blocks").or_else(|| nothing.then_some(&[])) {
        let named: Vec<_> = named
            .iter()
            .take_while(|word| *word != "backup")
            .cloned()
            .collect();
        let all = || BACKENDS.map(str::to_owned).to_vec();
        blocks(&if named.is_empty() { all() } else { named });
    }
    if let Some(named) = after("backup").or_else(|| nothing.then_some(&[])) {
        backup(named.first().and_then(|word| word.parse().ok()).unwrap_or(MIB));
    }
}
