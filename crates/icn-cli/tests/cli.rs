//! The program itself: exit codes, what goes to stdout and what to stderr, files that it writes. Nodes are
//! played by a server on loopback that gives one answer.
use icn_api::{ApiError, PROBLEM_JSON, Problem};
use icn_model::{Did, Genesis, SecretKey};
use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    thread,
};

/// Runs icn-cli in `directory`, without the caller's environment.
fn icn_cli(directory: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icn-cli"))
        .args(args)
        .current_dir(directory)
        .env_clear()
        .env("HOME", directory)
        .output()
        .expect("icn-cli starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// stdout of a run that must succeed.
fn done(directory: &Path, args: &[&str]) -> String {
    let output = icn_cli(directory, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Exit code and stderr of a run that must print no data.
fn failed(directory: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = icn_cli(directory, args);
    assert_eq!(text(&output.stdout), "", "{args:?}");
    (output.status.code(), text(&output.stderr))
}

/// Gives one answer to every request, for as long as the test runs.
fn node(status: u16, media: &'static str, body: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().expect("a handle more")).lines();
            while lines
                .next()
                .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
            {}
            let len = body.len();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-type: {media}\r\ncontent-length: {len}\r\n");
            // A client that has gone is its own test's matter.
            let _ = write!(stream, "{head}connection: close\r\n\r\n{body}");
        }
    });
    url
}

#[test]
fn what_is_not_understood_is_code_2() {
    let home = tempfile::tempdir().unwrap();
    for args in [
        &["frobnicate"][..],
        &[],
        &["job", "submit"],
        &["events", "--type", "gossip"],
        &["job", "status", "not-a-cid"],
        &["job", "submit", "m.wasm", "--replicas", "9"],
        &["job", "submit", "m.wasm", "--deadline", "10"],
        &["devnet", "up", "--seats", "0"],
        &["devnet", "up", "--rules", "here"],
        &["devnet", "load"],
        &["devnet", "load", "--jobs", "1", "--duration", "1s"],
        &["devnet", "load", "--jobs", "1", "--job-types", "long"],
        &["devnet", "load", "--jobs", "1", "--dir", "there", "--nodes", "4"],
        &["devnet", "load", "--jobs", "1", "--alter-ledger", "dairy@20"],
        &["devnet", "chaos"],
        &["devnet", "chaos", "--scenario", "earthquake"],
        &[
            "devnet",
            "chaos",
            "--scenario",
            "node_failure",
            "--failure-rate",
            "0%",
        ],
        &[
            "devnet",
            "chaos",
            "--scenario",
            "network_partition",
            "--network-mode",
            "local",
        ],
        &[
            "devnet",
            "chaos",
            "--scenario",
            "network_partition",
            "--split",
            "5,4",
        ],
        &["info"],
        &["mana", "share", "did:key:z1", "lots"],
    ] {
        let (code, stderr) = failed(home.path(), args);
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
        assert!(!stderr.is_empty());
    }
    let (_, stderr) = failed(home.path(), &["info"]);
    assert!(
        stderr.contains("--api-url") && stderr.contains("icn_data"),
        "{stderr}"
    );
}

#[test]
fn every_command_has_help() {
    let home = tempfile::tempdir().unwrap();
    let help = done(home.path(), &["--help"]);
    let commands: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|word| word.chars().all(char::is_lowercase))
        .collect();
    assert!(commands.len() > 12, "{help}");
    for command in [
        "info",
        "status",
        "doctor",
        "key",
        "federation",
        "dag",
        "job",
        "mesh",
        "mana",
        "devnet",
    ] {
        assert!(commands.contains(&command), "{command}");
        assert!(!done(home.path(), &[command, "--help"]).is_empty());
    }
}

#[test]
fn codes_are_explained_without_a_node() {
    let home = tempfile::tempdir().unwrap();
    let explained = done(home.path(), &["explain", "401"]);
    assert!(
        explained.starts_with("401 insufficient-mana\nmeaning: "),
        "{explained}"
    );
    assert_eq!(explained, done(home.path(), &["explain", "insufficient-mana"]));
    let json: serde_json::Value =
        serde_json::from_str(&done(home.path(), &["--json", "explain", "901"])).unwrap();
    assert_eq!(json["name"], "unauthorised");
    assert!(done(home.path(), &["explain"]).lines().count() > 50);
    assert_eq!(failed(home.path(), &["explain", "1"]).0, Some(1));
}

#[test]
fn keys_are_made_shown_and_moved() {
    let home = tempfile::tempdir().unwrap();
    let shown = done(home.path(), &["key", "new", "a.pem"]);
    assert!(shown.contains("did:key:z6Mk"), "{shown}");
    assert_eq!(shown, done(home.path(), &["key", "show", "a.pem"]));
    assert_eq!(shown, done(home.path(), &["--key", "a.pem", "key", "show"]));
    let (code, stderr) = failed(home.path(), &["key", "new", "a.pem"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("exists already"), "{stderr}");
    let pem = done(home.path(), &["key", "export", "a.pem"]);
    assert_eq!(pem, fs::read_to_string(home.path().join("a.pem")).unwrap());
    assert_eq!(
        shown,
        done(home.path(), &["key", "import", "b.pem", "--from", "a.pem"])
    );
    fs::write(home.path().join("bad.pem"), "no key").unwrap();
    let (code, stderr) = failed(home.path(), &["key", "import", "c.pem", "--from", "bad.pem"]);
    assert!(code == Some(1) && stderr.contains("bad.pem"), "{stderr}");
    assert!(!home.path().join("c.pem").exists());
}

/// The same as [`icn_cli`], with variables.
fn icn_cli_with(
    directory: &Path,
    variables: &[(&str, &str)],
    args: &[&str],
) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_icn-cli"))
        .args(args)
        .current_dir(directory)
        .env_clear()
        .env("HOME", directory)
        .envs(variables.iter().copied())
        .output()
        .expect("icn-cli starts");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const WORD: (&str, &str) = ("ICN_KEY_PASSPHRASE", "open sesame");

#[test]
fn keys_are_encrypted_opened_and_converted() {
    let home = tempfile::tempdir().unwrap();
    let run = |variables: &[(&str, &str)], args: &[&str]| {
        let (code, stdout, stderr) = icn_cli_with(home.path(), variables, args);
        assert_eq!(code, Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("sesame"), "{stderr}");
        stdout
    };
    let file = |name: &str| fs::read_to_string(home.path().join(name)).unwrap();
    let is_encrypted = |name: &str| file(name).starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
    fs::write(home.path().join("word"), "open sesame\n").unwrap();
    let by_file = ("ICN_KEY_PASSPHRASE_FILE", "word");
    let renewed = ("ICN_KEY_NEW_PASSPHRASE", "open poppy");

    let shown = run(&[by_file], &["key", "new", "a.pem", "--encrypt"]);
    assert!(is_encrypted("a.pem") && shown.contains("did:key:z6Mk"), "{shown}");
    assert_eq!(shown, run(&[WORD], &["key", "show", "a.pem"]));
    assert_eq!(shown, run(&[by_file], &["--key", "a.pem", "key", "show"]));
    let pem = run(&[WORD], &["key", "export", "a.pem"]);
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"));

    let (plain, sealed) = (
        &["key", "export", "a.pem", "--to", "b.pem", "--plain"],
        &["key", "import", "b.pem", "--to", "c.pem", "--encrypt"],
    );
    assert_eq!(shown, run(&[WORD], plain));
    assert_eq!(file("b.pem"), pem);
    assert_eq!(shown, run(&[WORD], sealed));
    assert!(is_encrypted("c.pem"));
    run(&[WORD, renewed], &["key", "export", "c.pem", "--to", "d.pem"]);
    assert_eq!(shown, run(&[(WORD.0, renewed.1)], &["key", "show", "d.pem"]));
    // As it was, unless told else.
    run(&[WORD], &["key", "import", "e.pem", "--from", "a.pem"]);
    assert!(is_encrypted("e.pem"));
    assert_eq!(shown, run(&[WORD], &["key", "show", "e.pem"]));
    run(&[WORD], &["key", "import", "a.pem", "--to", "f.pem", "--plain"]);
    run(&[WORD], &["key", "import", "f.pem", "--to", "g.pem"]);
    assert_eq!((file("f.pem"), file("g.pem")), (pem.clone(), pem));
}

#[test]
fn keys_stay_closed_without_their_passphrase() {
    let home = tempfile::tempdir().unwrap();
    let (code, _, stderr) = icn_cli_with(home.path(), &[WORD], &["key", "new", "a.pem", "--encrypt"]);
    assert_eq!(code, Some(0), "{stderr}");
    fs::write(home.path().join("empty"), "\n").unwrap();
    let wrong = ("ICN_KEY_PASSPHRASE", "open barley");
    let file = |name| ("ICN_KEY_PASSPHRASE_FILE", name);
    let show = &["key", "show", "a.pem"][..];
    let import = &["key", "import", "c.pem", "--from", "a.pem"][..];
    for (variables, args, code, told) in [
        (&[][..], show, 1, "ICN_KEY_PASSPHRASE_FILE"),
        (&[], import, 1, "a.pem is encrypted"),
        (
            &[],
            &["key", "new", "c.pem", "--encrypt"],
            2,
            "no passphrase for c.pem",
        ),
        (&[wrong], show, 1, "does not open the key in a.pem"),
        (&[wrong], import, 1, "does not open the key in a.pem"),
        (&[("ICN_KEY_PASSPHRASE", "")], show, 1, "is empty"),
        (&[file("empty")], show, 1, "is empty"),
        (&[file("none")], show, 1, "cannot read the passphrase file none"),
        (&[WORD, file("empty")], show, 1, "both set"),
        (
            &[WORD],
            &["key", "new", "a.pem", "--encrypt"],
            1,
            "exists already",
        ),
        (
            &[WORD],
            &["key", "export", "a.pem", "--to", "a.pem"],
            1,
            "exists already",
        ),
        (
            &[WORD],
            &["key", "import", "a.pem", "--to", "a.pem"],
            1,
            "exists already",
        ),
        (&[WORD], &["key", "export", "a.pem", "--plain"], 2, "--to"),
        (
            &[WORD],
            &["key", "import", "a.pem", "--to", "c.pem", "--from", "a.pem"],
            2,
            "--from",
        ),
    ] {
        let (found, stdout, stderr) = icn_cli_with(home.path(), variables, args);
        assert!(
            found == Some(code) && stdout.is_empty() && stderr.contains(told),
            "{args:?}: {found:?} {stderr}"
        );
        assert!(!stderr.contains("barley") && !home.path().join("c.pem").exists());
    }
}

#[test]
fn a_genesis_is_founded() {
    let home = tempfile::tempdir().unwrap();
    let did = |seed| Did::new(SecretKey::from_seed(&[seed; 32]).public());
    let founders = [format!("bakery={}", did(1)), format!("mill={}", did(2))];
    let args = [
        "federation",
        "create",
        "valley",
        "--founder",
        &founders[0],
        "--founder",
        &founders[1],
    ];
    let id = done(
        home.path(),
        &[&args[..], &["--set", "heartbeat_ms=2s", "-o", "g.json"]].concat(),
    );
    let genesis: Genesis = serde_json::from_slice(&fs::read(home.path().join("g.json")).unwrap()).unwrap();
    assert_eq!(genesis.id().to_string(), id.trim());
    assert_eq!(genesis.parameters.heartbeat_ms.get(), 2_000);
    assert_eq!(
        failed(home.path(), &[&args[..], &["-o", "g.json"]].concat()).0,
        Some(1),
        "never overwritten"
    );
    let (code, stderr) = failed(home.path(), &[&args[..], &["--set", "heartbeat=2s"]].concat());
    assert_eq!(code, Some(2));
    assert!(stderr.contains("heartbeat_ms"), "{stderr}");
}

#[test]
fn problems_are_told_with_code_and_remedy() {
    let home = tempfile::tempdir().unwrap();
    let problem = Problem::from(&ApiError::Unauthorised {}).correlated("c-1");
    let url = node(401, PROBLEM_JSON, serde_json::to_string(&problem).unwrap());
    let (code, stderr) = failed(home.path(), &["--api-url", &url, "info"]);
    assert_eq!(code, Some(1));
    for part in [
        "error: no valid API key",
        "code: 901 unauthorised",
        "icn-cli explain 901",
        "ICN_API_KEY",
        "c-1",
    ] {
        assert!(stderr.contains(part), "{stderr}");
    }
    let (_, stderr) = failed(home.path(), &["--json", "--api-url", &url, "info"]);
    let json: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!(json["error"]["code"], 901);
}

#[test]
fn an_absent_node_is_told_with_a_way_out() {
    let home = tempfile::tempdir().unwrap();
    let url = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let (code, stderr) = failed(home.path(), &["--api-url", &url, "status"]);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains(&url) && stderr.contains("remedy: start the node"),
        "{stderr}"
    );
    let doctor = icn_cli(home.path(), &["--api-url", &url, "doctor"]);
    assert_eq!(doctor.status.code(), Some(1));
    let table = text(&doctor.stdout);
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("api") && line.contains("fail")),
        "{table}"
    );
}

#[test]
fn the_profile_beside_a_node_is_found() {
    let home = tempfile::tempdir().unwrap();
    let blacklist = r#"{"after_failures":3,"cooldown_secs":600,"items":[]}"#;
    let url = node(200, "application/json", blacklist.to_owned());
    fs::create_dir(home.path().join("icn_data")).unwrap();
    fs::write(
        home.path().join("icn_data/cli.toml"),
        format!("api_url = {url:?}\napi_key = \"k\"\n"),
    )
    .unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&done(home.path(), &["mesh", "blacklist", "--json"])).unwrap();
    assert_eq!(json["cooldown_secs"], 600);
    let output = icn_cli(home.path(), &["mesh", "blacklist"]);
    assert!(output.stdout.is_empty() && text(&output.stderr).contains("nobody is blacklisted"));
    assert!(
        icn_cli(home.path(), &["-q", "mesh", "blacklist"])
            .stderr
            .is_empty()
    );
}

#[test]
fn papers_come_from_the_parser() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            done(home.path(), &["completions", shell]).contains("icn-cli"),
            "{shell}"
        );
    }
    done(home.path(), &["man", "man1"]);
    let pages = fs::read_dir(home.path().join("man1")).unwrap().count();
    assert!(pages > 30, "{pages}");
    let page = fs::read_to_string(home.path().join("man1/icn-cli-job-submit.1")).unwrap();
    assert!(page.contains("max\\-mana"));
}

#[test]
fn a_devnet_that_is_not_there_is_told() {
    let home = tempfile::tempdir().unwrap();
    for command in ["down", "status"] {
        let (code, stderr) = failed(home.path(), &["devnet", command]);
        assert!(
            code == Some(2) && stderr.contains("icn-cli devnet up"),
            "{stderr}"
        );
    }
    fs::create_dir(home.path().join("icn_devnet")).unwrap();
    fs::write(home.path().join("icn_devnet/letter.txt"), "dear").unwrap();
    let (code, stderr) = failed(home.path(), &["devnet", "up"]);
    assert!(code == Some(1) && stderr.contains("not empty"), "{stderr}");
}

#[test]
fn chaos_says_what_it_lacks() {
    let home = tempfile::tempdir().unwrap();
    for (scenario, lacks) in [
        ("slow_disk", "--faults-library"),
        ("clock_skew", "scripts/chaos/faults.c"),
        ("byzantine", "--features test-hooks"),
        ("packet_loss", "install nftables"),
        ("node_failure", "install iproute2"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_icn-cli"))
            .args(["devnet", "chaos", "--scenario", scenario])
            .env_clear()
            // No program is there.
            .env("PATH", home.path())
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        assert!(
            output.status.code() == Some(1) && stderr.contains(lacks),
            "{scenario}: {stderr}"
        );
    }
}
