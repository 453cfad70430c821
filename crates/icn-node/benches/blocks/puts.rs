//! Durable puts and gets of blocks over HTTP, and what the store alone does with the same batches.
//!
//! Commits that wait at the same time are written as one, and how many that are decides what a disk gives. So the
//! store alone is handed batches of as many blocks as the node's store wrote at a time, made of the same entries, one
//! after the other without a pause. Both take turns on one disk, so that what else happens there meets both.
use crate::node::{Connection, Node, block, cpu_of};
use icn_store::{Batch, Durability, Location, Store, StoreConfig, Table, open};
use std::{
    collections::VecDeque,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

const SIZES: [usize; 2] = [64, 64 << 10];
const CONNECTIONS: [usize; 2] = [1, 32];
/// How often each figure is measured, and for how long.
const ROUNDS: usize = 5;
const LASTS: Duration = Duration::from_secs(1);

/// Prints the table of some backends.
pub(crate) fn table(backends: &[String]) {
    println!(
        "{ROUNDS} rounds of {} s each: the median, and the least in brackets\n",
        LASTS.as_secs()
    );
    println!(
        "| backend | bytes | connections | put/s over HTTP | blocks a commit | put/s of the store | share | \
         processor time a put: node, store | get/s over HTTP | processor time a get |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for backend in backends {
        for size in SIZES {
            for connections in CONNECTIONS {
                row(backend, size, connections);
            }
        }
    }
}

fn row(backend: &str, size: usize, connections: usize) {
    let directory = tempfile::tempdir().unwrap();
    let node = Node::start(directory.path(), backend);
    let store = alone(&directory.path().join("alone"), backend);
    let (over_http, of_store) = (AtomicU64::new(1), AtomicU64::new(1));
    let path = {
        let stored = Connection::new(&node.address).ask("POST", "/v1/dag/blocks", &block(0, size));
        let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
        format!("/v1/dag/blocks/{}", stored["cid"].as_str().unwrap())
    };
    let (mut puts, mut groups, mut raw, mut shares) = (vec![], vec![], vec![], vec![]);
    let (mut put_cpu, mut raw_cpu, mut gets, mut get_cpu) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let before = node.commits();
        let put = measure(&node, connections, || {
            let mut connection = Connection::new(&node.address);
            let mut content = block(0, size);
            let numbers = &over_http;
            move || {
                stamp(&mut content, numbers.fetch_add(1, Ordering::Relaxed));
                connection.send("POST", "/v1/dag/blocks", &content);
            }
        });
        let after = node.commits();
        let group = ratio(after.0 - before.0, after.1 - before.1);
        let same = handed_in(&store, &of_store, size, group, connections.min(2));
        let get = measure(&node, connections, || {
            let mut connection = Connection::new(&node.address);
            let path = &path;
            move || {
                connection.send("GET", path, b"");
            }
        });
        puts.push(put.rate);
        put_cpu.push(put.cpu_micros);
        groups.push(group);
        raw.push(same.rate);
        raw_cpu.push(same.cpu_micros);
        shares.push(100.0 * put.rate / same.rate);
        gets.push(get.rate);
        get_cpu.push(get.cpu_micros);
    }
    let whole = |of: &mut Vec<f64>| {
        let (median, least) = spread(of);
        format!("{median:.0} ({least:.0})")
    };
    println!(
        "| {backend} | {size} | {connections} | {} | {:.1} | {} | {} % | {:.0} µs, {:.0} µs | {} | {:.0} µs |",
        whole(&mut puts),
        spread(&mut groups).0,
        whole(&mut raw),
        whole(&mut shares),
        spread(&mut put_cpu).0,
        spread(&mut raw_cpu).0,
        whole(&mut gets),
        spread(&mut get_cpu).0,
    );
}

/// The median and the least.
fn spread(of: &mut [f64]) -> (f64, f64) {
    of.sort_unstable_by(f64::total_cmp);
    (of[of.len() / 2], of[0])
}

fn ratio(dividend: u64, divisor: u64) -> f64 {
    f64::from(u32::try_from(dividend).unwrap()) / f64::from(u32::try_from(divisor).unwrap())
}

struct Measured {
    /// How often in a second.
    rate: f64,
    /// What each took of the processors, of the node or of the store alone.
    cpu_micros: f64,
}

impl Measured {
    fn new(done: f64, took: Duration, cpu: Duration) -> Self {
        Self {
            rate: done / took.as_secs_f64(),
            cpu_micros: cpu.as_secs_f64() * 1e6 / done,
        }
    }
}

/// How often `threads` do their work in a second; `make` makes what each does over and over.
fn measure<W: FnMut()>(node: &Node, threads: usize, make: impl Fn() -> W + Sync) -> Measured {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let (began, cpu) = (Instant::now(), node.cpu());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut work = make();
                while !stop.load(Ordering::Relaxed) {
                    work();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(LASTS);
        stop.store(true, Ordering::Relaxed);
    });
    let took = began.elapsed();
    let cpu = node.cpu() - cpu;
    let done = f64::from(u32::try_from(done.load(Ordering::Relaxed)).unwrap());
    Measured::new(done, took, cpu)
}

/// A store of this process, with nothing around it.
fn alone(path: &Path, backend: &str) -> Store {
    let location = Location::directory(backend.parse().unwrap(), path).unwrap();
    Store::threaded(open(&location).unwrap(), StoreConfig::default()).unwrap()
}

/// How many blocks of `size` a second `store` makes durable in batches of `group` on average, of which `waiting` are
/// handed in at a time.
fn handed_in(store: &Store, numbers: &AtomicU64, size: usize, group: f64, waiting: usize) -> Measured {
    let mut content = block(0, size);
    let mut commits = VecDeque::new();
    let (mut handed_in, mut wanted) = (0_u32, 0.0);
    let (began, cpu) = (Instant::now(), cpu_of(std::process::id()));
    while began.elapsed() < LASTS {
        let mut batch = Batch::new();
        wanted += group;
        while f64::from(handed_in) < wanted {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            stamp(&mut content, number);
            put_in(&mut batch, number, &content);
            handed_in += 1;
        }
        commits.push_back(store.commit(batch, Durability::Sync));
        if commits.len() == waiting {
            commits.pop_front().unwrap().wait().unwrap();
        }
    }
    commits.drain(..).for_each(|commit| commit.wait().unwrap());
    let (took, cpu) = (began.elapsed(), cpu_of(std::process::id()) - cpu);
    Measured::new(f64::from(handed_in), took, cpu)
}

/// The two entries that the node's store has of a block: under a name that is as random as a hash, its size and itself.
fn put_in(batch: &mut Batch, number: u64, content: &[u8]) {
    let size = u32::try_from(content.len()).unwrap();
    let name = block(number.wrapping_mul(0x2545_f491_4f6c_dd1d), 40);
    let key = |kind: u8| [&[kind, 1, 0x55, 0x12, 0x20], &name[8..]].concat();
    batch.put(Table::Blocks, key(1), content).unwrap();
    batch.put(Table::Blocks, key(0), size.to_le_bytes()).unwrap();
}

/// Makes a block one that no other is: making all of it anew would cost the processors that are measured.
fn stamp(content: &mut [u8], number: u64) {
    content[..8].copy_from_slice(&number.to_le_bytes());
}
