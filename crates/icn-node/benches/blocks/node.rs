//! A node of its own process, and a connection to it that costs the machine little.
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

pub(crate) const KEY: &str = "a-key-to-measure-with";
/// What the system counts processor time in: a hundredth of a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

pub(crate) struct Node {
    child: Child,
    pub(crate) address: String,
}

impl Node {
    pub(crate) fn start(directory: &Path, backend: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_icn-node"))
            .args([
                "--http-listen-addr",
                "127.0.0.1:0",
                "--p2p-listen-addr",
                "/ip4/127.0.0.1/tcp/0",
                "--metrics-bind-addr",
                "127.0.0.1:0",
            ])
            .args(["--api-key", KEY, "--storage-backend", backend])
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

    /// A field of its memory, in MB.
    fn memory_mb(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib * 1_024 / 1_000_000
    }

    /// The most memory that it had so far, in MB.
    pub(crate) fn peak_mb(&self) -> u64 {
        self.memory_mb("VmHWM")
    }

    /// The memory that it has, in MB.
    pub(crate) fn resident_mb(&self) -> u64 {
        self.memory_mb("VmRSS")
    }

    /// The processor time that it took so far.
    pub(crate) fn cpu(&self) -> Duration {
        cpu_of(self.child.id())
    }

    /// How many commits its store has written, and as how many.
    pub(crate) fn commits(&self) -> (u64, u64) {
        let text = Connection::new(&self.address).ask("GET", "/metrics", b"");
        let text = String::from_utf8(text).unwrap();
        let read = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse().unwrap()
        };
        (
            read("icn_storage_commits_total "),
            read("icn_storage_group_commits_total "),
        )
    }
}

/// The processor time that a process took so far.
pub(crate) fn cpu_of(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // After the name in brackets, which may hold spaces: the state is the first field.
    let fields = stat.rsplit_once(") ").unwrap().1;
    let ticks: u32 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<u32>().unwrap())
        .sum();
    TICK * ticks
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection on which one request follows the other.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    /// What is sent and what comes, kept so that memory is not asked for anew.
    request: Vec<u8>,
    answer: Vec<u8>,
    line: String,
}

impl Connection {
    pub(crate) fn new(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
            request: Vec::new(),
            answer: Vec::new(),
            line: String::new(),
        }
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        self.send(method, path, body).to_vec()
    }

    /// Sends a request and gives the body of its answer.
    pub(crate) fn send(&mut self, method: &str, path: &str, body: &[u8]) -> &[u8] {
        self.request.clear();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: node\r\nx-api-key: {KEY}\r\ncontent-type: application/octet-stream\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        self.request.extend_from_slice(body);
        self.stream.get_mut().write_all(&self.request).unwrap();
        let mut len = 0;
        let mut is_first = true;
        loop {
            self.line.clear();
            self.stream.read_line(&mut self.line).unwrap();
            assert!(
                !is_first || self.line.starts_with("HTTP/1.1 200"),
                "{}",
                self.line
            );
            is_first = false;
            match self.line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    len = value.parse().unwrap();
                }
                Some(_) => {}
                None if self.line == "\r\n" => break,
                None => {}
            }
        }
        self.answer.resize(len, 0);
        self.stream.read_exact(&mut self.answer).unwrap();
        &self.answer
    }
}

/// Content that no compression and no hash has seen: every block has its own.
pub(crate) fn block(number: u64, len: usize) -> Vec<u8> {
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
