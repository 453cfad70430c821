//! What operators do with blocks, by the programs themselves: a node that runs and the command line beside it.
use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

/// A node on disk, in a directory of its own.
struct Node {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    profile: PathBuf,
}

impl Node {
    fn start(directory: &Path, more: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_icn-cli")).with_file_name("icn-node");
        let mut child = Command::new(program)
            .args(["--http-listen-addr", "127.0.0.1:0"])
            .args(["--p2p-listen-addr", "/ip4/127.0.0.1/tcp/0"])
            .args(more)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(directory.join("log")).expect("a log"))
            .spawn()
            .expect("icn-node is built beside icn-cli: test both packages together");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let ready = stdout
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .any(|line| line.starts_with("try"));
        assert!(
            ready,
            "the node did not start: {}",
            fs::read_to_string(directory.join("log")).unwrap_or_default()
        );
        Self {
            child,
            _stdout: stdout,
            profile: directory.join("icn_data/cli.toml"),
        }
    }

    /// The same after it has ended, as an operator ends it.
    fn stopped(mut self) -> Self {
        let signal = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(signal.is_ok_and(|status| status.success()));
        assert!(self.child.wait().is_ok_and(|status| status.success()));
        self
    }

    fn try_ask(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_icn-cli"))
            .arg("--profile")
            .arg(&self.profile)
            .args(args)
            .env_clear()
            .output()
            .expect("icn-cli starts")
    }

    /// stdout of a run that must succeed.
    fn ask(&self, args: &[&str]) -> String {
        let output = self.try_ask(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout).trim_end().to_owned()
    }

    /// stderr of a run that must fail.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.try_ask(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
        text(&output.stderr)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

#[test]
fn a_file_travels_in_a_car_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let of = |name: &str| {
        let directory = directory.path().join(name);
        fs::create_dir(&directory).expect("a directory");
        directory
    };
    let (first, second) = (Node::start(&of("first"), &[]), Node::start(&of("second"), &[]));
    let file = directory.path().join("file");
    let content: Vec<u8> = (0..3_000_000_u32)
        .flat_map(u32::to_le_bytes)
        .take(2_500_000)
        .collect();
    fs::write(&file, &content).expect("a file");
    let cid = first.ask(&["dag", "put", path(&file)]);
    assert!(first.ask(&["dag", "pins"]).contains(&cid), "what is put is kept");
    let car = directory.path().join("file.car");
    first.ask(&["dag", "export", &cid, "-o", path(&car)]);

    assert_eq!(second.ask(&["dag", "import", path(&car)]), cid);
    let copy = directory.path().join("copy");
    second.ask(&["dag", "get", &cid, "-o", path(&copy)]);
    assert!(fs::read(&copy).expect("the copy") == content);
    assert!(second.ask(&["dag", "pins"]).contains("import"));

    let bytes = fs::read(&car).expect("the CAR file");
    let broken = directory.path().join("broken.car");
    fs::write(&broken, &bytes[..bytes.len() - 1]).expect("a file");
    assert!(
        second
            .refused(&["dag", "import", path(&broken)])
            .contains("cut off after")
    );
    let mut flipped = bytes;
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    fs::write(&broken, &flipped).expect("a file");
    let said = second.refused(&["dag", "import", path(&broken)]);
    assert!(said.contains("are not what it names"), "{said}");
    let said = second.refused(&["dag", "import", path(&file)]);
    assert!(said.contains("not a CAR file"), "{said}");
}

#[test]
fn pins_and_garbage_by_command() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(
        directory.path().join("icn.toml"),
        "[storage]\ngc_grace_secs = 0\n",
    )
    .expect("a file");
    let node = Node::start(directory.path(), &["--config", "icn.toml"]);
    let file = directory.path().join("file");
    fs::write(&file, "content").expect("a file");
    let cid = node.ask(&["dag", "put", "--no-pin", path(&file)]);
    let until = ["--reason", "accounts", "--expires", "2099-12-31"];
    node.ask(&[&["dag", "pin", &cid], &until[..]].concat());
    let listed = node.ask(&["dag", "pins"]);
    assert!(
        listed.contains("accounts") && listed.contains("2099-12-31 00:00:00Z"),
        "{listed}"
    );
    assert!(node.ask(&["dag", "gc"]).contains("0 blocks"));
    node.ask(&["dag", "unpin", &cid]);
    assert!(node.refused(&["dag", "unpin", &cid]).contains("no pin of"));
    let dry = node.ask(&["dag", "gc", "--dry-run"]);
    assert!(
        dry.contains("would be removed") && dry.contains("1 blocks, 7 B"),
        "{dry}"
    );
    assert!(node.ask(&["dag", "ls"]).contains(&cid));
    node.ask(&["dag", "gc"]);
    assert!(!node.ask(&["dag", "ls"]).contains(&cid));
    assert_eq!(
        node.try_ask(&["dag", "pin", &cid, "--expires", "soon"])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn backups_as_operators_make_and_use_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let node = Node::start(directory.path(), &[]);
    let file = directory.path().join("file");
    fs::write(&file, "worth keeping").expect("a file");
    let cid = node.ask(&["dag", "put", path(&file)]);
    let backups = directory.path().join("backups");
    let of = |name: &str| path(&backups.join(name)).to_owned();
    let full = of("dag-backup-20260101.tar.gz");
    assert_eq!(node.ask(&["dag", "backup", "--output", &full]), full);
    let since = ["--incremental", "--since", "2024-01-01", "--output"];
    let incremental = of("dag-incremental-20260101.tar.gz");
    node.ask(&[&["dag", "backup"], &since[..], &[&incremental]].concat());
    let named = node.ask(&["dag", "backup", "--path", &of("fjall")]);
    assert!(
        named.contains("icn-full-2") && named.ends_with(".tar.gz"),
        "{named}"
    );
    node.ask(&["dag", "backup", "--incremental", "--path", &of("fjall")]);
    assert_eq!(fs::read_dir(of("fjall")).expect("the directory").count(), 2);

    let merged = node.ask(&["dag", "restore", "--input", &full]);
    assert!(merged.contains("put 0 blocks"), "{merged}");
    node.ask(&["dag", "restore", "--path", &of("fjall")]);
    assert!(node.ask(&["dag", "verify"]).contains("faults"));
    assert!(node.ask(&["dag", "verify", "--deep"]).contains("executed anew"));
    let running = node.try_ask(&["dag", "restore", "--input", &full, "--force"]);
    assert_eq!(running.status.code(), Some(2), "{running:?}");
    let said = node.refused(&["dag", "restore", "--input", path(&file)]);
    assert!(said.contains("not a backup"), "{said}");
    for wrong in [
        &["dag", "backup"][..],
        &["dag", "backup", "--output", "a", "--path", "b"],
        &["dag", "backup", "--since", "2024-01-01", "--output", "a"],
        &[
            "dag",
            "backup",
            "--incremental",
            "--since",
            "yesterday",
            "--output",
            "a",
        ],
        &["dag", "restore"],
    ] {
        assert_eq!(node.try_ask(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let key = node.refused(&[
        "dag",
        "backup",
        "--include-identity",
        "--output",
        &of("key.tar.gz"),
    ]);
    assert!(key.contains("icn-cli key export"), "{key}");
    assert!(
        !Path::new(&of("key.tar.gz")).exists(),
        "nothing is left of a backup that was refused"
    );

    let node = node.stopped();
    // Without options: the profile says where the store is.
    let said = node.refused(&["dag", "restore", "--path", &of("fjall")]);
    assert!(said.contains("--force"), "{said}");
    assert!(
        node.ask(&["dag", "restore", "--path", &of("fjall"), "--force"])
            .contains("from 2 archives")
    );
    let node = Node::start(directory.path(), &[]);
    assert!(node.ask(&["dag", "ls"]).contains(&cid));
    node.ask(&["dag", "verify", "--deep"]);
}

#[test]
fn a_stopped_node_is_restored_where_its_store_was() {
    let directory = tempfile::tempdir().expect("a directory");
    let elsewhere = directory.path().join("elsewhere");
    let options = ["--storage-backend", "sqlite", "--storage-path", path(&elsewhere)];
    let node = Node::start(directory.path(), &options);
    let file = directory.path().join("file");
    fs::write(&file, "worth keeping").expect("a file");
    let cid = node.ask(&["dag", "put", path(&file)]);
    let backup = directory.path().join("full.tar.gz");
    node.ask(&["dag", "backup", "--output", path(&backup)]);
    let node = node.stopped();
    fs::remove_dir_all(&elsewhere).expect("the store goes");
    let said = node.ask(&["dag", "restore", "--input", path(&backup)]);
    assert!(said.contains(path(&elsewhere)), "{said}");
    let node = Node::start(directory.path(), &options);
    assert!(node.ask(&["dag", "ls"]).contains(&cid));
}
