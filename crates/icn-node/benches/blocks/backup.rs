//! A backup of a node that serves meanwhile, beside `tar | gzip` of the same data.
use crate::node::{Connection, KEY, Node, block};
use icn_api::{
    backups::BackupRequest,
    client::{Client, ClientConfig},
};
use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Blocks of a backup's content.
const BLOCK: usize = 1 << 18;
/// How long answers are timed without a backup.
const LASTS: Duration = Duration::from_secs(3);

/// Makes a backup of `mib` MiB of blocks, and prints what it took.
pub(crate) fn table(mib: usize) {
    let directory = tempfile::tempdir().unwrap();
    let files = directory.path().join("files");
    fs::create_dir(&files).unwrap();
    let node = Node::start(directory.path(), "fjall");
    let idle_mb = node.resident_mb();
    let path = fill(&node, &files, mib);
    let (filled_mb, peak_filled_mb) = (node.resident_mb(), node.peak_mb());
    let idle = p99(&node.address, &path, || thread::sleep(LASTS));
    let mut config = ClientConfig::new(format!("http://{}", node.address));
    config.api_key = Some(KEY.to_owned());
    let client = Client::new(config).unwrap();
    let mut archive = File::create(directory.path().join("archive")).unwrap();
    let (mut backed_up, cpu) = (Duration::ZERO, node.cpu());
    let busy = p99(&node.address, &path, || {
        let began = Instant::now();
        client
            .backup(&BackupRequest::default(), &mut archive, |_| {})
            .unwrap();
        backed_up = began.elapsed();
    });
    let cpu = node.cpu() - cpu;
    let began = Instant::now();
    let line = format!("tar -cf - -C '{}' . | gzip > '{0}.tar.gz'", files.display());
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
    let tar = began.elapsed();
    println!("| what | measured |\n|---|---|");
    println!(
        "| backup of {mib} MiB, and the node's processor time | {:.1} s, {:.1} s |",
        backed_up.as_secs_f64(),
        cpu.as_secs_f64()
    );
    println!("| `tar \\| gzip` of the same | {:.1} s |", tar.as_secs_f64());
    println!("| resident memory: started, filled | {idle_mb} MB, {filled_mb} MB |");
    println!(
        "| most memory: while it was filled, with the backup | {peak_filled_mb} MB, {} MB |",
        node.peak_mb()
    );
    println!("| p99 of a get before, and during the backup | {idle:.1?}, {busy:.1?} |");
}

/// Puts blocks, and the same as files; gives the path of one block.
fn fill(node: &Node, files: &Path, mib: usize) -> String {
    let mut connection = Connection::new(&node.address);
    let mut path = String::new();
    for number in 0..(mib << 20) / BLOCK {
        let bytes = block(number as u64, BLOCK);
        let stored = connection.ask("POST", "/v1/dag/blocks", &bytes);
        let stored: serde_json::Value = serde_json::from_slice(&stored).unwrap();
        path = format!("/v1/dag/blocks/{}", stored["cid"].as_str().unwrap());
        fs::write(files.join(number.to_string()), bytes).unwrap();
    }
    path
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
